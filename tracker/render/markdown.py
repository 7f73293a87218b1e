"""The report as GitHub-flavoured Markdown, its figures as files beside it.

What came out of one run, for its description in MLflow, below the person's note: short, in Markdown.

The report in short, for a CI job's summary: sentences and tables as Markdown, in as many bytes as there are.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from tracker.errors import TrackerError
from tracker.render.jinja import markdown_environment
from tracker.render.tables import description
from tracker.render.view_model import arrange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.report import Picture, Report, RunEntry


def picture_files(pictures: Iterable[Picture]) -> dict[str, bytes]:
    """Return the files that `render_markdown` links to: name to content.

    A name says what the figure shows and ends in a hash of its content: the same figure is the same file, and nothing
    of it comes from a run's name.
    """
    return {_file_name(picture): picture.png for picture in pictures}


def render_markdown(report: Report, pictures: Sequence[Picture], prefix: str = "reports/figures") -> str:
    """Write the report as Markdown.

    Parameters
    ----------
    report : Report
    pictures : sequence of Picture
    prefix : str
        The folder of the figures as seen from where the report will stand, with forward slashes.

    Returns
    -------
    str
    """
    folder = quote(prefix.rstrip("/"))
    template = markdown_environment().get_template("markdown/report.md.j2")
    text = template.render(
        report=arrange(report, pictures),
        link=lambda picture: Markup(f"{folder}/{_file_name(picture)}" if folder else _file_name(picture)),  # noqa: S704
    )
    return tidy(text)


def tidy(text: str) -> str:
    """Return Markdown without spaces at the ends of lines and without runs of empty lines.

    Templates are written to be read; what that leaves behind goes here.
    """
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def _file_name(picture: Picture) -> str:
    return f"{picture.name}-{hashlib.sha256(picture.png).hexdigest()[:16]}.png"


def render_description(entry: RunEntry) -> str:
    """Write what came out of a run, and how to compare it.

    Parameters
    ----------
    entry : RunEntry

    Returns
    -------
    str
        What stands after `tracker.runs.NOTE_END` in the run's description: some 600 characters of the 8,000
        that a tag may have.
    """
    template = markdown_environment().get_template("markdown/description.md.j2")
    return tidy(template.render(title=entry.title, facts=description(entry), run=entry.run))


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
