"""A report made by hand: the writeup's four runs with the sentences that its data bears, and pictures to link to."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from tracker.conclusions.conclusion import Conclusion
from tracker.conclusions.early_stopping import EarlyStopping, Patience
from tracker.report import Accuracy, Excluded, NextStep, Note, Picture, Report, RunEntry, Section
from tracker.runs import Curve, Run


@dataclass
class Page(HTMLParser):
    """What a browser would make of some HTML: its elements with their attributes, and its text.

    Markdown reaches it through markdown-it with raw HTML let through, as GitHub's parser does.
    """

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def tags(self) -> Counter[str]:
        return Counter(tag for tag, _ in self.elements)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


Reader = Callable[[str], Page]


def read_html(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


@pytest.fixture(scope="session")
def html() -> Reader:
    return read_html


@pytest.fixture(scope="session")
def markdown() -> Reader:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return lambda text: read_html(parser.render(text))


PLATEAU_7 = "ReduceLROnPlateau(factor=0.3, patience=10), EarlyStopping(patience=15)"
PLATEAU_3 = "ReduceLROnPlateau(factor=0.5, patience=15), EarlyStopping(patience=20)"
PLATEAU_5 = "ReduceLROnPlateau(factor=0.1, patience=5), EarlyStopping(patience=10)"

WRITEUP = (
    (f"Conv=7, lr=0.0001, {PLATEAU_7}", ("7", "0.0001", "0.3x10", "15"), 0.40432727336883545, 25, 41, 56),
    ("Conv=7, lr=0.0001", ("7", "0.0001", "off", "off"), 0.45307597517967224, 25, 31, 60),
    (f"Conv=3, lr=0.001, {PLATEAU_3}", ("3", "0.001", "0.5x15", "20"), 0.37062695622444153, 26, 24, 44),
    (f"Conv=5, lr=0.0001, {PLATEAU_5}", ("5", "0.0001", "0.1x5", "10"), 0.45689231157302856, 24, 37, 47),
)
OPTIONS = ("kernel_size", "learning_rate", "plateau", "early_stopping_patience")
LOGGED = {24: 0.800000011920929, 25: 0.8333333134651184, 26: 0.8666666746139526}
INTERVALS = {24: (0.6269, 0.9049), 25: (0.6644, 0.9266), 26: (0.7032, 0.9469)}


def entry_of(number: int) -> RunEntry:
    title, levels, loss, correct, best, stop = WRITEUP[number - 1]
    run = Run(
        run_id=f"{number:032x}",
        name=f"k{levels[0]}-lr{levels[1]}-s0",
        status="FINISHED",
        params={"kernel_size": levels[0], "learning_rate": levels[1], "seed": "0"},
        tags={},
        metrics={"val_loss": loss, "val_accuracy": LOGGED[correct], "lost": float("nan")},
        curves={"val_loss": Curve(np.arange(1, 3), np.array([1.0, loss]))},
        note="It took **three** tries." if number == 3 else None,
    )
    return RunEntry(
        number, title, run, tuple(zip(OPTIONS, levels, strict=True)), Accuracy(correct, 30, INTERVALS[correct]),
        loss, LOGGED[correct], best, stop, 1.4 * stop,
    )  # fmt: skip


ENTRIES = tuple(entry_of(number) for number in (1, 2, 3, 4))
BEST = Conclusion(
    "best_run", "inconclusive", (ENTRIES[2].run.run_id,), estimate=1 / 30, p_value=1.0, n=30, method="exact McNemar",
    sentence="Run 3 is right on 26 of 30 validation clips, the most; none can be told from it (p ≥ 0.5).",
)  # fmt: skip
KERNEL = Conclusion(
    "option_effect", "confounded", tuple(entry.run.run_id for entry in ENTRIES), option="kernel_size",
    sentence="Kernel size never changed alone: learning rate, plateau and early stopping changed with it.",
    command="tracker run --kernel 7 --lr 0.001",
)  # fmt: skip
AGAINST = Conclusion(
    "run_difference", "inconclusive", (ENTRIES[2].run.run_id, ENTRIES[3].run.run_id),
    estimate=2 / 30, interval=(-0.0512, 0.2218), p_value=0.5, p_adjusted=1.0, n=30, method="exact McNemar",
    sentence="Run 3 is right on two clips more than run 4: well within chance.",
)  # fmt: skip
STOPPING = Conclusion(
    "early_stopping", "exact", (ENTRIES[2].run.run_id,),
    EarlyStopping((Patience(10, 34, 24, 10, censored=False), Patience(30, None, None, None, censored=True)), own=20),
    sentence="Stopping with patience 10 instead of 20 would have saved ten epochs.",
)  # fmt: skip


@pytest.fixture(scope="session")
def report() -> Report:
    return Report(
        experiment="genres",
        metric="val_accuracy",
        summary=(BEST, KERNEL),
        limits=("30 validation clips cannot show a difference below 30 points.",),
        options=OPTIONS,
        sections=tuple(Section(entry.title, (entry,)) for entry in ENTRIES),
        conclusions=(BEST, KERNEL, AGAINST, STOPPING),
        next_steps=(
            NextStep("tracker run --kernel 7 --lr 0.001", ("option_effect:kernel_size",), "the missing partner", 62.0),
        ),
        notes=(Note(3, ENTRIES[2].title, "It took **three** tries."),),
        challenges=("Run 1's learning-rate drop came to nothing.",),
        excluded=(Excluded("f" * 32, "k9-broken", "failed"),),
        methods=("One accuracy has Wilson's interval.",),
        versions=(("tracker", "0.1.0"),),
    )


def picture_of(name: str, runs: tuple[str, ...], shade: int = 255) -> Picture:
    stream = io.BytesIO()
    Image.new("RGB", (1200, 300), (shade, 255, 255)).save(stream, "PNG")
    return Picture(name, stream.getvalue(), f"What {name} finds.", ("run", "loss"), (("Run 1", "0.4"),), runs)


@pytest.fixture(scope="session")
def pictures() -> tuple[Picture, ...]:
    everyone = tuple(entry.run.run_id for entry in ENTRIES)
    own = [picture_of("curves", (run_id,), shade) for shade, run_id in enumerate(everyone)]
    return picture_of("accuracies", everyone, 9), picture_of("clip-grid", everyone, 10), *own


@pytest.fixture(scope="session")
def large(report: Report) -> Report:
    """A report on 10,000 runs, each with a conclusion of its own."""
    entries = [
        replace(ENTRIES[i % 4], number=i + 1, run=replace(ENTRIES[i % 4].run, run_id=f"{i:032x}"))
        for i in range(10_000)
    ]
    return replace(
        report,
        sections=tuple(Section(entry.title, (entry,)) for entry in entries),
        conclusions=(BEST, KERNEL, *(replace(STOPPING, runs=(entry.run.run_id,)) for entry in entries)),
        notes=tuple(Note(entry.number, entry.title, f"tried *again* {entry.number}") for entry in entries),
        challenges=("Something came to nothing.",) * 10_000,
        excluded=(Excluded("f" * 32, "k9-broken", "failed"),) * 10_000,
    )


HOSTILE = (
    "<script>alert(1)</script>", "a|b", "x\ny", "`` ` ``", "![p](http://evil/p.png)", "[l](javascript:alert(1))",
    "@octocat", "#12", "\x1b[31mred\x1b[0m", "\u202eexe.wav", "$x^2$", "</code></td></tr>", "&lt;b&gt;", "--- | ---",
    "\\", "*a* _b_ ~~c~~", "1. one", "# heading", "<!-- x", "{{ 7 * 7 }}", "{% raw %}", "\ud800", "x" * 5_000, "",
    " ", "|---|", "<details>", "\u2028", "a@b.example", ":tada:", "===", '" onload="alert(1)',
)  # fmt: skip


def strange(text: str, report: Report) -> Report:
    """Return a report in which everything that comes from other people is one text."""
    entries = tuple(
        replace(
            entry,
            title=text,
            levels=tuple((text, text) for _ in OPTIONS),
            run=replace(entry.run, name=text, params={text: text, "seed": text}, note=text),
        )
        for entry in ENTRIES
    )
    said = tuple(replace(conclusion, sentence=f"The class {text} it is.") for conclusion in report.conclusions)
    return replace(
        report,
        experiment=text,
        metric=text,
        options=(text,) * len(OPTIONS),
        summary=said[:2],
        limits=(text,),
        sections=tuple(Section(text, (entry,)) for entry in entries),
        conclusions=said,
        next_steps=tuple(replace(step, why=text) for step in report.next_steps),
        notes=(Note(1, text, text),),
        challenges=(text,),
        excluded=(Excluded(text, text, text),),
        methods=(text,),
        versions=((text, text),),
    )


@pytest.fixture(scope="session", params=HOSTILE, ids=range(len(HOSTILE)))
def hostile(request: pytest.FixtureRequest, report: Report) -> Report:
    """A report of one hostile text."""
    return strange(request.param, report)


@pytest.fixture(scope="session")
def crowd(report: Report) -> Report:
    """A report of all hostile texts."""
    reports = [strange(text, report) for text in HOSTILE]
    sections = [
        Section(text, (replace(part.entries[0], number=number),))
        for number, (text, part) in enumerate(zip(HOSTILE, [r.sections[0] for r in reports], strict=True), start=1)
    ]
    return replace(
        report,
        experiment="".join(HOSTILE[:8]),
        sections=tuple(sections),
        conclusions=tuple(conclusion for each in reports for conclusion in each.conclusions),
        notes=tuple(note for each in reports for note in each.notes),
        challenges=HOSTILE,
        methods=HOSTILE,
    )
