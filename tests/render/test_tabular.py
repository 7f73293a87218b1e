"""CSV and LaTeX: what stands in them, and that other people's text does nothing there."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest

from tests.builders import HOSTILE, make_run, runs_by_kernel, writeup_runs
from tracker.printable import printable
from tracker.render import render_csv, render_latex
from tracker.report import Report, build_report

FORMULAS = (
    "=1+1", "+1+1|cmd", "-2+3", "@SUM(A1)", " =1+1", "a;=1+1", "\t=1", "\r\n=HYPERLINK(1)", "＝1", '"=1"', "\u202e=1",
)  # fmt: skip
COMMANDS = (
    r"\input{secrets}", r"\\[1cm]", "[x]", "*", "a & b", "%", "$x$", "a_b^c", "~", "#1", "{", "}", "--", "``q''",
    '"a', "<<x>>", "^^41", "a\\end{tabular}", "\u202e", "|",
)  # fmt: skip

STACKED = re.compile(r"\\shortstack\[[lr]\]\{(.*?)\\\\(.*)\}")


def rows_of(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(report))))


def named(text: str) -> Report:
    """A report in which everything of a run that a person can name is one text."""
    run = make_run(1, "1101", {text or "empty": text}, metrics={text: 0.5})
    return build_report(text, [replace(run, name=text), make_run(2, "1000", {text or "empty": "7"})], metric=text)


def table_of(report: Report) -> list[list[str]]:
    """The cells of a LaTeX table's body, and its header first, whose cells of two lines are joined by a space."""
    body = render_latex(report).partition("\\toprule\n")[2].partition("\\bottomrule")[0].replace("\\midrule\n", "")
    assert body.count("\n") == body.count(" \\\\\n")
    header, *rows = [line.removesuffix(r" \\").split(" & ") for line in body.splitlines()]
    return [[STACKED.sub(r"\1 \2", cell) for cell in header], *rows]


class TestRenderCsv:
    def test_a_row_has_a_run_with_its_results_params_and_metrics(self) -> None:
        first, *others = rows_of(build_report("e", writeup_runs()))
        assert len(others) == 3
        assert (first["run_id"], first["run"], first["name"]) == (f"{1:032x}", "1", "run-1")
        assert (first["correct"], first["n"], first["score"]) == ("25", "30", "0.8333333333333334")
        assert (first["param.kernel_size"], first["param.learning_rate"]) == ("7", "0.0001")
        assert first["metric.best_val_loss"] == "0.40432727336883545"

    def test_what_a_run_does_not_have_is_an_empty_cell(self) -> None:
        rows = rows_of(build_report("e", [make_run(1, "11", {"a": "1"}, metrics={"lost": float("nan")}), make_run(2)]))
        assert [row["param.a"] for row in rows] == ["1", ""]
        assert {row["metric.lost"] for row in rows} == {""}
        assert [row["correct"] for row in rows] == ["2", ""]

    def test_seeds_of_one_configuration_share_its_id(self) -> None:
        rows = rows_of(build_report("e", runs_by_kernel({"3": ["110", "100"], "5": ["111", "001"]})))
        assert [rows[0]["configuration"], rows[1]["configuration"]] == [row["configuration"] for row in rows[2:]]
        assert len({row["configuration"] for row in rows}) == 2

    def test_runs_of_several_experiments_have_a_column_of_its_name(self) -> None:
        runs = [replace(run, experiment=name) for run, name in zip(writeup_runs(), "abab", strict=True)]
        assert [row["experiment"] for row in rows_of(build_report("a, b", runs))] == ["a", "b", "a", "b"]
        assert "experiment" not in rows_of(build_report("a", writeup_runs()))[0]

    def test_no_runs_are_a_header_alone(self) -> None:
        (line,) = render_csv(build_report("e", [])).splitlines()
        assert line.startswith("run_id,run,name,")

    @pytest.mark.parametrize("text", [*FORMULAS, *HOSTILE], ids=range(len(FORMULAS) + len(HOSTILE)))
    def test_no_cell_begins_a_formula(self, text: str) -> None:
        document = render_csv(named(text))
        assert document.encode().decode() == document
        assert all(sign.isprintable() or sign == "\n" for sign in document)
        for row in csv.reader(io.StringIO(document)):
            for cell in row:
                assert not any(part.lstrip()[:1] in tuple("=+-@＝＋－＠") for part in cell.split(";"))

    def test_a_negative_number_stays_a_number(self) -> None:
        run = make_run(1, "11", {"gain": "-0.5", "shift": "+2"}, metrics={"loss": -0.25})
        (row,) = rows_of(build_report("e", [run]))
        assert (row["param.gain"], row["param.shift"], row["metric.loss"]) == ("-0.5", "+2", "-0.25")

    def test_what_can_do_nothing_is_as_it_was(self) -> None:
        (row,) = rows_of(build_report("e", [replace(make_run(1, "11"), name='a, "b" | c')]))
        assert row["name"] == 'a, "b" | c'


