"""Which networks there are and which options they take, told without importing Keras.

A network is a module of `models` with a function ``build(input_shape, n_classes, *, kernel_size, ...)`` returning an
uncompiled `keras.Model`. Its options are the other keyword-only parameters, each with an annotation (``int``,
``float``, ``str`` or ``bool``) and a default; they are read from the source, so that help and a mistyped option answer
in milliseconds.
"""

from __future__ import annotations

import ast
import importlib
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol, cast

from tracker.errors import TrainingError
from tracker.runs import OptionValue, value_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

PACKAGE = "models"
_TYPES: dict[str, type[OptionValue]] = {"int": int, "float": float, "str": str, "bool": bool}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


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
    """

    name: str
    type: type[OptionValue]
    default: OptionValue

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
            value = _TRUTH[text.lower()] if self.type is bool else self.type(text)
        except (ValueError, KeyError):
            value = math.nan
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"option {self.name} must be {_a(self.type)}, got {text!r}")
        return value


class Builder(Protocol):
    """What makes a network: the `build` function of a module of `models`."""

    def __call__(
        self, input_shape: tuple[int, int, int], n_classes: int, *, kernel_size: int, **options: OptionValue
    ) -> keras.Model:
        """Return the network, uncompiled."""


def network_names() -> tuple[str, ...]:
    """Return the names of the networks, sorted."""
    modules = (entry.name for entry in files(PACKAGE).iterdir() if entry.name.endswith(".py"))
    return tuple(sorted(name[:-3] for name in modules if not name.startswith("_")))


@cache
def network_options(name: str) -> tuple[NetworkOption, ...]:
    """Return the options of a network, sorted by name; the kernel size, which all have, is not among them.

    Raises
    ------
    ValueError
        If there is no such network.
    TrainingError
        If its module does not follow the rules above.
    """
    if name not in network_names():
        raise ValueError(f"there is no model {name!r}: the models are {', '.join(network_names())}")
    source = (files(PACKAGE) / f"{name}.py").read_text(encoding="utf-8")
    arguments = _build_of(name, ast.parse(source)).args
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    options = (_option(name, parameter, default) for parameter, default in pairs if parameter.arg != "kernel_size")
    return tuple(sorted(options, key=lambda option: option.name))


def parse_options(name: str, given: Mapping[str, str]) -> tuple[tuple[str, OptionValue], ...]:
    """Return every option of a network with the value given or else its default, sorted by name.

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
        listed = ", ".join(str(option) for option in options)
        raise ValueError(f"the model {name} has no option {unknown!r}: its options are {listed}")
    return tuple((o.name, o.parse(given[o.name]) if o.name in given else o.default) for o in options)


def load_builder(name: str) -> Builder:
    """Import a network's module (and Keras with it) and return its `build`.

    Raises
    ------
    ValueError
        If there is no such network.
    """
    if name not in network_names():
        raise ValueError(f"there is no model {name!r}: the models are {', '.join(network_names())}")
    return cast("Builder", importlib.import_module(f"{PACKAGE}.{name}").build)


def _build_of(name: str, tree: ast.Module) -> ast.FunctionDef:
    """Return the definition of a module's `build`."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            return node
    raise TrainingError(f"models/{name}.py has no function `build`: see models/cnn.py for what it must look like")


def _option(network: str, parameter: ast.arg, default: ast.expr | None) -> NetworkOption:
    """Read one keyword-only parameter."""
    kind = _TYPES.get(ast.unparse(parameter.annotation)) if parameter.annotation else None
    value = _literal(default)
    if kind is None or not isinstance(value, (int, float) if kind is float else kind):
        raise TrainingError(
            f"models/{network}.py: option {parameter.arg} of `build` must have an annotation "
            "(int, float, str or bool) and a plain default of that type"
        )
    return NetworkOption(parameter.arg, kind, kind(value))


def _literal(node: ast.expr | None) -> object:
    """Return the value of a literal, or None where there is none."""
    try:
        return ast.literal_eval(node) if node else None
    except ValueError:
        return None


def _a(kind: type[OptionValue]) -> str:
    return {int: "a whole number", float: "a finite number", bool: "true or false"}.get(kind, "text")
