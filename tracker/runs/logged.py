"""What a run left: its curves, its predictions and what the store says of it, whoever logged it; and its look-up.

Epochs are counted from 1; accuracies are fractions of clips; losses are in nats; times are milliseconds since 1970
(UTC), as MLflow keeps them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

from tracker.errors import TrackerError
from tracker.runs.options import Range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np  # elsewhere where it is used, so that help doesn't load it
    from numpy.typing import NDArray

    from tracker.runs.events import RunStatus

DEFAULT_METRIC = "val_accuracy"  # the metric that runs are ranked by unless the experiment or the user names another

UNSENT_TAG = "tracker.unsent"  # marks a run of which a journal holds more than its store; never uploaded itself
REASON_TAG = "tracker.reason"  # says in one line why a run failed or was ended
NOTE_END = "<!-- tracker: what came out -->"  # in a description the line between the note and what tracker adds

NO_LABEL, OTHER_CLASS = "–", "another class"  # what stands for classes if it is only known which clips are correct
NO_CLASS = "no class"  # what a clip is predicted to be if a probability is not a number

HEARD_CLIPS = Range(least=1, most=20)  # that a page may play: each adds some 150 kB to it

_MAX_LISTED = 10
SHORT_ID = 8  # digits of a run's id in messages, tables and suggested commands
_ID_LENGTH = 32


@dataclass(frozen=True, eq=False)
class Curve:
    """One metric by epoch, as logged."""

    steps: NDArray[np.int64]  # shape (n,); ascending, each once; as the run logged them, from 0 or from 1
    values: NDArray[np.float64]  # shape (n,); NaN and infinite values are kept
    overwritten: int = 0  # further values that were logged at one of these steps before the last one

    @cached_property  # it is asked for some thirty times
    def epochs(self) -> NDArray[np.int64]:
        """The steps counted from 1, whichever origin the run logged them from."""
        return self.steps + 1 if len(self.steps) and self.steps[0] == 0 else self.steps

    def at(self, epoch: int | None) -> float | None:
        """Return the value at an epoch; None if there is none or it is not finite."""
        if epoch is None:
            return None
        values = self.values[self.epochs == epoch]
        return float(values[0]) if len(values) and math.isfinite(values[0]) else None


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What one model says of a set of clips: probabilities, or only the class of each, or only if it is correct."""

    clips: tuple[str, ...]  # paths relative to the dataset, sorted
    labels: tuple[str, ...]  # the true class of each clip; `NO_LABEL` throughout if that isn't known
    classes: tuple[str, ...]  # the names of the columns of `probabilities`, or what clips are and are predicted to be
    probabilities: NDArray[np.float64] | None  # shape (n_clips, n_classes); each row sums to 1
    chosen: tuple[str, ...] = ()  # the predicted class of each clip if probabilities are None
    is_numbered: bool = False  # whether clips are called by their place in a table, and by nothing else
    table: str = ""  # the table among the run's artifacts that they are from, if that isn't in tracker's own format

    def __repr__(self) -> str:
        return f"<Predictions of {len(self.clips)} clips for {len(self.classes)} classes>"

    @property
    def predicted(self) -> tuple[str | None, ...]:
        """The most probable class of each clip, the first of equals; None if a probability is not a number."""
        if self.probabilities is None:
            return self.chosen
        import numpy as np

        columns = np.where(np.isfinite(self.probabilities).all(axis=1), self.probabilities.argmax(axis=1), -1)
        return tuple(None if column < 0 else self.classes[column] for column in columns)

    @property
    def predicted_names(self) -> tuple[str, ...]:
        """`predicted` with ``no class`` for None, marked if a real class is called that."""
        missing = NO_CLASS
        while missing in self.classes or missing in self.labels:
            missing += " (NaN)"
        return tuple(missing if name is None else name for name in self.predicted)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which clips are classified as labelled, shape (n_clips,)."""
        if self.probabilities is not None:
            return correct(self.probabilities, self.labels, self.classes)
        import numpy as np

        return np.array([name == label for name, label in zip(self.chosen, self.labels, strict=True)], dtype=np.bool_)

    @property
    def has_labels(self) -> bool:
        """Whether the classes are known, and not only which clips are correct."""
        return NO_LABEL not in self.labels

    @property
    def has_finite_probabilities(self) -> bool:
        """Whether every class of every clip has a probability that is a number."""
        import numpy as np

        return self.probabilities is not None and bool(np.isfinite(self.probabilities).all())


@dataclass(frozen=True, slots=True, eq=False)
class EpochPredictions:
    """The predictions of a model on the validation clips after each epoch, otherwise as `Predictions`."""

    clips: tuple[str, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]  # shape (n_epochs, n_clips, n_classes); entry 0 is epoch 1

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which clips are classified as labelled after each epoch, shape (n_epochs, n_clips)."""
        return correct(self.probabilities, self.labels, self.classes)


