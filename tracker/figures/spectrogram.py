"""A spectrogram: how loud each frequency is over time.

References
----------
Slaney (1998), Auditory Toolbox, technical report 1998-010 (the mel scale, as librosa has it)
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING

import numpy as np

from tracker.figures import svg
from tracker.figures.raster import shades_png
from tracker.figures.style import NARROW
from tracker.runs import FLOOR_DB, number_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEFT, _TOP, _BELOW, _RIGHT = 50.0, 22.0, 24.0, 8.0  # margins
_HEIGHT = 128.0  # of the image
_STEPS = 63  # shades between silence and the maximum: finer ones cannot be seen, and take room
_ROUND = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)  # Hz, at about equal distances
_LEAST_APART = 17.0  # of two labels
_LINEAR_TO, _MELS_A_HERTZ, _MELS_AN_E_FOLD = 1_000.0, 3 / 200, 27 / math.log(6.4)


def draw_spectrogram(image: NDArray[np.float32], sr: int, span: tuple[float, float], alt: str) -> str:
    """Return a drawing of a log-mel image, shape (n_mels, n_frames), dB from −80 to 0, with its axes.

    Its bands are of 0 to `sr` / 2 Hz; its frames are of a span of seconds.
    """
    width = NARROW - _LEFT - _RIGHT
    steps = np.round((1 - image[::-1] / FLOOR_DB) * _STEPS) * (255 / _STEPS)
    data = base64.b64encode(shades_png(np.clip(steps, 0, 255).astype(np.uint8))).decode("ascii")
    place = {"x": 0, "y": 0, "width": width, "height": _HEIGHT}
    shown = svg.element("image", href=f"data:image/png;base64,{data}", preserveAspectRatio="none", **place)
    parts = [shown, svg.text(-_LEFT, -9, "frequency, Hz", "mut")]
    above = math.inf
    for hertz in _ROUND:
        y = _HEIGHT * (1 - _mel(hertz) / _mel(sr / 2))
        if 0 <= y <= above - _LEAST_APART:
            parts += [svg.line(-4, y, 0, y, "axis"), svg.text(-7, y + 4, f"{hertz:,}", "mut", "end")]
            above = y
    x = svg.Scale(*span, 0, width)
    for second in x.ticks(5):
        parts.append(svg.line(x(second), _HEIGHT, x(second), _HEIGHT + 4, "axis"))
        anchor = "middle" if 12 < x(second) < width - 12 else "end" if x(second) > 12 else "start"
        parts.append(svg.text(x(second), _HEIGHT + 18, f"{number_text(round(second, 6))} s", "mut", anchor))
    return svg.drawing(NARROW, _HEIGHT + _TOP + _BELOW, [svg.moved(_LEFT, _TOP, parts)], alt)


def _mel(hertz: float) -> float:
    if hertz < _LINEAR_TO:
        return hertz * _MELS_A_HERTZ
    return _LINEAR_TO * _MELS_A_HERTZ + math.log(hertz / _LINEAR_TO) * _MELS_AN_E_FOLD
