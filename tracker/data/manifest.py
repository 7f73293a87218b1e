"""A manifest: a CSV file that lists clips.

It has the columns ``path,label`` and optionally ``group,split,fold``, in any order; others are ignored. Paths are
relative to the manifest. The file is UTF-8, with or without a byte-order mark; fields may be quoted and padded with
spaces, and blank lines are skipped. Lines are counted from 1, the header being the first. Every line is read, or
refused by its number.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING

from tracker.contained_files import read_regular
from tracker.data.dataset import Clip, is_printable, list_folder
from tracker.delimited import delimiter_of, header_of, rows_quoted_or_not, text_of
from tracker.errors import DataError
from tracker.printable import printable
from tracker.runs import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from tracker.data.dataset import Part

MANIFEST = "manifest.csv"  # in a folder, used instead of the sub-folder names; it can also name the artists

_EVALUATION = frozenset({"eval", "evaluation"})
SPLIT_WORDS: Mapping[str, Part] = {
    "train": "train", "training": "train", "trn": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "development": "validation", "devel": "validation",
    "test": "test", "testing": "test", "tst": "test", **dict.fromkeys(_EVALUATION, "test"),
}  # fmt: skip
_USUAL = {  # what a column is, and what others than we call it, without case, spaces and underscores
    "group": (
        "the artist, speaker or recording",
        ("artist", "artistid", "artistname", "speaker", "speakerid", "clientid", "singer", "actor", "album",
         "performer", "recording", "recordingid", "srcfile", "fsid", "freesoundid", "subject", "subjectid",
         "patient", "patientid"),
    ),
    "split": ("the part", ("subset", "set", "partition", "part", "datasplit", "usage")),
    "fold": ("the fold", ("folds", "cvfold", "kfold", "foldid")),
}  # fmt: skip
_FOLD = re.compile(r"(?:fold[ _-]?)?0*([0-9]{1,9})(?:\.0*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a manifest, its path found."""

    file: Path
    fields: Mapping[str, str]


def read_manifest(
    manifest: Path,
    columns: Mapping[str, str] | None = None,
    audio_root: Path | None = None,
    *,
    any_names: bool = False,
) -> list[Clip]:
    """Return the clips that a manifest lists, in its order: at least one, no path twice.

    `columns` has what the manifest calls our columns, if not so. Paths are relative to `audio_root`, by default the
    manifest's own folder; a file may lie deeper in an `audio_root`, and its ending may be missing. Names that no table
    can hold are refused, unless `any_names` and the file is there.

    Raises
    ------
    DataError
        If it isn't such a manifest, or lists a file that is missing.
    OSError
        If it, or a folder in it, cannot be read.
    """
    rows: dict[str, _Row] = {}
    first_seen: dict[str, int] = {}
    missing: list[str] = []
    names = {name: name for name in COLUMNS} | dict(columns or {})
    files = _Files(audio_root or manifest.parent, is_deep=audio_root is not None)
    for line, fields in rows_of_table(manifest, names, {"path", "label", *(columns or ())}):
        where = f"{manifest}, line {line}"
        row = _row(fields, files, where, any_names=any_names)
        path = unicodedata.normalize("NFC", os.path.relpath(row.file, files.root).replace(os.sep, "/"))
        if path in first_seen:
            raise DataError(f"{where}: {path} is already in line {first_seen[path]}; remove one of them")
        first_seen[path] = line
        rows[path] = row
        if not row.file.is_file():
            missing.append(f"{path} (line {line})")
    if missing:
        raise DataError(
            f"{len(missing):,} of the {len(rows):,} files listed in {manifest} {'is' if len(missing) == 1 else 'are'} "
            f"missing, the first is {missing[0]}; {files.hint(next(p for p in rows if not rows[p].file.is_file()))}"
        )
    if not rows:
        raise DataError(f"{manifest} lists no clips; add a line for each below the header")
    parts = parts_of({row.fields["split"].lower() for row in rows.values()})
    folds = folds_from_1({path: row.fields["fold"] for path, row in rows.items()})
    return [
        Clip(
            path=path,
            file=row.file,
            label=unicodedata.normalize("NFC", row.fields["label"]),
            group=unicodedata.normalize("NFC", row.fields["group"]) or None,
            split=parts.get(row.fields["split"].lower()),
            fold=folds.get(path),
        )
        for path, row in rows.items()
    ]


