"""What a fresh interpreter has loaded after an import or a command: heavy libraries only where they are needed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NamedTuple

import pytest
import typer.main

import tracker.cli
from tests.cli.conftest import logger_in

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


class Step(NamedTuple):
    """Something to run, what may not be loaded after it, and a part of what it prints."""

    code: str
    unwanted: tuple[str, ...]
    shown: str = ""


STEPS = {
    "command line": Step("import tracker.cli", (*HEAVY, *SLOW)),
    "help": Step(CALL.format(words=["--help"]), (*HEAVY, *SLOW), "resume"),
    "statistics": Step("import tracker.statistics", (*HEAVY, "numpy")),
    "help of every command": Step(EVERY_HELP, HEAVY, "resume"),
    "store": Step("import tracker.store", HEAVY),
    "options of networks": Step(OPTIONS, ("keras", "tensorflow")),
    "every statistic": Step(STATISTICS, ("scipy.stats", "scipy.special", "tensorflow", "mlflow")),
    "report": Step("import tracker.report", ("scipy.stats", *ANALYSIS)),
    "render": Step("import tracker.render", ("matplotlib", "mlflow", "tensorflow", "PIL")),
    "tracker runs": Step(CALL.format(words=["runs"]), ANALYSIS, "k5"),
    "tracker next": Step(CALL.format(words=["next"]), ANALYSIS, "tracker run"),
    "tracker report as JSON": Step(
        CALL.format(words=["report", "--format", "json"]),
        (*ANALYSIS, "jinja2", "nh3", "markdown_it", "PIL"),
        "tracker.report/2",
    ),
    "tracker compare": Step(CALL.format(words=["compare", "k3", "k5"]), ANALYSIS, "k3"),
    "tracker report": Step(CALL.format(words=["report"]), ANALYSIS, "Conv=3"),
    "a script that trains with numpy": Step(SCRIPT, ("keras", "tensorflow")),
}
"""What is run one after the other in one interpreter: none may load what a later one must not."""


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, set[str]]]:
    """What each step printed in a fresh interpreter in a folder of two runs, and every module loaded after it."""
    folder = tmp_path_factory.mktemp("runs")
    log = logger_in(folder)
    log("1110111011", name="k3", kernel_size="3")
    log("1010101111", name="k5", kernel_size="5")
    told = "import sys; print(chr(0), end='', flush=True); print(chr(0), *sys.modules, chr(0), file=sys.stderr)"
    program = "\n".join(f"{step.code}\n{told}" for step in STEPS.values())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "TRACKER"))}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    printed, loaded = result.stdout.split("\0")[:-1], result.stderr.split("\0")[1::2]
    return {name: (text, set(names.split())) for name, text, names in zip(STEPS, printed, loaded, strict=True)}


@pytest.mark.parametrize("name", STEPS)
def test_no_heavy_library_is_loaded_before_it_is_needed(name: str, after: dict[str, tuple[str, set[str]]]) -> None:
    printed, loaded = after[name]
    assert STEPS[name].shown in printed
    assert not loaded & set(STEPS[name].unwanted)
