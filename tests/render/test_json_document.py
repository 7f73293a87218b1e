from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.builders import changed
from tracker.conclusions.conclusion import Details
from tracker.render.json_document import render_json
from tracker.statistics.proportions import wilson


@dataclass(frozen=True, slots=True)
class Made(Details):
    from_: str = "off"
    share: float = math.inf
    many: tuple[int, ...] = (1, 2)
    flag: object = None


def document(report) -> dict[str, object]:
    def refuse(name: str) -> float:
        pytest.fail(f"{name} is no JSON")

    return json.loads(render_json(report), parse_constant=refuse)


class TestRenderJson:
    def test_render_json_has_the_schemas_keys(self, report) -> None:
        found = document(report)
        assert list(found) == ["schema", "experiment", "metric", "runs", "conclusions", "next", "excluded"]
        assert (found["schema"], found["experiment"], found["metric"]) == ("tracker.report/1", "genres", "val_accuracy")

    def test_a_run_has_its_count_and_interval(self, report) -> None:
        run = document(report)["runs"][2]
        assert list(run) == ["run_id", "name", "title", "status", "params", "metrics", "validation"]
        assert run["validation"] == {"correct": 26, "n": 30, "interval": list(wilson(26, 30))}
        assert run["params"] == {"kernel_size": "3", "learning_rate": "0.001", "seed": "0"}

    def test_what_is_not_known_is_null(self, report) -> None:
        alone = replace(report.sections[0], entries=(changed(report.entries[0], correct=None),))
        assert document(replace(report, sections=(alone,)))["runs"][0]["validation"] is None
        assert document(report)["conclusions"][0]["interval"] is None

    def test_a_number_that_is_none_is_null(self, report) -> None:
        assert math.isnan(report.entries[0].run.metrics["lost"])
        assert document(report)["runs"][0]["metrics"]["lost"] is None

    def test_a_conclusion_has_the_schemas_fields(self, report) -> None:
        found = document(report)["conclusions"][2]
        assert list(found) == [
            "id", "kind", "verdict", "option", "runs", "estimate", "interval", "p_value", "p_adjusted", "n", "method",
            "sentence", "details", "command",
        ]  # fmt: skip
        assert found["id"] == f"run_difference:{3:032x},{4:032x}"
        assert (found["p_value"], found["p_adjusted"], found["interval"]) == (0.5, 1.0, [-0.0512, 0.2218])

    def test_details_are_the_typed_evidence(self, report) -> None:
        details = document(report)["conclusions"][3]["details"]
        assert details["own"] == 20
        assert details["patiences"][1] == {
            "patience": 30, "stop_epoch": None, "kept_epoch": None, "epochs_saved": None, "censored": True,
            "val_loss": None, "correct": None, "clips_changed": None,
        }  # fmt: skip

    def test_render_json_names_that_python_keeps_for_itself_are_written_as_they_are_meant(self, report) -> None:
        details = Made(flag=np.bool_(1))
        made = replace(report, conclusions=(replace(report.conclusions[0], details=details),))
        assert document(made)["conclusions"][0]["details"] == {
            "from": "off",
            "share": None,
            "many": [1, 2],
            "flag": True,
        }

    def test_next_and_excluded_are_as_in_the_schema(self, report) -> None:
        found = document(report)
        assert found["next"] == [
            {
                "command": "tracker run --kernel 7 --lr 0.001",
                "argv": ["tracker", "run", "--kernel", "7", "--lr", "0.001"],
                "answers": ["option_effect:kernel_size"],
                "chance": 0.31,
                "effect": 0.1,
                "estimated_seconds": 62.0,
            }
        ]
        assert found["excluded"] == [{"run_id": "f" * 32, "reason": "failed"}]

    def test_no_sign_beyond_ascii_reaches_a_terminal(self, hostile) -> None:
        text = render_json(hostile)
        assert text.isascii()
        assert "\x1b" not in text

    def test_a_strangers_text_comes_back_as_it_was(self, hostile) -> None:
        assert document(hostile)["experiment"] == hostile.experiment

    def test_what_has_no_business_in_a_report_is_an_error(self, report) -> None:
        with pytest.raises(TypeError, match="no set in it"):
            render_json(replace(report, experiment={1}))
