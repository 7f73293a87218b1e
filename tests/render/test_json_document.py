from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import changed, make_run, runs_by_kernel, writeup_runs
from tracker.conclusions.conclusion import Details
from tracker.render.json_document import render_json
from tracker.report import build_report
from tracker.statistics.proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
        assert list(found) == [
            "schema", "experiment", "metric", "title", "lead", "runs", "configurations", "answers", "data_sets",
            "conclusions", "next", "excluded",
        ]  # fmt: skip
        assert (found["schema"], found["experiment"], found["metric"]) == ("tracker.report/2", "genres", "val_accuracy")

    def test_a_run_has_its_count_and_interval(self, report) -> None:
        run = document(report)["runs"][2]
        assert list(run) == ["run_id", "name", "title", "status", "params", "data_set", "metrics", "validation"]
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
            "id", "kind", "verdict", "scope", "option", "data_set", "runs", "estimate", "interval", "p_value",
            "p_adjusted", "n", "method", "sentence", "details", "command",
        ]  # fmt: skip
        assert found["id"] == f"run_difference:{3:032x},{4:032x}"
        assert found["scope"] == "population"
        assert (found["p_value"], found["p_adjusted"], found["interval"]) == (0.5, 1.0, [-0.0512, 0.2218])

    def test_a_configuration_has_its_mean_deviation_and_rank(self) -> None:
        report = build_report("e", runs_by_kernel({"3": ["1100", "1110"], "5": ["1000"]}))
        best, other = document(report)["configurations"]
        assert (best["runs"], best["mean"], best["tied_with_best"]) == ([f"{2:032x}", f"{0:032x}"], 0.625, True)
        assert math.isclose(best["sd"], math.sqrt(2) / 8)
        assert (other["mean"], other["sd"]) == (0.25, None)

    def test_a_configuration_keeps_its_id_as_runs_are_added(self) -> None:
        def ids(correct: Mapping[str, Sequence[str]]) -> dict[str, str]:
            found = document(build_report("e", runs_by_kernel(correct)))["configurations"]
            return {entry["title"]: entry["id"] for entry in found}

        few, more = (
            ids({"3": ["1100"], "5": ["1000"]}),
            ids({"5": ["1111", "1110"], "3": ["0000", "1000"], "7": ["11"]}),
        )
        assert few.items() <= more.items()
        assert len(set(more.values())) == 3

    def test_two_groups_of_one_configuration_have_ids_of_their_own(self) -> None:
        elsewhere = make_run(9, "110", {"kernel_size": "3"}, prefix="o", tags={"tracker.split": "another"})
        runs = [*runs_by_kernel({"3": ["11", "10"], "5": ["01", "00"]}), elsewhere]
        found = document(build_report("e", runs))["configurations"]
        assert sorted(entry["title"] for entry in found) == ["Conv=3", "Conv=3", "Conv=5"]
        assert len({entry["id"] for entry in found}) == 3

    def test_an_answer_has_its_verdict_as_conclusions_have_theirs(self) -> None:
        (best,) = [a for a in document(build_report("e", writeup_runs()))["answers"] if a["id"] == "best"]
        assert list(best) == ["id", "question", "verdict", "sentence", "points", "conclusions"]
        assert best["verdict"] == "inconclusive"

    def test_details_are_the_typed_evidence(self, report) -> None:
        details = document(report)["conclusions"][3]["details"]
        assert details["own"] == 20
        assert details["patiences"][1] == {
            "patience": 30, "stop_epoch": None, "kept_epoch": None, "epochs_saved": None, "censored": True,
            "val_loss": None, "correct": None, "clips_changed": None, "seconds_saved": None,
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
                "suggestion": 1,
            }
        ]
        assert found["excluded"] == [{"run_id": "f" * 32, "reason": "failed"}]

    def test_no_sign_beyond_ascii_reaches_a_terminal(self, hostile) -> None:
        text = render_json(hostile)
        assert text.isascii()
        assert b"\x1b" not in text

    def test_a_strangers_text_comes_back_as_it_was(self, hostile) -> None:
        assert document(hostile)["experiment"] == hostile.experiment

    def test_what_has_no_business_in_a_report_is_an_error(self, report) -> None:
        with pytest.raises(TypeError, match="no set in it"):
            render_json(replace(report, experiment={1}))
