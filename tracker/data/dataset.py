"""A dataset: its clips, read from a folder or a CSV manifest, and the hashes of their contents.

Conventions: a clip is identified by its path, and clips are sorted by it. `Clip.path` is relative to the dataset, POSIX
and in Unicode's composed form (NFC), so that it is the same on every machine; `Clip.file` is where the bytes are.
Contents are compared by the SHA-256 of a file's bytes, computed once and passed on.

In a folder, as GTZAN has, a clip's label is the name of the sub-folder below the dataset that it is in, however deep.
Audio is recognised by the usual endings; hidden files, what archivers leave behind and everything else are skipped.

A manifest has the columns ``path,label`` and optionally ``group,split,fold``, in any order; others are ignored. Paths
are relative to the manifest. The file is UTF-8, with or without a byte-order mark; fields may be quoted and padded with
spaces, and blank lines are skipped. Lines are counted from 1, the header being the first.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tracker.contained_files import open_regular, read_regular
from tracker.delimited import delimiter_of, rows_of, text_of
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Part = Literal["train", "validation", "test"]

MANIFEST = "manifest.csv"  # in a folder, used instead of the sub-folder names; it can also name the artists
COLUMNS = ("path", "label", "group", "split", "fold")
SPLIT_WORDS: Mapping[str, Part] = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation",
    "test": "test",
}  # fmt: skip
LAYOUT = "put the clips into one sub-folder per class, or list them in a CSV manifest (path,label)"

# Audio that libsndfile 1.2 decodes, and audio that it cannot: silently skipped, that would be missing from the dataset.
_READABLE = (
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph", ".w64",
    ".wav", ".wave",
)  # fmt: skip
_UNREADABLE = (".aac", ".alac", ".ape", ".m4a", ".mka", ".mp4", ".ra", ".webm", ".wma", ".wv")
_ARCHIVES = (".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar")

UNREAD = ""  # in place of the hash of a file that can't be read: a pipe, a link that leads nowhere
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, undecodable bytes and line separators


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file and what is known about it.

    A split keeps the clips of a group (artist, album, recording or speaker) together; a manifest may assign a clip to a
    part and, counted from 1, to the fold that holds it out.
    """

    path: str
    file: Path
    label: str
    group: str | None = None
    split: Part | None = None
    fold: int | None = None

    @property
    def unit(self) -> tuple[str, str]:
        """What a split keeps whole: the clip's group, or else the clip itself; the two never have the same name."""
        return ("clip", self.path) if self.group is None else ("group", self.group)


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

    def without(self, paths: Iterable[str]) -> Dataset:
        """Return the dataset without the clips at `paths`."""
        left_out = set(paths)
        return Dataset(tuple(clip for clip in self.clips if clip.path not in left_out))


def read_dataset(path: Path, most_files: int | None = None) -> Dataset:
    """Read a dataset of at least two classes from a manifest, or a folder that has one or a sub-folder per class.

    A folder with more than `most_files` files is refused, if that is given.

    Raises
    ------
    DataError
        If there is no dataset at `path`, or it can't be trained on.
    """
    try:
        if path.is_dir():
            manifest = path / MANIFEST
            clips = read_manifest(manifest) if manifest.is_file() else read_folder(path, most_files)
        elif not path.exists():
            raise DataError(f"there is no folder or manifest {path}; check the path given")
        elif path.suffix.lower() in (*_READABLE, *_UNREADABLE):
            raise DataError(f"{path} is a single audio file, a dataset needs many; {LAYOUT}")
        elif path.suffix.lower() in _ARCHIVES:
            raise DataError(f"{path} is an archive; unpack it and pass the folder")
        else:
            clips = read_manifest(path)
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); check its name and permissions"
        ) from error
    dataset = Dataset(tuple(clips))
    _check_names(dataset)
    _check_classes(dataset, path)
    return dataset


