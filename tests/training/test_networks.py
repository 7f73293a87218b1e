from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.errors import TrainingError
from tracker.runs import Range
from tracker.training.networks import (
    NETWORKS,
    NetworkOption,
    find_network,
    hidden_file,
    network_names,
    network_options,
    parse_options,
    read_features,
    read_options,
    short_name,
)

if TYPE_CHECKING:
    from pathlib import Path


BUILT_IN = ("cnn", "crnn", "linear", "musicnn", "resnet")

BUILD = '''
raise SystemExit("looking a network up must not run it")


def build(input_shape, n_classes, *, kernel_size: int = 3, depth: int = 2):
    """Return a network."""
'''

SOURCES = {
    "net.py": "import numpy, models.shared\nfrom models.parts.deep import pool\ndef build():\n    from . import _norms",
    "shared.py": "",
    "_norms.py": "from .net import build",
    "parts/__init__.py": "",
    "parts/deep.py": "from ..far import one",
    "far.py": "",
    "other.py": "from . import shared\nfrom net import build",
    "broken.py": "def build(:",
    "notes.txt": "",
}


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    return tmp_path


@pytest.fixture
def models(working_folder: Path) -> Path:
    for name, source in SOURCES.items():
        (working_folder / "models" / name).parent.mkdir(parents=True, exist_ok=True)
        (working_folder / "models" / name).write_text(source)
    return working_folder / "models"


class TestNetworkNames:
    def test_built_in_networks_come_first_then_those_of_the_working_folder(self, working_folder: Path) -> None:
        (working_folder / "models/a_net.py").write_text(BUILD)
        assert network_names() == (*BUILT_IN, "a_net")

    def test_modules_that_are_not_networks_are_not_listed(self, working_folder: Path) -> None:
        for name, source in {
            "user.py": "class User: ...",
            "other_build.py": "def build(config): ...",
            "_private.py": BUILD,
            "not-a-name.py": BUILD,
            "broken.py": "def build(:",
            "text.txt": BUILD,
        }.items():
            (working_folder / "models" / name).write_text(source)
        assert network_names() == BUILT_IN


class TestNetworkOptions:
    def test_every_built_in_network_explains_its_options(self):
        for name in network_names():
            assert all(option.help for option in network_options(name))

    def test_kernel_size_is_not_among_the_options(self):
        assert [option.name for option in network_options("cnn")] == ["dropout", "width"]

    def test_options_of_a_file_are_read_without_running_it(self, tmp_path: Path) -> None:
        (tmp_path / "net.py").write_text(BUILD)
        assert [option.name for option in network_options(str(tmp_path / "net.py"))] == ["depth"]

    def test_a_file_in_the_working_folder_does_not_replace_a_built_in_network(self, working_folder: Path) -> None:
        (working_folder / "models/cnn.py").write_text(BUILD)
        assert [option.name for option in network_options("cnn")] == ["dropout", "width"]
        assert [option.name for option in network_options("models/cnn.py")] == ["depth"]

    def test_a_faulty_network_is_refused_by_its_file_and_line(self, models: Path) -> None:  # noqa: ARG002
        with pytest.raises(TrainingError, match=r"models/broken.py, line 1: "):
            network_options("broken")


class TestParseOptions:
    def test_every_option_is_returned_sorted_by_name(self):
        assert parse_options("cnn", {"width": "16"}).options == (("dropout", 0.3), ("width", 16))

    def test_a_default_given_and_a_default_left_out_are_the_same(self):
        assert parse_options("cnn", {"dropout": "0.30"}) == parse_options("cnn", {})

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("dropuot", "did you mean dropout?"),
            ("kernal_size", "did you mean kernel_size?"),
            ("x", "its options: dropout (float, default 0.3), width (int, default 8)"),
        ],
    )
    def test_an_unknown_option_is_refused_with_what_is_near_or_all_that_exist(self, name: str, hint: str):
        with pytest.raises(ValueError) as caught:
            parse_options("cnn", {name: "0.4"})
        assert str(caught.value) == f"the model cnn has no option '{name}'; {hint}"


