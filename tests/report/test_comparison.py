from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.report import build_comparison, build_report
from tracker.report.comparison import (
    ClassCount,
    Differing,
    class_counts,
    discordant_clips,
    on_other_data,
    shared_clips,
)
from tracker.runs import Predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.builders import MakeRun
    from tracker.conclusions.conclusion import Conclusion
    from tracker.report import Comparison
    from tracker.runs import Run


def compared(runs: Sequence[Run], one: int = 0, other: int = 1, **how: object) -> Comparison:
    return build_comparison("tracker", runs, (runs[one].run_id, runs[other].run_id), **how)


def drawn(made: MakeRun, number: int, share: float, n: int = 40, **given: str) -> Run:
    """A run that is right on a share of clips; which, hangs on its number alone."""
    right = "".join("01"[int(one)] for one in np.random.default_rng(number).random(n) < share)
    return made(number, right, **given)


@pytest.fixture
def four(made: MakeRun) -> list[Run]:
    """Runs of which one is clearly the worst; the first three differ in one option, the last in two."""
    return [
        drawn(made, 1, 0.8, kernel_size="3"),
        drawn(made, 2, 0.9, kernel_size="5"),
        drawn(made, 3, 0.8, kernel_size="7"),
        drawn(made, 4, 0.1, kernel_size="3", dropout="0.5"),
    ]


def uncorrected(found: Conclusion) -> Conclusion:
    """A conclusion without what hangs on the correction for other pairs."""
    return replace(found, verdict="exact", p_adjusted=None, sentence="", details=replace(found.details, family=0))


