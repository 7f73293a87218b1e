"""One run as it is journalled: its params and tags at the start, its epochs, and what came of it."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import numpy as np

from tracker.data.splits import manifest_text
from tracker.errors import JournalError
from tracker.journal.upload_state import read_delivery
from tracker.journal.writer import JournalWriter
from tracker.recording.prepare import identity
from tracker.recording.uploader import Uploader, drop_uploaded_artifacts
from tracker.runs import NOTE_END, Curve, Run, RunPlan, RunStatus
from tracker.runs.events import (
    COMMIT_TAG,
    NOTE_TAG,
    PROGRAM_TAG,
    USER_TAG,
    Attached,
    DatasetUsed,
    Ended,
    EpochDone,
    Measured,
    Resumed,
    Started,
    Tagged,
)
from tracker.runs.logged import DEFAULT_METRIC
from tracker.store import (
    DATASET,
    TAG_LENGTH,
    VALIDATION,
    VALIDATION_BY_EPOCH,
    epoch_predictions_npz,
    now_ms,
    predictions_csv,
)
from tracker.training.checkpoint import finished_epochs
from tracker.training.environment import environment
from tracker.training.networks import find_network, network_options, short_name
from tracker.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from tracker.journal.reader import Journal
    from tracker.recording.locations import LogTarget
    from tracker.recording.prepare import Prepared
    from tracker.recording.reporter import Reporter
    from tracker.training.result import Epoch, TrainingResult

CHECKPOINTS = "checkpoints"
"""Folder of the checkpoints, beside the journal."""

ENVIRONMENT = "environment.txt"
MODEL = "model"
NETWORK = "network.py"
"""The source file that the run's network was built from: what loading a model with layers of its own needs."""

NETWORK_SOURCES = "network_code"
"""Folder of all its sources, if it was built from several."""

CODE_TAG = "tracker.code"
"""A digest of the sources of the run's network."""

KEEP_GOING_TAG = "tracker.keep_going"
"""Marks a run that goes on when the loss is no longer a number, also when it is resumed."""


