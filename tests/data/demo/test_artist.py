import numpy as np

from tracker.data.demo.genres import GENRES
from tracker.data.demo.song import EQUALISER_DB, make_artist, render


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
