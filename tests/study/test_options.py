from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.runs import OFF, Configuration, RunPlan
from tracker.study.options import MOST_ALIASES, NOT_APPLICABLE, as_whole, design_of, level_order, level_text, terms_of

if TYPE_CHECKING:
    from tests.builders import Grid, Params


class TestLevelText:
    def test_level_text_of_a_dictionary_does_not_depend_on_the_order_of_its_keys(self) -> None:
        assert level_text("{'b': 2, 'a': [1]}") == level_text("{'a': [1], 'b': 2}") == "{'a': [1], 'b': 2}"
        for other in ("{2, 1}", "{'a': (1, 2)}", "{'b': 1, 2: 3}", "{lr}", "{'b': {'d': 1}, 'a': 2}"):
            assert level_text(other) == other

    @pytest.mark.parametrize("text", ["0.0001", "1e-4", " 1E-04 ", "0.00010"])
    def test_level_text_of_equal_numbers_is_equal(self, text: str) -> None:
        assert level_text(text) == "0.0001"

    @pytest.mark.parametrize("text", ["0.009999999776482582", "9.999999776482582e-03", "0.01"])
    def test_level_text_of_a_float32_is_the_number_that_it_stands_for(self, text: str) -> None:
        assert level_text(text) == "0.01"

    def test_level_text_of_a_number_that_is_no_float32_keeps_its_digits(self) -> None:
        assert level_text("0.36999999999999994") == "0.36999999999999994"

    @pytest.mark.parametrize("text", ["", "None", "null", "off"])
    def test_level_text_of_what_is_not_set_is_off(self, text: str) -> None:
        assert level_text(text) == OFF

    def test_level_text_of_a_whole_number_has_no_point(self) -> None:
        assert level_text("3.0") == "3"

    def test_level_text_of_truth_values_ignores_case(self) -> None:
        assert level_text("True") == level_text("true") == "true"

    @pytest.mark.parametrize("text", ["nan", "inf", "relu", "1e-5 to 1e-3"])
    def test_level_text_of_other_text_is_the_text(self, text: str) -> None:
        assert level_text(text) == text

    def test_level_text_of_huge_and_tiny_numbers_stays_short(self) -> None:
        assert len(level_text("1e300")) < 10
        assert len(level_text("1e-300")) < 10

    @given(st.floats(allow_nan=False, allow_infinity=False))
    @settings(derandomize=True)
    def test_level_text_reads_back_to_the_same_number(self, number: float) -> None:
        assert float(level_text(repr(number))) == number


class TestLevelOrder:
    def test_level_order_puts_off_first_then_numbers_then_text(self) -> None:
        assert sorted(["relu", "10", "9", OFF], key=level_order) == [OFF, "9", "10", "relu"]

    def test_level_order_puts_plateaus_by_factor_then_patience(self) -> None:
        assert sorted(["0.5x5", "0.3x10", "0.3x5"], key=level_order) == ["0.3x5", "0.3x10", "0.5x5"]


class TestTermsOf:
    def test_terms_of_joins_a_plateaus_factor_and_patience(self, writeup_params: Params) -> None:
        assert dict(terms_of(writeup_params[0]).levels)["plateau"] == "0.3x10"

    def test_terms_of_leaves_out_what_is_off(self) -> None:
        assert terms_of({"dropout": "None"}).levels == ()

    @pytest.mark.parametrize(
        "name", ["seed", "random_state", "data_seed", "trainer/seed", "seed_everything", "clf__random_state"]
    )
    def test_terms_of_takes_seeds_for_repetitions(self, name: str) -> None:
        terms = terms_of({name: "3"})
        assert terms.seed == ((name, "3"),)
        assert terms.levels == ()

    def test_terms_of_takes_a_seed_that_is_off_for_none(self) -> None:
        assert terms_of({"random_state": "None"}).seed == ()

    def test_terms_of_leaves_out_where_a_run_was_put(self) -> None:
        assert terms_of({"output_dir": "results/3", "run_name": "third", "logging_dir": "runs/Nov22"}).levels == ()

    def test_terms_of_takes_optimizers_that_keras_numbers_for_one(self) -> None:
        assert terms_of({"opt_name": "adam_3"}) == terms_of({"opt_name": "adam"})

    @pytest.mark.parametrize("name", ["split_seed", "fold", "validation_fraction", "test_fraction"])
    def test_terms_of_takes_the_split_for_a_condition(self, name: str) -> None:
        assert terms_of({name: "1"}).split == ((name, "1"),)

    def test_terms_of_leaves_out_what_was_measured(self) -> None:
        assert terms_of({"version": "0.1.0", "host": "a", "pid": "12"}).levels == ()


