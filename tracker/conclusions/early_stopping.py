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
from tracker.study.run_results import RunResult, every_epoch, keeps_last
from tracker.wording import counted, metric_text, seconds_cell, steps_text, whole_cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tracker.study.histories import LoggedSteps
    from tracker.study.study import Study
    from tracker.wording import Wording

_METHOD = "Patiences are replayed on the logged validation loss as Keras' EarlyStopping counts them."
PATIENCES = (1, 2, 3, 5, 10, 15, 20, 30)  # patiences that are always replayed, in epochs, in addition to the run's own
LEAST_SAVED = 0.1  # fraction of the epochs below which an unusual patience is not worth a sentence
USUAL = (5, 10, 15, 20)  # the ones that people use, and sentences prefer


@dataclass(frozen=True, slots=True)
class Patience:
    """What one patience would have done; its epochs are None if the run is too short to know."""

    patience: int  # epochs
    stop_epoch: int | None
    kept_epoch: int | None  # also None if no validation loss was finite before the stop
    epochs_saved: int | None
    censored: bool
    seconds_saved: float | None = None  # what training those epochs took; None if that was not logged
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
    own: int | None = None  # the run's own patience on its validation loss
    own_is_unknown: bool = False  # whether it may have had one that it did not log
    own_metric: str | None = None  # that its own early stopping watched, with which patience, if not validation loss
    own_metric_patience: int | None = None
    own_ended: bool = False  # whether that is known to have ended the run
    # of the run itself
    stop_epoch: int | None = None
    kept_epoch: int | None = None
    correct: int | None = None  # validation clips that the kept weights classify correctly
    epoch_seconds: float | None = None  # on average
    keeps_last: bool = False  # whether the run keeps its last weights
    enough: Patience | None = None  # the shortest of all patiences that keeps the same weights in fewer epochs
    steps: LoggedSteps | None = None  # at which its losses, or else accuracies, were logged if they aren't epochs
    best_epoch: int | None = None  # of the lowest validation loss: what is to be kept if it isn't known what was
    metric: str | None = None  # that was logged by round of boosting
    first_epoch: int | None = None  # that has a validation loss

    @property
    def on_loss(self) -> str:
        """What sentences add to a patience if the run's own may be about another metric."""
        return " on validation loss" if self.own_is_unknown or self.own_metric is not None else ""

    @property
    def target(self) -> int | None:
        """The epoch whose weights a patience has to keep to be enough."""
        return self.best_epoch if self.kept_epoch is None else self.kept_epoch

    @property
    def sufficient(self) -> Patience | None:
        """The shortest usual patience that keeps the same weights in fewer epochs; of any if no usual one does."""
        others = (a for a in self.patiences if a.patience in USUAL and a.patience != self.own and a.epochs_saved)
        same = (a for a in others if a.kept_epoch is not None and a.kept_epoch == self.target)
        return next(same, self.enough)

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return which patience would have kept the same weights, and which weights the next shorter one keeps."""
        run = wording.run(conclusion.runs[0])
        if not self.patiences:
            why = "its validation loss was not logged for every epoch"
            if self.steps is not None:
                why = f"it logged {steps_text(self.steps)}"
            elif self.first_epoch is not None and self.first_epoch > 1:
                why = f"its validation loss was logged from epoch {self.first_epoch} on"
            elif self.metric is not None:
                why = f"it logged {self.metric} by round of boosting, and only epochs are replayed"
            return f"Early stopping can't be replayed for {run}: {why}."
        text = self._replay_text(run)
        if self.own_metric is None:
            return text
        ended = f" and ended it at epoch {self.stop_epoch}" if self.own_ended else ""
        patience = f"patience {self.own_metric_patience}"
        return f"{text} Its own early stopping watched {self.own_metric} ({patience}){ended}."

    def _replay_text(self, run: str) -> str:
        if all(answer.censored for answer in self.patiences):
            it = "it" if self.on_loss else "its validation loss"
            return f"Early stopping{self.on_loss} would never have triggered in {run}: {it} improved in every epoch."
        earlier = [answer for answer in self.patiences if answer.epochs_saved and answer.patience != self.own]
        usual = [answer for answer in earlier if answer.patience in USUAL]
        others = [a for a in usual or earlier if a.kept_epoch is None or a.kept_epoch != self.target]
        enough, worth_it = self.sufficient, LEAST_SAVED * (self.stop_epoch or 0)
        if enough and others and enough not in usual and (enough.epochs_saved or 0) < worth_it:
            enough = None
        if enough is None:
            none = f"No patience{self.on_loss} would have ended {run} any earlier."
            return _other_text(run, others[-1], self) if others else none
        text, shorter = _enough_text(run, enough, self), [a for a in others if a.patience < enough.patience]
        return f"{text} {_shorter_text(shorter[-1], self)}" if shorter else text

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return a row for each patience."""
        del in_points
        header = (
            "patience",
            "stops at epoch",
            "epochs saved",
            "time saved",
            "keeps epoch",
            "its loss",
            "its clips correct",
        )
        rows, replayed = [], sorted({*self.patiences, *filter(None, [self.enough])}, key=attrgetter("patience"))
        least_censored = next((place for place, p in enumerate(replayed) if p.censored), len(replayed))
        for place, p in enumerate(replayed):
            if place > least_censored and p.patience != self.own:
                continue
            name = f"{p.patience} (its own)" if p.patience == self.own else str(p.patience)
            name += " or more" if place == least_censored < len(replayed) - 1 else ""
            stop = "beyond what was run" if p.censored else whole_cell(p.stop_epoch)
            saved, kept, correct_clips = map(whole_cell, (p.epochs_saved, p.kept_epoch, p.correct))
            time = seconds_cell(p.seconds_saved if p.epochs_saved else None)
            rows.append((name, stop, saved, time, kept, metric_text(p.val_loss), correct_clips))
        return (Table("What other patiences would have done", header, tuple(rows)),) if rows else ()


