"""What decides the result of training, what is reported epoch by epoch, and what is returned. Imports nothing heavy.

What decides it is versions, threads and code. A version stays the same while files are edited, so code is identified by
a digest of its content, and named by its path, with forward slashes: ``models/cnn.py``, ``tracker/training``.

An epoch whose validation loss isn't finite is recorded as it is, but is never the best one or the one kept. A script
that is logged has its Keras left as it has set it up.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import tracker
from tracker.contained_files import read_regular
from tracker.errors import TrainingError
from tracker.runs import shown
from tracker.runs.facts import MACHINE
from tracker.training.networks import find_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import keras

    from tracker.runs import Backend, EpochPredictions, Keep, Predictions

Arrays = tuple[NDArray[np.generic], ...]

MOST_THREADS = 1_024

BACKENDS = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib"), "torch": ("torch",)}
"""The packages of each backend of Keras, the first the one that is imported."""

# What of tracker turns clips into numbers. Reading and dividing a dataset does not: its outcome has a fingerprint.
_OWN = ("features", "runs", "training")


def threads(variables: Mapping[str, str] = os.environ) -> int:
    """Return the number of threads within one operation: ``TRACKER_THREADS``, or 1.

    Their number changes the last digits of every weight, so it must not follow the machine's cores; on the default
    network one is about as fast as two.

    Raises
    ------
    TrainingError
        If the variable isn't a whole number 1 to 1,024.
    """
    text = variables.get("TRACKER_THREADS", "1")
    if not re.fullmatch("0*[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_THREADS:
        raise TrainingError(f"TRACKER_THREADS must be a whole number, 1 to {MOST_THREADS:,}, got {shown(text)}")
    return int(text)


def use_backend(backend: Backend) -> None:
    """Have Keras train with a backend; Keras itself is imported by the first training.

    Raises
    ------
    TrainingError
        If it isn't installed, or Keras was imported in this process with another.
    """
    package = BACKENDS[backend][0]
    if find_spec(package) is None:
        others = [name for name, (other, *_) in BACKENDS.items() if find_spec(other)]
        remedy = f" or train with --keras-backend {others[0]}" if others else ""
        raise TrainingError(f"Keras cannot train with {backend}: it isn't installed; `pip install {package}`{remedy}")
    if (keras := sys.modules.get("keras")) and (other := keras.config.backend()) != backend:
        raise TrainingError(
            f"Keras was imported in this process with the backend {other}, and cannot change it to {backend}: train "
            f"with {backend} in a process of its own"
        )
    os.environ["KERAS_BACKEND"] = backend


def environment(network: str, backend: Backend = "tensorflow") -> dict[str, str]:
    """Return the versions of what decides a run's result, its number of threads, and a digest of each piece of code.

    Raises
    ------
    ValueError
        If there is no such network.
    """
    packages = [name for name in ("keras", *BACKENDS[backend], "librosa", "numpy") if find_spec(name)]
    versions = {"tracker": tracker.__version__} | {name: version(name) for name in packages}
    own = {f"tracker/{room}": folder_digest(Path(tracker.__file__).with_name(room)) for room in _OWN}
    python = {"python": platform.python_version(), "threads": str(threads())}
    return versions | python | own | find_network(network).digests


def machine(device: str = "") -> dict[str, str]:
    """Return the processor, its number of cores, the memory and the graphics processor, as far as they are known."""
    described = zip(MACHINE, (_processor(), str(os.cpu_count() or ""), _memory(), device), strict=True)
    return {name: text for name, text in described if text}


def _processor() -> str:
    with suppress(OSError):  # Linux, where the platform module knows only the architecture
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on this system
        return ""
    return f"{size / 2**30:.0f} GiB"


def folder_digest(folder: Path) -> str:
    """Return the beginning of a SHA-256 over the names and contents of all ``.py`` files below a folder."""
    digest = hashlib.sha256()
    for source in sorted(folder.rglob("*.py")):
        content = read_regular(source)
        digest.update(f"{source.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Name what has changed in a run's environment since it was recorded; what only `now` has is ignored."""
    return [
        f"the code in {name}" if "/" in name else f"{name} {then} then, {now.get(name) or 'none'} now"
        for name, then in before.items()
        if then != now.get(name)
    ]


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    Its metrics are `loss` and `accuracy` of the segments trained on, `val_loss` and `val_accuracy` per clip,
    `learning_rate` (that it was trained at), `epoch_seconds`.
    """

    number: int  # counted from 1
    metrics: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What training returns; if it was interrupted, of the finished epochs.

    Its metrics are `best_epoch`, `best_val_loss`, `best_val_accuracy`, `last_val_loss`, `last_val_accuracy`,
    `stop_epoch`, `fit_loss` and `fit_accuracy` (the last two per training clip, in inference mode, with the kept
    weights).
    """

    metrics: Mapping[str, float]
    kept_epoch: int  # counted from 1: the best or, if the last is kept, the last whose validation loss is finite
    validation: Predictions  # with the kept weights, as the model has
    validation_by_epoch: EpochPredictions
    model: keras.Model
    interrupted: bool


