"""The writeup's four runs, with curves and predictions that a network of that kind gives."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.builders import WRITEUP, Written, make_curve, make_predictions, writeup_entries
from tracker.runs import Curve, Predictions, Run

if TYPE_CHECKING:
    from collections.abc import Callable

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
