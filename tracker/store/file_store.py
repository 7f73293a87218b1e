"""MLflow's file stores, such as ``./mlruns``, as a `tracker.store.Store` that is read and never written to.

They were MLflow's default for seven years. An experiment is a folder, and so is a run in it::

    EXPERIMENT/meta.yaml          name, lifecycle_stage
    EXPERIMENT/tags/KEY           the whole file is the value
    EXPERIMENT/RUN/meta.yaml      run_name, status as a number, start_time and end_time in ms, artifact_uri
    EXPERIMENT/RUN/params/KEY     as tags, and so is RUN/tags
    EXPERIMENT/RUN/metrics/KEY    lines of ``timestamp value [step [dataset digest]]``
    EXPERIMENT/RUN/inputs/ID/     meta.yaml: source_id, the folder of a dataset, and tags, which say what it was for
    EXPERIMENT/RUN/artifacts/
    EXPERIMENT/datasets/ID/       meta.yaml: name, digest, profile

A key with slashes is a path. Deleted experiments lie in ``.trash``; a deleted run says so in its ``meta.yaml``. Anybody
may have written any of it: no link below the store is followed, only regular files of limited sizes are read, and what
isn't as MLflow writes it is left out and counted, as rows of a database are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import yaml

from tracker.contained_files import Folder, open_folder, read_all
from tracker.errors import StoreError
from tracker.store import Experiment, UnreadableRows
from tracker.store.location import ArtifactFolder, find_artifacts, path_of
from tracker.store.mlflow_run import (
    CONTEXT_TAG,
    KEY_LENGTH,
    Record,
    assemble,
    curves_by_run,
    unknown_experiment,
    used_dataset,
)
from tracker.store.read_only import Reader, read_only_store
from tracker.store.reader import check_has_runs, is_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tracker.runs import UsedDataset
    from tracker.store import ByEpoch, Store
    from tracker.store.location import Location
    from tracker.store.mlflow_run import MetricRow

_META = "meta.yaml"
_TRASH = ".trash"
_NO_EXPERIMENTS = {_TRASH, "models"}  # the latter are registered models
_NO_RUNS = {"tags", "datasets", "traces", "models"}
_STATUSES = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
_NONE = {"null", "~", ""}  # as YAML has it
_OF_DATASET = ("name", "digest", "profile")
_OF_INPUT = ("source_id", "tags")

# Largest sizes that are read, in bytes.
_LARGEST_META = 2**14
_LARGEST_TEXT = 2**20
_LARGEST_METRIC = 2**26  # two million values

# Signs that nest a YAML document; MLflow's have one pair of brackets, and a name may have some.
_NESTING = (b"[", b"{", b"- ", b"? ", b"&", b"*")
_MOST_NESTING = 500

_INT64 = range(-(2**63), 2**63)


def file_store_of(location: Location, root: Path) -> Store:
    """Return the file store in a folder."""

    def read(experiment: str, by_epoch: ByEpoch) -> Experiment:
        with _one_line_errors(location):
            return check_has_runs(_read(location, root, experiment, by_epoch), location.shown)

    def experiment_name(experiment_id: str) -> str | None:
        with _one_line_errors(location):
            return next((each.name for each in _experiments(root) if each.path.name == experiment_id), None)

    return read_only_store(location, Reader("one of MLflow's file stores", read, experiment_name, root=root))


@contextmanager
def _one_line_errors(location: Location) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot read the store {location.shown}: {error}") from error


def _read(location: Location, root: Path, name: str, by_epoch: ByEpoch) -> Experiment:
    found = _experiments(root)
    place = next((each for each in found if each.name == name and not each.is_deleted), None)
    if place is None:
        deleted = next((each.path.name for each in found if each.name == name), None)
        names = sorted(each.name for each in found if not each.is_deleted)
        raise unknown_experiment(location, name, tuple(names), deleted_id=deleted)
    runs = _Runs()
    with open_folder(place.path, root) as folder:
        runs.read(folder)
    experiment = assemble(name, runs.tags, runs.records.values(), partial(_fetch, place.path, root), by_epoch)
    wrong = tuple(UnreadableRows(run_id, tuple(kinds.items())) for run_id, kinds in runs.wrong.items())
    return Experiment(experiment.name, experiment.tags, experiment.runs, experiment.unreadable, wrong, runs.deleted)


@dataclass(frozen=True, slots=True)
class _Place:
    """An experiment's folder."""

    path: Path
    name: str
    is_deleted: bool


