"""Each drop of a run's learning rate with its effect, and whether a run of the same seed went the same way.

A rate that drops in more than a third of the epochs follows a schedule, whose drops are not listed. The exception is a
run whose own plateau, replayed, drops at exactly these epochs: it does so at every epoch once the loss is NaN.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Table, Verdict
from tracker.replay import Drop, early_stoppings, plateau
from tracker.runs import LOGGED_OPTIONS, as_number
from tracker.study.histories import same_until, steps_without_epochs
from tracker.study.metric_roles import RATE
from tracker.study.options import PLATEAU, as_whole
from tracker.study.run_results import SAME_RATE, every_epoch
from tracker.wording import capitalised, count_words, counted, level_words, losses, metric_text, rate_text, steps_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.runs import Curve
    from tracker.study.histories import LoggedSteps
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study
    from tracker.wording import Wording

# patiences of plateaus whose first drop is replayed, in epochs, in addition to the run's own
PATIENCES = (3, 5, 10, 15, 20)
PLATEAU_MIN_DELTA = 1e-4  # Keras' default `min_delta` of ReduceLROnPlateau: an improvement must exceed it
_MOST_DROPS = 3  # drops of one run that the sentence lists
# options that have no effect before they first act
_ACT_LATE = frozenset(name for name, entry in LOGGED_OPTIONS.items() if entry.acts_late)


@dataclass(frozen=True, slots=True)
class RateDrop(Drop):
    """A drop of the learning rate and its effect."""

    # the lowest validation loss until then, and from then to the next drop or the end; None if there is none
    best_before: float | None
    best_after: float | None
    epochs_after: int | None = None  # trained from then to the next drop or the end

    @property
    def helped(self) -> bool | None:
        """Whether validation loss fell below its previous minimum; None if that is not known."""
        if self.best_before is None or self.best_after is None:
            return None
        return self.best_after < self.best_before


@dataclass(frozen=True, slots=True)
class IdenticalRun:
    """A run of the same seed and options, except for options that act late."""

    run_id: str
    same_until: int  # the last epoch up to which both are identical
    must_until: int  # the epoch up to which they should be: the first drop or stop of either

    @property
    def repeats_exactly(self) -> bool:
        """Whether both went the same way as long as they should."""
        return self.same_until >= self.must_until


@dataclass(frozen=True, slots=True)
class OtherPlateau:
    """The first epoch after which another plateau would have given another rate; None if there is none."""

    patience: int
    differs_after: int | None


@dataclass(frozen=True, slots=True)
class LearningRate(Details):
    """The evidence."""

    # the rates of the first and the last epoch
    first: float | None = None
    last: float | None = None
    drops: tuple[RateDrop, ...] = ()
    schedule: bool = False  # whether the rate dropped in many epochs, and not as the run's own plateau does
    stopped_early: bool | None = None  # whether early stopping ended the run; None if that cannot be replayed
    plateau: str | None = None  # the run's own, as factor and patience: ``0.3x10``
    others: tuple[OtherPlateau, ...] = ()  # other patiences, replayed up to the first differing drop
    twin: IdenticalRun | None = None
    steps: LoggedSteps | None = None  # at which the rates were logged if they aren't epochs

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return each drop of the rate with its effect, and whether a run of the same seed went the same way."""
        name = wording.run(conclusion.runs[0])
        run = capitalised(name)
        twin = [_same_seed_text(self.twin, wording)] if self.twin else []
        if self.first is None or self.last is None:
            logged = f" logged {steps_text(self.steps)}" if self.steps else "'s learning rate was not logged by epoch"
            rate = f"{run}{logged}."
        elif self.schedule:
            ends = f"from {rate_text(self.first)} to {rate_text(self.last)}"
            rate = f"{run}'s learning rate followed a schedule, {ends}."
        elif not self.drops:
            rate = _steady_text(run, self)
        else:
            rate = f"{run}'s learning rate fell {_drops_text(self)}"
        return " ".join([rate, *twin])

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return a row for each drop."""
        del in_points
        header = ("after epoch", "from", "to", "lowest loss before", "lowest loss after")
        rows = []
        for d in self.drops:
            before, after = (rate_text(rate, 6) for rate in (d.before, d.after))
            rows.append((str(d.epoch), before, after, metric_text(d.best_before), metric_text(d.best_after)))
        return (Table("Drops of the learning rate", header, tuple(rows)),) if rows else ()


def learning_rates(study: Study) -> Iterator[Conclusion]:
    """Conclude on each run that trained by epochs; `unknown` if the rate was not logged by epoch."""
    twins = _identical_runs(study)
    for run, result in enumerate(study.results):
        if result.rounds is not None:
            continue
        rates, drops = result.curves.learning_rate, result.rate_drops
        own = dict(study.design.terms[run].levels).get(PLATEAU)
        steps = steps_without_epochs(result.run, RATE, "training") if rates is None else None
        details = LearningRate(plateau=own, twin=twins.get(run), steps=steps)
        if rates is not None and drops is not None:
            many = len(drops) > max(3, len(rates.values) // 3) or 1 < len(drops) == len(rates.values) - 1
            schedule = many and not _is_own_plateau(result, drops)
            details = replace(
                details,
                first=float(rates.values[0]),
                last=float(rates.values[-1]),
                drops=() if schedule else _with_losses(result.curves.val_loss, drops, int(rates.epochs[-1])),
                schedule=schedule,
                others=() if schedule else _others(result, own, drops),
                stopped_early=_stopped_early(result),
            )
        verdict: Verdict = "unknown" if details.first is None else "exact"
        yield Conclusion("learning_rate", verdict, (result.run_id,), details)


def _is_own_plateau(result: RunResult, drops: Sequence[Drop]) -> bool:
    """Return whether the run's own plateau, replayed on its validation loss, drops the rate at the same epochs."""
    losses = every_epoch(result.curves.val_loss)
    factor = as_number(result.run.params.get("plateau_factor", ""))
    patience = as_whole(result.run.params.get("plateau_patience"))
    if losses is None or patience is None or factor is None or not 0 < factor < 1:
        return False
    replayed = plateau(losses, factor, patience, learning_rate=drops[0].before, min_delta=_min_delta(result))
    seen = [drop for drop in replayed if drop.epoch < len(losses)]
    return [drop.epoch for drop in seen] == [drop.epoch for drop in drops] and np.allclose(
        [drop.after for drop in seen], [drop.after for drop in drops], rtol=SAME_RATE, atol=0
    )


