"""Reports and comparisons of runs: built, and written as text and files, each whole or not there."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tracker.atomic_files import replace_file
from tracker.contained_files import UnsafePathError, open_regular, read_regular, resolve_output, write_stream
from tracker.errors import TrackerError
from tracker.next_steps.command_line import HERE
from tracker.recording.arguments import checked_line, checked_names, checked_path, checked_reporter, checked_text
from tracker.recording.stores import ExperimentRuns, where_from
from tracker.report import Comparison as ComparisonContent
from tracker.report import Cover
from tracker.report import Report as ReportContent
from tracker.runs import HEARD_CLIPS, UNSENT_TAG, Run, check_range
from tracker.runs.logged import find_run
from tracker.study.metrics import check_logged
from tracker.study.param_roles import NamedParams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.recording.reporter import Reporter
    from tracker.render import Listening

Form = Literal["markdown", "html", "pdf", "latex", "csv", "json", "summary"]

# What a file's ending says of its form; the first is meant if none is asked for.
ENDINGS: Mapping[str, tuple[Form, ...]] = {
    ".md": ("markdown", "summary"),
    ".markdown": ("markdown", "summary"),
    ".txt": ("markdown", "summary"),
    ".html": ("html",),
    ".htm": ("html",),
    ".pdf": ("pdf",),
    ".tex": ("latex",),
    ".csv": ("csv",),
    ".json": ("json",),
}

_FIGURE = re.compile(r"[a-z]+(?:-[a-z]+)*-[0-9a-f]{16}\.png")  # as the renderer names a figure
_MOMENT_S = 60  # within which another report may have written a figure and not yet its text
_DOCUMENTS = {".md", ".markdown", ".html", ".htm", ".txt", ".rst", ".adoc", ".tex", ".typ", ".ipynb"}
_NO_DOCUMENTS = {"mlruns", "node_modules", "__pycache__", "venv"}
_MOST_FILES = 20_000

_START, _SIGNATURE = 4_096, 4  # bytes of a file that show whether it is text, and of which binary kind

LONGEST_INTRO = 100_000  # characters

FIGURES = Path("reports/figures")  # where Markdown's figures are written unless another folder is given


def form_of(path: Path | None, asked: Form | None) -> Form:
    """Return the form of a report that is written to a path, or None, and for which one was asked, or None.

    Raises
    ------
    ValueError
        If the path's ending says another form than the one asked for, or none that there is.
    """
    ending = (path.suffix or path.name).lower() if path else ""  # ``.html`` is all ending
    ending = ending if ending.startswith(".") else ""
    if asked and asked in ENDINGS.get(ending, (asked,)):
        return asked
    if asked:
        raise ValueError(f"{path} is to be {ENDINGS[ending][0]} by its ending, not {asked}: change one of the two")
    if ending and ending not in ENDINGS:
        raise ValueError(f"no format has the ending {ending} of {path}: choose {', '.join(ENDINGS)}, or give --format")
    return ENDINGS[ending][0] if ending else "markdown"


def render_report(
    report: ReportContent,
    form: Form,
    *,
    figures: Path = FIGURES,
    base: Path = Path(),
    max_bytes: int | None = None,
    listening: Listening | None = None,
    interactive: bool = False,
) -> tuple[bytes, Mapping[Path, bytes]]:
    """Return what a report's file holds, text in UTF-8, and the files that it links to.

    Markdown's figures are in the folder `figures`, and its links to them are relative to the folder `base`; `max_bytes`
    is the maximum size of a summary; `listening` has the clips that an HTML page plays; an `interactive` one has a
    script.
    """
    from tracker import render

    if form == "json":
        return render.render_json(report), {}
    as_text: dict[str, Callable[[], str]] = {
        "csv": lambda: render.render_csv(report),
        "latex": lambda: render.render_latex(report),
        "summary": lambda: render.render_summary(report, max_bytes),
    }
    if form in as_text:
        return as_text[form]().encode(), {}
    from tracker.figures import has_glyph, png, report_pictures, stylesheet, typefaces

    pictures = report_pictures(report)
    if form == "pdf":
        return render.render_pdf(report, pictures, typefaces(), has_glyph), {}
    if form == "html":
        return render.render_html(report, pictures, stylesheet(), listening, interactive=interactive).encode(), {}
    link = Path(os.path.relpath(figures, base)).as_posix()
    files = {figures / name: png(svg) for name, svg in render.picture_files(pictures).items()}
    return render.render_markdown(report, pictures, link).encode(), files


def write_file(path: Path, content: bytes, remedy: str = "give another path") -> None:
    """Write a file, whole or not at all; a device or a pipe takes what it is given. An error ends in `remedy`.

    A link is followed if it stays in the working folder, or its own; see `resolve_output`. A binary file of another
    kind, such as a store or a recording, is not replaced.
    """
    try:
        target = resolve_output(path)
        if target.exists() and not target.is_file():
            write_stream(target, content)
        else:
            _check_replaced(target, content)
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, content, durable=False)
    except UnsafePathError as error:
        raise TrackerError(f"cannot write {path}: {error.strerror}; {error.remedy}") from error
    except (FileExistsError, NotADirectoryError) as error:
        above = next((parent for parent in path.parents if parent.is_file()), path.parent)
        raise TrackerError(f"cannot write {path}: {above} is a file, not a folder; {remedy}") from error
    except OSError as error:
        raise TrackerError(
            f"cannot write {path}: {error.strerror or error}; free some space, check the permissions, or {remedy}"
        ) from error


def _check_replaced(file: Path, content: bytes) -> None:
    """Raise `UnsafePathError` if a file is there that no report would have written: a binary one of another kind."""
    if not file.exists():
        return
    with open_regular(file) as there:
        start = there.read(_START)
    if b"\0" in start and start[:_SIGNATURE] != content[:_SIGNATURE]:
        raise UnsafePathError(file, "that file is neither text nor a report", "give another path, or remove it first")


def remove_stale_figures(folder: Path, report: bytes) -> list[Path]:
    """Remove the figures of former reports from a folder, and return them; `report` is the one just written.

    A figure stays if any document of the project names it, was written a moment ago, or isn't named as ours are; all
    stay if the folder isn't the project's or not all of its documents can be read. The project is the repository
    around the working folder, or that folder.
    """
    here = Path.cwd().resolve()
    project = next((above for above in (here, *here.parents) if (above / ".git").exists()), here)
    if not folder.is_dir() or not folder.resolve().is_relative_to(project):
        return []
    latest = time.time() - _MOMENT_S
    stale = {
        path.name
        for path in folder.iterdir()
        if _FIGURE.fullmatch(path.name)
        and path.name.encode() not in report
        and path.is_file()
        and path.stat().st_mtime < latest
    }
    try:
        for document in _documents(project) if stale else ():
            content = read_regular(document)
            stale = {name for name in stale if name.encode() not in content}
    except OSError:
        return []
    for name in stale:
        (folder / name).unlink(missing_ok=True)
    return [folder / name for name in sorted(stale)]


def _documents(project: Path) -> Iterator[Path]:
    """Yield a project's documents; raise `OSError` if it has too many files to look for them."""
    seen = 0
    for folder, folders, files in os.walk(project):
        folders[:] = [name for name in folders if name[0] != "." and name not in _NO_DOCUMENTS]
        seen += len(folders) + len(files)
        if seen > _MOST_FILES:
            raise OSError(f"more than {_MOST_FILES:,} files")
        yield from (Path(folder, name) for name in files if Path(name).suffix.lower() in _DOCUMENTS)


