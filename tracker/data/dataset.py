"""A dataset: its clips, the hashes of their contents, and how it is read from a folder or a manifest.

Conventions: a clip is identified by its path relative to the dataset, and clips are sorted by it. Contents are compared
by the SHA-256 of a file's bytes, computed once and passed on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.data.readers import (
    LAYOUT,
    SPLIT_WORDS,
    Clip,
    is_audio,
    is_printable,
    is_unreadable_audio,
    read_folder,
    read_manifest,
)
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["MANIFEST", "Clip", "Dataset", "duplicates", "fingerprint", "hash_clips", "read_dataset"]

# If a folder contains this file, it is used instead of the sub-folder names; it can also name the artists.
MANIFEST = "manifest.csv"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Clips to train on, sorted by path."""

    clips: tuple[Clip, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "clips", tuple(sorted(self.clips, key=lambda clip: clip.path)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, sorted, each once."""
        return tuple(sorted({clip.label for clip in self.clips}))

    @property
    def groups(self) -> tuple[str, ...]:
        """The known groups, sorted, each once."""
        return tuple(sorted({clip.group for clip in self.clips if clip.group is not None}))

    def without(self, paths: Iterable[str]) -> Dataset:
        """Return the dataset without the clips at `paths`."""
        left_out = set(paths)
        return Dataset(tuple(clip for clip in self.clips if clip.path not in left_out))


def read_dataset(path: Path) -> Dataset:
    """Read a dataset of at least two classes from a folder or a CSV manifest.

    Parameters
    ----------
    path : Path
        A folder with one sub-folder per class, a folder with a ``manifest.csv``, or a manifest.

    Raises
    ------
    DataError
        If there is no dataset at `path`, or it can't be trained on.
    """
    try:
        dataset = Dataset(tuple(_read(path)))
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); check its name and permissions"
        ) from error
    _check_names(dataset)
    _check_classes(dataset, path)
    return dataset


def hash_clips(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
    """Return the SHA-256 of each file's bytes, in hexadecimal, by the clip's path.

    `progress` is called with the number of clips done and of all clips.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    hashes: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        contents = pool.map(_content_hash, (clip.file for clip in dataset.clips))
        for clip, content in zip(dataset.clips, contents, strict=True):
            hashes[clip.path] = content
            if progress:
                progress(len(hashes), len(dataset.clips))
    return hashes


def fingerprint(dataset: Dataset, hashes: Mapping[str, str]) -> str:
    """Return a SHA-256, in hexadecimal, over the paths, labels, groups and content hashes of all clips."""
    rows = [[clip.path, clip.label, clip.group, hashes[clip.path]] for clip in dataset.clips]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def duplicates(hashes: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the sorted paths of each two or more clips that have the same bytes."""
    same: dict[str, list[str]] = defaultdict(list)
    for path in sorted(hashes):
        same[hashes[path]].append(path)
    return tuple(tuple(paths) for paths in same.values() if len(paths) > 1)


def _read(path: Path) -> list[Clip]:
    if path.is_dir():
        manifest = path / MANIFEST
        return read_manifest(manifest) if manifest.is_file() else read_folder(path)
    if not path.exists():
        raise DataError(f"there is no folder or manifest {path}; check the path given")
    if is_audio(path) or is_unreadable_audio(path):
        raise DataError(f"{path} is a single audio file, a dataset needs many; {LAYOUT}")
    if path.suffix.lower() in {".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar"}:
        raise DataError(f"{path} is an archive; unpack it and pass the folder")
    return read_manifest(path)


def _content_hash(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"{file} cannot be read ({error.strerror}); fix its permissions or remove it from the dataset"
        ) from error


def _check_names(dataset: Dataset) -> None:
    """Refuse names that no line can hold, and two that differ only in how accents are encoded."""
    for clip in dataset.clips:
        for what, text in (("path", clip.path), ("label", clip.label), ("group", clip.group or "")):
            if not is_printable(text):
                raise DataError(
                    f"the {what} {text!a} contains a line break, a control character or a byte that is not UTF-8; "
                    "rename it"
                )
    for clip, following in pairwise(dataset.clips):
        if clip.path == following.path:
            raise DataError(
                f"two files are both named {clip.path!r}, their accents encoded differently; "
                "rename or remove one of them"
            )


def _check_classes(dataset: Dataset, path: Path) -> None:
    """Refuse a dataset of one class, or one whose classes are the parts of a split."""
    classes = dataset.classes
    if len(classes) == 1:
        folders = [clip.file.parent for clip in dataset.clips]
        common = Path(os.path.commonpath(folders))
        branches_below = path.is_dir() and any(folder != common for folder in folders)
        remedy = f"did you mean {common}?" if branches_below else "add clips of another class"
        raise DataError(f"{path} has only one class, {classes[0]!r}, and a classifier needs two; {remedy}")
    if all(label.lower() in SPLIT_WORDS for label in classes):
        raise DataError(
            f"the labels in {path} are {', '.join(classes)}: parts of a split, not classes; "
            "give the split in a manifest (path,label,split)"
        )
