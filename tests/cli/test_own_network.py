"""Networks that are not built in: in the folder `models` of the working folder, or named by a path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.running import TINY_NETWORK
from tracker.store.location import locate
from tracker.store.reader import read_experiment
from tracker.training.networks import find_network

if TYPE_CHECKING:
    from tests.running import Tracker
    from tracker.runs import Run

pytestmark = pytest.mark.xdist_group("keras")

QUICK = ("--epochs", "2", "--segment", "0.5", "--validation-fraction", "0.5")

NETWORK = '''
from pathlib import Path

import keras

from ._parts import Scale


class Interruptible(keras.Model):
    def train_on_batch(self, *arguments, **options):
        if self.optimizer.iterations > 2 and Path("interrupt").exists():
            raise KeyboardInterrupt
        return super().train_on_batch(*arguments, **options)


def build(input_shape, n_classes, *, kernel_size: int = 3, depth: int = 1):
    """Return a network.

    Parameters
    ----------
    depth : int, at least 1
        Number of dense layers.
    """
    inputs = keras.Input(input_shape)
    features = Scale()(keras.layers.GlobalAveragePooling2D()(inputs))
    for _ in range(depth):
        features = keras.layers.Dense(4)(features)
    return Interruptible(inputs, keras.layers.Dense(n_classes, activation="softmax")(features))
'''

PARTS = """
import keras


class Scale(keras.layers.Layer):
    def call(self, inputs):
        return inputs / 40
