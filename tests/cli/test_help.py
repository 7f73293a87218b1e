"""Every command explains itself, with an example; the README and the help name the same commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from tests.running import FULL, TRACKER, needs_full
from tracker.cli import app

if TYPE_CHECKING:
    from tests.running import Tracker

README = Path(__file__).parents[2] / "README.md"


def commands(of: TyperGroup, words: tuple[str, ...] = ()) -> dict[str, TyperCommand]:
    """Return every command that does something, with the words that call it."""
    found: dict[str, TyperCommand] = {}
    for name, command in of.commands.items():
        path = (*words, name)
        found |= commands(command, path) if isinstance(command, TyperGroup) else {" ".join(path): command}
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("words", COMMANDS)
class TestHelp:
    def test_has_an_example_of_the_command(self, tracker: Tracker, words: str) -> None:
        result = tracker(*words.split(), "--help")
        assert result.status == 0
        assert f"  tracker {words}" in result.out.split("Example")[1]

    def test_explains_every_option(self, words: str) -> None:
        command = COMMANDS[words].make_context(words, [], resilient_parsing=True).command
        unexplained = [param.name for param in command.params if isinstance(param, TyperOption) and not param.help]
        assert unexplained == []

    def test_is_of_a_command_that_the_readme_names(self, words: str) -> None:
        assert f"`tracker {words}`" in README.read_text()


def test_the_help_of_run_lists_the_networks_own_options(tracker: Tracker) -> None:
    said = tracker("run", "--help").out.split("Options of --model cnn:")[1]
    assert "--dropout FLOAT" in said
    assert "[default: 0.3]" in said


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["--help", "run --help", "--version"])
def test_that_nobody_can_take_is_one_line_and_no_traceback(words: str, unbuffered: str) -> None:
    with FULL.open("w") as full:
        result = subprocess.run(
            [TRACKER, *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            text=True,
            check=False,
        )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("tracker: ")
    assert "No space left on device; see " in line
    assert "standard output" in line


@pytest.mark.parametrize("words", ["--version", "data --help"])
def test_that_nobody_wants_is_no_error(words: str) -> None:
    called = subprocess.run(["sh", "-c", f'"$0" {words} >&-', TRACKER], capture_output=True, text=True, check=False)
    assert (called.returncode, called.stderr) == (0, "")
