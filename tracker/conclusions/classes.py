"""Which classes have most errors, and which clips every run classifies wrongly."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Table
from tracker.runs.logged import NO_LABEL
from tracker.statistics.proportions import Interval, grouped_wilson, wilson
from tracker.wording import (
    NONE,
    capitalised,
    count_words,
    is_informative,
    listing,
    percent_cell,
    percent_interval_cell,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Study
    from tracker.wording import Wording

FEWEST_RUNS = 3  # runs below which a clip that all of them get wrong says little about its label
_MOST_CLASSES = 3
_MOST_CLIPS = 3  # clips that the sentence names
MOST_CLIPS = 50  # clips that the table names
MOST_CONFUSIONS = 10


@dataclass(frozen=True, slots=True)
class ClassErrors:
    """The best run's errors on the clips of one class."""

    name: str
    # its clips, and how many the best run gets wrong
    n: int
    wrong: int
    interval: Interval  # of the fraction that is wrong, at 95%
    mean_wrong: float  # the fraction that is wrong, on average over all runs
    # the class that the best run predicts for most of the wrong clips, the first by name of several
    taken_for: str | None
    taken: int  # the number of these clips
    also_taken_for: tuple[str, ...] = ()  # the classes that it predicts for as many


@dataclass(frozen=True, slots=True)
class WrongClip:
    """A clip that every run gets wrong."""

    clip: str
    label: str
    taken_for: str  # the class that most runs predict
    agreeing: int  # the number of these runs
    also_taken_for: tuple[str, ...] = ()  # the classes that as many runs predict


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often runs take one class for another."""

    label: str
    predicted: str
    errors: int  # clips, once for each run that does


@dataclass(frozen=True, slots=True)
class Classes(Details):
    """The evidence."""

    best: str | None = None  # id of the run whose errors are counted
    runs: int = 0  # runs with predictions
    classes: tuple[ClassErrors, ...] = ()  # the class with the largest fraction of wrong clips first, then by name
    always_wrong: tuple[WrongClip, ...] = ()  # at most `MOST_CLIPS`, the clips on which most runs agree first
    n_always_wrong: int = 0  # such clips in all
    errors: int = 0  # clips that runs get wrong, once for each run
    confusions: tuple[Confusion, ...] = ()  # of all runs, at most `MOST_CONFUSIONS`, the most frequent first

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return where the best run's errors are, and which clips every run gets wrong."""
        if conclusion.verdict == "unknown" or self.best is None:
            return "Errors by class are unknown: no run's predictions were logged."
        return " ".join([_errors_text(self, wording.run(self.best)), *_always_wrong_text(self)])

    @property
    def has_labels(self) -> bool:
        """Whether the classes are known, and not only which clips are correct."""
        return all(errors.name != NO_LABEL for errors in self.classes)

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return the errors by class, and the clips that every run gets wrong."""
        del in_points
        if not self.has_labels:
            wrong = tuple((clip.clip,) for clip in self.always_wrong)
            return (Table("Clips that every run gets wrong", ("clip",), wrong),) if wrong else ()
        clips = [(c.clip, c.label, _taken_for(c), str(c.agreeing)) for c in self.always_wrong]
        known = any(is_informative(c.interval) for c in self.classes)
        of_classes = ("class", "wrong in the best run", *(["95% interval"] if known else []), "wrong on average",
                      "most often predicted")  # fmt: skip
        classes = []
        for c in self.classes:
            interval = [percent_interval_cell(c.interval) if is_informative(c.interval) else "too few clips"]
            mean, name = percent_cell(c.mean_wrong), _taken_for(c) or NONE
            classes.append((c.name, f"{c.wrong:,} of {c.n:,}", *(interval if known else []), mean, name))
        of_clips = ("clip", "label", "most often predicted", "by runs")
        tables = (
            Table("Errors by class", of_classes, tuple(classes)),
            Table("Clips that every run gets wrong", of_clips, tuple(clips)),
        )
        return tuple(table for table in tables if table.rows)


def classes(study: Study) -> Iterator[Conclusion]:
    """Conclude on each set of clips; one `unknown` conclusion if no run has predictions."""
    known = [clips for clips in study.clip_sets if clips.with_predictions]
    if study.results and not known:
        yield Conclusion("classes", "unknown", study.run_ids, Classes())
    for clips in known:
        runs = clips.with_predictions
        best = min(runs, key=lambda run: study.rank_of.get(run, len(study.results)))
        predicted = [study.results[run].predicted_names for run in runs]
        row, labels = clips.row_of[best], np.array(clips.labels)
        members = {name: np.flatnonzero(labels == name) for name in set(clips.labels)}
        errors = [_class_errors(clips, name, of_class, row, predicted[row]) for name, of_class in members.items()]
        wrong: list[WrongClip] = []
        for clip in np.flatnonzero(~clips.correct.any(axis=0)) if len(runs) >= FEWEST_RUNS else ():
            names, agreeing = _most_common(of_run[clip] for of_run in predicted)
            wrong.append(WrongClip(clips.clips[clip], clips.labels[clip], names[0], agreeing, names[1:]))
        pairs = Counter(
            (clips.labels[clip], of_run[clip])
            for of_run, is_correct in zip(predicted, clips.correct, strict=True)
            for clip in np.flatnonzero(~is_correct)
        )
        frequent = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_CONFUSIONS]
        details = Classes(
            best=study.results[best].run_id,
            runs=len(runs),
            classes=tuple(sorted(errors, key=lambda part: (-part.wrong / part.n, -part.wrong, part.name))),
            always_wrong=tuple(sorted(wrong, key=lambda clip: (-clip.agreeing, clip.clip))[:MOST_CLIPS]),
            n_always_wrong=len(wrong),
            errors=pairs.total(),
            confusions=tuple(Confusion(label, name, number) for (label, name), number in frequent),
        )
        yield Conclusion("classes", "exact", study.ids(runs), details, n=len(clips.clips))


def _class_errors(
    clips: ClipSet, name: str, members: NDArray[np.int64], row: int, predicted: Sequence[str]
) -> ClassErrors:
    """Count the errors of the run in a row on the members of one class."""
    wrong = ~clips.correct[:, members]
    n, number = len(members), int(wrong[row].sum())
    groups = [clips.groups[clip] for clip in members] if clips.groups else []
    interval = grouped_wilson(wrong[row], groups) if groups else wilson(number, n)
    others = _most_common(predicted[clip] for clip in members[wrong[row]] if predicted[clip] != name)
    names, taken = others
    return ClassErrors(name, n, number, interval, float(wrong.mean()), names[0] if names else None, taken, names[1:])


def _most_common(names: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Return the names that occur most often, by alphabet, and how often each does."""
    counts = Counter(names)
    most = max(counts.values(), default=0)
    return tuple(sorted(name for name, number in counts.items() if number == most)), most


