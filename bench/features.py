"""Clips a second from audio files to log-mel images: tracker beside a loop over librosa.

    .venv/bin/python bench/features.py [--clips 40] [--rounds 5]

Both read the same seeded 30 s clips, in turn, so that a slow moment of the machine hits both. Imports are done
before the clock starts; librosa's takes 1.6 s more, of which tracker needs as much where an image is not cached.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import soundfile

from tracker.features.extract import extract
from tracker.runs import Spectrogram

if TYPE_CHECKING:
    from collections.abc import Callable

SR = 22_050
SECONDS = 30
FORMATS = ("wav", "flac", "mp3", "ogg")
Files = list[tuple[Path, str]]


def make_clips(folder: Path, count: int, suffix: str) -> Files:
    rng = np.random.default_rng(0)
    seconds = np.arange(SR * SECONDS) / SR
    files = []
    for i in range(count):
        notes = sum(np.sin(2 * np.pi * pitch * seconds) for pitch in rng.uniform(60, 4_000, 6)) * np.exp(
            -2 * (seconds % 0.5)
        )
        samples = 0.1 * notes + 0.02 * rng.standard_normal(len(seconds))
        file = folder / f"{i}.{suffix}"
        soundfile.write(file, samples.astype(np.float32), SR)
        files.append((file, hashlib.sha256(file.read_bytes()).hexdigest()))
    return files


def by_librosa(files: Files) -> list[np.ndarray]:
    images = []
    for file, _ in files:
        samples, sr = librosa.load(file, sr=SR)
        power = librosa.feature.melspectrogram(y=samples, sr=sr, n_mels=128, n_fft=2_048, hop_length=512)
        images.append(librosa.power_to_db(power, ref=np.max))
    return images


def clips_per_second(work: Callable[[], list[np.ndarray]]) -> float:
    began = time.perf_counter()
    done = work()
    return len(done) / (time.perf_counter() - began)


def measure(files: Files, cache: Path, rounds: int) -> dict[str, list[float]]:
    speeds: dict[str, list[float]] = {"librosa": [], "tracker": [], "tracker, cached": []}
    for _ in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        speeds["librosa"].append(clips_per_second(lambda: by_librosa(files)))
        speeds["tracker"].append(clips_per_second(lambda: extract(files, Spectrogram(), cache)))
        read = lambda: [np.array(image) for image in extract(files, Spectrogram(), cache)]  # noqa: E731
        speeds["tracker, cached"].append(clips_per_second(read))
    return speeds


def show(suffix: str, speeds: dict[str, list[float]]) -> None:
    for name, values in speeds.items():
        ratio = statistics.median(value / base for value, base in zip(values, speeds["librosa"], strict=True))
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{suffix:6} {name:16} {middle:9.1f} {low:9.1f} {high:9.1f} {ratio:8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=["wav", "mp3"])
    arguments = parser.parse_args()
    print(f"{'format':6} {'what':16} {'clips/s':>9} {'lowest':>9} {'highest':>9} {'× librosa':>8}")
    for suffix in arguments.formats:
        with tempfile.TemporaryDirectory() as folder:
            files = make_clips(Path(folder), arguments.clips, suffix)
            by_librosa(files[:1])
            extract(files[:1], Spectrogram(), Path(folder) / "warm")
            show(suffix, measure(files, Path(folder) / "cache", arguments.rounds))


if __name__ == "__main__":
    main()
