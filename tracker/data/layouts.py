"""The layouts of published data sets: how each is recognised, and where it keeps labels, groups, splits and folds.

A layout is recognised by the names of its files, wherever in it the folder is that was given. `LAYOUTS` lists them; to
add one, add an entry there. Each reads a listing into a dataset, or returns None for a folder that isn't its own.

References
----------
GTZAN: doi:10.1109/TSA.2002.800560; ESC-50: doi:10.1145/2733373.2806390; UrbanSound8K: doi:10.1145/2647868.2655045;
FMA: arXiv:1612.01840; Speech Commands: arXiv:1804.03209; RAVDESS: doi:10.1371/journal.pone.0196391;
CREMA-D: doi:10.1109/TAFFC.2014.2336244; EmoDB: doi:10.21437/Interspeech.2005-446.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tracker.contained_files import open_regular
from tracker.data.dataset import NOISE, Clip, Dataset, Listing, clips_by_folder, notes_on_folders
from tracker.data.manifest import folds_from_1, parts_of, rows_of_table
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_MOST = 0.9  # fraction of the files whose names must be a layout's
_FIRST = 10  # files, of which one must have such a name before all are looked at


class Layout(Protocol):
    """One data set's way to lay out its files."""

    @property
    def name(self) -> str:
        """What the data set is called."""

    def read(self, listing: Listing) -> Dataset | None:
        """Return the dataset; None if the files aren't laid out so."""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Audio beside a table of all clips."""

    name: str
    clip: re.Pattern[str]  # of a file's name
    table: str  # from the folder of the whole data set
    columns: Mapping[str, str]  # of the table
    group_is: str
    audio: str = "audio"  # the folder of the audio

    def read(self, listing: Listing) -> Dataset | None:
        """Return the dataset; None if the files aren't laid out so."""
        if not _names_match(listing, self.clip):
            return None
        folder = listing.folder.absolute()
        bases = (folder, folder.parent, folder.parent.parent)
        tables = [base / name for base in bases for name in (self.table, Path(self.table).name)]
        table = next((table for table in tables if table.is_file()), None)
        if table is None:
            raise DataError(
                f"{listing.folder} holds clips of {self.name}, in folders that are not classes: the labels are in "
                f"{self.table}, which is not there; add that file of the data set"
            )
        return self.read_table(table, listing)

    def read_table(self, table: Path, listing: Listing) -> Dataset:
        """Return the listed clips that a table describes."""
        by_name = {file.name.lower(): file for file in listing.audio}
        roots = (parent / self.audio for parent in table.parents[:2])
        root = next((root for root in roots if root.is_dir()), listing.folder.absolute())
        clips: dict[str, Clip] = {}
        folds: dict[str, str] = {}
        absent = 0
        for _, row in rows_of_table(table, self.columns, self.columns):
            file = by_name.pop(row["path"].strip().lower(), None)
            if file is None:
                absent += 1
                continue
            inside = file.absolute().is_relative_to(root)
            path = _composed(file.absolute().relative_to(root).as_posix()) if inside else listing.path_of(file)
            clips[path] = Clip(path, file, _composed(row["label"]), group=_composed(row["group"]) or None)
            folds[path] = row["fold"]
        if not clips:
            raise DataError(
                f"none of the {absent:,} files that {table} lists is in {listing.folder}, whose first is "
                f"{listing.paths[0]}; check that the table belongs to this data"
            )
        numbered = folds_from_1(folds)
        found = (replace(clip, fold=numbered.get(path)) for path, clip in clips.items())
        notes = [f"there is no file for {absent:,} of the clips in {table.name}"] if absent else []
        if left_out := len(listing.audio) - len(clips):
            which = f"left out {left_out:,} of {len(listing.audio):,} audio files"
            notes.append(f"{which}, without a line of their own in {table.name}")
        return Dataset(tuple(found), self.name, self.group_is, tuple(notes), listing.folder)


