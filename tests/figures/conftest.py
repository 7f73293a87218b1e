"""The writeup's four runs, with curves and predictions that a network of that kind gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.builders import WRITEUP, Written, make_curve, make_predictions, writeup_entries
from tracker.figures.style import LEAST_WIDTH, SMALL, stylesheet
from tracker.runs import Curve, Predictions, Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from tracker.report import Picture, RunEntry

GENRES = ("blues", "classical", "hiphop", "jazz", "metal")


def curves_of(written: Written, seed: int) -> dict[str, Curve]:
    rng = np.random.default_rng(seed)
    epochs = np.arange(1, written.stop_epoch + 1)
    wave = 0.02 * rng.standard_normal((3, written.stop_epoch))
    fall = 1.2 * np.exp(-epochs / (written.best_epoch / 3))
    rise = 0.004 * np.maximum(0, epochs - written.best_epoch)
    val_loss = written.val_loss + 0.01 + fall + rise + np.abs(wave[0])
    val_loss[written.best_epoch - 1] = written.val_loss
    accuracy = np.clip(np.round((1 - 0.6 * np.exp(-epochs / 8) - 0.12 + wave[1]) * 30), 0, 30) / 30
    accuracy[written.best_epoch - 1] = written.correct / 30
    rate = float(written.params["learning_rate"]) * 0.3 ** np.searchsorted(written.drops, epochs, side="right")
    by_name = {
        "loss": 0.1 + 1.4 * np.exp(-epochs / (written.best_epoch / 2)) + wave[2],
        "val_loss": val_loss,
        "accuracy": np.clip(1 - 0.7 * np.exp(-epochs / 10) + wave[2], 0, 1),
        "val_accuracy": accuracy,
        "learning_rate": rate,
        "epoch_seconds": np.full(written.stop_epoch, 1.4),
    }
    return {name: Curve(epochs, np.asarray(values, dtype=float)) for name, values in by_name.items()}


def predictions_of(correct: int, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    wrong = {4, 9, *(10 + rng.permutation(20))[: 28 - correct]}
    signs = "".join("0" if clip in wrong else "1" for clip in range(30))
    clips = [f"{GENRES[number % 5]}/{GENRES[number % 5]}.{number:05d}.wav" for number in range(30)]
    return make_predictions(signs, clips, classes=GENRES, probability=0.6)


def run_of(number: int, written: Written) -> Run:
    return Run(
        run_id=f"{number:032x}",
        name=f"run-{number}",
        status="FINISHED",
        params={name: written.params[name] for name in ("kernel_size", "learning_rate")},
        tags={},
        metrics={"best_epoch": written.best_epoch, "stop_epoch": written.stop_epoch, "best_val_loss": written.val_loss},
        curves=curves_of(written, number),
        validation=predictions_of(written.correct, number),
    )


@pytest.fixture(scope="session")
def entries() -> tuple[RunEntry, ...]:
    return writeup_entries([run_of(number, written) for number, written in enumerate(WRITEUP, start=1)])


@pytest.fixture(scope="session")
def made() -> Callable[[dict[str, list[float]]], Run]:
    """Make a run of nothing but curves."""

    def make(curves: dict[str, list[float]]) -> Run:
        by_name = {name: make_curve(values) for name, values in curves.items()}
        return Run("1" * 32, "made", "FINISHED", {}, {}, {}, by_name)

    return make


@dataclass(frozen=True)
class Drawing:
    """A parsed drawing: what is drawn, and where."""

    root: Element

    def all(self, tag: str, class_: str | None = None) -> list[Element]:
        return [e for e in self.root.iter(tag) if class_ is None or class_ in (e.get("class") or "").split()]

    @property
    def texts(self) -> list[str]:
        return [text.text or "" for text in self.all("text")]

    def places(self, words: str) -> list[tuple[float, float]]:
        """Where a text stands."""
        return [(float(t.get("x")), float(t.get("y"))) for t in self.all("text") if t.text == words]

    @property
    def hovers(self) -> list[str]:
        return [title.text or "" for title in self.all("title")]

    def circles(self, class_: str) -> list[tuple[float, float]]:
        return [(float(c.get("cx")), float(c.get("cy"))) for c in self.all("circle", class_)]

    def lines(self, class_: str) -> list[tuple[float, ...]]:
        return [tuple(float(e.get(name)) for name in ("x1", "y1", "x2", "y2")) for e in self.all("line", class_)]

    def path(self, class_: str) -> list[tuple[float, float]]:
        """The points of the only path of a class."""
        (found,) = self.all("path", class_)
        return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+),([-\d.]+)", found.get("d") or "")]


CLASSES = {"drawing", *re.findall(r"\.([a-z]+)", stylesheet())}
ATTRIBUTES = {
    "viewBox", "role", "aria-label", "class", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d",
    "text-anchor", "fill-opacity", "transform",
}  # fmt: skip


@pytest.fixture(scope="session")
def parsed() -> Callable[[str], Drawing]:
    return lambda svg: Drawing(ET.fromstring(svg))  # noqa: S314  (our own)


@pytest.fixture(scope="session")
def drawn(parsed) -> Callable[[Picture], Drawing]:
    """Check what every figure has to be, and return its first panel."""

    def check(picture: Picture) -> Drawing:
        for svg in (svg for panel in picture.panels for svg in (panel.svg, panel.narrow) if svg):
            drawing = parsed(svg)
            width = float(drawing.root.get("viewBox").split()[2])
            assert SMALL * LEAST_WIDTH[width] / width >= 11
            assert {e.tag for e in drawing.root.iter()} <= {
                "svg", "g", "text", "title", "line", "circle", "rect", "path"
            }  # fmt: skip
            assert {name for e in drawing.root.iter() for name in e.attrib} <= ATTRIBUTES
            assert {c for e in drawing.root.iter() for c in (e.get("class") or "").split()} <= CLASSES
            assert not re.search(r"nan|inf", " ".join(e.get("d") or "" for e in drawing.root.iter()))
        assert picture.title
        assert len(picture.title) < 300
        assert not picture.title.endswith(".")
        assert picture.alt.endswith(".")
        assert all(len(row) == len(picture.header) for row in picture.rows)
        alone = ET.fromstring(picture.drawing)  # noqa: S314
        assert alone.get("width") == "784"
        return parsed(picture.panels[0].svg)

    return check


@pytest.fixture
def clips() -> Callable[..., Predictions]:
    """Make predictions on clips of some classes, a share of them wrong."""

    def make(n: int, classes: tuple[str, ...], seed: int = 0, wrong: float = 0.3) -> Predictions:
        rng = np.random.default_rng(seed)
        truth = np.arange(n) % len(classes)
        said = np.where(rng.random(n) < wrong, rng.integers(0, len(classes), n), truth)
        names = tuple(f"{classes[true]}/{number:05d}.wav" for number, true in enumerate(truth))
        return Predictions(names, tuple(classes[t] for t in truth), classes, 0.1 + np.eye(len(classes))[said])

    return make


HOSTILE = (
    "$x^2$ $y$",
    "a\nb\x1b[31m",
    "\u202egpj",
    "\U0001f3b5",
    "<script>",
    "x" * 300,
    r"\alpha $\frac{1}{",
    "",
    "\ud800",
)


@pytest.fixture(scope="session")
def strange() -> tuple[str, ...]:
    return HOSTILE