def _experiments(root: Path) -> list[_Place]:
    """Return the experiments of a store; a folder that can't be read as one isn't one."""
    found = []
    for parent in (root, root / _TRASH):
        with suppress(FileNotFoundError), open_folder(parent, root) as folder:
            for entry in folder.names():
                with suppress(OSError, ValueError, KeyError), closing(folder.enter(entry)) as inner:
                    if entry not in _NO_EXPERIMENTS:
                        meta = _meta(inner)
                        is_deleted = parent != root or meta.get("lifecycle_stage", "active") != "active"
                        found.append(_Place(inner.path, meta["name"], is_deleted))
    return found


def _fetch(experiment: Path, root: Path, record: Record, path: str) -> bytes | None:
    """Return an artifact of a run: from its own folder, or else from where its ``meta.yaml`` says that they are."""
    own = experiment / record.run_id / "artifacts"
    data = ArtifactFolder(own, root).read(path)
    written = path_of(record.artifact_uri)
    if data is not None or (written and written.parts[-3:] == own.parts[-3:]):
        return data
    elsewhere = find_artifacts(record.artifact_uri, root.parent, record.run_id)
    return elsewhere.read(path) if elsewhere else None


@dataclass(slots=True)
class _Runs:
    """What the folders of an experiment hold. Behind it every value is of its type."""

    tags: dict[str, str] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    wrong: dict[str | None, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    deleted: int = 0

    def read(self, experiment: Folder) -> None:
        """Read everything."""
        self.tags.update(self._texts(None, experiment, "tags"))
        datasets = dict(self._documents(None, experiment, "datasets", _OF_DATASET))
        rows: list[MetricRow] = []
        for name in experiment.names():
            if name in _NO_RUNS or name == _META:
                continue
            try:
                with closing(experiment.enter(name)) as folder:
                    rows += self._run(name, folder, datasets)
            except (OSError, ValueError, KeyError):
                self.wrong[name]["runs"] += 1
        for run_id, curves in curves_by_run(rows).items():
            record = self.records[run_id]
            record.curves.update(curves)
            record.metrics = {key: curve.values[-1].item() for key, curve in curves.items()}

    def _run(self, run_id: str, folder: Folder, datasets: Mapping[str, Mapping[str, object]]) -> list[MetricRow]:
        """Read a run, and return the values of its metrics."""
        meta = _meta(folder)
        if meta.get("lifecycle_stage", "active") != "active":
            self.deleted += 1
            return []
        if meta.get("run_id", meta.get("run_uuid")) != run_id:
            raise ValueError("the folder is another run's")
        name, uri = (meta.get(key, "") for key in ("run_name", "artifact_uri"))
        start, end = (_time(meta.get(key, "")) for key in ("start_time", "end_time"))
        status = _STATUSES.get(meta.get("status", "1"), "")
        record = Record(run_id, "" if name in _NONE else name, status, start, end, uri)
        record.params = self._texts(run_id, folder, "params")
        record.tags = self._texts(run_id, folder, "tags")
        record.datasets = list(self._used(run_id, folder, datasets))
        rows = list(self._values(run_id, folder))
        self.records[run_id] = record
        return rows

    def _used(self, run_id: str, folder: Folder, datasets: Mapping[str, Mapping[str, object]]) -> Iterator[UsedDataset]:
        """Yield the datasets that a run used."""
        for _, used in self._documents(run_id, folder, "inputs", _OF_INPUT):
            dataset, tags = datasets.get(str(used.get("source_id"))), used.get("tags")
            if dataset is not None:
                context = tags.get(CONTEXT_TAG) if isinstance(tags, dict) else None
                name, digest, profile = (str(dataset.get(key, "")) for key in _OF_DATASET)
                yield used_dataset(name, digest, context if isinstance(context, str) else "", profile)

    def _documents(
        self, run_id: str | None, folder: Folder, kind: str, keys: Sequence[str]
    ) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield the folders of a kind, each with `keys` of its ``meta.yaml``; those that can't be read are counted."""
        inner = self._entered(run_id, folder, kind)
        if inner is None:
            return
        with closing(inner):
            for name in inner.names():
                try:
                    with closing(inner.enter(name)) as of_one:
                        yield name, _document(of_one, keys)
                except (OSError, ValueError):
                    self.wrong[run_id][kind] += 1

    def _texts(self, run_id: str | None, folder: Folder, kind: str) -> dict[str, str]:
        """Return the files of a folder and those below it: texts by their keys."""
        texts = {}
        for key, data in self._files(run_id, folder, kind, _LARGEST_TEXT):
            try:
                texts[key] = data.decode()
            except UnicodeDecodeError:
                self.wrong[run_id][kind] += 1
        return texts

    def _values(self, run_id: str, folder: Folder) -> Iterator[MetricRow]:
        for key, data in self._files(run_id, folder, "metrics", _LARGEST_METRIC):
            lines = data.splitlines()
            try:
                rows = _parsed(lines)
            except ValueError:  # line by line, which takes three times as long
                rows = []
                for line in filter(bytes.strip, lines):
                    fields = line.split()
                    try:
                        rows += _parsed([b" ".join([*fields, b"0"][:3])] if len(fields) in {2, 3, 5} else [line])
                    except ValueError:
                        self.wrong[run_id]["metrics"] += 1
            for order, (time, value, step) in enumerate(rows):
                yield run_id, key, step, value, time, order

    def _entered(self, run_id: str | None, folder: Folder, kind: str) -> Folder | None:
        """Return the folder of a kind, None if there is none; one that can't be read is counted."""
        try:
            return folder.enter(kind)
        except FileNotFoundError:
            return None
        except OSError:
            self.wrong[run_id][kind] += 1
            return None

    def _files(self, run_id: str | None, folder: Folder, kind: str, largest: int) -> Iterator[tuple[str, bytes]]:
        """Yield the key and content of every file of a kind; those that can't be read are counted."""
        inner = self._entered(run_id, folder, kind)
        if inner is None:
            return
        with closing(inner):
            yield from self._below(run_id, inner, kind, largest, "")

    def _below(
        self, run_id: str | None, folder: Folder, kind: str, largest: int, prefix: str
    ) -> Iterator[tuple[str, bytes]]:
        for name in folder.names():
            key = f"{prefix}{name}"
            try:
                key.encode()
                if len(key) > KEY_LENGTH:
                    raise ValueError("longer than MLflow's keys")
                try:
                    with folder.open(name) as file:
                        data = read_all(file, folder.path / name, largest)
                except IsADirectoryError:
                    with closing(folder.enter(name)) as inner:
                        yield from self._below(run_id, inner, kind, largest, f"{key}/")
                    continue
            except (OSError, ValueError):
                self.wrong[run_id][kind] += 1
                continue
            yield key, data


def _meta(folder: Folder) -> dict[str, str]:
    """Return the ``meta.yaml`` of a folder, each value as it is written.

    Raises `OSError` if there is none, and ValueError if it isn't as MLflow writes it.
    """
    with folder.open(_META) as file:
        data = read_all(file, folder.path / _META, _LARGEST_META)
    return {key: value for key, value in _parsed_document(data).items() if isinstance(value, str)}


def _document(folder: Folder, keys: Sequence[str]) -> dict[str, object]:
    """Return some keys of a folder's ``meta.yaml``, raising as `_meta`; what may be long and deep isn't parsed."""
    with folder.open(_META) as file:
        lines = read_all(file, folder.path / _META, _LARGEST_TEXT).splitlines(keepends=True)
    wanted, kept = False, []
    for line in lines:
        if line[:1].isalpha():
            wanted = line.partition(b":")[0].decode(errors="replace") in keys
        if wanted:
            kept.append(line)
    return _parsed_document(b"".join(kept))


def _parsed_document(data: bytes) -> dict[str, object]:
    if sum(map(data.count, _NESTING)) > _MOST_NESTING:
        raise ValueError("nested as MLflow never nests")
    try:
        document = yaml.load(data, Loader=_LOADER)  # noqa: S506 -- of texts alone, which makes no objects
    except yaml.YAMLError as error:
        raise ValueError(f"no YAML: {error}") from error
    entries = document.items() if isinstance(document, dict) else ()
    return {key: value for key, value in entries if isinstance(key, str)}


_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every value is a text; the one in C is ten times as fast


def _parsed(lines: list[bytes]) -> list[tuple[int, float, int]]:
    """Return the time, value and step of each line; raise ValueError if one has others, or they are out of range."""
    times, values, steps = zip(*map(bytes.split, lines), strict=True) if lines else ((), (), ())
    rows = list(zip(map(int, times), map(float, values), map(int, steps), strict=True))
    if not all(time in _INT64 and step in _INT64 for time, _, step in rows):
        raise ValueError("out of range")
    return rows


def _time(text: str) -> int | None:
    time = None if text in _NONE else int(text)
    if not is_time(time):
        raise ValueError("out of range")
    return time
