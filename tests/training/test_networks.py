from __future__ import annotations

import subprocess
import sys

import pytest

from tracker.training.networks import load_builder, network_names, network_options, parse_options


class TestNetworkNames:
    def test_lists_the_modules_of_models(self):
        assert "cnn" in network_names()
        assert "__init__" not in network_names()


class TestNetworkOptions:
    def test_every_network_tells_its_options_with_help(self):
        for name in network_names():
            assert all(option.help for option in network_options(name))

    def test_leaves_out_the_kernel_size(self):
        assert [option.name for option in network_options("cnn")] == ["dropout", "width"]


class TestParseOptions:
    def test_gives_every_option_sorted_by_name(self):
        assert parse_options("cnn", {"width": "16"}) == (("dropout", 0.3), ("width", 16))

    def test_makes_no_difference_between_a_default_given_and_left(self):
        assert parse_options("cnn", {"dropout": "0.30"}) == parse_options("cnn", {})

    def test_lists_the_options_where_one_is_mistyped(self):
        with pytest.raises(ValueError) as caught:
            parse_options("cnn", {"dropuot": "0.4"})
        assert str(caught.value) == (
            "the model cnn has no option 'dropuot'; its options: dropout (float, default 0.3), width (int, default 8)"
        )

    def test_lists_the_models_where_one_is_mistyped(self):
        with pytest.raises(ValueError) as caught:
            parse_options("cnm", {})
        assert str(caught.value).startswith("there is no model 'cnm'; the models: ")
        assert "cnn" in str(caught.value)

    def test_answers_without_importing_keras(self):
        code = (
            "import sys; from tracker.training.networks import network_names, parse_options; network_names(); "
            "parse_options('cnn', {}); print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


class TestLoadBuilder:
    @pytest.mark.parametrize("name", ["cnm", "__init__", "../cnn", "os"])
    def test_imports_nothing_but_networks(self, name):
        with pytest.raises(ValueError, match="there is no model"):
            load_builder(name)
