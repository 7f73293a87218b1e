"""What came out of one run, as its description in MLflow: below the person's note, in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.render.arrangement import run_row
from tracker.render.environment import markdown_environment
from tracker.render.markdown import tidy
from tracker.runs import NOTE_END

if TYPE_CHECKING:
    from tracker.report import RunEntry

MOST_CHARACTERS = 8_000
"""Where MLflow cuts a tag off."""


def render_description(entry: RunEntry, note: str | None = None) -> str:
    """Write a run's description: the person's note, the line that ends it, and what came out.

    Parameters
    ----------
    entry : RunEntry
    note : str, optional
        The person's own words, as they are; by default those that the run carries already.

    Returns
    -------
    str
        For the tag ``mlflow.note.content``. Where a long note leaves no room for what came out, the note alone: MLflow
        would cut the tag.
    """
    words = entry.run.note if note is None else note.strip()
    template = markdown_environment().get_template("markdown/description.md.j2")
    came_out = tidy(template.render(title=entry.title, row=run_row(entry)))
    text = f"{words}\n\n{NOTE_END}\n\n{came_out}" if words else f"{NOTE_END}\n\n{came_out}"
    return text if len(text) <= MOST_CHARACTERS else words or ""
