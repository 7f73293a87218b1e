"""What the answers say: which question is raised, with which verdict, and the numbers of the right runs in them."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import make_predictions, make_run, writeup_runs
from tracker.render.tables import configurations
from tracker.report import build_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.builders import MakeRuns
    from tracker.answers import Answer, AnswerId
    from tracker.report import Report
    from tracker.runs import Run

FALLING = [1.0, 0.8, 0.7, 0.65, 0.66, 0.64, 0.67, 0.70, 0.72, 0.75, 0.80]
TRAINING = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05]


def seeds(by_kernel: dict[str, Sequence[str]]) -> list[Run]:
    """A run for each kernel and seed, from what it has correct."""
    runs: list[Run] = []
    for kernel, of_seeds in by_kernel.items():
        for seed, correct in enumerate(of_seeds):
            runs.append(make_run(len(runs) + 1, correct, {"kernel_size": kernel, "seed": str(seed)}))
    return runs


STRONG = ["1111111111", "1111111110", "1111111101", "1111111111"]
WEAK = ["1110000000", "1101000000", "1010000001", "0111000000"]


def answer(report: Report, question: AnswerId) -> Answer:
    return next(answer for answer in report.answers if answer.id == question)


class TestQuestions:
    def test_a_single_run_is_not_asked_which_is_best(self) -> None:
        assert {a.id for a in build_report("e", [make_run(1, "1101")]).answers} == {"errors", "limits"}

    def test_no_run_raises_no_question(self) -> None:
        assert build_report("e", []).answers == ()

    def test_sixty_runs_raise_no_more_questions_than_four(self) -> None:
        rng = np.random.default_rng(0)
        runs = [
            make_run(
                i + 1,
                "".join(rng.choice(["0", "1"], 20)),
                {"kernel_size": str(3 + 2 * (i % 3)), "learning_rate": f"{10 ** -(2 + i % 2)}", "seed": str(i // 6)},
                val_loss=FALLING, loss=TRAINING, learning_rate=[0.1] * 6 + [0.05] * 5,
            )
            for i in range(60)
        ]  # fmt: skip
        report = build_report("e", runs)
        assert [a.id for a in report.answers] == [
            "best", "options", "overfitting", "patience", "learning_rate", "errors", "limits",
        ]  # fmt: skip

    def test_every_answer_rests_on_conclusions_of_the_report(self) -> None:
        report = build_report("e", seeds({"3": WEAK, "7": STRONG}))
        ids = {conclusion.id for conclusion in report.conclusions}
        assert all(set(a.conclusions) <= ids for a in report.answers)


class TestBest:
    def test_configurations_are_asked_for_if_one_was_trained_twice(self) -> None:
        found = answer(build_report("e", seeds({"3": WEAK, "7": STRONG})), "best")
        assert (found.question, found.label) == ("Which configuration is best?", "Supported")
        assert "the 7×7 kernel" in found.sentence.lower()
        assert "95% over 4 seeds" in found.sentence.replace(" %", "%")

    def test_folds_are_not_called_seeds(self, on_folds: MakeRuns) -> None:
        report = build_report("e", on_folds({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]}))
        assert "over 3 folds" in report.key_figures[0].caption
        assert "seeds" not in " ".join([report.title, report.lead, report.key_figures[0].caption])

    def test_the_writeups_runs_have_no_winner(self) -> None:
        found = answer(build_report("e", writeup_runs()), "best")
        assert found.label == "Inconclusive"
        assert "26 of 30 clips correct, 1 more than the next. Chance easily explains that" in found.sentence

    def test_the_table_sets_every_other_one_against_the_best(self) -> None:
        (table,) = answer(build_report("e", writeup_runs()), "best").tables
        assert [row[1] for row in table.rows] == ["25 of 30", "25 of 30", "24 of 30"]
        assert {row[-1] for row in table.rows} == {"could be as good"}

    def test_equal_counts_are_called_equal(self) -> None:
        runs = [make_run(1, "1101", {"kernel_size": "3"}), make_run(2, "1110", {"kernel_size": "7"})]
        assert "3 of 4 clips correct, as many as run" in answer(build_report("e", runs), "best").sentence


class TestOptions:
    def test_options_that_changed_together_are_said_once(self) -> None:
        found = answer(build_report("e", writeup_runs()), "options")
        assert found.label == "Confounded"
        assert found.points == ()
        assert "none of the four changed on its own" in found.sentence
        assert "The closest pair, runs 1 and 2, differs in plateau and early stopping at once." in found.sentence

    def test_an_option_that_was_tested_has_its_effect_in_the_table(self) -> None:
        found = answer(build_report("e", seeds({"3": WEAK, "7": STRONG})), "options")
        assert found.label == "Supported"
        assert found.tables[0].rows[0][:4] == ("kernel size", "3 → 7", "4", "+65 points")


def curved(number: int, kernel: str, **curves: Sequence[float]) -> Run:
    stopping = {"early_stopping_patience": "5"} if "learning_rate" in curves else {}
    tags = {"tracker.training_clips": "40"}
    return make_run(number, "1101", {"kernel_size": kernel, **stopping}, tags=tags, **curves)


class TestCurves:
    def test_a_run_whose_validation_loss_rises_while_training_loss_falls_overfits(self) -> None:
        found = answer(build_report("e", [curved(1, "3", loss=TRAINING, val_loss=FALLING)]), "overfitting")
        assert found.sentence == (
            "Yes. After run 1's best epoch, 6, training loss fell from 0.500 to 0.050 and validation loss rose from "
            "0.640 to 0.800."
        )
        assert found.tables[0].rows[0][-1] == "yes"

    def test_a_gap_that_shows_overfitting_is_never_said_to_be_too_unsure(self) -> None:
        tags = {"tracker.training_clips": "120"}
        run = make_run(1, "100", tags=tags, metrics={"fit_accuracy": 1.0}, loss=[0.9, 0.5], val_loss=[0.9, 0.8])
        found = answer(build_report("e", [run]), "overfitting").sentence
        assert found.startswith("Yes. Validation loss of run 1 was lowest at its last epoch, 2.")
        assert ", a gap that is more than chance (95% interval" in found

    def test_a_run_that_ends_while_it_improves_does_not_overfit(self) -> None:
        found = answer(build_report("e", [curved(1, "3", loss=TRAINING[:8], val_loss=LOWER)]), "overfitting")
        assert found.sentence.startswith("Not by the curves. Validation loss of run 1 was still falling")

    def test_a_cut_without_a_lower_loss_did_not_help_and_the_stop_after_it_is_told(self) -> None:
        rates = [0.1] * 8 + [0.01] * 3
        report = build_report("e", [curved(1, "3", loss=TRAINING, val_loss=FALLING, learning_rate=rates)])
        found = answer(report, "learning_rate")
        assert found.sentence == (
            "No: after the one cut, validation loss never fell below its earlier minimum. "
            "In run 1, early stopping left the last cut only 3 epochs to act."
        )

    def test_cuts_that_helped_are_counted_and_the_largest_step_is_told(self) -> None:
        rates = [0.1] * 2 + [0.01] * 3 + [0.001] * 6
        runs = [curved(1, "3", loss=TRAINING, val_loss=FALLING, learning_rate=rates)]
        assert answer(build_report("e", runs), "learning_rate").sentence.startswith(
            "It may have: after each of the 2 cuts, validation loss fell below its earlier minimum; "
            "the largest step was from 0.800 to 0.650."
        )

    def test_a_run_without_curves_raises_no_question_about_them(self) -> None:
        report = build_report("e", [make_run(1, "1101")])
        assert not {"overfitting", "patience", "learning_rate"} & {a.id for a in report.answers}


class TestHeadline:
    def test_the_title_is_the_finding(self) -> None:
        assert build_report("e", seeds({"3": WEAK, "7": STRONG})).title.startswith("The 7×7 kernel is best: 95")
        assert build_report("e", writeup_runs()).title.startswith("No winner yet: the four models are within two clips")
        assert build_report("e", []).title == "No finished run to report on"
        assert build_report("e", [make_run(1, "1101")]).title.startswith("One run: 3 of 4 validation clips correct")

    @pytest.mark.parametrize(
        ("correct", "title"),
        [
            (("1100", "0011"), "No winner yet: the two models both get 2 clips correct"),
            (("1000", "0001", "0100"), "No winner yet: the three models all get 1 clip correct"),
            (("1100", "0111"), "No winner yet: the two models differ by one clip"),
        ],
    )
    @pytest.mark.parametrize("minimise", [False, True])
    def test_the_title_counts_the_clips_of_every_run(self, correct: Sequence[str], title: str, minimise: bool) -> None:
        runs = [make_run(n, clips, {"kernel_size": f"{2 * n + 1}"}) for n, clips in enumerate(correct, start=1)]
        report = build_report("e", runs, minimise=minimise)
        assert report.title == title
        assert ("and so do" in report.lead) == (" get " in title)
        assert not [figure for figure in report.key_figures if figure.value.startswith(("-", "\N{MINUS SIGN}"))]

    def test_the_lead_names_the_configuration_and_what_the_runs_show(self) -> None:
        lead = build_report("e", writeup_runs()).lead
        assert lead.startswith("Run 3 (3×3 kernel, lr 1e-3, plateau ×0.5 after 15, early stopping after 20) classifies")
        assert lead.count(". ") == 1

    def test_the_key_figures_are_best_lead_and_detectable_difference(self) -> None:
        figures = build_report("e", writeup_runs()).key_figures
        assert [figure.value for figure in figures][:2] == ["26 / 30", "1 clip"]

    def test_facts_count_runs_configurations_and_seeds(self) -> None:
        facts = dict(build_report("e", seeds({"3": WEAK, "7": STRONG})).facts)
        assert facts["Runs"] == "8 of 2 configurations, 4 seeds"
        assert facts["Clips"] == "10 for validation"

    def test_runs_that_logged_no_seed_are_not_counted_as_seeds(self) -> None:
        without = [
            replace(run, params={name: value for name, value in run.params.items() if name != "seed"})
            for run in seeds({"3": WEAK, "7": STRONG})
        ]
        report = build_report("e", without)
        assert dict(report.facts)["Runs"] == "8 of 2 configurations"
        assert "over 4 runs" in report.lead


LOWER = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
RISING = [0.9, 0.5, *[0.6] * 6, 0.4, *[0.7] * 20]  # a patience below 8 stops at epoch 2's weights


class TestPatience:
    def sentence(self, *runs: Run) -> str:
        return answer(build_report("e", runs), "patience").sentence

    def test_one_run_is_told_the_shortest_patience_that_is_enough(self) -> None:
        found = answer(build_report("e", [curved(1, "3", loss=TRAINING, val_loss=FALLING)]), "patience")
        assert found.label == "Replay"
        assert found.sentence == (
            "Yes: patience 2 would have kept the same weights and ended training at epoch 8 instead of 11."
        )
        assert found.tables[0].rows[0][-1] == "2"

    def test_several_runs_are_answered_together(self) -> None:
        runs = [curved(n, kernel, val_loss=FALLING) for n, kernel in ((1, "3"), (2, "7"))]
        assert self.sentence(*runs) == "Yes, for both, saving 6 of 22 epochs."

    def test_little_that_would_have_been_saved_is_called_little(self) -> None:
        losses = [1.0, 0.9, 0.8, 0.85, *[0.7] * 1, *[0.75] * 3]
        runs = [curved(n, kernel, val_loss=losses) for n, kernel in ((1, "3"), (2, "7"))]
        assert self.sentence(*runs) == "Yes, for both, but it would have saved little: 2 of 16 epochs."

    def test_no_patience_is_enough_if_each_stops_before_the_best_epoch(self) -> None:
        assert self.sentence(curved(1, "3", val_loss=[0.9, 0.5, *[0.6] * 6, 0.4])) == (
            "No: every patience short enough to end run 1 earlier also stops it before its best epoch."
        )

    def test_last_weights_that_are_kept_change_with_any_stop(self) -> None:
        run = make_run(1, "1101", {"keep": "last"}, val_loss=FALLING)
        assert self.sentence(run) == "No: the run keeps its last weights, which any earlier stop changes."

    def test_the_usual_patience_is_told_where_it_stops_too_early(self) -> None:
        late = [0.9, 0.5, *[0.6] * 12, 0.4, *[0.7] * 14]
        by_epoch = ["0001", "0011", *["0101"] * 12, "0111", *["0001"] * 14]
        run = make_run(1, "0111", {"kernel_size": "3"}, val_loss=late, by_epoch=by_epoch)
        assert self.sentence(run, curved(2, "7", val_loss=RISING)) == (
            "Yes, for both, saving 14 of 58 epochs. "
            "Patience 10 would have stopped run 1 before its best epoch, with 2 clips correct instead of 3."
        )

    def test_a_run_that_nothing_shorter_would_have_ended_counts_too(self) -> None:
        runs = [curved(1, "3", val_loss=FALLING), curved(2, "7", val_loss=[1.0, 0.9, 0.8])]
        assert self.sentence(*runs).startswith("Only for run 1, saving 3 of 11 epochs.")

    def test_many_runs_are_counted(self) -> None:
        runs = [curved(n, str(n), val_loss=FALLING) for n in range(1, 21)]
        assert self.sentence(*runs) == "Yes, for all 20, saving 60 of 220 epochs."

    def test_it_says_what_it_is_about_if_a_run_watched_another_metric(self) -> None:
        watching = {"monitor": "val_accuracy", "patience": "4", "min_delta": "0"}
        run = replace(make_run(1, "1101", watching, val_loss=FALLING), tags={})
        found = answer(build_report("e", [run]), "patience")
        assert found.sentence.endswith("This is about validation loss; run 1 watched val_accuracy.")
        assert found.tables[0].title == "Where other patiences on validation loss would have stopped"
        assert found.tables[0].rows[0][1] == "4 on val_accuracy"

    def test_the_best_epoch_counts_if_it_is_unknown_whose_weights_were_kept(self) -> None:
        run = replace(make_run(1, "1101", {"C": "1"}, val_loss=FALLING), tags={})
        found = answer(build_report("e", [run]), "patience")
        assert found.sentence.startswith("Yes: patience 2 would have found the same best epoch and ended training at")
        assert found.tables[0].rows[0][:4] == ("Run 1", "–", "11", "no earlier")


class TestFolds:
    def test_errors_are_those_of_all_folds_together(self, on_folds: MakeRuns) -> None:
        by_kernel = {"3": ["1100", "1010", "1110"], "7": ["1110", "1110", "1110"]}
        found = answer(build_report("e", on_folds(by_kernel)), "errors")
        assert found.tables[0].title == "Errors by class, over all folds"
        assert found.tables[0].rows[0][:2] == ("a", "12")

    def test_the_winner_is_told_as_everywhere_and_no_leader_is_called_best(self, on_folds: MakeRuns) -> None:
        report = build_report("e", on_folds({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]}))
        assert "has the highest mean" in answer(report, "best").sentence
        assert "is best" not in " ".join(c.sentence for c in report.conclusions if c.verdict == "inconclusive")


@pytest.mark.parametrize("runs", [writeup_runs(), seeds({"3": WEAK, "7": STRONG})], ids=["writeup", "seeds"])
def test_sections_stand_best_first(runs: list[Run]) -> None:
    means = [section.standing.mean for section in build_report("e", runs).sections]
    assert means == sorted(means, reverse=True)  # type: ignore[type-var]


class TestErrors:
    @pytest.mark.parametrize(
        ("correct", "text"),
        [
            ("011111", "The hardest class is a: 1 of its 2 clips"),
            ("010111", "The hardest classes are a and b: 50% of the clips of each are wrong."),
        ],
    )
    def test_two_classes_with_as_many_errors_are_both_the_hardest(self, correct: str, text: str) -> None:
        predictions = make_predictions(correct, classes=("a", "b", "c"), labels=tuple("aabbcc"))
        report = build_report("e", [replace(make_run(1), validation=predictions)])
        assert text in answer(report, "errors").sentence


def test_limits_have_one_line_a_check_however_many_folds_there_are(on_folds: MakeRuns) -> None:
    def of_folds(*correct: str) -> Report:
        named = [(signs, [f"{place}-{i}" for i in range(len(signs))]) for place, signs in enumerate(correct)]
        predictions = [make_predictions(signs, clips) for signs, clips in named]
        folds = zip(on_folds({"3": ["1111"] * 3}), predictions, strict=True)
        return build_report("folds", [replace(run, validation=each) for run, each in folds])

    report = of_folds("1" * 24, "1" * 20 + "0" * 4, "1" * 22 + "00")
    limits = answer(report, "limits")
    checks = [c.id for c in report.conclusions if c.kind in ("baseline", "calibration")]
    assert len(checks) == 6
    assert set(checks) <= set(limits.conclusions)
    assert sum("majority-class baseline" in point for point in limits.points) == 1
    assert sum("calibration error" in point for point in limits.points) == 1
    assert "In each of the 3 folds, the 3×3 kernel" in " ".join(limits.points)
    worse = answer(of_folds(*["10" * 12] * 3), "limits")
    assert "In none of the 3 folds is the 3×3 kernel significantly better" in " ".join(worse.points)

    @pytest.mark.parametrize(("metrics", "label"), [({}, "Observed"), ({"fit_accuracy": 1.0}, "Estimate")])
    def test_an_answer_with_an_interval_is_not_called_observed(self, metrics: dict[str, float], label: str) -> None:
        tags = {"tracker.training_clips": "8"}
        run = make_run(1, "1110", tags=tags, metrics=metrics, val_loss=FALLING, loss=TRAINING)
        found = answer(build_report("e", [run]), "overfitting")
        assert found.verdict == label
        assert ("interval" in found.sentence) == (label == "Estimate")


class TestAnotherMetric:
    def losses(self) -> list[Run]:
        """Two configurations of three seeds, whose predictions are surer under the second one."""
        return [
            make_run(
                10 * level + seed + 1, "1111011111"[seed:] + "1111011111"[:seed],
                {"kernel_size": str(3 + 4 * level), "seed": str(seed)}, val_loss=[0.9, 0.5 - 0.1 * level + 0.01 * seed],
            )
            for level in (0, 1) for seed in (0, 1, 2)
        ]  # fmt: skip

    def test_losses_are_ranked_lowest_first_and_said_in_their_own_unit(self) -> None:
        report = build_report("e", self.losses(), metric="val_loss")
        assert answer(report, "best").sentence.startswith("The 7×7 kernel")
        assert "has a validation loss of 0.410 over 3 seeds, the next 0.510" in report.lead
        assert "points" not in " ".join([report.title, report.lead, answer(report, "best").sentence])

    def test_another_metric_stands_in_the_head_of_its_column_and_what_was_not_tested_in_none(self) -> None:
        found = answer(build_report("e", writeup_runs(), metric="best_val_loss"), "best").tables[0]
        assert found.header == ("run", "best_val_loss", "behind the best", "verdict")
        assert found.rows[0][1:] == ("0.404", "+0.0337", "not tested")

    def test_the_key_figure_of_a_loss_is_the_lowest_and_has_its_seeds(self) -> None:
        figure = build_report("e", self.losses(), metric="val_loss").key_figures[0]
        assert (figure.value, figure.caption) == ("0.410", "lowest validation loss over 3 seeds")

    def test_a_shared_score_that_was_not_tested_leads_nothing(self) -> None:
        runs = [replace(make_run(n, None, {"lr": str(n)}, metrics={"val_accuracy": 0.82}), tags={}) for n in (1, 2)]
        report = build_report("e", runs)
        assert report.title == "Runs 1 and 2 share the highest validation accuracy, 82.0%; the data do not allow a test"
        assert "scores 82%, and so does the next. The best score is shared" in report.lead

    def test_a_lead_that_was_not_tested_is_not_called_chance(self) -> None:
        report = build_report("e", writeup_runs(), metric="best_val_loss")
        assert report.title == "Run 3 has the lowest best_val_loss, 0.371; its lead could not be tested"
        assert "The lead could not be tested" in report.lead


def test_limits_say_of_the_selection_what_its_conclusion_does() -> None:
    runs = [make_run(n, correct, {"kernel_size": str(n)}) for n, correct in ((3, "1101111011"), (5, "1101011010"))]
    report = build_report("e", runs)
    (selection,) = (c for c in report.conclusions if c.kind == "selection_optimism")
    points = answer(report, "limits").points
    assert points.count(selection.sentence) == 1
    assert sum("picked" in point for point in points) == 1


class TestRunsThatCannotBeRanked:
    def test_title_lead_and_answer_agree_on_runs_on_different_clips(self) -> None:
        runs = [
            make_run(n, "1101", {"kernel_size": str(n)}, prefix=f"set{n}-", tags={"tracker.split": f"s{n}"})
            for n in (3, 5, 7)
        ]
        report = build_report("e", runs)
        assert report.title == "Three runs on different validation clips, which cannot be ranked"
        assert report.lead.startswith("The runs score 3 of 4, each on different validation clips")
        assert answer(report, "best").label == "Not comparable"
        assert all("best" not in figure.caption for figure in report.key_figures)
        assert dict(report.facts)["Clips"] == "4 for validation, in 3 different sets"

    def test_a_configuration_that_could_not_be_tested_is_not_said_to_be_as_good(self) -> None:
        runs = seeds({"3": WEAK[:2], "7": STRONG[:2]})
        report = build_report("e", runs)
        assert [row[-1] for table in answer(report, "best").tables for row in table.rows] == ["too few seeds"]
        assert [row[-1] for row in configurations(report)] == ["yes", "too few seeds"]


class TestOtherPrograms:
    def forests(self) -> list[Run]:
        """What scikit-learn's users log: the options of two methods, some of them None."""
        each = [{"C": "0.1"}, {"C": "1"}, {"n_estimators": "100", "max_depth": "None"}]
        each.append({"n_estimators": "100", "max_depth": "5"})
        return [replace(make_run(n, "1101", params, seed=None), tags={}) for n, params in enumerate(each, start=1)]

    def test_titles_have_the_values_that_a_run_logged_and_no_others(self) -> None:
        report = build_report("e", self.forests())
        assert [entry.title for entry in report.entries] == [
            "C=0.1", "C=1", "max_depth=none, n_estimators=100", "max_depth=5, n_estimators=100",
        ]  # fmt: skip

    def test_the_table_of_runs_has_no_off_for_what_was_not_logged(self) -> None:
        levels = [dict(entry.levels) for entry in build_report("e", self.forests()).entries]
        assert [level["C"] for level in levels] == ["0.1", "1", "–", "–"]
        assert [level["max_depth"] for level in levels] == ["–", "–", "none", "5"]

    def test_a_single_run_is_titled_by_what_it_logged(self) -> None:
        report = build_report("e", self.forests()[:1])
        assert report.entries[0].title == "C=0.1"
        assert "run 1 (C 0.1)" in report.lead.lower() or "Run 1 (C 0.1)" in report.lead

    def test_a_metric_that_no_run_logged_is_said_once_in_the_lead(self) -> None:
        runs = [replace(make_run(n, None, {"C": str(n)}, metrics={"rmse": 1.0 * n}), tags={}) for n in (1, 2)]
        report = build_report("e", runs, metric="val_accuracy")
        assert report.lead == ("No run logged a number for val_accuracy. They did log rmse: --metric ranks them by it.")
        assert report.limits[-1] != report.lead
        assert answer(report, "best").sentence == "No run logged a number for val_accuracy."

    @pytest.mark.parametrize(
        ("metrics", "lead"),
        [
            ({}, "No run logged a metric."),
            (
                {"epoch": 3.0},
                "No run logged a metric that ranks runs. They did log epoch: --metric ranks them by it.",
            ),
        ],
    )
    def test_runs_without_any_metric_are_not_said_to_lack_one_that_nobody_named(
        self, metrics: dict[str, float], lead: str
    ) -> None:
        report = build_report("e", [make_run(n, None, {"C": str(n)}, metrics=metrics) for n in (1, 2)])
        assert report.title == "Two runs that cannot be ranked: none logged a metric to rank them by"
        assert report.lead == lead
        assert dict(report.facts)["Metric"] == "none logged"
        assert answer(report, "options").sentence == (
            "The effect of C is unknown: no runs that differ in it alone logged a metric."
        )

    def test_an_estimators_own_text_names_no_run_if_its_params_do(self) -> None:
        texts = {c: f"LogisticRegression(C={c}, max_iter=300)" for c in ("0.1", "1")}
        runs = [
            replace(make_run(n, "1101", {"lr__C": c, "lr": text}, seed=None), tags={})
            for n, (c, text) in enumerate(texts.items(), start=1)
        ]
        assert [entry.title for entry in build_report("e", runs).entries] == ["lr__C=0.1", "lr__C=1"]

    def test_options_whose_clips_were_logged_of_some_runs_alone_are_told_in_one_sentence(self) -> None:
        levels = [{"a": "0", "b": "0"}, {"a": "1", "b": "0"}, {"a": "0", "b": "1"}]
        runs = [
            replace(make_run(n, "10" if n else None, params, metrics={"val_accuracy": 0.5}), tags={})
            for n, params in enumerate(levels)
        ]
        found = answer(build_report("e", runs), "options")
        assert found.sentence == (
            "The effects of a and b are unknown, as are the validation samples that the runs were judged on."
        )
        assert found.points == ()