def correct(probabilities: NDArray[np.floating], labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.bool_]:
    """Return which clips are classified as labelled, shape (..., n_clips), given `probabilities` for each class.

    False if a probability is not finite, which argmax would take for the highest, or the label is not a class.
    """
    import numpy as np

    columns = {name: column for column, name in enumerate(classes)}
    truth = np.array([columns.get(label, -1) for label in labels], dtype=np.int64)
    hits: NDArray[np.bool_] = (probabilities.argmax(axis=-1) == truth) & np.isfinite(probabilities).all(axis=-1)
    return hits


@dataclass(frozen=True, slots=True)
class UsedDataset:
    """A dataset that a run said it used."""

    name: str
    digest: str  # equal if the data are
    context: str  # what for: ``train``, ``eval``, ``validation``, ``test``; empty if it did not say
    rows: int | None = None  # samples in it; None if that was not logged


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run as the store holds it; any of it may be missing, whoever logged it."""

    run_id: str
    name: str
    status: RunStatus
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]  # the latest value of each
    curves: Mapping[str, Curve]  # metrics with their history
    validation: Predictions | None = None  # of the kept weights on the validation clips
    validation_by_epoch: EpochPredictions | None = None
    groups: Mapping[str, str] = field(default_factory=dict)  # of each validation clip that has one
    started: int | None = None  # ms, as `ended`
    ended: int | None = None
    note: str | None = None  # the person's own words
    commit: str | None = None  # git commit that it was trained at
    parent_id: str | None = None  # run that holds this one and others together, as in a sweep
    journal_id: str | None = None
    experiment: str = ""  # the name of its experiment if it is read together with runs of others
    datasets: tuple[UsedDataset, ...] = ()
    page: str = ""  # the address at which the store shows it; empty if the store is no server
    in_percent: tuple[str, ...] = ()  # metrics that it logged in percent and that are fractions here, as in other runs
    in_no_unit: tuple[str, ...] = ()  # metrics that are fractions in other runs, and in this one above 100
    unread_predictions: str | None = None  # why it isn't known what it predicted, or whether it logged that at all

    def __repr__(self) -> str:
        return f"<Run {self.name!r} ({self.run_id[:SHORT_ID]}), {self.status}>"

    @property
    def settings(self) -> Mapping[str, str]:
        """The params, and what scikit-learn's autologging keeps as a tag: which estimator they are of."""
        estimator = self.tags.get("estimator_name")
        return self.params if estimator is None else {"estimator_name": estimator, **self.params}

    @property
    def is_in_format(self) -> bool:
        """Whether it is in tracker's format, whoever logged it: its tags say so.

        Other programs may mean something else by the format's names, such as ``best_epoch`` or ``keep``.
        """
        return any(tag.startswith("tracker.") for tag in self.tags)

    @property
    def ids(self) -> tuple[str, ...]:
        """The run's id, and that of its journal, which was its own until it was uploaded."""
        return (self.run_id, self.journal_id) if self.journal_id else (self.run_id,)


def is_resumable(tags: Mapping[str, str]) -> bool:
    """Return whether a run with these tags can be continued by `tracker resume`, rather than by somebody's script."""
    return "tracker.data" in tags


class Findable(Protocol):
    """A run, or a journal of one."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Its ids; the first is shown."""

    @property
    def name(self) -> str:
        """Its name, which other runs may have too."""


T = TypeVar("T", bound=Findable)


def find_run(runs: Sequence[T], text: str) -> T:
    """Return the run, or the journal, with an id or, failing that, a name or the beginning of an id, in either case.

    Raises
    ------
    TrackerError
        If no run or several runs match; the message lists them.
    ValueError
        If `text` is not a text.
    """
    if not isinstance(text, str):
        raise ValueError(f"a run must be named by its id or name, got {text!r}")  # noqa: TRY004  (one kind of error)
    named = [run for run in runs if text and run.name == text]
    begun = [run for run in runs if text and any(run_id.startswith(text.lower()) for run_id in run.ids)]
    if named and len(text) >= SHORT_ID:  # what tables and messages call another run is no name of this one
        named += [run for run in begun if run not in named]
    for matches in ([run for run in runs if text in run.ids], named, begun):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise TrackerError(f"{text!r} matches {len(matches)} runs: {_listed(matches)}; give more of the id")
    shortened = any(run.name.startswith(text) for run in runs if text)
    rule = " (an id can be shortened, a name cannot)" if shortened else ""
    raise TrackerError(f"no run has the id or name {text!r}{rule}; there are: {_listed(runs) or 'none'}")


def _listed(runs: Sequence[T]) -> str:
    ids = [run.ids[0] for run in runs]
    lengths = range(SHORT_ID, _ID_LENGTH)
    length = next((n for n in lengths if len({run_id[:n] for run_id in ids}) == len(ids)), _ID_LENGTH)
    shown = ", ".join(f"{run.ids[0][:length]} ({run.name!r})" for run in runs[:_MAX_LISTED])
    return shown + (", …" if len(runs) > _MAX_LISTED else "")