def early_stopping(study: Study) -> Iterator[Conclusion]:
    """Conclude on each run; `unknown` if a validation loss is missing."""
    for result in study.results:
        own, values = result.early_stopper, every_epoch(result.curves.val_loss)
        stop = result.stop_epoch if values is None else len(values)
        other = own if own is not None and not own.watches_loss else None
        details = EarlyStopping(
            own=own.patience if own is not None and other is None else None,
            own_is_unknown=own is None and not result.run.is_in_format,
            own_metric=other.metric if other else None,
            own_metric_patience=other.patience if other else None,
            own_ended=other is not None and result.is_ended_by_early_stopping,
            stop_epoch=stop,
            kept_epoch=result.kept_epoch,
            correct=result.correct,
            epoch_seconds=result.epoch_seconds,
            keeps_last=keeps_last(result.run),
            steps=result.steps_without_epochs,
            best_epoch=result.best_epoch,
            metric=result.rounds.metric if result.rounds else None,
            first_epoch=int(result.curves.val_loss.epochs[0]) if result.curves.val_loss else None,
        )
        verdict: Verdict = "unknown"
        if values is not None:
            verdict, details = "exact", _replayed(result, values, details)
        n = result.n if details.patiences else None
        yield Conclusion("early_stopping", verdict, (result.run_id,), details, n=n)


def _replayed(result: RunResult, values: NDArray[np.float64], details: EarlyStopping) -> EarlyStopping:
    """Return the details with the answers for all patiences, and for the shortest that keeps the same weights."""
    listed = sorted({*PATIENCES, *([details.own] if details.own is not None else [])})
    every, n = sorted({*listed, *range(1, len(values))}), len(values)
    stops = dict(zip(every, _stops(result, values, every), strict=True))
    answers = tuple(_answer(result, values, patience, stops[patience]) for patience in listed)
    target, enough = details.target, None
    if target is not None:
        same = (patience for patience, s in stops.items() if s.kept_epoch == target and (s.stop_epoch or n) < n)
        shortest = next(same, None)
        enough = None if shortest is None else _answer(result, values, shortest, stops[shortest])
    return replace(details, patiences=answers, enough=enough)


def _answer(result: RunResult, values: NDArray[np.float64], patience: int, stop: Stop) -> Patience:
    if stop.stop_epoch is None:
        return Patience(patience, None, None, None, censored=True)
    kept, seconds = stop.kept_epoch, result.seconds_by_epoch
    loss = math.nan if kept is None else float(values[kept - 1])
    after = _correct(result, kept)
    before = None if after is None else _correct(result, result.kept_epoch)
    return Patience(
        patience,
        stop.stop_epoch,
        kept,
        len(values) - stop.stop_epoch,
        censored=False,
        seconds_saved=float(seconds[stop.stop_epoch :].sum())
        if seconds is not None and len(seconds) == len(values)
        else None,
        val_loss=loss if math.isfinite(loss) else None,
        correct=None if after is None else int(after.sum()),
        clips_changed=None if before is None or after is None else int((before != after).sum()),
    )


