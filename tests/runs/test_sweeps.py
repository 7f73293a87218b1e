from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.runs import Configuration, Fold, OfNetwork, Plateau, Range, RunPlan
from tracker.runs.sweeps import WRITEUP, RunList, SweepPlan, folds_of, level_of, levels_of, seeds_of, swept_option

if TYPE_CHECKING:
    from collections.abc import Mapping


def options_of_network(name: str, given: Mapping[str, str]) -> OfNetwork:
    """The networks `cnn`, with a dropout, `plain`, without options, and `spectrum`, without kernels and of 64 bands."""
    if name != "cnn" and given:
        raise ValueError(f"the model {name} has no option {next(iter(given))!r}")
    if name == "spectrum":
        return OfNetwork(features=(("n_mels", 64),), kernel_sizes=Range(least=3, most=3), sized_networks=("cnn",))
    return OfNetwork((("dropout", float(given.get("dropout", 0.3))),) if name == "cnn" else ())


class TestLevels:
    @pytest.mark.parametrize(
        ("name", "given", "levels"),
        [
            ("kernel_size", "3,5, 7", (3, 5, 7)),
            ("kernel_size", 3, (3,)),
            ("kernel_size", range(3, 8, 2), (3, 5, 7)),
            ("learning_rate", [1e-3, "1e-4"], (1e-3, 1e-4)),
            ("plateau", "off,0.3,10,0.5,15", (None, Plateau(0.3, 10), Plateau(0.5, 15))),
            ("plateau", (0.3, 10), (Plateau(0.3, 10),)),
            ("plateau", [None, (0.3, 10)], (None, Plateau(0.3, 10))),
            ("fold", "1/5,2/5", (Fold(1, 5), Fold(2, 5))),
            ("model", "cnn,plain", ("cnn", "plain")),
            ("dropout", [0.1, 0.2], (0.1, 0.2)),
        ],
    )
    def test_levels_are_read_from_words_lists_and_single_values(
        self, name: str, given: object, levels: tuple[object, ...]
    ) -> None:
        assert levels_of(name, given) == levels

    @pytest.mark.parametrize(
        ("name", "given", "message"),
        [
            ("kernel_size", [], "the kernel size must have at least one level, got none"),
            ("kernel_size", "3,3", "each level of the kernel size must be given once, got 3 twice"),
            ("plateau", "off,off", "each level of the plateau must be given once, got off twice"),
            ("kernel_size", "3,,5", "a level is empty in '3,,5'"),
            ("kernel_size", "3,x", "the kernel size must be a whole number, got 'x'"),
            ("kernel_size", "off", "the kernel size cannot be off"),
            ("kernel_size", "0", "the kernel size must be 1 to 255, got 0"),
            ("plateau", "off,0.3", "expected FACTOR,PATIENCE, for example 0.3,10, got '0.3'"),
            ("dropout", [[1]], "option dropout must be a number, a text or a truth value, got [1]"),
        ],
    )
    def test_bad_levels_are_refused_with_what_is_wrong(self, name: str, given: object, message: str) -> None:
        with pytest.raises(ValueError) as error:
            levels_of(name, given)
        assert str(error.value) == message

    def test_an_option_is_known_by_all_its_names(self) -> None:
        assert {swept_option(name) for name in ("lr", "--lr", "learning_rate")} == {"learning_rate"}
        assert swept_option("depth") == "depth"
        with pytest.raises(ValueError, match="seed is no option of a configuration"):
            swept_option("seed")


class TestRepetitions:
    def test_seeds_are_so_many_or_a_list(self) -> None:
        assert seeds_of(3) == (0, 1, 2)
        assert seeds_of(2, first=5) == (5, 6)
        assert seeds_of([3, 1]) == (3, 1)

    @pytest.mark.parametrize("given", [0, 10_001, True, "3", [], [1, 1], [-1], 1.5])
    def test_what_is_no_number_of_seeds_is_refused(self, given: object) -> None:
        with pytest.raises(ValueError, match="seed"):
            seeds_of(given)

    def test_the_last_seed_must_be_one(self) -> None:
        with pytest.raises(ValueError, match="the last of 2 seeds that start at 4294967295"):
            seeds_of(2, first=2**32 - 1)

    def test_a_cross_validation_has_at_least_two_folds(self) -> None:
        assert folds_of(None) is None
        with pytest.raises(ValueError, match="the number of folds must be 2 to"):
            folds_of(1)


class TestRunList:
    def test_runs_listed_twice_are_trained_once(self) -> None:
        plan = RunPlan(Configuration(), 1)
        listed = RunList((plan, RunPlan(Configuration(), 2), RunPlan(Configuration(kernel_size=7)), plan))
        assert [run.seed for run in listed.runs(options_of_network)] == [1, 2, 0]


