"""Pitched sounds: instruments that play notes from a wavetable.

Conventions: pitches are MIDI numbers (69 is 440 Hz), times seconds, sounds mono float32 at `SAMPLE_RATE`. A note is
one period of sound, read over and over at the speed of its pitch and shaped by an envelope.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SAMPLE_RATE = 22_050
"""Hz: what features are made at by default, so that nothing need be resampled."""

TABLE = 2_048
"""Samples of one period: its read-out without interpolation stays 60 dB below the note."""

HARMONICS = 128
"""Of the lowest notes; higher ones have as many as there is room for below half the sample rate."""

RELEASE = 0.03
"""Seconds in which a note dies away after its end, so that it does not click."""


@dataclass(frozen=True, slots=True)
class Tone:
    """How a kind of instrument sounds.

    Parameters
    ----------
    register : int, MIDI number
        About where its notes lie.
    slope : float, dB per octave, at most 0
        How much weaker higher harmonics are.
    hollow : float, from 0 to 1
        Share of the even harmonics that is missing: a clarinet's or a square wave's sound.
    attack, decay : float, seconds
        How soon a note is there, and how soon it fades.
    drive : float, at least 0
        How far an amplifier is driven into distortion.
    chorus : float, cents
        By how much a second voice is out of tune; 0: there is none.
    """

    register: int
    slope: float
    hollow: float
    attack: float
    decay: float
    drive: float = 0.0
    chorus: float = 0.0


@dataclass(frozen=True, slots=True)
class Instrument:
    """A tone with a player's own colour; each note is made once.

    Parameters
    ----------
    tone : Tone
    harmonics : ndarray of float, shape (HARMONICS,)
        Their strengths.
    """

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
            self._notes[key] = self._oscillate(pitch, length) * _envelope(self.tone, length)
        return self._notes[key]

    def chord(self, pitches: Sequence[int], seconds: float) -> NDArray[np.float32]:
        """Return several notes at once, about as loud as one."""
        notes = np.sum([self.note(pitch, seconds) for pitch in pitches], axis=0)
        return np.asarray(notes / np.sqrt(len(pitches)), dtype=np.float32)

    def _oscillate(self, pitch: int, length: int) -> NDArray[np.float32]:
        frequency = 440.0 * 2 ** ((pitch - 69) / 12)
        table = _table(self.harmonics, frequency)
        voice = _read(table, frequency, length)
        if not self.tone.chorus:
            return voice
        return (voice + _read(table, frequency * 2 ** (self.tone.chorus / 1200), length)) / np.float32(np.sqrt(2))


def _table(harmonics: NDArray[np.float64], frequency: float) -> NDArray[np.float32]:
    """Return one period of the harmonics that fit below half the sample rate, with a power of 1."""
    room = min(HARMONICS, int(SAMPLE_RATE / 2 / frequency))
    spectrum = np.zeros(TABLE // 2 + 1, dtype=complex)
    spectrum[1 : room + 1] = harmonics[:room] * np.exp(2j * np.pi * np.arange(room) ** 2 / HARMONICS)
    period = np.fft.irfft(spectrum)
    return np.asarray(period / np.sqrt(np.mean(period**2)), dtype=np.float32)


def _read(table: NDArray[np.float32], frequency: float, length: int) -> NDArray[np.float32]:
    step = frequency * TABLE / SAMPLE_RATE
    places = (np.arange(length) * step).astype(np.int32) & (TABLE - 1)
    return np.asarray(table[places])


def _envelope(tone: Tone, length: int) -> NDArray[np.float32]:
    seconds = np.arange(length, dtype=np.float32) / SAMPLE_RATE
    rise = np.minimum(seconds / tone.attack, 1.0)
    fall = np.minimum((length / SAMPLE_RATE - seconds) / RELEASE, 1.0)
    return np.asarray(rise * fall * np.exp(-seconds / tone.decay), dtype=np.float32)
