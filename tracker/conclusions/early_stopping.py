"""What other patiences of early stopping would have done to a run, replayed on its own validation loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Table, Verdict
from tracker.replay import Stop, early_stoppings
from tracker.runs.logged import correct
from tracker.study.options import as_whole
from tracker.study.run_results import RunResult, every_epoch, keeps_last, keeps_numbers
from tracker.wording import count, duration, loss_cell, whole_cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tracker.study.study import Study
    from tracker.wording import Wording

_METHOD = "Patiences are replayed on the logged validation loss as Keras' EarlyStopping counts them."
PATIENCES = (1, 2, 3, 5, 10, 15, 20, 30)  # patiences that are always replayed, in epochs, in addition to the run's own


@dataclass(frozen=True, slots=True)
class Patience:
    """What one patience would have done; its epochs are None if the run is too short to know."""

    patience: int  # epochs
    stop_epoch: int | None
    kept_epoch: int | None  # also None if no validation loss was finite before the stop
    epochs_saved: int | None
    censored: bool
    val_loss: float | None = None  # of the weights it would have kept
    # validation clips that these weights classify correctly, and that they and the kept ones judge differently, if
    # predictions were logged by epoch
    correct: int | None = None
    clips_changed: int | None = None


@dataclass(frozen=True, slots=True)
class EarlyStopping(Details):
    """The evidence: every patience, ascending."""

    exact_label: ClassVar[str] = "Replay"

    patiences: tuple[Patience, ...] = ()
    own: int | None = None  # the run's own patience
    # of the run itself
    stop_epoch: int | None = None
    kept_epoch: int | None = None
    epoch_seconds: float | None = None  # on average
    keeps_last: bool = False  # whether the run keeps its last weights
    enough: Patience | None = None  # the shortest of all patiences that keeps the same weights in fewer epochs

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return what other patiences would have done to the run."""
        run = wording.run(conclusion.runs[0])
        earlier = [answer for answer in self.patiences if answer.epochs_saved and answer.patience != self.own]
        if not self.patiences:
            why = "its validation loss was not logged for every epoch"
            return f"What another patience would have done to {run} cannot be said: {why}."
        if not earlier and self.enough is None:
            if all(answer.censored for answer in self.patiences):
                return f"No patience asked about would have stopped {run} within its {self.stop_epoch} epochs."
            return f"No patience asked about would have ended {run} before epoch {self.stop_epoch}."
        same = [answer for answer in earlier if answer.kept_epoch == self.kept_epoch]
        return _answer_text(run, same[0] if same else self.enough or earlier[-1], self)

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return a row for each patience."""
        del in_points
        header = ("patience", "stops at epoch", "epochs saved", "keeps epoch", "its loss", "its clips right")
        rows = []
        for p in sorted({*self.patiences, *filter(None, [self.enough])}, key=attrgetter("patience")):
            name = f"{p.patience} (its own)" if p.patience == self.own else str(p.patience)
            stop = "beyond what was run" if p.censored else whole_cell(p.stop_epoch)
            saved, kept, right = map(whole_cell, (p.epochs_saved, p.kept_epoch, p.correct))
            rows.append((name, stop, saved, kept, loss_cell(p.val_loss), right))
        return (Table("What other patiences would have done", header, tuple(rows)),) if rows else ()


def early_stopping(study: Study) -> Iterator[Conclusion]:
    """Conclude on each run; `unknown` if a validation loss is missing, or the run is too short for every patience."""
    for result in study.results:
        own, values = as_whole(result.run.params.get("early_stopping_patience")), every_epoch(result.curves.val_loss)
        stop = result.stop_epoch if values is None else len(values)
        details = EarlyStopping((), own, stop, result.kept_epoch, result.epoch_seconds, keeps_last(result.run))
        verdict: Verdict = "unknown"
        if values is not None and stop is not None:
            listed = sorted({*PATIENCES, *([own] if own is not None else [])})
            every = sorted({*listed, *range(1, len(values))})
            stops = dict(zip(every, _stops(result, values, every), strict=True))
            answers = tuple(_answer(result, values, patience, stops[patience]) for patience in listed)
            same = [p for p, s in stops.items() if s.kept_epoch == result.kept_epoch and (s.stop_epoch or stop) < stop]
            enough = None
            if same and result.kept_epoch is not None:
                enough = _answer(result, values, same[0], stops[same[0]])
            details = replace(details, patiences=answers, enough=enough)
            verdict = "unknown" if all(answer.censored for answer in answers) else "exact"
        n = result.n if details.patiences else None
        yield Conclusion("early_stopping", verdict, (result.run_id,), details, n=n)


def _answer(result: RunResult, values: NDArray[np.float64], patience: int, stop: Stop) -> Patience:
    if stop.stop_epoch is None:
        return Patience(patience, None, None, None, censored=True)
    kept = stop.kept_epoch
    loss = math.nan if kept is None else float(values[kept - 1])
    before, after = (_correct(result, epoch) for epoch in (result.kept_epoch, kept))
    return Patience(
        patience,
        stop.stop_epoch,
        kept,
        len(values) - stop.stop_epoch,
        censored=False,
        val_loss=loss if math.isfinite(loss) else None,
        correct=None if after is None else int(after.sum()),
        clips_changed=None if before is None or after is None else int((before != after).sum()),
    )


def _stops(result: RunResult, values: NDArray[np.float64], patiences: Sequence[int]) -> tuple[Stop, ...]:
    """Replay patiences as Keras does, but with the run's own rule for which weights are kept."""
    replayed = early_stoppings(values, patiences)
    if not keeps_numbers(result.run) and not keeps_last(result.run):  # Keras itself restores the best
        return replayed
    epochs, keeps = np.arange(1, len(values) + 1), np.isfinite(values) | (not keeps_numbers(result.run))
    if not keeps_last(result.run):
        lowest = np.minimum.accumulate(np.where(keeps, values, np.inf))
        keeps &= values < np.concatenate([[np.inf], lowest[:-1]])
    kept = np.maximum.accumulate(np.where(keeps, epochs, 0))  # the epoch whose weights are kept after each; 0 for none
    return tuple(Stop(at, int(kept[at - 1]) or None) if (at := stop.stop_epoch) else stop for stop in replayed)


