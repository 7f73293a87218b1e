"""The few parts of SVG that a figure needs, as text: every text and number that goes in is escaped and rounded here.

A drawing is an ``<svg>`` with a viewBox, whose text is text and whose shapes have classes of `style`; it refers to
nothing outside itself and runs nothing. The same calls give the same bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from tracker.figures import style
from tracker.printable import printable
from tracker.report import Picture
from tracker.wording import capitalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tracker.report import Panel
    from tracker.report.model import Layout

_MOST_POINTS = 400  # of a line, about two for each unit of its width
_GAP = 13.0  # between drawings that are put together
_MARGIN = 12.0  # around a drawing that stands alone, maybe on dark ground
_LARGEST = 1.25  # how many times its size a drawing is shown that is narrower than its place


def number(value: float) -> str:
    """Return a coordinate with one decimal: a tenth of a unit cannot be seen."""
    text = f"{value:.1f}"
    return "0" if text == "-0.0" else text.removesuffix(".0")


def element(name: str, *content: str, **attributes: str | float | None) -> str:
    """Return an element; a trailing underscore in an attribute's name is dropped, and others are hyphens."""
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}={_quoted(value)}"
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}>{''.join(content)}</{name}>" if content else f"<{name}{given}/>"


def _quoted(value: str | float) -> str:
    return quoteattr(printable(value)) if isinstance(value, str) else f'"{number(value)}"'


def text(x: float, y: float, words: str, class_: str | None = None, anchor: str | None = None, hover: str = "") -> str:
    """Return a text at its baseline; `anchor` is ``middle`` or ``end``."""
    return element("text", title(hover), escape(printable(words)), x=x, y=y, class_=class_, text_anchor=anchor)


def turned(x: float, y: float, words: str, transform: str) -> str:
    """Return a text that begins at a point and is turned about it."""
    return element("text", escape(printable(words)), x=x, y=y, transform=transform)


def title(words: str) -> str:
    """Return what is read on hovering."""
    return f"<title>{escape(printable(words))}</title>" if words else ""


