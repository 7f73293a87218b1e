"""What an artist plays in a clip: patterns laid over its bars, in a style and a sound of the artist's own.

An artist is what clips share: key, instruments, drum kit, mix, equaliser and hiss are the same in all of them, and a
network that has heard one clip knows the others. That is why a split must not cut artists.

Conventions: as in `sounds` and `genres`; times are seconds from the clip's beginning; a stem is what one instrument
plays over the whole clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tracker.data.demo.genres import GENRES, Balance, borrow
from tracker.data.demo.sounds import (
    EQUALISER_HZ,
    HARMONICS,
    PIECES,
    SAMPLE_RATE,
    Instrument,
    distort,
    make_drums,
    master,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.data.demo.genres import Chord, Groove, Style
    from tracker.data.demo.sounds import Kit, Tone

EQUALISER_DB = 4.5  # how far an artist's equaliser is turned up or down at most
COLOUR_DB = 4.0  # standard deviation of an artist's harmonics from those of the tone
STEPS = 16  # sixteenth notes of a bar, four to a beat
LOOSE_S = 0.004  # standard deviation of what a player is early or late
SHORTEST_S = 0.03  # of a note; lengths are rounded to hundredths, so that few different notes need be made


@dataclass(frozen=True, slots=True, eq=False)
class Artist:
    """What all clips of one artist share."""

    genre: str
    style: Style
    key: int  # semitones from −6 to 5
    colours: Mapping[str, NDArray[np.float64]]  # dB, shape (HARMONICS,): of bass, chords and melody, beside the tone's
    drum_seed: int
    balance: Balance  # beside the style's: levels as factors, tilt and hiss as decibels
    equaliser: NDArray[np.float64]  # dB, shape (len(EQUALISER_HZ),)
    _instruments: dict[tuple[str, Tone], Instrument] = field(default_factory=dict)
    _kits: dict[Kit, Mapping[str, NDArray[np.float32]]] = field(default_factory=dict)

    def instrument(self, part: str, tone: Tone) -> Instrument:
        """Return the artist's own instrument of that tone."""
        if (part, tone) not in self._instruments:
            self._instruments[part, tone] = Instrument.of(tone, self.colours[part])
        return self._instruments[part, tone]

    def drums(self, kit: Kit) -> Mapping[str, NDArray[np.float32]]:
        """Return the artist's own drums of that kind."""
        if kit not in self._kits:
            self._kits[kit] = make_drums(kit, np.random.default_rng(self.drum_seed))
        return self._kits[kit]


def make_artist(genre: str, rng: np.random.Generator, mix: float) -> Artist:
    """Make an artist of one of the `GENRES`, each part of the style borrowed with the probability `mix`."""
    style, key = borrow(GENRES[genre], genre, rng, mix), int(rng.integers(-6, 6))
    colours = {part: rng.normal(0.0, COLOUR_DB, HARMONICS) for part in ("bass", "chords", "melody")}
    drum_seed = int(rng.integers(2**32))
    drums, bass, chords, melody = rng.uniform(0.7, 1.4, 4).tolist()
    balance = Balance(drums, bass, chords, melody, tilt=rng.normal(0.0, 0.7), hiss=rng.normal(0.0, 4.0))
    equaliser = rng.uniform(-EQUALISER_DB, EQUALISER_DB, len(EQUALISER_HZ))
    return Artist(genre, style, key, colours, drum_seed, balance, equaliser)


@dataclass(frozen=True, slots=True)
class Note:
    """Something played: the bar that it is in, its time and length, how hard, and the mark that stands for it."""

    bar: int
    start: float
    seconds: float
    force: float
    mark: str


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars that fill a clip, the last beyond its end; their length, and their swing as a share of a beat."""

    count: int
    seconds: float
    swing: float

    @classmethod
    def of(cls, groove: Groove, seconds: float, rng: np.random.Generator) -> Bars:
        """Fill `seconds` at a tempo from the groove's range."""
        bar = 4 * 60.0 / rng.uniform(groove.slowest, groove.fastest)
        return cls(math.ceil(seconds / bar), bar, groove.swing)

    def time(self, bar: int, step: int) -> float:
        """Return when a step of a bar is."""
        beat, sixteenth = divmod(step, 4)
        middle = 0.5 + self.swing
        within = (0.0, middle / 2, middle, (1 + middle) / 2)[sixteenth]
        return (bar + (beat + within) / 4) * self.seconds


