from __future__ import annotations

from dataclasses import replace

import pytest

from tracker.figures.intervals import accuracies
from tracker.report import Accuracy


class TestAccuracies:
    def test_accuracies_says_who_is_right_most_often(self, entries, drawn) -> None:
        picture = accuracies(entries)
        drawn(picture)
        assert picture.alt == (
            "Run 3 is right on the most validation clips, 26 of 30; its 95 % interval reaches from 70 to 95 %."
        )
        assert picture.rows[2][0::2] == ("Run 3", "26 of 30", "70 to 95 %")

    def test_accuracies_says_who_is_as_good(self, entries) -> None:
        equal = [replace(entry, accuracy=entries[2].accuracy) for entry in entries]
        assert "26 of 30, as are 3 others;" in accuracies(equal).alt
        assert "26 of 30, as is run 4;" in accuracies(equal[2:]).alt

    def test_accuracies_leaves_out_runs_without_an_accuracy(self, entries) -> None:
        assert len(accuracies((replace(entries[0], accuracy=None), *entries[1:])).rows) == 3

    def test_accuracies_without_any_accuracy_is_an_error(self, entries) -> None:
        with pytest.raises(ValueError, match="needs a run with its count"):
            accuracies([replace(entries[0], accuracy=None)])

    @pytest.mark.filterwarnings("error")
    def test_all_wrong_all_right_and_strange_titles_can_be_drawn(self, entries, drawn, strange) -> None:
        none, all_ = Accuracy(0, 30, (0.0, 0.114)), Accuracy(30, 30, (0.886, 1.0))
        drawn(
            accuracies([replace(entries[i % 4], title=t, accuracy=(none, all_)[i % 2]) for i, t in enumerate(strange)])
        )

    def test_fifty_runs_fit(self, entries, drawn) -> None:
        assert drawn(accuracies([entries[i % 4] for i in range(50)])).shape[0] < 1_600
