"""What came out, in at most five conclusions."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from tracker.conclusions.early_stopping import EarlyStopping
from tracker.conclusions.overfitting import Overfitting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.conclusions.conclusion import Conclusion

MOST = 5
_MOST_OPTIONS = 2
_OPTION_ORDER = ("supported", "equivalent", "exact", "inconclusive", "confounded", "not_comparable", "unknown")


def summary(conclusions: Sequence[Conclusion]) -> tuple[Conclusion, ...]:
    """Choose the conclusions that the report opens with.

    Parameters
    ----------
    conclusions : sequence of Conclusion
        All of them, in the report's order.

    Returns
    -------
    tuple of Conclusion
        The best run, the options that tell most, what the best run's curves say, what the clips can show: at most five.
    """
    best = [c for c in conclusions if c.kind == "best_run"][:1]
    found = [
        c.runs[0] for c in (*best, *conclusions) if c.kind in ("best_run", "overfitting") and c.verdict != "unknown"
    ]
    focus = found[0] if found else None
    own = [c for c in conclusions if c.runs == (focus,) and c.verdict == "exact"]
    chosen = [
        *best,
        *_options(conclusions),
        *[c for c in conclusions if c.kind == "sample_size"][:1],
        *_first(c for c in own if isinstance(c.details, EarlyStopping) and c.details.enough),
        *_first(_overfitting(conclusions, own)),
        *_first(c for c in own if c.kind == "under_training"),
        *_first(c for c in conclusions if c.kind == "classes" and c.verdict == "exact"),
    ]
    places = {c.id: place for place, c in enumerate(conclusions)}
    return tuple(sorted(chosen[:MOST], key=lambda c: (c.kind == "sample_size", places[c.id])))


def _options(conclusions: Sequence[Conclusion]) -> list[Conclusion]:
    """Return the options that tell most: those detected, else the first of the most telling verdict."""
    found = [c for c in conclusions if c.kind == "option_effect"]
    ranked = sorted(found, key=lambda c: (_OPTION_ORDER.index(c.verdict), c.p_value if c.p_value is not None else 1.0))
    detected = [c for c in ranked if c.verdict == "supported"]
    return detected[:_MOST_OPTIONS] if detected else ranked[:1]


def _overfitting(conclusions: Sequence[Conclusion], own: Sequence[Conclusion]) -> Iterable[Conclusion]:
    """Yield what tells of overfitting: the best run's curve if it rises, else one that does, else the best run's."""
    of_best = [c for c in own if c.kind == "overfitting"]
    rising = [c for c in conclusions if isinstance(c.details, Overfitting) and c.details.rises]
    yield from (c for c in of_best if c in rising)
    yield from rising
    yield from of_best


def _first(found: Iterable[Conclusion]) -> list[Conclusion]:
    return list(islice(found, 1))
