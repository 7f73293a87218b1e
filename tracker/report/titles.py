"""Titles of runs: their configuration in words, computed from typed values.

A title stands plain in a heading, so that nothing of other people's text may act in it: what is no number, no truth
value and no plain word is said by its place among the option's levels.
"""

from __future__ import annotations

import re

from tracker.design import OFF, PLATEAU, Design, as_number

_PLAIN = re.compile(r"(?!www)[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*", re.ASCII | re.IGNORECASE)
_LONGEST = 40
_ALWAYS = ("kernel_size", "learning_rate", PLATEAU, "early_stopping_patience")


def title(design: Design, run: int) -> str:
    """Return a run's configuration in words.

    Parameters
    ----------
    design : Design
    run : int
        Its position.

    Returns
    -------
    str
        ``Conv=7, lr=0.0001, ReduceLROnPlateau(factor=0.3, patience=10), EarlyStopping(patience=15)``, then every
        further option that varies.
    """
    levels = dict(design.terms[run].levels)
    parts = [part for option in _ALWAYS if (part := _known(option, levels.get(option, OFF)))]
    for option in design.options:
        if option not in _ALWAYS:
            level = design.level(run, option)
            place = design.levels[option].index(level) + 1
            parts.append(f"{_plain(option) or 'option'}={_plain(level) or f'level {place}'}")
    return ", ".join(parts) or "Default configuration"


def _known(option: str, level: str) -> str | None:
    """Return an option of every title in Keras' words; None where it is off or no number."""
    if option == PLATEAU:
        factor, _, patience = level.partition("x")
        numbers = all(as_number(part) is not None for part in (factor, patience))
        return f"ReduceLROnPlateau(factor={factor}, patience={patience})" if numbers else None
    if as_number(level) is None:
        return None
    words = {
        "kernel_size": "Conv={}",
        "learning_rate": "lr={}",
        "early_stopping_patience": "EarlyStopping(patience={})",
    }
    return words[option].format(level)


def _plain(text: str) -> str | None:
    return text if len(text) <= _LONGEST and (_PLAIN.fullmatch(text) or as_number(text) is not None) else None
