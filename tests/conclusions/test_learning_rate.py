from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tests.builders import sentence_of
from tracker.conclusions.learning_rate import KIND, LearningRate, OtherPlateau, RateDrop, learning_rates
from tracker.wording import wording_of

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy

LOSSES = [1.0, 0.8, 0.7, 0.75, 0.72, 0.5, 0.6, 0.6, 0.65]
HALVED = {"plateau_factor": "0.5", "plateau_patience": "1"}
LOST = [1.0, 1.0, *[math.nan] * 4]
RATES = [0.01] * 5 + [0.001] * 3 + [0.0001]


class TestLearningRates:
    def test_learning_rates_say_each_drop_and_what_came_of_it(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = learning_rates(studied(made(1, val_loss=LOSSES, learning_rate=RATES)))
        assert found.verdict == "exact"
        assert found.details.drops == (RateDrop(5, 0.01, 0.001, 0.7, 0.5, 3), RateDrop(8, 0.001, 0.0001, 0.5, 0.65, 1))
        assert [drop.helped for drop in found.details.drops] == [True, False]

    def test_learning_rates_are_unknown_where_the_rate_was_not_logged(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = learning_rates(studied(made(1, val_loss=LOSSES)))
        assert found.verdict == "unknown"

    def test_sentence_of_rates_at_other_steps_says_at_which(self, made: MakeRun, studied: MakeStudy) -> None:
        run = made(1, learning_rate=[0.1, 0.01])
        run.curves["learning_rate"].steps[:] *= 100
        assert sentence_of(studied(run), "learning_rate") == (
            "Run 1 logged learning_rate at steps 100 to 200, so it is unknown which epoch a value is of."
        )

    def test_learning_rates_take_a_rate_that_always_changes_for_a_schedule(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = learning_rates(studied(made(1, val_loss=LOSSES, learning_rate=[0.1 * 0.9**i for i in range(9)])))
        assert (found.details.schedule, found.details.drops) == (True, ())

    def test_learning_rates_take_what_the_runs_own_plateau_lowers_at_every_lost_epoch_for_its_drops(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        run = made(1, params=HALVED, val_loss=LOST, learning_rate=[0.8, 0.8, 0.4, 0.2, 0.1, 0.05])
        (found,) = learning_rates(studied(run))
        assert not found.details.schedule
        assert [(drop.epoch, drop.after, drop.helped) for drop in found.details.drops] == [
            (2, 0.4, None), (3, 0.2, None), (4, 0.1, None), (5, 0.05, None),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("params", "val_loss", "rates"),
        [
            ({}, LOST, [0.8, 0.8, 0.4, 0.2, 0.1, 0.05]),
            (HALVED | {"plateau_factor": "2"}, LOST, [0.8, 0.8, 0.4, 0.2, 0.1, 0.05]),
            (HALVED, LOST, [0.8, 0.8, 0.5, 0.3, 0.1, 0.05]),
            (HALVED, LOST, [0.8, 0.4, 0.2, 0.1, 0.05, 0.05]),
            (HALVED, None, [0.8, 0.8, 0.4, 0.2, 0.1, 0.05]),
        ],
    )
    def test_learning_rates_take_a_rate_that_fell_otherwise_than_the_plateau_lowers_it_for_a_schedule(
        self,
        made: MakeRun,
        studied: MakeStudy,
        params: dict[str, str],
        val_loss: list[float] | None,
        rates: list[float],
    ) -> None:
        losses = {} if val_loss is None else {"val_loss": val_loss}
        (found,) = learning_rates(studied(made(1, params=params, learning_rate=rates, **losses)))
        assert found.details.schedule

    def test_learning_rates_ignore_the_rounding_of_float32(self, made: MakeRun, studied: MakeStudy) -> None:
        rates = [0.001, 0.0010000000474974513, 0.001]
        (found,) = learning_rates(studied(made(1, val_loss=LOSSES[:3], learning_rate=rates)))
        assert found.details.drops == ()

    def test_learning_rates_know_the_runs_own_plateau(self, made: MakeRun, studied: MakeStudy) -> None:
        params = {"plateau_factor": "0.1", "plateau_patience": "10"}
        (found,) = learning_rates(studied(made(1, params=params, val_loss=LOSSES, learning_rate=[0.01] * 9)))
        assert (found.details.plateau, found.details.drops) == ("0.1x10", ())

    def test_replay_other_patiences_up_to_the_first_differing_drop(self, made: MakeRun, studied: MakeStudy) -> None:
        losses = [1.0, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85]
        (found,) = learning_rates(studied(made(1, val_loss=losses, learning_rate=[0.01] * 7)))
        assert found.details.others == (
            OtherPlateau(3, 5), OtherPlateau(5, None), OtherPlateau(10, None), OtherPlateau(15, None),
            OtherPlateau(20, None),
        )  # fmt: skip

    def test_learning_rates_find_twins_identical_as_long_as_they_must_be(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        later = [*LOSSES[:5], 0.9, 0.9, 0.9, 0.9]
        on = {"plateau_factor": "0.1", "plateau_patience": "3"}
        runs = (
            made(1, "1", on, val_loss=LOSSES, learning_rate=RATES),
            made(2, "1", {}, val_loss=later, learning_rate=[0.01] * 9),
        )
        first, second = learning_rates(studied(*runs))
        assert (first.details.twin.run_id, first.details.twin.same_until, first.details.twin.must_until) == (
            f"{2:032x}", 5, 5,
        )  # fmt: skip
        assert first.details.twin.repeats_exactly
        assert second.details.twin.run_id == f"{1:032x}"

    def test_learning_rates_find_twins_that_parted_too_early(self, made: MakeRun, studied: MakeStudy) -> None:
        other = [1.0, 0.81, *LOSSES[2:]]
        runs = (
            made(1, "1", {"early_stopping_patience": "5"}, val_loss=LOSSES, learning_rate=[0.01] * 9),
            made(2, "1", {}, val_loss=other, learning_rate=[0.01] * 9),
        )
        first, _ = learning_rates(studied(*runs))
        assert (first.details.twin.same_until, first.details.twin.repeats_exactly) == (1, False)

    def test_learning_rates_find_no_twin_under_another_seed(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = (made(i, "1", seed=str(i), val_loss=LOSSES, learning_rate=RATES) for i in (1, 2))
        assert all(found.details.twin is None for found in learning_rates(studied(*runs)))

    @pytest.mark.parametrize(("patience", "stopped_early"), [("3", True), ("4", False), (None, False)])
    def test_learning_rates_say_whether_early_stopping_ended_the_run(
        self, made: MakeRun, studied: MakeStudy, patience: str | None, stopped_early: bool
    ) -> None:
        params = {} if patience is None else {"early_stopping_patience": patience}
        (found,) = learning_rates(studied(made(1, params=params, val_loss=LOSSES, learning_rate=RATES)))
        assert found.details.stopped_early is stopped_early

    def test_learning_rates_cannot_say_so_without_validation_loss(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = learning_rates(studied(made(1, params={"early_stopping_patience": "3"}, learning_rate=RATES)))
        assert found.details.stopped_early is None


class TestSentence:
    def test_sentence_says_that_a_drop_did_not_help(self, made: MakeRun, studied: MakeStudy) -> None:
        run = made(1, val_loss=[0.9, 0.5, 0.6, 0.55], learning_rate=[0.01, 0.01, 0.01, 0.001])
        assert sentence_of(studied(run), "learning_rate") == (
            "Run 1's learning rate fell from 0.01 to 1e-3 after epoch 3, but validation loss did not improve "
            "(best before 0.500, after 0.550)."
        )

    def test_sentence_says_how_soon_early_stopping_ended_the_run(self, made: MakeRun, studied: MakeStudy) -> None:
        run = made(1, params={"early_stopping_patience": "3"}, val_loss=LOSSES, learning_rate=RATES)
        assert sentence_of(studied(run), "learning_rate") == (
            "Run 1's learning rate fell from 0.01 to 1e-3 after epoch 5, and validation loss improved (best before "
            "0.700, after 0.500). It fell from 1e-3 to 1e-4 after epoch 8, but validation loss did not improve "
            "(best before 0.500, after 0.650). Early stopping ended the run 1 epoch later."
        )

    def test_sentence_says_that_the_plateau_never_fired(self, made: MakeRun, studied: MakeStudy) -> None:
        params = {"plateau_factor": "0.5", "plateau_patience": "15"}
        assert sentence_of(studied(made(1, params=params, learning_rate=[0.001] * 3)), "learning_rate") == (
            "Run 1's plateau (factor 0.5 and patience 15) never fired, so the learning rate stayed at 1e-3."
        )


class TestTables:
    def test_table_has_a_row_for_each_drop(self) -> None:
        (table,) = LearningRate(drops=(RateDrop(51, 1e-4, 3e-5, 0.4043, None),)).tables(in_points=True)
        assert table.rows == (("51", "1e-4", "3e-5", "0.404", "–"),)


class TestChallenges:
    def test_challenges_name_runs_whose_known_drops_did_not_help(self, made: MakeRun, studied: MakeStudy) -> None:
        rates = {"learning_rate": [0.1, 0.1, 0.01, 0.01]}
        runs = (
            made(1, params={"k": "1"}, **rates),
            made(2, params={"k": "2"}, val_loss=[0.9, 0.8, math.nan, math.nan], **rates),
            made(3, params={"k": "3"}, val_loss=[0.9, 0.8, 0.9, 0.9], **rates),
        )
        study = studied(*runs)
        assert list(KIND.challenges(learning_rates(study), wording_of(study))) == [
            "Lowering the learning rate did not help in run 3: validation loss did not improve."
        ]

    def test_challenges_name_runs_whose_plateau_never_fired(self, made: MakeRun, studied: MakeStudy) -> None:
        study = studied(made(1, params=HALVED, learning_rate=[0.1] * 3), made(2, learning_rate=[0.1] * 3, seed="1"))
        assert list(KIND.challenges(learning_rates(study), wording_of(study))) == [
            "The plateau never fired in run 1, so it changed nothing."
        ]
