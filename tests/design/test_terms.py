from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.study.options import terms_of

if TYPE_CHECKING:
    from tests.builders import Params


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