class TestItsConclusion:
    @pytest.mark.parametrize("how", [{}, {"alpha": 0.2, "margin": 0.3}, {"metric": "val_loss"}])
    def test_its_conclusion_is_the_reports_but_for_the_correction_for_every_pair_that_the_report_prints(
        self, four: list[Run], how: dict[str, object]
    ) -> None:
        printed = [c for c in build_report("tracker", four, **how).conclusions if c.kind == "run_difference"]
        assert printed
        for conclusion in printed:
            for ids in (conclusion.runs, conclusion.runs[::-1]):
                found = build_comparison("tracker", four, ids, **how)
                assert uncorrected(found.conclusion) == uncorrected(conclusion)
                assert (found.corrected and found.corrected.p_value) == conclusion.p_adjusted

    def test_its_verdict_goes_by_its_own_p_value(self, made: MakeRun) -> None:
        runs = [
            made(1, "1" * 13 + "0" * 7, kernel_size="3"),
            made(2, "11" + "0" * 11 + "11" + "0" * 5, kernel_size="5"),
        ]
        runs += [made(number, "1" * 8 + "0" * 12, kernel_size=str(number)) for number in range(6, 10)]
        report = build_report("tracker", runs)
        pair = (runs[0].run_id, runs[1].run_id)
        (in_report,) = [c for c in report.conclusions if c.kind == "run_difference" and c.runs == pair]
        found = compared(runs)
        assert (in_report.verdict, found.conclusion.verdict) == ("inconclusive", "supported")
        assert found.conclusion.p_value == found.conclusion.p_adjusted < 0.05 < found.corrected.p_value
        assert found.corrected.pairs == 15
        assert found.worse == runs[1].run_id
        assert found.remarks[0].startswith(
            "If you picked these two after looking at all runs: corrected for all 15 pairs, p = 0."
        )

    def test_the_only_two_runs_need_no_correction(self, four: list[Run]) -> None:
        assert compared(four[:2]).corrected is None

    def test_its_conclusion_is_the_reports_where_pairs_are_too_many_to_test_all(self, made: MakeRun) -> None:
        runs = [drawn(made, i, i / 75, 200, kernel_size=str(i % 9), seed=str(i // 9)) for i in range(1, 73)]
        printed = [c for c in build_report("tracker", runs).conclusions if c.kind == "run_difference"]
        assert {"supported", "inconclusive"} <= {c.verdict for c in printed}
        for conclusion in printed[::7]:
            found = build_comparison("tracker", runs, conclusion.runs)
            assert uncorrected(found.conclusion) == uncorrected(conclusion)
            assert found.corrected.p_value == conclusion.p_adjusted

    def test_its_conclusion_is_the_reports_where_clips_differ(self, made: MakeRun) -> None:
        runs = [drawn(made, i, 0.8, kernel_size=str(i)) for i in (1, 2, 3)]
        runs += [drawn(made, 9, 1.0, prefix="other", tags={"tracker.split": "other"}, kernel_size="9")]
        (across,) = [c for c in build_report("tracker", runs).conclusions if c.verdict == "not_comparable"]
        found = build_comparison("tracker", runs, across.runs[::-1])
        assert found.conclusion == across
        assert across.commands

    def test_its_correction_of_a_pair_that_is_not_printed_counts_every_pair(self, four: list[Run]) -> None:
        found = compared(four, 2, 3)
        assert (found.conclusion.details.family, found.corrected.pairs) == (1, 6)
        assert found.corrected.p_value > found.conclusion.p_value

    def test_its_conclusion_names_the_better_run_first_and_runs_by_the_reports_numbers(self, four: list[Run]) -> None:
        found = compared(four, 3, 1)
        assert [run.called for run in found.runs] == ["run 2", "run 4"]
        assert found.conclusion.runs == (four[1].run_id, four[3].run_id)

    def test_an_open_pair_has_no_command_since_more_validation_clips_leave_fewer_to_train_on(
        self, made: MakeRun
    ) -> None:
        clips = {"tracker.training_clips": "400", "tracker.validation_clips": "40"}
        one = made(1, "1" * 36 + "0" * 4, kernel_size="3", tags=clips)
        other = made(2, "1" * 26 + "0" * 12 + "1" * 2, kernel_size="5", tags=clips)
        found = compared([one, other], alpha=0.001).conclusion
        assert (found.verdict, found.commands) == ("inconclusive", ())

    def test_its_conclusion_is_not_open_to_the_order_of_the_runs(self, four: list[Run]) -> None:
        assert compared(four[::-1], 1, 2).conclusion == compared(four, 1, 2).conclusion


class TestWhatItSays:
    def test_options_that_differ_have_both_levels(self, four: list[Run]) -> None:
        found = compared(four, 0, 3)
        assert found.options == (Differing("dropout", ("off", "0.5")),)
        assert compared(four, 0, 1).options == (Differing("kernel_size", ("5", "3")),)

    def test_other_metrics_of_both_runs_stand_beside_the_primary_one(self, four: list[Run]) -> None:
        tested = [replace(run, metrics={**run.metrics, "test_f1": 0.5}) for run in four]
        (other,) = (other for other in compared(tested).other_metrics.shown if other.part == "test")
        assert [value.value for value in other.values if value] == [0.5, 0.5]

    def test_seeds_and_parts_of_the_split_that_differ_stand_apart(self, made: MakeRun) -> None:
        runs = [made(1, "11", fold="1/5"), made(2, "11", seed=None, prefix="b", tags={"tracker.split": "t"})]
        assert compared(runs).repetition == (
            Differing("seed", ("0", "not logged")),
            Differing("fold", ("1/5", "off")),
        )
        assert compared(runs).options == ()

    def test_what_it_says_counts_agree_with_the_conclusion(self, four: list[Run]) -> None:
        found = compared(four, 0, 1)
        details = found.conclusion.details
        alone = [sum(clip.correct[place] for clip in found.clips) for place in (0, 1)]
        assert alone == [details.only_first, details.only_second]
        assert found.clips_in_common == found.conclusion.n == sum(count.n for count in found.classes)
        for place in (0, 1):
            assert sum(count.correct[place] for count in found.classes) == details.correct[place]
            assert found.runs[place].entry.result.accuracy.correct == details.correct[place]

    def test_an_open_conclusion_is_said_to_be_about_the_models_and_not_the_option(self, four: list[Run]) -> None:
        assert compared(four, 0, 1).remarks[1:] == (
            "This is about these two models: one training each cannot separate kernel size from training noise.",
        )

    def test_a_supported_one_says_so_itself(self, four: list[Run]) -> None:
        found = compared(four, 0, 3)
        assert found.conclusion.verdict == "supported"
        assert found.conclusion.details.differs_in == ("dropout",)
        assert len(found.remarks) == 1  # the correction alone

    def test_runs_without_predictions_are_compared_by_their_counts(self, made: MakeRun) -> None:
        told = {"tracker.validation_clips": "30"}
        runs = [made(i, tags=told, metrics={"val_accuracy": i / 30}, kernel_size=str(i)) for i in (20, 29)]
        found = compared(runs)
        assert found.conclusion.details.correct == (29, 20)
        assert (found.clips, found.classes, found.clips_in_common) == ((), (), 0)
        assert found.remarks[-1] == (
            "There are no predictions of run 2 and run 1: which clips they classify correctly is not known."
        )

    def test_clips_in_common_are_compared_where_the_two_were_judged_on_others_too(self, made: MakeRun) -> None:
        runs = [made(1, "1101"), made(2, "1111", first=2, tags={"tracker.split": "other"})]
        found = compared(runs)
        assert found.conclusion.verdict == "not_comparable"
        assert [clip.clip for clip in found.clips] == ["clip0002.wav"]
        assert found.remarks == (
            "Of 4 validation clips of run 1 and 4 of run 2, 2 clips are the same: only these are compared.",
        )

    def test_no_clip_in_common_is_said(self, made: MakeRun) -> None:
        found = compared([made(1, "11"), made(2, "11", prefix="other", tags={"tracker.split": "t"})])
        assert found.remarks == ("The two have no validation clip in common: no clip is compared.",)

    def test_clips_of_other_data_are_not_taken_for_the_same(self, made: MakeRun) -> None:
        found = compared([made(1, "1111"), made(2, "1111", first=2, tags={"tracker.dataset": "e"})])
        assert found.clips_in_common == 0
        assert "different data" in found.remarks[0]


class TestARunThatIsLeftOut:
    @pytest.mark.parametrize(
        ("status", "reason"),
        [("FAILED", "failed"), ("KILLED", "was killed"), ("RUNNING", "is still running or was interrupted")],
    )
    def test_a_run_that_is_left_out_is_shown_with_what_it_logged_and_nothing_is_concluded(
        self, four: list[Run], made: MakeRun, status: str, reason: str
    ) -> None:
        runs = [*four, drawn(made, 5, 0.5, kernel_size="9", status=status)]
        found = compared(runs, 4, 1)
        assert found.conclusion is None
        assert [run.left_out for run in found.runs] == [reason, None]
        assert [run.called for run in found.runs] == ["run 00000000", "run 2"]
        assert found.remarks == (
            f"Run 00000000 {reason}: reports leave it out, and nothing is concluded from it; what it logged is shown.",
        )
        assert found.options == (Differing("kernel_size", ("9", "5")),)
        assert found.clips
        assert found.runs[0].entry.result.accuracy.n == 40

    def test_that_says_why_ends_its_sentence_before_the_next(self, four: list[Run], made: MakeRun) -> None:
        failed = replace(drawn(made, 5, 0.5, kernel_size="9", status="FAILED"), tags={"tracker.reason": "no; try less"})
        assert compared([*four, failed], 4, 1).remarks[0] == (
            "Run 00000000 failed: no; try less. Reports leave it out, and nothing is concluded from it; what it logged "
            "is shown."
        )

    def test_a_run_that_is_left_out_changes_no_conclusion_on_others(self, four: list[Run], made: MakeRun) -> None:
        runs = [*four, drawn(made, 5, 0.5, kernel_size="9", status="FAILED")]
        assert compared(runs, 0, 1).conclusion == compared(four, 0, 1).conclusion

    def test_a_run_that_is_left_out_may_be_one_that_repeats_another(self, four: list[Run]) -> None:
        twin = replace(four[0], run_id="f" * 32, started=99)
        found = compared([*four, twin], 4, 0)
        assert found.conclusion is None
        assert found.remarks[0].startswith(f"Run ffffffff repeats run {four[0].run_id} under the same seed: ")
        assert found.clips == ()

    def test_a_run_that_is_left_out_may_be_both(self, made: MakeRun) -> None:
        found = compared([made(1, "10", status="FAILED"), made(2, status="KILLED", kernel_size="3")])
        assert [run.left_out for run in found.runs] == ["failed", "was killed"]
        assert len(found.remarks) == 3


class TestWrongUse:
    def test_two_that_are_one_are_refused(self, four: list[Run]) -> None:
        with pytest.raises(ValueError, match=r"two different runs must be given, got 0+1 twice"):
            compared(four, 0, 0)

    def test_a_run_of_another_experiment_is_refused(self, four: list[Run]) -> None:
        with pytest.raises(ValueError, match="must be among the experiment's, got other"):
            build_comparison("tracker", four, (four[0].run_id, "other"))

    def test_a_level_out_of_range_is_refused(self, four: list[Run]) -> None:
        with pytest.raises(ValueError, match=r"alpha must be 0\.000001 to 0\.5"):
            compared(four, alpha=1.0)


class TestSharedClips:
    def test_shared_clips_of_one_set_are_all_clips(self, made: MakeRun) -> None:
        found = shared_clips(made(1, "110"), made(2, "011"))
        assert [(clip.clip, clip.label, clip.correct) for clip in found] == [
            ("clip0000.wav", "blues", (True, False)),
            ("clip0001.wav", "jazz", (True, True)),
            ("clip0002.wav", "blues", (False, True)),
        ]

    def test_shared_clips_carry_what_each_model_predicts(self, made: MakeRun) -> None:
        (first, *_) = shared_clips(made(1, "1"), made(2, "0", probability=0.8))
        assert first.predicted == ("blues", "jazz")
        assert first.probabilities == pytest.approx((0.9, 0.2))
        assert first.gap == pytest.approx(0.7)

    def test_shared_clips_of_overlapping_sets_are_those_in_common(self, made: MakeRun) -> None:
        found = shared_clips(made(1, "1111"), made(2, "1111", first=2))
        assert [clip.clip for clip in found] == ["clip0002.wav", "clip0003.wav"]

    def test_shared_clips_leave_out_clips_with_different_labels(self, made: MakeRun) -> None:
        assert shared_clips(made(1, "1111"), made(2, "1111", first=1)) == ()

    def test_shared_clips_are_none_without_predictions(self, made: MakeRun) -> None:
        assert shared_clips(made(1, "11"), made(2)) == ()

    def test_shared_clips_are_none_on_other_data(self, made: MakeRun) -> None:
        one, other = made(1, "1111"), made(2, "1111", first=2, tags={"tracker.dataset": "other"})
        assert on_other_data(one, other)
        assert shared_clips(one, other) == ()

    def test_shared_clips_of_one_set_are_the_same_whatever_the_tags_say(self, made: MakeRun) -> None:
        one, other = made(1, "1111"), made(2, "1111", tags={"tracker.dataset": "other"})
        assert not on_other_data(one, other)
        assert len(shared_clips(one, other)) == 4

    def test_shared_clips_do_not_depend_on_the_order_of_logging(self, made: MakeRun) -> None:
        run = made(1, "101")
        was = run.validation
        turned = Predictions(was.clips[::-1], was.labels[::-1], was.classes[::-1], was.probabilities[::-1, ::-1])
        assert shared_clips(run, made(2, "011")) == shared_clips(replace(run, validation=turned), made(2, "011"))

    def test_a_model_with_nan_probabilities_predicts_nothing_and_is_wrong(self, made: MakeRun) -> None:
        run = made(1, "1")
        lost = replace(run.validation, probabilities=np.array([[np.nan, 0.1]]))
        (clip,) = shared_clips(replace(run, validation=lost), made(2, "1"))
        assert (clip.predicted[0], clip.probabilities[0]) == (None, None)
        assert clip.correct == (False, True)

    def test_a_class_that_a_model_does_not_know_has_no_probability(self, made: MakeRun) -> None:
        run = made(1, "1")
        foreign = replace(run.validation, classes=("rock", "jazz"))
        (clip,) = shared_clips(replace(run, validation=foreign), made(2, "1"))
        assert (clip.predicted[0], clip.probabilities[0]) == ("rock", None)


class TestOnlyOneRight:
    def test_discordant_clips_has_those_of_the_first_run_first_and_of_each_the_clearest(self, made: MakeRun) -> None:
        found = discordant_clips(shared_clips(made(1, "110110"), made(2, "011001")))
        assert [(clip.clip, clip.correct[0]) for clip in found] == [
            ("clip0000.wav", True),
            ("clip0003.wav", True),
            ("clip0004.wav", True),
            ("clip0002.wav", False),
            ("clip0005.wav", False),
        ]
        assert found[0].gap > found[1].gap > found[2].gap

    def test_discordant_clips_is_empty_where_both_have_the_same_right(self, made: MakeRun) -> None:
        assert discordant_clips(shared_clips(made(1, "1100"), made(2, "1100"))) == ()


class TestClassCounts:
    def test_count_each_class(self, made: MakeRun) -> None:
        assert class_counts(shared_clips(made(1, "11011"), made(2, "01001"))) == (
            ClassCount("blues", 3, (2, 1)),
            ClassCount("jazz", 2, (2, 1)),
        )