def _with_losses(losses: Curve | None, drops: Sequence[Drop], last_epoch: int) -> tuple[RateDrop, ...]:
    """Return drops with the lowest validation loss before each, and from there to the next one or the end."""
    found, values = [], np.empty(0) if losses is None else losses.values
    epochs = np.empty(0) if losses is None else losses.epochs
    for d, end in zip(drops, [*(drop.epoch for drop in drops[1:]), last_epoch][: len(drops)], strict=True):
        before = values[np.isfinite(values) & (epochs <= d.epoch)]
        after = values[np.isfinite(values) & (epochs > d.epoch) & (epochs <= end)]
        best_before, best_after = (float(part.min()) if len(part) else None for part in (before, after))
        found.append(RateDrop(d.epoch, d.before, d.after, best_before, best_after, end - d.epoch))
    return tuple(found)


def _stopped_early(result: RunResult) -> bool | None:
    """Return whether a run's own early stopping, replayed, ends it where it ended; False if it has none."""
    losses, own = every_epoch(result.curves.val_loss), result.early_stopper
    if own is None or result.is_ended_by_early_stopping:
        return own is not None
    if losses is None or not own.watches_loss:
        return None
    return early_stoppings(losses, [own.patience], min_delta=own.min_delta)[0].stop_epoch == len(losses)


def _min_delta(result: RunResult) -> float:
    return PLATEAU_MIN_DELTA if result.logged_min_delta is None else result.logged_min_delta


def _others(result: RunResult, own: str | None, drops: Sequence[Drop]) -> tuple[OtherPlateau, ...]:
    """Replay other patiences up to the first drop that differs from the run's own.

    A plateau drops the rate for the first time when early stopping of the same patience would stop.
    """
    losses = every_epoch(result.curves.val_loss)
    if losses is None or not result.is_loss_monitored:
        return ()
    own_patience = as_number(own.partition("x")[2]) if own is not None else None
    patiences, found = [patience for patience in PATIENCES if patience != own_patience], []
    for patience, stop in zip(patiences, early_stoppings(losses, patiences, min_delta=_min_delta(result)), strict=True):
        first = [epoch for epoch in (stop.stop_epoch, drops[0].epoch if drops else None) if epoch is not None]
        found.append(OtherPlateau(patience, min((epoch for epoch in first if epoch < len(losses)), default=None)))
    return tuple(found)


