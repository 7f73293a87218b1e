from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import make_run
from tracker.conclusions.best_configuration import BY_CLIP
from tracker.conclusions.contrasts import CROSSED
from tracker.errors import TrackerError
from tracker.next_steps.command_line import CommandWriter
from tracker.report.build import report_study
from tracker.report.gate import Outcome, Question, SeriesPlace, answer_gate, configuration_named
from tracker.statistics.error_rates import series_level
from tracker.study.looks import Looks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.report.gate import GateAnswer
    from tracker.runs import Run
    from tracker.study.study import Study

CLIPS = 80
USUAL = {"model": "cnn", "learning_rate": "0.001", "epochs": "60", "split_seed": "0", "validation_fraction": "0.2"}
TAGS = {"tracker.data": "demo", "tracker.version": "1"}


def trainings(accuracy: float, kernel: int, seeds: Sequence[int], first: int, noise: float = 0.05) -> list[Run]:
    """Runs of one kernel size that have about so many of the same clips correct."""
    runs = []
    for place, seed in enumerate(seeds):
        rng = np.random.default_rng([kernel, seed])
        hard = np.random.default_rng(0).permutation(CLIPS) / CLIPS
        correct = hard + rng.normal(0, noise, CLIPS) < accuracy
        params = USUAL | {"kernel_size": str(kernel)}
        signs = "".join("01"[int(one)] for one in correct)
        runs.append(make_run(first + place, signs, params, seed=str(seed), tags=TAGS))
    return runs


def study_of(runs: Sequence[Run]) -> Study:
    return report_study(runs)[0]


def asked(runs: Sequence[Run], baseline: str, candidate: str, **question: object) -> GateAnswer:
    study, left_out = report_study(runs)
    named = [configuration_named(study, runs, left_out, text) for text in (baseline, candidate)]
    return answer_gate(study, *named, Question(**question), CommandWriter("tracker"), runs)


def folds(losses: Sequence[float], seed: str = "0", first: int = 10) -> list[Run]:
    """Runs of two configurations on folds of which nothing but the loss is known; the second is as much better."""
    return [
        make_run(
            first * k + fold,
            params={"k": str(k), "fold": str(fold)},
            seed=seed,
            tags={"tracker.dataset": ""},
            metrics={"val_loss": 1 + loss * (1 if seed == "0" else k) - k / 4},
        )
        for k in (1, 2)
        for fold, loss in enumerate(losses)
    ]


SEEDS = (0, 1, 2, 3)
RUNS = [
    *trainings(0.6, 3, SEEDS, 1),
    *trainings(0.85, 7, SEEDS, 11),
    *trainings(0.6, 5, SEEDS, 21),
    *trainings(0.7, 9, (0,), 31),
]


