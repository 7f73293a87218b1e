"""No report contradicts itself: three hundred random experiments, each read sentence by sentence.

An experiment has 1 to 60 runs of a few configurations, with seeds or without, with groups, ties, lost predictions, lost
curves and runs that failed. Three hundred more are of other programs, which log some of what tracker knows, under their
own names, at their own steps, or nothing of it.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import make_run
from tracker.answers.answer import MOST_DRAWN
from tracker.conclusions.best_configuration import not_tested
from tracker.conclusions.option_effect import OptionEffect, leading
from tracker.report import build_report
from tracker.runs import Curve
from tracker.wording import count_words, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report import Report
    from tracker.runs import Run

EXPERIMENTS = 300
SENTENCES_A_REPORT = 7


def random_runs(seed: int) -> list[Run]:
    rng = np.random.default_rng(seed)
    most = 61 if seed % 60 == 0 else 9  # many runs take long, and say no more than few
    n_runs, n_clips = int(rng.integers(1, most)), int(rng.integers(6, 40))
    grouped, repeated = rng.random() < 0.5, rng.random() < 0.5
    groups = [f"g{clip // 3}" for clip in range(n_clips)] if grouped else None
    hard, noise = rng.normal(size=n_clips), float(rng.choice([0.0, 0.3, 1.0]))
    skill = rng.normal(0, float(rng.choice([0.0, 0.5, 1.5])), 12)
    runs = []
    for number in range(n_runs):
        level = int(rng.integers(0, 6)) if repeated else number % 12
        params = {"kernel_size": str(3 + 2 * (level % 3)), "learning_rate": f"0.{'0' * (level // 3)}1"}
        params |= {"seed": str(number // 6 if repeated else number // 12)}
        if rng.random() < 0.3:
            params["early_stopping_patience"] = str(rng.choice([2, 5, 10]))
        margins = skill[level] + hard + rng.normal(0, noise) + rng.normal(0, noise, n_clips)
        correct = "".join("01"[int(margin > 0)] for margin in margins)
        epochs = int(rng.integers(2, 30))
        losses = np.abs(np.linspace(1, 0.5, epochs) + rng.normal(0, 0.1, epochs)) + 0.01
        curves = {"val_loss": losses.tolist(), "loss": np.linspace(1, 0.1, epochs).tolist()}
        curves["learning_rate"] = [0.1 if epoch < epochs // 2 or level % 2 else 0.05 for epoch in range(epochs)]
        if rng.random() < 0.1:
            curves.pop(str(rng.choice(sorted(curves))))
        tags = {"tracker.training_clips": "100", "tracker.validation_clips": str(n_clips)}
        run = make_run(
            number + 1, correct, params, groups=groups, tags=tags,
            metrics={"val_accuracy": correct.count("1") / n_clips, "fit_accuracy": 0.9},
            status="FAILED" if rng.random() < 0.05 else "FINISHED", **curves,
        )  # fmt: skip
        runs.append(replace(run, validation=None) if rng.random() < 0.05 else run)
    return runs


PARAMS = (
    "lr",
    "C",
    "max_depth",
    "optimizer",
    "keep",
    "name",
    "patience",
    "kernel_size",
    "early_stopping_patience",
    "fold",
)
LEVELS = ("0.1", "1", "5", "last", "None", "true", "adam", "[1, 2]")
NUMBERS = (0.0, 1.0, 2.0, 3.0, 7.0, 0.5, 80.0, -1.0, math.nan, math.inf)
FINALS = (
    "best_epoch", "stop_epoch", "best_val_loss", "best_val_accuracy", "last_val_loss", "stopped_epoch",
    "restored_epoch", "best_iteration", "stopped_iteration", "test_accuracy", "rmse", "f1", "training_score",
    "total_time", "score",
)  # fmt: skip
LOSSES = ("val_loss", "eval_loss", "valid/loss", "val_acc", "validation_accuracy", "val_f1", "loss", "train_acc", "lr")
ROUNDS = ("eval-logloss", "train-logloss", "validation_0-rmse", "valid_1-binary_logloss", "test-error", "eval-auc")
AUTOLOGGED = {"monitor": "val_accuracy", "min_delta": "0", "patience": "2", "restore_best_weights": "True",
              "initial_epoch": "3", "steps_per_epoch": "None", "validation_freq": "1"}  # fmt: skip


def strange_run(rng: np.random.Generator, number: int, *, boosts: bool) -> Run:
    """A run of another program, some of whose metrics and steps mean what they seem to."""

    def some(choices: Sequence[str], most: int) -> list[str]:
        return [str(choice) for choice in rng.choice(choices, int(rng.integers(0, most + 1)), replace=False)]

    n = int(rng.choice([1, 2, 5, 12]))
    first, spacing = int(rng.choice([0, 0, 1, 1, 3, 10, -1, 100])), int(rng.choice([1, 1, 1, 2, 100]))
    curves = {}
    for name in some(ROUNDS if boosts else LOSSES, 4):
        steps = first + spacing * np.arange(n)
        values = np.round(np.exp(-np.arange(n) / 3) + 0.03 * np.arange(n) * rng.random() + 0.1 * rng.random(n), 2)
        values = np.minimum(values, 1.0) if "acc" in name else values
        values[rng.random(n) < 0.05] = rng.choice([math.nan, math.inf])
        there = (rng.random(n) < 0.9) | (rng.random() < 0.7)
        if there.any():
            curves[name] = Curve(steps[there], values[there], int(rng.random() < 0.1))
    if not boosts and rng.random() < 0.2:
        curves["epoch"] = Curve(first + spacing * np.arange(n), np.arange(n) + float(rng.choice([0.0, 0.5, 1.0])))
    params = {name: str(rng.choice(LEVELS)) for name in some(PARAMS, 3)}
    params |= {"num_boost_round": str(n)} if boosts else {}
    params |= {"epochs": str(n + int(rng.choice([0, 5])))} if rng.random() < 0.3 else {}
    params |= AUTOLOGGED if rng.random() < 0.2 else {}
    params |= {"seed": str(number % 3)} if rng.random() < 0.4 else {}
    metrics = {name: float(curve.values[-1]) for name, curve in curves.items()}
    metrics |= {name: float(rng.choice(NUMBERS)) for name in some(FINALS, 3)}
    tags = {"state": str(rng.choice(["PRUNED", "COMPLETE"])), "number": "1", "direction": "MINIMIZE"}
    n_clips = int(rng.choice([0, 0, 0, 20]))
    correct = "".join(rng.choice(["0", "1", "1"], n_clips)) or None
    run = make_run(number + 1, correct, metrics=metrics, seed=None, tags=tags if rng.random() < 0.1 else {},
                   status=str(rng.choice(["FINISHED"] * 9 + ["FAILED"])))  # fmt: skip
    others = {name: tag for name, tag in run.tags.items() if not name.startswith("tracker.")}
    timed = {"started": number if rng.random() < 0.9 else None, "ended": number + 5 if rng.random() < 0.5 else None}
    return replace(run, params={} if rng.random() < 0.1 else params, tags=others, curves=curves, **timed)


def strange_runs(seed: int) -> list[Run]:
    """One to seven runs of other programs: ties, runs logged twice and parents of others among them."""
    rng = np.random.default_rng(seed)
    boosts = rng.random() < 0.2
    runs = [strange_run(rng, number, boosts=boosts) for number in range(int(rng.integers(1, 6)))]
    if rng.random() < 0.3:  # a tie
        runs.append(replace(runs[0], run_id="a" * 32, started=int(rng.integers(0, 9))))
    if rng.random() < 0.2:
        runs.append(replace(runs[0], run_id="b" * 32))
    if rng.random() < 0.3:
        parent = str(rng.choice([run.run_id for run in runs]))
        runs = [replace(run, parent_id=parent) if run.run_id != parent and rng.random() < 0.7 else run for run in runs]
    return runs


@lru_cache(maxsize=1)
def reports() -> tuple[Report, ...]:
    alphas = (0.05, 0.01, 0.1)
    return tuple(build_report("random", random_runs(seed), alpha=alphas[seed % 3]) for seed in range(EXPERIMENTS))


def text_of(report: Report) -> str:
    answers = [" ".join([answer.sentence, *answer.points]) for answer in report.answers]
    return " ".join([report.title, report.lead, *answers]).replace("\N{NO-BREAK SPACE}", " ")


def finished(report: Report) -> bool:
    return len(report.entries) > 1 and report.sections[0].standing is not None and bool(report.key_figures)


class TestConsistency:
    def test_at_most_seven_answers_however_many_runs(self) -> None:
        assert max(len(report.answers) for report in reports()) == SENTENCES_A_REPORT

    def test_the_best_is_the_same_in_title_lead_key_figure_and_tables(self) -> None:
        for report in filter(finished, reports()):
            first = report.sections[0].standing
            assert first is not None
            if first.mean is None:
                continue
            means = [s.standing.mean for s in report.sections if s.standing and s.standing.tied is not None]
            assert first.mean == max(mean for mean in means if mean is not None)
            of_one = first.correct is not None and len(first.runs) == 1
            assert report.key_figures[0].value == (f"{first.correct} / {first.n}" if of_one else percent(first.mean))
            if of_one:
                numbers = {entry.run.run_id: entry.number for entry in report.entries}
                assert f"{first.correct} of {first.n}" in report.lead
                assert f"run {numbers[first.runs[0]]}" in report.lead.lower() or len(report.sections) < len(numbers)

    def test_the_first_answer_agrees_with_which_configurations_could_be_the_best(self) -> None:
        for report in filter(finished, reports()):
            first = report.sections[0].standing
            others = [s.standing for s in report.sections[1:] if s.standing and s.standing.tied is not None]
            answer = report.answers[0]
            if answer.id == "best" and answer.label == "Supported":
                assert not any(other.tied for other in others)
                assert not any(c.details.indistinguishable for c in report.conclusions if is_best_run(c, report))
                assert all((other.p_value or 0.0) <= report.alpha for other in others)
            rows = [row[-1] for table in answer.tables for row in table.rows]
            for other, verdict in zip(others, rows, strict=False):
                assert verdict == (not_tested(first, other) if other.p_value is None else
                                   "could be as good" if other.tied else "significantly worse")  # fmt: skip

    def test_what_is_said_twice_is_the_same(self) -> None:
        for report in filter(finished, reports()):
            figures = {figure.caption.split(",")[0].split(" (")[0]: figure.value for figure in report.key_figures}
            limits = next(answer for answer in report.answers if answer.id == "limits")
            text = " ".join([limits.sentence, *limits.points]).replace("\N{NO-BREAK SPACE}", " ")
            for caption, value in figures.items():
                if caption.startswith("roughly the smallest") and value != "–":
                    assert f"about {value}".replace("\N{NO-BREAK SPACE}", " ") in text
                if caption.startswith("expected on new clips"):
                    assert f"expect {value.replace('≈', 'about')}" in text

    def test_no_verdict_disagrees_with_its_interval(self) -> None:
        for report in reports():
            for conclusion in report.conclusions:
                if conclusion.interval is not None and conclusion.p_value is not None and conclusion.kind in INTERVALS:
                    assert_agrees(conclusion)

    def test_no_effect_of_an_option_disagrees_with_its_interval_or_its_conclusion(self) -> None:
        for report in reports():
            for conclusion in report.conclusions:
                if not isinstance(conclusion.details, OptionEffect) or not conclusion.details.contrasts:
                    continue
                for effect in conclusion.details.contrasts:
                    if effect.interval is not None and effect.p_value is not None:
                        assert (effect.interval[0] > 0 or effect.interval[1] < 0) == (effect.p_value < 0.05)
                    if effect.verdict == "equivalent":
                        assert max(map(abs, effect.interval_90)) < report.margin
                    assert (effect.verdict == "supported") == ((effect.p_adjusted or 1.0) <= report.alpha)
                first = leading(conclusion.details.contrasts)
                assert (first.verdict, first.estimate) == (conclusion.verdict, conclusion.estimate)

    def test_next_steps_are_few_and_bear_on_what_is_open(self) -> None:
        for report in reports():
            verdicts = {conclusion.id: conclusion.verdict for conclusion in report.conclusions}
            assert len(report.next_steps) <= 3
            for step in report.next_steps:
                assert all(verdicts[answer] not in ("supported", "equivalent") for answer in step.answers)
                assert step.chance is None or (0 <= step.chance.power <= 1 and "would detect" in step.outlook)

    def test_no_sentence_names_a_run_that_the_figure_does_not_show(self) -> None:
        for report in reports():
            drawn = {entry.number for entry in report.best_first(report.entries)[:MOST_DRAWN]}
            for answer in report.answers:
                if answer.id in {"overfitting", "patience", "learning_rate"}:
                    named = re.findall(r"[Rr]uns? ((?:\d+(?:, | and )?)+)", answer.sentence)
                    assert {int(n) for text in named for n in re.findall(r"\d+", text)} <= drawn

    def test_every_sentence_ends_and_nothing_is_left_unsaid(self) -> None:
        for report in reports():
            for answer in report.answers:
                for sentence in (answer.sentence, *answer.points):
                    assert sentence.endswith("."), sentence
                    assert not re.search(r"\bNone\b(?! of)|nan\b|\binf\b|  ", sentence), sentence


@lru_cache(maxsize=1)
def reports_of_strangers() -> tuple[tuple[list[Run], Report], ...]:
    experiments = [strange_runs(seed) for seed in range(EXPERIMENTS)]
    return tuple((runs, build_report("strange", runs)) for runs in experiments)


class TestRunsOfOtherPrograms:
    """What a report says of other programs' runs is what their own numbers say."""

    def test_every_run_is_in_the_report_or_left_out_for_a_true_reason(self) -> None:
        for runs, report in reports_of_strangers():
            assert len(report.entries) + len(report.excluded) == len(runs)
            by_id = {run.run_id: run for run in runs}
            for left in report.excluded:
                assert_reason_is_true(by_id[left.run_id], left.reason, runs)

    def test_epochs_and_values_are_those_of_the_curves(self) -> None:
        for _, report in reports_of_strangers():
            for result in (entry.result for entry in report.entries):
                losses, stop = result.curves.val_loss, result.stop_epoch
                if losses is None:
                    assert result.best_epoch is None
                elif result.best_epoch is not None:
                    finite = losses.values[np.isfinite(losses.values)]
                    assert losses.at(result.best_epoch) == finite.min()
                    assert result.val_loss == losses.at(result.kept_epoch or result.best_epoch)
                    assert stop is not None
                    assert result.best_epoch <= stop
                if result.kept_epoch is not None:
                    assert result.kept_epoch <= (stop or 0)
                    assert "restore_best_weights" in result.run.params

    def test_no_round_is_called_an_epoch(self) -> None:
        for _, report in reports_of_strangers():
            rounds = {entry.run.run_id for entry in report.entries if "num_boost_round" in entry.run.params}
            for conclusion in report.conclusions:
                if (
                    conclusion.kind == "overfitting"
                    and conclusion.runs[0] in rounds
                    and conclusion.verdict != "unknown"
                ):
                    assert "epoch" not in conclusion.sentence

    def test_the_best_run_has_the_best_score_of_those_on_its_clips(self) -> None:
        for _, report in reports_of_strangers():
            results = {entry.run.run_id: entry.result for entry in report.entries if entry.result.score is not None}
            for found in report.conclusions:
                if found.kind == "best_run" and found.verdict not in ("unknown", "not_comparable"):
                    best = results[found.runs[0]]
                    scores = [result.score for result in results.values() if result.n == best.n]
                    assert best.score == (min if report.metric.lower_is_better else max)(scores)

    def test_a_title_that_names_the_best_says_among_which(self) -> None:
        for _, report in reports_of_strangers():
            if "has the highest" in report.title and "ranked together" not in report.title:
                means = [section.standing.mean for section in report.sections if section.standing is not None]
                assert report.sections[0].standing.mean == max(mean for mean in means if mean is not None)

    def test_every_sentence_ends_and_nothing_is_left_unsaid(self) -> None:
        for _, report in reports_of_strangers():
            for sentence in sentences_of(report):
                assert sentence.endswith("."), sentence
                assert not re.search(r"\bNone\b(?! of)|nan\b|\binf\b|  |\.\.", sentence), sentence


