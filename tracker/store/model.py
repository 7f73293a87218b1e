"""A Keras model as an MLflow model among a run's artifacts.

It is saved as a folder and sent as files, under the run, rather than through ``mlflow.keras.log_model``: that puts it
elsewhere (``models/m-…``), where neither the run's list of artifacts nor a reader of the folder finds it, and works on
MLflow's global active run. ``runs:/ID/model`` loads either, and MLflow's UI offers to register either.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import mlflow.keras
import numpy as np
from mlflow.models import infer_signature

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

REQUIREMENTS = ("keras", "tensorflow", "numpy")
"""What loading needs, pinned to what is installed; MLflow's own inference of it takes 15 s."""


class Model(Protocol):
    """What of a Keras model is called here."""

    def __call__(self, inputs: NDArray[np.float32], *, training: bool) -> ArrayLike:
        """Return the class probabilities of a batch."""


def save_keras_model(folder: Path, model: Model, example: NDArray[np.float32]) -> None:
    """Save a model as a folder that MLflow and Keras load, with signature and requirements.

    Parameters
    ----------
    folder : Path
        New. MLflow puts the time and an id of its own inside: saving again gives another folder.
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
    mlflow.keras.save_model(model, str(folder), signature=signature, pip_requirements=pinned)
