"""Numbers, runs, options and levels as text: the one place where anything is rounded for a reader.

Sentences round for reading (`percent`, `points`); cells of tables keep the digits that set two runs apart
(`percent_cell`). Losses and metrics have three significant digits in both (`metric_text`). Where a unit is written once
for two numbers, or stands in a column's head, the number alone comes from `percent_number`, `points_number` or
`p_number`. Half is rounded up (`fixed`).
Nothing is rounded to a false 0 or 100%, nor a p-value across its significance level.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.runs import LOGGED_OPTIONS, OFF, as_number, number_text
from tracker.study.sample_name import CLIPS, SampleName, sample_name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.statistics.proportions import Interval
    from tracker.study.histories import LoggedSteps
    from tracker.study.metrics import Metric
    from tracker.study.options import Design
    from tracker.study.study import Study

MINUS = "−"

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ALL_DIGITS = 17  # of any number
_LONGEST_NUMBER = 8  # signs of a level, from which on a number is shortened
NEAR_WORD = 0.75  # similarity, 0 to 1, from which a mistyped word may mean another: 0.83 for ``kernal`` and ``kernel``
_FEW = 5
SIGNIFICANT = 3  # digits of a loss or another metric, in sentences and tables alike
SMALL, _LARGE = 1e-4, 1e7  # sizes of a metric below and from which it has an exponent
_TINY = 1e-3  # size of a metric below which it has its own number of decimals beside larger ones
_SMALL_RATE = 0.01  # size of a learning rate, or another level, below which it has one
_MOST_DECIMALS = 9
_LONGEST_CODE = 2  # letters of a name, such as ``lr``, that is written as it is at the beginning of a sentence too
_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"))
_EXACT = 1e15  # beyond this a float has no decimals that could be rounded
_FUZZ = 1e-12  # what arithmetic leaves of rounding
_WIDEST = 0.6  # width of an interval from which it says nothing: there are too few clips
_FEWEST_ALL = 3  # runs, from which on more are called all rather than one by one
_MOST_NAMED = 12  # runs that are named one by one
NONE = "–"  # what stands in a table for a number that was not logged or does not exist


@dataclass(frozen=True, slots=True)
class Wording:
    """What a sentence has to know beside its conclusion."""

    numbers: Mapping[str, int]  # of runs by their id, as the report numbers them
    metric: Metric  # the primary one; `alpha` and `margin` as in `Study`
    alpha: float
    margin: float
    sample: SampleName = CLIPS  # what is put into sentences, which are written of clips

    def run(self, run_id: str) -> str:
        """Return ``run 3``."""
        return f"run {self.numbers[run_id]}"

    def runs(self, run_ids: Sequence[str]) -> str:
        """Return ``runs 1, 2 and 4``, or ``all nine runs``; of many runs how many there are."""
        if len(run_ids) == len(self.numbers) > _FEWEST_ALL:
            return f"all {number_word(len(run_ids))} runs"
        if len(run_ids) > _MOST_NAMED:
            return f"{len(run_ids)} runs"
        return f"{'run' if len(run_ids) == 1 else 'runs'} {self.runs_alone(run_ids)}"

    def runs_alone(self, run_ids: Sequence[str], *, in_order: bool = True) -> str:
        """Return ``1, 2 and 4``, for a table, by their numbers or `in_order` of their own; of many how many."""
        if len(run_ids) > _MOST_NAMED:
            return f"{len(run_ids)} runs"
        numbers = [self.numbers[run_id] for run_id in run_ids]
        return listing([str(number) for number in (sorted(numbers) if in_order else numbers)])

    def is_all(self, run_ids: Sequence[str]) -> bool:
        """Return whether these are all runs, and several."""
        return len(run_ids) == len(self.numbers) > 1

    @property
    def on_these(self) -> str:
        """What is said behind an effect that holds for the data it was measured on: ``on this validation set``."""
        part = {"validation": "validation set", "test": "test set", "training": "training set"}
        return f"on this {part.get(self.metric.part or '', 'set of data')}"

    def p(self, p_value: float, sign: str = "=") -> str:
        """Return ``p = 0.070``; with ``≥`` rounded down and with ``≤`` up, so that it stays true."""
        return p_text(p_value, self.alpha, sign)

    def p_again(self, p_value: float) -> str:
        """Return a p-value that follows another: ``0.070``, or ``p < 0.001`` with its sign."""
        return self.p(p_value).removeprefix("p = ")

    def corrected(self, p_value: float, p_adjusted: float | None, of_what: str) -> str:
        """Return a p-value, and what it becomes in its family if that differs."""
        if p_adjusted is None or p_adjusted == p_value:
            return self.p(p_value)
        return f"{self.p(p_value)}, {self.p_again(p_adjusted)} among {of_what}"


def p_text(p_value: float, alpha: float, sign: str = "=") -> str:
    """Return a p-value with as many digits as keep it on its side of `alpha`: ``p = 0.070``, or ``p < 0.001``."""
    text = p_number(p_value, alpha, sign)
    return f"p = {text}" if text[0].isdigit() else f"p {text}"


def p_number(p_value: float, alpha: float, sign: str = "=") -> str:
    """Return the same without ``p =``, for a column: ``0.070``; any other sign stays: ``< 0.001``, ``≥ 0.5``."""
    front = "" if sign == "=" else f"{sign} "
    if p_value < min(0.001, alpha) and sign != "≥":
        return "< 0.001" if alpha >= 0.001 else f"{front}{p_value:.1e}"
    if p_value == 1:
        return "1.0"
    for digits in range(3, 13):
        scaled = p_value * 10**digits
        whole = {"≥": math.floor(scaled + 1e-9), "≤": math.ceil(scaled - 1e-9)}.get(sign, math.floor(scaled + 0.5))
        shown = float(whole / 10**digits)
        if (shown <= alpha) == (p_value <= alpha) and 0 < shown < 1:  # not a false 0 or 1, and on its side of alpha
            break
    return f"{front}{shown:.{digits}f}"


def fixed(value: float, digits: int) -> str:
    """Return a finite number with so many decimals, half rounded away from 0: ``13`` for 12.5, which `format` makes 12.

    What floating point leaves just short of a half counts as one: 100 × 0.575 is 57.49999999999999.
    """
    scaled = abs(value) * 10**digits
    if scaled > _EXACT:
        return f"{value:,.{digits}f}"
    return f"{math.copysign(math.floor(scaled * (1 + _FUZZ) + 0.5) / 10**digits, value):,.{digits}f}"


def points(difference: float) -> str:
    """Return the size of a difference of accuracies as ``3.3 points``; never a false 0."""
    text = points_number(difference)
    return f"{text} point" if text == "1" else f"{text} points"


def points_number(difference: float) -> str:
    """Return the size in points alone: whole from ten on, to a tenth below, to one digit if that would be 0."""
    size = abs(100 * difference)
    if size < 0.095:  # what is left of a difference of equal numbers is 0
        return number_text(float(f"{size:.1g}")) if size > 1e-9 else "0"
    whole = size >= 9.95 - _FUZZ or abs(size - round(size)) < 1e-9
    return fixed(size, 0 if whole else 1)


def points_span(low: float, high: float) -> str:
    """Return ``4 to 16 points``, or what both ends are rounded to."""
    return points(high) if points(low) == points(high) else f"{points_number(low)} to {points(high)}"


def points_interval(interval: Interval) -> str:
    """Return ``−12 to +18``."""
    sizes = [(end, points_number(end)) for end in interval]
    return " to ".join(size if size == "0" else f"{MINUS if end < 0 else '+'}{size}" for end, size in sizes)


def percent(fraction: float) -> str:
    """Return a fraction as ``83%``; never a false 0 or 100%."""
    return f"{percent_number(fraction)}%"


def percent_number(fraction: float, digits: int | None = None) -> str:
    """Return a fraction in percent without the sign; by default whole, or to a tenth near 0 and 100."""
    if 0 < fraction < 0.001:
        return "under 0.1"
    if 0.999 < fraction < 1:
        return "over 99.9"
    if digits is None:
        digits = 1 if (0 < fraction < 0.01 or 0.99 < fraction < 1) else 0
    return fixed(100 * fraction, digits)


def correct_of(correct: int, n: int) -> str:
    """Return ``26/30 (86.7%)``; all or none as ``30/30 (100%)``."""
    return f"{correct}/{n} ({percent(correct / n) if correct in (0, n) else percent_cell(correct / n)})"


def is_informative(interval: Interval) -> bool:
    """Return whether an interval of a fraction, or of a difference of two, is narrow enough to say anything."""
    return interval[1] - interval[0] <= _WIDEST


def percent_interval(interval: Interval) -> str:
    """Return ``66–93%``; in tenths, as ``69.9–70.4%``, if both ends are the same in whole percent."""
    low, high = map(percent_number, interval)
    return percent_interval_cell(interval) if low == high else f"{_span(low, high)}%"


def _span(low: str, high: str) -> str:
    """Return ``66–93``; with a word at an end, ``over 99.9``, joined by a word too."""
    return f"{low}{'–' if low[0].isdigit() and high[0].isdigit() else ' to '}{high}"


def whole_cell(value: int | None) -> str:
    """Return a count or an epoch for a table."""
    return NONE if value is None else f"{value:,}"


def metric_text(value: float | None, digits: int = SIGNIFICANT) -> str:
    """Return a loss or another metric to so many significant digits: ``0.613``, ``86.7``, ``1,234``, ``1.5e-5``."""
    if value is None:
        return NONE
    if not math.isfinite(value):
        return "not finite"
    size, front = abs(value), MINUS if value < 0 else ""
    if size == 0:
        return "0"
    if not SMALL <= size < _LARGE:
        return f"{front}{_with_exponent(size, digits)}"
    return f"{front}{fixed(size, decimals(size, digits))}"


def decimals(value: float, digits: int = SIGNIFICANT) -> int:
    """Return how many decimals give a number above 0 so many significant digits."""
    return max(0, digits - 1 - int(f"{value:.{digits - 1}e}".partition("e")[2]))


def significant(value: float) -> float:
    """Return a number rounded to the digits that sentences give it."""
    return float(f"{value:.{SIGNIFICANT}g}")


def _with_exponent(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return f"{number_text(float(mantissa))}e{int(exponent)}"


def curve_cell(value: float | None, digits: int) -> str:
    """Return a curve's value at an epoch: so many decimals, or as many significant digits if it is very small."""
    return "not finite" if value is None else metric_text(value, digits) if abs(value) < 1e-3 else fixed(value, digits)


