"""The options of a network, read from the source of its module without importing it.

An option is a keyword-only parameter of the module's `build`, with an annotation (``int``, ``float``, ``str`` or
``bool``), a plain default and an entry in the docstring's "Parameters". `kernel_size` is none: every network has it.

Which networks there are and which options they take, told without importing Keras.

A network is a module of `models` with a function ``build(input_shape, n_classes, *, kernel_size, ...)`` that returns an
uncompiled `keras.Model`: to add one, add a file. Names and options are read from the sources, so that help and a
mistyped option answer in milliseconds.
"""

from __future__ import annotations

import ast
import importlib
import math
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol, cast

from tracker.errors import TrainingError
from tracker.runs import OptionValue, reserved_for, value_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

TYPES: dict[str, type[OptionValue]] = {"int": int, "float": float, "str": str, "bool": bool}

TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class NetworkOption:
    """One option of a network.

    Parameters
    ----------
    name : str
        As `build` names it.
    type : type
        int, float, str or bool.
    default : int, float, str or bool
    help : str
        What the docstring of `build` says of it, ending in its type and range in brackets; empty where it says nothing.
    """

    name: str
    type: type[OptionValue]
    default: OptionValue
    help: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.type.__name__}, default {value_text(self.default)})"

    def parse(self, text: str) -> OptionValue:
        """Return the value that a text stands for.

        Raises
        ------
        ValueError
            If the text is no value of the option's type.
        """
        try:
            value = TRUTH[text.lower()] if self.type is bool else self.type(text)
        except (ValueError, KeyError):
            value = math.nan
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"option {self.name} must be {_a(self.type)}, got {text!r}")
        return value


def read_options(network: str, source: str) -> tuple[NetworkOption, ...]:
    """Return the options of a network, sorted by name.

    Parameters
    ----------
    network : str
        Its name, for errors.
    source : str
        The source of its module.

    Raises
    ------
    TrainingError
        If the module is not as it must be.
    """
    build = _build_of(network, source)
    words = ast.get_docstring(build) or ""
    pairs = zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True)
    options = (
        _option(network, parameter, default, words) for parameter, default in pairs if parameter.arg != "kernel_size"
    )
    return tuple(sorted(options, key=lambda option: option.name))


def _build_of(network: str, source: str) -> ast.FunctionDef:
    """Return the definition of a module's `build`."""
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise TrainingError(f"models/{network}.py cannot be read: {error.msg} in line {error.lineno}") from error
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            return node
    raise TrainingError(f"models/{network}.py must have a function `build` as models/cnn.py has; it has none")


def _option(network: str, parameter: ast.arg, default: ast.expr | None, words: str) -> NetworkOption:
    """Read one keyword-only parameter."""
    kind = TYPES.get(ast.unparse(parameter.annotation)) if parameter.annotation else None
    value = _default(default, kind)
    if kind is None or value is None:
        raise TrainingError(
            f"models/{network}.py: option {parameter.arg} of `build` must have an annotation "
            "(int, float, str or bool) and a plain default of that type"
        )
    taken = reserved_for(parameter.arg)
    if taken:
        raise TrainingError(
            f"models/{network}.py: option {parameter.arg} of `build` clashes with {taken} of `tracker run`; rename it"
        )
    return NetworkOption(parameter.arg, kind, value, _help(parameter.arg, words))


def _default(node: ast.expr | None, kind: type[OptionValue] | None) -> OptionValue | None:
    """Return a default that is a plain value of its annotation's type; a whole number will do for a float."""
    try:
        value: OptionValue | None = ast.literal_eval(node) if node else None
    except ValueError:
        return None
    if kind is float and type(value) is int:
        return float(value)
    return value if type(value) is kind else None


def _help(name: str, words: str) -> str:
    """Return what a numpydoc docstring says of a parameter."""
    entry = re.search(rf"^{name} : (.*)((?:\n    .*)*)", words, re.MULTILINE)
    if not entry:
        return ""
    return f"{' '.join(entry[2].split()).rstrip('.')} ({entry[1]})".strip()


def _a(kind: type[OptionValue]) -> str:
    return {int: "a whole number", float: "a finite number", bool: "true or false"}.get(kind, "text")


PACKAGE = "models"


class Builder(Protocol):
    """What makes a network: the `build` of a module of `models`."""

    def __call__(
        self, input_shape: tuple[int, int, int], n_classes: int, *, kernel_size: int, **options: OptionValue
    ) -> keras.Model:
        """Return the network, uncompiled."""


def network_names() -> tuple[str, ...]:
    """Return the names of the networks, sorted."""
    modules = (entry.name for entry in files(PACKAGE).iterdir() if entry.name.endswith(".py"))
    return tuple(sorted(name.removesuffix(".py") for name in modules if not name.startswith("_")))


def network_options(name: str) -> tuple[NetworkOption, ...]:
    """Return the options of a network, sorted by name; the kernel size, which all have, is not among them.

    Raises
    ------
    ValueError
        If there is no such network.
    TrainingError
        If its module is not as it must be.
    """
    _check_name(name)
    return read_options(name, (files(PACKAGE) / f"{name}.py").read_text(encoding="utf-8"))


def parse_options(name: str, given: Mapping[str, str]) -> tuple[tuple[str, OptionValue], ...]:
    """Return every option of a network with the value given or else its default, sorted by name.

    Defaults are among them so that a run says all that it was made with, and so that an option given at its default
    value makes no other configuration.

    Parameters
    ----------
    name : str
        The network.
    given : mapping of str to str
        Options as typed by a person.

    Raises
    ------
    ValueError
        If there is no such network or option, or a value is not of its option's type.
    """
    options = network_options(name)
    for unknown in sorted(given.keys() - {option.name for option in options}):
        listed = ", ".join(map(str, options)) or "none"
        raise ValueError(f"the model {name} has no option {unknown!r}; its options: {listed}")
    return tuple((o.name, o.parse(given[o.name]) if o.name in given else o.default) for o in options)


def load_builder(name: str) -> Builder:
    """Import a network's module, and Keras with it, and return its `build`.

    Raises
    ------
    ValueError
        If there is no such network.
    """
    _check_name(name)
    return cast("Builder", importlib.import_module(f"{PACKAGE}.{name}").build)


def _check_name(name: str) -> None:
    if name not in network_names():
        raise ValueError(f"there is no model {name!r}; the models: {', '.join(network_names())}")
