from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tracker.render.documents import render_html

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian's package chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def opened(
    browser: Browser, text: str, folder: Path, *, width: int = 1280, scheme: str = "light"
) -> tuple[Page, list[str]]:
    """Open a page, and gather what the browser complains of: script errors, refused and fetched resources."""
    file = folder / "report.html"
    file.write_text(text, encoding="utf-8")
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else complaints.append(asked.url))
    page.goto(file.as_uri())
    return page, complaints


class TestInBrowser:
    def test_in_browser_opens_without_a_complaint(self, browser, report, pictures, tmp_path) -> None:
        page, complaints = opened(browser, render_html(report, pictures), tmp_path)
        assert page.locator("figure svg").count() == 12
        assert complaints == []

    def test_its_headings_are_read_in_order(self, browser, report, pictures, tmp_path) -> None:
        page, _ = opened(browser, render_html(report, pictures), tmp_path)
        assert page.locator("h1, h2").all_inner_texts() == [
            "No winner yet: the four models are within two clips", "Conclusions", "Data and method", "Runs",
            "Next steps", "Challenges", "Methods", "Appendix",
        ]  # fmt: skip

    @pytest.mark.parametrize("width", [360, 820, 1600])
    def test_nothing_is_wider_than_the_screen(self, browser, report, pictures, tmp_path, width: int) -> None:
        page, _ = opened(browser, render_html(report, pictures), tmp_path, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") == width

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_words_stand_out_from_their_ground(self, browser, report, pictures, tmp_path, scheme: str) -> None:
        page, _ = opened(browser, render_html(report, pictures), tmp_path, scheme=scheme)
        for selector in ("body", ".badge.inconclusive", ".badge.confounded", ".badge.replay"):
            ink, ground = page.locator(selector).first.evaluate(
                "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
            )
            assert contrast(ink, ground) >= 4.5

    def test_paper_has_what_is_open_and_no_appendix(self, browser, report, pictures, tmp_path) -> None:
        page, _ = opened(browser, render_html(report, pictures), tmp_path)
        page.locator("#answer-1 details").evaluate("fold => fold.open = true")
        page.emulate_media(media="print")
        assert page.locator("#answer-1 table").is_visible()
        assert page.locator("#answer-1 p").first.is_visible()
        for hidden in ("#answer-2 details", "#appendix", "nav"):
            assert not page.locator(hidden).first.is_visible()

    def test_no_stranger_can_act(self, browser, crowd, pictures, tmp_path) -> None:
        page, complaints = opened(browser, render_html(crowd, pictures), tmp_path)
        assert page.locator("h2").count() == 7
        assert complaints == []


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two CSS colours, as WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    levels = [int(level) / 255 for level in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return sum(share * level for share, level in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