def fixed_cell(value: float | None, digits: int) -> str:
    """Return a number with so many decimals."""
    return NONE if value is None else fixed(value, digits).replace("-", MINUS)


def digits_apart(values: Sequence[float]) -> int:
    """Return how many decimals set values apart that differ, fewer if all of them end in 0.

    At least as many as give the largest of them three significant digits.
    """
    different, largest = len(set(values)), max(map(abs, values), default=0.0)
    least = min(decimals(largest), _MOST_DECIMALS) if largest else 0
    each = (d for d in range(least, _MOST_DECIMALS) if len({fixed(value, d) for value in values}) == different)
    digits = next(each, _MOST_DECIMALS)
    while digits and all(fixed(value, digits).endswith("0") for value in values):
        digits -= 1
    return digits


def percent_cell(fraction: float | None) -> str:
    """Return a fraction for a table, as ``83.3%``."""
    number = percent_number_cell(fraction)
    return number if number == NONE else f"{number}%"


def percent_number_cell(fraction: float | None) -> str:
    """Return the same for a column with the unit in its head."""
    return NONE if fraction is None or not math.isfinite(fraction) else percent_number(fraction, 1)


def percent_interval_cell(interval: Interval | None) -> str:
    """Return the interval of a fraction for a table, as ``66.4–92.7%``."""
    return NONE if interval is None else f"{percent_bounds_cell(interval)}%"


