"""How often something happened, and how surely that is known."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.statistics.proportions import wilson

GOAL = 0.05
"""Share of experiments in which something may be claimed although nothing differs."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `total` experiments."""

    count: int
    total: int

    def __add__(self, other: Share) -> Share:
        return Share(self.count + other.count, self.total + other.total)

    @property
    def rate(self) -> float:
        """The share as a fraction."""
        return self.count / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval at 99%."""
        return wilson(self.count, self.total, 0.99)

    def meets(self, goal: float = GOAL) -> bool:
        """Tell whether the share may be at most the goal: the lower end of its interval is."""
        return self.interval[0] <= goal


Tally = dict[str, Share]


def merged(a: Tally, b: Tally) -> Tally:
    """Add up two tallies."""
    return {name: a.get(name, Share(0, 0)) + b.get(name, Share(0, 0)) for name in {**a, **b}}
