"""A run as MLflow holds it, and a `Run` put together from the rows and files that a store, or a journal, has of it.

MLflow's names of tags, its limits of params, tags and metrics, and its rows of values are here; where the rows and
files come from isn't: reading a SQLite file, a server or a journal all end here.

Conventions: what a run has once is at step 0, an epoch at its number. Of several values of a metric at one step the
last written holds; MLflow knows which that is by time alone, so the times within a step are made to rise even if the
clock went back. The same events give the same values, whenever and however often they are uploaded.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
import sys
from array import array
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count, islice
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tracker.errors import StoreError
from tracker.runs import NOTE_END, REASON_TAG, Curve, Run, RunStatus, UsedDataset
from tracker.runs.events import (
    COMMIT_TAG,
    NOTE_TAG,
    PROGRAM_TAG,
    USER_TAG,
    Attached,
    Ended,
    EpochDone,
    Measured,
    Renamed,
    Resumed,
    Started,
    Tagged,
)
from tracker.runs.facts import is_sweep
from tracker.store import TAG_LENGTH, Experiment, GoneError, UnreadableArtifact, run_files
from tracker.store.location import ArtifactFolder

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from numpy.typing import NDArray

    from tracker.runs import EpochPredictions, Predictions
    from tracker.runs.events import Change, DatasetUsed, Event
    from tracker.store import ByEpoch
    from tracker.store.location import Location

JOURNAL_TAG = "tracker.journal"  # which journal a run was uploaded from: each has at most one run in a store
NAME_TAG = "mlflow.runName"  # before MLflow 2.0 the only place of a run's name
PARENT_TAG = "mlflow.parentRunId"
DATASET_TAG = "tracker.dataset"
CONTEXT_TAG = "mlflow.data.context"  # of a dataset that a run used: what for

TABLES_TAG = "mlflow.loggedArtifacts"  # of `mlflow.log_table`: a JSON list of paths
EVALUATION = "eval_results_table.json"  # what `mlflow.evaluate` calls its table
_OF_OTHER_DATA = frozenset({"train", "training", "test", "testing", "holdout"})
_MOST_TABLES = 10  # of a run that are looked at

T = TypeVar("T")

DESCRIPTION_TAG = "mlflow.note.content"  # of a run or an experiment
ACCOUNT_TAG = "mlflow.user"

_MLFLOW_NAMES = {
    NOTE_TAG: DESCRIPTION_TAG,
    COMMIT_TAG: "mlflow.source.git.commit",
    PROGRAM_TAG: "mlflow.source.name",
    USER_TAG: ACCOUNT_TAG,
}  # tags that MLflow's UI shows in places of their own


def mlflow_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags under the names that MLflow has for them; journals of before 1.0 hold those names already."""
    source = {"mlflow.source.type": "LOCAL"} if PROGRAM_TAG in tags else {}
    return {_MLFLOW_NAMES.get(name, name): value for name, value in tags.items()} | source


def description(tags: Mapping[str, str]) -> str | None:
    """Return a run's description, from the tags of a journal or of MLflow."""
    return tags.get(NOTE_TAG, tags.get(_MLFLOW_NAMES[NOTE_TAG]))


EXPERIMENT_LENGTH = 500
KEY_LENGTH = 250
_LONGEST_REASON = 300
_LENGTHS = {"param": 6_000, "tag": TAG_LENGTH}  # characters of a value

_MLFLOWS_TAGS = "mlflow."
_KEY = re.compile(r"[\w.\- :/]+")


def check_start(first: Started) -> None:
    """Raise `StoreError` if MLflow would cut or refuse the name, a param or a tag of a new run."""
    if not 1 <= len(first.experiment) <= EXPERIMENT_LENGTH:
        raise StoreError(
            f"the name of an experiment must be 1 to {EXPERIMENT_LENGTH} characters, got {len(first.experiment)}: give "
            "another --experiment"
        )
    _check_unicode("the name of the experiment", first.experiment)
    _check_unicode("the name of the run", first.name)
    check_texts("param", first.params)
    check_texts("tag", first.tags)


