import numpy as np
import pytest

from tracker.data.demo.sounds import EQUALISER_HZ, PEAK, SAMPLE_RATE, distort, master

FLAT = np.zeros(len(EQUALISER_HZ))
SILENT = -200.0


def tones(*hertz: float) -> np.ndarray:
    seconds = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    return np.sum([0.1 * np.sin(2 * np.pi * f * seconds) for f in hertz], axis=0).astype(np.float32)


def level(sound: np.ndarray, hertz: float) -> float:
    """Return the level of a tone in dB."""
    middle = sound[SAMPLE_RATE // 2 : 3 * SAMPLE_RATE // 2]
    seconds = np.arange(len(middle)) / SAMPLE_RATE
    return float(20 * np.log10(np.abs((middle * np.exp(-2j * np.pi * hertz * seconds)).mean())))


def mastered(sound: np.ndarray, equaliser: np.ndarray = FLAT, tilt: float = 0.0, hiss: float = SILENT) -> np.ndarray:
    return master(sound, equaliser, tilt, hiss, np.random.default_rng(0))


class TestMaster:
    def test_master_brings_every_clip_to_the_same_peak(self):
        assert np.abs(mastered(tones(440))).max() == pytest.approx(PEAK, rel=0.001)

    def test_master_changes_no_balance_when_all_is_flat(self):
        sound = mastered(tones(200, 5_500))
        assert level(sound, 200) == pytest.approx(level(sound, 5_500), abs=0.1)

    def test_master_turns_bands_up_and_down(self):
        sound = mastered(tones(200, 5_500), equaliser=np.array([0, -3, 0, 0, 0, 4, 0.0]))
        assert level(sound, 5_500) - level(sound, 200) == pytest.approx(7.0, abs=0.3)

    def test_master_tilts_by_so_many_decibels_an_octave(self):
        sound = mastered(tones(500, 2_000), tilt=1.5)
        assert level(sound, 2_000) - level(sound, 500) == pytest.approx(3.0, abs=0.1)

    def test_master_adds_hiss_at_its_level(self):
        noise = mastered(np.zeros(12 * SAMPLE_RATE, np.float32), hiss=-40.0)
        assert 20 * np.log10(np.std(noise)) == pytest.approx(-40.0, abs=0.1)

    def test_master_shifts_nothing_in_time(self):
        click = np.zeros(SAMPLE_RATE, np.float32)
        click[10_000] = 1.0
        assert np.abs(mastered(click)).argmax() == 10_000


class TestDistort:
    def test_distort_leaves_a_stem_as_it_is_without_drive(self):
        assert np.array_equal(distort(tones(440), 0.0), tones(440))

    def test_distort_adds_harmonics(self):
        assert level(distort(tones(440), 20.0), 1_320) > level(tones(440), 1_320) + 40
