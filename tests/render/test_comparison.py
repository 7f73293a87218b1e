from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.builders import HOSTILE, make_curve, make_predictions
from tracker.render.documents import render_comparison
from tracker.render.json_document import render_comparison_json
from tracker.render.view_model import MOST_CLASSES, MOST_CLIPS, view_comparison
from tracker.report import Comparison, build_comparison
from tracker.runs import Run

FIRST, SECOND = "a" * 32, "b" * 32


def run_of(
    run_id: str,
    correct: str,
    *,
    name: str = "k3",
    labels: tuple[str, ...] = ("blues", "jazz"),
    clip: str = "{:03d}.wav",
    status: str = "FINISHED",
    **params: str,
) -> Run:
    """A run whose clips are of each label by turns; those at a ``1`` are correct, with 0.9."""
    return Run(
        run_id=run_id,
        name=name,
        status=status,
        params={"seed": "0", "kernel_size": "3"} | params,
        tags={"tracker.dataset": "d", "tracker.split": "s"},
        metrics={"lost": math.nan},
        curves={"val_loss": make_curve([0.5, 0.4, 0.45])},
        validation=make_predictions(correct, clip, classes=labels),
        started=int(run_id == SECOND),
    )


def compared(*runs: Run, experiment: str = "genres") -> Comparison:
    return build_comparison(experiment, runs, (FIRST, SECOND))


@pytest.fixture(scope="session")
def pair() -> Comparison:
    return compared(
        run_of(FIRST, "1110111011", kernel_size="3"), run_of(SECOND, "0110110110", kernel_size="7", name="k7")
    )


def document(comparison: Comparison) -> dict[str, object]:
    def refuse(name: str) -> float:
        pytest.fail(f"{name} is no JSON")

    return json.loads(render_comparison_json(comparison), parse_constant=refuse)


class TestRenderComparisonJson:
    def test_render_comparison_json_has_the_schemas_keys(self, pair: Comparison) -> None:
        found = document(pair)
        assert list(found) == [
            "schema", "experiment", "metric", "runs", "options", "repetition", "conclusion", "corrected", "worse",
            "remarks", "clips_in_common", "clips", "classes", "excluded",
        ]  # fmt: skip
        assert (found["schema"], found["experiment"]) == ("tracker.comparison/1", "genres")

    def test_runs_and_conclusion_are_as_in_the_report(self, pair: Comparison) -> None:
        found = document(pair)
        assert [run["run_id"] for run in found["runs"]] == [FIRST, SECOND]
        assert found["runs"][0]["validation"]["correct"] == 8
        assert found["runs"][0]["metrics"]["lost"] is None
        assert found["conclusion"]["id"] == f"run_difference:{FIRST},{SECOND}"
        assert found["conclusion"]["details"]["only_first"] == 3

    def test_options_have_the_level_of_each_run(self, pair: Comparison) -> None:
        assert document(pair)["options"] == [{"option": "kernel_size", "levels": {FIRST: "3", SECOND: "7"}}]

    def test_a_clip_says_who_has_it_right_and_how_surely(self, pair: Comparison) -> None:
        clips = document(pair)["clips"]
        assert [clip["right"] for clip in clips] == [FIRST, FIRST, FIRST, SECOND]
        assert clips[0] == {
            "clip": "000.wav",
            "label": "blues",
            "right": FIRST,
            "predicted": {FIRST: "blues", SECOND: "jazz"},
            "probabilities": {FIRST: 0.9, SECOND: 0.1},
        }

    def test_classes_count_what_each_run_has_right(self, pair: Comparison) -> None:
        assert document(pair)["classes"] == [
            {"class": "blues", "n": 5, "correct": {FIRST: 5, SECOND: 3}},
            {"class": "jazz", "n": 5, "correct": {FIRST: 3, SECOND: 3}},
        ]

    def test_a_run_that_is_left_out_is_named_and_nothing_is_concluded(self) -> None:
        found = document(compared(run_of(FIRST, "10", status="FAILED"), run_of(SECOND, "01", kernel_size="7")))
        assert found["conclusion"] is None
        assert found["excluded"] == [{"run_id": FIRST, "reason": "failed"}]

    def test_render_comparison_json_has_every_clip_and_class_however_many(self) -> None:
        labels = tuple(f"class{i}" for i in range(300))
        found = document(compared(run_of(FIRST, "1" * 300, labels=labels), run_of(SECOND, "0" * 300, labels=labels)))
        assert (len(found["clips"]), len(found["classes"])) == (300, 300)

    @pytest.mark.parametrize("text", HOSTILE)
    def test_a_strangers_text_comes_back_as_it_was_and_reaches_no_terminal(self, text: str) -> None:
        comparison = hostile(text)
        assert render_comparison_json(comparison).isascii()
        found = document(comparison)
        assert found["experiment"] == found["runs"][0]["name"] == text
        assert {option["option"] for option in found["options"]} == {"model", text}
        assert {clip["label"] for clip in found["clips"]} == {text, "jazz"}


def hostile(text: str) -> Comparison:
    """A comparison in which everything that others may name is `text`."""
    labels = (text, "jazz")
    clip = text.replace("{", "{{").replace("}", "}}") + "{}"
    runs = (
        run_of(FIRST, "1011", name=text, labels=labels, clip=clip, model=text, **{text: "1"}),
        run_of(SECOND, "0100", name=text, labels=labels, clip=clip, model="cnn", **{text: "2"}),
    )
    return compared(*runs, experiment=text)


