import numpy as np
import pytest

from tracker.data.demo.genres import GENRES, Groove
from tracker.data.demo.song import EQUALISER_DB, LOOSE_S, STEPS, Bars, make_artist, play, render
from tracker.data.demo.sounds import SAMPLE_RATE


def artist(seed: int, genre: str = "disco"):
    return make_artist(genre, np.random.default_rng(seed), 0.0)


class TestMakeArtist:
    def test_make_artist_makes_the_same_artist_from_the_same_seed(self):
        one, same = (render(artist(1), 1.0, np.random.default_rng(0), 0.0) for _ in range(2))
        assert np.array_equal(one, same)

    def test_make_artist_gives_each_artist_a_sound_of_their_own(self):
        one, other = artist(1), artist(2)
        assert one.style == other.style == GENRES["disco"]
        assert not np.allclose(one.equaliser, other.equaliser)
        assert not np.allclose(one.colours["bass"], other.colours["bass"])
        assert one.balance != other.balance

    def test_make_artist_keeps_the_equaliser_within_its_range(self):
        assert all(np.abs(artist(seed).equaliser).max() <= EQUALISER_DB for seed in range(50))


class TestInstrument:
    def test_instrument_is_coloured_by_the_artist_whatever_tone_is_borrowed(self):
        one, other = artist(1), artist(2)
        borrowed = GENRES["metal"].bass
        assert not np.allclose(
            one.instrument("bass", borrowed).note(40, 0.5), other.instrument("bass", borrowed).note(40, 0.5)
        )

    def test_instrument_is_made_once(self):
        one = artist(1)
        assert one.instrument("bass", one.style.bass) is one.instrument("bass", one.style.bass)


class TestDrums:
    def test_drums_are_the_same_in_every_clip(self):
        one = artist(1)
        assert one.drums(one.style.kit) is one.drums(one.style.kit)


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


def clip(genre: str, number: int = 1, seconds: float = 4.0, mix: float = 0.0) -> np.ndarray:
    artist = make_artist(genre, np.random.default_rng([0, 1]), 0.0)
    return render(artist, seconds, np.random.default_rng([0, 1, number]), mix)


def brightness(sound: np.ndarray) -> float:
    """Return the share of the power above 2 kHz."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float(power[np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE) > 2_000].sum() / power.sum())


class TestRender:
    @pytest.mark.parametrize("genre", GENRES)
    def test_render_plays_from_beginning_to_end_within_full_scale(self, genre):
        sound = clip(genre)
        loudness = np.sqrt((sound.reshape(4, -1) ** 2).mean(axis=1))
        assert sound.dtype == np.float32
        assert loudness.min() > 0.02
        assert 0.85 < np.abs(sound).max() <= 1.0

    def test_render_is_as_long_as_asked_for(self):
        assert len(clip("jazz", seconds=1.5)) == round(1.5 * SAMPLE_RATE)

    def test_render_is_the_same_from_the_same_seed_alone(self):
        assert np.array_equal(clip("jazz"), clip("jazz"))
        assert not np.allclose(clip("jazz", 1), clip("jazz", 2))

    def test_render_has_metal_brighter_than_hiphop(self):
        assert brightness(clip("metal")) > 3 * brightness(clip("hiphop"))

    def test_render_has_a_beat_on_every_quarter_note_of_disco(self):
        low = np.abs(clip("disco", seconds=8.0))[: 8 * SAMPLE_RATE].reshape(-1, 441).max(axis=1)
        similarity = np.correlate(low - low.mean(), low - low.mean(), "full")[len(low) :]
        beat = 0.02 * (20 + similarity[19:32].argmax())
        assert 60 / 126 - 0.02 < beat < 60 / 114 + 0.02

    def test_render_changes_if_all_is_borrowed(self):
        assert not np.allclose(clip("metal", mix=1.0), clip("metal"))
