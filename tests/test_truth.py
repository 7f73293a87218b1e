"""The short form of ``make truth``: fixed seeds, a few hundred experiments, the same goals."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise, product
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.truth import confounded, counts, data_sets, folds, grouped, intervals, looks, trainings
from bench.truth.document import Effort, document
from bench.truth.experiment import (
    ALPHA,
    Claim,
    Model,
    claims_best,
    claims_difference,
    concluded,
    family_of,
    option_claims,
    runs_of,
)
from bench.truth.limit import behrens_fisher, false_claims, hillis, linear, reported
from bench.truth.measure import measure
from bench.truth.null_runs import LAYOUTS, NullRuns
from bench.truth.one_option import OneOption
from bench.truth.parts import PARTS
from bench.truth.rivals import unconditional_claims
from bench.truth.shares import Share, merged
from bench.truth.world import World, draw
from tracker.report import build_report
from tracker.runs.facts import TrainingPlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.truth.settings import Setting
    from tracker.conclusions.conclusion import Kind

SEED = 1
DOCUMENT = Path(__file__).parents[1] / "docs" / "truth.md"


def over(settings: Sequence[Setting], experiments: int) -> dict[str, Share]:
    """What came of the experiments of all settings together."""
    return reduce(merged, (one.tally for one in measure(settings, experiments, SEED)))


class TestNothingDiffers:
    @pytest.mark.parametrize("layout", ["2 runs", "4 runs: 2 × 2 options", "12 runs: 2 × 2 options × 3 seeds"])
    def test_hardly_any_run_is_called_better(self, layout: str) -> None:
        found = over([NullRuns(layout, 30, 0.0)], 100)
        assert found["best_run"].meets()
        assert found["run_difference"].meets()

    def test_looking_at_the_highest_accuracy_would_claim_something_nearly_always(self) -> None:
        assert over([NullRuns("4 runs: 2 × 2 options", 100, 0.0)], 50)["highest accuracy wins"].rate > 0.6

    @pytest.mark.parametrize("seeds", [3, 5, 10])
    def test_an_option_is_hardly_ever_said_to_do_something(self, seeds: int) -> None:
        settings = [OneOption(n, seeds, noise, 0.0) for n, noise in product((30, 100), (0.0, 0.08))]
        assert over(settings, 50)["option_effect"].meets()

    def test_an_option_is_never_said_to_do_something_after_one_training_each(self) -> None:
        found = over([OneOption(300, 1, 0.08, 0.0)], 60)
        assert found["option_effect"].count == 0
        assert found["McNemar"].rate > 0.3

    @pytest.mark.parametrize(
        ("layout", "experiments"), [("12 runs: 4 levels × 3 seeds", 150), ("50 runs: 5 levels × 10 seeds", 40)]
    )
    def test_options_are_corrected_for_how_many_contrasts_there_are(self, layout: str, experiments: int) -> None:
        assert over([NullRuns(layout, 100, 0.04)], experiments)["option_effect"].rate <= 0.05

    @pytest.mark.parametrize("habit", looks.HABITS)
    def test_seeds_that_are_added_make_no_option_better_however_often_one_looks(self, habit: str) -> None:
        found = over([looks.AddedSeeds(looks.ENDLESS, 0.04, 0.0, habit)], 150)
        assert found[looks.LOOKED].meets()
        assert found[looks.CARELESS].rate > 0.07

    def test_clips_in_groups_make_no_run_better(self) -> None:
        found = over([grouped.GroupedRuns(300, 30, 2)], 120)
        assert found["run_difference"].meets()
        assert not found["McNemar, groups forgotten"].meets()

    def test_nothing_differs_counts_alone_make_no_run_better(self) -> None:
        assert over([counts.CountsAlone(30, 2, 0.0)], 30)["run_difference"].meets()

    @pytest.mark.parametrize("setting", [
        trainings.Scores("val_loss", 3, 3, shared=True), trainings.Scores("val_auc", 3, 10),
        trainings.CountedSeeds(300, 3, 0.08), trainings.FoldScores("val_f1", 100, 5),
    ])  # fmt: skip
    def test_trainings_without_predictions_make_no_level_better(self, setting: Setting) -> None:
        assert all(share.meets() for share in over([setting], 60).values())

    def test_folds_make_no_learner_better(self) -> None:
        assert over([folds.Folds(100, 5, 0.0)], 60)["option_effect"].meets()

    def test_data_sets_of_different_difficulty_make_no_configuration_better(self) -> None:
        found = over([data_sets.DataSets(2, 8, 0.0), data_sets.DataSets(4, 8, 0.0)], 30)
        assert found["across_data_sets"].meets()
        assert found["t-test, best against worst"].rate > found["across_data_sets"].rate


class TestSomethingDiffers:
    def test_a_planned_comparison_of_two_models_finds_what_the_exact_unconditional_test_finds(self) -> None:
        found = over([OneOption(100, 1, 0.0, 0.1)], 100)
        assert found["run_difference"] == found["exact unconditional"]
        assert found["run_difference"].count >= found["McNemar"].count > 10

    def test_an_effect_of_many_points_is_nearly_always_found_with_ten_seeds(self) -> None:
        assert over([OneOption(100, 10, 0.04, 0.2)], 50)["option_effect"].rate > 0.9

    def test_the_best_of_three_configurations_is_found_on_six_data_sets_where_holm_alone_finds_none(self) -> None:
        found = over([data_sets.DataSets(3, 6, 0.08)], 40)
        assert found["across_data_sets"].rate > 0.5
        assert found["signed ranks, Holm alone"].count == 0

    def test_an_effect_is_found_as_often_as_by_a_test_over_seeds_that_holds_its_level(self) -> None:
        found = over([OneOption(300, 5, 0.08, 0.2)], 50)
        assert found["option_effect"].count >= 0.95 * found["t over seeds"].count > 0


class TestConfounded:
    @pytest.mark.parametrize("design", confounded.DESIGNS)
    def test_every_option_that_never_changed_alone_is_called_so_and_no_other(self, design: str) -> None:
        found = over([confounded.Confounded(design, 30)], 40)
        assert found["called confounded"] == Share(40, 40)
        assert found["no other is"] == Share(40, 40)


class TestIntervals:
    @pytest.mark.parametrize("seeds", [3, 5])
    def test_intervals_of_effects_hold_the_truth(self, seeds: int) -> None:
        settings = [OneOption(n, seeds, noise, 0.1) for n, noise in product((30, 100), (0.0, 0.08))]
        assert 0.91 <= over(settings, 50)["covered"].rate <= 0.99

    def test_intervals_of_accuracies_hold_the_truth(self) -> None:
        settings = [intervals.OneModel(n, g, 0.7) for n, g in ((30, 0), (300, 0), (300, 30))]
        assert 0.93 <= over(settings, 300)["accuracy"].rate <= 0.98

    def test_intervals_of_differences_hold_the_truth(self) -> None:
        found = over([intervals.TwoModels(100, 0, 0.75, 0.65)], 40)
        assert found["difference of accuracy"].rate >= 0.9
        assert found["difference of log-loss"].rate >= 0.85

    def test_intervals_of_gaps_hold_the_truth_where_a_threshold_flags_models_without_one(self) -> None:
        found = over([intervals.Gap(120, 30, 0.7, 0.7)], 1_000)
        assert 0.93 <= found["gap"].rate <= 0.97
        assert found["gap above max(.03, .10 · train)"].rate > 0.1


class TestWhatIsMeasured:
    """It is what the report prints."""

    @pytest.mark.parametrize("number", range(4))
    def test_verdicts_are_those_of_the_report(self, number: int) -> None:
        world, configurations = World(60), LAYOUTS["12 runs: 2 × 2 options × 3 seeds"][0]
        accuracies = [0.5, 0.5, 0.9, 0.9] if number % 2 else [0.7, 0.72, 0.7, 0.72]
        margins = draw(world, accuracies, 3, np.random.default_rng(number)).margins
        models = [
            Model(params | {"seed": str(seed)}, margins[i, seed])
            for i, params in enumerate(configurations)
            for seed in range(3)
        ]
        runs = runs_of(models, world)
        report = build_report("truth", runs, alpha=ALPHA)

        def printed(kind: Kind) -> list[str]:
            return [found.verdict for found in report.conclusions if found.kind == kind]

        study = concluded(runs)
        family = family_of(study)
        assert ("supported" in printed("best_run")) == claims_best(study, family)
        assert printed("option_effect") == [verdict(claim) for claim in option_claims(study)]
        assert ("supported" in printed("run_difference")) <= claims_difference(family)

    @pytest.mark.parametrize(
        "setting",
        [
            OneOption(40, 3, 0.04, 0.3),
            OneOption(40, 5, 0.0, 0.1),
            OneOption(40, 3, 0.04, 0.3, shared=False),
            grouped.GroupedOption(40, 10, 4, 0.04, 0.3),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("number", range(3))
    def test_what_is_claimed_of_an_effect_is_what_is_claimed_of_the_runs(
        self, setting: OneOption | grouped.GroupedOption, number: int
    ) -> None:
        groups = setting.groups if isinstance(setting, grouped.GroupedOption) else 0
        world = World(setting.clips, setting.noise, groups)
        levels = [0.7 - setting.effect / 2, 0.7 + setting.effect / 2]
        judged = draw(world, levels, setting.seeds, np.random.default_rng(number))
        (claim,) = option_claims(concluded(runs_of(setting.models(judged), world)))
        found = setting.experiment(np.random.default_rng(number))
        assert found["option_effect"] == claim.supported
        assert found.get("equivalent", claim.equivalent) == claim.equivalent
        assert found["covered"] == claim.covers(setting.effect)["covered"]

    @pytest.mark.parametrize("look", [0, 3])
    def test_what_is_claimed_while_seeds_are_added_is_what_the_report_claims(self, look: int) -> None:
        setting = looks.AddedSeeds(30, 0.04, 0.3, "one by one, 3 to 12")
        every = setting.looks(setting.entries(np.random.default_rng(5)))
        levels = [looks.BASE - setting.effect / 2, looks.BASE + setting.effect / 2]
        margins = draw(World(setting.clips, setting.noise), levels, 12, np.random.default_rng(5)).margins
        models = [
            Model({"kernel_size": kernel, "seed": str(seed)}, margins[level, seed])
            for level, kernel in enumerate("35")
            for seed in range(3 + look)
        ]
        runs = [
            replace(run, tags={**run.tags, **TrainingPlan(str(max(seed, 2)), 1).tags()}, started=seed)
            for run in runs_of(models, World(setting.clips, setting.noise))
            for seed in [int(run.params["seed"])]
        ]
        claims = build_report("truth", runs, alpha=ALPHA).conclusions
        claim = next(found for found in claims if found.kind == "option_effect")
        assert (claim.p_value, claim.p_adjusted) == (every[look].p_value, every[look].p_adjusted)

    def test_both_verdicts_come_up(self) -> None:
        never, always = (over([OneOption(60, 3, 0.0, effect)], 30)["option_effect"].rate for effect in (0.0, 0.4))
        assert never < 0.2
        assert always > 0.8

    def test_the_number_of_processes_changes_nothing(self) -> None:
        settings = [OneOption(30, 3, 0.04, 0.1), intervals.OneModel(30, 0, 0.7)]
        assert measure(settings, 110, SEED, 2) == measure(settings, 110, SEED)


class TestUnconditionalClaims:
    def test_unconditional_claims_agree_with_every_table_counted_one_by_one(self) -> None:
        n, shares = 8, np.linspace(0.01, 0.99, 99)
        tables = [(b, c) for b in range(n + 1) for c in range(n + 1 - b) if b + c]
        far = {(b, c): abs(b - c) / np.sqrt(b + c) for b, c in tables}
        chances = {(b, c): _ways(n, b, c) * (shares / 2) ** (b + c) * (1 - shares) ** (n - b - c) for b, c in tables}
        for b, c in tables:
            chance = np.sum([chances[other] for other in tables if far[other] >= far[b, c] - 1e-9], axis=0)
            a = np.arange(n) < b
            other = (np.arange(n) >= b) & (np.arange(n) < b + c)
            assert unconditional_claims(a, other) == (b != c and bool(chance.max() <= 0.05))


@pytest.mark.xdist_group("truth")
class TestFalseClaims:
    def test_false_claims_come_to_five_per_cent_with_many_pairs(self) -> None:
        assert false_claims(200, hillis) == pytest.approx((0.05, 0.05), abs=2e-4)

    def test_false_claims_are_most_with_three_pairs_and_fewer_with_fewer_degrees_of_freedom(self) -> None:
        assert false_claims(3, hillis)[1] > false_claims(5, hillis)[1] > 0.055 > false_claims(5, linear)[1]
        assert false_claims(3, linear)[1] > 0.055

    @pytest.mark.parametrize("pairs", [3, 4, 5, 6, 8, 12, 20, 40])
    def test_false_claims_of_the_report_are_never_more_than_the_level(self, pairs: int) -> None:
        assert false_claims(pairs, reported)[1] <= 0.05005
        assert false_claims(pairs, reported, 0.10)[1] <= 0.1001
        assert false_claims(pairs, reported)[0] > 0.035

    @pytest.mark.parametrize("pairs", [3, 5])
    def test_false_claims_are_too_many_at_the_level_of_six_contrasts_but_for_behrens_and_fishers(
        self, pairs: int
    ) -> None:
        level = 0.05 / 6
        assert false_claims(pairs, hillis, level)[1] > 1.7 * level
        assert false_claims(pairs, linear, level)[1] > 1.1 * level
        assert false_claims(pairs, behrens_fisher, level)[1] <= 1.001 * level


@pytest.fixture(scope="module")
def written() -> str:
    """Return the document of one experiment of each setting that is quick."""
    results = {name: measure([s for s in part.settings if quick(s)], 1, SEED) for name, part in PARTS.items()}
    return document(results, Effort(1, 1, SEED))


@pytest.mark.xdist_group("truth")
class TestDocument:
    def test_document_has_every_table_and_no_number_that_is_none(self, written: str) -> None:
        assert written.count("\n## ") == 16
        assert "nan" not in written

    def test_that_is_kept_has_the_tables_that_are_written_today(self, written: str) -> None:
        assert heads(DOCUMENT.read_text(encoding="utf-8")) == heads(written)


def heads(text: str) -> list[str]:
    """Return the titles of a document and the heads of its tables."""
    lines = text.splitlines()
    return [line for line, below in pairwise(lines) if line[:1] == "#" or below[:5] == "| ---"]


def verdict(claim: Claim) -> str:
    return "supported" if claim.supported else "equivalent" if claim.equivalent else "inconclusive"


def quick(setting: Setting) -> bool:
    """Tell whether an experiment of a setting takes no more than a few milliseconds."""
    return isinstance(setting, confounded.Confounded) or getattr(setting, "clips", 0) <= 100


def _ways(n: int, b: int, c: int) -> int:
    return comb(n, b) * comb(n - b, c)
