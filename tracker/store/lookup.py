"""Which run a person means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.runs.find import Called, meant
from tracker.store.run_from_journal import JOURNAL_TAG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.runs import Run


def find_run(runs: Sequence[Run], text: str) -> Run:
    """Return the run that a text means: a run's id, else its name, else the beginning of its id.

    The id of a run's journal, which is the run's own until it is sent, goes on meaning it.

    Parameters
    ----------
    runs : sequence of Run
    text : str

    Raises
    ------
    StoreError
        If it means none or several.
    """
    try:
        return meant(text, [Called(run, _ids(run), run.name) for run in runs], "run")
    except ValueError as error:
        raise StoreError(str(error)) from error


def _ids(run: Run) -> tuple[str, ...]:
    return run.run_id, run.tags.get(JOURNAL_TAG, run.run_id)
