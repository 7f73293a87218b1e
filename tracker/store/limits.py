"""What MLflow keeps whole of names, params, tags and metrics: checked before anything is written.

MLflow cuts a long value without a word and refuses a strange name in the middle of a batch, when the run is there.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from tracker.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracker.runs.events import Started

EXPERIMENT_LENGTH = 500
PARAM_LENGTH = 6_000
TAG_LENGTH = 8_000
KEY_LENGTH = 250

_KEY = re.compile(r"[\w.\- :/]+")


def check_start(first: Started) -> None:
    """Raise `StoreError` if MLflow would cut or refuse anything that a run starts with: such a run is not begun."""
    if not 1 <= len(first.experiment) <= EXPERIMENT_LENGTH:
        raise StoreError(
            f"the name of an experiment must be 1 to {EXPERIMENT_LENGTH} characters, got {len(first.experiment)}: give "
            "another --experiment"
        )
    _check_unicode("the name of the experiment", first.experiment)
    _check_unicode("the name of the run", first.name)
    check_params(first.params)
    check_tags(first.tags)


def check_params(params: Mapping[str, str]) -> None:
    """Raise `StoreError` if MLflow would cut or refuse one of these params."""
    check_keys("param", params)
    _check_values("param", params, PARAM_LENGTH)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise `StoreError` if MLflow would cut or refuse one of these tags."""
    check_keys("tag", tags)
    _check_values("tag", tags, TAG_LENGTH)


def check_keys(kind: str, keys: Iterable[str]) -> None:
    """Raise `StoreError` if one of these names is none to MLflow, which also takes them for paths."""
    for key in keys:
        plain = posixpath.normpath(key) == key and not key.startswith(("/", ".."))
        if not (_KEY.fullmatch(key) and plain and key != "." and len(key) <= KEY_LENGTH):
            raise StoreError(
                f"the name of a {kind} must be 1 to {KEY_LENGTH} letters, digits, spaces and . _ - / : that make a "
                f"plain path, got {key[: KEY_LENGTH + 1]!r}"
            )


def _check_values(kind: str, values: Mapping[str, str], most: int) -> None:
    for key, value in values.items():
        if len(value) > most:
            raise StoreError(f"the {kind} {key} must be at most {most:,} characters, got {len(value):,}: shorten it")
        _check_unicode(f"the {kind} {key}", value)


def _check_unicode(what: str, text: str) -> None:
    """Refuse bytes that are no Unicode, which a file's name may have and a database never takes."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise StoreError(f"{what} must be Unicode, got {text!r}: rename it")
