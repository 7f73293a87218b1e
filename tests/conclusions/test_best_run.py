from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import sentence_of, sentences_of
from tracker.conclusions.best_run import best_runs
from tracker.conclusions.comparisons import FOLDS, SPLITS, printed_pairs, run_family
from tracker.conclusions.run_difference import LOSSES

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeRuns, MakeStudy
    from tracker.conclusions.conclusion import Conclusion
    from tracker.runs import Run
    from tracker.study.study import Study


def best(study: Study) -> tuple[Conclusion, ...]:
    return best_runs(study, run_family(study, printed_pairs(study)))


class TestBestRuns:
    def test_name_the_run_with_the_most_clips_right(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = best(studied(made(1, "1100"), made(2, "1110", seed="1"), made(3, "1000", seed="2")))
        assert (found.id, found.details.correct, found.n) == (f"best_run:{2:032x}", 3, 4)
        assert found.details.runner_up == f"{1:032x}"

    def test_best_runs_are_supported_where_the_best_beats_every_other(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = best(studied(made(1, "1" * 20), made(2, "1" * 13 + "0" * 7, seed="1"), made(3, "0" * 20, seed="2")))
        assert (found.verdict, found.p_value) == ("supported", pytest.approx(0.0118, abs=1e-4))

    def test_best_runs_are_inconclusive_where_one_other_stays_close(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = best(studied(made(1, "1" * 20), made(2, "1" * 19 + "0", seed="1"), made(3, "0" * 20, seed="2")))
        assert (found.verdict, found.details.indistinguishable) == ("inconclusive", (f"{2:032x}",))

    def test_break_ties_by_validation_loss_then_by_id(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "110", val_loss=[0.9, 0.8]), made(2, "110", seed="1", val_loss=[0.7, 0.6])
        (by_loss,) = best(studied(*runs))
        assert (by_loss.runs, by_loss.details.tied, by_loss.details.tie_break) == (
            (f"{2:032x}",),
            (f"{1:032x}",),
            "loss",
        )
        (by_id,) = best(studied(made(2, "110"), made(1, "110", seed="1")))
        assert (by_id.runs, by_id.details.tie_break) == ((f"{1:032x}",), "id")

    def test_best_runs_of_the_writeup_cannot_tell_any_run_from_the_best(
        self, writeup: list[Run], studied: MakeStudy
    ) -> None:
        (found,) = best(studied(*writeup))
        assert (found.runs, found.verdict, found.n) == ((f"{3:032x}",), "inconclusive", 30)
        assert len(found.details.indistinguishable) == 3
        assert (found.details.least_p, found.details.clearest_gap) == (pytest.approx(0.2176, abs=1e-4), 2)

    def test_rank_runs_on_each_set_of_clips_apart(self, made: MakeRun, studied: MakeStudy) -> None:
        here = [made(i, right, seed=str(i)) for i, right in enumerate(["1100", "1110"])]
        there = [made(2 + i, right, seed=str(i), prefix="other") for i, right in enumerate(["0100", "1111"])]
        assert [found.runs for found in best(studied(*here, *there))] == [(f"{1:032x}",), (f"{3:032x}",)]

    def test_test_nothing_where_the_clips_were_not_logged(self, made: MakeRun, studied: MakeStudy) -> None:
        silent = {"tracker.dataset": "", "tracker.split": "", "tracker.validation_clips": "30"}
        runs = [made(i, tags=silent, metrics={"best_val_accuracy": 24 / 30 + i / 30}) for i in range(3)]
        (found,) = best(studied(*runs))
        assert (found.runs, found.verdict, found.p_value) == ((f"{2:032x}",), "inconclusive", None)
        assert (found.details.why, len(found.details.indistinguishable)) == ("unlogged clips", 2)

    def test_rank_by_the_lowest_value_of_a_metric_that_falls(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, "110", seed=str(i), val_loss=[0.9, 0.8 - i / 10]) for i in range(3)]
        (found,) = best(studied(*runs, metric="val_loss"))
        assert (found.runs, found.details.score, found.method) == ((f"{2:032x}",), pytest.approx(0.6), LOSSES)
        assert found.estimate == pytest.approx(-0.1)

    def test_best_runs_by_loss_are_supported_if_their_clips_lose_less(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 20, val_loss=[0.9, 0.2]), made(2, "1" * 8 + "0" * 12, seed="1", val_loss=[0.9, 1.0])
        (found,) = best(studied(*runs, metric="val_loss"))
        assert (found.runs, found.verdict) == ((f"{1:032x}",), "supported")

    def test_test_nothing_on_a_metric_that_is_not_known_by_clip(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, "110", seed=str(i), val_f1=[0.1, 0.8 - i / 10]) for i in range(3)]
        (found,) = best(studied(*runs, metric="val_f1"))
        assert (found.runs, found.details.why, found.p_value) == ((f"{0:032x}",), "metric", None)

    def test_estimate_how_likely_the_best_is_the_best(self, made: MakeRun, studied: MakeStudy) -> None:
        (clear,) = best(studied(made(1, "1" * 20), made(2, "0" * 20, seed="1")))
        (even,) = best(studied(made(1, "1" * 10 + "0" * 10), made(2, "0" * 10 + "1" * 10, seed="1")))
        assert clear.details.probability == clear.details.probability_alone == 1
        assert even.details.probability == pytest.approx(0.5, abs=0.05)
        assert even.details.probability_alone < 0.5 < even.details.probability_alone_or_tied

    def test_know_the_p_value_against_the_next(self, made: MakeRun, studied: MakeStudy) -> None:
        study = studied(made(1, "1" * 20), made(2, "1" * 19 + "0", seed="1"), made(3, "0" * 20, seed="2"))
        (found,) = best(study)
        assert found.details.runner_up_p == run_family(study, ()).p_value(0, 1) == found.p_value
        assert (found.details.runner_up_correct, found.details.worst_correct) == (19, 0)

    @pytest.mark.parametrize(("alpha", "groups"), [(0.05, (5, 6)), (0.1, None)])
    def test_know_that_groups_are_too_few_for_the_level(
        self, made: MakeRun, studied: MakeStudy, alpha: float, groups: tuple[int, int] | None
    ) -> None:
        of_clip = [str(i // 6) for i in range(30)]
        (found,) = best(studied(made(1, "1" * 30, groups=of_clip), made(2, "0" * 30, seed="1"), alpha=alpha))
        assert (found.details.groups, found.verdict) == (groups, "inconclusive" if groups else "supported")

    def test_best_runs_of_one_run_are_none(self, made: MakeRun, studied: MakeStudy) -> None:
        assert best(studied(made(1, "110"))) == ()

    def test_best_runs_over_folds_speak_of_configurations(self, on_folds: MakeRuns, studied: MakeStudy) -> None:
        (found,) = best(studied(*on_folds({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]})))
        assert (found.runs, found.method) == (tuple(f"{70 + fold:032x}" for fold in range(3)), FOLDS)
        assert (found.details.correct, found.n, found.details.folds) == (8, 12, 3)
        assert found.details.indistinguishable == tuple(f"{30 + fold:032x}" for fold in range(3))

    def test_best_runs_over_splits_speak_of_configurations(self, on_splits: MakeRuns, studied: MakeStudy) -> None:
        (found,) = best(studied(*on_splits({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]})))
        assert (found.runs, found.method) == (tuple(f"{70 + split:032x}" for split in range(3)), SPLITS)
        assert (found.details.correct, found.n, found.details.folds, found.details.splits) == (8, 12, 3, True)

    def test_speak_of_runs_where_a_configuration_lacks_a_split(self, on_splits: MakeRuns, studied: MakeStudy) -> None:
        runs = on_splits({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]})[:-1]
        found = best(studied(*runs))
        assert [(one.details.others, one.details.elsewhere) for one in found] == [(1, True), (1, True)]

    @pytest.mark.parametrize(("logged", "lacking"), [((), 3), ((2,), 2)])
    def test_best_runs_are_unknown_where_the_metric_is_missing(
        self, made: MakeRun, studied: MakeStudy, logged: tuple[int, ...], lacking: int
    ) -> None:
        runs = [made(i, seed=str(i), metrics={"val_mae": 0.5} if i in logged else {}) for i in range(3)]
        (found,) = best(studied(*runs, metric="val_mae"))
        assert (found.verdict, len(found.runs), found.details.why) == ("unknown", 3, "no metric")
        assert len(found.details.indistinguishable) == lacking

    def test_count_no_clips_where_accuracy_is_not_the_metric(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, "110", seed=str(i), metrics={"val_mae": 0.5 - i / 10}) for i in range(2)]
        (found,) = best(studied(*runs, metric="val_mae"))
        assert (found.details.correct, found.details.score, found.details.runner_up_score) == (None, 0.4, 0.5)


