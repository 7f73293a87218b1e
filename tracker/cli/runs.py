"""``tracker runs``: the runs of an experiment as a table, or as JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from tracker.cli.options import locate_store, store_options
from tracker.cli.terminal import plain, warn_of_unreadable

if TYPE_CHECKING:
    from tracker.conclusions.outcomes import Outcome
    from tracker.conclusions.study import Study

_EXAMPLES = """
\b
Examples:
  tracker runs
  tracker runs --format json
"""

_SHORT_ID = 8
_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_WIDE = 200
"""Columns of the table where there is no terminal to measure."""


@click.command(epilog=_EXAMPLES, short_help="List the runs.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to list."
)
@store_options
def runs(*, form: str, experiment: str, tracking_uri: str | None) -> None:
    """List the runs: the options that differ, accuracy, best and stop epoch, status and age."""
    from tracker.cli.reading import read_all
    from tracker.conclusions.outcomes import primary_metric
    from tracker.conclusions.study import study_of

    held = read_all(locate_store(tracking_uri), experiment, by_epoch=0)
    warn_of_unreadable(held)
    metric = primary_metric(held.runs, held.tags.get("tracker.metric"))
    study = study_of(held.runs, metric, alpha=0.05, margin=0.05)
    if form == "json":
        click.echo(json.dumps([_record(study, run) for run in range(len(held.runs))], indent=2))
    else:
        _print_table(study, now=time.time_ns() // 1_000_000)


def _record(study: Study, position: int) -> dict[str, object]:
    """Return a run for programs; what is not known is null."""
    found = study.outcomes[position]
    run = found.run
    return {
        "run_id": run.run_id,
        "name": run.name,
        "status": run.status,
        "options": {option: study.design.level(position, option) for option in study.design.options},
        "validation": {"correct": found.correct, "n": found.n} if found.correct is not None else None,
        "val_loss": found.val_loss,
        "best_epoch": found.best_epoch,
        "stop_epoch": found.stop_epoch,
        "started": run.started,
        "ended": run.ended,
    }


def _print_table(study: Study, now: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    headings = ["run", "name", *study.design.options, "right", "best", "stop", "status", "age"]
    for heading in headings:
        table.add_column(plain(heading), justify="right" if heading in {"right", "best", "stop", "age"} else "left")
    for position, found in enumerate(study.outcomes):
        table.add_row(*(Text(plain(cell)) for cell in _cells(study, position, found, now)))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE).print(table)


def _cells(study: Study, position: int, found: Outcome, now: int) -> list[str]:
    run, design = found.run, study.design
    return [
        run.run_id[:_SHORT_ID],
        run.name,
        *(design.level(position, option) for option in design.options),
        f"{found.correct}/{found.n}" if found.correct is not None else "",
        _text(found.best_epoch),
        _text(found.stop_epoch),
        run.status,
        _age(now - run.started) if run.started is not None else "",
    ]


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def _age(milliseconds: int) -> str:
    """Return a stretch of time in its largest unit."""
    seconds = max(0, milliseconds // 1_000)
    size, unit = next((age for age in _AGES if seconds >= age[0]), _AGES[-1])
    return f"{seconds // size} {unit}"
