from __future__ import annotations

import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tracker.errors import JournalError
from tracker.journal.upload_state import read_upload_state, sending, write_upload_state
from tracker.runs.events import UploadState

if TYPE_CHECKING:
    from pathlib import Path

DELIVERY = UploadState("run", "file:///tmp/mlruns/1/run/artifacts", 7)

ASK = """
import sys
from pathlib import Path
from tracker.journal.upload_state import sending
with sending(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    input()
"""


class TestReadDelivery:
    def test_read_delivery_reads_what_was_kept(self, tmp_path: Path) -> None:
        write_upload_state(tmp_path, DELIVERY)
        assert read_upload_state(tmp_path) == DELIVERY

    def test_read_delivery_is_none_before_anything_was_sent(self, tmp_path: Path) -> None:
        assert read_upload_state(tmp_path) is None

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "null",
            '{"run_id": "a"}',
            '"\\',
            '{"run_id": "a", "artifacts": "b", "entries": -1}',
            '{"run_id": "a", "artifacts": "b", "entries": "7"}',
            '{"run_id": 1, "artifacts": "b", "entries": 7}',
        ],
    )
    def test_read_delivery_is_none_where_the_file_is_damaged(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "delivery.json").write_text(text)
        assert read_upload_state(tmp_path) is None

    def test_read_delivery_says_that_the_file_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "delivery.json").mkdir()
        with pytest.raises(JournalError, match=r"cannot read .*delivery\.json: Is a directory"):
            read_upload_state(tmp_path)


class TestWriteDelivery:
    def test_write_delivery_replaces_what_was_kept_and_leaves_nothing_else(self, tmp_path: Path) -> None:
        write_upload_state(tmp_path, UploadState("run", "there", 1))
        write_upload_state(tmp_path, DELIVERY)
        assert read_upload_state(tmp_path) == DELIVERY
        assert [path.name for path in tmp_path.iterdir()] == ["delivery.json"]

    def test_write_delivery_says_that_it_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(JournalError, match=r"cannot write .*gone/delivery\.json: "):
            write_upload_state(tmp_path / "gone", DELIVERY)


class TestSending:
    def test_sending_is_one_at_a_time_among_processes(self, tmp_path: Path) -> None:
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", ASK, tmp_path], stdin=pipe, stdout=pipe, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "True\n"
            with sending(tmp_path) as mine:
                assert not mine
            other.kill()
            other.wait()
        with sending(tmp_path) as mine:
            assert mine

    def test_sending_is_one_at_a_time_among_threads(self, tmp_path: Path) -> None:
        said: list[bool] = []

        def ask() -> None:
            with sending(tmp_path) as mine:
                said.append(mine)

        with sending(tmp_path) as mine:
            assert mine
            thread = Thread(target=ask)
            thread.start()
            thread.join()
            ask()
        ask()
        assert said == [False, False, True]

    def test_sending_is_free_again_after_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError), sending(tmp_path):
            raise RuntimeError
        with sending(tmp_path) as mine:
            assert mine

    def test_sending_says_that_there_is_no_folder(self, tmp_path: Path) -> None:
        with (
            pytest.raises(JournalError, match=r"cannot lock .*gone/sending\.lock: No such file"),
            sending(tmp_path / "gone"),
        ):
            pass
