"""A Keras model as an MLflow model among a run's artifacts.

It is saved as a folder and sent as files, under the run, rather than through ``mlflow.keras.log_model``: that puts it
elsewhere (``models/m-…``), where neither the run's list of artifacts nor a reader of the folder finds it, and works on
MLflow's global active run. ``runs:/ID/model`` loads either, and MLflow's UI offers to register either.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import mlflow.keras
import numpy as np
from mlflow.models import infer_signature

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

REQUIREMENTS = ("keras", "tensorflow", "numpy")
"""What loading needs, pinned to what is installed; MLflow's own inference of it takes 15 s."""


class Model(Protocol):
    """What of a Keras model is called here."""

    def __call__(self, inputs: NDArray[np.float32], *, training: bool) -> ArrayLike:
        """Return the class probabilities of a batch."""


def save_keras_model(folder: Path, model: Model, example: NDArray[np.float32]) -> None:
    """Save a model as a folder that MLflow and Keras load, with signature and requirements; whole or not at all.

    Parameters
    ----------
    folder : Path
        Replaced if it is there. MLflow puts the time and an id of its own inside: saving again gives another folder.
    model : keras.Model
    example : ndarray, shape (n, ...)
        What the model takes, at least one.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    one = example[:1]
    signature = infer_signature(one, np.asarray(model(one, training=False)))
    pinned = [f"{name}=={version(name)}" for name in REQUIREMENTS]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".model-") as temporary:
        path = Path(temporary, "model")
        mlflow.keras.save_model(model, str(path), signature=signature, pip_requirements=pinned)
        if folder.exists():
            shutil.rmtree(folder)
        path.replace(folder)
