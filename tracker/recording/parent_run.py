"""The run that holds the runs of a sweep together in the store; it has no params and no metrics of its own.

Its journal has the id of the plan, so that the same plan continues it, and an upload finds what to nest a run in.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from tracker.errors import JournalError, TrackerError
from tracker.journal.reader import read
from tracker.journal.writer import JournalWriter
from tracker.recording.run_writer import ending, origin_tags
from tracker.recording.stores import journals_folder
from tracker.recording.uploader import send
from tracker.runs import RunStatus
from tracker.runs.events import Ended, Resumed, Started
from tracker.runs.facts import SWEEP_TAG
from tracker.runs.logged import DEFAULT_METRIC
from tracker.store import now_ms
from tracker.wording import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.recording.reporter import Reporter
    from tracker.recording.stores import LogTarget
    from tracker.runs.facts import TrainingPlan


@contextmanager
def parent_run(
    target: LogTarget, plan: TrainingPlan, name: str, runs: int, note: str | None, reporter: Reporter
) -> Iterator[list[str]]:
    """Keep the run of a sweep of so many runs open; takes the names of those that fail.

    A sweep continues without it if it can't be written; the uploads of its runs report if the store is away.
    """
    failed: list[str] = []
    try:
        writer = _opened(target, plan, name, runs, note)
    except JournalError as error:
        reporter.warn(f"the runs are not held together in the store: {error}")
        writer = None
    if writer is None:
        yield failed
        return
    with writer:
        # Beside the training: loading MLflow takes seconds. What is uploaded meanwhile is nested by the last upload.
        sending = Thread(target=_send, args=(target, plan), name="parent run", daemon=True)
        sending.start()
        ended = ending(GeneratorExit())  # as if interrupted, whoever takes no more runs
        try:
            yield failed
            ended = ending(None)
            if failed:
                reason = f"{len(failed)} of {runs} runs failed: {some(failed)}"
                ended = Ended(now_ms(), RunStatus.FAILED, reason)
        except Exception as error:
            ended = ending(error)
            raise
        finally:
            with suppress(JournalError):
                writer.append(ended)
            sending.join()
            _send(target, plan)


def _opened(target: LogTarget, plan: TrainingPlan, name: str, runs: int, note: str | None) -> JournalWriter | None:
    """Return the journal, begun or continued; None if the run was deleted."""
    folder = journals_folder(target.store) / plan.id
    if not folder.exists():
        tags = {**plan.tags(), SWEEP_TAG: str(runs), **origin_tags("tracker", note)}
        started = Started(now_ms(), target.store.uri, target.experiment, name, DEFAULT_METRIC, {}, tags)
        return JournalWriter.create(folder, started)
    if read(folder).is_deleted:
        return None
    writer = JournalWriter.reopen(folder)
    writer.append(Resumed(now_ms(), 0))
    return writer


def _send(target: LogTarget, plan: TrainingPlan) -> None:
    if not target.offline:
        with suppress(TrackerError):
            send(target.store, journals_folder(target.store) / plan.id)
