"""The runs of an experiment: those of the store, and those that only their journals have yet."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.cli.console import complain, some, warn
from tracker.cli.options import journals_of
from tracker.errors import StoreError
from tracker.journal.reader import ARTIFACTS, journals, unsettled
from tracker.runs import INTERRUPTED, UNSENT_TAG
from tracker.store import GoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tracker.journal.reader import Journal
    from tracker.runs import Run
    from tracker.store import Experiment
    from tracker.store.location import Location

_STATUS = {
    "finished": "FINISHED",
    "failed": "FAILED",
    "killed": "KILLED",
    "running": "RUNNING",
    "unknown": "RUNNING",
    "interrupted": INTERRUPTED,
}

HOST_TAG = "tracker.elsewhere"
"""On a run of which nobody here knows whether it goes on: the host that it was begun on."""


def read_all(location: Location, experiment: str, *, by_epoch: int) -> Experiment:
    """Read an experiment's runs.

    Parameters
    ----------
    location : Location
    experiment : str
    by_epoch : int
        As in `read_experiment`.

    Raises
    ------
    StoreError
        If the store cannot be read and no journal holds a run that it lacks, or it is gone with what it had.
    """
    from tracker.store import Experiment
    from tracker.store.reader import read_experiment
    from tracker.store.run_from_journal import JOURNAL_TAG

    journalled = _unsettled(location)
    waiting = [journal for journal in journalled if journal.started.experiment == experiment]
    kept = {run.run_id: run for run in map(_run, waiting)}
    try:
        held = read_experiment(location, experiment, by_epoch=by_epoch)
    except StoreError as error:
        check_not_gone(location)
        if not waiting:
            raise StoreError(f"{error}{_of_others(journalled)}") from error
        if not (isinstance(error, GoneError) or _has_no_file(location)):
            warn(f"{error}; what is shown are the runs that were not sent to it yet")
        held = Experiment(experiment, {"tracker.metric": waiting[0].started.metric}, ())
    others = [run for run in held.runs if not {run.run_id, run.tags.get(JOURNAL_TAG)} & kept.keys()]
    runs = sorted((*others, *kept.values()), key=lambda run: (run.started or 0, run.run_id))
    return replace(held, runs=tuple(runs))


def _of_others(journalled: Sequence[Journal]) -> str:
    """Name the experiments of which journals hold what the store has not got, if there are any."""
    names = sorted({repr(journal.started.experiment) for journal in journalled if journal.unsent})
    return f"; runs that were not sent to it yet: see --experiment {some(names)}" if names else ""


def _has_no_file(location: Location) -> bool:
    """Tell whether a store in a file is not made yet, or gone."""
    return location.database is not None and not location.database.exists()


@contextmanager
def complaining_of_unread() -> Iterator[list[str]]:
    """Complain of journals that cannot be read, one line each, rather than let their reader warn of them.

    Yields
    ------
    list of str
        What was complained of so far.
    """
    said: list[str] = []

    class Complaints(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())
            complain(said[-1])

    reader, complaints = logging.getLogger("tracker.journal"), Complaints(logging.WARNING)
    reader.addHandler(complaints)
    try:
        yield said
    finally:
        reader.removeHandler(complaints)


def check_not_gone(location: Location) -> None:
    """See that a store is there if runs were sent to it.

    Raises
    ------
    StoreError
        If it is not.
    """
    if not _has_no_file(location):
        return
    kept = journals(journals_of(location))
    if any(journal.delivery and store_of(journal).uri == location.uri for journal in kept):
        raise StoreError(
            f"the store {location.shown} is gone, and runs were sent to it: bring it back, or let `tracker repair` "
            "make it anew from the journals"
        )


def store_of(journal: Journal) -> Location:
    """Return the store that a journal is for; one in a file lies beside the journals, wherever they were moved."""
    from tracker.store.location import locate

    uri = journal.started.uri
    beside = journal.folder.parent.parent
    database = locate(uri, beside).database
    return locate(str(beside / database.name) if database else uri, beside)


def _unsettled(location: Location) -> list[Journal]:
    """Return the journals of the runs that the store does not have as they are."""
    return [journal for journal in unsettled(journals_of(location)) if store_of(journal).uri == location.uri]


def _run(journal: Journal) -> Run:
    from tracker.store.run_from_journal import run_of

    run_id = journal.delivery.run_id if journal.delivery else journal.id
    run = run_of(journal.entries, _artifacts(journal), run_id, "RUNNING")
    unsent = {UNSENT_TAG: "true"} if journal.unsent else {}
    elsewhere = {HOST_TAG: journal.owner.host} if journal.state == "unknown" and journal.owner else {}
    return replace(run, status=_STATUS[journal.state], tags={**run.tags, **unsent, **elsewhere})


def _artifacts(journal: Journal) -> Path:
    return journal.folder / ARTIFACTS
