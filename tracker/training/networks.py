"""Which networks there are, what they are made of and which options they take, without importing any of them.

A network is a file with a function ``build(input_shape, n_classes, *, kernel_size, ...)`` that returns an uncompiled
`keras.Model`. Its name is that of a built-in module (``cnn``) or of a module in the folder ``models`` of the working
folder, or else it is the path of a file (``nets/mine.py``). A built-in name always means the built-in network.

An option is a keyword-only parameter of `build` with an annotation (``int``, ``float``, ``str`` or ``bool``), a plain
default and an entry in the docstring's "Parameters", which may give a range. `kernel_size`, which every network has, is
not one of them. A network that needs other images than the default ones says so at the top level of its file, by the
names of the params: ``FEATURES = {"sr": 16_000, "n_mels": 96}``. All this is read from the source text: help answers in
milliseconds, and a file's code runs only when its network is trained.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tracker.bundled import NETWORKS
from tracker.contained_files import read_regular
from tracker.errors import TrainingError
from tracker.runs import (
    FEATURE_OPTIONS,
    LOGGED_OPTIONS,
    OfNetwork,
    OptionValue,
    Range,
    Spectrogram,
    check_line,
    check_range,
    reserved_for,
    shown,
    value_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

USER_FOLDER = Path("models")  # in the working folder: its modules are networks beside the built-in ones

TYPES: dict[str, type[OptionValue]] = {"int": int, "float": float, "str": str, "bool": bool}

TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

_ANY = Range()
_INT = Range(least=-(2**63), most=2**63 - 1)  # what TensorFlow can hold, if the docstring gives no range
_LONGEST_TEXT = 250  # characters of a text
_FEATURES = "FEATURES"  # what a network's file calls the settings of the features that it needs


@dataclass(frozen=True, slots=True)
class NetworkOption:
    """One option of a network."""

    name: str
    type: type[OptionValue]
    default: OptionValue
    help: str = ""  # its entry in the docstring of `build`, a sentence that ends in its range in brackets
    range: Range = _ANY  # if the docstring gives it in the words of `Range`, as in ``float, at least 0 and below 1``

    def __str__(self) -> str:
        return f"{self.name} ({self.type.__name__}, default {value_text(self.default)})"

    def parse(self, text: str) -> OptionValue:
        """Return the value that a text stands for.

        Raises
        ------
        ValueError
            If the text isn't a value of the option's type, or is outside its range; the default never is.
        """
        try:
            value = TRUTH[text.lower()] if self.type is bool else self.type(text)
        except (ValueError, KeyError):
            value = math.nan
        if isinstance(value, float) and not math.isfinite(value):
            kinds = {int: "a whole number", float: "a finite number", bool: "true or false"}
            raise ValueError(f"option {self.name} must be {kinds.get(self.type, 'text')}, got {shown(text)}")
        if isinstance(value, int | float) and value != self.default:
            check_range(f"option {self.name}", value, _INT if self.range == _ANY and self.type is int else self.range)
        elif isinstance(value, str):
            check_line(f"option {self.name}", value, _LONGEST_TEXT)
        return value


@dataclass(frozen=True)
class Network:
    """The source of a network, as it was when it was looked up."""

    shown: str  # its file as messages name it: ``models/cnn.py``
    file: Path  # absolute
    sources: Mapping[str, bytes]  # its file and what it imports of the same folder, by POSIX path relative to that

    @property
    def source(self) -> bytes:
        """The content of its file."""
        return self.sources[self.file.name]

    @property
    def digests(self) -> dict[str, str]:
        """A digest of each source, by its path from the folder's parent, without spaces: ``models/cnn.py``."""
        folder = self.file.parent.name
        return {quote(f"{folder}/{name}"): _digest(content) for name, content in self.sources.items()}

    @property
    def digest(self) -> str:
        """A digest of all sources: the same code has the same one, whatever its folder."""
        return _digest("".join(f"{name} {_digest(content)}\n" for name, content in self.sources.items()).encode())


