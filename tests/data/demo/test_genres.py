import dataclasses

import numpy as np
import pytest

from tracker.data.demo.genres import GENRES, Balance, Style, borrow
from tracker.data.demo.rhythm import STEPS

PARTS = [part.name for part in dataclasses.fields(Style)]


def own_parts(style: Style, genre: str) -> list[str]:
    return [part for part in PARTS if getattr(style, part) is getattr(GENRES[genre], part)]


class TestGenres:
    @pytest.mark.parametrize("genre", GENRES)
    def test_write_patterns_of_a_whole_bar_in_marks_that_are_known(self, genre):
        style = GENRES[genre]
        drums = [pattern for patterns in dataclasses.astuple(style.drums) for pattern in patterns]
        for patterns, marks in (
            (drums, "xo?."),
            (style.chord_rhythm.patterns, "x."),
            (style.melody_line.patterns, "x."),
            (style.bass_line.patterns, "13578."),
        ):
            assert all(len(pattern) == STEPS and set(pattern) <= set(marks) for pattern in patterns)

    def test_differ_from_each_other_in_every_part(self):
        for part in PARTS:
            assert len({repr(getattr(style, part)) for style in GENRES.values()}) == len(GENRES)


class TestBorrow:
    def test_borrows_as_many_parts_as_it_is_told(self):
        for parts in (0, 3, len(PARTS)):
            borrowed = borrow(GENRES["jazz"], "jazz", np.random.default_rng(0), parts)
            assert len(own_parts(borrowed, "jazz")) == len(PARTS) - parts

    def test_borrows_any_part_from_any_other_genre(self):
        rng = np.random.default_rng(0)
        styles = [borrow(GENRES["jazz"], "jazz", rng, 2) for _ in range(400)]
        lenders = {(part, genre) for style in styles for genre in GENRES for part in own_parts(style, genre)}
        assert lenders == {(part, genre) for genre in GENRES for part in PARTS}


class TestBalance:
    def test_multiplies_levels_and_adds_decibels(self):
        own = Balance(2.0, 1.0, 0.5, 1.0, tilt=-1.0, hiss=3.0)
        style = Balance(1.0, 0.8, 0.6, 0.4, tilt=0.5, hiss=-60.0)
        assert own.applied_to(style) == Balance(2.0, 0.8, 0.3, 0.4, tilt=-0.5, hiss=-57.0)
