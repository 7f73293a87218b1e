"""Keras on TensorFlow, imported without chatter and with its threads pinned.

Import this module before anything that imports Keras or TensorFlow. While it is loaded, TensorFlow's C++ writes notices
(of oneDNN, of missing graphics drivers) straight to standard error, which since its version 2.18 no setting can stop;
they are held back, and whatever is no notice is passed on.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from tracker.errors import TrainingError
from tracker.training.environment import threads

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDERR = 2
_NOTICE = re.compile(
    rb"[IW]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IW] |WARNING: All log messages before absl|\s*$|To enable "
)
"""Lines that absl and TensorFlow write at the levels INFO and WARNING."""


@contextmanager
def notices_held_back() -> Iterator[None]:
    """Hold back what is written to standard error meanwhile, and afterwards pass on all but TensorFlow's notices."""
    if sys.stderr is None:  # it was closed: there is nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        stderr = os.dup(_STDERR)
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            _pass_on(held)


def _pass_on(held: IO[bytes]) -> None:
    """Write all but notices to standard error."""
    held.seek(0)
    for line in held:
        if not _NOTICE.match(line):
            os.write(_STDERR, line)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
with notices_held_back():
    import keras
    import tensorflow as tf

tf.get_logger().setLevel("ERROR")
try:
    tf.config.threading.set_intra_op_parallelism_threads(threads())
except RuntimeError as error:
    raise TrainingError("TensorFlow is already at work in this process: import tracker.training.fit first") from error

__all__ = ["keras", "tf"]
