import numpy as np
import pytest

from tracker.data.demo.sounds import PIECES, SAMPLE_RATE, Kit, make_drums

KIT = Kit(
    kick_hz=55.0, kick_decay=0.2, snare_hz=2_000.0, snare_decay=0.1,
    hat_hz=7_000.0, hat_decay=0.03, punch=0.5, cymbals=0.3,
)  # fmt: skip


def centroid(sound: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float((np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE) * power).sum() / power.sum())


class TestMakeDrums:
    def test_make_drums_makes_every_piece(self):
        assert set(make_drums(KIT, np.random.default_rng(0))) == set(PIECES)

    def test_make_drums_has_the_kick_below_the_snare_below_the_hat(self):
        drums = make_drums(KIT, np.random.default_rng(0))
        low, middle, high = (centroid(drums[piece]) for piece in ("kick", "snare", "hat"))
        assert low < 150
        assert 500 < middle < 4_000 < high

    def test_make_drums_lets_an_open_hat_ring_longer(self):
        drums = make_drums(KIT, np.random.default_rng(0))
        assert len(drums["open_hat"]) > 4 * len(drums["hat"])

    @pytest.mark.parametrize("piece", PIECES)
    def test_a_drum_dies_away_at_the_end(self, piece):
        sound = make_drums(KIT, np.random.default_rng(0))[piece]
        assert np.abs(sound[-100:]).max() < 0.02 * np.abs(sound).max()

    def test_make_drums_makes_the_same_for_the_same_drummer_alone(self):
        one, same, other = (make_drums(KIT, np.random.default_rng(seed))["snare"] for seed in (1, 1, 2))
        assert np.array_equal(one, same)
        assert not np.array_equal(one[:500], other[:500])
