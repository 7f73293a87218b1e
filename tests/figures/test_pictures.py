from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders import ACCURACY, entries_of, make_run
from tracker.conclusions.baseline import Baseline as MajorityBaseline
from tracker.conclusions.best_configuration import Standing
from tracker.conclusions.calibration import Calibration
from tracker.conclusions.conclusion import Conclusion
from tracker.conclusions.contrasts import ContrastEffect
from tracker.conclusions.option_effect import OptionEffect
from tracker.conclusions.run_difference import RunDifference
from tracker.figures import report_pictures
from tracker.report import Report, RunEntry, Section, build_report
from tracker.statistics.calibration import ConfidenceBin


def report_of(entries, conclusions=()) -> Report:
    sections = [
        Section(e.title, (e,), f"{e.name}: {e.title}", standing(e, tied=bool(n))) for n, e in enumerate(entries)
    ]
    return of_sections(sections, conclusions)


def standing(*entries: RunEntry, tied: bool = False) -> Standing:
    first = entries[0].result
    interval = first.accuracy.interval if first.accuracy else None
    ids = tuple(entry.run.run_id for entry in entries)
    p_value = 0.3 if tied else None
    return Standing(ids, first.score, 0.1, interval, first.correct, first.n, p_value, p_value, tied=tied)


def of_sections(sections, conclusions=()) -> Report:
    return Report("e", ACCURACY, (), (), tuple(sections), tuple(conclusions), (), (), (), (), ())


def crowd_of(entries, count: int) -> list[RunEntry]:
    """Return `count` runs, each like one of the four in turn."""
    turns = ((number, entries[(number - 1) % 4]) for number in range(1, count + 1))
    runs = [replace(entry.run, run_id=f"{number:032x}") for number, entry in turns]
    return [*entries_of(runs)]


def named(pictures, name: str):
    return next(picture for picture in pictures if picture.name == name)


@pytest.fixture
def conclusions(entries) -> tuple[Conclusion, ...]:
    third, fourth = entries[2].run.run_id, entries[3].run.run_id
    contrast = ContrastEffect(
        from_="7", to="3", pairs=3, estimate=0.1, interval=(-0.1, 0.3), interval_90=None, p_value=0.4, p_adjusted=0.8,
        verdict="inconclusive", repetitions=(3, 3), method=None, n=30, folds=0,
        within_margin=None, detectable=None, crossed=None,
    )  # fmt: skip
    interval = (-0.05, 0.22)
    return (
        Conclusion("run_difference", "inconclusive", (third, fourth), RunDifference(), 2 / 30, interval, 0.5),
        Conclusion("option_effect", "inconclusive", (third, fourth), OptionEffect((contrast,)), option="kernel_size"),
        Conclusion("best_run", "inconclusive", (third,)),
    )


