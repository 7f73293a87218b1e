"""Whether Keras trains, resumes and saves on each of its backends as on TensorFlow.

    python -m bench.backends [--folder .compat] [--only jax]

`make compat` installs JAX into the folder; a backend that isn't installed is skipped. On each, a network with Dropout,
a plateau and early stopping is trained twice: in one go, and killed after some epochs and continued by another process.
Every loss, variable and prediction must be the same, bit by bit, and TensorFlow must not be imported unless it is the
backend. The saved model must have the same variables, bit by bit, and predict the same but for rounding: TensorFlow's
fused normalization, with which tracker trains, is not saved. The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from tracker.runs import Backend, Configuration, Plateau, RunPlan, Spectrogram
from tracker.training.batches import LabelledImages, TrainingData
from tracker.training.networks import parse_options
from tracker.training.result import environment, use_backend

if TYPE_CHECKING:
    from tracker.training.result import Epoch

KILLED_AFTER = 3  # epochs
_BANDS, _FRAMES, _CLASSES = 32, 40, ("high", "low")
_SEGMENT_S = 32 * 512 / 22_050
_ROUNDING = 1e-6  # of a probability in float32, by another order of the same operations


def plan_on(backend: Backend) -> RunPlan:
    """Return what is trained: a state of everything that a checkpoint has to hold."""
    configuration = Configuration(
        plateau=Plateau(0.5, 1),
        early_stopping_patience=6,
        epochs=8,
        batch_size=16,
        segment_s=_SEGMENT_S,
        keras_backend=backend,
        options=parse_options("cnn", {"width": "4"}).options,
    )
    return RunPlan(configuration, seed=3, spectrogram=Spectrogram(n_mels=_BANDS))


def noisy_bands() -> TrainingData:
    """Return clips of noise with a bright band, whose place is the class."""
    rng = np.random.default_rng(0)

    def part(count: int) -> LabelledImages:
        images = []
        for clip in range(count):
            image = rng.uniform(-80, -30, (_BANDS, _FRAMES))
            image[clip % 2 * 16 :][:8] += 8
            images.append(image.astype(np.float16))
        names = tuple(f"{clip:02}" for clip in range(count))
        return LabelledImages(names, tuple(_CLASSES[clip % 2] for clip in range(count)), images)

    return TrainingData(part(24), part(12), _CLASSES)


def train_here(backend: Backend, folder: Path, *, killed: bool) -> None:
    """Train or continue in this process, which dies if it is to be killed, and print what came of it as JSON."""
    use_backend(backend)
    from tracker.training.fit import train

    losses: list[float] = []

    def on_epoch(epoch: Epoch) -> None:
        losses.append(epoch.metrics["val_loss"])
        if killed and epoch.number == KILLED_AFTER:
            os._exit(9)

    result = train(plan_on(backend), noisy_bands(), on_epoch=on_epoch, checkpoints=folder / "checkpoints")
    variables = b"".join(np.asarray(variable.numpy()).tobytes() for variable in result.model.variables)
    found = {
        "losses": losses,
        "variables": hashlib.sha256(variables).hexdigest(),
        "predictions": hashlib.sha256(result.validation_by_epoch.probabilities.tobytes()).hexdigest(),
        "metrics": dict(result.metrics),
        "loads": _loads(result.model, folder / "model", backend),
        "tensorflow": "tensorflow" in sys.modules,
    }
    print(json.dumps(found))


def _loads(model: Any, folder: Path, backend: Backend) -> bool:
    """Save a model, and return whether MLflow loads one of the same variables that predicts the same."""
    import mlflow.keras

    from tracker.store import ClipFunction
    from tracker.store.keras_model import save_keras_model

    save_keras_model(folder, model, ClipFunction("", "{}", ()), backend)
    example = np.random.default_rng(0).normal(size=(1, *model.input_shape[1:])).astype(np.float32)
    loaded = mlflow.keras.load_model(str(folder))
    ours, theirs = (each.predict_on_batch(example) for each in (model, loaded))
    are_same = map(np.array_equal, model.get_weights(), loaded.get_weights())
    return all(are_same) and np.allclose(ours, theirs, rtol=0, atol=_ROUNDING)


def in_process(backend: Backend, folder: Path, packages: Path, *options: str) -> dict[str, object] | None:
    """Train in a process of its own; None if it was killed as it should be."""
    path = os.pathsep.join([str(Path.cwd()), str(packages), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "bench.backends", "--train", backend, "--into", str(folder), *options]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if "--killed" in options and done.returncode == 9:
        return None
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def outcome_on(backend: Backend, scratch: Path, packages: Path) -> str:
    """Return what came of one backend, in words."""
    whole = in_process(backend, scratch / "whole", packages)
    in_process(backend, scratch / "parts", packages, "--killed")
    resumed = in_process(backend, scratch / "parts", packages)
    if whole is None or resumed is None:
        raise RuntimeError("training was killed")
    whole["losses"] = list(whole["losses"])[KILLED_AFTER:]  # type: ignore[call-overload]
    wrong = [f"{name} after a kill" for name in whole if whole[name] != resumed[name]]
    wrong += [] if whole["loads"] else ["predictions of the saved model"]
    wrong += ["TensorFlow was imported"] if whole["tensorflow"] and backend != "tensorflow" else []
    return f"DIFFERS: {', '.join(wrong)}" if wrong else "the same"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.backends", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path(".compat"), help="what `make compat` installed")
    parser.add_argument("--only", choices=get_args(Backend), help="the backend to try")
    parser.add_argument("--train", choices=get_args(Backend), help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--killed", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.train:
        train_here(asked.train, asked.into, killed=asked.killed)
        return 0
    print("| Keras backend | version | killed and resumed, saved and loaded |\n| --- | --- | --- |")
    is_wrong = False
    for backend in [asked.only] if asked.only else get_args(Backend):
        packages = (asked.folder / backend).resolve()
        sys.path.append(str(packages))
        with tempfile.TemporaryDirectory() as scratch:
            version = environment("cnn", backend).get(backend)
            try:
                outcome = outcome_on(backend, Path(scratch), packages) if version else "skipped: not installed"
            except RuntimeError as error:
                outcome = f"NOT TRAINED: {error}"
        is_wrong |= not outcome.startswith(("the same", "skipped"))
        print(f"| {backend} | {version or '–'} | {outcome} |", flush=True)
    return 1 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
