"""The published schema of the JSON report: that of the code, and true of every report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from tests.builders import HOSTILE, diverged_run, grid, make_run, runs_on_sets, writeup_runs
from tracker.conclusions.conclusion import KindName
from tracker.render import render_json, report_schema
from tracker.report import build_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.runs import Run

PUBLISHED = Path(__file__).parents[2] / "docs/report.schema.json"
SCHEMA: dict[str, Any] = json.loads(report_schema())


def seeded_runs(groups: int = 0) -> list[Run]:
    """Eighteen runs with curves, two learning rates and three seeds, on twenty clips."""
    rng = np.random.default_rng(1)
    params = [of | {"early_stopping_patience": "4"} for of in grid("357", "0.1 0.01", "012")]
    falling = [1.0, 0.8, 0.7, 0.65, 0.66, 0.64, 0.67, 0.70, 0.72, 0.75]
    named = [f"artist {clip % groups}" for clip in range(20)] if groups else None
    return [
        make_run(
            number,
            "".join(rng.choice(["0", "1"], 20, p=(0.3, 0.7))),
            of,
            groups=named,
            loss=[1.0 - 0.1 * epoch for epoch in range(10)],
            val_loss=falling,
            learning_rate=[0.1] * 5 + [0.05] * 5,
        )
        for number, of in enumerate(params, start=1)
    ]


EXPERIMENTS: dict[str, Sequence[Run]] = {
    "none": [],
    "writeup": writeup_runs(),
    "seeds": seeded_runs(),
    "groups": seeded_runs(groups=7),
    "diverged": [diverged_run()],
    "without predictions": [make_run(1), make_run(2, params={"kernel_size": "5"})],
    "folds": runs_on_sets({"3": ["110", "101", "011"], "5": ["100", "000", "010"]}, lambda n: {"fold": f"{n + 1}/3"}),
    "failed": [make_run(1, "110"), make_run(2, "111", status="FAILED")],
}


class TestReportSchema:
    def test_the_published_schema_is_that_of_the_code(self) -> None:
        assert PUBLISHED.read_text() == report_schema(), "make schema writes it"

    def test_the_schema_is_a_schema_with_every_kind_of_conclusion(self) -> None:
        Draft202012Validator.check_schema(SCHEMA)
        of_kind = SCHEMA["$defs"]["Conclusion"]["allOf"]
        assert [each["if"]["properties"]["kind"]["const"] for each in of_kind] != []
        assert {each["if"]["properties"]["kind"]["const"] for each in of_kind} == set(KindName.__args__)
        assert all(each["then"]["properties"]["details"]["anyOf"] for each in of_kind)

    @pytest.mark.parametrize("name", EXPERIMENTS)
    def test_every_report_is_valid(self, name: str) -> None:
        document = json.loads(render_json(build_report(name, EXPERIMENTS[name])))
        assert not [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)]

    def test_hostile_text_is_valid(self) -> None:
        runs = [
            replace(run, name=text, note=text, params=run.params | {text or "empty": text})
            for run, text in zip(seeded_runs() * 2, HOSTILE, strict=False)
        ]
        runs = [replace(run, run_id=f"{number:032x}") for number, run in enumerate(runs)]
        document = json.loads(render_json(build_report("".join(HOSTILE), runs)))
        assert not [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)]

    def test_evidence_of_another_kind_is_not_valid(self) -> None:
        document = json.loads(render_json(build_report("e", EXPERIMENTS["seeds"])))
        first, *_ = document["conclusions"]
        first["details"] = {"barks": 7}
        (error,) = Draft202012Validator(SCHEMA).iter_errors(document)
        assert list(error.absolute_path) == ["conclusions", 0, "details"]
