"""What a shell offers when a person presses Tab: networks, experiments and runs.

Nothing is created, MLflow is not imported, and whatever goes wrong stays silent, since a shell shows all that is
printed here.
"""

from __future__ import annotations

import shlex
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer  # noqa: TC002  (Typer reads annotations)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.store import RunName

Item = str | tuple[str, str]
"""A word, and what it is: zsh and fish show that too."""


def networks(incomplete: str) -> list[str]:
    """Return the names of the networks, or the Python files that a path may go on to."""
    with suppress(Exception):
        from tracker.training.networks import is_path, network_names

        if not (incomplete.startswith(".") or is_path(incomplete)):
            return list(network_names())
        start = incomplete.rpartition("/")[0] + "/" if "/" in incomplete else ""
        folder = Path(start or ".").expanduser()
        folders = [f"{start}{path.name}/" for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
        return sorted([*folders, *(f"{start}{path.name}" for path in folder.glob("*.py"))])
    return []


def experiments(ctx: typer.Context) -> list[str]:
    """Return the names of the experiments that have runs."""
    return list(dict.fromkeys(run.experiment for run in _runs(ctx) if _is_plain(run.experiment)))


def runs(ctx: typer.Context, incomplete: str) -> list[Item]:
    """Return the names of runs, or the ids of those that share a name; ids alone if one is being typed."""
    from tracker.recording.locations import SHORT_ID

    experiment, first = ctx.params.get("experiment"), ctx.params.get("first")
    candidates = [
        run
        for run in _runs(ctx)
        if experiment in {None, run.experiment}
        and not (first and (run.name == first or run.run_id.startswith(first.lower())))
    ]
    times = Counter(run.name for run in candidates)
    by_name = [(run.name, run.run_id[:SHORT_ID]) for run in candidates if times[run.name] == 1 and _is_plain(run.name)]
    by_id = [(run.run_id[:SHORT_ID], run.name) for run in candidates]
    named = {run_id for _, run_id in by_name}
    return [*by_name, *(item for item in by_id if incomplete or item[0] not in named)]


def _runs(context: typer.Context) -> Sequence[RunName]:
    with suppress(Exception):
        from tracker.recording.locations import find_store
        from tracker.recording.read_runs import run_names

        return run_names(find_store(context.params.get("tracking_uri")))
    return ()


def _is_plain(text: str) -> bool:
    """Return whether a shell takes a text as it is, as one word."""
    return bool(text) and text.isprintable() and shlex.quote(text) == text
