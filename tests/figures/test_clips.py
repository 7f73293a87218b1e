from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import entries_of, make_predictions
from tracker.figures.clips import clip_grid, confusion, finding_of_matrix, has_differing_clips, matrix_of, run_confusion


@pytest.fixture
def of(made):
    """Make runs of a report of predictions."""
    return lambda *predictions: entries_of(
        [replace(made({}), run_id=str(i), validation=p) for i, p in enumerate(predictions)]
    )


class TestClipGrid:
    def test_rows_are_the_clips_that_not_every_run_gets_right_the_hardest_first(self, entries, drawn) -> None:
        drawing = drawn(clip_grid(entries))
        wrong = [text for text in drawing.texts if text.startswith("wrong in")]
        assert len(wrong) == 12
        assert wrong == sorted(wrong, reverse=True)
        assert wrong[:2] == ["wrong in 4 of 4"] * 2

    def test_a_cross_marks_each_wrong_cell(self, entries, drawn) -> None:
        drawing = drawn(clip_grid(entries))
        crosses = sum(path.get("d").count("M") for path in drawing.all("path", "x"))
        assert crosses == sum(int((~entry.result.correct_by_clip).sum()) for entry in entries)

    def test_a_wrong_cell_stands_in_the_column_of_its_run(self, of, drawn) -> None:
        drawing = drawn(clip_grid(of(make_predictions("10"), make_predictions("11"))))
        ((column, _),) = [drawing.places("Run 1")[0]]
        (bad,) = drawing.all("path", "bad")
        left = float(bad.get("d")[1:].split(",")[0])
        assert left < column < left + 44

    def test_runs_stand_above_the_columns_the_best_first(self, entries, drawn) -> None:
        drawing = drawn(clip_grid(entries[::-1]))
        assert [text for text in drawing.texts if text.startswith("Run")] == ["Run 4", "Run 3", "Run 2", "Run 1"]

    def test_names_are_whole(self, of, drawn) -> None:
        names = [f"reggae/reggae-artist07-clip{i}.wav" for i in range(3)]
        made = make_predictions("000", names)
        drawing = drawn(clip_grid(of(made, made)))
        assert set(names) <= set(drawing.texts)

    def test_title_and_alt_text_say_how_many_clips_are_wrong_in_all_and_in_some(self, entries, drawn) -> None:
        picture = clip_grid(entries)
        drawn(picture)
        assert picture.title == "2 of 30 clips are wrong in all 4 runs, 10 in some"
        assert (
            picture.alt
            == "Of 30 clips, 18 are correct in all 4 runs, 2 are wrong in all of them, and 10 are correct in some."
        )
        assert picture.rows[0] == ("metal/metal.00004.wav", "metal", "0 of 4", "blues")

    def test_a_tie_of_what_a_clip_is_taken_for_is_told_as_one(self, of) -> None:
        first, second = make_predictions("1"), make_predictions("1")
        classes = ("a", "b", "c")
        as_b, as_c = (np.eye(3)[[i]] for i in (1, 2))
        made = [replace(m, classes=classes, labels=("a",), probabilities=p) for m, p in ((first, as_b), (second, as_c))]
        assert clip_grid(of(*made)).rows[0][3] == "b or c"

    def test_of_many_runs_and_clips_the_first_are_drawn_and_the_rest_is_counted(self, clips, drawn, of) -> None:
        picture = clip_grid(of(*(clips(300, ("a", "b", "c"), seed=i) for i in range(50))))
        drawing = drawn(picture)
        assert len([text for text in drawing.texts if text.startswith("wrong in")]) == 20
        assert "the 12 best of 50 runs" in picture.note
        assert "more clips are not drawn" in picture.note
        assert picture.rows[-1][0] == "…"

    def test_clip_grid_of_strange_paths_can_be_drawn(self, clips, drawn, of, strange) -> None:
        made = clips(len(strange), ("a", "b"), wrong=1.0, seed=3)
        drawn(clip_grid(of(replace(made, clips=tuple(f"{n}/{n}" for n in strange)))))

    def test_a_clip_whose_probabilities_are_nan_is_wrong(self, clips, of) -> None:
        made = clips(4, ("a", "b"), wrong=0)
        lost = replace(made, probabilities=np.where(np.arange(4)[:, None] == 0, np.nan, made.probabilities))
        assert clip_grid(of(lost)).rows == ((made.clips[0], made.labels[0], "0 of 1", "no class"),)


class TestHasDifferingClips:
    def test_it_has_not_if_every_run_gets_every_clip_right(self, of) -> None:
        assert not has_differing_clips(of(make_predictions("11"), make_predictions("11")))
        assert has_differing_clips(of(make_predictions("11"), make_predictions("10")))


