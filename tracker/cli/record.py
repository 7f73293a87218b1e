"""One run as it is written to the store: its params and tags at the start, its epochs, and what came of it."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
from typing import TYPE_CHECKING, Self

import numpy as np

from tracker.cli.prepare import identity
from tracker.cli.terminal import notice
from tracker.runs import NOTE_END, Curve, Run, RunPlan
from tracker.store.artifacts import epoch_predictions_npz, predictions_csv
from tracker.store.write import RunWriter, start_run

if TYPE_CHECKING:
    from types import TracebackType

    from tracker.cli.prepare import Prepared
    from tracker.store.location import Location
    from tracker.training.outcome import Epoch, Outcome

REASON_TAG = "tracker.reason"
"""Why a run failed or was ended, in one line."""

_LONGEST_TAG = 8_000
"""Characters that MLflow keeps of a tag; the classes also head the columns of the predictions."""


class Recorder:
    """Writes a run while it goes on; as a context it ends the run as what it was.

    Finished: FINISHED. Interrupted: KILLED. An error: FAILED, with the reason as a tag. A run that was never started
    leaves nothing behind.

    Parameters
    ----------
    location : Location
    experiment : str
    name : str or None
        None: the configuration in short.
    plan : RunPlan
    prepared : Prepared
    note : str or None
        The person's own words.
    """

    def __init__(
        self, location: Location, experiment: str, name: str | None, plan: RunPlan, prepared: Prepared, note: str | None
    ) -> None:
        self.name = name or plan.run_name(_usual_options(plan))
        self._location = location
        self._experiment = experiment
        self._plan = plan
        self._prepared = prepared
        self._note = note
        self._writer: RunWriter | None = None
        self._epochs: list[Epoch] = []

    def start(self) -> None:
        """Start the run in the store, with its params and tags."""
        tags = _tags(self._prepared, self._note)
        self._writer = start_run(self._location, self._experiment, self.name, self._plan.params(), tags)
        self._log_data(self._writer)

    @property
    def writer(self) -> RunWriter:
        """What writes to the store, once the run is started."""
        if self._writer is None:
            raise RuntimeError("the run has not been started")
        return self._writer

    @property
    def run_id(self) -> str:
        """The run's id in MLflow."""
        return self.writer.run_id

    def log_epoch(self, epoch: Epoch) -> None:
        """Write the metrics of a finished epoch."""
        self._epochs.append(epoch)
        self.writer.log_epoch(epoch.number, epoch.metrics)

    def log_outcome(self, outcome: Outcome) -> None:
        """Write what came of the training.

        Raises
        ------
        KeyboardInterrupt
            If the training was cut short, once all that there is has been written.
        """
        self.writer.log_metrics(outcome.metrics)
        self.writer.log_text(predictions_csv(outcome.validation), "predictions/validation.csv")
        self.writer.log_bytes(epoch_predictions_npz(outcome.validation_by_epoch), "predictions/validation_by_epoch.npz")
        self._log_pictures_and_description(self._as_run(outcome))
        self.writer.log_model(outcome.model, outcome.example)
        if outcome.interrupted:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._writer is None:
            return
        if error is None:
            self._writer.finish("FINISHED")
            return
        interrupted = not isinstance(error, Exception)
        self.writer.set_tags({REASON_TAG: "interrupted" if interrupted else _reason(error)})
        self.writer.finish("KILLED" if interrupted else "FAILED")
        ended = "was interrupted" if interrupted else "failed"
        notice(f"run {self.run_id} ({self.name}) {ended} after {len(self._epochs)} epochs; what it had is logged")

    def _log_data(self, writer: RunWriter) -> None:
        from tracker.data.splits import manifest_text
        from tracker.training.environment import environment

        prepared, split = self._prepared, self._prepared.split
        writer.log_text(manifest_text(prepared.dataset, split, self._plan.split), "dataset.csv")
        lines = [f"{name} {version}\n" for name, version in environment().items()]
        writer.log_text("".join(lines), "environment.txt")
        for context, clips in (("training", split.training), ("validation", split.validation)):
            writer.log_dataset(
                prepared.source,
                prepared.dataset_fingerprint,
                prepared.source,
                context=context,
                classes=prepared.dataset.classes,
                clips=len(clips),
            )

    def _log_pictures_and_description(self, run: Run) -> None:
        from tracker.figures import run_confusion, run_curves
        from tracker.render import render_description
        from tracker.report import build_report

        entry = build_report(self.name, [run]).entries[0]
        for picture in (run_curves(run), run_confusion(run)):
            self.writer.log_bytes(picture.png, f"{picture.name}.png")
        words = [self._note or "", NOTE_END, render_description(entry)]
        self.writer.set_tags({"mlflow.note.content": "\n\n".join(words).strip()})

    def _as_run(self, outcome: Outcome) -> Run:
        """Return the run as a reader of the store will find it."""
        names = self._epochs[0].metrics
        steps = np.array([epoch.number for epoch in self._epochs], dtype=np.int64)
        curves = {name: Curve(steps, np.array([epoch.metrics[name] for epoch in self._epochs])) for name in names}
        return Run(
            run_id=self.run_id,
            name=self.name,
            status="FINISHED",
            params=self._plan.params(),
            tags=_tags(self._prepared, self._note),
            metrics=dict(self._epochs[-1].metrics) | dict(outcome.metrics),
            curves=curves,
            validation=outcome.validation,
            validation_by_epoch=outcome.validation_by_epoch,
            groups=_groups(self._prepared),
        )


def _tags(prepared: Prepared, note: str | None) -> dict[str, str]:
    split = prepared.split
    tags = identity(prepared) | {
        "tracker.training_clips": str(len(split.training)),
        "tracker.validation_clips": str(len(split.validation)),
        "tracker.test_clips": str(len(split.test)),
        "tracker.data": prepared.source,
        "tracker.deterministic": "true",
        "tracker.host": socket.gethostname(),
        "tracker.pid": str(os.getpid()),
        "mlflow.user": getpass.getuser(),
        "mlflow.source.name": "tracker run",
        "mlflow.source.type": "LOCAL",
    }
    classes = json.dumps(prepared.dataset.classes)
    if len(classes) <= _LONGEST_TAG:
        tags["tracker.classes"] = classes
    return tags | _commit() | ({"mlflow.note.content": note} if note else {})


def _commit() -> dict[str, str]:
    """Return the commit of the folder's git checkout, where it is one."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    except OSError:
        return {}
    return {} if asked.returncode else {"mlflow.source.git.commit": asked.stdout.strip()}


def _usual_options(plan: RunPlan) -> list[tuple[str, int | float | str | bool]]:
    from tracker.training.networks import network_options

    return [(option.name, option.default) for option in network_options(plan.configuration.model)]


def _groups(prepared: Prepared) -> dict[str, str]:
    return {clip.path: clip.group for clip in prepared.split.validation if clip.group is not None}


def _reason(error: BaseException) -> str:
    """Return an error in one line, short enough for a tag."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:1_000]
