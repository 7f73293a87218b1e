"""Each drop of one run's learning rate and what came of it, and whether a run of the same seed went the same way.

A rate that falls in more than a third of the epochs follows a schedule, of whose steps nothing is said one by one;
unless the run's own plateau, replayed, falls in just these: it does so at every epoch once a loss is no number.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Table
from tracker.replay import Drop, early_stoppings, plateau
from tracker.runs import LOGGED_OPTIONS
from tracker.study.identical_runs import same_until
from tracker.study.metrics import LOSS, RATE
from tracker.study.options import PLATEAU, as_number
from tracker.study.run_results import are_numbers, every_epoch, whole_param
from tracker.wording import capitalised, count, level_words, loss_cell, losses, rate_cell, rate_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.runs import Curve
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study
    from tracker.wording import Wording

PATIENCES = (3, 5, 10, 15, 20)
"""Epochs; the plateaus whose first drop is replayed, beside the run's own."""

PLATEAU_MIN_DELTA = 1e-4
"""What an improvement must exceed for Keras' ReduceLROnPlateau, by default."""

_MOST_DROPS = 3
"""Drops of one run that the sentence lists."""

_SAME_RATE = 1e-6
"""Relative difference up to which two rates are one, both in float32."""

_ACT_LATE = frozenset(name for name, entry in LOGGED_OPTIONS.items() if entry.acts_late)
"""Options that change nothing before they first act."""


@dataclass(frozen=True, slots=True)
class RateDrop:
    """One drop and what came of it.

    Parameters
    ----------
    epoch : int
        The epoch after which the rate was lower.
    before, after : float
    best_before, best_after : float or None
        The lowest validation loss until then, and from then to the next drop or the end; None where there is none.
    """

    epoch: int
    before: float
    after: float
    best_before: float | None
    best_after: float | None

    @property
    def helped(self) -> bool | None:
        """Whether validation loss fell below its lowest before; None where that is not known."""
        if self.best_before is None or self.best_after is None:
            return None
        return self.best_after < self.best_before


@dataclass(frozen=True, slots=True)
class Twin:
    """A run of equal seed and options but for those that act late.

    Parameters
    ----------
    run_id : str
    same_until : int
        The last epoch until which both are identical.
    must_until : int
        The epoch until which they have to be: the first drop or stop of either.
    """

    run_id: str
    same_until: int
    must_until: int

    @property
    def as_it_must(self) -> bool:
        """Whether both went the same way as long as they have to."""
        return self.same_until >= self.must_until


@dataclass(frozen=True, slots=True)
class OtherPlateau:
    """Until when another plateau would have changed nothing: the first epoch after which the rates differ, or None."""

    patience: int
    differs_after: int | None


@dataclass(frozen=True, slots=True)
class LearningRate(Details):
    """The evidence.

    Parameters
    ----------
    first, last : float or None
        The rates of the first and the last epoch.
    drops : tuple of RateDrop
    schedule : bool
        Whether the rate fell in many epochs and not as the run's own plateau lowers it.
    plateau : str or None
        The run's own, as ``0.3x10``.
    others : tuple of OtherPlateau
        Other patiences, replayed up to the first differing drop.
    twin : Twin or None
    """

    first: float | None = None
    last: float | None = None
    drops: tuple[RateDrop, ...] = ()
    schedule: bool = False
    plateau: str | None = None
    others: tuple[OtherPlateau, ...] = ()
    twin: Twin | None = None

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return each drop of the rate with its effect, and whether a run of the same seed went the same way."""
        run = capitalised(wording.run(conclusion.runs[0]))
        twin = [_twin_text(self.twin, wording)] if self.twin else []
        if self.first is None or self.last is None:
            name = wording.run(conclusion.runs[0])
            unknown = f"What {name}'s learning rate did cannot be said: it was not logged by epoch."
            return " ".join([unknown, *twin])
        if self.schedule:
            ends = f"from {rate_text(self.first)} to {rate_text(self.last)}"
            return " ".join([f"{run}'s learning rate followed a schedule, {ends}.", *twin])
        if not self.drops:
            return " ".join([_steady_text(run, self), *twin])
        told = [_drop_text(drop) for drop in self.drops[:_MOST_DROPS]]
        more = len(self.drops) - len(told)
        rest = [f"{capitalised(count(more, 'further drop'))} followed."] if more else []
        return " ".join([f"{run}'s learning rate fell {'; it fell '.join(told)}.", *rest, *twin])

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return a row for each drop."""
        del in_points
        header = ("after epoch", "from", "to", "lowest loss before", "lowest loss after")
        rows = tuple(
            (
                str(drop.epoch),
                rate_cell(drop.before),
                rate_cell(drop.after),
                loss_cell(drop.best_before),
                loss_cell(drop.best_after),
            )
            for drop in self.drops
        )
        return (Table("Drops of the learning rate", header, rows),) if rows else ()


