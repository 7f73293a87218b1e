"""Checkpoints: everything that training continues from, on disk so that a kill at any moment leaves a complete one.

A folder of them contains

- ``epoch-000012-9f86d081884c7d65.npz``: the state after epoch 12, as arrays without pickles; the newest two are kept.
  The name ends in the first 16 digits of the SHA-256 of the format's name and the content. So a file that is truncated,
  changed, foreign or of another version is recognised, and the one before is used.
- ``probabilities.bin``: the class probabilities of the validation clips after each epoch, too many to write again every
  time: one record an epoch, float32 of shape (n_clips, n_classes) and their CRC-32, little-endian. Records after the
  checkpoint's epoch were left by a kill and are overwritten.
- ``.<random>.tmp``: a file that is being written.

Imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.atomic_files import make_folder, remove_unfinished, replace_file
from tracker.errors import TrainingError
from tracker.training.result import Arrays, Epoch, History

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray

FORMAT = b"tracker checkpoint 1\n"  # part of the digest in a file's name; another layout needs another number
COUNT = 2  # checkpoints kept: the newest, and the one before in case it is damaged

_NAME = re.compile(r"epoch-(\d+)-[0-9a-f]{16}\.npz")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of training after an epoch."""

    history: History  # of at least one epoch
    model: Arrays  # all variables of the network: its weights and the states of its random generators
    optimizer: Arrays
    counters: Mapping[str, Mapping[str, float | None]]  # what each callback has counted, by the name of its class
    ended: bool  # whether a callback ended the training with this epoch


def finished_epochs(folder: Path) -> tuple[Epoch, ...]:
    """Return the epochs that are safe in a folder of checkpoints, which may be missing; training continues after them.

    Raises
    ------
    TrainingError
        If it cannot be read.
    """
    checkpoint = CheckpointFolder(folder).load()
    return checkpoint.history.epochs if checkpoint else ()


class CheckpointFolder:
    """A run's folder of checkpoints, created with the first; one process writes to it at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._probabilities = path / "probabilities.bin"

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint. Once this returns, it is on disk; until then, the one before counts.

        Raises
        ------
        TrainingError
            If it cannot be written.
        """
        try:
            make_folder(self.path)
            self._add_probabilities(checkpoint.history)
            content = _content(checkpoint)
            name = f"epoch-{len(checkpoint.history.epochs):06}-{_digest(content)}.npz"
            replace_file(self.path / name, content)
            self._prune(name)
        except OSError as error:
            raise TrainingError(
                f"the checkpoint of epoch {len(checkpoint.history.epochs)} cannot be saved in {self.path}: "
                f"{error.strerror or error}; free some space or fix the permissions, then resume the run"
            ) from error

    def load(self) -> Checkpoint | None:
        """Return the newest undamaged checkpoint, None if there is none.

        Raises
        ------
        TrainingError
            If the folder cannot be read.
        """
        return next(filter(None, map(self._read, self._names())), None)

    def _add_probabilities(self, history: History) -> None:
        """Write the latest epoch's probabilities, over whatever a kill has left there."""
        values = np.ascontiguousarray(history.probabilities[-1], "<f4").tobytes()
        record = values + zlib.crc32(values).to_bytes(4, "little")
        self._probabilities.touch()
        with self._probabilities.open("r+b") as file:
            file.seek((len(history.epochs) - 1) * len(record))
            file.write(record)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())

    def _prune(self, newest: str) -> None:
        """Remove all but the newest and the one before; one of a later epoch must be damaged, or training used it."""
        names = self._names()
        before = [name for name in names if _epoch(name) < _epoch(newest)]
        for name in {*names} - {newest, *before[: COUNT - 1]}:
            (self.path / name).unlink()
        remove_unfinished(self.path)

    def _names(self) -> list[str]:
        """Return the names of the checkpoints, newest first."""
        try:
            names = [path.name for path in self.path.iterdir() if _NAME.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TrainingError(
                f"the checkpoints in {self.path} cannot be read ({error.strerror}); check the folder's permissions"
            ) from error
        return sorted(names, key=lambda name: (_epoch(name), name), reverse=True)

    def _read(self, name: str) -> Checkpoint | None:
        """Return a checkpoint, None if it or its part of the probabilities is damaged."""
        try:
            content = (self.path / name).read_bytes()
            if not name.endswith(f"-{_digest(content)}.npz"):
                return None
            with np.load(io.BytesIO(content)) as entries:
                about, count = json.loads(str(entries["about"])), len(entries["metrics"])
                record = np.dtype([("values", "<f4", tuple(about["judged"])), ("crc", "<u4")])
                records = np.fromfile(self._probabilities, record, count)
                if len(records) < count or any(zlib.crc32(one["values"].tobytes()) != one["crc"] for one in records):
                    return None
                return _checkpoint(about, entries, tuple(records["values"]))
        except OSError:
            return None


def _epoch(name: str) -> int:
    return int(name.split("-")[1])


def _digest(content: bytes | memoryview) -> str:
    digest = hashlib.sha256(FORMAT)
    digest.update(content)
    return digest.hexdigest()[:16]


def _content(checkpoint: Checkpoint) -> memoryview:
    """Return a checkpoint's file. Each part is one entry, as a zip file is slow with many small ones."""
    history, names = checkpoint.history, list(checkpoint.history.epochs[0].metrics)
    is_last_kept = history.kept == len(history.epochs) - 1
    kept = () if is_last_kept else history.weights  # those of the last are among the model's variables
    parts = {"model": checkpoint.model, "optimizer": checkpoint.optimizer, "kept": kept}
    about = {
        "keep": history.keep,
        "metrics": names,
        "judged": history.probabilities[-1].shape,
        "counters": checkpoint.counters,
        "ended": checkpoint.ended,
        "parts": {part: [(array.dtype.str, array.shape) for array in arrays] for part, arrays in parts.items()},
    }
    contents = {part: b"".join(array.tobytes() for array in arrays) for part, arrays in parts.items()}
    entries = {part: np.frombuffer(content, np.uint8) for part, content in contents.items()}
    entries["metrics"] = np.array([[epoch.metrics[name] for name in names] for epoch in history.epochs])
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), **entries)
    return file.getbuffer()


def _checkpoint(
    about: Mapping[str, Any], entries: NpzFile, probabilities: tuple[NDArray[np.float32], ...]
) -> Checkpoint:
    """Return the checkpoint in a file."""
    values = entries["metrics"].tolist()
    epochs = (Epoch(i, dict(zip(about["metrics"], row, strict=True))) for i, row in enumerate(values, start=1))
    parts: dict[str, Arrays] = {}
    for part, kinds in about["parts"].items():
        content, start, arrays = entries[part].tobytes(), 0, []
        for type_, shape in kinds:
            arrays.append(np.frombuffer(content, type_, math.prod(shape), start).reshape(shape))
            start += arrays[-1].nbytes
        parts[part] = tuple(arrays)
    return Checkpoint(
        History(about["keep"], tuple(epochs), probabilities, parts["kept"]),
        model=parts["model"],
        optimizer=parts["optimizer"],
        counters=about["counters"],
        ended=about["ended"],
    )
