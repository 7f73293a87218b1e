"""The command line: owns standard output, standard error and the exit status.

Standard output carries results only; everything else goes to standard error. Exit status: 0 done, 1 it could not be
done, 2 wrong usage. Heavy libraries are imported inside the command that needs them, so that help answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracker import __version__
from tracker.cli.compare import compare
from tracker.cli.console import complain, why_failed
from tracker.cli.data import data
from tracker.cli.next import next_command
from tracker.cli.repair import repair
from tracker.cli.report import report
from tracker.cli.resume import close, resume
from tracker.cli.run import run
from tracker.cli.runs import runs
from tracker.cli.sync import sync
from tracker.cli.ui import ui
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, NOT_DONE, WRONG_USAGE = 0, 1, 2


_EXAMPLES = """
\b
Example:
  tracker run --kernel 7 --plateau 0.3,10
  tracker report > REPORT.md
"""


@click.group(epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="tracker %(version)s")
def tracker() -> None:
    """Train audio classifiers, log every run to MLflow, and write the comparison."""


for command in (run, report, next_command, compare, runs, resume, close, sync, repair, ui, data):
    tracker.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error is one line on standard error."""
    _open_closed()
    sys.exit(_status(arguments))


def _open_closed() -> None:
    """Let what is said go nowhere where who called has closed a stream (``>&-``)."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (it stays open to the end)


def _status(arguments: Sequence[str] | None) -> int:
    try:
        status = tracker.main(arguments, prog_name="tracker", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        words = error.ctx.command_path if error.ctx else "tracker"
        complain(f"{error.format_message()} (see {words} --help)", who=words)
        return WRONG_USAGE
    except TrackerError as error:
        complain(str(error))
        return NOT_DONE
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return NOT_DONE
    except BrokenPipeError:
        # The reader of our output has gone (`tracker runs | head`): nothing more to say, and nothing to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        complain(why_failed(error))
        return NOT_DONE
    return status if isinstance(status, int) else DONE
