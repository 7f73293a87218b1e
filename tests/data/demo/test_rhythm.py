import numpy as np
import pytest

from tracker.data.demo.genres import Groove
from tracker.data.demo.song import LOOSE_S, STEPS, Bars, play

STRAIGHT = Bars(count=2, seconds=2.0, swing=0.0)


def starts(pattern: str, bars: Bars = STRAIGHT) -> list[float]:
    return [note.start for note in play([pattern], 1.0, bars, np.random.default_rng(0))]


class TestBars:
    def test_bars_fill_the_clip_at_a_tempo_of_the_groove(self):
        bars = Bars.of(Groove(120.0, 120.0, 0.1), 9.0, np.random.default_rng(0))
        assert bars == Bars(count=5, seconds=2.0, swing=0.1)

    def test_bars_are_divided_evenly_without_swing(self):
        assert [STRAIGHT.time(1, step) for step in range(STEPS)] == pytest.approx(np.arange(2, 4, 0.125))

    def test_swing_delays_the_middle_of_a_beat_but_not_the_beat(self):
        swung = Bars(count=1, seconds=4.0, swing=1 / 6)
        assert [swung.time(0, step) for step in (0, 1, 2, 3, 4)] == pytest.approx([0, 1 / 3, 2 / 3, 5 / 6, 1])


class TestPlay:
    def test_play_plays_each_mark_of_every_bar_at_its_time(self):
        assert starts("x...x.......o...") == pytest.approx([0, 0.5, 1.5, 2, 2.5, 3.5], abs=5 * LOOSE_S)

    def test_play_never_begins_before_the_clip(self):
        assert min(starts("x...............", Bars(200, 2.0, 0.0))) == 0.0

    def test_play_holds_a_note_for_its_share_of_the_time_to_the_next(self):
        first, second = list(play(["x...x..........."], 0.5, Bars(1, 2.0, 0.0), np.random.default_rng(0)))
        assert (first.seconds, second.seconds) == (0.25, 0.75)

    def test_play_plays_soft_marks_softer(self):
        notes = list(play(["xo" * 8], 1.0, STRAIGHT, np.random.default_rng(0)))
        assert max(n.force for n in notes if n.mark == "o") < min(n.force for n in notes if n.mark == "x")

    def test_play_plays_doubtful_marks_half_the_time(self):
        assert len(starts("????????????????", Bars(100, 2.0, 0.0))) == pytest.approx(800, abs=60)

    def test_play_picks_one_of_the_patterns_in_each_bar(self):
        patterns = ["1...............", "5..............."]
        marks = [note.mark for note in play(patterns, 1.0, Bars(40, 2.0, 0.0), np.random.default_rng(0))]
        assert len(marks) == 40
        assert 10 < marks.count("1") < 30

    def test_play_plays_nothing_in_a_bar_of_rests(self):
        assert starts("." * STEPS) == []