class TestSplitParts:
    def test_split_parts_are_those_that_vary(self) -> None:
        design = design_of([{"fold": f"{k}/3", "split_seed": "0"} for k in (1, 2)])
        assert design.split_parts == ("fold",)
        assert [design.split_level(run, "fold") for run in (0, 1)] == ["1/3", "2/3"]


class TestDesignOf:
    def test_design_of_finds_only_what_varies(self) -> None:
        design = design_of([{"kernel_size": "3", "sr": "22050"}, {"kernel_size": "5", "sr": "22050"}])
        assert design.options == ("kernel_size",)

    def test_orders_options_as_people_name_them(self, writeup_params: Params) -> None:
        assert design_of(writeup_params).options == (
            "kernel_size",
            "learning_rate",
            "plateau",
            "early_stopping_patience",
        )

    def test_design_of_takes_absence_for_off(self, writeup_params: Params) -> None:
        assert design_of(writeup_params).levels["early_stopping_patience"] == (OFF, "10", "15", "20")

    def test_design_of_takes_absence_for_the_default_of_an_implied_option_in_runs_of_tracker_alone(self) -> None:
        ours = RunPlan(Configuration()).params()
        design = design_of([ours, ours | {"keras_backend": "jax"}, {"epochs": "9"}])
        assert design.levels["keras_backend"] == (OFF, "jax", "tensorflow")
        assert [design.level(run, "keras_backend") for run in range(3)] == ["tensorflow", "jax", OFF]
        assert dict(design.terms[0].levels)["keras_backend"] == "tensorflow"
        assert "keras_backend" not in dict(design_of([ours]).terms[0].levels)

    def test_design_of_takes_an_option_of_training_for_off_in_runs_of_tracker_whatever_their_network(self) -> None:
        params = [RunPlan(Configuration(model=model)).params() for model in ("cnn", "mine")]
        params[0] |= {"weight_decay": "0.01"}
        assert [design_of(params).level(run, "weight_decay") for run in range(2)] == ["0.01", OFF]
        others = [{"model": "a", "weight_decay": "0.01"}, {"model": "a", "weight_decay": "0.1"}, {"model": "b"}]
        assert [design_of(others).level(run, "weight_decay") for run in range(3)] == ["0.01", "0.1", NOT_APPLICABLE]

    def test_design_of_has_no_kernel_size_of_a_network_without_kernels(self) -> None:
        params = [RunPlan(Configuration("linear", None)).params(), RunPlan(Configuration("cnn", 7)).params()]
        design = design_of([*params, RunPlan(Configuration("cnn", 3)).params()])
        assert [design.level(run, "kernel_size") for run in range(3)] == [NOT_APPLICABLE, "7", "3"]
        assert design.differing(0, 1) == ("model",)

    def test_design_of_takes_the_default_kernel_size_that_such_a_network_once_logged_for_none(self) -> None:
        now, other = RunPlan(Configuration("linear", None)).params(), RunPlan(Configuration("cnn", 7)).params()
        design = design_of([now, now | {"kernel_size": "3"}, other, other | {"kernel_size": "3"}])
        assert design.configurations == ((0, 1), (2,), (3,))
        assert design.level(1, "kernel_size") == NOT_APPLICABLE
        changed = design_of([now, now | {"kernel_size": "3"}, now | {"kernel_size": "5"}])
        assert len(changed.configurations) == 3

    def test_design_of_takes_numbers_that_parse_equal_for_one_level(self, writeup_params: Params) -> None:
        assert design_of(writeup_params).levels["learning_rate"] == ("0.0001", "0.001")

    def test_design_of_takes_an_optimizers_own_params_for_part_of_it(self) -> None:
        adam = {"opt_name": "adam", "opt_beta_1": "0.9", "opt_learning_rate": "0.001"}
        sgd = {"opt_name": "sgd", "opt_momentum": "0.0", "opt_learning_rate": "0.01"}
        assert design_of([adam, sgd]).options == ("opt_learning_rate", "opt_name")

    def test_design_of_keeps_an_optimizers_param_that_was_varied(self) -> None:
        sgd = {"opt_name": "sgd", "opt_momentum": "0.0"}
        runs = [{"opt_name": "adam"}, sgd, sgd | {"opt_momentum": "0.9"}]
        assert design_of(runs).options == ("opt_momentum", "opt_name")

    def test_design_of_takes_an_estimators_own_params_for_part_of_it(self) -> None:
        linear = {"estimator_name": "LogisticRegression", "max_iter": "100", "solver": "lbfgs"}
        support = {"estimator_name": "SVC", "max_iter": "-1", "kernel": "rbf"}
        assert design_of([linear, support]).options == ("estimator_name",)
        assert design_of([linear, linear | {"max_iter": "200"}, support]).options == ("estimator_name", "max_iter")

    def test_design_of_of_no_runs_has_no_options(self) -> None:
        assert design_of([]).options == ()

    def test_design_of_says_in_what_two_runs_differ(self, writeup_params: Params) -> None:
        assert design_of(writeup_params).differing(0, 1) == ("plateau", "early_stopping_patience")

    def test_design_of_joins_the_seeds_of_a_configuration(self, grid: Grid) -> None:
        assert design_of(grid("37", "0.1", "01")).configurations == ((0, 1), (2, 3))


