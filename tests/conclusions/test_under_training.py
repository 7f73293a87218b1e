from __future__ import annotations

from typing import TYPE_CHECKING

from tests.builders import sentence_of, sentences_of
from tracker.conclusions.under_training import UnderTraining, under_training

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy
    from tracker.runs import Run

FALLING = [1 / epoch for epoch in range(1, 21)]


class TestUnderTraining:
    def test_under_training_is_said_of_a_run_that_was_improving_at_its_limit(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = under_training(studied(made(1, params={"epochs": "20"}, val_loss=FALLING)))
        assert (found.verdict, found.details) == ("exact", UnderTraining(20, 20))

    def test_under_training_is_not_said_of_a_run_that_had_stopped_improving(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        assert not list(under_training(studied(made(1, params={"epochs": "20"}, val_loss=FALLING[:-4] + [1.0] * 4))))

    def test_under_training_is_not_said_of_a_run_that_ended_before_its_limit(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        assert not list(under_training(studied(made(1, params={"epochs": "60"}, val_loss=FALLING))))

    def test_under_training_is_unknown_once_for_all_runs_without_a_limit(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = under_training(studied(*(made(i, seed=str(i), val_loss=FALLING) for i in (1, 2))))
        assert (found.verdict, found.runs) == ("unknown", (f"{1:032x}", f"{2:032x}"))


class TestSentence:
    def test_sentence_says_that_the_limit_was_reached_while_improving(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, params={"epochs": "3"}, val_loss=[0.9, 0.8, 0.7])), "under_training") == (
            "Run 1 was still improving when it reached its limit of 3 epochs: validation loss was lowest at epoch 3."
        )

    def test_a_run_that_lost_its_loss_did_not_end_too_early(self, gone_on: Run, studied: MakeStudy) -> None:
        assert sentences_of(studied(gone_on), "under_training") == []