class TestRenderComparison:
    def test_render_comparison_says_what_differs_what_follows_and_on_which_clips(
        self, pair: Comparison, markdown
    ) -> None:
        text = render_comparison(pair)
        assert text.startswith("# Run 1 against run 2\n")
        assert "| Kernel size | 3 | 7 |" in text
        assert "| Correct | 8 of 10 | 6 of 10 |" in text
        assert f"**Inconclusive.** {pair.conclusion.sentence}" in text.replace("\N{NO-BREAK SPACE}", " ")
        assert "3 that only run 1 gets correct, the clearest first:" in text
        assert "| <code>000.wav</code> | blues | 90.0% | 10.0% | jazz |" in text
        assert "1 that only run 2 gets correct:" in text
        assert "| blues | 5 | 5 | 3 |" in text
        assert markdown(text).tags["table"] == 4

    def test_render_comparison_shows_the_clearest_clips_and_counts_the_rest(self) -> None:
        text = render_comparison(compared(run_of(FIRST, "1" * 40), run_of(SECOND, "0" * 40, kernel_size="7")))
        assert f"{40 - MOST_CLIPS} more are not shown: `--format json` has all of them." in text
        assert text.count(".wav") == MOST_CLIPS
        assert "None that only run 2 gets correct." in text

    def test_render_comparison_says_that_more_options_differ_or_that_none_does(self, pair: Comparison) -> None:
        same = "Options and seeds that are not listed are the same in both."
        many = {f"option{i}": "1" for i in range(20)}
        text = render_comparison(compared(run_of(FIRST, "10", **many), run_of(SECOND, "01")))
        assert "\n12 more options differ: `--format json` has all of them.\n" in text
        assert same not in text
        assert same in render_comparison(pair)

    def test_render_comparison_of_a_run_that_is_left_out_says_so_and_has_no_verdict(self) -> None:
        text = render_comparison(compared(run_of(FIRST, "10", status="FAILED"), run_of(SECOND, "01", kernel_size="7")))
        assert "\nRun aaaaaaaa failed: reports leave it out" in text
        assert "**" not in text

    def test_render_comparison_without_predictions_has_no_clips(self) -> None:
        silent = replace(run_of(SECOND, "10", kernel_size="7"), validation=None)
        text = render_comparison(compared(run_of(FIRST, "10"), silent))
        assert "There are no predictions of run 2" in text
        assert "## Classes" not in text

    @pytest.mark.parametrize("text", HOSTILE)
    def test_nothing_of_a_strangers_text_acts(self, text: str, markdown) -> None:
        page = markdown(render_comparison(hostile(text)))
        assert set(page.tags) <= {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "strong", "em"}
        assert page.tags["table"] == 4
        assert "\x1b" not in page.text
        assert "\u202e" not in page.text


class TestViewComparison:
    def test_bounds_classes_and_options(self) -> None:
        labels = tuple(f"class{i:03d}" for i in range(MOST_CLASSES + 7))
        many = {f"option{i}": "1" for i in range(20)}
        first = run_of(FIRST, "1" * len(labels), labels=labels, **many)
        view = view_comparison(compared(first, run_of(SECOND, "1" * len(labels), labels=labels)))
        assert (len(view.classes.shown), view.classes.more) == (MOST_CLASSES, 7)
        assert (len(view.options.shown), view.options.more) == (8, 12)

    def test_view_comparison_shows_the_metric_that_runs_are_compared_by_and_nothing_that_neither_logged(self) -> None:
        runs = (run_of(FIRST, "10"), run_of(SECOND, "10", kernel_size="7"))
        told = [replace(run, validation=None, curves={}, metrics={"pesq": 3 + i / 10}) for i, run in enumerate(runs, 1)]
        found = build_comparison("genres", told, (FIRST, SECOND), metric="pesq", minimise=False)
        assert view_comparison(found).results == (("pesq", "3.2", "3.1"),)

    def test_view_comparison_shows_an_accuracy_that_gives_no_count_as_a_share(self) -> None:
        counted, shared = run_of(FIRST, "10"), replace(run_of(SECOND, "10", kernel_size="7"), validation=None)
        rows = {name: values for name, *values in view_comparison(compared(counted, shared)).results}
        assert rows["correct"] == ["1 of 2", "–"]
        assert "validation accuracy, %" not in rows
        shared = replace(shared, metrics={"best_val_accuracy": 0.712})
        rows = {name: values for name, *values in view_comparison(compared(counted, shared)).results}
        assert set(rows["validation accuracy, %"]) == {"50.0", "71.2"}

    def test_view_comparison_rounds_no_probability_to_a_false_0_or_100(self) -> None:
        sure = run_of(FIRST, "1", kernel_size="7")
        sure = replace(sure, validation=replace(sure.validation, probabilities=np.array([[0.99999, 0.00001]])))
        unsure = run_of(SECOND, "0")
        unsure = replace(unsure, validation=replace(unsure.validation, probabilities=np.array([[0.00001, 0.99999]])))
        (row,) = view_comparison(compared(sure, unsure)).clips[0].clips.shown
        assert row == ("000.wav", "blues", "over 99.9%", "under 0.1%", "jazz")
