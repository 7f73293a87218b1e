"""What a training script hands over, checked and turned into what a run holds: params, metrics, predictions.

Whatever is wrong is a `ValueError` of one line that says what must be given and what was given instead.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.runs import LOGGED_OPTIONS, Compound, Predictions, Role, value_text
from tracker.wording import some

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

_SUM_TOLERANCE = 0.01
"""How far from 1 the probabilities of a sample may add up to: what a reader of the file accepts."""

_NAME_LENGTH, _VALUE_LENGTH = 80, 20
"""Characters of a run's default name, and of a value in it."""


def param_texts(params: Mapping[str, object]) -> dict[str, str]:
    """Return params as they are logged: numbers in their shortest exact form; None is off, and not logged.

    Parameters
    ----------
    params : mapping of str to object
        Numbers, texts and truth values, of Python or NumPy; anything else is logged as JSON or as its text. A plateau
        may be given as ``(0.3, 10)``.

    Raises
    ------
    ValueError
        If a name is not a text.
    """
    for name in params:
        if not isinstance(name, str):
            raise ValueError(f"the name of a param must be a str, got {name!r}")  # noqa: TRY004  (one kind of error)
    texts: dict[str, str] = {}
    for name, value in params.items():
        texts |= {} if value is None else _texts_of(name, value)
    return texts


def _texts_of(name: str, value: object) -> dict[str, str]:
    """Return a param by name; an option of tracker's own that has several parts is several params."""
    entry = LOGGED_OPTIONS.get(name)
    if entry and issubclass(entry.type, Compound) and len(entry.params) > 1:
        typed = entry.type(*value) if isinstance(value, tuple | list) else value
        if isinstance(typed, Compound):
            return entry.to_params(typed)
    return {name: _param_text(value)}


def _param_text(value: object) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value_text(value)
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return str(value)


def name_of(params: Mapping[str, str]) -> str:
    """Return a run's default name: its params in short, the seed last, as in ``k7-lr0.0001-s0``."""
    parts, rest = [], dict(params)
    for entry in sorted(LOGGED_OPTIONS.values(), key=lambda entry: entry.role is Role.SEED):
        if entry.name_format and rest.keys() >= set(entry.params):
            text = entry.name_format.format(*(rest.pop(name) for name in entry.params))
            parts.append((entry.role is Role.SEED, text))
    parts += [(False, f"{name}{text}") for name, text in rest.items() if len(text) <= _VALUE_LENGTH]
    name = "-".join(text for _, text in sorted(parts, key=lambda part: part[0]))
    return " ".join(name.split())[:_NAME_LENGTH] or "run"


