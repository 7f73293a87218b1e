"""The five genres of the demo set, as prototypes that a listener would recognise.

Conventions: a bar is 16 steps of a sixteenth note. In drum and chord patterns ``x`` is a hit, ``o`` a soft one, ``?``
one that is played every other time, ``.`` a rest. In bass lines a digit is a step of the chord (``1`` its root, ``8``
the octave), which sounds until the next, and ``.`` goes on; melodies likewise play where there is an ``x``. Where there
are several patterns, each bar picks one. Chords are semitones above their root, roots semitones above the key.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.data.demo.sounds import Kit, Tone

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

MAJOR, MINOR, POWER = (0, 4, 7), (0, 3, 7), (0, 7, 12)
MAJOR_7, MINOR_7, DOMINANT, MINOR_9 = (0, 4, 7, 11), (0, 3, 7, 10), (0, 4, 7, 10), (0, 3, 7, 10, 14)

Chord = tuple[int, tuple[int, ...]]  # its root and its notes


@dataclass(frozen=True, slots=True)
class Groove:
    """Tempo in beats a minute, from `slowest` to `fastest`, and swing: by what share of a beat its middle is late."""

    slowest: float
    fastest: float
    swing: float


@dataclass(frozen=True, slots=True)
class DrumPattern:
    """What each piece of the kit plays in a bar; each has a few patterns to pick from."""

    kick: tuple[str, ...]
    snare: tuple[str, ...] = ("................",)
    rim: tuple[str, ...] = ("................",)
    hat: tuple[str, ...] = ("................",)
    open_hat: tuple[str, ...] = ("................",)
    ride: tuple[str, ...] = ("................",)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What an instrument plays in a bar: patterns, and the share of the time to the next note that a note is held."""

    patterns: tuple[str, ...]
    held: float


@dataclass(frozen=True, slots=True)
class Harmony:
    """Chords, a bar each, played round and round; and the scale that melodies are made of."""

    chords: tuple[Chord, ...]
    scale: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """Levels of the instruments, the tilt of the whole (dB per octave about 1 kHz), and the level of the hiss in dB."""

    drums: float
    bass: float
    chords: float
    melody: float
    tilt: float
    hiss: float

    def applied_to(self, other: Balance) -> Balance:
        """Return another balance changed by this one: by its levels as factors, by its tilt and hiss as decibels."""
        levels = {name: getattr(self, name) * getattr(other, name) for name in ("drums", "bass", "chords", "melody")}
        return Balance(**levels, tilt=self.tilt + other.tilt, hiss=self.hiss + other.hiss)


@dataclass(frozen=True, slots=True)
class Style:
    """All that makes a genre; an artist may borrow any of it from another."""

    groove: Groove
    drums: DrumPattern
    kit: Kit
    bass_line: Rhythm
    bass: Tone
    chord_rhythm: Rhythm
    harmony: Harmony
    chords: Tone
    melody_line: Rhythm
    melody: Tone
    balance: Balance