class TestAliases:
    def test_aliases_of_the_writeups_kernel_are_all_that_changed_with_it(self, writeup_params: Params) -> None:
        assert design_of(writeup_params).aliases("kernel_size") == (
            "learning_rate",
            "plateau",
            "early_stopping_patience",
        )

    def test_aliases_are_only_those_that_cannot_be_told_apart(self) -> None:
        params = [
            {"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "2", "c": "1"},
            {"a": "1", "b": "1", "c": "2"}, {"a": "2", "b": "2", "c": "2"},
        ]  # fmt: skip
        assert design_of(params).aliases("a") == ("b",)

    def test_aliases_are_all_others_where_only_sums_of_effects_could_tell(self) -> None:
        params = [
            {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "c": "2"},
            {"a": "2", "b": "1", "c": "2"}, {"a": "2", "b": "2", "c": "1"},
        ]  # fmt: skip
        assert design_of(params).aliases("a") == ("b", "c")

    def test_aliases_of_a_search_over_a_thousand_values_are_all_that_changed(self) -> None:
        params = [{"a": str(i * 0.37 % 1), "b": str(i * 0.71 % 1), "c": str(i % 7)} for i in range(1000)]
        assert design_of(params).aliases("a") == ("b", "c")

    def test_aliases_of_thousands_of_params_are_the_first_hundred(self) -> None:
        names = [f"option{i:04}" for i in range(3_000)]
        design = design_of([dict.fromkeys(names, level) for level in "12"])
        assert design.aliases("option0002") == ("option0000", "option0001", *names[3 : MOST_ALIASES + 1])
        assert design.aliases("option2999") == tuple(names[:MOST_ALIASES])


class TestAsWhole:
    @pytest.mark.parametrize("text", ["off", "1.5", "-1", "inf", "nan", "", "x", "1e10", "9" * 400, "9" * 5_000])
    def test_as_whole_of_what_counts_nothing_is_none(self, text: str) -> None:
        assert as_whole(text) is None

    @pytest.mark.parametrize(("text", "number"), [("0", 0), ("12", 12), ("3.0", 3), ("1e9", 10**9), (7.0, 7)])
    def test_as_whole_takes_a_number_however_it_is_written(self, text: str | float, number: int) -> None:
        assert as_whole(text) == number


class TestOptionsOfNetworks:
    CNN: ClassVar = {"model": "cnn", "dropout": "0.3", "width": "8"}
    MINE: ClassVar = {"model": "mine", "depth": "2"}

    def test_options_that_another_network_lacks_do_not_vary_with_it(self) -> None:
        assert design_of([self.CNN, self.MINE]).options == ("model",)

    def test_an_option_varies_among_the_runs_of_networks_that_have_it(self) -> None:
        design = design_of([self.CNN, self.CNN | {"dropout": "0.5"}, self.MINE])
        assert design.options == ("model", "dropout")
        assert design.levels["dropout"] == ("0.3", "0.5")
        assert [design.level(run, "dropout") for run in range(3)] == ["0.3", "0.5", NOT_APPLICABLE]
        assert [design.differing(0, other) for other in (1, 2)] == [("dropout",), ("model",)]

    def test_an_option_that_two_networks_have_varies_between_them(self) -> None:
        assert design_of([self.CNN, self.MINE | {"width": "4"}]).options == ("model", "width")

    def test_an_option_that_a_run_of_the_same_network_lacks_is_off(self) -> None:
        design = design_of([self.MINE, {"model": "mine"}, self.CNN])
        assert design.levels["depth"] == (OFF, "2")

    def test_an_option_that_a_run_without_a_network_lacks_is_off(self) -> None:
        assert design_of([self.MINE, {}]).levels["depth"] == (OFF, "2")

    def test_an_option_is_not_aliased_with_those_of_another_network(self) -> None:
        runs = [self.CNN, self.CNN | {"dropout": "0.5"}, self.MINE, self.MINE | {"depth": "3", "lr": "0.1"}]
        assert design_of(runs).aliases("depth") == ("lr",)
