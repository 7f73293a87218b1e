"""From a path to a dataset: a manifest, a published layout, or a folder with a sub-folder per class.

In a folder, as GTZAN has, a clip's label is the name of the sub-folder below the dataset that it is in, however deep.
Sub-folders that are parts of the data rather than classes are never trained on as classes: folds, shards, the parts of
a split. If they hold the classes in turn, the clips are read by these.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.data.assign import grouped, refuse_swapped, split_by_lists
from tracker.data.dataset import (
    LAYOUT,
    NOISE,
    Clip,
    Dataset,
    Listing,
    clips_by_folder,
    is_audio,
    is_printable,
    is_undecoded,
    list_folder,
    notes_on_folders,
)
from tracker.data.layouts import read_layout, table_layout
from tracker.data.libraries import read_library
from tracker.data.manifest import (
    MANIFEST,
    SPLIT_WORDS,
    folds_from_1,
    notes_on_columns,
    parts_of,
    read_manifest,
    split_word,
)
from tracker.errors import DataError
from tracker.printable import printable
from tracker.runs import DataPlan, is_of_library

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_ARCHIVES = (".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_NUMBERED = re.compile(r"(fold|split|part|shard|chunk|cv|partition|subset|batch)[ _-]?\d+(-of-\d+)?", re.IGNORECASE)
_FOLD = re.compile(rf"{_NUMBERED.pattern}|\d+", re.IGNORECASE)
_TABLES = (".csv", ".tsv")
_FEW = 3
DEFAULT_PLAN = DataPlan()


def located(plan: DataPlan, data: Path | None) -> DataPlan:
    """Return a plan whose paths are relative to the data's folder, wherever it is carried out.

    A path that is not there is one in the working folder.

    Raises
    ------
    DataError
        If a path is in neither folder, or the names of lists contradict their order.
    """
    if plan.lists:
        refuse_swapped([Path(file) for file in plan.lists])
    if data is None or not (plan.audio_root or plan.lists):
        return plan
    if is_of_library(str(data)):  # which has no folder before it is read
        folder = _absolute(plan.audio_root) if plan.audio_root else None
        return replace(plan, audio_root=folder, split_lists=",".join(map(_absolute, plan.lists)) or None)
    base = data if data.is_dir() else data.parent
    lists = [_located(path, base, "--split-lists") for path in plan.lists]
    root = _located(plan.audio_root, base, "--audio-root") if plan.audio_root else None
    if root and not (base / root).is_dir():
        raise DataError(f"--audio-root: {plan.audio_root} isn't a folder; give the one that paths start from")
    return replace(plan, audio_root=root, split_lists=",".join(lists) or None)


def _absolute(path: str) -> str:
    return Path(path).absolute().as_posix()


def _located(path: str, base: Path, flag: str) -> str:
    if (base / path).exists():
        return path
    if not Path(path).exists():
        raise DataError(f"{flag}: {path} is neither in {base} nor in this folder; check the path")
    from_base = Path(os.path.relpath(path, base))
    if not (base / from_base).exists() or not (base / from_base).samefile(path):  # base is a link
        from_base = Path(os.path.relpath(Path(path).resolve(), base.resolve()))
    return from_base.as_posix()


def _without_detour(path: Path) -> Path:
    """Return ``lists/train.txt`` for ``data/../lists/train.txt``, unless a link makes these two files."""
    short = Path(os.path.normpath(path) if path.is_absolute() else os.path.relpath(path))
    return short if short.exists() and short.samefile(path) else path


def read_dataset(
    path: Path, plan: DataPlan = DEFAULT_PLAN, most_files: int | None = None, *, any_names: bool = False
) -> Dataset:
    """Read a dataset of at least two classes from a manifest, or a folder that has one or a sub-folder per class.

    Paths in `plan` are relative to the data's folder. A folder with more than `most_files` files is refused, if that is
    given, and so are names that no table can hold, unless `any_names`.

    Raises
    ------
    DataError
        If there is no dataset at `path`, or it can't be trained on.
    """
    try:
        dataset = _read(path, plan, most_files, any_names=any_names)
        base = path if path.is_dir() else path.parent
        if plan.lists:
            dataset = split_by_lists(dataset, [_without_detour(base / file) for file in plan.lists])
        if plan.group_by:
            dataset = grouped(dataset, plan)
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); check its name and permissions"
        ) from error
    if not any_names and (refusal := names_refusal(dataset)):
        raise DataError(refusal)
    _check_classes(dataset, path)
    return dataset


def _read(path: Path, plan: DataPlan, most_files: int | None, *, any_names: bool) -> Dataset:
    if is_of_library(str(path)):
        return read_library(str(path), plan)
    if path.is_dir():
        manifest = path / MANIFEST
        if manifest.is_file():
            return _read_manifest(manifest, plan, any_names=any_names)
        return _read_folder(path, plan, most_files)
    if not path.exists():
        raise DataError(f"there is no folder or manifest {path}; check the path given")
    if is_audio(path):
        raise DataError(f"{path} is a single audio file, a dataset needs many; {LAYOUT}")
    if path.suffix.lower() in _ARCHIVES:
        raise DataError(f"{path} is an archive; unpack it and pass the folder")
    if not plan.columns and (published := table_layout(path)):
        layout, audio = published
        return layout.read_table(path.absolute(), list_folder(audio, most_files))
    return _read_manifest(path, plan, any_names=any_names)


def _read_manifest(manifest: Path, plan: DataPlan, *, any_names: bool) -> Dataset:
    names = plan.column_names
    if plan.levels:
        raise DataError(f"{manifest} is a table, so --columns must name its columns, not folders; got {plan.columns}")
    root = manifest.parent / plan.audio_root if plan.audio_root else None
    said = {column for column, way in (("group", plan.group_by), ("split", plan.split_lists)) if way}
    clips, notes = (
        tuple(read_manifest(manifest, names, root, any_names=any_names)),
        notes_on_columns(manifest, names, said),
    )
    return Dataset(clips, group_is=names.get("group", "group"), notes=notes, root=root)


def _read_folder(folder: Path, plan: DataPlan, most_files: int | None) -> Dataset:
    """Return the dataset of a folder without a manifest."""
    if plan.audio_root:
        raise DataError(
            f"--audio-root goes with a table of clips, and {folder} is a folder without {MANIFEST}; drop it"
        )
    listing = list_folder(folder, most_files)
    if plan.columns:
        return _read_levels(listing, plan)
    if published := read_layout(listing):
        return published
    is_noise = [steps[0] == NOISE for steps in listing.steps]
    if any(is_noise) and not all(is_noise):
        words = [file for file, noise in zip(listing.audio, is_noise, strict=True) if not noise]
        listing = replace(listing, audio=tuple(words))
    return _read_parts(listing, plan.group_level) or Dataset(
        tuple(clips_by_folder(listing)), notes=notes_on_folders(listing)
    )


def _read_levels(listing: Listing, plan: DataPlan) -> Dataset:
    """Return the dataset of a folder whose levels of sub-folders are said."""
    levels = plan.levels if 1 in plan.levels.values() else {"label": 1} | plan.levels
    if plan.levels.keys() != plan.column_names.keys() or "label" not in levels:
        raise DataError(
            f"{listing.folder} is a folder without a table, so --columns must say which level of sub-folders is the "
            f"class, such as label=folder:1, got {plan.columns}"
        )
    for steps in listing.steps:
        if len(steps) <= max(levels.values()):
            raise DataError(
                f"{'/'.join(steps)} in {listing.folder} lies in no sub-folder of level {max(levels.values())}, which "
                "--columns names; move it, or give another level"
            )
    return _by_levels(listing, {name: level - 1 for name, level in levels.items()})


def _read_parts(listing: Listing, group_level: int | None) -> Dataset | None:
    """Return the dataset if folders are parts of the data and those in them or above them are the classes.

    None if there are no such folders; refuses those whose classes are not in them. `group_level` is what a user groups
    by, which is therefore not the level of the classes.
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
        return _by_levels(listing, {"label": 1, "split": 0, "fold": 0})
    if group_level == 1:
        return _read_groups(listing, inside)
    if is_deep and (_are_split(below) or _are_folds(below)):
        return _by_levels(listing, {"label": 0, "split": 1, "fold": 1})
    if _are_split(names) or len({name.lower() for name in names} & SPLIT_WORDS.keys()) > 1:
        raise _parts_error(listing, names, "are parts of a split, not classes")
    if _are_folds(names) or _are_shards(names):
        raise _parts_error(listing, names, "are numbered parts of the data, not classes")
    if is_deep and group_level is None and (same := _same_folders(listing, inside)):
        what = f"all hold the same sub-folders {_some(sorted(same))}, so these may be the classes instead"
        raise _parts_error(listing, names, what, ", or if these are artists or the like, --group-by folder:2")
    return None


