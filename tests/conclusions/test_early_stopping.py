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

    def test_early_stopping_is_unknown_where_all_is_censored(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = early_stopping(studied(made(1, val_loss=[1.0, 0.9, 0.8])))
        assert found.verdict == "unknown"

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
        losses = [1, 0.8, 0.7, 0.65, 0.66, 0.64, 0.67, 0.70, 0.72, 0.75, 0.8]
        run = made(1, params={"early_stopping_patience": "5"}, val_loss=losses, epoch_seconds=[7.0] * 11)
        assert sentence_of(studied(run), "early_stopping") == (
            "Stopping with patience 2 instead of 5 would have ended run 1 at epoch 8 instead of 11 and kept the same "
            "weights (epoch 6): 3 epochs, about 21 s, saved, and not one clip changed."
        )

    def test_sentence_of_a_run_without_any_finite_loss_names_no_epoch(self, made: MakeRun, studied: MakeStudy) -> None:
        study = studied(made(1, val_loss=[np.nan] * 7))
        (conclusion,) = (c for c in early_stopping(study))
        assert conclusion.details.enough is None
        assert sentence_of(study, "early_stopping") == (
            "Stopping with patience 1 would have ended run 1 at epoch 2 instead of 7, with nothing to keep: no "
            "validation loss was a finite number until then."
        )

    def test_sentence_says_that_there_would_be_nothing_to_keep(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, val_loss=[np.nan, np.nan, 0.6])), "early_stopping") == (
            "Stopping with patience 1 would have ended run 1 at epoch 2 instead of 3, with nothing to keep: no "
            "validation loss was a finite number until then."
        )

    def test_sentence_keeps_to_the_epochs_before_the_loss_was_lost(self, gone_on: Run, studied: MakeStudy) -> None:
        assert sentence_of(studied(gone_on), "early_stopping") == (
            "Stopping with patience 1 would have ended run 1 at epoch 4 instead of 7 and kept the same weights (epoch "
            "4): 3 epochs, about 6 s, saved, and not one clip changed."
        )


class TestTables:
    def test_table_has_a_row_for_each_patience(self) -> None:
        own = Patience(10, 34, 24, 10, censored=False, val_loss=0.5, correct=26)
        (table,) = EarlyStopping((own, Patience(30, None, None, None, censored=True)), own=10).tables(in_points=True)
        assert table.rows == (
            ("10 (its own)", "34", "10", "24", "0.5000", "26"),
            ("30", "beyond what was run", "–", "–", "–", "–"),
        )

    def test_table_has_a_row_for_the_shortest_patience_that_is_enough(self) -> None:
        enough = Patience(21, 51, 30, 9, censored=False)
        asked = (Patience(20, 29, 9, 31, censored=False), Patience(30, 60, 30, 0, censored=False))
        (table,) = EarlyStopping(asked, enough=enough).tables(in_points=True)
        assert [row[0] for row in table.rows] == ["20", "21", "30"]
        (same,) = EarlyStopping(asked, enough=asked[1]).tables(in_points=True)
        assert [row[0] for row in same.rows] == ["20", "30"]