def check_change(change: Change) -> None:
    """Raise `StoreError` if MLflow would cut or refuse the new name or a tag of a run, or sets that tag itself."""
    if isinstance(change, Renamed):
        _check_unicode("the name of the run", change.name)
    elif isinstance(change, Tagged):
        check_texts("tag", change.tags)
        for name in change.tags:
            if name.startswith(_MLFLOWS_TAGS):
                raise StoreError(
                    f"a tag must not begin with {_MLFLOWS_TAGS!r}, which MLflow sets itself, got {name!r}: rename it"
                )


def check_texts(kind: str, texts: Mapping[str, str]) -> None:
    """Raise `StoreError` if MLflow would cut or refuse a param or a tag, as `kind` says."""
    check_keys(kind, texts)
    longest = _LENGTHS[kind]
    for key, text in texts.items():
        if len(text) > longest:
            raise StoreError(f"the {kind} {key} must be at most {longest:,} characters, got {len(text):,}: shorten it")
        _check_unicode(f"the {kind} {key}", text)


def check_keys(kind: str, keys: Iterable[str]) -> None:
    """Raise `StoreError` if MLflow, which uses these names as paths too, would refuse one."""
    for key in keys:
        plain = posixpath.normpath(key) == key and not key.startswith(("/", ".."))
        if not (_KEY.fullmatch(key) and plain and key != "." and len(key) <= KEY_LENGTH):
            raise StoreError(
                f"the name of a {kind} must be 1 to {KEY_LENGTH} letters, digits, spaces and . _ - / : that make a "
                f"plain path, got {key[: KEY_LENGTH + 1]!r}"
            )


def _check_unicode(what: str, text: str) -> None:
    """Refuse bytes that aren't Unicode, which file names may contain and databases refuse."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise StoreError(f"{what} must be Unicode, got {text!r}: rename it")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a metric; `time` is in ms, NaN and infinities are kept."""

    key: str
    value: float
    time: int
    step: int


def started(events: Sequence[Event]) -> Started:
    """Return a journal's first event; raise ValueError if it isn't how the run was started."""
    if events and isinstance(events[0], Started):
        return events[0]
    raise ValueError(f"a journal must begin with how the run was started, got {events[:1]}")


def values_of(events: Sequence[Event], sent: int = 0) -> list[tuple[Value, ...]]:
    """Return the values of each event but the first `sent`, in their order; none for those that measured nothing.

    All events are needed, from the first on: what time a value gets depends on those before it.
    """
    latest: dict[tuple[str, int], int] = {}
    steps = {_step(event) for event in events[sent:]}
    for event in events[:sent]:
        if _step(event) in steps:
            _values(event, latest)
    return [_values(event, latest) for event in events[sent:]]


def _values(event: Event, latest: dict[tuple[str, int], int]) -> tuple[Value, ...]:
    if not isinstance(event, EpochDone | Measured):
        return ()
    step = _step(event)
    for key in event.metrics:
        latest[key, step] = max(event.time, latest.get((key, step), event.time - 1) + 1)
    return tuple(Value(key, float(value), latest[key, step], step) for key, value in event.metrics.items())


def _step(event: Event) -> int:
    return event.number if isinstance(event, EpochDone) else 0


def tags(events: Sequence[Event]) -> dict[str, str]:
    """Return the tags that hold after the last event."""
    current: dict[str, str] = {}
    for event in events:
        if isinstance(event, Started):
            current |= {**mlflow_tags(event.tags), NAME_TAG: event.name}
        elif isinstance(event, Tagged):
            current |= mlflow_tags(event.tags)
        elif isinstance(event, Renamed):
            current[NAME_TAG] = event.name
        elif isinstance(event, Resumed):
            current.pop(REASON_TAG, None)
        elif isinstance(event, Ended) and event.reason is not None:
            current[REASON_TAG] = event.reason
    return current