class TestRenderLatex:
    def test_a_row_has_levels_mean_deviation_and_interval(self) -> None:
        report = build_report("e", runs_by_kernel({"3": ["1110", "1100"], "5": ["1000", "0000"]}))
        header, first, second = table_of(report)
        assert header == ["Kernel size", "Seeds", r"Validation accuracy (\%)", r"95\% interval"]
        assert first[:3] == ["3", "2", r"\textbf{62.5} $\pm$ 17.7"]
        assert second[:2] == ["5", "2"]
        assert re.fullmatch(r"[\d.]+--[\d.]+", first[3])

    def test_runs_without_seeds_are_called_runs_and_untested_ones_are_said_to_be(self) -> None:
        runs = [
            make_run(i, None, {"k": str(i % 2)}, seed=None, tags={"tracker.split": ""}, metrics={"val_f1": i / 9})
            for i in range(4)
        ]
        assert table_of(build_report("e", runs))[0][:2] == ["k", "Runs"]
        assert "not significantly worse or was not tested." in render_latex(build_report("e", runs))

    def test_without_repetitions_there_are_no_seeds_and_no_deviation(self) -> None:
        header, *rows = table_of(build_report("e", writeup_runs()))
        assert header[-2:] == [r"Validation accuracy (\%)", r"95\% interval"]
        assert "Seeds" not in header
        assert [row[-2] for row in rows] == [rf"\textbf{{{score}}}" for score in ("86.7", "83.3", "83.3", "80.0")]

    def test_another_metric_has_its_name_and_digits(self) -> None:
        header, *rows = table_of(build_report("e", writeup_runs(), metric="best_val_loss"))
        assert header[-1] == r"best\_val\_loss"
        assert "% Mean of one run.\n" in render_latex(build_report("e", writeup_runs(), metric="best_val_loss"))
        assert rows[0][-1] == r"\textbf{0.371}"

    def test_of_many_configurations_the_best_fifty_stand_in_the_table(self) -> None:
        runs = [make_run(n, "1" * (n % 7) + "0" * (7 - n % 7), {"kernel_size": str(n)}) for n in range(60)]
        assert len(table_of(build_report("e", runs))) == 51
        assert "% 10 more configurations" in render_latex(build_report("e", runs))

    def test_rules_are_those_of_booktabs(self) -> None:
        text = render_latex(build_report("e", writeup_runs()))
        assert re.findall(r"\\(\w+rule|begin|end)\b", text) == ["begin", "toprule", "midrule", "bottomrule", "end"]

    @pytest.mark.parametrize("text", [*COMMANDS, *HOSTILE], ids=range(len(COMMANDS) + len(HOSTILE)))
    def test_tex_acts_on_nothing_that_others_wrote(self, text: str) -> None:
        header, *rows = table_of(named(text))
        plain = re.compile(
            r"(?:[^\\{}$&#^_~%<>|\"`'\[\]*-]|\\[{}$&#_%]|\\text(?:backslash|asciicircum|asciitilde|less|greater|bar)\{\}"
            r"|\\dots\{\}|\{\\char\d+\}|\{[\[\]*-]\}|--|\$-\$|\$\\(?:times|pm|approx)\$)*"
        )
        for cell in (*header, *(row[0] for row in rows)):
            assert plain.fullmatch(cell), cell
        assert all(sign.isprintable() or sign == "\n" for sign in render_latex(named(text)))

    def test_letters_of_any_script_stay(self) -> None:
        report = build_report("e", [make_run(1, "11", {"Größe": "ψ"}), make_run(2, "10", {"Größe": "漢字"})])
        assert [row[0] for row in table_of(report)] == ["Größe", "ψ", "漢字"]

    def test_a_long_name_is_cut(self) -> None:
        assert max(map(len, render_latex(named("x" * 5_000)).splitlines())) < 400
        assert printable("x" * 5_000) not in render_latex(named("x" * 5_000))
