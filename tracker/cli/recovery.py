"""``tracker resume``, ``close``, ``sync`` and ``repair``: what helps after a run or its store was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.app import command
from tracker.cli.console import ConsoleReporter, log, print_error, print_result
from tracker.cli.options import RunName, TrackingUri, store_at
from tracker.runs import RunStatus, is_resumable
from tracker.runs.facts import is_sweep

_Gone = Annotated[
    bool, typer.Option("--gone", help="Treat the run as dead. Needed if it was started on another machine.")
]


@command(
    "resume",
    "Continue an interrupted run.",
    "tracker resume 3f2a9c41",
    "tracker resume k7-lr0.0001-s0",
    "tracker resume 3f2a9c41 --data /mnt/music",
    "tracker resume 3f2a9c41 --model ~/nets/mine.py",
)
def resume(
    *,
    run: RunName,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            show_default="where it was",
            help="Where the data is now, if it was moved, or its audio alone: the folder of --audio-root, or the local "
            "copy of a data set of mirdata or soundata; it must be unchanged.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            show_default="where it was",
            help="Its network, if that was moved or lies outside the project; its code must be unchanged.",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Don't contact the store until `tracker sync`.")] = False,
    gone: _Gone = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Continue an interrupted run after its last finished epoch, with the same result; prints the run's id."""
    from tracker.recording.resume import resume_run

    store = store_at(tracking_uri)
    print_result(resume_run(run, store, ConsoleReporter(), data=data, model=model, offline=offline, gone=gone))


@command("close", "End an interrupted run as it is.", "tracker close 3f2a9c41")
def close(*, run: RunName, gone: _Gone = False, tracking_uri: TrackingUri = None) -> None:
    """Mark an interrupted run as killed, keeping the epochs it has; prints the run's id."""
    from tracker.recording.resume import close_run

    print_result(close_run(run, store_at(tracking_uri), ConsoleReporter(), gone=gone))


@command(
    "sync",
    "Send runs logged while the store was away.",
    "tracker sync",
    "tracker sync --tracking-uri http://127.0.0.1:5000",
)
def sync(*, tracking_uri: TrackingUri = None) -> int:
    """Send the store's runs that are not in it yet; prints their ids.

    Runs of this folder that are logged to another store are only listed, with the command that sends them there.
    It can be interrupted and repeated: the next call continues where this one stopped.
    """
    from tracker.recording.stores import interrupted_message
    from tracker.recording.uploader import JournalProblem, OtherStore, sync_runs

    results = failures = 0
    store = store_at(tracking_uri)
    for result in sync_runs(store):
        results += 1
        if isinstance(result, JournalProblem):
            failures += 1
            print_error(result.message)
        elif isinstance(result, OtherStore):
            where = f"it is logged to {result.shown}, not to {store.shown}"
            log(f"run {result.name} is not sent: {where}; `{result.command}` sends it there")
        elif result.error:
            failures += 1
            print_error(f"run {result.name} is not sent: {result.error}")
        elif result.run_id is None:
            log(f"run {result.name} is being sent by another process")
        else:
            if result.journal.status is RunStatus.INTERRUPTED and not is_sweep(result.journal.started.tags):
                resumable = is_resumable(result.journal.started.tags)
                log(interrupted_message(result.name, result.journal.id, store, resumable=resumable))
            print_result(result.run_id)
    if not results:
        log("Nothing to upload.")
    return 1 if failures else 0


@command(
    "repair",
    "Repair a damaged or moved store.",
    "tracker repair",
    "tracker repair --dry-run",
    "tracker repair --tracking-uri sqlite:///runs/mlflow.db",
)
def repair(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
    tracking_uri: TrackingUri = None,
) -> int:
    """Repair a store that is damaged, missing, moved or lacks runs; prints the ids of rebuilt runs and the new paths.

    A damaged store is moved aside and rebuilt from the journals in .tracker/; a rebuilt run has a new id. If the store
    was moved or copied, the paths of its artifacts are rewritten, so that MLflow finds them too, and a copy of the old
    store is kept. Nothing is deleted, and a healthy store or another program's file is left alone. A tracking server
    only receives what it lacks. What will be done is printed first.
    """
    from tracker.recording.uploader import JournalProblem, MovedArtifacts, repair_store

    failures = 0
    for done in repair_store(store_at(tracking_uri), ConsoleReporter(), dry_run=dry_run):
        match done:
            case MovedArtifacts(place):
                print_result(place)
            case JournalProblem(message):
                failures += 1
                print_error(message)
            case _ if done.run_id:
                print_result(done.run_id)
            case _:
                failures += 1
                busy = "is being sent by another process: run `tracker repair` again once that has ended"
                print_error(f"run {done.name} {f'is not rebuilt: {done.error}' if done.error else busy}")
    return 1 if failures else 0
