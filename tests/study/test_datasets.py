from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.builders import make_run, make_study
from tracker.runs import UsedDataset
from tracker.study.datasets import complete_block
from tracker.study.metrics import primary_metric
from tracker.study.param_roles import NamedParams, param_roles
from tracker.study.study import study_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracker.runs import Run

NO_TAGS = {"tracker.dataset": "", "tracker.split": ""}


def by_param(name: str = "dataset", sets: str = "ab", **more: Callable[[str, str], str]) -> list[Run]:
    """A run of kernels 3 and 5 on each data set, named by a param."""
    return [
        make_run(
            number,
            params={"kernel_size": kernel, name: data} | {param: of(kernel, data) for param, of in more.items()},
            tags=NO_TAGS,
            metrics={"val_accuracy": 0.5 + number / 100},
        )
        for number, (data, kernel) in enumerate(product(sets, "35"), 1)
    ]


def by_tags(tags: Mapping[str, Mapping[str, str]]) -> list[Run]:
    return [
        make_run(number, "1101", {"kernel_size": kernel}, prefix=name, tags={"tracker.split": name} | tags[name])
        for number, (name, kernel) in enumerate(product(tags, "35"), 1)
    ]


def numbered(number: int, kernel: str) -> Run:
    return make_run(number, "1101", {"kernel_size": kernel}, prefix="sample ", tags=NO_TAGS)


def names_of(*runs: Run) -> tuple[str, ...]:
    found = make_study(*runs).data
    return tuple(data.name for data in found.sets) if found else ()


class TestDataSets:
    @pytest.mark.parametrize("name", ["dataset", "Dataset", "data_set", "task", "corpus", "data", "dataset_name"])
    def test_a_param_that_crosses_the_options_says_the_data_set(self, name: str) -> None:
        study = make_study(*by_param(name))
        assert [data.runs for data in study.data.sets] == [(0, 1), (2, 3)]
        assert study.design.options == ("kernel_size",)

    @pytest.mark.parametrize(("name", "options"), [("dataset", ()), ("data", ("data",))])
    def test_a_param_that_crosses_nothing_is_an_option_unless_its_name_is_sure(
        self, name: str, options: tuple[str, ...]
    ) -> None:
        study = make_study(*(run for run in by_param(name) if run.params["kernel_size"] == "3"))
        assert (study.data is None, study.design.options) == (bool(options), options)

    def test_options_that_change_with_the_data_set_stay_options_if_no_configuration_is_on_two(self) -> None:
        first, *_, last = by_param()
        study = make_study(first, last)
        assert (study.data is not None, study.design.options) == (True, ("kernel_size",))

    def test_a_param_is_an_option_if_runs_at_its_levels_share_their_clips(self) -> None:
        runs = [
            make_run(n, "1101", {"kernel_size": k, "data": d}) for n, (k, d) in enumerate(product("35", ("raw", "aug")))
        ]
        study = make_study(*runs)
        assert (study.data, study.design.options) == (None, ("kernel_size", "data"))

    @pytest.mark.parametrize(("name", "is_data_set"), [("dataset", True), ("data", False)])
    def test_samples_of_equal_numbers_may_be_of_several_data_sets(self, name: str, is_data_set: bool) -> None:
        runs = [
            replace(run, params=run.params | {name: data})
            for run, data in zip((numbered(n, k) for n, k in enumerate("3535", 1)), "aabb", strict=True)
        ]
        study = make_study(*runs)
        assert (study.data is not None) == is_data_set
        assert len(study.clip_sets) == (2 if is_data_set else 1)

    def test_a_param_is_an_option_if_the_reader_says_so(self) -> None:
        runs = by_param()
        roles = param_roles([run.settings for run in runs], NamedParams(option_params=("dataset",)))
        study = study_of(runs, primary_metric(runs, None), alpha=0.05, margin=0.05, roles=roles)
        assert (study.data, study.design.options) == (None, ("kernel_size", "dataset"))

    def test_what_has_one_value_on_each_data_set_is_no_option(self) -> None:
        study = make_study(*by_param(classes=lambda _, data: {"a": "10", "b": "50"}[data]))
        assert (study.design.options, study.data.params) == (("kernel_size",), {"dataset", "classes"})
        assert len(study.design.configurations) == 2

    def test_tags_say_the_data_set_under_the_last_part_of_its_path(self) -> None:
        tags = {
            "1": {"tracker.dataset": "f1", "tracker.data": "/data/esc50"},
            "2": {"tracker.dataset": "f2", "tracker.data": "gtzan/"},
        }
        assert names_of(*by_tags(tags)) == ("esc50", "gtzan")

    def test_data_that_changed_under_one_name_is_no_other_data_set(self) -> None:
        same = {"tracker.data": "clips"}
        assert names_of(*by_tags({"1": {"tracker.dataset": "f1"} | same, "2": {"tracker.dataset": "f2"} | same})) == ()

    def test_logged_datasets_say_it_unless_each_is_a_fold(self) -> None:
        runs = by_param("ignored_by_name")
        logged = [
            replace(
                run,
                params={"kernel_size": run.params["kernel_size"]},
                datasets=(UsedDataset(f"set {run.params['ignored_by_name']}", run.params["ignored_by_name"], "eval"),),
            )
            for run in runs
        ]
        assert names_of(*logged) == ("set a", "set b")
        folds = [replace(run, params=run.params | {"fold": run.datasets[0].digest}) for run in logged]
        assert names_of(*folds) == ()

    def test_parts_keep_the_numbers_of_runs_and_share_the_level(self) -> None:
        study = make_study(*by_param(sets="abcde"))
        part = study.parts[1]
        assert (part.data_set, [result.number for result in part.results]) == ("b", [3, 4])
        assert part.alpha == pytest.approx(0.01)

    def test_runs_of_unlogged_clips_are_ranked_by_data_set(self) -> None:
        assert make_study(*by_param()).rankable_groups == ((0, 1), (2, 3))


class TestCompleteBlock:
    def test_every_configuration_is_kept_if_each_has_all_data_sets(self) -> None:
        assert complete_block({0: frozenset("ab"), 1: frozenset("ab")}) == ((0, 1), ("a", "b"))

    def test_a_data_set_that_one_lacks_is_left_out_if_two_remain_only_so(self) -> None:
        whole, names = complete_block({0: frozenset("abc"), 1: frozenset("ab"), 2: frozenset("ab")})
        assert (whole, sorted(names)) == ((0, 1, 2), ["a", "b"])

    def test_a_configuration_that_lacks_a_data_set_is_left_out(self) -> None:
        whole, names = complete_block({0: frozenset("abc"), 1: frozenset("abc"), 2: frozenset("a")})
        assert (whole, sorted(names)) == ((0, 1), ["a", "b", "c"])

    def test_there_is_none_with_a_single_data_set_in_common(self) -> None:
        assert complete_block({0: frozenset("ab"), 1: frozenset("bc")}) == ((), ())
