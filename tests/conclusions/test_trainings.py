"""Options and configurations of runs without predictions, of which a metric is known for each training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import scipy

from tests.builders import make_run, make_study, sentence_of
from tracker.conclusions.best_configuration import OVER_TRAININGS, best_configuration, standings
from tracker.conclusions.comparisons import FOLDS, SPLITS
from tracker.conclusions.option_effect import option_effects
from tracker.conclusions.trainings import PAIRED, UNPAIRED
from tracker.runs import UsedDataset
from tracker.statistics.repetitions import nadeau_bengio
from tracker.statistics.trainings import unpaired_effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.runs import Run

LOW, HIGH = (0.60, 0.62, 0.61, 0.63, 0.62), (0.91, 0.92, 0.94, 0.90, 0.93)


def logged(
    by_level: dict[str, Sequence[float]], metric: str = "val_accuracy", *, shared: bool = True, rows: int | None = None
) -> list[Run]:
    """A run for each level of ``lr`` and seed, as another program logs it: maybe on a dataset of so many rows."""
    runs: list[Run] = []
    for level, values in by_level.items():
        for number, value in enumerate(values):
            seed = number if shared else len(runs)
            run = make_run(len(runs), params={"lr": level}, seed=str(seed), metrics={metric: value})
            used = () if rows is None else (UsedDataset("data", "d", "eval", rows),)
            runs.append(replace(run, tags={}, datasets=used))
    return runs


def on_folds(low: Sequence[float], high: Sequence[float], **params: str) -> list[Run]:
    """A run for each level of ``lr`` on each fold, or under each of the params that its number fills in."""
    return [
        replace(
            make_run(
                10 * level + i,
                params={"lr": str(level)} | {name: text.format(i) for name, text in params.items()},
                metrics={"val_f1": value},
            ),
            tags={},
        )
        for level, values in enumerate((low, high))
        for i, value in enumerate(values)
    ]


class TestOptionEffects:
    @pytest.mark.parametrize("metric", ["val_f1", "val_loss", "val_auc", "rmse", "val_accuracy"])
    def test_matched_pairs_of_any_metric_are_tested_over_trainings(self, metric: str) -> None:
        (found,) = option_effects(make_study(*logged({"0.1": LOW, "0.2": HIGH}, metric), metric=metric))
        oracle = scipy.stats.ttest_rel(HIGH, LOW)
        assert (found.verdict, found.scope, found.method, found.n) == ("supported", "these_clips", PAIRED, None)
        assert found.p_value == pytest.approx(oracle.pvalue)
        assert found.interval == pytest.approx(tuple(oracle.confidence_interval(0.95)))

    def test_trainings_that_share_no_seed_are_tested_as_not_paired(self) -> None:
        (found,) = option_effects(make_study(*logged({"0.1": LOW[:3], "0.2": HIGH}, "val_auc", shared=False)))
        effect = unpaired_effect(np.array(HIGH), np.array(LOW[:3]))
        assert effect is not None
        assert (found.verdict, found.scope, found.method) == ("supported", "these_clips", UNPAIRED)
        assert found.p_value == pytest.approx(effect.p_value)

    def test_accuracies_of_many_clips_stand_for_other_clips_too_and_those_of_few_do_not(self) -> None:
        low, high = (0.5, 0.55, 0.5, 0.55), (0.65, 0.7, 0.6, 0.7)
        few, many = (option_effects(make_study(*logged({"1": low, "2": high}, rows=rows)))[0] for rows in (20, 2_000))
        assert (few.verdict, few.scope, few.n) == ("supported", "these_clips", 20)
        assert (many.verdict, many.scope, many.n) == ("supported", "population", 2_000)
        assert few.interval is not None
        assert many.interval is not None
        assert many.interval[0] <= few.interval[0]

    def test_equal_differences_over_pairs_leave_no_noise_but_that_of_the_trainings(self) -> None:
        low = (0.6, 0.61, 0.62)
        (found,) = option_effects(make_study(*logged({"1": low, "2": [0.1 + value for value in low]})))
        assert (found.verdict, found.method) == ("supported", UNPAIRED)

    def test_trainings_that_never_differ_are_not_tested(self) -> None:
        study = make_study(*logged({"1": [0.6] * 5, "2": [0.7] * 5}))
        (found,) = option_effects(study)
        assert (found.verdict, found.p_value) == ("inconclusive", None)
        assert found.estimate == pytest.approx(0.1)
        assert sentence_of(study, "option_effect") == (
            "The effect of lr cannot be tested: 2 instead of 1 gave 10 points more in each of five matched pairs, so "
            "it is unknown how much that varies."
        )

    def test_two_pairs_are_too_few(self) -> None:
        (found,) = option_effects(make_study(*logged({"1": LOW[:2], "2": HIGH[:2]}, "val_f1")))
        assert (found.verdict, found.p_value) == ("inconclusive", None)

    @pytest.mark.parametrize(
        ("params", "ratio", "method"),
        [({"fold": "{}"}, 1 / 4, FOLDS), ({"split_seed": "{}", "validation_fraction": "0.2"}, 0.25, SPLITS)],
    )
    def test_folds_and_splits_are_tested_by_the_corrected_resampled_t_test(
        self, params: dict[str, str], ratio: float, method: str
    ) -> None:
        study = make_study(*on_folds(LOW, HIGH, **params), metric="val_f1")
        (found,) = option_effects(study)
        effect = nadeau_bengio(np.subtract(HIGH, LOW), 1 / ratio, 1.0)
        assert (found.verdict, found.method, found.scope) == ("supported", method, "population")
        assert found.p_value == pytest.approx(effect.p_value)
        (best,) = best_configuration(study)
        assert (best.verdict, best.method) == ("supported", method)
        assert best.p_value == pytest.approx(effect.p_value)

    def test_splits_of_unknown_sizes_are_not_tested(self) -> None:
        (found,) = option_effects(make_study(*on_folds(LOW, HIGH, split_seed="{}"), metric="val_f1"))
        assert found.p_value is None


class TestBestConfiguration:
    def test_the_best_configuration_is_that_on_this_validation_set(self) -> None:
        study = make_study(*logged({"0.1": LOW, "0.2": HIGH, "0.3": [v - 0.01 for v in HIGH]}, "val_f1"))
        (found,) = best_configuration(study)
        assert (found.verdict, found.scope, found.method) == ("inconclusive", "these_clips", OVER_TRAININGS)
        assert [standing.tied for standing in standings(study)] == [True, True, False]
        (found,) = best_configuration(make_study(*logged({"0.1": LOW, "0.2": HIGH}, "val_loss"), metric="val_loss"))
        assert (found.verdict, found.runs[0]) == ("supported", f"{0:032x}")

    def test_the_interval_of_a_mean_is_over_trainings_or_also_over_a_known_number_of_clips(self) -> None:
        of_loss, of_accuracy = (
            standings(make_study(*runs, metric=metric))[0].interval
            for metric, runs in (
                ("val_loss", logged({"1": LOW, "2": HIGH}, "val_loss")),
                ("val_accuracy", logged({"1": (0.6, 0.6, 0.5), "2": (0.9, 0.8, 0.9)}, rows=10)),
            )
        )
        assert of_loss == pytest.approx(tuple(scipy.stats.ttest_1samp(LOW, 0).confidence_interval(0.95)))
        assert of_accuracy is not None
        assert 0 < of_accuracy[0] < 0.6
        assert of_accuracy[1] < 1

    def test_two_configurations_that_differ_in_one_option_are_decided_by_its_test(self) -> None:
        study = make_study(*logged({"1": (0.710, 0.693, 0.827), "2": (0.907, 0.913, 0.943)}, "val_f1"), metric="val_f1")
        (best,), (option,) = best_configuration(study), option_effects(study)
        assert (best.verdict, best.p_value, best.method, best.scope) == (
            option.verdict, option.p_value, option.method, option.scope
        )  # fmt: skip
        assert (best.method, standings(study)[1].tied) == (PAIRED, False)

    def test_the_interval_of_a_mean_of_shares_ends_at_1(self) -> None:
        shares = make_study(*logged({"1": (0.99, 0.9, 0.8), "2": LOW}, "val_f1"), metric="val_f1")
        assert standings(shares)[0].interval == (pytest.approx(0.660, abs=1e-3), 1.0)


class TestSentence:
    def test_sentence_says_that_an_effect_is_one_on_this_validation_set(self) -> None:
        loss = make_study(*logged({"0.1": LOW, "0.2": HIGH}, "val_loss"), metric="val_loss")
        assert sentence_of(loss, "option_effect") == (
            "lr 0.2 instead of 0.1 raises validation loss by 0.304 on this validation set (95% interval +0.277 to "
            "+0.331)."
        )
        accuracy = make_study(*logged({"0.1": LOW, "0.2": HIGH}))
        assert sentence_of(accuracy, "option_effect") == (
            "lr 0.2 instead of 0.1 raises validation accuracy by 30 points on this validation set (95% interval "
            "+28 to +33 points)."
        )
