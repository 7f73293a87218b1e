import numpy as np
import pytest

from tracker.data.demo.sounds import HARMONICS, SAMPLE_RATE, Instrument, Tone

PLAIN = np.zeros(HARMONICS)


def instrument(**changes) -> Instrument:
    return Instrument.of(
        Tone(**{"register": 60, "slope": -6.0, "hollow": 0.0, "attack": 0.005, "decay": 1.0} | changes), PLAIN
    )


def spectrum(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    return np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE), power


def power_near(sound: np.ndarray, hertz: float) -> float:
    frequencies, power = spectrum(sound)
    return float(power[np.abs(frequencies - hertz) < 10].sum())


class TestNote:
    @pytest.mark.parametrize(("pitch", "hertz"), [(69, 440.0), (57, 220.0), (81, 880.0)])
    def test_note_sounds_at_its_pitch(self, pitch, hertz):
        frequencies, power = spectrum(instrument().note(pitch, 1.0))
        assert frequencies[power.argmax()] == pytest.approx(hertz, abs=1.0)

    def test_note_weakens_its_harmonics_by_the_slope(self):
        note = instrument(slope=-6.0).note(57, 1.0)
        assert 10 * np.log10(power_near(note, 440) / power_near(note, 220)) == pytest.approx(-6.0, abs=0.2)

    def test_note_lacks_even_harmonics_where_it_is_hollow(self):
        note = instrument(hollow=1.0).note(57, 1.0)
        assert power_near(note, 440) < 1e-4 * power_near(note, 660)

    def test_note_has_nothing_between_its_harmonics_however_high(self):
        note = instrument(slope=0.0, decay=100.0).note(100, 1.0)
        assert power_near(note, 2637 * 1.5) < 1e-5 * power_near(note, 2637)

    def test_note_begins_and_ends_in_silence(self):
        note = instrument().note(60, 0.5)
        assert note[0] == 0
        assert abs(note[-1]) < 0.01

    def test_note_fades_by_its_decay(self):
        note = instrument(decay=0.2).note(69, 1.0)
        early, late = (np.abs(note[round(t * SAMPLE_RATE) :][:500]).max() for t in (0.1, 0.3))
        assert late / early == pytest.approx(np.exp(-1), rel=0.05)

    def test_note_beats_if_its_chorus_is_out_of_tune(self):
        note = instrument(chorus=50.0, decay=100.0).note(69, 2.0)
        loudness = np.sqrt((note[: 2 * SAMPLE_RATE].reshape(-1, 441) ** 2).mean(axis=1))[10:-10]
        assert loudness.min() < 0.6 * loudness.max()


class TestChord:
    def test_chord_is_about_as_loud_as_a_note(self):
        player = instrument()
        note, chord = player.note(60, 1.0), player.chord((60, 64, 67), 1.0)
        assert np.std(chord) == pytest.approx(np.std(note), rel=0.2)
