"""From stems to a finished recording: distortion, equaliser, level and hiss.

Conventions: as in `tones`; levels are decibels of full scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import oaconvolve

from tracker.data.demo.tones import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

EQUALISER_HZ = (80.0, 200.0, 500.0, 1_200.0, 2_800.0, 5_500.0, 9_500.0)
"""Middles of the equaliser's bands."""

TAPS = 1_023
"""Length of the equaliser's kernel: fine enough for its lowest band, and odd, so that it shifts nothing in time."""

HISS_LOOP = 5 * SAMPLE_RATE
"""Samples of noise after which it begins again: drawing random numbers takes longer than all the rest."""

PEAK = 0.9
"""Highest sample before the hiss, of a full scale of 1."""


def distort(stem: NDArray[np.float32], drive: float) -> NDArray[np.float32]:
    """Return what an amplifier makes of a stem that drives it too hard; a drive of 0 leaves it as it is."""
    return np.tanh(np.float32(drive) * stem) if drive else stem


def master(
    stems: NDArray[np.float32], equaliser: NDArray[np.float64], tilt: float, hiss: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Finish a recording.

    Parameters
    ----------
    stems : ndarray of float32, shape (n_samples,)
        All stems together.
    equaliser : ndarray of float, shape (len(EQUALISER_HZ),), dB
    tilt : float, dB per octave
        Brightness, about 1 kHz.
    hiss : float, dB
        Level of the noise.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        From −1 to 1.
    """
    sound = _equalise(stems, equaliser, tilt)
    sound *= np.float32(PEAK / max(float(np.abs(sound).max()), 1e-9))
    noise = rng.standard_normal(HISS_LOOP, dtype=np.float32)
    sound += np.float32(10 ** (hiss / 20)) * np.resize(noise, len(sound))
    return np.clip(sound, -1.0, 1.0, out=sound)


def _equalise(sound: NDArray[np.float32], equaliser: NDArray[np.float64], tilt: float) -> NDArray[np.float32]:
    frequencies = np.linspace(0.0, SAMPLE_RATE / 2, (TAPS + 1) // 2 + 1)
    octaves = np.log2(np.maximum(frequencies, 20.0) / 1_000.0)
    decibels = np.interp(octaves, np.log2(np.array(EQUALISER_HZ) / 1_000.0), equaliser) + tilt * octaves
    kernel = np.fft.fftshift(np.fft.irfft(10 ** (decibels / 20)))[1:] * np.hanning(TAPS)
    return np.asarray(oaconvolve(sound, kernel.astype(np.float32), mode="same"))
