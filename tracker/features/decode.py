"""Audio files to samples, or the reason why not.

Conventions: samples are float32, mono (the mean of the channels), full scale at ±1, resampled with soxr at its "HQ"
grade: what `librosa.load` gives. Files are decoded by libsndfile, which goes by what they hold, not by their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from tracker.errors import DataError
from tracker.features.truncation import declares_length, missing_end

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BLOCK_FRAMES = 1 << 20
"""Frames decoded at a time, so that the count in a damaged header never decides how much memory is taken."""

UNKNOWN_FRAMES = 1 << 62
"""Counts from here on are libsndfile's way to say that a file does not declare its length."""

SILENCE = 1e-4
"""Amplitude, as a share of full scale (−80 dB: three steps of 16-bit audio), below which a clip is silent."""

LOUDEST = 1e12
"""Largest magnitude of a sample; beyond it, its power would leave the range of float32."""

LFS_POINTER = b"version https://git-lfs"
"""How the text begins that Git leaves in place of a file which Git LFS has not fetched."""


class AudioFault(DataError):  # noqa: N818  (a fault is collected as a value before anybody raises it)
    """A file that no image can be made of.

    Parameters
    ----------
    reason : str
        What is wrong with it, in words that follow its name and a colon: ``it is silent``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_audio(file: Path, sr: int) -> NDArray[np.float32]:
    """Decode an audio file to mono samples at one rate.

    Parameters
    ----------
    file : Path
        A wav, flac, mp3, ogg or au file of any rate and number of channels.
    sr : int, Hz
        The rate to convert to.

    Returns
    -------
    ndarray of float32, shape (n_samples,)

    Raises
    ------
    AudioFault
        If the file is missing, not readable as audio, a Git LFS pointer, empty, truncated or silent, or has samples
        that are no numbers.
    """
    samples, rate = _decode(file)
    _check_finite(samples)
    if rate != sr:
        samples = soxr.resample(samples, rate, sr, quality="HQ")
    _check_audible(samples)
    return samples


def _decode(file: Path) -> tuple[NDArray[np.float32], int]:
    """Return the mono samples of a whole file and their rate."""
    _check_bytes(file)
    with _open(file) as sound:
        missing = missing_end(file, sound)
        if missing:
            raise AudioFault(f"it is truncated: {missing}")
        samples = _read_all(sound)
        if len(samples) < sound.frames and declares_length(file, sound):
            raise AudioFault(f"it is truncated or damaged: {len(samples)} of {sound.frames} samples can be decoded")
        return samples, sound.samplerate


def _open(file: Path) -> soundfile.SoundFile:
    """Open a file; without a header that libsndfile knows, it would take some for raw samples by their names."""
    unknown = AudioFault("it is no wav, flac, mp3, ogg or au audio, or its beginning is damaged")
    try:
        sound = soundfile.SoundFile(file)
    except UnicodeEncodeError as error:
        raise AudioFault("its name is not valid UTF-8: rename it") from error
    except (soundfile.LibsndfileError, TypeError) as error:
        raise unknown from error
    if sound.format == "RAW":
        sound.close()
        raise unknown
    return sound


def _check_bytes(file: Path) -> None:
    """Refuse what is not there, empty, or a pointer to a file."""
    try:
        with file.open("rb") as raw:
            start = raw.read(len(LFS_POINTER))
    except OSError as error:
        raise AudioFault(f"it cannot be read: {error.strerror}") from error
    if not start:
        raise AudioFault("it is empty: 0 bytes")
    if start == LFS_POINTER:
        raise AudioFault("it is a Git LFS pointer, not the audio: fetch it with `git lfs pull`")


def _read_all(sound: soundfile.SoundFile) -> NDArray[np.float32]:
    """Decode to the end, as the mean of the channels."""
    if sound.frames >= UNKNOWN_FRAMES:
        raise AudioFault("it does not say how long it is: encode it anew")
    blocks: list[NDArray[np.float32]] = []
    try:
        while not blocks or len(blocks[-1]) == BLOCK_FRAMES:  # beyond a short block, ogg would go on after a hole
            block = sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
            blocks.append(block.mean(axis=1) if sound.channels > 1 else block[:, 0])
    except soundfile.LibsndfileError as error:
        raise AudioFault("it is truncated or damaged: decoding stops before its end") from error
    return np.concatenate(blocks)


def _check_finite(samples: NDArray[np.float32]) -> None:
    """Refuse a file without samples, and samples that are no numbers or whose power would be none."""
    if not len(samples):
        raise AudioFault("it holds no sound: 0 samples")
    if not -LOUDEST < samples.min() <= samples.max() < LOUDEST:
        raise AudioFault("it has samples that are no finite numbers")


def _check_audible(samples: NDArray[np.float32]) -> None:
    """Refuse silence, at any offset; told after resampling, as what lies above half the rate is then gone."""
    if not len(samples) or np.ptp(samples) / 2 < SILENCE:
        raise AudioFault(f"it is silent: below −{-20 * np.log10(SILENCE):.0f} dB of full scale throughout")