def _taken_for(errors: ClassErrors | WrongClip) -> str:
    """Return ``jazz``, ``hiphop or jazz`` if both were predicted as often, nothing if none was."""
    return "" if errors.taken_for is None else listing([errors.taken_for, *errors.also_taken_for], "or")


def _errors_text(details: Classes, best: str) -> str:
    wrong = [errors for errors in details.classes if errors.wrong]
    if not wrong:
        return f"{capitalised(best)} gets every validation clip correct."
    named = [f"{errors.wrong:,} of {errors.n:,} in {errors.name}{_remark(errors)}" for errors in wrong[:_MOST_CLASSES]]
    rest = sum(errors.wrong for errors in wrong[_MOST_CLASSES:])
    if rest:
        named.append(f"{rest} in other classes")
    total, n = (sum(numbers) for numbers in zip(*((e.wrong, e.n) for e in details.classes), strict=True))
    if not details.has_labels:
        return f"{capitalised(best)} gets {total:,} of {n:,} validation clips wrong."
    return f"{capitalised(best)} gets {total:,} of {n:,} validation clips wrong: {listing(named)}."


def _remark(errors: ClassErrors) -> str:
    """Return for which class most of the wrong clips were taken, or that several were predicted as often."""
    if errors.taken_for is None:
        return ""
    if errors.also_taken_for:
        also = [errors.taken_for, *errors.also_taken_for]
        return f" (taken for {listing(also)} {'once' if errors.taken == 1 else f'{errors.taken} times'} each)"
    some = "" if errors.taken == errors.wrong else f"{errors.taken} "
    return f" ({some}taken for {errors.taken_for})"


def _always_wrong_text(details: Classes) -> list[str]:
    n, shown = details.n_always_wrong, []
    if not n:
        return []
    for clip in details.always_wrong[:_MOST_CLIPS]:
        agreed = "by all" if clip.agreeing == details.runs else f"by {clip.agreeing}"
        agreed += " each" if clip.also_taken_for else ""
        remark = f" ({clip.label}, taken for {_taken_for(clip)} {agreed})" if details.has_labels else ""
        shown.append(f"{clip.clip}{remark}")
    rest = f" and {n - len(shown)} more" if n > len(shown) else ""
    verb, check = ("is", "its label") if n == 1 else ("are", "their labels")
    head = f"{capitalised(count_words(n, 'clip'))} {verb} wrong in all {details.runs} runs"
    return [f"{head}: {', '.join(shown)}{rest}. Check {check}."]


KIND = Kind(
    name="classes",
    title="Classes and clips",
    conclude=classes,
)
