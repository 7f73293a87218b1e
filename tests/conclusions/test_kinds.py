from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
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
from tracker.wording import wording_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.builders import MakeRun, MakeStudy
    from tracker.report import Report
    from tracker.runs import Run
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
        methods = {method.how for method in report.methods}
        assert {BARKS.source, "The ear was a dog's."} <= methods
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


def random_experiment(made: MakeRun, seed: int) -> tuple[list[Run], float]:
    """Return 1 to 8 runs on 6 to 40 clips, some in groups, some tied, some without predictions, and a level."""
    rng = np.random.default_rng(seed)
    n, size = int(rng.integers(6, 41)), int(rng.integers(1, 5))
    groups = [str(clip // size) for clip in range(n)] if rng.random() < 0.6 else None
    hard = rng.random(n)
    runs = []
    for number in range(int(rng.integers(1, 9))):
        right = "".join("01"[int(x)] for x in (hard + rng.random(n)) / 2 < rng.choice([0.3, 0.6, 0.6, 0.9]))
        params = {"k": str(number % 3), "lr": str(number % 2)}
        if rng.random() < 0.2:
            metrics, tags = {"best_val_accuracy": right.count("1") / n}, {"tracker.validation_clips": str(n)}
            runs.append(made(number, params=params, seed=str(number // 6), metrics=metrics, tags=tags))
        else:
            runs.append(made(number, right, params, seed=str(number // 6), groups=groups))
    return runs, float(rng.choice([0.01, 0.05, 0.1]))


class TestConsistency:
    @pytest.mark.parametrize("seed", range(40))
    def test_conclusions_about_pairs_of_runs_do_not_contradict_each_other(
        self, made: MakeRun, studied: MakeStudy, seed: int
    ) -> None:
        runs, alpha = random_experiment(made, seed)
        study = studied(*runs, alpha=alpha)
        found = {kind.name: list(kind.conclude(study)) for kind in conclusions.KINDS}
        most = max((result.correct for result in study.results if result.correct is not None), default=None)
        differences = {c.runs: c for c in found["run_difference"]}
        for c in differences.values():
            if c.p_value is not None and c.interval is not None:
                low, high = c.interval
                assert (low < 0 < high) <= (c.p_value > 0.05) <= (low <= 0 <= high)
                assert low <= c.estimate <= high
                assert (c.verdict == "supported") <= (c.p_adjusted <= alpha)
                inside = c.details.interval_90
                assert (c.verdict == "equivalent") <= (-study.margin < inside[0] and inside[1] < study.margin)
        for c in found["best_run"]:
            assert c.details.correct == most
            against = [differences[c.runs[0], other].p_value for first, other in differences if first == c.runs[0]]
            assert c.p_value is None or c.p_value == max(against)
            assert c.details.runner_up_p == differences[c.runs[0], c.details.runner_up].p_value
            assert (c.details.clearest_gap is None) or c.details.clearest_gap >= 0
            against_next = differences[c.runs[0], c.details.runner_up].details.sentence
            easily = "easily explains" in against_next(differences[c.runs[0], c.details.runner_up], wording_of(study))
            assert ("easily explains" in c.details.sentence(c, wording_of(study))) <= easily
        for c in found["sample_size"]:
            assert c.details.best_correct == most
            low, high = c.details.detectable
            assert low is None or high is None or low <= high + 1e-9
        for c in found["selection_optimism"]:
            low, high = c.details.expected_interval or (0, 1)
            assert low <= (c.details.expected or 0) <= high or c.details.expected is None
