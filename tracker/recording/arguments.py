"""What a caller in Python hands over, checked and turned into what a run holds: params, metrics, predictions.

Whatever is wrong is a `ValueError` of one line: what must be given, and what was given instead.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.errors import TrackerError
from tracker.recording.reporter import LoggingReporter
from tracker.runs import (
    LOGGED_OPTIONS,
    RUN_OPTIONS,
    Compound,
    Predictions,
    Role,
    check_line,
    check_name_in_store,
    value_text,
)
from tracker.runs.samples import SUM_TOLERANCE
from tracker.wording import some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from tracker.recording.reporter import Reporter

_ROUNDING = 1e-6  # what a probability may be below 0 by the rounding of float32
_NAME_LENGTH, _VALUE_LENGTH = 80, 20  # characters of a run's default name, and of a value in it
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # in the text of an object that has no text of its own
_NOT_UNICODE = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")  # surrogates, but for bytes of a file's name
_FLAG = re.compile(r"`[^`]*`|--[a-z-]+")
_LONGEST = {entry.name: entry.longest for entry in RUN_OPTIONS if entry.longest}  # characters of a text
_LONGEST_LINE = 250  # of any other
_LONGEST_NAME = 500  # of an experiment's in MLflow
_NAMES = {entry.flag: entry.name for entry in RUN_OPTIONS} | {"--gone": "gone=True", "--filter": "filter_string"}


@contextmanager
def names_for_flags() -> Iterator[None]:
    """Have errors name an argument of Python, not the flag of the command line; commands in backticks stay."""
    try:
        yield
    except (TrackerError, ValueError) as error:
        error.args = (_FLAG.sub(lambda found: _NAMES.get(found[0], found[0]), str(error)),)
        raise


def checked_line(what: str, value: object) -> str:
    """Return a text that must be one printable line, not longer than an option of that name may be."""
    if not isinstance(value, str):
        raise ValueError(f"{what} must be a text of one line, got {_shown(value)}")  # noqa: TRY004  (one kind of error)
    check_line(what, value, _LONGEST.get(what, _LONGEST_LINE))
    return value


def checked_experiment(value: object) -> str:
    """Return the name of an experiment to read, as the store has it."""
    if not isinstance(value, str):
        raise ValueError(f"experiment must be a name, got {_shown(value)}")  # noqa: TRY004  (one kind of error)
    check_name_in_store("experiment", value, _LONGEST_NAME)
    return value


def checked_names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return names, each once; a text alone is one."""
    listed = (names,) if isinstance(names, str) else names
    if not isinstance(listed, Iterable):
        raise ValueError(f"{what} must be names of params, got {_shown(names)}")  # noqa: TRY004  (one kind of error)
    return tuple(dict.fromkeys(checked_line(what, name) for name in listed))


def checked_text(what: str, value: object) -> str | None:
    """Return a text, of any number of lines, or None."""
    if not isinstance(value, str | None):
        raise ValueError(f"{what} must be a text, got {_shown(value)}")  # noqa: TRY004  (one kind of error)
    return value


def checked_path(what: str, value: object) -> Path:
    """Return a path given as a text or as any kind of path."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not text or not isinstance(text, str) or "\0" in text:
        raise ValueError(f"{what} must be a path, got {_shown(value)}")
    return Path(text)


def checked_reporter(reporter: Reporter | None) -> Reporter:
    """Return a reporter that can be called; by default one that logs."""
    if not reporter:
        return LoggingReporter()
    methods = ("log", "warn", "progress", "epochs")
    if isinstance(reporter, type) or not all(callable(getattr(reporter, name, None)) for name in methods):
        raise ValueError(f"reporter must be one such as tracker.PrintReporter(), got {_shown(reporter)}")
    return reporter


def plain(value: object) -> Any:
    """Return the number or the lists of numbers that NumPy, pandas, PyTorch, TensorFlow or JAX hold; others as is."""
    if isinstance(value, np.floating):
        return float(str(value))  # in its own shortest digits: 0.1, not 0.10000000149011612
    return _array(value).tolist() if hasattr(value, "__array__") else value


def _array(values: Any) -> NDArray[Any]:
    if hasattr(values, "detach"):  # a tensor of PyTorch, on whatever device
        values = values.detach().cpu()
    return np.asarray(values)


def param_texts(params: Mapping[str, object]) -> dict[str, str]:
    """Return params as they are logged: numbers in their shortest exact form; None is off, and not logged.

    What is not a number, text or truth value is logged as JSON or as its text. A plateau may be given as ``(0.3, 10)``,
    a fold as ``(1, 5)``.
    """
    texts: dict[str, str] = {}
    for name, value in checked_mapping("param", params).items():
        of_value = {} if value is None else _texts_of(name, plain(value))
        twice = sorted(texts.keys() & of_value.keys())
        if twice:
            raise ValueError(f"a param must be given once, got {twice[0]} also in {name}")
        texts |= of_value
    return texts


def _texts_of(name: str, value: object) -> dict[str, str]:
    """Return a param by name; one of tracker's own options may be several params, and must mean what it means there."""
    entry = LOGGED_OPTIONS.get(name)
    if entry and issubclass(entry.type, Compound):
        typed = entry.type.from_numbers(value) if isinstance(value, tuple | list) else value
        if isinstance(typed, Compound):
            return entry.to_params(typed)
    if entry and entry.choices and not entry.implied:  # those names have other values elsewhere
        entry.check(value)
    return {name: _param_text(name, value)}


