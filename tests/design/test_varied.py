from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.study.options import OFF, design_of

if TYPE_CHECKING:
    from tests.builders import Grid, Params


class TestDesignOf:
    def test_design_of_finds_only_what_varies(self) -> None:
        design = design_of([{"kernel_size": "3", "sr": "22050"}, {"kernel_size": "5", "sr": "22050"}])
        assert design.options == ("kernel_size",)

    def test_design_of_orders_options_as_people_name_them(self, writeup_params: Params) -> None:
        assert design_of(writeup_params).options == (
            "kernel_size",
            "learning_rate",
            "plateau",
            "early_stopping_patience",
        )

    def test_design_of_takes_absence_for_off(self, writeup_params: Params) -> None:
        assert design_of(writeup_params).levels["early_stopping_patience"] == (OFF, "10", "15", "20")

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