@dataclass(frozen=True, eq=False, repr=False)
class Report(ReportContent):
    """A report as data, to be written in the forms of ``tracker report``."""

    data_folder: Path = Path()  # relative names of the runs' data are relative to this one

    def to_markdown(self, path: str | Path | None = None, *, figures: str | Path = FIGURES) -> str:
        """Return the report as Markdown; write it to a file, and its figures to a folder, if a path is given.

        If none is, the links are those of a report in the working directory.
        """
        base = Path() if path is None else checked_path("path", path).parent
        form_of(None if path is None else Path(path), "markdown")
        text, files = render_report(self, "markdown", figures=checked_path("figures", figures), base=base)
        for file, content in files.items() if path is not None else ():
            write_file(file, content)
        _written(lambda: text, path, "markdown")
        if path is not None:
            remove_stale_figures(Path(figures), text)
        return text.decode()

    def to_html(self, path: str | Path | None = None, *, audio: int | None = None, interactive: bool = False) -> str:
        """Return the report as one HTML page with its figures; write it to a file, if one is given.

        With `audio`, 1 to 20, it has so many of the clips that every run, or the best, gets wrong: 3 s of sound with
        its spectrogram, from the data that the runs name, if that is unchanged. An interactive page has a script: it
        shows the values of curves on hovering and sorts tables by their headers.
        """

        def render() -> bytes:
            return render_report(self, "html", listening=self.find_sounds(audio), interactive=interactive)[0]

        return _written(render, path, "html").decode()

    def find_sounds(self, most: int | None, reporter: Reporter | None = None) -> Listening | None:
        """Return the clips that `to_html` plays, read from the runs' data; None for none."""
        if most is None:
            return None
        if not isinstance(most, int) or isinstance(most, bool):
            raise ValueError(f"audio must be a whole number, got {most!r}")  # noqa: TRY004  (one kind of error)
        check_range("audio", most, HEARD_CLIPS)
        from tracker.recording.listening import find_sounds

        return find_sounds(self, most, self.data_folder, checked_reporter(reporter))

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the report as JSON; write it to a file, if one is given."""
        return _written(lambda: render_report(self, "json")[0], path, "json").decode()

    def to_pdf(self, path: str | Path | None = None) -> bytes:
        """Return the report as PDF with its figures; write it to a file, if one is given."""
        return _written(lambda: render_report(self, "pdf")[0], path, "pdf")

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the runs as CSV, a row each; write it to a file, if one is given."""
        return _written(lambda: render_report(self, "csv")[0], path, "csv").decode()

    def to_latex(self, path: str | Path | None = None) -> str:
        """Return the configurations as a LaTeX table with booktabs' rules; write it to a file, if one is given."""
        return _written(lambda: render_report(self, "latex")[0], path, "latex").decode()

    def to_summary(self, path: str | Path | None = None, *, max_bytes: int | None = None) -> str:
        """Return the report's tables and sentences as Markdown; write them to a file, if one is given."""
        if not isinstance(max_bytes, int | None) or isinstance(max_bytes, bool):
            raise ValueError(f"max_bytes must be a whole number, got {max_bytes!r}")  # noqa: TRY004
        return _written(lambda: render_report(self, "summary", max_bytes=max_bytes)[0], path, "summary").decode()


