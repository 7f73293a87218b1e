"""Look-up of a run by id, name or unique beginning of an id: the same for runs of a store and for journals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from tracker.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_LISTED = 10
_SHORT_ID, _ID_LENGTH = 8, 32


class Findable(Protocol):
    """A run, or a journal of one."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Its ids; the first is shown."""

    @property
    def name(self) -> str:
        """Its name, which other runs may have too."""


T = TypeVar("T", bound=Findable)


def find_run(runs: Sequence[T], text: str) -> T:
    """Return the run with an id or, failing that, a name or the beginning of an id.

    Parameters
    ----------
    runs : sequence of Run or Journal
    text : str
        Ids are matched without regard to case.

    Raises
    ------
    TrackerError
        If no run or several runs match; the message lists them.
    """
    beginning = text.lower()
    for matches in (
        [run for run in runs if text in run.ids],
        [run for run in runs if text and run.name == text],
        [run for run in runs if text and any(run_id.startswith(beginning) for run_id in run.ids)],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise TrackerError(f"{text!r} matches {len(matches)} runs: {_listed(matches)}; give more of the id")
    raise TrackerError(f"no run has the id or name {text!r}; there are: {_listed(runs) or 'none'}")


def _listed(runs: Sequence[T]) -> str:
    length = _distinguishing_length(run.ids[0] for run in runs)
    shown = ", ".join(f"{run.ids[0][:length]} ({run.name!r})" for run in runs[:_MAX_LISTED])
    return shown + (", …" if len(runs) > _MAX_LISTED else "")


def _distinguishing_length(ids: Iterable[str]) -> int:
    """Return how many characters it takes to tell ids apart, at least `_SHORT_ID`."""
    all_ids = list(ids)
    lengths = range(_SHORT_ID, _ID_LENGTH)
    return next((n for n in lengths if len({run_id[:n] for run_id in all_ids}) == len(all_ids)), _ID_LENGTH)
