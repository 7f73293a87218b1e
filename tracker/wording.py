"""How numbers, runs, options and levels are said: the one place where a sentence's figures are rounded.

Nothing is ever rounded to a false 0 or 100 %, nor a p-value across the level that it is held against.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.runs import LOGGED_OPTIONS, number_text
from tracker.study.options import OFF, as_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.statistics.proportions import Interval
    from tracker.study.study import Study

MINUS = "−"

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_LONGEST_NUMBER = 8
_MOST_NAMED = 12
"""Runs that are named one by one."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a sentence has to know beside its conclusion.

    Parameters
    ----------
    numbers : mapping of run id to int
        Runs as the report numbers them.
    metric : str
        The primary metric's name.
    lower_is_better : bool
        Whether lower is better.
    alpha, margin : float
        As in `Study`.
    """

    numbers: Mapping[str, int]
    metric: str
    lower_is_better: bool
    alpha: float
    margin: float

    def run(self, run_id: str) -> str:
        """Return ``run 3``."""
        return f"run {self.numbers[run_id]}"

    def runs(self, run_ids: Sequence[str]) -> str:
        """Return ``runs 1, 2 and 4``; of many runs how many there are."""
        if len(run_ids) > _MOST_NAMED:
            return f"{len(run_ids)} runs"
        names = [str(number) for number in sorted(self.numbers[run_id] for run_id in run_ids)]
        return f"{'run' if len(names) == 1 else 'runs'} {listing(names)}"

    def p(self, p_value: float, sign: str = "=") -> str:
        """Return ``p = 0.070``; with ``≥`` rounded down and with ``≤`` up, so that it stays true."""
        return p_text(p_value, self.alpha, sign)

    def corrected(self, p_value: float, p_adjusted: float | None, of_what: str) -> str:
        """Return a p-value, and what it becomes in its family where that differs."""
        if p_adjusted is None or p_adjusted == p_value:
            return self.p(p_value)
        return f"{self.p(p_value)}, {self.p(p_adjusted).removeprefix('p = ')} among {of_what}"


def p_text(p_value: float, alpha: float, sign: str = "=") -> str:
    """Return a p-value with as many digits as keep it on its side of `alpha`; ``p < 0.001`` below that."""
    if p_value < min(0.001, alpha) and sign != "≥":
        return "p < 0.001" if alpha >= 0.001 else f"p {sign} {p_value:.1e}"
    if p_value == 1:
        return "p = 1.0"
    digits = 3
    while digits < 12 and not _on_its_side(_rounded(p_value, digits, sign), p_value, alpha):
        digits += 1
    return f"p {sign} {_rounded(p_value, digits, sign):.{digits}f}"


def points(difference: float) -> str:
    """Return the size of a difference of accuracies as ``3.3 points``; never a false 0."""
    text = _points(abs(difference))
    return f"{text} point" if text == "1" else f"{text} points"


def points_interval(interval: Interval) -> str:
    """Return ``−12 to +18``."""
    return " to ".join(_signed(end) for end in interval)


def percent(share: float) -> str:
    """Return a share as ``83 %``; never a false 0 or 100 %."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    digits = 1 if (0 < share < 0.01 or 0.99 < share < 1) else 0
    return f"{100 * share:.{digits}f} %"


def percent_interval(interval: Interval) -> str:
    """Return ``66 to 93 %``."""
    low, high = (percent(end) for end in interval)
    return f"{low.removesuffix(' %')} to {high}"


NONE = "–"
"""What stands in a table for a number that was not logged or does not exist."""


def whole_cell(value: int | None) -> str:
    """Return a count or an epoch for a table."""
    return NONE if value is None else f"{value:,}"


def loss_cell(value: float | None) -> str:
    """Return a loss for a table: four decimals, or three significant digits if it is very small or large."""
    if value is None:
        return NONE
    if not math.isfinite(value):
        return "not finite"
    usual = value == 0 or 0.001 <= abs(value) < 10_000
    return (f"{value:.4f}" if usual else f"{value:.3g}").replace("-", MINUS)


def rate_cell(value: float) -> str:
    """Return a learning rate, which may have gone through float32, without an exponent."""
    return number_text(float(f"{value:.6g}"))


def percent_cell(share: float | None) -> str:
    """Return a share for a table, as ``83.3 %``."""
    if share is None or not math.isfinite(share):
        return NONE
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{100 * share:.1f} %"


def percent_interval_cell(interval: Interval | None) -> str:
    """Return the interval of a share for a table, as ``66.4 to 92.7 %``."""
    if interval is None:
        return NONE
    low, high = (percent_cell(end) for end in interval)
    return f"{low.removesuffix(' %')} to {high}"


def points_cell(difference: float | None) -> str:
    """Return a difference of accuracies with its sign, as ``+3.3 points``."""
    return NONE if difference is None else sign(difference) + points(difference)


