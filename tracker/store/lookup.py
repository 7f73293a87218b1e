"""Which run a person means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.store.values import JOURNAL_TAG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.runs import Run

_SHOWN = 10
_SHORT_ID, _ID_LENGTH = 8, 32


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
    for meant in (
        [run for run in runs if text and text in _ids(run)],
        [run for run in runs if text and run.name == text],
        [run for run in runs if text and any(one.startswith(text.lower()) for one in _ids(run))],
    ):
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise StoreError(f"{text!r} means {len(meant)} runs: {_listed(meant)}; give more of the id")
    raise StoreError(f"no run has the id or name {text!r}; there are: {_listed(runs) or 'none'}")


def _ids(run: Run) -> tuple[str, ...]:
    return run.run_id, run.tags.get(JOURNAL_TAG, run.run_id)


def _listed(runs: Sequence[Run]) -> str:
    lengths = range(_SHORT_ID, _ID_LENGTH)
    length = next((n for n in lengths if len({run.run_id[:n] for run in runs}) == len(runs)), _ID_LENGTH)
    shown = ", ".join(f"{run.run_id[:length]} ({run.name!r})" for run in runs[:_SHOWN])
    return shown + (", …" if len(runs) > _SHOWN else "")