def is_best_run(conclusion: Conclusion, report: Report) -> bool:
    return (
        conclusion.kind == "best_run"
        and conclusion.verdict == "supported"
        and conclusion.id in report.answers[0].conclusions
    )


def sentences_of(report: Report) -> list[str]:
    answers = [text for answer in report.answers for text in (answer.sentence, *answer.points)]
    return [*answers, *(conclusion.sentence for conclusion in report.conclusions), *report.limits, *report.challenges]


def assert_reason_is_true(run: Run, reason: str, runs: Sequence[Run]) -> None:
    children = [child for child in runs if child.parent_id == run.run_id]
    if "logged twice" in reason:
        same = [one for one in runs if one is not run and (one.started, one.ended) == (run.started, run.ended)]
        assert any(len(curve.values) > 1 for curve in run.curves.values())
        assert any(one.params == run.params and one.curves.keys() == run.curves.keys() for one in same)
    elif reason.startswith("holds "):
        assert reason == f"holds {count_words(len(children), 'other run')}"
    elif reason.startswith("logged no params"):
        assert not run.settings
        assert any(one.settings for one in runs)
    else:
        assert run.status == "FAILED" or run.tags["state"] == "PRUNED"


INTERVALS = ("run_difference", "option_effect")


def assert_agrees(conclusion: Conclusion) -> None:
    """The 95% interval leaves out zero exactly if the test rejects at 5%."""
    low, high = conclusion.interval or (0.0, 0.0)
    assert (low > 0 or high < 0) == ((conclusion.p_value or 0.0) < 0.05), conclusion