class TestScoresOfRuns:
    def text_of(self, *values: float, metric: str, params: Sequence[str], **curves: Sequence[float]) -> str:
        runs = [
            replace(make_run(i, None, {"C": level}, seed=None, metrics={metric: value}, **curves), tags={})
            for i, (value, level) in enumerate(zip(values, params, strict=True), 1)
        ]
        report = build_report("e", runs)
        points = [text for one in report.answers for text in (one.sentence, *one.points)]
        return " ".join([report.title, report.lead, *points])

    def test_scores_that_differ_are_not_written_the_same(self) -> None:
        assert "has accuracy 0.90404, the next 0.90399" in self.text_of(
            0.90404, 0.90399, metric="accuracy", params="12"
        )

    def test_whether_the_only_other_run_differs_is_said_of_one(self) -> None:
        text = self.text_of(0.9, 0.8, metric="val_auc", params="12")
        assert "Whether the other run differs from it cannot be tested: val_auc is not known" in text

    def test_runs_that_are_identical_are_not_said_to_differ_perhaps(self) -> None:
        text = self.text_of(0.8, 0.8, metric="val_accuracy", params="12", val_loss=[0.9, 0.7, 0.8])
        assert "share the highest validation accuracy" in text
        assert "Whether" not in text

    def test_equal_scores_of_three_trainings_give_no_interval_and_pick_nothing(self) -> None:
        text = self.text_of(0.8, 0.8, 0.8, metric="val_accuracy", params="111")
        assert "interval" not in text
        assert "picked" not in text

    def test_an_object_stands_in_a_configuration_as_it_was_logged(self) -> None:
        assert "(C SVC())" in self.text_of(0.9, 0.8, metric="val_auc", params=["SVC()", "Tree(depth=3)"])

    def test_an_object_stands_in_a_title_as_it_was_logged(self) -> None:
        models = ["SVC()", "Tree(max_depth=3, seed=0)"]
        entries = build_report("e", [make_run(i, "10", {"C": model}) for i, model in enumerate(models)]).entries
        assert [entry.title for entry in entries] == [f"C={model}" for model in models]

    def test_runs_without_any_metric_are_not_called_too_optimistic(self) -> None:
        text = self.text_of(math.nan, math.nan, metric="val_auc", params="12")
        assert not re.search("optimistic|baseline", text)

    def test_configurations_of_equal_means_share_them(self) -> None:
        text = self.text_of(0.8, 0.7, 0.8, 0.7, metric="val_accuracy", params="1122")
        assert "Two configurations share the highest" in text
        assert "0 points ahead" not in text

    def test_a_score_has_the_same_digits_in_title_and_sentence(self) -> None:
        assert self.text_of(0.0353, 0.164, metric="val_rmse", params="12").count("lowest val_rmse, 0.0353") == 2