def ended(events: Sequence[Event]) -> int | None:
    """Return when the run ended, in ms; None if it hasn't."""
    last = next((event for event in reversed(events) if isinstance(event, Ended | Resumed)), None)
    return last.time if isinstance(last, Ended) else None


# Run id, key, step, value (None: NaN), timestamp in ms, and the order of writing.
MetricRow = tuple[str, str, int, float | None, int, int]

_LARGEST = sys.float_info.max
_MOST_KEYS = 1 << 24  # of all metrics: a curve's number is its run's times this, plus its key's
_CHUNK = 10_000  # rows turned into arrays at once: with more, Python's garbage collector visits each again and again


def curves_by_run(rows: Iterable[MetricRow]) -> dict[str, dict[str, Curve]]:
    """Sort rows, in any order, into curves by run id and key.

    Steps ascend; of several values at one step the last written counts. Infinite values are infinite again.
    """
    rows = iter(rows)
    return curves_of(list(zip(*chunk, strict=True)) for chunk in iter(lambda: list(islice(rows, _CHUNK)), [])) or {}


def curves_of(chunks: Iterable[Sequence[Sequence[Any]]]) -> dict[Any, dict[str, Curve]] | None:
    """Do the same with rows that come column by column, and that give a run by its id or otherwise.

    Of the columns of `MetricRow` the last two may be missing: None is returned if they are needed, since some curve has
    several values at one step.
    """
    run_numbers: defaultdict[Hashable, int] = defaultdict(count().__next__)  # a new one gets the next number
    key_numbers: defaultdict[str, int] = defaultdict(count().__next__)
    columns = _gathered(_as_arrays(chunk, run_numbers, key_numbers) for chunk in chunks)
    if not columns:
        return {}
    curve, step, value, *written = columns
    del columns  # a column of a hundred thousand runs is hundreds of megabytes: each is let go of as soon as it can be
    sorting = np.argsort(curve, kind="stable")  # enough if each curve was written step by step
    if not _ascend(curve[sorting], step[sorting]):
        sorting = np.lexsort((*reversed(written), step, curve))
    curve = curve[sorting]
    step = step[sorting]
    value = value[sorting]
    del sorting
    value = as_logged(value)
    last = np.append((curve[1:] != curve[:-1]) | (step[1:] != step[:-1]), True)
    if not (written or last.all()):
        return None
    codes, logged = np.unique(curve, return_counts=True)
    if not last.all():
        curve, step, value = curve[last], step[last], value[last]
    ends = np.searchsorted(curve, codes, side="right")
    overwritten = (logged - np.diff(ends, prepend=0)).tolist()
    curves: dict[Hashable, dict[str, Curve]] = {run: {} for run in run_numbers}
    runs, keys = list(run_numbers), list(key_numbers)
    shared: dict[bytes, NDArray[np.int64]] = {}  # most curves have the same steps
    for code, start, end, n in zip(codes.tolist(), [0, *ends.tolist()], ends.tolist(), overwritten, strict=False):
        run_number, key_number = divmod(code, _MOST_KEYS)
        steps = step[start:end]
        known = shared.get(as_bytes := steps.tobytes())
        if known is None:
            known = shared[as_bytes] = steps.copy()
        curves[runs[run_number]][keys[key_number]] = Curve(known, value[start:end], n)
    return curves


def as_logged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values that MLflow was given: it keeps the infinite ones as the largest finite ones."""
    is_infinite = np.abs(values) >= _LARGEST
    return np.where(is_infinite, np.copysign(np.inf, values), values) if is_infinite.any() else values


def _one_as_logged(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) >= _LARGEST else value


def _ascend(curve: NDArray[np.int64], step: NDArray[np.int64]) -> bool:
    """Return whether the steps of each curve ascend, and all of its rows are together."""
    return bool(((step[1:] > step[:-1]) | (curve[1:] > curve[:-1])).all())


def _gathered(chunks: Iterable[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Return the columns of all rows; none if there are no rows.

    They grow in place: small arrays that are joined in the end leave as much memory behind, which is not given back.
    """
    grown: list[array[Any]] = []
    for columns in chunks:
        grown = grown or [array(column.dtype.char) for column in columns]
        for whole, column in zip(grown, columns, strict=True):
            whole.frombytes(column.data.cast("B"))
    return [np.frombuffer(whole, whole.typecode) for whole in grown]


