from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tracker.table import TableError, TableRuns, runs_of
from tracker.table.cells import Cells

if TYPE_CHECKING:
    from tracker.runs import Run


def table(text: str) -> Cells:
    """A table of lines, its fields divided by spaces; ``_`` is an empty one."""
    header, *rows = [line.split() for line in text.strip().splitlines()]
    columns = zip(*([cell.replace("_", "") for cell in row] for row in rows), strict=True)
    return Cells("results.csv", tuple(header), tuple(map(list, columns)), range(2, len(rows) + 2))


def read(text: str, **named: tuple[str, ...]) -> TableRuns:
    return runs_of(table(text), **named)


def of_samples(run: str, signs: str) -> str:
    return "\n".join(f"{run} s{i} {sign}" for i, sign in enumerate(signs))


class TestOneRowARun:
    def test_a_row_is_a_run(self) -> None:
        found = read("name lr seed val-loss val-acc\na 0.1 0 0.7 0.8\nb 0.2 0 0.6 0.9")
        first, second = found.runs
        assert (first.name, first.params, first.metrics) == (
            "a", {"lr": "0.1", "seed": "0"}, {"val-loss": 0.7, "val-acc": 0.8},
        )  # fmt: skip
        assert (second.run_id, second.validation, found.each) == ("run-0002", None, "run")

    def test_a_run_without_a_name_is_called_by_its_line(self) -> None:
        assert read("lr acc\n1 0.5").runs[0].name == "line 2"

    @pytest.mark.parametrize(
        ("name", "values"),
        [("f1", "0.5 0.6"), ("test.accuracy", "0.5 0.6"), ("eval/bleu", "31 33"), ("train-seconds", "7 8"),
         ("RMSE", "9 7")],
    )  # fmt: skip
    def test_numbers_called_as_a_metric_or_a_duration_were_measured(self, name: str, values: str) -> None:
        first, second = values.split()
        assert name in read(f"lr acc {name}\n1 0.5 {first}\n2 0.6 {second}").metrics

    @pytest.mark.parametrize(
        ("name", "values"),
        [("loss", "bce mse"), ("test-size", "0.1 0.2"), ("precision", "16 32"), ("loss-weight", "0.5 1"), ("lr", "1 2"),
         ("val-fold", "1 2")],
    )  # fmt: skip
    def test_options_that_sound_like_metrics_are_options(self, name: str, values: str) -> None:
        first, second = values.split()
        assert name in read(f"lr acc {name}\n1 0.5 {first}\n2 0.6 {second}").params

    def test_columns_are_what_they_are_named(self) -> None:
        found = read("lr psnr loss\n1 30 2\n2 31 3", metrics=("psnr",), params=("loss",))
        assert (found.params, found.metrics) == (("lr", "loss"), ("psnr",))

    @pytest.mark.parametrize("name", ["lr", "seed", "fold", "kernel_size"])
    def test_an_option_or_a_seed_is_no_metric(self, name: str) -> None:
        with pytest.raises(TableError, match=rf"'{name}' says how a run was trained, not .*; metrics are f1"):
            read(f"{name} f1\n1 0.5\n2 0.6", metrics=(name,))

    def test_numbers_that_differ_with_the_seed_alone_were_measured(self) -> None:
        text = "lr seed sharpness crispness\n1 0 3.1 7\n1 1 3.2 8\n2 0 4.1 5\n2 1 4.3 6"
        assert read(text).metrics == ("sharpness", "crispness")

    @pytest.mark.parametrize(
        "rows",
        ["1 0 3.1\n1 1 3.1\n2 0 4.1\n2 1 4.1", "1 0 3.1\n1 1 3.2\n2 2 4.1\n2 3 4.3", "1 0 3\n1 0 4\n2 0 3\n2 0 4"],
        ids=["the same for each seed", "no shared seed", "one seed"],
    )
    def test_numbers_that_differ_otherwise_are_options(self, rows: str) -> None:
        assert read("lr seed sharpness acc\n" + "\n".join(f"{row} 0.5" for row in rows.split("\n"))).metrics == ("acc",)

    def test_prefixes_say_what_a_column_is(self) -> None:
        text = "run_id params.lr metrics.score tags.a.runName start\nabc 0.1 3 fox 9".replace("run_id", "run-id")
        found = read(text)
        assert (found.params, found.metrics, found.unused) == (("lr",), ("score",), ("run-id", "start"))
        assert found.runs[0].name == "fox"

    def test_missing_values_are_not_logged_and_not_finite_ones_are(self) -> None:
        found = [run.metrics.get("acc") for run in read("lr acc\n1 _\n2 NA\n3 nan\n4 inf\n5 83%").runs]
        assert found[:2] == [None, None]
        assert math.isnan(found[2] or 0)
        assert found[3:] == [math.inf, 0.83]

    def test_a_text_among_numbers_is_refused(self) -> None:
        with pytest.raises(TableError, match=r"results.csv, line 3: 'acc' must be a number, got 'bad': leave it empty"):
            read("lr acc\n1 0.5\n2 bad")

    def test_names_that_repeat_are_an_option(self) -> None:
        found = read("run seed acc\nbig 0 0.8\nbig 1 0.9\nsmall 0 0.7")
        assert found.runs[0].params == {"configuration": "big", "seed": "0"}

    def test_runs_that_failed_are_known_as_such(self) -> None:
        assert [run.status for run in read("lr acc state\n1 0.5 finished\n2 0.6 Crashed").runs] == [
            "FINISHED",
            "FAILED",
        ]

    def test_equal_rows_are_said(self) -> None:
        assert read("lr acc\n1 0.5\n2 0.6\n1 0.5").remarks == (
            "Lines 2 and 4 of results.csv are equal in every column; both are counted.",
        )

    @pytest.mark.parametrize(("cell", "got"), [("good", "holds no number, but 'good'"), ("_", "is empty")])
    def test_a_metric_without_numbers_is_named(self, cell: str, got: str) -> None:
        with pytest.raises(TableError, match=f"the column 'val_accuracy' {got}: fill in numbers"):
            read(f"lr val_accuracy\n0.1 {cell}\n0.2 {cell}")

    def test_without_a_metric_the_columns_are_named(self) -> None:
        with pytest.raises(TableError, match=r"name one with --metric; its columns are 'lr', 'score'"):
            read("lr score\n1 2")


