import numpy as np
import pytest

from tracker.data.demo.sounds import (
    EQUALISER_HZ,
    HARMONICS,
    PEAK,
    PIECES,
    SAMPLE_RATE,
    Instrument,
    Kit,
    Tone,
    distort,
    make_drums,
    master,
)

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


FLAT = np.zeros(len(EQUALISER_HZ))
SILENT = -200.0


def sines(*hertz: float) -> np.ndarray:
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
        assert np.abs(mastered(sines(440))).max() == pytest.approx(PEAK, rel=0.001)

    def test_master_changes_no_balance_when_all_is_flat(self):
        sound = mastered(sines(200, 5_500))
        assert level(sound, 200) == pytest.approx(level(sound, 5_500), abs=0.1)

    def test_master_turns_bands_up_and_down(self):
        sound = mastered(sines(200, 5_500), equaliser=np.array([0, -3, 0, 0, 0, 4, 0.0]))
        assert level(sound, 5_500) - level(sound, 200) == pytest.approx(7.0, abs=0.3)

    def test_master_tilts_by_so_many_decibels_an_octave(self):
        sound = mastered(sines(500, 2_000), tilt=1.5)
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
        assert np.array_equal(distort(sines(440), 0.0), sines(440))

    def test_distort_adds_harmonics(self):
        assert level(distort(sines(440), 20.0), 1_320) > level(sines(440), 1_320) + 40
