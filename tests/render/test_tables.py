from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import changed, make_run, runs_by_kernel
from tracker.conclusions.conclusion import Conclusion, Details
from tracker.render.tables import (
    appendix,
    configurations,
    facts,
    legend,
    other_column,
    results,
    score_writer,
    section_columns,
    table_columns,
    training_line,
)
from tracker.report import Section, build_report
from tracker.study.metrics import Metric
from tracker.study.other_metrics import LoggedValue, OtherMetric

if TYPE_CHECKING:
    from tracker.report import Report, RunEntry


def by_metric(report: Report, name: str, scores: list[float | None], *, lower_is_better: bool = True) -> Report:
    """The report as it would be on another metric, of runs that counted no clips."""
    sections = tuple(
        replace(section, entries=tuple(_scored(entry, scores[entry.number - 1]) for entry in section.entries))
        for section in report.sections
    )
    return replace(report, metric=Metric(name, lower_is_better), sections=sections)


def _scored(entry: RunEntry, score: float | None) -> RunEntry:
    return changed(entry, correct=None, val_accuracy=None, seconds=None, score=score)


def titles_of(report: Report, *entries: RunEntry) -> list[str]:
    return [column.title for column in table_columns(replace(report, sections=(Section("Conv=3", entries),)))]


MAE = [0.51, 0.4, 0.5123, None]


class TestTableColumns:
    def test_table_columns_are_those_of_accuracy(self, report: Report) -> None:
        titles = [column.title for column in table_columns(report)]
        assert titles == ["Correct", "%", "95% interval", "Loss", "Best epoch", "Stop epoch", "Seconds"]

    def test_table_columns_have_the_fold_if_it_varies_and_nothing_that_could_act(self, report: Report) -> None:
        first, second = (
            replace(entry, split=(("fold", fold),)) for entry, fold in zip(report.entries, ["1/5", "<b>"], strict=False)
        )
        (fold, *_) = table_columns(replace(report, sections=(Section("Conv=3", (first, second)),)))
        assert fold.title == "Fold"
        assert [fold.cell(entry) for entry in (first, second)] == ["1/5", "–"]

    def test_table_columns_have_another_metric_by_its_name(self, report: Report) -> None:
        columns = table_columns(by_metric(report, "val_mae", MAE))
        assert [column.title for column in columns] == ["val_mae", "Loss", "Best epoch", "Stop epoch"]
        assert [column.primary for column in columns] == [True, False, False, False]

    def test_table_columns_write_the_training_loss_as_the_validation_loss(self, report: Report) -> None:
        values = (*(LoggedValue(loss, 1, None) for loss in (0.61, 0.5, 1.25)), None)
        other = OtherMetric("loss", "training", values, is_fraction=False)
        cell = other_column(other, report.entries).cell
        assert [cell(entry) for entry in report.entries] == ["0.610", "0.500", "1.25", "–"]

    def test_table_columns_tell_values_of_a_metric_apart(self, report: Report) -> None:
        found = by_metric(report, "val_mae", MAE)
        (mae, *_) = table_columns(found)
        assert [mae.cell(entry) for entry in found.entries] == ["0.510", "0.400", "0.512", "–"]

    def test_table_columns_have_the_kept_epoch_where_it_is_not_the_best(self, report: Report) -> None:
        first, *others = (changed(entry, kept_epoch=entry.result.best_epoch) for entry in report.entries)
        last = changed(first, kept_epoch=first.result.stop_epoch)
        assert "Kept epoch" not in titles_of(report, first, *others)
        assert "Kept epoch" in titles_of(report, last, *others)

    def test_table_columns_have_the_loss_once(self, report: Report) -> None:
        titles = [column.title for column in table_columns(by_metric(report, "val_loss", MAE))]
        assert titles == ["val_loss", "Best epoch", "Stop epoch"]

    def test_table_columns_have_the_digits_that_sentences_have(self, report: Report) -> None:
        scored = by_metric(report, "val_mse", [0.02385, 0.9, 1.23e-7, None])
        assert [str(score_writer(scored.entries)(entry)) for entry in scored.entries] == [
            "0.0239", "0.9000", "1.23e-7", "–",
        ]  # fmt: skip


class TestSectionColumns:
    def test_section_columns_have_each_kept_epoch_where_any_is_not_the_best(self, report: Report) -> None:
        first, second, *_ = (changed(entry, kept_epoch=entry.result.best_epoch) for entry in report.entries)
        entries = (changed(first, kept_epoch=first.result.stop_epoch), second)
        (kept,) = (column for column in section_columns(report, entries) if column.title == "Kept epoch")
        assert [kept.cell(entry) for entry in entries] == [str(first.result.stop_epoch), str(second.result.best_epoch)]

    def test_section_columns_have_the_metric_as_logged(self, report: Report) -> None:
        found = by_metric(report, "val_mae", MAE)
        titles = [column.title for column in section_columns(found, found.entries)]
        assert titles == ["Validation loss", "val_mae", "Best epoch", "Stop epoch"]