class TestAnswerGate:
    @pytest.mark.parametrize(
        ("baseline", "candidate", "require", "expected"),
        [
            ("kernel=3", "kernel=7", "better", Outcome.HOLDS),
            ("kernel=3", "kernel=7", "not-worse", Outcome.HOLDS),
            ("kernel=7", "kernel=3", "not-worse", Outcome.FAILS),
            ("kernel=7", "kernel=3", "better", Outcome.FAILS),
            ("kernel=3", "kernel=5", "better", Outcome.OPEN),
            ("kernel=3", "kernel=9", "not-worse", Outcome.OPEN),
        ],
    )
    def test_an_answer_goes_by_what_the_runs_can_tell(
        self, baseline: str, candidate: str, require: str, expected: Outcome
    ) -> None:
        answer = asked(RUNS, baseline, candidate, require=require)
        assert answer.answer is expected
        assert answer.exit_status == {Outcome.HOLDS: 0, Outcome.FAILS: 1, Outcome.OPEN: 3}[expected]
        assert answer.sentence.startswith(f"{expected.value}: ")
        assert "\n" not in answer.sentence

    def test_an_answer_never_disagrees_with_its_interval(self) -> None:
        for kernel in (5, 7):
            for margin in (0.01, 0.05, 0.2, 0.4):
                answer = asked(RUNS, "kernel=3", f"kernel={kernel}", margin=margin)
                low, high = answer.interval
                assert (answer.answer is Outcome.HOLDS) == (low > -margin)
                assert (answer.answer is Outcome.FAILS) == (high < -margin)
                assert low < answer.estimate < high

    def test_training_noise_is_pooled_if_there_are_further_configurations(self) -> None:
        alone, among = (asked(runs, "kernel=3", "kernel=7") for runs in (RUNS[:8], RUNS))
        assert (alone.method, among.method) == (CROSSED, BY_CLIP)
        assert among.estimate == pytest.approx(alone.estimate)
        late = SeriesPlace("a", 100, (4.0,))
        alone, among = (asked(runs, "kernel=3", "kernel=7", series=late) for runs in (RUNS[:8], RUNS))
        assert np.ptp(among.interval) < np.ptp(alone.interval)

    def test_of_a_loss_less_is_better(self) -> None:
        runs = [
            make_run(10 * kernel + seed, None, USUAL | {"kernel_size": str(kernel)}, seed=str(seed), val_loss=[loss])
            for kernel, losses in ((3, (0.50, 0.53, 0.49)), (7, (0.30, 0.31, 0.29)))
            for seed, loss in enumerate(losses)
        ]
        study, left_out = report_study(runs, metric="val_loss")
        three, seven = (configuration_named(study, runs, left_out, f"kernel={kernel}") for kernel in (3, 7))
        writer, question = CommandWriter("tracker"), Question("better", 0.01)
        assert answer_gate(study, three, seven, question, writer).answer is Outcome.HOLDS
        worse = answer_gate(study, seven, three, question, writer)
        assert worse.answer is Outcome.FAILS
        assert "is 0.207 in validation loss worse than" in worse.sentence
        assert worse.scope == "these_clips"

    def test_what_would_tell_completes_the_seeds_of_both(self) -> None:
        answer = asked(RUNS, "kernel=3", "kernel=9", require="better")
        assert answer.chance >= 0.8
        assert [command[:4] for command in answer.commands[-1:]] == [("tracker", "run", "--kernel", "9")]
        assert "the candidate has 1 run and the baseline 4 runs, and a test takes at least three" in answer.sentence
        assert answer.sentence.endswith(" ".join(answer.commands[-1]))

    @pytest.mark.parametrize("most_seeds", [4, 6])
    def test_no_more_seeds_are_suggested_than_may_be_trained(self, most_seeds: int) -> None:
        answer = asked(RUNS, "kernel=3", "kernel=9", most_seeds=most_seeds, margin=0.3)
        seeds = [int(command[command.index("--seeds") + 1]) for command in answer.commands]
        assert sum(seeds) <= 2 * most_seeds - 5
        with_all = asked(RUNS, "kernel=3", "kernel=5", most_seeds=4, require="better")
        assert (with_all.answer, with_all.commands) == (Outcome.OPEN, ())
        assert with_all.sentence.endswith("; it takes more than 4 seeds of each")

    def test_nothing_is_suggested_that_would_hardly_tell(self) -> None:
        answer = asked(RUNS, "kernel=3", "kernel=5", require="better", margin=0.001)
        assert answer.answer is Outcome.OPEN
        assert answer.commands == ()
        assert answer.chance < 0.5
        assert "even 20 seeds of each would tell only" in answer.sentence

    def test_runs_on_other_clips_are_not_compared(self) -> None:
        elsewhere = [
            make_run(50 + seed, "1" * 40, USUAL | {"kernel_size": "11"}, seed=str(seed), prefix="other")
            for seed in range(3)
        ]
        answer = asked([*RUNS, *elsewhere], "kernel=3", "kernel=11")
        assert (answer.answer, answer.interval) == (Outcome.OPEN, None)
        assert "no run of the candidate was judged on the same validation clips" in answer.sentence

    def test_folds_that_all_differ_by_the_same_are_no_test(self) -> None:
        answer = asked(folds([0.0, 0.1, 0.2]), "k=1", "k=2")
        assert (answer.answer, answer.pairs) == (Outcome.OPEN, 3)
        assert "better than" in answer.sentence
        assert "in each of 3 matched pairs, so how that varies is unknown" in answer.sentence

    def test_two_folds_are_too_few_whatever_the_seeds(self) -> None:
        runs = [*folds([0.0, 0.1], "0"), *folds([0.3, 0.5], "1", first=50)]
        assert "the two have 2 folds in common, and a test takes at least three" in asked(runs, "k=1", "k=2").sentence

    @pytest.mark.parametrize(
        ("losses", "sentence"),
        [
            ((0.2, 0.25, 0.5, math.nan), "over 3 matched pairs); but 1 of 4 runs of the candidate"),
            ((0.2, math.nan, math.nan, 0.4), "the candidate has 2 runs and the baseline 4 runs, and a test takes"),
            ((math.nan,) * 4, "cannot tell yet: nothing can be compared; 4 of 4 runs of the candidate ended without"),
        ],
    )
    def test_runs_without_a_number_are_counted_apart(self, losses: Sequence[float], sentence: str) -> None:
        runs = [
            make_run(10 * k + seed, params={"k": str(k)}, seed=str(seed), metrics={"val_loss": loss})
            for k, of_k in ((1, (0.6, 0.7, 0.8, 0.9)), (2, losses))
            for seed, loss in enumerate(of_k)
        ]
        answer = asked(runs, "k=1", "k=2")
        assert sentence in answer.sentence
        without = sum(map(math.isnan, losses))
        counts = (
            f"{without} of 4 runs of the candidate ended without a number for validation loss, none of 4 of the base"
        )
        assert counts in answer.sentence
        assert (answer.candidate_failed, answer.baseline_failed) == (without, 0)
        assert answer.answer is Outcome.OPEN

    @pytest.mark.parametrize(
        ("of_baseline", "of_candidate", "expected", "why"),
        [
            (
                [],
                [9],
                Outcome.OPEN,
                "1 of 5 runs of the candidate ended without a number for validation accuracy, none of ",
            ),
            ([9], [9], Outcome.HOLDS, "; 1 of 5 runs of the candidate ended"),
            ([9, 10], [9], Outcome.HOLDS, "2 of 6 of the baseline"),
            ([], [0, 9, 9], Outcome.OPEN, "1 of 5 runs of the candidate"),
            (
                [],
                range(9, 19),
                Outcome.FAILS,
                "none of 4 of the baseline, which is significantly more often (p = 0.023)",
            ),
            ([], [0, 1], Outcome.HOLDS, "points better than the 3×3 kernel"),
        ],
    )
    def test_a_candidate_whose_runs_fail_more_often_does_not_hold(
        self, of_baseline: Sequence[int], of_candidate: Sequence[int], expected: Outcome, why: str
    ) -> None:
        kernels = [*((3, seed) for seed in of_baseline), *((7, seed) for seed in of_candidate)]
        failed = [
            make_run(
                100 + place, None, USUAL | {"kernel_size": str(kernel)}, seed=str(seed), tags=TAGS, status="FAILED"
            )
            for place, (kernel, seed) in enumerate(kernels)
        ]
        answer = asked([*RUNS, *failed], "kernel=3", "kernel=7", require="better")
        assert answer.answer is expected
        assert why in answer.sentence
        assert answer.sentence.endswith("find out why before it passes") == (expected is Outcome.OPEN)
        assert not answer.commands

    @pytest.mark.parametrize("margin", [-0.1, float("nan"), float("inf")])
    def test_a_margin_is_a_finite_size(self, margin: float) -> None:
        with pytest.raises(ValueError, match="the margin must be at least 0"):
            asked(RUNS, "kernel=3", "kernel=7", margin=margin)

    def test_a_configuration_is_not_compared_with_itself(self) -> None:
        with pytest.raises(ValueError, match="the candidate is the baseline"):
            asked(RUNS, "kernel=3", "run-2")


