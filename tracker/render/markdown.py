"""GitHub-flavoured Markdown: the report, its figures as files beside it; a summary of it; a run's description."""

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
    """Return the report as Markdown.

    `prefix` is the folder of the figures as seen from the report's own, with forward slashes.
    """
    folder = quote(prefix.rstrip("/"))
    template = markdown_environment().get_template("markdown/report.md.j2")
    text = template.render(
        report=arrange(report, pictures),
        link=lambda picture: Markup(f"{folder}/{_file_name(picture)}" if folder else _file_name(picture)),  # noqa: S704
    )
    return tidy(text)


def tidy(text: str) -> str:
    """Return Markdown without the spaces at line ends and the runs of empty lines that readable templates leave."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def _file_name(picture: Picture) -> str:
    return f"{picture.name}-{hashlib.sha256(picture.png).hexdigest()[:16]}.png"


def render_description(entry: RunEntry) -> str:
    """Return what stands after `tracker.runs.NOTE_END` in a run's description: its results, and how to compare it.

    Some 600 characters of the 8,000 that a tag may have.
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
)  # title and template of each section, the first to be kept first


def render_summary(report: Report, max_bytes: int | None = None) -> str:
    """Return the report's tables and sentences as Markdown, without figures, for a CI job's summary.

    Sections are dropped from the end until the text has at most `max_bytes` in UTF-8, and a last line says which.

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
        left_out, remark = ", ".join(title for title, _ in _SECTIONS[kept:]), ""
        if left_out:
            remark = f"*Left out to stay within {max_bytes} bytes: {left_out}. `tracker report` has them.*"
        text = tidy("\n\n".join([head, *parts[:kept], remark]))
        size = len(text.encode())
        if max_bytes is None or size <= max_bytes:
            return text
    raise TrackerError(f"a summary of this experiment needs at least {size} bytes, not {max_bytes}: raise the limit")
