"""A CSV manifest to clips.

The columns are ``path,label`` and optionally ``group,split,fold``, in any order; others are passed over. Paths are
relative to the manifest. The file is UTF-8, with or without a byte-order mark; fields may be quoted and padded with
spaces, and lines that are blank are passed over. Lines are counted from 1, the header being the first.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from typing import TYPE_CHECKING

from tracker.data.clip import Clip, Part, is_printable, is_unreadable_audio
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COLUMNS = ("path", "label", "group", "split", "fold")

SPLIT_WORDS: Mapping[str, Part] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}


def read_manifest(manifest: Path) -> list[Clip]:
    """Read the clips that a manifest names.

    Parameters
    ----------
    manifest : Path

    Returns
    -------
    list of Clip
        In the manifest's order; at least one, no path twice.

    Raises
    ------
    DataError
        If it is not such a manifest, or names a file that is missing.
    OSError
        If it, or a folder that it names, cannot be read.
    """
    clips: list[Clip] = []
    first_seen: dict[str, int] = {}
    missing: list[str] = []
    for line, row in _rows(manifest):
        where = f"{manifest}, line {line}"
        clip = _clip(row, manifest.parent, where)
        if clip.path in first_seen:
            raise DataError(f"{where}: {clip.path} stands in line {first_seen[clip.path]} already; remove one of them")
        first_seen[clip.path] = line
        clips.append(clip)
        if not clip.file.is_file():
            missing.append(f"{clip.path} (line {line})")
    _refuse_missing(missing, manifest, len(clips))
    if not clips:
        raise DataError(f"{manifest} names no clips; write a line for each below the header")
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
                f"{manifest}, line {line}: {len(fields)} fields where the header names {len(header)}; "
                "put a field that holds a comma into double quotes"
            )
        yield line, dict(zip(header, fields, strict=False))


def _lines(manifest: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each line that is not blank, and the number of the line that they begin in."""
    text = _text(manifest)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), skipinitialspace=True)
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
            f"{manifest} is not UTF-8 text (byte {error.start}), so no CSV manifest; save it as CSV in UTF-8"
        ) from error
    if not text.strip():
        raise DataError(f"{manifest} is empty; a manifest begins with the header path,label")
    return text


def _delimiter(text: str) -> str:
    """Return what separates the header's fields: spreadsheets of some countries write semicolons for commas."""
    return max(",;\t", key=text.lstrip().splitlines()[0].count)


def _header(fields: list[str], manifest: Path) -> list[str]:
    header = [field.strip().lower() for field in fields]
    lacking = [column for column in ("path", "label") if column not in header]
    if lacking:
        first_line = ",".join(fields)[:80]
        raise DataError(
            f"{manifest} has no column {' and no column '.join(lacking)}, its first line being {first_line!r}; "
            "a manifest begins with the header path,label and optionally group,split,fold"
        )
    twice = [column for column in COLUMNS if header.count(column) > 1]
    if twice:
        raise DataError(f"{manifest} has the column {twice[0]} more than once; remove one of them")
    return header


def _clip(row: Mapping[str, str], folder: Path, where: str) -> Clip:
    fields = {column: row.get(column, "").strip() for column in COLUMNS}
    for column in COLUMNS:
        if not is_printable(fields[column]):
            raise DataError(
                f"{where}: the {column} {fields[column][:40]!a} holds a line break or a control character; "
                "close its quotes, or rename it"
            )
    for column in ("path", "label"):
        if not fields[column]:
            raise DataError(f"{where}: the {column} is empty; fill it in or remove the line")
    file = _file(row["path"], folder)
    if is_unreadable_audio(file):
        raise DataError(f"{where}: {file.suffix} files cannot be decoded; convert {file.name} to WAV or FLAC")
    return Clip(
        path=unicodedata.normalize("NFC", _relative(file, folder)),
        file=file,
        label=unicodedata.normalize("NFC", fields["label"]),
        group=unicodedata.normalize("NFC", fields["group"]) or None,
        split=_part(fields["split"], where),
        fold=_fold(fields["fold"], where),
    )


def _file(written: str, folder: Path) -> Path:
    """Return the file meant: as written, else as another system would have written it."""
    path = written.strip()
    spellings = (
        path,
        written,
        *(unicodedata.normalize(form, path) for form in ("NFC", "NFD")),
        path.replace("\\", "/"),
    )
    files = [folder / spelling for spelling in spellings]
    return next((file for file in files if file.is_file()), files[-1])


def _relative(file: Path, folder: Path) -> str:
    return os.path.relpath(file, folder).replace(os.sep, "/")


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
        raise DataError(f"{where}: the fold must be a whole number from 1 on, got {word!r}")
    return int(word)


def _refuse_missing(missing: list[str], manifest: Path, clips: int) -> None:
    if missing:
        raise DataError(
            f"{len(missing)} of the {clips} files that {manifest} names are missing, the first of them {missing[0]}; "
            f"paths are relative to the manifest's folder, {manifest.parent}"
        )
