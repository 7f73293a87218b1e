"""How numbers and other values stand in params: equal values as equal text, which reads back to the same value."""

from __future__ import annotations

import numpy as np

OptionValue = int | float | str | bool
"""What an option of a network may be set to."""


def number_text(value: float) -> str:
    """Write a number in its shortest exact form without an exponent.

    Parameters
    ----------
    value : int or float
        A finite number.

    Returns
    -------
    str
        Digits that read back to the same number: ``0.0001`` for ``1e-4``, ``3`` for ``3.0``.
    """
    if isinstance(value, int):
        return str(value)
    return np.format_float_positional(value, trim="-")


def value_text(value: OptionValue) -> str:
    """Write the value of a network's option as a param: numbers by `number_text`, truth as ``true`` or ``false``."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else number_text(value)
