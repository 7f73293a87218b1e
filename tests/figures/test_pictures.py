from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.builders import ACCURACY, entries_of
from tracker.conclusions.conclusion import Conclusion
from tracker.conclusions.contrasts import ContrastEffect
from tracker.conclusions.option_effect import OptionEffect
from tracker.conclusions.run_difference import RunDifference
from tracker.figures import report_pictures
from tracker.report import Report, RunEntry, Section


def report_of(entries, conclusions=()) -> Report:
    sections = tuple(Section(entry.title, (entry,)) for entry in entries)
    return Report("e", ACCURACY, tuple(conclusions[:1]), (), (), sections, tuple(conclusions), (), (), (), (), ())


def crowd_of(entries, count: int) -> list[RunEntry]:
    """Return `count` runs, each like one of the four in turn."""
    turns = ((number, entries[(number - 1) % 4]) for number in range(1, count + 1))
    runs = [replace(entry.run, run_id=f"{number:032x}") for number, entry in turns]
    return [*entries_of(runs)]


@pytest.fixture
def conclusions(entries) -> tuple[Conclusion, ...]:
    third, fourth = entries[2].run.run_id, entries[3].run.run_id
    contrast = ContrastEffect(
        from_="7", to="3", pairs=3, estimate=0.1, interval=(-0.1, 0.3), p_value=0.4, p_adjusted=0.8,
        verdict="inconclusive", repetitions=(3, 3), method=None, n=30, folds=0,
        within_margin=None, detectable=None, crossed=None,
    )  # fmt: skip
    return (
        Conclusion(
            "run_difference",
            "inconclusive",
            (third, fourth),
            RunDifference(),
            estimate=2 / 30,
            interval=(-0.05, 0.22),
            p_value=0.5,
        ),
        Conclusion("option_effect", "inconclusive", (third, fourth), OptionEffect((contrast,)), option="kernel_size"),
        Conclusion("best_run", "inconclusive", (third,)),
    )


class TestReportPictures:
    def test_figures_of_all_runs_come_before_those_of_each(self, entries, conclusions) -> None:
        found = report_pictures(report_of(entries, conclusions))
        assert [(picture.name, len(picture.runs)) for picture in found] == [
            ("accuracies", 4), ("curves", 4), ("differences", 2), ("clip-grid", 4), ("confusion", 4),
            ("curves", 1), ("curves", 1), ("curves", 1), ("curves", 1),
        ]  # fmt: skip

    def test_effects_of_options_come_before_differences_of_runs(self, entries, conclusions) -> None:
        (picture,) = (p for p in report_pictures(report_of(entries, conclusions)) if p.name == "differences")
        assert [row[0] for row in picture.rows] == ["kernel size: 7 → 3", "run 3 − run 4"]
        assert picture.rows[0][3] == "0.800"

    def test_the_same_report_gives_the_same_bytes(self, entries, conclusions) -> None:
        report = report_of(entries, conclusions)
        assert [p.png for p in report_pictures(report)] == [p.png for p in report_pictures(report)]

    def test_no_run_has_no_figure(self) -> None:
        assert report_pictures(report_of(())) == ()

    def test_one_run_is_set_against_nothing(self, entries) -> None:
        assert [picture.name for picture in report_pictures(report_of(entries[:1]))] == ["confusion", "curves"]

    def test_runs_of_which_little_is_known_have_what_can_be_drawn(self, entries, made) -> None:
        bare = entries_of([replace(made({}), run_id=entry.run.run_id) for entry in entries[:2]])
        assert report_pictures(report_of(bare)) == ()

    def test_the_clip_grid_has_the_most_runs_that_were_judged_on_the_same_clips(self, entries, clips) -> None:
        others = [replace(entry.run, validation=clips(6, ("a", "b"))) for entry in entries[:2]]
        alone = replace(entries[3].run, validation=None)
        runs = entries_of([entries[0].run, *others, alone])
        runs = entries_of([replace(run.run, run_id=str(i)) for i, run in enumerate(runs)])
        (grid,) = (p for p in report_pictures(report_of(runs)) if p.name == "clip-grid")
        assert grid.runs == ("1", "2")

    def test_of_many_classes_only_the_best_run_has_a_matrix(self, entries, clips) -> None:
        many = clips(60, tuple(f"class {i}" for i in range(30)))
        runs = entries_of([replace(entry.run, validation=many) for entry in entries])
        (picture,) = (p for p in report_pictures(report_of(runs)) if p.name == "confusion")
        assert picture.runs == (entries[2].run.run_id,)

    def test_above_fifty_runs_only_those_of_the_summary_have_figures(self, entries, conclusions) -> None:
        crowd = crowd_of(entries, 60)
        found = report_pictures(report_of(crowd, conclusions))
        shown = {run for picture in found for run in picture.runs}
        assert shown == {entries[2].run.run_id, entries[3].run.run_id}

    def test_small_multiples_are_of_the_best_twelve(self, entries) -> None:
        crowd = crowd_of(entries, 20)
        picture = next(p for p in report_pictures(report_of(crowd)) if p.name == "curves")
        assert len(picture.runs) == 12
        assert {int(run, 16) % 4 for run in picture.runs} == {3, 1, 2}

    def test_a_users_matplotlibrc_changes_nothing(self, tmp_path) -> None:
        code = (
            "import numpy as np, hashlib; from tracker.runs import Curve, Run; from tracker.figures import run_curves\n"
            "c = Curve(np.arange(1, 9), np.linspace(1, .2, 8))\n"
            "p = run_curves(Run('r', 'n', 'FINISHED', {}, {}, {}, {'loss': c, 'val_loss': c}))\n"
            "print(hashlib.sha256(p.png).hexdigest())"
        )
        plain, styled = tmp_path / "plain", tmp_path / "styled"
        for folder in (plain, styled):
            folder.mkdir()
        (styled / "matplotlibrc").write_text("axes.facecolor: black\nfont.size: 20\nlines.linewidth: 9\n")
        hashes = [
            subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True).stdout
            for folder in (plain, styled)
        ]
        assert hashes[0] == hashes[1]
