"""One more field in the plan is one more option everywhere: in a copy of the source with `--warm-up`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tracker

SOURCE = Path(tracker.__file__).parent
BEFORE = "    batch_size: int = field("
FIELD = """\
    warm_up: float = field(default=0.0, metadata=option(
        flag="--warm-up", panel=Panel.TRAINING, range=Range(least=0), words="warm-up",
        help="Penalty on large weights", title_format="decay={}", name_format="wd{}", acts_late=True,
    ))  # fmt: skip
"""
SCRIPT = """
import json
from tracker.conclusions.learning_rate import _ACT_LATE
from tracker.next_steps.command_line import CommandWriter
from tracker.report.build import title
from tracker.runs import OfNetwork, Run, RunStatus, plan_of, plan_with, reserved_for
from tracker.study.options import design_of
from tracker.wording import change_words, option_words

plan = plan_with({"warm_up": 0.01, "epochs": 30, "batch_size": 16})
params = plan.params()
design = design_of([params, plan_with({}).params()])
run = Run("1" * 32, "a run", RunStatus.FINISHED, params, {"tracker.version": "1"}, {}, {})
try:
    plan_with({"warm_up": -1.0})
except ValueError as error:
    refused = str(error)
print(json.dumps({
    "params": params,
    "read back": plan_of(params, lambda name, own: OfNetwork(tuple(own.items()))) == plan,
    "name": plan.run_name(),
    "refused": refused,
    "command": CommandWriter("tracker").train_again(run, {}, 0),
    "changed": CommandWriter("tracker").train_again(run, {"warm_up": "0.1"}, 0),
    "words": [option_words("warm_up"), change_words("warm_up", "0", "0.01")],
    "title": title(design, 0),
    "order": design.options,
    "late": "warm_up" in _ACT_LATE,
    "reserved": reserved_for("warm_up"),
}))
"""
CLASHING = '''
def build(input_shape, n_classes, *, kernel_size: int = 3, warm_up: float = 0.1):
    """Return a network."""
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with one more option."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("tracker", "models", "reports"):
        shutil.copytree(SOURCE.parent / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "figures"))
    planned = folder / "tracker" / "runs" / "planned.py"
    text = planned.read_text()
    assert text.count(BEFORE) == 1
    planned.write_text(text.replace(BEFORE, FIELD + BEFORE))
    return folder


def python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(copy), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def found(copy: Path) -> dict[str, Any]:
    result = python(copy, "-c", SCRIPT)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


class TestAnOptionAddedToTheTable:
    def test_an_option_added_to_the_table_is_logged_and_read_back(self, found: dict[str, Any]) -> None:
        assert found["params"]["warm_up"] == "0.01"
        assert found["read back"]

    def test_an_option_added_to_the_table_stands_in_the_names_and_titles_of_runs(self, found: dict[str, Any]) -> None:
        assert found["name"] == "k3-lr0.001-epochs30-wd0.01-batch16-s0"
        assert found["title"].startswith("Conv=3, lr=0.001, decay=0.01, ")

    def test_an_option_added_to_the_table_is_checked_by_its_range(self, found: dict[str, Any]) -> None:
        assert found["refused"] == "warm_up: the warm-up must be a finite number at least 0, got -1"

    def test_an_option_added_to_the_table_stands_in_suggested_commands(self, found: dict[str, Any]) -> None:
        start = "tracker run --kernel 3 --lr 0.001 --epochs 30 --warm-up"
        assert " ".join(found["command"]) == f"{start} 0.01 --batch-size 16"
        assert " ".join(found["changed"]) == f"{start} 0.1 --batch-size 16"

    def test_an_option_added_to_the_table_has_words_and_a_place_in_the_order(self, found: dict[str, Any]) -> None:
        assert found["words"] == ["warm-up", "warm-up 0.01 instead of 0"]
        assert found["order"] == ["epochs", "warm_up", "batch_size"]
        assert found["late"]

    def test_reserves_its_name(self, copy: Path, found: dict[str, Any]) -> None:
        assert found["reserved"] == "the option --warm-up"
        (copy / "models" / "clashing.py").write_text(CLASHING)
        result = python(copy, "-m", "tracker", "run", "--model", "clashing")
        assert result.returncode != 0
        assert "option warm_up of `build` clashes with the option --warm-up of `tracker run`" in result.stderr

    def test_an_option_added_to_the_table_is_in_help_and_taken_by_the_command_line(self, copy: Path) -> None:
        shown = python(copy, "-m", "tracker", "run", "--help").stdout
        (line,) = [line for line in shown.splitlines() if "--warm-up" in line]
        assert "Penalty on large weights (at least 0)." in shown
        assert shown.index("Training") < shown.index(line) < shown.index("Network")
        refused = python(copy, "-m", "tracker", "run", "--warm-up", "-1")
        assert refused.returncode == 2
        assert "the warm-up must be a finite number at least 0, got -1" in refused.stderr

    def test_an_option_added_to_the_table_is_the_guess_for_its_other_spelling(self, copy: Path) -> None:
        assert "--warm-up" in python(copy, "-m", "tracker", "run", "--warm_up", "1").stderr
