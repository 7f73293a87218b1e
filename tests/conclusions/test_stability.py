from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import sentence_of, sentences_of
from tracker.conclusions.stability import KIND, Diverged, OneSeed, Spread, stability
from tracker.statistics.matched_pairs import crossed
from tracker.wording import wording_of

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy
    from tracker.runs import Run


SILENT = {"tracker.dataset": "", "tracker.split": ""}  # nothing is known of the clips


class TestStability:
    def test_stability_says_how_the_seeds_of_a_configuration_scatter(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = stability(
            studied(*(made(i, right, seed=str(i)) for i, right in enumerate(["1100", "1110", "1111"])))
        )
        assert isinstance(found.details, Spread)
        assert (found.details.mean, found.details.lowest, found.details.highest) == (0.75, 0.5, 1.0)
        assert found.details.deviation == pytest.approx(0.25)
        assert found.details.interval[0] < 0.75 < found.details.interval[1]

    def test_stability_has_no_interval_where_predictions_are_missing(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1100"), made(2, seed="1", metrics={"best_val_accuracy": 0.75})
        (found,) = stability(studied(*runs))
        assert (found.details.mean, found.details.interval) == (0.625, None)

    def test_stability_is_unknown_where_every_configuration_was_trained_once(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = stability(studied(made(1, "10", {"k": "3"}), made(2, "10", {"k": "7"})))
        assert found.verdict == "unknown"

    def test_stability_says_how_a_metric_scatters_where_no_clip_is_known(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = [made(i, seed=str(i), tags=SILENT, metrics={"val_f1": f1}) for i, f1 in enumerate((0.7, 0.75, 0.8))]
        (found,) = stability(studied(*runs, metric="val_f1"))
        assert (found.details.mean, found.details.lowest, found.details.highest) == pytest.approx((0.75, 0.7, 0.8))
        assert found.details.deviation == pytest.approx(0.05)
        assert found.details.interval == pytest.approx((0.625793, 0.874207), abs=1e-6)
        assert found.scope == "these_clips"

    def test_stability_is_unknown_where_repetitions_have_other_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = stability(studied(made(1, "110"), made(2, "110", seed="1", prefix="other")))
        assert found.verdict == "unknown"

    def test_stability_finds_runs_that_diverged(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = stability(studied(made(1, val_loss=[1.0, 0.9, 0.8], loss=[1.0, math.inf, math.nan])))
        assert (found.runs, found.details) == ((f"{1:032x}",), Diverged(2))

    def test_an_infinite_loss_is_divergence(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = stability(studied(made(1, val_loss=[1.0, np.inf])))
        assert found.details == Diverged(2)

    def test_stability_finds_an_effect_that_hangs_on_one_pair(self, made: MakeRun, studied: MakeStudy) -> None:
        low = ["110" * 20, "101" * 20, "011" * 20, "1" * 20 + "0" * 40]
        high = ["111" * 18 + "110" * 2, "111" * 17 + "011" * 3, "111" * 16 + "110" * 4, "1" * 60]
        runs = [made(i, right, {"k": "3"}, seed=str(i)) for i, right in enumerate(low)]
        runs += [made(10 + i, right, {"k": "7"}, seed=str(i)) for i, right in enumerate(high)]
        entries = np.array(
            [[int(b) - int(a) for a, b in zip(x, y, strict=True)] for x, y in zip(low, high, strict=True)]
        )
        without = [crossed(np.delete(entries, i, axis=0).astype(float)).p_value for i in range(4)]
        found = [c.details for c in stability(studied(*runs)) if isinstance(c.details, OneSeed)]
        hangs = crossed(entries.astype(float)).p_value <= 0.05 < max(without)
        assert bool(found) == hangs
        assert all(details.p_without == pytest.approx(max(without)) for details in found)


class TestSentence:
    def test_sentence_gives_the_spread_over_seeds(self, made: MakeRun, studied: MakeStudy) -> None:
        (sentence,) = sentences_of(
            studied(*(made(i, right, seed=str(i)) for i, right in enumerate(["1100", "1110"]))), "stability"
        )
        assert sentence == (
            "Runs 1 and 2 (one configuration) classify 63% of the clips correctly on average. Single runs get 50–75%, "
            "with a standard deviation of 18 points."
        )

    def test_sentence_says_that_seeds_do_equally_well(self, made: MakeRun, studied: MakeStudy) -> None:
        (sentence,) = sentences_of(studied(*(made(i, "1110" * 10, seed=str(i)) for i in range(3))), "stability")
        assert sentence == (
            "Runs 1, 2 and 3 (one configuration) each classify 75% of the clips correctly (95% interval 59–86%)."
        )

    def test_sentence_says_how_a_metric_scatters_where_no_clip_is_known(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        values = enumerate((0.60, 0.61, 0.64))
        runs = [made(i, seed=str(i), tags=SILENT, metrics={"val_accuracy": value}) for i, value in values]
        assert sentence_of(studied(*runs), "stability") == (
            "Runs 1, 2 and 3 (one configuration) have a mean validation accuracy of 62% (95% interval 56–67% on this "
            "validation set). Single runs get 60–64%, with a standard deviation of 2.1 points."
        )
        runs = [made(i, seed=str(i), tags=SILENT, metrics={"val_loss": 0.5}) for i in range(2)]
        assert sentence_of(studied(*runs, metric="val_loss"), "stability") == (
            "Runs 1 and 2 (one configuration) each have the same validation loss, 0.500."
        )

    def test_sentence_says_when_a_run_diverged(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, val_loss=[1.0, np.nan])), "stability") == (
            "Run 1 diverged: its loss stopped being a finite number at epoch 2."
        )

    def test_sentence_says_when_a_run_lost_its_loss(self, gone_on: Run, studied: MakeStudy) -> None:
        assert (
            sentence_of(studied(gone_on), "stability")
            == "Run 1 diverged: its loss stopped being a finite number at epoch 5."
        )


class TestLimits:
    def test_limits_say_that_every_configuration_was_trained_once(self, made: MakeRun, studied: MakeStudy) -> None:
        study = studied(made(1, "10", {"k": "3"}), made(2, "10", {"k": "7"}))
        assert list(KIND.limits(study, (), wording_of(study))) == [
            "Each configuration was trained with one seed, so effects cannot be separated from training noise."
        ]

    def test_limits_count_configurations_with_too_few_seeds(self, made: MakeRun, studied: MakeStudy) -> None:
        study = studied(made(9, "10", {"k": "7"}), *(made(i, "10", {"k": "3"}, seed=str(i)) for i in range(3)))
        (limit,) = KIND.limits(study, (), wording_of(study))
        assert limit.startswith("One of the 2 configurations was trained with fewer than three seeds: too few to")
