from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.builders import START, STARTED, epochs, whole_journal
from tracker.runs.events import Attached, Ended, EpochDone, Measured, Resumed
from tracker.store import VALIDATION
from tracker.store.reader import read_experiment
from tracker.store.run_from_journal import JOURNAL_TAG, experiment_of, run_of
from tracker.store.upload import Sender

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracker.runs import Run
    from tracker.runs.events import Entry
    from tracker.store.location import Location


def flat(thing: object) -> object:
    """Everything in a run as text and lists, for comparison."""
    if isinstance(thing, np.ndarray):
        return str(thing.tolist())
    if hasattr(thing, "__dataclass_fields__"):
        return {field.name: flat(getattr(thing, field.name)) for field in fields(thing)}  # type: ignore[arg-type]
    if isinstance(thing, dict):
        return {key: flat(value) for key, value in thing.items()}
    return str(thing)


def but_the_journals_tag(run: Run) -> Any:
    plain: Any = flat(run)
    plain["tags"].pop(JOURNAL_TAG, None)
    return plain


INTERRUPTED: list[Entry] = [STARTED, *epochs(1.0, 0.5), Ended(START + 9_000, "KILLED", "interrupted")]
EXTREMES = {"a": float("nan"), "b": float("inf"), "c": -float("inf"), "d": 1e-320, "e": 0.1}


class TestRunOf:
    @pytest.mark.parametrize(
        ("entries", "status"),
        [
            ([STARTED], "RUNNING"),
            (INTERRUPTED, "KILLED"),
            ([*INTERRUPTED, Resumed(START, 2)], "RUNNING"),
            ([*INTERRUPTED, Resumed(START, 2), *epochs(0.7, 0.8, first=2), Ended(START, "FINISHED")], "FINISHED"),
            ([STARTED, EpochDone(START, 1, EXTREMES), Measured(START, EXTREMES)], "RUNNING"),
            ([STARTED, *[EpochDone(START - n, 1, {"loss": n}) for n in range(3)]], "RUNNING"),
        ],
    )
    def test_is_what_the_store_gives_back(
        self, location: Location, tmp_path: Path, entries: Sequence[Entry], status: str
    ) -> None:
        delivery = Sender(location, "a-journal", None, lambda _delivery: None).send(entries, tmp_path)
        (sent,) = read_experiment(location, "tracker").runs
        assert sent.tags[JOURNAL_TAG] == "a-journal"
        assert but_the_journals_tag(run_of(entries, tmp_path, delivery.run_id, status)) == but_the_journals_tag(sent)

    def test_is_what_the_store_gives_back_of_a_whole_journal(self, location: Location, tmp_path: Path) -> None:
        entries = whole_journal(tmp_path / "artifacts")
        delivery = Sender(location, "a-journal", None, lambda _delivery: None).send(entries, tmp_path / "artifacts")
        (sent,) = read_experiment(location, "tracker").runs
        run = run_of(entries, tmp_path / "artifacts", delivery.run_id, "FINISHED")
        assert run.validation is not None
        assert run.validation_by_epoch is not None
        assert run.groups == {"blues/000.wav": "artist 1"}
        assert but_the_journals_tag(run) == but_the_journals_tag(sent)

    def test_has_no_file_before_it_was_said_to_be_ready(self, tmp_path: Path) -> None:
        entries = whole_journal(tmp_path)
        before = entries[: entries.index(Attached(VALIDATION))]
        assert run_of(before, tmp_path, "an id", "RUNNING").validation is None

    def test_has_no_file_that_was_removed_once_sent(self, tmp_path: Path) -> None:
        entries = whole_journal(tmp_path)
        (tmp_path / VALIDATION).unlink()
        assert run_of(entries, tmp_path, "an id", "FINISHED").validation is None

    def test_refuses_entries_that_begin_elsewhere(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="must begin with how the run was started"):
            run_of(epochs(1.0), tmp_path, "an id", "RUNNING")


class TestExperimentOf:
    def test_has_the_name_the_metric_and_the_run(self, tmp_path: Path) -> None:
        held = experiment_of([STARTED], tmp_path, "an id", "RUNNING")
        assert (held.name, held.tags) == ("tracker", {"tracker.metric": "val_accuracy"})
        assert [run.run_id for run in held.runs] == ["an id"]

    def test_says_which_file_cannot_be_read(self, tmp_path: Path) -> None:
        entries = whole_journal(tmp_path)
        (tmp_path / VALIDATION).write_text("torn")
        held = experiment_of(entries, tmp_path, "an id", "FINISHED")
        assert held.runs[0].validation is None
        assert [broken.path for broken in held.unreadable] == [VALIDATION]
