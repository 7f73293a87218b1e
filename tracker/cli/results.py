"""The commands that look at results: ``tracker report``, ``next``, ``compare``, ``runs`` and ``ui``."""

from __future__ import annotations

import difflib
import gc
import json
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tracker.cli.app import command
from tracker.cli.console import (
    ConsoleReporter,
    fitting_table,
    log,
    print_document,
    print_result,
    print_tables,
    table,
    watch_table,
)
from tracker.cli.options import (
    ExperimentAnalysis,
    Jobs,
    ListedRuns,
    Results,
    RunName,
    SelectionAnalysis,
    TrackingUri,
    Yes,
    naming_metric,
    naming_params,
    parsed_by,
    read_results,
    read_runs,
    read_selected,
    report_on,
    store_at,
    whole_number,
    with_analysis_options,
)
from tracker.contained_files import read_regular
from tracker.errors import TrackerError
from tracker.printable import command_text, decoded
from tracker.runs import HEARD_CLIPS, REASON_TAG, UNSENT_TAG, Range, RunStatus, is_resumable
from tracker.runs.logged import SHORT_ID
from tracker.wording import counted, listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tracker.cli.console import Table
    from tracker.recording.reports import Form
    from tracker.recording.stores import ExperimentRuns
    from tracker.render import ClipsView, ComparisonView
    from tracker.report import Comparison, NextStep
    from tracker.runs import Run
    from tracker.study.sample_name import SampleName
    from tracker.study.study import Study

_BYTES = Range(least=1, most=10**9)
_INTRODUCED: tuple[Form, ...] = ("markdown", "html", "pdf")
_TITLED: tuple[Form, ...] = (*_INTRODUCED, "summary")


@command(
    "report",
    "Write the comparison of an experiment's runs.",
    "tracker report > REPORT.md",
    "tracker report --output report.html",
    "tracker report --output report.html --audio 5",
    "tracker report --since 7d --exclude k7-lr0.001-s0 --output report.html",
    "tracker report --check REPORT.md",
    "tracker report --log",
    "tracker report results.csv --output report.html",
)
@with_analysis_options
def report(
    context: typer.Context,
    *,
    results: Results = None,
    form: Annotated[
        Literal["markdown", "html", "pdf", "latex", "csv", "json", "summary"] | None,
        typer.Option(
            "--format",
            case_sensitive=False,
            show_default="by the ending of FILE, else markdown",
            help="Markdown with figures as files, one HTML file, PDF (needs the extra [pdf]), a LaTeX table of "
            "configurations, CSV of runs, JSON, or tables and sentences only.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE",
            show_default="standard output",
            help="Write to FILE, - being standard output; links to figures are then relative to it.",
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
    max_bytes: Annotated[int | None, whole_number("Maximum size of a summary", _BYTES, default="no limit")] = None,
    audio: Annotated[
        int | None,
        whole_number(
            "Clips to listen to in an HTML page, of those that every run, or the best, gets wrong: 3 s of sound and a "
            "spectrogram, about 150 kB each",
            HEARD_CLIPS,
            default="none",
        ),
    ] = None,
    log_page: Annotated[
        bool,
        typer.Option(
            "--log",
            help="Keep the HTML page in MLflow: as report.html of the newest run, with the finding as the experiment's "
            "description. Nothing is printed then without --format or --output.",
        ),
    ] = False,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive",
            help="Add our own script to the HTML page: values of curves on hovering, tables sorted by their headers.",
        ),
    ] = False,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", parser=decoded, help="Title, above the report's finding.")
    ] = None,
    author: Annotated[str | None, typer.Option(metavar="TEXT", parser=decoded, help="Author, below the title.")] = None,
    intro: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Introduction, a Markdown file."),
    ] = None,
    analysis: SelectionAnalysis,
) -> int:
    """Write the comparison of an experiment's runs."""
    context.with_resource(_uncollected())
    from tracker.recording.reports import form_of, log_report, render_report

    contradictions = {
        "give --log or --check, not both: --check writes nothing": log_page and check,
        "give --output or --check, not both: --check writes nothing": output and check,
        f"--output would replace the introduction, {intro}: give another file": _is_same_file(output, intro),
        f"--output would replace the table, {results}: give another file": _is_same_file(output, results),
        "--log is for runs of a store, not for a table": log_page and results,
        "--audio is for runs of a store, not for a table": audio and results,
        "--log is for a report on one --experiment": log_page and len(analysis.experiment) > 1,
    }
    for problem in (problem for problem, holds in contradictions.items() if holds):
        context.fail(problem)
    is_asked = not log_page or bool(form or output)
    output = None if output == Path("-") else output
    target = check or output
    try:
        form = form_of(target, form)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--check'" if check else "'--output'") from error
    page = form if is_asked else "html"
    _check_form(context, page, {"--max-bytes": (("summary",), max_bytes)})
    _check_form(context, page, {"--audio": (("html",), audio), "--interactive": (("html",), interactive)})
    _check_form(
        context, page, {"--title": (_TITLED, title), "--author": (_TITLED, author), "--intro": (_INTRODUCED, intro)}
    )
    if form == "pdf" and target is None and sys.stdout.isatty():
        context.fail("a PDF cannot be shown in a terminal: give --output FILE")
    runs = read_selected(context, results, analysis)
    try:
        content = report_on(runs, analysis, title=title, author=author, intro=None if intro is None else _intro(intro))
    except ValueError as error:
        context.fail(str(error))
    sounds = content.find_sounds(audio, ConsoleReporter())
    if is_asked:
        base = target.parent if target else Path()
        document, files = render_report(
            content,
            form,
            figures=assets,
            base=base,
            max_bytes=max_bytes,
            listening=sounds,
            interactive=interactive,
        )
        if check:
            return _difference(check, document, is_text=form != "pdf")
        _write(document, files, assets, output)
    if log_page:
        run = log_report(content, runs, listening=sounds, interactive=interactive)
        log(f"the report is now report.html of run {run.name} ({run.run_id[:SHORT_ID]})")
    return 0