def build_report(
    runs: ExperimentRuns | Sequence[Run],
    *,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
    seed_params: Iterable[str] = (),
    option_params: Iterable[str] = (),
    ignore: Iterable[str] = (),
    title: str | None = None,
    author: str | None = None,
    intro: str | None = None,
) -> Report:
    """Conclude from the runs of one experiment or several, or a selection of them.

    Parameters
    ----------
    runs : ExperimentRuns or sequence of Run
        As `load_runs` returns them.
    metric : str, optional
        What the runs are ranked by; by default the experiment's own metric, the validation accuracy, or what else was
        logged: a validation metric before one of test data.
    minimise : bool, optional
        Whether a lower metric is better, if its name doesn't say so.
    alpha : float, 1e-6 to 0.5
        Significance level of each family of tests.
    margin : float, above 0 and below 1
        Equivalence margin: the smallest difference of accuracy that matters.
    seed_params : iterable of str
        Params that repeat the training, as a seed does, though they are called otherwise.
    option_params : iterable of str
        Params to compare by that reports take for bookkeeping, such as a run's own name.
    ignore : iterable of str
        Params to leave out of the comparison.
    title, author : str, optional
        What stands above the report, whose own title is its finding.
    intro : str, optional
        An introduction in Markdown, without raw HTML and pictures.

    Raises
    ------
    ValueError
        If `alpha` or `margin` is out of its range, no run logged `metric` or a param that is named, or a text is too
        long.
    """
    from tracker.report import build_report as build

    cover = _cover(title, author, intro)
    named = named_params(seed_params, option_params, ignore)
    name, given, settings = question_of(runs, metric, named, minimise=minimise, alpha=alpha, margin=margin)
    folder = None
    if isinstance(runs, ExperimentRuns):
        settings |= {"log_to": runs.experiments[0], "selection": runs.selection}
        folder = runs.store.folder if runs.store else None
        if runs.table:
            from tracker.recording.tables import table_facts

            settings |= {"table": partial(table_facts, runs.table), "remarks": runs.problems}
    content = _fields(build(name, given, **settings))
    return Report(**content | {"cover": cover, "data_folder": folder or Path()})


def _cover(title: str | None, author: str | None, intro: str | None) -> Cover:
    """Return what a report's author sets above it; raise ValueError for what doesn't fit there."""
    text = checked_text("intro", intro) or ""
    if len(text) > LONGEST_INTRO:
        raise ValueError(f"intro must be at most {LONGEST_INTRO:,} characters, got {len(text):,}")
    heading = "" if title is None else checked_line("title", title)
    return Cover(heading, "" if author is None else checked_line("author", author), text)


def log_report(
    report: ReportContent, runs: ExperimentRuns, *, listening: Listening | None = None, interactive: bool = False
) -> Run:
    """Keep a report as the artifact ``report.html`` of the newest of its runs, and return that run.

    Its finding becomes the experiment's description, below one that a person wrote. `listening` has the clips that the
    page plays, as `Report.find_sounds` returns them; `interactive` is that of `Report.to_html`.

    Raises
    ------
    ValueError
        If the runs are of several experiments, or weren't returned by `load_runs`.
    TrackerError
        If none of the runs is in the store yet, or the store refuses or is away.
    """
    from tracker.render import render_verdict

    if not isinstance(report, ReportContent):
        raise ValueError("report must be one that tracker.build_report returned")  # noqa: TRY004  (one kind of error)
    if not isinstance(runs, ExperimentRuns) or len(runs.experiments) > 1 or runs.store is None:
        raise ValueError("runs must be those of one experiment, as tracker.load_runs returns them")
    uploaded = [run for run in runs if UNSENT_TAG not in run.tags]
    if not uploaded:
        raise TrackerError(f"none of the runs of {runs.name!r} is in the store yet: upload them with `tracker sync`")
    page, _ = render_report(report, "html", listening=listening, interactive=interactive)
    runs.store.log_report(runs.name, uploaded[-1].run_id, page, render_verdict(report))
    return uploaded[-1]


