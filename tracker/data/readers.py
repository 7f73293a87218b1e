"""The clips of a dataset, and its two layouts: a folder with a sub-folder per class, as GTZAN has, and a CSV manifest.

`Clip.path` is relative to the dataset, POSIX and in Unicode's composed form (NFC), so that it is the same on every
machine; `Clip.file` is where the bytes are. Audio is recognised by the usual endings of the formats of libsndfile 1.2
(``soundfile.available_formats()``); other files (covers, notes, lists) are not clips.

In a folder, a clip's label is the name of the sub-folder below the dataset that it is in, however deep. Hidden files,
what archivers leave behind and everything that isn't audio are skipped.

A manifest has the columns ``path,label`` and optionally ``group,split,fold``, in any order; others are ignored. Paths
are relative to the manifest. The file is UTF-8, with or without a byte-order mark; fields may be quoted and padded with
spaces, and blank lines are skipped. Lines are counted from 1, the header being the first.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Part = Literal["train", "validation", "test"]

# Unicode's categories of control characters, undecodable bytes and line separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file and what is known about it.

    Its path is its identity. A split keeps the clips of a group (artist, album, recording or speaker) together; a
    manifest may assign it to a part and, counted from 1, to the fold that holds it out.
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


def is_printable(text: str) -> bool:
    """Return whether `text` fits in one line of a UTF-8 table, as names do in predictions and reports."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


# Audio that libsndfile decodes, and audio that it cannot: silently skipped, that would be missing from the dataset.
_READABLE = ".aif .aifc .aiff .au .caf .flac .mp3 .oga .ogg .opus .rf64 .snd .sph .w64 .wav .wave"
_UNREADABLE = ".aac .alac .ape .m4a .mka .mp4 .ra .webm .wma .wv"


def is_audio(file: Path) -> bool:
    """Return whether `file` has the ending of audio that can be decoded."""
    return file.suffix.lower() in _READABLE.split()


def is_unreadable_audio(file: Path) -> bool:
    """Return whether `file` has the ending of audio that cannot be decoded."""
    return file.suffix.lower() in _UNREADABLE.split()


LAYOUT = "put the clips into one sub-folder per class, or list them in a CSV manifest (path,label)"

COLUMNS = ("path", "label", "group", "split", "fold")

SPLIT_WORDS: Mapping[str, Part] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}


def read_folder(folder: Path) -> list[Clip]:
    """Return the clips of a folder whose sub-folders are the classes, at least one.

    Raises
    ------
    DataError
        If there is no audio, or some of it is outside the sub-folders or in a format that cannot be decoded.
    OSError
        If a folder cannot be read.
    """
    files = list(_files(folder, ()))
    audio = [file for file in files if is_audio(file)]
    unreadable = [file for file in files if is_unreadable_audio(file)]
    if unreadable:
        raise DataError(
            f"{_first(unreadable)} in {folder}: {unreadable[0].suffix} files cannot be decoded; "
            "convert them to WAV or FLAC, or move them out of the dataset"
        )
    if not audio:
        raise DataError(f"{folder} contains no audio (wav, flac, mp3, ogg, au, …); {LAYOUT}")
    _refuse_unlabelled([file for file in audio if file.parent == folder], len(audio))
    paths = [unicodedata.normalize("NFC", file.relative_to(folder).as_posix()) for file in audio]
    return [Clip(path, file, label=path.split("/")[0]) for path, file in zip(paths, audio, strict=True)]


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


def _refuse_unlabelled(files: Sequence[Path], clips: int) -> None:
    if len(files) == clips:
        raise DataError(f"{files[0].parent} contains audio but no sub-folders, so its clips have no labels; {LAYOUT}")
    if files:
        raise DataError(
            f"{_first(files)} in {files[0].parent} outside the sub-folders, so without a label; "
            "move such clips into the sub-folder of their class, or out of the dataset"
        )


def _first(files: Sequence[Path]) -> str:
    more = f" and {len(files) - 1} more are" if len(files) > 1 else " is"
    return f"{files[0].name!r}{more}"


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
    """Yield the number and the fields of each line that is not blank."""
    header: list[str] | None = None
    for line, fields in _lines(manifest):
        if header is None:
            header = _header(fields, manifest)
            continue
        if len(fields) > len(header):
            raise DataError(
                f"{manifest}, line {line}: {len(fields)} fields, but the header has {len(header)}; "
                "put a field that contains a comma into double quotes"
            )
        yield line, dict(zip(header, fields, strict=False))


def _lines(manifest: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each line that is not blank, and the number of the line that they begin in."""
    text = _text(manifest)
    # In some countries, spreadsheets write semicolons.
    delimiter = max(",;\t", key=text.lstrip().splitlines()[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    begins = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{manifest}, line {begins}: not CSV ({error}); check its quotes") from error


def _text(manifest: Path) -> str:
    try:
        text = manifest.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{manifest} is not UTF-8 text (byte {error.start}), so not a CSV manifest; save it as CSV in UTF-8"
        ) from error
    if not text.strip():
        raise DataError(f"{manifest} is empty; a manifest begins with the header path,label")
    return text


def _header(fields: list[str], manifest: Path) -> list[str]:
    header = [field.strip().lower() for field in fields]
    lacking = [column for column in ("path", "label") if column not in header]
    if lacking:
        first_line = ",".join(fields)[:80]
        raise DataError(
            f"{manifest} has no {' or '.join(map(repr, lacking))} column (first line: {first_line!r}); "
            "a manifest begins with the header path,label and optionally group,split,fold"
        )
    twice = [column for column in COLUMNS if header.count(column) > 1]
    if twice:
        raise DataError(f"{manifest} has the column {twice[0]} more than once; remove one of them")
    return header


def _clip_of_row(row: Mapping[str, str], folder: Path, where: str) -> Clip:
    fields = {column: row.get(column, "").strip() for column in COLUMNS}
    for column in COLUMNS:
        if not is_printable(fields[column]):
            raise DataError(
                f"{where}: the {column} {fields[column][:40]!a} contains a line break or a control character; "
                "close its quotes, or rename it"
            )
    for column in ("path", "label"):
        if not fields[column]:
            raise DataError(f"{where}: the {column} is empty; fill it in or remove the line")
    file = _file(row["path"], folder)
    if is_unreadable_audio(file):
        raise DataError(f"{where}: {file.suffix} files cannot be decoded; convert {file.name} to WAV or FLAC")
    return Clip(
        path=unicodedata.normalize("NFC", os.path.relpath(file, folder).replace(os.sep, "/")),
        file=file,
        label=unicodedata.normalize("NFC", fields["label"]),
        group=unicodedata.normalize("NFC", fields["group"]) or None,
        split=_part(fields["split"], where),
        fold=_fold(fields["fold"], where),
    )


def _file(written: str, folder: Path) -> Path:
    """Return the file of a path: as written, else as another system would write it."""
    path = written.strip()
    composed, decomposed = unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)
    spellings = (path, written, composed, decomposed, path.replace("\\", "/"))
    files = [folder / spelling for spelling in spellings]
    return next((file for file in files if file.is_file()), files[-1])


def _part(word: str, where: str) -> Part | None:
    if not word:
        return None
    if word.lower() not in SPLIT_WORDS:
        raise DataError(f"{where}: the split must be train, validation or test, got {word!r}")
    return SPLIT_WORDS[word.lower()]


def _fold(word: str, where: str) -> int | None:
    if not word:
        return None
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", word):
        raise DataError(f"{where}: the fold must be a whole number of at least 1, got {word!r}")
    return int(word)
