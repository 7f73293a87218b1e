"""The report in short, for a CI job's summary: sentences and tables as Markdown, in as many bytes as there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import TrackerError
from tracker.render.arrangement import arrange
from tracker.render.environment import markdown_environment
from tracker.render.markdown import tidy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.report import Report

_SECTIONS = (
    ("What came out", "came_out"),
    ("What this data cannot tell", "limits"),
    ("Runs", "runs"),
    ("Conclusions", "summary_conclusions"),
    ("Next steps", "next_steps"),
    ("Challenges", "challenges"),
)
"""Title and template of each section, the first to be kept first."""


def render_summary(report: Report, max_bytes: int | None = None) -> str:
    """Write the report's tables and sentences as Markdown, without figures.

    Parameters
    ----------
    report : Report
    max_bytes : int, optional
        Sections are dropped from the end until the text has no more bytes (in UTF-8) than this, and a last line says
        which.

    Returns
    -------
    str

    Raises
    ------
    TrackerError
        If not even the title and that last line fit.
    """
    environment, view = markdown_environment(), arrange(report)
    head, *parts = (
        environment.get_template(f"markdown/{name}.md.j2").render(report=view)
        for name in ("head", *(name for _, name in _SECTIONS))
    )
    for kept in range(len(parts), -1, -1):
        left_out = [title for title, _ in _SECTIONS[kept:]]
        text = tidy("\n\n".join([head, *parts[:kept], _remark(left_out, max_bytes)]))
        size = len(text.encode())
        if max_bytes is None or size <= max_bytes:
            return text
    raise TrackerError(f"a summary of this experiment needs at least {size} bytes, not {max_bytes}: raise the limit")


def _remark(left_out: Sequence[str], max_bytes: int | None) -> str:
    if not left_out:
        return ""
    return f"*Left out to stay within {max_bytes} bytes: {', '.join(left_out)}. `tracker report` has them.*"
