"""A run of `tracker run` as it is journalled: its plan and data at the start, its epochs, and its outcome."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from tracker.data.splits import manifest_text
from tracker.recording.prepare import identity
from tracker.recording.run_writer import (
    ENVIRONMENT,
    Description,
    RunWriter,
    describe,
    encoded,
    origin_tags,
    process_tags,
)
from tracker.runs.events import Attached, DatasetUsed, Measured, Resumed, Started, Tagged
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from tracker.journal.reader import Journal
    from tracker.recording.locations import LogTarget
    from tracker.recording.prepare import Prepared
    from tracker.recording.reporter import Reporter
    from tracker.runs import Run, RunPlan
    from tracker.training.result import Epoch, TrainingResult

CHECKPOINTS = "checkpoints"
"""Folder of the checkpoints, beside the journal."""

MODEL = "model"
NETWORK = "network.py"
"""The source file that the run's network was built from: what loading a model with layers of its own needs."""

NETWORK_SOURCES = "network_code"
"""Folder of all its sources, if it was built from several."""

CODE_TAG = "tracker.code"
"""A digest of the sources of the run's network."""

KEEP_GOING_TAG = "tracker.keep_going"
"""Marks a run that continues when the loss is NaN or infinite, also when it is resumed."""


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
    describe : callable
        Returns the figures and the summary of the finished run.
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
        describe: Callable[[Run], Description] = describe,
    ) -> None:
        self.writer = RunWriter(target, name, reporter, interrupted.folder if interrupted else None)
        self.keep_going = keep_going
        self._plan = plan
        self._prepared = prepared
        self._note = note
        self._interrupted = interrupted
        self._describe = describe

    @property
    def name(self) -> str:
        """The run's name."""
        return self.writer.name

    @property
    def run_id(self) -> str:
        """The run's id in the store or, as long as it has none, its journal's."""
        return self.writer.run_id

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
        self.writer.attach_description(self._describe(self.writer.finished_run()), self._note)
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
            name=self.name,
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
    classes = json.dumps(prepared.dataset.classes)
    if len(classes) <= TAG_LENGTH:  # they also head the columns of the predictions
        tags["tracker.classes"] = classes
    return tags | origin_tags("tracker run", note)