def _param_text(name: str, value: object) -> str:
    if isinstance(value, bool | int | float | str):
        return value_text(value)
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        text = _text_or_none(value)
    if text is None or _ADDRESS.search(text):
        raise ValueError(
            f"the param {name!r} must be a number or a text, got an object of the type {type(value).__name__}: give "
            "its name or its settings"
        )
    return text


def _text_or_none(value: object, form: Callable[[object], str] = str) -> str | None:
    try:
        return form(value)
    except Exception:  # noqa: BLE001  (whatever a stranger's `__str__` or `__repr__` raises)
        return None


def tag_texts(tags: Mapping[str, object]) -> dict[str, str]:
    """Return tags as they are logged; those that begin with ``tracker.`` are tracker's own."""
    for name in checked_mapping("tag", tags):
        if name.startswith("tracker."):
            raise ValueError(
                f"a tag must not begin with 'tracker.', which tracker sets itself, got {name!r}: rename it"
            )
    return {name: _param_text(name, plain(value)) for name, value in tags.items() if value is not None}


def checked_mapping(what: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a mapping whose keys are texts."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{what}s must be a mapping of names to values, got {_shown(values)}")  # noqa: TRY004
    for name in values:
        if not isinstance(name, str):
            raise ValueError(f"the name of a {what} must be a str, got {_shown(name)}")  # noqa: TRY004
    return values


def name_of(params: Mapping[str, str]) -> str:
    """Return a run's default name: its params in short, the seed last, as in ``k7-lr0.0001-s0``."""
    parts: list[str] = []
    seed: list[str] = []
    rest = dict(params)
    for entry in LOGGED_OPTIONS.values():
        texts = [rest[name] for name in entry.params if name in rest]
        if entry.name_format.count("{}") == len(texts) > 0:
            rest = {name: text for name, text in rest.items() if name not in entry.params}
            (seed if entry.role is Role.SEED else parts).append(entry.name_format.format(*texts))
    parts += [f"{name}{text}" for name, text in rest.items() if len(text) <= _VALUE_LENGTH]
    name = "-".join([*parts, *seed])
    printable = "".join(sign if sign.isprintable() else " " for sign in name)
    return " ".join(printable.split())[:_NAME_LENGTH] or "run"


def metric_values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return metrics, at least one, as numbers; NaN and infinities are kept."""
    values = {}
    for name, value in checked_mapping("metric", metrics).items():
        try:
            if isinstance(value, str | bytes):  # which float would parse
                raise TypeError("a text")
            values[name] = float(value.item() if hasattr(value, "item") else value)
        except (OverflowError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"the metric {name!r} must be a number, got {_shown(value)}") from error
    if not values:
        raise ValueError("there must be at least one metric, got none")
    return values


def checked_predictions(
    clips: Iterable[object], labels: Iterable[object], probabilities: ArrayLike, classes: Iterable[object] | None
) -> Predictions:
    """Return predictions, sorted by sample; the arguments are those of `ScriptRun.log_predictions`."""
    names = _names("clips", clips)
    rows = _rows(probabilities)
    columns = [str(i) for i in range(max(2, rows.shape[1]))] if classes is None else _names("classes", classes)
    if len(columns) < 2:
        raise ValueError(f"there must be at least 2 classes, got {len(columns)}: {columns}")
    _check_once("class", columns)
    if rows.shape[1] == 1 and len(columns) == 2:
        rows = np.hstack([1 - rows, rows])
    if rows.shape[1] != len(columns):
        raise ValueError(
            f"probabilities must have a column for each of the {len(columns)} classes, got the shape {rows.shape}"
        )
    truth = _labels(labels, columns)
    if not names or not len(truth) == len(names) == len(rows):
        raise ValueError(
            f"there must be a label and a row of {len(columns)} probabilities for each clip, got {len(names)} clips, "
            f"{len(truth)} labels and probabilities of shape {rows.shape}"
        )
    _check_once("clip", names)
    rows = np.where((rows < 0) & (rows >= -_ROUNDING), 0.0, rows)
    _check_probabilities(rows, names)
    order = sorted(range(len(names)), key=names.__getitem__)
    clips_in_order, labels_in_order = (tuple(texts[i] for i in order) for texts in (names, truth))
    return Predictions(clips_in_order, labels_in_order, tuple(columns), np.ascontiguousarray(rows[order]))


def checked_groups(groups: Mapping[str, object] | Iterable[object] | None, clips: Iterable[object]) -> dict[str, str]:
    """Return the group of each sample that has one; the arguments are those of `ScriptRun.log_predictions`."""
    names = _names("clips", clips)
    if groups is None:
        return {}
    if isinstance(groups, Mapping):
        pairs = [(_name("clips", name), group) for name, group in groups.items()]
        strangers = sorted({name for name, _ in pairs} - set(names))
        if strangers:
            raise ValueError(f"a group must be of one of the clips, got groups of {some(strangers)}")
    else:
        listed = _items("groups", groups)
        if len(listed) != len(names):
            raise ValueError(f"there must be a group, or None, for each clip, got {len(listed)} for {len(names)} clips")
        pairs = list(zip(names, listed, strict=True))
    return {name: _name("groups", group) for name, group in pairs if not (_is_missing(group) or group == "")}


def _items(what: str, values: Iterable[object]) -> list[object]:
    """Return the items of a sequence or of a column as Python's own."""
    if isinstance(values, str | bytes | Mapping | AbstractSet) or not isinstance(values, Iterable):
        raise ValueError(f"{what} must be a sequence, got {_shown(values)}")  # noqa: TRY004  (one kind of error)
    items = [plain(value) for value in (plain(values) if hasattr(values, "__array__") else values)]
    return [item[0] if isinstance(item, list) and len(item) == 1 else item for item in items]


