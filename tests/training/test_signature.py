from __future__ import annotations

import pytest

from tracker.errors import TrainingError
from tracker.training.networks import NetworkOption, read_options

SOURCE = '''
import a_heavy_library_that_is_not_there


def build(input_shape, n_classes, *, kernel_size: int = 3, width: int = 8, dropout: float = 0, norm: bool = True,
          act: str = "relu"):
    """Return a network.

    Parameters
    ----------
    kernel_size : int
        Known anyway.
    width : int, at least 1
        Channels of the first block,
        doubled in each next one.
    dropout, act : whatever
        Two in one entry.
    norm : bool
    """
'''


def one_option(parameter: str) -> tuple[NetworkOption, ...]:
    return read_options("net", f"def build(input_shape, n_classes, *, kernel_size: int = 3, {parameter}): ...")


class TestReadOptions:
    def test_gives_name_type_and_default_sorted_by_name_without_importing(self):
        options = [(option.name, option.type, option.default) for option in read_options("net", SOURCE)]
        expected = [("act", str, "relu"), ("dropout", float, 0.0), ("norm", bool, True), ("width", int, 8)]
        assert options == expected
        assert [type(default) for _, _, default in options] == [str, float, bool, int]

    def test_takes_help_from_the_docstring(self):
        words = {option.name: option.help for option in read_options("net", SOURCE)}
        assert words["width"] == "Channels of the first block, doubled in each next one (int, at least 1)"
        assert words["norm"] == "(bool)"
        assert words["act"] == ""

    def test_reads_a_build_without_docstring_and_options(self):
        assert read_options("net", "def build(input_shape, n_classes, *, kernel_size: int = 3): ...") == ()

    @pytest.mark.parametrize(
        "parameter",
        [
            "width",
            "width: int",
            "width = 8",
            "width: int = 1.5",
            "width: int = True",
            "width: bool = 1",
            "width: str = 1",
            "width: float = 'a'",
            "width: int = SIZE",
            "width: list = [1]",
            "width: int | None = None",
        ],
    )
    def test_refuses_an_option_whose_values_cannot_be_told(self, parameter):
        with pytest.raises(TrainingError, match=r"models/net.py: option width of `build` must have an annotation"):
            one_option(parameter)

    @pytest.mark.parametrize(
        ("name", "taken"),
        [
            ("epochs", "the option --epochs"),
            ("lr", "the option --lr"),
            ("learning_rate", "the option --lr"),
            ("plateau_factor", "the option --plateau"),
            ("name", "the option --name"),
            ("data", "the option --data"),
            ("keep_going", "the option --keep-going"),
            ("offline", "the option --offline"),
            ("help", "the option --help"),
            ("n_fft", "the param n_fft"),
        ],
    )
    def test_refuses_an_option_that_clashes_with_one_of_run_and_names_both(self, name, taken):
        with pytest.raises(TrainingError, match=f"models/net.py: option {name} of `build` clashes with {taken} of"):
            one_option(f"{name}: int = 1")

    def test_refuses_a_module_without_build(self):
        with pytest.raises(TrainingError, match=r"models/net.py must have a function `build`"):
            read_options("net", "def make(): ...")

    def test_refuses_a_module_that_is_no_python(self):
        with pytest.raises(TrainingError, match=r"models/net.py cannot be read: .* in line 2"):
            read_options("net", "x = 1\ndef build(:\n")


class TestParse:
    @pytest.mark.parametrize(
        ("default", "text", "value"),
        [
            (8, "16", 16),
            (0.3, "0.4", 0.4),
            (0.3, "1e-2", 0.01),
            (0.3, "1", 1.0),
            (True, "false", False),
            (False, "YES", True),
            ("relu", "elu", "elu"),
        ],
    )
    def test_gives_a_value_of_the_options_type(self, default, text, value):
        parsed = NetworkOption("a", type(default), default).parse(text)
        assert parsed == value
        assert type(parsed) is type(default)

    @pytest.mark.parametrize(
        ("default", "text", "words"),
        [
            (8, "1.5", "a whole number"),
            (8, "", "a whole number"),
            (0.3, "much", "a finite number"),
            (0.3, "nan", "a finite number"),
            (0.3, "inf", "a finite number"),
            (True, "maybe", "true or false"),
        ],
    )
    def test_says_what_a_value_must_be(self, default, text, words):
        with pytest.raises(ValueError) as caught:
            NetworkOption("width", type(default), default).parse(text)
        assert str(caught.value) == f"option width must be {words}, got {text!r}"
