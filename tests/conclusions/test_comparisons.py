from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.conclusions.comparisons import MOST_PRINTED, MOST_RUNS_PAIRED, printed_pairs, run_family
from tracker.statistics.paired import from_aggregates, unconditional

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy


def right(rng: np.random.Generator, n: int = 40) -> str:
    return "".join(rng.choice(["0", "1"], size=n, p=[0.3, 0.7]))


class TestPrintedPairs:
    def test_printed_pairs_are_the_best_against_the_others_and_the_matched_ones(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        a = made(1, "1100", {"k": "3"}), made(2, "1000", {"k": "7"})
        b = made(3, "1110", {"k": "3"}, seed="1"), made(4, "1100", {"k": "7"}, seed="1")
        assert printed_pairs(studied(*a, *b)) == ((2, 0), (2, 3), (2, 1), (0, 1))

    def test_printed_pairs_put_the_better_run_first(self, made: MakeRun, studied: MakeStudy) -> None:
        assert printed_pairs(studied(made(1, "1000"), made(2, "1100", seed="1"))) == ((1, 0),)

    def test_printed_pairs_of_equal_runs_put_the_lower_loss_first(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "10", val_loss=[0.9, 0.8]), made(2, "10", seed="1", val_loss=[0.7, 0.6])
        assert printed_pairs(studied(*runs)) == ((1, 0),)

    def test_printed_pairs_hold_the_best_of_each_set_of_clips_against_the_best(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        here = [made(i, right, seed=str(i)) for i, right in enumerate(["1100", "1110", "1000"])]
        there = [made(3 + i, right, seed=str(i), prefix="other") for i, right in enumerate(["0100", "1111"])]
        assert printed_pairs(studied(*here, *there)) == ((1, 0), (1, 2), (1, 4))

    def test_printed_pairs_are_at_most_so_many(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        runs = [made(i, right(rng), {"k": str(i % 2)}, seed=str(i // 2)) for i in range(200)]
        found = printed_pairs(studied(*runs))
        assert len(found) == len(set(found)) == MOST_PRINTED

    def test_printed_pairs_of_no_runs_are_none(self, studied: MakeStudy) -> None:
        assert printed_pairs(studied()) == ()


class TestRunFamily:
    def test_run_family_counts_every_pair_of_comparable_runs(self, made: MakeRun, studied: MakeStudy) -> None:
        here = [made(i, "1100", seed=str(i)) for i in range(4)]
        there = [made(4 + i, "1100", seed=str(i), prefix="other") for i in range(3)]
        assert run_family(studied(*here, *there), ()).size == 6 + 3

    def test_run_family_tests_every_pair_of_few_runs(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(1)
        study = studied(*(made(i, right(rng), seed=str(i)) for i in range(5)))
        found, table = run_family(study, ()), study.clip_sets[0].correct
        for (a, b), p_value in found.p_values.items():
            assert p_value == pytest.approx(
                unconditional(int((table[a] & ~table[b]).sum()), int((table[b] & ~table[a]).sum()), 40)
            )
        assert len(found.p_values) == 10

    def test_corrects_for_pairs_that_were_not_tested_too(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(2)
        runs = MOST_RUNS_PAIRED + 5
        found = run_family(studied(*(made(i, right(rng), seed=str(i)) for i in range(runs))), ())
        smallest = min(found.p_values, key=found.p_values.__getitem__)
        assert found.size == runs * (runs - 1) // 2
        assert len(found.p_values) == runs - 1
        assert found.adjusted[smallest] == pytest.approx(min(1, found.size * found.p_values[smallest]))

    def test_flips_the_signs_of_groups_where_clips_share_them(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 2) for i in range(12)]
        found = run_family(studied(made(1, "1" * 12, groups=groups), made(2, "0" * 12, seed="1")), ())
        assert found.p_value(0, 1) == found.p_value(1, 0) == pytest.approx(2 / 2**6)

    def test_run_family_takes_the_least_favourable_pairing_of_counts(self, made: MakeRun, studied: MakeStudy) -> None:
        counts = {"tracker.validation_clips": "30"}
        runs = [
            made(1, tags=counts, metrics={"best_val_accuracy": 26 / 30}),
            made(2, tags=counts, seed="1", metrics={"best_val_accuracy": 24 / 30}),
        ]
        assert run_family(studied(*runs), ()).p_value(0, 1) == from_aggregates(26, 24, 30).p_value

    def test_run_family_tests_nothing_on_another_metric(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "10", val_f1=[0.1, 0.2]), made(2, "11", seed="1", val_f1=[0.1, 0.3])
        assert run_family(studied(*runs, metric="val_f1"), ()).size == 0
