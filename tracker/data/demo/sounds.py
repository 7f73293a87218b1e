"""Notes from a wavetable, drums of glides and noise, and the finishing of a recording.

Conventions: pitches are MIDI numbers (69 is 440 Hz), times seconds, levels decibels of full scale, sounds mono float32
at `SAMPLE_RATE`. A note is one period of sound, read over and over at the speed of its pitch and shaped by an envelope.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SAMPLE_RATE = 22_050  # Hz: what features are made at by default, so that nothing need be resampled
TABLE = 2_048  # samples of one period: its read-out without interpolation stays 60 dB below the note
HARMONICS = 128  # of the lowest notes; higher ones have as many as there is room for below half the sample rate
RELEASE = 0.03  # seconds in which a note dies away after its end, so that it does not click
PIECES = ("kick", "snare", "rim", "hat", "open_hat", "ride")
EQUALISER_HZ = (80.0, 200.0, 500.0, 1_200.0, 2_800.0, 5_500.0, 9_500.0)  # middles of its bands
TAPS = 1_023  # of the equaliser's kernel: fine enough for its lowest band, and odd, so that it shifts nothing in time
HISS_LOOP = 5 * SAMPLE_RATE  # samples of noise, repeated: drawing random numbers takes longer than all the rest
PEAK = 0.9  # highest sample before the hiss, of a full scale of 1


@dataclass(frozen=True, slots=True)
class Tone:
    """How a kind of instrument sounds."""

    register: int  # MIDI number about which its notes lie
    slope: float  # dB per octave, at most 0, by which higher harmonics are weaker
    hollow: float  # share of the even harmonics that is missing: a clarinet's or a square wave's sound
    attack: float  # seconds
    decay: float  # seconds
    drive: float = 0.0  # at least 0: how far an amplifier is driven into distortion
    chorus: float = 0.0  # cents by which a second voice is out of tune; 0: there is none


@dataclass(frozen=True, slots=True)
class Instrument:
    """A tone with a player's own strengths of its `HARMONICS`; each note is made once."""

    tone: Tone
    harmonics: NDArray[np.float64]
    _notes: dict[tuple[int, int], NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def of(cls, tone: Tone, colour: NDArray[np.float64]) -> Instrument:
        """Build the instrument whose harmonics differ from the tone's by `colour`, in dB."""
        decibels = tone.slope * np.log2(np.arange(1, HARMONICS + 1)) + colour
        strengths = 10 ** (decibels / 20)
        strengths[1::2] *= 1 - tone.hollow
        return cls(tone, strengths)

    def note(self, pitch: int, seconds: float) -> NDArray[np.float32]:
        """Return one note."""
        length = round((seconds + RELEASE) * SAMPLE_RATE)
        key = (pitch, length)
        if key not in self._notes:
            seconds_in = np.arange(length, dtype=np.float32) / SAMPLE_RATE
            rise = np.minimum(seconds_in / self.tone.attack, 1.0)
            fall = np.minimum((length / SAMPLE_RATE - seconds_in) / RELEASE, 1.0)
            envelope = np.asarray(rise * fall * np.exp(-seconds_in / self.tone.decay), dtype=np.float32)
            self._notes[key] = self._oscillate(pitch, length) * envelope
        return self._notes[key]

    def chord(self, pitches: Sequence[int], seconds: float) -> NDArray[np.float32]:
        """Return several notes at once, about as loud as one."""
        notes = np.sum([self.note(pitch, seconds) for pitch in pitches], axis=0)
        return np.asarray(notes / np.sqrt(len(pitches)), dtype=np.float32)

    def _oscillate(self, pitch: int, length: int) -> NDArray[np.float32]:
        """Read one period, of the harmonics that fit below half the sample rate, with a power of 1."""
        frequency = 440.0 * 2 ** ((pitch - 69) / 12)
        room = min(HARMONICS, int(SAMPLE_RATE / 2 / frequency))
        spectrum = np.zeros(TABLE // 2 + 1, dtype=complex)
        spectrum[1 : room + 1] = self.harmonics[:room] * np.exp(2j * np.pi * np.arange(room) ** 2 / HARMONICS)
        period = np.fft.irfft(spectrum)
        table = np.asarray(period / np.sqrt(np.mean(period**2)), dtype=np.float32)
        voice = _read(table, frequency, length)
        if not self.tone.chorus:
            return voice
        return (voice + _read(table, frequency * 2 ** (self.tone.chorus / 1200), length)) / np.float32(np.sqrt(2))


def _read(table: NDArray[np.float32], frequency: float, length: int) -> NDArray[np.float32]:
    step = frequency * TABLE / SAMPLE_RATE
    places = (np.arange(length) * step).astype(np.int32) & (TABLE - 1)
    return np.asarray(table[places])


@dataclass(frozen=True, slots=True)
class Kit:
    """How a drum kit sounds."""

    kick_hz: float  # what the kick glides down to
    kick_decay: float  # seconds, as the others
    snare_hz: float  # middle of its rattle
    snare_decay: float
    hat_hz: float  # middle of the hat's hiss; the ride lies a little below
    hat_decay: float
    punch: float  # from 0 to 1: how much of a click the kick begins with
    cymbals: float  # level of the hats and the ride; that of kick and snare is 1


def make_drums(kit: Kit, rng: np.random.Generator) -> Mapping[str, NDArray[np.float32]]:
    """Make the sound of each of the `PIECES` of one drummer's kit, tuned a little differently from the next one's."""
    tuned = rng.uniform(0.85, 1.18, 6)
    kick_hz, snare_hz, hat_hz = kit.kick_hz * tuned[0], kit.snare_hz * tuned[2], kit.hat_hz * tuned[3]
    kick_decay, snare_decay, hat_decay = kit.kick_decay * tuned[1], kit.snare_decay * tuned[4], kit.hat_decay * tuned[5]
    seconds = _clock(kick_decay)
    phase = 2 * np.pi * (kick_hz * seconds + 4 * kick_hz * 0.03 * (1 - np.exp(-seconds / 0.03)))
    click = kit.punch * np.exp(-seconds / 0.004) * np.sin(2 * np.pi * 2_400 * seconds)
    kick = 1.4 * np.sin(phase) * np.exp(-seconds / kick_decay) + click
    snare = 0.7 * _hiss(snare_hz, 1.2, snare_decay, rng)
    first_half = snare[: len(snare) // 2]
    seconds = np.arange(len(first_half)) / SAMPLE_RATE
    thump = 0.6 * np.sin(2 * np.pi * (190.0 * tuned[0]) * seconds) * np.exp(-seconds / (snare_decay / 2))
    first_half += thump.astype(np.float32)
    return {
        "kick": kick.astype(np.float32),
        "snare": snare,
        "rim": 0.6 * _hiss(1_800.0 * tuned[2], 0.3, 0.018, rng),
        "hat": kit.cymbals * _hiss(hat_hz, 0.6, hat_decay, rng),
        "open_hat": kit.cymbals * _hiss(hat_hz * 0.9, 0.7, hat_decay * 5, rng),
        "ride": kit.cymbals * (_hiss(hat_hz * 0.8, 0.25, 0.25, rng) + 0.5 * _hiss(hat_hz * 0.45, 0.1, 0.25, rng)),
    }


def _hiss(hertz: float, octaves: float, decay: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise around a frequency, `octaves` wide on either side, that fades."""
    seconds = _clock(decay)
    spectrum = scipy.fft.rfft(rng.standard_normal(len(seconds)))
    frequencies = scipy.fft.rfftfreq(len(seconds), 1 / SAMPLE_RATE)
    spectrum *= np.exp(-0.5 * (np.log2(np.maximum(frequencies, 1.0) / hertz) / octaves) ** 2)
    noise = scipy.fft.irfft(spectrum, len(seconds))
    return np.asarray(noise / np.std(noise) * np.exp(-seconds / decay), dtype=np.float32)


def _clock(decay: float) -> NDArray[np.float64]:
    """Return the seconds of a sound that has died away at its end."""
    length = scipy.fft.next_fast_len(round(6 * decay * SAMPLE_RATE), real=True)
    return np.arange(length) / SAMPLE_RATE


def distort(stem: NDArray[np.float32], drive: float) -> NDArray[np.float32]:
    """Return what an amplifier makes of a stem that drives it too hard; a drive of 0 leaves it as it is."""
    return np.tanh(np.float32(drive) * stem) if drive else stem


def master(
    stems: NDArray[np.float32], equaliser: NDArray[np.float64], tilt: float, hiss: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Finish a recording of all stems together, from −1 to 1.

    The equaliser has the shape (len(EQUALISER_HZ),) and is in dB, as is the level of the hiss; the tilt is in dB per
    octave about 1 kHz.
    """
    from scipy.signal import oaconvolve  # takes 0.8 s, and a set that is there already does without it

    frequencies = np.linspace(0.0, SAMPLE_RATE / 2, (TAPS + 1) // 2 + 1)
    octaves = np.log2(np.maximum(frequencies, 20.0) / 1_000.0)
    decibels = np.interp(octaves, np.log2(np.array(EQUALISER_HZ) / 1_000.0), equaliser) + tilt * octaves
    kernel = np.fft.fftshift(np.fft.irfft(10 ** (decibels / 20)))[1:] * np.hanning(TAPS)
    sound = np.asarray(oaconvolve(stems, kernel.astype(np.float32), mode="same"))
    sound *= np.float32(PEAK / max(float(np.abs(sound).max()), 1e-9))
    noise = rng.standard_normal(HISS_LOOP, dtype=np.float32)
    sound += np.float32(10 ** (hiss / 20)) * np.resize(noise, len(sound))
    return np.clip(sound, -1.0, 1.0, out=sound)