class Recorder:
    """Writes a run's journal while it goes on, and has it sent; as a context it ends the run as what it was.

    Finished: FINISHED. Interrupted: KILLED. An error: FAILED, with the reason. A run that was never started leaves
    nothing behind.

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
        Of the run that goes on; None: a new one is begun.
    keep_going : bool
        Whether it goes on when the loss is no longer a number.
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
        self.name = name
        self.keep_going = keep_going
        self.folder = interrupted.folder if interrupted else target.journals / uuid4().hex
        self._target = target
        self._plan = plan
        self._prepared = prepared
        self._note = note
        self._interrupted = interrupted
        self._reporter = reporter
        self._uploader = None if target.offline else Uploader(target.store, self.folder, reporter)
        self._writer: JournalWriter | None = None
        self._epochs: dict[int, Mapping[str, float]] = {}

    @property
    def checkpoints(self) -> Path:
        """The folder of the run's checkpoints."""
        return self.folder / CHECKPOINTS

    @property
    def writer(self) -> JournalWriter:
        """What writes the journal, once the run is started."""
        if self._writer is None:
            raise RuntimeError("the run has not been started")
        return self._writer

    @property
    def run_id(self) -> str:
        """The run's id in the store or, as long as it has none, its journal's."""
        delivery = read_delivery(self.folder)
        return delivery.run_id if delivery else self.folder.name

    def start(self) -> None:
        """Begin the journal, with params and tags, or go on with it; have it sent from here on.

        Raises
        ------
        StoreError
            If MLflow would cut or refuse one of them; nothing is begun then.
        """
        on_append = self._uploader.wake if self._uploader else lambda: None
        if self._interrupted:
            self._writer = JournalWriter.reopen(self.folder, on_append)
            self._go_on(self._interrupted)
        else:
            started = self._started()
            self._target.store.check_start(started)
            self._writer = JournalWriter.create(self.folder, started, on_append)
        self._attach_data()
        if self._uploader:
            self._uploader.start()

    def log_epoch(self, epoch: Epoch) -> None:
        """Write an epoch whose checkpoint is safe; one that the journal has, it has as it was first trained."""
        if epoch.number not in self._epochs:
            self.writer.append(EpochDone(now_ms(), epoch.number, epoch.metrics))
            self._epochs[epoch.number] = epoch.metrics

    def log_outcome(self, outcome: TrainingResult) -> None:
        """Write what came of the training.

        Raises
        ------
        KeyboardInterrupt
            If the training was cut short, once all that there is has been written.
        """
        self.writer.append(Measured(now_ms(), outcome.metrics))
        self.writer.attach_bytes(VALIDATION, _bytes(predictions_csv(outcome.validation)))
        self.writer.attach_bytes(VALIDATION_BY_EPOCH, epoch_predictions_npz(outcome.validation_by_epoch))
        self._attach_pictures_and_description(self._as_run(outcome))
        self._attach_model(outcome)
        if outcome.interrupted:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._writer is None:
            return
        try:
            self._writer.append(_ending(error))
        except JournalError as lost:
            if error is None:
                raise
            self._reporter.warn(str(lost))
        else:
            if error is None:
                shutil.rmtree(self.checkpoints, ignore_errors=True)
        finally:
            self._writer.close()
            if self._uploader:
                self._uploader.finish()
        self._tell(error)

    def _tell(self, error: BaseException | None) -> None:
        """Say how the run ended, if not well, and whether it is still to be sent."""
        if error is not None:
            ended = "failed" if isinstance(error, Exception) else "was interrupted"
            done = counted(len(self._epochs), "epoch")
            self._reporter.log(
                f"run {self.run_id} ({self.name}) {ended} after {done}; what it had is logged, and "
                f"`tracker resume {self.run_id}` goes on with it"
            )
        if not drop_uploaded_artifacts(self.folder):
            why = " (--offline)" if self._target.offline else ""
            self._reporter.log(
                f"run {self.name} is not sent to the store yet{why}: `tracker sync` sends it from {self.folder}"
            )

    def _started(self) -> Started:
        prepared, split = self._prepared, self._prepared.split
        parts = (("training", split.training), ("validation", split.validation))
        return Started(
            time=now_ms(),
            uri=self._target.store.uri,
            experiment=self._target.experiment,
            name=self.name,
            metric=DEFAULT_METRIC,
            params=self._plan.params(),
            tags=self._tags(),
            datasets=tuple(
                DatasetUsed(
                    prepared.source,
                    prepared.dataset_fingerprint,
                    prepared.source,
                    context,
                    prepared.dataset.classes,
                    len(clips),
                )
                for context, clips in parts
            ),
        )

    def _tags(self) -> dict[str, str]:
        code = {CODE_TAG: find_network(self._plan.configuration.model).digest}
        return _tags(self._prepared, self._note) | code | ({KEEP_GOING_TAG: "true"} if self.keep_going else {})

    def _go_on(self, interrupted: Journal) -> None:
        """Write what a kill kept from being written: epochs whose checkpoint was safe, and that the run goes on."""
        self._epochs = {number: epoch.metrics for number, epoch in interrupted.epochs.items()}
        for epoch in finished_epochs(self.checkpoints):
            self.log_epoch(epoch)
        self.writer.append(Resumed(now_ms(), len(self._epochs)))
        self.writer.append(Tagged(_process()))

    def _attach_data(self) -> None:
        """Keep what the run is trained on and with; a run that goes on may have been killed before it did."""
        entries = self._interrupted.entries if self._interrupted else ()
        kept = {entry.path for entry in entries if isinstance(entry, Attached)}
        manifest = manifest_text(self._prepared.dataset, self._prepared.split, self._plan.split)
        network = find_network(self._plan.configuration.model)
        files = {
            DATASET: _bytes(manifest),
            ENVIRONMENT: _bytes(environment_text(self._plan.configuration.model)),
            NETWORK: network.source,
        }
        if len(network.sources) > 1:
            files |= {f"{NETWORK_SOURCES}/{name}": source for name, source in network.sources.items()}
        for path in sorted(files.keys() - kept):
            self.writer.attach_bytes(path, files[path])

    def _attach_pictures_and_description(self, run: Run) -> None:
        from tracker.figures import run_confusion, run_curves
        from tracker.figures.data import trace_of
        from tracker.render import render_description
        from tracker.report import build_report

        entry = build_report(self.name, [run]).entries[0]
        curves = [run_curves(run)] if trace_of(run).drawable else []  # not if interrupted after one epoch
        for picture in (*curves, run_confusion(run)):
            self.writer.attach_bytes(f"{picture.name}.png", picture.png)
        words = "\n\n".join([self._note or "", NOTE_END, render_description(entry)]).strip()
        kept = words[:TAG_LENGTH]  # a title of many options may be long, and so may a note
        self.writer.append(Tagged({NOTE_TAG: kept}))

    def _attach_model(self, outcome: TrainingResult) -> None:
        self.writer.attach_folder(
            MODEL, lambda folder: self._target.store.save_model(folder, outcome.model, outcome.example)
        )

    def _as_run(self, outcome: TrainingResult) -> Run:
        """Return the run as a reader of the store will find it."""
        epochs = sorted(self._epochs)
        names = self._epochs[epochs[0]]
        steps = np.array(epochs, dtype=np.int64)
        curves = {name: Curve(steps, np.array([self._epochs[number][name] for number in epochs])) for name in names}
        return Run(
            run_id=self.run_id,
            name=self.name,
            status=RunStatus.FINISHED,
            params=self._plan.params(),
            tags=self._tags(),
            metrics=dict(self._epochs[epochs[-1]]) | dict(outcome.metrics),
            curves=curves,
            validation=outcome.validation,
            validation_by_epoch=outcome.validation_by_epoch,
            groups=_groups(self._prepared),
        )


