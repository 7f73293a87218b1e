"""A param's value as a level: text that is equal where the values are.

Numbers that parse equal are one level, and what is not set is at the level ``off``.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from tracker.runs import number_text

OFF = "off"

_UNSET = ("", "none", "null", OFF)
_TEXT_BEYOND = (1e-12, 1e15)
"""Numbers smaller or larger than these are kept as they were logged rather than written out digit by digit."""

_FLOAT32_DIGITS = 7
"""Decimal digits that a float32 holds: more are of its binary form."""


@lru_cache(maxsize=65_536)
def level_text(value: str) -> str:
    """Write a param's value so that equal values are equal text.

    Parameters
    ----------
    value : str
        As it was logged.

    Returns
    -------
    str
        ``0.0001`` for ``1e-4`` and for the float32 ``9.999999747378752e-05``, ``off`` for ``None``, ``true`` for
        ``True``; other text as it is.
    """
    text = value.strip()
    if text.lower() in _UNSET:
        return OFF
    number = as_number(text)
    if number is None:
        return text.lower() if text.lower() in ("true", "false") else text
    if number == int(number) and abs(number) < _TEXT_BEYOND[1]:
        return str(int(number))
    if not _TEXT_BEYOND[0] < abs(number) < _TEXT_BEYOND[1]:
        return repr(number)
    return number_text(_from_float32(number))


def level_order(level: str) -> tuple[int, tuple[float, ...], str]:
    """Return the key that sorts levels: ``off``, then numbers (a plateau by factor, then patience), then text."""
    numbers = [as_number(part) for part in level.split("x")]
    if level == OFF:
        return 0, (), ""
    if all(number is not None for number in numbers):
        return 1, tuple(number for number in numbers if number is not None), ""
    return 2, (), level


def as_number(text: str) -> float | None:
    """Return the finite number that `text` says, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _from_float32(number: float) -> float:
    """Return the short number that a float32 of many digits stands for; any other as it is."""
    short = float(f"{number:.{_FLOAT32_DIGITS}g}")
    return short if float(np.float32(short)) == number else number