class TestRanges:
    @pytest.mark.parametrize(
        ("declared", "inside", "outside"),
        [
            ("float, at least 0 and below 1", "0", "1"),
            ("float, above 0 and at most 1", "1", "0"),
            ("float, 0.5 to 2", "2", "2.01"),
            ("float, above -1e-3", "0", "-0.001"),
            ("float, optional, at least 0.5", "0.5", "0.4"),
        ],
    )
    def test_a_range_in_the_docstring_is_checked(self, declared: str, inside: str, outside: str) -> None:
        (option,) = read_options("net.py", with_entry(f"rate : {declared}"))
        assert option.parse(inside) == float(inside)
        with pytest.raises(ValueError, match=f"option rate must be .*, got {outside}"):
            option.parse(outside)

    @pytest.mark.parametrize("declared", ["float", "float, below width", "float, seconds", "float, at least 0 and odd"])
    def test_other_words_in_the_docstring_are_no_range(self, declared: str) -> None:
        (option,) = read_options("net.py", with_entry(f"rate : {declared}"))
        assert option.parse("-5") == -5

    def test_a_default_outside_the_range_is_accepted(self) -> None:
        (option,) = read_options("net.py", with_entry("rate : float, above 1"))
        assert option.parse("0.5") == option.default

    @pytest.mark.parametrize(("name", "text"), [("dropout", "1"), ("dropout", "-0.1"), ("width", "0")])
    def test_the_built_in_network_refuses_what_is_outside_its_ranges(self, name: str, text: str) -> None:
        with pytest.raises(ValueError, match=f"option {name} must be "):
            parse_options("cnn", {name: text})


def with_entry(entry: str) -> str:
    """Return the source of a network whose docstring has this entry."""
    docstring = f'"""A network.\n\n    Parameters\n    ----------\n    {entry}\n        A rate.\n    """'
    return f"def build(input_shape, n_classes, *, kernel_size: int = 3, rate: float = 0.5):\n    {docstring}\n"


class TestFindNetwork:
    @pytest.mark.parametrize("name", ["cnm", "__init__", "os", ""])
    def test_an_unknown_name_is_refused_with_those_that_exist(self, name):
        with pytest.raises(
            ValueError, match=rf"there is no model '{name}'; the models: {', '.join(BUILT_IN)}, or the path of a file"
        ):
            find_network(name)

    @pytest.mark.parametrize("path", ["../cnn", "nets/net.py", "net.py"])
    def test_a_missing_file_is_refused(self, path):
        with pytest.raises(ValueError, match=r"model file .* does not exist"):
            find_network(path)

    def test_a_file_that_cannot_be_imported_by_its_name_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "my-net.py").write_text(BUILD)
        with pytest.raises(ValueError, match=r"letters, digits and underscores, got my-net.py|'my-net.py'"):
            find_network(str(tmp_path / "my-net.py"))

    def test_sources_are_the_file_and_what_it_imports_in_turn(self, models: Path) -> None:  # noqa: ARG002
        assert set(find_network("net").sources) == {
            *("net.py", "shared.py", "_norms.py", "parts/__init__.py", "parts/deep.py", "far.py")
        }

    def test_sources_leave_out_other_networks(self, models: Path) -> None:  # noqa: ARG002
        assert set(find_network("far").sources) == {"far.py"}

    def test_a_path_and_a_name_of_the_same_file_have_the_same_digest(self, models: Path) -> None:
        assert find_network("net").digest == find_network(str(models / "net.py")).digest

    @pytest.mark.parametrize("changed", ["net.py", "parts/deep.py"])
    def test_the_digest_changes_with_a_character_of_any_source(self, models: Path, changed: str) -> None:
        before, far = find_network("net"), find_network("shared").digest
        (models / changed).write_text(f"{SOURCES[changed]} ")
        after = find_network("net")
        assert after.digest != before.digest
        assert {name for name in after.digests if after.digests[name] != before.digests[name]} == {f"models/{changed}"}
        assert find_network("shared").digest == far


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
    return read_options(
        "models/net.py", f"def build(input_shape, n_classes, *, kernel_size: int = 3, {parameter}): ..."
    )


class TestShortName:
    @pytest.mark.parametrize(
        ("name", "short"),
        [
            ("cnn", "cnn"),
            ("mine.py", "mine"),
            ("./mine.py", "mine"),
            ("../nets/mine.py", "nets-mine"),
            ("/a/long/path/nets/mine.py", "nets-mine"),
            ("./models/mine.py", "mine"),
            ("models/cnn.py", "models-cnn"),
        ],
    )
    def test_a_path_is_shortened_to_its_folder_and_file(self, name, short):
        assert short_name(name) == short


