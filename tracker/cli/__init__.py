"""The command line: parses, calls the application and prints.

Standard output carries results only; everything else goes to standard error. Exit status: 0 done, 1 failed, 2 wrong
usage. Heavy libraries are imported inside the command that needs them, so that help appears at once.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import typer
import typer.main

from tracker.cli import changes, data, gate, kept, recovery, results, run, sweep  # noqa: F401  (each adds its commands)
from tracker.cli.app import app
from tracker.cli.console import describe_os_error, erase_line, prepare_streams, print_error
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, FAILED, WRONG_USAGE = 0, 1, 2

_NAMED_TWICE = re.compile(r"Invalid value for '(--[a-z-]+)': \1 ")  # what a value must be names its option itself


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error is one line on standard error."""
    prepare_streams()
    sys.exit(_status(arguments))


def _status(arguments: Sequence[str] | None) -> int:
    try:
        status = typer.main.get_command(app).main(arguments, prog_name="tracker", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        words = context.command_path if context else "tracker"
        message = error.format_message().replace("Value error, ", "").removesuffix(".")  # as pydantic begins it
        message = _NAMED_TWICE.sub(r"\1 ", message)
        print_error(f"{message} (see {words} --help)", who=words)
        return WRONG_USAGE
    except (TrackerError, MemoryError) as error:
        is_full = isinstance(error, MemoryError)
        print_error(
            "there is not enough memory for this: free some, or give it less at once" if is_full else str(error)
        )
        return FAILED
    except (typer.Abort, KeyboardInterrupt) as error:
        if not getattr(error.__cause__, "__notes__", ()):  # the notice of a run that was cut short says it better
            erase_line()
            print_error("interrupted")
        return FAILED
    except BrokenPipeError:
        # The reader of our output is gone (`tracker runs | head`): there is nothing more to print or flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        print_error(describe_os_error(error))
        return FAILED
    return status if isinstance(status, int) else DONE