def line(x1: float, y1: float, x2: float, y2: float, class_: str, hover: str = "") -> str:
    """Return a straight line."""
    return element("line", *filter(None, [title(hover)]), x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def circle(x: float, y: float, radius: float, class_: str, hover: str = "") -> str:
    """Return a circle."""
    return element("circle", *filter(None, [title(hover)]), cx=x, cy=y, r=radius, class_=class_)


def rect(
    x: float, y: float, width: float, height: float, class_: str, hover: str = "", opacity: float | None = None
) -> str:
    """Return a rectangle, maybe see-through."""
    shade = None if opacity is None else f"{opacity:.2f}"
    inside = filter(None, [title(hover)])
    return element("rect", *inside, x=x, y=y, width=width, height=height, class_=class_, fill_opacity=shade)


def path(points: Iterable[tuple[float, float]], class_: str, hover: str = "") -> str:
    """Return a line through points, with a gap at each that isn't finite."""
    parts, is_open = [], False
    for across, down in points:
        is_finite = math.isfinite(across) and math.isfinite(down)
        if is_finite:
            parts.append(f"{'L' if is_open else 'M'}{number(across)},{number(down)}")
        is_open = is_finite
    return element("path", *filter(None, [title(hover)]), d="".join(parts), class_=class_)


def group(parts: Iterable[str], class_: str | None = None, hover: str = "") -> str:
    """Return parts that belong together."""
    return element("g", *filter(None, [title(hover)]), *parts, class_=class_)


def cells(places: Iterable[tuple[float, float]], width: float, height: float, class_: str) -> str:
    """Return equal rectangles by their upper left corners, as one shape; nothing for none."""
    side = f"h{number(width)}v{number(height)}h{number(-width)}z"
    shape = "".join(f"M{number(x)},{number(y)}{side}" for x, y in places)
    return element("path", d=shape, class_=class_) if shape else ""


def crosses(places: Iterable[tuple[float, float]], radius: float, class_: str) -> str:
    """Return crosses about their centres, as one shape; nothing for none."""
    r, d = number(radius), number(2 * radius)
    stroke = f"m-{r},-{r}l{d},{d}m-{d},0l{d},-{d}"
    shape = "".join(f"M{number(x)},{number(y)}{stroke}" for x, y in places)
    return element("path", d=shape, class_=class_) if shape else ""


def moved(x: float, y: float, parts: Iterable[str], scale: float = 1.0) -> str:
    """Return parts whose coordinates count from a point."""
    size = "" if scale == 1 else f" scale({scale:.4g})"
    return element("g", *parts, transform=f"translate({number(x)} {number(y)}){size}")


def window(width: float, height: float, parts: Iterable[str]) -> str:
    """Return parts cut off at the edges of an area that begins where they count from."""
    return element("svg", *parts, width=width, height=height)


def drawing(width: float, height: float, parts: Iterable[str], alt: str) -> str:
    """Return a whole drawing with its alternative text."""
    box = f"0 0 {number(width)} {number(height)}"
    return element("svg", *parts, viewBox=box, class_="drawing", role="img", aria_label=alt)


def size_of(drawn: str) -> tuple[float, float]:
    """Return the width and height of a drawing."""
    _, _, width, height = drawn.split('viewBox="', 1)[1].split('"', 1)[0].split(" ")
    return float(width), float(height)


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from `low` to `high` onto `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value stands."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int, *, whole: bool = False) -> list[float]:
        """Return up to `most` round values, as many as possible; `whole` numbers only if asked."""
        span = self.high - self.low
        power = 10.0 ** (math.floor(math.log10(span / max(1, most))) - 1)
        steps = [factor * power * 10**i for i in range(4) for factor in (1.0, 2.0, 2.5, 5.0)]
        for step in steps:
            if whole and step != int(step):
                continue
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            if last - first + 1 <= most:
                return [i * step for i in range(first, last + 1)]
        return [self.low]


def thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a line's points, of very many the lowest and highest of each small stretch: it looks the same."""
    if len(x) <= _MOST_POINTS:
        return x, y
    kept = {0, len(x) - 1}
    filled = np.where(np.isfinite(y), y, np.nan)
    for stretch in np.array_split(np.arange(len(x)), _MOST_POINTS // 2):
        values = filled[stretch]
        if np.isnan(values).all():
            kept.add(int(stretch[0]))
        else:
            kept |= {int(stretch[np.nanargmin(values)]), int(stretch[np.nanargmax(values)])}
    order = sorted(kept)
    return x[order], y[order]


def picture(
    name: str,
    words: tuple[str, Sequence[str], str],
    panels: Sequence[Panel],
    table: tuple[Sequence[str], Sequence[tuple[str, ...]]],
    runs: Sequence[str],
    layout: Layout = "single",
) -> Picture:
    """Return a figure by its title, the parts of its note and its alternative text, its panels, and its numbers."""
    title, parts, alt = words
    note = f"{capitalised('; '.join(parts))}." if parts else ""
    header, rows = table
    drawing = standalone(panels)
    return Picture(name, title, note, alt, tuple(panels), drawing, tuple(header), tuple(rows), tuple(runs), layout)


def titled(figure: Picture) -> str:
    """Return a figure as one drawing with its title and note above it, for where nothing else explains it."""
    heads = style.wrapped(figure.title, 0.9 * style.WIDE, style.LABEL, 2)
    notes = style.wrapped(figure.note, style.WIDE, style.SMALL, 2)
    above = [text(0, 15 + 18 * i, words, "lab") for i, words in enumerate(heads)]
    top = 18.0 * len(heads)
    above += [text(0, top + 14 + 16 * i, words, "mut") for i, words in enumerate(notes)]
    return standalone(figure.panels, above, top + 16 * len(notes) + _GAP)


def standalone(panels: Sequence[Panel], above: Sequence[str] = (), top: float = 0.0) -> str:
    """Return a figure as one drawing that carries its colours and sizes: its panels with their captions in a grid.

    What stands `above` them reaches down to `top`.
    """
    own_width, _ = size_of(panels[0].svg)
    columns = max(1, int((style.WIDE + _GAP) // (own_width + _GAP)))
    parts, height, width = [*above], top, float(style.WIDE)
    for first in range(0, len(panels), columns):
        drawn, height = _row(panels[first : first + columns], columns, height)
        parts += drawn
    height -= _GAP
    rules = f"<style>{style.standalone_rules()}</style>"
    size: dict[str, float] = {"width": width + 2 * _MARGIN, "height": height + 2 * _MARGIN}
    ground = element("rect", x=-_MARGIN, y=-_MARGIN, **size, fill=style.COLOURS["ground"][0])
    box = " ".join(map(number, (-_MARGIN, -_MARGIN, *size.values())))
    return element("svg", rules, ground, *parts, xmlns="http://www.w3.org/2000/svg", viewBox=box, **size) + "\n"


def _row(panels: Sequence[Panel], columns: int, top: float) -> tuple[list[str], float]:
    """Return a row of drawings below their captions, and where the next row begins."""
    pitch = (style.WIDE + _GAP) / columns
    details = [style.wrapped(panel.detail, pitch - _GAP, style.SMALL, 3) if panel.detail else [] for panel in panels]
    above = (18 if any(panel.caption for panel in panels) else 0) + 15 * max(map(len, details))
    parts, bottom = [], 0.0
    for column, (panel, lines) in enumerate(zip(panels, details, strict=True)):
        x = column * pitch
        parts.append(text(x, top + 14, style.label(panel.caption, 40), "lab") if panel.caption else "")
        parts += [text(x, top + 31 + 15 * i, words, "mut") for i, words in enumerate(lines)]
        own_width, own_height = size_of(panel.svg)
        width = min(pitch - _GAP, _LARGEST * own_width)
        height = width * own_height / own_width
        content = panel.svg[panel.svg.index(">") + 1 : -len("</svg>")]
        parts.append(moved(x, top + above, [content], width / own_width))
        bottom = max(bottom, top + above + height)
    return parts, bottom + _GAP