class TestReportPictures:
    def test_figures_of_all_runs_come_before_those_of_each(self, entries, conclusions) -> None:
        found = report_pictures(report_of(entries, conclusions))
        assert [(picture.name, len(picture.runs)) for picture in found] == [
            ("configurations", 4), ("curves", 4), ("differences", 2), ("clips", 4), ("confusion", 1),
            ("curves", 1), ("curves", 1), ("curves", 1), ("curves", 1),
        ]  # fmt: skip

    def test_every_figure_is_sound(self, entries, conclusions, drawn) -> None:
        for picture in report_pictures(report_of(entries, conclusions)):
            drawn(picture)

    def test_differences_are_those_of_options_alone(self, entries, conclusions) -> None:
        picture = named(report_pictures(report_of(entries, conclusions)), "differences")
        assert [row[0] for row in picture.rows] == ["kernel size: 7 → 3"]
        assert picture.rows[0][3] == "0.800"

    def test_runs_are_ranked(self, entries) -> None:
        pictures = report_pictures(report_of(entries))
        panels = named(pictures, "curves").panels
        assert [panel.caption for panel in panels] == ["Run 3", "Run 1", "Run 2", "Run 4"]
        assert panels[2].detail == "Conv=7, lr=0.0001"
        assert named(pictures, "confusion").runs == (entries[2].run.run_id,)

    def test_configurations_are_drawn_in_the_order_of_their_sections(self, entries, drawn) -> None:
        third = Section("Conv=3", entries[2:3], "Run 3: 3×3 kernel, lr 1e-3, no plateau", standing(entries[2]))
        others = Section("Conv=7", entries[:2], "7×7 kernel, lr 1e-4", standing(*entries[:2], tied=True))
        apart = Section("Conv=5", entries[3:], "5×5 kernel", replace(standing(entries[3]), tied=None))
        picture = named(report_pictures(of_sections([third, others, apart])), "configurations")
        drawing = drawn(picture)
        assert [row[:2] for row in picture.rows] == [
            ("Run 3: 3×3 kernel, lr 1e-3, no plateau", "26/30"), ("7×7 kernel, lr 1e-4", "83%"),
        ]  # fmt: skip
        assert "Run 3: 3×3 kernel, lr 1e-3" in drawing.texts
        assert (len(drawing.circles("s")), len(drawing.circles("o"))) == (2, 1)
        assert picture.runs == tuple(entry.run.run_id for entry in (entries[2], *entries[:2]))

    def test_intervals_of_means_are_drawn_whatever_the_metric(self) -> None:
        scores = {"3": (1.2, 1.25, 1.22), "5": (1.9, 1.8, 2.0)}
        runs = [
            make_run(
                len(scores[kernel]) * int(kernel) + seed,
                None,
                {"kernel_size": kernel},
                seed=str(seed),
                metrics={"rmse": rmse},
            )
            for kernel in scores
            for seed, rmse in enumerate(scores[kernel])
        ]
        rows = named(report_pictures(build_report("e", runs)), "configurations").rows
        assert [row[-1] for row in rows] == ["1.16 to 1.29", "1.65 to 2.15"]

    def test_the_baseline_is_that_of_the_most_common_class(self, entries, drawn) -> None:
        found = MajorityBaseline("jazz", (), 5, 9, (0.2, 0.5))
        baseline = Conclusion("baseline", "supported", (), found, n=30)
        drawing = drawn(named(report_pictures(report_of(entries, (baseline,))), "configurations"))
        assert "always “jazz”: 30%" in drawing.texts

    def test_the_calibration_of_the_best_run_is_drawn(self, entries, drawn) -> None:
        bins = (ConfidenceBin(0.5, 0.7, 0.6, 20, 30, (0.5, 0.8)),)
        found = Calibration(entries[2].run.run_id, 0.6, 2 / 3, (-0.1, 0.1), 0.05, None, bins)
        calibration = Conclusion("calibration", "estimate", (entries[2].run.run_id,), found)
        picture = named(report_pictures(report_of(entries, (calibration,))), "reliability")
        assert len(drawn(picture).circles("d")) == 1
        assert picture.title.startswith("Run 3 is 60% confident")

    def test_the_same_report_gives_the_same_drawings(self, entries, conclusions) -> None:
        report = report_of(entries, conclusions)
        assert report_pictures(report) == report_pictures(report)

    def test_no_run_has_no_figure(self) -> None:
        assert report_pictures(report_of(())) == ()

    def test_one_run_is_set_against_nothing(self, entries) -> None:
        assert [picture.name for picture in report_pictures(report_of(entries[:1]))] == ["confusion", "curves"]

    def test_runs_of_which_little_is_known_have_what_can_be_drawn(self, entries, made) -> None:
        bare = entries_of([replace(made({}), run_id=entry.run.run_id) for entry in entries[:2]])
        assert report_pictures(report_of(bare)) == ()

    def test_clips_are_of_the_most_runs_that_were_judged_on_the_same(self, entries, clips) -> None:
        others = [replace(entry.run, validation=clips(6, ("a", "b"), seed=i)) for i, entry in enumerate(entries[:2])]
        alone = replace(entries[3].run, validation=None)
        runs = [replace(run, run_id=str(i)) for i, run in enumerate([entries[0].run, *others, alone])]
        assert set(named(report_pictures(report_of(entries_of(runs))), "clips").runs) == {"1", "2"}

    def test_above_fifty_runs_the_best_twelve_have_curves(self, entries, conclusions) -> None:
        crowd = crowd_of(entries, 60)
        report = report_of(crowd, conclusions)
        found = report_pictures(report)
        best = {entry.run.run_id for entry in report.best_first(crowd)[:12]}
        assert {picture.runs[0] for picture in found if len(picture.runs) == 1 and picture.name == "curves"} == best
        assert len(named(found, "configurations").rows) == 50

    def test_small_multiples_are_of_the_best_twelve(self, entries) -> None:
        crowd = crowd_of(entries, 20)
        report = report_of(crowd)
        picture = named(report_pictures(report), "curves")
        assert picture.runs == tuple(entry.run.run_id for entry in report.best_first(crowd)[:12])
