from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.design import OFF, aliases, contrasts, design_of, level_order, level_text, terms_of

WRITEUP = (
    {"kernel_size": "7", "learning_rate": "0.0001", "plateau_factor": "0.3", "plateau_patience": "10",
     "early_stopping_patience": "15", "seed": "0"},
    {"kernel_size": "7", "learning_rate": "1e-4", "seed": "0"},
    {"kernel_size": "3", "learning_rate": "0.001", "plateau_factor": "0.5", "plateau_patience": "15",
     "early_stopping_patience": "20", "seed": "0"},
    {"kernel_size": "5", "learning_rate": "0.0001", "plateau_factor": "0.1", "plateau_patience": "5",
     "early_stopping_patience": "10", "seed": "0"},
)  # fmt: skip


def grid(kernels: str, rates: str, seeds: str) -> list[dict[str, str]]:
    return [{"kernel_size": k, "learning_rate": r, "seed": s} for k in kernels for r in rates.split() for s in seeds]


class TestLevelText:
    @pytest.mark.parametrize("text", ["0.0001", "1e-4", " 1E-04 ", "0.00010"])
    def test_of_equal_numbers_is_equal(self, text: str) -> None:
        assert level_text(text) == "0.0001"

    @pytest.mark.parametrize("text", ["0.009999999776482582", "9.999999776482582e-03", "0.01"])
    def test_of_a_float32_is_the_number_that_it_stands_for(self, text: str) -> None:
        assert level_text(text) == "0.01"

    def test_of_a_number_that_is_no_float32_keeps_its_digits(self) -> None:
        assert level_text("0.36999999999999994") == "0.36999999999999994"

    @pytest.mark.parametrize("text", ["", "None", "null", "off"])
    def test_of_what_is_not_set_is_off(self, text: str) -> None:
        assert level_text(text) == OFF

    def test_of_a_whole_number_has_no_point(self) -> None:
        assert level_text("3.0") == "3"

    def test_of_truth_values_ignores_case(self) -> None:
        assert level_text("True") == level_text("true") == "true"

    @pytest.mark.parametrize("text", ["nan", "inf", "relu", "1e-5 to 1e-3"])
    def test_of_other_text_is_the_text(self, text: str) -> None:
        assert level_text(text) == text

    def test_of_huge_and_tiny_numbers_stays_short(self) -> None:
        assert len(level_text("1e300")) < 10
        assert len(level_text("1e-300")) < 10

    @given(st.floats(allow_nan=False, allow_infinity=False))
    @settings(derandomize=True)
    def test_reads_back_to_the_same_number(self, number: float) -> None:
        assert float(level_text(repr(number))) == number


class TestLevelOrder:
    def test_puts_off_first_then_numbers_then_text(self) -> None:
        assert sorted(["relu", "10", "9", OFF], key=level_order) == [OFF, "9", "10", "relu"]

    def test_puts_plateaus_by_factor_then_patience(self) -> None:
        assert sorted(["0.5x5", "0.3x10", "0.3x5"], key=level_order) == ["0.3x5", "0.3x10", "0.5x5"]


class TestTermsOf:
    def test_joins_a_plateaus_factor_and_patience(self) -> None:
        assert dict(terms_of(WRITEUP[0]).levels)["plateau"] == "0.3x10"

    def test_leaves_out_what_is_off(self) -> None:
        assert terms_of({"dropout": "None"}).levels == ()

    @pytest.mark.parametrize(
        "name", ["seed", "random_state", "data_seed", "trainer/seed", "seed_everything", "clf__random_state"]
    )
    def test_takes_seeds_for_repetitions(self, name: str) -> None:
        terms = terms_of({name: "3"})
        assert terms.seed == ((name, "3"),)
        assert terms.levels == ()

    def test_takes_a_seed_that_is_off_for_none(self) -> None:
        assert terms_of({"random_state": "None"}).seed == ()

    def test_leaves_out_where_a_run_was_put(self) -> None:
        assert terms_of({"output_dir": "results/3", "run_name": "third", "logging_dir": "runs/Nov22"}).levels == ()

    def test_takes_optimizers_that_keras_numbers_for_one(self) -> None:
        assert terms_of({"opt_name": "adam_3"}) == terms_of({"opt_name": "adam"})

    @pytest.mark.parametrize("name", ["split_seed", "fold", "validation_fraction", "test_fraction"])
    def test_takes_the_split_for_a_condition(self, name: str) -> None:
        assert terms_of({name: "1"}).split == ((name, "1"),)

    def test_leaves_out_what_was_measured(self) -> None:
        assert terms_of({"version": "0.1.0", "host": "a", "pid": "12"}).levels == ()


