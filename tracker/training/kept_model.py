"""The kept model of a run, loaded again without running code that nobody named.

Keras refuses what would run a stranger's code, such as Lambda layers. Layers that are a network's own need its source;
whether that may be run, the caller decides.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.errors import TrackerError, TrainingError
from tracker.training.backend import keras, without_notices
from tracker.training.build import layers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.training.networks import Network


def load_model(content: bytes, find_code: Callable[[], Network]) -> keras.Model:
    """Load a model from the content of a ``.keras`` file, to predict with.

    Parameters
    ----------
    find_code : callable
        Returns the network that the model was built by, or raises; called only if the model has layers of its own.

    Raises
    ------
    TrainingError
        If it isn't such a model.
    """
    with tempfile.TemporaryDirectory(prefix="tracker-") as folder, without_notices():
        file = Path(folder, "model.keras")
        file.write_bytes(content)
        try:
            return keras.saving.load_model(file, compile=False)
        except Exception as error:
            if "Could not locate" not in str(error):
                raise _unfit(error) from error
        own = {layer.__name__: layer for layer in layers_of(find_code())}
        try:
            return keras.saving.load_model(file, custom_objects=own, compile=False)
        except TrackerError:
            raise
        except Exception as error:
            raise _unfit(error) from error


def _unfit(error: Exception) -> TrainingError:
    first = next(iter(str(error).splitlines()), "")[:300]
    return TrainingError(f"Keras cannot load it: {first or type(error).__name__}")
