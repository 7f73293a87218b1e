"""The demo set as audio files: 16-bit WAV in a sub-folder per genre, and a manifest that names the artists.

A set is made aside and then moved into place, so that what lies in place is whole.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import stat
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from tracker.atomic_files import folder_when_complete
from tracker.contained_files import LARGEST_SOURCE, open_folder, read_file
from tracker.data.demo.genres import GENRES
from tracker.data.demo.song import make_artist, render
from tracker.data.demo.sounds import SAMPLE_RATE
from tracker.data.manifest import MANIFEST
from tracker.data.reading import read_dataset
from tracker.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.data.dataset import Dataset

Progress = Callable[[int, int], None]

VERSION = 1  # of the sound: another one makes another set, in the cache too
ARTISTS_BORROW = 0.10  # how likely each part of a style is borrowed from another genre, by an artist for good
CLIPS_BORROW = 0.30  # and for a single clip

_WAV_HEADER, _BYTES_PER_SAMPLE = 44, 2


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What decides a demo set: artists of each genre, clips of each artist and their length; each at least 1.

    Raises
    ------
    ValueError
        If one of them is out of its range.
    """

    artists: int = 10
    clips: int = 3
    seconds: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("artists", 1), ("clips", 1), ("seconds", 1), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} of the demo set must be at least {least}, got {value}")

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """The path, label and group of each clip."""
        return [
            (_path(genre, artist, clip), genre, _group(genre, artist))
            for genre in GENRES
            for artist in range(1, self.artists + 1)
            for clip in range(1, self.clips + 1)
        ]

    @property
    def manifest(self) -> str:
        """The text of the manifest."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("path", "label", "group"))
        writer.writerows(self.rows)
        return text.getvalue()

    @property
    def clip_bytes(self) -> int:
        """Size of each file."""
        return _WAV_HEADER + _BYTES_PER_SAMPLE * round(self.seconds * SAMPLE_RATE)

    @property
    def key(self) -> str:
        """The name of this set in a cache."""
        decides = [VERSION, ARTISTS_BORROW, CLIPS_BORROW, asdict(self)]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def write_demo(folder: Path, settings: DemoSettings, progress: Progress | None = None) -> Path:
    """Write a demo set into a new or empty folder and return its manifest.

    `progress` is called with the number of clips done and of all clips.

    Raises
    ------
    DataError
        If the folder is not empty or cannot be written to; nothing is left behind then.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder} is a file; give a folder")
        if folder.exists() and any(folder.iterdir()):
            raise DataError(f"{folder} is not empty; give a new folder or an empty one")
        with folder_when_complete(folder) as aside:
            _write(aside, settings, progress)
    except OSError as error:
        raise DataError(
            f"the demo set cannot be written to {folder} ({error.strerror}); "
            f"it takes {settings.clip_bytes * len(settings.rows) / 1e6:.0f} MB in a folder that can be written to"
        ) from error
    return folder / MANIFEST


def demo_dataset(cache: Path, progress: Progress | None = None, settings: DemoSettings | None = None) -> Dataset:
    """Return the demo set, made on the first call and kept in a cache that several processes may share.

    `progress` is called with the number of clips done and of all clips, if the set has to be made.

    Raises
    ------
    DataError
        If the cache cannot be written to.
    """
    settings = settings or DemoSettings()
    folder = cache / "demo" / settings.key
    if _is_whole(folder, settings, cache):
        return read_dataset(folder)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with open_folder(folder.parent, cache, make=True) as demo, FileLock(folder.with_suffix(".lock")):
            if not _is_whole(folder, settings, cache):  # another process may have made it meanwhile
                if folder.is_symlink():
                    demo.remove(folder.name)
                shutil.rmtree(folder, ignore_errors=True)
                write_demo(folder, settings, progress)
    except OSError as error:
        raise DataError(
            f"the cache {folder.parent} cannot be written to ({error.strerror}); set TRACKER_CACHE to another folder"
        ) from error
    return read_dataset(folder)


def _is_whole(folder: Path, settings: DemoSettings, cache: Path) -> bool:
    """Return whether a cache has all of the set, as files and behind no link."""
    files = [folder / path for path, _, _ in settings.rows]
    try:
        manifest = read_file(folder / MANIFEST, cache, LARGEST_SOURCE).decode()
        if manifest != settings.manifest:
            return False
        states = [file.lstat() for file in files]
    except (OSError, UnicodeDecodeError):
        return False
    return all(stat.S_ISREG(state.st_mode) and state.st_size == settings.clip_bytes for state in states)


def _write(folder: Path, settings: DemoSettings, progress: Progress | None) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = []
        for genre in GENRES:
            (folder / genre).mkdir()
            jobs += [pool.submit(_write_artist, folder, settings, genre, n + 1) for n in range(settings.artists)]
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                job.result()
                if progress:
                    progress(done * settings.clips, len(jobs) * settings.clips)
        finally:
            pool.shutdown(cancel_futures=True)
    (folder / MANIFEST).write_text(settings.manifest, encoding="utf-8", newline="\n")


def _write_artist(folder: Path, settings: DemoSettings, genre: str, number: int) -> None:
    """Write the clips of one artist; clips count from 1, as seeds that differ in zeros at their end are the same."""
    seed = [settings.seed, list(GENRES).index(genre), number]
    artist = make_artist(genre, np.random.default_rng(seed), ARTISTS_BORROW)
    for clip in range(1, settings.clips + 1):
        sound = render(artist, settings.seconds, np.random.default_rng([*seed, clip]), CLIPS_BORROW)
        with wave.open(str(folder / _path(genre, number, clip)), "wb") as opened:
            opened.setnchannels(1)
            opened.setsampwidth(_BYTES_PER_SAMPLE)
            opened.setframerate(SAMPLE_RATE)
            opened.writeframes(np.round(sound * 32_767).astype("<i2").tobytes())


def _group(genre: str, artist: int) -> str:
    return f"{genre}-artist{artist:02}"


def _path(genre: str, artist: int, clip: int) -> str:
    return f"{genre}/{_group(genre, artist)}-clip{clip}.wav"
