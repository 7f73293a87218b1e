"""Which runs a report is about: by name, age and the store's own filters, from one experiment or several."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.builders import START, STARTED, random_epoch_predictions, random_predictions, send_run
from tracker.errors import TrackerError
from tracker.journal.writer import JournalWriter
from tracker.recording.selection import Selection, load_selected, selection_of, since_of
from tracker.recording.stores import find_store
from tracker.runs.events import Ended, Measured
from tracker.store import (
    VALIDATION,
    VALIDATION_BY_EPOCH,
    FilterError,
    epoch_predictions_npz,
    predictions_csv,
)
from tracker.store.location import locate

if TYPE_CHECKING:
    from tracker.recording.stores import ExperimentRuns

DAY = 86_400_000


def log(
    number: int,
    *,
    experiment: str = "tracker",
    name: str = "",
    metric: str = "val_accuracy",
    folder: Path | None = None,
) -> str:
    """Log the run of a number: it starts on that day, has a kernel of that size, and is called by it."""
    begun = replace(
        STARTED,
        time=START + number * DAY,
        experiment=experiment,
        name=name or f"run-{number}",
        metric=metric,
        params={"kernel_size": str(number)},
    )
    measured = Measured(START, {"best_val_accuracy": number / 10})
    return send_run(
        locate(None, folder or Path.cwd()), measured, Ended(START + number * DAY + 9, "FINISHED"), started=begun
    )


@pytest.fixture(scope="module")
def store_of_four(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("four")
    return folder / "mlflow.db", [log(number, folder=folder) for number in (1, 2, 3, 4)]


@pytest.fixture
def four(work: Path, store_of_four: tuple[Path, list[str]]) -> list[str]:
    """A working folder with a store of runs 1 to 4; returns their ids."""
    database, ids = store_of_four
    shutil.copy(database, work / "mlflow.db")
    return ids


def load(*experiments: str, now_ms: int = START + 5 * DAY, **chosen: object) -> ExperimentRuns:
    given = {"runs": None, "exclude": (), "filter_string": None, "since": None} | chosen
    selection = selection_of(**given, now_ms=now_ms)  # type: ignore[arg-type]
    return load_selected(find_store(None), experiments or ("tracker",), selection)


def names(found: ExperimentRuns) -> list[str]:
    return [run.name for run in found]


class TestSinceOf:
    @pytest.mark.parametrize(
        ("text", "ago"), [("30m", 1_800_000), ("12h", DAY // 2), ("3d", 3 * DAY), ("2w", 14 * DAY)]
    )
    def test_since_of_an_age_counts_back_from_now(self, text: str, ago: int) -> None:
        assert since_of(text, 10 * DAY).ms == 10 * DAY - ago

    def test_since_of_a_date_with_a_zone_is_that_moment(self) -> None:
        assert since_of("2026-11-25T14:00+00:00", 0).ms == datetime(2026, 11, 25, 14, tzinfo=UTC).timestamp() * 1_000

    def test_since_of_a_date_is_its_midnight_here(self) -> None:
        assert since_of("2026-11-25", 0).ms == datetime(2026, 11, 25).astimezone().timestamp() * 1_000

    @pytest.mark.parametrize("text", ["", "yesterday", "3", "d", "-3d", "3.5d", "999999d", "2026-13-01", "25.11.2026"])
    def test_since_of_anything_else_is_refused_with_examples(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be a date such as 2026-11-25 or an age such as 3d, got"):
            since_of(text, 0)


@pytest.mark.usefixtures("four")
class TestLoadSelected:
    def test_without_a_selection_all_runs_are_kept(self, four: list[str]) -> None:
        found = load()
        assert [run.run_id for run in found] == four
        assert (found.name, found.selection) == ("tracker", "")

    def test_runs_are_kept_by_name_id_or_prefix_in_the_order_of_the_experiment(self, four: list[str]) -> None:
        found = load(runs=["run-4", four[1][:8], four[0]])
        assert names(found) == ["run-1", "run-2", "run-4"]
        assert found.selection.startswith("3 of 4 runs (--runs run-4 --runs ")

    def test_a_list_with_commas_names_several(self, four: list[str]) -> None:
        assert names(load(runs=[f"run-1,{four[2]}"])) == ["run-1", "run-3"]
        assert names(load(exclude=["run-1, run-2"])) == ["run-3", "run-4"]

    def test_a_name_with_a_comma_is_one_run(self) -> None:
        log(5, name="run-1,run-2", experiment="other")
        assert names(load("tracker", "other", runs=["run-1,run-2"])) == ["run-1,run-2"]

    def test_what_is_excluded_is_left_out_of_what_is_named(self) -> None:
        assert names(load(runs=["run-1", "run-2"], exclude=["run-2"])) == ["run-1"]

    @pytest.mark.parametrize("option", ["runs", "exclude"])
    def test_an_unknown_run_is_an_error_that_names_those_there_are(self, option: str) -> None:
        with pytest.raises(TrackerError, match=r"no run has the id or name 'run-9'.*run-1"):
            load(**{option: ["run-9"]})

    @pytest.mark.parametrize("since", ["3d", datetime.fromtimestamp((START + 2 * DAY) / 1_000, UTC)])
    def test_since_keeps_the_runs_started_from_then_on(self, since: object) -> None:
        assert names(load(since=since)) == ["run-2", "run-3", "run-4"]

    def test_since_takes_a_date(self) -> None:
        assert load(since=date(1999, 1, 1)).selection == "4 of 4 runs (--since 1999-01-01T00:00:00)"

    @pytest.mark.parametrize(
        ("filter_string", "kept"),
        [
            ("params.kernel_size = '3'", [3]),
            ("metrics.best_val_accuracy > 0.25 and attributes.run_name != 'run-4'", [3]),
            ("tags.`tracker.data` = 'demo'", [1, 2, 3, 4]),
        ],
    )
    def test_filter_is_the_stores_own(self, filter_string: str, kept: list[int]) -> None:
        assert names(load(filter_string=filter_string)) == [f"run-{number}" for number in kept]

    def test_a_filter_of_another_syntax_is_refused_with_the_reason(self) -> None:
        with pytest.raises(
            FilterError, match="the filter 'kernel > ' isn't of MLflow's syntax: write a param as params"
        ):
            load(filter_string="kernel > ")

    def test_a_run_that_is_not_in_the_store_yet_is_left_out_by_a_filter_and_named(self) -> None:
        begun = replace(STARTED, uri=locate(None, Path.cwd()).uri, time=START + 9 * DAY)
        with JournalWriter.create(Path(".tracker").absolute() / uuid4().hex, begun) as writer:
            writer.append(Ended(START + 9 * DAY + 9, "FINISHED"))
        found = load(filter_string="attributes.run_name LIKE '%run%'")
        assert names(found) == ["run-1", "run-2", "run-3", "run-4"]
        assert (
            "1 run is not wholly in the store, and --filter sees only what is: run `tracker sync` first"
            in found.problems
        )

    def test_a_selection_that_leaves_no_run_is_an_error_that_repeats_it(self) -> None:
        with pytest.raises(TrackerError, match="no run is left: none of 4 runs matches --runs run-1 --since 3d"):
            load(runs=["run-1"], since="3d")


@pytest.mark.usefixtures("work")
class TestPredictionsByEpoch:
    def test_they_are_those_of_the_selected_runs_however_old(self) -> None:
        files = {
            VALIDATION: predictions_csv(random_predictions()).encode(),
            VALIDATION_BY_EPOCH: epoch_predictions_npz(random_epoch_predictions()),
        }
        for number in range(4):
            begun = replace(STARTED, time=START + number, name=f"run-{number}")
            send_run(locate(None, Path.cwd()), Ended(START + 9, "FINISHED"), started=begun, files=files)

        def have(**chosen: tuple[str, ...]) -> dict[str, bool]:
            found = load_selected(find_store(None), ["tracker"], Selection(**chosen), by_epoch=2)
            return {run.name: run.validation_by_epoch is not None for run in found}

        assert have() == {"run-0": False, "run-1": False, "run-2": True, "run-3": True}
        assert have(runs=("run-0", "run-3")) == {"run-0": True, "run-3": True}
        assert have(exclude=("run-3",)) == {"run-0": False, "run-1": True, "run-2": True}


@pytest.mark.usefixtures("four")
class TestSeveralExperiments:
    def test_their_runs_are_one_sequence_by_start(self) -> None:
        log(0, experiment="other")
        found = load("tracker", "other", "tracker")
        assert (found.name, names(found)) == ("tracker, other", ["run-0", "run-1", "run-2", "run-3", "run-4"])
        assert [run.experiment for run in found] == ["other", *["tracker"] * 4]
        assert names(load("tracker", "other", filter_string="params.kernel_size LIKE '%0%'")) == ["run-0"]

    def test_different_metrics_are_named_and_the_first_ranks(self) -> None:
        log(0, experiment="other", metric="val_f1")
        found = load("tracker", "other")
        assert found.tags["tracker.metric"] == "val_accuracy"
        (problem,) = found.problems
        assert problem == (
            "the experiments have different metrics (val_accuracy in 'tracker', val_f1 in 'other'); runs are ranked by "
            "val_accuracy"
        )

    def test_an_unknown_one_is_an_error_that_names_those_there_are(self) -> None:
        with pytest.raises(TrackerError, match=r"no experiment 'missing'.*'tracker'"):
            load("tracker", "missing")


class TestSelectionOf:
    @pytest.mark.parametrize(
        "option", [{"runs": []}, {"runs": [3]}, {"exclude": [""]}, {"since": 3}, {"filter_string": 1}]
    )
    def test_selection_of_anything_else_is_refused_by_its_name(self, option: dict[str, object]) -> None:
        (name,) = option
        with pytest.raises(ValueError, match=f"^{name} must"):
            load(**option)

    def test_a_selection_is_written_as_a_shell_takes_it(self) -> None:
        selection = Selection(runs=("a b",), filter_string="params.x = '1'", since=since_of("3d", 0))
        assert selection.text == """--runs 'a b' --filter "params.x = '1'" --since 3d"""
