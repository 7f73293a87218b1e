"""Runs made by hand: which clips each has right, its losses by epoch, its params; the rest is the same for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from tracker.runs import Curve, EpochPredictions, Predictions, Run
from tracker.study.run_results import primary_metric
from tracker.study.study import Study, study_of

CLASSES = ("a", "b")

MakeRun = Callable[..., Run]
MakeRuns = Callable[[Mapping[str, Sequence[str]]], list[Run]]
MakeStudy = Callable[..., Study]


def predictions(right: str, clips: Sequence[str]) -> Predictions:
    """Predictions of clips of class ``a``, of which those at a ``1`` are right; at an ``x`` they are no numbers."""
    said = {"1": [0.9, 0.1], "0": [0.2, 0.8], "x": [np.nan, np.nan]}
    sure = np.array([said[sign] for sign in right])
    return Predictions(tuple(clips), ("a",) * len(right), CLASSES, sure)


def curve(values: Sequence[float], first: int = 1) -> Curve:
    return Curve(np.arange(first, first + len(values)), np.array(values, dtype=float))


@pytest.fixture(scope="session")
def made() -> MakeRun:
    """Make a run: ``made(1, "1101", {"kernel_size": "3"}, val_loss=[...])``."""

    def make(
        number: int,
        right: str | None = None,
        params: Mapping[str, str] | None = None,
        *,
        seed: str | None = "0",
        prefix: str = "clip",
        groups: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        by_epoch: Sequence[str] | None = None,
        status: str = "FINISHED",
        **curves: Sequence[float],
    ) -> Run:
        clips = [f"{prefix}{i:04d}" for i in range(len(right or ""))]
        told = {"tracker.dataset": "data", "tracker.split": "split"} | dict(tags or {})
        at_epoch = [predictions(one, clips).probabilities for one in by_epoch or ()]
        return Run(
            run_id=f"{number:032x}",
            name=f"run-{number}",
            status=status,
            params=({} if seed is None else {"seed": seed}) | dict(params or {}),
            tags={name: value for name, value in told.items() if value},
            metrics=metrics or {},
            curves={name: curve(values) for name, values in curves.items()},
            validation=predictions(right, clips) if right else None,
            validation_by_epoch=EpochPredictions(
                tuple(clips), ("a",) * len(clips), CLASSES, np.array(at_epoch, dtype=np.float32)
            )
            if by_epoch
            else None,
            groups=dict(zip(clips, groups, strict=True)) if groups else {},
            started=number,
        )

    return make


@pytest.fixture(scope="session")
def by_kernel(made: MakeRun) -> MakeRuns:
    """Make runs of several kernels under the same seeds, from what each seed has right: ``{"3": ["110", "100"]}``."""

    def make(rights: Mapping[str, Sequence[str]]) -> list[Run]:
        return [
            made(len(rights) * seed + place, right, {"kernel_size": kernel}, seed=str(seed))
            for place, (kernel, found) in enumerate(rights.items())
            for seed, right in enumerate(found)
        ]

    return make


@pytest.fixture(scope="session")
def on_folds(made: MakeRun) -> MakeRuns:
    """Make runs of several kernels on three folds, from what each has right, trained on eight clips."""
    return _on_sets(made, lambda place: {"fold": f"{place + 1}/3"})


@pytest.fixture(scope="session")
def on_splits(made: MakeRun) -> MakeRuns:
    """Make runs of several kernels on three splits, from what each has right, trained on eight clips."""
    return _on_sets(made, lambda place: {"split_seed": str(place)})


def _on_sets(made: MakeRun, asked: Callable[[int], dict[str, str]]) -> MakeRuns:
    def make(rights: Mapping[str, Sequence[str]]) -> list[Run]:
        return [
            made(10 * int(kernel) + place, right, {"kernel_size": kernel} | asked(place),
                 prefix=f"set{place}-", tags={"tracker.split": f"set{place}", "tracker.training_clips": "8"})
            for kernel, found in rights.items()
            for place, right in enumerate(found)
        ]  # fmt: skip

    return make


@pytest.fixture(scope="session")
def studied() -> MakeStudy:
    """Make a study of runs."""

    def make(*runs: Run, metric: str | None = None, alpha: float = 0.05, margin: float = 0.05) -> Study:
        return study_of(runs, primary_metric(runs, metric), alpha=alpha, margin=margin)

    return make


def writeup_runs(tags: Mapping[str, str]) -> list[Run]:
    """The writeup's four runs as its author could have logged them: params, accuracy, loss, nothing by clip."""
    configurations = (
        ({"kernel_size": "7", "learning_rate": "0.0001", "plateau_factor": "0.3", "plateau_patience": "10",
          "early_stopping_patience": "15"}, 0.8333333134651184, 0.40432727336883545),
        ({"kernel_size": "7", "learning_rate": "0.0001"}, 0.8333333134651184, 0.45307597517967224),
        ({"kernel_size": "3", "learning_rate": "0.001", "plateau_factor": "0.5", "plateau_patience": "15",
          "early_stopping_patience": "20"}, 0.8666666746139526, 0.37062695622444153),
        ({"kernel_size": "5", "learning_rate": "0.0001", "plateau_factor": "0.1", "plateau_patience": "5",
          "early_stopping_patience": "10"}, 0.800000011920929, 0.45689231157302856),
    )  # fmt: skip
    return [
        Run(
            f"{number:032x}", f"run-{number}", "FINISHED", params | {"seed": "0"}, dict(tags),
            {"best_val_accuracy": accuracy, "best_val_loss": loss}, {}, started=number,
        )
        for number, (params, accuracy, loss) in enumerate(configurations, start=1)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def gone_on(made: MakeRun) -> Run:
    """A run told to keep going and to keep its last weights, as its journal holds it: its loss is lost after epoch 4.

    Its kept weights are those of epoch 4, the last whose validation loss is a number, and so are its predictions.
    """
    lost = math.nan
    return made(
        1,
        "1110",
        {"keep": "last", "epochs": "7"},
        by_epoch=["1000", "1100", "1111", "1110", "xxxx", "xxxx", "xxxx"],
        tags={"tracker.training_clips": "12", "tracker.validation_clips": "4"},
        metrics={
            "best_epoch": 3.0, "best_val_loss": 0.5, "best_val_accuracy": 1.0, "last_val_loss": lost,
            "last_val_accuracy": lost, "stop_epoch": 7.0, "fit_loss": 0.3, "fit_accuracy": 1.0,
        },
        loss=[1.0, 0.8, 0.6, 0.5, lost, lost, lost],
        val_loss=[0.9, 0.6, 0.5, 0.7, lost, lost, lost],
        val_accuracy=[0.25, 0.5, 1.0, 0.75, lost, lost, lost],
        epoch_seconds=[2.0] * 7,
    )  # fmt: skip


@pytest.fixture
def writeup() -> list[Run]:
    return writeup_runs({"tracker.dataset": "d", "tracker.split": "s", "tracker.validation_clips": "30"})