def play(patterns: Sequence[str], held: float, bars: Bars, rng: np.random.Generator) -> Iterator[Note]:
    """Yield what a player makes of patterns: one of them in each bar, a little uneven in time and force.

    A note lasts for the share `held` of the time to the next.
    """
    for bar in range(bars.count):
        pattern = patterns[int(rng.integers(len(patterns)))]
        steps = [step for step, mark in enumerate(pattern) if mark != "."]
        for step, following in zip(steps, [*steps[1:], STEPS], strict=False):
            if pattern[step] == "?" and rng.random() < 0.5:
                continue
            start, end = bars.time(bar, step), bars.time(bar, following)
            seconds = max(SHORTEST_S, round((end - start) * held, 2))
            force = rng.uniform(0.75, 1.1) * (0.45 if pattern[step] == "o" else 1.0)
            yield Note(bar, max(0.0, start + rng.normal(0.0, LOOSE_S)), seconds, force, pattern[step])


def render(artist: Artist, seconds: float, rng: np.random.Generator, mix: float) -> NDArray[np.float32]:
    """Play one clip, shape (n_samples,), from −1 to 1: its tempo, patterns, melody and hits come from `rng`.

    `mix` is the probability of each part of the style to be borrowed from another genre, for this clip alone.
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
        stem = np.zeros(self.length, dtype=np.float32)
        sounds = self.artist.drums(self.style.kit)
        for piece in PIECES:
            for note in play(getattr(self.style.drums, piece), 1.0, self.bars, self.rng):
                _add(stem, note, sounds[piece])
        return stem

    def bass(self) -> NDArray[np.float32]:
        stem, line = np.zeros(self.length, dtype=np.float32), self.style.bass_line
        instrument = self.artist.instrument("bass", self.style.bass)
        for note in play(line.patterns, line.held, self.bars, self.rng):
            root, chord = self._harmony(note)
            seventh = chord[3] if len(chord) > 3 else 10
            degree = {"1": 0, "3": chord[1], "5": chord[2], "7": seventh, "8": 12}[note.mark]
            _add(stem, note, instrument.note(_near(root, instrument) + degree, note.seconds))
        return distort(stem, instrument.tone.drive)

    def chords(self) -> NDArray[np.float32]:
        stem, rhythm = np.zeros(self.length, dtype=np.float32), self.style.chord_rhythm
        instrument = self.artist.instrument("chords", self.style.chords)
        for note in play(rhythm.patterns, rhythm.held, self.bars, self.rng):
            root, chord = self._harmony(note)
            pitches = [_near(root, instrument) + interval for interval in chord]
            _add(stem, note, instrument.chord(pitches, note.seconds))
        return distort(stem, instrument.tone.drive)

    def melody(self) -> NDArray[np.float32]:
        stem, line = np.zeros(self.length, dtype=np.float32), self.style.melody_line
        scale = self.style.harmony.scale
        instrument = self.artist.instrument("melody", self.style.melody)
        place = 0
        for note in play(line.patterns, line.held, self.bars, self.rng):
            place = min(max(place + int(self.rng.integers(-2, 3)), -len(scale)), len(scale))
            octave, step = divmod(place, len(scale))
            pitch = _near(self.artist.key, instrument) + 12 * octave + scale[step]
            _add(stem, note, instrument.note(pitch, note.seconds))
        return distort(stem, instrument.tone.drive)

    def _harmony(self, note: Note) -> Chord:
        """Return the chord of a note's bar, its root in semitones above C."""
        chords = self.style.harmony.chords
        root, intervals = chords[note.bar % len(chords)]
        return self.artist.key + root, intervals


def _near(pitch: int, instrument: Instrument) -> int:
    """Return the pitch so many semitones above C, in the octave around the instrument's register."""
    register = instrument.tone.register
    return register + (pitch - register + 6) % 12 - 6


def _add(stem: NDArray[np.float32], note: Note, sound: NDArray[np.float32]) -> None:
    start = round(note.start * SAMPLE_RATE)
    room = stem[start : start + len(sound)]
    room += np.float32(note.force) * sound[: len(room)]
