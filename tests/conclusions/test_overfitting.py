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
JUDGED = {"tracker.training_clips": "120"}  # of a run that was evaluated on its training clips, too


class TestOverfitting:
    def test_overfitting_says_where_validation_loss_was_lowest_and_where_it_ended(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = overfitting(studied(made(1, val_loss=RISING, loss=FALLING)))
        details = found.details
        assert (found.verdict, details.best_epoch, details.last_epoch, details.kept_epoch) == ("exact", 3, 10, 3)
        assert (details.best_val_loss, details.last_val_loss) == (0.5, 0.85)
        assert (details.best_loss, details.last_loss) == (0.6, 0.05)

    @pytest.mark.parametrize(
        ("val_loss", "overfits"),
        [
            (RISING, True),
            ([1.0, 0.6, 0.5, 0.61, 0.6, 0.61, 0.6, 0.61, 0.6, 0.61], True),  # stays above, while training loss falls
            ([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], False),  # still falls at the end
            ([1.0, 0.5, 0.9, 0.4, 0.8, 0.3, 0.9, 0.4, 0.8, 0.5], None),  # fluctuates too much to tell
            ([1.0, 0.5, 0.9, 0.4, 0.8, 0.7, 0.9, 0.2, 0.8, 0.5], None),  # is lowest too close to the end
        ],
    )
    def test_overfitting_compares_the_losses_after_the_best_epoch(
        self, made: MakeRun, studied: MakeStudy, val_loss: list[float], overfits: bool | None
    ) -> None:
        (found,) = overfitting(studied(made(1, val_loss=val_loss, loss=FALLING)))
        assert found.details.overfits is overfits

    def test_overfitting_is_not_found_where_neither_loss_moves(self, made: MakeRun, studied: MakeStudy) -> None:
        steady = [1.0, 0.4, *[0.5, 0.51] * 4]
        (found,) = overfitting(studied(made(1, val_loss=steady, loss=steady)))
        assert found.details.overfits is False

    def test_overfitting_is_unclear_where_training_loss_rises_too(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = overfitting(studied(made(1, val_loss=RISING, loss=FALLING[::-1])))
        assert found.details.overfits is None

    @pytest.mark.parametrize(("correct", "overfits"), [(20, True), (26, None)])
    def test_overfitting_is_found_by_a_clear_gap_where_the_curves_cannot_tell(
        self, made: MakeRun, studied: MakeStudy, correct: int, overfits: bool | None
    ) -> None:
        signs = "1" * correct + "0" * (30 - correct)
        run = made(1, signs, tags=JUDGED, metrics={"fit_accuracy": 112 / 120}, val_loss=[0.9, 0.5, 0.6], loss=[1, 1, 1])
        (found,) = overfitting(studied(run))
        assert (found.details.overfits, found.details.by_gap) == (overfits, overfits is True)

    @pytest.mark.parametrize(
        ("curves", "overfits", "text"),
        [
            ({"validation_0-rmse": RISING}, True,
             "overfits: after round 3 of 10, validation_0-rmse rose from 0.500 to 0.850."),
            ({"eval-logloss": RISING, "train-logloss": FALLING, "eval-error": FALLING}, True,
             "after round 3, train-logloss fell from 0.600 to 0.050 while eval-logloss rose from 0.500 to 0.850."),
            ({"valid_1-binary_logloss": FALLING, "training-binary_logloss": FALLING}, False,
             "valid_1-binary_logloss was still falling when training ended (lowest at round 10 of 10)."),
            ({"validation_0-error": [0.5, 0.2, *[0.21, 0.22] * 4]}, None,
             "is unclear: after round 2, its validation_0-error rises by no more than it fluctuates."),
        ],
    )  # fmt: skip
    def test_boosting_overfits_by_its_losses_of_each_round(
        self,
        made: MakeRun,
        studied: MakeStudy,
        curves: dict[str, list[float]],
        text: str,
        *,
        overfits: bool | None,
    ) -> None:
        study = studied(made(1, params={"num_boost_round": "10"}, **curves))
        (found,) = overfitting(study)
        assert (found.details.overfits, found.details.best_epoch) == (overfits, None)
        assert sentence_of(study, "overfitting").endswith(text)

    def test_overfitting_compares_losses_at_the_epochs_that_were_validated(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        run = made(1, params={"epochs": "20"}, loss=np.linspace(1, 0.05, 20), val_loss=RISING)
        run.curves["val_loss"].steps[:] *= 2
        (found,) = overfitting(studied(run))
        assert (found.details.best_epoch, found.details.overfits) == (6, True)

    def test_overfitting_is_unclear_without_training_loss(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = overfitting(studied(made(1, val_loss=RISING)))
        assert (found.details.trend, found.details.overfits) == (True, None)

    def test_overfitting_does_not_judge_by_too_few_epochs(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = overfitting(studied(made(1, val_loss=[1.0, 0.5, 0.9], loss=[1.0, 0.5, 0.1])))
        assert (found.details.trend, found.details.overfits) == (None, None)

    @pytest.mark.parametrize(("epochs", "noise"), [(20, 0.02), (20, 0.1), (60, 0.05)])
    def test_overfitting_is_rarely_found_where_validation_loss_follows_training_loss(
        self, made: MakeRun, studied: MakeStudy, epochs: int, noise: float
    ) -> None:
        rng = np.random.default_rng(0)
        loss = np.exp(-np.arange(epochs) / 5)
        runs = [made(i, seed=str(i), val_loss=loss + 0.2 + noise * rng.normal(size=epochs),
                     loss=loss + 0.01 * rng.normal(size=epochs)) for i in range(100)]  # fmt: skip
        assert sum(found.details.overfits is True for found in overfitting(studied(*runs))) <= 8

    def test_overfitting_is_unknown_without_validation_loss(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = overfitting(studied(made(1, loss=FALLING)))
        assert found.verdict == "unknown"

    def test_overfitting_keeps_losses_that_are_no_number_out(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = overfitting(studied(made(1, val_loss=[0.9, 0.5, math.nan], loss=[1.0, 0.9, 0.8])))
        assert (found.details.best_val_loss, found.details.last_val_loss) == (0.5, None)

    def test_overfitting_has_the_gap_with_newcombes_interval(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = overfitting(studied(made(1, "1" * 26 + "0" * 4, tags=JUDGED, metrics={"fit_accuracy": 118 / 120})))
        gap = found.details.gap
        assert (gap.n_train, gap.n_val, gap.estimate) == (120, 30, pytest.approx(0.116667, abs=1e-6))
        assert (gap.train_accuracy, gap.val_accuracy) == (118 / 120, 26 / 30)
        assert gap.interval == newcombe(118 / 120, wilson(118, 120), 26 / 30, wilson(26, 30))

    def test_overfitting_has_no_gap_where_training_clips_were_not_judged(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = overfitting(studied(made(1, "110", tags={"tracker.training_clips": "120"})))
        assert found.details.gap is None

    @pytest.mark.parametrize(("tags", "label"), [({}, "Observed"), ({"tracker.training_clips": "4"}, "Estimate")])
    def test_overfitting_with_the_gap_is_an_estimate(
        self, made: MakeRun, studied: MakeStudy, tags: dict[str, str], label: str
    ) -> None:
        run = made(1, "1110", tags=tags, metrics={"fit_accuracy": 1.0}, val_loss=RISING, loss=FALLING)
        (found,) = overfitting(studied(run))
        assert found.label == label


class TestSentence:
    def test_sentence_says_that_validation_loss_rose_while_training_loss_fell(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        assert sentence_of(studied(made(1, val_loss=RISING, loss=FALLING)), "overfitting") == (
            "Run 1 overfits: after epoch 3, training loss fell from 0.600 to 0.050 while validation loss rose from "
            "0.500 to 0.850."
        )

    def test_sentence_says_that_validation_loss_did_not_improve(self, made: MakeRun, studied: MakeStudy) -> None:
        flat = [1.0, 0.6, 0.5, *[0.61, 0.6] * 3, 0.61]
        assert sentence_of(studied(made(1, val_loss=flat, loss=FALLING)), "overfitting") == (
            "Run 1 overfits: after epoch 3, training loss fell from 0.600 to 0.050 while validation loss did not "
            "improve."
        )

    @pytest.mark.parametrize(
        ("val_loss", "text"),
        [
            (FALLING, "does not overfit: validation loss was still falling when training ended (lowest at epoch 10 of"),
            (
                [*FALLING, 0.06],
                "does not overfit: validation loss fell over the second half of training (lowest at epoch 10",
            ),
            ([1.0, 0.4, *[0.5, 0.51] * 4], "shows no sign of overfitting: after epoch 2, neither loss moves any more."),
        ],
    )
    def test_sentence_says_why_a_run_does_not_overfit(
        self, made: MakeRun, studied: MakeStudy, val_loss: list[float], text: str
    ) -> None:
        sentence = sentence_of(studied(made(1, val_loss=val_loss, loss=val_loss)), "overfitting")
        assert sentence.startswith(f"Run 1 {text}")

    @pytest.mark.parametrize(
        ("curves", "why"),
        [
            ({"val_loss": [0.9, 0.5, 0.9]}, "its training loss was not logged by epoch"),
            (
                {"val_loss": [0.9, 0.5, 0.9], "loss": [0.9, 0.8, 0.7]},
                "its validation loss was lowest at epoch 2 of 3, too close to the end",
            ),
            (
                {"val_loss": [1.0, 0.5, 0.9, 0.4, 0.8, 0.7, 0.9, 0.6, 0.8, 0.5], "loss": FALLING},
                "after epoch 4, its losses move apart by no more than they fluctuate",
            ),
        ],
    )
    def test_sentence_says_why_it_cannot_tell(
        self, made: MakeRun, studied: MakeStudy, curves: dict[str, list[float]], why: str
    ) -> None:
        sentence = sentence_of(studied(made(1, **curves)), "overfitting")
        assert sentence == f"Whether run 1 overfits is unclear: {why}."

    def test_sentence_says_that_validation_loss_was_not_logged(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, loss=FALLING)), "overfitting") == (
            "Whether run 1 overfits is unknown: its validation loss was not logged by epoch."
        )

    @pytest.mark.parametrize(
        ("correct", "fit", "text"),
        [
            (
                26,
                112,
                "93.3% on training and 86.7% on validation clips; that gap could be chance (95% interval −3.3 to +",
            ),
            (20, 120, "100.0% on training and 66.7% on validation clips, a gap that is more than chance (95% interval"),
            (27, 108, "90.0% on training and validation clips alike."),
        ],
    )
    def test_sentence_says_whether_the_gap_could_be_chance(
        self, made: MakeRun, studied: MakeStudy, correct: int, fit: int, text: str
    ) -> None:
        signs = "1" * correct + "0" * (30 - correct)
        run = made(1, signs, tags=JUDGED, metrics={"fit_accuracy": fit / 120}, val_loss=RISING, loss=FALLING)
        assert f"0.850. At its best epoch, accuracy is {text}" in sentence_of(studied(run), "overfitting")

    def test_sentence_says_that_the_gap_alone_shows_it(self, made: MakeRun, studied: MakeStudy) -> None:
        run = made(1, "1" * 20 + "0" * 10, tags=JUDGED, metrics={"fit_accuracy": 1.0}, val_loss=[0.9, 0.5, 0.6])
        assert sentence_of(studied(run), "overfitting") == (
            "Run 1 overfits: at its best epoch, accuracy is 100.0% on training and 66.7% on validation clips, a gap "
            "that is more than chance (95% interval +19 to +51 points)."
        )

    def test_sentence_keeps_to_the_epochs_before_the_loss_was_lost(self, gone_on: Run, studied: MakeStudy) -> None:
        assert sentence_of(studied(gone_on), "overfitting") == (
            "Whether run 1 overfits is unclear: its validation loss is not a finite number at epoch 7. With the "
            "weights of epoch 4, accuracy is 100.0% on training and 75.0% on validation clips: too few clips to tell "
            "whether that gap is chance."
        )