def _is_same_file(one: Path | None, other: Path | None) -> bool:
    return bool(one and other and one.exists() and one.samefile(other))


def _check_form(context: typer.Context, form: Form, options: Mapping[str, tuple[Sequence[Form], object]]) -> None:
    """Refuse options that were given, and are for other formats than this one."""
    for flag, (meant, value) in options.items():
        if value and form not in meant:
            context.fail(f"{flag} is for --format {listing(meant, 'or')} only")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage: nearly all that a report is made of is in use until it is written.

    With thousands of runs, looking through it takes a sixth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _write(document: bytes, files: Mapping[Path, bytes], assets: Path, output: Path | None) -> None:
    """Write a report, its figures first, so that it never links to a missing one."""
    from tracker.recording.reports import remove_stale_figures, write_file

    for path, picture in files.items():
        write_file(path, picture, "give another --assets")
    if output:
        write_file(output, document, "give another --output")
    else:
        print_document(document.decode() if sys.stdout.isatty() else document)
    if files and (removed := remove_stale_figures(assets, document)):
        log(f"removed {counted(len(removed), 'figure')} of former reports from {assets}")


def _intro(file: Path) -> str:
    """Return the introduction; raise what Typer or the command line prints if it can't be read or is too long."""
    from tracker.recording.reports import LONGEST_INTRO

    try:
        text = read_regular(file).decode("utf-8-sig")
    except OSError as error:
        raise TrackerError(f"cannot read {file}: {error.strerror}; give another --intro") from error
    except UnicodeDecodeError as error:
        raise TrackerError(f"{file} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    if len(text) > LONGEST_INTRO:
        raise TrackerError(
            f"{file} has {len(text):,} characters, and an introduction at most {LONGEST_INTRO:,}: shorten it"
        )
    return text


def _difference(file: Path, document: bytes, *, is_text: bool) -> int:
    try:
        there = read_regular(file)
    except OSError as error:
        raise TrackerError(f"cannot read {file}: {error.strerror}; give another --check") from error
    if there == document:
        return 0
    if is_text and b"\0" not in there:
        before, now = (content.decode("utf-8", "replace").splitlines(keepends=True) for content in (there, document))
        for line in difflib.unified_diff(before, now, str(file), "now"):
            print_result(line.rstrip("\n"))
    given = command_text(("--output", str(file))) or "--output with the same path"
    log(f"{file} is out of date; to update it, give {given} instead of --check")
    return 1


def _seconds_of(text: str) -> float:
    from tracker.recording.answering import seconds_of

    return seconds_of(text)


@command(
    "next",
    "Print the runs that would tell most about the open questions.",
    "tracker next",
    "tracker next | sh",
    "tracker next --run",
    "tracker next --run --budget 30m",
)
@with_analysis_options
def next_command(
    *,
    form: Annotated[
        Literal["sh", "json"],
        typer.Option(
            "--format", help="Commands for a shell, one per line, or JSON with the questions that each is about."
        ),
    ] = "sh",
    train: Annotated[
        bool, typer.Option("--run", help="Train these runs, as a sweep, and print their ids instead of the commands.")
    ] = False,
    budget: Annotated[
        Any,
        typer.Option(
            metavar="TIME",
            parser=parsed_by(_seconds_of),
            show_default=False,
            help="With --run: train, look again and go on until the questions are answered or so much time is spent: "
            "90s, 30m, 2h, 1h30m. A run that isn't expected to fit isn't started; one that is started is trained to "
            "its end.",
        ),
    ] = None,
    jobs: Annotated[int | None, Jobs] = None,
    yes: Annotated[bool, Yes] = False,
    analysis: ExperimentAnalysis,
) -> int:
    """Print the runs that would tell most about the open questions: at most three commands, one per line, for sh.

    Standard error says what each is for, about how long it takes, and its chance of an answer.
    """
    from tracker.next_steps.steps import why_no_step

    if train and form == "json":
        raise typer.BadParameter("it prints the runs' ids: give --run or --format json, not both", param_hint="'--run'")
    for flag, value in {"--budget": budget, "--jobs": jobs, "--yes": yes}.items():
        if value and not train:
            raise typer.BadParameter("it is about training the runs: give --run too", param_hint=f"'{flag}'")
    if budget is not None:
        from tracker.cli.sweep import train_for_answers
        from tracker.recording.reporter import SayOnce

        said = SayOnce(ConsoleReporter())
        return train_for_answers(
            lambda: report_on(read_runs(analysis.experiment, analysis.tracking_uri, said.warn), analysis), budget, jobs
        )
    report = report_on(read_runs(analysis.experiment, analysis.tracking_uri), analysis)
    steps = report.next_steps
    if not steps:
        unfinished = "No run has finished yet, so no further run is suggested."
        log(why_no_step(report.conclusions, has_commands=report.has_commands) if report.entries else unfinished)
    if form == "json":
        from tracker.render import render_next_json

        print_document(render_next_json(steps))
    else:
        _print_steps(steps, log if train else print_result)
    if not (train and steps):
        return 0
    from tracker.cli.sweep import train_commands

    return train_commands([step.command for step in steps], jobs=jobs, yes=yes)


def _print_steps(steps: Sequence[NextStep], print_command: Callable[[str], None]) -> None:
    from tracker.next_steps.command_line import shell_line
    from tracker.wording import capitalised, duration

    for number, step in enumerate(steps, start=1):
        takes = "" if step.estimated_seconds is None else f" ({duration(step.estimated_seconds)})"
        log(f"{number}. {capitalised(step.why)}{takes}{': ' if step.outlook else ''}{step.outlook}")
        print_command(shell_line([step.command]))
    known = [step.estimated_seconds for step in steps if step.estimated_seconds is not None]
    if len(steps) > 1 and len(known) == len(steps):
        log(f"{len(steps)} commands, {duration(sum(known))} in all")


@command(
    "compare",
    "Compare two runs clip by clip.",
    "tracker compare k7-lr0.001-s0 k3-lr0.001-s0",
    "tracker compare 8b7e7d8f 45fb32b8 --format markdown",
    "tracker compare candidate baseline --fail-if-worse",
    "tracker compare big small results.csv",
)
@with_analysis_options
def compare(
    context: typer.Context,
    *,
    first: RunName,
    second: RunName,
    results: Results = None,
    form: Annotated[
        Literal["table", "json", "markdown"],
        typer.Option("--format", help="For a terminal, for programs (every clip), or for GitHub."),
    ] = "table",
    fail_if_worse: Annotated[
        bool,
        typer.Option(
            "--fail-if-worse",
            help="Exit with 1 if the first run is significantly worse than the second, or the two cannot be compared.",
        ),
    ] = False,
    analysis: ExperimentAnalysis,
) -> int:
    """Compare two runs: how they differ, what can be concluded, and the clips that only one gets correct.

    The verdict is that of a comparison planned beforehand. It does not change the exit status, which is 0, except with
    --fail-if-worse.
    """
    from tracker import render
    from tracker.recording.reports import compare as compare_runs

    try:
        runs = read_results(context, results, analysis)
        with naming_params():
            comparison = compare_runs(runs, first, second, **analysis.question)
    except typer.BadParameter:
        raise
    except ValueError as error:  # both are the same run
        context.fail(str(error))
    if form == "table":
        print_tables(*_parts(comparison, render.view_comparison(comparison)))
    else:
        print_document(comparison.to_json() if form == "json" else comparison.to_markdown())
    return int(fail_if_worse and _is_worse(comparison, runs.find(first).run_id))


def _is_worse(comparison: Comparison, run_id: str) -> bool:
    """Return whether a run is significantly worse than the other, or nothing can be concluded, and say so."""
    conclusion = comparison.conclusion
    if conclusion is None or conclusion.verdict in ("not_comparable", "unknown"):
        log("the two cannot be compared")
        return True
    return comparison.worse == run_id


def _parts(comparison: Comparison, view: ComparisonView) -> Iterator[str | Table]:
    """Yield what a terminal shows, line by line and table by table."""
    from tracker.wording import whole_cell

    runs = [run.called for run in comparison.runs]
    yield table(("", *runs), _rows(comparison, view))
    if view.options.more:
        yield f"{view.options.more} more options differ: --format json has all of them."
    yield ""
    yield from _concluded(comparison, view)
    if comparison.clips_in_common and not comparison.clips:
        yield comparison.sample.put_into("No clip is correct in one run only.")
    for clips in view.clips:
        yield from _clips(runs, clips, comparison.sample)
    if view.classes.shown:
        yield ""
        rows = ((row.name, *map(whole_cell, (row.n, *row.correct))) for row in view.classes.shown)
        yield table(("class", comparison.sample.many, *(f"correct: {run}" for run in runs)), rows, (1, 2, 3))
    if view.classes.more:
        yield f"{view.classes.more} more classes: --format json has all of them."


def _rows(comparison: Comparison, view: ComparisonView) -> Iterator[tuple[str, ...]]:

    yield "name", *(run.entry.run.name for run in comparison.runs)
    yield "id", *(run.run_id[:SHORT_ID] for run in comparison.runs)
    yield from (*view.options.shown, *view.repetition, *view.results)


def _concluded(comparison: Comparison, view: ComparisonView) -> Iterator[str]:
    conclusion = view.conclusion
    if conclusion:
        yield f"{conclusion.label}. {conclusion.sentence}"
        if conclusion.facts:
            yield f"({', '.join(conclusion.facts)})"
    yield from comparison.remarks
    if conclusion and conclusion.command:
        yield "To find out more:"
        yield f"  {conclusion.command}"


def _clips(runs: Sequence[str], view: ClipsView, sample: SampleName) -> Iterator[str | Table]:
    clips = view.clips
    if not clips.n:
        return
    yield ""
    clearest = ", clearest first" if clips.n > 1 else ""
    what = f"{sample.many if clearest else sample.one} that only {{}} gets correct{clearest}"
    meaning = "; confidence is the probability given to the label" if view.has_confidence else ""
    yield f"{clips.n} {what.format(view.only.called)}{meaning}:"
    headings = (sample.one, "label", *(f"confidence of {run}" for run in runs), f"{view.other.called} predicts")
    shown = [0, *((1,) if view.has_labels else ()), *((2, 3) if view.has_confidence else ())]
    shown += [4] if view.has_labels else []
    rows = [[row[place] or "-" for place in shown] for row in clips.shown]
    yield table([headings[place] for place in shown], rows, (2, 3) if view.has_confidence else ())
    if clips.more:
        yield f"{clips.more} more: --format json has all of them."


@command(
    "runs",
    "List the runs.",
    "tracker runs",
    "tracker runs --tag baseline=yes",
    "tracker runs --format json",
    "tracker runs results.csv",
)
@with_analysis_options
def runs(
    context: typer.Context,
    *,
    results: Results = None,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="For a terminal or programs.")] = "table",
    watch: Annotated[bool, typer.Option("--watch", help="Keep the table up to date until Ctrl-C.")] = False,
    analysis: ListedRuns,
) -> None:
    """List the runs: the options that differ, accuracy or another primary metric, epochs, status and age."""
    from tracker.recording.stores import HOST_TAG, interrupted_message

    if watch:
        if form == "json" or not sys.stdout.isatty():
            context.fail("--watch is for a table on a terminal")
        watch_table(lambda: _table(*_read_listed(context, results, analysis)[2:])[0])
        return
    experiment_runs, listed_runs, study, numbers = _read_listed(context, results, analysis)
    if form == "json":
        records = [_record(study, run, numbers) for run in range(len(listed_runs))]
        print_document(f"{json.dumps(records, indent=2)}\n")
    else:
        listed, left_out = _table(study, numbers)
        print_tables(listed)
        if left_out:
            log(f"left out for lack of width: {', '.join(left_out)}; --format json has all columns")
    for run in listed_runs:
        host, resumable = run.tags.get(HOST_TAG), is_resumable(run.tags)
        if experiment_runs.store and (run.status is RunStatus.INTERRUPTED or host):
            log(interrupted_message(run.name, run.run_id, experiment_runs.store, resumable=resumable, host=host))


