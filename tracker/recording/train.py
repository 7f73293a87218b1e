"""From plans to logged runs: the data is prepared once, then each plan is trained and written to its journal."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.data.splits import manifest_text
from tracker.errors import StoreError
from tracker.journal.reader import Journal, unsettled
from tracker.recording.prepare import Prepared, prepare
from tracker.recording.run_writer import ENVIRONMENT, RunWriter, classes_tag, sigterm_raises, versions_text
from tracker.recording.stores import data_tag, interrupted_message, journals_folder, load_runs, model_param
from tracker.runs import Run, RunPlan, RunStatus, number_text
from tracker.runs.events import Attached, DatasetUsed, Measured
from tracker.store import DATASET, VALIDATION, VALIDATION_BY_EPOCH, epoch_predictions_npz, now_ms, predictions_csv
from tracker.training.checkpoint import finished_epochs
from tracker.training.environment import environment
from tracker.training.networks import find_network, network_options, short_name
from tracker.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracker.data.dataset import Clip
    from tracker.recording.reporter import Reporter
    from tracker.recording.stores import LogTarget
    from tracker.training.batches import LabelledImages, TrainingData
    from tracker.training.result import Epoch, TrainingResult

CHECKPOINTS = "checkpoints"  # folder beside the journal
MODEL = "model"
NETWORK = "network.py"  # the source of the run's network: what loading a model with layers of its own needs
NETWORK_SOURCES = "network_code"  # folder of all its sources, if it was built from several
CODE_TAG = "tracker.code"  # a digest of the sources of the run's network
KEEP_GOING_TAG = "tracker.keep_going"  # on a run that continues when the loss is NaN, also when it is resumed


@dataclass(frozen=True)
class TrainingRequest:
    """What is to be trained: plans that differ in the seed alone.

    Parameters
    ----------
    plans : tuple of RunPlan
    data : Path or None
        A folder or a manifest; None: the built-in demo set.
    target : LogTarget
    name : str or None
        Of each run; None: its configuration in short.
    note : str or None
        The person's own words.
    reuse : bool
        Whether a finished run of the same plan, data and version is taken instead of training it again.
    keep_going : bool
        Whether training continues when the loss is not a finite number.
    """

    plans: tuple[RunPlan, ...]
    data: Path | None
    target: LogTarget
    name: str | None = None
    note: str | None = None
    reuse: bool = False
    keep_going: bool = False


def train_plans(request: TrainingRequest, reporter: Reporter) -> Iterator[str]:
    """Train and log a run for each plan, one after the other; yields the id of each as soon as it is done.

    Raises
    ------
    TrackerError
        If the store can never accept a run, the data is not fit to train on, or a training fails.
    """
    target, first = request.target, request.plans[0]
    target.store.check_usable()
    _warn_of_idle_plateau(first, reporter)
    prepared = prepare(request.data, first, reporter)
    _warn_of_short_clips(prepared, first, reporter)
    data = data_tag(request.data, target.store, Path.cwd())
    finished = _finished_runs(target) if request.reuse else []
    kept = unsettled(journals_folder(target.store))
    for problem in kept.problems:
        reporter.warn(problem)
    for given in request.plans:
        model = model_param(given.configuration.model, target.store, Path.cwd())
        plan = replace(given, configuration=replace(given.configuration, model=model))
        same = _same_run(finished, plan, prepared)
        if same:
            reporter.log(f"reusing run {same.name}: same configuration, seed, data and version")
            yield same.run_id
        else:
            _log_interrupted(kept, plan, target, reporter)
            writer = RunWriter(target, request.name or run_name(given), request.note, reporter)
            yield Recorder(writer, plan, prepared, data, request.keep_going).train(reporter)


def _warn_of_idle_plateau(plan: RunPlan, reporter: Reporter) -> None:
    """Warn if early stopping ends the run before a plateau can take effect."""
    plateau, patience = plan.configuration.plateau, plan.configuration.early_stopping_patience
    if plateau and patience is not None and patience <= plateau.patience:
        reporter.warn(
            f"early stopping after {patience} epochs is not later than the plateau's patience of {plateau.patience}: "
            "the run ends before a lower learning rate can be used; try an early-stopping patience of "
            f"{plateau.patience + 5}"
        )


def _warn_of_short_clips(prepared: Prepared, plan: RunPlan, reporter: Reporter) -> None:
    """Name the clips that are padded, once for all seeds."""
    from tracker.training.batches import short_clips

    short = short_clips(plan, _training_data(prepared))
    if short:
        seconds = number_text(plan.configuration.segment_s)
        what = f"{counted(len(short), 'clip')} {'is' if len(short) == 1 else 'are'}"
        reporter.warn(f"{what} shorter than a segment of {seconds} s and padded with silence: {some(short)}")


def _finished_runs(target: LogTarget) -> list[Run]:
    try:
        runs = load_runs(target.store, target.experiment, by_epoch=0)
    except StoreError:
        return []  # there is nothing to reuse; opening the store will say what else may be wrong with it
    return [run for run in runs if run.status is RunStatus.FINISHED]


def _same_run(runs: Iterable[Run], plan: RunPlan, prepared: Prepared) -> Run | None:
    """Return a run of the same plan, data, version and network code, if there is one."""
    params, code = plan.params(), find_network(plan.configuration.model).digest
    tags = {**prepared.identity, CODE_TAG: code}
    return next((run for run in runs if run.params == params and tags.items() <= run.tags.items()), None)


def _log_interrupted(kept: Iterable[Journal], plan: RunPlan, target: LogTarget, reporter: Reporter) -> None:
    """Name the interrupted runs of the same plan: continuing one takes less time than training it again."""
    same = (target.experiment, plan.params())
    for journal in kept:
        start = journal.started
        if journal.status is RunStatus.INTERRUPTED and (start.experiment, start.params) == same:
            reporter.log(interrupted_message(start.name, journal.id, target.store))


def run_name(plan: RunPlan) -> str:
    """Return what a run is called by default: its configuration in short."""
    model = plan.configuration.model
    usual = [(option.name, option.default) for option in network_options(model)]
    named = replace(plan.configuration, model=short_name(model))
    return replace(plan, configuration=named).run_name(usual)


def _training_data(prepared: Prepared) -> TrainingData:
    from tracker.training.batches import LabelledImages, TrainingData

    def labelled(clips: tuple[Clip, ...]) -> LabelledImages:
        return LabelledImages(
            tuple(clip.path for clip in clips),
            tuple(clip.label for clip in clips),
            [prepared.images[clip.path] for clip in clips],
        )

    split = prepared.split
    return TrainingData(labelled(split.training), labelled(split.validation), prepared.dataset.classes)


@dataclass(frozen=True, eq=False)
class Recorder:
    """Trains a run by a plan, or continues the one that was interrupted, and writes its journal."""

    writer: RunWriter
    plan: RunPlan
    prepared: Prepared
    data: str  # what the run's tags call its data
    keep_going: bool = False  # if the loss is NaN or infinite
    interrupted: Journal | None = None

    def train(self, reporter: Reporter) -> str:
        """Train to the end of the plan, and return the run's id.

        Raises
        ------
        KeyboardInterrupt
            If the training was cut short, once everything there is has been written.
        """
        from tracker.training.fit import train

        name, checkpoints = self.writer.name, self.writer.folder / CHECKPOINTS
        diverged: list[str] = []
        with (
            sigterm_raises(KeyboardInterrupt()),
            self.writer,
            reporter.epochs(name, self.plan.configuration.epochs) as progress,
        ):

            def on_epoch(epoch: Epoch) -> None:
                self.writer.log_epoch(epoch.number, epoch.metrics)
                progress.on_epoch(epoch)
                if not all(map(math.isfinite, epoch.metrics.values())):
                    diverged.append(str(epoch.number))

            outcome = train(
                self.plan,
                _training_data(self.prepared),
                on_start=self._start,
                on_epoch=on_epoch,
                on_batch=progress.on_batch,
                checkpoints=checkpoints,
                keep_going=self.keep_going,
            )
            self._log_outcome(outcome)
        shutil.rmtree(checkpoints, ignore_errors=True)
        if diverged:
            reporter.warn(
                f"run {name} diverged: its loss was NaN or infinite in epoch{'s' if len(diverged) > 1 else ''} "
                f"{some(diverged)}; it keeps the weights of epoch {outcome.kept_epoch}"
            )
        return self.writer.run_id

    def _start(self) -> None:
        """Begin the journal with params and tags, or continue it, and upload it from here on."""
        if self.interrupted:
            epochs = {number: epoch.metrics for number, epoch in self.interrupted.epochs.items()}
            self.writer.reopen(epochs, finished_epochs(self.writer.folder / CHECKPOINTS))
        else:
            self._begin()
        self._attach_data()
        self.writer.begin_upload()

    def _begin(self) -> None:
        split, classes = self.prepared.split, self.prepared.dataset.classes
        tags = {
            **self.prepared.identity,
            "tracker.training_clips": str(len(split.training)),
            "tracker.validation_clips": str(len(split.validation)),
            "tracker.test_clips": str(len(split.test)),
            "tracker.data": self.data,
            "tracker.deterministic": "true",
            CODE_TAG: find_network(self.plan.configuration.model).digest,
            **({KEEP_GOING_TAG: "true"} if self.keep_going else {}),
            **classes_tag(classes),
        }
        digest, parts = tags["tracker.dataset"], {"training": split.training, "validation": split.validation}
        datasets = (DatasetUsed(self.data, digest, self.data, part, classes, len(parts[part])) for part in parts)
        self.writer.start(self.plan.params(), tags, "tracker run", datasets=tuple(datasets))

    def _attach_data(self) -> None:
        """Keep what the run is trained on and with; a run that is continued may have been killed before it did."""
        events = self.interrupted.events if self.interrupted else ()
        attached = {event.path for event in events if isinstance(event, Attached)}
        network = find_network(self.plan.configuration.model)
        files: dict[str, str | bytes] = {
            DATASET: manifest_text(self.prepared.dataset, self.prepared.split, self.plan.split),
            ENVIRONMENT: versions_text(environment(self.plan.configuration.model)),
            NETWORK: network.source,
        }
        if len(network.sources) > 1:
            files |= {f"{NETWORK_SOURCES}/{name}": source for name, source in network.sources.items()}
        for path in sorted(files.keys() - attached):
            self.writer.attach_file(path, files[path])

    def _log_outcome(self, outcome: TrainingResult) -> None:
        self.writer.append(Measured(now_ms(), outcome.metrics))
        self.writer.attach_file(VALIDATION, predictions_csv(outcome.validation))
        self.writer.attach_file(VALIDATION_BY_EPOCH, epoch_predictions_npz(outcome.validation_by_epoch))
        self.writer.attach_description(*self.writer.describe())
        save = self.writer.target.store.save_model
        self.writer.attach_folder(MODEL, lambda folder: save(folder, outcome.model, outcome.example))
        if outcome.interrupted:
            raise KeyboardInterrupt
