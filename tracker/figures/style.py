"""One table of colours and sizes for every figure, in the page and outside it, and names that can be drawn.

A drawing has classes instead of colours. In a page the stylesheet gives them meaning: the text is the page's own and
dark mode its own choice. A drawing that stands alone (PNG, PDF) carries the same rules with the light values.

Sizes are in units of the drawing. No text is ever smaller than 11 pixels on a screen: `SMALL` is the smallest text, and
each kind of drawing is shown at no less than ``11 / SMALL`` of its width (`LEAST_WIDTH`). In a wide figure text is set
smaller, since the drawing is enlarged there.

Colours are told apart by people with any common colour blindness, and nothing is said by colour alone.
"""

from __future__ import annotations

import unicodedata
from string import Template
from typing import TYPE_CHECKING

from tracker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

LABEL, SMALL = 13.5, 12.5  # sizes of text
_LABEL_WIDE, _SMALL_WIDE = 12.5, 10.5  # the same if the figure has at least `_WIDE` pixels
_LABEL_TINY, _SMALL_TINY = 14, 14  # the same if it has fewer than `_TINY`

# Width of each kind of drawing: a whole figure in a wide and in a narrow place, a small multiple, one of a pair
WIDE, NARROW, SMALL_MULTIPLE, MEDIUM = 760, 320, 180, 320
_WIDE = 800  # pixels of a figure from which on text is set smaller
_TINY = 281  # pixels of a figure below which text is set larger: those of a card on the smallest phones
_TURN = 672  # pixels of a figure below which the narrow drawing is shown
LEAST_WIDTH = {WIDE: _TURN, NARROW: 282, SMALL_MULTIPLE: 160}  # in pixels, by the width of the drawing

# name: on light and on dark ground
COLOURS = {
    "ink": ("#15202b", "#e8ecef"),
    "muted": ("#5b6770", "#9aa6b0"),
    "rule": ("#dfe3e6", "#2c343b"),
    "ground": ("#ffffff", "#1a1e23"),
    "soft": ("#eef2f5", "#20272e"),
    "best": ("#0b6e99", "#5bb8e0"),
    "warm": ("#b5541c", "#f0915a"),
    "shade": ("#0b6e99", "#2f86b3"),
}

# What each class looks like. ``text`` without a class is ink of the small size.
_RULES = {
    "text": "fill:$ink;font-size:$small",
    ".lab": "font-size:$label;font-weight:600",
    ".mut": "fill:$muted",
    ".blu": "fill:$best",
    ".wrm": "fill:$warm",
    ".bld": "font-weight:600",
    ".halo": "paint-order:stroke;stroke:$ground;stroke-width:3px;stroke-linejoin:round",
    ".grid": "stroke:$rule",
    ".axis": "stroke:$muted",
    ".band": "fill:$soft",
    ".base": "stroke:$warm;stroke-width:1.5;stroke-dasharray:5 4",
    ".w": "stroke:$muted;stroke-width:2.5",
    ".d": "fill:$muted",
    ".o": "fill:$ground;stroke:$muted;stroke-width:2",
    ".s": "fill:$ground;stroke:$muted",
    ".best .w": "stroke:$best",
    ".best .d": "fill:$best",
    ".best .o": "stroke:$best",
    ".best .s": "stroke:$best",
    ".tr": "fill:none;stroke:$warm;stroke-width:1.3;stroke-dasharray:4 2",
    ".va": "fill:none;stroke:$best;stroke-width:1.7;stroke-linejoin:round",
    ".dot": "fill:$best",
    ".dotw": "fill:$warm",
    ".ring": "fill:$ground;stroke:$best;stroke-width:2",
    ".down": "stroke:$best;stroke-dasharray:1 2",
    ".cut": "stroke:$muted;stroke-dasharray:4 3",
    ".ok": "fill:$soft",
    ".bad": "fill:$warm",
    ".x": "fill:none;stroke:$ground;stroke-width:1.8;stroke-linecap:round",
    ".cell": "fill:$shade",
    ".frame": "fill:none;stroke:$rule",
}

_FONT = "DejaVu Sans"  # of a drawing that stands alone: its files come with matplotlib


def _rules(prefix: str, values: dict[str, str]) -> str:
    return "".join(f"{prefix}{selector}{{{Template(look).substitute(values)}}}\n" for selector, look in _RULES.items())


def standalone_rules() -> str:
    """Return the rules of a drawing that stands alone, on light ground."""
    light = {name: light for name, (light, _) in COLOURS.items()}
    return f"svg{{font-family:'{_FONT}',sans-serif}}\n" + _rules(
        "", light | {"label": f"{LABEL}px", "small": f"{SMALL}px"}
    )