def _names(what: str, values: Iterable[object]) -> list[str]:
    return [_name(what, value) for value in _items(what, values)]


def _name(what: str, value: object) -> str:
    """Return what a sample, a class or a group is called: a text that can be kept in a file."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else _text_or_none(value)
    if _is_missing(value) or isinstance(value, list) or not text or _ADDRESS.search(text) or _NOT_UNICODE.search(text):
        raise ValueError(f"{what} must be names or numbers, one for each, got {_shown(value)}")
    return text


def _is_missing(value: object) -> bool:
    """Return whether a value is None, NaN, or what pandas has for them."""
    return (
        value is None or (isinstance(value, float) and np.isnan(value)) or type(value).__name__ in {"NAType", "NaTType"}
    )


def _rows(probabilities: ArrayLike) -> NDArray[np.float64]:
    try:
        is_array = hasattr(probabilities, "__array__")
        given = _array(probabilities if is_array else [plain(row) for row in probabilities])  # type: ignore[union-attr]
        if given.dtype.kind == "c" or np.ma.is_masked(probabilities):
            raise TypeError("complex or masked")
        rows = given.astype(np.float64)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"probabilities must be a table of numbers, got {_shown(probabilities)}") from error
    if rows.ndim == 1:
        rows = rows[:, None]
    if rows.ndim != 2:
        raise ValueError(f"probabilities must have the shape (clips, classes), got {rows.shape}")
    return rows


def _labels(labels: Iterable[object], classes: Sequence[str]) -> list[str]:
    """Return the names of the labels; whole numbers that are no names of classes are columns."""
    given = _items("labels", labels)
    names = [str(label) if isinstance(label, list) else _name("labels", label) for label in given]
    strangers = [name for name in names if name not in classes]
    columns = [int(label) for label in given if isinstance(label, int | float) and label in range(len(classes))]
    if strangers and len(columns) == len(given):
        return [classes[column] for column in columns]
    if strangers:
        numbers = range(len(classes))
        wrong = [label for label in given if str(label) not in classes and label not in numbers]
        if wrong and all(type(label) is int for label in given):
            allowed = f"one of the classes {some(classes)}, or 0 to {numbers[-1]}"
            raise ValueError(f"a label must be {allowed}, got {wrong[0]}")
        hint = "; one-hot rows become labels by argmax(axis=1)" if strangers[0].startswith("[") else ""
        raise ValueError(f"a label must be one of the classes {some(classes)}, got {strangers[0]!r}{hint}")
    return names


def _check_once(what: str, names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"each {what} must be given once, got {some(twice)} more than once")


def _check_probabilities(rows: NDArray[np.float64], names: Sequence[str]) -> None:
    for is_wrong, rule in (
        (~np.isfinite(rows).all(axis=1), "be finite"),
        ((rows < 0).any(axis=1), "be at least 0 (after a softmax or a sigmoid: not logits)"),
        (abs(rows.sum(axis=1) - 1) > SUM_TOLERANCE, "add up to 1 (after a softmax: not logits)"),
    ):
        if is_wrong.any():
            first = int(is_wrong.argmax())
            values = ", ".join(f"{value:.4g}" for value in rows[first][:5]) + (", …" if rows.shape[1] > 5 else "")
            raise ValueError(
                f"the probabilities of a clip must {rule}, got {values} for {names[first]!r} (in {is_wrong.sum()} of "
                f"{len(rows)} clips)"
            )


def _shown(value: object) -> str:
    """Return a value in one line, short enough for an error."""
    text = _text_or_none(value, repr)
    if text is None:
        return f"an object of the type {type(value).__name__}"
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
