"""A dataset: its clips, the folders that hold them, and the hashes of their contents.

Conventions: a clip is identified by its path, and clips are sorted by it. `Clip.path` is relative to the dataset, POSIX
and in Unicode's composed form (NFC), so that it is the same on every machine; `Clip.file` is where the bytes are.
Contents are compared by the SHA-256 of a file's bytes, computed once and passed on.

In a folder, audio is recognised by the usual endings; hidden files, what archivers leave behind and everything else are
skipped. Which clip has which label is for `tracker.data.layouts` and `tracker.data.manifest`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Literal

from tracker.contained_files import open_regular
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

Part = Literal["train", "validation", "test"]

NOISE = "_background_noise_"  # a folder of recordings to mix with others, as Speech Commands has

LAYOUT = "put the clips into one sub-folder per class, or list them in a CSV manifest (path,label)"

_AUDIO = frozenset((  # whether it can be decoded is decided by what is in it
    ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".alac", ".amr", ".ape", ".au", ".caf", ".dts", ".flac", ".m4a",
    ".m4b", ".mka", ".mp2", ".mp3", ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".ra", ".rf64", ".snd", ".sph", ".spx",
    ".tta", ".w64", ".wav", ".wave", ".webm", ".wma", ".wv",
))  # fmt: skip
_DVC = ".dvc"  # ending of the file that stands for one that DVC keeps elsewhere

_MOST = 20  # folders without clips that are named

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
    kept_with: str | None = field(
        default=None, compare=False
    )  # the same of all clips that copies of a recording tie together

    @property
    def unit(self) -> tuple[str, str]:
        """What a split keeps whole: the clip's group, or else the clip itself; the two never have the same name.

        Groups that have copies of a recording in common are one.
        """
        if self.kept_with is not None:
            return ("copies", self.kept_with)
        return ("clip", self.path) if self.group is None else ("group", self.group)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Clips to train on, sorted by path, and how they were found."""

    clips: tuple[Clip, ...]
    layout: str = field(default="", compare=False)  # the published layout that they were read by; empty if none
    group_is: str = field(default="group", compare=False)  # what a group is: an artist, a speaker
    notes: tuple[str, ...] = field(default=(), compare=False)  # what a person must know before it is trained on
    root: Path | None = field(default=None, compare=False)  # the folder of the files, if not that of the data's name

    def __post_init__(self) -> None:
        object.__setattr__(self, "clips", tuple(sorted(self.clips, key=lambda clip: clip.path)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, sorted, each once."""
        return tuple(sorted({clip.label for clip in self.clips}))

    def without(self, paths: Iterable[str]) -> Dataset:
        """Return the dataset without the clips at `paths`."""
        left_out = set(paths)
        return replace(self, clips=tuple(clip for clip in self.clips if clip.path not in left_out))


def with_copies_together(dataset: Dataset, copies: Iterable[Sequence[str]]) -> Dataset:
    """Return a dataset of which no split divides the copies of a recording, given the paths of each one's copies.

    A group with a copy of another group's clip is kept with that group.
    """
    units = {clip.path: clip.unit for clip in dataset.clips}
    tied: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for paths in copies:
        together = {units[path] for path in paths}
        for unit in [*together]:
            together |= tied.get(unit, set())
        if len(together) > 1:
            tied |= dict.fromkeys(together, together)
    clips = (
        replace(clip, kept_with=" ".join(min(tied[clip.unit]))) if clip.unit in tied else clip for clip in dataset.clips
    )
    return replace(dataset, clips=tuple(clips))


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
    """Return the sorted paths of each two or more clips of which the same is given, such as a hash of their bytes."""
    same: dict[str, list[str]] = defaultdict(list)
    for path in sorted(hashes):
        same[hashes[path]].append(path)
    return tuple(tuple(paths) for paths in same.values() if len(paths) > 1)


def is_printable(text: str) -> bool:
    """Return whether `text` fits in one line of a UTF-8 table, as names do in predictions and reports."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def is_undecoded(character: str) -> bool:
    """Return whether a character stands for a byte that is not UTF-8."""
    return unicodedata.category(character) == "Cs"


def is_audio(file: Path) -> bool:
    """Return whether a file is audio by its name."""
    return file.suffix.lower() in _AUDIO


@dataclass(frozen=True)
class Listing:
    """What a folder holds, however deep: its audio, at least one file, and the rest, each sorted by path."""

    folder: Path
    audio: tuple[Path, ...]
    others: tuple[Path, ...] = ()

    def path_of(self, file: Path) -> str:
        """Return a file's path as a clip has it, relative to the folder."""
        return unicodedata.normalize("NFC", "/".join(file.parts[len(self.folder.parts) :]))

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The path of each audio file as a clip has it."""
        return tuple(map(self.path_of, self.audio))

    @cached_property
    def steps(self) -> tuple[tuple[str, ...], ...]:
        """The path of each audio file in its steps: the names of the folders, then its own."""
        return tuple(tuple(path.split("/")) for path in self.paths)


def list_folder(folder: Path, most_files: int | None = None) -> Listing:
    """Return what a folder holds; one with more than `most_files` files is refused, if that is given.

    Raises
    ------
    DataError
        If there is no audio.
    OSError
        If a folder cannot be read.
    """
    files = list(islice(_files(folder, ()), None if most_files is None else most_files + 1))
    if most_files is not None and len(files) > most_files:
        raise DataError(f"{folder} has more than {most_files:,} files; give a folder with the clips alone")
    audio = tuple(filter(is_audio, files))
    elsewhere = [file.with_suffix("") for file in files if file.suffix == _DVC and is_audio(file.with_suffix(""))]
    audio = tuple(sorted({*audio, *elsewhere})) if elsewhere else audio
    if not audio:
        raise DataError(f"{folder} contains no audio (wav, flac, mp3, ogg, au, …); {LAYOUT}")
    return Listing(folder, audio, tuple(file for file in files if not is_audio(file)))


def clips_by_folder(listing: Listing) -> list[Clip]:
    """Return the clips of a folder whose sub-folders are the classes, however deep the clips are in them.

    Raises
    ------
    DataError
        If some audio is outside the sub-folders, or a sub-folder holds the others once more.
    """
    folder, unlabelled = listing.folder, [file for file in listing.audio if file.parent == listing.folder]
    if len(unlabelled) == len(listing.audio):
        raise DataError(f"{folder} contains audio but no sub-folders, so its clips have no labels; {LAYOUT}")
    if unlabelled:
        raise DataError(
            f"{_first(unlabelled)} in {folder} outside the sub-folders, so without a label; "
            "move such clips into the sub-folder of their class, or out of the dataset"
        )
    below: dict[str, set[str]] = defaultdict(set)
    for steps in listing.steps:
        below[steps[0]].add(steps[1] if len(steps) > 2 else "")
    for name, inside in below.items():
        if len(again := sorted(inside & below.keys() - {name})) > 1 and "" not in inside:
            raise DataError(
                f"the sub-folder {name} of {folder} has sub-folders of the same names as those beside it "
                f"({', '.join(again[:3])}), so it may be a copy of the data; move it away, or say that it is a class: "
                "--columns label=folder:1"
            )
    return [
        Clip(path, file, label=steps[0])
        for path, steps, file in zip(listing.paths, listing.steps, listing.audio, strict=True)
    ]


def notes_on_folders(listing: Listing, levels: int = 1) -> tuple[str, ...]:
    """Return a sentence for each folder of the first levels that gives no clip, so is no label: what it holds instead.

    Folders in it are not looked at.
    """
    used = {steps[:level] for steps in listing.steps for level in range(1, min(levels, len(steps) - 1) + 1)}
    unused = [*_unused(listing.folder, (), used, levels)]
    notes = [f"no clips come from the folder {'/'.join(steps)} ({_contents(entry)})" for steps, entry in unused[:_MOST]]
    rest = len(unused) - _MOST
    more = "1 more folder" if rest == 1 else f"{rest:,} more folders"
    return (*notes, *([f"nor do they come from {more}"] if rest > 0 else ()))


def _unused(
    folder: Path, above: tuple[str, ...], used: Collection[tuple[str, ...]], levels: int
) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Yield the steps and the place of each folder that is not used, in a folder that is."""
    for entry in sorted(folder.iterdir()):
        steps = (*above, unicodedata.normalize("NFC", entry.name))
        if entry.name.startswith(".") or entry.name == "__MACOSX" or not entry.is_dir():
            continue
        if steps not in used:
            yield steps, entry
        elif len(steps) < levels:
            yield from _unused(entry, steps, used, levels)


def _contents(folder: Path) -> str:
    """Return what a folder without clips holds, in words."""
    if folder.name == NOISE:
        return "noise without words, so no class"
    if folder.absolute().parent.resolve().is_relative_to(folder.resolve()):
        return "a link to a folder that it is in"
    endings = Counter(file.suffix.lower() or "without an ending" for file in islice(_files(folder, ()), 10_000))
    if not endings:
        if not any(folder.iterdir()):
            return "it is empty"
        has_files = any(not entry.is_dir() for entry in islice(folder.rglob("*"), 10_000))
        return "hidden files alone" if has_files else "folders without files"
    kinds = (
        f"{number:,} {ending} file{'' if number == 1 else 's'}"
        if ending.startswith(".")
        else f"{number:,} file{'' if number == 1 else 's'} {ending}"
        for ending, number in endings.most_common(3)
    )
    return f"{', '.join(kinds)}: no audio"


def audio_files(folder: Path) -> tuple[Path, ...]:
    """Return the files below a folder whose names are those of audio.

    Raises
    ------
    OSError
        If a folder cannot be read.
    """
    return tuple(file for file in _files(folder, ()) if is_audio(file))


def _files(folder: Path, above: Sequence[Path]) -> Iterator[Path]:
    """Yield every file below `folder`, also through symbolic links, but not through one to a folder that it is in."""
    here = folder.resolve()
    if any(folder_above.is_relative_to(here) for folder_above in above):
        return
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir():
            yield from _files(entry, (*above, here))
        else:
            yield entry


def _first(files: Sequence[Path]) -> str:
    return f"{files[0].name!r} " + (f"and {len(files) - 1} more are" if len(files) > 1 else "is")