class TestOneRowARunAndEpoch:
    def test_rows_of_a_run_are_its_curves(self) -> None:
        found = read("run epoch lr rate val-loss\na 1 0.1 3 0.7\na 2 0.1 2 0.6\nb 2 0.2 2 0.4\nb 1 0.2 3 0.5")
        first, second = found.runs
        assert (found.each, found.params, found.metrics) == ("run and epoch", ("lr",), ("rate", "val-loss"))
        assert second.curves["val-loss"].steps.tolist() == [1, 2]
        assert second.curves["val-loss"].values.tolist() == [0.5, 0.4]
        assert (first.params, first.metrics) == ({"lr": "0.1"}, {"rate": 2.0, "val-loss": 0.6})

    def test_without_names_a_run_begins_where_epochs_do(self) -> None:
        found = read("epoch loss val-loss\n0 0.9 0.8\n1 0.7 _\n0 0.8 0.7")
        assert [list(run.curves["loss"].values) for run in found.runs] == [[0.9, 0.7], [0.8]]
        assert found.runs[0].curves["val-loss"].steps.tolist() == [0]

    def test_an_epoch_twice_is_refused(self) -> None:
        with pytest.raises(TableError, match="line 3: the run has the epoch 1 already in line 2"):
            read("run epoch loss\na 1 0.5\na 1 0.4")

    def test_one_epoch_a_run_is_a_row_a_run(self) -> None:
        assert read("run epoch acc\na 7 0.5\nb 9 0.4").each == "run"