def run_name(plan: RunPlan) -> str:
    """Return what a run is called by default: its configuration in short."""
    model = plan.configuration.model
    usual = [(option.name, option.default) for option in network_options(model)]
    named = replace(plan.configuration, model=short_name(model))
    return replace(plan, configuration=named).run_name(usual)


def environment_text(model: str) -> str:
    """Return the versions of what decides a run's result, a line each."""
    return "".join(f"{name} {version}\n" for name, version in environment(model).items())


def _ending(error: BaseException | None) -> Ended:
    if error is None:
        return Ended(now_ms(), RunStatus.FINISHED)
    if isinstance(error, Exception):
        return Ended(now_ms(), RunStatus.FAILED, _reason(error))
    return Ended(now_ms(), RunStatus.KILLED, "interrupted")


def _bytes(text: str) -> bytes:
    """Encode a text; bytes that are no Unicode in a file's name come out as they were."""
    return text.encode("utf-8", "surrogateescape")


def _tags(prepared: Prepared, note: str | None) -> dict[str, str]:
    split = prepared.split
    tags = identity(prepared) | _process()
    tags |= {
        "tracker.training_clips": str(len(split.training)),
        "tracker.validation_clips": str(len(split.validation)),
        "tracker.test_clips": str(len(split.test)),
        "tracker.data": prepared.source,
        "tracker.deterministic": "true",
        USER_TAG: getpass.getuser(),
        PROGRAM_TAG: "tracker run",
    }
    classes = json.dumps(prepared.dataset.classes)
    if len(classes) <= TAG_LENGTH:  # they also head the columns of the predictions
        tags["tracker.classes"] = classes
    return tags | _commit() | ({NOTE_TAG: note} if note else {})


def _process() -> dict[str, str]:
    """Return the tags that say who trains."""
    return {"tracker.host": socket.gethostname(), "tracker.pid": str(os.getpid())}


def _commit() -> dict[str, str]:
    """Return the commit of the folder's git checkout, where it is one."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    except OSError:
        return {}
    return {} if asked.returncode else {COMMIT_TAG: asked.stdout.strip()}


def _groups(prepared: Prepared) -> dict[str, str]:
    return {clip.path: clip.group for clip in prepared.split.validation if clip.group is not None}


def _reason(error: BaseException) -> str:
    """Return an error in one line, short enough for a tag."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:1_000]
