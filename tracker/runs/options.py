"""What an option of ``tracker run`` is, and how its value is written.

An option is declared once, as a field of the plan that it belongs to (`tracker.runs.planned`). The command line, the
params of a run and their reading back, suggested commands, titles, words and orders are all derived from that entry.

A value is written in parts: one for most options, two for a plateau (``0.3`` and ``10``). As params each part stands
alone, in a level they are joined by ``x``, and on the command line by the separator of the value's type.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from tracker.printable import decoded, is_printable

if TYPE_CHECKING:
    from collections.abc import Sequence

OptionValue = int | float | str | bool  # What an option of a network may be set to

OFF = "off"  # the level of an option that is not set
_ENTRY = "option"
_BOUNDS = {"at least": "least", "above": "above", "below": "below", "at most": "most"}
_NUMBER = r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?"
_BOUND = re.compile(rf"({'|'.join(_BOUNDS)}) ({_NUMBER})")
_FROM_TO = re.compile(rf"({_NUMBER}) to ({_NUMBER})")
_LONGEST_NUMBER = 10**20  # beyond it, a bound is written with an exponent and a value as its number of digits
_SHOWN = 60  # characters of a value in an error
_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


class Panel(Enum):
    """The heading that help lists an option under, in help's order."""

    DATA = "Data"
    FEATURES = "Features"
    TRAINING = "Training"
    NETWORK = "Network"
    LOGGING = "Logging"


