"""A sweep in a TOML file, to be kept beside the code: what is varied, under how many seeds, on which data.

::

    data = "genres/"  # as --data, from the folder that the sweep is started in
    experiment = "kernels"
    seeds = 6  # so many, or a list of them
    folds = 5
    final = true  # these runs alone decide, whatever is trained later

    [base]  # what all runs have
    epochs = 40

    [grid]  # levels, each combined with each
    kernel_size = [3, 5, 7]
    plateau = ["off", "0.3,10"]

    [[configurations]]  # instead of a grid: what is trained, one by one
    kernel_size = 7

Options have the names of their params or of the command line; a value may be a text, as the command line takes it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar

from tracker.runs.options import Role, check_line, shown
from tracker.runs.planned import LOGGED_OPTIONS, RUN_OPTIONS
from tracker.runs.sweeps import SweepPlan, folds_of, level_of, levels_of, seeds_of, swept_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracker.runs.options import Value
    from tracker.runs.sweeps import Levels

T = TypeVar("T")

_TEXTS = ("data", "experiment", "note")
_OF_COMMAND = {"jobs", "yes", "dry_run", "keep_going", "offline", "tracking_uri", "backend", "address"}
_KEYS = (*_TEXTS, "seeds", "folds", "final", "base", "grid", "configurations")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_BARE = re.compile(r"[\w-]{1,40}")  # a key that needs no quotes
_IN_SYNTAX_ERROR = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class SweepFile:
    """What a file asks for."""

    plan: SweepPlan
    settings: Mapping[str, str] = field(default_factory=dict)  # ``data``, ``experiment`` and ``note``, if given


def parse_sweep(text: str, file: str) -> SweepFile:
    """Read a sweep from the text of a TOML file.

    Raises
    ------
    ValueError
        If it isn't TOML, or asks for what can't be trained; the message begins with the file and, if it is about one,
        with the line.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _IN_SYNTAX_ERROR.search(str(error))
        line = (int(found[1]) if found[1] else len(text.splitlines())) if found else None
        _fail(file, line, f"it is no TOML: {_IN_SYNTAX_ERROR.sub('', str(error))}", error)
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        _fail(file, None, "it has a number of too many digits", error)
    except RecursionError as error:
        _fail(file, None, "its lists or tables are nested too deep", error)
    return _Reader(text, file).sweep(document)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the tables of one file; knows where in it each key stands."""

    text: str
    file: str

    def sweep(self, document: Mapping[str, object]) -> SweepFile:
        for key in document:
            if key not in _KEYS:
                near = get_close_matches(key, _KEYS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"it may have {', '.join(_KEYS)}"
                hint = f"give --{key.replace('_', '-')} on the command line" if key in _OF_COMMAND else hint
                remedy = f"options stand under [base] or [grid]: move {key} there" if _is_option(key) else hint
                _fail(self.file, self._line("", key), f"a sweep has no {_named(key)}; {remedy}")
        settings = {name: self._read("", name, document, partial(_text, name)) for name in _TEXTS if name in document}
        final = self._read("", "final", document, _truth) if "final" in document else False
        seeds = self._read("", "seeds", document, seeds_of) if "seeds" in document else (0,)
        folds = self._read("", "folds", document, folds_of) if "folds" in document else None
        if "grid" in document and "configurations" in document:
            _fail(self.file, self._line("grid"), "give [grid] or [[configurations]], not both")
        base = self._values("base", document.get("base", {}))
        configurations = self._configurations(document, base)
        grid = self._grid(document.get("grid", {}))
        for key in self._checked("grid", document.get("grid", {})):
            if (name := swept_option(key)) in base:
                _fail(self.file, self._line("grid", key), f"{name} is under [base] too: leave one of them out")
        try:
            return SweepFile(SweepPlan(configurations, grid, seeds, folds, final, self._places(document)), settings)
        except ValueError as error:
            _fail(self.file, self._line("", "folds") or self._line("grid"), str(error), error)

    def _places(self, document: Mapping[str, object]) -> tuple[str, ...]:
        """Return where each configuration stands; one of base and grid alone at the first of these that is there."""
        given = document.get("configurations")
        if not isinstance(given, list):
            return (_place(self.file, self._line("grid") or self._line("base")),)
        whole = self._line("", "configurations")  # if they are written as a list
        return tuple(_place(self.file, self._line("configurations", None, n) or whole) for n in range(len(given)))

    def _configurations(
        self, document: Mapping[str, object], base: Mapping[str, Value]
    ) -> tuple[Mapping[str, Value], ...]:
        given = document.get("configurations", [{}])
        if not isinstance(given, list) or not given:
            line = self._line("", "configurations") or self._line("configurations")
            _fail(self.file, line, "configurations must be tables, each begun by [[configurations]]")
        read = (self._values("configurations", table, place) for place, table in enumerate(given))
        return tuple({**base, **configuration} for configuration in read)

    def _values(self, table: str, values: object, place: int = 0) -> dict[str, Value]:
        read: dict[str, Value] = {}
        given = self._checked(table, values)
        for key in given:
            name = self._option(table, key, place, read)
            read[name] = self._read(table, key, given, partial(level_of, name), place)
        return read

    def _grid(self, values: object) -> dict[str, Levels]:
        read: dict[str, Levels] = {}
        given = self._checked("grid", values)
        for key in given:
            name = self._option("grid", key, 0, read)
            if not isinstance(given[key], list):
                _fail(self.file, self._line("grid", key), f"{key} must be a list of levels, got {shown(given[key])}")
            read[name] = self._read("grid", key, given, partial(levels_of, name))
        return read

    def _checked(self, table: str, values: object) -> dict[str, object]:
        if not isinstance(values, dict):
            _fail(self.file, self._line("", table), f"{table} must be a table, begun by [{table}], got {shown(values)}")
        return values

    def _option(self, table: str, key: str, place: int, read: Mapping[str, object]) -> str:
        try:
            name = swept_option(key)
        except ValueError as error:
            remedy = "seeds and folds stand above the tables" if key in {"seed", "seeds", "folds"} else "leave it out"
            _fail(self.file, self._line(table, key, place), f"{error}: {remedy}", error)
        if name in read:
            _fail(self.file, self._line(table, key, place), f"{name} is given twice: leave {key} out")
        return name

    def _read(
        self, table: str, key: str, values: Mapping[str, object], read: Callable[[object], T], place: int = 0
    ) -> T:
        try:
            return read(values[key])
        except ValueError as error:
            _fail(self.file, self._line(table, key, place), str(error), error)

    def _line(self, table: str, key: str | None = None, place: int = 0) -> int | None:
        """Return the number of the line of a key, or that a table begins at; the `place` counts tables of one name."""
        inside, seen, start = "", -1, None
        for number, line in enumerate(self.text.splitlines(), start=1):
            if header := _HEADER.fullmatch(line):
                inside = header[2].strip("\"'")
                seen += inside == table
                if inside == table and seen == place:
                    start = number
            elif key is not None and inside == table and seen == (place if table else -1) and _is_key(line, key):
                return number
        return start


def _named(key: str) -> str:
    return key if _BARE.fullmatch(key) else shown(key)


def _is_key(line: str, key: str) -> bool:
    before, equals, _ = line.partition("=")
    return bool(equals) and before.strip().strip("\"'") == key


def _is_option(key: str) -> bool:
    return any(key in entry.spellings for entry in LOGGED_OPTIONS.values() if entry.role is not Role.SEED)


def _text(name: str, given: object) -> str:
    if not isinstance(given, str):
        raise ValueError(f"{name} must be a text, got {shown(given)}")  # noqa: TRY004  (one kind of error)
    if not given:
        raise ValueError(f"{name} is empty: leave it out")
    if longest := next((entry.longest for entry in RUN_OPTIONS if entry.name == name), 0):
        check_line(name, given, longest)
    return given


def _truth(given: object) -> bool:
    if not isinstance(given, bool):
        raise ValueError(f"final must be true or false, got {shown(given)}")  # noqa: TRY004  (one kind of error)
    return given


def _fail(file: str, line: int | None, message: str, cause: Exception | None = None) -> NoReturn:
    raise ValueError(f"{_place(file, line)}: {message}") from cause


def _place(file: str, line: int | None) -> str:
    return file if line is None else f"{file}, line {line}"
