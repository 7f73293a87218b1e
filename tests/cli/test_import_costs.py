"""What a fresh interpreter has loaded after an import or a command: heavy libraries only where they are needed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer.main

import tracker.cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import LogRun

COMMANDS = sorted(typer.main.get_command(tracker.cli.app).commands)

HEAVY = ("tensorflow", "keras", "mlflow", "sqlalchemy", "librosa", "matplotlib", "scipy", "sklearn", "pandas")
ANALYSIS = tuple(name for name in HEAVY if name != "scipy")
SLOW = ("numpy", "rich", "pydantic", "jinja2", "sqlite3")
"""Not heavy, but together they would double the time that `tracker --help` takes."""

CALL = "import tracker.cli\ntry: tracker.cli.main({words!r})\nexcept SystemExit: pass\n"
EVERY_HELP = "".join(CALL.format(words=[*words.split(), "--help"]) for words in ("", *COMMANDS, "data demo"))
STATISTICS = """
import pkgutil, importlib, tracker.replay, tracker.statistics
for module in pkgutil.iter_modules(tracker.statistics.__path__):
    importlib.import_module(f"tracker.statistics.{module.name}")
"""
SCRIPT = """
import numpy, tracker
with tracker.start_run({"seed": 0}, offline=True) as run:
    run.log_predictions(["a", "b"], ["x", "y"], numpy.eye(2), classes=["x", "y"])
"""
OPTIONS = (
    "from tracker.training.networks import network_names, parse_options; network_names(); parse_options('cnn', {})"
)


def loaded_after(code: str, folder: Path) -> tuple[str, set[str]]:
    """Return what a fresh interpreter prints, and every module that it has loaded after running `code`."""
    report = "\nimport sys; print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", code + report]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return result.stdout, set(result.stderr.splitlines()[-1].split())


def heavy(loaded: set[str], unwanted: tuple[str, ...]) -> set[str]:
    """Return the unwanted modules, dotted or top-level, that are loaded."""
    return {name for name in loaded if name in unwanted}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        pytest.param("import tracker.cli", (*HEAVY, *SLOW), id="command line"),
        pytest.param(CALL.format(words=["--help"]), (*HEAVY, *SLOW), id="help"),
        pytest.param(EVERY_HELP, HEAVY, id="help of every command"),
        pytest.param("import tracker.store", HEAVY, id="store"),
        pytest.param("import tracker.statistics", (*HEAVY, "numpy"), id="statistics"),
        pytest.param(STATISTICS, ("scipy.stats", "scipy.special", "tensorflow", "mlflow"), id="every statistic"),
        pytest.param("import tracker.report", ("scipy.stats", *ANALYSIS), id="report"),
        pytest.param("import tracker.render", ("matplotlib", "mlflow", "tensorflow", "PIL"), id="render"),
        pytest.param(OPTIONS, ("keras", "tensorflow"), id="options of networks"),
        pytest.param(SCRIPT, ("keras", "tensorflow"), id="a script that trains with numpy"),
    ],
)
def test_import_loads_no_heavy_library(code: str, unwanted: tuple[str, ...], tmp_path: Path) -> None:
    _, loaded = loaded_after(code, tmp_path)
    assert not heavy(loaded, unwanted)


@pytest.fixture
def two_runs(log_run: LogRun) -> None:
    log_run("1110111011", name="k3", kernel_size="3")
    log_run("1010101111", name="k5", kernel_size="5")


@pytest.mark.usefixtures("two_runs")
@pytest.mark.parametrize(
    ("words", "shown", "unwanted"),
    [
        ("report", "Conv=3", ANALYSIS),
        ("compare k3 k5", "k3", ANALYSIS),
        ("next", "tracker run", ANALYSIS),
        ("runs", "k5", ANALYSIS),
    ],
)
def test_command_on_a_store_loads_neither_mlflow_nor_tensorflow(
    words: str, shown: str, unwanted: tuple[str, ...], tmp_path: Path
) -> None:
    printed, loaded = loaded_after(CALL.format(words=words.split()), tmp_path / "work")
    assert shown in printed
    assert not heavy(loaded, unwanted)