def hash_clips(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
    """Return the SHA-256 of each file's bytes, in hexadecimal, by the clip's path; `UNREAD` for one that can't be read.

    `progress` is called with the number of clips done and of all clips.
    """
    hashes: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        contents = pool.map(_content_hash, (clip.file for clip in dataset.clips))
        for clip, content in zip(dataset.clips, contents, strict=True):
            hashes[clip.path] = content
            if progress:
                progress(len(hashes), len(dataset.clips))
    return hashes


def _content_hash(file: Path) -> str:
    try:
        with open_regular(file) as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return UNREAD


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


def _is_printable(text: str) -> bool:
    """Return whether `text` fits in one line of a UTF-8 table, as names do in predictions and reports."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def _check_names(dataset: Dataset) -> None:
    """Refuse names that no line can hold, and two that differ only in how accents are encoded."""
    for clip in dataset.clips:
        for what, text in (("path", clip.path), ("label", clip.label), ("group", clip.group or "")):
            if not _is_printable(text):
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


def read_folder(folder: Path, most_files: int | None = None) -> list[Clip]:
    """Return the clips of a folder whose sub-folders are the classes, at least one.

    `most_files` as in `read_dataset`.

    Raises
    ------
    DataError
        If there is no audio, or some of it is outside the sub-folders or in a format that cannot be decoded.
    OSError
        If a folder cannot be read.
    """
    files = list(islice(_files(folder, ()), None if most_files is None else most_files + 1))
    if most_files is not None and len(files) > most_files:
        raise DataError(f"{folder} has more than {most_files:,} files; give a folder with the clips alone")
    audio = [file for file in files if file.suffix.lower() in _READABLE]
    unreadable = [file for file in files if file.suffix.lower() in _UNREADABLE]
    unlabelled = [file for file in audio if file.parent == folder]
    if unreadable:
        raise DataError(
            f"{_first(unreadable)} in {folder}: {unreadable[0].suffix} files cannot be decoded; "
            "convert them to WAV or FLAC, or move them out of the dataset"
        )
    if not audio:
        raise DataError(f"{folder} contains no audio (wav, flac, mp3, ogg, au, …); {LAYOUT}")
    if len(unlabelled) == len(audio):
        raise DataError(f"{folder} contains audio but no sub-folders, so its clips have no labels; {LAYOUT}")
    if unlabelled:
        raise DataError(
            f"{_first(unlabelled)} in {folder} outside the sub-folders, so without a label; "
            "move such clips into the sub-folder of their class, or out of the dataset"
        )
    paths = [unicodedata.normalize("NFC", file.relative_to(folder).as_posix()) for file in audio]
    return [Clip(path, file, label=path.split("/")[0]) for path, file in zip(paths, audio, strict=True)]


def audio_files(folder: Path) -> tuple[Path, ...]:
    """Return the files below a folder whose names are those of audio, whether or not it can be decoded.

    Raises
    ------
    OSError
        If a folder cannot be read.
    """
    return tuple(file for file in _files(folder, ()) if file.suffix.lower() in (*_READABLE, *_UNREADABLE))


def _files(folder: Path, above: Sequence[Path]) -> Iterator[Path]:
    """Yield every file below `folder`, also through symbolic links, but never in circles."""
    here = folder.resolve()
    if here in above:
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir():
            yield from _files(entry, (*above, here))
        else:
            yield entry


def _first(files: Sequence[Path]) -> str:
    return f"{files[0].name!r} " + (f"and {len(files) - 1} more are" if len(files) > 1 else "is")


def read_manifest(manifest: Path) -> list[Clip]:
    """Return the clips that a manifest lists, in its order: at least one, no path twice.

    Raises
    ------
    DataError
        If it isn't such a manifest, or lists a file that is missing.
    OSError
        If it, or a folder in it, cannot be read.
    """
    clips: list[Clip] = []
    first_seen: dict[str, int] = {}
    missing: list[str] = []
    for line, row in _rows(manifest):
        where = f"{manifest}, line {line}"
        clip = _clip_of_row(row, manifest.parent, where)
        if clip.path in first_seen:
            raise DataError(f"{where}: {clip.path} is already in line {first_seen[clip.path]}; remove one of them")
        first_seen[clip.path] = line
        clips.append(clip)
        if not clip.file.is_file():
            missing.append(f"{clip.path} (line {line})")
    if missing:
        raise DataError(
            f"{len(missing)} of the {len(clips)} files listed in {manifest} are missing, the first is {missing[0]}; "
            f"paths are relative to the manifest's folder, {manifest.parent}"
        )
    if not clips:
        raise DataError(f"{manifest} lists no clips; add a line for each below the header")
    return clips


def _rows(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the fields of each line below the header that is not blank, and the number of the line they begin in."""
    try:
        text = text_of(read_regular(manifest))
    except ValueError as error:
        raise DataError(f"{manifest}, {error}, so not a CSV manifest; save it as CSV in UTF-8") from error
    if not text.strip():
        raise DataError(f"{manifest} is empty; a manifest begins with the header path,label")
    header: list[str] = []
    try:
        for line, fields in rows_of(text, delimiter_of(text)):
            if not header:
                header = _header(fields, manifest)
            elif len(fields) > len(header):
                raise DataError(
                    f"{manifest}, line {line}: {len(fields)} fields, but the header has {len(header)}; "
                    "put a field that contains a comma into double quotes"
                )
            else:
                yield line, dict(zip(header, fields, strict=False))
    except ValueError as error:
        raise DataError(f"{manifest}, {error}; check its quotes") from error


def _header(fields: list[str], manifest: Path) -> list[str]:
    header = [field.strip().lower() for field in fields]
    lacking = [column for column in ("path", "label") if column not in header]
    if lacking:  # what the file says is not shown, since it may be another one, such as a key
        raise DataError(
            f"{manifest} has no {' or '.join(map(repr, lacking))} column in its first line; "
            "a manifest begins with the header path,label and optionally group,split,fold"
        )
    twice = [column for column in COLUMNS if header.count(column) > 1]
    if twice:
        raise DataError(f"{manifest} has the column {twice[0]} more than once; remove one of them")
    return header


def _clip_of_row(row: Mapping[str, str], folder: Path, where: str) -> Clip:
    fields = {column: row.get(column, "").strip() for column in COLUMNS}
    for column, text in fields.items():
        if not _is_printable(text):
            raise DataError(
                f"{where}: the {column} {text[:40]!a} contains a line break or a control character; "
                "close its quotes, or rename it"
            )
    for column in ("path", "label"):
        if not fields[column]:
            raise DataError(f"{where}: the {column} is empty; fill it in or remove the line")
    file = _file(row["path"], folder)
    if file.suffix.lower() in _UNREADABLE:
        raise DataError(f"{where}: {file.suffix} files cannot be decoded; convert {file.name} to WAV or FLAC")
    split, fold = fields["split"], fields["fold"]
    if split and split.lower() not in SPLIT_WORDS:
        raise DataError(f"{where}: the split must be train, validation or test, got {split!r}")
    if fold and not re.fullmatch(r"0*[1-9][0-9]{0,8}", fold):
        raise DataError(f"{where}: the fold must be a whole number of at least 1, got {fold!r}")
    return Clip(
        path=unicodedata.normalize("NFC", os.path.relpath(file, folder).replace(os.sep, "/")),
        file=file,
        label=unicodedata.normalize("NFC", fields["label"]),
        group=unicodedata.normalize("NFC", fields["group"]) or None,
        split=SPLIT_WORDS[split.lower()] if split else None,
        fold=int(fold) if fold else None,
    )


def _file(written: str, folder: Path) -> Path:
    """Return the file of a path: as written, else as another system would write it."""
    path = written.strip()
    composed, decomposed = unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)
    spellings = (path, written, composed, decomposed, path.replace("\\", "/"))
    files = [folder / spelling for spelling in spellings]
    return next((file for file in files if file.is_file()), files[-1])
