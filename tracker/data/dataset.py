"""A dataset: its clips, their contents by hash, and how it is read from a folder or a manifest.

Conventions: a clip is known by its path relative to the dataset; clips are sorted by it, whatever order they were
found in. Contents are compared by the SHA-256 of a file's bytes, computed once and handed on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.data.clip import Clip, is_audio, is_printable, is_unreadable_audio
from tracker.data.folder import LAYOUT, read_folder
from tracker.data.manifest import SPLIT_WORDS, read_manifest
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "MANIFEST",
    "Clip",
    "Dataset",
    "contradictions",
    "duplicates",
    "fingerprint",
    "hash_clips",
    "read_dataset",
]

MANIFEST = "manifest.csv"
"""A folder that holds a file of this name is read by it: it knows what folders cannot say, such as the artists."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Clips to train on.

    Parameters
    ----------
    clips : tuple of Clip
        Given in any order, kept sorted by path.
    """

    clips: tuple[Clip, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "clips", tuple(sorted(self.clips, key=lambda clip: clip.path)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, sorted, each once."""
        return tuple(sorted({clip.label for clip in self.clips}))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that are known, sorted, each once."""
        return tuple(sorted({clip.group for clip in self.clips if clip.group is not None}))

    def without(self, paths: Iterable[str]) -> Dataset:
        """Return the dataset without the clips at `paths`."""
        left_out = set(paths)
        return Dataset(tuple(clip for clip in self.clips if clip.path not in left_out))


def read_dataset(path: Path) -> Dataset:
    """Read a dataset from a folder with one sub-folder per genre, or from a CSV manifest.

    Parameters
    ----------
    path : Path
        The folder or the manifest. A folder that holds a ``manifest.csv`` is read by it.

    Returns
    -------
    Dataset
        Of at least two classes.

    Raises
    ------
    DataError
        If there is no dataset at `path`, or not one fit to train on.
    """
    try:
        dataset = Dataset(tuple(_read(path)))
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); check its name and permissions"
        ) from error
    _refuse_unprintable(dataset)
    _refuse_twins(dataset)
    _refuse_classes(dataset, path)
    return dataset


def hash_clips(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
    """Hash the contents of every clip.

    Parameters
    ----------
    dataset : Dataset
    progress : callable, optional
        Told how many clips are done, and of how many.

    Returns
    -------
    dict of str to str
        The SHA-256 of each file's bytes, in hexadecimal, by the clip's path.

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
    """Return what tells this dataset from any other, wherever it lies.

    Parameters
    ----------
    dataset : Dataset
    hashes : mapping of str to str
        Content hash by clip path, as from `hash_clips`.

    Returns
    -------
    str
        SHA-256, in hexadecimal, over the paths, labels, groups and content hashes of the clips, sorted by path.
    """
    rows = [[clip.path, clip.label, clip.group, hashes[clip.path]] for clip in dataset.clips]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def duplicates(hashes: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Find clips that have the very same bytes.

    Parameters
    ----------
    hashes : mapping of str to str
        Content hash by clip path.

    Returns
    -------
    tuple of tuple of str
        The paths of each two or more that are the same, sorted.
    """
    same: dict[str, list[str]] = defaultdict(list)
    for path in sorted(hashes):
        same[hashes[path]].append(path)
    return tuple(tuple(paths) for paths in same.values() if len(paths) > 1)


def contradictions(dataset: Dataset, hashes: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return those of the `duplicates` that are labelled differently: at most one of the labels can be right."""
    labels = {clip.path: clip.label for clip in dataset.clips}
    same = duplicates({path: hashes[path] for path in labels})
    return tuple(paths for paths in same if len({labels[path] for path in paths}) > 1)


def _read(path: Path) -> list[Clip]:
    if path.is_dir():
        manifest = path / MANIFEST
        return read_manifest(manifest) if manifest.is_file() else read_folder(path)
    _refuse_what_is_no_manifest(path)
    return read_manifest(path)


def _content_hash(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}); mend it or remove it from the dataset") from error


def _refuse_what_is_no_manifest(path: Path) -> None:
    if not path.exists():
        raise DataError(f"there is no folder or manifest {path}; check the path given")
    if is_audio(path) or is_unreadable_audio(path):
        raise DataError(f"{path} is an audio file, and a dataset is many; {LAYOUT}")
    if path.suffix.lower() in {".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar"}:
        raise DataError(f"{path} is an archive; unpack it and give the folder")


def _refuse_unprintable(dataset: Dataset) -> None:
    for clip in dataset.clips:
        for what, text in (("path", clip.path), ("label", clip.label), ("group", clip.group or "")):
            if not is_printable(text):
                raise DataError(
                    f"the {what} {text!a} holds a line break, a control character or a byte that is not UTF-8; "
                    "rename it"
                )


def _refuse_twins(dataset: Dataset) -> None:
    """Refuse two files whose names are the same text in two encodings of its accents."""
    for one, other in zip(dataset.clips, dataset.clips[1:], strict=False):
        if one.path == other.path:
            raise DataError(
                f"two files are both named {one.path!r}, their accents encoded differently; "
                "rename or remove one of them"
            )


def _refuse_classes(dataset: Dataset, path: Path) -> None:
    """Refuse a dataset that has nothing to tell apart, or has parts of a split where its classes should be."""
    classes = dataset.classes
    if len(classes) == 1:
        raise DataError(
            f"{path} has one class only, {classes[0]!r}, and telling apart takes two{_one_too_high(dataset, path)}"
        )
    if all(label.lower() in SPLIT_WORDS for label in classes):
        raise DataError(
            f"the labels in {path} are {', '.join(classes)}: parts of a split and not classes; "
            "say the split in a manifest (path,label,split)"
        )


def _one_too_high(dataset: Dataset, path: Path) -> str:
    """Return the remedy for a single class: where the clips part further down, that is likely the folder meant."""
    folders = [clip.file.parent for clip in dataset.clips]
    common = Path(os.path.commonpath(folders))
    if path.is_dir() and any(folder != common for folder in folders):
        return f"; is {common} the folder to give?"
    return "; add clips of another"
