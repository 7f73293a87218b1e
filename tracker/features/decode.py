"""Audio files to samples, or the reason why a file cannot be used: all of a file or nothing, never a part.

Conventions: samples are float32, mono (the mean of the channels), full scale at ±1, resampled with soxr at its "HQ"
grade, as in `librosa.load`. The content decides who decodes a file, not its name: libsndfile what it knows, PyAV, if
that is installed, the rest (see `containers`).

A missing end shows differently in each format. Tried with files cut at 99.9, 90, 50, 5 and 0.2% of their bytes, decoded
by libsndfile 1.2:

- wav, au: decoding ends early without an error; the log of the opening says how many bytes the header declares.
- flac: decoding raises.
- mp3: fewer samples are decoded than declared. Only a file whose first frame is a "Xing" or "Info" tag declares its
  length; of others a cut cannot be detected, and all that is there is read.
- ogg: decoding ends early without an error; the last page is incomplete or lacks its end-of-stream bit.
"""

from __future__ import annotations

import ctypes
import io
import os
import platform
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import IO, TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from tracker.contained_files import open_regular
from tracker.errors import DataError
from tracker.features.containers import (
    FOREIGN,
    START_BYTES,
    STREAMED_BYTES,
    Form,
    codec_name,
    flac_streams,
    form_of,
    mpeg_stream,
    ogg_streams,
    sizes_of_sound,
    wav_sound,
    wav_tag,
)
from tracker.runs import Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

DECODING_VERSION = 1  # increased with every change that gives a file other samples; libsndfile has its own
BLOCK_FRAMES = 1 << 20  # decoded at a time, so that a damaged header cannot decide how much memory is used
UNKNOWN_FRAMES = 1 << 62  # libsndfile gives counts from here on if a file does not declare its length
SILENCE = 1e-4  # amplitude below which a clip is silent, of full scale: −80 dB, three steps of 16-bit audio
FULL_SCALE = 0.999  # magnitude from which three samples in a row are clipped
LOUDEST = 1e12  # magnitude of a sample; beyond it, its power would exceed the range of float32
RATES = Range(least=1_000, most=1_000_000)  # Hz: a header that says less makes gigabytes of a small file
MOST_SAMPLES = 1_000_000_000  # of a clip, as it is and resampled: 12 hours at 22,050 Hz
POINTERS = (  # what version control leaves in place of a file that it has not fetched
    (b"version https://git-lfs", "a Git LFS pointer instead of the audio; fetch it with `git lfs pull`"),
    (b"/annex/objects/", "a git-annex pointer instead of the audio; fetch it with `git annex get`"),
)
EXTRA = "pip install 'tracker-report[av]'"