def _read_listed(
    context: typer.Context, results: Path | None, analysis: ListedRuns
) -> tuple[ExperimentRuns, Sequence[Run], Study, Mapping[str, int]]:
    """Read runs, and return them with those that are listed, as a study, and the numbers that reports give them."""
    experiment_runs = read_results(context, results, analysis)
    listed_runs = _tagged(experiment_runs, analysis.tag)
    with naming_metric(), naming_params():
        return experiment_runs, listed_runs, *_listed(experiment_runs, listed_runs, analysis)


def _table(study: Study, numbers: Mapping[str, int]) -> tuple[Table, list[str]]:
    """Return runs in a table as wide as the terminal, and the columns that it has no place for."""
    columns = [(heading, cells) for heading, cells in _columns(study, numbers) if any(cells)]
    left = {"run", "name", "data set", "status", *study.design.options, *study.design.split_parts}
    least_needed = ("name", "age", "number", "stop", "best", *study.design.split_parts, *reversed(study.design.options))
    return fitting_table(columns, left, least_needed)


def _tagged(experiment_runs: ExperimentRuns, tags: Sequence[tuple[str, str | None]]) -> Sequence[Run]:
    """Return the runs that have each of some tags; raise `TrackerError` if none has."""
    with_all = [
        run
        for run in experiment_runs.runs
        if all(run.tags.get(name) == value if value is not None else run.tags.get(name) for name, value in tags)
    ]
    if tags and not with_all:
        wanted = listing([name if value is None else f"{name}={value}" for name, value in tags])
        n = len(experiment_runs.runs)
        raise TrackerError(f"{'the only run does not have' if n == 1 else f'none of {n} runs has'} the tag {wanted}")
    return with_all