def points_interval_cell(interval: Interval | None) -> str:
    """Return the interval of a difference, as ``−12 to +18 points``."""
    return NONE if interval is None else f"{points_interval(interval)} points"


def change_cell(difference: float | None) -> str:
    """Return a difference of a metric with its sign, as ``+0.0312``."""
    return NONE if difference is None else sign(difference) + loss_cell(abs(difference))


def sign(difference: float) -> str:
    """Return the sign of a difference, nothing for 0."""
    return "+" if difference > 0 else MINUS if difference else ""


def count(number: int, what: str, plural: str | None = None) -> str:
    """Return ``one clip``, ``two clips``, ``30 clips``."""
    return f"{number_word(number)} {what if number == 1 else plural or what + 's'}"


def number_word(number: int) -> str:
    """Return ``two`` for 2; figures above ten."""
    return _NUMBERS[number] if 0 <= number < len(_NUMBERS) else f"{number:,}"


def round_number(number: int) -> str:
    """Return a large number to two digits: ``about 2,200``; up to 20 as it is."""
    if number <= 20:
        return number_word(number)
    unit = 10 ** (len(str(number)) - 2)
    return f"about {math.ceil(number / unit) * unit:,}"


def losses(*values: float) -> tuple[str, ...]:
    """Return losses with as many digits, at least two, as tell those apart that differ, and from 0."""
    for digits in range(2, 9):
        texts = tuple(f"{value:.{digits}f}" for value in (*values, 0.0))
        if len(set(texts)) == len({*values, 0.0}):
            return texts[:-1]
    return tuple(f"{value:.6g}" for value in values)


def rate_text(rate: float) -> str:
    """Return a learning rate, which is a float32, in its shortest form: ``0.00003``."""
    return number_text(float(f"{rate:.3g}"))


def duration(seconds: float) -> str:
    """Return ``about 14 s``, ``about 3 min`` or ``about 2.5 h``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 100 * 60 else f"about {seconds / 3600:.1f} h"


def listing(items: Sequence[str], join: str = "and") -> str:
    """Return ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {join} {items[-1]}" if items else ""


def option_words(option: str) -> str:
    """Return an option's name in words; a param that is no option of tracker as it is called."""
    return LOGGED_OPTIONS[option].words if option in LOGGED_OPTIONS else option


def change_words(option: str, start: str, end: str) -> str:
    """Return a change of level in words: ``kernel size 7 instead of 3``."""
    entry = LOGGED_OPTIONS.get(option)
    name = entry.quantity or entry.words if entry else option
    before = "none" if start == OFF else level_words(option, start)
    return f"{name} {level_words(option, end)} instead of {before}"


def level_words(option: str, level: str) -> str:
    """Return a level in words: ``factor 0.3 and patience 10``; a long number in few digits."""
    entry = LOGGED_OPTIONS.get(option)
    formatted = entry.formatted(entry.level_format, level) if entry and entry.level_format else None
    return formatted or _short(level)


def capitalised(text: str) -> str:
    """Return `text` with its first letter in upper case and the rest as it is."""
    return text[:1].upper() + text[1:]


def _short(level: str) -> str:
    """Return a level as it is, a number of many digits to three of them."""
    number = as_number(level)
    return number_text(float(f"{number:.3g}")) if number is not None and len(level) > _LONGEST_NUMBER else level


def _rounded(p_value: float, digits: int, sign: str) -> float:
    scaled = p_value * 10**digits
    whole = {"≥": math.floor(scaled + 1e-9), "≤": math.ceil(scaled - 1e-9)}.get(sign, math.floor(scaled + 0.5))
    return float(whole / 10**digits)


def _on_its_side(shown: float, p_value: float, alpha: float) -> bool:
    """Tell whether a rounded p-value says the same of `alpha` as the whole one, and is not a false 0 or 1."""
    return (shown <= alpha) == (p_value <= alpha) and 0 < shown < 1


def _signed(difference: float) -> str:
    text = _points(abs(difference))
    return text if text == "0" else f"{MINUS if difference < 0 else '+'}{text}"


def _points(size: float) -> str:
    """Return a size in points: whole from ten on, to a tenth below, and to one digit where that would be a false 0."""
    size *= 100
    if size < 0.095:
        return number_text(float(f"{size:.1g}"))
    whole = round(size, 1) >= 10 or abs(size - round(size)) < 1e-9
    return f"{size:.0f}" if whole else f"{size:.1f}"


def wording_of(study: Study) -> Wording:
    """Return what sentences have to know of a study."""
    numbers = {outcome.run_id: outcome.number for outcome in study.results}
    return Wording(numbers, study.metric.name, study.metric.lower_is_better, study.alpha, study.margin)
