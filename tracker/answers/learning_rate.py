"""Did lowering the learning rate help? What validation loss did after each cut, and what ended training after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.conclusion import Table
from tracker.conclusions.learning_rate import LearningRate
from tracker.wording import NONE, capitalised, counted, losses, metric_text, rate_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.answers.answer import Findings
    from tracker.conclusions.conclusion import Conclusion

_MOST_ROWS = 24  # cuts in the table
_SHORT = 10  # epochs up to which training after a cut is called short
_Found = tuple["Conclusion", LearningRate]


def learning_rate(findings: Findings) -> Answer | None:
    """Return whether cuts of the learning rate were followed by a lower validation loss; None if no run has a cut."""
    found = findings.with_details("learning_rate", LearningRate)
    cut = [pair for pair in findings.best_first(found) if pair[1].drops]
    if not cut:
        return None
    return Answer(
        "learning_rate",
        "Did lowering the learning rate help?",
        "Observed",
        f"{_helped_text(findings, cut)}{_ended_text(findings, cut)}",
        conclusions=tuple(conclusion.id for conclusion, _ in cut),
        tables=_table(findings, cut),
    )


def _helped_text(findings: Findings, cut: Sequence[_Found]) -> str:
    drops = [(conclusion.runs[0], drop) for conclusion, details in cut for drop in details.drops]
    known = [(run, drop) for run, drop in drops if drop.helped is not None]
    helped = [(run, drop) for run, drop in known if drop.helped]
    if not known:
        return f"Unknown: validation loss was not logged around the {counted(len(drops), 'cut')}."
    lowest = "its earlier minimum"
    if not helped:
        which = "the one cut" if len(known) == 1 else f"any of the {counted(len(known), 'cut')}"
        return f"No: after {which}, validation loss never fell below {lowest}."
    best_run, best = max(helped, key=lambda pair: (pair[1].best_before or 0.0) - (pair[1].best_after or 0.0))
    before, after = losses(best.best_before or 0.0, best.best_after or 0.0)
    if len(known) == 1:
        return f"It may have: after the one cut, validation loss fell to {after}, below {lowest} of {before}."
    if len(helped) == len(known):
        by_run = (
            f" in {findings.who([best_run])}"
            if len({run for run, _ in known}) > 1 and best_run in findings.drawn
            else ""
        )
        each = f"It may have: after each of the {counted(len(known), 'cut')}, validation loss fell below {lowest}"
        return f"{each}; the largest step was from {before} to {after}{by_run}."
    word, only = ("It may have", "") if 2 * len(helped) > len(known) else ("Hardly", "only ")
    runs = dict.fromkeys(run for run, _ in helped)
    where = findings.who(list(runs))
    where = "every run that had one" if len(runs) == len(cut) > 1 else where
    where = f"both in {where}" if len(helped) == 2 and len(runs) == 1 else f"in {where}"
    cuts = f"{only}{len(helped)} of {counted(len(known), 'cut')}"
    head = f"{word}: after {cuts}, {where}, validation loss fell below {lowest}"
    if len(helped) == 1:
        return f"{head}, from {before} to {after}."
    by_run = f" in {findings.who([best_run])}" if len(runs) > 1 and best_run in findings.drawn else ""
    return f"{head}; the largest step was from {before} to {after}{by_run}."


def _ended_text(findings: Findings, cut: Sequence[_Found]) -> str:
    """Return in which runs early stopping ended training before the last cut could show what it does."""
    ended: list[tuple[str, int]] = []
    for conclusion, details in cut:
        last = details.drops[-1]
        if details.stopped_early and not last.helped and last.epochs_after is not None:
            ended.append((conclusion.runs[0], last.epochs_after))
    if not ended:
        return ""
    after = {epochs for _, epochs in ended}
    span = counted(min(after), "epoch") if len(after) == 1 else f"{min(after)} to {counted(max(after), 'epoch')}"
    who = findings.who([run for run, _ in ended])
    if max(after) > _SHORT:
        return f" In {who}, early stopping ended training {span} after the last cut."
    return f" In {who}, early stopping left the last cut only {span} to act."


def _table(findings: Findings, cut: Sequence[_Found]) -> tuple[Table, ...]:
    rows = []
    for conclusion, details in cut:
        for drop in details.drops:
            run = capitalised(findings.wording.run(conclusion.runs[0]))
            change = f"{rate_text(drop.before)} → {rate_text(drop.after)}"
            lowest = [metric_text(loss) for loss in (drop.best_before, drop.best_after)]
            helped = {True: "yes", False: "no", None: NONE}[drop.helped]
            rows.append((run, str(drop.epoch), change, *lowest, helped))
    header = ("run", "after epoch", "learning rate", "lowest loss before", "lowest loss after", "helped")
    more = "" if len(rows) <= _MOST_ROWS else f" ({_MOST_ROWS} of {len(rows)})"
    return (Table(f"Cuts of the learning rate{more}", header, tuple(rows[:_MOST_ROWS])),)
