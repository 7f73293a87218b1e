from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import make_predictions, make_run, make_study, sentence_of
from tracker.conclusions.calibration import Calibration, calibrations

if TYPE_CHECKING:
    from tracker.runs import Run


def run_with(probability: float, correct: str) -> Run:
    """A run that gives every prediction one probability."""
    return replace(make_run(1), validation=make_predictions(correct, probability=probability))


class TestCalibrations:
    def test_overconfidence_is_found_with_its_error(self) -> None:
        (found,) = calibrations(make_study(run_with(0.95, "1" * 30 + "0" * 20)))
        assert (found.verdict, found.details.direction, found.n) == ("estimate", "over", 50)
        assert found.estimate == pytest.approx(0.35)
        assert found.interval is not None
        assert 0 < found.interval[0] < 0.35 < found.interval[1]
        (one,) = found.details.bins  # since all confidences are equal
        assert (one.confidence, one.accuracy, one.n) == (pytest.approx(0.95), 0.6, 50)

    def test_underconfidence_is_found(self) -> None:
        (found,) = calibrations(make_study(run_with(0.55, "1" * 49 + "0")))
        assert found.details.direction == "under"

    def test_a_calibrated_run_has_an_interval_from_zero(self) -> None:
        (found,) = calibrations(make_study(run_with(0.8, "1" * 33 + "0" * 7)))
        assert found.interval is not None
        assert (found.interval[0], found.details.direction) == (0.0, None)

    def test_nothing_is_said_of_few_clips(self) -> None:
        assert list(calibrations(make_study(run_with(0.95, "1" * 19)))) == []

    def test_nothing_is_said_of_probabilities_that_are_no_numbers(self) -> None:
        assert list(calibrations(make_study(run_with(0.95, "1" * 30 + "x")))) == []

    def test_without_predictions_calibration_is_unknown(self) -> None:
        (found,) = calibrations(make_study(make_run(1)))
        assert (found.verdict, found.details) == ("unknown", Calibration())


class TestSentence:
    def test_sentence_of_an_overconfident_run(self) -> None:
        sentence = sentence_of(make_study(run_with(0.95, "1" * 30 + "0" * 20)), "calibration")
        assert sentence.startswith(
            "Run 1 is too confident: its confidence is 95% on average, but 60% of its predictions are correct. Its "
            "expected calibration error is 35 points (95% interval "
        )

    def test_sentence_of_what_could_be_chance(self) -> None:
        sentence = sentence_of(make_study(run_with(0.8, "1" * 33 + "0" * 7)), "calibration")
        assert sentence.startswith("Run 1's expected calibration error is 2.5 points (95% interval 0 to ")
        assert "That could be chance on 40 clips: a calibrated model would have about" in sentence


def test_table_has_the_bins_of_the_reliability_diagram() -> None:
    (found,) = calibrations(make_study(run_with(0.95, "1" * 30 + "0" * 20)))
    (table,) = found.details.tables(in_points=True)
    assert table.rows == (("95.0% to 95.0%", "50", "95.0%", "60.0%", "46.2–72.4%"),)
