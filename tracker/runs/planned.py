"""What a run is asked for: the network and how it is fitted, the split, the spectrogram, the seeds.

With the data and the version, a plan decides the result. Each part checks its ranges when it is made, and writes itself
as the params that are logged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tracker.runs.text import OptionValue, number_text, value_text

if TYPE_CHECKING:
    from collections.abc import Collection

Keep = Literal["best", "last"]


@dataclass(frozen=True, slots=True)
class Plateau:
    """When the learning rate drops: Keras' ReduceLROnPlateau on validation loss.

    Parameters
    ----------
    factor : float, above 0 and below 1
        What the rate is multiplied by.
    patience : int, epochs, at least 1
        Epochs without improvement before it drops.

    Raises
    ------
    ValueError
        If either is out of its range.
    """

    factor: float
    patience: int

    def __post_init__(self) -> None:
        if not 0 < self.factor < 1:
            raise ValueError(f"a plateau's factor must be above 0 and below 1, got {number_text(self.factor)}")
        _at_least("a plateau's patience", self.patience, 1, "epoch")


@dataclass(frozen=True, slots=True)
class Fold:
    """One part of a cross-validation: fold `number` (counted from 1) of `count` is held out.

    Raises
    ------
    ValueError
        If `count` is below 2 or `number` is not one of 1 to `count`.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        _at_least("the number of folds", self.count, 2, "fold")
        if not 1 <= self.number <= self.count:
            raise ValueError(f"a fold must be one of 1 to {self.count}, got {self.number}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How clips are divided; with the data it decides who is held out, whatever the training seed.

    Raises
    ------
    ValueError
        If a fraction is out of its range or the two leave nothing to train on.
    """

    split_seed: int = 0
    validation_fraction: float = 0.2
    test_fraction: float = 0.0
    fold: Fold | None = None

    def __post_init__(self) -> None:
        _at_least("the split seed", self.split_seed, 0, "")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"the validation fraction must be above 0 and below 1, got {number_text(self.validation_fraction)}"
            )
        if not 0 <= self.test_fraction < 1:
            raise ValueError(f"the test fraction must be at least 0 and below 1, got {number_text(self.test_fraction)}")
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("the validation and test fractions must leave clips to train on: together below 1")

    def params(self) -> dict[str, str]:
        """Return the split's params as they are logged."""
        params = {
            "split_seed": str(self.split_seed),
            "validation_fraction": number_text(self.validation_fraction),
            "test_fraction": number_text(self.test_fraction),
        }
        return params | ({"fold": str(self.fold)} if self.fold else {})


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """How sound becomes an image: log-mel power in decibels below the clip's maximum, by librosa's definition.

    Parameters
    ----------
    sr : int, Hz
        Sample rate that clips are converted to.
    n_fft, hop_length : int, samples
        Window and step of the short-time Fourier transform.
    n_mels : int
        Number of mel bands (Slaney's scale and normalisation, 0 Hz to sr / 2).
    """

    sr: int = 22_050
    n_fft: int = 2_048
    hop_length: int = 512
    n_mels: int = 128

    def frames(self, seconds: float) -> int:
        """Return how many frames a stretch of `seconds` spans, at least 1."""
        return max(1, round(seconds * self.sr / self.hop_length))

    def params(self) -> dict[str, str]:
        """Return the settings as they are logged."""
        return {name: str(getattr(self, name)) for name in ("sr", "n_fft", "hop_length", "n_mels")}


FLOOR_DB = -80.0
"""Decibels below a clip's maximum where its log-mel image is cut off: librosa's own `top_db`."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is trained, without its seeds: a network, its options and how it is fitted.

    Parameters
    ----------
    model : str
        Name of a module in `models`.
    kernel_size : int, at least 1
        Height and width of the convolutions.
    learning_rate : float, above 0
        Adam's step size at the first epoch.
    plateau : Plateau or None
        When the rate drops; None: never.
    early_stopping_patience : int or None, epochs, at least 1
        Epochs without a lower validation loss before training ends; None: it runs to the limit.
    epochs : int, at least 1
        The limit.
    batch_size : int, segments, at least 1
    keep : {"best", "last"}
        Whose epoch's weights are kept, by validation loss.
    segment_s : float, seconds, above 0
        Length of the windows that clips are cut into.
    options : tuple of (name, value)
        The network's own options, sorted by name.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    model: str = "cnn"
    kernel_size: int = 3
    learning_rate: float = 1e-3
    plateau: Plateau | None = None
    early_stopping_patience: int | None = None
    epochs: int = 60
    batch_size: int = 32
    keep: Keep = "best"
    segment_s: float = 3.0
    options: tuple[tuple[str, OptionValue], ...] = ()

    def __post_init__(self) -> None:
        _at_least("the kernel size", self.kernel_size, 1, "frame")
        _above_zero("the learning rate", self.learning_rate)
        _above_zero("the segment length", self.segment_s)
        _at_least("the number of epochs", self.epochs, 1, "epoch")
        _at_least("the batch size", self.batch_size, 1, "segment")
        if self.early_stopping_patience is not None:
            _at_least("the early-stopping patience", self.early_stopping_patience, 1, "epoch")

    def params(self) -> dict[str, str]:
        """Return the params as they are logged; an option that is off is not among them."""
        params = {
            "model": self.model,
            "kernel_size": str(self.kernel_size),
            "learning_rate": number_text(self.learning_rate),
            "epochs": str(self.epochs),
            "batch_size": str(self.batch_size),
            "keep": self.keep,
            "segment_s": number_text(self.segment_s),
        }
        if self.plateau:
            params["plateau_factor"] = number_text(self.plateau.factor)
            params["plateau_patience"] = str(self.plateau.patience)
        if self.early_stopping_patience is not None:
            params["early_stopping_patience"] = str(self.early_stopping_patience)
        return params | {name: value_text(value) for name, value in self.options}


@dataclass(frozen=True, slots=True)
class RunPlan:
    """All that one run is asked for: with the data and the version, it decides the result.

    Raises
    ------
    ValueError
        If the seed is below 0.
    """

    configuration: Configuration
    seed: int = 0
    split: SplitPlan = field(default_factory=SplitPlan)
    spectrogram: Spectrogram = field(default_factory=Spectrogram)

    def __post_init__(self) -> None:
        _at_least("the seed", self.seed, 0, "")

    def params(self) -> dict[str, str]:
        """Return every param of the run as it is logged."""
        return self.configuration.params() | {"seed": str(self.seed)} | self.split.params() | self.spectrogram.params()

    def run_name(self, usual: Collection[tuple[str, OptionValue]] = ()) -> str:
        """Return the configuration in short: ``k7-lr0.0001-plateau0.3x10-stop15-s0``.

        Parameters
        ----------
        usual : collection of (name, value)
            The network's options at their defaults, which go without saying.
        """
        configuration, default = self.configuration, Configuration()
        parts = [f"k{configuration.kernel_size}", f"lr{number_text(configuration.learning_rate)}"]
        if configuration.model != default.model:
            parts.insert(0, configuration.model)
        if configuration.plateau:
            parts.append(f"plateau{number_text(configuration.plateau.factor)}x{configuration.plateau.patience}")
        if configuration.early_stopping_patience is not None:
            parts.append(f"stop{configuration.early_stopping_patience}")
        parts += [f"{name}{value_text(value)}" for name, value in configuration.options if (name, value) not in usual]
        if self.split.fold:
            parts.append(f"fold{self.split.fold.number}of{self.split.fold.count}")
        return "-".join([*parts, f"s{self.seed}"])


def _at_least(what: str, value: int, least: int, unit: str) -> None:
    if value < least:
        raise ValueError(f"{what} must be at least {f'{least} {unit}'.strip()}, got {value}")


def _above_zero(what: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{what} must be a finite number above 0, got {number_text(value)}")
