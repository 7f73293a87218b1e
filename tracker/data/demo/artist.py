"""Artists: a genre's style, some of it borrowed from other genres, in a sound of their own.

An artist is what clips share: key, instruments, drum kit, mix, equaliser and hiss are the same in all of them, and a
network that has heard one clip knows the others. That is why a split must not cut artists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tracker.data.demo.drums import make_drums
from tracker.data.demo.genres import GENRES, Balance, borrow
from tracker.data.demo.master import EQUALISER_HZ
from tracker.data.demo.tones import HARMONICS, Instrument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tracker.data.demo.drums import Kit
    from tracker.data.demo.genres import Style
    from tracker.data.demo.tones import Tone

EQUALISER_DB = 4.5
"""How far an artist's equaliser is turned up or down at most."""

COLOUR_DB = 4.0
"""Standard deviation of an artist's harmonics from those of the tone."""


@dataclass(frozen=True, slots=True, eq=False)
class Artist:
    """What all clips of one artist share.

    Parameters
    ----------
    genre : str
    style : Style
    key : int, semitones from −6 to 5
    colours : mapping of str to ndarray of float, shape (HARMONICS,), dB
        How the harmonics of ``bass``, ``chords`` and ``melody`` differ from those of the style's tones.
    drum_seed : int
    balance : Balance
        How the mix differs from the style's: levels as factors, tilt and hiss as decibels.
    equaliser : ndarray of float, shape (len(EQUALISER_HZ),), dB
    """

    genre: str
    style: Style
    key: int
    colours: Mapping[str, NDArray[np.float64]]
    drum_seed: int
    balance: Balance
    equaliser: NDArray[np.float64]
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
    """Make an artist.

    Parameters
    ----------
    genre : str
        One of `GENRES`.
    rng : numpy.random.Generator
    mix : float, from 0 to 1
        Probability of each part of the style to be borrowed: the larger, the harder genres are to tell apart.

    Returns
    -------
    Artist
    """
    return Artist(
        genre=genre,
        style=borrow(GENRES[genre], genre, rng, mix),
        key=int(rng.integers(-6, 6)),
        colours={part: rng.normal(0.0, COLOUR_DB, HARMONICS) for part in ("bass", "chords", "melody")},
        drum_seed=int(rng.integers(2**32)),
        balance=_mixer(rng),
        equaliser=rng.uniform(-EQUALISER_DB, EQUALISER_DB, len(EQUALISER_HZ)),
    )


def _mixer(rng: np.random.Generator) -> Balance:
    drums, bass, chords, melody = rng.uniform(0.7, 1.4, 4).tolist()
    return Balance(drums, bass, chords, melody, tilt=rng.normal(0.0, 0.7), hiss=rng.normal(0.0, 4.0))