class TestPlan:
    def test_a_grid_is_every_combination_under_every_seed_and_fold(self) -> None:
        grid = {"kernel_size": (3, 5), "dropout": (0.1, 0.2)}
        plan = SweepPlan(grid=grid, seeds=(0, 1), folds=2)
        runs = plan.runs(options_of_network)
        assert len(runs) == len({tuple(run.params().items()) for run in runs}) == 16
        assert plan.repetitions == 4
        assert plan.varied == ("kernel_size", "dropout")
        assert {str(run.split.fold) for run in runs} == {"1/2", "2/2"}

    def test_all_configurations_come_under_one_seed_before_the_next(self) -> None:
        runs = SweepPlan(grid={"kernel_size": (3, 5)}, seeds=(4, 9)).runs(options_of_network)
        assert [(run.seed, run.configuration.kernel_size) for run in runs] == [(4, 3), (4, 5), (9, 3), (9, 5)]

    def test_the_writeup_has_four_configurations(self) -> None:
        plan = SweepPlan(WRITEUP, {"epochs": (5,)}, seeds=(0, 1, 2))
        assert len(plan.runs(options_of_network)) == 12
        assert plan.varied == ("kernel_size", "learning_rate", "plateau", "early_stopping_patience")

    def test_based_on_values_sets_what_the_plan_leaves_open(self) -> None:
        plan = SweepPlan(({"epochs": 3}, {}), {"kernel_size": (3, 5)}).based_on({"epochs": 9, "kernel_size": 7})
        runs = plan.runs(options_of_network)
        assert [(run.configuration.epochs, run.configuration.kernel_size) for run in runs] == [
            (3, 3), (3, 5), (9, 3), (9, 5),
        ]  # fmt: skip

    def test_splits_repeat_a_configuration(self) -> None:
        assert SweepPlan(grid={"split_seed": (0, 1, 2)}, seeds=(0, 1)).repetitions == 6

    def test_a_setting_of_one_of_several_features_is_left_out_of_the_others(self) -> None:
        grid = {"features": ("logmel", "mfcc"), "n_mfcc": (13, 40)}
        runs = SweepPlan(grid=grid, seeds=(0, 1)).runs(options_of_network)
        assert [(run.spectrogram.features, run.spectrogram.n_mfcc) for run in runs[:3]] == [
            ("logmel", 20), ("mfcc", 13), ("mfcc", 40),
        ]  # fmt: skip
        assert len(runs) == 6
        with pytest.raises(ValueError, match="--n-mfcc 13 changes nothing with --features logmel"):
            SweepPlan(grid={**grid, "features": ("logmel",)}).runs(options_of_network)
        with pytest.raises(ValueError, match="--n-mfcc 13 changes nothing with --features logmel"):
            SweepPlan(grid={**grid, "features": ("logmel", "cqt")}).runs(options_of_network)

    def test_an_option_of_one_of_several_networks_is_left_out_of_the_others(self) -> None:
        grid = {"model": ("cnn", "plain", "spectrum"), "kernel_size": (3, 5), "dropout": (0.1, 0.2), "n_mels": (32, 64)}
        runs = SweepPlan(grid=grid, seeds=(0, 1)).runs(options_of_network)
        models = [(run.configuration.model, run.configuration.kernel_size, run.spectrogram.n_mels) for run in runs[:13]]
        assert models[8:] == [("plain", 3, 32), ("plain", 3, 64), ("plain", 5, 32), ("plain", 5, 64),
                              ("spectrum", None, 64)]  # fmt: skip
        assert [model for model, _, _ in models[:8]] == ["cnn"] * 8
        assert len(runs) == 26
        with pytest.raises(ValueError, match="the model spectrum takes no --kernel, got 5"):
            SweepPlan(grid={"model": ("spectrum",), "kernel_size": (3, 5)}).runs(options_of_network)

    @pytest.mark.parametrize(
        ("plan", "message"),
        [
            (
                {"configurations": ({"kernel_size": 3}, {"kernel_size": 3, "epochs": 60})},
                "a configuration is given twice",
            ),
            (
                {"configurations": WRITEUP, "grid": {"kernel_size": (3,)}},
                "the kernel size is set by",
            ),
            ({"grid": {"fold": (Fold(1, 2),)}, "folds": 2}, "give the number of folds or the fold, not both"),
            ({"grid": {"model": ("plain", "spectrum"), "dropout": (0.1,)}}, "the model plain has no option 'dropout'"),
            ({"grid": {"model": ("cnn", "plain"), "depth": (1,)}}, "the model plain has no option 'depth'"),
            ({"grid": {"kernel_size": tuple(range(1, 201)), "epochs": tuple(range(1, 101))}}, "at most 10,000 runs"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, plan: dict[str, object], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            SweepPlan(**plan).runs(options_of_network)  # type: ignore[arg-type]

    def test_off_is_a_level_where_an_option_can_be_off(self) -> None:
        assert level_of("plateau", "off") is level_of("plateau", None) is None