def rows_of_table(
    table: Path, columns: Mapping[str, str], required: Collection[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the fields of each line below the header that is not blank, and the number of the line they begin in.

    `columns` has what the table calls each column, in any case; those `required` must be there, and others may be.
    Fields are by our own names of the columns, and empty where the table has none.
    """
    try:
        text = text_of(read_regular(table))
    except ValueError as error:
        raise DataError(f"{table}, {error}, so not a CSV manifest; save it as CSV in UTF-8") from error
    if not text.strip():
        raise DataError(f"{table} is empty; a manifest begins with the header path,label")
    places: dict[str, int] | None = None
    width = 0
    for line, fields in rows_quoted_or_not(text, delimiter_of(text)):
        if places is None:
            places, width = _places(fields, columns, required, table), len(fields)
        elif any(field.strip() for field in fields[width:]):
            raise DataError(
                f"{table}, line {line}: {len(fields)} fields, but the header has {width}; "
                "put a field that contains a comma into double quotes"
            )
        else:
            found = {name: fields[place] for name, place in places.items() if place < len(fields)}
            yield line, {name: found.get(name, "") for name in columns}


def _places(header: list[str], columns: Mapping[str, str], required: Collection[str], table: Path) -> dict[str, int]:
    """Return where each column stands."""
    names = [name.strip().lower() for name in header]
    lacking = [columns[column] for column in COLUMNS if column in required and columns[column].lower() not in names]
    if lacking:  # what the file says is not shown, since it may be another one, such as a key
        raise DataError(
            f"{table} has no {' or '.join(map(repr, lacking))} column in its first line; "
            "a manifest begins with the header path,label and optionally group,split,fold, or give its own names with "
            "--columns path=…,label=…"
        )
    twice = [name for name in columns.values() if names.count(name.lower()) > 1]
    if twice:
        raise DataError(f"{table} has the column {twice[0]} more than once; remove one of them")
    return {column: names.index(name.lower()) for column, name in columns.items() if name.lower() in names}


def _row(fields: Mapping[str, str], files: _Files, where: str, *, any_names: bool) -> _Row:
    """Return a line whose fields are as they must be."""
    texts = {column: text.strip() for column, text in fields.items()}
    file = files.find(fields["path"])
    for column, text in texts.items():
        if not is_printable(text) and not (any_names and (column != "path" or file.is_file())):
            raise DataError(
                f"{where}: the {column} '{printable(text, 40)}' contains a line break or a control character; "
                "close its quotes, or rename it"
            )
    for column in ("path", "label"):
        if not texts[column]:
            raise DataError(f"{where}: the {column} is empty; fill it in or remove the line")
    split, fold = texts["split"], texts["fold"]
    if split and split.lower() not in SPLIT_WORDS:
        raise DataError(
            f"{where}: the split must be train, validation or test, or a usual word for them such as dev or eval, got "
            f"{split!r}"
        )
    if fold and not _FOLD.fullmatch(fold):
        raise DataError(f"{where}: the fold must be a whole number, got {fold!r}")
    return _Row(file, texts)


def split_word(name: str) -> str | None:
    """Return the word for a part that a folder's name has, in lower case: ``train`` of ``audio_train``.

    None if it has none, or two.
    """
    words = [word for word in re.split(r"[\W_\d]+", name.lower()) if word in SPLIT_WORDS]
    return words[0] if len(words) == 1 else None


def notes_on_columns(manifest: Path, columns: Mapping[str, str], said: Collection[str] = ()) -> tuple[str, ...]:
    """Return a sentence for each column that looks like a group, split or fold of another name, which is not used.

    Those of ours that are `said` in another way are not looked for.
    """
    header = header_of(text_of(read_regular(manifest)))
    names = {re.sub(r"[\W_]+", "", name.lower()): name.strip() for name in header}
    used = {column: columns.get(column, column) for column in COLUMNS}
    known = {name.strip().lower() for name in header}
    return tuple(
        f"the column {found[0]} is not used; if it says {what} of each clip, add --columns {column}={found[0]}"
        for column, (what, usual) in _USUAL.items()
        if column not in said
        and used[column].lower() not in known
        and (found := [names[name] for name in usual if name in names and names[name] not in used.values()])
    )


def parts_of(words: Collection[str]) -> dict[str, Part]:
    """Return the part that each word means beside the others, in lower case; others are left out.

    An evaluation is the test, or the validation if there is a test beside it and no other validation.
    """
    parts = {word: SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    others = {part for word, part in parts.items() if word not in _EVALUATION}
    if "test" in others and "validation" not in others:
        parts |= dict.fromkeys(_EVALUATION & parts.keys(), "validation")
    return parts


def folds_from_1(folds: Mapping[str, str]) -> dict[str, int]:
    """Return the fold of each clip that has one, counted from 1, from what was written: ``1``, ``1.0`` or ``fold1``.

    If they are counted from 0, each is one more than written.
    """
    numbers = {path: int(found[1]) for path, text in folds.items() if (found := _FOLD.fullmatch(text.strip()))}
    shift = 1 if 0 in numbers.values() else 0
    return {path: number + shift for path, number in numbers.items()}


def _likest(file: Path, others: Sequence[Path]) -> Path | None:
    """Return the one whose path has most steps of a file's at its end; None if that is none, or several."""

    def shared(other: Path) -> int:
        pairs = zip(file.parent.parts[::-1], other.parent.parts[::-1], strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    steps = [shared(other) for other in others]
    return others[steps.index(max(steps))] if steps and steps.count(max(steps)) == 1 else None


class _Files:
    """The files that a manifest's paths mean."""

    def __init__(self, root: Path, *, is_deep: bool) -> None:
        self.root = root
        self._is_deep = is_deep  # whether a file may lie deeper than its path says

    def find(self, written: str) -> Path:
        """Return the file of a path: as written, else as another system or without its ending, or deeper."""
        path = written.strip()
        composed, decomposed = unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)
        spellings = (path, written, composed, decomposed, path.replace("\\", "/"))
        files = [self.root / spelling for spelling in spellings]
        found = next((file for file in files if file.is_file()), None)
        if found is None and self._is_deep:
            named = self._by_name.get(files[-1].name) or self._by_name.get(f"{files[-1].name}.") or []
            found = _likest(files[-1], named)
        return found or files[-1]

    def hint(self, path: str) -> str:
        """Return what may be wrong with a path that leads to no file."""
        file = self.root / path
        beside = sorted(file.parent.iterdir()) if file.parent.is_dir() else []
        stems = {file.stem.casefold(), file.name.casefold()}
        if near := [other for other in beside if other.is_file() and other.stem.casefold() in stems]:
            return f"beside it is {near[0].name}, and names must agree in case and ending"
        place = "" if self._is_deep else ", or give the folder that has the files, however deep, with --audio-root"
        return f"paths are relative to {self.root}{place}"

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """The audio files by their names, and by their names up to the ending."""
        found: dict[str, list[Path]] = defaultdict(list)
        for file in list_folder(self.root).audio:
            found[file.name].append(file)
            found[f"{file.stem}."].append(file)
        return found
