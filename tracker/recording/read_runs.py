"""The runs of an experiment: those in the store, and those that only their journals have so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, overload

from tracker.errors import StoreError
from tracker.journal.reader import ARTIFACTS, unsettled
from tracker.recording.locations import HOST_TAG, check_not_gone, is_for, journals_folder
from tracker.runs import UNSENT_TAG, Run, RunStatus
from tracker.runs.logged import SHORT_ID, find_run
from tracker.store import Experiment, GoneError, RunName, run_of_journal
from tracker.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.journal.reader import Journal
    from tracker.store import Store, UnreadableArtifact


@dataclass(frozen=True, eq=False)
class ExperimentRuns(Sequence[Run]):
    """The runs of an experiment, in the order in which they were started.

    Parameters
    ----------
    name : str
        The experiment's.
    tags : mapping of str to str
        The experiment's; ``tracker.metric`` is its primary metric.
    runs : tuple of Run
        By the time they were started, then by id.
    problems : tuple of str
        What could not be read, in sentences of one line.
    store : Store
        Where they were read from.
    """

    name: str
    tags: Mapping[str, str]
    runs: tuple[Run, ...]
    problems: tuple[str, ...]
    store: Store

    def __len__(self) -> int:
        return len(self.runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Run, ...]: ...
    def __getitem__(self, index: int | slice) -> Run | tuple[Run, ...]:
        return self.runs[index]

    def find(self, text: str) -> Run:
        """Return the run with an id, a unique prefix of one, or a name; raise `TrackerError` if there is none."""
        return find_run(self.runs, text)


def run_names(store: Store) -> tuple[RunName, ...]:
    """Return the names of the runs in a store and in the journals beside it, quickly and as far as they can be read."""
    waiting = unsettled(journals_folder(store)).where(is_for(store))
    names = {journal.id: RunName(journal.started.experiment, journal.id, journal.started.name) for journal in waiting}
    uploaded = {journal.upload_state.run_id for journal in waiting if journal.upload_state}
    return (*names.values(), *(name for name in store.run_names() if name.run_id not in uploaded))


def load_runs(store: Store, experiment: str, *, by_epoch: int) -> ExperimentRuns:
    """Read an experiment's runs from its store and from the journals beside it.

    Parameters
    ----------
    store : Store
    experiment : str
    by_epoch : int
        As in `Store.read`.

    Raises
    ------
    StoreError
        If the store cannot be read and no journal has a run that it lacks, or it is gone with what it had.
    """
    journals = unsettled(journals_folder(store)).where(is_for(store))
    waiting = [journal for journal in journals if journal.started.experiment == experiment]
    from_journals = {run.run_id: run for run in map(_run_of_journal, waiting)}
    problems = list(journals.problems)
    try:
        stored = store.read(experiment, by_epoch=by_epoch)
    except StoreError as error:
        check_not_gone(store)
        if not waiting:
            raise StoreError("; ".join([f"{error}{_other_experiments(journals)}", *problems])) from error
        if not (isinstance(error, GoneError) or store.has_no_file):
            problems.append(f"{error}; only runs that were not uploaded yet are shown")
        stored = Experiment(experiment, {"tracker.metric": waiting[0].started.metric}, ())
    others = [run for run in stored.runs if not {run.run_id, run.journal_id} & from_journals.keys()]
    runs = sorted((*others, *from_journals.values()), key=lambda run: (run.started or 0, run.run_id))
    return ExperimentRuns(stored.name, stored.tags, tuple(runs), (*problems, *_unreadable(stored.unreadable)), store)


def _unreadable(artifacts: Sequence[UnreadableArtifact]) -> list[str]:
    """Name the artifacts that were logged and cannot be read: what needs them is not known."""
    if not artifacts:
        return []
    names = [f"{one.path} of run {one.run_id[:SHORT_ID]} ({one.reason})" for one in artifacts]
    what = f"{counted(len(names), 'artifact')} cannot be read and {'is' if len(names) == 1 else 'are'}"
    return [f"{what} left out: {some(names)}"]


def _other_experiments(journals: Sequence[Journal]) -> str:
    """Name the experiments whose journals have runs that the store lacks, if there are any."""
    names = sorted({repr(journal.started.experiment) for journal in journals if journal.unsent})
    return f"; runs that were not uploaded yet: see --experiment {some(names)}" if names else ""


def _run_of_journal(journal: Journal) -> Run:
    run_id = journal.upload_state.run_id if journal.upload_state else journal.id
    status = RunStatus.RUNNING if journal.status is RunStatus.UNKNOWN else journal.status
    run = run_of_journal(journal.events, journal.folder / ARTIFACTS, run_id, status)
    unsent = {UNSENT_TAG: "true"} if journal.unsent else {}
    elsewhere = {HOST_TAG: journal.owner.host} if journal.status is RunStatus.UNKNOWN and journal.owner else {}
    return replace(run, tags={**run.tags, **unsent, **elsewhere})