@dataclass(frozen=True, slots=True)
class NameLayout:
    """Clips whose names say it all: ``label`` and ``group`` in a pattern.

    Folders that divide the clips otherwise, so that one holds several groups and not one label, are the classes.
    """

    name: str
    clip: re.Pattern[str]  # of a file's name without its ending
    group_is: str
    labels: Mapping[str, str] = field(default_factory=dict)  # by what the name has; itself if empty

    def read(self, listing: Listing) -> Dataset | None:
        """Return the dataset; None if the files aren't laid out so."""
        if not any(self.clip.fullmatch(file.stem) for file in listing.audio[:_FIRST]):
            return None
        found = ((file, self.clip.fullmatch(file.stem)) for file in listing.audio)
        matches = [(file, match) for file, match in found if match and self._label(match)]
        if len(matches) < _MOST * len(listing.audio):
            return None
        clips = [self._clip(listing, file, match) for file, match in matches]
        of_folder: dict[Path, list[Clip]] = defaultdict(list)
        for clip in clips:
            of_folder[clip.file.parent].append(clip)
        are_copies = len({frozenset(clip.file.name for clip in inside) for inside in of_folder.values()}) == 1
        if are_copies or all(
            len({clip.group for clip in inside}) == 1 or len({clip.label for clip in inside}) == 1
            for inside in of_folder.values()
        ):
            notes: list[str] = []
            if others := sorted({*listing.audio} - {file for file, _ in matches}):
                notes.append(
                    f"left out {len(others):,} of {len(listing.audio):,} audio files, whose names are not those of "
                    f"{self.name}, such as {listing.path_of(others[0])}"
                )
            if are_copies and len(of_folder) > 1:
                one, other, *_ = sorted(inside[0].path for inside in of_folder.values())
                notes.append(
                    f"files have the same names in {len(of_folder):,} folders, such as {one} and {other}, and are read "
                    f"as copies, with the classes of {self.name}; if the folders are the classes, give --columns "
                    "label=folder:1"
                )
            return Dataset(tuple(clips), self.name, self.group_is, tuple(notes))
        groups = {clip.path: clip.group for clip in clips}
        labelled = (replace(clip, group=groups.get(clip.path)) for clip in clips_by_folder(listing))
        return Dataset(tuple(labelled), group_is=self.group_is, notes=notes_on_folders(listing))

    def _clip(self, listing: Listing, file: Path, match: re.Match[str]) -> Clip:
        return Clip(listing.path_of(file), file, self._label(match) or "", group=match["group"])

    def _label(self, match: re.Match[str]) -> str | None:
        label: str = match["label"]
        return self.labels.get(label) if self.labels else label


@dataclass(frozen=True, slots=True)
class SpeechCommandsLayout:
    """Folders of words, whose files begin with the speaker, and lists of those to validate and to test on."""

    name: str = "Speech Commands"
    clip: re.Pattern[str] = re.compile(r"([0-9A-Za-z]+)_nohash_\d+\.\w+")

    def read(self, listing: Listing) -> Dataset | None:
        """Return the dataset; None if the files aren't laid out so."""
        words = Listing(
            listing.folder,
            tuple(file for file, steps in zip(listing.audio, listing.steps, strict=True) if steps[0] != NOISE),
        )
        if not words.audio or not _names_match(words, self.clip):
            return None
        lists = {"validation_list.txt": "validation", "testing_list.txt": "test"}
        held_out = {
            _without_ending(path): part
            for name, part in lists.items()
            if (listing.folder / name).is_file()
            for path in _lines(listing.folder / name)
        }
        parts = parts_of({*lists.values(), "train"}) if held_out else {}
        clips = tuple(
            replace(
                clip,
                group=self._speaker(clip.file),
                split=parts.get(held_out.get(_without_ending(clip.path), "train")),
            )
            for clip in clips_by_folder(words)
        )
        notes = notes_on_folders(words)
        if absent := len(held_out.keys() - {_without_ending(clip.path) for clip in clips}):
            notes += (f"there is no file for {absent:,} of the {len(held_out):,} clips in {' and '.join(lists)}",)
        return Dataset(clips, self.name, "speaker", notes)

    def _speaker(self, file: Path) -> str | None:
        match = self.clip.fullmatch(file.name)
        return match[1] if match else None


@dataclass(frozen=True, slots=True)
class FmaLayout:
    """Numbered folders of tracks, and a table with three lines of headers."""

    name: str = "FMA"
    clip: re.Pattern[str] = re.compile(r"\d{6}\.\w+")

    def read(self, listing: Listing) -> Dataset | None:
        """Return the dataset; None if the files aren't laid out so."""
        if not _names_match(listing, self.clip) or not all(file.parent.name.isdecimal() for file in listing.audio):
            return None
        folder = listing.folder.absolute()
        places = [base / name for base in (folder, folder.parent) for name in ("fma_metadata/tracks.csv", "tracks.csv")]
        table = next((place for place in places if place.is_file()), None)
        if table is None:
            raise DataError(
                f"{listing.folder} holds numbered folders of tracks, as FMA does, which are not classes; the genres "
                "are in tracks.csv of fma_metadata.zip: unpack that beside it, or list the clips in a manifest "
                "(path,label)"
            )
        rows = {row["id"]: row for row in self._rows(table)}
        clips = [
            Clip(listing.path_of(file), file, _composed(row["label"]), _composed(row["group"]) or None,
                 parts_of({row["split"]}).get(row["split"]))
            for file in listing.audio
            if file.stem.isdecimal() and (row := rows.get(str(int(file.stem)))) and row["label"]
        ]  # fmt: skip
        without = len(listing.audio) - len(clips)
        notes = [f"left out {without:,} of {len(listing.audio):,} tracks, without a top genre in {table.name}"]
        return Dataset(tuple(clips), self.name, "artist", tuple(notes) if without else (), listing.folder)

    @staticmethod
    def _rows(table: Path) -> Iterator[dict[str, str]]:
        """Yield the id, genre, artist and part of each track."""
        with open_regular(table) as opened:
            reader = csv.reader(line.decode("utf-8-sig", "replace") for line in opened)
            try:
                above, below, _ = islice(reader, 3)
                columns = [*zip(above, below, strict=False)]
                wanted = {"label": ("track", "genre_top"), "group": ("artist", "id"), "split": ("set", "split")}
                places = {name: columns.index(column) for name, column in wanted.items()}
                for row in reader:
                    yield {"id": row[0], **{name: row[place].strip() for name, place in places.items()}}
            except (ValueError, IndexError, csv.Error) as error:
                raise DataError(
                    f"{table} is not FMA's table of tracks, whose three header lines have track/genre_top, artist/id "
                    "and set/split: download fma_metadata.zip again"
                ) from error


