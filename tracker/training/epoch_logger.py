"""A Keras callback for anybody's `fit`: hands over each epoch's metrics. Keras stays as its user has set it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import keras


def epoch_logger(log_epoch: Callable[[Mapping[str, float]], None]) -> keras.callbacks.Callback:
    """Return a callback that calls `log_epoch` at the end of each epoch.

    Parameters
    ----------
    log_epoch : callable
        Receives Keras' logs with `learning_rate`, that the epoch was trained at.
    """
    import keras

    class EpochLogger(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
            has_rate = hasattr(getattr(self.model, "optimizer", None), "learning_rate")
            self._rate = {"learning_rate": learning_rate(self.model)} if has_rate else {}

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
            log_epoch({**(logs or {}), **self._rate})

    return EpochLogger()


def learning_rate(model: keras.Model) -> float:
    """Return the optimizer's rate in the shortest digits of its float32: 0.001, not 0.0010000000474974513."""
    return float(str(np.float32(model.optimizer.learning_rate)))