class Role(Enum):
    """What an option decides: the configuration, who is held out, the repetition, or nothing about the result."""

    CONFIGURATION = "configuration"
    SPLIT = "split"
    SEED = "seed"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Range:
    """The finite numbers from `least` or above `above`, up to `most` or below `below`."""

    least: float | None = None
    above: float | None = None
    below: float | None = None
    most: float | None = None

    def __contains__(self, number: float) -> bool:
        return (
            (isinstance(number, int) or math.isfinite(number))
            and (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
            and (self.most is None or number <= self.most)
        )

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{_bound_text(self.least)} to {_bound_text(self.most)}"
        bounds = (("at least", self.least), ("above", self.above), ("below", self.below), ("at most", self.most))
        return " and ".join(f"{words} {_bound_text(bound)}" for words, bound in bounds if bound is not None)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the range that `str` writes so, as ``at least 0 and below 1`` or ``1 to 9``; None for other text."""
        if both := _FROM_TO.fullmatch(text):
            return cls(least=_bound(both[1]), most=_bound(both[2]))
        clauses = [_BOUND.fullmatch(clause) for clause in text.split(" and ")]
        bounds = {_BOUNDS[bound[1]]: _bound(bound[2]) for bound in clauses if bound}
        return cls(**bounds) if len(bounds) == len(clauses) else None


ALPHAS = Range(least=1e-6, most=0.5)
"""Significance levels: below, rounding would decide."""
MARGINS = Range(above=0, below=1)
"""Equivalence margins, differences of accuracy."""


@dataclass(frozen=True, slots=True)
class Compound:
    """A value of several numbers, each a field; a subclass checks their ranges."""

    separator: ClassVar[str]
    metavar: ClassVar[str]
    example: ClassVar[str]
    part_types: ClassVar[tuple[type[int | float], ...]]
    part_names: ClassVar[tuple[str, ...]]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the value that a person typed; raise ValueError if it has too few or too many parts, or bad ones."""
        parts = text.split(cls.separator)
        if len(parts) != len(cls.part_types):
            raise ValueError(f"expected {cls.metavar}, for example {cls.example}, got {shown(text)}")
        try:
            return cls.from_parts(parts)
        except ValueError as error:
            raise ValueError(f"{shown(text)}: {error}") from error

    @classmethod
    def from_parts(cls, parts: list[str]) -> Self:
        """Return the value of as many texts as it has fields; raise ValueError if one isn't a number."""
        numbers = [_scalar(kind, part) for kind, part in zip(cls.part_types, parts, strict=True)]
        for name, kind, part, number in zip(cls.part_names, cls.part_types, parts, numbers, strict=True):
            if number is None:
                raise ValueError(f"the {name} must be {_KINDS[kind]}, got {shown(part)}")
        return cls(*numbers)

    @classmethod
    def from_numbers(cls, numbers: Sequence[object]) -> Self:
        """Return the value of as many numbers as it has fields; raise ValueError if they are not."""
        if len(numbers) != len(cls.part_types) or not all(map(_is_a, numbers, cls.part_types)):
            raise ValueError(
                f"{cls.__name__} must be made of {' and '.join(cls.part_names)}, got {shown(tuple(numbers))}"
            )
        return cls(*numbers)

    @property
    def parts(self) -> tuple[str, ...]:
        """Its numbers as text."""
        return tuple(number_text(getattr(self, each.name)) for each in fields(self))


Value = OptionValue | Compound | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOption:
    """One option of ``tracker run``."""

    name: str = ""  # in Python; also what the option is called among the levels of a run
    flag: str
    panel: Panel
    help: str  # one sentence without its full stop; the range is added by `help_text`
    type: type = object  # int, float, str, bool, or a `Compound`; by default that of the default
    default: Value = None  # None is `off`
    role: Role = Role.CONFIGURATION
    metavar: str = ""  # what stands for the value in help; empty: the type's name
    range: Range = Range()  # of a number
    longest: int = 0  # characters of a text that must be one printable line; 0: any text
    whole: bool = False  # whether a text is one level of a sweep, commas and all
    choices: tuple[str, ...] = ()  # the only values, if not empty
    environment: str = ""  # the environment variable that sets it
    default_words: str = ""  # the default in help, if the value itself does not say it
    params: tuple[str, ...] = ()  # the names it is logged under; empty if it is not logged
    words: str = ""  # what sentences call the option
    quantity: str = ""  # what sentences call its value, if not `words`
    # A level in a sentence, in a run's title and in a run's name, with a place for each part. Without the last two the
    # option stands in no title or name unless it varies.
    level_format: str = ""
    title_format: str = ""
    name_format: str = ""
    phrase_format: str = ""  # a level where a sentence names a whole configuration: ``{0}×{0} kernel``
    always: bool = False  # whether commands and run names give it even at its default; all that tracker trained have it
    of_some: bool = False  # whether it is None for a network that lacks it, whose runs don't log it
    implied: bool = False  # whether its default isn't logged, as it isn't of runs from before there was the option
    acts_late: bool = False  # whether two runs that differ in it alone are identical until it first acts

    @property
    def the_quantity(self) -> str:
        """What errors call the value."""
        words = self.quantity or self.words
        return f"the {words}" if words and not self.choices else self.flag

    @property
    def help_text(self) -> str:
        """The whole help, with the range."""
        bounds = str(self.range)
        return f"{self.help} ({bounds})." if bounds else f"{self.help}."

    @property
    def default_text(self) -> str:
        """The default as help writes it; empty for a switch."""
        if self.default_words or self.type is bool:
            return self.default_words
        return self.text(self.default)

    @property
    def spellings(self) -> frozenset[str]:
        """Every name that means this option: a network's own option may have none of them."""
        return frozenset([self.name, self.flag.removeprefix("--").replace("-", "_"), *self.params])

    def parse(self, text: str) -> Value:
        """Return the value that a text means; raise ValueError if it isn't of the option's type or in its range."""
        if issubclass(self.type, Compound):
            return self.type.parse(text)
        value = _scalar(self.type, decoded(text) if self.longest else text)
        if value is None:
            raise ValueError(f"{self.the_quantity} must be {_KINDS[self.type]}, got {shown(text)}")
        self.check(value)
        return value

    def check(self, value: object) -> None:
        """Raise ValueError if a value is not of the option's type or out of its range."""
        if value is None and self.default is None:
            return
        if issubclass(self.type, Compound):
            if not isinstance(value, self.type):
                form = f"{self.type.metavar}, such as {self.type.example}"
                raise ValueError(f"the {self.words} must be {form}, got {shown(value)}")  # noqa: TRY004
        elif self.choices and value not in self.choices:
            listed = " or ".join(filter(None, (", ".join(self.choices[:-1]), self.choices[-1])))
            raise ValueError(f"{self.the_quantity} must be {listed}, got {shown(value)}")
        elif not _is_a(value, self.type):
            raise ValueError(f"{self.the_quantity} must be {_KINDS[self.type]}, got {with_type(value)}")
        elif isinstance(value, int | float):
            check_range(self.the_quantity, value, self.range)
        elif self.longest and isinstance(value, str):
            check_line(self.the_quantity, value, self.longest)

    def joined(self, given: object) -> object:
        """Return a text that Python gave in parts, such as the columns as a mapping; any other value as it is."""
        if not self.whole:
            return given
        if isinstance(given, Mapping):
            return ",".join(f"{name}={value}" for name, value in given.items())
        if isinstance(given, list | tuple):
            return ",".join(map(str, given))
        return str(given) if hasattr(given, "__fspath__") else given

    def text(self, value: Value) -> str:
        """Return a value as the command line takes it; ``off`` for None."""
        if isinstance(value, Compound):
            return value.separator.join(value.parts)
        return OFF if value is None else value_text(value)

    def to_params(self, value: Value) -> dict[str, str]:
        """Return a value as it is logged: nothing if it is off or implied."""
        if value is None or (self.implied and value == self.default):
            return {}
        if isinstance(value, Compound) and len(self.params) > 1:
            return dict(zip(self.params, value.parts, strict=True))
        return {self.params[0]: self.text(value)}

    def from_params(self, params: Mapping[str, str]) -> Value:
        """Return the value that was logged, in range or not; raise ValueError if a param is missing or unreadable."""
        if (self.default is None or self.implied or self.of_some) and not params.keys() & set(self.params):
            return None if self.of_some else self.default
        for name in self.params:
            if name not in params:
                raise ValueError(f"the param {name} is missing")
        texts = [params[name] for name in self.params]
        try:
            if issubclass(self.type, Compound):
                return self.type.from_parts(texts) if len(texts) > 1 else self.type.parse(texts[0])
            value = _scalar(self.type, texts[0])
        except ValueError as error:
            raise ValueError(f"the param {' and '.join(self.params)} cannot be read: {error}") from error
        if value is None:
            raise ValueError(f"the param {self.params[0]} cannot be read, got {texts[0]!r}")
        return value

    def parts_of_level(self, level: str) -> tuple[str, ...]:
        """Return the texts that a level joins, one per param."""
        return tuple(level.split("x")) if len(self.params) > 1 else (level,)

    def formatted(self, template: str, level: str) -> str | None:
        """Return a level in one of the option's formats; None if it is off or not made of numbers."""
        parts = self.parts_of_level(level)
        numbers = [_scalar(float, part) for part in parts]
        finite = all(isinstance(number, float) and math.isfinite(number) for number in numbers)
        return template.format(*parts) if finite and len(parts) == len(self.params) else None

    def from_level(self, level: str) -> Value:
        """Return the value of a level, as ``0.3x10`` of a plateau; raise ValueError if the option doesn't take it."""
        parts = self.parts_of_level(level)
        if len(parts) != len(self.params):
            raise ValueError(f"the {self.words} must have {len(self.params)} parts, got {level!r}")
        value = self.from_params(dict(zip(self.params, parts, strict=True)))
        self.check(value)
        return value


def option(**columns: Any) -> dict[str, RunOption]:
    """Return the metadata of a dataclass field that is an option of ``tracker run``: the columns of `RunOption`."""
    return {_ENTRY: RunOption(**columns)}


def options_of(plan: type) -> tuple[RunOption, ...]:
    """Return the options among the fields of a dataclass, in order; the field gives name, default and params."""
    return tuple(
        replace(
            entry,
            name=each.name,
            default=each.default,
            type=each.default.__class__ if entry.type is object else entry.type,
            params=entry.params or (each.name,),
        )
        for each in fields(plan)
        if (entry := each.metadata.get(_ENTRY)) is not None
    )


def check_options(plan: object) -> None:
    """Raise ValueError if an option of a dataclass is not of its type or out of its range."""
    for entry in options_of(plan.__class__):
        value = getattr(plan, entry.name)
        if not (value is None and entry.of_some):
            entry.check(value)


def params_of(plan: object) -> dict[str, str]:
    """Return the options of a dataclass as they are logged; one that is off or implied is not among them."""
    params: dict[str, str] = {}
    for entry in options_of(plan.__class__):
        params |= entry.to_params(getattr(plan, entry.name))
    return params


def check_range(what: str, value: float, within: Range) -> None:
    """Raise ValueError if a number is out of a range; `what` begins the error."""
    if value not in within:
        is_bounded = within.below is not None or within.most is not None
        sort = "a finite number " if isinstance(value, float) and not is_bounded else ""
        raise ValueError(f"{what} must be {sort}{within}, got {shown(value)}")


def check_line(what: str, text: str, longest: int) -> None:
    """Raise ValueError if a text isn't one printable line of at most `longest` characters; `what` begins the error."""
    if not is_printable(text) or not text.strip():
        raise ValueError(f"{what} must be a text of one line, got {shown(text)}")
    if len(text) > longest:
        raise ValueError(f"{what} must be at most {longest} characters, got {len(text)}")


def check_name_in_store(what: str, text: str, longest: int) -> None:
    """Raise ValueError if a text can't name anything in a store; MLflow allows tabs, line breaks and any other sign."""
    if not text.strip():
        raise ValueError(f"{what} must be a name, got {shown(text)}")
    if len(text) > longest:
        raise ValueError(f"{what} must be at most {longest} characters, got {len(text)}")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError(f"{what} must be a name in Unicode, got {shown(text)}")


def shown(value: object) -> str:
    """Return a value as errors show it, in one line and cut: numbers by `number_text`, others by their `repr`."""
    if isinstance(value, int) and abs(value) > _LONGEST_NUMBER:  # Python writes none of more than 4,300 digits
        return f"a number of about {round(value.bit_length() * math.log10(2))} digits"
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = number_text(value)
        return text if len(text) <= _SHOWN else f"{value:g}"
    try:
        text = repr(value)
    except ValueError:  # for such a number within it
        return f"an object of the type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def with_type(value: object) -> str:
    """Return a value of a wrong type as errors show it: ``3.0``, where 3 would do."""
    return repr(value) if isinstance(value, float) else shown(value)


def _bound_text(bound: float) -> str:
    if abs(bound) >= _LONGEST_NUMBER:
        return f"{bound:g}".replace("e+", "e")
    whole, point, rest = number_text(bound).partition(".")
    return f"{int(whole):,}{point}{rest}" if abs(bound) >= 1 else number_text(bound)


def _bound(text: str) -> float:
    return float(text.replace(",", ""))


def number_text(value: float) -> str:
    """Write a number in its shortest exact form without an exponent: ``0.0001`` for ``1e-4``, ``3`` for ``3.0``."""
    if isinstance(value, int):
        return str(value)
    digits, _, exponent = repr(value).partition("e")
    if type(value) is float and not exponent.startswith("+"):
        sign, figures = "-" * (value < 0), digits.strip("-").replace(".", "")
        return f"{sign}0.{'0' * (-int(exponent) - 1)}{figures}" if exponent else digits.removesuffix(".0")
    import numpy as np  # here, so that help doesn't load it

    return np.format_float_positional(value, trim="-")


def as_number(text: str | float) -> float | None:
    """Return the finite number that `text` says, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def value_text(value: OptionValue) -> str:
    """Write an option's value as a param: numbers by `number_text`, truth as ``true`` or ``false``."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else number_text(value)


def _scalar(kind: type, text: str) -> OptionValue | None:
    """Return the value of a text; None if it is not of that type."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower())
    try:
        return cast("OptionValue", kind(text))
    except ValueError:
        return None


def _is_a(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)
