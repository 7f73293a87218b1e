"""`tracker report results.csv`: a table instead of a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.running import Tracker

RUNS = "lr,seed,quality,val_accuracy,notes\n" + "".join(
    f"{lr},{seed},{30 + seed},{accuracy + seed / 100},x\n"
    for lr, accuracy in (("0.1", 0.7), ("0.01", 0.8))
    for seed in range(3)
)
SAMPLES = "run,sample,label,predicted\n" + "".join(
    f"{run},s{i},{'ab'[i % 2]},{'ab'[(i + (i < wrong)) % 2]}\n"
    for run, wrong in (("big", 2), ("small", 20))
    for i in range(40)
)


@pytest.fixture
def table(tracker: Tracker) -> Tracker:
    """The command line in a folder with two tables and no store."""
    Path("runs.csv").write_text(RUNS)
    Path("samples.csv").write_text(SAMPLES)
    return tracker


class TestReport:
    def test_a_row_a_run_is_compared_without_a_store(self, table: Tracker) -> None:
        written = table("report", "runs.csv", "--format", "json")
        report = json.loads(written.out)
        assert (written.status, written.err) == (0, "")
        assert [len(configuration["runs"]) for configuration in report["configurations"]] == [3, 3]
        assert report["metric"] == "val_accuracy"
        assert sorted(path.name for path in Path().iterdir()) == ["runs.csv", "samples.csv"]

    def test_a_row_a_run_and_sample_is_compared_sample_by_sample(self, table: Tracker) -> None:
        written = table("report", "samples.csv", "--format", "json")
        (difference,) = [c for c in json.loads(written.out)["conclusions"] if c["kind"] == "run_difference"]
        assert (difference["verdict"], difference["n"]) == ("supported", 40)
        assert not json.loads(written.out)["next"]

    def test_the_page_says_what_the_columns_were_taken_as(self, table: Tracker) -> None:
        page = table("report", "runs.csv", "--format", "markdown").out
        assert "| Table | runs.csv, 6 rows, one a run |" in page
        taken = "options: lr; repetitions: seed; metrics: quality and val_accuracy; not compared: notes"
        assert f"| Columns taken as | {taken} |" in page.replace("\\_", "_")

    def test_a_column_that_names_data_sets_is_neither_an_option_nor_a_repetition(self, table: Tracker) -> None:
        rows = [f"{data},{lr},{seed},0.{8 + seed}{lr}\n" for data in "ab" for lr in (1, 2) for seed in (0, 1)]
        Path("sets.csv").write_text("dataset,lr,seed,val_accuracy\n" + "".join(rows))
        page = table("report", "sets.csv", "--format", "markdown").out
        taken = "data set: dataset; options: lr; repetitions: seed; metrics: val_accuracy"
        assert f"| Columns taken as | {taken} |" in page.replace("\\_", "_")
        assert "Repeated by" not in page

    def test_what_a_table_lacks_is_said_as_rows_and_a_test_that_was_not_made_is_not_named(self, table: Tracker) -> None:
        Path("few.csv").write_text("lr,seed,val_accuracy\n1,0,0.8\n1,1,0.9\n2,0,0.7\n2,1,0.8\n")
        page = table("report", "few.csv", "--format", "markdown").out
        assert "came without a row for each sample" in page
        assert "log_input" not in page
        assert "Behrens" not in page

    def test_columns_are_what_the_options_name(self, table: Tracker) -> None:
        asked = ("--metric", "quality", "--maximise", "--ignore", "val_accuracy")
        report = json.loads(table("report", "runs.csv", *asked, "--format", "json").out)
        assert report["metric"] == "quality"
        assert len(report["configurations"]) == 2

    def test_contradictions_stand_in_the_report_and_on_the_terminal(self, table: Tracker) -> None:
        Path("wrong.csv").write_text("run,sample,correct,accuracy\n" + "".join(f"a,{i},1,0.5\n" for i in range(20)))
        said = "In wrong.csv, accuracy of run a is 0.5, but its rows have 1; the rows are used."
        written = table("report", "wrong.csv", "--format", "summary")
        assert said in written.out
        assert said in written.err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["runs.csv", "--experiment", "mine"], "give the table runs.csv or --experiment, not both"),
            (["runs.csv", "--tracking-uri", "mlflow.db"], "give the table runs.csv or --tracking-uri, not both"),
            (["runs.csv", "--since", "3d"], "give the table runs.csv or --since, not both"),
            (["runs.csv", "--log"], "--log is for runs of a store"),
            (["runs.csv", "--output", "runs.csv"], "--output would replace the table, runs.csv"),
            (["runs.csv", "--metric", "nosuch"], "no run logged the metric 'nosuch'"),
            (["runs.csv", "--ignore", "nosuch"], "runs.csv: it has no column 'nosuch': its columns are lr, seed"),
            (["nosuch.csv"], "there is no table nosuch.csv"),
            (["mine"], "for an experiment of the store give --experiment mine"),
        ],
    )
    def test_what_cannot_be_is_refused_in_one_line(self, table: Tracker, words: list[str], message: str) -> None:
        before = Path("runs.csv").read_text()
        refused = table("report", *words)
        assert refused.status in (1, 2)
        assert message in refused.err
        assert refused.err.count("\n") == 1
        assert (Path("runs.csv").read_text(), refused.out) == (before, "")

    def test_the_store_of_the_environment_is_not_touched(self, table: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        assert table("report", "samples.csv", "--format", "csv").status == 0


def test_compare_takes_a_table(table: Tracker) -> None:
    compared = table("compare", "big", "small", "samples.csv", "--fail-if-worse")
    assert compared.status == 0
    assert "18 samples that only run 1 gets correct" in compared.out


def test_compare_shows_no_labels_and_confidence_that_a_table_lacks(table: Tracker) -> None:
    lines = [f"{run},s{i},{int(i >= wrong)}" for run, wrong in (("a", 1), ("b", 5)) for i in range(9)]
    Path("hits.csv").write_text("\n".join(["run,sample,correct", *lines]))
    shown, written = (table("compare", "a", "b", "hits.csv", *form).out for form in ((), ("--format", "markdown")))
    assert "4 samples that only run 1 gets correct, clearest first:" in shown
    assert "confidence" not in shown
    assert "| Sample |\n| --- |\n| <code>s1</code> |\n" in written
    assert "## Classes" not in written


def test_runs_takes_a_table(table: Tracker) -> None:
    listed = json.loads(table("runs", "samples.csv", "--format", "json").out)
    assert [(run["name"], run["validation"]) for run in listed] == [
        ("big", {"correct": 38, "n": 40}),
        ("small", {"correct": 20, "n": 40}),
    ]