_OGG_PAGE = b"OggS\0"
_UNKNOWN = "not a readable audio file (wav, flac, mp3, ogg, au), or its header is damaged"
_CANCELLED = 10  # times as loud as silence is a channel of a file whose channels cancel each other
_SHORT = 1 << 16  # bytes in which a codec's name stands
_MPEG_IN_WAV = {0x50, 0x55}
_MOST_TRIMMED = 2 * 1_152 + 576 + 2_304  # samples of an mp3 that an encoder added at both ends, and says so
_DECLARED = re.compile(r"^ *data(?: size)? *: (\d+) \(should be (\d+)\)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """All of a file's sound, as it is in it."""

    samples: NDArray[np.float32]  # mono, full scale at ±1
    rate: int  # Hz
    channels: int
    clipped: int  # frames among three or more in a row at full scale, in any channel
    loudest: float  # largest magnitude in any channel
    extremes: tuple[float, float]  # lowest and highest of the samples


class AudioFault(DataError):  # noqa: N818  (a fault is collected as a value first)
    """An audio file that cannot be used; the reason is to be read after its name: ``silent throughout``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SilentFault(AudioFault):
    """A file that can be read but has nothing to hear."""


def read_audio(file: Path, sr: int) -> NDArray[np.float32]:
    """Decode an audio file to mono samples at a rate of `sr` Hz, shape (n_samples,).

    Raises
    ------
    AudioFault
        If the file is missing, not readable as audio, a pointer to a file elsewhere, empty, truncated or silent, or
        contains NaN or infinite samples.
    """
    return resampled(decode(file, sr), sr)


def decode(file: Path, sr: int) -> Sound:
    """Return all of a file's sound at its own rate; raises as `read_audio`, but for silence."""
    with _opened(file) as raw:
        sound = _decoded(raw, sr)
    if not len(sound.samples):
        raise AudioFault("contains no sound: 0 samples")
    lowest, highest = sound.extremes
    if not -LOUDEST < lowest <= highest < LOUDEST:
        raise AudioFault("contains samples that are NaN, infinite or above 1e12")
    return sound


def resampled(sound: Sound, sr: int) -> NDArray[np.float32]:
    """Return the samples at a rate of `sr` Hz; raise `SilentFault` if there is nothing to hear."""
    samples, (lowest, highest) = sound.samples, sound.extremes
    if sound.rate != sr:
        samples = soxr.resample(samples, sound.rate, sr, quality="HQ")
        lowest, highest = _extremes(samples)
    # At any offset, and after resampling, which removes what is above half the rate.
    if not len(samples) or (highest - lowest) / 2 < SILENCE:
        if len(samples) and np.abs(samples).max() < SILENCE <= sound.loudest / _CANCELLED:
            raise SilentFault(f"silent: its {sound.channels} channels cancel each other when they are mixed")
        raise SilentFault(f"silent: it varies by less than −{-20 * np.log10(SILENCE):.0f} dB of full scale")
    return samples


def _access_reason(file: Path, error: OSError) -> str:
    if file.is_symlink() and not file.exists():
        if "/annex/objects/" in file.readlink().as_posix():
            return "a link to what git-annex has not fetched; fetch it with `git annex get`"
        return "a link that leads nowhere"
    if not file.exists() and file.with_name(f"{file.name}.dvc").is_file():
        return "a DVC pointer instead of the audio; fetch it with `dvc pull`"
    reason = f"{error.strerror}"
    return reason.removeprefix(f"{file.name} is ") if reason.startswith(file.name) else f"cannot be read: {reason}"


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """Open a file; refuse one that is missing, empty, not a file or a pointer to a file elsewhere."""
    try:
        with open_regular(file) as raw:
            start = raw.read(START_BYTES)
            if not start:
                raise AudioFault("empty: 0 bytes")
            for text, fault in POINTERS:
                if start.startswith(text):
                    raise AudioFault(fault)
            yield raw
    except OSError as error:
        raise AudioFault(_access_reason(file, error)) from error


def _decoded(raw: IO[bytes], sr: int) -> Sound:
    """Return all of a file's samples and their rate in Hz."""
    form, begin = form_of(raw)
    if form in FOREIGN:
        return _by_pyav(raw, form, sr)
    if form in {Form.WAV, Form.OTHER}:
        _check_sizes(raw)
        raw.seek(0)
        if form is Form.WAV and wav_tag(raw.read(_SHORT)) in _MPEG_IN_WAV:
            raw.seek(0)
            return _mpeg(wav_sound(raw.read()), None, sr)
        return _by_libsndfile(None, raw, form, sr)
    raw.seek(begin)
    content = raw.read()
    if form is Form.MPEG:
        return _mpeg(content, raw, sr)
    streams = flac_streams(content) if form is Form.FLAC else ogg_streams(content)
    if form is Form.OGG and not all(map(_ogg_ends, streams)):
        raise AudioFault("truncated: its last page is missing")
    parts = [_by_libsndfile(None if stream == content else stream, raw, form, sr) for stream in streams]
    rates = sorted({part.rate for part in parts})
    if len(rates) > 1:
        raise AudioFault(f"made of files of different sample rates ({', '.join(map(str, rates))} Hz)")
    if len(parts) == 1:
        return parts[0]
    samples = np.concatenate([part.samples for part in parts])
    return Sound(
        samples,
        rates[0],
        channels=max(part.channels for part in parts),
        clipped=sum(part.clipped for part in parts),
        loudest=max(part.loudest for part in parts),
        extremes=_extremes(samples),
    )


def _check_sizes(raw: IO[bytes]) -> None:
    """Refuse a file with less or more sound than its header says."""
    declared, present = sizes_of_sound(raw, os.fstat(raw.fileno()).st_size) or (0, 0)
    if present < declared:
        raise AudioFault(f"truncated: {present:,} of {declared:,} bytes of sound are present")
    if present > declared:
        raise AudioFault(
            f"its header declares {declared:,} bytes of sound, but {present:,} follow; "
            "repair it, as with `sox --ignore-length`"
        )


def _mpeg(content: bytes, raw: IO[bytes] | None, sr: int) -> Sound:
    """Decode MPEG audio: the file itself if a decoder would read all of it, else its frames with their real count."""
    stream = mpeg_stream(content)
    if not stream:
        raise AudioFault(_UNKNOWN)
    if stream.damage:
        raise AudioFault(f"truncated or damaged: {stream.damage}")
    is_whole = raw and stream.declared is not None and stream.declared >= stream.frames
    with _quiet_decoder():
        sound = _by_libsndfile(None if is_whole else stream.countable(), raw, Form.MPEG, sr)
    decoded = len(sound.samples)
    if decoded < stream.samples - _MOST_TRIMMED:
        raise AudioFault(f"truncated or damaged: only {decoded:,} of {stream.samples:,} samples can be decoded")
    return sound


def _by_libsndfile(content: bytes | None, raw: IO[bytes] | None, form: Form, sr: int) -> Sound:
    """Decode bytes, or else an open file: by its descriptor, since libsndfile takes some for another by their names."""
    try:
        if content is None and raw:
            os.lseek(raw.fileno(), 0, os.SEEK_SET)
            sound = soundfile.SoundFile(raw.fileno(), closefd=False)
        else:
            sound = soundfile.SoundFile(io.BytesIO(content or b""))
    except (soundfile.LibsndfileError, TypeError) as error:
        if raw and form is not Form.MPEG:
            raw.seek(0)
            if codec_name(form, raw.read(_SHORT)) != form:
                return _by_pyav(raw, form, sr)
        raise AudioFault(_UNKNOWN) from error
    with sound:
        declared = _DECLARED.search(sound.extra_info)
        if declared and int(declared[2]) < int(declared[1]) < STREAMED_BYTES:
            raise AudioFault(f"truncated: {int(declared[2]):,} of {int(declared[1]):,} bytes of sound are present")
        rate = sound.samplerate
        _check_rate(rate)
        read = _read_all(sound, int(MOST_SAMPLES * min(1.0, rate / sr)))
        is_guess = sound.subtype == "MPEG_LAYER_II"
        if len(read.samples) < sound.frames and not is_guess:
            counts = f"{len(read.samples):,} of {sound.frames:,}"
            raise AudioFault(f"truncated or damaged: only {counts} samples can be decoded")
    return read


def _check_rate(rate: int) -> None:
    if rate not in RATES:
        raise AudioFault(f"its sample rate must be {RATES} Hz, got {rate}")


def _by_pyav(raw: IO[bytes], form: Form, sr: int) -> Sound:
    """Decode what libsndfile does not know, if PyAV is installed."""
    raw.seek(0)
    name = codec_name(form, raw.read(_SHORT) if form is not Form.MP4 else raw.read())
    try:
        from tracker.features.pyav import decode_blocks
    except ImportError as error:
        raise AudioFault(f"{name}, which takes PyAV to read: {EXTRA}") from error
    raw.seek(0)
    blocks, rate, fault = decode_blocks(raw, lambda rate: int(MOST_SAMPLES * min(1.0, rate / sr)))
    if fault:
        raise AudioFault(f"{name}: {fault}")
    _check_rate(rate)
    return _joined(blocks, rate)


_quiet_lock = Lock()
_quiet: list[int] = []  # C's own stderr, once for each decoder at work


@contextmanager
def _quiet_decoder() -> Iterator[None]:
    """Let libmpg123 write its notes nowhere: it does so by C's ``stderr``, which Python does not use."""
    if not (streams := _c_streams()):
        yield
        return
    stream, nowhere = streams
    with _quiet_lock:
        _quiet.append(_quiet[0] if _quiet else stream.value or 0)
        stream.value = nowhere
    try:
        yield
    finally:
        with _quiet_lock:
            before = _quiet.pop()
            if not _quiet:
                stream.value = before


@cache
def _c_streams() -> tuple[ctypes.c_void_p, int] | None:
    """Return the variable of C's ``stderr`` and a stream that leads nowhere; None if it is a constant."""
    name = "__stderrp" if platform.system() == "Darwin" else "stderr" if platform.libc_ver()[0] == "glibc" else None
    if not name:
        return None
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    nowhere = library.fopen(os.devnull.encode(), b"w")
    return (ctypes.c_void_p.in_dll(library, name), nowhere) if nowhere else None


def _read_all(sound: soundfile.SoundFile, most: int) -> Sound:
    if sound.frames >= UNKNOWN_FRAMES:
        raise AudioFault("truncated or damaged: how long it is cannot be found out")
    size = max(1, BLOCK_FRAMES // sound.channels)
    return _joined(_blocks(sound, size, most), sound.samplerate)


def _blocks(sound: soundfile.SoundFile, size: int, most: int) -> Iterator[NDArray[np.float32]]:
    """Yield what is decoded, each of shape (n_frames, n_channels)."""
    count, block = 0, None
    while block is None or len(block) == size:  # after a short block, ogg would continue behind a hole
        try:
            block = sound.read(size, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioFault("truncated or damaged: decoding stops before its end") from error
        count += len(block)
        if count > most:
            raise AudioFault(f"longer than {most:,} samples; cut it into shorter files")
        yield block


def _joined(blocks: Iterable[NDArray[np.float32]], rate: int) -> Sound:
    """Return the sound of blocks of shape (n_frames, n_channels)."""
    parts, extremes, clipped, channels, loudest = [], [], 0, 1, 0.0
    for block in blocks:
        channels = block.shape[1]
        if not len(block):
            continue
        part, lowest, highest = block[:, 0], block.min(), block.max()
        magnitude = float(max(highest, -lowest))
        loudest = max(loudest, magnitude)
        if magnitude >= FULL_SCALE:
            is_full = np.abs(block) >= FULL_SCALE
            clipped += int((is_full[:-2] & is_full[1:-1] & is_full[2:]).any(axis=1).sum())
        if channels > 1:
            part = block.mean(axis=1)
            lowest, highest = part.min(), part.max()
        parts.append(part)
        extremes += [lowest, highest]
    samples = parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.float32), *parts])  # a copy takes a while
    return Sound(samples, rate, channels, clipped, loudest, _extremes(np.array(extremes)))


def _extremes(samples: NDArray[np.float32]) -> tuple[float, float]:
    """Return the lowest and the highest sample: NaN if one is NaN, 0 if there are none."""
    return (float(samples.min()), float(samples.max())) if len(samples) else (0.0, 0.0)


def _ogg_ends(content: bytes) -> bool:
    """Return whether the last page of an ogg file is complete and ends its stream."""
    page = content[max(0, content.rfind(_OGG_PAGE)) :]
    if len(page) < 27:
        return False
    ends_stream, lengths = page[5] & 4, page[27 : 27 + page[26]]
    return bool(ends_stream) and len(page) >= 27 + page[26] + sum(lengths)
