"""A few seconds of a clip to listen to, with their log-mel image.

Conventions as in `decode` and `extract`; the image is in decibels below the excerpt's own maximum. An excerpt is the
middle of its clip, 16-bit mono at the rate of the features, as FLAC or, if that is smaller, as WAV: both are lossless,
made of the same samples with the same bytes, and played by every browser.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from tracker.features.decode import SILENCE, read_audio
from tracker.features.extract import give_librosa_a_folder, log_mel
from tracker.runs import FLOOR_DB, Range, Spectrogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SECONDS = 3.0
_LOUDEST = 32_767  # of 16-bit samples

_FITTING = {
    "sr": Range(least=3_000, most=96_000),  # that browsers play
    "n_fft": Range(least=16, most=2**14),
    "n_mels": Range(least=8, most=256),
}
_FRAMES = Range(least=8, most=800)


@dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """Some seconds of a clip."""

    start: float  # in seconds from the clip's beginning, as `end`
    end: float
    sr: int  # Hz
    image: NDArray[np.float32]  # shape (n_mels, n_frames), dB from −80 to 0
    media_type: str  # as in ``audio/flac``
    audio: bytes  # an audio file


def playable(settings: Spectrogram) -> Spectrogram:
    """Return settings, as a log-mel image, if browsers play their rate and a page has room; else tracker's own."""
    image = Spectrogram(**{name: getattr(settings, name) for name in ("sr", "n_fft", "hop_length", "n_mels")})
    suits = all(getattr(image, name) in within for name, within in _FITTING.items())
    return image if suits and image.frames(_SECONDS) in _FRAMES else Spectrogram()


def make_excerpt(content: bytes, ending: str, settings: Spectrogram, cache: Path) -> Excerpt:
    """Return the middle 3 s of an audio file, or all of a shorter one.

    Parameters
    ----------
    content : bytes
        The whole file.
    ending : str
        That of its name, as ``.wav``.
    settings : Spectrogram
        Of the image, and the rate of the sound, as `playable` returns them.
    cache : Path
        The folder that librosa may compile into.

    Raises
    ------
    AudioFault
        As `read_audio`.
    """
    with TemporaryDirectory(prefix="tracker-") as folder:  # decoders open files by their names
        file = Path(folder, f"clip{ending}")
        file.write_bytes(content)
        samples = read_audio(file, settings.sr)
    length = round(_SECONDS * settings.sr)
    start = max(0, (len(samples) - length) // 2)
    middle = samples[start : start + length]
    give_librosa_a_folder(cache)
    media_type, audio = _encoded(middle, settings.sr)
    image = log_mel(middle, settings)
    if np.ptp(middle) / 2 < SILENCE:  # whose maximum is no sound either
        image[:] = FLOOR_DB
    return Excerpt(start / settings.sr, (start + len(middle)) / settings.sr, settings.sr, image, media_type, audio)


def _encoded(samples: NDArray[np.float32], sr: int) -> tuple[str, bytes]:
    """Return the smaller of two audio files, after its media type."""
    whole = np.round(np.clip(samples, -1, 1) * _LOUDEST).astype(np.int16)
    files = {}
    for form in ("FLAC", "WAV"):
        stream = io.BytesIO()
        soundfile.write(stream, whole, sr, format=form, subtype="PCM_16")
        files[f"audio/{form.lower()}"] = stream.getvalue()
    return min(files.items(), key=lambda file: len(file[1]))