class ForbiddenSourceError(TrainingError):
    """A source of a network that isn't to be read, let alone run."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} is not to be read")
        self.file = file


def network_names() -> tuple[str, ...]:
    """Return the names of the networks whose options can be read: the built-in ones, then those of ``./models``."""
    usable = []
    for name in dict.fromkeys((*_modules(NETWORKS), *_modules(USER_FOLDER))):
        with suppress(TrainingError):
            network_options(name)
            usable.append(name)
    return tuple(usable)


def network_options(name: str) -> tuple[NetworkOption, ...]:
    """Return the options of a network, given by its name or the path of its file, sorted by name.

    Raises
    ------
    ValueError
        If there is no such network.
    TrainingError
        If its file isn't as it must be.
    """
    return read_options(*_located_source(name))


def parse_options(name: str, given: Mapping[str, str]) -> OfNetwork:
    """Return every option of a network with the value given or else its default, and the features that it needs.

    Defaults are included so that a run records all that it was made with, and so that an option given at its default
    value makes the same configuration.

    Raises
    ------
    ValueError
        If there is no such network or option, or a value is not of its option's type.
    """
    shown, source = _located_source(name)
    options = read_options(shown, source)
    for unknown in sorted(given.keys() - {option.name for option in options}):
        near = get_close_matches(unknown, [*LOGGED_OPTIONS, *(option.name for option in options)], n=1)
        listed = ", ".join(map(str, options)) or "none"
        hint = f"did you mean {near[0]}?" if near else f"its options: {listed}"
        raise ValueError(f"the model {name} has no option {unknown!r}; {hint}")
    values = tuple((o.name, o.parse(given[o.name]) if o.name in given else o.default) for o in options)
    return _of_network(shown, source, values)


def of_network(name: str, options: tuple[tuple[str, OptionValue], ...]) -> OfNetwork:
    """Return what a network adds to a plan, given the values of its options.

    Raises
    ------
    ValueError
        If there is no such network.
    TrainingError
        If its file isn't as it must be.
    """
    return _of_network(*_located_source(name), options)


def _of_network(shown: str, source: bytes, options: tuple[tuple[str, OptionValue], ...]) -> OfNetwork:
    sizes = _kernel_sizes(shown, source)
    is_fixed = _is_single(sizes) and not _needs_kernel(_build(shown, source))
    return OfNetwork(options, read_features(shown, source), sizes, _sized_networks() if is_fixed else ())


def _sized_networks() -> tuple[str, ...]:
    """Return the built-in networks whose kernel size can be chosen."""
    names = filter(is_built_in, network_names())
    return tuple(name for name in names if not _is_single(_kernel_sizes(*_located_source(name))))


def _is_single(sizes: Range) -> bool:
    """Return whether a range holds one size alone."""
    return sizes.least is not None and sizes.least == sizes.most


def _needs_kernel(build: ast.FunctionDef) -> bool:
    """Return whether `build` can't be called without a kernel size."""
    pairs = zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True)
    return ("kernel_size", None) in [(parameter.arg, default) for parameter, default in pairs]


def _kernel_sizes(shown: str, source: bytes) -> Range:
    """Return the kernel sizes that a network takes, if its docstring gives them: ``int, 1 to 9``, or one alone."""
    declared, _ = _entry(_build(shown, source), "kernel_size")
    alone = [float(part) for part in declared if part.isdecimal()]
    found = (Range(least=alone[0], most=alone[0]),) if alone else filter(None, map(Range.parse, declared))
    return next(iter(found), _ANY)


def find_network(name: str, allowed: Callable[[Path], bool] = lambda _file: True) -> Network:
    """Read the source of a network, given by its name or the path of its file.

    A file for which `allowed` is false isn't read.

    Raises
    ------
    ValueError
        If there is no such network.
    ForbiddenSourceError
        If a source isn't allowed.
    TrainingError
        If a source can't be read.
    """
    file, shown = _locate(name)
    sources: dict[str, bytes] = {}
    waiting = [file]
    while waiting:
        source = waiting.pop()
        relative = source.relative_to(file.parent).as_posix()
        if relative not in sources:
            if not allowed(source):
                raise ForbiddenSourceError(source)
            sources[relative] = _read(source)
            waiting += _imported(sources[relative], file.parent)
    return Network(shown, file, dict(sorted(sources.items())))


