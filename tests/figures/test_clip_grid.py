from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker.figures.clip_grid import clip_grid
from tracker.figures.data import Judged, judged


class TestClipGrid:
    def test_clip_grid_says_how_many_clips_are_right_in_all_and_wrong_in_all(self, entries, drawn) -> None:
        picture = clip_grid(judged(entries))
        drawn(picture)
        assert picture.alt.startswith("Of 30 clips 18 are right in all 4 runs, 2 are wrong in all of them")
        assert picture.rows[0] == ("metal/metal.00004.wav", "metal", "0 of 4", "blues")

    def test_the_hardest_clips_come_first(self, entries) -> None:
        right_in = [int(row[2].split()[0]) for row in clip_grid(judged(entries)).rows]
        assert right_in == sorted(right_in)

    @pytest.mark.filterwarnings("error")
    def test_three_hundred_clips_and_fifty_runs_fit(self, clips, drawn) -> None:
        runs = [Judged(str(i), f"Run {i}", clips(300, ("a", "b", "c"), seed=i)) for i in range(50)]
        picture = clip_grid(runs)
        assert drawn(picture).shape[0] < 1_100
        assert picture.rows[-1][0] == "…"

    def test_clip_grid_of_very_many_clips_the_hardest_are_shown(self, clips, drawn) -> None:
        drawn(clip_grid([Judged("1", "Run 1", clips(5_000, ("a", "b")))]))

    @pytest.mark.filterwarnings("error")
    def test_one_clip_and_strange_paths_can_be_drawn(self, clips, drawn, strange) -> None:
        drawn(clip_grid([Judged("1", "Run 1", clips(1, ("a",)))]))
        made = clips(len(strange), ("a", "b"))
        drawn(clip_grid([Judged("1", "Run 1", replace(made, clips=tuple(f"{n}/{n}" for n in strange)))]))

    def test_a_clip_whose_probabilities_are_nan_is_wrong(self, clips) -> None:
        made = clips(4, ("a", "b"), wrong=0)
        lost = replace(made, probabilities=np.where(np.arange(4)[:, None] == 0, np.nan, made.probabilities))
        assert clip_grid([Judged("1", "Run 1", lost)]).rows == ((made.clips[0], made.labels[0], "0 of 1", "no class"),)

    def test_clip_grid_of_one_run_says_how_many_are_right(self, clips) -> None:
        assert (
            clip_grid([Judged("1", "Run 1", clips(10, ("a",), wrong=0))]).alt == "The run is right on 10 of 10 clips."
        )
