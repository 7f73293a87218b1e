"""Shares and tables as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.truth.shares import Share


def percent(fraction: float) -> str:
    """Write a fraction as a percentage: with a digit after the point where it is small, never a false 0 or 100."""
    if 0 < fraction < 0.0005:
        return "< 0.1%"
    if 0.9995 <= fraction < 1:
        return "> 99.9%"
    return f"{100 * fraction:.1f}%" if fraction not in {0.0, 1.0} else f"{100 * fraction:.0f}%"


def points(fraction: float) -> str:
    """Write a difference of accuracy in points."""
    return f"{100 * fraction:.0f}"


def cell(share: Share | None) -> str:
    """Write a share with its interval."""
    if share is None:
        return "–"
    low, high = share.interval
    return f"{percent(share.rate)} ({100 * low:.1f}–{100 * high:.1f})"


def held(share: Share | None) -> str:
    """Write a share that is held to the goal, in bold where it exceeds it."""
    return cell(share) if share is None or share.meets() else f"**{cell(share)}**"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table; all but the first column are set to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])
