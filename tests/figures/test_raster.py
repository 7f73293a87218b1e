from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.lazy import Lazy
from tracker.errors import TrackerError
from tracker.figures import raster, run_curves
from tracker.figures.raster import png, shades_png
from tracker.printable import is_printable

FT2Font = Lazy("matplotlib.ft2font", "FT2Font")


def chunks(content: bytes) -> set[bytes]:
    names, place = set(), 8
    while place < len(content):
        names.add(content[place + 4 : place + 8])
        place += 12 + int.from_bytes(content[place : place + 4], "big")
    return names


class TestShadesPng:
    def test_shades_png_has_a_lighter_pixel_for_each_larger_value_and_no_metadata(self) -> None:
        content = shades_png(np.arange(0, 256, 5, dtype=np.uint8)[None])
        shades = np.asarray(Image.open(io.BytesIO(content)).convert("L"), dtype=int)[0]
        assert (np.diff(shades) > 0).all()
        assert chunks(content) == {b"IHDR", b"PLTE", b"IDAT", b"IEND"}


class TestPng:
    def test_it_is_twice_as_large_and_has_no_metadata(self, entries) -> None:
        content = png(run_curves(entries[0].run).drawing)
        image = Image.open(io.BytesIO(content))
        assert image.size[0] == 1568
        assert chunks(content) == {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
        pixels = np.asarray(image.convert("RGB"))
        assert pixels[0, 0].tolist() == [255, 255, 255]
        assert pixels.min() < 128

    def test_the_same_drawing_gives_the_same_bytes(self, entries) -> None:
        drawing = run_curves(entries[0].run).drawing
        assert png.__wrapped__(drawing) == png.__wrapped__(drawing)

    def test_text_is_drawn(self) -> None:
        blank, written = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" width="40" height="20">{text}</svg>'
            for text in ("", '<text x="2" y="15" font-family="DejaVu Sans">ab</text>')
        )
        assert png(blank) != png(written)

    def test_only_a_text_with_signs_that_dejavu_lacks_asks_the_system(self) -> None:
        font = FT2Font(str(raster._fonts()[0]))
        drawn = [chr(code) for code in range(0x3000) if raster._KNOWN.fullmatch(chr(code)) and is_printable(chr(code))]
        assert [sign for sign in drawn if not font.get_char_index(ord(sign))] == []
        assert not raster._KNOWN.fullmatch("日本")

    def test_a_typeface_that_is_not_there_is_told(self, monkeypatch) -> None:
        monkeypatch.setattr(raster, "find_spec", lambda _name: None)
        raster._fonts.cache_clear()
        with pytest.raises(TrackerError, match="DejaVu Sans"):
            raster._fonts()
        raster._fonts.cache_clear()
