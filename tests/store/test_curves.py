from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.store.experiment import MetricRow, curves_by_run

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

    def test_takes_more_rows_than_it_turns_over_at_once(self) -> None:
        rows = [(f"run {i % 7}", "loss", i // 7, float(i), 0, i) for i in range(25_000)]
        curves = curves_by_run(reversed(rows))
        assert curves["run 3"]["loss"].steps.tolist() == list(range(3_571))
        assert curves["run 3"]["loss"].values.tolist() == [float(i) for i in range(3, 25_000, 7)]

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
