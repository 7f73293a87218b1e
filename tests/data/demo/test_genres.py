import dataclasses

import numpy as np
import pytest

from tracker.data.demo.genres import GENRES, Balance, Style, borrow
from tracker.data.demo.song import STEPS

PARTS = [part.name for part in dataclasses.fields(Style)]


def own_parts(style: Style, genre: str) -> list[str]:
    return [part for part in PARTS if getattr(style, part) is getattr(GENRES[genre], part)]


class TestGenres:
    @pytest.mark.parametrize("genre", GENRES)
    def test_genres_write_patterns_of_a_whole_bar_in_marks_that_are_known(self, genre):
        style = GENRES[genre]
        drums = [pattern for patterns in dataclasses.astuple(style.drums) for pattern in patterns]
        for patterns, marks in (
            (drums, "xo?."),
            (style.chord_rhythm.patterns, "x."),
            (style.melody_line.patterns, "x."),
            (style.bass_line.patterns, "13578."),
        ):
            assert all(len(pattern) == STEPS and set(pattern) <= set(marks) for pattern in patterns)

    def test_genres_differ_from_each_other_in_every_part(self):
        for part in PARTS:
            assert len({repr(getattr(style, part)) for style in GENRES.values()}) == len(GENRES)


class TestBorrow:
    def test_borrow_takes_nothing_at_a_mix_of_zero(self):
        assert borrow(GENRES["jazz"], "jazz", np.random.default_rng(0), 0.0) == GENRES["jazz"]

    def test_borrow_takes_everything_at_a_mix_of_one(self):
        assert own_parts(borrow(GENRES["jazz"], "jazz", np.random.default_rng(0), 1.0), "jazz") == []

    def test_borrow_takes_about_the_share_that_the_mix_says(self):
        rng = np.random.default_rng(0)
        kept = [len(own_parts(borrow(GENRES["jazz"], "jazz", rng, 0.3), "jazz")) for _ in range(300)]
        assert np.mean(kept) / len(PARTS) == pytest.approx(0.7, abs=0.03)


class TestBalance:
    def test_a_balance_multiplies_levels_and_adds_decibels(self):
        own = Balance(2.0, 1.0, 0.5, 1.0, tilt=-1.0, hiss=3.0)
        style = Balance(1.0, 0.8, 0.6, 0.4, tilt=0.5, hiss=-60.0)
        assert own.applied_to(style) == Balance(2.0, 0.8, 0.3, 0.4, tilt=-0.5, hiss=-57.0)
