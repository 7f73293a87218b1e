"""Figures as a browser lays them out: no text too small at any width, nothing cut off, the colours of the page."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.builders import HOSTILE, entries_of
from tests.figures.test_pictures import crowd_of, of_sections, report_of, standing
from tests.running import CHROMIUM
from tracker.answers import Answer
from tracker.figures import report_pictures, stylesheet
from tracker.render import render_html
from tracker.report import Section
from tracker.runs import Predictions

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


@pytest.fixture(scope="module")
def hostile(entries) -> str:
    """A page whose names of runs, classes, clips and configurations would all act if they could."""
    runs = []
    for number, (entry, name) in enumerate(zip(entries, HOSTILE, strict=False)):
        clips = tuple(f"{text}/{i}" for i, text in enumerate(HOSTILE))
        labels = tuple(HOSTILE[i % 7] for i in range(len(clips)))
        rows = np.eye(7)[[(i * (number + 2)) % 7 for i in range(len(clips))]]
        made = Predictions(clips, labels, HOSTILE[:7], rows)
        runs.append(replace(entry.run, run_id=str(number), name=name, validation=made))
    made = entries_of(runs)
    sections = [
        Section(text, (entry,), f"{text}, {text}, {text}", standing(entry))
        for text, entry in zip(HOSTILE, made, strict=False)
    ]
    report = of_sections(sections)
    errors = Answer("errors", "Where?", "Observed", "Here.", pictures=("confusion", "clips"))
    return render_html(replace(report, answers=(errors,)), report_pictures(report), stylesheet())


class TestFiguresInBrowser:
    def test_no_name_acts(self, seen, hostile) -> None:
        page, complaints = seen(hostile, width=390)
        assert complaints == []
        assert page.locator(".fig script, .fig img, .fig a, .fig foreignObject").count() == 0
        assert page.locator(".fig").count() >= 7

    def test_the_page_of_the_writeups_four_runs_is_small(self, entries) -> None:
        report = report_of(entries)
        page = render_html(report, report_pictures(report), stylesheet())
        assert len(page.encode()) < 250_000

    @pytest.mark.parametrize("width", [320, 360, 390, 700, 800, 1000, 1400])
    def test_no_text_is_under_eleven_pixels_or_cut_off(self, seen, text, width: int) -> None:
        page, complaints = seen(text, width=width)
        page.evaluate(OPEN)
        assert min(page.evaluate(SIZES)) >= 11
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert complaints == []

    def test_small_multiples_stand_two_beside_each_other_on_a_phone_and_four_on_a_desk(self, seen, text) -> None:
        for width, columns in ((360, 2), (390, 2), (800, 4), (1400, 4)):
            page, _ = seen(text, width=width)
            tops = page.locator(".fig .multiples .drawing").evaluate_all(
                "all => all.map(d => d.getBoundingClientRect().top)"
            )
            assert tops.count(tops[0]) == columns

    def test_a_narrow_place_has_one_drawing_of_configurations_with_names_above(self, seen, text) -> None:
        for width, shown in ((390, [False, True]), (1400, [True, False])):
            page, _ = seen(text, width=width)
            drawings = page.locator(".fig").first.locator(".drawing").all()
            assert [drawing.is_visible() for drawing in drawings] == shown

    def test_figures_have_the_colours_of_the_page(self, seen, text) -> None:
        for scheme in ("light", "dark"):
            page, _ = seen(text, scheme=scheme)
            ink = page.locator("body").evaluate("e => getComputedStyle(e).color")
            assert page.locator(".wide .lab").first.evaluate("e => getComputedStyle(e).fill") == ink

    def test_figures_stay_in_print(self, seen, text) -> None:
        page, _ = seen(text, scheme="dark")
        page.emulate_media(media="print", color_scheme="dark")
        fill = page.locator(".wide .best .d").first.evaluate("e => getComputedStyle(e).fill")
        assert re.sub(r"\s", "", fill) == "rgb(11,110,153)"
