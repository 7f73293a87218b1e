"""A report made by hand: the writeup's four runs with the sentences that its data bears, and pictures to link to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from tests.builders import HOSTILE, WRITEUP, changed, make_curve, writeup_entries
from tracker.answers import Answer
from tracker.conclusions.conclusion import Chance, Conclusion, Table
from tracker.conclusions.early_stopping import EarlyStopping, Patience
from tracker.report import Cover, Excluded, NextStep, Panel, Picture, Procedure, Report, Section
from tracker.report.data_and_method import FactRow
from tracker.report.model import KeyFigure
from tracker.runs import Run
from tracker.study.metrics import Metric


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


OPTIONS = tuple(option for option, _ in WRITEUP[0].levels)


def run_of(number: int) -> Run:
    written = WRITEUP[number - 1]
    kernel, rate = written.params["kernel_size"], written.params["learning_rate"]
    return Run(
        run_id=f"{number:032x}",
        name=f"k{kernel}-lr{rate}-s0",
        status="FINISHED",
        params={"kernel_size": kernel, "learning_rate": rate, "seed": "0"},
        tags={},
        metrics={"val_loss": written.val_loss, "val_accuracy": written.val_accuracy, "lost": float("nan")},
        curves={
            "val_loss": make_curve([1.0, written.val_loss]),
            "val_accuracy": make_curve([0.5, written.val_accuracy]),
        },
        note="It took **three** tries." if number == 3 else None,
    )


ENTRIES = writeup_entries([run_of(number) for number in (1, 2, 3, 4)])
BEST = Conclusion(
    "best_run", "inconclusive", (ENTRIES[2].run.run_id,), estimate=1 / 30, p_value=1.0, n=30, method="exact McNemar",
    sentence="Run 3 is right on 26 of 30 validation clips, the most; none can be told from it (p ≥ 0.5).",
)  # fmt: skip
KERNEL = Conclusion(
    "option_effect", "confounded", tuple(entry.run.run_id for entry in ENTRIES), option="kernel_size",
    sentence="Kernel size never changed alone: learning rate, plateau and early stopping changed with it.",
    commands=(("tracker", "run", "--kernel", "7", "--lr", "0.001"),),
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


WHICH = Answer(
    "best", "Which run is best?", "Inconclusive", "Run 3 has 26 of 30 clips correct, 1 clip more than the next.",
    conclusions=(BEST.id,), tables=(Table("The best against the others", ("run", "p"), (("1", "1.0"),)),),
)  # fmt: skip
WHAT = Answer(
    "options", "What does changing kernel size do?", "Confounded", "Unknown: it never changed on its own.",
    ("Learning rate changed with it.",), (KERNEL.id,), pictures=("confusion",),
)  # fmt: skip
WHEN = Answer(
    "patience", "Would a shorter patience have been enough?", "Replay", "Run 3: 10, saving 10 epochs.",
    conclusions=(STOPPING.id,),
)  # fmt: skip


@pytest.fixture(scope="session")
def report() -> Report:
    return Report(
        experiment="genres",
        metric=Metric("val_accuracy"),
        limits=("30 validation clips cannot show a difference below 30 points.",),
        options=OPTIONS,
        sections=tuple(Section(entry.title, (entry,)) for entry in ENTRIES),
        conclusions=(BEST, KERNEL, AGAINST, STOPPING),
        next_steps=(
            NextStep(
                KERNEL.commands[0],
                ("option_effect:kernel_size",),
                "the missing partner",
                62.0,
                Chance(0.1, 0.31),
                outlook="this would detect a difference of 10 points about 3 times in 10",
            ),
        ),
        challenges=("Run 1's learning-rate drop did not help.",),
        excluded=(Excluded("f" * 32, "k9-broken", "failed"),),
        methods=(Procedure("Accuracies", "One accuracy has Wilson's interval.", "doi:10.1/x"),),
        versions=(("tracker", "0.1.0"),),
        title="No winner yet: the four models are within two clips",
        lead="Run 3 classifies 26 of 30 validation clips correctly. The difference is within chance.",
        facts=(("Experiment", "genres"), ("Runs", "4 runs, one seed each")),
        key_figures=(KeyFigure("26 / 30", "best run (87%)"), KeyFigure("1 clip", "lead over the next run")),
        answers=(WHICH, WHAT, WHEN),
        data_and_method=(FactRow("Data set", "the built-in demo set, 150 clips"),),
    )


def picture_of(name: str, runs: tuple[str, ...]) -> Picture:
    text = f'<text y="15">{len(runs)} {runs[0][-4:]}</text>'
    drawing = f'<svg viewBox="0 0 40 20" class="drawing" role="img" aria-label="{name}">{text}</svg>'
    words = f"What {name} finds", "How to read it.", f"What {name} finds, in a sentence."
    table = ("run", "loss"), (("Run 1", "0.4"),)
    return Picture(name, *words, (Panel(drawing, drawing),), f"{drawing}\n", *table, runs)


@pytest.fixture(scope="session")
def pictures() -> tuple[Picture, ...]:
    everyone = tuple(entry.run.run_id for entry in ENTRIES)
    own = [picture_of("curves", (run_id,)) for run_id in everyone]
    return picture_of("configurations", everyone), picture_of("confusion", everyone), *own


@pytest.fixture(scope="session")
def large(report: Report) -> Report:
    """A report on 10,000 runs, each with a conclusion of its own."""
    runs = [replace(ENTRIES[i % 4].run, run_id=f"{i:032x}", note=f"tried *again* {i}") for i in range(10_000)]
    entries = [changed(ENTRIES[i % 4], index=i, run=run) for i, run in enumerate(runs)]
    return replace(
        report,
        sections=tuple(Section(entry.title, (entry,)) for entry in entries),
        conclusions=(BEST, KERNEL, *(replace(STOPPING, runs=(entry.run.run_id,)) for entry in entries)),
        challenges=("Something did not help.",) * 10_000,
        excluded=(Excluded("f" * 32, "k9-broken", "failed"),) * 10_000,
    )


def strange(text: str, report: Report) -> Report:
    """Return a report in which everything that comes from other people is one text."""
    entries = tuple(
        changed(
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
        cover=Cover(text, text, text),
        metric=Metric(text),
        options=(text,) * len(OPTIONS),
        limits=(text,),
        sections=tuple(Section(text, (entry,)) for entry in entries),
        conclusions=said,
        next_steps=tuple(replace(step, why=text) for step in report.next_steps),
        challenges=(text,),
        excluded=(Excluded(text, text, text),),
        methods=(Procedure(text, text, text),),
        data_and_method=(FactRow(text, text),),
        versions=((text, text),),
        title=text,
        lead=text,
        facts=((text, text),),
        key_figures=(KeyFigure("26 / 30", text),),
        answers=tuple(
            replace(
                answer,
                question=text,
                sentence=text,
                points=(text,),
                tables=(Table(text, (text, text), ((text, text),)),),
            )
            for answer in report.answers
        ),
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
        Section(text, (changed(part.entries[0], index=number - 1),))
        for number, (text, part) in enumerate(zip(HOSTILE, [r.sections[2] for r in reports], strict=True), start=1)
    ]
    return replace(
        report,
        experiment="".join(HOSTILE[:8]),
        sections=tuple(sections),
        conclusions=tuple(conclusion for each in reports for conclusion in each.conclusions),
        challenges=HOSTILE,
        methods=tuple(Procedure(text, text, text) for text in HOSTILE),
    )