@dataclass(frozen=True, eq=False)
class History:
    """The finished epochs of a run; each epoch makes a new one, so that an interrupt finds all of it or nothing."""

    keep: Keep  # whose epoch's weights are kept
    epochs: tuple[Epoch, ...] = ()
    probabilities: tuple[NDArray[np.float32], ...] = ()  # of the validation clips, each of shape (n_clips, n_classes)
    weights: Arrays = ()  # of the epoch that is kept, as the network's `get_weights` gives them

    @property
    def best(self) -> int | None:
        """Index of the epoch of the lowest finite validation loss, of equals the first."""
        return min(self._finite, key=lambda index: self.epochs[index].metrics["val_loss"], default=None)

    @property
    def kept(self) -> int | None:
        """Index of the epoch whose weights are kept: the best, or the last whose validation loss is finite."""
        return self.best if self.keep == "best" else max(self._finite, default=None)

    @property
    def _finite(self) -> list[int]:
        losses = (epoch.metrics["val_loss"] for epoch in self.epochs)
        return [index for index, loss in enumerate(losses) if math.isfinite(loss)]

    def after(
        self,
        epoch: Epoch,
        probabilities: NDArray[np.float32],
        weights_now: Callable[[], Sequence[NDArray[np.generic]]],
    ) -> History:
        """Return the history with one more epoch; `weights_now` is called only if its weights are to be kept."""
        longer = replace(self, epochs=(*self.epochs, epoch), probabilities=(*self.probabilities, probabilities))
        is_kept = longer.kept == len(self.epochs)
        return replace(longer, weights=tuple(weights_now())) if is_kept else longer


def log_loss(probabilities: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Return the mean negative log-probability of the true classes, in nats.

    Rounded to float32, as Keras compares losses, so that both call the same epoch the best.
    """
    from tracker.statistics.paired import PROBABILITY_FLOOR  # imports scipy

    true = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return float(np.float32(0 - np.log(np.maximum(true, PROBABILITY_FLOOR)).mean()))  # a bare minus makes −0 of 0


def accuracy(probabilities: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Return the fraction of clips whose most probable class is the true one; NaN if any probability isn't finite."""
    if not np.isfinite(probabilities).all():
        return math.nan  # argmax would pick NaN
    return float((probabilities.argmax(axis=1) == targets).mean())


def learning_rate(model: keras.Model) -> float:
    """Return the optimizer's rate in the shortest digits of its float32: 0.001, not 0.0010000000474974513."""
    return float(str(np.float32(float(model.optimizer.learning_rate))))


def epoch_logger(log_epoch: Callable[[Mapping[str, float]], None]) -> keras.callbacks.Callback:
    """Return a callback for anybody's `fit` that calls `log_epoch` after each epoch.

    It passes on Keras' logs, with the `learning_rate` that the epoch was trained at.
    """
    import keras

    class EpochLogger(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
            has_rate = hasattr(getattr(self.model, "optimizer", None), "learning_rate")
            self._rate = {"learning_rate": learning_rate(self.model)} if has_rate else {}

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
            log_epoch({**(logs or {}), **self._rate})

    return EpochLogger()
