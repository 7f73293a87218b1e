"""Would a shorter patience have been enough? Early stopping replayed on every run's own validation loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.conclusion import Table
from tracker.conclusions.early_stopping import USUAL, EarlyStopping, Patience
from tracker.wording import NONE, capitalised, counted, listing, number_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.answers.answer import Findings
    from tracker.conclusions.conclusion import Conclusion

_MOST_ROWS = 12  # runs in the table
_MOST_COUNTED = 2  # runs whose correct clips are told one by one
_RULE_OF_THUMB = 10  # the patience that people try first
_LONGEST_WORD = 10  # runs from which on they are counted in figures
_LITTLE = 0.2  # share of the epochs below which saving them is called little

_Found = tuple["Conclusion", EarlyStopping]


def patience(findings: Findings) -> Answer | None:
    """Return what a shorter patience would have done; None if none of those asked about would have ended a run."""
    found = findings.with_details("early_stopping", EarlyStopping)
    known = [pair for pair in findings.best_first(found) if _ends_early(pair[1])]
    if not known:
        return None
    enough = [pair for pair in known if pair[1].enough is not None]
    replayed = sum(bool(details.patiences) for _, details in found)
    first = _enough_text(findings, enough, replayed) if enough else _not_enough_text(findings, known)
    rule = _rule_of_thumb_text(findings, known) if enough else ""
    return Answer(
        "patience",
        "Would a shorter patience have been enough?",
        "Replay",
        " ".join(filter(None, [first, rule, _other_metric_text(findings, known)])),
        conclusions=tuple(conclusion.id for conclusion, _ in known),
        tables=_table(findings, known),
    )


def _ends_early(details: EarlyStopping) -> bool:
    return details.enough is not None or any(answer.epochs_saved for answer in details.patiences)


def _enough_text(findings: Findings, enough: Sequence[_Found], replayed: int) -> str:
    """Return for how many of the runs that were replayed a shorter patience keeps the same weights, and its saving."""
    (conclusion, details), *others = enough
    if replayed == 1 and details.enough is not None:
        same = "found the same best epoch" if details.kept_epoch is None else "kept the same weights"
        ended = f"ended training at epoch {details.enough.stop_epoch:,} instead of {details.stop_epoch:,}"
        return f"Yes: patience {details.enough.patience} would have {same} and {ended}."
    saved = sum(of_run.enough.epochs_saved or 0 for _, of_run in enough if of_run.enough)
    trained = sum(of_run.stop_epoch or 0 for _, of_run in enough)
    if len(enough) == replayed:
        head = f"Yes, for {_all_of(replayed)}"
    elif others:
        words = number_word if replayed < _LONGEST_WORD else "{:,}".format
        only = "Only for" if 2 * len(enough) < replayed else "For"
        head = f"{only} {words(len(enough))} of the {words(replayed)} runs"
    else:
        head = f"Only for {findings.who([conclusion.runs[0]])}"
    amount = f"{saved:,} of {counted(trained, 'epoch')}"
    if saved < _LITTLE * trained:
        return f"{head}, but it would have saved little: {amount}."
    return f"{head}, saving {amount}."


def _all_of(number: int) -> str:
    return "both" if number == 2 else f"all {number_word(number)}"


def _not_enough_text(findings: Findings, known: Sequence[_Found]) -> str:
    """Return that whatever ends a run earlier changes its weights."""
    if all(details.keeps_last for _, details in known):
        keep = "the run keeps its" if len(known) == 1 else "the runs keep their"
        return f"No: {keep} last weights, which any earlier stop changes."
    run = findings.wording.run(known[0][0].runs[0]) if len(known) == 1 else "a run"
    return f"No: every patience short enough to end {run} earlier also stops it before its best epoch."


def _rule_of_thumb_text(findings: Findings, known: Sequence[_Found]) -> str:
    """Return in which runs a common patience would have stopped too early, and with how many clips correct."""
    asked = [(c.runs[0], details, _at(details, _RULE_OF_THUMB)) for c, details in known if not details.keeps_last]
    acting = [(run, details, answer) for run, details, answer in asked if answer is not None and answer.epochs_saved]
    lost = [(run, answer) for run, details, answer in acting if answer.kept_epoch != details.target]
    if not lost:
        enough = f"Patience {_RULE_OF_THUMB} would have been enough for {_all_of(len(acting))}."
        return enough if len(acting) == len(known) > 1 else ""
    lost.sort(key=lambda pair: findings.wording.numbers[pair[0]])
    who, its = findings.who([run for run, _ in lost]), "its" if len(lost) == 1 else "their"
    head = f"Patience {_RULE_OF_THUMB} would have stopped {who} before {its} best epoch"
    counts = [(answer.correct, findings.study.results[findings.study.index_of[run]].correct) for run, answer in lost]
    if len(lost) > _MOST_COUNTED or any(None in pair for pair in counts):
        return f"{head}."
    after, before = ([str(correct) for correct in numbers] for numbers in zip(*counts, strict=True))
    if after == before:
        return f"{head}, with as many clips correct."
    clips = "clip" if after == ["1"] else "clips"
    return f"{head}, with {listing(after)} {clips} correct instead of {listing(before)}."


def _other_metric_text(findings: Findings, known: Sequence[_Found]) -> str:
    """Return which runs' own early stopping watched another metric than the one that is replayed."""
    others = {c.runs[0]: details.own_metric for c, details in known if details.own_metric is not None}
    if not others:
        return ""
    who, metrics = findings.who(list(others)), listing(list(dict.fromkeys(filter(None, others.values()))))
    return f"This is about validation loss; {who} watched {metrics}."


def _at(details: EarlyStopping, number: int) -> Patience | None:
    return next((answer for answer in details.patiences if answer.patience == number), None)


def _table(findings: Findings, known: Sequence[_Found]) -> tuple[Table, ...]:
    """Return a row a run, with what each patience would have kept."""
    rows = []
    for conclusion, details in known[:_MOST_ROWS]:
        cells = [_cell(_at(details, number), details) for number in USUAL]
        own = NONE if details.own_is_unknown else "none" if details.own is None else str(details.own)
        if details.own_metric is not None:
            own = f"{details.own_metric_patience} on {details.own_metric}"
        smallest = "none" if details.enough is None else str(details.enough.patience)
        run = capitalised(findings.wording.run(conclusion.runs[0]))
        kept = "" if details.kept_epoch is None else f" (keeps {details.kept_epoch})"
        rows.append((run, own, f"{details.stop_epoch or NONE}{kept}", *cells, smallest))
    header = ("run", "its patience", "ended at epoch", *(f"with {number}" for number in USUAL), "shortest enough")
    on_loss = next((details.on_loss for _, details in known if details.on_loss), "")
    more = "" if len(known) <= _MOST_ROWS else f" (the best {_MOST_ROWS} of {len(known)} runs)"
    return (Table(f"Where other patiences{on_loss} would have stopped{more}", header, tuple(rows)),)


def _cell(answer: Patience | None, details: EarlyStopping) -> str:
    """Return where a patience would have stopped, the epoch it keeps and the clips correct there."""
    if answer is None or answer.censored or not answer.epochs_saved:
        return "no earlier"
    if answer.kept_epoch is None:
        return f"{answer.stop_epoch} (keeps nothing)"
    clips = "" if answer.correct is None else f", {answer.correct} correct"
    same = "same weights" if details.kept_epoch is not None else "same best epoch"
    kept = same if answer.kept_epoch == details.target else f"keeps {answer.kept_epoch}{clips}"
    return f"{answer.stop_epoch} ({kept})"
