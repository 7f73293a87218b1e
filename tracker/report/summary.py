"""The conclusions that the report opens with: at most five."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions import kinds, of_kind
from tracker.conclusions.best_run import BestRun
from tracker.conclusions.overfitting import Overfitting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.conclusions.conclusion import Conclusion

MOST = 5


def summary(conclusions: Sequence[Conclusion]) -> tuple[Conclusion, ...]:
    """Choose the conclusions that the report opens with.

    Parameters
    ----------
    conclusions : sequence of Conclusion
        All of them, in the report's order.

    Returns
    -------
    tuple of Conclusion
        At most five, by the kinds' rank, in the report's order.
    """
    focus, places = _focus(conclusions), {c.id: place for place, c in enumerate(conclusions)}
    ranked = sorted((kind for kind in kinds() if kind.headline_rank), key=lambda kind: kind.headline_rank)
    chosen = [headline for kind in ranked for headline in kind.headlines(of_kind(conclusions, kind), focus)]
    return tuple(sorted(chosen[:MOST], key=lambda c: places[c.id]))


def _focus(conclusions: Sequence[Conclusion]) -> str | None:
    """Return the run that the summary is about: the best one, else the first whose curve is known."""
    known = (c for c in conclusions if isinstance(c.details, BestRun | Overfitting) and c.verdict != "unknown")
    return next((c.runs[0] for c in known), None)
