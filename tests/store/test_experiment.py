from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.conftest import epoch_predictions, predictions
from tracker.store.artifacts import DATASET, VALIDATION, VALIDATION_BY_EPOCH, epoch_predictions_npz, predictions_csv
from tracker.store.experiment import Experiment, MetricRow, Record, Unreadable, assemble, curves_by_run

LARGEST = 1.7976931348623157e308

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["run a", "run b"]),
        st.sampled_from(["loss", "accuracy"]),
        st.integers(0, 4),
        st.floats(0, 1),
        st.integers(0, 2),
    ),
    max_size=30,
).map(lambda rows: [(*row, order) for order, row in enumerate(rows)])


class TestCurvesByRun:
    def test_of_nothing_is_nothing(self) -> None:
        assert curves_by_run([]) == {}

    def test_orders_by_step_and_not_by_writing(self) -> None:
        curve = curves_by_run([("r", "loss", 3, 0.1, 30, 0), ("r", "loss", 1, 0.9, 30, 1)])["r"]["loss"]
        assert curve.steps.tolist() == [1, 3]
        assert curve.values.tolist() == [0.9, 0.1]

    def test_keeps_the_last_written_of_several_at_a_step(self) -> None:
        rows = [("r", "loss", 1, 0.1, 20, 0), ("r", "loss", 1, 0.2, 20, 1), ("r", "loss", 1, 0.3, 10, 2)]
        assert curves_by_run(rows)["r"]["loss"].values.tolist() == [0.2]

    def test_brings_back_what_is_no_number_or_infinite(self) -> None:
        rows = [("r", "loss", 1, None, 1, 0), ("r", "loss", 2, LARGEST, 1, 1), ("r", "loss", 3, -LARGEST, 1, 2)]
        assert np.array_equal(curves_by_run(rows)["r"]["loss"].values, [math.nan, math.inf, -math.inf], equal_nan=True)

    @settings(derandomize=True, max_examples=200)
    @given(ROWS)
    def test_agrees_with_the_plain_way(self, rows: list[MetricRow]) -> None:
        plain: dict[tuple[str, str], dict[int, float | None]] = {}
        for run_id, key, step, value, _, _ in sorted(rows, key=lambda row: row[4:]):
            plain.setdefault((run_id, key), {})[step] = value
        found = {
            (run_id, key): dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))
            for run_id, curves in curves_by_run(rows).items()
            for key, curve in curves.items()
        }
        assert found == plain
        assert all(list(curve) == sorted(curve) for curve in found.values())


def record(run_id: str, started: int | None = 0) -> Record:
    return Record(run_id, f"name of {run_id}", "FINISHED", started, None, "")


WHOLE = {
    VALIDATION: predictions_csv(predictions()).encode(),
    VALIDATION_BY_EPOCH: epoch_predictions_npz(epoch_predictions()),
    DATASET: b"path,label,group,split,fold\nblues/000.wav,blues,artist 1,validation,\nx,jazz,artist 2,train,\n",
}


def assembled(records: list[Record], said: dict[str, bytes], by_epoch: int = 50) -> Experiment:
    return assemble("tracker", {}, records, lambda _record: said.get, by_epoch)


class TestAssemble:
    def test_puts_the_files_into_the_run(self) -> None:
        (run,) = assembled([record("a")], WHOLE).runs
        assert run.validation is not None
        assert run.validation_by_epoch is not None
        assert run.validation.clips == predictions().clips
        assert run.validation_by_epoch.probabilities.shape == (3, 4, 3)
        assert run.groups == {"blues/000.wav": "artist 1"}

    def test_takes_files_that_are_not_there_for_missing_and_not_for_broken(self) -> None:
        held = assembled([record("a")], {})
        assert (held.runs[0].validation, held.runs[0].validation_by_epoch, held.runs[0].groups) == (None, None, {})
        assert held.unreadable == ()

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

        held = assemble("tracker", {}, [record("a")], lambda _record: fetch, 0)
        assert held.unreadable == (Unreadable("a", VALIDATION, f"[Errno 13] Permission denied: '{VALIDATION}'"),)

    def test_orders_runs_by_their_start_and_then_by_id(self) -> None:
        held = assembled([record("c", 5), record("b", 5), record("a", 7), record("d", None)], {})
        assert [run.run_id for run in held.runs] == ["d", "b", "c", "a"]

    def test_reads_by_epoch_predictions_of_the_last_runs_only(self) -> None:
        held = assembled([record("a", 1), record("b", 2), record("c", 3)], WHOLE, by_epoch=2)
        assert [run.validation_by_epoch is not None for run in held.runs] == [False, True, True]

    def test_reads_none_of_them_when_told_so(self) -> None:
        assert assembled([record("a")], WHOLE, by_epoch=0).runs[0].validation_by_epoch is None