GENRES: Mapping[str, Style] = {
    "disco": Style(
        groove=Groove(114.0, 126.0, 0.0),
        drums=DrumPattern(
            kick=("x...x...x...x...",),
            snare=("....x.......x...", "....x.......x..o"),
            hat=("x.ooxoo.x.ooxoo.", "x.o.x.o.x.o.x.o."),
            open_hat=("..x...x...x...x.",),
        ),
        kit=Kit(62.0, 0.14, 2_600.0, 0.10, 7_500.0, 0.035, 0.8, 0.30),
        bass_line=Rhythm(("1.8.1.8.1.8.1.8.", "1.8.1.8.5.8.1.87", "1..81.8.1..85.8."), 0.6),
        bass=Tone(36, -7.0, 0.1, 0.004, 0.30),
        chord_rhythm=Rhythm(("..x...x...x...x.", "x..x..x..x..x.x.", "..x.x.x...x.x.xx"), 0.45),
        harmony=Harmony(((0, MINOR_7), (5, MAJOR_7), (10, DOMINANT), (3, MAJOR_7)), (0, 2, 3, 5, 7, 10)),
        chords=Tone(60, -5.0, 0.0, 0.006, 0.35, chorus=9.0),
        melody_line=Rhythm(("x.......x...x...", "x...............", "x..x..x.x......."), 0.95),
        melody=Tone(76, -4.0, 0.0, 0.06, 3.0, chorus=12.0),
        balance=Balance(1.0, 0.8, 0.55, 0.45, 0.5, -62.0),
    ),
    "hiphop": Style(
        groove=Groove(82.0, 98.0, 0.09),
        drums=DrumPattern(
            kick=("x......x..x.....", "x..x......x..o..", "x.....x...x....?"),
            snare=("....x.......x...",),
            hat=("x.x.x.x.x.x.x.x.", "x.x.x.xxx.x.x.x.", "x.o.x.o.x.oox.oo"),
        ),
        kit=Kit(46.0, 0.28, 1_700.0, 0.13, 6_000.0, 0.025, 0.5, 0.45),
        bass_line=Rhythm(("1.........1.....", "1......1..5.....", "1.....1...3....."), 0.9),
        bass=Tone(29, -16.0, 0.2, 0.010, 1.2, drive=0.6),
        chord_rhythm=Rhythm(("x...............", "x.........x.....", "..x.......x....."), 0.7),
        harmony=Harmony(((0, MINOR_9), (0, MINOR_9), (8, MAJOR_7), (7, MINOR_7)), (0, 3, 5, 7, 10)),
        chords=Tone(58, -11.0, 0.5, 0.010, 0.7, chorus=6.0),
        melody_line=Rhythm(("................", "......x...x.....", "x..x............"), 0.5),
        melody=Tone(70, -9.0, 0.8, 0.012, 0.4),
        balance=Balance(1.1, 1.1, 0.45, 0.25, -1.0, -50.0),
    ),
    "jazz": Style(
        groove=Groove(132.0, 180.0, 0.16),
        drums=DrumPattern(
            kick=("o.......o.......", "................", "o.........?....."),
            snare=("......?.......?.", "..............o.", "..........?....."),
            hat=("....x.......x...",),
            ride=("x...x.x.x...x.x.", "x...x...x...x.x."),
        ),
        kit=Kit(72.0, 0.10, 2_200.0, 0.07, 6_500.0, 0.03, 0.2, 0.38),
        bass_line=Rhythm(("1...3...5...7...", "1...5...8...5...", "8...7...5...3..."), 0.9),
        bass=Tone(40, -11.0, 0.0, 0.012, 0.45),
        chord_rhythm=Rhythm(("......x.........", "x.....x.........", "....x.........x.", "......x...x....."), 0.35),
        harmony=Harmony(((2, MINOR_7), (7, DOMINANT), (0, MAJOR_7), (9, MINOR_7)), (0, 2, 4, 5, 7, 9, 10, 11)),
        chords=Tone(60, -9.0, 0.1, 0.005, 0.8),
        melody_line=Rhythm(("x.x.x.x.x.x.x.x.", "..x.x...x.x.x...", "x.....x.x......."), 0.9),
        melody=Tone(66, -6.0, 0.6, 0.035, 2.0),
        balance=Balance(0.55, 0.85, 0.40, 0.65, -0.5, -58.0),
    ),
    "metal": Style(
        groove=Groove(138.0, 172.0, 0.0),
        drums=DrumPattern(
            kick=("xxxxxxxxxxxxxxxx", "x.xxx.xxx.xxx.xx", "x.x.x.x.x.x.x.x."),
            snare=("....x.......x...",),
            hat=("x...x...x...x...",),
            open_hat=("x...x...x...x...", "x.......x......."),
        ),
        kit=Kit(58.0, 0.08, 3_200.0, 0.12, 5_500.0, 0.06, 1.0, 0.28),
        bass_line=Rhythm(("1.1.1.1.1.1.1.1.", "1.1111.11.1111.1"), 0.85),
        bass=Tone(28, -5.0, 0.0, 0.004, 0.5, drive=2.0),
        chord_rhythm=Rhythm(("x.xxx.xxx.xxx.xx", "x.......xxxxxxxx", "x..x..x.x..x..x."), 0.8),
        harmony=Harmony(((0, POWER), (0, POWER), (1, POWER), (3, POWER)), (0, 1, 3, 5, 7, 8, 10)),
        chords=Tone(40, -3.0, 0.0, 0.004, 0.9, drive=6.0, chorus=7.0),
        melody_line=Rhythm(("................", "x.x.x.x.x.x.x.x.", "x.......x......."), 0.95),
        melody=Tone(74, -4.0, 0.3, 0.010, 2.0, drive=3.0),
        balance=Balance(0.8, 0.6, 0.95, 0.35, 1.0, -55.0),
    ),
    "reggae": Style(
        groove=Groove(70.0, 84.0, 0.05),
        drums=DrumPattern(
            kick=("........x.......", "........x.....o."),
            rim=("........x.......", "........x..o...."),
            hat=("x.o.x.o.x.o.x.o.", "..x...x...x...x."),
            open_hat=("................", "..............x."),
        ),
        kit=Kit(54.0, 0.20, 2_000.0, 0.08, 7_000.0, 0.03, 0.4, 0.20),
        bass_line=Rhythm(("1..1..3...5.....", "....1..1..5.3...", "1.....5.1..3...."), 0.75),
        bass=Tone(31, -13.0, 0.0, 0.012, 0.6),
        chord_rhythm=Rhythm(("..x...x...x...x.", "..x...x...x...xx"), 0.28),
        harmony=Harmony(((0, MINOR), (0, MINOR), (5, MINOR), (7, MINOR)), (0, 3, 5, 7, 10)),
        chords=Tone(62, -6.0, 0.3, 0.004, 0.25),
        melody_line=Rhythm(("................", "x.....x.....x...", "x...x..........."), 0.8),
        melody=Tone(72, -6.0, 0.7, 0.030, 1.5),
        balance=Balance(0.75, 1.15, 0.55, 0.3, -0.8, -56.0),
    ),
}


def borrow(style: Style, genre: str, rng: np.random.Generator, mix: float) -> Style:
    """Borrow parts of a style from all genres but one.

    `mix` is the probability of each part to be borrowed: the larger, the harder genres are to tell apart.
    """
    others = [lender for name, lender in GENRES.items() if name != genre]
    borrowed = {}
    for part in dataclasses.fields(Style):
        lender = others[int(rng.integers(len(others)))]
        if rng.random() < mix:
            borrowed[part.name] = getattr(lender, part.name)
    return dataclasses.replace(style, **borrowed)
