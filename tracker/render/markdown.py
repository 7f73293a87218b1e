"""The report as GitHub-flavoured Markdown, its figures as files beside it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from tracker.render.arrangement import arrange
from tracker.render.environment import markdown_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.report import Picture, Report


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
