"""Options and types that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tracker.recording.locations import DEFAULT_EXPERIMENT

if TYPE_CHECKING:
    from tracker.runs import Fold, Plateau

Command = TypeVar("Command", bound=Callable[..., Any])


class PlateauType(click.ParamType["Plateau"]):
    """``FACTOR,PATIENCE``: what the learning rate is multiplied by, and after how many epochs."""

    name = "FACTOR,PATIENCE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Plateau:
        """Read ``0.3,10``; anything else is wrong usage."""
        from tracker.runs import Plateau

        factor, comma, patience = value.partition(",")
        try:
            if not comma:
                raise ValueError("two numbers with a comma between are needed, as in 0.3,10")
            return Plateau(_number(factor, float, "factor"), _number(patience, int, "patience"))
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class FoldType(click.ParamType["Fold"]):
    """``K/N``: hold out part K of N."""

    name = "K/N"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Fold:
        """Read ``1/5``; anything else is wrong usage."""
        from tracker.runs import Fold

        number, slash, count = value.partition("/")
        try:
            if not slash:
                raise ValueError("two numbers with a slash between are needed, as in 1/5")
            return Fold(_number(number, int, "fold"), _number(count, int, "number of folds"))
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


Number = TypeVar("Number", int, float)


def _number(text: str, kind: type[Number], what: str) -> Number:
    try:
        return kind(text)
    except ValueError:
        sort = "a whole number" if kind is int else "a number"
        raise ValueError(f"the {what} must be {sort}, got {text!r}") from None


def uri_option(command: Command) -> Command:
    """Add ``--tracking-uri``."""
    return click.option(
        "--tracking-uri",
        envvar="MLFLOW_TRACKING_URI",
        metavar="URI",
        help="The MLflow store.  [default: sqlite:///mlflow.db in this folder; environment: MLFLOW_TRACKING_URI]",
    )(command)


def store_options(command: Command) -> Command:
    """Add ``--experiment`` and ``--tracking-uri``."""
    return click.option(
        "--experiment",
        default=DEFAULT_EXPERIMENT,
        show_default=True,
        metavar="NAME",
        help="The MLflow experiment that holds the runs.",
    )(uri_option(command))
