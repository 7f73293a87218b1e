"""`tracker report --interactive`: what its script adds in a browser, and that nothing else gets to run."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import make_run
from tests.render.test_in_browser import (
    BROKEN_WORDS,
    OPEN_ALL,
    barriers,
    faults,
    needs_java,
    opened,
    runs_of_hostile_names,
    seeded_runs,
)
from tests.running import CHROMIUM
from tracker.conclusions.conclusion import Table
from tracker.recording.reports import build_report
from tracker.render import render_html
from tracker.wording import metric_text, percent_cell

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian's package chromium)")

RUNS = seeded_runs()[::4]
SCRIPT = re.compile("<script>(.*?)</script>\n", re.DOTALL)


@pytest.fixture(scope="module")
def four() -> str:
    return build_report(RUNS).to_html(interactive=True)


@pytest.fixture(scope="module")
def names() -> str:
    return build_report(runs_of_hostile_names()).to_html(interactive=True)


@pytest.fixture
def page(browser: Browser, four: str, tmp_path) -> Page:
    page, _ = opened(browser, four, tmp_path)
    page.evaluate(OPEN_ALL)
    return page


def plot_of(page: Page, run: int, quantity: str = "Loss") -> Locator:
    """Find the plot of one run's curves in its section."""
    return page.locator(f"#run-{run} .panel", has_text=re.compile(f"^{quantity}")).locator(".plot")


def place_of(plot: Locator, epoch: int, last: int = 40) -> tuple[float, float]:
    """Return where in the window an epoch is, at half the height of the plot."""
    plot.evaluate("plot => plot.scrollIntoView({behavior: 'instant', block: 'center'})")
    box = plot.locator(".slider").bounding_box()
    assert box
    return box["x"] + box["width"] * (epoch - 1) / (last - 1), box["y"] + box["height"] / 2


def reading(plot: Locator) -> list[str]:
    """Return the lines of a plot's reading; none if it isn't shown."""
    readout = plot.locator(".readout")
    return readout.locator("b, span").all_inner_texts() if readout.is_visible() else []


def logged(run: int, epoch: int) -> list[str]:
    training, validation = (RUNS[run - 1].curves[name].at(epoch) for name in ("loss", "val_loss"))
    return [f"Epoch {epoch}", f"training {metric_text(training, 4)}", f"validation {metric_text(validation, 4)}"]


@in_browser
class TestCurves:
    @pytest.mark.parametrize("epoch", [1, 17, 40])
    def test_the_pointer_shows_the_values_logged_at_its_epoch(self, page, epoch: int) -> None:
        for run in (1, 2):
            plot = plot_of(page, run)
            assert reading(plot) == []
            page.mouse.move(*place_of(plot, epoch))
            assert reading(plot) == logged(run, epoch)

    def test_small_multiples_show_them_too(self, page) -> None:
        plot = page.locator("#curves .panel", has_text="Run 3").locator(".plot")
        page.mouse.move(*place_of(plot, 20))
        assert reading(plot) == logged(3, 20)

    def test_accuracy_is_in_percent(self, page) -> None:
        plot = plot_of(page, 1, "Accuracy")
        page.mouse.move(*place_of(plot, 5))
        assert reading(plot) == ["Epoch 5", f"validation {percent_cell(0.8)}"]

    def test_one_reading_is_shown_at_a_time_and_none_once_the_pointer_has_left(self, page) -> None:
        page.mouse.move(*place_of(plot_of(page, 1), 5))
        page.mouse.move(*place_of(plot_of(page, 1, "Accuracy"), 5))
        assert page.locator(".readout:visible").count() == 1
        page.mouse.move(2, 2)
        assert page.locator(".readout:visible").count() == 0

    def test_the_crosshair_stands_on_the_lines(self, page) -> None:
        plot = plot_of(page, 2)
        page.mouse.move(*place_of(plot, 23))
        for dot, line in ((".cross .dotw", ".tr"), (".cross .dot", ".va")):
            x, y = (float(plot.locator(dot).get_attribute(name)) for name in ("cx", "cy"))
            points = re.findall(r"([-\d.]+),([-\d.]+)", plot.locator(line).first.get_attribute("d"))
            assert min(max(abs(float(across) - x), abs(float(down) - y)) for across, down in points) < 0.1

    def test_a_reading_stays_within_its_place(self, page) -> None:
        page.set_viewport_size({"width": 390, "height": 900})
        for epoch in (1, 40):
            plot = page.locator("#curves .plot").first
            page.mouse.move(*place_of(plot, epoch))
            own, readout = plot.bounding_box(), plot.locator(".readout").bounding_box()
            assert own["x"] - 1 <= readout["x"]
            assert readout["x"] + readout["width"] <= own["x"] + own["width"] + 1

    def test_keys_move_it_from_the_best_epoch(self, page) -> None:
        plot = plot_of(page, 1)
        slider = plot.locator(".slider")
        slider.focus()
        best = int(RUNS[0].curves["val_loss"].values.argmin()) + 1
        assert reading(plot) == logged(1, best)
        for key, epoch in (("Home", 1), ("ArrowRight", 2), ("PageUp", 12), ("ArrowLeft", 11), ("End", 40)):
            page.keyboard.press(key)
            assert reading(plot) == logged(1, epoch)
            assert slider.get_attribute("aria-valuenow") == str(epoch)
            assert slider.get_attribute("aria-valuetext") == ", ".join(logged(1, epoch))
        page.keyboard.press("ArrowRight")
        assert reading(plot) == logged(1, 40)
        page.keyboard.press("Escape")
        assert reading(plot) == []

    def test_a_plot_is_reached_by_tab_and_left_by_it(self, page) -> None:
        plot_of(page, 1).locator(".slider").focus()
        page.keyboard.press("Tab")
        assert reading(plot_of(page, 1)) == []
        assert reading(plot_of(page, 1, "Accuracy"))

    def test_a_finger_leaves_its_reading_until_it_points_elsewhere(self, browser, four, tmp_path) -> None:
        (tmp_path / "report.html").write_text(four, encoding="utf-8")
        page = browser.new_context(has_touch=True, viewport={"width": 390, "height": 900}).new_page()
        page.goto((tmp_path / "report.html").as_uri())
        page.evaluate(OPEN_ALL)
        plot = plot_of(page, 1)
        page.touchscreen.tap(*place_of(plot, 12))
        assert reading(plot) == logged(1, 12)
        page.touchscreen.tap(3, 3)
        assert reading(plot) == []

    def test_values_that_are_not_finite_or_not_logged_are_said_to_be(self, browser, tmp_path) -> None:
        losses = {"loss": [1.0, float("inf"), 0.5, 0.25], "val_loss": [0.5, 0.4, float("nan")]}
        text = build_report([make_run(1, "1" * 20, **losses)]).to_html(interactive=True)
        page, complaints = opened(browser, text, tmp_path)
        plot = plot_of(page, 1)
        shown = []
        for epoch in (1, 2, 3, 4):
            page.mouse.move(*place_of(plot, epoch, 4))
            shown.append(reading(plot)[1:])
        assert shown == [
            ["training 1.000", "validation 0.5000"],
            ["training not finite", "validation 0.4000"],
            ["training 0.5000", "validation not finite"],
            ["training 0.2500", "validation –"],
        ]
        assert complaints == []