class Comparison(ComparisonContent):
    """Two runs set side by side as data, to be written in the forms of ``tracker compare``."""

    def to_markdown(self, path: str | Path | None = None) -> str:
        """Return the comparison as Markdown; write it to a file, if one is given."""
        from tracker.render import render_comparison

        return _written(lambda: render_comparison(self).encode(), path, "markdown").decode()

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the comparison as JSON, with every clip; write it to a file, if one is given."""
        from tracker.render import render_comparison_json

        return _written(lambda: render_comparison_json(self).encode(), path, "json").decode()


def compare(
    runs: ExperimentRuns | Sequence[Run],
    first: str | Run,
    second: str | Run,
    *,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
    seed_params: Iterable[str] = (),
    option_params: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> Comparison:
    """Compare two runs of an experiment clip by clip.

    Parameters
    ----------
    runs : ExperimentRuns or sequence of Run
        All runs of the experiment: the correction counts every pair of them.
    first, second : str or Run
        A run, its id, a unique prefix of one, or its name.
    metric, minimise, alpha, margin, seed_params, option_params, ignore
        As in `build_report`.

    Raises
    ------
    TrackerError
        If no run or several runs match.
    ValueError
        If both are the same run, `alpha` or `margin` is out of its range, or no run logged `metric` or a param that is
        named.
    """
    from tracker.report import build_comparison

    named = named_params(seed_params, option_params, ignore)
    name, runs, settings = question_of(runs, metric, named, minimise=minimise, alpha=alpha, margin=margin)
    pair = (find_run(runs, id_of(first)).run_id, find_run(runs, id_of(second)).run_id)
    return Comparison(**_fields(build_comparison(name, runs, pair, **settings)))


def id_of(run: str | Run) -> str:
    """Return what finds a run: its id, or the id or name that was given."""
    return run.run_id if isinstance(run, Run) else run


def named_params(seed_params: Iterable[str], option_params: Iterable[str], ignore: Iterable[str]) -> NamedParams:
    """Return the params that were named, as what they are."""
    given = {"seed_params": seed_params, "option_params": option_params, "ignore": ignore}
    return NamedParams(**{what: checked_names(what, names) for what, names in given.items()})


def question_of(
    runs: Iterable[Run], metric: str | None, named: NamedParams, *, minimise: bool | None, alpha: float, margin: float
) -> tuple[str, Sequence[Run], dict[str, Any]]:
    """Return the name of the experiment, its runs and what is asked of them, checked."""
    asked = chosen = None if metric is None else checked_line("metric", metric)
    if minimise not in (True, False, None):
        raise ValueError(f"minimise must be True, False or None, got {minimise!r}")
    for what, value in (("alpha", alpha), ("margin", margin)):
        if not isinstance(value, Real):
            raise ValueError(f"{what} must be a number, got {value!r}")  # noqa: TRY004
    name, where = "runs", HERE
    if isinstance(runs, ExperimentRuns):
        name, chosen = runs.name, chosen or runs.tags.get("tracker.metric")
        where = where_from(runs.store) if runs.store else HERE
    else:
        runs = _checked_runs(runs)
    if asked is not None:
        check_logged(runs, asked)
    settings = {"metric": chosen, "minimise": minimise, "alpha": float(alpha), "margin": float(margin)}
    return name, runs, settings | {"named": named, "where": where}


def _checked_runs(runs: Iterable[Run]) -> tuple[Run, ...]:
    given = tuple(runs) if isinstance(runs, Iterable) else (runs,)
    ids = Counter(run.run_id for run in given if isinstance(run, Run))
    if len(given) != ids.total():
        raise ValueError("runs must be those of tracker.load_runs, or a sequence of tracker.Run")
    twice = [run_id for run_id, count in ids.items() if count > 1]
    if twice:
        raise ValueError(f"each run must be given once, got {twice[0]} more than once")
    return given


def _fields(content: Any) -> dict[str, Any]:
    return {field.name: getattr(content, field.name) for field in fields(content)}


def _written(render: Callable[[], bytes], path: str | Path | None, form: Form) -> bytes:
    """Return a file's content, and write it if a path is given.

    What is no path, or has the ending of another form, is refused before anything is drawn.
    """
    file = None if path is None else checked_path("path", path)
    form_of(file, form)
    content = render()
    if file is not None:
        write_file(file, content)
    return content
