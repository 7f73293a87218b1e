"""The images of many clips: from the cache where they are, made and kept where they are not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tracker.features.cache import ImageCache
from tracker.features.decode import AudioFault, read_audio
from tracker.features.logmel import log_mel

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.runs import Spectrogram

Image = NDArray[np.float16]
Progress = Callable[[int, int], None]


def extract(
    files: Sequence[tuple[Path, str]],
    settings: Spectrogram,
    cache: Path,
    progress: Progress | None = None,
) -> list[Image | AudioFault]:
    """Return the log-mel image of each file, or what is wrong with it.

    Parameters
    ----------
    files : sequence of (Path, str)
        Each audio file with the SHA-256 of its bytes.
    settings : Spectrogram
    cache : Path
        Folder where images are kept.
    progress : callable or None
        Called with the number of clips done and of all clips, after each.

    Returns
    -------
    list of (ndarray of float16, shape (n_mels, n_frames), dB) or AudioFault
        In the order given.
    """
    images = ImageCache(cache, settings)

    def one(file: tuple[Path, str]) -> Image | AudioFault:
        return _image(file, settings, images)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [pool.submit(one, file) for file in files]
        for done, _ in enumerate(as_completed(futures), start=1):
            if progress:
                progress(done, len(files))
    return [future.result() for future in futures]


def _image(file: tuple[Path, str], settings: Spectrogram, images: ImageCache) -> Image | AudioFault:
    path, clip = file
    cached = images.read(clip)
    if cached is not None:
        return cached
    try:
        image = log_mel(read_audio(path, settings.sr), settings).astype(np.float16)
    except AudioFault as fault:
        return fault
    images.write(clip, image)
    return image
