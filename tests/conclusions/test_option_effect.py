from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import concluded, sentence_of, sentences_of
from tracker.conclusions.comparisons import FOLDS, SPLITS
from tracker.conclusions.contrasts import ContrastEffect
from tracker.conclusions.option_effect import KIND, leading, option_effects, verdict_words
from tracker.runs.facts import TrainingPlan
from tracker.statistics.error_rates import holm
from tracker.statistics.looks import adjusted_for_looks, level_at_look
from tracker.statistics.matched_pairs import by_group, crossed, nested
from tracker.statistics.repetitions import nadeau_bengio
from tracker.wording import wording_of

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeRuns, MakeStudy
    from tracker.conclusions.conclusion import Conclusion
    from tracker.runs import Run
    from tracker.study.study import Study

LOW, HIGH = "110100", "111110"


def table(*rights: str) -> np.ndarray:
    return np.array([[float(sign) for sign in right] for right in rights])


def by_level(made: MakeRun, rights: dict[str, list[str]], first: int = 0) -> list[Run]:
    """Runs of option k: a level's first run has seed `first`, the next one more."""
    number = iter(range(1, 1000))
    return [
        made(next(number), right, {"k": level}, seed=str(first + seed))
        for level, found in rights.items()
        for seed, right in enumerate(found)
    ]


def only(found: tuple[Conclusion, ...]) -> Conclusion:
    (one,) = found
    return one