def _as_arrays(
    columns: Sequence[Sequence[Any]], run_numbers: Mapping[Hashable, int], key_numbers: Mapping[str, int]
) -> list[NDArray[Any]]:
    """Return some rows' columns as numbers, run and key as that of the curve."""
    runs, keys, steps, values, *written = columns
    numbers = [list(map(run_numbers.__getitem__, runs)), list(map(key_numbers.__getitem__, keys))]
    run, key = (np.array(column, dtype=np.int64) for column in numbers)
    whole = (np.array(column, dtype=np.int64) for column in (steps, *written))
    return [run * _MOST_KEYS + key, next(whole), np.array(values, dtype=float), *whole]


@dataclass(slots=True)
class Record:
    """The rows of one run."""

    run_id: str
    name: str
    status: str
    started: int | None
    ended: int | None
    artifact_uri: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    datasets: list[UsedDataset] = field(default_factory=list)


_DIGEST_LENGTH = 12  # characters of a fingerprint that tell datasets apart; MLflow keeps 36 with the context
_NAME_LENGTH = 500  # characters that MLflow takes; the end of a long path tells more than its beginning


def shown_dataset(used: DatasetUsed) -> UsedDataset:
    """Return a journal's dataset as MLflow's UI shows it."""
    return UsedDataset(used.name[-_NAME_LENGTH:], f"{used.digest[:_DIGEST_LENGTH]}-{used.context}", used.context)


_MOST_ROWS = 1 << 53
_LONGEST_PROFILE = 65_536  # characters; those of MLflow's own datasets have some hundred


def used_dataset(name: str, digest: str, context: str, profile: str | None) -> UsedDataset:
    """Return a dataset that a run used, given its profile as MLflow keeps it."""
    return UsedDataset(name, digest, context, _rows_of(profile or ""))


def _rows_of(profile: str) -> int | None:
    """Return how many rows a dataset has, by its profile: a table's rows, or the first side of arrays."""
    try:
        facts = json.loads(profile) if len(profile) <= _LONGEST_PROFILE else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict):
        return None
    shapes = [facts.get("targets_shape"), facts.get("features_shape")]
    named = [list(shape.values()) if isinstance(shape, dict) else [shape] for shape in shapes]
    sides = [shape[0] for shape in (*named[0], *named[1]) if isinstance(shape, list) and shape]
    rows = {count for count in (facts.get("num_rows"), *sides) if count is not None}
    count = rows.pop() if len(rows) == 1 else None
    return count if type(count) is int and 0 < count <= _MOST_ROWS else None


# Returns an artifact of a run, None if it wasn't logged; raises `OSError` or `ValueError` with the reason.
Fetch = Callable[[Record, str], bytes | None]


_DEFAULT = "Default"  # an experiment that every store has from its beginning


def unknown_experiment(
    location: Location, name: str, names: tuple[str, ...], *, deleted_id: str | None = None
) -> GoneError:
    """Return the error for an experiment that is not there, or was deleted: it names those that are."""
    if deleted_id is not None:
        return GoneError(
            f"the experiment {name!r} in {location.shown} was deleted: restore it with `mlflow experiments restore "
            f"--experiment-id {deleted_id}`, or give another --experiment"
        )
    if {*names} <= {_DEFAULT}:
        choice = f", or choose {_DEFAULT!r} with --experiment" if names else ""
        return GoneError(f"no experiment {name!r} in {location.shown} yet: `tracker run` makes it{choice}")
    *others, last = [*map(repr, names[:20]), *(["another"] if len(names) > 20 else [])]
    choice = f"{', '.join(others)} or {last}" if others else last
    return GoneError(f"no experiment {name!r} in {location.shown}; choose {choice} with --experiment")


