"""Did the models overfit? Training and validation loss after the best epoch, and the gap between the two accuracies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.conclusion import Table
from tracker.conclusions.overfitting import Overfitting
from tracker.wording import (
    NONE,
    capitalised,
    losses,
    percent,
    percent_cell,
    points_interval,
    points_interval_cell,
    short_loss,
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
    sentence = f"{_verdict_text(findings, known)} {_example_text(findings, *first)}"
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
    if len(clear) == len(known):
        return "Yes." if len(known) < 3 else f"Yes, all {len(known)}."
    if clear:
        return f"{capitalised(findings.who(clear))} did."
    if len(kept) == len(known):
        return "The curves show no sign of it." if len(known) < 3 else "The curves of no run show it."
    return "The curves do not show it clearly."


def _example_text(findings: Findings, conclusion: Conclusion, details: Overfitting) -> str:
    """Return what the losses of a run did after its best epoch, and how much better it is on its training clips."""
    run, text = findings.wording.run(conclusion.runs[0]), ""
    if None not in (details.best_loss, details.last_loss, details.best_val_loss, details.last_val_loss):
        before, after = losses(details.best_loss or 0.0, details.last_loss or 0.0)
        low, end = losses(details.best_val_loss or 0.0, details.last_val_loss or 0.0)
        course = f"training loss went from {before} to {after} and validation loss from {low} to {end}"
        text = f"After epoch {details.best_epoch}, the best of {run}, {course}."
        if details.last_epoch == details.best_epoch:
            text = f"{capitalised(run)}'s validation loss was lowest at its last epoch, {details.last_epoch}."
    return f"{text} {_gap_text(details)}".strip()


def _gap_text(details: Overfitting) -> str:
    """Return by how much a run's kept weights are better on the training clips."""
    gap = details.gap
    if gap is None:
        return ""
    fit, validation = percent(gap.train_accuracy), percent(gap.val_accuracy)
    if fit == validation:
        return f"Its kept weights have {fit} correct on training and on validation clips alike."
    meaning = "a gap that could be chance" if gap.interval[0] <= 0 <= gap.interval[1] else "more than chance explains"
    interval = f"95% interval {points_interval(gap.interval)} points"
    return (
        f"Its kept weights have {fit} correct on training and {validation} on validation clips, {meaning} ({interval})."
    )


def _table(findings: Findings, known: Sequence[tuple[Conclusion, Overfitting]]) -> tuple[Table, ...]:
    rows = []
    for conclusion, details in known[:_MOST_ROWS]:
        gap = details.gap
        course = [f"{short_loss(a)} → {short_loss(b)}" if None not in (a, b) else NONE for a, b in (
            (details.best_loss, details.last_loss), (details.best_val_loss, details.last_val_loss))]  # fmt: skip
        answer = {True: "yes", False: "no", None: "cannot tell"}[details.overfits]
        accuracies = (
            [percent_cell(fraction) for fraction in (gap.train_accuracy, gap.val_accuracy)] if gap else [NONE] * 2
        )
        interval = points_interval_cell(gap.interval if gap else None)
        epochs = NONE if details.best_epoch is None else f"{details.best_epoch} → {details.last_epoch}"
        rows.append(
            (capitalised(findings.wording.run(conclusion.runs[0])), epochs, *course, *accuracies, interval, answer)
        )
    header = ("run", "best → last epoch", "training loss", "validation loss", "training accuracy",
              "validation accuracy", "gap, 95% interval", "overfits")  # fmt: skip
    more = "" if len(known) <= _MOST_ROWS else f" (the best {_MOST_ROWS} of {len(known)} runs)"
    return (Table(f"Losses and accuracies{more}", header, tuple(rows)),)