def is_built_in(name: str) -> bool:
    """Return whether a network is one of tracker's own."""
    return not is_path(name) and name in _modules(NETWORKS)


def is_path(name: str) -> bool:
    """Return whether a network is named by the path of its file rather than by a module's name."""
    return name.endswith(".py") or "/" in name or "\\" in name


def expanded(path: str) -> Path:
    """Return a path whose ``~`` is replaced by the home; as it is if there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def canonical_name(name: str, folder: Path) -> str:
    """Return the one name of a network of a working folder: ``mine`` for ``./models/mine.py``, else the path as given.

    A file that has the name of a built-in network keeps its path.
    """
    if not is_path(name):
        return name
    file = folder / expanded(name)
    is_module = file.suffix == ".py" and file.stem in user_networks(folder)
    return file.stem if is_module and file.parent.resolve() == (folder / USER_FOLDER).resolve() else str(Path(name))


def user_networks(folder: Path) -> frozenset[str]:
    """Return the names of the networks in ``models`` of a working folder that no built-in network has."""
    return frozenset(_modules(folder / USER_FOLDER)) - frozenset(_modules(NETWORKS))


def hidden_file(name: str) -> str | None:
    """Return the file in ``./models`` that a built-in network of the same name hides, if there is one."""
    file = USER_FOLDER / f"{name}.py"
    if not (is_built_in(name) and file.is_file()) or file.samefile(NETWORKS / file.name):
        return None
    return f"./{file.as_posix()}"


def short_name(name: str) -> str:
    """Return a network's name as a part of a run's name: ``nets-mine`` for ``path/to/nets/mine.py``.

    A folder ``models`` adds nothing, unless the file has the name of a built-in network.
    """
    parts = [part for part in name.removesuffix(".py").replace("\\", "/").split("/") if part.strip(".~")]
    if parts[-2:-1] == [USER_FOLDER.name] and parts[-1] not in _modules(NETWORKS):
        return parts[-1]
    return "-".join(parts[-2:])


def read_options(shown: str, source: bytes | str) -> tuple[NetworkOption, ...]:
    """Return the options that the source of a network declares, sorted by name; errors name its file as `shown`.

    Raises
    ------
    TrainingError
        If `build` is missing or isn't as it must be.
    """
    build = _build(shown, source)
    pairs = zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True)
    parameters = {parameter.arg: (parameter, default) for parameter, default in pairs}
    if not parameters.pop("kernel_size", None):
        raise TrainingError(f"{shown}, line {build.lineno}: `build` must have the keyword-only parameter kernel_size")
    return tuple(_option(shown, *parameters[name], *_entry(build, name)) for name in sorted(parameters))


def _build(shown: str, source: bytes | str) -> ast.FunctionDef:
    body = _statements(shown, source)
    build = next((node for node in body if isinstance(node, ast.FunctionDef) and node.name == "build"), None)
    if build is None:
        raise TrainingError(f"{shown} has no function `build(input_shape, n_classes, *, kernel_size, ...)`")
    return build


def read_features(shown: str, source: bytes | str) -> tuple[tuple[str, OptionValue], ...]:
    """Return the settings of features that the source of a network declares; errors name its file as `shown`.

    Raises
    ------
    TrainingError
        If they are no such settings, or go together in no image.
    """
    for node in _statements(shown, source):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if _FEATURES not in map(ast.unparse, targets):
            continue
        place = f"{shown}, line {node.lineno}: {_FEATURES}"
        try:
            declared = ast.literal_eval(node.value)
        except ValueError:
            declared = None
        if not isinstance(declared, dict) or declared.keys() - FEATURE_OPTIONS:
            raise TrainingError(
                f'{place} must be a dictionary such as {{"sr": 16000}}, of plain values for some of '
                f"{', '.join(sorted(FEATURE_OPTIONS))}"
            )
        try:
            Spectrogram(**declared)
        except ValueError as error:
            raise TrainingError(f"{place}: {error}") from error
        return tuple(declared.items())
    return ()


@lru_cache(maxsize=16)
def _statements(shown: str, source: bytes | str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError as error:
        raise TrainingError(f"{shown}, line {error.lineno}: {error.msg}") from error
    except ValueError as error:
        raise TrainingError(f"{shown} isn't Python source: {error}") from error


def _locate(name: str) -> tuple[Path, str]:
    """Return the absolute path of a network's file, and the path that messages name it by."""
    if is_path(name):
        file = expanded(name)
        if not file.is_file():
            problem = "is a folder" if file.is_dir() else "does not exist"
            near = name.removesuffix(".py")
            remedy = f"did you mean --model {near}?" if near in network_names() else "check the path given to --model"
            raise ValueError(f"model file {name} {problem}; {remedy}")
        if not file.stem.isidentifier() or file.suffix != ".py":
            raise ValueError(
                f"a model's file must end in .py, its name made of letters, digits and underscores, got {file.name!r}; "
                "rename it"
            )
        return file.absolute(), name
    for folder in (NETWORKS, USER_FOLDER):
        if name in _modules(folder):
            return (folder / f"{name}.py").absolute(), f"models/{name}.py"
    raise ValueError(
        f"there is no model {name!r}; the models: {', '.join(network_names())}, or the path of a file: "
        "--model path/to/net.py"
    )


