"""Did the models overfit? Training and validation loss after the best epoch, and the gap between the two accuracies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.conclusion import Table
from tracker.conclusions.overfitting import Overfitting, end_text
from tracker.wording import (
    NONE,
    begun,
    capitalised,
    counted,
    is_informative,
    losses,
    metric_text,
    number_word,
    percent,
    percent_cell,
    points_interval,
    points_interval_cell,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.answers.answer import Findings
    from tracker.conclusions.conclusion import Conclusion

_MOST_ROWS = 12  # runs in the table


def overfitting(findings: Findings) -> Answer | None:
    """Return which runs overfit; None if no run logged its losses by epoch."""
    found = findings.with_details("overfitting", Overfitting)
    known = [
        (c, details)
        for c, details in findings.best_first(found)
        if details.overfits is not None or details.gap is not None
    ]
    if not known:
        return None
    first = _first(findings, known)
    sentence = f"{_verdict_text(findings, known)} {_example_text(findings, *first)}".strip()
    return Answer(
        "overfitting",
        "Did the models overfit?" if len(found) > 1 else "Did the model overfit?",
        "Observed" if first[1].gap is None else "Estimate",
        sentence,
        conclusions=tuple(c.id for c, _ in known),
        tables=_table(findings, known),
    )


def _first(findings: Findings, known: Sequence[tuple[Conclusion, Overfitting]]) -> tuple[Conclusion, Overfitting]:
    """Return the run that the answer describes: the best one if it overfits or none does, else the best that does."""
    of_best = [pair for pair in known if pair[0].runs == (findings.best_run,)]
    clear = [pair for pair in known if pair[1].overfits and findings.drawn.issuperset(pair[0].runs)]
    return next(iter([*(pair for pair in of_best if pair in clear), *clear, *of_best, *known]))


def _verdict_text(findings: Findings, known: Sequence[tuple[Conclusion, Overfitting]]) -> str:
    clear = [c.runs[0] for c, details in known if details.overfits]
    kept = [c.runs[0] for c, details in known if details.overfits is False]
    every = "" if len(known) == 1 else f", {'both' if len(known) == 2 else f'all {number_word(len(known))}'}"
    if len(clear) == len(known):
        return f"Yes{every}."
    if clear:
        rest = len(known) - len(clear)
        some = findings.who(clear)
        if not findings.drawn.issuperset([*clear, *kept]):
            some, kept_words = f"{len(clear)} of {counted(len(known), 'run')}", f"the other {number_word(rest)}"
        else:
            kept_words = findings.who(kept) if kept else ""
        return f"{capitalised(some)} did{f'; {kept_words} did not' if len(kept) == rest else ''}."
    unclear = len(findings.of_kind("overfitting")) - len(known)
    if len(kept) == len(known):
        if unclear:
            shows = "shows" if len(kept) == 1 else "show"
            others = "the other run" if unclear == 1 else f"the other {number_word(unclear)} runs"
            return f"{capitalised(findings.who(kept))} {shows} no sign of it; for {others} it is unclear."
        return "Not by the curves." if len(known) == 1 else "No run's curves show a sign of it."
    return "The curves leave it open."


def _example_text(findings: Findings, conclusion: Conclusion, details: Overfitting) -> str:
    """Return what the losses of a run did after its best epoch, and how much better it is on its training clips."""
    run, text = findings.wording.run(conclusion.runs[0]), ""
    best, last, unit, (_, validation_loss) = details.best, details.last, details.unit, details.names
    where = f"With {run}'s kept weights"
    values = (details.best_loss, details.last_loss), (details.best_val_loss, details.last_val_loss)
    courses = [_course(name, *pair) for name, pair in zip(details.names, values, strict=True)]
    if courses[1] and (courses[0] or unit == "round" or details.overfits is False):
        text = f"After {run}'s best {unit}, {best:,}, {' and '.join(filter(None, courses))}."
        if details.overfits is False and details.still_falling:
            text = f"{begun(validation_loss)} of {run} {end_text(details)}."
        elif details.overfits is False:
            text = f"After {run}'s best {unit}, {best:,}, neither loss moved by more than it fluctuates."
        elif last == best:
            text = f"{begun(validation_loss)} of {run} was lowest at its last {unit}, {last:,}."
        where = "At that epoch" if details.kept_epoch == best else where
    return f"{text} {_gap_text(details, where)}".strip()


def _course(what: str, before: float | None, after: float | None) -> str:
    """Return what a loss did from the best epoch or round to the last, nothing if that is unknown."""
    if before is None or after is None:
        return ""
    if before == after:
        return f"{what} stayed at {metric_text(before)}"
    start, end = losses(before, after)
    return f"{what} {'fell' if after < before else 'rose'} from {start} to {end}"


def _gap_text(details: Overfitting, where: str) -> str:
    """Return by how much a run's kept weights are better on the training clips; `where` says which weights."""
    gap = details.gap
    if gap is None:
        return ""
    fit, validation = percent(gap.train_accuracy), percent(gap.val_accuracy)
    if fit == validation:
        return f"{where}, accuracy is {fit} on training and on validation clips alike."
    if details.overfits is False and gap.interval[0] > 0:
        where = f"Yet {where[0].lower()}{where[1:]}"
    both = f"{where}, accuracy is {fit} on training and {validation} on validation clips"
    interval = f"95% interval {points_interval(gap.interval)} points"
    if gap.interval[0] <= 0 <= gap.interval[1]:
        if not is_informative(gap.interval):
            return f"{both}: too few clips to tell whether that gap is chance."
        return f"{both}; that gap could be chance ({interval})."
    return f"{both}, a gap that is more than chance ({interval})."


def _table(findings: Findings, known: Sequence[tuple[Conclusion, Overfitting]]) -> tuple[Table, ...]:
    rows = []
    for conclusion, details in known[:_MOST_ROWS]:
        gap = details.gap
        course = [f"{metric_text(a)} → {metric_text(b)}" if None not in (a, b) else NONE for a, b in (
            (details.best_loss, details.last_loss), (details.best_val_loss, details.last_val_loss))]  # fmt: skip
        answer = {True: "yes", False: "no", None: "cannot tell"}[details.overfits]
        accuracies = (
            [percent_cell(fraction) for fraction in (gap.train_accuracy, gap.val_accuracy)] if gap else [NONE] * 2
        )
        interval = points_interval_cell(gap.interval if gap else None)
        epochs = NONE if details.best is None else f"{details.best} → {details.last}"
        rows.append(
            (capitalised(findings.wording.run(conclusion.runs[0])), epochs, *course, *accuracies, interval, answer)
        )
    units = sorted({details.unit for _, details in known})
    header = ("run", f"best → last {' or '.join(units)}", "training loss", "validation loss", "training accuracy",
              "validation accuracy", "gap, 95% interval", "overfits")  # fmt: skip
    more = "" if len(known) <= _MOST_ROWS else f" (the best {_MOST_ROWS} of {len(known)} runs)"
    return (Table(f"Losses and accuracies{more}", header, tuple(rows)),)
