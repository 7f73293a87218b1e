"""Would a shorter patience have been enough? Early stopping replayed on every run's own validation loss."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.conclusion import Table
from tracker.conclusions.early_stopping import USUAL, EarlyStopping, Patience
from tracker.wording import NONE, capitalised, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.answers.answer import Findings
    from tracker.conclusions.conclusion import Conclusion

_MOST_ROWS = 12  # runs in the table
_MOST_IN_WORDS = 4  # runs whose answers are said one by one
_RULE_OF_THUMB = 10  # the patience that the answer speaks of if there are many runs

_Found = tuple["Conclusion", EarlyStopping]


def patience(findings: Findings) -> Answer | None:
    """Return what a shorter patience would have done; None if none of those asked about would have ended a run."""
    found = findings.with_details("early_stopping", EarlyStopping)
    known = [pair for pair in findings.best_first(found) if _ends_early(pair[1])]
    if not known:
        return None
    few = len(known) <= _MOST_IN_WORDS
    return Answer(
        "patience",
        "Would a shorter patience have been enough?",
        "Replay",
        _by_run_text(findings, known) if few else _overall_text(known),
        conclusions=tuple(conclusion.id for conclusion, _ in known),
        tables=_table(findings, known),
    )


def _ends_early(details: EarlyStopping) -> bool:
    return details.enough is not None or any(answer.epochs_saved for answer in details.patiences)


def _by_run_text(findings: Findings, known: Sequence[_Found]) -> str:
    """Return the answer for each run, once for those that have the same."""
    runs_of: dict[str, list[str]] = {}
    for conclusion, details in known:
        runs_of.setdefault(_run_text(findings, conclusion, details), []).append(conclusion.runs[0])
    return " ".join(f"{capitalised(findings.wording.runs(runs))}: {text}" for text, runs in runs_of.items())


def _run_text(findings: Findings, conclusion: Conclusion, details: EarlyStopping) -> str:
    """Return the smallest patience that would have been enough for a run, and what a common one would have cost."""
    enough = details.sufficient
    asked = _at(details, _RULE_OF_THUMB)
    costs = ""
    if asked is not None and not asked.censored and asked.kept_epoch != details.kept_epoch and asked.epochs_saved:
        clips = _clips_text(findings, conclusion, asked)
        costs = f"; with {asked.patience} it would have stopped at epoch {asked.stop_epoch}{clips}"
    if enough is None:
        return f"none shorter would have kept the same weights{costs}."
    saved = counted(enough.epochs_saved or 0, "epoch")
    return f"{enough.patience}, saving {saved}{costs}."


def _clips_text(findings: Findings, conclusion: Conclusion, asked: Patience) -> str:
    result = findings.study.results[findings.study.index_of[conclusion.runs[0]]]
    if asked.correct is None or result.correct is None:
        return f" and kept epoch {asked.kept_epoch}"
    instead = f"instead of {result.correct}" if asked.correct != result.correct else "as before"
    return f" with {counted(asked.correct, 'clip')} correct {instead}"


def _overall_text(known: Sequence[_Found]) -> str:
    """Return for how many runs a common patience would have kept the same weights."""
    answers = [(details, answer) for _, details in known if (answer := _at(details, _RULE_OF_THUMB)) is not None]
    same = [answer for details, answer in answers if answer.kept_epoch == details.kept_epoch and answer.epochs_saved]
    other = [answer for details, answer in answers if answer.kept_epoch != details.kept_epoch and answer.epochs_saved]
    saved = sum(answer.epochs_saved or 0 for answer in same)
    smallest = Counter(answer.patience for _, details in known if (answer := details.sufficient) is not None)
    needed = max(smallest, default=None)
    saving = f" and saved {counted(saved, 'epoch')} in all" if saved else ""
    kept = f"kept the same weights in {len(same)} of {counted(len(known), 'run')}"
    head = f"Patience {_RULE_OF_THUMB} would have {kept}{saving}"
    loses = f"; in {counted(len(other), 'run')} it would have stopped before the best epoch" if other else ""
    every = f" For every run that a shorter patience leaves unchanged, {needed} is enough." if needed else ""
    return f"{head}{loses}.{every}"


def _at(details: EarlyStopping, number: int) -> Patience | None:
    return next((answer for answer in details.patiences if answer.patience == number), None)


def _table(findings: Findings, known: Sequence[_Found]) -> tuple[Table, ...]:
    """Return a row a run, with what each patience would have kept."""
    rows = []
    for conclusion, details in known[:_MOST_ROWS]:
        cells = [_cell(_at(details, number), details) for number in USUAL]
        own = NONE if details.own is None else str(details.own)
        smallest = NONE if details.enough is None else str(details.enough.patience)
        run = capitalised(findings.wording.run(conclusion.runs[0]))
        ended = f"{details.stop_epoch} (keeps {details.kept_epoch or NONE})"
        rows.append((run, own, ended, *cells, smallest))
    header = ("run", "its patience", "ended at epoch", *(f"with {number}" for number in USUAL), "smallest enough")
    more = "" if len(known) <= _MOST_ROWS else f" (the best {_MOST_ROWS} of {len(known)} runs)"
    return (Table(f"Where other patiences would have stopped{more}", header, tuple(rows)),)


def _cell(answer: Patience | None, details: EarlyStopping) -> str:
    """Return where a patience would have stopped, the epoch it keeps and the clips correct there."""
    if answer is None or answer.censored or not answer.epochs_saved:
        return "no earlier"
    clips = "" if answer.correct is None else f", {answer.correct} correct"
    kept = "same weights" if answer.kept_epoch == details.kept_epoch else f"keeps {answer.kept_epoch or NONE}{clips}"
    return f"{answer.stop_epoch} ({kept})"
