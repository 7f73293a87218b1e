"""From plans to logged runs: the data is prepared once, then each plan is trained and written to its journal."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tracker.data.splits import manifest_text
from tracker.errors import StoreError
from tracker.journal.reader import unsettled
from tracker.recording.locations import data_tag, interrupted_message, model_param
from tracker.recording.prepare import Prepared, identity, prepare
from tracker.recording.run_writer import (
    ENVIRONMENT,
    RunWriter,
    classes_tag,
    describe,
    encoded,
    origin_tags,
    process_tags,
    sigterm_raises,
)
from tracker.runs import Run, RunPlan, RunStatus, number_text
from tracker.runs.events import Attached, DatasetUsed, Measured, Resumed, Started, Tagged
from tracker.runs.logged import DEFAULT_METRIC
from tracker.store import (
    DATASET,
    VALIDATION,
    VALIDATION_BY_EPOCH,
    epoch_predictions_npz,
    now_ms,
    predictions_csv,
)
from tracker.training.checkpoint import finished_epochs
from tracker.training.environment import environment
from tracker.training.networks import find_network, network_options, short_name
from tracker.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from tracker.data.dataset import Clip
    from tracker.journal.reader import Journal
    from tracker.recording.locations import LogTarget
    from tracker.recording.reporter import Reporter
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
    target = request.target
    target.store.check_usable()
    _warn_of_idle_plateau(request.plans[0], reporter)
    prepared = replace(
        prepare(request.data, request.plans[0].split, request.plans[0].spectrogram, reporter),
        source=data_tag(request.data, target.store, Path.cwd()),
    )
    _warn_of_short_clips(prepared, request.plans[0], reporter)
    for given in request.plans:
        plan = _with_lasting_model(given, target)
        finished = _finished_run(target, plan, prepared) if request.reuse else None
        if finished:
            reporter.log(f"reusing run {finished.name}: same configuration, seed, data and version")
            yield finished.run_id
        else:
            _log_interrupted(target, plan, reporter)
            name = request.name or run_name(given)
            recorder = Recorder(target, name, plan, prepared, request.note, reporter, keep_going=request.keep_going)
            yield train_recorded(recorder, plan, prepared, reporter)


def _warn_of_idle_plateau(plan: RunPlan, reporter: Reporter) -> None:
    """Warn if early stopping ends the run before a plateau can take effect."""
    plateau, patience = plan.configuration.plateau, plan.configuration.early_stopping_patience
    if plateau and patience is not None and patience <= plateau.patience:
        reporter.warn(
            f"early stopping after {patience} epochs is not later than the plateau's patience of {plateau.patience}: "
            "the run ends before a lower learning rate can be used; try an early-stopping patience of "
            f"{plateau.patience + 5}"
        )


def _with_lasting_model(plan: RunPlan, target: LogTarget) -> RunPlan:
    """Return a plan that names its network so that it is found again from the store's folder."""
    model = model_param(plan.configuration.model, target.store, Path.cwd())
    return replace(plan, configuration=replace(plan.configuration, model=model))


def _log_interrupted(target: LogTarget, plan: RunPlan, reporter: Reporter) -> None:
    """Name the interrupted runs of the same plan: continuing one takes less time than training it again."""
    found = unsettled(target.journals)
    for problem in found.problems:
        reporter.warn(problem)
    for journal in found:
        first = journal.started
        if journal.status is RunStatus.INTERRUPTED and (first.experiment, first.params) == (
            target.experiment,
            plan.params(),
        ):
            reporter.log(interrupted_message(first.name, journal.id, target.store))


def _finished_run(target: LogTarget, plan: RunPlan, prepared: Prepared) -> Run | None:
    """Return a finished run of the same plan, data, version and network code, if there is one."""
    from tracker.recording.read_runs import load_runs

    try:
        runs = load_runs(target.store, target.experiment, by_epoch=0)
    except StoreError:
        return None  # there is nothing to reuse; opening the store will say what else may be wrong with it
    params, code = plan.params(), find_network(plan.configuration.model).digest
    tags = identity(prepared) | {CODE_TAG: code}
    return next(
        (
            run
            for run in runs
            if run.status == RunStatus.FINISHED and run.params == params and tags.items() <= run.tags.items()
        ),
        None,
    )


def train_recorded(recorder: Recorder, plan: RunPlan, prepared: Prepared, reporter: Reporter) -> str:
    """Train one plan, or continue it, and return the run's id."""
    from tracker.training.fit import train

    diverged: list[int] = []
    with (
        sigterm_raises(KeyboardInterrupt()),
        recorder,
        reporter.epochs(recorder.writer.name, plan.configuration.epochs) as progress,
    ):

        def on_epoch(epoch: Epoch) -> None:
            recorder.log_epoch(epoch)
            progress.on_epoch(epoch)
            if not all(map(math.isfinite, epoch.metrics.values())):
                diverged.append(epoch.number)

        outcome = train(
            plan,
            _training_data(prepared),
            on_start=recorder.start,
            on_epoch=on_epoch,
            on_batch=progress.on_batch,
            checkpoints=recorder.checkpoints,
            keep_going=recorder.keep_going,
        )
        recorder.log_outcome(outcome)
    if diverged:
        epochs = f"epoch{'s' if len(diverged) > 1 else ''} {some([str(number) for number in diverged])}"
        reporter.warn(
            f"run {recorder.writer.name} diverged: its loss was NaN or infinite in {epochs}; it keeps the weights of "
            f"epoch {outcome.kept_epoch}"
        )
    return recorder.writer.run_id


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


