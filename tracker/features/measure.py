"""What a clip's sound is like: length, rate and clipping for the check of a data set, and the recording's fingerprint.

The fingerprint is the one of Haitsma and Kalker, made of the log-mel image: a word of 32 bits for each frame, of the
signs of differences of energy between neighbouring bands and over time. It stays nearly the same if a recording is
encoded again, made louder or cut. Measured on the demo set: of copies as mp3, as Vorbis at its lowest quality, cut at
any sample or at a tenth of the level, at most 20% of the bits differ over 30 s, of other recordings of the same artist
at least 38%. Chromaprint would do it too, but is a C library that no package brings.

Measures are kept beside the images, a JSON file per clip, by the SHA-256 of its bytes. The image is cached as well, so
that its fingerprint, and training, find it.

References
----------
Haitsma, J. and Kalker, T. (2002). A highly robust audio fingerprinting system. ISMIR 2002.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from tracker.atomic_files import replace_file
from tracker.contained_files import open_folder, read_file
from tracker.features.decode import AudioFault, SilentFault, decode, resampled
from tracker.features.extract import ImageCache, give_librosa_a_folder, in_threads, log_mel, settings_key
from tracker.runs import Spectrogram
from tracker.runs.measures import Fault, Measures, Unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tracker.features.decode import Sound

MEASURES_VERSION = 2  # increased with every change of what is measured
SETTINGS = Spectrogram()  # of the image that a fingerprint is made of, whatever a run's are

_FIRST_BAND, _WIDTH, _BANDS = 4, 3, 33  # mel bands in threes: from 90 Hz to 8 kHz, which encoders leave alone
_SMOOTHED, _LAG = 8, 8  # frames
_LEAST_CHANGE, _LEAST_BITS = 0.5, 8  # dB, and how many bits of a frame must be that sure: in a steady tone none is
_LARGEST = 2**24  # bytes of a file of measures


def measure(
    files: Sequence[tuple[Path, str]], cache: Path, progress: Callable[[int, int], None] | None = None
) -> list[Measures | Unusable]:
    """Return the measures of each file, or why there are none; the arguments are those of `extract`."""
    give_librosa_a_folder(cache)
    shelf = _Shelf(cache)
    return in_threads(lambda path, clip: _measured(path, clip, shelf), files, progress)


def _measured(path: Path, clip: str, shelf: _Shelf) -> Measures | Unusable:
    if kept := shelf.read(clip):
        return kept
    try:
        sound = decode(path, SETTINGS.sr)
        image = log_mel(resampled(sound, SETTINGS.sr), SETTINGS).astype(np.float16)
    except AudioFault as fault:
        return Unusable(fault.reason, Fault.SILENT if isinstance(fault, SilentFault) else Fault.UNREADABLE)
    found = Measures(
        len(sound.samples) / sound.rate,
        sound.rate,
        sound.channels,
        sound.clipped / len(sound.samples),
        _digest(sound),
    )
    shelf.write(clip, found, image)
    return found


def _digest(sound: Sound) -> str:
    scaled = np.clip(sound.samples, -4, 4)
    scaled *= 32_768
    digest = hashlib.sha256(np.rint(scaled, out=scaled).astype("<i4").data)
    digest.update(sound.rate.to_bytes(4, "little"))
    return digest.hexdigest()


def fingerprint(image: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Return a word for each frame but the last `_LAG` of a log-mel image of 128 bands; 0 where nothing changes."""
    if image.shape[1] <= _LAG:
        return np.zeros(0, np.uint32)
    from scipy.ndimage import uniform_filter1d  # takes 0.4 s, and cached measures do without it

    threes = image[_FIRST_BAND : _FIRST_BAND + _WIDTH * _BANDS].astype(np.float32)
    bands = uniform_filter1d(threes.reshape(_BANDS, _WIDTH, -1).mean(axis=1), _SMOOTHED, axis=1)
    between = np.diff(bands, axis=0)
    change = between[:, _LAG:] - between[:, :-_LAG]
    words = np.packbits(change > 0, axis=0).view(np.uint8)
    joined = np.ascontiguousarray(words.T).view(">u4")[:, 0].astype(np.uint32)
    joined[(np.abs(change) >= _LEAST_CHANGE).sum(axis=0) < _LEAST_BITS] = 0
    return joined


class _Shelf:
    """The measures of a cache; what can't be read or written costs time, nothing else."""

    def __init__(self, cache: Path) -> None:
        self._root = cache
        self._folder = cache / "measures" / f"{MEASURES_VERSION}-{settings_key(SETTINGS)}"
        self._images = ImageCache(cache, SETTINGS)

    def read(self, clip: str) -> Measures | None:
        """Return the measures of a clip; None if there are none."""
        try:
            document = json.loads(read_file(self._folder / f"{clip}.json", self._root, _LARGEST))
            return Measures(**document) if document.pop("clip") == clip else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, clip: str, found: Measures, image: NDArray[np.float16]) -> None:
        """Keep the measures of a clip, and its image."""
        document = {"clip": clip, **asdict(found)}
        self._images.write(clip, image)
        with suppress(OSError):
            self._root.mkdir(parents=True, exist_ok=True)
            with open_folder(self._folder, self._root, make=True):
                content = json.dumps(document).encode()
            replace_file(self._folder / f"{clip}.json", content, root=self._root, durable=False)
