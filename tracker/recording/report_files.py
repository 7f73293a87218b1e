"""Reports as text and files: the figures first, then the text that links to them, each whole or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tracker.atomic_files import replace_file
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.report import Report

Form = Literal["markdown", "html", "json", "summary"]

FIGURES = Path("reports/figures")
"""Where Markdown's figures are written unless another folder is given."""


def render_report(
    report: Report, form: Form, *, figures: Path = FIGURES, base: Path = Path(), max_bytes: int | None = None
) -> tuple[str, Mapping[Path, bytes]]:
    """Return a report's text, and the files that it links to.

    Parameters
    ----------
    report : Report
    form : {"markdown", "html", "json", "summary"}
    figures : Path
        Folder of Markdown's figures.
    base : Path
        Folder of the report: links to figures are relative to it.
    max_bytes : int, optional
        Maximum size of a summary.

    Raises
    ------
    TrackerError
        If a summary of that size says nothing.
    """
    from tracker import render

    if form == "json":
        return render.render_json(report), {}
    if form == "summary":
        return render.render_summary(report, max_bytes), {}
    from tracker.figures import report_pictures

    pictures = report_pictures(report)
    if form == "html":
        return render.render_html(report, pictures), {}
    link = Path(os.path.relpath(figures, base)).as_posix()
    files = {figures / name: png for name, png in render.picture_files(pictures).items()}
    return render.render_markdown(report, pictures, link), files


def write_file(path: Path, content: bytes, remedy: str = "give another path") -> None:
    """Write a file, whole or not at all; a device or a pipe takes what it is given.

    Raises
    ------
    TrackerError
        If it can't be written; the message ends in `remedy`.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            target = path.resolve()
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, content, durable=False)
    except OSError as error:
        raise TrackerError(
            f"cannot write {path}: {error.strerror or error}; free some space, check the permissions, or {remedy}"
        ) from error
