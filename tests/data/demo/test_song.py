import numpy as np
import pytest

from tracker.data.demo.genres import GENRES
from tracker.data.demo.song import make_artist, render
from tracker.data.demo.sounds import SAMPLE_RATE


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
