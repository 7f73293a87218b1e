from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import sentence_of
from tracker.conclusions.sample_size import KIND, sample_sizes
from tracker.wording import wording_of

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy
    from tracker.runs import Run


class TestSampleSizes:
    def test_sample_sizes_of_the_writeup_are_what_its_rules_say(self, writeup: list[Run], studied: MakeStudy) -> None:
        (found,) = sample_sizes(studied(*writeup))
        details = found.details
        assert (found.n, round(100 * details.one_clip, 2)) == (30, 3.33)
        assert 0.24 < details.detectable[0] < 0.26
        assert 0.31 < details.detectable[1] < 0.34
        assert details.clips_for_one[0] == pytest.approx(240, rel=0.02)
        assert details.clips_for_one[1] == pytest.approx(2200, rel=0.02)

    def test_sample_sizes_say_that_nothing_can_beat_25_of_30(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = sample_sizes(studied(made(1, "1" * 25 + "0" * 5)))
        assert (found.details.best_correct, found.details.ceiling_p) == (25, 0.0625)

    def test_sample_sizes_use_how_often_the_models_disagree(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = sample_sizes(studied(made(1, "1" * 27 + "000"), made(2, "000" + "1" * 27, seed="1")))
        assert found.details.discordance == pytest.approx(0.2)

    def test_count_grouped_clips_for_fewer(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        runs = made(1, "1" * 30, groups=groups), made(2, "1" * 24 + "0" * 6, seed="1")
        (found,) = sample_sizes(studied(*runs))
        (apart,) = sample_sizes(studied(made(1, "1" * 30), made(2, "1" * 24 + "0" * 6, seed="1")))
        assert (found.details.n_groups, apart.details.design_effect) == (10, 1)
        assert found.details.design_effect > 2
        assert found.details.detectable[1] > apart.details.detectable[1]

    def test_sample_sizes_are_one_for_each_set_of_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        found = list(sample_sizes(studied(made(1, "1100"), made(2, "110", prefix="other"))))
        assert [(c.n, c.runs) for c in found] == [(4, (f"{1:032x}",)), (3, (f"{2:032x}",))]

    def test_sample_sizes_join_runs_that_logged_only_how_many_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        silent = {"tracker.dataset": "", "tracker.split": "", "tracker.validation_clips": "30"}
        (found,) = sample_sizes(studied(*(made(i, tags=silent) for i in range(3))))
        assert (found.n, len(found.runs)) == (30, 3)


class TestSentence:
    def test_sentence_says_what_the_writeups_clips_can_show(self, writeup: list[Run], studied: MakeStudy) -> None:
        assert sentence_of(studied(*writeup), "sample_size") == (
            "With 30 validation clips one clip is 3.3 points. A true difference of 25 to 32 points, depending on how "
            "often two models disagree, would be found about four times in five, and one of a single clip would take "
            "about 240 to 2,200 clips. Nothing can significantly beat 26 of 30: even all 30 right gives p = 0.125 at "
            "best."
        )


class TestLimits:
    def test_limits_say_what_the_clips_can_show(self, writeup: list[Run], studied: MakeStudy) -> None:
        study = studied(*writeup)
        (limit,) = KIND.limits(study, sample_sizes(study), wording_of(study))
        assert limit.startswith("30 validation clips cannot reliably show a difference between two models below ")

    def test_limits_say_that_clips_differ(self, made: MakeRun, studied: MakeStudy) -> None:
        study = studied(made(1, "1100"), made(2, "1110", prefix="other"))
        *_, last = KIND.limits(study, sample_sizes(study), wording_of(study))
        assert last == "Runs judged on different validation clips are not compared with each other."