def learning_rates(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each run.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Conclusion
        `unknown` where the rate by epoch was not logged.
    """
    drops = {run: _rate_drops(found.curve(RATE, "training")) for run, found in enumerate(study.results)}
    twins = _twins(study, drops)
    return tuple(
        _conclusion(found, dict(study.design.terms[run].levels).get(PLATEAU), drops[run], twins.get(run))
        for run, found in enumerate(study.results)
    )


def _conclusion(found: RunResult, own: str | None, drops: list[Drop] | None, twin: Twin | None) -> Conclusion:
    rates = found.curve(RATE, "training")
    if rates is None or drops is None:
        return Conclusion("learning_rate", "unknown", (found.run_id,), LearningRate(plateau=own, twin=twin))
    schedule = len(drops) > max(3, len(rates.values) // 3) and not _are_the_plateaus(found, drops)
    details = LearningRate(
        first=float(rates.values[0]),
        last=float(rates.values[-1]),
        drops=() if schedule else _with_losses(found, drops),
        schedule=schedule,
        plateau=own,
        others=() if schedule else _others(found, own, drops),
        twin=twin,
    )
    return Conclusion("learning_rate", "exact", (found.run_id,), details)


def _rate_drops(rates: Curve | None) -> list[Drop] | None:
    """Return where the rate fell; None where it was not logged, or not as a number above 0."""
    if rates is None or not (np.isfinite(rates.values) & (rates.values > 0)).all():
        return None
    values, epochs = rates.values, rates.epochs
    fell = np.flatnonzero(values[1:] < values[:-1] * (1 - _SAME_RATE))
    return [Drop(int(epochs[i + 1]) - 1, float(values[i]), float(values[i + 1])) for i in fell]


def _are_the_plateaus(found: RunResult, drops: list[Drop]) -> bool:
    """Tell whether the run's own plateau, replayed on its validation loss, lowers the rate just when and as it fell."""
    losses = every_epoch(found, LOSS)
    factor = as_number(found.run.params.get("plateau_factor", ""))
    patience = whole_param(found.run, "plateau_patience")
    if losses is None or patience is None or factor is None or not 0 < factor < 1:
        return False
    replayed = plateau(losses, factor, patience, learning_rate=drops[0].before, min_delta=PLATEAU_MIN_DELTA)
    seen = [drop for drop in replayed if drop.epoch < len(losses)]
    return [drop.epoch for drop in seen] == [drop.epoch for drop in drops] and np.allclose(
        [drop.after for drop in seen], [drop.after for drop in drops], rtol=_SAME_RATE, atol=0
    )


def _with_losses(found: RunResult, drops: list[Drop]) -> tuple[RateDrop, ...]:
    losses = found.curve(LOSS)
    last = int(losses.epochs[-1]) if losses is not None else 0
    borders = [*[drop.epoch for drop in drops], last]
    return tuple(
        RateDrop(d.epoch, d.before, d.after, _lowest(losses, 0, d.epoch), _lowest(losses, d.epoch, end))
        for d, end in zip(drops, borders[1:], strict=True)
    )


def _lowest(losses: Curve | None, after: int, until: int) -> float | None:
    """Return the lowest finite value of the epochs after one and until another."""
    if losses is None:
        return None
    there = (losses.epochs > after) & (losses.epochs <= until) & are_numbers(losses.values)
    return float(losses.values[there].min()) if there.any() else None


def _others(found: RunResult, own: str | None, drops: list[Drop]) -> tuple[OtherPlateau, ...]:
    """Replay other patiences up to the first drop that differs from the run's own.

    A plateau first drops the rate where early stopping of the same patience would stop.
    """
    losses = every_epoch(found, LOSS)
    if losses is None:
        return ()
    others = [patience for patience in PATIENCES if patience != _patience(own)]
    would = [stop.stop_epoch for stop in early_stoppings(losses, others, min_delta=PLATEAU_MIN_DELTA)]
    done = drops[0].epoch if drops else None
    return tuple(
        OtherPlateau(patience, min((e for e in (epoch, done) if e is not None and e < len(losses)), default=None))
        for patience, epoch in zip(others, would, strict=True)
    )


def _patience(own: str | None) -> float | None:
    return as_number(own.partition("x")[2]) if own is not None else None


def _twins(study: Study, drops: Mapping[int, list[Drop] | None]) -> dict[int, Twin]:
    """Find for each run another one that must have gone the same way until something acted."""
    families: dict[object, list[int]] = defaultdict(list)
    for run, terms in enumerate(study.design.terms):
        if terms.seed:
            levels = tuple(level for level in terms.levels if level[0] not in _ACT_LATE)
            families[levels, terms.seed, terms.split, study.design.blocks[run]].append(run)
    found = {}
    for runs in families.values():
        for run in runs[1:]:
            found[run] = _twin(study, run, runs[0], drops)
        if len(runs) > 1:
            found[runs[0]] = _twin(study, runs[0], runs[1], drops)
    return {run: twin for run, twin in found.items() if twin is not None}


def _twin(study: Study, run: int, other: int, drops: Mapping[int, list[Drop] | None]) -> Twin | None:
    mine, theirs = study.results[run], study.results[other]
    same = same_until(mine.run, theirs.run)
    stops = [found.stop_epoch for found in (mine, theirs)]
    if same is None or None in stops or drops[run] is None or drops[other] is None:
        return None
    acted = [drop.epoch for one in (run, other) for drop in drops[one] or ()]
    return Twin(theirs.run_id, same, min([*acted, *[stop for stop in stops if stop is not None]]))


def _steady_text(run: str, details: LearningRate) -> str:
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


def _drop_text(drop: RateDrop) -> str:
    head = f"from {rate_text(drop.before)} to {rate_text(drop.after)} after epoch {drop.epoch}"
    if drop.best_before is None or drop.best_after is None:
        return head
    before, after = losses(drop.best_before, drop.best_after)
    if drop.helped:
        return f"{head}, and validation loss, {before} at its lowest until then, fell to {after}"
    return f"{head}, which came to nothing: validation loss had been down to {before} and only came to {after}"


def _twin_text(twin: Twin, wording: Wording) -> str:
    other = wording.run(twin.run_id)
    if twin.as_it_must:
        return f"Until epoch {twin.same_until} it is identical to {other}, as it must be under the same seed."
    since = f"from epoch {twin.same_until + 1} on"
    return (
        f"It differs from {other} {since}, although both have the same seed and nothing had set them apart before "
        f"epoch {twin.must_until}: these trainings do not repeat exactly."
    )


def _challenges(conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    """Yield which runs' drops did not help, as far as their losses are known, which never fired or did not repeat."""
    known = [
        (c.runs[0], c.details) for c in conclusions if isinstance(c.details, LearningRate) and c.verdict == "exact"
    ]
    helped = {run: {drop.helped for drop in details.drops} for run, details in known}
    idle = [run for run, answers in helped.items() if False in answers and True not in answers]
    if idle:
        yield (
            f"Lowering the learning rate came to nothing in {wording.runs(idle)}: validation loss did not fall below "
            "what it had been."
        )
    never = [run for run, details in known if details.plateau and not details.drops and not details.schedule]
    if never:
        yield f"The plateau never fired in {wording.runs(never)}: it could not have changed anything."
    apart = [run for run, details in known if details.twin and not details.twin.as_it_must]
    if apart:
        yield (
            f"Training did not repeat exactly under one seed: {wording.runs(apart)} went another way than a run that "
            "differs only in what had not yet acted."
        )


KIND = Kind(
    name="learning_rate",
    title="Learning rate",
    conclude=learning_rates,
    challenges=_challenges,
)
