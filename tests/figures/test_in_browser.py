"""Figures as a browser lays them out: no text too small at any width, nothing cut off, the colours of the page."""

from __future__ import annotations

import re

import pytest

from tests.figures.test_pictures import crowd_of, report_of
from tests.render.test_in_browser import CHROMIUM, browser, opened
from tracker.figures import report_pictures, stylesheet
from tracker.render import render_html

__all__ = ["browser"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian's package chromium)")

SIZES = """() => [...document.querySelectorAll('.fig .drawing text')].map(t => {
    const {a, b} = t.getScreenCTM()
    if (!t.getBoundingClientRect().width) return 99
    return parseFloat(getComputedStyle(t).fontSize) * Math.hypot(a, b)
})"""
OUTSIDE = """() => [...document.querySelectorAll('.fig .drawing text')].filter(t => {
    const own = t.getBoundingClientRect(), all = t.closest('.drawing').getBoundingClientRect()
    return own.width && (own.left < all.left - 2 || own.right > all.right + 2)
}).map(t => t.textContent)"""
OPEN = "document.querySelectorAll('details.fold').forEach(d => d.open = true)"


@pytest.fixture(scope="module")
def text(entries) -> str:
    report = report_of([*crowd_of(entries, 14)])
    return render_html(report, report_pictures(report), stylesheet())


class TestFiguresInBrowser:
    @pytest.mark.parametrize("width", [320, 360, 390, 700, 800, 1000, 1400])
    def test_no_text_is_under_eleven_pixels_or_cut_off(self, browser, text, tmp_path, width: int) -> None:
        page, complaints = opened(browser, text, tmp_path, width=width)
        page.evaluate(OPEN)
        assert min(page.evaluate(SIZES)) >= 11
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert complaints == []

    def test_small_multiples_stand_two_beside_each_other_on_a_phone_and_four_on_a_desk(
        self, browser, text, tmp_path
    ) -> None:
        for width, columns in ((360, 2), (390, 2), (800, 4), (1400, 4)):
            page, _ = opened(browser, text, tmp_path, width=width)
            tops = page.locator(".fig .multiples .drawing").evaluate_all(
                "all => all.map(d => d.getBoundingClientRect().top)"
            )
            assert tops.count(tops[0]) == columns

    def test_a_narrow_place_has_one_drawing_of_configurations_with_names_above(self, browser, text, tmp_path) -> None:
        for width, shown in ((390, [False, True]), (1400, [True, False])):
            page, _ = opened(browser, text, tmp_path, width=width)
            drawings = page.locator(".fig").first.locator(".drawing").all()
            assert [drawing.is_visible() for drawing in drawings] == shown

    def test_figures_have_the_colours_of_the_page(self, browser, text, tmp_path) -> None:
        for scheme in ("light", "dark"):
            page, _ = opened(browser, text, tmp_path, scheme=scheme)
            ink = page.locator("body").evaluate("e => getComputedStyle(e).color")
            assert page.locator(".wide .lab").first.evaluate("e => getComputedStyle(e).fill") == ink

    def test_figures_stay_in_print(self, browser, text, tmp_path) -> None:
        page, _ = opened(browser, text, tmp_path, scheme="dark")
        page.emulate_media(media="print", color_scheme="dark")
        fill = page.locator(".wide .best .d").first.evaluate("e => getComputedStyle(e).fill")
        assert re.sub(r"\s", "", fill) == "rgb(11,110,153)"