class TestConfusion:
    def test_each_count_stands_in_the_row_of_the_label_and_the_column_of_the_prediction(self, of, drawn) -> None:
        made = make_predictions("1110", classes=("a", "b"), labels=("a", "a", "b", "a"))
        drawing = drawn(confusion(of(made)[0]))
        (two, two_y), (one, one_y) = drawing.places("2")[0], drawing.places("1")[0]
        assert two < one
        assert two_y == one_y
        assert drawing.places("a (3)")[0][1] == two_y
        assert "a taken for b: 1 clip, 33%" in drawing.hovers

    def test_shades_are_fractions_of_the_row(self, of, drawn) -> None:
        made = make_predictions("1110", classes=("a", "b"), labels=("a", "a", "b", "a"))
        shades = [float(cell.get("fill-opacity")) for cell in drawn(confusion(of(made)[0])).all("rect", "cell")]
        assert shades == [pytest.approx(0.1 + 0.6 * share, abs=0.01) for share in (2 / 3, 1 / 3, 1)]

    def test_title_says_what_is_confused_most_often(self, entries, drawn) -> None:
        picture = confusion(entries[2])
        drawn(picture)
        assert picture.title == "Run 3 takes metal for blues most often: 2 of 4 errors"

    def test_of_many_classes_those_with_most_mistakes_are_drawn_and_the_rest_together(self, clips, drawn, of) -> None:
        picture = confusion(of(clips(600, tuple(f"class {i}" for i in range(200))))[0])
        drawing = drawn(picture)
        assert "191 others" in drawing.texts
        assert sum(1 for text in drawing.texts if text.startswith("class")) == 18
        total = [int(text.rpartition("(")[2][:-1]) for text in drawing.texts if text.endswith(")")]
        assert sum(total) == 600
        assert "of 200" in picture.note

    def test_many_classes_have_numbered_columns_in_a_narrow_place(self, clips, parsed, of) -> None:
        (panel,) = confusion(of(clips(60, tuple(f"class {i}" for i in range(10))))[0]).panels
        narrow = parsed(panel.narrow)
        assert any(text.startswith("10 class 9 (") for text in narrow.texts)
        assert "10" in narrow.texts

    @pytest.mark.parametrize("count", [1, 2, 10, 12])
    def test_any_number_of_classes_can_be_drawn(self, clips, drawn, of, count: int) -> None:
        drawn(confusion(of(clips(3 * count, tuple(f"class {i}" for i in range(count))))[0]))

    def test_strange_names_can_be_drawn(self, clips, drawn, of, strange) -> None:
        for entry in of(*(clips(40, strange, seed=i) for i in range(3))):
            picture = confusion(entry)
            drawn(picture)
            assert len(picture.alt) < 250

    def test_a_clip_whose_probabilities_are_nan_is_predicted_to_be_no_class(self, clips, of) -> None:
        made = clips(4, ("a", "b"), wrong=0)
        lost = replace(made, probabilities=np.where(np.arange(4)[:, None] == 0, np.nan, made.probabilities))
        assert (made.labels[0], "no class", "1", "50%") in confusion(of(lost)[0]).rows

    def test_a_class_called_no_class_is_not_mixed_with_clips_whose_probabilities_are_nan(self, clips, of) -> None:
        made = clips(4, ("no class", "b"), wrong=0)
        lost = replace(made, probabilities=np.where(np.arange(4)[:, None] == 0, np.nan, made.probabilities))
        assert (made.labels[0], "no class (NaN)", "1", "50%") in confusion(of(lost)[0]).rows

    def test_a_label_that_no_column_stands_for_has_a_row(self, clips, of) -> None:
        made = clips(4, ("a", "b"))
        odd = replace(made, labels=("c", *made.labels[1:]))
        assert "c" in {row[0] for row in confusion(of(odd)[0]).rows}

    def test_a_run_without_predictions_is_an_error(self, entries, made) -> None:
        with pytest.raises(ValueError, match="needs predictions on validation clips"):
            run_confusion(replace(entries[0].run, validation=None))
        with pytest.raises(ValueError, match="needs predictions on validation clips"):
            confusion(entries_of([made({})])[0])


class TestRunConfusion:
    def test_run_confusion_is_a_figure_of_one_run(self, entries, drawn) -> None:
        picture = run_confusion(entries[2].run)
        drawn(picture)
        assert (picture.name, picture.runs) == ("confusion", (entries[2].run.run_id,))
        assert picture.title.startswith("The run takes metal for blues")
        assert ("metal", "blues", "2", "33%") in picture.rows


class TestFindingOfMatrix:
    def finding(self, *pairs: tuple[str, str]) -> str:
        labels = tuple(label for label, _ in pairs)
        classes = ("a", "b", "c")
        rows = np.eye(3)[[classes.index(prediction) for _, prediction in pairs]]
        made = make_predictions("1" * len(pairs), classes=classes, labels=labels)
        return finding_of_matrix(matrix_of("Run 1", replace(made, probabilities=rows)))

    def test_nothing_wrong(self) -> None:
        assert self.finding(("a", "a"), ("b", "b")) == "Run 1 classifies all 2 clips correctly"

    def test_two_mistakes_that_are_as_frequent_are_both_named(self) -> None:
        pairs = [("a", "b")] * 2 + [("b", "c")] * 2 + [("c", "a")]
        assert self.finding(*pairs) == "Run 1 takes a for b and b for c most often: 2 each of 5 errors"

    def test_single_mistakes_have_none_that_is_most_frequent(self) -> None:
        assert self.finding(("a", "b"), ("b", "c")) == (
            "Run 1 classifies 2 clips wrongly, with no mistake more frequent than the others"
        )
