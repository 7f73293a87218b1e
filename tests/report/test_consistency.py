"""No report contradicts itself: three hundred random experiments, each read sentence by sentence.

An experiment has 1 to 60 runs of a few configurations, with seeds or without, with groups, ties, lost predictions, lost
curves and runs that failed.
"""

from __future__ import annotations

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
from tracker.wording import percent

if TYPE_CHECKING:
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
                assert not any(other.tied for other in others if other.p_value is None)
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


INTERVALS = ("run_difference", "option_effect")


def assert_agrees(conclusion: Conclusion) -> None:
    """The 95% interval leaves out zero exactly if the test rejects at 5%."""
    low, high = conclusion.interval or (0.0, 0.0)
    assert (low > 0 or high < 0) == ((conclusion.p_value or 0.0) < 0.05), conclusion


@pytest.mark.parametrize("size", [4, 16, 60])
class TestReadability:
    def words_of(self, size: int) -> tuple[list[str], str]:
        rng = np.random.default_rng(size)
        runs = []
        for number in range(size):
            level, seed = number % 4, number // 4
            correct = "".join(rng.choice(["0", "1"], 40, p=[0.3 - 0.05 * (level % 2), 0.7 + 0.05 * (level % 2)]))
            params = {"kernel_size": str(3 + 2 * (level % 2)), "learning_rate": f"0.{'0' * (level // 2)}1"}
            curves = {"val_loss": [1.0, 0.8, 0.7, 0.75, 0.9], "loss": [1.0, 0.7, 0.5, 0.3, 0.2]}
            curves["learning_rate"] = [0.1, 0.1, 0.1, 0.05, 0.05]
            runs.append(make_run(number + 1, correct, params | {"seed": str(seed)}, **curves))
        text = text_of(build_report("e", runs))
        return text.split(), text

    def test_few_windows_of_eight_words_are_read_twice(self, size: int) -> None:
        words, _ = self.words_of(size)
        windows = [tuple(re.sub(r"[\d.,]+", "#", " ".join(words[i : i + 8])).split()) for i in range(len(words) - 7)]
        assert 1 - len(set(windows)) / len(windows) < 0.1

    def test_sentences_are_short(self, size: int) -> None:
        _, text = self.words_of(size)
        lengths = [len(sentence.split()) for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9])", text)]
        assert np.mean(lengths) < 22
