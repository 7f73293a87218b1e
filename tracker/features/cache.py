"""Log-mel images kept on disk, so that a clip is transformed once.

Conventions: an image is one float16 ``.npy`` file, ``<settings>/<clip>.npy``, where *settings* is a digest of all that
the values depend on besides the sound (feature settings, version of the feature code, of librosa and of soxr) and
*clip* is the SHA-256 of the audio file's bytes. In float16 a value is off by at most 0.031 dB. A file is written under
a temporary name and moved into place, so that a reader never meets half of one, whoever else writes. Behind the array
stands the CRC-32 of clip and values, little-endian: a file that a disk has changed, or that stands under another clip's
name, counts as damaged, and the image is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from tracker.atomic_files import replace_path
from tracker.runs import FLOOR_DB, Spectrogram

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

FEATURES_VERSION = 2
"""Counted up with every change of the feature code that changes values, or how they are kept."""

_CRC_BYTES = 4


class ImageCache:
    """The images of one folder under one set of feature settings.

    Parameters
    ----------
    folder : Path
        Where caches of all settings lie; made when the first image is written.
    settings : Spectrogram
    """

    def __init__(self, folder: Path, settings: Spectrogram) -> None:
        self._folder = folder / settings_key(settings)
        self._n_mels = settings.n_mels
        self._damaged: list[str] = []
        self._unwritable: str | None = None

    @property
    def faults(self) -> tuple[str, ...]:
        """What was wrong with the cache so far, a line each: it costs time and no image."""
        damaged, unwritable = len(self._damaged), self._unwritable
        whole = f"damaged features found in {self._folder} and made anew: {damaged}" if damaged else None
        return tuple(line for line in (whole, unwritable) if line)

    def read(self, clip: str, *, mapped: bool = True) -> NDArray[np.float16] | None:
        """Return the image of a clip, or None where there is none or it is damaged.

        Parameters
        ----------
        clip : str
            SHA-256 of the audio file's bytes.
        mapped : bool
            Whether to map the file rather than read it whole; each map holds a file open.

        Returns
        -------
        ndarray of float16, shape (n_mels, n_frames), dB, or None
        """
        try:
            image = np.lib.format.open_memmap(self._file(clip), mode="r")
            whole = self._is_whole(clip, image)
        except OSError:  # it is not there, or not any more
            return None
        except Exception:  # noqa: BLE001  (numpy meets errors of five kinds in damaged headers)
            whole = False
        if not whole:
            self._damaged.append(clip)
            return None
        return image if mapped else np.array(image)

    def _is_whole(self, clip: str, image: NDArray[np.generic]) -> bool:
        """Tell whether a file holds what was written for this clip, to the last bit."""
        if image.dtype != np.float16 or image.ndim != 2 or image.shape[0] != self._n_mels:
            return False
        with self._file(clip).open("rb") as opened:
            opened.seek(-_CRC_BYTES, os.SEEK_END)
            return image.flags.c_contiguous and opened.read() == _crc(clip, image)

    def write(self, clip: str, image: NDArray[np.float16]) -> None:
        """Keep the image of a clip; a folder that cannot be written to is one of the faults, and not tried again."""
        if self._unwritable:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            whole = np.ascontiguousarray(image)
            replace_path(self._file(clip), lambda file: _write(file, clip, whole), durable=False)
        except OSError as error:
            self._unwritable = (
                f"features are not cached: {self._folder} cannot be written to ({error.strerror or error}); make room "
                "there or set TRACKER_CACHE to another folder"
            )

    def _file(self, clip: str) -> Path:
        return self._folder / f"{clip}.npy"


def settings_key(settings: Spectrogram, version_of: Callable[[str], str] = version) -> str:
    """Return a digest of all that an image depends on besides the sound, the versions of what makes it among it."""
    parts = asdict(settings) | {
        "floor_db": FLOOR_DB,
        "features": FEATURES_VERSION,
        "librosa": version_of("librosa"),
        "soxr": version_of("soxr"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _crc(clip: str, image: NDArray[np.generic]) -> bytes:
    return zlib.crc32(image.data, zlib.crc32(clip.encode())).to_bytes(_CRC_BYTES, "little")


def _write(file: Path, clip: str, image: NDArray[np.float16]) -> None:
    with file.open("xb") as opened:
        np.save(opened, image, allow_pickle=False)
        opened.write(_crc(clip, image))
