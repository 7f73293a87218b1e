from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker.figures.confusion import confusion, run_confusion
from tracker.figures.data import Judged, judged


class TestRunConfusion:
    def test_run_confusion_is_a_figure_of_one_run(self, entries, drawn) -> None:
        picture = run_confusion(entries[2].run)
        drawn(picture)
        assert (picture.name, picture.runs) == ("confusion", (entries[2].run.run_id,))
        assert ("this run", "metal", "blues", "2", "33 %") in picture.rows

    def test_run_confusion_without_predictions_is_an_error(self, entries) -> None:
        with pytest.raises(ValueError, match="needs predictions on validation clips"):
            run_confusion(replace(entries[0].run, validation=None))


class TestConfusion:
    def test_confusion_says_what_is_confused_most_often(self, entries, drawn) -> None:
        picture = confusion(judged(entries))
        drawn(picture)
        assert picture.alt == "Of 20 wrong classifications of 4 runs the most frequent is metal taken for blues: 8."

    def test_confusion_says_where_nothing_is_wrong(self, clips) -> None:
        perfect = confusion([Judged("1", "Run 1", clips(30, ("a", "b"), wrong=0))])
        assert perfect.alt == "Every one of 30 classifications is right."

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("count", [1, 2, 10, 60, 200])
    def test_any_number_of_classes_can_be_drawn(self, clips, drawn, count: int) -> None:
        drawn(confusion([Judged("1", "Run 1", clips(3 * count, tuple(f"class {i}" for i in range(count))))]))

    @pytest.mark.filterwarnings("error")
    def test_strange_names_can_be_drawn(self, clips, drawn, strange) -> None:
        runs = [Judged(str(i), name, clips(40, strange, seed=i)) for i, name in enumerate(strange[:5])]
        picture = confusion(runs)
        drawn(picture)
        assert len(picture.alt) < 250

    def test_a_clip_whose_probabilities_are_nan_is_predicted_to_be_no_class(self, clips) -> None:
        made = clips(4, ("a", "b"), wrong=0)
        lost = replace(made, probabilities=np.where(np.arange(4)[:, None] == 0, np.nan, made.probabilities))
        picture = confusion([Judged("1", "Run 1", lost)])
        assert ("Run 1", made.labels[0], "no class", "1", "50 %") in picture.rows
        assert picture.alt.startswith("Of 1 wrong classifications")

    def test_a_label_that_no_column_stands_for_has_a_row(self, clips) -> None:
        made = clips(4, ("a", "b"))
        odd = replace(made, labels=("c", *made.labels[1:]))
        rows = confusion([Judged("1", "Run 1", odd)]).rows
        assert "c" in {row[1] for row in rows}
