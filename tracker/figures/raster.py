"""Drawings as PNG: the same bytes on every machine, since the typeface is that which matplotlib's wheel carries."""

from __future__ import annotations

import io
import re
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import resvg_py
from PIL import Image

from tracker.errors import TrackerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ZOOM = 2  # pixels for each unit of a drawing: sharp on dense screens

# Signs of scripts and blocks that DejaVu Sans has completely. Of a text with others the system's fonts are asked too.
_KNOWN = re.compile(
    "[\u0000-\u02e9\u0300-\u034f\u0380-\u0525\u0530-\u055f\u1e00-\u1efb\u1f00-\u20b5\u210b-\u2149\u2150-\u2185"
    "\u2190-\u2311\u2500-\u269c\ufffd]*"
)
# From dark to light in equal steps to the eye, whoever sees it: the colour map viridis, by five of its colours.
_SHADES = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_ANCHORS = (0, 64, 128, 191, 255)

_NEARLY_WHITE = 248  # the quantiser leaves white some levels short of 255; a colour above this is white again


@lru_cache(maxsize=64)  # a report that is written again in a notebook has mostly the same figures
def png(svg: str) -> bytes:
    """Return a drawing that stands alone as PNG without metadata, in at most 256 colours, a third of the size."""
    drawn = resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=_ZOOM,
        background="#ffffff",
        font_files=[str(path) for path in _fonts()],
        skip_system_fonts=has_glyph(svg),
    )
    with Image.open(io.BytesIO(drawn)) as image:
        few = image.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = few.getpalette() or []
    colours = (palette[i : i + 3] for i in range(0, len(palette), 3))
    few.putpalette([level for rgb in colours for level in (rgb if min(rgb) <= _NEARLY_WHITE else (255, 255, 255))])
    stream = io.BytesIO()
    few.save(stream, format="PNG", compress_level=6)
    return stream.getvalue()


def shades_png(levels: NDArray[np.uint8]) -> bytes:
    """Return an image as PNG without metadata, a pixel for each value, from the darkest (0) to the lightest (255)."""
    shades = np.stack([np.interp(range(256), _ANCHORS, channel) for channel in zip(*_SHADES, strict=True)], axis=1)
    image = Image.fromarray(levels)
    image.putpalette(np.round(shades).astype(np.uint8).tobytes())
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=False, compress_level=9)
    return stream.getvalue()


def has_glyph(text: str) -> bool:
    """Return whether the figures' typeface has every sign of a text."""
    return _KNOWN.fullmatch(text) is not None


def typefaces() -> Path:
    """Return the folder of the figures' typeface."""
    return _fonts()[0].parent


@cache
def _fonts() -> tuple[Path, Path]:
    """Return the files of DejaVu Sans and its bold: matplotlib is looked for, not imported."""
    found = find_spec("matplotlib")
    folder = Path(found.origin or "").parent / "mpl-data" / "fonts" / "ttf" if found else Path()
    regular, bold = folder / "DejaVuSans.ttf", folder / "DejaVuSans-Bold.ttf"
    if not (regular.is_file() and bold.is_file()):
        raise TrackerError(
            "the typeface of figures, DejaVu Sans, is not where matplotlib has it: install matplotlib again"
        )
    return regular, bold