class TestOptionEffects:
    def test_option_effects_are_one_for_each_option_that_varied(self, writeup: list[Run], studied: MakeStudy) -> None:
        found = option_effects(studied(*writeup))
        assert [c.option for c in found] == ["kernel_size", "learning_rate", "plateau", "early_stopping_patience"]

    def test_option_effects_of_the_writeup_are_confounded_and_say_with_what(
        self, writeup: list[Run], studied: MakeStudy
    ) -> None:
        kernel = option_effects(studied(*writeup))[0]
        assert kernel.verdict == "confounded"
        assert kernel.details.aliases == ("learning_rate", "plateau", "early_stopping_patience")
        assert (kernel.estimate, kernel.interval, kernel.p_value, kernel.details.contrasts) == (None, None, None, ())

    @pytest.mark.parametrize("pairs", [1, 2])
    def test_option_effects_from_one_or_two_pairs_claim_nothing_however_large(
        self, made: MakeRun, studied: MakeStudy, pairs: int
    ) -> None:
        runs = by_level(made, {"3": ["0" * 60] * pairs, "7": ["1" * 60] * pairs})
        found = only(option_effects(studied(*runs)))
        assert (found.verdict, found.estimate, found.p_value, found.interval) == ("inconclusive", 1.0, None, None)
        assert found.details.contrasts[0].pairs == pairs

    def test_option_effects_from_three_pairs_on_are_the_crossed_analysis(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        low, high = [LOW, "110000", "010100"], [HIGH, "111100", "110111"]
        found = only(option_effects(studied(*by_level(made, {"3": low, "7": high}))))
        expected = crossed(table(*high) - table(*low))
        assert (found.estimate, found.interval, found.p_value) == (
            pytest.approx(expected.estimate), pytest.approx(expected.interval), pytest.approx(expected.p_value),
        )  # fmt: skip

    def test_option_effects_of_one_contrast_are_not_corrected(self, made: MakeRun, studied: MakeStudy) -> None:
        low, high = [LOW, "110000", "010100"], [HIGH, "111100", "110111"]
        found = only(option_effects(studied(*by_level(made, {"3": low, "7": high}))))
        assert found.p_adjusted == found.p_value

    def test_option_effects_of_several_contrasts_are_corrected_from_p_values_that_hold_at_every_level(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        rights = {"3": [LOW, "110000", "010100"], "5": [LOW, "111000", "110100"], "7": [HIGH, "111100", "110111"]}
        found = only(option_effects(studied(*by_level(made, rights))))
        pairs = [("3", "5"), ("3", "7"), ("5", "7")]
        expected = [crossed(table(*rights[end]) - table(*rights[start])) for start, end in pairs]
        assert [c.p_value for c in found.details.contrasts] == pytest.approx([e.p_value for e in expected])
        assert [c.p_adjusted for c in found.details.contrasts] == pytest.approx(
            holm(np.array([e.strict_p_value for e in expected]))
        )

    def test_option_effects_are_supported_where_they_are_clear(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        draw = lambda p: "".join(rng.choice(["0", "1"], 100, p=[1 - p, p]))  # noqa: E731
        runs = by_level(made, {"3": [draw(0.5) for _ in range(5)], "7": [draw(0.9) for _ in range(5)]})
        found = only(option_effects(studied(*runs)))
        assert (found.verdict, found.details.contrasts[0].from_, found.details.contrasts[0].to) == (
            "supported",
            "3",
            "7",
        )

    def test_option_effects_go_from_off_to_on(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, HIGH if on else LOW, {"dropout": "0.4"} if on else {}, seed=str(i // 2))
                for i, on in enumerate([True, False] * 3)]  # fmt: skip
        (contrast,) = only(option_effects(studied(*runs))).details.contrasts
        assert (contrast.from_, contrast.to) == ("off", "0.4")
        assert contrast.estimate == pytest.approx(2 / 6)

    def test_turn_their_sign_with_their_levels(self, made: MakeRun, studied: MakeStudy) -> None:
        low, high = [LOW, "110000", "010100"], [HIGH, "111100", "110111"]
        one = only(option_effects(studied(*by_level(made, {"3": low, "7": high}))))
        other = only(option_effects(studied(*by_level(made, {"3": high, "7": low}))))
        assert one.estimate == pytest.approx(-other.estimate)
        assert one.p_value == pytest.approx(other.p_value)

    def test_option_effects_without_shared_seeds_are_the_nested_form(self, made: MakeRun, studied: MakeStudy) -> None:
        low, high = ["010010", "110000", "011011"], ["111011", "110011", "111010", "111111"]
        runs = [made(i, right, {"k": "3"}, seed=str(i)) for i, right in enumerate(low)]
        runs += [made(10 + i, right, {"k": "7"}, seed=str(10 + i)) for i, right in enumerate(high)]
        found = only(option_effects(studied(*runs)))
        assert found.p_value == pytest.approx(nested(table(*high), table(*low)).p_value)
        assert found.p_value == pytest.approx(0.065625, abs=1e-6)
        assert (found.details.contrasts[0].pairs, found.details.contrasts[0].repetitions) == (0, (3, 4))

    def test_option_effects_with_two_shared_seeds_take_all_repetitions(self, made: MakeRun, studied: MakeStudy) -> None:
        low, high = [LOW, "110000", "010100"], [HIGH, "111100", "110111"]
        runs = [made(i, right, {"k": "3"}, seed=str(i)) for i, right in enumerate(low)]
        runs += [made(10 + i, right, {"k": "7"}, seed=str(1 + i)) for i, right in enumerate(high)]
        found = only(option_effects(studied(*runs)))
        assert found.p_value == pytest.approx(nested(table(*high), table(*low)).p_value)

    def test_on_grouped_clips_take_groups_for_columns(self, made: MakeRun, studied: MakeStudy) -> None:
        low, high, groups = [LOW, "110000", "010100"], [HIGH, "111100", "110111"], list("xxyyzz")
        runs = [made(i, right, {"k": "3"}, seed=str(i), groups=groups) for i, right in enumerate(low)]
        runs += [made(10 + i, right, {"k": "7"}, seed=str(i)) for i, right in enumerate(high)]
        found = only(option_effects(studied(*runs)))
        assert found.p_value == pytest.approx(crossed(by_group(table(*high) - table(*low), groups)).p_value)

    def test_option_effects_are_exact_where_the_option_changed_nothing(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, LOW, {"k": str(i % 2)}, seed=str(i // 2), val_loss=[0.9, 0.8 + i // 2]) for i in range(6)]
        found = only(option_effects(studied(*runs)))
        assert (found.verdict, found.estimate, found.p_value) == ("exact", 0.0, None)

    def test_option_effects_of_other_predictions_from_equal_curves_are_tested(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = [made(i, [LOW, HIGH][i % 2], {"k": str(i % 2)}, seed=str(i // 2), val_loss=[0.9, 0.8]) for i in range(6)]
        found = only(option_effects(studied(*runs)))
        assert (found.verdict, found.p_value is None) == ("inconclusive", False)

    def test_option_effects_of_equal_predictions_from_other_curves_are_tested(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = [made(i, LOW, {"k": str(i % 2)}, seed=str(i // 2), val_loss=[0.9, 0.8 + i]) for i in range(6)]
        found = only(option_effects(studied(*runs)))
        assert (found.verdict, found.p_value) == ("inconclusive", 1.0)

    def test_option_effects_are_corrected_over_all_contrasts_of_all_options(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        rng = np.random.default_rng(3)
        levels = [(k, w) for k in "357" for w in "12"]
        runs = [
            made(10 * seed + i, "".join(rng.choice(["0", "1"], 50)), {"k": k, "w": w}, seed=str(seed))
            for seed in range(3)
            for i, (k, w) in enumerate(levels)
        ]
        contrasts = [c for found in option_effects(studied(*runs)) for c in found.details.contrasts]
        smallest = min(contrasts, key=lambda c: c.p_value)
        assert len(contrasts) == 4
        assert smallest.p_adjusted == pytest.approx(min(1, 4 * smallest.p_value))

    def test_repeat_the_contrast_with_the_smallest_p(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(4)
        rights = {k: ["".join(rng.choice(["0", "1"], 50, p=[1 - p, p])) for _ in range(4)]
                  for k, p in (("3", 0.5), ("5", 0.55), ("7", 0.9))}  # fmt: skip
        found = only(option_effects(studied(*by_level(made, rights))))
        smallest = min(found.details.contrasts, key=lambda c: c.p_value)
        assert (found.estimate, found.p_value, found.p_adjusted) == (
            smallest.estimate, smallest.p_value, smallest.p_adjusted,
        )  # fmt: skip

    def test_the_numbers_of_an_inconclusive_option_are_not_those_of_an_equivalent_contrast(self) -> None:
        tested = (0.01, (-0.01, 0.03), (0.0, 0.02), 0.2, 0.4, "equivalent", (9, 9))
        equivalent = ContrastEffect("3", "5", 9, *tested, None, 30, 0, True, None, None)
        clear = replace(equivalent, to="7", interval=(-0.1, 0.3), p_value=0.5, verdict="inconclusive")
        assert leading([equivalent, clear]) == clear
        assert leading([replace(clear, verdict="supported", p_value=0.04), equivalent, clear]).p_value == 0.04

    def test_a_contrast_that_was_not_tested_is_not_called_inconclusive(self) -> None:
        untested = (0.01, None, None, None, None, "inconclusive", (1, 1))
        effect = ContrastEffect("3", "5", 1, *untested, None, 30, 0, None, None, None)
        assert verdict_words(effect) == "too few runs"
        assert verdict_words(replace(effect, pairs=3)) == "not tested"
        assert verdict_words(replace(effect, pairs=3, p_value=0.2)) == "inconclusive"

    def test_option_effects_over_folds_are_decided_by_the_folds(self, on_folds: MakeRuns, studied: MakeStudy) -> None:
        runs = on_folds({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]})
        found = only(option_effects(studied(*runs)))
        expected = nadeau_bengio(np.array([0.25, 0.25, 0.0]), 8, 4)
        assert (found.estimate, found.p_value) == (pytest.approx(1 / 6), pytest.approx(expected.p_value))
        assert (found.method, found.details.contrasts[0].folds) == (FOLDS, 3)

    def test_option_effects_over_splits_are_decided_by_the_splits(
        self, on_splits: MakeRuns, studied: MakeStudy
    ) -> None:
        runs = on_splits({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]})
        found = only(option_effects(studied(*runs)))
        expected = nadeau_bengio(np.array([0.25, 0.25, 0.0]), 8, 4)
        assert (found.estimate, found.p_value) == (pytest.approx(1 / 6), pytest.approx(expected.p_value))
        assert (found.method, found.details.contrasts[0].folds) == (SPLITS, 3)

    def test_between_runs_on_other_clips_are_not_comparable(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, LOW, {"k": "3"}), made(2, HIGH, {"k": "7"}, prefix="other")
        found = only(option_effects(studied(*runs)))
        assert (found.verdict, found.details.contrasts, found.details.aliases) == ("not_comparable", (), ())

    def test_option_effects_say_how_likely_one_level_is_better(self, made: MakeRun, studied: MakeStudy) -> None:
        low, high = [LOW * 5, "110000" * 5, "010100" * 5], [HIGH * 5, "111100" * 5, "110111" * 5]
        found = only(option_effects(studied(*by_level(made, {"3": low, "7": high}))))
        assert found.details.contrasts[0].probability > 0.9

    def test_option_effects_are_unknown_between_runs_of_logged_and_of_unlogged_clips(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        silent = {"tracker.dataset": "", "tracker.split": ""}
        found = only(option_effects(studied(made(1, "10", {"k": "3"}), made(2, params={"k": "5"}, tags=silent))))
        assert (found.verdict, found.details.aliases) == ("unknown", ())

    def test_option_effects_are_confounded_on_unlogged_clips_too(self, made: MakeRun, studied: MakeStudy) -> None:
        silent = {"tracker.dataset": "", "tracker.split": ""}
        runs = [made(i, params={"k": str(i), "r": str(i)}, tags=silent) for i in range(2)]
        assert {one.verdict for one in option_effects(studied(*runs))} == {"confounded"}

    def test_option_effects_are_not_comparable_where_an_option_changed_alone_on_other_clips(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = [
            made(i, "1100", {"k": k, "r": r}, prefix=k, tags={"tracker.split": k})
            for i, (k, r) in enumerate([("3", "1"), ("5", "1"), ("5", "2")])
        ]
        verdicts = {one.option: one.verdict for one in option_effects(studied(*runs))}
        assert verdicts == {"k": "not_comparable", "r": "inconclusive"}

    def test_option_effects_on_the_loss_are_the_crossed_analysis_of_the_losses_of_the_clips(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        low, high = [LOW, "110000", "010100"], [HIGH, "111100", "110111"]
        study = studied(*by_level(made, {"3": low, "7": high}), metric="val_loss")
        found = only(option_effects(study))
        losses = {"1": -np.log(0.9), "0": -np.log(0.2)}  # what the label is given if it is predicted, and if it isn't
        by_clip = [np.array([[losses[sign] for sign in right] for right in rights]) for rights in (low, high)]
        expected = crossed(by_clip[1] - by_clip[0])
        assert (found.estimate, found.p_value) == (pytest.approx(expected.estimate), pytest.approx(expected.p_value))
        assert found.estimate < 0
        assert found.details.contrasts[0].within_margin is None
        assert found.details.contrasts[0].probability > 0.5  # better is lower


class TestLooks:
    """Every seed was trained at both levels by a command of its own, or by one command that trains several."""

    @staticmethod
    def runs(made: MakeRun, seeds: dict[str, int], *, better: float = 0.3) -> list[Run]:
        """Runs of k = 1 and 2 by plan, in this order, each with so many seeds; a capital declares it final."""
        rng, found = np.random.default_rng(3), []
        for name, number in seeds.items():
            tags = TrainingPlan(name, number, name.isupper()).tags() if name != "-" else {}
            for seed in range(len(found) // 2, len(found) // 2 + number):
                for level in (0, 1):
                    correct = "".join("01"[int(x)] for x in rng.random(60) < 0.5 + level * better)
                    found.append(made(len(found) + 1, correct, {"k": str(level + 1)}, seed=str(seed), tags=tags))
        return found

    @pytest.mark.parametrize(
        ("seeds", "looks"), [({"a": 3}, (3,)), ({"a": 3, "b": 1, "c": 2}, (3, 4, 6)), ({"a": 2, "b": 2}, (4,))]
    )
    def test_an_effect_is_held_to_the_level_of_its_look(
        self, made: MakeRun, studied: MakeStudy, seeds: dict[str, int], looks: tuple[int, ...]
    ) -> None:
        found = only(option_effects(studied(*self.runs(made, seeds))))
        (effect,) = found.details.contrasts
        assert (effect.looks, effect.level) == (looks, level_at_look(looks))
        assert found.p_adjusted == pytest.approx(adjusted_for_looks(crossed_of(found, made, self, seeds), looks))

    def test_runs_that_record_no_command_are_held_to_the_whole_level(self, made: MakeRun, studied: MakeStudy) -> None:
        study = studied(*self.runs(made, {"-": 3}))
        (effect,) = only(option_effects(study)).details.contrasts
        assert (effect.level, effect.p_adjusted) == (0.05, effect.p_value)
        assert any("do not record which command trained them" in text for text in limits_of(study))

    def test_a_final_plan_decides_alone_at_the_whole_level(self, made: MakeRun, studied: MakeStudy) -> None:
        alone = only(option_effects(studied(*self.runs(made, {"A": 4}))))
        later = studied(*self.runs(made, {"A": 4, "b": 3}))
        found = only(option_effects(later))
        (effect,) = found.details.contrasts
        assert (found.estimate, found.p_value, found.p_adjusted) == (alone.estimate, alone.p_value, alone.p_value)
        assert (effect.level, effect.is_final, effect.pairs, effect.later_runs) == (0.05, True, 4, 6)
        assert any("the 6 runs that were trained besides do not change that" in text for text in limits_of(later))

    def test_a_final_plan_that_is_not_complete_is_one_look_among_others(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = self.runs(made, {"A": 4})
        (effect,) = only(option_effects(studied(*runs[:6]))).details.contrasts
        assert not effect.is_final

    def test_an_inconclusive_final_plan_is_not_added_to(self, made: MakeRun, studied: MakeStudy) -> None:
        conclusions, steps = concluded(studied(*self.runs(made, {"A": 4}, better=0.1)))
        assert next(c for c in conclusions if c.kind == "option_effect").commands == ()
        assert not any("matched pairs" in step.why for step in steps)

    def test_limits_say_at_which_look_and_level_an_effect_was_decided(self, made: MakeRun, studied: MakeStudy) -> None:
        (text,) = limits_of(studied(*self.runs(made, {"a": 3, "b": 3})))
        assert text == (
            "Seeds can be added after each look at the results. For 5% to hold over all looks, p must now be at most "
            "0.0142 for k (look 2); seeds trained with --final count as one plan, held to 5%."
        )

    @pytest.mark.parametrize(
        ("level", "looks", "tests", "why"),
        [
            (0.05, (3.0,), 2, "but not after correcting for all contrasts."),
            (0.0133, (3.0,), 1, "but seeds may still be added, so p must be at most 0.0133 at this first look."),
            (
                0.0103,
                (3.0, 4.0),
                1,
                "but seeds were added after earlier looks, so p must be at most 0.0103 at this one.",
            ),
            (0.03, (5.0,), 2, "but not after correcting for seeds that are added and for all contrasts."),
            (0.03, (5.0,), 1, "but while seeds may be added p must be at most 0.0300, also in a stricter test."),
        ],
    )
    def test_sentence_says_why_an_effect_is_not_significant(
        self, made: MakeRun, studied: MakeStudy, level: float, looks: tuple[float, ...], tests: int, why: str
    ) -> None:
        study = studied(*self.runs(made, {"-": 3}))
        found = only(option_effects(study))
        (effect,) = found.details.contrasts
        effect = replace(effect, verdict="inconclusive", p_value=0.02, p_adjusted=0.06, level=level, looks=looks)
        details = replace(found.details, contrasts=(effect,), tests=tests)
        assert details.sentence(found, wording_of(study)).endswith(f"significant on its own (p = 0.020), {why}")


def crossed_of(found: Conclusion, made: MakeRun, test: TestLooks, seeds: dict[str, int]) -> float:
    """Return the strict p-value of the crossed analysis of all pairs."""
    correct = [run.validation.correct.astype(float) for run in test.runs(made, seeds)]
    effect = crossed(np.array(correct[1::2]) - np.array(correct[::2]))
    assert effect.p_value == pytest.approx(found.p_value)
    return effect.strict_p_value


def limits_of(study: Study) -> list[str]:
    """Return what the report says of option effects under its limits."""
    return list(KIND.limits(study, option_effects(study), wording_of(study)))


class TestSentence:
    def test_sentence_says_what_changed_with_the_writeups_kernel(self, writeup: list[Run], studied: MakeStudy) -> None:
        assert sentences_of(studied(*writeup), "option_effect")[0] == (
            "Kernel size was never varied on its own: learning rate, plateau and early stopping changed with it."
        )

    def test_sentence_says_that_one_pair_is_too_few(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1110", {"kernel_size": "3"}), made(2, "1000", {"kernel_size": "7"})
        assert sentence_of(studied(*runs), "option_effect") == (
            "Too few runs to judge kernel size: 7 instead of 3 gave 50 points less in the one matched pair; a test "
            "takes at least three pairs."
        )

    def test_sentence_says_that_one_run_of_each_is_too_few(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1110", {"kernel_size": "3"}, seed=None), made(2, "1000", {"kernel_size": "7"}, seed=None)
        assert sentence_of(studied(*runs), "option_effect") == (
            "Too few runs to judge kernel size: 7 instead of 3 gave 50 points less in one run of each; a test takes at "
            "least three of each."
        )

    def test_sentence_names_no_pair_of_several_values_with_too_few_runs(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = [made(i, "1110", {"kernel_size": str(i)}, seed=None) for i in (3, 5, 7)]
        begins = "Too few runs to judge kernel size: no two of its three values have the three"
        assert sentence_of(studied(*runs), "option_effect") == f"{begins} comparable runs each that a test takes."
        seeded = [made(i, "1110", {"kernel_size": str(i)}) for i in (3, 5, 7)]
        assert sentence_of(studied(*seeded), "option_effect") == f"{begins} matched pairs that a test takes."

    def test_sentence_says_over_how_many_settings_of_other_options_it_averages(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = [
            made(i, None, {"k": k, "width": width}, seed=None, metrics={"val_f1": 0.5 + i / 10})
            for i, (k, width) in enumerate((("1", "8"), ("2", "8"), ("1", "9"), ("2", "9")))
        ]
        assert sentences_of(studied(*runs, metric="val_f1"), "option_effect")[0] == (
            "Too few runs to judge k: 2 instead of 1 raised val_f1 by 0.100 on average in two settings of the other "
            "options, with one run of each; a test takes at least three of each."
        )

    def test_sentence_says_that_no_run_of_one_level_logged_the_metric(self, made: MakeRun, studied: MakeStudy) -> None:
        metrics: list[dict[str, float]] = [{"val_f1": 0.7}, {"val_auc": 0.9}]
        runs = [made(i, None, {"k": str(i)}, metrics=metric) for i, metric in enumerate(metrics)]
        found = only(option_effects(studied(*runs, metric="val_f1")))
        assert (found.verdict, found.details.contrasts) == ("unknown", ())
        assert sentence_of(studied(*runs, metric="val_f1"), "option_effect") == (
            "The effect of k is unknown: no runs that differ in it alone logged val_f1."
        )

    def test_sentence_counts_no_pair_of_which_one_run_has_no_score(self, made: MakeRun, studied: MakeStudy) -> None:
        scores = [0.5, 0.6, 0.7, float("nan"), 0.9, 0.8]
        runs = [
            made(i, None, {"k": str(i % 2)}, seed=str(i // 2), metrics={"val_f1": score})
            for i, score in enumerate(scores)
        ]
        assert "0.0 in two matched pairs; a test" in sentence_of(
            studied(*runs, metric="val_f1"), "option_effect"
        ).replace("made no difference", "0.0")

    def test_sentence_says_that_a_difference_is_the_same_on_every_fold(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [
            made(
                i,
                None,
                {"k": str(i % 2), "fold": str(i // 2)},
                metrics={"val_accuracy": 0.8 + i // 2 / 50 + i % 2 / 50},
            )
            for i in range(10)
        ]
        assert sentence_of(studied(*runs), "option_effect") == (
            "The effect of k cannot be tested: 1 instead of 0 gave 2 points more in each of five matched pairs, so it "
            "is unknown how much that varies."
        )

    def test_sentence_keeps_the_unit_of_an_accuracy_in_percent(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, None, {"k": str(i)}, seed=None, metrics={"val_accuracy": 80.0 + 4 * i}) for i in range(2)]
        assert "raised val_accuracy by 4.00 in" in sentence_of(studied(*runs), "option_effect")

    def test_sentence_says_that_an_effect_is_detected(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        draw = lambda p: "".join(rng.choice(["0", "1"], 100, p=[1 - p, p]))  # noqa: E731
        runs = [made(i, draw(0.5 + 0.4 * (i % 2)), {"kernel_size": "37"[i % 2]}, seed=str(i // 2)) for i in range(10)]
        (sentence,) = sentences_of(studied(*runs), "option_effect")
        assert re.fullmatch(
            r"Kernel size 7 instead of 3 raises validation accuracy by \d+ points "
            r"\(95% interval \+\d+ to \+\d+ points\)\.",
            sentence,
        ), sentence

    def test_sentence_names_every_pair_of_levels_that_differs(self, by_kernel: MakeRuns, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        draw = lambda p: "".join(rng.choice(["0", "1"], 100, p=[1 - p, p]))  # noqa: E731
        rights = {k: [draw(p) for _ in range(5)] for k, p in (("3", 0.4), ("5", 0.7), ("7", 0.98))}
        study = studied(*by_kernel(rights))
        assert re.search(
            r" Also significant: 5 instead of 3 gave \d+ points more and 7 instead of 5 gave \d+ points more\.$",
            sentence_of(study, "option_effect"),
        )

    def test_sentence_of_an_equivalent_option_has_the_interval_that_it_goes_by(
        self, by_kernel: MakeRuns, studied: MakeStudy
    ) -> None:
        same = "1" * 360 + "0" * 40
        near = [same[:i] + "0" + same[i + 1 :] for i in range(3)]
        study = studied(*by_kernel({"3": [same] * 3, "7": near}))
        assert re.fullmatch(
            r"Kernel size 7 instead of 3 makes no difference of 5 points or more \(90% interval [^)]* points\)\.",
            sentence_of(study, "option_effect"),
        )

    def test_sentence_says_that_an_effect_is_significant_only_on_its_own(
        self, by_kernel: MakeRuns, studied: MakeStudy
    ) -> None:
        rng = np.random.default_rng(4)
        draw = lambda p: "".join(rng.choice(["0", "1"], 100, p=[1 - p, p]))  # noqa: E731
        rights = {k: [draw(p) for _ in range(3)] for k, p in (("3", 0.6), ("5", 0.62), ("7", 0.74))}
        study = studied(*by_kernel(rights))
        sentence = sentence_of(study, "option_effect")
        assert sentence.startswith("Kernel size 7 instead of 5 gave 12 points more on average (95% interval +1.2 to ")
        assert sentence.endswith("but not after correcting for all contrasts.")

    def test_sentence_says_what_an_option_does_to_the_loss(self, by_kernel: MakeRuns, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        draw = lambda p: "".join(rng.choice(["0", "1"], 100, p=[1 - p, p]))  # noqa: E731
        study = studied(
            *by_kernel({k: [draw(p) for _ in range(3)] for k, p in (("3", 0.6), ("7", 0.9))}), metric="val_loss"
        )
        assert re.fullmatch(
            r"Kernel size 7 instead of 3 lowers the log-loss of validation clips by 0\.\d{3} "
            r"\(95% interval −0\.\d{3} to −0\.\d{3}\)\.",
            sentence_of(study, "option_effect"),
        )

    def test_sentence_says_how_many_pairs_would_find_an_effect(self, by_kernel: MakeRuns, studied: MakeStudy) -> None:
        rights = {"3": ["1" * 50 + "0" * 50, "1" * 60 + "0" * 40, "1" * 40 + "0" * 60],
                  "7": ["1" * 62 + "0" * 38, "1" * 58 + "0" * 42, "1" * 48 + "0" * 52]}  # fmt: skip
        sentence = sentence_of(studied(*by_kernel(rights)), "option_effect")
        assert re.search(
            r"^No clear effect of kernel size: 7 instead of 3 gave 6 points more on average .* Detecting an effect of "
            r"6 points takes \d+ matched pairs on these clips\.$",
            sentence,
        ), sentence

    def test_sentence_says_how_many_clips_would_find_an_effect(self, by_kernel: MakeRuns, studied: MakeStudy) -> None:
        low, high = "1" * 10 + "0" * 8 + "1" * 6 + "0" * 6, "1" * 10 + "1" * 8 + "0" * 6 + "0" * 6
        flipped = high[:-1] + "1"
        rights = {"3": [low] * 3, "7": [high, high, flipped]}
        sentence = sentence_of(studied(*by_kernel(rights)), "option_effect")
        assert re.search(
            r" More seeds alone won't reveal an effect of [\d.]+ points on these clips; that takes at least about "
            r"[\d,]+ clips\.$",
            sentence,
        ), sentence

    @pytest.mark.parametrize("what", ["fold", "split"])
    def test_sentence_names_folds_or_splits(
        self, what: str, request: pytest.FixtureRequest, studied: MakeStudy
    ) -> None:
        make: MakeRuns = request.getfixturevalue(f"on_{what}s")
        runs = make({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]})
        assert sentence_of(studied(*runs), "option_effect") == (
            f"No clear effect of kernel size: 7 instead of 3 gave 17 points more over 3 {what}s on average, but the "
            "data are too few to tell."
        )

    def test_sentence_says_that_an_option_changed_nothing(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [
            made(i, "110", {"early_stopping_patience": p}, val_loss=[0.9, 0.8, 0.7]) for i, p in enumerate(["5", "9"])
        ]
        assert sentence_of(studied(*runs), "option_effect") == (
            "Early-stopping patience 9 instead of 5 changed nothing: in the matched pair both runs are identical, "
            "epoch by epoch."
        )

    @pytest.mark.parametrize("name", ["<b>x</b>", "a|b", "`x`", "[x](http://evil)", "x_y_z"])
    def test_sentence_keeps_other_peoples_text_as_it_is(self, made: MakeRun, studied: MakeStudy, name: str) -> None:
        runs = made(1, "1110", {"k": name}), made(2, "1000", {"k": "other"})
        assert any(name in sentence for sentence in sentences_of(studied(*runs), "option_effect"))
