"""Reports as files: the figures first, then the text, each whole or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.atomic_files import replace_file
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.report import Report


def render_markdown(report: Report, figures: Path, base: Path) -> tuple[str, Mapping[Path, bytes]]:
    """Return a report as Markdown, and the figures that it links to.

    Parameters
    ----------
    report : Report
    figures : Path
        Folder of the figures.
    base : Path
        Folder of the report: links are relative to it.
    """
    from tracker import render
    from tracker.figures import report_pictures

    pictures = report_pictures(report)
    link = Path(os.path.relpath(figures, base)).as_posix()
    files = {figures / name: png for name, png in render.picture_files(pictures).items()}
    return render.render_markdown(report, pictures, link), files


def write_report(text: str, files: Mapping[Path, bytes], path: Path) -> None:
    """Write a report after the files that it links to, so that it never links to what isn't there.

    Raises
    ------
    TrackerError
        If one of them can't be written.
    """
    for file, content in files.items():
        write_file(file, content)
    write_file(path, text.encode())


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
