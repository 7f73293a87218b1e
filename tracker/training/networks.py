"""Which networks there are and which options they take, told without importing Keras.

A network is a module of `models` with a function ``build(input_shape, n_classes, *, kernel_size, ...)`` that returns an
uncompiled `keras.Model`: to add one, add a file. Names and options are read from the sources, so that help and a
mistyped option answer in milliseconds.
"""

from __future__ import annotations

import importlib
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol, cast

from tracker.training.signature import NetworkOption, read_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from tracker.runs import OptionValue

__all__ = ["Builder", "NetworkOption", "load_builder", "network_names", "network_options", "parse_options"]

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
