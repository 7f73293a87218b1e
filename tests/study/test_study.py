from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.study.options import design_of
from tracker.study.study import MOST_LEVELS, contrasts

if TYPE_CHECKING:
    from tests.builders import Grid, MakeRun, MakeStudy, Params


class TestRandomSeed:
    def test_resampling_depends_on_what_runs_have_correct_not_on_their_ids(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        seeds = {
            studied(made(a, "1101", seed="0"), made(b, "1000", seed="1")).random_seed(runs)
            for (a, b), runs in product([(1, 2), (3, 9)], [(0, 1), (1, 0)])
        }
        other = studied(made(1, "1101", seed="0"), made(2, "0001", seed="1")).random_seed([0, 1])
        assert len(seeds) == 1
        assert other not in seeds


class TestContrasts:
    def test_contrasts_pair_runs_of_equal_seed_that_differ_in_one_option(self, grid: Grid) -> None:
        (found,) = contrasts(design_of(grid("37", "0.1", "012")), "kernel_size")
        assert (found.start, found.end) == ("3", "7")
        assert found.pairs == ((0, 3), (1, 4), (2, 5))

    def test_contrasts_take_pairs_from_several_settings_of_the_others(self, grid: Grid) -> None:
        (found,) = contrasts(design_of(grid("37", "0.1 0.01", "0")), "kernel_size")
        assert found.pairs == ((0, 2), (1, 3))

    def test_contrasts_use_no_run_in_two_pairs(self) -> None:
        params = [{"kernel_size": k, "seed": "0", "x": "same"} for k in "3377"]
        (found,) = contrasts(design_of(params), "kernel_size")
        assert found.pairs == ((0, 2), (1, 3))

    def test_contrasts_keep_unmatched_runs_as_repetitions(self) -> None:
        params = [{"kernel_size": "3", "seed": s} for s in "01"] + [{"kernel_size": "7", "seed": s} for s in "23"]
        (found,) = contrasts(design_of(params), "kernel_size")
        assert found.pairs == ()
        assert found.repetitions == (((0, 1), (2, 3)),)

    def test_contrasts_do_not_pair_runs_whose_seed_is_unknown(self) -> None:
        (found,) = contrasts(design_of([{"kernel_size": "3"}, {"kernel_size": "7"}]), "kernel_size")
        assert found.pairs == ()

    def test_contrasts_pair_runs_of_equal_fold_that_logged_no_seed(self) -> None:
        params = [{"cv_fold": fold, "depth": depth} for fold in "012" for depth in "24"]
        (found,) = contrasts(design_of(params), "depth")
        assert found.pairs == ((0, 1), (2, 3), (4, 5))

    @pytest.mark.parametrize("name", ["split_seed", "fold", "validation_fraction"])
    def test_contrasts_do_not_pair_runs_of_another_split(self, name: str) -> None:
        params = [{"kernel_size": "3", "seed": "0", name: "1"}, {"kernel_size": "7", "seed": "0", name: "2"}]
        assert contrasts(design_of(params), "kernel_size") == ()

    def test_contrasts_do_not_pair_runs_on_other_clips(self) -> None:
        params = [{"kernel_size": k, "seed": "0"} for k in "37"]
        assert contrasts(design_of(params, ["some", "others"]), "kernel_size") == ()

    def test_contrasts_are_there_for_every_two_levels(self, grid: Grid) -> None:
        found = contrasts(design_of(grid("357", "0.1", "0")), "kernel_size")
        assert [(c.start, c.end) for c in found] == [("3", "5"), ("3", "7"), ("5", "7")]

    def test_contrasts_of_the_writeup_are_none(self, writeup_params: Params) -> None:
        design = design_of(writeup_params)
        assert all(contrasts(design, option) == () for option in design.options)

    @given(st.permutations(range(12)))
    @settings(derandomize=True, max_examples=30)
    def test_contrasts_are_the_same_pairs_whatever_the_order_of_runs(self, grid: Grid, order: list[int]) -> None:
        params = grid("37", "0.1 0.01", "012")
        (straight,) = contrasts(design_of(params), "kernel_size")
        (shuffled,) = contrasts(design_of([params[i] for i in order]), "kernel_size")
        assert {(order[a], order[b]) for a, b in shuffled.pairs} == set(straight.pairs)

    def test_contrasts_of_thousands_of_runs_are_all_pairs_under_the_same_seed(self) -> None:
        params = [{"kernel_size": str(i % 5), "width": str(i // 5 % 20), "seed": str(i // 100)} for i in range(4000)]
        design = design_of(params)
        found = [contrasts(design, option) for option in design.options]
        assert sum(len(c.pairs) for c in found[0]) == 10 * 800

    def test_contrasts_of_very_many_levels_are_with_the_one_that_most_runs_have(self) -> None:
        widths = [*map(str, range(2_000)), "7"]
        params = [{"width": width, "seed": str(seed)} for seed, width in enumerate(widths)]
        found = contrasts(design_of(params), "width")
        assert len(found) == 1_999
        assert all("7" in (c.start, c.end) for c in found)

    def test_contrasts_of_very_many_levels_find_an_option_that_never_changed_from_the_commonest(self) -> None:
        params = [{"width": str(i), "depth": str(i), "seed": "0"} for i in range(MOST_LEVELS)]
        params += [{"width": w, "depth": "alone", "seed": "0"} for w in ("998", "999")]
        (found,) = contrasts(design_of(params), "width")
        assert (found.start, found.end) == ("998", "999")


class TestContrastsOfNetworks:
    CNN = {"model": "cnn", "dropout": "0.3", "width": "8"}  # noqa: RUF012
    MINE = {"model": "mine", "depth": "2"}  # noqa: RUF012

    def test_networks_are_matched_whatever_options_the_other_lacks(self) -> None:
        params = [of | {"seed": seed} for of in (self.CNN, self.MINE) for seed in "01"]
        (contrast,) = contrasts(design_of(params), "model")
        assert contrast.pairs == ((0, 2), (1, 3))

    def test_networks_are_compared_in_their_most_repeated_configurations(self) -> None:
        deep = self.MINE | {"depth": "3"}
        params = [self.CNN | {"seed": "0"}, self.CNN | {"seed": "1"}, self.MINE | {"seed": "0"}, deep | {"seed": "0"}]
        design = design_of([*params, deep | {"seed": "1"}])
        (contrast,) = contrasts(design, "model")
        assert contrast.pairs == ((0, 3), (1, 4))
        (contrast,) = contrasts(design, "depth")
        assert contrast.pairs == ((2, 3),)

    def test_networks_of_several_equally_repeated_configurations_are_not_compared(self) -> None:
        params = [self.CNN, self.MINE, self.MINE | {"depth": "3"}]
        assert contrasts(design_of([run | {"seed": "0"} for run in params]), "model") == ()

    def test_networks_are_compared_at_equal_levels_of_the_options_that_both_have(self) -> None:
        params = [self.CNN, self.CNN | {"width": "4"}, self.CNN | {"width": "2"}, self.MINE | {"width": "4"}]
        other = {"model": "third"}
        (contrast,) = contrasts(design_of([run | {"seed": "0"} for run in (*params, other)]), "model")[:1]
        assert contrast.pairs == ((1, 3),)
