"""Keras on TensorFlow, imported without its notices and with a fixed number of threads.

Import this module before anything that imports Keras or TensorFlow. While it is loaded, TensorFlow's C++ writes notices
(about oneDNN, about missing graphics drivers) straight to standard error; since version 2.18, no setting stops that.
They are filtered out, and everything else is passed on.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker.errors import TrainingError
from tracker.training.result import threads

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDERR = 2

# Lines that absl and TensorFlow log as INFO and WARNING.
_NOTICE = re.compile(
    rb"[IW]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IW] |WARNING: All log messages before absl|\s*$|To enable "
)


@contextmanager
def without_notices() -> Iterator[None]:
    """Collect what is written to standard error, and pass on all but TensorFlow's notices at the end."""
    if sys.stderr is None:  # it was closed
        yield
        return
    with tempfile.TemporaryFile() as collected:
        sys.stderr.flush()
        stderr = os.dup(_STDERR)
        os.dup2(collected.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            collected.seek(0)
            for line in collected:
                if not _NOTICE.match(line):
                    os.write(_STDERR, line)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
with without_notices():
    import keras
    import tensorflow as tf

    on_gpu = bool(tf.config.list_physical_devices("GPU"))

tf.get_logger().setLevel("ERROR")
if not on_gpu:
    # On a CPU, this pass of the graph optimizer changes no bit and speeds up no step, but the first step waits for it.
    tf.config.optimizer.set_experimental_options({"function_optimization": False})
try:
    tf.config.threading.set_intra_op_parallelism_threads(threads())
except RuntimeError as error:
    raise TrainingError(
        "TensorFlow was already used in this process, which fixed its threads; import tracker.training.fit first"
    ) from error

__all__ = ["keras", "tf"]
