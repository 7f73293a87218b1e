"""Images of 16 bands to train on: a class is where the bright band lies."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.lazy import Lazy
from tests.running import SMALL_NETWORK
from tracker.runs import Configuration, Plateau, RunPlan, Spectrogram
from tracker.training.batches import LabelledImages, TrainingData

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tracker.training.fit import BuiltNetwork
    from tracker.training.result import Epoch

build = Lazy("tracker.training.fit", "BuiltNetwork")

FRAMES = 16
SEGMENT_S = FRAMES * 512 / 22_050
DEFAULT_NETWORK = {"model": "cnn", "options": (("dropout", 0.3), ("width", 2))}
"""Of a plan, for what hangs on how the default network diverges."""


def part(names: str, seed: int, lengths: tuple[int, ...] = (40,)) -> LabelledImages:
    """One clip a letter; the label is its place in the alphabet, odd or even."""
    rng = np.random.default_rng(seed)
    images = []
    for i, name in enumerate(names):
        image = rng.uniform(-80, -30, (16, lengths[i % len(lengths)]))
        image[(ord(name) % 2) * 8 :][:4] += 15
        images.append(image.astype(np.float16))
    return LabelledImages(tuple(names), tuple("odd" if ord(name) % 2 else "even" for name in names), images)


def data() -> TrainingData:
    return TrainingData(part("abcdefghijkl", 0, (40, 40, 7)), part("xmnopqrs", 1, (40, 50, 9)), ("even", "odd"))


def misleading() -> TrainingData:
    """Validation clips labelled the wrong way round: the more is learnt, the higher is their loss."""
    right = data()
    held_out = right.validation
    wrong = tuple("odd" if label == "even" else "even" for label in held_out.labels)
    return TrainingData(right.training, LabelledImages(held_out.clips, wrong, held_out.images), right.classes)


def plan(seed: int = 0, **options: object) -> RunPlan:
    """A plan of three short epochs with Dropout, unless other options are given."""
    settings = {"epochs": 3, "batch_size": 16, "segment_s": SEGMENT_S, "options": (("dropout", 0.3), ("width", 4))}
    settings["model"] = str(SMALL_NETWORK)
    return RunPlan(Configuration(**settings | options), seed, spectrogram=Spectrogram(n_mels=16))


def watchful(keep: str = "best", **options: object) -> RunPlan:
    """A plan whose rate drops and that stops early on `misleading` data."""
    settings = {"epochs": 40, "learning_rate": 0.02, "plateau": Plateau(0.5, 2), "early_stopping_patience": 5}
    return plan(**settings | {"keep": keep} | options)


def without_clock(epochs: Iterable[Epoch]) -> list[dict[str, float]]:
    return [{name: value for name, value in e.metrics.items() if name != "epoch_seconds"} for e in epochs]


def untrained(asked: RunPlan) -> BuiltNetwork:
    """The network of a plan as it is when it has just been built: its steps are traced for the first training alone.

    It is one for all plans that differ in nothing but how long they train, so that a result's model is trained on.
    """
    few = {"epochs": 1, "plateau": None, "early_stopping_patience": None, "keep": "best"}
    built, initial = _built(replace(asked, configuration=replace(asked.configuration, **few)))
    for variable, value in zip(_variables(built), initial, strict=True):
        variable.assign(value)
    return built


@cache
def _built(asked: RunPlan) -> tuple[BuiltNetwork, list[NDArray[np.generic]]]:
    built = build.of(asked, 2)
    return built, [variable.numpy() for variable in _variables(built)]


def _variables(built: BuiltNetwork) -> list[Any]:
    return [*built.model.variables, *built.model.optimizer.variables]
