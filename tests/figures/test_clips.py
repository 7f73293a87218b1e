from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import entries_of, make_predictions
from tracker.figures.clips import clip_grid, confusion, draw_grid, draw_matrices, matrix_of, run_confusion


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


class TestDrawMatrices:
    def test_each_count_stands_in_the_row_of_the_label_and_the_column_of_the_prediction(self) -> None:
        predictions = make_predictions("1110", classes=("a", "b"), labels=("a", "a", "b", "a"))
        (axes,) = draw_matrices([matrix_of("Run 1", predictions)]).axes
        assert {(int(x), int(y), text.get_text()) for text in axes.texts for x, y in [text.get_position()]} == {
            (0, 0, "2"), (1, 0, "1"), (1, 1, "1"),
        }  # fmt: skip

    def test_shades_are_fractions_of_the_row(self) -> None:
        predictions = make_predictions("1110", classes=("a", "b"), labels=("a", "a", "b", "a"))
        (axes,) = draw_matrices([matrix_of("Run 1", predictions)]).axes
        np.testing.assert_allclose(axes.images[0].get_array(), [[2 / 3, 1 / 3], [0, 1]])

    def test_classes_are_named_at_the_side_with_their_clips_and_below(self) -> None:
        predictions = make_predictions("1110", classes=("a", "b"), labels=("a", "a", "b", "a"))
        (axes,) = draw_matrices([matrix_of("Run 1", predictions)]).axes
        assert [label.get_text() for label in axes.get_yticklabels()] == ["a (3)", "b (1)"]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]


class TestRunConfusion:
    def test_run_confusion_is_a_figure_of_one_run(self, entries, drawn) -> None:
        picture = run_confusion(entries[2].run)
        drawn(picture)
        assert (picture.name, picture.runs) == ("confusion", (entries[2].run.run_id,))
        assert ("this run", "metal", "blues", "2", "33%") in picture.rows

    def test_a_run_without_predictions_is_an_error(self, entries) -> None:
        with pytest.raises(ValueError, match="needs predictions on validation clips"):
            run_confusion(replace(entries[0].run, validation=None))


class TestConfusion:
    def test_alt_text_says_what_is_confused_most_often(self, entries, drawn) -> None:
        picture = confusion(entries)
        drawn(picture)
        assert picture.alt == "Of 20 wrong classifications of 4 runs the most frequent is metal taken for blues: 8."

    def test_alt_text_says_if_nothing_is_wrong(self, clips, of) -> None:
        assert confusion(of(clips(30, ("a", "b"), wrong=0))).alt == "Every one of 30 classifications is right."

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("count", [1, 2, 10, 60, 200])
    def test_any_number_of_classes_can_be_drawn(self, clips, drawn, of, count: int) -> None:
        drawn(confusion(of(clips(3 * count, tuple(f"class {i}" for i in range(count))))))

    @pytest.mark.filterwarnings("error")
    def test_strange_names_can_be_drawn(self, clips, drawn, of, strange) -> None:
        picture = confusion(of(*(clips(40, strange, seed=i) for i in range(5))))
        drawn(picture)
        assert len(picture.alt) < 250

    def test_a_clip_whose_probabilities_are_nan_is_predicted_to_be_no_class(self, clips, of) -> None:
        made = clips(4, ("a", "b"), wrong=0)
        lost = replace(made, probabilities=np.where(np.arange(4)[:, None] == 0, np.nan, made.probabilities))
        picture = confusion(of(lost))
        assert ("Run 1", made.labels[0], "no class", "1", "50%") in picture.rows
        assert picture.alt.startswith("Of 1 wrong classifications")

    def test_a_class_called_no_class_is_not_mixed_with_clips_whose_probabilities_are_nan(self, clips, of) -> None:
        made = clips(4, ("no class", "b"), wrong=0)
        lost = replace(made, probabilities=np.where(np.arange(4)[:, None] == 0, np.nan, made.probabilities))
        picture = confusion(of(lost))
        assert ("Run 1", made.labels[0], "no class (NaN)", "1", "50%") in picture.rows
        assert picture.alt.startswith("Of 1 wrong classifications")

    def test_a_label_that_no_column_stands_for_has_a_row(self, clips, of) -> None:
        made = clips(4, ("a", "b"))
        odd = replace(made, labels=("c", *made.labels[1:]))
        assert "c" in {row[1] for row in confusion(of(odd)).rows}