class TestReadOptions:
    def test_read_options_gives_name_type_and_default_sorted_by_name_without_importing(self):
        options = [(option.name, option.type, option.default) for option in read_options("models/net.py", SOURCE)]
        expected = [("act", str, "relu"), ("dropout", float, 0.0), ("norm", bool, True), ("width", int, 8)]
        assert options == expected
        assert [type(default) for _, _, default in options] == [str, float, bool, int]

    def test_read_options_takes_help_from_the_docstring(self):
        words = {option.name: option.help for option in read_options("models/net.py", SOURCE)}
        assert words["width"] == "Channels of the first block, doubled in each next one (at least 1)."
        assert words["norm"] == ""
        assert words["act"] == ""

    def test_read_options_reads_a_build_without_docstring_and_options(self):
        assert read_options("models/net.py", "def build(input_shape, n_classes, *, kernel_size: int = 3): ...") == ()

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
    def test_read_options_refuses_an_option_whose_values_cannot_be_told(self, parameter):
        with pytest.raises(
            TrainingError, match=r"models/net.py, line 1: option width of `build` must have an annotation"
        ):
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
            ("n_fft", "the option --n-fft"),
        ],
    )
    def test_read_options_refuses_an_option_that_clashes_with_one_of_run_and_names_both(self, name, taken):
        with pytest.raises(
            TrainingError, match=f"models/net.py, line 1: option {name} of `build` clashes with {taken} of"
        ):
            one_option(f"{name}: int = 1")

    def test_read_options_refuses_a_module_without_build(self):
        with pytest.raises(TrainingError, match=r"models/net.py has no function `build"):
            read_options("models/net.py", "def make(): ...")

    def test_read_options_refuses_a_module_that_is_no_python(self):
        with pytest.raises(TrainingError, match=r"models/net.py, line 2: "):
            read_options("models/net.py", "x = 1\ndef build(:\n")

    def test_read_options_refuses_a_build_without_kernel_size(self):
        with pytest.raises(TrainingError, match="must have the keyword-only parameter kernel_size"):
            read_options("models/net.py", "def build(input_shape, n_classes): ...")

    def test_read_options_refuses_bytes_that_are_not_source(self):
        with pytest.raises(TrainingError, match=r"models/net.py"):
            read_options("models/net.py", b"\x00\xff")


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
    def test_parse_gives_a_value_of_the_options_type(self, default, text, value):
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
    def test_parse_says_what_a_value_must_be(self, default, text, words):
        with pytest.raises(ValueError) as caught:
            NetworkOption("width", type(default), default).parse(text)
        assert str(caught.value) == f"option width must be {words}, got {text!r}"


class TestKernelSizes:
    @pytest.mark.parametrize(
        ("declared", "sizes"),
        [("int, 1 to 9", Range(least=1, most=9)), ("int, 5", Range(least=5, most=5)), ("int", Range())],
    )
    def test_they_are_those_of_the_docstring(self, tmp_path, declared, sizes):
        words = f'"""Build.\n\n    Parameters\n    ----------\n    kernel_size : {declared}\n        Its size.\n    """'
        (tmp_path / "net.py").write_text(f"def build(input_shape, n_classes, *, kernel_size: int = 3):\n    {words}\n")
        assert parse_options(str(tmp_path / "net.py"), {}).kernel_sizes == sizes

    @pytest.mark.parametrize(("parameter", "has_kernel"), [("kernel_size: int = 5", False), ("kernel_size", True)])
    def test_a_single_one_is_left_to_a_network_that_can_be_built_without(self, tmp_path, parameter, has_kernel):
        words = '"""Build.\n\n    Parameters\n    ----------\n    kernel_size : int, 5\n        Its size.\n    """'
        (tmp_path / "net.py").write_text(f"def build(input_shape, n_classes, *, {parameter}):\n    {words}\n")
        assert parse_options(str(tmp_path / "net.py"), {}).has_kernel == has_kernel


class TestReadFeatures:
    def test_a_network_without_any_needs_none(self):
        assert parse_options("cnn", {}).features == ()

    def test_what_a_file_declares_is_returned(self):
        source = 'FEATURES: dict[str, object] = {"sr": 16_000, "n_mels": 96}\n'
        assert read_features("net.py", source) == (("sr", 16_000), ("n_mels", 96))

    @pytest.mark.parametrize(
        ("declared", "problem"),
        [
            ('{"rate": 16_000}', "must be a dictionary such as"),
            ("dict(sr=RATE)", "must be a dictionary such as"),
            ('{"sr": "fast"}', "the sampling rate must be a whole number, got 'fast'"),
            ('{"hop_length": 4_096}', "--hop 4096 skips sound"),
        ],
    )
    def test_what_makes_no_image_is_refused_with_its_place(self, declared, problem):
        with pytest.raises(TrainingError, match=f"^net.py, line 2: FEATURES.*{problem}"):
            read_features("net.py", f"\nFEATURES = {declared}\n")


class TestHiddenFile:
    def test_a_file_of_a_built_in_name_is_named_by_its_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert hidden_file("linear") is None
        (tmp_path / "models").mkdir()
        (tmp_path / "models/linear.py").touch()
        (tmp_path / "models/mine.py").touch()
        assert hidden_file("linear") == "./models/linear.py"
        assert hidden_file("mine") is None

    def test_tracker_s_own_folder_hides_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(NETWORKS.parent)
        assert hidden_file("linear") is None