@dataclass(frozen=True, slots=True)
class GtzanLayout:
    """Folders of genres; on Kaggle beside pictures of them, which have no sound."""

    name: str = "GTZAN"
    clip: re.Pattern[str] = re.compile(r"[a-z]+\.\d{5}\.\w+")

    def read(self, listing: Listing) -> Dataset | None:
        """Return the dataset; None if the files aren't laid out so."""
        if not _names_match(listing, self.clip):
            return None
        named = [file for file in listing.audio if self.clip.fullmatch(file.name)]
        if any(not file.name.startswith(f"{file.parent.name}.") for file in named):
            return None
        folders = sorted({file.parent.parent for file in named})
        if len(folders) > 1:
            places = ", ".join(map(str, folders[:3]))
            raise DataError(f"{listing.folder} holds the genres of {self.name} in several places, {places}; give one")
        (genres,) = folders
        others = [file for file in listing.audio if file.parent.parent != genres]
        inside = Listing(genres, tuple(file for file in listing.audio if file.parent.parent == genres))
        clips = clips_by_folder(inside)
        notes = notes_on_folders(inside)
        if others:
            which = f"left out {len(others):,} of {len(listing.audio):,} audio files"
            notes += (f"{which}, in no folder of a genre, such as {listing.path_of(others[0])}",)
        return Dataset(tuple(clips), self.name, notes=notes)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


LAYOUTS: tuple[Layout, ...] = (
    TableLayout(
        "ESC-50", _pattern(r"[1-5]-\d+-[A-Z]-\d+\.\w+"), "meta/esc50.csv",
        {"path": "filename", "label": "category", "group": "src_file", "fold": "fold"}, "recording",
    ),
    TableLayout(
        "UrbanSound8K", _pattern(r"\d+-\d-\d+-\d+\.\w+"), "metadata/UrbanSound8K.csv",
        {"path": "slice_file_name", "label": "class", "group": "fsID", "fold": "fold"}, "recording",
    ),
    FmaLayout(),
    SpeechCommandsLayout(),
    GtzanLayout(),
    NameLayout(
        "RAVDESS", _pattern(r"\d\d-\d\d-(?P<label>\d\d)-\d\d-\d\d-\d\d-(?P<group>\d\d)"), "actor",
        {"01": "neutral", "02": "calm", "03": "happy", "04": "sad", "05": "angry", "06": "fearful", "07": "disgust",
         "08": "surprised"},
    ),
    NameLayout(
        "CREMA-D", re.compile(r"(?P<group>\d{4})_[A-Z]{3}_(?P<label>[A-Z]{3})_[A-Z]{1,2}"), "actor",
        {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"},
    ),
    NameLayout(
        "EmoDB", re.compile(r"(?P<group>\d\d)[ab]\d\d(?P<label>[A-Z])[a-z]"), "speaker",
        {"W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness", "N": "neutral"},
    ),
    NameLayout("FSDD", re.compile(r"(?P<label>\d)_(?P<group>[A-Za-z]+)_\d+"), "speaker"),
    NameLayout("AudioMNIST", re.compile(r"(?P<label>\d)_(?P<group>\d\d)_\d+"), "speaker"),
)  # fmt: skip


def read_layout(listing: Listing) -> Dataset | None:
    """Return the dataset of a folder that is laid out as a published one; None if it isn't.

    Raises
    ------
    DataError
        If it is, but without the table of its labels.
    """
    return next((dataset for layout in LAYOUTS if (dataset := layout.read(listing))), None)


def table_layout(table: Path) -> tuple[TableLayout, Path] | None:
    """Return the layout whose table is of that name, and the folder of its audio; None if there is none."""
    for layout in LAYOUTS:
        if isinstance(layout, TableLayout) and Path(layout.table).name == table.name:
            base = table.absolute().parents[len(Path(layout.table).parts) - 1]
            return (layout, base / layout.audio) if (base / layout.audio).is_dir() else None
    return None


def _names_match(listing: Listing, pattern: re.Pattern[str]) -> bool:
    """Return whether nearly all files have names of a layout."""
    return sum(bool(pattern.fullmatch(file.name)) for file in listing.audio) >= _MOST * len(listing.audio)


def _lines(file: Path) -> Iterable[str]:
    with open_regular(file) as opened:
        return [_composed(line.decode("utf-8", "replace")) for line in opened if line.strip()]


def _without_ending(path: str) -> str:
    return path.rpartition(".")[0] or path


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())
