"""Checkpoints: everything that training continues from, on disk so that a kill at any moment leaves a complete one.

A folder of them contains

- ``epoch-000012-9f86d081884c7d65.npz``: the state after epoch 12, as arrays without pickles; the newest two are kept.
  The name ends in the first 16 digits of the SHA-256 of the format's name and the content. So a file that is truncated,
  changed, foreign or of another version is recognised, and the one before is used. So it is if the digest is right and
  the content isn't: entries are read only as `save` writes them, uncompressed, with sizes that fit the file.
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
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import msgspec
import numpy as np
from msgspec import Meta, MsgspecError, Struct

from tracker.atomic_files import make_folder, remove_unfinished, replace_file
from tracker.contained_files import LARGEST_CHECKPOINT, open_file, open_folder, read_file
from tracker.errors import TrainingError
from tracker.training.result import Arrays, Epoch, History

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = b"tracker checkpoint 1\n"  # part of the digest in a file's name; another layout needs another number
COUNT = 2  # checkpoints kept: the newest, and the one before in case it is damaged

_PROBABILITIES = "probabilities.bin"
_NAME = re.compile(r"epoch-(\d{6,12})-[0-9a-f]{16}\.npz")
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|][a-zA-Z]\d{1,9})', "
    rb"'fortran_order': False, 'shape': \(([\d, ]{0,99})\), \} *\n",
    re.DOTALL,
)  # that NumPy writes before an array; its own reader takes others, of any size
_ENTRIES = ("about", "kept", "metrics", "model", "optimizer")

# What reading a file with a right digest and a wrong content may raise.
_WRONG = (
    ArithmeticError, BadZipFile, EOFError, LookupError, MemoryError, MsgspecError, OSError, RuntimeError, struct.error,
    TypeError, ValueError,
)  # fmt: skip

_Name = Annotated[str, Meta(max_length=100)]
_Size = Annotated[int, Meta(ge=0, le=2**40)]
_Type = Annotated[str, Meta(pattern=r"\A[<>|][biufcV]\d{1,2}\Z")]  # no Python objects
_Arrays = Annotated[tuple[tuple[_Type, Annotated[tuple[_Size, ...], Meta(max_length=16)]], ...], Meta(max_length=10**5)]


class _Parts(Struct, forbid_unknown_fields=True):
    """Type and shape of each array of an entry."""

    model: _Arrays
    optimizer: _Arrays
    kept: _Arrays


class _About(Struct, forbid_unknown_fields=True):
    """What an entry of the file says of the others."""

    keep: Literal["best", "last"]
    metrics: Annotated[tuple[_Name, ...], Meta(max_length=100)]
    judged: tuple[_Size, _Size]
    counters: Annotated[
        dict[_Name, Annotated[dict[_Name, int | float | None], Meta(max_length=20)]], Meta(max_length=20)
    ]
    ended: bool
    parts: _Parts


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
        self._root = path.parent  # the folder must not be a link, nor what is in it

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
            replace_file(self.path / name, content, root=self._root)
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
        with open_folder(self.path, self._root) as folder, folder.open(_PROBABILITIES, "r+b") as file:
            file.seek((len(history.epochs) - 1) * len(record))
            file.write(record)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())

    def _prune(self, newest: str) -> None:
        """Remove all but the newest and the one before; one of a later epoch must be damaged, or training used it."""
        names = self._names()
        before = [name for name in names if _epoch(name) < _epoch(newest)]
        with open_folder(self.path, self._root) as folder:
            for name in {*names} - {newest, *before[: COUNT - 1]}:
                folder.remove(name)
        remove_unfinished(self.path)

    def _names(self) -> list[str]:
        """Return the names of the checkpoints, newest first."""
        try:
            with open_folder(self.path, self._root) as folder:
                names = list(filter(_NAME.fullmatch, folder.names()))
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
            content = read_file(self.path / name, self._root, LARGEST_CHECKPOINT)
            return self._checkpoint(name, content) if name.endswith(f"-{_digest(content)}.npz") else None
        except _WRONG:
            return None

    def _checkpoint(self, name: str, content: bytes) -> Checkpoint:
        """Return the checkpoint that a file's content is; raise `ValueError` or another of `_WRONG` if it is none."""
        entries = _entries(content)
        about = msgspec.convert(json.loads(str(entries["about"])), _About)  # msgspec's own JSON has no infinity
        values = entries["metrics"].tolist()
        if not values or len(values) != _epoch(name) or "val_loss" not in about.metrics:
            raise ValueError("metrics of other epochs")
        epochs = (Epoch(i, dict(zip(about.metrics, row, strict=True))) for i, row in enumerate(values, start=1))
        return Checkpoint(
            History(
                about.keep,
                tuple(epochs),
                self._read_probabilities(len(values), about.judged),
                _arrays(entries["kept"], about.parts.kept),
            ),
            model=_arrays(entries["model"], about.parts.model),
            optimizer=_arrays(entries["optimizer"], about.parts.optimizer),
            counters=about.counters,
            ended=about.ended,
        )

    def _read_probabilities(self, count: int, shape: tuple[int, int]) -> tuple[NDArray[np.float32], ...]:
        """Return the probabilities after each of the first `count` epochs; raise `ValueError` if any are damaged."""
        size = 4 * math.prod(shape)
        with open_file(self.path / _PROBABILITIES, self._root) as file:
            if count * (size + 4) > min(os.fstat(file.fileno()).st_size, LARGEST_CHECKPOINT):
                raise ValueError("fewer probabilities")
            records = [(file.read(size), file.read(4)) for _ in range(count)]
        if any(zlib.crc32(values).to_bytes(4, "little") != crc for values, crc in records):
            raise ValueError("damaged probabilities")
        return tuple(np.frombuffer(values, "<f4").reshape(shape) for values, _ in records)


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


def _entries(content: bytes) -> dict[str, NDArray[np.generic]]:
    """Return the entries of a file by name."""
    with ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if sorted(member.filename for member in members) != [f"{name}.npy" for name in _ENTRIES]:
            raise ValueError("other entries")
        if any(member.compress_type != ZIP_STORED or member.file_size > len(content) for member in members):
            raise ValueError("entries larger than the file")
        entries = {member.filename.removesuffix(".npy"): _entry(archive.read(member)) for member in members}
    kinds = {name: (entry.dtype.kind, entry.ndim) for name, entry in entries.items()}
    if kinds != dict.fromkeys(_ENTRIES, ("u", 1)) | {"about": ("U", 0), "metrics": ("f", 2)}:
        raise ValueError("entries of other types")
    return entries


def _entry(data: bytes) -> NDArray[np.generic]:
    header = _HEADER.match(data)
    if not header:
        raise ValueError("not an array")
    shape = tuple(int(size) for size in header[2].decode().split(",") if size.strip())
    (array,) = _arrays(np.frombuffer(data, np.uint8, offset=header.end()), [(header[1].decode(), shape)])
    return array


def _arrays(entry: NDArray[np.generic], kinds: Sequence[tuple[str, tuple[int, ...]]]) -> Arrays:
    """Return the arrays that follow each other in an entry; raise `ValueError` unless they are all of it."""
    sizes = [np.dtype(type_).itemsize * math.prod(shape) for type_, shape in kinds]
    if sum(sizes) != entry.nbytes:
        raise ValueError("arrays of another size")
    data, ends = entry.tobytes(), np.cumsum([0, *sizes]).tolist()
    return tuple(np.ndarray(shape, type_, data, start) for (type_, shape), start in zip(kinds, ends[:-1], strict=True))
