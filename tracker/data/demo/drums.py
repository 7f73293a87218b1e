"""Drum sounds: a kick that glides down, a snare of tone and rattle, cymbals of filtered noise.

Conventions: as in `tones`. Each sound is made once for an artist, at a level of about 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from tracker.data.demo.tones import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PIECES = ("kick", "snare", "rim", "hat", "open_hat", "ride")


@dataclass(frozen=True, slots=True)
class Kit:
    """How a drum kit sounds.

    Parameters
    ----------
    kick_hz : float
        What the kick glides down to.
    kick_decay, snare_decay, hat_decay : float, seconds
    snare_hz : float
        Middle of its rattle.
    hat_hz : float
        Middle of the hat's hiss; the ride lies a little below.
    punch : float, from 0 to 1
        How much of a click the kick begins with.
    cymbals : float
        Level of the hats and the ride; that of kick and snare is 1.
    """

    kick_hz: float
    kick_decay: float
    snare_hz: float
    snare_decay: float
    hat_hz: float
    hat_decay: float
    punch: float
    cymbals: float


def make_drums(kit: Kit, rng: np.random.Generator) -> Mapping[str, NDArray[np.float32]]:
    """Make the sounds of one drummer's kit.

    Parameters
    ----------
    kit : Kit
    rng : numpy.random.Generator
        What tunes it a little differently from the next drummer's.

    Returns
    -------
    mapping of str to ndarray of float32, shape (n_samples,)
        The sound of each of the `PIECES`.
    """
    tuned = rng.uniform(0.85, 1.18, 6)
    kick = _kick(kit.kick_hz * tuned[0], kit.kick_decay * tuned[1], kit.punch)
    snare_hz, hat_hz = kit.snare_hz * tuned[2], kit.hat_hz * tuned[3]
    snare_decay, hat_decay = kit.snare_decay * tuned[4], kit.hat_decay * tuned[5]
    snare = 0.7 * _hiss(snare_hz, 1.2, snare_decay, rng)
    snare[: len(snare) // 2] += _thump(190.0 * tuned[0], snare_decay / 2, len(snare) // 2)
    return {
        "kick": kick,
        "snare": snare,
        "rim": 0.6 * _hiss(1_800.0 * tuned[2], 0.3, 0.018, rng),
        "hat": kit.cymbals * _hiss(hat_hz, 0.6, hat_decay, rng),
        "open_hat": kit.cymbals * _hiss(hat_hz * 0.9, 0.7, hat_decay * 5, rng),
        "ride": kit.cymbals * (_hiss(hat_hz * 0.8, 0.25, 0.25, rng) + 0.5 * _hiss(hat_hz * 0.45, 0.1, 0.25, rng)),
    }


def _kick(hertz: float, decay: float, punch: float) -> NDArray[np.float32]:
    seconds = _clock(decay)
    phase = 2 * np.pi * (hertz * seconds + 4 * hertz * 0.03 * (1 - np.exp(-seconds / 0.03)))
    click = punch * np.exp(-seconds / 0.004) * np.sin(2 * np.pi * 2_400 * seconds)
    return np.asarray(1.4 * np.sin(phase) * np.exp(-seconds / decay) + click, dtype=np.float32)


def _thump(hertz: float, decay: float, length: int) -> NDArray[np.float32]:
    seconds = np.arange(length) / SAMPLE_RATE
    return np.asarray(0.6 * np.sin(2 * np.pi * hertz * seconds) * np.exp(-seconds / decay), dtype=np.float32)


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
