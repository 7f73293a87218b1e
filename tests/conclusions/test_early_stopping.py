from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import sentence_of
from tracker.conclusions.early_stopping import PATIENCES, EarlyStopping, Patience, early_stopping
from tracker.training.result import Epoch, History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.builders import MakeRun, MakeStudy
    from tracker.conclusions.conclusion import Conclusion
    from tracker.runs import Keep, Run

SERIES = [1, 0.8, 0.7, 0.65, 0.66, 0.64, 0.67, 0.70, 0.72, 0.75, 0.8]


LOSSES = st.lists(st.sampled_from([0.3, 0.5, 0.5, 0.7, 0.9, math.nan, math.inf]), min_size=2, max_size=12)


def trained(keep: Keep, values: Sequence[float]) -> int | None:
    """Return whose epoch's weights training keeps after these validation losses."""
    epochs = tuple(Epoch(number, {"val_loss": value}) for number, value in enumerate(values, start=1))
    kept = History(keep, epochs).kept
    return None if kept is None else kept + 1


def answers(found: Conclusion) -> dict[int, tuple[int | None, int | None, int | None, bool]]:
    return {a.patience: (a.stop_epoch, a.kept_epoch, a.epochs_saved, a.censored) for a in found.details.patiences}


class TestEarlyStopping:
    def test_answers_what_each_patience_would_have_done(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = early_stopping(studied(made(1, val_loss=SERIES)))
        assert found.verdict == "exact"
        assert answers(found) == {
            1: (5, 4, 6, False), 2: (8, 6, 3, False), 3: (9, 6, 2, False), 5: (11, 6, 0, False),
            **dict.fromkeys([10, 15, 20, 30], (None, None, None, True)),
        }  # fmt: skip

    def test_answers_the_runs_own_patience_too(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = early_stopping(studied(made(1, params={"early_stopping_patience": "4"}, val_loss=SERIES)))
        assert sorted(answers(found)) == sorted({*PATIENCES, 4})
        assert found.details.own == 4

    def test_early_stopping_finds_the_shortest_patience_that_keeps_the_same_weights(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = early_stopping(studied(made(1, val_loss=SERIES)))
        assert (found.details.enough.patience, found.details.enough.stop_epoch) == (2, 8)

    def test_early_stopping_finds_none_where_every_shorter_one_keeps_others(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = early_stopping(studied(made(1, val_loss=[1.0, 0.9, 0.95, 0.8])))
        assert found.details.enough is None

    def test_early_stopping_keeps_the_last_epoch_where_the_run_does(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = early_stopping(studied(made(1, params={"keep": "last"}, val_loss=SERIES)))
        assert answers(found)[2] == (8, 8, 3, False)
        assert found.details.enough is None

    def test_early_stopping_passes_over_epochs_whose_loss_is_no_number(self, gone_on: Run, studied: MakeStudy) -> None:
        (found,) = early_stopping(studied(gone_on))
        told = {a.patience: (a.stop_epoch, a.kept_epoch, a.correct, a.clips_changed) for a in found.details.patiences}
        assert (told[1], told[2], told[3]) == ((4, 4, 3, 0), (5, 4, 3, 0), (6, 4, 3, 0))
        assert found.details.enough.patience == 1

    @pytest.mark.parametrize(("keep", "kept"), [("best", 3), ("last", 4)])
    def test_early_stopping_keeps_what_has_a_number_after_a_first_loss_without(
        self, made: MakeRun, studied: MakeStudy, keep: str, kept: int
    ) -> None:
        run = made(1, params={"keep": keep}, val_loss=[math.nan, math.nan, 0.5, 0.6, 0.7, 0.8])
        (found,) = early_stopping(studied(run))
        assert answers(found)[3] == (4, kept, 2, False)
        assert answers(found)[1] == (2, None, 4, False)

    def test_early_stopping_keeps_as_keras_does_where_it_restored_the_weights(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        foreign = {"tracker.dataset": "", "tracker.split": ""}
        run = made(1, params={"restore_best_weights": "True"}, tags=foreign, val_loss=[math.nan, 0.6, 0.5, 0.6])
        (found,) = early_stopping(studied(run))
        assert answers(found)[2] == (3, 1, 1, False)

    @pytest.mark.parametrize("keep", ["best", "last"])
    @given(values=LOSSES)
    @settings(derandomize=True, max_examples=60)
    def test_early_stopping_keeps_what_training_would_have_kept(
        self, made: MakeRun, studied: MakeStudy, keep: Keep, values: list[float]
    ) -> None:
        (found,) = early_stopping(studied(made(1, params={"keep": keep}, val_loss=values)))
        assert found.details.kept_epoch == trained(keep, values)
        for answer in found.details.patiences:
            if not answer.censored:
                assert answer.kept_epoch == trained(keep, values[: answer.stop_epoch])

    def test_early_stopping_counts_the_clips_that_other_weights_judge_otherwise(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        run = made(1, "1111", by_epoch=["0011", "1111", "0111"], val_loss=[0.9, 0.95, 0.5])
        (found,) = early_stopping(studied(run))
        assert found.details.patiences[0].kept_epoch == 1
        assert found.details.patiences[0].clips_changed == 1

    def test_early_stopping_counts_the_clips_that_other_weights_have_right(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        params = {"early_stopping_patience": "2"}
        by_epoch = ["0011", "0111", "0101", "0001"]
        study = studied(made(1, "0111", params=params, by_epoch=by_epoch, val_loss=[0.9, 0.5, 0.6, 0.7]))
        (found,) = early_stopping(study)
        own = next(answer for answer in found.details.patiences if answer.patience == 2)
        assert (own.kept_epoch, own.correct, own.val_loss) == (2, study.results[0].correct, study.results[0].val_loss)
        (shorter,) = early_stopping(studied(made(1, "0111", by_epoch=by_epoch, val_loss=[0.6, 0.7, 0.5, 0.8])))
        assert (shorter.details.patiences[0].kept_epoch, shorter.details.patiences[0].correct) == (1, 2)

    def test_early_stopping_is_unknown_where_an_epoch_is_missing(self, made: MakeRun, studied: MakeStudy) -> None:
        run = made(1, val_loss=SERIES)
        run.curves["val_loss"].steps[5:] += 1
        (found,) = early_stopping(studied(run))
        assert (found.verdict, found.details.patiences) == ("unknown", ())

    def test_early_stopping_is_known_where_no_patience_could_stop_the_run(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = early_stopping(studied(made(1, val_loss=[1.0, 0.9, 0.8])))
        assert found.verdict == "exact"
        assert all(answer.censored for answer in found.details.patiences)

    def test_early_stopping_saves_the_seconds_of_the_very_epochs_that_are_not_trained(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        seconds = [30.0, *[2.0] * 7, 1.5, 1.5, 1.5]  # the first epoch compiles
        (found,) = early_stopping(studied(made(1, val_loss=SERIES, epoch_seconds=seconds)))
        assert [answer.seconds_saved for answer in found.details.patiences[:4]] == [10.5, 4.5, 3.0, 0.0]

    def test_early_stopping_knows_no_seconds_where_an_epoch_was_not_timed(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = early_stopping(studied(made(1, val_loss=SERIES, epoch_seconds=[2.0] * 10)))
        assert {answer.seconds_saved for answer in found.details.patiences} == {None}

    @pytest.mark.parametrize("first", [0, 1])
    def test_early_stopping_counts_from_one_whatever_the_first_step(
        self, made: MakeRun, studied: MakeStudy, first: int
    ) -> None:
        run = made(1, val_loss=SERIES)
        run.curves["val_loss"].steps[:] += first - 1
        (found,) = early_stopping(studied(run))
        assert answers(found)[2] == (8, 6, 3, False)


class TestSentence:
    def test_sentence_says_which_patience_keeps_the_same_weights(self, made: MakeRun, studied: MakeStudy) -> None:
        run = made(1, params={"early_stopping_patience": "5"}, val_loss=SERIES, epoch_seconds=[7.0] * 11)
        assert sentence_of(studied(run), "early_stopping") == (
            "Patience 2 instead of 5 would have kept run 1's weights (epoch 6) and ended training at epoch 8 instead "
            "of 11, saving 3 epochs (21 s). Patience 1 would have kept epoch 4."
        )

    def test_sentence_prefers_a_usual_patience_and_says_what_the_next_shorter_one_costs(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        losses = [0.9, 0.5, *[0.6] * 6, 0.4, *[0.7] * 20]
        by_epoch = ["0001", "0011", *["0101"] * 6, "0111", *["0001"] * 20]
        run = made(1, "0111", {"early_stopping_patience": "20"}, val_loss=losses, by_epoch=by_epoch)
        assert sentence_of(studied(run), "early_stopping") == (
            "Patience 10 instead of 20 would have kept run 1's weights (epoch 9) and ended training at epoch 19 "
            "instead of 29, saving 10 epochs. Patience 5 would have kept epoch 2 (2 clips correct instead of 3)."
        )

    def test_sentence_leaves_out_an_unusual_patience_that_saves_next_to_nothing(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        losses = [0.9, 0.5, *[0.6] * 8, 0.4, *[0.7] * 10]
        run = made(1, params={"early_stopping_patience": "10"}, val_loss=losses)
        (found,) = early_stopping(studied(run))
        assert (found.details.enough.patience, found.details.enough.epochs_saved) == (9, 1)
        assert sentence_of(studied(run), "early_stopping") == (
            "With patience 5, run 1 would have ended at epoch 7 with the weights of epoch 2."
        )

    def test_sentence_says_what_other_weights_a_patience_keeps(self, made: MakeRun, studied: MakeStudy) -> None:
        run = made(1, val_loss=[0.9, 0.5, *[0.6] * 6, 0.4])
        assert sentence_of(studied(run), "early_stopping") == (
            "With patience 5, run 1 would have ended at epoch 7 with the weights of epoch 2."
        )

    def test_sentence_says_that_no_patience_could_stop_a_run(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, val_loss=[1.0, 0.9, 0.8])), "early_stopping") == (
            "Early stopping would never have triggered in run 1: its validation loss improved in every epoch."
        )

    def test_sentence_says_that_no_patience_would_end_a_run_earlier(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, val_loss=[1.0, 0.9, 0.95])), "early_stopping") == (
            "No patience would have ended run 1 any earlier."
        )

    def test_sentence_of_a_run_that_another_metric_ended_says_what_it_is_about(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        params = {"monitor": "val_accuracy", "patience": "2", "min_delta": "0", "restore_best_weights": "True"}
        foreign, metrics = {"tracker.dataset": "", "tracker.split": ""}, {"stopped_epoch": 2.0}
        falling = made(1, params=params, tags=foreign, metrics=metrics, val_loss=[1.0, 0.9, 0.8])
        assert sentence_of(studied(falling), "early_stopping") == (
            "Early stopping on validation loss would never have triggered in run 1: it improved in every epoch. Its "
            "own early stopping watched val_accuracy (patience 2) and ended it at epoch 3."
        )
        silent = made(1, tags=foreign, val_loss=[0.9, 0.5, *[0.6] * 6, 0.4])
        assert sentence_of(studied(silent), "early_stopping") == (
            "With patience 5 on validation loss, run 1 would have ended at epoch 7 with the weights of epoch 2."
        )

    def test_sentence_of_a_run_that_autologging_says_watched_validation_loss(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        params = {"monitor": "val_loss", "patience": "5", "min_delta": "0.04", "restore_best_weights": "False"}
        run = made(1, params=params, tags={"tracker.dataset": "", "tracker.split": ""}, val_loss=SERIES)
        (found,) = early_stopping(studied(run))
        assert (found.details.own, found.details.own_metric) == (5, None)
        assert answers(found)[2] == (6, 6, 5, False)  # what is lower by less is no improvement

    def test_sentence_of_a_run_that_goes_on_with_another_says_from_which_epoch(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        run = made(1, params={"initial_epoch": "3", "steps_per_epoch": "None", "validation_freq": "1"}, val_loss=SERIES)
        run.curves["val_loss"].steps[:] += 2
        assert sentence_of(studied(run), "early_stopping") == (
            "Early stopping can't be replayed for run 1: its validation loss was logged from epoch 4 on."
        )

    def test_sentence_of_boosting_says_that_its_rounds_are_no_epochs(self, made: MakeRun, studied: MakeStudy) -> None:
        run = made(
            1, params={"num_boost_round": "3"}, tags={"tracker.dataset": ""}, **{"eval-logloss": [0.9, 0.5, 0.6]}
        )
        assert sentence_of(studied(run), "early_stopping") == (
            "Early stopping can't be replayed for run 1: it logged eval-logloss by round of boosting, and only epochs "
            "are replayed."
        )

    @pytest.mark.parametrize(("losses", "patience", "end"), [([np.nan] * 7, 5, 6), ([np.nan, np.nan, 0.6], 1, 2)])
    def test_sentence_says_that_there_would_be_nothing_to_keep(
        self, made: MakeRun, studied: MakeStudy, losses: list[float], patience: int, end: int
    ) -> None:
        study = studied(made(1, val_loss=losses))
        (conclusion,) = early_stopping(study)
        assert conclusion.details.enough is None
        assert sentence_of(study, "early_stopping") == (
            f"With patience {patience}, run 1 would have ended at epoch {end} with nothing to keep: no validation loss "
            "was a finite number until then."
        )

    def test_sentence_keeps_to_the_epochs_before_the_loss_was_lost(self, gone_on: Run, studied: MakeStudy) -> None:
        assert sentence_of(studied(gone_on), "early_stopping") == (
            "Early stopping with patience 1 would have kept run 1's weights (epoch 4) and ended training at epoch 4 "
            "instead of 7, saving 3 epochs (6.0 s)."
        )


class TestTables:
    def test_table_has_a_row_for_each_patience(self) -> None:
        own = Patience(10, 34, 24, 10, censored=False, seconds_saved=4.2, val_loss=0.5, correct=26)
        (table,) = EarlyStopping((own, Patience(30, None, None, None, censored=True)), own=10).tables(in_points=True)
        assert table.rows == (
            ("10 (its own)", "34", "10", "4.2 s", "24", "0.500", "26"),
            ("30", "beyond what was run", "–", "–", "–", "–", "–"),
        )

    def test_table_has_a_row_for_the_shortest_patience_that_is_enough(self) -> None:
        enough = Patience(21, 51, 30, 9, censored=False)
        asked = (Patience(20, 29, 9, 31, censored=False), Patience(30, 60, 30, 0, censored=False))
        (table,) = EarlyStopping(asked, enough=enough).tables(in_points=True)
        assert [row[0] for row in table.rows] == ["20", "21", "30"]
        (same,) = EarlyStopping(asked, enough=asked[1]).tables(in_points=True)
        assert [row[0] for row in same.rows] == ["20", "30"]
