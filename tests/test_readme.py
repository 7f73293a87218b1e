"""The README's examples of Python run as they stand, one after the other in one folder."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import tracker
from tests.builders import write_tone

README = Path(__file__).parents[1] / "README.md"


def examples() -> list[str]:
    section = README.read_text(encoding="utf-8").partition("\n## From Python\n")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


@pytest.mark.xdist_group("keras-1")
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
