"""What is known of clips beside their data set: which of them belong together, and which part each is in.

Groups come from a clip's path or from the tags in its file, parts from published lists.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.contained_files import read_regular
from tracker.data.manifest import SPLIT_WORDS, parts_of, split_word
from tracker.delimited import text_of
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tracker.data.dataset import Clip, Dataset, Part
    from tracker.runs import DataPlan

_TRAINED_ON = frozenset({"dev", "devel", "development"})  # words for what is validated on, or trained on beside a test
_PURPOSE: Mapping[Part, str] = {"train": "to train on", "validation": "to validate on", "test": "to test on"}
_MOST_STRANGE = 0.1  # fraction of a list's lines that may name no clip: a common copy of GTZAN lacks a file


def grouped(dataset: Dataset, plan: DataPlan) -> Dataset:
    """Return the dataset with its clips grouped by what `DataPlan.group_by` says; one without that is its own group.

    Raises
    ------
    DataError
        If no clip has a group.
    """
    rule = str(plan.group_by)
    group_of, group_is = _rule(plan)
    clips = tuple(replace(clip, group=group_of(clip)) for clip in dataset.clips)
    without = [clip.path for clip in clips if clip.group is None]
    if len(without) == len(clips):
        raise DataError(
            f"--group-by {rule} finds no group for any of the {len(clips):,} clips, the first is {without[0]}; give a "
            f"rule that fits {'the tags in these files' if plan.group_tag else 'such paths'}"
        )
    note = f"no group by {rule} for {len(without):,} of {len(clips):,} clips, such as {without[0]}" if without else ""
    notes = (*dataset.notes, note) if note else dataset.notes
    return replace(dataset, clips=clips, group_is=group_is, notes=notes)


def _rule(plan: DataPlan) -> tuple[Callable[[Clip], str | None], str]:
    """Return what gives a clip's group, and what a group is."""
    if (level := plan.group_level) is not None:
        return (lambda clip: _step(clip, level)), "folder"
    if (tag := plan.group_tag) is not None:
        return _tag_reader(tag), tag
    pattern = re.compile(str(plan.group_by))
    name = next(iter(pattern.groupindex), None)

    def found(clip: Clip) -> str | None:
        match = pattern.search(clip.path)
        return (match[name or (1 if pattern.groups else 0)] or None) if match else None

    return found, name or "group"


def _step(clip: Clip, level: int) -> str | None:
    folders = clip.path.split("/")[:-1]
    return folders[level - 1] if level <= len(folders) else None


def _tag_reader(name: str) -> Callable[[Clip], str | None]:
    try:
        from tinytag import TinyTag, TinyTagException
    except ImportError as error:
        raise DataError("--group-by tag:… needs tinytag: pip install 'tracker-report[tags]'") from error
    if name not in vars(TinyTag()):
        raise DataError(f"--group-by tag:{name} can't be read; the usual tags are tag:artist and tag:album")

    def tag(clip: Clip) -> str | None:
        try:
            value = getattr(TinyTag.get(clip.file), name)
        except (OSError, TinyTagException):
            return None
        return " ".join(str(value).split()) or None if value is not None else None

    return tag


def split_by_lists(dataset: Dataset, lists: Sequence[Path]) -> Dataset:
    """Return the listed clips, each in the part of its list: training, validation, test; or training and test.

    Of two lists, the second is of validation clips if its name says so: ``valid.txt``. A line is a clip's path, or as
    much of its end as names one clip alone, with or without its ending.

    Raises
    ------
    DataError
        If a clip is in two lists, or more than a tenth of a list's lines name no clip.
    """
    index = _Index(dataset)
    parts: dict[str, Part] = {}
    notes: list[str] = []
    for file, part in zip(lists, _parts(lists), strict=True):
        strange: list[str] = []
        lines = [*_lines(file)]
        for number, line in lines:
            path = index.find(line)
            if path is None:
                strange.append(f"{line!r} (line {number})")
            elif parts.setdefault(path, part) != part:
                raise DataError(f"{file}, line {number}: {path} is in another list too; remove it from one of them")
        if len(strange) > _MOST_STRANGE * len(lines):
            raise DataError(
                f"{len(strange):,} of the {len(lines):,} lines of {file} {'names' if len(strange) == 1 else 'name'} no "
                f"clip of the data, the first is {strange[0]}; check that the lists belong to this data"
            )
        notes += (
            [f"there is no file for {len(strange):,} of the {len(lines):,} clips in {file.name}"] if strange else []
        )
    notes += _note_on_sizes(lists, parts)
    clips = tuple(replace(clip, split=parts[clip.path]) for clip in dataset.clips if clip.path in parts)
    left_out = len(dataset.clips) - len(clips)
    notes += [f"left out {left_out:,} of {len(dataset.clips):,} clips, in none of the lists"] if left_out else []
    return replace(dataset, clips=clips, notes=(*dataset.notes, *notes))


def refuse_swapped(lists: Sequence[Path]) -> None:
    """Refuse lists whose names say other parts than their order does, as a person who typed them meant otherwise."""
    words = [split_word(file.stem) for file in lists]
    said = parts_of({word for word in words if word})
    for file, word, part in zip(lists, words, _parts(lists), strict=True):
        if word and said[word] != part and not (part == "train" and word in _TRAINED_ON):
            raise DataError(
                f"--split-lists: {file} stands where the clips {_PURPOSE[part]} are listed, but by its name it has "
                f"those {_PURPOSE[said[word]]}; give the lists in the order TRAIN VALID TEST or TRAIN TEST, or "
                "rename it"
            )


def _note_on_sizes(lists: Sequence[Path], parts: Mapping[str, Part]) -> list[str]:
    """Return a note if names don't say which list is trained on, and it isn't the longest."""
    if split_word(lists[0].stem):
        return []
    sizes = Counter(parts.values())
    return [
        f"{lists[0].name} lists fewer clips to train on, {sizes['train']:,}, than {file.name} {_PURPOSE[part]}, "
        f"{sizes[part]:,}; if that isn't meant, give the lists in the order TRAIN VALID TEST or TRAIN TEST"
        for file, part in zip(lists, _parts(lists), strict=True)
        if sizes[part] > sizes["train"]
    ]


def _parts(lists: Sequence[Path]) -> tuple[Part, ...]:
    if len(lists) == 3:
        return "train", "validation", "test"
    return "train", "validation" if SPLIT_WORDS.get(split_word(lists[1].stem) or "") == "validation" else "test"


class _Index:
    """The clips by their paths, and by the ends of these that name one clip alone."""

    def __init__(self, dataset: Dataset) -> None:
        self._paths: dict[str, list[str]] = defaultdict(list)
        for clip in dataset.clips:
            steps = clip.path.split("/")
            for start in range(len(steps)):
                end = "/".join(steps[start:])
                for name in {end, end.rpartition(".")[0] or end}:
                    self._paths[name].append(clip.path)

    def find(self, line: str) -> str | None:
        """Return the path of the clip that a line names: in full, or beside folders that the data does not have."""
        steps = [step for step in line.replace("\\", "/").split("/") if step not in {"", "."}]
        for start in range(len(steps)):
            end = "/".join(steps[start:])
            for name in (end, end.rpartition(".")[0]):
                if len(found := self._paths.get(name, [])) == 1:
                    return found[0]
        return None


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a list that aren't blank, with their numbers; of a table the first field."""
    try:
        text = text_of(read_regular(file))
    except ValueError as error:
        raise DataError(f"{file}, {error}, so not a list of clips") from error
    for number, line in enumerate(text.splitlines(), 1):
        if name := line.split("\t")[0].strip():
            yield number, name
