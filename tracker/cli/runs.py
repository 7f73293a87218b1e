"""``tracker runs`` and ``tracker ui``: the runs of an experiment as a table, as JSON, or in MLflow's UI."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tracker.cli.app import command
from tracker.cli.console import log, print_result, print_tables, table
from tracker.cli.options import Experiment, TrackingUri, read_runs, store_at, whole_number
from tracker.runs import DEFAULT_EXPERIMENT, REASON_TAG, UNSENT_TAG, RunStatus, is_resumable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.study.study import Study


@command("runs", "List the runs.", "tracker runs", "tracker runs --format json")
def runs(
    *,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="For a terminal or programs.")] = "table",
    experiment: Experiment = DEFAULT_EXPERIMENT,
    tracking_uri: TrackingUri = None,
) -> None:
    """List the runs: the options that differ, accuracy or another primary metric, epochs, status and age."""
    from tracker.recording.stores import HOST_TAG, interrupted_message
    from tracker.study.metrics import primary_metric
    from tracker.study.study import study_of

    experiment_runs = read_runs(experiment, tracking_uri)
    metric = primary_metric(experiment_runs.runs, experiment_runs.tags.get("tracker.metric"))
    study = study_of(experiment_runs.runs, metric, alpha=0.05, margin=0.05)
    if form == "json":
        print_result(json.dumps([_record(study, run) for run in range(len(experiment_runs.runs))], indent=2))
    else:
        columns = [(heading, cells) for heading, cells in _columns(study) if any(cells)]
        left = {"run", "name", "status", *study.design.options}
        numeric = {place for place, (heading, _) in enumerate(columns) if heading not in left}
        rows = zip(*(cells for _, cells in columns), strict=True)
        print_tables(table([heading for heading, _ in columns], rows, numeric))
    for run in experiment_runs.runs:
        host, resumable = run.tags.get(HOST_TAG), is_resumable(run.tags)
        if run.status is RunStatus.INTERRUPTED or host:
            log(interrupted_message(run.name, run.run_id, experiment_runs.store, resumable=resumable, host=host))


def _record(study: Study, position: int) -> dict[str, object]:
    """Return a run as JSON; what is unknown is null."""
    result = study.results[position]
    run = result.run
    return {
        "run_id": run.run_id,
        "name": run.name,
        "status": run.status,
        "reason": run.tags.get(REASON_TAG),
        "sent": UNSENT_TAG not in run.tags,
        "options": {
            option: study.design.level(position, option) if study.design.has(position, option) else None
            for option in study.design.options
        },
        "validation": {"correct": result.correct, "n": result.n} if result.correct is not None else None,
        "metric": {"name": study.metric.name, "value": result.score},
        "val_loss": result.val_loss,
        "best_epoch": result.best_epoch,
        "stop_epoch": result.stop_epoch,
        "started": run.started,
        "ended": run.ended,
    }


def _columns(study: Study) -> Iterator[tuple[str, list[str]]]:
    """Yield each column's heading and cells; what is unknown is empty."""
    from tracker.runs.logged import SHORT_ID
    from tracker.wording import age, digits_apart

    now, results, design = time.time_ns() // 1_000_000, study.results, study.design
    runs = [result.run for result in results]
    yield "run", [run.run_id[:SHORT_ID] for run in runs]
    yield "name", [run.name for run in runs]
    for option in design.options:
        yield option, [design.level(position, option) for position in range(len(runs))]
    correct = ["" if result.correct is None else f"{result.correct}/{result.n}" for result in results]
    yield "correct", correct
    if not study.metric.is_accuracy or not any(correct):
        digits = digits_apart([result.score for result in results if result.score is not None])
        yield study.metric.name, ["" if result.score is None else f"{result.score:.{digits}f}" for result in results]
    yield "best", [_text(result.best_epoch) for result in results]
    yield "stop", [_text(result.stop_epoch) for result in results]
    yield "status", [f"{run.status}, not sent" if UNSENT_TAG in run.tags else run.status for run in runs]
    yield "age", [age(now - run.started) if run.started is not None else "" for run in runs]


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


@command("ui", "Start MLflow's UI on the runs.", "tracker ui")
def ui(
    *, port: Annotated[int, whole_number("Port on 127.0.0.1", 1, 65_535)] = 5000, tracking_uri: TrackingUri = None
) -> int:
    """Start MLflow's UI on this store, on 127.0.0.1, and print its address; Ctrl-C ends it."""
    with suppress(KeyboardInterrupt), store_at(tracking_uri).serve_ui(port) as server:
        if server.port != port:
            log(f"port {port} is taken")
        print_result(server.address)
        log("MLflow's UI is ready; Ctrl-C ends it")
        return server.wait()
    return 0
