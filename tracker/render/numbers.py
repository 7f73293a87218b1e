"""Numbers as they stand in a table: markup-free, aligned, never a false 0 or 100 %.

Sentences round for reading (`tracker.wording`); tables keep the digits that tell two runs apart.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

from tracker import wording as words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.report import Accuracy
    from tracker.statistics.proportions import Interval

NONE = Markup("–")
"""What stands where a number was not logged or does not exist."""


def whole(value: int | None) -> Markup:
    """Write a count or an epoch."""
    return Markup(words.whole_cell(value))  # noqa: S704


def loss(value: float | None) -> Markup:
    """Write a loss with four digits after the point, or three that count where it is very small or large."""
    return Markup(words.loss_cell(value))  # noqa: S704


def digits_apart(values: Sequence[float]) -> int:
    """Return how many digits after the point tell values apart that differ: four at least, less where all end in 0."""
    different = len(set(values))
    apart = (digits for digits in range(4, 9) if len({f"{value:.{digits}f}" for value in values}) == different)
    digits = next(apart, 9)
    while digits and all(f"{value:.{digits}f}".endswith("0") for value in values):
        digits -= 1
    return digits


def fixed(value: float | None, digits: int) -> Markup:
    """Write a number with so many digits after the point."""
    return NONE if value is None else Markup(f"{value:.{digits}f}".replace("-", words.MINUS))  # noqa: S704


def rate(value: float) -> Markup:
    """Write a learning rate, which may have gone through float32, without an exponent."""
    return Markup(words.rate_cell(value))  # noqa: S704


def logged(value: float | None) -> Markup:
    """Write a metric with every digit that was logged."""
    return NONE if value is None else Markup(repr(float(value)))  # noqa: S704


def right(accuracy: Accuracy | None) -> Markup:
    """Write how many clips are right, of how many."""
    return NONE if accuracy is None else Markup(f"{accuracy.correct} of {accuracy.n}")  # noqa: S704


def ratio(accuracy: Accuracy | None) -> Markup:
    """Write the same for a narrow column, as ``25/30``."""
    return NONE if accuracy is None else Markup(f"{accuracy.correct}/{accuracy.n}")  # noqa: S704


def percent(share: float | None) -> Markup:
    """Write a share with one digit after the point."""
    return Markup(words.percent_cell(share))  # noqa: S704


def percent_interval(interval: Interval | None) -> Markup:
    """Write the interval of a share, as ``66.4 to 92.7 %``."""
    return Markup(words.percent_interval_cell(interval))  # noqa: S704


def percent_bare(share: float | None) -> Markup:
    """Write a share for a column that has the unit in its head."""
    return Markup(percent(share).removesuffix(" %"))  # noqa: S704


def bounds(interval: Interval | None) -> Markup:
    """Write the interval of a share for such a column, as ``66.4–92.7``."""
    return NONE if interval is None else Markup("–").join(percent_bare(end) for end in interval)


def points(difference: float | None) -> Markup:
    """Write a difference of accuracies with its sign, as ``+3.3 points``."""
    return Markup(words.points_cell(difference))  # noqa: S704


def change(difference: float | None) -> Markup:
    """Write a difference of a metric with its sign, as ``+0.0312``."""
    return Markup(words.change_cell(difference))  # noqa: S704


def points_interval(interval: Interval | None) -> Markup:
    """Write the interval of a difference, as ``−12 to +18 points``."""
    return Markup(words.points_interval_cell(interval))  # noqa: S704


def seconds_bare(value: float | None) -> Markup:
    """Write a duration in seconds for a column that has the unit in its head."""
    if value is None or not math.isfinite(value):
        return NONE
    return Markup("under 0.1" if value < 0.1 else f"{value:.1f}" if value < 9.95 else f"{value:,.0f}")  # noqa: S704


def seconds(value: float | None) -> Markup:
    """Write a duration in one unit or two: ``under 0.1 s``, ``4.2 s``, ``74 s``, ``12 min 5 s``, ``2 h 5 min``."""
    if value is None or not math.isfinite(value):
        return NONE
    if value < 0.1:
        return Markup("under 0.1 s")
    if value < 99.5:
        return Markup(f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s")  # noqa: S704
    minutes, rest = divmod(round(value), 60)
    if minutes < 100:
        return Markup(f"{minutes} min {rest} s")  # noqa: S704
    hours, minutes = divmod(round(value / 60), 60)
    return Markup(f"{hours:,} h {minutes} min")  # noqa: S704