ASCENDING = (
    ("9", "10", "1,234", "20,000"),
    ("−3.3 points", "−0.2 points", "0", "+1.1 points"),
    ("0 of 4", "25/30", "26/30", "8/9", "1 of 1"),
    ("< 0.001", "0.001", "0.04", "1.0"),
    ("under 0.1", "0.1", "9.6 s", "48 s", "1 min 5 s", "2 h 5 min"),
    ("×0.1 after 5", "×0.3 after 10", "×0.5 after 9", "off"),
    ("1e-7", "1e-5", "0.0001", "1e-3"),
    ("70.3–94.7", "75–80", "not finite"),
    ("9 (its own)", "10 (keeps 5)", "20"),
    ("Run 9", "Run 10", "über"),
)


def rows_of(table: Locator) -> list[str]:
    return table.locator("tbody tr td:first-child").all_text_contents()


@in_browser
class TestTables:
    def test_numbers_are_sorted_as_numbers_and_blanks_come_last(self, browser, report, tmp_path) -> None:
        mixed = [["–", *cells[1::2], "", *cells[::2]] for cells in ASCENDING]
        tables = tuple(Table("Sorted", ("cell", "x"), tuple((cell, "x") for cell in cells)) for cells in mixed)
        answer = replace(report.answers[0], tables=tables)
        text = render_html(replace(report, answers=(answer,)), (), interactive=True)
        page, _ = opened(browser, text, tmp_path)
        for number, cells in enumerate(ASCENDING):
            table = page.locator("#answer-1 table").nth(number)
            for wanted in ([*cells, "–", ""], [*reversed(cells), "–", ""], mixed[number]):
                table.locator("th button").first.evaluate("button => button.click()")
                assert [" ".join(cell.split()) for cell in rows_of(table)] == wanted

    def test_one_header_says_how_a_table_is_sorted(self, page) -> None:
        table = page.locator("#runs .scroll[aria-label=Runs] table")
        before = rows_of(table)
        buttons = table.get_by_role("button")
        for direction in ("ascending", "descending"):
            buttons.first.click()
            assert table.locator("th").first.get_attribute("aria-sort") == direction
            numbers = sorted(map(int, before), reverse=direction == "descending")
            assert rows_of(table) == list(map(str, numbers))
        buttons.nth(1).click()
        assert [header.get_attribute("aria-sort") for header in table.locator("th").all()[:2]] == [None, "ascending"]
        buttons.nth(1).click()
        buttons.nth(1).click()
        assert table.locator("[aria-sort]").count() == 0
        assert rows_of(table) == before

    def test_enter_sorts(self, page) -> None:
        table = page.locator("#runs .scroll[aria-label=Runs] table")
        table.get_by_role("button").first.focus()
        page.keyboard.press("Enter")
        assert rows_of(table) == ["1", "2", "3", "4"]

    def test_all_tables_of_numbers_can_be_sorted(self, page) -> None:
        plain = page.locator(".scroll table:has(tbody tr + tr):not(:has(th button))")
        assert plain.locator("xpath=ancestor::section").evaluate_all("all => all.map(e => e.id)") == ["methods"]
        assert page.locator("#conclusions th button, #appendix th button, #curves th button").count() > 10