def _stops(result: RunResult, values: NDArray[np.float64], patiences: Sequence[int]) -> tuple[Stop, ...]:
    """Replay patiences as Keras does, but with the run's own rule for which weights are kept."""
    own = result.early_stopper
    replayed = early_stoppings(values, patiences, min_delta=own.min_delta if own and own.watches_loss else 0.0)
    if not result.run.is_in_format and not keeps_last(result.run):  # Keras itself restores the best
        return replayed
    epochs, keeps = np.arange(1, len(values) + 1), np.isfinite(values) | (not result.run.is_in_format)
    if not keeps_last(result.run):
        lowest = np.minimum.accumulate(np.where(keeps, values, np.inf))
        keeps &= values < np.concatenate([[np.inf], lowest[:-1]])
    # the epoch whose weights are kept after each; 0 for none
    kept = np.maximum.accumulate(np.where(keeps, epochs, 0)).tolist()
    return tuple(
        stop if not (at := stop.stop_epoch) or kept[at - 1] == stop.kept_epoch else Stop(at, kept[at - 1] or None)
        for stop in replayed
    )


def _correct(result: RunResult, epoch: int | None) -> NDArray[np.bool_] | None:
    """Return which clips an epoch's weights classify correctly, None if its predictions were not logged."""
    by_epoch = result.by_epoch
    if by_epoch is None or epoch is None or epoch > len(by_epoch.probabilities):
        return None
    return correct(by_epoch.probabilities[epoch - 1], by_epoch.labels, by_epoch.classes)


def _enough_text(run: str, answer: Patience, details: EarlyStopping) -> str:
    """Return that a patience keeps the same weights, and the training that it saves."""
    who = f"Early stopping{details.on_loss} with patience {answer.patience}"
    if details.own is not None:
        who = f"Patience {answer.patience} instead of {details.own}"
    seconds = "" if answer.seconds_saved is None else f" ({seconds_cell(answer.seconds_saved)})"
    kept = f"would have kept {run}'s weights (epoch {answer.kept_epoch})"
    if details.kept_epoch is None:
        kept = f"would have found {run}'s best epoch ({answer.kept_epoch})"
    ended = f"ended training at epoch {answer.stop_epoch} instead of {details.stop_epoch}"
    return f"{who} {kept} and {ended}, saving {counted(answer.epochs_saved or 0, 'epoch')}{seconds}."


def _shorter_text(answer: Patience, details: EarlyStopping) -> str:
    """Return which weights a patience that is not enough keeps."""
    if answer.kept_epoch is None:
        return f"Patience {answer.patience} would have kept none."
    return f"Patience {answer.patience} would have kept epoch {answer.kept_epoch}{_result_text(answer, details)}."


def _other_text(run: str, answer: Patience, details: EarlyStopping) -> str:
    """Return where a patience would have ended the run and with which weights."""
    head = f"With patience {answer.patience}{details.on_loss}, {run} would have ended at epoch {answer.stop_epoch}"
    if answer.kept_epoch is None:
        return f"{head} with nothing to keep: no validation loss was a finite number until then."
    return f"{head} with the weights of epoch {answer.kept_epoch}{_result_text(answer, details)}."


def _result_text(answer: Patience, details: EarlyStopping) -> str:
    """Return how good other weights than the kept ones are, by clips if these are known."""
    if answer.clips_changed == 0:
        return " (every clip classified the same way)"
    if answer.correct is not None and details.correct is not None:
        if answer.correct == details.correct:
            return f" (also {counted(answer.correct, 'clip')} correct)"
        return f" ({counted(answer.correct, 'clip')} correct instead of {details.correct})"
    return ""


KIND = Kind(
    name="early_stopping",
    title="Early stopping",
    conclude=early_stopping,
    methods=lambda _, found: {_METHOD for conclusion in found if conclusion.verdict == "exact"},
)
