"""What a run said of clips, under the name that the report calls it by: what the clip grid and the confusions show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.report import RunEntry
    from tracker.runs import Predictions


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A run's predictions on the validation clips.

    Parameters
    ----------
    run_id, name : str
        The name is what the report calls it: ``Run 3``.
    predictions : Predictions
    """

    run_id: str
    name: str
    predictions: Predictions


def judged(entries: Iterable[RunEntry]) -> tuple[Judged, ...]:
    """Return the runs whose predictions are there."""
    return tuple(
        Judged(entry.run.run_id, f"Run {entry.number}", entry.run.validation)
        for entry in entries
        if entry.run.validation is not None and len(entry.run.validation.clips)
    )


def comparable(runs: Sequence[Judged]) -> tuple[Judged, ...]:
    """Return the largest group of runs that judged the same clips with the same labels; of equals the first."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Judged]] = defaultdict(list)
    for run in runs:
        groups[run.predictions.clips, run.predictions.labels].append(run)
    most = max(map(len, groups.values()), default=0)
    return next((tuple(group) for group in groups.values() if len(group) == most), ())
