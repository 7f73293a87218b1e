"""Audio files to samples, or the reason why a file cannot be used.

Conventions: samples are float32, mono (the mean of the channels), full scale at ±1, resampled with soxr at its "HQ"
grade, as in `librosa.load`. Files are decoded by libsndfile, which goes by their content, not by their names.

A missing end shows differently in each format. Tried with files cut at 99.9, 90, 50, 5 and 0.2% of their bytes, decoded
by libsndfile 1.2:

- wav, au: decoding ends early without an error; the log of the opening says how many bytes the header declares.
- flac: decoding raises.
- mp3: fewer samples are decoded than declared. Only a file whose first frame is a "Xing" or "Info" tag declares its
  length; for others libsndfile guesses from the first bit rate and the size, off by a factor of three if the rate
  varies, so a cut cannot be detected.
- ogg: decoding ends early without an error; the last page is incomplete or lacks its end-of-stream bit.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from tracker.contained_files import open_regular
from tracker.errors import DataError
from tracker.runs import Range

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BLOCK_FRAMES = 1 << 20  # decoded at a time, so that a damaged header cannot decide how much memory is used
UNKNOWN_FRAMES = 1 << 62  # libsndfile gives counts from here on if a file does not declare its length
STREAMED_BYTES = 0x7FFF_0000  # sizes from here on are of programs that write to a pipe: nothing is missing
OGG_PAGE_BYTES = 65_307  # the largest: header, 255 lengths and as many segments of 255 bytes
SILENCE = 1e-4  # amplitude below which a clip is silent, of full scale: −80 dB, three steps of 16-bit audio
LOUDEST = 1e12  # magnitude of a sample; beyond it, its power would exceed the range of float32
RATES = Range(least=1_000, most=1_000_000)  # Hz: a header that says less makes gigabytes of a small file
MOST_SAMPLES = 1_000_000_000  # of a clip, as it is and resampled: 12 hours at 22,050 Hz
LFS_POINTER = b"version https://git-lfs"  # the text that Git leaves for a file that Git LFS has not fetched

_OGG_PAGE = b"OggS\0"
_DECLARED = re.compile(r"^ *data(?: size)? *: (\d+) \(should be (\d+)\)", re.MULTILINE | re.IGNORECASE)


class AudioFault(DataError):  # noqa: N818  (a fault is collected as a value first)
    """An audio file that cannot be used; the reason is to be read after its name: ``silent throughout``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_audio(file: Path, sr: int) -> NDArray[np.float32]:
    """Decode a wav, flac, mp3, ogg or au file to mono samples at a rate of `sr` Hz, shape (n_samples,).

    Raises
    ------
    AudioFault
        If the file is missing, not readable as audio, a Git LFS pointer, empty, truncated or silent, or contains NaN or
        infinite samples.
    """
    _check_bytes(file)
    with _open(file) as sound:
        if missing := _missing_end(file, sound):
            raise AudioFault(f"truncated: {missing}")
        rate = sound.samplerate
        if rate not in RATES:
            raise AudioFault(f"its sample rate must be {RATES} Hz, got {rate}")
        samples = _read_all(sound, int(MOST_SAMPLES * min(1.0, rate / sr)))
        declares_length = sound.format != "MP3" or _mp3_is_tagged(file)
        if len(samples) < sound.frames and declares_length:
            raise AudioFault(f"truncated or damaged: only {len(samples)} of {sound.frames} samples can be decoded")
    if not len(samples):
        raise AudioFault("contains no sound: 0 samples")
    if not -LOUDEST < samples.min() <= samples.max() < LOUDEST:
        raise AudioFault("contains samples that are NaN, infinite or above 1e12")
    if rate != sr:
        samples = soxr.resample(samples, rate, sr, quality="HQ")
    # At any offset, and after resampling, which removes what is above half the rate.
    if not len(samples) or np.ptp(samples) / 2 < SILENCE:
        raise AudioFault(f"silent: below −{-20 * np.log10(SILENCE):.0f} dB of full scale throughout")
    return samples


def _open(file: Path) -> soundfile.SoundFile:
    """Open a file; libsndfile would treat some without a known header as raw samples because of their names."""
    unknown = AudioFault("not a readable audio file (wav, flac, mp3, ogg, au), or its header is damaged")
    try:
        sound = soundfile.SoundFile(file)
    except UnicodeEncodeError as error:
        raise AudioFault("its name is not valid UTF-8; rename it") from error
    except (soundfile.LibsndfileError, TypeError) as error:
        raise unknown from error
    if sound.format == "RAW":
        sound.close()
        raise unknown
    return sound


def _check_bytes(file: Path) -> None:
    """Refuse a file that is missing, empty or a Git LFS pointer."""
    try:
        with open_regular(file) as raw:
            start = raw.read(len(LFS_POINTER))
    except OSError as error:
        raise AudioFault(f"cannot be read: {error.strerror}") from error
    if not start:
        raise AudioFault("empty: 0 bytes")
    if start == LFS_POINTER:
        raise AudioFault("a Git LFS pointer instead of the audio; fetch it with `git lfs pull`")


def _read_all(sound: soundfile.SoundFile, most: int) -> NDArray[np.float32]:
    if sound.frames >= UNKNOWN_FRAMES:
        raise AudioFault("does not declare its length; encode it again")
    blocks: list[NDArray[np.float32]] = []
    size = max(1, BLOCK_FRAMES // sound.channels)
    try:
        while not blocks or len(blocks[-1]) == size:  # after a short block, ogg would continue behind a hole
            block = sound.read(size, dtype="float32", always_2d=True)
            blocks.append(block.mean(axis=1) if sound.channels > 1 else block[:, 0])
            if sum(map(len, blocks)) > most:
                raise AudioFault(f"longer than {most:,} samples; cut it into shorter files")
    except soundfile.LibsndfileError as error:
        raise AudioFault("truncated or damaged: decoding stops before its end") from error
    return np.concatenate(blocks)


def _missing_end(file: Path, sound: soundfile.SoundFile) -> str | None:
    """Return what is missing at the end of a file, as far as that shows before it is decoded; None if nothing is."""
    if sound.format == "OGG":
        return None if _ogg_ends(file) else "its last page is missing"
    declared = _DECLARED.search(sound.extra_info)
    if declared and int(declared[2]) < int(declared[1]) < STREAMED_BYTES:
        return f"{declared[2]} of {declared[1]} bytes of sound are present"
    return None


def _ogg_ends(file: Path) -> bool:
    """Return whether the last page of an ogg file is complete and ends its stream."""
    with file.open("rb") as raw:
        raw.seek(-min(file.stat().st_size, 2 * OGG_PAGE_BYTES), os.SEEK_END)
        tail = raw.read()
    page = tail[tail.rfind(_OGG_PAGE) :]
    if len(page) < 27:
        return False
    ends_stream, lengths = page[5] & 4, page[27 : 27 + page[26]]
    return bool(ends_stream) and len(page) >= 27 + page[26] + sum(lengths)


def _mp3_is_tagged(file: Path) -> bool:
    """Return whether the first frame of an mp3 file, after an ID3v2 tag, declares its length."""
    with file.open("rb") as raw:
        head, start = raw.read(10), 0
        if head.startswith(b"ID3") and len(head) == 10:
            start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        raw.seek(start)
        frame = raw.read(64)
    return b"Xing" in frame or b"Info" in frame
