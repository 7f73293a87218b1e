"""The examples of Python in the README and in docs/ run as they stand, one after the other in one folder."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import tracker
from tests.builders import write_tone

README = Path(__file__).parents[1] / "README.md"
LOGGING = README.parent / "docs" / "log-your-own-runs.md"
TRIED_BY_HAND = re.compile(r"^(?:import|from) (?:keras|torch|lightning|transformers|xgboost|sklearn)", re.MULTILINE)


def examples() -> list[str]:
    section = README.read_text(encoding="utf-8").partition("\n## From Python\n")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


@pytest.mark.xdist_group("keras")
def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for label, hertz in (("high", 2_000.0), ("low", 200.0)):
        for number in range(5):
            write_tone(tmp_path / f"genres/{label}/{number}.wav", hertz * (1 + number / 50), seed=number)
    names: dict[str, object] = {}
    ran = [text for text in examples() if "import torch" not in text or find_spec("torch")]
    for text in ran:
        exec(compile(text, "README.md", "exec"), names)  # noqa: S102  (our own README)
    assert len(ran) >= 4
    assert "(reports/figures/" in Path("REPORT.md").read_text(encoding="utf-8")
    assert len(tracker.load_runs()) == 1
    mine = tracker.load_runs(experiment="mine")
    assert [run.status for run in mine] == ["FINISHED"] * len(mine)
    assert {run.validation.clips for run in mine if run.validation} == {tuple(str(n) for n in range(40, 60))}
    assert len(tracker.build_report(mine).entries) == len(mine) >= 4


def test_runs_logged_as_the_guide_says_are_compared_sample_by_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")})
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    names: dict[str, object] = {}
    for text in re.findall(r"```python\n(.*?)```", LOGGING.read_text(encoding="utf-8"), re.DOTALL):
        if not TRIED_BY_HAND.search(text):
            exec(compile(text, LOGGING.name, "exec"), names)  # noqa: S102  (our own page)
    study = tracker.build_report(tracker.load_runs("mlflow.db", experiment="mine"))
    assert [(entry.result.n, entry.result.correct is not None) for entry in study.entries] == [(100, True)] * 3
    assert len({entry.result.clip_set for entry in study.entries}) == 1


def test_tables_of_the_guide_are_read() -> None:
    tables = re.findall(r"```csv\n(.*?)```", LOGGING.read_text(encoding="utf-8"), re.DOTALL)
    rows = [[line.split(",") for line in table.splitlines()] for table in tables]
    found = [tracker.read_table(dict(zip(header, zip(*body, strict=True), strict=True))) for header, *body in rows]
    assert [(len(runs), runs.table.each) for runs in found if runs.table] == [
        (4, "run"), (2, "run and sample"), (2, "run and epoch"),
    ]  # fmt: skip
