"""What a finished run shows of itself in the store: its curves, its confusion matrix and a summary in Markdown."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.runs import Run


@dataclass(frozen=True)
class Description:
    """A run's summary, and its figures as PNG files by path."""

    text: str
    figures: Mapping[str, bytes] = field(default_factory=dict)


def describe(run: Run) -> Description:
    """Draw a run's figures, as far as it has what they show, and summarise its own result."""
    from tracker.figures import run_confusion, run_curves
    from tracker.render import render_description
    from tracker.report.build import report_study, run_entry

    figures = {}
    for draw in (run_curves, run_confusion):
        with suppress(ValueError):  # nothing to draw
            picture = draw(run)
            figures[f"{picture.name}.png"] = picture.png
    study, _ = report_study([run], metric=None, minimise=None, alpha=0.05, margin=0.05)
    return Description(render_description(run_entry(study, 0)), figures)
