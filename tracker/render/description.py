"""What came out of one run, for its description in MLflow, below the person's note: short, in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.render.arrangement import run_row
from tracker.render.environment import markdown_environment
from tracker.render.markdown import tidy

if TYPE_CHECKING:
    from tracker.report import RunEntry


def render_description(entry: RunEntry) -> str:
    """Write what came out of a run, and how to compare it.

    Parameters
    ----------
    entry : RunEntry

    Returns
    -------
    str
        What stands after `tracker.runs.NOTE_END` in the tag ``mlflow.note.content``: some 600 characters of the 8,000
        that a tag may have.
    """
    template = markdown_environment().get_template("markdown/description.md.j2")
    return tidy(template.render(title=entry.title, row=run_row(entry)))