def _warn_of_short_clips(prepared: Prepared, plan: RunPlan, reporter: Reporter) -> None:
    """Name the clips that are padded, once for all seeds."""
    from tracker.training.batches import short_clips

    short = short_clips(plan, _training_data(prepared))
    if short:
        seconds = number_text(plan.configuration.segment_s)
        what = f"{counted(len(short), 'clip')} {'is' if len(short) == 1 else 'are'}"
        reporter.warn(f"{what} shorter than a segment of {seconds} s and padded with silence: {some(short)}")


class Recorder:
    """Writes a run's journal while it is trained; as a context it ends the run as FINISHED, FAILED or KILLED.

    Parameters
    ----------
    target : LogTarget
    name : str
    plan : RunPlan
    prepared : Prepared
    note : str or None
        The person's own words.
    reporter : Reporter
    interrupted : Journal or None
        Of the run that is continued; None: a new one is started.
    keep_going : bool
        Whether training continues when the loss is NaN or infinite.
    """

    def __init__(
        self,
        target: LogTarget,
        name: str,
        plan: RunPlan,
        prepared: Prepared,
        note: str | None,
        reporter: Reporter,
        interrupted: Journal | None = None,
        *,
        keep_going: bool = False,
    ) -> None:
        self.writer = RunWriter(target, name, reporter, interrupted.folder if interrupted else None)
        self.keep_going = keep_going
        self._plan = plan
        self._prepared = prepared
        self._note = note
        self._interrupted = interrupted

    @property
    def checkpoints(self) -> Path:
        """The folder of the run's checkpoints."""
        return self.writer.folder / CHECKPOINTS

    def start(self) -> None:
        """Begin the journal with params and tags, or continue it, and upload it from here on.

        Raises
        ------
        StoreError
            If the store would cut or refuse one of them; nothing is begun then.
        """
        if self._interrupted:
            self.writer.reopen()
            self._continue(self._interrupted)
        else:
            self.writer.start(self._started())
        self._attach_data()
        self.writer.begin_upload()

    def log_epoch(self, epoch: Epoch) -> None:
        """Write an epoch whose checkpoint is safe."""
        self.writer.log_epoch(epoch.number, epoch.metrics)

    def log_outcome(self, outcome: TrainingResult) -> None:
        """Write the outcome of the training.

        Raises
        ------
        KeyboardInterrupt
            If the training was cut short, once everything there is has been written.
        """
        self.writer.append(Measured(now_ms(), outcome.metrics))
        self.writer.attach_text(VALIDATION, predictions_csv(outcome.validation))
        self.writer.attach_bytes(VALIDATION_BY_EPOCH, epoch_predictions_npz(outcome.validation_by_epoch))
        self.writer.attach_description(describe(self.writer.finished_run()), self._note)
        save = self.writer.target.store.save_model
        self.writer.attach_folder(MODEL, lambda folder: save(folder, outcome.model, outcome.example))
        if outcome.interrupted:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.writer.close(error)
        if error is None:
            shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _started(self) -> Started:
        prepared, split = self._prepared, self._prepared.split
        source, fingerprint, classes = prepared.source, prepared.dataset_fingerprint, prepared.dataset.classes
        parts = (("training", split.training), ("validation", split.validation))
        return Started(
            time=now_ms(),
            uri=self.writer.target.store.uri,
            experiment=self.writer.target.experiment,
            name=self.writer.name,
            metric=DEFAULT_METRIC,
            params=self._plan.params(),
            tags=_tags(prepared, self._note)
            | {CODE_TAG: find_network(self._plan.configuration.model).digest}
            | ({KEEP_GOING_TAG: "true"} if self.keep_going else {}),
            datasets=tuple(
                DatasetUsed(source, fingerprint, source, context, classes, len(clips)) for context, clips in parts
            ),
        )

    def _continue(self, interrupted: Journal) -> None:
        """Write what a kill prevented from being written: epochs whose checkpoint is safe, and the resumption."""
        self.writer.epochs = {number: epoch.metrics for number, epoch in interrupted.epochs.items()}
        for epoch in finished_epochs(self.checkpoints):
            self.log_epoch(epoch)
        self.writer.append(Resumed(now_ms(), len(self.writer.epochs)))
        self.writer.append(Tagged(process_tags()))

    def _attach_data(self) -> None:
        """Keep what the run is trained on and with; a run that is continued may have been killed before it did."""
        events = self._interrupted.events if self._interrupted else ()
        attached = {event.path for event in events if isinstance(event, Attached)}
        manifest = manifest_text(self._prepared.dataset, self._prepared.split, self._plan.split)
        network = find_network(self._plan.configuration.model)
        files = {
            DATASET: encoded(manifest),
            ENVIRONMENT: encoded(environment_text(self._plan.configuration.model)),
            NETWORK: network.source,
        }
        if len(network.sources) > 1:
            files |= {f"{NETWORK_SOURCES}/{name}": source for name, source in network.sources.items()}
        for path in sorted(files.keys() - attached):
            self.writer.attach_bytes(path, files[path])


def run_name(plan: RunPlan) -> str:
    """Return what a run is called by default: its configuration in short."""
    model = plan.configuration.model
    usual = [(option.name, option.default) for option in network_options(model)]
    named = replace(plan.configuration, model=short_name(model))
    return replace(plan, configuration=named).run_name(usual)


def environment_text(model: str) -> str:
    """Return the versions of what decides a run's result, a line each."""
    return "".join(f"{name} {version}\n" for name, version in environment(model).items())


def _tags(prepared: Prepared, note: str | None) -> dict[str, str]:
    split = prepared.split
    tags = identity(prepared) | {
        "tracker.training_clips": str(len(split.training)),
        "tracker.validation_clips": str(len(split.validation)),
        "tracker.test_clips": str(len(split.test)),
        "tracker.data": prepared.source,
        "tracker.deterministic": "true",
    }
    return tags | classes_tag(prepared.dataset.classes) | origin_tags("tracker run", note)
