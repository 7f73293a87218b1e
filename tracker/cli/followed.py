"""A sweep as the terminal shows it: asked about before it takes long, a line a run, what failed at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from tracker.cli.console import log, print_error, print_result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.recording.answering import Trained
    from tracker.recording.sweep import Sweep
    from tracker.recording.workers import RunOutcome

_ASKED_S = 600.0  # seconds from which on a person is asked before so much is trained


def _is_wanted(opened: Sweep) -> bool:
    """Ask a person before much is trained; return whether to start."""
    if (opened.expected or 0.0) <= _ASKED_S or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    is_wanted = typer.confirm("Start?", default=True, err=True)
    if not is_wanted:
        log("nothing was trained")
    return is_wanted


def train_opened(opened: Sweep, *, yes: bool, show: Callable[[str], None] = print_result) -> int:
    """Train a sweep, if a person wants that, and print the id of each run as soon as it is there."""
    if not (yes or _is_wanted(opened)):
        return 1
    return 1 if follow(opened, show).failures else 0


def follow(opened: Sweep, show: Callable[[str], None] = print_result) -> Trained:
    """Train a sweep and print each run that has ended."""
    from tracker.recording.answering import Trained

    failed: list[RunOutcome] = []
    new: list[str] = []
    finished, total = 0, len(opened.tasks)
    try:
        for outcome in opened.train():
            if outcome.error:
                failed.append(outcome)
                log(f"run {outcome.name} failed: {outcome.error}")
                continue
            finished += 1
            new += [] if outcome.is_old else [str(outcome.run_id)]
            line = f"{finished}/{total}  {outcome.name}: {_result(outcome)}"
            if sys.stdout.isatty():
                show(f"{line}  {outcome.run_id}") if not outcome.is_old else None
            else:
                if not outcome.is_old:
                    log(line)
                show(str(outcome.run_id))
    except KeyboardInterrupt as error:
        notice = f"interrupted: {finished} of {total} runs are finished; the same command continues"
        log(notice)
        error.add_note(notice)  # so that it is not said again
        raise
    if unsent := opened.upload():
        log(unsent)
    if failed:
        names = [outcome.name for outcome in failed]
        print_error(f"{len(failed)} of {total} runs failed: {_some(names)}; the same command tries them again")
    return Trained(tuple(new), tuple(failed))


def _some(names: Sequence[str]) -> str:
    from tracker.wording import some

    return some(names)


def _result(outcome: RunOutcome) -> str:
    """Return what a run came to, in a few words."""
    from tracker.wording import fixed, percent

    parts = [f"validation accuracy {percent(outcome.accuracy)}"] if outcome.accuracy is not None else []
    parts += [f"loss {fixed(outcome.loss, 3)}"] if outcome.loss is not None else []
    return f"{', '.join(parts)} ({fixed(outcome.seconds, 0)} s)"
