"""Words and numbers on a figure: other people's names made drawable, numbers as a person writes them."""

from __future__ import annotations

import math
from functools import cache
from textwrap import wrap

from matplotlib.font_manager import FontProperties, findfont, get_font

from tracker.conclusions.sentences.words import MINUS, points
from tracker.figures.drawing import families

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_CUT = "…"


def label(text: str, length: int) -> str:
    """Return a name as it can be drawn: one line, every sign with a glyph, no formula, cut to `length` with a mark.

    Control characters and bidirectional overrides, and signs that no font at hand knows, become ``�``; a dollar is a
    dollar, not the start of a formula.
    """
    line = " ".join(text.split())
    cut = line if len(line) <= length else line[: length - 1] + _CUT
    return "".join(sign if sign.isprintable() and _has_glyph(sign) else _UNKNOWN for sign in cut).replace("$", r"\$")


def wrapped(text: str, width: int, lines: int) -> str:
    """Return a title on up to `lines` lines of `width` characters, cut with a mark."""
    return "\n".join(label(line, width) for line in wrap(text, width, max_lines=lines, placeholder=_CUT))


def signed(difference: float) -> str:
    """Return a difference of accuracies with its sign: ``+3.3 points``."""
    return f"{'+' if difference > 0 else MINUS if difference else ''}{points(difference)}"


def short(value: float | None) -> str:
    """Write a loss: three digits after the point, or three that count where it is very large or small."""
    if value is None or not math.isfinite(value):
        return "–" if value is None else str(value)
    return f"{value:.3f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"


@cache
def _has_glyph(sign: str) -> bool:
    return any(get_font(path).get_char_index(ord(sign)) for path in _font_files())


@cache
def _font_files() -> tuple[str, ...]:
    return tuple(findfont(FontProperties(family=name)) for name in families())