class TestSentence:
    def test_sentence_names_the_writeups_best_run_and_the_next(self, writeup: list[Run], studied: MakeStudy) -> None:
        assert sentence_of(studied(*writeup), "best_run") == (
            "Run 3 has the most validation clips correct, 26/30 (86.7%). The next best has 25, 1 clip fewer, which "
            "chance can explain whichever clips these are."
        )

    def test_sentence_says_that_the_best_run_is_better_than_every_other(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        assert sentence_of(studied(made(1, "1" * 20), made(2, "1" * 13 + "0" * 7, seed="1")), "best_run") == (
            "Run 1 has the most validation clips correct, 20/20 (100%). It is significantly better than the other."
        )

    def test_sentence_says_how_often_it_would_win_alone(self, made: MakeRun, studied: MakeStudy) -> None:
        rights = "1" * 26 + "0000", *["1" * 25 + "00000"] * 3
        study = studied(*(made(i, right, seed=str(i)) for i, right in enumerate(rights)))
        assert sentence_of(study, "best_run") == (
            "Run 1 has the most validation clips correct, 26/30 (86.7%). The other three have 25, 1 clip fewer, which "
            "chance easily explains. On a new sample of clips it would be the sole winner about 65% of the time."
        )

    def test_sentence_says_which_are_not_worse(self, made: MakeRun, studied: MakeStudy) -> None:
        rights = "1" * 40, "1" * 38 + "00", "0" * 20 + "1" * 20, "1" * 20 + "0" * 20
        sentence = sentence_of(studied(*(made(i, right, seed=str(i)) for i, right in enumerate(rights))), "best_run")
        assert (
            "Two of the other three are significantly worse; run 2 is not statistically different from it." in sentence
        )

    def test_sentence_says_that_a_gap_does_not_survive_the_correction(self, made: MakeRun, studied: MakeStudy) -> None:
        rights = ["1" * 20, "1" * 13 + "0" * 7, *["1" * 19 + "0"] * 6]
        sentence = sentence_of(studied(*(made(i, right, seed=str(i)) for i, right in enumerate(rights))), "best_run")
        assert (
            "The next best has 19, 1 clip fewer. The clearest gap, 7 clips, would be significant on its own "
            "(p = 0.012), but not after correcting for 28 pairs." in sentence
        )

    def test_sentence_says_that_groups_are_too_few(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 6) for i in range(30)]
        runs = made(1, "1" * 26 + "0000", groups=groups), made(2, "1" * 9 + "0" * 21, seed="1")
        assert sentence_of(studied(*runs), "best_run") == (
            "Run 1 has the most validation clips correct, 26/30 (86.7%). The other run has 9, 17 clips fewer. The "
            "clips come from only 5 groups; significance at 5% takes at least 6."
        )

    def test_sentence_says_what_breaks_a_tie(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1100", val_loss=[0.9, 0.8]), made(2, "1010", seed="1", val_loss=[0.7, 0.6])
        (sentence,) = sentences_of(studied(*runs), "best_run")
        assert sentence == (
            "Runs 1 and 2 share the most validation clips correct, 2/4 (50.0%); run 2 is listed first for its lower "
            "validation loss."
        )

    def test_sentence_gives_the_losses_of_the_best_and_the_next(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, "110", seed=str(i), val_loss=[0.9, 0.8 - i / 10]) for i in range(3)]
        assert sentence_of(studied(*runs, metric="val_loss"), "best_run") == (
            "Run 3 has the lowest validation loss, 0.600. The next has 0.700, which chance easily explains."
        )

    def test_sentence_says_that_another_metric_is_not_tested(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, "110", seed=str(i), val_f1=[0.1, 0.6 + i / 10]) for i in range(3)]
        assert sentence_of(studied(*runs, metric="val_f1"), "best_run") == (
            "Run 3 has the highest val_f1, 0.800. Whether the others differ from it cannot be tested: val_f1 is not "
            "known clip by clip."
        )