def _correct(result: RunResult, epoch: int | None) -> NDArray[np.bool_] | None:
    """Return which clips an epoch's weights classify correctly, None if its predictions were not logged."""
    by_epoch = result.by_epoch
    if by_epoch is None or epoch is None or epoch > len(by_epoch.probabilities):
        return None
    return correct(by_epoch.probabilities[epoch - 1], by_epoch.labels, by_epoch.classes)


def _answer_text(run: str, answer: Patience, details: EarlyStopping) -> str:
    """Return what a patience that stops earlier would have done to the run."""
    instead = f" instead of {details.own}" if details.own is not None else ""
    ended = f"would have ended {run} at epoch {answer.stop_epoch} instead of {details.stop_epoch}"
    stopping = f"Stopping with patience {answer.patience}{instead} {ended}"
    if answer.kept_epoch is None:
        return f"{stopping}, with nothing to keep: no validation loss was a finite number until then."
    if answer.kept_epoch == details.kept_epoch:
        saved = answer.epochs_saved or 0
        time = f", {duration(saved * details.epoch_seconds)}," if details.epoch_seconds is not None else ""
        same = f"the same weights (epoch {answer.kept_epoch})"
        return f"{stopping} and kept {same}: {count(saved, 'epoch')}{time} saved, and not one clip changed."
    if details.kept_epoch is None:
        return f"{stopping}, with the weights of epoch {answer.kept_epoch}."
    changed = ", which judge every validation clip the same" if answer.clips_changed == 0 else ""
    if answer.clips_changed:
        changed = f", which judge {count(answer.clips_changed, 'validation clip')} otherwise"
    earlier = f"No patience would have ended {run} earlier and kept its weights of epoch {details.kept_epoch}"
    other = f"would have ended it at epoch {answer.stop_epoch} with those of epoch {answer.kept_epoch}{changed}"
    return f"{earlier}: patience {answer.patience}{instead} {other}."


KIND = Kind(
    name="early_stopping",
    title="Early stopping",
    conclude=early_stopping,
    methods=lambda _, found: {_METHOD for conclusion in found if conclusion.verdict == "exact"},
    # what a shorter patience would have saved the run in focus
    headlines=lambda found, focus: [
        c for c in found if c.runs == (focus,) and isinstance(c.details, EarlyStopping) and c.details.enough
    ][:1],
    headline_rank=4,
)