class TestDesignOf:
    def test_finds_only_what_varies(self) -> None:
        design = design_of([{"kernel_size": "3", "sr": "22050"}, {"kernel_size": "5", "sr": "22050"}])
        assert design.options == ("kernel_size",)

    def test_orders_options_as_people_name_them(self) -> None:
        assert design_of(WRITEUP).options == ("kernel_size", "learning_rate", "plateau", "early_stopping_patience")

    def test_takes_absence_for_off(self) -> None:
        assert design_of(WRITEUP).levels["early_stopping_patience"] == (OFF, "10", "15", "20")

    def test_takes_numbers_that_parse_equal_for_one_level(self) -> None:
        assert design_of(WRITEUP).levels["learning_rate"] == ("0.0001", "0.001")

    def test_takes_an_optimizers_own_params_for_part_of_it(self) -> None:
        adam = {"opt_name": "adam", "opt_beta_1": "0.9", "opt_learning_rate": "0.001"}
        sgd = {"opt_name": "sgd", "opt_momentum": "0.0", "opt_learning_rate": "0.01"}
        assert design_of([adam, sgd]).options == ("opt_learning_rate", "opt_name")

    def test_keeps_an_optimizers_param_that_was_varied(self) -> None:
        sgd = {"opt_name": "sgd", "opt_momentum": "0.0"}
        runs = [{"opt_name": "adam"}, sgd, sgd | {"opt_momentum": "0.9"}]
        assert design_of(runs).options == ("opt_momentum", "opt_name")

    def test_takes_an_estimators_own_params_for_part_of_it(self) -> None:
        linear = {"estimator_name": "LogisticRegression", "max_iter": "100", "solver": "lbfgs"}
        support = {"estimator_name": "SVC", "max_iter": "-1", "kernel": "rbf"}
        assert design_of([linear, support]).options == ("estimator_name",)
        assert design_of([linear, linear | {"max_iter": "200"}, support]).options == ("estimator_name", "max_iter")

    def test_of_no_runs_has_no_options(self) -> None:
        assert design_of([]).options == ()

    def test_says_in_what_two_runs_differ(self) -> None:
        assert design_of(WRITEUP).differing(0, 1) == ("plateau", "early_stopping_patience")

    def test_joins_the_seeds_of_a_configuration(self) -> None:
        assert design_of(grid("37", "0.1", "01")).configurations == ((0, 1), (2, 3))


