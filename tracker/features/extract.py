"""The images of many clips: from the cache where they are, made and kept where they are not.

Images are made by threads, as decoding, the Fourier transform and the mel filters all run without Python's lock: on two
cores two threads do 1.5 to 1.9 times the work of one, and start at once, where a pool of processes takes 2.5 s.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tracker.features.cache import ImageCache
from tracker.features.decode import AudioFault, read_audio
from tracker.features.logmel import log_mel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tracker.runs import Spectrogram

Image = NDArray[np.float16]


def extract(
    files: Sequence[tuple[Path, str]],
    settings: Spectrogram,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
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
    warn : callable or None
        Told in one line what is wrong with the cache, where the images come about all the same.

    Returns
    -------
    list of (ndarray of float16, shape (n_mels, n_frames), dB) or AudioFault
        In the order given. Cached images are mapped, not read, unless there are more of them than half the files that
        this process may hold open.
    """
    images, mapped = ImageCache(cache, settings), _may_map(len(files))
    pool = ThreadPoolExecutor(_cores())
    try:
        futures = [pool.submit(_image, path, clip, settings, images, mapped=mapped) for path, clip in files]
        for done, _ in enumerate(as_completed(futures), start=1):
            if progress:
                progress(done, len(files))
        results = [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)  # or an interrupt would wait for all that are left
    if warn:
        for fault in images.faults:
            warn(fault)
    return results


def _image(path: Path, clip: str, settings: Spectrogram, images: ImageCache, *, mapped: bool) -> Image | AudioFault:
    """Return one clip's image from the cache, or make it and keep it there."""
    cached = images.read(clip, mapped=mapped)
    if cached is not None:
        return cached
    try:
        image = log_mel(read_audio(path, settings.sr), settings).astype(np.float16)
        _check_unchanged(path, clip)
    except AudioFault as fault:
        return fault
    images.write(clip, image)
    return image


def _check_unchanged(path: Path, clip: str) -> None:
    """Refuse a file that was replaced after its digest was taken: its image would stand for another sound, for ever."""
    try:
        with path.open("rb") as opened:
            now = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise AudioFault(f"it cannot be read: {error.strerror}") from error
    if now != clip:
        raise AudioFault("it was changed while it was read: run again")


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _may_map(count: int) -> bool:
    """Whether so many files can be mapped; each map holds one of the files that a process may have open."""
    try:
        import resource  # not on Windows, where there is no such limit
    except ImportError:
        return True
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit == resource.RLIM_INFINITY or count <= limit // 2
