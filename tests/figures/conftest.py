"""The writeup's four runs, with curves and predictions that a network of that kind gives."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tracker.report import Accuracy, Picture, RunEntry
from tracker.runs import Curve, Predictions, Run

if TYPE_CHECKING:
    from collections.abc import Callable

GENRES = ("blues", "classical", "hiphop", "jazz", "metal")


@dataclass(frozen=True)
class Written:
    """A run as the writeup has it."""

    title: str
    params: dict[str, str]
    best_epoch: int
    epochs: int
    loss: float
    correct: int
    drops: tuple[int, ...] = ()


WRITEUP = (
    Written(
        "Conv=7, lr=0.0001, ReduceLROnPlateau(factor=0.3, patience=10), EarlyStopping(patience=15)",
        {"kernel_size": "7", "learning_rate": "0.0001"}, 41, 56, 0.40432727336883545, 25, (52,),
    ),
    Written("Conv=7, lr=0.0001", {"kernel_size": "7", "learning_rate": "0.0001"}, 31, 60, 0.45307597517967224, 25),
    Written(
        "Conv=3, lr=0.001, ReduceLROnPlateau(factor=0.5, patience=15), EarlyStopping(patience=20)",
        {"kernel_size": "3", "learning_rate": "0.001"}, 24, 44, 0.37062695622444153, 26, (40,),
    ),
    Written(
        "Conv=5, lr=0.0001, ReduceLROnPlateau(factor=0.1, patience=5), EarlyStopping(patience=10)",
        {"kernel_size": "5", "learning_rate": "0.0001"}, 37, 47, 0.45689231157302856, 24, (22, 43),
    ),
)  # fmt: skip


def curves_of(written: Written, seed: int) -> dict[str, Curve]:
    rng = np.random.default_rng(seed)
    epochs = np.arange(1, written.epochs + 1)
    wave = 0.02 * rng.standard_normal((3, written.epochs))
    fall = 1.2 * np.exp(-epochs / (written.best_epoch / 3))
    rise = 0.004 * np.maximum(0, epochs - written.best_epoch)
    val_loss = written.loss + 0.01 + fall + rise + np.abs(wave[0])
    val_loss[written.best_epoch - 1] = written.loss
    accuracy = np.clip(np.round((1 - 0.6 * np.exp(-epochs / 8) - 0.12 + wave[1]) * 30), 0, 30) / 30
    accuracy[written.best_epoch - 1] = written.correct / 30
    rate = float(written.params["learning_rate"]) * 0.3 ** np.searchsorted(written.drops, epochs, side="right")
    by_name = {
        "loss": 0.1 + 1.4 * np.exp(-epochs / (written.best_epoch / 2)) + wave[2],
        "val_loss": val_loss,
        "accuracy": np.clip(1 - 0.7 * np.exp(-epochs / 10) + wave[2], 0, 1),
        "val_accuracy": accuracy,
        "learning_rate": rate,
        "epoch_seconds": np.full(written.epochs, 1.4),
    }
    return {name: Curve(epochs, np.asarray(values, dtype=float)) for name, values in by_name.items()}


def predictions_of(correct: int, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = np.arange(30) % 5
    said = truth.copy()
    wrong = np.concatenate([[4, 9], 10 + rng.permutation(20)])[: 30 - correct]
    said[wrong] = (truth[wrong] + 1) % 5
    clips = tuple(f"{GENRES[genre]}/{GENRES[genre]}.{number:05d}.wav" for number, genre in enumerate(truth))
    return Predictions(clips, tuple(GENRES[genre] for genre in truth), GENRES, 0.1 + 0.5 * np.eye(5)[said])


def entry_of(number: int, written: Written) -> RunEntry:
    run = Run(
        run_id=f"{number:032x}",
        name=f"run-{number}",
        status="FINISHED",
        params=written.params,
        tags={},
        metrics={"best_epoch": written.best_epoch, "stop_epoch": written.epochs, "best_val_loss": written.loss},
        curves=curves_of(written, number),
        validation=predictions_of(written.correct, number),
    )
    interval = {24: (0.627, 0.905), 25: (0.664, 0.927), 26: (0.703, 0.947)}[written.correct]
    return RunEntry(
        number, written.title, run, tuple(written.params.items()), Accuracy(written.correct, 30, interval),
        written.loss, written.correct / 30, written.best_epoch, written.epochs, 1.4 * written.epochs,
    )  # fmt: skip


@pytest.fixture(scope="session")
def entries() -> tuple[RunEntry, ...]:
    return tuple(entry_of(number, written) for number, written in enumerate(WRITEUP, start=1))


@pytest.fixture(scope="session")
def made() -> Callable[[dict[str, list[float]]], Run]:
    """Make a run of nothing but curves."""

    def make(curves: dict[str, list[float]]) -> Run:
        by_name = {name: Curve(np.arange(1, len(v) + 1), np.array(v, dtype=float)) for name, v in curves.items()}
        return Run("1" * 32, "made", "FINISHED", {}, {}, {}, by_name)

    return make


def read_png(content: bytes) -> tuple[tuple[int, int], set[bytes], np.ndarray]:
    """Return a PNG's size, the names of its chunks and its pixels, shape (height, width, 3)."""
    image = Image.open(io.BytesIO(content))
    names, place = set(), 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        names.add(content[place + 4 : place + 8])
        place += 12 + length
    return image.size, names, np.asarray(image.convert("RGB"))


@pytest.fixture(scope="session")
def drawn() -> Callable[[Picture], np.ndarray]:
    """Check what every figure has to be, and return its pixels."""

    def check(picture: Picture) -> np.ndarray:
        (width, height), chunks, pixels = read_png(picture.png)
        assert (width, chunks) == (1200, {b"IHDR", b"PLTE", b"IDAT", b"IEND"})
        assert 100 < height < 4_000
        assert pixels[0, 0].tolist() == [255, 255, 255]
        assert pixels.min() < 128
        assert all(len(row) == len(picture.header) for row in picture.rows)
        assert picture.alt.endswith(".")
        return pixels

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
