from __future__ import annotations

import json

import pytest

from tracker.runs.facts import (
    DataFacts,
    Found,
    Layer,
    NetworkShape,
    TrainingPlan,
    data_facts,
    environment_of,
    environment_tags,
    examples_of,
    network_shape,
    training_plan,
)
from tracker.store import TAG_LENGTH

FACTS = DataFacts(10, Found(2, (("a/1.wav", "b/1.wav"),)), Found(0), Found(1, (("a/1.wav", "b/1.wav"),)))
SHAPE = NetworkShape(1_234, (Layer("Conv2D", 1_000), Layer("Dense", 234)))


class TestTags:
    def test_data_facts_are_read_back_from_their_tags(self) -> None:
        assert data_facts(FACTS.tags()) == FACTS

    def test_facts_that_are_unknown_have_no_tags(self) -> None:
        assert DataFacts().tags() == {}
        assert data_facts({}) == DataFacts()

    def test_a_network_is_read_back_from_its_tag(self) -> None:
        assert network_shape(SHAPE.tags()) == SHAPE

    def test_an_environment_is_read_back_from_its_tag(self) -> None:
        assert environment_of(environment_tags({"python": "3.12", "cores": "8"})) == {"python": "3.12", "cores": "8"}

    @pytest.mark.parametrize("is_final", [True, False])
    def test_a_training_plan_is_read_back_from_its_tags(self, is_final: bool) -> None:
        plan = TrainingPlan("0" * 32, 6, is_final)
        assert training_plan(plan.tags()) == plan

    @pytest.mark.parametrize("size", ["", "-1", "0", "many"])
    def test_a_plan_without_a_size_counts_as_not_logged(self, size: str) -> None:
        assert training_plan({"tracker.plan": "a", "tracker.plan_size": size}) is None

    def test_tags_of_long_names_and_deep_networks_fit_into_a_store(self) -> None:
        deep = NetworkShape(10**9, (Layer("SeparableConvolution2D", 10**7),) * 1_000)
        found = examples_of([["x" * 5_000] * 50] * 1_000)
        assert found.n == 1_000
        for tag in (*deep.tags().values(), *DataFacts(1, found).tags().values()):
            assert len(tag) <= TAG_LENGTH


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "null",
        "{}",
        '{"n": -1}',
        '{"n": true}',
        '{"n": "2"}',
        '{"parameters": -1}',
        "[" * 10_000,
        "1e400",
    ],
)
def test_what_is_not_as_described_counts_as_not_logged(text: str) -> None:
    tags = dict.fromkeys((*FACTS.tags(), *SHAPE.tags()), text)
    assert (data_facts(tags), network_shape(tags)) == (DataFacts(), None)
    assert environment_of({"tracker.environment": "[1]"}) == {}


def test_parts_of_a_tag_that_are_not_as_described_are_left_out() -> None:
    tag = json.dumps({"parameters": 3, "layers": [["Dense", 3], "x", ["Conv2D"], ["Conv2D", None]]})
    assert network_shape({"tracker.network": tag}) == NetworkShape(3, (Layer("Dense", 3),))
    assert data_facts({"tracker.cut_groups": '{"n": 2, "examples": [3, ["a"]]}'}).cut_groups == Found(2, (("a",),))
