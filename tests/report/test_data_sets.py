"""A report on an experiment with several data sets, in every form."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest

from tests.builders import make_run
from tracker.figures import report_pictures
from tracker.render import render_csv, render_html, render_json, render_latex, render_markdown
from tracker.render.tables import appendix
from tracker.render.view_model import arrange
from tracker.report import Report, build_comparison, build_report

SETS = ("birds", "<b>bats", "cars", "dogs", "frogs", "owls", "rain")
TAGS = ("tracker.dataset", "tracker.split")
CORRECT = {"3": 6, "5": 7, "7": 9}  # clips of ten


@pytest.fixture(scope="module")
def report() -> Report:
    return build_report(
        "sounds",
        [
            make_run(
                number,
                ("1" * (CORRECT[kernel] - (place + int(seed)) % 2)).ljust(10, "0"),
                {"kernel_size": kernel},
                seed=seed,
                prefix=f"{name}-",
                tags={"tracker.dataset": name, "tracker.split": name, "tracker.data": f"data/{name}"},
            )
            for number, ((place, name), kernel, seed) in enumerate(product(enumerate(SETS), CORRECT, "01"), 1)
        ],
    )


class TestReport:
    def test_the_finding_is_that_across_data_sets(self, report: Report) -> None:
        assert report.title == "The 7×7 kernel is best over 7 data sets"
        assert [answer.id for answer in report.answers][:1] == ["data_sets"]
        assert report.answers[0].label == "Supported"

    def test_each_data_set_has_its_own_answers_and_configurations(self, report: Report) -> None:
        assert [data_set.name for data_set in report.data_sets] == sorted(SETS)
        for data_set in report.data_sets:
            assert [answer.id for answer in data_set.answers][:2] == ["best", "options"]
            assert {section.data_set for section in data_set.sections} == {data_set.name}
            assert len(data_set.sections) == 3

    def test_no_conclusion_but_the_one_across_has_runs_of_two_data_sets(self, report: Report) -> None:
        of_run = {entry.run.run_id: entry.data_set for entry in report.entries}
        for conclusion in report.conclusions:
            if conclusion.kind != "across_data_sets":
                assert {of_run[run] for run in conclusion.runs} == {conclusion.data_set}

    def test_conclusions_have_ids_of_their_own(self, report: Report) -> None:
        ids = [conclusion.id for conclusion in report.conclusions]
        assert len(set(ids)) == len(ids)

    def test_runs_are_ranked_within_their_data_set(self, report: Report) -> None:
        view = arrange(report)
        assert view.options.shown[0] == "Data set"
        assert [row.levels[0] for row in view.rows.shown] == [name for name in sorted(SETS) for _ in range(6)]
        assert len([row for row in view.rows.shown if row.best]) >= len(SETS)

    def test_further_findings_say_which_data_sets_they_are_about(self) -> None:
        runs = [
            make_run(
                number,
                None,
                {"kernel_size": kernel, "dataset": name},
                tags=dict.fromkeys(TAGS, ""),
                metrics={"accuracy": score},
            )
            for number, (name, (kernel, score)) in enumerate(product("ab", {"3": 0.5, "5": 0.6}.items()), 1)
        ]
        runs += [replace(run, run_id=f"9{run.run_id[1:]}", params=run.params | {"seed": "1"}) for run in runs]
        (table,) = [table for table in appendix(build_report("e", runs)) if table.title == "Further findings"]
        abouts = [about for about, *_ in table.rows]
        assert {"Which run is best, a", "Which run is best, b", "Limit of epochs, each data set"} <= set(abouts)
        assert len(set(table.rows)) == len(table.rows)

    def test_configurations_that_are_level_have_no_lead_among_the_key_figures(self) -> None:
        scores = {("a", "3"): 0.5, ("a", "5"): 0.6, ("b", "3"): 0.8, ("b", "5"): 0.7}
        runs = [
            make_run(
                number,
                None,
                {"kernel_size": kernel, "dataset": name},
                tags=dict.fromkeys(TAGS, ""),
                metrics={"accuracy": score},
            )
            for number, ((name, kernel), score) in enumerate(scores.items(), 1)
        ]
        (figure,) = build_report("e", runs).key_figures
        assert (figure.value, figure.caption) == ("1.50", "best mean rank among 2 configurations: shared by several")

    def test_what_holds_for_every_data_set_stands_once(self, report: Report) -> None:
        points = [point for answer in report.answers if answer.id == "limits" for point in answer.points]
        of_sets = [point for data_set in report.data_sets for answer in data_set.answers for point in answer.points]
        assert points
        assert set(points).isdisjoint(of_sets)


class TestComparison:
    def test_samples_of_equal_names_on_two_data_sets_are_not_compared(self) -> None:
        runs = [
            make_run(number, correct, {"kernel_size": kernel, "dataset": name}, tags=dict.fromkeys(TAGS, ""))
            for number, (name, (kernel, correct)) in enumerate(product("ab", {"3": "1100", "5": "1111"}.items()), 1)
        ]
        comparison = build_comparison("e", runs, (runs[0].run_id, runs[3].run_id))
        assert comparison.conclusion is not None
        assert (comparison.conclusion.verdict, comparison.clips) == ("not_comparable", ())


class TestForms:
    def test_json_has_the_data_sets(self, report: Report) -> None:
        document = json.loads(render_json(report))
        assert [data_set["name"] for data_set in document["data_sets"]] == sorted(SETS)
        assert {run["data_set"] for run in document["runs"]} == set(SETS)
        (across,) = [found for found in document["conclusions"] if found["kind"] == "across_data_sets"]
        assert across["details"]["configurations"][0]["mean_rank"] == 1

    def test_csv_names_the_data_set_of_each_run(self, report: Report) -> None:
        header, first, *_ = render_csv(report).splitlines()
        assert (header.split(",")[0], first.split(",")[0]) == ("data_set", "birds")

    def test_latex_is_the_table_of_scores_and_mean_ranks(self, report: Report) -> None:
        text = render_latex(report)
        assert text.count(r"\\") == 4
        assert r"7$\times$7 kernel & \textbf{" in text
        assert text.count("& 1.00 ") == 1

    @pytest.mark.parametrize("render", [render_markdown, render_html])
    def test_a_page_has_the_figure_the_table_and_a_section_for_each(self, report: Report, render) -> None:
        text = render(report, report_pictures(report))
        assert text.count("5×5 kernel has the best mean rank") == 0
        assert "7×7 kernel has the best mean rank" in text
        assert "Validation accuracy on each data set, and mean rank" in text
        assert text.count("Crosses: wrong") == text.count("shade: share of the row") == len(SETS)
        assert "<b>bats" not in text
        assert "Which configuration is best across the data sets?" in text
