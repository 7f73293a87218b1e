from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from tests.builders import make_run
from tracker import conclusions
from tracker.conclusions.conclusion import (
    Conclusion,
    Details,
    Difference,
    Kind,
    KindName,
    Method,
    PlannedRun,
    RunSpec,
    Table,
)
from tracker.figures.pictures import report_pictures
from tracker.render import render_html, render_json, render_markdown
from tracker.report import build_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.report import Report
    from tracker.wording import Wording

TRACKER = Path(conclusions.__file__).parents[1]
NAMES = get_args(KindName)


class TestRegistry:
    def test_every_kind_of_the_schema_is_registered_once(self) -> None:
        assert Counter(kind.name for kind in conclusions.KINDS) == Counter(NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_every_kind_has_a_module_and_a_test_of_its_name(self, name: str) -> None:
        assert (TRACKER / "conclusions" / f"{name}.py").is_file()
        assert Path(__file__).with_name(f"test_{name}.py").is_file()

    def test_kinds_named_first_come_first(self) -> None:
        ordered = [kind.name for kind in conclusions.kinds("sample_size", "stability")]
        assert ordered[:3] == ["sample_size", "stability", "best_run"]
        assert sorted(ordered) == sorted(NAMES)


BARKS = Method("bark count", "Barks are counted by ear (nobody 2026).")


@dataclass(frozen=True, slots=True)
class Barking(Details):
    barks: int = 0

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        del conclusion, wording
        return f"The network barks {self.barks} times."

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        del in_points
        return (Table("Barks by hour", ("hour", "barks"), (("midnight", str(self.barks)),)),)

    def differences(self, conclusion: Conclusion, numbers: Mapping[str, int]) -> tuple[Difference, ...]:
        return (Difference("dog − cat", 0.5, (0.4, 0.6), None, conclusion.verdict, (min(numbers),)),)


BARKING = Kind(
    name="barking",
    title="Barks at night",
    conclude=lambda study: [Conclusion("barking", "unknown", study.ids([0]), Barking(7), method=BARKS)],
    tests=(BARKS,),
    methods=lambda *_: ["The ear was a dog's."],
    limits=lambda *_: ["Cats were not recorded."],
    challenges=lambda *_: ["The microphone was chewed."],
    planned_runs=lambda *_: [PlannedRun(RunSpec(0), frozenset([41]), "another dog")],
    headlines=lambda found, _: found,
    headline_rank=1,
)


class TestNewKind:
    """A kind that is registered needs to be named nowhere else."""

    @pytest.fixture
    def report(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(conclusions, "KINDS", (*conclusions.KINDS, BARKING))
        tags = {"tracker.version": "1", "tracker.data": "demo"}
        return build_report("dogs", [make_run(1, "110", {"kernel_size": "3", "learning_rate": "0.1"}, tags=tags)])

    def test_new_kind_is_in_every_part_of_the_report(self, report) -> None:
        (barking,) = [conclusion for conclusion in report.conclusions if conclusion.kind == "barking"]
        assert barking in report.summary
        assert BARKS.source in report.methods
        assert "The ear was a dog's." in report.methods
        assert "Cats were not recorded." in report.limits
        assert "The microphone was chewed." in report.challenges
        assert barking.id in {settled for step in report.next_steps for settled in step.answers}
        assert "41" in barking.commands[0]

    @pytest.mark.parametrize("render", [render_markdown, render_html])
    def test_new_kind_is_rendered_with_title_sentence_and_table(self, report, render) -> None:
        text = render(report, ())
        for part in ("Barks at night", "The network barks 7 times.", "Barks by hour", "midnight"):
            assert part in text

    def test_new_kind_is_in_the_json_document(self, report) -> None:
        (barking,) = [found for found in json.loads(render_json(report))["conclusions"] if found["kind"] == "barking"]
        assert (barking["details"], barking["method"]) == ({"barks": 7}, "bark count")

    def test_new_kind_is_among_the_differences_that_are_drawn(self, report: Report) -> None:
        (differences,) = [picture for picture in report_pictures(report) if picture.name == "differences"]
        assert [row[0] for row in differences.rows] == ["dog − cat"]
