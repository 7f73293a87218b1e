"""Where are the errors? Clips that every run gets wrong, and the hardest class."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.classes import Classes
from tracker.conclusions.comparisons import cross_validation
from tracker.conclusions.conclusion import Table
from tracker.wording import (
    capitalised,
    count_words,
    counted,
    fixed,
    listing,
    number_word,
    percent,
    percent_cell,
    whole_cell,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.answers.answer import Findings
    from tracker.conclusions.classes import ClassErrors
    from tracker.conclusions.conclusion import Conclusion

_MOST_CLIPS = 3  # clips that are named
_SAME = 1e-9  # difference of two shares of errors up to which they are equal
_HARD = 1.25  # times the mean error of all classes from which a class is called the hardest


def errors(findings: Findings) -> Answer | None:
    """Return which clips and classes carry the errors; None if no run's predictions were logged."""
    found = [pair for pair in findings.with_details("classes", Classes) if pair[1].best is not None]
    if not found:
        return None
    if len(found) > 1 and cross_validation(findings.study) is not None:
        return _over_folds(found)
    conclusion, details = max(found, key=lambda pair: len(pair[0].runs))
    classes = _class_text(findings, details)
    clips = _clips_text(details) or _count_text(findings, details)
    sentences = [classes] if _is_one_class(details) else [clips, classes]
    return Answer(
        "errors",
        "Where are the errors?",
        "Observed",
        " ".join(filter(None, sentences)),
        conclusions=(conclusion.id,),
        tables=details.tables(in_points=True),
        pictures=("confusion", "clips"),
    )


def _over_folds(found: Sequence[tuple[Conclusion, Classes]]) -> Answer:
    """Return the errors on all folds together: each clip is in one of them, and judged by the runs of that one."""
    wrong: dict[str, float] = defaultdict(float)
    clips = Counter[str]()
    for _, details in found:
        for errors in details.classes:
            wrong[errors.name] += errors.mean_wrong * errors.n
            clips[errors.name] += errors.n
    shares = {name: wrong[name] / n for name, n in clips.items()}
    names = sorted(shares, key=lambda name: (-shares[name], name))
    mean, worst = sum(wrong.values()) / sum(clips.values()), shares[names[0]]
    hardest = listing([name for name in names if worst - shares[name] < _SAME])
    several = len(names) > 1 and worst - shares[names[1]] < _SAME
    text = "No class stands out."
    if len(names) > 1 and worst > 0 and worst >= _HARD * mean:
        head = f"The hardest class{'es are' if several else ' is'} {hardest}"
        text = f"{head}: {percent(worst)} of the clips are wrong on average."
    always = sum(details.n_always_wrong for _, details in found)
    their = "is wrong in every run of its fold" if always == 1 else "are wrong in every run of their fold"
    head = f"{capitalised(count_words(always, 'clip'))} {their}."
    rows = tuple((name, whole_cell(clips[name]), percent_cell(shares[name])) for name in names)
    lost = tuple(row for _, details in found for table in details.tables(in_points=True)[1:] for row in table.rows)
    header = next((t.header for _, details in found for t in details.tables(in_points=True)[1:]), ())
    tables = [Table("Errors by class, over all folds", ("class", "clips", "wrong on average"), rows)]
    tables += [Table("Clips that every run of their fold gets wrong", header, lost)] if lost else []
    ids = tuple(conclusion.id for conclusion, _ in found)
    sentence = f"{head} {text}" if always else text
    return Answer("errors", "Where are the errors?", "Observed", sentence, (), ids, tuple(tables))


def _is_one_class(details: Classes) -> bool:
    """Return whether the clips that every run gets wrong are those of one class, all of them."""
    lost = [errors for errors in details.classes if errors.mean_wrong == 1]
    return len(lost) == 1 and details.n_always_wrong == lost[0].n


def _clips_text(details: Classes) -> str:
    if not details.n_always_wrong:
        return ""
    most = _MOST_CLIPS + (details.n_always_wrong == _MOST_CLIPS + 1)  # rather than "1 more"
    named = [clip.clip for clip in details.always_wrong[:most]]
    rest = details.n_always_wrong - len(named)
    listed = listing([*named, *([f"{rest} more"] if rest else [])])
    verb = "is" if details.n_always_wrong == 1 else "are"
    every = f"all {counted(details.runs, 'run')}"
    return f"{capitalised(count_words(details.n_always_wrong, 'clip'))} {verb} wrong in {every}: {listed}."


def _count_text(findings: Findings, details: Classes) -> str:
    """Return how many clips the best run gets wrong."""
    wrong, n = (sum(getattr(errors, name) for errors in details.classes) for name in ("wrong", "n"))
    best = capitalised(findings.wording.run(details.best or ""))
    if not wrong:
        return f"{best} classifies all {n:,} validation clips correctly."
    return f"{best} gets {wrong:,} of {n:,} validation clips wrong."


def _class_text(findings: Findings, details: Classes) -> str:
    """Return the class with the largest share of errors over all runs, if it stands out."""
    if len(details.classes) < 2:
        return ""
    hardest = max(details.classes, key=lambda errors: (errors.mean_wrong, errors.name))
    mean = sum(errors.mean_wrong * errors.n for errors in details.classes) / sum(e.n for e in details.classes)
    if hardest.mean_wrong == 0 or hardest.mean_wrong < _HARD * mean:
        return "No class stands out." if mean else ""
    as_hard = sorted(c.name for c in details.classes if abs(c.mean_wrong - hardest.mean_wrong) < _SAME)
    if len(as_hard) > 1:
        share = percent(hardest.mean_wrong)
        return f"The hardest classes are {listing(as_hard)}: {share} of the clips of each are wrong."
    if hardest.mean_wrong == 1:
        gets = f"all {counted(details.runs, 'run')} get each of its {counted(hardest.n, 'clip')} wrong"
        gets = gets if details.runs > 1 else f"none of its {counted(hardest.n, 'clip')} is correct"
        return f"The hardest class is {hardest.name}: {gets}{_taken_text(findings, details, hardest)}."
    count = hardest.mean_wrong * hardest.n
    number = fixed(count, 0 if abs(count - round(count)) < 0.05 else 1)
    wrong = f"{'' if details.runs == 1 else 'on average '}{number} of its {counted(hardest.n, 'clip')} are wrong"
    return f"The hardest class is {hardest.name}: {wrong}{_taken_text(findings, details, hardest)}."


def _taken_text(findings: Findings, details: Classes, hardest: ClassErrors) -> str:
    if hardest.taken_for is None or not hardest.wrong or details.best is None:
        return ""
    best, each = findings.wording.run(details.best), number_word(hardest.taken)
    if hardest.also_taken_for:
        return f"; {best} mistakes {each} each for {listing([hardest.taken_for, *hardest.also_taken_for])}"
    each = "all" if hardest.taken == hardest.n > 1 else each
    return f"; {best} mistakes {each} of them for {hardest.taken_for}"
