from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.under_training import UnderTraining, under_training

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy

FALLING = [1 / epoch for epoch in range(1, 21)]


class TestUnderTraining:
    def test_is_said_of_a_run_that_was_improving_at_its_limit(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = under_training(studied(made(1, params={"epochs": "20"}, val_loss=FALLING)))
        assert (found.verdict, found.details) == ("exact", UnderTraining(20, 20))

    def test_is_not_said_of_a_run_that_had_stopped_improving(self, made: MakeRun, studied: MakeStudy) -> None:
        assert under_training(studied(made(1, params={"epochs": "20"}, val_loss=FALLING[:-4] + [1.0] * 4))) == ()

    def test_is_not_said_of_a_run_that_ended_before_its_limit(self, made: MakeRun, studied: MakeStudy) -> None:
        assert under_training(studied(made(1, params={"epochs": "60"}, val_loss=FALLING))) == ()

    def test_is_unknown_once_for_all_runs_without_a_limit(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = under_training(studied(*(made(i, seed=str(i), val_loss=FALLING) for i in (1, 2))))
        assert (found.verdict, found.runs) == ("unknown", (f"{1:032x}", f"{2:032x}"))