def _listed(
    experiment_runs: ExperimentRuns, listed: Sequence[Run], analysis: ListedRuns
) -> tuple[Study, Mapping[str, int]]:
    """Return runs of an experiment, and the numbers that a report gives to those that it concludes from, by id."""
    from tracker.report.build import report_study
    from tracker.study.metrics import check_logged, in_one_unit, primary_metric
    from tracker.study.study import study_of

    if analysis.metric:
        check_logged(experiment_runs.runs, analysis.metric)
    name, minimise = analysis.metric or experiment_runs.tags.get("tracker.metric"), analysis.minimise
    reported, _ = report_study(experiment_runs.runs, metric=name, minimise=minimise, named=analysis.named)
    runs, listed_ids = in_one_unit(experiment_runs.runs), {run.run_id for run in listed}
    metric = reported.metric if reported.results else primary_metric(runs, name, minimise=minimise)
    shown = [run for run in runs if run.run_id in listed_ids]
    study = study_of(shown, metric, alpha=0.05, margin=0.05, roles=reported.design.roles)
    return study, {result.run_id: result.number for result in reported.results}


def _record(study: Study, position: int, numbers: Mapping[str, int]) -> dict[str, object]:
    """Return a run as JSON; what is unknown is null."""
    from tracker.store import PROGRAMS_TAGS

    result = study.results[position]
    run = result.run
    return {
        "run_id": run.run_id,
        "name": run.name,
        "number": numbers.get(run.run_id),
        "status": run.status,
        "reason": run.tags.get(REASON_TAG),
        "sent": UNSENT_TAG not in run.tags,
        "options": {
            option: study.design.level(position, option) if study.design.has(position, option) else None
            for option in study.design.options
        },
        "split": {part: study.design.split_level(position, part) for part in study.design.split_parts},
        "validation": {"correct": result.correct, "n": result.n} if result.correct is not None else None,
        "metric": {"name": study.metric.name, "value": result.score},
        "val_loss": result.val_loss,
        "best_epoch": result.best_epoch,
        "stop_epoch": result.stop_epoch,
        "tags": {name: value for name, value in run.tags.items() if not name.startswith(PROGRAMS_TAGS)},
        "started": run.started,
        "ended": run.ended,
    }