class TestOneRowARunAndSample:
    def test_runs_are_told_apart_by_name_and_seed(self) -> None:
        found = read("model seed sample correct\na 0 x 1\na 1 x 0\nb 0 x true\nb 1 x no")
        assert [run.params for run in found.runs] == [{"model": model, "seed": seed} for model in "ab" for seed in "01"]
        assert [correct(run) for run in found.runs] == [[True], [False], [True], [False]]

    def test_what_is_the_same_in_a_run_is_its_option_or_metric(self) -> None:
        found = read(
            "run sample correct lr val-loss text\na x 1 0.1 0.7 u\na y 0 0.1 0.7 v\nb x 1 0.2 0.6 u\nb y 1 0.2 0.6 v"
        )
        assert (found.params, found.metrics, found.unused) == (("lr",), ("val-loss",), ("text",))

    def test_labels_and_predictions_say_which_samples_are_correct(self) -> None:
        (run,) = read("run clip y_true y_pred artist\na 2 1 1.0 u\na 1 0 1.0 v".replace("artist", "group")).runs
        assert correct(run) == [False, True]
        assert run.groups == {"1": "v", "2": "u"}

    def test_probabilities_are_read(self) -> None:
        (run,) = read("run sample label predicted p_a p_b\nr 1 a a 0.9 0.1\nr 2 b a 0.6 0.4").runs
        assert run.validation is not None
        assert run.validation.probabilities is not None
        assert run.validation.probabilities.tolist() == [[0.9, 0.1], [0.6, 0.4]]

    def test_probabilities_that_do_not_fit_the_predictions_are_not_used(self) -> None:
        found = read("run sample label predicted a b\nr 1 a a 0.4 0.6\nr 2 b a 0.6 0.4")
        assert found.runs[0].validation is not None
        assert found.runs[0].validation.probabilities is None
        assert found.remarks[0].startswith("In results.csv, predicted is not the most probable class in 1 row, line 2;")

    @pytest.mark.parametrize(
        ("rows", "remark"),
        [
            ("run sample label predicted correct\na 1 x x 0\na 2 x y 1",
             "correct contradicts label and predicted in 2 rows, the first in line 2; label and predicted are used."),
            ("run sample correct accuracy\na 1 1 0.9\na 2 0 0.9",
             "accuracy of run a is 0.9, but its rows have 0.5; the rows are used."),
            ("run sample label predicted\na 1 x x\nb 1 y y",
             "sample 1 is x in run a and y in run b: runs whose samples differ in a label are not compared."),
            ("run sample label predicted x y\na 1 x x 0.7 0.7\na 2 y y 0 1",
             "probabilities do not add up to 1 in 1 row, line 2; such runs' probabilities are not used."),
        ],
    )  # fmt: skip
    def test_contradictions_are_said(self, rows: str, remark: str) -> None:
        assert read(rows).remarks == (f"In results.csv, {remark}",)

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ("run sample correct\na 1 1\na 2 1\na 1 0", "line 4: the run has the sample '1' already in line 2"),
            ("run sample correct\na 1 0.5", r"line 2: correct must be 0 or 1 \(or true or false\), got '0.5'"),
            ("run sample label predicted\na 1 x _", "line 2: predicted is empty"),
            ("run sample label predicted\na _ x x", "line 2: the sample has no name"),
            ("run sample label predicted\na 1 2.5 2.4", "line 2: run 'a': a label must be a class, got the number 2.5"),
            ("sample label predicted\na x y", "but not of which run: add a column run"),
            ("run label predicted\na x y", "but not of which sample: add a column sample"),
            ("run sample value\na 1 x\na 2 y", "doesn't say whether it is correct: add a column correct, or label"),
            ("run sample label predicted x y\na 1 x x 0.7 _\na 2 y y 0 1", "line 2: 'y' must be a probability, got ''"),
        ],
    )
    def test_says_what_is_wrong_and_where(self, rows: str, message: str) -> None:
        with pytest.raises(TableError, match=message):
            read(rows)


def correct(run: Run) -> list[bool]:
    assert run.validation is not None
    return list(run.validation.correct)
