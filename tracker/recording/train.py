"""Plans to runs in the store: prepare the data once, then train and log each plan."""

from __future__ import annotations

import math
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.cli.console import epochs, notice, say, some, tell_of_interrupted, warn
from tracker.cli.options import journals_of, locate_store
from tracker.errors import StoreError
from tracker.journal.reader import unsettled
from tracker.recording.prepare import Prepared, identity, prepare
from tracker.recording.recorder import Place, Recorder, run_name
from tracker.runs import FINISHED, Run, RunPlan, number_text
from tracker.store import BusyError, StoreState
from tracker.store.sqlite_state import refusal, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from tracker.data.dataset import Clip
    from tracker.store.location import Location
    from tracker.training.batches import LabelledImages, TrainingData
    from tracker.training.result import Epoch


@dataclass(frozen=True)
class Request:
    """What ``tracker run`` was asked for: plans that differ in the seed alone."""

    plans: tuple[RunPlan, ...]
    data: Path | None
    experiment: str
    tracking_uri: str | None
    name: str | None
    note: str | None
    reuse: bool
    offline: bool = False
    keep_going: bool = False


def train_and_log(request: Request) -> None:
    """Train what is asked for, a run each; prints the runs' ids."""
    location = locate_store(request.tracking_uri)
    refuse_unusable(location)
    place = Place(location, journals_of(location), request.experiment, request.offline)
    prepared = prepare(request.data, request.plans[0].split, request.plans[0].spectrogram)
    _warn_of_short_clips(prepared, request.plans[0])
    for plan in request.plans:
        finished = _finished_run(location, request.experiment, plan, prepared) if request.reuse else None
        if finished:
            notice(f"reusing run {finished.name}: same configuration, seed, data and version")
            say(finished.run_id)
        else:
            _tell_of_interrupted(place, plan)
            name = request.name or run_name(plan)
            recorder = Recorder(place, name, plan, prepared, request.note, keep_going=request.keep_going)
            say(train_recorded(recorder, plan, prepared))


def _tell_of_interrupted(place: Place, plan: RunPlan) -> None:
    """Name the interrupted runs of the same plan: going on with one takes less than training anew."""
    for journal in unsettled(place.journals):
        first = journal.started
        if journal.state == "interrupted" and (first.experiment, first.params) == (place.experiment, plan.params()):
            tell_of_interrupted(first.name, journal.id)


def refuse_unusable(location: Location) -> None:
    """Refuse a store that could never take a run before anything is trained; one that is only away will do.

    Raises
    ------
    StoreError
        If it is of another version, or none.
    """
    if location.database:
        try:
            state = state_of(location.database)
        except BusyError:
            return  # whoever sends the run tries again
        if state in {StoreState.OLDER, StoreState.NEWER, StoreState.FOREIGN}:
            raise StoreError(refusal(location.database, state))


def _finished_run(location: Location, experiment: str, plan: RunPlan, prepared: Prepared) -> Run | None:
    """Return a finished run of the same plan, data and version, if the store holds one."""
    from tracker.recording.read_runs import read_all

    try:
        runs = read_all(location, experiment, by_epoch=0).runs
    except StoreError:
        return None  # there is nothing to reuse; what else may be wrong with the store, opening it will tell
    asked, told = plan.params(), identity(prepared)
    for run in runs:
        if run.status == FINISHED and run.params == asked and told.items() <= run.tags.items():
            return run
    return None


def train_recorded(recorder: Recorder, plan: RunPlan, prepared: Prepared) -> str:
    """Train one plan, or go on with it, and return the run's id."""
    from tracker.training.fit import train

    diverged: list[int] = []
    with _terminated_like_interrupted(), recorder, epochs(recorder.name, plan.configuration.epochs) as display:

        def on_epoch(epoch: Epoch) -> None:
            recorder.log_epoch(epoch)
            display.on_epoch(epoch)
            if not all(map(math.isfinite, epoch.metrics.values())):
                diverged.append(epoch.number)

        outcome = train(
            plan,
            _training_data(prepared),
            on_start=recorder.start,
            on_epoch=on_epoch,
            on_batch=display.on_batch,
            checkpoints=recorder.checkpoints,
            keep_going=recorder.keep_going,
        )
        recorder.log_outcome(outcome)
    if diverged:
        _warn_of_diverged(recorder.name, diverged, outcome.kept_epoch)
    return recorder.run_id


def _warn_of_diverged(name: str, epochs: Sequence[int], kept: int) -> None:
    """Say what ``--keep-going`` has gone on from."""
    named = f"epoch{'s' if len(epochs) > 1 else ''} {some([str(number) for number in epochs])}"
    warn(f"run {name} diverged: its loss was no finite number in {named}; its weights are those of epoch {kept}")


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


def _warn_of_short_clips(prepared: Prepared, plan: RunPlan) -> None:
    """Name the clips that are padded, once for all seeds."""
    from tracker.training.batches import short_clips

    short = short_clips(plan, _training_data(prepared))
    if short:
        seconds = number_text(plan.configuration.segment_s)
        what = "1 clip is" if len(short) == 1 else f"{len(short)} clips are"
        warn(f"{what} shorter than a segment of {seconds} s and padded with silence: {some(short)}")


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: with what it has."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