class TestContrasts:
    def test_pair_runs_of_equal_seed_that_differ_in_one_option(self) -> None:
        (found,) = contrasts(design_of(grid("37", "0.1", "012")), "kernel_size")
        assert (found.start, found.end) == ("3", "7")
        assert found.pairs == ((0, 3), (1, 4), (2, 5))

    def test_take_pairs_from_several_settings_of_the_others(self) -> None:
        (found,) = contrasts(design_of(grid("37", "0.1 0.01", "0")), "kernel_size")
        assert found.pairs == ((0, 2), (1, 3))

    def test_use_no_run_in_two_pairs(self) -> None:
        params = [{"kernel_size": k, "seed": "0", "x": "same"} for k in "3377"]
        (found,) = contrasts(design_of(params), "kernel_size")
        assert found.pairs == ((0, 2), (1, 3))

    def test_keep_unmatched_runs_as_repetitions(self) -> None:
        params = [{"kernel_size": "3", "seed": s} for s in "01"] + [{"kernel_size": "7", "seed": s} for s in "23"]
        (found,) = contrasts(design_of(params), "kernel_size")
        assert found.pairs == ()
        assert found.repetitions == (((0, 1), (2, 3)),)

    def test_do_not_pair_runs_whose_seed_is_unknown(self) -> None:
        (found,) = contrasts(design_of([{"kernel_size": "3"}, {"kernel_size": "7"}]), "kernel_size")
        assert found.pairs == ()

    def test_takes_a_seed_that_is_off_for_none(self) -> None:
        assert terms_of({"random_state": "None"}).seed == ()

    def test_leaves_out_where_a_run_was_put(self) -> None:
        assert terms_of({"output_dir": "results/3", "run_name": "third", "logging_dir": "runs/Nov22"}).levels == ()

    def test_takes_optimizers_that_keras_numbers_for_one(self) -> None:
        assert terms_of({"opt_name": "adam_3"}) == terms_of({"opt_name": "adam"})

    @pytest.mark.parametrize("name", ["split_seed", "fold", "validation_fraction"])
    def test_do_not_pair_runs_of_another_split(self, name: str) -> None:
        params = [{"kernel_size": "3", "seed": "0", name: "1"}, {"kernel_size": "7", "seed": "0", name: "2"}]
        assert contrasts(design_of(params), "kernel_size") == ()

    def test_do_not_pair_runs_on_other_clips(self) -> None:
        params = [{"kernel_size": k, "seed": "0"} for k in "37"]
        assert contrasts(design_of(params, ["some", "others"]), "kernel_size") == ()

    def test_are_there_for_every_two_levels(self) -> None:
        found = contrasts(design_of(grid("357", "0.1", "0")), "kernel_size")
        assert [(c.start, c.end) for c in found] == [("3", "5"), ("3", "7"), ("5", "7")]

    def test_of_the_writeup_are_none(self) -> None:
        design = design_of(WRITEUP)
        assert all(contrasts(design, option) == () for option in design.options)

    @given(st.permutations(range(12)))
    @settings(derandomize=True, max_examples=30)
    def test_are_the_same_pairs_whatever_the_order_of_runs(self, order: list[int]) -> None:
        params = grid("37", "0.1 0.01", "012")
        (straight,) = contrasts(design_of(params), "kernel_size")
        (shuffled,) = contrasts(design_of([params[i] for i in order]), "kernel_size")
        assert {(order[a], order[b]) for a, b in shuffled.pairs} == set(straight.pairs)

    def test_of_thousands_of_runs_take_a_moment(self) -> None:
        params = [{"kernel_size": str(i % 5), "width": str(i // 5 % 20), "seed": str(i // 100)} for i in range(4000)]
        began = time.process_time()
        design = design_of(params)
        found = [contrasts(design, option) for option in design.options]
        assert sum(len(c.pairs) for c in found[0]) == 10 * 800
        assert time.process_time() - began < 2


class TestAliases:
    def test_of_the_writeups_kernel_are_all_that_changed_with_it(self) -> None:
        assert aliases(design_of(WRITEUP), "kernel_size") == ("learning_rate", "plateau", "early_stopping_patience")

    def test_are_only_those_that_cannot_be_told_apart(self) -> None:
        params = [
            {"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "2", "c": "1"},
            {"a": "1", "b": "1", "c": "2"}, {"a": "2", "b": "2", "c": "2"},
        ]  # fmt: skip
        assert aliases(design_of(params), "a") == ("b",)

    def test_are_all_others_where_only_sums_of_effects_could_tell(self) -> None:
        params = [
            {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "c": "2"},
            {"a": "2", "b": "1", "c": "2"}, {"a": "2", "b": "2", "c": "1"},
        ]  # fmt: skip
        assert aliases(design_of(params), "a") == ("b", "c")

    def test_of_a_search_over_a_thousand_values_take_a_moment(self) -> None:
        params = [{"a": str(i * 0.37 % 1), "b": str(i * 0.71 % 1), "c": str(i % 7)} for i in range(1000)]
        began = time.process_time()
        assert aliases(design_of(params), "a") == ("b", "c")
        assert time.process_time() - began < 2
