"""How often an effect is found, beside the best valid test on the same data.

A test is valid at a number of clips and seeds where it holds the goal whatever the training noise: whoever tests does
not know the noise. It has to hold it at a number of seeds over all clips and noises together as well: there are so many
experiments of these that a test which claims 5.5% where it may claim 5% is found out. And no test is valid that claims
more than 5.0% where clips are endlessly many, which is computed rather than simulated: the two parts of the variance
may have any proportion, while a few are simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from bench.truth.limit import Rule, both_t_tests, cochran, false_claims, hillis, linear
from bench.truth.one_option import OneOption
from bench.truth.rivals import BOTH, COCHRAN, HILLIS, LINEAR, T_CLIPS, T_SEEDS
from bench.truth.shares import GOAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.truth.measure import Measured
    from bench.truth.shares import Share, Tally

RIVALS = (T_SEEDS, T_CLIPS, BOTH, COCHRAN, HILLIS, LINEAR)

LIMITS: dict[str, Rule] = {BOTH: both_t_tests, COCHRAN: cochran, HILLIS: hillis, LINEAR: linear}
"""The critical values of those that are not plainly invalid."""

_ROUNDED = 0.0005
"""What is below half of a tenth of a percentage point counts as none."""

RATIO = 0.95
"""What the detection rate should be at least, of the best valid test's."""

SELDOM = 0.2
"""Where the best valid test finds an effect less often than this, the ratio is luck and is not held to the goal."""


@dataclass(frozen=True, slots=True)
class Detection:
    """How often an effect was found in one setting.

    Parameters
    ----------
    setting : OneOption
    share : Share
        Of experiments in which the option's effect is supported.
    best : str
        The valid test that finds most.
    best_share : Share
    """

    setting: OneOption
    share: Share
    best: str
    best_share: Share

    @property
    def ratio(self) -> float:
        """Detection over that of the best valid test; 1 where neither finds anything."""
        return self.share.count / self.best_share.count if self.best_share.count else 1.0

    @property
    def holds(self) -> bool:
        """Tell whether the goal is met, or does not apply."""
        return self.ratio >= RATIO or self.best_share.rate < SELDOM


def detections(measured: Sequence[Measured]) -> list[Detection]:
    """Compare the report with the best valid test wherever something differs and there are several seeds."""
    options = [(one.setting, one) for one in measured if isinstance(one.setting, OneOption) and one.setting.seeds > 1]
    found = []
    for setting, one in options:
        if setting.effect:
            nulls = [(at, other.tally) for at, other in options if not at.effect and at.seeds == setting.seeds]
            valid = [name for name in RIVALS if _is_valid(name, setting.clips, nulls)]
            best = max(valid, key=lambda name: one.tally[name].count, default="option_effect")
            found.append(Detection(setting, one.tally["option_effect"], best, one.tally[best]))
    return found


def _is_valid(name: str, clips: int, nulls: Sequence[tuple[OneOption, Tally]]) -> bool:
    """Return whether a test holds the goal at each noise on so many clips, over all settings, and in the limit."""
    seeds = nulls[0][0].seeds
    if name in LIMITS and false_claims(seeds, LIMITS[name])[1] >= GOAL + _ROUNDED:
        return False
    here = (tally[name] for at, tally in nulls if at.clips == clips)
    together = reduce(add, (tally[name] for _, tally in nulls))
    return together.meets() and all(share.meets() for share in here)
