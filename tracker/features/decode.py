"""Audio files to samples, or the reason why not.

Conventions: samples are float32, mono (the mean of the channels), full scale at ±1, resampled with soxr at its "HQ"
grade: what `librosa.load` gives. Everything is decoded by libsndfile, which tells of a truncated file in four ways,
tried with files cut at 99.9, 90, 50, 5 and 0.2 % of their bytes:

- wav and au: fewer frames are announced than the header declares, and only the log of the opening says so;
- flac: decoding raises;
- mp3: fewer frames are decoded than the header declares (one without a frame count in its header cannot be told);
- ogg: the log of the opening says that the last page lacks its end-of-stream bit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from tracker.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BLOCK_FRAMES = 1 << 20
"""Frames decoded at a time: the frame count of a damaged header never decides how much memory is taken."""

SILENCE = 1e-4
"""Amplitude, as a share of full scale (−80 dB: three steps of 16-bit audio), below which a clip is silent."""

LOUDEST = 1e12
"""Largest magnitude of a sample; beyond it, its power would leave the range of float32."""

LFS_POINTER = b"version https://git-lfs"
"""How the text begins that Git leaves in place of a file which Git LFS has not fetched."""

STREAMED_BYTES = 0x7FFF_0000
"""Sizes from here on are what programs declare that write to a pipe and cannot know the size: not a truncation."""

UNKNOWN_FRAMES = 1 << 62
"""Frame counts from here on are libsndfile's way to say that a stream does not declare its length."""

_SHORT_DATA = re.compile(r"^\s*data(?: size)? : (\d+) \(should be (\d+)\)", re.MULTILINE | re.IGNORECASE)
_NO_END_OF_STREAM = "lacks an end-of-stream bit"


class AudioFault(DataError):  # noqa: N818  (a fault of the file is a value to collect before it is an error)
    """An audio file that no image can be made of.

    Parameters
    ----------
    reason : str
        What is wrong with the file, without its name: ``it is silent``.
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
        that are not finite.
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
    try:
        sound = soundfile.SoundFile(file)
    except soundfile.LibsndfileError as error:
        raise AudioFault("it is no wav, flac, mp3, ogg or au audio, or its beginning is damaged") from error
    with sound:
        _check_header(sound)
        return _read_all(sound), sound.samplerate


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


def _check_header(sound: soundfile.SoundFile) -> None:
    """Refuse a file whose opening shows that its end is missing."""
    log = sound.extra_info
    declared = _SHORT_DATA.search(log)
    if declared and int(declared[2]) < int(declared[1]) < STREAMED_BYTES:
        raise AudioFault(f"it is truncated: {declared[2]} of {declared[1]} bytes of sound are there")
    if _NO_END_OF_STREAM in log:
        raise AudioFault("it is truncated: its last page is missing")


def _read_all(sound: soundfile.SoundFile) -> NDArray[np.float32]:
    """Decode to the end, as the mean of the channels."""
    blocks = []
    try:
        while len(block := sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            blocks.append(block.mean(axis=1) if sound.channels > 1 else block[:, 0])
    except soundfile.LibsndfileError as error:
        raise AudioFault("it is truncated or damaged: decoding stops before its end") from error
    samples = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    if len(samples) < sound.frames < UNKNOWN_FRAMES:
        raise AudioFault(f"it is truncated: {len(samples)} of {sound.frames} frames can be decoded")
    return samples


def _check_finite(samples: NDArray[np.float32]) -> None:
    """Refuse a file without samples, and samples that are no numbers or whose power would be none."""
    if not len(samples):
        raise AudioFault("it holds no sound: 0 frames")
    if not -LOUDEST < samples.min() <= samples.max() < LOUDEST:
        raise AudioFault("it has samples that are not finite numbers")


def _check_audible(samples: NDArray[np.float32]) -> None:
    """Refuse silence, a constant offset included; after resampling, as sound above half the rate is then gone."""
    if not len(samples) or np.ptp(samples) / 2 < SILENCE:
        raise AudioFault(f"it is silent: below {20 * np.log10(SILENCE):.0f} dB of full scale throughout")