def _same_folders(listing: Listing, inside: Mapping[str, set[str]]) -> set[str]:
    """Return the folders that one sub-folder holds and all others too, at once or deeper; empty if there are none."""
    innermost: dict[str, set[str]] = defaultdict(set)
    for steps in listing.steps:
        innermost[steps[0]].add("/".join(steps[-2:-1]))
    for found in inside.values():
        if len(found) > 1 and all(found in (inside[name], innermost[name]) for name in inside):
            return found
    return set()


def _read_groups(listing: Listing, inside: Mapping[str, Collection[str]]) -> Dataset:
    """Return the dataset of a folder whose sub-folders are groups, each with the classes in it."""
    below = Counter(name for names in inside.values() for name in names)
    if "" in below or max(below.values()) < 2:
        raise DataError(
            f"--group-by folder:1 groups by the sub-folders of {listing.folder} ({_some(sorted(inside))}), which are "
            "its classes; give a deeper level, such as folder:2, or a regular expression that finds in a path what "
            "some clips of a class share"
        )
    return _by_levels(listing, {"label": 1})


def _by_levels(listing: Listing, places: Mapping[str, int]) -> Dataset:
    """Return clips by the folders in their paths, counted from 0: of the class, the group, the part, the fold."""

    def words(column: str) -> dict[str, str]:
        place = places.get(column)
        if place is None:
            return {}
        return {path: steps[place] for path, steps in zip(listing.paths, listing.steps, strict=True)}

    labels, groups, splits = words("label"), words("group"), words("split")
    found = {path: split_word(name) or "" for path, name in splits.items()}
    parts, folds = parts_of({*found.values()}), _folds(words("fold"))
    clips = (
        Clip(path, file, labels[path], groups.get(path), parts.get(found.get(path, "")), folds.get(path))
        for path, file in zip(listing.paths, listing.audio, strict=True)
    )
    return Dataset(tuple(clips), notes=notes_on_folders(listing, max(places.values()) + 1))


