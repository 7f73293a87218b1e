from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tracker.table import TableError, cells_of, read_cells
from tracker.table.cells import MOST_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, content: str | bytes, name: str = "results.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


class TestReadCells:
    @pytest.mark.parametrize(
        "content",
        [
            "lr,acc\n0.1,0.5\n\n0.2,0.6\n",
            "\ufefflr, acc\r\n0.1,0.5\r\n0.2 ,0.6\r\n",
            '"lr";"acc"\n0,1;0,5\n0,2;0,6\n',
            "lr\tacc\n0,1\t0,5\n0,2\t0,6\n".encode("utf-16"),
            ",lr,acc\n0,0.1,0.5\n1,0.2,0.6\n",
            "Unnamed: 0,lr,acc,\n7,0.1,0.5,\n8,0.2,0.6,\n",
        ],
        ids=["blank lines", "byte-order mark", "decimal commas", "UTF-16", "an index", "an empty column"],
    )
    def test_tables_of_all_spellings_are_the_same(self, tmp_path: Path, content: str | bytes) -> None:
        found = read_cells(written(tmp_path, content))
        assert found.header == ("lr", "acc")
        assert [list(column) for column in found.columns] == [["0.1", "0.2"], ["0.5", "0.6"]]

    def test_rows_keep_the_line_they_begin_in(self, tmp_path: Path) -> None:
        assert read_cells(written(tmp_path, 'note,acc\n"two\nlines",1\n\nb,2\n')).lines == [2, 5]

    def test_a_decimal_comma_stays_in_a_column_of_text(self, tmp_path: Path) -> None:
        assert read_cells(written(tmp_path, "sizes;acc\n1,2;1\nsmall;2\n")).columns[0] == ["1,2", "small"]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "results.csv is empty"),
            ("lr,acc\n", "has no rows below its header"),
            ("lr,acc,lr\n1,2,3\n", "has the column 'lr' more than once: rename"),
            ("lr,,acc\n1,2,3\n", "column 2 has no name in the first line"),
            ("lr,acc\n1,2\n3\n", "line 3: 1 field, but the header has 2: add what is missing"),
            ("lr;acc\n1;2;3\n", "line 2: 3 fields, but the header has 2: put a field that contains a semicolon"),
            ('lr,acc\n"1,2\n3,4\n', "line 2: not CSV"),
            (b"lr,gr\xf6\xdfe\n1,2\n", r"is not a table as text \(byte 5: not UTF-8 text\): save it as CSV in UTF-8"),
            (b"lr,acc\n\0,1\n", "zero bytes"),
            (",".join(f"c{i}" for i in range(MOST_COLUMNS + 1)), "has more columns, and at most 5,000 are read"),
        ],
    )
    def test_says_what_is_wrong_and_where(self, tmp_path: Path, content: str | bytes, message: str) -> None:
        with pytest.raises(TableError, match=message):
            read_cells(written(tmp_path, content))

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("mine", "there is no table .*mine: for an experiment of the store give --experiment"),
            ("no.csv", "there is no table .*no.csv: check its name"),
            ("mlflow.db", "for a store give --tracking-uri"),
            ("report.html", "or --output .*report.html"),
            (".", "is a folder"),
        ],
    )
    def test_what_is_no_table_is_answered_with_what_may_be_meant(self, tmp_path: Path, name: str, message: str) -> None:
        with pytest.raises(TableError, match=message):
            read_cells(tmp_path / name)

    @pytest.mark.parametrize("name", ["pipe.csv", "pipe.parquet"])
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path, name: str) -> None:
        os.mkfifo(tmp_path / name)
        with pytest.raises(TableError, match=r"pipe\.\w+ is a named pipe"):
            read_cells(tmp_path / name)

    def test_other_files_are_refused_by_their_ending(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="is a spreadsheet: save it as CSV"):
            read_cells(written(tmp_path, "", "results.xlsx"))

    def test_parquet_is_read_as_its_frame(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"lr": [0.1, 1.0], "ok": [True, None], "acc": [0.5, float("nan")]})
        frame.to_parquet(tmp_path / "results.parquet")
        of_file, of_frame = read_cells(tmp_path / "results.parquet"), cells_of(frame)
        assert list(map(list, of_file.columns)) == list(map(list, of_frame.columns))
        assert list(map(list, of_frame.columns)) == [["0.1", "1"], ["true", ""], ["0.5", ""]]

    def test_what_is_no_parquet_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="is not a Parquet file that can be read"):
            read_cells(written(tmp_path, "lr,acc\n", "results.parquet"))


class TestCellsOf:
    def test_columns_by_name_are_a_table(self) -> None:
        assert cells_of({"lr": [0.1], "net": [None]}).columns == (["0.1"], [""])

    def test_columns_of_other_lengths_are_refused(self) -> None:
        with pytest.raises(TableError, match="must be of one length, got 1, 2"):
            cells_of({"lr": [0.1], "acc": [1, 2]})

    def test_a_named_index_is_columns(self) -> None:
        rows = pd.DataFrame({"net": ["a", "a", "b"], "seed": [0, 0, 1], "acc": [0.5, 0.7, 0.8]})
        cells = cells_of(rows.groupby(["net", "seed"]).max())
        assert cells.header == ("net", "seed", "acc")
        assert list(map(list, cells.columns)) == [["a", "b"], ["0", "1"], ["0.7", "0.8"]]
        assert cells_of(rows.set_index("net", drop=False)).header == ("net", "seed", "acc")

    def test_two_columns_of_one_name_are_refused(self) -> None:
        with pytest.raises(TableError, match="has the column 'lr' more than once"):
            cells_of(pd.DataFrame([[1, 2]], columns=["lr", "lr"]))

    def test_what_is_no_table_is_refused(self) -> None:
        with pytest.raises(ValueError, match="a path, a data frame or columns by name, got 3"):
            cells_of(3)