class TestConfigurationNamed:
    @pytest.mark.parametrize(
        "text",
        ["run-12", "kernel=7", "kernel_size=7", "kernel-size=7", "lr=1e-3,kernel=7", "kernel=7, model=cnn"],
    )
    def test_a_configuration_is_named_by_a_run_or_by_what_its_runs_have(self, text: str) -> None:
        study = study_of(RUNS)
        named = configuration_named(study, RUNS, (), text)
        assert [study.results[run].run.name for run in named] == ["run-11", "run-12", "run-13", "run-14"]

    def test_a_tag_of_one_run_names_its_configuration_with_all_trainings(self) -> None:
        tagged = make_run(60, "1" * CLIPS, USUAL | {"kernel_size": "7"}, seed="9", tags=TAGS | {"baseline": "yes"})
        runs = [*RUNS, tagged]
        assert len(configuration_named(study_of(runs), runs, (), "baseline=yes")) == 5

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("lr=1e-3", "4 configurations have lr=1e-3: give kernel size too"),
            ("kernel=4", "no run that counts has kernel=4"),
            ("kernel=x", "no run that counts has kernel=x"),
            ("kernal=3", "no run that counts has kernal=3; no run has kernal: did you mean kernel?"),
            ("kernel=3,kernel=7", "kernel is given twice in 'kernel=3,kernel=7': a run has one value of it"),
            ("=4", "a configuration must be NAME=VALUE,…, got '=4'"),
        ],
    )
    def test_what_names_no_configuration_is_refused(self, text: str, error: str) -> None:
        with pytest.raises(ValueError, match=error):
            configuration_named(study_of(RUNS), RUNS, (), text)

    def test_a_value_with_a_comma_is_one(self) -> None:
        plateau = {"plateau_factor": "0.3", "plateau_patience": "10"}
        runs = [*RUNS, make_run(70, "1" * CLIPS, USUAL | plateau, tags=TAGS)]
        assert len(configuration_named(study_of(runs), runs, (), "plateau=0.3,10,lr=0.001")) == 1

    def test_a_run_that_does_not_count_is_refused_with_the_reason(self) -> None:
        runs = [*RUNS, make_run(80, "1" * CLIPS, USUAL, status="FAILED")]
        study, left_out = report_study(runs)
        with pytest.raises(ValueError, match=r"run run-80 does not count: .*failed"):
            configuration_named(study, runs, left_out, "run-80")

    @pytest.mark.parametrize(
        ("number", "why"), [(1, "run run-80 does, but failed"), (3, "3 do, but don't count: run ")]
    )
    def test_a_configuration_whose_runs_all_failed_is_refused_with_the_reason(self, number: int, why: str) -> None:
        params = USUAL | {"kernel_size": "9", "learning_rate": "1.0"}
        failed = [make_run(80 + n, None, params, seed=str(n), status="FAILED") for n in range(number)]
        runs = [*RUNS, *failed]
        study, left_out = report_study(runs)
        with pytest.raises(ValueError, match=f"no run that counts has lr=1; {why}"):
            configuration_named(study, runs, left_out, "lr=1")

    def test_an_unknown_run_is_an_error(self) -> None:
        with pytest.raises(TrackerError, match="no run has the id or name 'nope'"):
            configuration_named(study_of(RUNS), RUNS, (), "nope")


class TestQuestion:
    def test_the_levels_of_all_candidates_sum_to_alpha(self) -> None:
        doubts = [Question("better", series=SeriesPlace("a", n, ())).doubt for n in range(1, 100_000)]
        assert 0.049 < sum(doubts) < 0.05
        assert doubts == sorted(doubts, reverse=True)

    @pytest.mark.parametrize("require", ["better", "not-worse"])
    def test_the_level_of_a_look_is_of_its_side(self, require: str) -> None:
        once = Looks((3.0,), is_recorded=False)
        assert Question(require).level_at(once) == pytest.approx(0.05)
        growing = Looks((3.0, 6.0))
        assert Question(require).level_at(growing) == pytest.approx(0.0145, abs=0.0005)
        in_series = Question(require, series=SeriesPlace("a", 2, (3.0,)))
        assert in_series.level_at(growing) == pytest.approx(0.8 * series_level(2) / 3, rel=1e-6)
