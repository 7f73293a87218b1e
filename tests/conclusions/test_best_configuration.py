from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import make_run, make_study, sentence_of
from tracker.conclusions.best_configuration import best_configuration, standings
from tracker.runs.facts import TrainingPlan
from tracker.statistics.matched_pairs import nested, pooled_noise

if TYPE_CHECKING:
    from tracker.runs import Run

STRONG = ["1111111111", "1111111110", "1111111101", "1111111111"]
WEAK = ["1110000000", "1101000000", "1010000001", "0111000000"]


def trained(by_kernel: dict[str, list[str]], first_seed: int = 0, first_number: int = 1) -> list[Run]:
    """A run for each kernel and seed, from what it has correct."""
    runs: list[Run] = []
    for kernel, of_seeds in by_kernel.items():
        for seed, correct in enumerate(of_seeds, start=first_seed):
            runs.append(make_run(first_number + len(runs), correct, {"kernel_size": kernel, "seed": str(seed)}))
    return runs


def signs(of_seeds: list[str]) -> np.ndarray:
    return np.array([[float(sign) for sign in correct] for correct in of_seeds])


class TestStandings:
    def test_the_best_mean_comes_first_whatever_the_best_single_run(self) -> None:
        study = make_study(*trained({"3": ["1111111111", "0000000000"], "7": ["1111111000", "1111110000"]}))
        assert [standing.mean for standing in standings(study)] == pytest.approx([0.65, 0.5])

    def test_counts_mean_and_deviation_are_over_all_runs(self) -> None:
        first = standings(make_study(*trained({"3": ["1111", "1100"], "7": ["0000", "0000"]})))[0]
        assert (first.correct, first.n, first.mean) == (6, 8, 0.75)
        assert first.deviation == pytest.approx(0.353553, abs=1e-6)

    def test_two_configurations_are_tested_as_nested_with_their_noise_pooled(self) -> None:
        _, weak = standings(make_study(*trained({"3": WEAK, "7": STRONG})))
        noise = pooled_noise([signs(WEAK), signs(STRONG)])
        assert weak.p_value == pytest.approx(nested(signs(STRONG), signs(WEAK), noise).p_value)

    def test_more_configurations_tell_more_of_the_training_noise(self) -> None:
        two = standings(make_study(*trained({"3": WEAK, "7": STRONG})))[1]
        many = standings(make_study(*trained({"3": WEAK, "5": WEAK[::-1], "9": WEAK, "7": STRONG})))
        assert max(other.p_value for other in many[1:]) < two.p_value  # type: ignore[operator, type-var]

    def test_a_configuration_trained_twice_is_tied_however_far_behind(self) -> None:
        _, weak = standings(make_study(*trained({"3": WEAK[:2], "7": STRONG})))
        assert (weak.p_value, weak.tied) == (None, True)

    def test_p_values_are_corrected_for_every_pair_of_configurations(self) -> None:
        table = standings(make_study(*trained({"3": WEAK, "5": WEAK[::-1], "7": STRONG})))
        assert all(other.p_adjusted >= 2 * other.p_value for other in table[1:])  # type: ignore[operator]

    def test_runs_on_other_clips_come_last_and_are_not_ranked(self) -> None:
        elsewhere = make_run(9, "111", {"kernel_size": "9", "seed": "0"})
        table = standings(make_study(*trained({"3": WEAK, "7": STRONG}), elsewhere))
        assert (table[-1].runs, table[-1].tied) == ((elsewhere.run_id,), None)

    def test_seeds_that_were_added_hold_the_best_to_the_level_of_that_look(self) -> None:
        weak, strong = WEAK + WEAK[:2], STRONG + STRONG[:2]

        def planned(by_plan: str) -> list[Run]:
            return [
                replace(run, tags={**run.tags, **TrainingPlan(by_plan[int(run.params["seed"])], 1).tags()})
                for run in trained({"3": weak, "7": strong})
            ]

        _, once = standings(make_study(*planned("aaaaaa")))
        _, twice = standings(make_study(*planned("aaabbb")))
        assert once.p_value == twice.p_value < once.p_of_looks < twice.p_of_looks

    def test_a_final_plan_decides_which_is_best_whatever_is_trained_later(self) -> None:
        runs = trained({"3": WEAK, "7": STRONG})
        final = [replace(run, tags={**run.tags, **TrainingPlan("a", 4, is_final=True).tags()}) for run in runs]
        later = trained({"3": ["1111111111"], "7": ["1110000000"]}, first_seed=4, first_number=9)
        (alone,), (found,) = best_configuration(make_study(*final)), best_configuration(make_study(*final, *later))
        assert (found.verdict, found.p_value) == (alone.verdict, alone.p_value)

    def test_single_runs_have_the_p_values_of_the_pairs_of_runs(self) -> None:
        table = standings(make_study(*trained({"3": ["1110000000"], "7": ["1111111111"]})))
        assert table[1].p_value is not None
        assert table[1].interval is not None


class TestVerdict:
    def test_is_supported_if_the_best_beats_every_other(self) -> None:
        (found,) = best_configuration(make_study(*trained({"3": WEAK, "7": STRONG})))
        assert found.verdict == "supported"
        assert found.estimate == pytest.approx(0.65)

    def test_is_inconclusive_if_one_cannot_be_tested(self) -> None:
        (found,) = best_configuration(make_study(*trained({"3": WEAK, "5": ["1110000000"], "7": STRONG})))
        assert (found.verdict, found.p_value) == ("inconclusive", None)

    def test_single_runs_are_left_to_best_run(self) -> None:
        assert best_configuration(make_study(*trained({"3": WEAK[:1], "7": STRONG[:1]}))) == ()

    def test_claims_a_best_in_at_most_five_percent_where_nothing_differs(self) -> None:
        rng, claimed, experiments = np.random.default_rng(0), 0, 200
        for _ in range(experiments):
            hard = 0.5 + rng.normal(size=60)  # how easy each clip is for every model
            margins = hard + rng.normal(0, 0.3, (3, 4, 1)) + rng.normal(0, 0.6, (3, 4, 60))
            of_kernel = [["".join("01"[int(sign)] for sign in run) for run in of_seeds > 0] for of_seeds in margins]
            study = make_study(*trained(dict(zip("357", of_kernel, strict=True))))
            claimed += best_configuration(study)[0].verdict == "supported"
        assert claimed / experiments <= 0.05


class TestSentence:
    def test_names_the_runs_the_mean_and_the_lead(self) -> None:
        sentence = sentence_of(make_study(*trained({"3": WEAK, "7": STRONG})), "best_configuration")
        assert sentence.startswith("The configuration of runs 5, 6, 7 and 8 is best: ")
        assert sentence.endswith("65 points ahead of the next, which is more than chance explains.")
