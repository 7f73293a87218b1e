"""Small sets of real audio files, runs logged without training, and the command line run in an empty folder."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.logged import START, send_run
from tracker.cli import main
from tracker.runs import Predictions
from tracker.runs.events import Ended, EpochDone, Started
from tracker.store import VALIDATION, predictions_csv
from tracker.store.location import locate

if TYPE_CHECKING:
    from tracker.runs.events import Status

SR = 8_000


def write_tone(file: Path, hertz: float, seconds: float = 1.0, seed: int = 0) -> None:
    """Write a tone with a little noise: two of different pitch are two classes that a network can tell apart."""
    time = np.arange(int(SR * seconds)) / SR
    noise = np.random.default_rng(seed).normal(0, 0.01, len(time))
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * hertz * time) + noise, SR)


@pytest.fixture
def genres(tmp_path: Path) -> Path:
    """A folder of two classes with ten one-second clips each."""
    for label, hertz in (("high", 2_000.0), ("low", 200.0)):
        for number in range(10):
            write_tone(tmp_path / "genres" / label / f"{number}.wav", hertz * (1 + number / 50), seed=number)
    return tmp_path / "genres"


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    status: int
    out: str
    err: str


Tracker = Callable[..., Result]


@pytest.fixture
def tracker(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Tracker:
    """The command line in an empty working folder, with a cache of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("TRACKER_DATA", raising=False)

    def call(*words: object) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capfd.readouterr()
        return Result(int(ended.value.code or 0), said.out, said.err)

    return call


def loading(*words: str) -> tuple[str, set[str]]:
    """Return what a command says in an interpreter of its own, and the top-level modules that it has loaded then."""
    code = (
        "import sys, tracker.cli\n"
        f"try: tracker.cli.main({[*words]!r})\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout, set(result.stderr.splitlines()[-1].split())


LogRun = Callable[..., str]


@pytest.fixture
def log_run(tracker: Tracker) -> LogRun:
    """Log a run as `tracker run` does, but without training: ``log_run("1101", kernel_size="3")``; returns its id."""
    numbers = itertools.count(1)

    def log(
        right: str | None = None,
        *,
        name: str = "a run",
        status: Status = "FINISHED",
        uri: str | None = None,
        experiment: str = "tracker",
        data: str = "demo",
        labels: tuple[str, str] = ("high", "low"),
        clip: str = "{:03d}.wav",
        **params: str,
    ) -> str:
        usual = {"seed": "0", "split_seed": "0", "validation_fraction": "0.2", "test_fraction": "0", "epochs": "60"}
        tags = {"tracker.dataset": "d", "tracker.split": "s", "tracker.data": data, "tracker.version": "1"}
        asked = usual | {"model": "cnn", "kernel_size": "3", "learning_rate": "0.001"} | params
        number = next(numbers)
        time = START + 10_000 * number
        begun = Started(time, "", experiment, name, "val_accuracy", asked, tags)
        losses = {epoch: 0.5 + number / 100 + abs(epoch - 2) for epoch in (1, 2, 3)}
        trained = (EpochDone(time + e, e, {"val_loss": loss, "epoch_seconds": 1.5}) for e, loss in losses.items())
        files = {} if right is None else {VALIDATION: _csv(_said(right, labels, clip))}
        return send_run(locate(uri, Path.cwd()), *trained, Ended(time + 9_000, status), started=begun, files=files)

    return log


def _csv(said: Predictions) -> bytes:
    return predictions_csv(said).encode("utf-8", "surrogateescape")


def _said(right: str, labels: tuple[str, str], clip: str) -> Predictions:
    """Predictions of clips of two classes by turns, of which those at a ``1`` are right."""
    mine = [i % 2 for i in range(len(right))]
    taken = [label if sign == "1" else 1 - label for label, sign in zip(mine, right, strict=True)]
    rows = np.where(np.eye(2)[taken] == 1, 0.75, 0.25)
    clips = tuple(clip.format(i) for i in range(len(right)))
    return Predictions(clips, tuple(labels[i] for i in mine), labels, rows)