def _modules(folder: Path) -> list[str]:
    """Return the names of the modules in a folder that may be networks, sorted."""
    if not folder.is_dir():
        return []
    return sorted(file.stem for file in folder.glob("*.py") if file.stem.isidentifier() and file.stem[0] != "_")


def _located_source(name: str) -> tuple[str, bytes]:
    """Return the path that messages name a network's file by, and its source."""
    file, shown = _locate(name)
    return shown, _read(file)


def _read(file: Path) -> bytes:
    try:
        return read_regular(file)
    except OSError as error:
        raise TrainingError(f"{file} cannot be read ({error.strerror}); check its permissions") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _imported(source: bytes, folder: Path) -> list[Path]:
    """Return the modules of a folder that a source imports, relatively or by the folder's name."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []  # building the network reports it
    paths: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            paths |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            paths |= {".".join(filter(None, (node.module, alias.name))) for alias in node.names}
    tops = {path.removeprefix(f"{folder.name}.").split(".")[0] for path in paths}
    files = (folder / f"{top}.py" for top in sorted(tops))
    packages = ((folder / top).rglob("*.py") for top in sorted(tops) if (folder / top).is_dir())
    return [*filter(Path.is_file, files), *(file for package in packages for file in sorted(package))]


def _option(shown: str, parameter: ast.arg, default: ast.expr | None, parts: Sequence[str], text: str) -> NetworkOption:
    name, place = parameter.arg, f"{shown}, line {parameter.lineno}: option {parameter.arg} of `build`"
    kind = TYPES.get(ast.unparse(parameter.annotation)) if parameter.annotation else None
    value = _default(default, kind)
    if kind is None or value is None:
        raise TrainingError(
            f"{place} must have an annotation (int, float, str or bool) and a plain default of that type"
        )
    if taken := reserved_for(name):
        raise TrainingError(f"{place} clashes with {taken} of `tracker run`; rename it")
    if not parts:
        return NetworkOption(name, kind, value)
    limits = ", ".join(parts[1:] if parts[0] == kind.__name__ else parts)
    text = f"{text}{f' ({limits})' if limits else ''}".strip()
    text += "." if text else ""
    ranges = filter(None, map(Range.parse, parts))
    return NetworkOption(name, kind, value, text, next(ranges, _ANY) if kind in (int, float) else _ANY)


def _entry(build: ast.FunctionDef, name: str) -> tuple[list[str], str]:
    """Return what the docstring says of a parameter: its type and range, part by part, and its sentence."""
    entry = re.search(rf"^{name} : (.*)((?:\n    .*)*)", ast.get_docstring(build) or "", re.MULTILINE)  # numpydoc
    if not entry:
        return [], ""
    return [part.strip() for part in entry[1].split(",")], " ".join(entry[2].split()).rstrip(".")


def _default(node: ast.expr | None, kind: type[OptionValue] | None) -> OptionValue | None:
    """Return a default that is a plain value of its annotation's type; a whole number will do for a float."""
    try:
        value: OptionValue | None = ast.literal_eval(node) if node else None
    except ValueError:
        return None
    if kind is float and type(value) is int:
        return float(value)
    return value if type(value) is kind else None