def _identical_runs(study: Study) -> dict[int, IdenticalRun]:
    """Return for each run another one that should be identical until some option acted."""
    families: dict[object, list[int]] = defaultdict(list)
    for run, terms in enumerate(study.design.terms):
        if terms.seed:
            levels = tuple(level for level in terms.levels if level[0] not in _ACT_LATE)
            families[levels, terms.seed, terms.split, study.design.blocks[run]].append(run)
    pairs = {run: runs[0] for runs in families.values() for run in runs[1:]}
    pairs |= {runs[0]: runs[1] for runs in families.values() if len(runs) > 1}
    twins = {}
    for run, other in pairs.items():
        first, second = study.results[run], study.results[other]
        same, drops = same_until(first.run, second.run), [first.rate_drops, second.rate_drops]
        if same is not None and None not in drops and first.stop_epoch is not None and second.stop_epoch is not None:
            acted = (drop.epoch for of_run in drops for drop in of_run or ())
            twins[run] = IdenticalRun(second.run_id, same, min([*acted, first.stop_epoch, second.stop_epoch]))
    return twins


def _steady_text(run: str, details: LearningRate) -> str:
    rate, last_rate = rate_text(details.first or 0.0), rate_text(details.last or 0.0)
    if last_rate != rate:
        return f"{run}'s learning rate rose from {rate} to {last_rate} and never fell."
    if details.plateau is not None:
        plateau = level_words(PLATEAU, details.plateau)
        return f"{run}'s plateau ({plateau}) never fired, so the learning rate stayed at {rate}."
    return f"{run}'s learning rate stayed at {rate}."


def _drops_text(details: LearningRate) -> str:
    """Return each drop with its effect, and whether early stopping cut the last one short."""
    listed = [_drop_text(drop) for drop in details.drops[:_MOST_DROPS]]
    more, last = len(details.drops) - len(listed), details.drops[-1]
    text = ". It fell ".join(listed)
    if details.stopped_early and not last.helped and last.epochs_after is not None and not more:
        text += f". Early stopping ended the run {counted(last.epochs_after, 'epoch')} later"
    return f"{text}." + (f" {capitalised(count_words(more, 'further drop'))} followed." if more else "")


def _drop_text(drop: RateDrop) -> str:
    head = f"from {rate_text(drop.before)} to {rate_text(drop.after)} after epoch {drop.epoch}"
    if drop.best_before is None or drop.best_after is None:
        return head
    before, after = losses(drop.best_before, drop.best_after)
    effect = "and validation loss improved" if drop.helped else "but validation loss did not improve"
    return f"{head}, {effect} (best before {before}, after {after})"


def _same_seed_text(twin: IdenticalRun, wording: Wording) -> str:
    other = wording.run(twin.run_id)
    if twin.repeats_exactly:
        return f"Up to epoch {twin.same_until} it is identical to {other}, as the same seed requires."
    differs = f"It differs from {other} from epoch {twin.same_until + 1} on"
    apart = f"their options make no difference before epoch {twin.must_until}"
    return f"{differs}, although both have the same seed and {apart}: training is not reproducible here."


def _challenges(conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    """Yield which runs' drops did not help, whose plateau never fired, and which did not repeat."""
    known = {c.runs[0]: c.details for c in conclusions if isinstance(c.details, LearningRate) and c.verdict == "exact"}
    helped = {run: {drop.helped for drop in details.drops} for run, details in known.items()}
    vain = [run for run, answers in helped.items() if False in answers and True not in answers]
    never = [run for run, details in known.items() if details.plateau and not details.drops and not details.schedule]
    unrepeated = [run for run, details in known.items() if details.twin and not details.twin.repeats_exactly]
    if vain:
        yield f"Lowering the learning rate did not help in {wording.runs(vain)}: validation loss did not improve."
    if never:
        yield f"The plateau never fired in {wording.runs(never)}, so it changed nothing."
    if unrepeated:
        differ = (
            "differs from a run with the same seed" if len(unrepeated) == 1 else "differ from runs with the same seed"
        )
        yield f"Training is not reproducible: {wording.runs(unrepeated)} {differ} before their options could matter."


KIND = Kind(name="learning_rate", title="Learning rate", conclude=learning_rates, challenges=_challenges)