def _folds(names: Mapping[str, str]) -> dict[str, int]:
    return folds_from_1({path: re.sub(r"^\D+", "", name) for path, name in names.items() if _FOLD.fullmatch(name)})


def _are_split(names: Collection[str]) -> bool:
    words = [split_word(name) for name in names]
    return None not in words and len({SPLIT_WORDS[str(word)] for word in words}) > 1


def _are_folds(names: Collection[str]) -> bool:
    return len(names) > 1 and all(_NUMBERED.fullmatch(name) for name in names)


def _are_shards(names: Sequence[str]) -> bool:
    """Return whether names are numbers, as 000 and 001; single digits may be what is said."""
    return all(name.isdecimal() for name in names) and any(len(name) > 1 for name in names)


def _parts_error(listing: Listing, names: Sequence[str], what: str, otherwise: str = "") -> DataError:
    tables = _tables_near(listing)
    where = f"the labels may be in {_some(tables)}; " if tables else ""
    is_deep = all(len(steps) > 2 for steps in listing.steps)
    level = (
        "say which level of folders is the class: --columns label=folder:2"
        if is_deep
        else "if they are the classes after all, say so: --columns label=folder:1"
    )
    return DataError(
        f"the sub-folders of {listing.folder} ({_some(names)}) {what}; {where}"
        f"list the clips in a manifest (path,label,split,fold), or {level}{otherwise}"
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


def name_faults(dataset: Dataset) -> dict[int, str]:
    """Return why no line of a table can hold a clip's names, or tell it from another clip, by its place."""
    faults: dict[int, str] = {}
    for place, clip in enumerate(dataset.clips):
        for what, text in (("path", clip.path), ("label", clip.label), ("group", clip.group or "")):
            if not is_printable(text):
                faults.setdefault(place, f"its {what} contains {_unprintable(text)}")
    for place, (clip, following) in enumerate(pairwise(dataset.clips), start=1):
        if clip.path == following.path:
            faults.setdefault(place, "another file has the same name, its accents encoded differently")
    return faults


def _unprintable(text: str) -> str:
    if len(text.splitlines()) > 1:
        return "a line break"
    return "a byte that is not UTF-8" if any(map(is_undecoded, text)) else "a control character"


def names_refusal(dataset: Dataset) -> str | None:
    """Return why a dataset can't be trained on for the names of its clips; None if it can."""
    faults = name_faults(dataset)
    if not faults:
        return None
    place, reason = next(iter(faults.items()))
    first = f"{printable(dataset.clips[place].path)}: {reason}"
    if len(faults) == 1:
        return f"the clip {first}; rename it"
    return f"{len(faults)} clips have names that no table can hold, such as {first}; rename them"


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
