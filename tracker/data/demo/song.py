"""A clip: what an artist plays in half a minute.

Conventions: as in `tones` and `genres`; a stem is what one instrument plays over the whole clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.data.demo.drums import PIECES
from tracker.data.demo.genres import borrow
from tracker.data.demo.master import distort, master
from tracker.data.demo.rhythm import Bars, play
from tracker.data.demo.tones import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.data.demo.artist import Artist
    from tracker.data.demo.genres import Chord, Style
    from tracker.data.demo.rhythm import Note
    from tracker.data.demo.tones import Instrument


def render(artist: Artist, seconds: float, rng: np.random.Generator, mix: float) -> NDArray[np.float32]:
    """Play one clip.

    Parameters
    ----------
    artist : Artist
    seconds : float
    rng : numpy.random.Generator
        What tells this clip from the artist's others: tempo, patterns, melody, hits and what is borrowed.
    mix : float, from 0 to 1
        Probability of each part of the style to be borrowed from another genre, for this clip alone.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        From −1 to 1, at `tones.SAMPLE_RATE`.
    """
    style = borrow(artist.style, artist.genre, rng, mix)
    song = _Song(artist, style, Bars.of(style.groove, seconds, rng), round(seconds * SAMPLE_RATE), rng)
    balance = artist.balance.applied_to(style.balance)
    stems = balance.drums * song.drums()
    stems += balance.bass * song.bass()
    stems += balance.chords * song.chords()
    stems += balance.melody * song.melody()
    return master(stems, artist.equaliser, balance.tilt, balance.hiss, rng)


@dataclass(frozen=True, slots=True, eq=False)
class _Song:
    """Who plays what, when: one method an instrument, each returning its stem."""

    artist: Artist
    style: Style
    bars: Bars
    length: int
    rng: np.random.Generator

    def drums(self) -> NDArray[np.float32]:
        stem = self._silence()
        sounds = self.artist.drums(self.style.kit)
        for piece in PIECES:
            for note in play(getattr(self.style.drums, piece), 1.0, self.bars, self.rng):
                _add(stem, note, sounds[piece])
        return stem

    def bass(self) -> NDArray[np.float32]:
        stem, line = self._silence(), self.style.bass_line
        instrument = self.artist.instrument("bass", self.style.bass)
        for note in play(line.patterns, line.held, self.bars, self.rng):
            root, chord = self._harmony(note)
            _add(stem, note, instrument.note(_near(root, instrument) + _degree(note.mark, chord), note.seconds))
        return distort(stem, instrument.tone.drive)

    def chords(self) -> NDArray[np.float32]:
        stem, rhythm = self._silence(), self.style.chord_rhythm
        instrument = self.artist.instrument("chords", self.style.chords)
        for note in play(rhythm.patterns, rhythm.held, self.bars, self.rng):
            root, chord = self._harmony(note)
            pitches = [_near(root, instrument) + interval for interval in chord]
            _add(stem, note, instrument.chord(pitches, note.seconds))
        return distort(stem, instrument.tone.drive)

    def melody(self) -> NDArray[np.float32]:
        stem, line, scale = self._silence(), self.style.melody_line, self.style.harmony.scale
        instrument = self.artist.instrument("melody", self.style.melody)
        place = 0
        for note in play(line.patterns, line.held, self.bars, self.rng):
            place = min(max(place + int(self.rng.integers(-2, 3)), -len(scale)), len(scale))
            octave, step = divmod(place, len(scale))
            pitch = _near(self.artist.key, instrument) + 12 * octave + scale[step]
            _add(stem, note, instrument.note(pitch, note.seconds))
        return distort(stem, instrument.tone.drive)

    def _silence(self) -> NDArray[np.float32]:
        return np.zeros(self.length, dtype=np.float32)

    def _harmony(self, note: Note) -> Chord:
        """Return the chord of a note's bar, its root in semitones above C."""
        chords = self.style.harmony.chords
        root, intervals = chords[note.bar % len(chords)]
        return self.artist.key + root, intervals


def _near(pitch: int, instrument: Instrument) -> int:
    """Return the pitch so many semitones above C, in the octave around the instrument's register."""
    register = instrument.tone.register
    return register + (pitch - register + 6) % 12 - 6


def _degree(mark: str, chord: tuple[int, ...]) -> int:
    """Return how many semitones above its root a step of the chord is."""
    return {"1": 0, "3": chord[1], "5": chord[2], "7": chord[3] if len(chord) > 3 else 10, "8": 12}[mark]


def _add(stem: NDArray[np.float32], note: Note, sound: NDArray[np.float32]) -> None:
    start = round(note.start * SAMPLE_RATE)
    room = stem[start : start + len(sound)]
    room += np.float32(note.force) * sound[: len(room)]