def metric_values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return metrics as numbers; NaN and infinities are kept.

    Raises
    ------
    ValueError
        If there are none, a name is not a text, or a value is not one number.
    """
    if not metrics:
        raise ValueError("there must be at least one metric, got none")
    values = {}
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise ValueError(f"the name of a metric must be a str, got {name!r}")  # noqa: TRY004  (one kind of error)
        try:
            if isinstance(value, str | bytes):  # which float would parse
                raise TypeError("a text")
            values[name] = float(value.item() if hasattr(value, "item") else value)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"the metric {name!r} must be a number, got {_shown(value)}") from error
    return values


def checked_predictions(
    clips: Iterable[object], labels: Iterable[object], probabilities: ArrayLike, classes: Iterable[object] | None
) -> Predictions:
    """Return predictions, sorted by sample.

    Parameters
    ----------
    clips : iterable
        What the samples are called, each once: texts, or anything whose text is its name.
    labels : iterable
        The true class of each sample: its name, or its column where the classes are texts and the labels are numbers.
    probabilities : array_like, shape (n_samples, n_classes)
        Each row adds up to 1. For two classes, a column of the second one's probabilities is enough.
    classes : iterable or None
        What the columns are called; None: 0, 1, 2, … .

    Raises
    ------
    ValueError
        If any of it doesn't fit.
    """
    names = _texts("clips", clips)
    rows = _rows(probabilities)
    columns = _classes(classes, rows)
    if rows.shape[1] == 1 and len(columns) == 2:
        rows = np.hstack([1 - rows, rows])
    truth = _labels(labels, columns, by_column=classes is not None)
    if not names or len(truth) != len(names) or rows.shape != (len(names), len(columns)):
        raise ValueError(
            f"there must be a label and a row of {len(columns)} probabilities for each clip, got {len(names)} clips, "
            f"{len(truth)} labels and probabilities of shape {rows.shape}"
        )
    _check_once("clip", names)
    _check_probabilities(rows, names)
    order = sorted(range(len(names)), key=names.__getitem__)
    return Predictions(
        tuple(names[i] for i in order),
        tuple(truth[i] for i in order),
        tuple(columns),
        np.ascontiguousarray(rows[order]),
    )


def checked_groups(groups: Mapping[str, object] | Iterable[object] | None, clips: Iterable[object]) -> dict[str, str]:
    """Return the group of each sample that has one.

    Parameters
    ----------
    groups : mapping or iterable or None
        The group of each sample by its name, or in the order of `clips`; None is no group.
    clips : iterable

    Raises
    ------
    ValueError
        If there are not as many groups as samples, or one is of a sample that isn't there.
    """
    names = _texts("clips", clips)
    if groups is None:
        return {}
    if isinstance(groups, Mapping):
        strangers = sorted(set(map(str, groups)) - set(names))
        if strangers:
            raise ValueError(f"a group must be of one of the clips, got groups of {some(strangers)}")
        pairs = [(str(name), group) for name, group in groups.items()]
    else:
        listed = list(groups)
        if len(listed) != len(names):
            raise ValueError(f"there must be a group, or None, for each clip, got {len(listed)} for {len(names)} clips")
        pairs = list(zip(names, listed, strict=True))
    return {name: str(group) for name, group in pairs if group is not None}


def _texts(what: str, values: Iterable[object]) -> list[str]:
    return [_text(value) for value in _listed(what, values)]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _listed(what: str, values: Iterable[object]) -> list[object]:
    """Return the items as Python's own; arrays and tensors are those of NumPy, pandas, TensorFlow and PyTorch."""
    if isinstance(values, str | bytes):
        raise ValueError(f"{what} must be a sequence, got the text {values!r}")  # noqa: TRY004  (one kind of error)
    if hasattr(values, "__array__"):
        return list(np.asarray(values).tolist())
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _rows(probabilities: ArrayLike) -> NDArray[np.float64]:
    try:
        rows = np.asarray(probabilities, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"probabilities must be a table of numbers, got {_shown(probabilities)}") from error
    if rows.ndim == 1:
        rows = rows[:, None]
    if rows.ndim != 2:
        raise ValueError(f"probabilities must have the shape (clips, classes), got {rows.shape}")
    return rows


def _classes(classes: Iterable[object] | None, rows: NDArray[np.float64]) -> list[str]:
    columns = [str(i) for i in range(max(2, rows.shape[1]))] if classes is None else _texts("classes", classes)
    if len(columns) < 2:
        raise ValueError(f"there must be at least 2 classes, got {len(columns)}: {columns}")
    if rows.shape[1] != len(columns) and not (rows.shape[1] == 1 and len(columns) == 2):
        raise ValueError(
            f"probabilities must have a column for each of the {len(columns)} classes, got the shape {rows.shape}"
        )
    _check_once("class", columns)
    return columns


def _labels(labels: Iterable[object], classes: Sequence[str], *, by_column: bool) -> list[str]:
    """Return the names of the labels; whole numbers that are no names of classes are columns."""
    given = _listed("labels", labels)
    names = [_text(label) for label in given]
    strangers = [name for name in names if name not in classes]
    if strangers and by_column and all(isinstance(label, int) and 0 <= label < len(classes) for label in given):
        return [classes[label] for label in given if isinstance(label, int)]
    if strangers:
        raise ValueError(f"a label must be one of the classes {some(classes)}, got {strangers[0]!r}")
    return names


def _check_once(what: str, names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"a {what} must be there once, got more than one of {some(twice)}")


def _check_probabilities(rows: NDArray[np.float64], names: Sequence[str]) -> None:
    for is_wrong, rule in (
        (~np.isfinite(rows).all(axis=1), "finite"),
        ((rows < 0).any(axis=1), "at least 0"),
        (abs(rows.sum(axis=1) - 1) > _SUM_TOLERANCE, "add up to 1 (after a softmax: not logits)"),
    ):
        if is_wrong.any():
            first = int(is_wrong.argmax())
            values = ", ".join(f"{value:.4g}" for value in rows[first][:5]) + (", …" if rows.shape[1] > 5 else "")
            verb = "must" if rule.startswith("add") else "must be"
            raise ValueError(
                f"the probabilities of a clip {verb} {rule}, got {values} for {names[first]!r} (in {is_wrong.sum()} of "
                f"{len(rows)} clips)"
            )


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"
