"""Suggested commands, made to reach the store and the data that they were worked out from."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DATA = "TRACKER_DATA"
_THEN = "&&"


def reaching(line: str, uri: str | None, environment: Mapping[str, str]) -> str:
    """Return a command line that does the same from a shell with this environment.

    A store that the environment names is known to the shell too, one that was named by an option is not. Data that the
    environment names would stand in for the demo set, which no option names.

    Parameters
    ----------
    line : str
        Calls of ``tracker run``, quoted for a POSIX shell, joined by ``&&``.
    uri : str or None
        The store that was named by an option.
    environment : mapping of str to str

    Returns
    -------
    str
    """
    return f" {_THEN} ".join(_reaching(call, uri, environment) for call in _calls(shlex.split(line)))


def named_store() -> str | None:
    """Return the store that the running command was given by ``--tracking-uri``; None if by the environment or not."""
    context = click.get_current_context()
    given = context.get_parameter_source("tracking_uri") is ParameterSource.COMMANDLINE
    return context.params["tracking_uri"] if given else None


def _calls(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the words of each call; what joins them stands before the next one's name, where no option's value does."""
    call: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == _THEN and following == words[0]:
            yield call
            call = []
        else:
            call.append(word)
    yield call


def _reaching(call: Sequence[str], uri: str | None, environment: Mapping[str, str]) -> str:
    on_demo = not any(word == "--data" or word.startswith("--data=") for word in call)
    before = f"{_DATA}= " if on_demo and environment.get(_DATA) else ""
    return before + shlex.join([*call, *([] if uri is None else [f"--tracking-uri={uri}"])])
