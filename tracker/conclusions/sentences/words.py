"""How numbers, runs, options and levels are said: the one place where a sentence's figures are rounded.

Nothing is ever rounded to a false 0 or 100 %, nor a p-value across the level that it is held against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.design import OFF, PLATEAU

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.conclusions.conclusion import Interval

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_OPTIONS = {
    "model": "network",
    "kernel_size": "kernel size",
    "learning_rate": "learning rate",
    PLATEAU: "plateau",
    "early_stopping_patience": "early stopping",
    "epochs": "epoch limit",
    "batch_size": "batch size",
    "keep": "kept epoch",
    "segment_s": "segment length",
}
MINUS = "−"


@dataclass(frozen=True, slots=True)
class Voice:
    """What a sentence has to know beside its conclusion.

    Parameters
    ----------
    numbers : mapping of run id to int
        Runs as the report numbers them.
    metric : str
        The primary metric's name.
    alpha, margin : float
        As in `Study`.
    """

    numbers: Mapping[str, int]
    metric: str
    alpha: float
    margin: float

    def run(self, run_id: str) -> str:
        """Return ``run 3``."""
        return f"run {self.numbers[run_id]}"

    def runs(self, run_ids: Sequence[str], most: int = 12) -> str:
        """Return ``runs 1, 2 and 4``; of more than `most` how many there are."""
        if len(run_ids) > most:
            return f"{len(run_ids)} runs"
        names = [str(number) for number in sorted(self.numbers[run_id] for run_id in run_ids)]
        return f"{'run' if len(names) == 1 else 'runs'} {listing(names)}"

    def p(self, p_value: float, sign: str = "=") -> str:
        """Return ``p = 0.070``."""
        return p_text(p_value, self.alpha, sign)


def p_text(p_value: float, alpha: float, sign: str = "=") -> str:
    """Return a p-value as ``p = 0.070`` with as many digits as set it apart from `alpha`; ``p < 0.001`` below that."""
    if p_value < 0.001 and alpha >= 0.001:
        return "p < 0.001"
    if p_value > 0.9995:
        return f"p {sign} 1.0" if p_value == 1 else "p > 0.999"
    digits = 3
    while p_value != alpha and round(p_value, digits) == round(alpha, digits) and digits < 12:
        digits += 1
    return f"p {sign} {p_value:.{digits}f}"


def points(difference: float, *, signed: bool = False) -> str:
    """Return a difference of accuracies as ``3.3 points``; small ones never as 0."""
    text = _points(difference, signed=signed)
    return f"{text} point" if text.lstrip(f"+{MINUS}") == "1" else f"{text} points"


def points_interval(interval: Interval) -> str:
    """Return ``−12 to +18 points``."""
    low, high = (_points(end, signed=True) for end in interval)
    return f"{low} to {high} points"


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


def count(number: int, what: str, plural: str | None = None) -> str:
    """Return ``one clip``, ``two clips``, ``30 clips``."""
    word = _NUMBERS[number] if 0 <= number < len(_NUMBERS) else f"{number:,}"
    return f"{word} {what if number == 1 else plural or what + 's'}"


def number_word(number: int) -> str:
    """Return ``two`` for 2; figures above ten."""
    return _NUMBERS[number] if 0 <= number < len(_NUMBERS) else f"{number:,}"


def losses(*values: float) -> tuple[str, ...]:
    """Return losses with as many digits, at least two, as tell those apart that differ."""
    for digits in range(2, 9):
        texts = tuple(f"{value:.{digits}f}" for value in values)
        if len(set(texts)) == len(set(values)):
            return texts
    return tuple(repr(value) for value in values)


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
    """Return an option's name in words."""
    return _OPTIONS.get(option, option)


def level_words(option: str, level: str) -> str:
    """Return an option at a level in words: ``kernel size 3``, ``no plateau``."""
    if level == OFF:
        return f"no {option_words(option)}"
    if option == PLATEAU:
        factor, _, patience = level.partition("x")
        return f"a plateau of factor {factor} and patience {patience}"
    if option == "early_stopping_patience":
        return f"early-stopping patience {level}"
    return f"{option_words(option)} {level}"


def capitalised(text: str) -> str:
    """Return `text` with its first letter in upper case and the rest as it is."""
    return text[:1].upper() + text[1:]


def _points(difference: float, *, signed: bool) -> str:
    size = abs(difference) * 100
    digits = 0 if size >= 10 or size == round(size) else 1 if size >= 0.1 else 2
    text = f"{size:.{digits}f}" if size == 0 or size >= 0.01 else "under 0.01"
    if float(text.removeprefix("under ")) == 0:
        return "0"
    sign = MINUS if difference < 0 else "+" if signed else ""
    return f"{sign}{text}"
