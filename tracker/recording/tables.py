"""Tables of results as runs to report on, and what the report says that their columns are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.errors import TrackerError
from tracker.recording.selection import ALL_RUNS, Selection, select_runs_of
from tracker.recording.stores import ExperimentRuns
from tracker.report.data_and_method import FactRow
from tracker.runs import Role, shown
from tracker.table import TableRuns, cells_of, read_cells, runs_of
from tracker.wording import counted, listing, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.study.param_roles import ParamRoles

_MOST_NAMED = 30  # columns of one kind that are named


def load_table(
    table: Any,
    *,
    metrics: Sequence[str] = (),
    params: Sequence[str] = (),
    seeds: Sequence[str] = (),
    selection: Selection = ALL_RUNS,
) -> ExperimentRuns:
    """Read runs from a table: a path, a data frame, or columns by name.

    Columns named in `metrics`, `params` and `seeds` are these, whatever they are called; runs are ranked by the first
    of the metrics. Raises `TrackerError` if it can't be read or isn't a table of runs, and `ValueError` if it is none.
    """
    cells = read_cells(Path(table)) if isinstance(table, str | os.PathLike) else cells_of(table)
    found = runs_of(cells, metrics=metrics, params=params, seeds=seeds)
    known = {*cells.header, *found.params, *found.metrics}
    for name in (*params, *seeds):
        if name not in known:
            raise cells.fail(f"it has no column {shown(name)}: its columns are {some([*cells.header])}")
    tags = {"tracker.metric": metrics[0]} if metrics else {}
    runs = ExperimentRuns((found.name,), tags, found.runs, found.remarks, None, table=found)
    if selection.filter_string or selection.since:
        raise TrackerError(
            "--filter and --since are for runs of a store: select runs of a table with --runs or --exclude"
        )
    return runs if selection == ALL_RUNS else select_runs_of(runs, selection)


def table_facts(table: TableRuns, roles: ParamRoles) -> tuple[FactRow, ...]:
    """Return what a table was taken as, in rows of a report's table of facts."""
    rows = counted(table.rows, "row")
    named = [name for name in table.params if name not in roles.of_data]
    by_role = {role: [name for name in named if roles.of(name) is role] for role in Role}
    parts = (
        ("data set", [name for name in table.params if name in roles.of_data]),
        ("options", by_role[Role.CONFIGURATION]),
        ("repetitions", by_role[Role.SEED]),
        ("parts of the split", by_role[Role.SPLIT]),
        ("metrics", table.metrics),
        ("not compared", by_role[Role.COMMAND]),
        ("not used", table.unused),
    )
    taken = "; ".join(f"{what}: {_listed(names)}" for what, names in parts if names)
    return (FactRow("Table", f"{table.name}, {rows}, one a {table.each}"), FactRow("Columns taken as", taken))


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return listing([*names[:_MOST_NAMED], *more])
