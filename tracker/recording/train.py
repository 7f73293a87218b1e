"""From plans to logged runs: the data is prepared once, then each plan is trained and logged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.journal.reader import unsettled
from tracker.recording.locations import data_tag, interrupted_message, model_param
from tracker.recording.prepare import Prepared, identity, prepare
from tracker.recording.recorder import CODE_TAG, Recorder, run_name
from tracker.recording.run_writer import sigterm_raises
from tracker.runs import Run, RunPlan, RunStatus, number_text
from tracker.training.networks import find_network
from tracker.wording import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.data.dataset import Clip
    from tracker.recording.locations import LogTarget
    from tracker.recording.reporter import Reporter
    from tracker.training.batches import LabelledImages, TrainingData
    from tracker.training.result import Epoch


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
        reporter.epochs(recorder.name, plan.configuration.epochs) as progress,
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
        reporter.warn(_diverged(recorder.name, diverged, outcome.kept_epoch))
    return recorder.run_id


def _diverged(name: str, epochs: Sequence[int], kept: int) -> str:
    """Return which epochs training continued after although the loss was NaN or infinite."""
    named = f"epoch{'s' if len(epochs) > 1 else ''} {some([str(number) for number in epochs])}"
    return f"run {name} diverged: its loss was NaN or infinite in {named}; it keeps the weights of epoch {kept}"


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
        what = "1 clip is" if len(short) == 1 else f"{len(short)} clips are"
        reporter.warn(f"{what} shorter than a segment of {seconds} s and padded with silence: {some(short)}")