class TestLegend:
    def test_legend_says_what_is_better(self, report: Report) -> None:
        assert legend(by_metric(report, "val_mae", MAE)).endswith(
            "val_mae: the metric that ranks the runs, at the best epoch; lower is better (lowest in bold)."
        )
        assert "higher is better (highest in bold)" in legend(by_metric(report, "val_r2", MAE, lower_is_better=False))

    def test_legend_of_accuracy_says_what_is_counted(self, report: Report) -> None:
        assert legend(report) == (
            "Correct: validation clips classified correctly, at the best epoch (highest in bold). Loss is the "
            "validation loss of the same weights. Intervals are 95% confidence intervals."
        )

    def test_legend_says_which_runs_are_compared_if_some_are_on_other_clips(self) -> None:
        same = [make_run(number, signs, {"kernel_size": str(number)}) for number, signs in ((1, "1100"), (3, "1000"))]
        other = make_run(5, "1111", {"kernel_size": "5"}, prefix="other")
        report = build_report("genres", [other, *same])
        assert "(highest on the clips that most runs share in bold)" in legend(report)
        assert "bold" not in legend(build_report("genres", [other, same[0]]))

    def test_legend_of_accuracies_without_clips_says_so(self, report: Report) -> None:
        sections = tuple(
            replace(section, entries=tuple(changed(entry, correct=None) for entry in section.entries))
            for section in report.sections
        )
        assert legend(replace(report, sections=sections)).startswith("%: validation accuracy in percent")


class TestResults:
    def test_results_are_the_logged_loss_and_accuracy(self, report: Report) -> None:
        loss, accuracy = results(report, report.entries[2])
        assert (loss.title, loss.value) == ("Validation loss", "0.371")
        assert accuracy.note == "26 of 30, 95% interval 70.3–94.7%"

    def test_results_leave_out_what_was_not_logged(self, report: Report) -> None:
        found = by_metric(report, "val_mae", MAE)
        assert [fact.title for fact in results(found, found.entries[0])] == ["Validation loss", "val_mae"]


class TestCourseLine:
    def test_course_line_says_epochs_and_time(self, report: Report) -> None:
        assert training_line(report.entries[2]) == "Best epoch 24, stop epoch 44, 62 s"
        last = changed(report.entries[2], kept_epoch=44)
        assert training_line(last) == "Best epoch 24, kept epoch 44, stop epoch 44, 62 s"

    @pytest.mark.parametrize(
        ("known", "line"), [({"seconds": 4.0}, "4.0 s"), ({"stop_epoch": 9}, "Stop epoch 9"), ({}, "")]
    )
    def test_course_line_leaves_out_what_is_not_known(self, report: Report, known: dict[str, float], line: str) -> None:
        nothing = changed(report.entries[0], best_epoch=None, stop_epoch=None, seconds=None)
        assert training_line(changed(nothing, **known)) == line


class TestFacts:
    def test_facts_of_another_metric_are_in_its_unit(self) -> None:
        lower = Conclusion("option_effect", "inconclusive", ("a",), estimate=-0.0312)
        assert facts(lower, 0.05, in_points=False) == ("difference −0.0312",)

    def test_facts_are_the_numbers_of_a_difference_with_their_method(self) -> None:
        conclusion = Conclusion(
            "run_difference", "inconclusive", ("a", "b"), estimate=2 / 30, interval=(-0.0512, 0.2218),
            p_value=0.5, p_adjusted=1.0, n=30, method="exact McNemar",
        )  # fmt: skip
        assert facts(conclusion, alpha=0.05) == (
            "difference +6.7 points",
            "95% interval −5.1 to +22 points",
            "p = 0.500",
            "adjusted p = 1.0",
            "n = 30",
            "exact McNemar",
        )

    def test_call_an_estimate_of_something_else_by_that_name(self) -> None:
        assert facts(Conclusion("selection_optimism", "exact", ("a",), estimate=0.05), 0.05) == ("estimate +5 points",)

    def test_there_are_none_where_nothing_is_inferred(self) -> None:
        assert facts(Conclusion("early_stopping", "exact", ("a",), n=30), 0.05) == ()

    def test_most_kinds_have_no_table(self) -> None:
        assert Details().tables(in_points=True) == ()


def test_the_appendix_does_not_repeat_how_configurations_vary_nor_what_an_answer_has_in_full() -> None:
    runs = runs_by_kernel({"3": ["110100", "110000", "010100"], "7": ["111110", "111100", "110110"]})
    report = build_report("e", runs)
    assert configurations(report)
    assert any(conclusion.kind == "stability" for conclusion in report.conclusions)
    tables = {table.title: table for table in appendix(report)}
    assert "Contrasts of options" not in tables
    assert not any("one configuration" in row[-1] for row in tables["Further findings"].rows)
