"""Sentences of the conclusions that follow from a run's own curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.sentences.words import (
    Voice,
    capitalised,
    count,
    duration,
    losses,
    number_word,
    points,
    points_interval,
)

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.early_stopping import EarlyStopping, Patience
    from tracker.conclusions.overfitting import Overfitting


def overfitting(conclusion: Conclusion, details: Overfitting, voice: Voice) -> str:
    """Say what validation loss did after its minimum, the gap, and whose weights were kept."""
    run = voice.run(conclusion.runs[0])
    if conclusion.verdict == "unknown":
        return f"Whether {run} overfits cannot be said: its validation loss by epoch was not logged."
    parts = [_after_minimum(run, details)]
    if details.kept_epoch is not None:
        parts.append(f"Its kept weights are those of epoch {details.kept_epoch}.")
    if details.gap is not None:
        gap = details.gap
        parts.append(
            f"With them it is {points(gap.estimate, signed=True)} more accurate on its {gap.n_train} training clips than "
            f"on the {gap.n_val} validation clips (95 % interval {points_interval(gap.interval)})."
        )
    return " ".join(parts)


def early_stopping(conclusion: Conclusion, details: EarlyStopping, voice: Voice) -> str:
    """Say what other patiences would have done to the run."""
    run = voice.run(conclusion.runs[0])
    answered = [answer for answer in details.patiences if not answer.censored]
    if not answered:
        return f"What another patience would have done to {run} cannot be said: {_why_not(details)}."
    same = [a for a in answered if a.kept_epoch == details.kept_epoch and (a.epochs_saved or 0) > 0]
    if same:
        return _same_weights(run, same[0], details)
    return _other_weights(run, answered, details)


def _after_minimum(run: str, details: Overfitting) -> str:
    best, last = details.best_val_loss, details.last_val_loss
    if best is None or last is None:
        return f"{capitalised(run)}'s validation loss is no number at its end: training diverged."
    low, end = losses(best, last)
    if details.rises:
        return (
            f"{capitalised(run)}'s validation loss rose from {low} at epoch {details.best_epoch} to {end} at epoch "
            f"{details.last_epoch} while its training loss kept falling: it overfits from there on."
        )
    if last > best:
        return (
            f"{capitalised(run)}'s validation loss was lowest at epoch {details.best_epoch} ({low}) and {end} at epoch "
            f"{details.last_epoch}, where it ended."
        )
    return f"{capitalised(run)}'s validation loss was lowest, {low}, at its last epoch, {details.last_epoch}."


def _why_not(details: EarlyStopping) -> str:
    if details.patiences:
        return "it ended before any of them would have stopped it"
    return "its validation loss was not logged for every epoch"


def _instead(details: EarlyStopping) -> str:
    return f" instead of {details.own}" if details.own is not None else ""


def _same_weights(run: str, answer: Patience, details: EarlyStopping) -> str:
    saved = answer.epochs_saved or 0
    time = f", {duration(saved * details.epoch_seconds)}" if details.epoch_seconds is not None else ""
    return (
        f"Stopping with patience {answer.patience}{_instead(details)} would have ended {run} at epoch "
        f"{answer.stop_epoch} instead of {details.stop_epoch} and kept the same weights (epoch {answer.kept_epoch}): "
        f"{count(saved, 'epoch')}{time}, saved, and not one clip changed."
    )


def _other_weights(run: str, answered: list[Patience], details: EarlyStopping) -> str:
    last = answered[-1]
    changed = last.clips_changed
    clips = "" if changed is None else f", with {number_word(changed)} validation clips judged otherwise"
    return (
        f"No shorter patience would have kept the same weights of {run}: patience {last.patience}{_instead(details)} "
        f"would have ended it at epoch {last.stop_epoch} and kept those of epoch {last.kept_epoch}{clips}."
    )
