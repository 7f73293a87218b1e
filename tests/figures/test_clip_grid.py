from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import entries_of
from tracker.figures.clip_grid import clip_grid, draw_grid


@pytest.fixture
def of(made):
    """Make runs of a report of predictions."""
    return lambda *predictions: entries_of(
        [replace(made({}), run_id=str(i), validation=p) for i, p in enumerate(predictions)]
    )


class TestDrawGrid:
    def test_each_cell_is_wrong_where_the_run_is(self, entries) -> None:
        correct = np.array([entry.result.correct_by_clip for entry in entries])
        shown = np.arange(30)[::-1]
        (axes,) = draw_grid(entries, correct, shown).axes
        np.testing.assert_array_equal(axes.images[0].get_array(), ~correct[:, shown])

    def test_runs_are_named_at_the_side_and_clips_below(self, entries) -> None:
        correct = np.array([entry.result.correct_by_clip for entry in entries])
        (axes,) = draw_grid(entries, correct, np.array([4, 0])).axes
        assert [label.get_text() for label in axes.get_yticklabels()] == ["Run 1", "Run 2", "Run 3", "Run 4"]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["blues.00020.wav", "blues.00000.wav"]

    def test_a_cross_marks_each_wrong_cell_of_few_clips(self, entries) -> None:
        correct = np.array([entry.result.correct_by_clip for entry in entries])
        (axes,) = draw_grid(entries, correct, np.arange(30)).axes
        (crosses,) = (line for line in axes.get_lines() if line.get_marker() == "x")
        assert {(int(y), int(x)) for x, y in zip(*crosses.get_data(), strict=True)} == {
            (int(row), int(column)) for row, column in np.argwhere(~correct)
        }


class TestClipGrid:
    def test_alt_text_says_how_many_clips_are_right_in_all_and_wrong_in_all(self, entries, drawn) -> None:
        picture = clip_grid(entries)
        drawn(picture)
        assert picture.alt.startswith("Of 30 clips 18 are right in all 4 runs, 2 are wrong in all of them")
        assert picture.rows[0] == ("metal/metal.00004.wav", "metal", "0 of 4", "blues")

    def test_the_hardest_clips_come_first(self, entries) -> None:
        right_in = [int(row[2].split()[0]) for row in clip_grid(entries).rows]
        assert right_in == sorted(right_in)

    @pytest.mark.filterwarnings("error")
    def test_three_hundred_clips_and_fifty_runs_fit(self, clips, drawn, of) -> None:
        picture = clip_grid(of(*(clips(300, ("a", "b", "c"), seed=i) for i in range(50))))
        assert drawn(picture).shape[0] < 1_100
        assert picture.rows[-1][0] == "…"

    def test_clip_grid_of_very_many_clips_the_hardest_are_shown(self, clips, drawn, of) -> None:
        drawn(clip_grid(of(clips(5_000, ("a", "b")))))

    @pytest.mark.filterwarnings("error")
    def test_one_clip_and_strange_paths_can_be_drawn(self, clips, drawn, of, strange) -> None:
        drawn(clip_grid(of(clips(1, ("a",)))))
        made = clips(len(strange), ("a", "b"))
        drawn(clip_grid(of(replace(made, clips=tuple(f"{n}/{n}" for n in strange)))))

    def test_a_clip_whose_probabilities_are_nan_is_wrong(self, clips, of) -> None:
        made = clips(4, ("a", "b"), wrong=0)
        lost = replace(made, probabilities=np.where(np.arange(4)[:, None] == 0, np.nan, made.probabilities))
        assert clip_grid(of(lost)).rows == ((made.clips[0], made.labels[0], "0 of 1", "no class"),)

    def test_alt_text_of_one_run_says_how_many_are_right(self, clips, of) -> None:
        assert clip_grid(of(clips(10, ("a",), wrong=0))).alt == "The run is right on 10 of 10 clips."
