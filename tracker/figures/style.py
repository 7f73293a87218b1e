"""The paper and the pens: one style for every figure, sizes in inches, and the same bytes for the same drawing.

Conventions: figures are 8 inches wide, which GitHub shows at about 110 pixels an inch, so that text of 8 points reads
like the page's own small print. Axes are placed in inches from the lower left corner; no layout engine moves them
afterwards, which costs a second drawing. Colours are Okabe and Ito's, which people with any common colour blindness
tell apart, and nothing is said by colour alone. Other people's names are made drawable.

References
----------
Okabe and Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import io
from functools import cache
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

WIDTH = 8.0  # of every figure, in inches
DPI = 150

INK, MUTED, RULE = "#1f2328", "#59636e", "#dfe3e8"
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"

TITLE, SMALL, TINY = 9.0, 7.5, 6.5  # text sizes in points

_NEARLY_WHITE = 248  # the quantiser leaves white some levels short of 255; a colour above this is white again

# Fonts that know scripts which DejaVu, matplotlib's own font, does not; those that are installed are used after it.
_SCRIPTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "WenQuanYi Micro Hei", "Microsoft YaHei",
    "PingFang SC", "Hiragino Sans", "Yu Gothic", "Malgun Gothic", "Noto Sans Devanagari", "Arial Unicode MS",
)  # fmt: skip

_STYLE: dict[Any, Any] = {
    "font.size": SMALL,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": SMALL,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": TINY,
    "ytick.labelsize": TINY,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@cache
def families() -> tuple[str, ...]:
    """Return the font families to draw with, the first with a glyph for a sign winning."""
    installed = set(fontManager.get_font_names())
    return ("DejaVu Sans", *(name for name in _SCRIPTS if name in installed))


def applied() -> AbstractContextManager[None]:
    """Return a context in which drawing follows this module, whatever a matplotlibrc file says."""
    usual: dict[Any, Any] = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
    return mpl.rc_context(usual | _STYLE | {"font.family": list(families())})


def paper(height: float) -> Figure:
    """Return an empty figure of so many inches."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return new axes, placed in inches from the figure's lower left corner."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def write(figure: Figure, x: float, y: float, text: str, **properties: Any) -> None:
    """Write a text at inches from the figure's lower left corner."""
    across, up = figure.get_size_inches()
    figure.text(x / across, y / up, text, **properties)


def legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Explain lines, signs and areas in a row below the axes."""
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=SMALL, borderaxespad=0.3)


def png(figure: Figure, *, redraw: bool = True) -> bytes:
    """Return a figure as PNG bytes without any metadata, in at most 256 colours, which is a third of the size.

    Without `redraw` it is what the canvas has already.
    """
    canvas: Any = figure.canvas
    if redraw:
        canvas.draw()
    width, height = canvas.get_width_height()
    pixels = Image.frombuffer("RGBA", (width, height), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    few = pixels.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = few.getpalette() or []
    colours = (palette[i : i + 3] for i in range(0, len(palette), 3))
    few.putpalette([level for rgb in colours for level in (rgb if min(rgb) <= _NEARLY_WHITE else (255, 255, 255))])
    stream = io.BytesIO()
    few.save(stream, format="PNG", compress_level=6)
    return stream.getvalue()


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


@cache
def _has_glyph(sign: str) -> bool:
    files = (findfont(FontProperties(family=name)) for name in families())
    return any(get_font(file).get_char_index(ord(sign)) for file in files)
