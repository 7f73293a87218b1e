"""Images of many clips: from the cache if they are there, otherwise computed and stored.

Conventions: an image has one row per band or coefficient, from low to high, and one column per frame. A log-mel image
has mel bands, and its values are decibels below the clip's maximum, down to a floor of −80. The definition is that of
`librosa.feature.melspectrogram` with its defaults (frames centred on multiples of the hop, zeros beyond the ends, Hann
window, power, Slaney's mel scale and normalisation) followed by `librosa.power_to_db(ref=np.max)`. Bands come from
librosa; the transform is faster, as it is in float32 and over a few frames at a time that stay in the processor's
cache. Other kinds are `mfcc` and `cqt`: each function in `_IMAGES` makes one kind, of samples that are mono, at
`Spectrogram.sr`, and at least one.

Images are computed by threads, as decoding, the Fourier transform and the mel filters all run without Python's lock: on
two cores two threads do 1.5 to 1.9 times the work of one, and start at once, while a pool of processes takes 2.5 s.

In the cache an image is one float16 ``.npy`` file, ``<settings>/<clip>.npy``, where *settings* is a digest of all that
the values depend on besides the sound (kind and settings of the features, versions of the code and of the libraries
that decode, resample and filter) and *clip* is the SHA-256 of the audio file's bytes. In float16 a value in decibels is
off by at most 0.031. A file is written under a temporary name and moved into place, so that a reader never sees half of
one, whoever else writes. The array is followed by the CRC-32 of clip and values, little-endian: a file that a disk has
changed, or that has another clip's name, counts as damaged, and the image is computed again.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import math
import mmap
import os
import shutil
import struct
import tempfile
import warnings
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import scipy.fft
import soundfile
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tracker.atomic_files import replace_file
from tracker.contained_files import open_file, open_folder, open_regular
from tracker.errors import DataError
from tracker.features.decode import DECODING_VERSION, AudioFault, read_audio
from tracker.runs import FLOOR_DB, Spectrogram
from tracker.runs.planned import CQT_LOWEST, CQT_PER_OCTAVE, HZ_PER_MEL, LINEAR_MELS, LOG_STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

Image = NDArray[np.float16]
T = TypeVar("T")

FEATURES_VERSION = 2  # increased with every change of the feature code that changes values, or how they are stored
BLOCK_FRAMES = 32  # transformed at a time: of 16, 32 and 64 the fastest
SMALLEST_POWER = 1e-10  # librosa's `amin`

_CRC_BYTES = 4
_MOST_MAPPED = 30_000  # files: Linux allows a process 65,530 stretches of memory
_MOST_FAILED = 3  # images in a row that could not be stored: then the folder can't be written to
_TOGETHER = 16  # files that a thread takes at most at a time: a hand-over takes as long as reading a cached image
_AHEAD = 8  # images that each core computes before they are asked for


def log_mel(samples: NDArray[np.float32], settings: Spectrogram) -> NDArray[np.float32]:
    """Return the log-mel image of a clip, shape (n_mels, 1 + n_samples // hop_length), dB from −80 to 0."""
    return _decibels(_mel_power(samples, settings))


def compressed_mel(samples: NDArray[np.float32], settings: Spectrogram) -> NDArray[np.float32]:
    """Return the image that MusiCNN takes of a clip, shape as `log_mel`: log10(10,000 power + 1)."""
    return np.log10(10_000 * _mel_power(samples, settings) + 1)


def _mel_power(samples: NDArray[np.float32], settings: Spectrogram) -> NDArray[np.float32]:
    """Return the power in each mel band and frame, shape (n_mels, 1 + n_samples // hop_length).

    The samples are mono, at `settings.sr`, and at least one.
    """
    bands, window = _bands(settings), _window(settings.n_fft)
    padded = np.pad(samples, settings.n_fft // 2)
    frames = sliding_window_view(padded, settings.n_fft)[:: settings.hop_length].T  # a column each, as in the image
    power = np.empty((settings.n_mels, frames.shape[1]), np.float32)
    for start in range(0, frames.shape[1], BLOCK_FRAMES):
        block = slice(start, start + BLOCK_FRAMES)
        spectrum = scipy.fft.rfft(frames[:, block] * window[:, None], axis=0)  # several columns at a time, by SIMD
        power[:, block] = bands @ (spectrum.real**2 + spectrum.imag**2)
    return power


def mfcc(samples: NDArray[np.float32], settings: Spectrogram) -> NDArray[np.float32]:
    """Return the mel-frequency cepstral coefficients of a clip, shape (n_mfcc, n_frames).

    They are those of `librosa.feature.mfcc` of the log-mel image, divided by the root of its number of bands: the first
    is the mean level in dB, and silence of −80 dB has the others at 0.
    """
    cosines: NDArray[np.float32] = scipy.fft.dct(log_mel(samples, settings), axis=0, type=2, norm="ortho")
    return cosines[: settings.n_mfcc] / np.float32(math.sqrt(settings.n_mels))


def cqt(samples: NDArray[np.float32], settings: Spectrogram) -> NDArray[np.float32]:
    """Return the constant-Q image of a clip, shape (84, n_frames), dB from −80 to 0, by `librosa.cqt`."""
    try:
        import librosa
    except RuntimeError as error:  # of Numba, which compiles parts of it
        raise _unloadable(error) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of clips shorter than its longest filter
        bins = librosa.cqt(
            samples, sr=settings.sr, hop_length=settings.hop_length, fmin=CQT_LOWEST,
            n_bins=settings.height, bins_per_octave=CQT_PER_OCTAVE,
        )  # fmt: skip
    return _decibels(np.abs(bins) ** 2)


def _decibels(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return power in decibels below its maximum, down to the floor."""
    decibels = np.log10(np.maximum(power, np.float32(SMALLEST_POWER)))
    decibels *= 10
    decibels -= decibels.max()
    np.maximum(decibels, np.float32(FLOOR_DB), out=decibels)
    return decibels


_IMAGES = {"logmel": log_mel, "mfcc": mfcc, "cqt": cqt, "musicnn": compressed_mel}


def image_of(samples: NDArray[np.float32], settings: Spectrogram) -> NDArray[np.float32]:
    """Return the image of a clip by its settings, shape (`Spectrogram.height`, n_frames)."""
    return _IMAGES[settings.features](samples, settings)


@lru_cache(maxsize=8)
def _bands(settings: Spectrogram) -> csr_array:
    """Return the mel filters, shape (n_mels, 1 + n_fft // 2): those of `librosa.filters.mel`, bit by bit.

    Importing librosa would take 0.9 s of the processor, as much as making 30 clips into images.
    """
    nyquist = settings.sr / 2
    highest = LINEAR_MELS + np.log(nyquist / 1_000) / LOG_STEP if nyquist >= 1_000 else nyquist / HZ_PER_MEL
    mels = np.linspace(0, highest, settings.n_mels + 2)
    edges, is_log = HZ_PER_MEL * mels, mels >= LINEAR_MELS
    edges[is_log] = 1_000 * np.exp(LOG_STEP * (mels[is_log] - LINEAR_MELS))
    distances, widths = edges[:, None] - np.fft.rfftfreq(settings.n_fft, 1 / settings.sr), np.diff(edges)[:, None]
    slopes = np.minimum(-distances[:-2] / widths[:-1], distances[2:] / widths[1:])
    filters = np.maximum(0, slopes).astype(np.float32)
    filters *= (2 / (edges[2:] - edges[:-2]))[:, None]  # Slaney's norm: each has the same area
    return csr_array(filters)


def _unloadable(error: RuntimeError) -> DataError:
    return DataError(f"librosa cannot be loaded: {error}; set HOME and NUMBA_CACHE_DIR to folders of yours")


@lru_cache(maxsize=1)
def give_librosa_a_folder(cache: Path) -> None:
    """Name a folder for what Numba compiles of librosa, unless it may write beside it, and for librosa without a home.

    Without one, neither can be imported.
    """
    librosa = find_spec("librosa")
    try:
        has_home = Path.home().is_dir()
    except RuntimeError:  # an account without a name
        has_home = False
    is_own = librosa and os.access(Path(librosa.origin or "").parent, os.W_OK)
    if has_home and (is_own or "NUMBA_CACHE_DIR" in os.environ):
        return
    folder = cache / "numba"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        folder = Path(tempfile.mkdtemp(prefix="tracker-numba-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))
    if not has_home:
        os.environ["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(folder)


@lru_cache(maxsize=8)
def _window(n_fft: int) -> NDArray[np.float32]:
    """Return the periodic Hann window: SciPy's, bit by bit, whose import takes 0.6 s of the processor."""
    window: NDArray[np.float32] = (0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, n_fft + 1)))[:-1].astype(np.float32)
    return window


def extract(
    files: Sequence[tuple[Path, str]],
    settings: Spectrogram,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[Image | AudioFault]:
    """Return the image of each file, or why there is none.

    Parameters
    ----------
    files : sequence of (Path, str)
        Each audio file with the SHA-256 of its bytes.
    progress : callable or None
        Called with the number of clips done and of all clips, after each.
    warn : callable or None
        Called with a line for each thing that is wrong with the cache; the images are complete all the same.

    Returns
    -------
    list of (ndarray of float16, shape (`Spectrogram.height`, n_frames)) or AudioFault
        In the order given. Cached images are mapped, not read, unless there are more of them than files that this
        process may open.
    """
    give_librosa_a_folder(cache)
    images, mapped = ImageCache(cache, settings), _may_map(len(files))
    results = in_threads(lambda path, clip: _image(path, clip, settings, images, mapped=mapped), files, progress)
    if warn:
        for fault in images.faults:
            warn(fault)
    return results


def in_threads(
    work: Callable[[Path, str], T], files: Sequence[tuple[Path, str]], progress: Callable[[int, int], None] | None
) -> list[T]:
    """Return what `work` makes of each file and its hash, in their order; a thread for each core."""
    cores = _cores()
    size = max(1, min(_TOGETHER, len(files) // (_TOGETHER * cores)))
    chunks = [files[start : start + size] for start in range(0, len(files), size)]
    pool, results = ThreadPoolExecutor(cores), []
    try:
        for chunk in pool.map(lambda chunk: [work(path, clip) for path, clip in chunk], chunks):
            for result in chunk:
                results.append(result)
                if progress:
                    progress(len(results), len(files))
        return results
    finally:
        pool.shutdown(cancel_futures=True)  # or an interrupt would wait for all that are left


def stream(files: Iterable[Path], settings: Spectrogram, cache: Path) -> Iterator[Image | AudioFault]:
    """Yield the image of each file in order, or why there is none, as they are needed; nothing is cached.

    A few are computed ahead, so that whatever uses them doesn't wait and memory holds but those. `cache` is the folder
    that librosa may compile into.
    """
    give_librosa_a_folder(cache)
    cores = _cores()
    ahead = _AHEAD * cores
    waiting: deque[Future[Image | AudioFault]] = deque()
    pool = ThreadPoolExecutor(cores)
    try:
        for file in files:
            waiting.append(pool.submit(_computed, file, settings))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _computed(path: Path, settings: Spectrogram) -> Image | AudioFault:
    try:
        return image_of(read_audio(path, settings.sr), settings).astype(np.float16)
    except AudioFault as fault:
        return fault


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _image(path: Path, clip: str, settings: Spectrogram, images: ImageCache, *, mapped: bool) -> Image | AudioFault:
    """Return one clip's image from the cache, or compute and store it."""
    cached = images.read(clip, mapped=mapped)
    if cached is not None:
        return cached
    image = _computed(path, settings)
    if isinstance(image, AudioFault):
        return image
    try:
        with open_regular(path) as opened:
            now = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return AudioFault(f"cannot be read: {error.strerror}")
    if now != clip:  # replaced after it was hashed: the cache would have its image under the wrong name
        return AudioFault("changed while it was read; run again")
    images.write(clip, image)
    return image


def _may_map(count: int) -> bool:
    """Return whether so many files can be mapped; each counts as one of the files that a process may open.

    If that takes more of them than it may open so far, it is allowed more, as far as its user may allow that.
    """
    try:
        import resource  # not on Windows, where there is no such limit
    except ImportError:
        return count <= _MOST_MAPPED
    (limit, most), wanted = resource.getrlimit(resource.RLIMIT_NOFILE), 2 * count
    if limit != resource.RLIM_INFINITY and limit < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        except (OSError, ValueError):
            return False
    return count <= _MOST_MAPPED


class ImageCache:
    """The images under one set of feature settings, in a sub-folder that the first image creates."""

    def __init__(self, folder: Path, settings: Spectrogram) -> None:
        self._root = folder  # no link in it is followed
        self._folder = folder / settings_key(settings)
        self._height = settings.height
        self._damaged: list[str] = []
        self._unwritable: str | None = None
        self._failed = 0  # images in a row

    @property
    def faults(self) -> tuple[str, ...]:
        """What was wrong with the cache so far, a line each: that costs time, but no image."""
        lines = []
        if self._damaged:
            lines.append(f"damaged features in {self._folder} were computed again: {len(self._damaged)}")
        if self._unwritable:
            lines.append(self._unwritable)
        return tuple(lines)

    def read(self, clip: str, *, mapped: bool = True) -> NDArray[np.float16] | None:
        """Return the image of a clip, shape (`Spectrogram.height`, n_frames); None if there is none or it is damaged.

        Mapped, the file is not read whole, but stays open.
        """
        try:
            with open_file(self._file(clip), self._root) as opened:
                content = opened.read()  # a map whose pages are looked at takes longer, and memory
                image, end = _image_in(content)
                whole = self._is_whole(clip, image, content[end:])
                if whole and mapped:  # without a look at the map, or its pages would count as this process's memory
                    pages = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
                    image = np.frombuffer(pages, np.float16, image.size, end - image.nbytes).reshape(image.shape)
        except OSError:  # it isn't there, or not any more
            return None
        except Exception:  # noqa: BLE001  (numpy raises five kinds of errors for damaged headers)
            whole = False
        if not whole:
            self._damaged.append(clip)
            return None
        return image

    def _is_whole(self, clip: str, image: NDArray[np.generic], checksum: bytes) -> bool:
        """Return whether a file contains exactly what was written for this clip."""
        if image.ndim != 2 or image.shape[0] != self._height:
            return False
        return image.flags.c_contiguous and checksum == _crc(clip, image)

    def write(self, clip: str, image: NDArray[np.float16]) -> None:
        """Store the image of a clip; if several in a row cannot be, that is a fault of the folder, not tried again."""
        if self._failed >= _MOST_FAILED:
            return
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with open_folder(self._folder, self._root, make=True):
                content = _content(clip, np.ascontiguousarray(image))
            replace_file(self._file(clip), content, root=self._root, durable=False)
            self._failed = 0
        except OSError as error:
            self._failed += 1
            self._unwritable = (
                f"{'features' if self._failed >= _MOST_FAILED else 'some features'} are not cached: {self._folder} "
                f"cannot be written to ({error.strerror or error}); make room there or set TRACKER_CACHE to another "
                "folder"
            )

    def _file(self, clip: str) -> Path:
        return self._folder / f"{clip}.npy"


def settings_key(
    settings: Spectrogram,
    version_of: Callable[[str], str] = version,
    libsndfile: str = soundfile.__libsndfile_version__,
) -> str:
    """Return a digest of all that an image depends on besides the sound, including versions of libraries."""
    own = asdict(settings)
    kind, n_mfcc = own.pop("features"), own.pop("n_mfcc")
    others = {} if kind == Spectrogram().features else {"kind": kind, "n_mfcc": n_mfcc}  # added later
    parts = (
        own
        | others
        | {
            "floor_db": FLOOR_DB,
            "features": FEATURES_VERSION,
            "decoding": DECODING_VERSION,
            "libsndfile": libsndfile,
            "librosa": version_of("librosa"),
            "soxr": version_of("soxr"),
            "av": version_of("av") if find_spec("av") else None,
        }
    )
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _crc(clip: str, image: NDArray[np.generic]) -> bytes:
    return zlib.crc32(image.data, zlib.crc32(clip.encode())).to_bytes(_CRC_BYTES, "little")


def _content(clip: str, image: NDArray[np.float16]) -> memoryview:
    file = io.BytesIO()
    np.save(file, image, allow_pickle=False)
    file.write(_crc(clip, image))
    return file.getbuffer()


def _image_in(content: bytes) -> tuple[NDArray[np.float16], int]:
    """Return the array in a ``.npy`` file, read-only, and where it ends; raise any error if there is none."""
    start = _HEADER.size + _HEADER.unpack_from(content)[1]
    shape = _shape(content[:start])
    size = math.prod(shape)
    return np.frombuffer(content, np.float16, size, start).reshape(shape), start + 2 * size


_HEADER = struct.Struct("<8sH")  # of a ``.npy`` file of version 1: the magic words, and the length of what follows


@lru_cache(maxsize=1_024)
def _shape(header: bytes) -> tuple[int, ...]:
    """Return the shape of the array that a header is of; raise any error if that isn't one of float16, row by row."""
    file = io.BytesIO(header)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("of another version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype != np.float16 or is_fortran:
        raise ValueError("of another type")
    return tuple(shape)
