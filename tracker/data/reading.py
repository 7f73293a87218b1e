"""From a path to a dataset: a manifest, a published layout, or a folder with a sub-folder per class.

In a folder, as GTZAN has, a clip's label is the name of the sub-folder below the dataset that it is in, however deep.
Sub-folders that are parts of the data rather than classes are never trained on as classes: folds, shards, the parts of
a split. If they hold the classes in turn, the clips are read by these.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.data.dataset import (
    LAYOUT,
    NOISE,
    Clip,
    Dataset,
    Listing,
    clips_by_folder,
    is_audio,
    is_printable,
    list_folder,
    notes_on_folders,
)
from tracker.data.layouts import read_layout, table_layout
from tracker.data.manifest import MANIFEST, SPLIT_WORDS, folds_from_1, parts_of, read_manifest
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_ARCHIVES = (".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_NUMBERED = re.compile(r"(fold|split|part|shard|chunk|cv|partition|subset|batch)[ _-]?\d+(-of-\d+)?", re.IGNORECASE)
_TABLES = (".csv", ".tsv")
_FEW = 3


def read_dataset(path: Path, most_files: int | None = None) -> Dataset:
    """Read a dataset of at least two classes from a manifest, or a folder that has one or a sub-folder per class.

    A folder with more than `most_files` files is refused, if that is given.

    Raises
    ------
    DataError
        If there is no dataset at `path`, or it can't be trained on.
    """
    try:
        dataset = _read(path, most_files)
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); check its name and permissions"
        ) from error
    _check_names(dataset)
    _check_classes(dataset, path)
    return dataset


def _read(path: Path, most_files: int | None) -> Dataset:
    if path.is_dir():
        manifest = path / MANIFEST
        return Dataset(tuple(read_manifest(manifest))) if manifest.is_file() else _read_folder(path, most_files)
    if not path.exists():
        raise DataError(f"there is no folder or manifest {path}; check the path given")
    if is_audio(path):
        raise DataError(f"{path} is a single audio file, a dataset needs many; {LAYOUT}")
    if path.suffix.lower() in _ARCHIVES:
        raise DataError(f"{path} is an archive; unpack it and pass the folder")
    if published := table_layout(path):
        layout, audio = published
        return layout.read_table(path.absolute(), list_folder(audio, most_files))
    return Dataset(tuple(read_manifest(path)))


def _read_folder(folder: Path, most_files: int | None) -> Dataset:
    """Return the dataset of a folder without a manifest."""
    listing = list_folder(folder, most_files)
    if published := read_layout(listing):
        return published
    is_noise = [steps[0] == NOISE for steps in listing.steps]
    if any(is_noise) and not all(is_noise):
        words = [file for file, noise in zip(listing.audio, is_noise, strict=True) if not noise]
        listing = replace(listing, audio=tuple(words))
    clips = _clips_in_parts(listing) or clips_by_folder(listing)
    return Dataset(tuple(clips), notes=notes_on_folders(folder, {steps[0] for steps in listing.steps}))


def _clips_in_parts(listing: Listing) -> list[Clip] | None:
    """Return the clips if folders are parts of the data and those in them or above them are the classes.

    None if there are no such folders; refuses those whose classes are not in them.
    """
    inside: dict[str, set[str]] = defaultdict(set)
    for steps in listing.steps:
        if len(steps) > 1:
            inside[steps[0]].add(steps[1] if len(steps) > 2 else "")
    names = sorted(inside)
    below = set().union(*inside.values())
    is_deep = "" not in below and len(below) > 1
    if len(names) < 2:
        return None
    if is_deep and (_are_split(names) or _are_folds(names)):
        return _clips(listing, label=1, part=0)
    if is_deep and (_are_split(below) or _are_folds(below)):
        return _clips(listing, label=0, part=1)
    if len({name.lower() for name in names} & SPLIT_WORDS.keys()) > 1:
        raise _parts_error(listing, names, "are parts of a split, not classes")
    if _are_folds(names) or _are_shards(names):
        raise _parts_error(listing, names, "are numbered parts of the data, not classes")
    if is_deep and all(found == below for found in inside.values()):
        what = f"all hold the same sub-folders {_some(sorted(below))}, so these may be the classes instead"
        raise _parts_error(listing, names, what)
    return None


def _clips(listing: Listing, *, label: int, part: int) -> list[Clip]:
    """Return clips by the folders in their paths: at step `label` the class, at step `part` the part or fold."""
    words = {"/".join(steps): steps[part].lower() for steps in listing.steps}
    parts, folds = parts_of({*words.values()}), _folds(words)
    return [
        Clip("/".join(steps), file, steps[label], None, parts.get(words["/".join(steps)]), folds.get("/".join(steps)))
        for steps, file in zip(listing.steps, listing.audio, strict=True)
    ]


def _folds(names: Mapping[str, str]) -> dict[str, int]:
    return folds_from_1({path: re.sub(r"^\D+", "", name) for path, name in names.items() if _NUMBERED.fullmatch(name)})


def _are_split(names: Collection[str]) -> bool:
    return len(names) > 1 and all(name.lower() in SPLIT_WORDS for name in names)


def _are_folds(names: Collection[str]) -> bool:
    return len(names) > 1 and all(_NUMBERED.fullmatch(name) for name in names)


def _are_shards(names: Sequence[str]) -> bool:
    """Return whether names are numbers of one width, as 000 and 001; single digits may be what is said."""
    return all(name.isdecimal() and len(name) == len(names[0]) > 1 for name in names)


def _parts_error(listing: Listing, names: Sequence[str], what: str) -> DataError:
    tables = _tables_near(listing)
    where = f"the labels may be in {_some(tables)}; " if tables else ""
    return DataError(
        f"the sub-folders of {listing.folder} ({_some(names)}) {what}; {where}"
        "list the clips in a manifest (path,label,split,fold)"
    )


def _tables_near(listing: Listing) -> list[str]:
    """Return the tables in a folder, above it and beside it, as a user would write their paths."""
    folder, above = listing.folder, listing.folder.absolute().parent
    inside = [file for file in listing.others if file.suffix.lower() in _TABLES]
    beside = [file for pattern in ("*", "meta*/*", "*meta*/*") for file in sorted(above.glob(pattern))]
    near = [file for file in beside if file.suffix.lower() in _TABLES and not file.is_relative_to(folder.absolute())]
    return [*dict.fromkeys([*map(str, inside), *(os.path.relpath(file) for file in near)])][:_FEW]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")


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
