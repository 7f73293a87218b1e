"""``tracker report``: the comparison of an experiment's runs, for people and for programs."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tracker.atomic_files import replace_file
from tracker.cli.analysis_options import AnalysisOptions, read_runs, report_on, with_analysis_options
from tracker.cli.app import Command, app
from tracker.cli.console import notice, plain, say
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.report import Report

_EXAMPLES = """
\b
Examples:
  tracker report > REPORT.md
  tracker report --format html --output report.html
  tracker report --check REPORT.md
"""


@app.command(cls=Command, epilog=_EXAMPLES, short_help="Write the comparison of an experiment's runs.")
@with_analysis_options
def report(
    *,
    form: Annotated[
        Literal["markdown", "html", "json", "summary"],
        typer.Option(
            "--format",
            help="Markdown with figures as files, one HTML file, JSON for programs, or tables and sentences only.",
        ),
    ] = "markdown",
    output: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE",
            show_default="standard output",
            help="Write to FILE; links to figures are then relative to it.",
        ),
    ] = None,
    assets: Annotated[
        Path, typer.Option(file_okay=False, metavar="FOLDER", help="Where Markdown's figures are written.")
    ] = Path("reports/figures"),
    check: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Compare with FILE instead of writing; print a diff and exit 1 if they differ.",
        ),
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(min=1, metavar="INT", show_default="no limit", help="Maximum size of a summary.")
    ] = None,
    analysis: AnalysisOptions,
) -> int:
    """Write the comparison of an experiment's runs."""
    content = report_on(read_runs(analysis, by_epoch=True), analysis)
    target = check or output
    text, files = _rendered(content, form, assets, target.parent if target else Path(), max_bytes)
    if check:
        return _difference(check, text)
    _write(text, files, output)
    return 0


def _rendered(
    report: Report, form: str, assets: Path, base: Path, max_bytes: int | None
) -> tuple[str, Mapping[Path, bytes]]:
    """Return the report's text, and the files that it links to."""
    from tracker import render

    if form == "json":
        return render.render_json(report), {}
    if form == "summary":
        return render.render_summary(report, max_bytes), {}
    from tracker.figures import report_pictures

    pictures = report_pictures(report)
    if form == "html":
        return render.render_html(report, pictures), {}
    files = {assets / name: png for name, png in render.picture_files(pictures).items()}
    return render.render_markdown(report, pictures, _link_to(assets, base)), files


def _link_to(assets: Path, base: Path) -> str:
    """Return the folder of the figures as seen from the report, with forward slashes."""
    import os

    return Path(os.path.relpath(assets, base or ".")).as_posix()


def _difference(file: Path, text: str) -> int:
    there = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    lines = list(difflib.unified_diff(there, text.splitlines(keepends=True), str(file), "now"))
    for line in lines:
        say(plain(line.rstrip("\n")))
    if lines:
        notice(f"{file} is not what would be written now; write it anew with --output {shlex.quote(str(file))}")
    return 1 if lines else 0


def _write(text: str, files: Mapping[Path, bytes], output: Path | None) -> None:
    """Write the figures first, then the text: a report never links to what is not there."""
    for path, content in files.items():
        _place(path, content, "--assets")
    if output:
        _place(output, text.encode(), "--output")
    else:
        say(text, end="")


def _place(path: Path, content: bytes, option: str) -> None:
    """Write a file; a device or a pipe takes what it is given."""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            target = path.resolve()
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, content, durable=False)
    except OSError as error:
        raise TrackerError(
            f"cannot write {path}: {error.strerror or error}; make room and see that it may be written to, or give "
            f"another {option}"
        ) from error