"""


@pytest.fixture
def models(tracker: Tracker) -> Path:
    folder = Path("models")
    folder.mkdir()
    (folder / "mine.py").write_text(NETWORK)
    (folder / "_parts.py").write_text(PARTS)
    return folder


def runs() -> tuple[Run, ...]:
    return read_experiment(locate(None, Path.cwd()), "tracker").runs


def test_a_network_of_the_working_folder_is_trained_and_its_code_kept(
    tracker: Tracker, genres: Path, models: Path
) -> None:
    result = tracker("run", "--data", genres, *QUICK, "--model", "mine", "--depth", 2)
    assert result.status == 0, result.err
    (run,) = runs()
    assert (run.params["model"], run.params["depth"]) == ("mine", "2")
    assert run.tags["tracker.code"] == find_network("mine").digest
    artifacts = next(Path("mlruns").glob(f"*/{run.run_id}/artifacts"))
    assert (artifacts / "network.py").read_text() == NETWORK
    assert (artifacts / "network_code/_parts.py").read_text() == PARTS
    digests = [line for line in (artifacts / "environment.txt").read_text().splitlines() if line.startswith("models/")]
    assert [line.split()[0] for line in digests] == ["models/_parts.py", "models/mine.py"]
    assert sorted(path.name for path in models.iterdir()) == ["_parts.py", "mine.py"]
    predicted = tracker("predict", genres / "high", "--format", "csv")
    assert (predicted.status, predicted.out.count("\n")) == (0, 11), predicted.err
    assert "has layers of its own, which nobody can load" in tracker("export", "best", "--to", "keras").err
    (models / "mine.py").write_text(f"from pathlib import Path\n\nPath('ran').touch()\n{NETWORK}")
    refused = tracker("predict", genres / "high").err
    assert "has layers of its own, and the code in models/mine.py is not what it was trained with" in refused
    assert not Path("ran").exists()


def test_a_run_of_a_network_that_was_edited_since_is_not_reused(tracker: Tracker, genres: Path, models: Path) -> None:
    words = ("run", "--data", genres, *QUICK, "--model", "models/mine.py", "--reuse")
    ids = [tracker(*words).out, tracker(*words).out]
    (models / "_parts.py").write_text(PARTS.replace("40", "20"))
    ids.append(tracker(*words).out)
    assert ids[0] == ids[1] != ids[2]
    assert {run.name for run in runs()} == {"mine-k3-lr0.001-epochs2-seg0.5-val0.5-s0"}


def test_an_interrupted_run_is_resumed_unless_its_network_was_edited(
    tracker: Tracker, genres: Path, models: Path
) -> None:
    Path("interrupt").touch()
    tracker("run", "--data", genres, *QUICK, "--model", "mine", "--name", "a run")
    assert [run.status for run in runs()] == ["KILLED"]
    Path("interrupt").unlink()
    (models / "_parts.py").write_text(PARTS.replace("40", "20"))
    refused = tracker("resume", "a run")
    assert refused.status == 1
    assert "the code in models/_parts.py" in refused.err
    (models / "_parts.py").write_text(PARTS)
    resumed = tracker("resume", "a run")
    assert resumed.status == 0, resumed.err
    tracker("run", "--data", genres, *QUICK, "--model", "mine")
    again, whole = sorted(runs(), key=lambda run: run.name)
    assert (again.status, again.metrics["val_loss"]) == ("FINISHED", whole.metrics["val_loss"])


def test_an_interrupted_run_of_a_file_outside_the_folder_of_its_store_is_resumed_if_the_file_is_named(
    tracker: Tracker, genres: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = (models / "mine.py").absolute()
    moved = Path("nets/mine.py").absolute()
    Path("interrupt").touch()
    Path("store").mkdir()
    tracker("run", "--data", genres, *QUICK, "--model", "models/mine.py", "--tracking-uri", "store/mlflow.db")
    monkeypatch.chdir("store")
    (run,) = runs()
    assert (run.status, run.params["model"], run.name) == (
        "KILLED",
        str(file),
        "mine-k3-lr0.001-epochs2-seg0.5-val0.5-s0",
    )
    refused = tracker("resume", run.name)
    assert (refused.status, runs()[0].status) == (1, "KILLED")
    assert f"{file} isn't one of the project's own files in {Path.cwd()}" in refused.err
    file.parent.rename(moved.parent)
    resumed = tracker("resume", run.name, "--model", moved)
    assert (resumed.status, runs()[0].status) == (0, "FINISHED"), resumed.err


def test_what_looks_at_runs_never_runs_the_code_that_they_name(tracker: Tracker, genres: Path, models: Path) -> None:
    Path("interrupt").touch()
    tracker("run", "--data", genres, *QUICK, "--model", "mine", "--name", "first")
    Path("interrupt").unlink()
    (models / "mine.py").write_text(f"from pathlib import Path\n\nPath('ran').touch()\n{NETWORK}")
    for words in (("runs",), ("report",), ("next",), ("sync",), ("repair",)):
        assert tracker(*words).status == 0, words
    tracker("close", "first")
    other = ("run", "--data", genres, *QUICK, "--model", TINY_NETWORK, "--reuse")
    ids = tracker(*other), tracker(*other)
    assert (ids[0].status, ids[0].out) == (0, ids[1].out), ids[0].err
    assert tracker("compare", "first", ids[0].out.strip()).status == 0
    assert not Path("ran").exists()


def test_an_error_in_a_network_is_one_line_and_no_run(tracker: Tracker, genres: Path, models: Path) -> None:
    (models / "mine.py").write_text(f"{NETWORK}\n\nraise RuntimeError('not today')\n")
    result = tracker("run", "--data", genres, *QUICK, "--model", "mine")
    assert result.status == 1
    line = len(NETWORK.splitlines()) + 3
    expected = f"models/mine.py, line {line}: the network cannot be built: RuntimeError: not today"
    assert expected in result.err.splitlines()[-1]
    assert not list(Path.cwd().glob(".tracker/*/*"))


def test_an_error_in_a_network_is_found_before_audio_is_read(tracker: Tracker, models: Path) -> None:
    (models / "mine.py").write_text(f"{NETWORK}\n\nraise RuntimeError('not today')\n")
    for clip in ("a/1.wav", "a/2.wav", "b/1.wav", "b/2.wav"):
        Path("data", clip).parent.mkdir(parents=True, exist_ok=True)
        Path("data", clip).write_text("not audio")
    result = tracker("run", "--data", "data", *QUICK, "--model", "mine")
    assert "the network cannot be built: RuntimeError: not today" in result.err.splitlines()[-1]


def test_help_lists_the_options_of_networks_in_the_working_folder_without_running_them(
    tracker: Tracker, models: Path
) -> None:
    (models / "mine.py").write_text(f"raise SystemExit('run')\n{NETWORK}")
    assert "--depth" in tracker("run", "--model", "mine", "--help").out
