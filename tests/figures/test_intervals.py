from __future__ import annotations

import pytest

from tests.builders import changed
from tracker.conclusions.conclusion import Difference
from tracker.figures.intervals import accuracies, differences, draw_accuracies, draw_differences

OPEN = Difference("run 3 − run 1", 1 / 30, (-0.12, 0.18), 1.0, "inconclusive", ("a", "b"))
SUPPORTED = Difference("run 3 − run 2", 0.3, (0.1, 0.5), 0.012, "supported", ("a", "c"))


def points_and_whiskers(axes) -> tuple[list[tuple[float, float]], list[tuple[float, float, float]]]:
    """Return the dots, each as (x, y), and the whiskers, each as (low, high, y)."""
    lines = [(line, *line.get_data()) for line in axes.get_lines()]
    dots = [(float(x[0]), float(y[0])) for line, x, y in lines if len(x) == 1 and line.get_marker() not in ("None", "")]
    whiskers = [(float(x[0]), float(x[1]), float(y[0])) for line, x, y in lines if line.get_solid_capstyle() == "butt"]
    return dots, whiskers


class TestAccuracies:
    def test_each_run_is_a_dot_on_its_interval(self, entries) -> None:
        known = [(entry, entry.result.accuracy) for entry in entries]
        dots, whiskers = points_and_whiskers(draw_accuracies(known).axes[0])
        assert dots == [(accuracy.fraction, row) for row, (_, accuracy) in enumerate(known)]
        assert whiskers == [(*accuracy.interval, row) for row, (_, accuracy) in enumerate(known)]

    def test_the_most_accurate_run_is_a_diamond(self, entries) -> None:
        (axes,) = draw_accuracies([(entry, entry.result.accuracy) for entry in entries]).axes
        assert [line.get_marker() for line in axes.get_lines() if len(line.get_xdata()) == 1] == ["o", "o", "D", "o"]

    def test_accuracies_counts_stand_beside_the_dots(self, entries) -> None:
        figure = draw_accuracies([(entry, entry.result.accuracy) for entry in entries])
        written = [text.get_text() for text in figure.texts]
        assert [text for text in written if " of " in text] == ["25 of 30", "25 of 30", "26 of 30", "24 of 30"]

    def test_alt_text_says_which_run_has_most_correct_clips(self, entries, drawn) -> None:
        picture = accuracies(entries)
        drawn(picture)
        assert picture.alt == ("Run 3 is right on the most validation clips, 26 of 30; its 95% interval is 70–95%.")
        assert picture.rows[2][0::2] == ("Run 3", "26 of 30", "70–95%")

    def test_alt_text_says_which_runs_are_as_good(self, entries) -> None:
        equal = [changed(entry, correct=26) for entry in entries]
        assert "26 of 30, as are 3 others;" in accuracies(equal).alt
        assert "26 of 30, as is run 4;" in accuracies(equal[2:]).alt

    def test_runs_without_a_count_are_left_out(self, entries) -> None:
        assert len(accuracies((changed(entries[0], correct=None), *entries[1:])).rows) == 3

    def test_no_counts_at_all_are_an_error(self, entries) -> None:
        with pytest.raises(ValueError, match="needs a run with its count"):
            accuracies([changed(entries[0], correct=None)])

    @pytest.mark.filterwarnings("error")
    def test_all_wrong_all_right_and_strange_titles_can_be_drawn(self, entries, drawn, strange) -> None:
        runs = [changed(entries[i % 4], title=title, correct=(0, 30)[i % 2]) for i, title in enumerate(strange)]
        drawn(accuracies(runs))

    def test_fifty_runs_fit(self, entries, drawn) -> None:
        assert drawn(accuracies([entries[i % 4] for i in range(50)])).shape[0] < 1_600


class TestDifferences:
    def test_each_difference_is_a_dot_on_its_interval(self) -> None:
        (axes,) = draw_differences([OPEN, SUPPORTED], 0.05, 0.05).axes
        dots, whiskers = points_and_whiskers(axes)
        assert dots == [(1 / 30, 0), (0.3, 1)]
        assert whiskers == [(-0.12, 0.18, 0), (0.1, 0.5, 1)]

    def test_the_margin_is_a_band_about_the_zero_line(self) -> None:
        (axes,) = draw_differences([OPEN], 0.05, 0.05).axes
        (band,) = axes.patches
        assert band.get_extents().transformed(axes.transData.inverted()).intervalx == pytest.approx((-0.05, 0.05))
        low, high = axes.get_xlim()
        assert -low == high > 0.18

    def test_names_and_p_values_stand_in_the_order_of_the_rows(self) -> None:
        figure = draw_differences([OPEN, SUPPORTED], 0.05, 0.05)
        rows = sorted(((text.get_position()[1], text.get_text()) for text in figure.texts), reverse=True)
        assert [text for _, text in rows] == ["run 3 − run 1", "p = 1.0", "run 3 − run 2", "p = 0.012"]

    def test_alt_text_says_that_nothing_is_supported_and_what_is_largest(self, drawn) -> None:
        picture = differences([OPEN], margin=0.05)
        drawn(picture)
        assert picture.alt == (
            "None of 1 differences is supported; the largest, run 3 − run 1, is +3.3 points, "
            "interval −12 to +18 points."
        )

    def test_alt_text_says_what_is_supported(self) -> None:
        picture = differences([OPEN, SUPPORTED], margin=0.05)
        assert picture.alt == "1 of 2 differences are supported: run 3 − run 2 by +30 points."
        assert picture.runs == ("a", "b", "c")
        assert picture.rows[1] == ("run 3 − run 2", "+30 points", "+10 to +50 points", "0.012", "supported")

    @pytest.mark.filterwarnings("error")
    def test_strange_names_and_no_width_can_be_drawn(self, drawn, strange) -> None:
        rows = [Difference(name, 0.0, (0.0, 0.0), None, "exact", ()) for name in strange]
        drawn(differences(rows, margin=0.0001))

    def test_no_differences_are_an_error(self) -> None:
        with pytest.raises(ValueError, match="at least one difference"):
            differences([], margin=0.05)