def _columns(study: Study, numbers: Mapping[str, int]) -> Iterator[tuple[str, list[str]]]:
    """Yield each column's heading and cells; what is unknown is empty."""
    from tracker.wording import age, digits_apart, fixed_cell, level_cell

    now, results, design = time.time_ns() // 1_000_000, study.results, study.design
    runs = [result.run for result in results]
    yield "number", [_text(numbers.get(run.run_id)) for run in runs]
    yield "run", [run.run_id[:SHORT_ID] for run in runs]
    yield "name", [run.name for run in runs]
    if study.data is not None:
        yield "data set", [study.data_set_of[position] for position in range(len(runs))]
    for option in design.options:
        yield option, [level_cell(option, design.shown_level(position, option)) for position in range(len(runs))]
    for part in design.split_parts:
        yield part, [design.split_level(position, part) for position in range(len(runs))]
    correct = ["" if result.correct is None else f"{result.correct}/{result.n}" for result in results]
    yield "correct", correct
    if not study.metric.is_accuracy or not any(correct):
        scores = [result.score for result in results]
        digits = digits_apart([score for score in scores if score is not None])
        yield study.metric.name, ["" if score is None else fixed_cell(score, digits) for score in scores]
    yield "best", [_text(result.best_epoch) for result in results]
    yield "stop", [_text(result.stop_epoch) for result in results]
    yield "status", [f"{run.status}, not sent" if UNSENT_TAG in run.tags else run.status for run in runs]
    yield "age", [age(now - run.started) if run.started is not None else "" for run in runs]


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


@command("ui", "Start MLflow's UI on the runs.", "tracker ui")
def ui(
    *,
    port: Annotated[int, whole_number("Port on 127.0.0.1", Range(least=1, most=65_535))] = 5000,
    tracking_uri: TrackingUri = None,
) -> int:
    """Start MLflow's UI on this store, on 127.0.0.1, and print its address; Ctrl-C ends it."""

    def announce(address: str) -> None:
        taken = "" if address.endswith(f":{port}") else f"port {port} is taken: "
        log(f"{taken}MLflow's UI is starting at {address}, which takes about 10 s")

    with suppress(KeyboardInterrupt), store_at(tracking_uri).serve_ui(port, announce) as server:
        print_result(server.address)
        log("MLflow's UI is ready; Ctrl-C ends it")
        return server.wait()
    return 0
