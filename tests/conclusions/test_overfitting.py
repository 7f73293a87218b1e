from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import sentence_of
from tracker.conclusions.overfitting import overfitting
from tracker.statistics.proportions import newcombe, wilson

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy
    from tracker.runs import Run

RISING = [1.0, 0.6, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85]
FALLING = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05]


class TestOverfitting:
    def test_overfitting_says_where_validation_loss_was_lowest_and_where_it_ended(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = overfitting(studied(made(1, val_loss=RISING, loss=FALLING)))
        details = found.details
        assert (found.verdict, details.best_epoch, details.last_epoch, details.kept_epoch) == ("exact", 3, 10, 3)
        assert (details.best_val_loss, details.last_val_loss) == (0.5, 0.85)
        assert (details.best_loss, details.last_loss) == (0.6, 0.05)

    def test_overfitting_calls_it_rising_where_it_goes_up_while_training_loss_falls(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = overfitting(studied(made(1, val_loss=RISING, loss=FALLING)))
        assert found.details.rises

    def test_overfitting_does_not_call_it_rising_where_training_loss_rises_too(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = overfitting(studied(made(1, val_loss=RISING, loss=FALLING[::-1])))
        assert not found.details.rises

    def test_overfitting_does_not_call_a_flutter_a_rise(self, made: MakeRun, studied: MakeStudy) -> None:
        flutter = [1.0, 0.6, 0.5, 0.58, 0.52, 0.57, 0.51, 0.56, 0.53, 0.55]
        (found,) = overfitting(studied(made(1, val_loss=flutter, loss=FALLING)))
        assert not found.details.rises

    def test_overfitting_does_not_judge_by_too_few_epochs(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = overfitting(studied(made(1, val_loss=[1.0, 0.5, 0.9], loss=[1.0, 0.5, 0.1])))
        assert found.details.trend is None

    def test_rarely_calls_pure_noise_a_rise(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        runs = [made(i, seed=str(i), val_loss=0.5 + 0.05 * rng.normal(size=40), loss=np.linspace(1, 0, 40))
                for i in range(100)]  # fmt: skip
        assert sum(found.details.rises for found in overfitting(studied(*runs))) <= 10

    def test_overfitting_is_unknown_without_validation_loss(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = overfitting(studied(made(1, loss=FALLING)))
        assert found.verdict == "unknown"

    def test_overfitting_keeps_losses_that_are_no_number_out(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = overfitting(studied(made(1, val_loss=[0.9, 0.5, math.nan], loss=[1.0, 0.9, 0.8])))
        assert (found.details.best_val_loss, found.details.last_val_loss) == (0.5, None)

    def test_overfitting_has_the_gap_with_newcombes_interval(self, made: MakeRun, studied: MakeStudy) -> None:
        tags = {"tracker.training_clips": "120"}
        (found,) = overfitting(studied(made(1, "1" * 26 + "0" * 4, tags=tags, metrics={"fit_accuracy": 118 / 120})))
        gap = found.details.gap
        assert (gap.n_train, gap.n_val, gap.estimate) == (120, 30, pytest.approx(0.116667, abs=1e-6))
        assert gap.interval == newcombe(118 / 120, wilson(118, 120), 26 / 30, wilson(26, 30))

    def test_overfitting_has_no_gap_where_training_clips_were_not_judged(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = overfitting(studied(made(1, "110", tags={"tracker.training_clips": "120"})))
        assert found.details.gap is None


class TestSentence:
    def test_sentence_says_that_validation_loss_rose_while_training_loss_fell(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        rising = [1.0, 0.6, 0.41, 0.42, 0.43, 0.44, 0.45, 0.46, 0.47, 0.48]
        falling = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05]
        assert sentence_of(studied(made(1, val_loss=rising, loss=falling)), "overfitting") == (
            "Run 1's validation loss rose from 0.41 at epoch 3 to 0.48 at epoch 10 while its training loss fell from "
            "0.60 to 0.05: from there on it overfits. Its kept weights are those of epoch 3."
        )

    def test_sentence_keeps_to_the_epochs_before_the_loss_was_lost(self, gone_on: Run, studied: MakeStudy) -> None:
        assert sentence_of(studied(gone_on), "overfitting") == (
            "Run 1's validation loss was lowest, 0.50, at epoch 3 and no finite number at its last, epoch 7. With the "
            "kept weights, those of epoch 4, it is 25 points more accurate on its 12 training clips than on the 4 "
            "validation clips (95% interval −6.7 to +70 points), a gap that cannot be told from none."
        )