def assemble(
    name: str,
    tags: Mapping[str, str],
    records: Iterable[Record],
    fetch: Fetch,
    by_epoch: ByEpoch,
    *,
    pool: Executor | None = None,
    curves: Callable[[], Mapping[str, dict[str, Curve]]] = dict,
) -> Experiment:
    """Put the runs of an experiment together; `by_epoch` as in `tracker.store.Store.read`.

    A `pool` reads the files of several runs at once; meanwhile `curves` is called for those that the records lack.
    """
    of_runs = (record for record in records if not is_sweep(record.tags))
    ordered = sorted(of_runs, key=lambda record: (record.started or 0, record.run_id))
    files = _Files(fetch)
    if isinstance(by_epoch, int):
        by_epoch = frozenset(record.run_id for record in ordered[max(0, len(ordered) - by_epoch) :])

    def files_of(record: Record) -> _RunFiles:
        return files.of(record, with_epochs=record.run_id in by_epoch)

    read = (pool.map if pool else map)(files_of, ordered)
    lacking = curves()
    for record in ordered:
        record.curves.update(lacking.get(record.run_id, {}))
    runs = tuple(map(_run, ordered, read))
    return Experiment(name, tags, runs, files.unreadable(record.run_id for record in ordered))


def _shortened(reason: str) -> str:
    """Return a reason on one line of at most `_LONGEST_REASON` characters: it may quote all of a stranger's file."""
    reason = " ".join(reason.split())
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"


def _logged_tables(tags: Mapping[str, str]) -> list[str]:
    """Return the paths of the tables that a run says it logged, but for those of training and test data."""
    if TABLES_TAG not in tags:
        return []
    try:
        logged = json.loads(tags[TABLES_TAG])
    except (ValueError, RecursionError):
        return []
    entries = [entry for entry in logged if isinstance(entry, dict)] if isinstance(logged, list) else []
    paths = [entry.get("path") for entry in entries if entry.get("type") == "table"]
    found = [path for path in paths if isinstance(path, str) and path.endswith(".json")]
    fitting = [path for path in found if _OF_OTHER_DATA.isdisjoint(re.findall(r"[a-z]+", path.lower()))]
    return fitting[:_MOST_TABLES]


@dataclass(frozen=True, slots=True)
class _RunFiles:
    """What the files of a run say."""

    validation: Predictions | None
    by_epoch: EpochPredictions | None
    groups: Mapping[str, str]
    fault: str | None  # of those that may have the predictions


class _Files:
    """Reads the runs' files, several at once, and lists those that are broken."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._faults: dict[str, dict[str, str]] = {}  # by run and path
        self._groups: dict[str, Mapping[str, str]] = {}
        self._locks: dict[str, Lock] = {}

    def unreadable(self, run_ids: Iterable[str]) -> tuple[UnreadableArtifact, ...]:
        """Return what could not be read, run by run."""
        faults = ((run_id, self._faults.get(run_id, {})) for run_id in run_ids)
        return tuple(UnreadableArtifact(run_id, *fault) for run_id, of_run in faults for fault in of_run.items())

    def of(self, record: Record, *, with_epochs: bool) -> _RunFiles:
        """Read the files of a run."""
        validation = self.predictions(record)
        groups = self.groups(record) if validation else {}
        by_epoch, parse = run_files.VALIDATION_BY_EPOCH, run_files.parse_epoch_predictions
        epochs = self.read(record, by_epoch, parse) if with_epochs else None
        return _RunFiles(validation, epochs, groups, None if validation else self.fault_of_predictions(record))

    def fault(self, record: Record, path: str) -> str | None:
        """Return why a file could not be read; None if it could, or isn't there."""
        return self._faults.get(record.run_id, {}).get(path)

    def read(self, record: Record, path: str, parse: Callable[[bytes], T]) -> T | None:
        try:
            data = self._fetch(record, path)
            return None if data is None else parse(data)
        except (OSError, ValueError) as error:
            self._faults.setdefault(record.run_id, {})[path] = _shortened(str(error))
            return None

    def predictions(self, record: Record) -> Predictions | None:
        """Return the predictions of the validation samples: the run's own file, or else the first table that has some.

        A run lists the tables that it logged in a tag; those of training and test data are no evidence of validation.
        """
        found = self.read(record, run_files.VALIDATION, run_files.parse_predictions)
        for path in () if found else _logged_tables(record.tags):
            is_evaluated = path.rpartition("/")[2] == EVALUATION
            table = self.read(record, path, partial(run_files.parse_logged_table, is_evaluated=is_evaluated))
            if table is not None:
                return replace(table, table=path)
        return found

    def fault_of_predictions(self, record: Record) -> str | None:
        """Return why a file that may have the predictions could not be read; None if none had a fault."""
        paths = (run_files.VALIDATION, *_logged_tables(record.tags))
        return next((fault for path in paths if (fault := self.fault(record, path))), None)

    def groups(self, record: Record) -> Mapping[str, str]:
        """Return the groups of the clips, read once for all runs with the same fingerprint of the dataset."""
        dataset = record.tags.get(DATASET_TAG, record.run_id)
        with self._locks.setdefault(dataset, Lock()):
            if dataset not in self._groups:
                groups = self.read(record, run_files.DATASET, run_files.groups_of)
                if groups is None:
                    return {}
                self._groups[dataset] = groups
            return self._groups[dataset]