class TestPage:
    def test_only_the_script_is_added_and_only_it_may_run(self) -> None:
        report = build_report(RUNS)
        text, interactive = report.to_html(), report.to_html(interactive=True)
        (script,) = SCRIPT.findall(interactive)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        rest = SCRIPT.sub("", interactive).replace(f"; script-src &#39;sha256-{digest}&#39;", "", 1)
        rest = re.sub(r"^\.plot \{.*?(?=^</style>)", "", rest, flags=re.DOTALL | re.MULTILINE)
        assert re.sub(r' data-[a-z]+="[^"]*"', "", rest) == text
        assert "script" not in text
        assert re.findall("data-[a-z]+=", text) == []

    def test_script_and_values_are_small(self, four) -> None:
        (script,) = SCRIPT.findall(four)
        assert len(script.encode()) < 15_000  # 60 kB at most
        assert "</" not in script
        assert "<!--" not in script
        assert len(four.encode()) < 250_000

    def test_values_are_nothing_but_numbers(self, names) -> None:
        values = re.findall(r' data-[a-z]+="([^"]*)"', names)
        assert values
        assert all(re.fullmatch(r"[\d.,−%–e+-]*", text) for text in values)

    @in_browser
    @pytest.mark.parametrize("name", ["four", "names"])
    def test_it_opens_without_a_complaint(self, browser, request, tmp_path, name: str) -> None:
        page, complaints = opened(browser, request.getfixturevalue(name), tmp_path)
        assert page.locator("th button").count() > 10
        assert page.locator(".slider").count() >= 4
        assert page.locator("script").count() == 1
        assert complaints == []

    @in_browser
    def test_no_strangers_name_acts_when_it_is_sorted_and_read(self, browser, names, tmp_path) -> None:
        page, complaints = opened(browser, names, tmp_path)
        before = page.evaluate("document.querySelectorAll('main *').length")
        page.evaluate(OPEN_ALL)
        page.evaluate("document.querySelectorAll('th button').forEach(button => button.click())")
        page.evaluate("document.querySelectorAll('.slider').forEach(slider => slider.focus())")
        assert page.evaluate("document.querySelectorAll('main *').length") == before
        labels = page.locator(".slider").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
        assert all(re.fullmatch(r"Epoch: (Run \d+|Loss|Accuracy)", label) for label in labels)
        assert complaints == []

    @in_browser
    def test_an_altered_script_does_not_run(self, browser, four, tmp_path) -> None:
        altered = four.replace('"use strict";', '"use strict"; ', 1)
        page, complaints = opened(browser, altered, tmp_path)
        assert page.locator("th button, .slider").count() == 0
        assert len(complaints) == 1
        assert "Content Security Policy" in complaints[0]

    @in_browser
    def test_everyone_can_use_it(self, browser, tmp_path) -> None:
        page, _ = opened(browser, build_report(RUNS[:2]).to_html(interactive=True), tmp_path, bypass_csp=True)
        page.evaluate(OPEN_ALL)
        page.locator("#runs th button").first.click()
        plot_of(page, 1).locator(".slider").focus()
        assert barriers(page, [(390, "light"), (1400, "dark")]) == []

    @in_browser
    @pytest.mark.parametrize("name", ["four", "names"])
    def test_a_phone_shows_it_whole(self, browser, request, tmp_path, name: str) -> None:
        page, _ = opened(browser, request.getfixturevalue(name), tmp_path, width=390)
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.evaluate(BROKEN_WORDS) == []

    @in_browser
    def test_paper_has_neither_marks_nor_readings(self, page) -> None:
        plot_of(page, 1).locator(".slider").focus()
        page.emulate_media(media="print")
        assert page.locator(".readout:visible, .cross:visible, .slider:visible").count() == 0
        mark = "button => getComputedStyle(button, '::after').display"
        assert page.locator("#runs th button").first.evaluate(mark) == "none"

    @needs_java
    def test_it_is_valid_html(self, four, tmp_path) -> None:
        assert faults(four, tmp_path) == ""