def stylesheet() -> str:
    """Return the rules of figures in a page: light and dark, wide and narrow, on paper."""
    light, dark = ("".join(f"--f-{name}:{pair[i]};" for name, pair in COLOURS.items() if name != "ink") for i in (0, 1))
    values = {name: f"var(--f-{name})" for name in (*COLOURS, "label", "small")} | {"ink": "currentColor"}
    least = LEAST_WIDTH[SMALL_MULTIPLE] / 16
    return (
        f":root{{{light}}}\n@media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n@media print{{:root{{{light}}}}}\n"
        f".fig{{container-type:inline-size;--f-label:{LABEL}px;--f-small:{SMALL}px}}\n"
        ".fig .drawing{display:block;width:100%;height:auto;overflow:visible;font-family:inherit}\n"
        f".fig .narrow,.fig .square{{max-width:{1.25 * NARROW:g}px}}\n.fig .wide{{display:none}}\n"
        f".fig .multiples{{display:grid;gap:.9rem .5rem;"
        f"grid-template-columns:repeat(auto-fill,minmax(min(100%,max({least:g}rem,22%)),1fr))}}\n"
        ".fig .pair{display:grid;gap:.9rem 1rem;"
        "grid-template-columns:repeat(auto-fill,minmax(min(100%,max(18rem,40%)),1fr))}\n"
        f".fig .pair .panel{{max-width:{1.5 * MEDIUM:g}px}}\n"
        ".fig .panel{display:flex;flex-direction:column;justify-content:flex-end;margin:0}\n"
        ".fig .panel p{margin:0 0 .2rem;font-size:.8125rem;line-height:1.35;color:var(--f-muted);"
        "overflow-wrap:anywhere}\n"
        ".fig .panel b{color:var(--ink,currentColor)}\n"
        f"@container(max-width:{_TINY}px){{.fig .in{{--f-label:{_LABEL_TINY}px;--f-small:{_SMALL_TINY}px}}}}\n"
        f"@container(min-width:{_TURN}px){{.fig .wide{{display:block}}.fig .wide+.narrow{{display:none}}}}\n"
        f"@container(min-width:{_WIDE}px){{.fig .in{{--f-label:{_LABEL_WIDE}px;--f-small:{_SMALL_WIDE}px}}}}\n"
        + _rules(".fig ", values)
    )


def label(text: str, length: int) -> str:
    """Return a name as it can be drawn: one line without control characters, cut to `length` with a mark."""
    return printable(" ".join(text.split()), length)


def distinct_labels(texts: Sequence[str], length: int) -> list[str]:
    """Return names as they can be drawn, about `length` long, and different wherever the names are.

    A long name is cut at its end, or in its middle, or at its beginning, whichever keeps all names apart; if none does,
    names are longer.
    """
    lines = [label(text, _LONGEST) for text in texts]
    apart = len(set(lines))
    for most in range(length, _LONGEST, max(4, length // 4)):
        for tail in (0, most // 2, most - 1):
            cut = [line if len(line) <= most else _cut(line, most, tail) for line in lines]
            if len(set(cut)) == apart:
                return cut
    return lines


_LONGEST = 400  # characters of a name that are looked at


def _cut(line: str, length: int, tail: int) -> str:
    return f"{line[: length - 1 - tail]}…{line[len(line) - tail :]}"


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is, in the units of `size`; a little more than most typefaces need."""
    ems = (1.0 if unicodedata.east_asian_width(sign) in "WF" else _EMS.get(sign, 0.63) for sign in text)
    return size * sum(ems)


_EMS = dict.fromkeys("iljI.,:;|!' ", 0.33) | dict.fromkeys("frt()[]-1/", 0.45) | dict.fromkeys("mwMW@%…", 0.97)


def fitted(line: str, width: float, size: float) -> str:
    """Return a line, cut with a mark if it is wider than `width`."""
    if text_width(line, size) <= width:
        return line
    while line and text_width(f"{line}…", size) > width:
        line = line[:-1]
    return f"{line.rstrip()}…"


def wrapped(text: str, width: float, size: float, lines: int) -> list[str]:
    """Break a text at spaces into up to `lines` lines of `width`; what doesn't fit is cut with a mark."""
    broken = [""]
    for word in label(text, _LONGEST).split(" "):
        longer = f"{broken[-1]} {word}".strip()
        if not broken[-1] or text_width(longer, size) <= width:
            broken[-1] = longer
        else:
            broken.append(word)
    shown = [*broken[: lines - 1], " ".join(broken[lines - 1 :])]
    return [fitted(line, width, size) for line in shown if line]