@lru_cache
def readable(size: int) -> str:
    rng = np.random.default_rng(size)
    runs = []
    for number in range(size):
        level, seed = number % 4, number // 4
        correct = "".join(rng.choice(["0", "1"], 40, p=[0.3 - 0.05 * (level % 2), 0.7 + 0.05 * (level % 2)]))
        params = {"kernel_size": str(3 + 2 * (level % 2)), "learning_rate": f"0.{'0' * (level // 2)}1"}
        curves = {"val_loss": [1.0, 0.8, 0.7, 0.75, 0.9], "loss": [1.0, 0.7, 0.5, 0.3, 0.2]}
        curves["learning_rate"] = [0.1, 0.1, 0.1, 0.05, 0.05]
        runs.append(make_run(number + 1, correct, params | {"seed": str(seed)}, **curves))
    return text_of(build_report("e", runs))


@pytest.mark.parametrize("size", [4, 16, 60])
class TestReadability:
    def test_few_windows_of_eight_words_are_read_twice(self, size: int) -> None:
        words = readable(size).split()
        windows = [tuple(re.sub(r"[\d.,]+", "#", " ".join(words[i : i + 8])).split()) for i in range(len(words) - 7)]
        assert 1 - len(set(windows)) / len(windows) < 0.1

    def test_sentences_are_short(self, size: int) -> None:
        text = readable(size)
        lengths = [len(sentence.split()) for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9])", text)]
        assert np.mean(lengths) < 22
