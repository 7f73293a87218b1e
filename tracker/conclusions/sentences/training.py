"""Sentences of the conclusions that follow from a run's own curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.study.options import PLATEAU
from tracker.wording import (
    Wording,
    capitalised,
    count,
    duration,
    level_words,
    losses,
    points,
    points_interval,
    rate_text,
)

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.early_stopping import EarlyStopping, Patience
    from tracker.conclusions.learning_rate import LearningRate, RateDrop, Twin
    from tracker.conclusions.overfitting import Overfitting
    from tracker.conclusions.under_training import UnderTraining

_MOST_DROPS = 3
"""Drops of one run that are told one by one."""


def overfitting(conclusion: Conclusion, details: Overfitting, wording: Wording) -> str:
    """Say what validation loss did after its minimum, whose weights were kept, and the gap."""
    run = wording.run(conclusion.runs[0])
    first = _after_minimum(run, details)
    if conclusion.verdict == "unknown":
        first = f"Whether {run} overfits cannot be said: its validation loss by epoch was not logged."
    return " ".join([first, *_kept(details)])


def early_stopping(conclusion: Conclusion, details: EarlyStopping, wording: Wording) -> str:
    """Say what other patiences would have done to the run."""
    run = wording.run(conclusion.runs[0])
    earlier = [a for a in details.patiences if a.epochs_saved and a.patience != details.own]
    if not details.patiences:
        why = "its validation loss was not logged for every epoch"
        return f"What another patience would have done to {run} cannot be said: {why}."
    if not earlier and details.enough is None:
        return _none_earlier(run, details)
    same = [answer for answer in earlier if answer.kept_epoch == details.kept_epoch]
    enough = same[0] if same else details.enough
    return _same_weights(run, enough, details) if enough else _other_weights(run, earlier[-1], details)


def learning_rate(conclusion: Conclusion, details: LearningRate, wording: Wording) -> str:
    """Say each drop of the rate and what came of it, and whether a twin went the same way."""
    run = capitalised(wording.run(conclusion.runs[0]))
    twin = [_twin(details.twin, wording)] if details.twin else []
    if details.first is None or details.last is None:
        unknown = (
            f"What {wording.run(conclusion.runs[0])}'s learning rate did cannot be said: it was not logged by epoch."
        )
        return " ".join([unknown, *twin])
    if details.schedule:
        ends = f"from {rate_text(details.first)} to {rate_text(details.last)}"
        return " ".join([f"{run}'s learning rate followed a schedule, {ends}.", *twin])
    if not details.drops:
        return " ".join([_steady(run, details), *twin])
    told = [_drop(drop) for drop in details.drops[:_MOST_DROPS]]
    more = len(details.drops) - len(told)
    rest = [f"{capitalised(count(more, 'further drop'))} followed."] if more else []
    return " ".join([f"{run}'s learning rate fell {'; it fell '.join(told)}.", *rest, *twin])


def under_training(conclusion: Conclusion, details: UnderTraining, wording: Wording) -> str:
    """Say that a run ended at its limit while improving, or that it cannot be known."""
    if conclusion.verdict == "unknown":
        what = "their limit of epochs or their validation loss by epoch was not logged"
        if len(conclusion.runs) == 1:
            what = "its limit of epochs or its validation loss by epoch was not logged"
        return f"Whether {wording.runs(conclusion.runs)} ended too early cannot be said: {what}."
    run = capitalised(wording.run(conclusion.runs[0]))
    return (
        f"{run} reached its limit of {details.limit} epochs while it was still improving: its validation loss was "
        f"lowest at epoch {details.best_epoch}."
    )


def _after_minimum(run: str, details: Overfitting) -> str:
    best, last = details.best_val_loss, details.last_val_loss
    if best is None:
        return f"{capitalised(run)}'s validation loss is no finite number at its best epoch."
    if last is None:
        return (
            f"{capitalised(run)}'s validation loss was lowest, {losses(best)[0]}, at epoch {details.best_epoch} and no "
            f"finite number at its last, epoch {details.last_epoch}."
        )
    low, end = losses(best, last)
    if details.rises and details.best_loss is not None and details.last_loss is not None:
        before, after = losses(details.best_loss, details.last_loss)
        return (
            f"{capitalised(run)}'s validation loss rose from {low} at epoch {details.best_epoch} to {end} at epoch "
            f"{details.last_epoch} while its training loss fell from {before} to {after}: from there on it overfits."
        )
    if last > best:
        return (
            f"{capitalised(run)}'s validation loss was lowest, {low}, at epoch {details.best_epoch} and {end} at its "
            f"last, epoch {details.last_epoch}."
        )
    return f"{capitalised(run)}'s validation loss was lowest, {low}, at its last epoch, {details.last_epoch}."


def _kept(details: Overfitting) -> list[str]:
    """Say whose weights were kept, and the gap with them."""
    epoch, gap = details.kept_epoch, details.gap
    if gap is None:
        return [] if epoch is None else [f"Its kept weights are those of epoch {epoch}."]
    weights = "the kept weights" if epoch is None else f"the kept weights, those of epoch {epoch},"
    side = "more" if gap.estimate >= 0 else "less"
    told = "can" if gap.interval[0] > 0 or gap.interval[1] < 0 else "cannot"
    evidence = f"95 % interval {points_interval(gap.interval)} points"
    than = f"on its {gap.n_train} training clips than on the {gap.n_val} validation clips ({evidence})"
    return [f"With {weights} it is {points(gap.estimate)} {side} accurate {than}, a gap that {told} be told from none."]


def _instead(details: EarlyStopping) -> str:
    return f" instead of {details.own}" if details.own is not None else ""


def _stopping(run: str, answer: Patience, details: EarlyStopping) -> str:
    """Return ``Stopping with patience 2 instead of 5 would have ended run 1 at epoch 8 instead of 11``."""
    return (
        f"Stopping with patience {answer.patience}{_instead(details)} would have ended {run} at epoch "
        f"{answer.stop_epoch} instead of {details.stop_epoch}"
    )


def _none_earlier(run: str, details: EarlyStopping) -> str:
    if all(answer.censored for answer in details.patiences):
        return f"No patience asked about would have stopped {run} within its {details.stop_epoch} epochs."
    return f"No patience asked about would have ended {run} before epoch {details.stop_epoch}."


def _same_weights(run: str, answer: Patience, details: EarlyStopping) -> str:
    saved = answer.epochs_saved or 0
    time = f", {duration(saved * details.epoch_seconds)}" if details.epoch_seconds is not None else ""
    comma = "," if time else ""
    return (
        f"{_stopping(run, answer, details)} and kept the same weights (epoch {answer.kept_epoch}): "
        f"{count(saved, 'epoch')}{time}{comma} saved, and not one clip changed."
    )


def _other_weights(run: str, answer: Patience, details: EarlyStopping) -> str:
    if answer.kept_epoch is None:
        return (
            f"{_stopping(run, answer, details)}, with nothing to keep: no validation loss was a finite number until "
            "then."
        )
    if details.kept_epoch is None:
        return f"{_stopping(run, answer, details)}, with the weights of epoch {answer.kept_epoch}."
    changed = "" if answer.clips_changed is None else f", which judge {_judged_otherwise(answer.clips_changed)}"
    return (
        f"No patience would have ended {run} earlier and kept its weights of epoch {details.kept_epoch}: patience "
        f"{answer.patience}{_instead(details)} would have ended it at epoch {answer.stop_epoch} with those of epoch "
        f"{answer.kept_epoch}{changed}."
    )


def _judged_otherwise(clips: int) -> str:
    return f"{count(clips, 'validation clip')} otherwise" if clips else "every validation clip the same"


def _steady(run: str, details: LearningRate) -> str:
    rate, last_rate = rate_text(details.first or 0.0), rate_text(details.last or 0.0)
    if last_rate != rate:
        return f"{run}'s learning rate rose from {rate} to {last_rate} and never fell."
    if details.plateau is not None:
        return f"{run}'s plateau of {level_words(PLATEAU, details.plateau)} never fired: the rate stayed at {rate}."
    would = [other for other in details.others if other.differs_after is not None]
    stayed = f"{run}'s learning rate stayed at {rate}."
    if not would:
        return stayed
    last = would[-1]
    return (
        f"{stayed} A plateau of patience {last.patience} would have lowered it after epoch {last.differs_after}; what "
        "would have come of that, this curve cannot say."
    )


def _drop(drop: RateDrop) -> str:
    head = f"from {rate_text(drop.before)} to {rate_text(drop.after)} after epoch {drop.epoch}"
    if drop.best_before is None or drop.best_after is None:
        return head
    before, after = losses(drop.best_before, drop.best_after)
    if drop.helped:
        return f"{head}, and validation loss, {before} at its lowest until then, fell to {after}"
    return f"{head}, which came to nothing: validation loss had been down to {before} and only came to {after}"


def _twin(twin: Twin, wording: Wording) -> str:
    other = wording.run(twin.run_id)
    if twin.as_it_must:
        return f"Until epoch {twin.same_until} it is identical to {other}, as it must be under the same seed."
    since = f"from epoch {twin.same_until + 1} on"
    return (
        f"It differs from {other} {since}, although both have the same seed and nothing had set them apart before "
        f"epoch {twin.must_until}: these trainings do not repeat exactly."
    )