def _run(record: Record, files: _RunFiles) -> Run:
    validation, groups = files.validation, files.groups
    status = RunStatus(record.status) if record.status in RunStatus.__members__ else RunStatus.UNKNOWN
    return Run(
        run_id=record.run_id,
        name=record.name or record.tags.get(NAME_TAG, ""),
        status=status,
        params=record.params,
        tags=record.tags,
        metrics={key: _one_as_logged(value) for key, value in record.metrics.items()},
        curves=record.curves,
        validation=validation,
        validation_by_epoch=files.by_epoch,
        groups={clip: groups[clip] for clip in validation.clips if clip in groups} if validation else {},
        started=record.started,
        ended=None if status is RunStatus.RUNNING else record.ended,  # MLflow keeps the end of a run that was resumed
        note=(description(record.tags) or "").split(NOTE_END)[0].strip() or None,  # what follows is tracker's own
        commit=record.tags.get(_MLFLOW_NAMES[COMMIT_TAG]),
        parent_id=record.tags.get(PARENT_TAG),
        journal_id=record.tags.get(JOURNAL_TAG),
        datasets=tuple(sorted(record.datasets, key=lambda used: (used.context, used.name, used.digest))),
        unread_predictions=files.fault,
    )


def experiment_of(events: Sequence[Event], artifacts: Path, run_id: str, status: RunStatus) -> Experiment:
    """Return the experiment that one journal makes; `run_id` is the store's id of the run, or any other before that.

    The tag ``tracker.journal`` is missing, which only a store has.
    """
    first = started(events)
    rows = enumerate(value for values in values_of(events) for value in values)
    metric_rows = ((run_id, value.key, value.step, value.value, value.time, order) for order, value in rows)
    curves = curves_by_run(metric_rows).get(run_id, {})
    latest = {key: curve.values[-1].item() for key, curve in curves.items()}
    texts = (dict(first.params), current := tags(events))
    used = [shown_dataset(dataset) for dataset in first.datasets]
    record = Record(run_id, current[NAME_TAG], status, first.time, ended(events), "", *texts, latest, curves, used)
    attached = {event.path for event in events if isinstance(event, Attached)}

    def fetch(_record: Record, path: str) -> bytes | None:
        if not any(path == each or path.startswith(f"{each}/") for each in attached):
            return None  # a file that isn't recorded as attached may be incomplete
        return ArtifactFolder(artifacts, artifacts.parent).read(path)

    return assemble(first.experiment, {"tracker.metric": first.metric}, [record], fetch, by_epoch=1)
