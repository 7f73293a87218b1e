"""Samples to log-mel images, by librosa's definition but faster.

Conventions: an image has one row per mel band, from low to high, and one column per frame; its values are decibels
below the clip's maximum, down to a floor of −80. The definition is that of `librosa.feature.melspectrogram` with its
defaults (frames centred on multiples of the hop, zeros beyond the ends, Hann window, power, Slaney's mel scale and
normalisation) followed by `librosa.power_to_db(ref=np.max)`. Bands come from librosa; the transform is
faster, as it is in float32 and over a few frames at a time that stay in the processor's cache.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from scipy.sparse import csr_array

from tracker.runs import FLOOR_DB, Spectrogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Frames transformed at a time: of 16, 32, 64, 128 and 256 the fastest.
BLOCK_FRAMES = 64

# Lower bound of the power: librosa's `amin`.
SMALLEST_POWER = 1e-10


def log_mel(samples: NDArray[np.float32], settings: Spectrogram) -> NDArray[np.float32]:
    """Return the log-mel image of a clip, shape (n_mels, 1 + n_samples // hop_length), dB from −80 to 0.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        Mono, at `settings.sr`, not empty.
    settings : Spectrogram
    """
    bands, window = _bands(settings), _window(settings.n_fft)
    padded = np.pad(samples, settings.n_fft // 2)
    frames = sliding_window_view(padded, settings.n_fft)[:: settings.hop_length]
    power = np.empty((settings.n_mels, len(frames)), np.float32)
    for start in range(0, len(frames), BLOCK_FRAMES):
        block = slice(start, start + BLOCK_FRAMES)
        spectrum = scipy.fft.rfft(frames[block] * window)
        power[:, block] = bands @ (spectrum.real**2 + spectrum.imag**2).T
    decibels = np.log10(np.maximum(power, np.float32(SMALLEST_POWER)))
    decibels *= 10
    decibels -= decibels.max()
    np.maximum(decibels, np.float32(FLOOR_DB), out=decibels)
    return decibels


@lru_cache(maxsize=8)
def _bands(settings: Spectrogram) -> csr_array:
    """Return the mel filters, shape (n_mels, 1 + n_fft // 2)."""
    from librosa.filters import mel  # takes 1.6 s, and cached images do without it

    return csr_array(mel(sr=settings.sr, n_fft=settings.n_fft, n_mels=settings.n_mels, dtype=np.float32))


@lru_cache(maxsize=8)
def _window(n_fft: int) -> NDArray[np.float32]:
    """Return the periodic Hann window."""
    from scipy.signal.windows import hann  # takes 0.8 s, like librosa

    window: NDArray[np.float32] = hann(n_fft, sym=False).astype(np.float32)
    return window
