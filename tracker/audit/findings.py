"""What a person should know of a data set: copies, wrong labels, groups that a split cuts, clips with nothing to hear.

A finding would bias a result if an accuracy measured on this data and split could not be believed because of it; the
others are worth a look. Clips that can't be used are left out. That biases nothing if it meets all classes alike. It
does if a class loses more than a tenth of its clips, and significantly more often than the others do: its remaining
clips are not a fair sample of it.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from tracker.audit.recordings import differing
from tracker.runs.measures import Measures, Unusable
from tracker.statistics.proportions import hypergeometric_tail
from tracker.wording import NONE, counted, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    from tracker.audit.ladder import Ladder

_EXAMPLES = 3
MOST_NAMES = 8  # of copies of a recording that are named in a line
MOST_CLIPPED = 0.01  # fraction of a clip at full scale from which it counts as clipped
MOST_LOST = 0.1  # fraction of a class's clips that may be unusable
_ALPHA = 0.05  # of all classes together


class Kind(StrEnum):
    """What can be found, in the order in which it is shown."""

    LOST_CLASS = "lost_class"
    UNEVEN_LOSS = "uneven_loss"
    TWO_LABELS = "two_labels"
    ACROSS_SPLIT = "across_split"
    CUT_GROUP = "cut_group"
    ALIKE_CLASSES = "alike_classes"
    ONE_GROUP = "one_group"
    GIVEAWAY = "giveaway"
    SAME_FILE = "same_file"
    SAME_SOUND = "same_sound"
    SAME_RECORDING = "same_recording"
    NAME = "name"
    UNREADABLE = "unreadable"
    SILENT = "silent"
    CLIPPED = "clipped"
    SHORT = "short"

    @property
    def words(self) -> str:
        """What was found, in words."""
        return _WORDS[self]

    @property
    def would_bias(self) -> bool:
        """Whether a result would be biased by it."""
        return self in _BIASING


_WORDS = {
    Kind.LOST_CLASS: "class without a clip that can be used",
    Kind.UNEVEN_LOSS: "class that loses more clips than the others",
    Kind.TWO_LABELS: "one recording under several labels",
    Kind.ACROSS_SPLIT: "one recording in several parts of the split",
    Kind.CUT_GROUP: "group in several parts of the split",
    Kind.ALIKE_CLASSES: "classes with nearly the same name",
    Kind.ONE_GROUP: "class from a single group",
    Kind.GIVEAWAY: "class known by its file format",
    Kind.SAME_FILE: "copies of a file",
    Kind.SAME_SOUND: "copies of a sound in other files",
    Kind.SAME_RECORDING: "copies encoded again, cut or amplified",
    Kind.NAME: "name that no table can hold",
    Kind.UNREADABLE: "clip that cannot be read",
    Kind.SILENT: "silent clip",
    Kind.CLIPPED: "clipped clip",
    Kind.SHORT: "clip shorter than a segment",
}
_BIASING = {
    Kind.LOST_CLASS, Kind.UNEVEN_LOSS, Kind.TWO_LABELS, Kind.ACROSS_SPLIT, Kind.CUT_GROUP, Kind.ALIKE_CLASSES,
    Kind.ONE_GROUP, Kind.GIVEAWAY,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MeasuredClip:
    """A clip of a data set, with what was measured of it and the part of the split that it is in."""

    path: str
    label: str
    group: str | None
    part: str | None  # None if the data can't be divided or the clip can't be used
    content: str  # the SHA-256 of its bytes
    measures: Measures | Unusable


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: the clips, classes or group it is about, and what it is in words."""

    kind: Kind
    names: tuple[str, ...]
    detail: str = ""

    @property
    def text(self) -> str:
        """What it is about, with the detail."""
        rest = len(self.names) - MOST_NAMES
        names = " = ".join(self.names[:MOST_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")
        return names + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class ClassRow:
    """The clips of a class; what was measured is of the usable ones."""

    label: str
    clips: int
    usable: int
    groups: int  # that are named, of usable clips
    seconds: tuple[float, float, float] | None  # the shortest, the median and the longest clip
    rates: tuple[int, ...]  # Hz
    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What a data set is like, and what was found in it."""

    clips: int
    usable: int
    groups: int
    parts: Mapping[str, int]  # clips in each part of the split; empty if it can't be divided
    classes: tuple[ClassRow, ...]
    findings: tuple[Finding, ...]  # by kind
    problem: str | None = None  # why the data can't be divided
    ladder: Ladder | None = None  # what leakage is worth, if that was asked
    data: str = ""  # what was checked, as a person names it

    @property
    def biasing(self) -> tuple[Finding, ...]:
        """The findings that would bias a result."""
        return tuple(finding for finding in self.findings if finding.kind.would_bias)

    @property
    def is_clean(self) -> bool:
        """Whether the data can be trained on and nothing was found that would bias a result."""
        return not self.biasing and self.problem is None

    @property
    def summary(self) -> str:
        """Return in a line how much there is."""
        groups = f" from {counted(self.groups, 'group')}" if self.groups else ", without groups"
        parts = " / ".join(f"{number:,} {part}" for part, number in self.parts.items())
        classes = f"{len(self.classes):,} classes" if len(self.classes) != 1 else "1 class"
        usable = f", {self.usable:,} usable," if self.usable < self.clips else ""
        return f"{counted(self.clips, 'clip')}{usable} of {classes}{groups}{f'; {parts}' if parts else ''}"

    @property
    def headline(self) -> str:
        """Return in a few words whether a result on this data could be believed."""
        if self.problem:
            return "This data can't be trained on"
        if not self.biasing:
            return "Nothing was found that would bias a result"
        return f"{counted(len(self.biasing), 'finding')} would bias a result"

    @property
    def verdict(self) -> str:
        """Return the same in a sentence, with the reason if the data can't be trained on."""
        return f"{self.headline}: {self.problem}." if self.problem else f"{self.headline}."


def find(
    clips: Sequence[MeasuredClip],
    segment_s: float,
    problem: str | None = None,
    copies: Collection[tuple[str, ...]] = (),
) -> DataCheck:
    """Decide what is to be known of a data set's clips.

    Parameters
    ----------
    segment_s : float
        Shorter clips than so many seconds are short.
    problem : str or None
        Why the data can't be trained on.
    copies : collection of tuples of str
        The sorted paths of the usable clips of each recording that there are several of, as the split has them.
    """
    usable = [clip for clip in clips if isinstance(clip.measures, Measures)]
    found = [
        *_single_clips(clips, segment_s),
        *(
            Finding(Kind.LOST_CLASS, (label,), f"{counted(len(same), 'clip')} left out")
            for label, same in _by(clips, lambda clip: clip.label).items()
            if not any(isinstance(clip.measures, Measures) for clip in same)
        ),
        *_uneven_losses(clips),
        *_copies(usable, copies),
        *_groups(usable),
        *_alike_classes(sorted({clip.label for clip in clips})),
        *_giveaways(usable),
    ]
    order = list(Kind)
    parts = [clip.part for clip in usable if clip.part]
    return DataCheck(
        clips=len(clips),
        usable=len(usable),
        groups=len({clip.group for clip in clips if clip.group is not None}),
        parts={part: parts.count(part) for part in ("train", "validation", "test") if part in parts},
        classes=tuple(_class_row(label, same) for label, same in sorted(_by(clips, lambda clip: clip.label).items())),
        findings=tuple(sorted(found, key=lambda finding: (order.index(finding.kind), finding.names))),
        problem=problem,
    )


def _by(clips: Iterable[MeasuredClip], key: Callable[[MeasuredClip], Hashable]) -> dict[str, list[MeasuredClip]]:
    """Return clips by what they have in common, as text."""
    groups: dict[str, list[MeasuredClip]] = defaultdict(list)
    for clip in clips:
        groups[str(key(clip))].append(clip)
    return groups


def _class_row(label: str, clips: Sequence[MeasuredClip]) -> ClassRow:
    measures = [clip.measures for clip in clips if isinstance(clip.measures, Measures)]
    seconds = np.array([measured.seconds for measured in measures])
    return ClassRow(
        label,
        len(clips),
        len(measures),
        len({clip.group for clip in clips if clip.group is not None and isinstance(clip.measures, Measures)}),
        (float(seconds.min()), float(np.median(seconds)), float(seconds.max())) if measures else None,
        tuple(sorted({measured.rate for measured in measures})),
        tuple(sorted({measured.channels for measured in measures})),
    )


def _single_clips(clips: Iterable[MeasuredClip], segment_s: float) -> Iterator[Finding]:
    for clip in clips:
        measured = clip.measures
        if isinstance(measured, Unusable):
            yield Finding(Kind(measured.fault), (clip.path,), measured.reason.removeprefix("silent: "))
            continue
        if measured.clipped >= MOST_CLIPPED:
            yield Finding(Kind.CLIPPED, (clip.path,), f"{percent(measured.clipped)} of it is at full scale")
        if measured.seconds < segment_s:
            yield Finding(
                Kind.SHORT, (clip.path,), f"{measured.seconds:.3g}\u00a0s, a segment lasts {segment_s:g}\u00a0s"
            )


def _uneven_losses(clips: Sequence[MeasuredClip]) -> Iterator[Finding]:
    """Find the classes that lose so many more of their clips than the others that chance hardly explains it."""
    by_label = _by(clips, lambda clip: clip.label)
    lost = {label: sum(isinstance(clip.measures, Unusable) for clip in same) for label, same in by_label.items()}
    most = {
        label: (lost[label], len(same))
        for label, same in by_label.items()
        if MOST_LOST * len(same) < lost[label] < len(same)
    }
    chances = [hypergeometric_tail(number, of, sum(lost.values()), len(clips)) for number, of in most.values()]
    for (label, (number, of)), chance in zip(most.items(), chances, strict=True):
        if chance * len(by_label) <= _ALPHA:
            others = sum(lost.values()) - number
            rest = f"{others} of the other {len(clips) - of:,}"
            yield Finding(Kind.UNEVEN_LOSS, (label,), f"{number} of its {counted(of, 'clip')} can't be used, {rest}")


def _copies(clips: Sequence[MeasuredClip], copies: Collection[tuple[str, ...]]) -> Iterator[Finding]:
    """Find the clips that are one recording, and those of them that have several labels or are in several parts."""
    by_path = {clip.path: clip for clip in clips}
    for paths in copies:
        yield Finding(_likeness([by_path[path] for path in paths]), paths)
    for paths, labels in differing(copies, {clip.path: clip.label for clip in clips}).items():
        yield Finding(Kind.TWO_LABELS, paths, f"labelled {', '.join(labels)}")
    for paths, parts in differing(copies, {clip.path: clip.part for clip in clips if clip.part}).items():
        yield Finding(Kind.ACROSS_SPLIT, paths, f"in {' and '.join(parts)}")


def _likeness(copies: Sequence[MeasuredClip]) -> Kind:
    """Return how alike the copies of a recording are, those that are least alike."""
    if len({clip.content for clip in copies}) == 1:
        return Kind.SAME_FILE
    sounds = {clip.measures.sound for clip in copies if isinstance(clip.measures, Measures)}
    return Kind.SAME_SOUND if len(sounds) == 1 else Kind.SAME_RECORDING


def _groups(clips: Sequence[MeasuredClip]) -> Iterator[Finding]:
    grouped = [clip for clip in clips if clip.group is not None]
    for group, same in _by(grouped, lambda clip: clip.group).items():
        parts = _by((clip for clip in same if clip.part), lambda clip: clip.part)
        if len(parts) > 1:
            counts = " and ".join(f"{len(parts[part])} in {part}" for part in sorted(parts))
            yield Finding(Kind.CUT_GROUP, (group,), f"its clips: {counts}")
    for label, same in _by(clips, lambda clip: clip.label).items():
        groups = {clip.group for clip in same}
        if len(same) > 1 and len(groups) == 1 and None not in groups:
            yield Finding(Kind.ONE_GROUP, (label,), f"all {len(same)} clips are of {groups.pop()}")


def _alike_classes(labels: Iterable[str]) -> Iterator[Finding]:
    alike: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        plain = "".join(filter(str.isalnum, unicodedata.normalize("NFKD", label).casefold()))
        alike[plain or label].append(label)
    for names in alike.values():
        if len(names) > 1:
            yield Finding(Kind.ALIKE_CLASSES, tuple(names))


def _giveaways(clips: Sequence[MeasuredClip]) -> Iterator[Finding]:
    """Find classes that a program could know without listening: all of their clips, and no others, are such files."""
    of: Mapping[str, Callable[[MeasuredClip], object]] = {
        "are {} files": lambda clip: f".{clip.path.rpartition('.')[2].lower()}",
        "are at {}\u00a0Hz": lambda clip: f"{clip.measures.rate:,}" if isinstance(clip.measures, Measures) else "",
        "have {} channels": lambda clip: clip.measures.channels if isinstance(clip.measures, Measures) else "",
    }
    by_label = _by(clips, lambda clip: clip.label)
    for words, value_of in of.items():
        by_value = _by(clips, lambda clip, value_of=value_of: str(value_of(clip)))  # type: ignore[misc]
        for value, same in by_value.items():
            labels = {clip.label for clip in same}
            if len(by_value) > 1 and len(labels) == 1 and len(same) > 1 and len(same) == len(by_label[min(labels)]):
                what = words.format(value).replace("1 channels", "1 channel")
                yield Finding(Kind.GIVEAWAY, (min(labels),), f"its {len(same)} clips, and no others, {what}")


CLASS_COLUMNS = ("class", "clips", "usable", "groups", "seconds", "rate", "channels")
FINDING_COLUMNS = ("found", "times", "would bias", "which")


def class_rows(check: DataCheck) -> list[tuple[str, ...]]:
    """Return a row for each class, of texts, as `CLASS_COLUMNS` names them."""
    return [
        (
            row.label,
            f"{row.clips:,}",
            f"{row.usable:,}",
            f"{row.groups:,}" if check.groups else NONE,
            " to ".join(dict.fromkeys(f"{seconds:.3g}" for seconds in row.seconds[::2])) if row.seconds else NONE,
            ", ".join(f"{rate / 1_000:g}" for rate in row.rates) + "\u00a0kHz" if row.rates else NONE,
            ", ".join(map(str, row.channels)) or NONE,
        )
        for row in check.classes
    ]


def finding_rows(check: DataCheck) -> list[tuple[str, ...]]:
    """Return a row for each kind that was found, of texts, as `FINDING_COLUMNS` names them."""
    listed: list[tuple[str, ...]] = []
    for kind in Kind:
        texts = [finding.text for finding in check.findings if finding.kind is kind]
        if texts:
            rest = f" and {len(texts) - _EXAMPLES:,} more" if len(texts) > _EXAMPLES else ""
            which = "; ".join(texts[:_EXAMPLES]) + rest
            listed.append((kind.words, f"{len(texts):,}", "yes" if kind.would_bias else "no", which))
    return listed
