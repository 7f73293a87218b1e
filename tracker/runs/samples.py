"""Tables of one row a sample, as anybody logs or exports them: what their columns are, and the predictions in them.

Columns are known by their names, in any case. Classes are texts: ``1``, ``1.0`` and ``True`` of a label and a
prediction are the same class if all values of both are such.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tracker.runs.logged import NO_LABEL, OTHER_CLASS, Predictions
from tracker.runs.options import as_number, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np  # elsewhere where it is used, so that help doesn't load it
    from numpy.typing import NDArray

# What a set of predictions may hold at most: more than validation sets have, and less than a computer's memory.
MOST_SAMPLES = 250_000
MOST_CLASSES = 2_000

SUM_TOLERANCE = 0.01  # how far from 1 a row of probabilities may add up to: ten classes of three digits stay within it

# The names of columns, the likeliest first.
SAMPLE = ("sample", "sample_id", "clip", "example", "example_id", "image", "file", "filename", "path", "id", "index")
LABEL = (
    "label", "labels", "target", "targets", "y_true", "true_label", "true", "truth", "ground_truth", "actual",
    "expected", "y",
)  # fmt: skip
PREDICTED = (
    "predicted", "prediction", "predictions", "y_pred", "pred", "predicted_label", "predicted_class", "outputs",
    "output",
)  # fmt: skip
IS_CORRECT = ("correct", "is_correct")
GROUP = ("group", "groups")
_OF_A_CLASS = ("{}", "p_{}", "prob_{}", "proba_{}", "probability_{}", "p({})", "score_{}")  # its probability

_TRUE, _FALSE = frozenset({"1", "1.0", "true", "yes", "t", "y"}), frozenset({"0", "0.0", "false", "no", "f", "n"})
_TRUTH_VALUES = {"true": "1", "false": "0"}


@dataclass(frozen=True, slots=True)
class SampleColumns:
    """The place of each column that says something of a sample; None if there is none."""

    sample: int | None
    label: int | None
    predicted: int | None
    correct: int | None
    group: int | None

    @property
    def has_outcome(self) -> bool:
        """Whether they say which samples are correct."""
        return self.correct is not None or (self.label is not None and self.predicted is not None)


def sample_columns(header: Sequence[str]) -> SampleColumns:
    """Return which columns say something of a sample, by their names."""
    return SampleColumns(*(column_named(header, names) for names in (SAMPLE, LABEL, PREDICTED, IS_CORRECT, GROUP)))


def column_named(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the place of the column with the first of some names that there is, None if there is none."""
    places = {name.strip().lower(): place for place, name in reversed(list(enumerate(header)))}
    return next((places[name] for name in names if name in places), None)


def class_columns(header: Sequence[str], classes: Collection[str]) -> dict[str, int]:
    """Return the place of the column with each class's probability; empty if any class has none."""
    places = {name.strip().lower(): place for place, name in enumerate(header)}
    found = {}
    for name in classes:
        of_class = (places.get(form.format(name.lower())) for form in _OF_A_CLASS)
        place = next((place for place in of_class if place is not None), None)
        if place is None:
            return {}
        found[name] = place
    return found if len(set(found.values())) == len(classes) > 1 else {}


def truth_of(text: str) -> bool | None:
    """Return whether a text says yes, as ``1`` and ``true`` do; None if it says neither yes nor no."""
    word = text.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def class_names(labels: Sequence[str], predicted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return labels and predictions under one name for each class.

    Raises
    ------
    ValueError
        If the labels are numbers with decimals, so what was predicted isn't a class.
    """
    names = {text: _TRUTH_VALUES.get(text.strip().lower(), text.strip()) for text in {*labels, *predicted}}
    numbers = {text: as_number(name) for text, name in names.items()}
    whole = {text: str(int(number)) for text, number in numbers.items() if number is not None and number == int(number)}
    if len(whole) == len(names):
        spelled = whole if len({*map(str.strip, names)}) > len({*whole.values()}) else names
        return [spelled[text].strip() for text in labels], [spelled[text].strip() for text in predicted]
    fraction = next((text for text in labels if text not in whole and numbers[text] is not None), None)
    if fraction is not None and all(number is not None for number in numbers.values()):
        raise ValueError(f"a label must be a class, got the number {fraction.strip()}")
    return [text.strip() for text in labels], [text.strip() for text in predicted]


def predictions_of_classes(
    samples: Sequence[str],
    labels: Sequence[str],
    predicted: Sequence[str],
    probabilities: tuple[Sequence[str], NDArray[np.float64]] | None = None,
) -> Predictions:
    """Return predictions of samples with a label and a predicted class each, in the order of their names.

    `probabilities` are the classes and an array of the shape (n_samples, n_classes).

    Raises
    ------
    ValueError
        If there are none, too many, or one twice.
    """
    order = _order(samples)
    classes = tuple(sorted({*labels, *predicted}))
    if len(classes) > MOST_CLASSES:
        raise ValueError(f"labels must be of at most {MOST_CLASSES:,} classes, got {len(classes):,}")
    names, of_names, chosen = (tuple(column[i] for i in order) for column in (samples, labels, predicted))
    if probabilities is None:
        return Predictions(names, of_names, classes, None, chosen)
    columns, rows = probabilities
    return Predictions(names, of_names, tuple(columns), rows[order])


def predictions_of_hits(samples: Sequence[str], correct: Sequence[bool]) -> Predictions:
    """Return predictions of which is only known which samples are correct; raise ValueError as above."""
    order = _order(samples)
    names = tuple(samples[i] for i in order)
    chosen = tuple(NO_LABEL if correct[i] else OTHER_CLASS for i in order)
    return Predictions(names, (NO_LABEL,) * len(names), (NO_LABEL, OTHER_CLASS), None, chosen)


def _order(samples: Sequence[str]) -> list[int]:
    if not samples:
        raise ValueError("there must be at least one sample, got none")
    if len(samples) > MOST_SAMPLES:
        raise ValueError(f"a run may have at most {MOST_SAMPLES:,} samples, got {len(samples):,}")
    order = sorted(range(len(samples)), key=samples.__getitem__)
    twice = next((samples[a] for a, b in pairwise(order) if samples[a] == samples[b]), None)
    if twice is not None:
        raise ValueError(f"a sample must be there once, got {shown(twice)} twice")
    return order