def percent_bounds_cell(interval: Interval | None) -> str:
    """Return the same for a column with the unit in its head, as ``66.4–92.7``."""
    return NONE if interval is None else _span(percent_number_cell(interval[0]), percent_number_cell(interval[1]))


def seconds_cell(value: float | None) -> str:
    """Return a duration in one unit or two: ``under 0.1 s``, ``4.2 s``, ``74 s``, ``12 min 5 s``, ``2 h 5 min``."""
    if value is None or not math.isfinite(value):
        return NONE
    if value < 99.5:
        return f"{seconds_number_cell(value)} s"
    minutes, rest = divmod(math.floor(value + 0.5), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(math.floor(value / 60 + 0.5), 60)
    return f"{hours:,} h {minutes} min"


def seconds_number_cell(value: float | None) -> str:
    """Return a duration in seconds for a column with the unit in its head."""
    if value is None or not math.isfinite(value):
        return NONE
    return "under 0.1" if value < 0.1 else fixed(value, 1 if value < 9.95 else 0)


def points_cell(difference: float | None) -> str:
    """Return a difference of accuracies with its sign, as ``+3.3 points``."""
    return NONE if difference is None else sign(difference) + points(difference)


def points_interval_cell(interval: Interval | None) -> str:
    """Return the interval of a difference, as ``−12 to +18 points``."""
    return NONE if interval is None else f"{points_interval(interval)} points"


def change_cell(difference: float | None) -> str:
    """Return a difference of a metric with its sign, as ``+0.0312``."""
    return NONE if difference is None else sign(difference) + metric_text(abs(difference))


def change_interval_cell(interval: Interval | None) -> str:
    """Return the interval of a difference of a metric, as ``−0.2 to +0.0312``."""
    return NONE if interval is None else " to ".join(map(change_cell, interval))


def sign(difference: float) -> str:
    """Return the sign of a difference, nothing for 0."""
    return "+" if difference > 0 else MINUS if difference else ""


def count_words(number: int, what: str) -> str:
    """Return ``one clip``, ``30 clips``, for a title or the beginning of a sentence."""
    return f"{number_word(number)} {what}{'' if number == 1 else 's'}"


def counted(number: int, what: str) -> str:
    """Return ``1 epoch``, ``1,200 epochs``: a count of something is in figures."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def some(names: Sequence[str]) -> str:
    """Join the first five names, and count the rest."""
    rest = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {rest} more" if rest > 0 else "")


def number_word(number: int) -> str:
    """Return ``two`` for 2, for what is counted without its unit; figures from ten on."""
    return _NUMBERS[number] if 0 <= number < len(_NUMBERS) else f"{number:,}"


def round_number(number: int) -> str:
    """Return a large number to two digits: ``about 2,200``; up to 20 as it is."""
    return str(number) if number <= 20 else f"about {round_up(number)}"


def round_up(number: int) -> str:
    """Return a large number rounded up to two digits: ``2,200``; up to 20 as it is."""
    if number <= 20:
        return str(number)
    unit = 10 ** (len(str(number)) - 2)
    return f"{math.ceil(number / unit) * unit:,}"


def losses(*values: float) -> tuple[str, ...]:
    """Return losses, or values of another metric, to as many decimals each as set those apart that differ."""
    different, sizes = len(set(values)), [abs(value) for value in values if value]
    if all(_TINY <= size < _LARGE for size in sizes):
        least = max(decimals(max(sizes)), SIGNIFICANT if min(sizes) < 1 else 0) if sizes else 0
        for digits in range(least, _MOST_DECIMALS):
            texts = tuple(fixed_cell(value, digits) for value in values)
            if len(set(texts)) == different:
                return texts
    for digits in range(SIGNIFICANT, _MOST_DECIMALS):
        texts = tuple(metric_text(value, digits) for value in values)
        if len(set(texts)) == different:
            return texts
    return tuple(f"{value:.9g}" for value in values)


def rate_text(rate: float, digits: int = SIGNIFICANT) -> str:
    """Return a learning rate, which may be a float32, as people write it: ``3e-5``, ``0.01``."""
    if 0 < abs(rate) < _SMALL_RATE:
        return _with_exponent(rate, digits)
    return number_text(float(f"{rate:.{digits}g}"))


def duration(seconds: float) -> str:
    """Return ``about 14 s``, ``about 3 min`` or ``about 2.5 h``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"about {fixed(seconds, 0)} s"
    return f"about {fixed(seconds / 60, 0)} min" if seconds < 100 * 60 else f"about {fixed(seconds / 3600, 1)} h"


def age(milliseconds: int) -> str:
    """Return a stretch of time in its largest unit: ``3 d``."""
    seconds = max(0, milliseconds // 1_000)
    size, unit = next((age for age in _AGES if seconds >= age[0]), (1, "s"))
    return f"{seconds // size} {unit}"


def size_text(size: int) -> str:
    """Return a number of bytes in its largest unit: ``1.2 GB``, ``307 MB``, ``under 1 kB``."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{fixed(size / unit, 1 if size < 10 * unit else 0)} {name}"
    return "under 1 kB"


def listing(items: Sequence[str], join: str = "and") -> str:
    """Return ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {join} {items[-1]}" if items else ""


def steps_text(steps: LoggedSteps) -> str:
    """Return ``all 10 values of val_loss at step 0``, or ``val_loss at steps 10 to 19``, so that epochs are unknown."""
    if steps.first == steps.last:
        return f"all {steps.values:,} values of {steps.metric} at step {steps.first}, so the last one alone is used"
    first, last = (f"{step:,}".replace("-", MINUS) for step in (steps.first, steps.last))
    return f"{steps.metric} at steps {first} to {last}, so it is unknown which epoch a value is of"


def metric_words(metric: Metric) -> str:
    """Return what sentences call the primary metric: ``validation accuracy``, ``validation loss``, else its name."""
    named = f"training {metric.name}" if metric.is_of_fit else metric.name
    if not metric.is_logged:
        return "a metric"
    return "validation accuracy" if metric.is_accuracy else "validation loss" if metric.is_loss else named


def number_for(metric: Metric) -> str:
    """Return what a run without a rank did not log: ``a number for val_f1``."""
    return f"a number for {metric.name}" if metric.is_logged else "a metric that ranks runs"


def option_words(option: str) -> str:
    """Return an option's name in words; a param that is no option of tracker as it is called."""
    return LOGGED_OPTIONS[option].words if option in LOGGED_OPTIONS else option


def change_words(option: str, start: str, end: str) -> str:
    """Return a change of level in words: ``kernel size 7 instead of 3``."""
    entry = LOGGED_OPTIONS.get(option)
    name = entry.quantity or entry.words if entry else option
    if end == OFF:
        return f"no {option_words(option)} instead of {name} {level_words(option, start)}"
    before = "none" if start == OFF else level_words(option, start)
    return f"{name} {level_words(option, end)} instead of {before}"


_NAMES = (
    words
    for entry in LOGGED_OPTIONS.values()
    for words in (entry.words, entry.quantity, entry.phrase_format.partition("{")[0])
)
_BEGINNINGS = (
    "no ",
    "validation loss",
    "validation accuracy",
    *(words for words in _NAMES if len(words.partition(" ")[0]) > _LONGEST_CODE),
)
_LONGEST_QUOTED = 40  # characters of a name or level that isn't a plain word
_MOST_OPTIONS = 6  # options that name a configuration in a sentence
_PLAIN_LEVEL = re.compile(r"[^\W_](?:[\w.+/-]{0,38}[^\W_])?")
# an object as Python writes it, such as ``SVC()``
_OBJECT_LEVEL = re.compile(r"(?=.{1,40}$)\w*[(\[{](?:[\w.+='():\[\]{}-]|, |: )*[)\]}]", re.ASCII)


def configuration_phrases(design: Design, run: int) -> tuple[str, ...]:
    """Return what sentences call a run's configuration: ``7×7 kernel``, ``lr 1e-4``, ``no plateau``.

    It names what every title has and the options that vary, the first of very many; empty if there is none. A level
    that isn't a plain word is quoted, a long one named by its place among the option's levels.
    """
    levels = dict(design.terms[run].levels)
    usual = [name for name, entry in LOGGED_OPTIONS.items() if entry.always and name in levels]
    phrases = [
        _level_phrase(design, name, levels[name]) if name in levels else f"no {option_words(name)}"
        for name in dict.fromkeys([*usual, *design.naming(run)])
    ]
    return tuple(phrases[:_MOST_OPTIONS])


def called_configuration(phrases: Sequence[str]) -> str:
    """Return what a configuration is called in a sentence, by its phrases: ``the 7×7 kernel with lr 1e-4``."""
    first, *rest = phrases
    if first.endswith("kernel"):
        return f"the {first} with {listing(rest)}" if rest else f"the {first}"
    return f"the configuration with {listing([first, *rest])}"


def _level_phrase(design: Design, option: str, level: str) -> str:
    entry = LOGGED_OPTIONS.get(option)
    if entry is not None and entry.phrase_format:
        parts = [_short_number(part) for part in entry.parts_of_level(level)]
        if len(parts) == len(entry.params) and None not in parts:
            phrase = entry.phrase_format.format(*parts)
            return phrase.removesuffix("s") if parts == ["1"] and entry.phrase_format.startswith("{} ") else phrase
    text = _short_number(level) or (level if _PLAIN_LEVEL.fullmatch(level) or _OBJECT_LEVEL.fullmatch(level) else "")
    if not text:
        place = design.levels[option].index(level) + 1 if option in design.levels else 1
        text = f"“{level}”" if _is_short(level) else f"level {place}"
    name = option_words(option)
    return f"{name if _is_short(name) else 'option'} {text}"


def _is_short(text: str) -> bool:
    """Return whether a stranger's text may stand within a sentence."""
    return text.isprintable() and 0 < len(text) <= _LONGEST_QUOTED and text == text.strip()


def _short_number(level: str) -> str | None:
    """Return a number in few digits, a small one with an exponent: ``1e-4``; None for other text."""
    value = as_number(level)
    if value is None:
        return None
    is_long = len(level) > _LONGEST_NUMBER and value != int(value)
    text = rate_text(value) if is_long or 0 < abs(value) < _SMALL_RATE else level
    return f"{MINUS}{text[1:]}" if text.startswith("-") else text


def in_few_digits(level: str, others: Sequence[str]) -> str:
    """Return a level, a long number with as few digits, three at least, as set it apart from the other levels."""
    value = as_number(level)
    if value is None or len(level) <= _LONGEST_NUMBER or value == int(value):
        return level
    numbers = {number for other in (level, *others) if (number := as_number(other)) is not None}
    each = (d for d in range(SIGNIFICANT, _ALL_DIGITS) if len({rate_text(n, d) for n in numbers}) == len(numbers))
    return rate_text(value, next(each, _ALL_DIGITS))


def level_words(option: str, level: str) -> str:
    """Return a level in words: ``factor 0.3 and patience 10``; a small or long number in few digits: ``1e-4``."""
    entry = LOGGED_OPTIONS.get(option)
    formatted = entry.formatted(entry.level_format, level) if entry and entry.level_format else None
    return formatted or _short_number(level) or level


def level_cell(option: str, level: str) -> str:
    """Return a level for a table: ``×0.3 after 10`` of a plateau, ``1e-4``, ``off``; other text as it is."""
    entry = LOGGED_OPTIONS.get(option)
    if entry is not None and entry.level_format and level != OFF:
        formatted = entry.formatted(entry.phrase_format, level)
        return formatted.removeprefix(f"{entry.words} ") if formatted else level
    return _short_number(level) or level


def level_of_option(option: str, level: str) -> str:
    """Return an option with its level in words: ``kernel size 7``, ``no early stopping``."""
    return f"no {option_words(option)}" if level == OFF else f"{option_words(option)} {level_words(option, level)}"


def capitalised(text: str) -> str:
    """Return `text` with its first letter in upper case and the rest as it is."""
    return text[:1].upper() + text[1:]


def option_title(option: str) -> str:
    """Return what heads a column of an option: ``Kernel size``; a param that is none of tracker's as it is called."""
    return capitalised(option_words(option)) if option in LOGGED_OPTIONS else option


def begun(text: str) -> str:
    """Return words that begin with an option's name as the beginning of a sentence: ``Kernel size``, but ``dropout``.

    A param or metric of another program stays as it is called.
    """
    return capitalised(text) if text.startswith(_BEGINNINGS) else text


def wording_of(study: Study) -> Wording:
    """Return what sentences have to know of a study."""
    numbers = {result.run_id: result.number for result in study.results}
    sample = sample_name_of([result.run for result in study.results])
    return Wording(numbers, study.metric, study.alpha, study.margin, sample)


def chance_words(probability: float) -> str:
    """Return a probability in words: ``about 3 times in 10``."""
    if probability < 0.05:
        return "less than 1 time in 20"
    if probability >= 0.95:
        return "more than 19 times in 20"
    times = min(9, max(1, math.floor(10 * probability + 0.5)))
    return f"about {times} time{'' if times == 1 else 's'} in 10"
