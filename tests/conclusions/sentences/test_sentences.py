"""What a person reads, word for word, in the situations that a report meets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.conclusions.conclude import conclude

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeRuns, MakeStudy
    from tracker.runs import Run
    from tracker.study.study import Study


def said(study: Study, kind: str) -> list[str]:
    conclusions, _ = conclude(study, "tracker")
    return [conclusion.sentence for conclusion in conclusions if conclusion.kind == kind]


def only(study: Study, kind: str) -> str:
    (sentence,) = said(study, kind)
    return sentence


class TestBestRun:
    def test_of_the_writeup(self, writeup: list[Run], studied: MakeStudy) -> None:
        assert only(studied(*writeup), "best_run") == (
            "Run 3 is right on 26 of 30 validation clips, the most. None of the other three can be told from it: the "
            "clearest gap is two clips, and whichever clips these are, exact McNemar gives p ≥ 0.500."
        )

    def test_that_is_clear(self, made: MakeRun, studied: MakeStudy) -> None:
        assert only(studied(made(1, "1" * 20), made(2, "1" * 13 + "0" * 7, seed="1")), "best_run") == (
            "Run 1 is right on 20 of 20 validation clips, the most. It is better than the other (exact McNemar, "
            "p ≤ 0.016 against each)."
        )

    def test_with_ties(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1100", val_loss=[0.9, 0.8]), made(2, "1010", seed="1", val_loss=[0.7, 0.6])
        (sentence,) = said(studied(*runs), "best_run")
        assert sentence == (
            "Runs 1 and 2 are right on 2 of 4 validation clips, the most; run 2 goes first for its lower validation "
            "loss. Not even the other run can be told from it: even the clearest has as many right, within chance "
            "(exact McNemar, p = 1.0)."
        )

    def test_on_another_metric(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, "110", seed=str(i), val_loss=[0.9, 0.8 - i / 10]) for i in range(3)]
        assert only(studied(*runs, metric="val_loss"), "best_run") == (
            "Run 3 has the lowest val_loss, 0.60. Whether another differs from it cannot be tested: val_loss is not "
            "known clip by clip."
        )


class TestRunDifference:
    def test_within_chance(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 26 + "0000"), made(2, "00" + "1" * 23 + "00110", seed="1")
        assert only(studied(*runs), "run_difference") == (
            "Run 1 is right on 26 of 30 validation clips, run 2 on 25: a lead of one clip, 3.3 points (three that only "
            "run 1 has right, two that only run 2 has). That is well within chance (95 % interval −14 to +21 points; "
            "exact McNemar p = 1.0). To show a difference of 3.3 points takes about 1,200 clips."
        )

    def test_beyond_chance(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 20, {"k": "3"}), made(2, "1" * 13 + "0" * 7, {"k": "7"})
        assert only(studied(*runs), "run_difference") == (
            "Run 1 is right on 20 of 20 validation clips, run 2 on 13: a lead of seven clips, 35 points (seven that "
            "only run 1 has right, none that only run 2 has). That is more than chance gives (95 % interval +13 to +57 "
            "points; exact McNemar p = 0.016). It holds for these two models: whether k or the luck of one training "
            "did it, one training each cannot say."
        )

    def test_from_counts(self, writeup: list[Run], studied: MakeStudy) -> None:
        assert said(studied(*writeup), "run_difference")[-1] == (
            "Run 3 is right on 26 of 30 validation clips, run 4 on 24: a lead of two clips, 6.7 points. That is well "
            "within chance (95 % interval −15 to +28 points; exact McNemar p = 0.500 to 0.754, by which clips it is)."
        )

    def test_from_counts_that_leave_no_doubt(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = (
            made(i, seed=str(i), tags={"tracker.validation_clips": "4"}, metrics={"best_val_accuracy": accuracy})
            for i, accuracy in enumerate([0.75, 0.5])
        )
        assert "exact McNemar p = 1.0, whichever clips it is" in only(studied(*runs), "run_difference")

    def test_on_few_groups(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        runs = made(1, "1" * 30, groups=groups), made(2, "1" * 27 + "000", seed="1")
        (sentence,) = said(studied(*runs), "run_difference")
        assert "Clips share groups, and only one group tells the two apart: below six no test can decide" in sentence

    def test_on_other_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        assert only(studied(made(1, "110"), made(2, "111", prefix="other")), "run_difference") == (
            "Run 1 and run 2 were judged on different validation clips and are not compared."
        )


class TestOptionEffect:
    def test_of_the_writeups_kernel(self, writeup: list[Run], studied: MakeStudy) -> None:
        assert said(studied(*writeup), "option_effect")[0] == (
            "Kernel size never changed alone: learning rate, plateau and early stopping changed with it. This "
            "experiment cannot say which of them mattered; the runs under “Next steps” would."
        )

    def test_of_one_pair(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1110", {"kernel_size": "3"}), made(2, "1000", {"kernel_size": "7"})
        assert only(studied(*runs), "option_effect") == (
            "Kernel size 7 instead of 3: one matched pair, 50 points less. So few trainings cannot tell kernel size "
            "from the luck of training; three matched pairs are the least."
        )

    def test_that_is_detected(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        draw = lambda p: "".join(rng.choice(["0", "1"], 100, p=[1 - p, p]))  # noqa: E731
        runs = [made(i, draw(0.5 + 0.4 * (i % 2)), {"kernel_size": "37"[i % 2]}, seed=str(i // 2)) for i in range(10)]
        (sentence,) = said(studied(*runs), "option_effect")
        assert sentence.startswith("Kernel size 7 instead of 3 raises validation accuracy by ")
        assert sentence.endswith("five matched pairs crossed with 100 clips, p < 0.001).")

    def test_that_more_pairs_would_find(self, by_kernel: MakeRuns, studied: MakeStudy) -> None:
        rights = {"3": ["1" * 50 + "0" * 50, "1" * 60 + "0" * 40, "1" * 40 + "0" * 60],
                  "7": ["1" * 62 + "0" * 38, "1" * 58 + "0" * 42, "1" * 48 + "0" * 52]}  # fmt: skip
        sentence = only(studied(*by_kernel(rights)), "option_effect")
        assert re.search(
            r"An effect below \d+ points would mostly go unnoticed\. To find one of 6 points on these clips takes "
            r"(\w+|about \d+) matched pairs in all\.$",
            sentence,
        ), sentence

    def test_that_no_number_of_pairs_would_find(self, by_kernel: MakeRuns, studied: MakeStudy) -> None:
        low, high = "1" * 10 + "0" * 8 + "1" * 6 + "0" * 6, "1" * 10 + "1" * 8 + "0" * 6 + "0" * 6
        flipped = high[:-1] + "1"
        rights = {"3": [low] * 3, "7": [high, high, flipped]}
        sentence = only(studied(*by_kernel(rights)), "option_effect")
        assert re.search(
            r"One of [\d.]+ points no number of trainings would show on these clips: it takes about [\d,]+ clips at "
            r"least\.$",
            sentence,
        ), sentence

    @pytest.mark.parametrize("what", ["fold", "split"])
    def test_over_folds_or_splits(self, what: str, request: pytest.FixtureRequest, studied: MakeStudy) -> None:
        make: MakeRuns = request.getfixturevalue(f"on_{what}s")
        runs = make({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]})
        assert only(studied(*runs), "option_effect").startswith(
            "Whether kernel size 7 instead of 3 helps these runs cannot tell: on average 17 points more (95 % interval "
            f"−40 to +73 points; corrected resampled t-test over {what}s, three {what}s, p = 0.333)."
        )

    def test_that_changed_nothing(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [
            made(i, "110", {"early_stopping_patience": p}, val_loss=[0.9, 0.8, 0.7]) for i, p in enumerate(["5", "9"])
        ]
        assert only(studied(*runs), "option_effect") == (
            "Early-stopping patience 9 instead of 5 changed nothing: in the matched pair both runs are the same, epoch "
            "by epoch."
        )


class TestTraining:
    def test_overfitting(self, made: MakeRun, studied: MakeStudy) -> None:
        rising = [1.0, 0.6, 0.41, 0.42, 0.43, 0.44, 0.45, 0.46, 0.47, 0.48]
        falling = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05]
        assert only(studied(made(1, val_loss=rising, loss=falling)), "overfitting") == (
            "Run 1's validation loss rose from 0.41 at epoch 3 to 0.48 at epoch 10 while its training loss fell from "
            "0.60 to 0.05: from there on it overfits. Its kept weights are those of epoch 3."
        )

    def test_early_stopping(self, made: MakeRun, studied: MakeStudy) -> None:
        losses = [1, 0.8, 0.7, 0.65, 0.66, 0.64, 0.67, 0.70, 0.72, 0.75, 0.8]
        run = made(1, params={"early_stopping_patience": "5"}, val_loss=losses, epoch_seconds=[7.0] * 11)
        assert only(studied(run), "early_stopping") == (
            "Stopping with patience 2 instead of 5 would have ended run 1 at epoch 8 instead of 11 and kept the same "
            "weights (epoch 6): three epochs, about 21 s, saved, and not one clip changed."
        )

    def test_of_a_run_that_went_on_without_a_loss(self, gone_on: Run, studied: MakeStudy) -> None:
        study = studied(gone_on)
        assert only(study, "overfitting") == (
            "Run 1's validation loss was lowest, 0.50, at epoch 3 and no finite number at its last, epoch 7. With the "
            "kept weights, those of epoch 4, it is 25 points more accurate on its 12 training clips than on the 4 "
            "validation clips (95 % interval −6.7 to +70 points), a gap that cannot be told from none."
        )
        assert only(study, "early_stopping") == (
            "Stopping with patience 1 would have ended run 1 at epoch 4 instead of 7 and kept the same weights (epoch "
            "4): three epochs, about 6 s, saved, and not one clip changed."
        )
        assert said(study, "under_training") == []
        assert only(study, "stability") == "Run 1 diverged: its loss is no finite number at epoch 5."

    def test_early_stopping_before_there_is_anything_to_keep(self, made: MakeRun, studied: MakeStudy) -> None:
        assert only(studied(made(1, val_loss=[np.nan, np.nan, 0.6])), "early_stopping") == (
            "Stopping with patience 1 would have ended run 1 at epoch 2 instead of 3, with nothing to keep: no "
            "validation loss was a finite number until then."
        )

    def test_a_drop_that_came_to_nothing(self, made: MakeRun, studied: MakeStudy) -> None:
        run = made(1, val_loss=[0.9, 0.5, 0.6, 0.55], learning_rate=[0.01, 0.01, 0.01, 0.001])
        assert only(studied(run), "learning_rate") == (
            "Run 1's learning rate fell from 0.01 to 0.001 after epoch 3, which came to nothing: validation loss had "
            "been down to 0.50 and only came to 0.55."
        )

    def test_a_plateau_that_never_fired(self, made: MakeRun, studied: MakeStudy) -> None:
        params = {"plateau_factor": "0.5", "plateau_patience": "15"}
        assert only(studied(made(1, params=params, learning_rate=[0.001] * 3)), "learning_rate") == (
            "Run 1's plateau of factor 0.5 and patience 15 never fired: the rate stayed at 0.001."
        )

    def test_a_limit_reached_while_improving(self, made: MakeRun, studied: MakeStudy) -> None:
        assert only(studied(made(1, params={"epochs": "3"}, val_loss=[0.9, 0.8, 0.7])), "under_training") == (
            "Run 1 reached its limit of 3 epochs while it was still improving: its validation loss was lowest at "
            "epoch 3."
        )


class TestClips:
    def test_errors_by_class(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, right, seed=str(i)) for i, right in enumerate(["0011", "0101", "0110"])]
        assert only(studied(*runs), "classes") == (
            "Run 1 gets two validation clips wrong: 2 of 4 in a (95 % interval 15 to 85 %; taken for b). One clip is "
            "wrong in all three runs: clip0000 (a, taken for b by all); its label is worth checking."
        )

    def test_sample_size_of_the_writeup(self, writeup: list[Run], studied: MakeStudy) -> None:
        assert only(studied(*writeup), "sample_size") == (
            "With 30 validation clips one clip is 3.3 points. A true difference of 25 to 32 points, depending on how "
            "often two models disagree, would be found about four times in five, and one of a single clip would take "
            "about 240 to 2,200 clips. Nothing can significantly beat 26 of 30: even all 30 right gives p = 0.125 at "
            "best."
        )

    def test_seeds(self, made: MakeRun, studied: MakeStudy) -> None:
        (sentence,) = said(
            studied(*(made(i, right, seed=str(i)) for i, right in enumerate(["1100", "1110"]))), "stability"
        )
        assert sentence == (
            "Runs 1 and 2 repeat one configuration: 50 to 75 % of clips right, 62 % on average (95 % interval 6 to "
            "98 % over seeds and clips), with a standard deviation of 18 points from seed to seed."
        )

    def test_seeds_that_do_equally_well(self, made: MakeRun, studied: MakeStudy) -> None:
        (sentence,) = said(studied(*(made(i, "1110" * 10, seed=str(i)) for i in range(3))), "stability")
        assert sentence == (
            "Runs 1, 2 and 3 repeat one configuration: each has 75 % of clips right (95 % interval 59 to 86 % over "
            "seeds and clips)."
        )

    def test_seeds_of_runs_that_did_not_log_their_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        silent = {"tracker.dataset": "", "tracker.split": ""}
        runs = (made(i, seed=str(i), tags=silent, val_accuracy=[0.5, 0.6]) for i in range(2))
        assert only(studied(*runs), "stability") == (
            "How much results depend on the seed cannot be said: runs that repeat a configuration did not log which "
            "clips they were judged on, or how many they have right."
        )

    def test_what_choosing_flatters(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        runs = [made(i, "".join(rng.choice(["0", "1"], size=40)), seed=str(i)) for i in range(6)]
        (sentence,) = said(studied(*runs), "selection_optimism")
        assert sentence.startswith(
            "Run 1 was chosen among six runs on the clips that its accuracy is said of. That flatters it by an "
            "estimated "
        )
        assert "points (bootstrap, 95 % interval " in sentence

    def test_what_choosing_by_another_metric_flatters(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = (made(i, "110", seed=str(i), val_loss=[0.9, 0.8]) for i in range(2))
        assert only(studied(*runs, metric="val_loss"), "selection_optimism") == (
            "By how much the best of two runs flatters itself cannot be estimated: that is done for accuracy, and the "
            "runs are ranked by val_loss."
        )

    def test_divergence(self, made: MakeRun, studied: MakeStudy) -> None:
        assert only(studied(made(1, val_loss=[1.0, np.nan])), "stability") == (
            "Run 1 diverged: its loss is no finite number at epoch 2."
        )


class TestEverySentence:
    @pytest.mark.parametrize("name", ["<b>x</b>", "a|b", "`x`", "[x](http://evil)", "x_y_z"])
    def test_carries_other_peoples_text_as_it_came(self, made: MakeRun, studied: MakeStudy, name: str) -> None:
        runs = made(1, "1110", {"k": name}), made(2, "1000", {"k": "other"})
        assert any(name in sentence for sentence in said(studied(*runs), "option_effect"))
