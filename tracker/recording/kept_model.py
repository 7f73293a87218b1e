"""Which run's kept model is meant, and that model with all it takes to predict: classes, features, segments.

The model and the params may be a stranger's. A network's own code is only run if it is built in, or lies in the project
and is the one that the run was trained with.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.contained_files import LARGEST_ARTIFACT, read_file
from tracker.errors import StoreError, TrackerError, TrainingError
from tracker.journal.reader import ARTIFACTS, is_id
from tracker.recording.reports import build_report
from tracker.recording.resume import is_of_project
from tracker.recording.stores import journals_folder, model_path
from tracker.recording.train import CODE_TAG
from tracker.runs import KINDS, Spectrogram, is_resumable, number_text, spectrogram_of
from tracker.runs.logged import SHORT_ID
from tracker.store import MODEL, GoneError
from tracker.training.networks import ForbiddenSourceError, find_network, is_built_in
from tracker.wording import metric_words

if TYPE_CHECKING:
    from tracker.recording.reporter import Reporter
    from tracker.recording.reports import Report
    from tracker.recording.stores import ExperimentRuns
    from tracker.runs import Run
    from tracker.store import Store
    from tracker.training.networks import Network

BEST = "best"  # stands for the run that the report names
KERAS_FILE = f"{MODEL}/data/model.keras"  # among the artifacts of a run


@dataclass(frozen=True, eq=False)
class KeptModel:
    """A trained network, and what a clip must be made into for it."""

    run: Run
    content: bytes  # of the ``.keras`` file
    classes: tuple[str, ...]
    spectrogram: Spectrogram
    segment_s: float
    store: Store

    @property
    def frames(self) -> int:
        """The length of a segment."""
        return self.spectrogram.frames(self.segment_s)

    def load(self, *, own_layers: bool = True) -> Any:
        """Return the Keras model; without `own_layers` only one that Keras can load alone.

        Raises
        ------
        TrackerError
            If it can't be loaded, needs code that can't be run, or takes other images than the params say.
        """
        from tracker.training.kept_model import load_model

        try:
            model = load_model(self.content, partial(_network, self.run, self.store) if own_layers else _no_network)
        except TrainingError as error:
            raise TrackerError(f"the model of {called(self.run)} cannot be used: {error}") from error
        _, *shape = model.input_shape
        expected = [self.spectrogram.height, self.frames, 1]
        if shape != expected or model.output_shape[-1] != len(self.classes):
            sides, logged, n = "×".join(map(str, shape)), "×".join(map(str, expected)), model.output_shape[-1]
            raise TrackerError(
                f"the model of {called(self.run)} takes images of {sides} for {n} classes, but its run logged "
                f"{logged} for {len(self.classes)}: it is another run's model"
            )
        return model


def called(run: Run) -> str:
    """Return how messages name a run: ``run k3-s0 (1a2b3c4d)``."""
    return f"run {run.name} ({run.run_id[:SHORT_ID]})"


def chosen_run(runs: ExperimentRuns, run: str, reporter: Reporter) -> Run:
    """Return a run by its id or name, or the best one, by the report, that kept a model.

    Raises
    ------
    TrackerError
        If there is no such run.
    """
    if run != BEST:
        return runs.find(run)
    report = build_report(runs)
    chosen = _best(report)
    if chosen is None:
        raise TrackerError(f"no finished run of {runs.name!r} has kept a model: `tracker run` trains one")
    if not report.has_winner and len(report.entries) > 1:
        is_one_of_some = chosen.run_id in report.ranked and len(report.ranked) < len(report.entries)
        among = " among those on the clips that most runs share" if is_one_of_some else ""
        reporter.log(
            f"the report names no winner ({report.title}); this is {called(chosen)}, the best by "
            f"{metric_words(report.metric)}{among}"
        )
    return chosen


def _best(report: Report) -> Run | None:
    """Return the best run that may have a model: of the winner, if there is one, else of all."""
    entries = report.sections[0].entries if report.has_winner else report.entries
    ranked = [entry.run for entry in report.best_first(entries)]
    return next((run for run in ranked if is_resumable(run.tags)), None)


def open_model(run: Run, store: Store) -> KeptModel:
    """Return a run's kept model.

    Raises
    ------
    TrackerError
        If it has none, isn't one of `tracker run`, or was trained on features that this version can't make.
    """
    if not is_resumable(run.tags):
        raise TrackerError(f"{called(run)} was not trained by `tracker run`, so what its model takes is unknown")
    if (features := run.params.get("features")) and features not in KINDS:
        raise TrackerError(
            f"{called(run)} was trained on the features {features!r}, and this version of tracker only makes "
            f"{', '.join(KINDS)}"
        )
    try:
        spectrogram, segment_s = spectrogram_of(run.params), _segment(run)
    except ValueError as error:
        raise TrackerError(f"the features of {called(run)} cannot be made: {error}") from error
    return KeptModel(run, _content(run, store), _classes(run), spectrogram, segment_s, store)


def _segment(run: Run) -> float:
    try:
        seconds = float(run.params["segment_s"])
    except KeyError as error:
        raise ValueError("the param segment_s is missing") from error
    if not 0 < seconds <= 3_600:
        raise ValueError(f"the param segment_s must be above 0 and at most 3,600, got {number_text(seconds)}")
    return seconds


def _classes(run: Run) -> tuple[str, ...]:
    with suppress(ValueError, RecursionError):
        listed = json.loads(run.tags.get("tracker.classes", ""))
        are_names = isinstance(listed, list) and all(isinstance(name, str) for name in listed)
        if are_names and 1 < len(listed) == len(set(listed)):
            return tuple(listed)
    if run.validation is not None and run.validation.probabilities is not None:
        return run.validation.classes
    raise TrackerError(f"{called(run)} does not say which classes it was trained on, so its model cannot be used")


def _content(run: Run, store: Store) -> bytes:
    """Return the file of the model: the journal's if it isn't uploaded yet, else the store's."""
    journal = run.journal_id or run.run_id
    folder = journals_folder(store) / journal
    if is_id(journal):
        with suppress(OSError):
            return read_file(folder / ARTIFACTS / KERAS_FILE, folder, LARGEST_ARTIFACT)
    try:
        return store.read_artifact(run.run_id, KERAS_FILE)
    except GoneError as error:
        raise TrackerError(f"{called(run)} has kept no model: it did not finish, or its files are gone") from error
    except StoreError as error:
        raise TrackerError(f"the model of {called(run)} cannot be read: {error}") from error


def _no_network() -> Network:
    raise TrainingError("it has layers of its own, which nobody can load without their code")


def _network(run: Run, store: Store) -> Network:
    """Return the code of a run's network, whose layers its model needs; raises `TrainingError` if it mustn't be run."""
    name, folder = run.params.get("model", ""), store.folder or Path.cwd()
    try:
        is_ours = partial(is_of_project, journals_folder(store))
        network = find_network(name) if is_built_in(name) else find_network(model_path(name, folder), is_ours)
    except ForbiddenSourceError as error:
        raise TrainingError(
            f"it has layers of its own, and {error.file}, which makes them, isn't one of the project's own files in "
            f"{folder}: copy it there"
        ) from error
    except ValueError as error:
        raise TrainingError(f"it has layers of its own, and the network that makes them isn't here: {error}") from error
    if network.digest != run.tags.get(CODE_TAG):
        raise TrainingError(
            f"it has layers of its own, and the code in {network.shown} is not what it was trained with: restore that"
        )
    return network
