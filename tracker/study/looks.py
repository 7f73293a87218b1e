"""How often runs were looked at while repetitions were added, by which command trained each of them.

What one command trains is a plan. Whoever trains a plan, looks at the results and trains another one looks once more;
commands that train the two sides of the same repetitions are one look, since nothing can be compared before the last of
them. Runs that don't record their plan count as one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.statistics.looks import FEWEST, adjusted_for_looks, level_at_look

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.runs.facts import TrainingPlan

Plans = tuple["TrainingPlan | None", ...]


@dataclass(frozen=True, slots=True)
class Looks:
    """The looks at a comparison so far."""

    sizes: tuple[float, ...]  # repetitions at each look from the first three on, ascending; the last is now
    is_recorded: bool = True  # whether any of the runs says which plan trained it
    is_final: bool = False  # whether all of them are of plans declared final

    @property
    def is_fixed(self) -> bool:
        """Whether the whole level is spent at once: by a final plan, or by runs that record none."""
        return self.is_final or not self.is_recorded or not self.sizes

    def level(self, alpha: float) -> float:
        """Return the level that a p-value is held to now."""
        return alpha if self.is_fixed else level_at_look(self.sizes, alpha)

    def adjusted(self, p_value: float) -> float:
        """Return a p-value as it counts against the level of all looks together."""
        return p_value if self.is_fixed else adjusted_for_looks(p_value, self.sizes)

    @property
    def before(self) -> tuple[float, ...] | None:
        """The sizes at the looks before this one; None if the whole level is spent at once."""
        return None if self.is_fixed else self.sizes[:-1]


def final_runs(plans: Plans, started: Sequence[float], configurations: Iterable[Sequence[int]]) -> frozenset[int]:
    """Return the runs of each configuration's first plan that was declared final and is complete."""
    found: set[int] = set()
    for runs in configurations:
        by_plan: dict[TrainingPlan, list[int]] = defaultdict(list)
        for run in runs:
            plan = plans[run]
            if plan is not None and plan.is_final:
                by_plan[plan].append(run)
        complete = [members for plan, members in by_plan.items() if len(members) >= plan.repetitions]
        found.update(min(complete, key=lambda members: min(started[run] for run in members), default=()))
    return frozenset(found)


def looks_at_pairs(plans: Plans, started: Sequence[float], pairs: Sequence[tuple[int, int]]) -> Looks:
    """Return the looks at matched pairs: a pair is there once both of its runs are."""
    sizes, size = [], 0
    for members in _in_order(plans, started, pairs):
        size += len(members)
        if size >= FEWEST:
            sizes.append(float(size))
    return _looks(plans, sizes, [run for pair in pairs for run in pair])


def looks_at_levels(plans: Plans, started: Sequence[float], start: Sequence[int], end: Sequence[int]) -> Looks:
    """Return the looks at the repetitions of two levels that are not paired: sizes are their harmonic means."""
    at_end, sizes, numbers = frozenset(end), [], [0, 0]
    for members in _in_order(plans, started, [(run,) for run in (*start, *end)]):
        for (run,) in members:
            numbers[run in at_end] += 1
        if min(numbers) >= FEWEST:
            sizes.append(2 / (1 / numbers[0] + 1 / numbers[1]))
    return _looks(plans, sizes, (*start, *end))


def _looks(plans: Plans, sizes: Sequence[float], runs: Sequence[int]) -> Looks:
    known = [plan for run in runs if (plan := plans[run]) is not None]
    is_final = bool(runs) and len(known) == len(runs) and all(plan.is_final for plan in known)
    return Looks(tuple(sizes), bool(known), is_final and len(sizes) < 2)


def _in_order(
    plans: Plans, started: Sequence[float], repetitions: Sequence[tuple[int, ...]]
) -> list[list[tuple[int, ...]]]:
    """Return repetitions by the plan that their last run is of, in the order in which the plans were done."""
    if not any(plans[run] for runs in repetitions for run in runs):  # as of all runs of other programs
        return [list(repetitions)]
    by_plan: dict[str | None, list[tuple[int, ...]]] = defaultdict(list)
    last: dict[str | None, float] = {}
    for runs in repetitions:
        latest = max(runs, key=lambda run: started[run])
        plan = plans[latest]
        key = None if plan is None else plan.id
        by_plan[key].append(runs)
        last[key] = max(last.get(key, started[latest]), started[latest])
    return [by_plan[key] for key in sorted(by_plan, key=lambda key: last[key])]
