from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree as ET

import numpy as np
from PIL import Image

from tracker.figures import draw_spectrogram

SILENT_ABOVE = np.vstack([np.zeros((64, 20)), np.full((64, 20), -80.0)]).astype(np.float32)  # low bands come first


def image_in(drawing: str) -> Image.Image:
    (data,) = re.findall(r'href="data:image/png;base64,([^"]+)"', drawing)
    return Image.open(io.BytesIO(base64.b64decode(data)))


def words_in(drawing: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", drawing)


class TestDrawSpectrogram:
    def test_draw_spectrogram_has_a_pixel_for_each_band_and_frame_low_bands_below(self) -> None:
        image = image_in(draw_spectrogram(SILENT_ABOVE, 22_050, (0.0, 3.0), "A tone."))
        assert image.size == (20, 128)
        shades = np.asarray(image.convert("L"), dtype=int)
        assert shades[:64].max() < 50
        assert shades[64:].min() > 200

    def test_draw_spectrogram_has_axes_in_hertz_and_seconds(self) -> None:
        words = words_in(draw_spectrogram(SILENT_ABOVE, 22_050, (13.5, 16.5), "A tone."))
        assert words[0] == "frequency, Hz"
        assert {"500", "1,000", "2,000", "4,000", "8,000"} <= set(words)
        assert {"14 s", "15 s", "16 s"} <= set(words)

    def test_draw_spectrogram_of_a_low_rate_has_no_frequency_above_its_half(self) -> None:
        words = words_in(draw_spectrogram(SILENT_ABOVE, 4_000, (0.0, 1.0), "A tone."))
        assert {"1,000", "2,000"} <= set(words)
        assert "4,000" not in words

    def test_draw_spectrogram_says_what_it_is_and_refers_to_nothing_outside(self) -> None:
        drawing = draw_spectrogram(SILENT_ABOVE, 22_050, (0.0, 3.0), '"><script>alert(1)</script>')
        root = ET.fromstring(drawing)  # noqa: S314  (our own)
        assert root.attrib["aria-label"] == '"><script>alert(1)</script>'
        assert root.attrib["role"] == "img"
        assert not re.findall(r"(?:https?|file):", drawing)

    def test_draw_spectrogram_is_the_same_each_time(self) -> None:
        one, other = (draw_spectrogram(SILENT_ABOVE, 22_050, (0.0, 3.0), "A tone.") for _ in range(2))
        assert one == other
