from __future__ import annotations

from tests.builders import random_epoch_predictions, random_predictions
from tracker.store import (
    DATASET,
    VALIDATION,
    VALIDATION_BY_EPOCH,
    Experiment,
    UnreadableArtifact,
    epoch_predictions_npz,
    predictions_csv,
)
from tracker.store.experiment import Fetch, Record, assemble


def record(run_id: str, started: int | None = 0) -> Record:
    return Record(run_id, f"name of {run_id}", "FINISHED", started, None, "")


WHOLE = {
    VALIDATION: predictions_csv(random_predictions()).encode(),
    VALIDATION_BY_EPOCH: epoch_predictions_npz(random_epoch_predictions()),
    DATASET: b"path,label,group,split,fold\nblues/000.wav,blues,artist 1,validation,\nx,jazz,artist 2,train,\n",
}


def assembled(records: list[Record], said: dict[str, bytes], by_epoch: int = 50) -> Experiment:
    return assemble("tracker", {}, records, lambda _record: said.get, by_epoch=by_epoch)


class TestAssemble:
    def test_puts_the_files_into_the_run(self) -> None:
        (run,) = assembled([record("a")], WHOLE).runs
        assert run.validation is not None
        assert run.validation_by_epoch is not None
        assert run.validation.clips == random_predictions().clips
        assert run.validation_by_epoch.probabilities.shape == (3, 4, 3)
        assert run.groups == {"blues/000.wav": "artist 1"}

    def test_takes_files_that_are_not_there_for_missing_and_not_for_broken(self) -> None:
        held = assembled([record("a")], {})
        assert (held.runs[0].validation, held.runs[0].validation_by_epoch, held.runs[0].groups) == (None, None, {})
        assert held.unreadable == ()

    def test_reads_what_a_spreadsheet_saved(self) -> None:
        assert assembled([record("a")], {VALIDATION: b"\xef\xbb\xbf" + WHOLE[VALIDATION]}).runs[0].validation

    def test_leaves_a_broken_file_out_and_says_why(self) -> None:
        held = assembled([record("a")], WHOLE | {VALIDATION: b"clip,label\n"})
        assert held.runs[0].validation is None
        assert held.runs[0].validation_by_epoch is not None
        (broken,) = held.unreadable
        assert (broken.run_id, broken.path) == ("a", VALIDATION)
        assert broken.reason.startswith("the columns must be")

    def test_leaves_a_file_out_that_cannot_be_read(self) -> None:
        def fetch(path: str) -> bytes:
            raise PermissionError(13, "Permission denied", path)

        held = assemble("tracker", {}, [record("a")], lambda _record: fetch, by_epoch=0)
        assert held.unreadable == (
            UnreadableArtifact("a", VALIDATION, f"[Errno 13] Permission denied: '{VALIDATION}'"),
        )

    def test_takes_groups_from_any_run_on_the_same_dataset(self) -> None:
        same = [record(name, i) for i, name in enumerate("abc")]
        for one in same[:2]:
            one.tags["tracker.dataset"] = "f" * 64
        asked: list[str] = []

        def fetch_of(one: Record) -> Fetch:
            def fetch(path: str) -> bytes | None:
                asked.append(f"{one.run_id} {path}")
                return WHOLE.get(path)

            return fetch

        held = assemble("tracker", {}, same, fetch_of, by_epoch=0)
        assert [run.groups for run in held.runs] == [{"blues/000.wav": "artist 1"}] * 3
        assert [what for what in asked if what.endswith(DATASET)] == [f"a {DATASET}", f"c {DATASET}"]

    def test_orders_runs_by_their_start_and_then_by_id(self) -> None:
        held = assembled([record("c", 5), record("b", 5), record("a", 7), record("d", None)], {})
        assert [run.run_id for run in held.runs] == ["d", "b", "c", "a"]

    def test_reads_by_epoch_predictions_of_the_last_runs_only(self) -> None:
        held = assembled([record("a", 1), record("b", 2), record("c", 3)], WHOLE, by_epoch=2)
        assert [run.validation_by_epoch is not None for run in held.runs] == [False, True, True]

    def test_reads_none_of_them_when_told_so(self) -> None:
        assert assembled([record("a")], WHOLE, by_epoch=0).runs[0].validation_by_epoch is None
