"""What a run takes to start, and how much memory it needs, with the features of many clips in the cache.

    .venv/bin/python -m bench.start [--clips 150 8000] [--epochs 1]

The clips are wav files of a few samples, and their images are planted in a cache: noise as large as that of 30 s of
sound, 330 kB each. So what is measured is what tracker does before the first batch, and what of it is in memory, but
not the reading of the audio itself: its SHA-256 takes 0.7 ms a clip of 30 s and core.

The data has been prepared before, since what is found out once about it, such as its near copies, is kept as well. For
each number of clips a process of its own then loads TensorFlow, prepares the data again and trains. Seconds are from
when TensorFlow is ready to the end of the first batch, on the clock and on the processor, which other work on the
machine disturbs less. Memory is the peak without files that are mapped, whose pages the system takes back when it needs
them, and with them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracker.recording.reporter import SilentReporter
from tracker.recording.train import prepare
from tracker.runs import plan_with

if TYPE_CHECKING:
    from tracker.recording.train import Prepared
    from tracker.training.batches import LabelledImages

CLASSES = 8
FRAMES = 1_292  # of 30 s
_CHILD = "--in-child"


def plant(folder: Path, clips: int) -> None:
    """Write wav files and the cache of their images."""
    import hashlib

    import soundfile

    from tracker.features.extract import ImageCache
    from tracker.runs import Spectrogram

    rng = np.random.default_rng(0)
    cache = ImageCache(folder / "cache", Spectrogram())
    for i in range(clips):
        file = folder / "data" / f"class {i % CLASSES}" / f"{i}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, rng.uniform(-0.5, 0.5, 64), 22_050)
        image = (-80 * rng.random((128, FRAMES), np.float32)).astype(np.float16)
        cache.write(hashlib.sha256(file.read_bytes()).hexdigest(), image)


class Memory(threading.Thread):
    """The largest amounts of memory that this process had, in GB, looked at ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.private = self.whole = 0.0
        self.start()

    def run(self) -> None:
        """Look, as long as the process lives."""
        while True:
            lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
            kilobytes = {words[0]: int(words[1]) for words in lines if words[0].startswith(("Rss", "VmRSS"))}
            self.private = max(self.private, (kilobytes["RssAnon:"] + kilobytes["RssShmem:"]) / 1e6)
            self.whole = max(self.whole, kilobytes["VmRSS:"] / 1e6)
            time.sleep(0.1)


def _labelled(prepared: Prepared, part: str) -> LabelledImages:
    from tracker.training.batches import LabelledImages

    clips = getattr(prepared.split, part)
    paths, labels = tuple(clip.path for clip in clips), tuple(clip.label for clip in clips)
    return LabelledImages(paths, labels, [prepared.images[path] for path in paths])


def train(folder: Path, epochs: int) -> dict[str, float]:
    """Train in this process, and return what its start took."""
    from tracker.training.batches import TrainingData
    from tracker.training.fit import train as fit
    from tracker.training.networks import parse_options

    plan = plan_with({"epochs": max(1, epochs)}, parse_options("cnn", {}))
    memory, marks = Memory(), [(time.perf_counter(), time.process_time())]

    def mark() -> None:
        marks.append((time.perf_counter(), time.process_time()))

    prepared = prepare(folder / "data", plan, SilentReporter())
    mark()

    def on_batch(*_: object) -> None:
        if len(marks) < 4:
            mark()
            if not epochs:
                raise KeyboardInterrupt

    data = TrainingData(*(_labelled(prepared, part) for part in ("training", "validation")), prepared.dataset.classes)
    with suppress(KeyboardInterrupt):
        fit(plan, data, on_start=mark, on_epoch=lambda _: None, on_batch=on_batch)
    mark()
    names = ("data", "network", "first batch", "training")
    found = {name: round(b[k] - a[k], 2) for k, kind in enumerate(("s", "cpu s")) for name, (a, b) in
             ((f"{name}, {kind}", pair) for name, pair in zip(names, pairwise(marks), strict=True))}  # fmt: skip
    return found | {"private GB": round(memory.private, 2), "with mapped GB": round(memory.whole, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[150, 8_000])
    parser.add_argument("--epochs", type=int, default=1, help="0: end with the first batch")
    parser.add_argument("--profile", action="store_true", help="print where the processor's time goes")
    parser.add_argument(_CHILD, type=Path, dest="child")
    given = parser.parse_args()
    if given.child:
        if given.profile:
            import cProfile
            import pstats

            profile = cProfile.Profile()
            profile.runcall(train, given.child, given.epochs)
            pstats.Stats(profile).sort_stats("cumulative").print_stats(40)
            return
        print(json.dumps(train(given.child, given.epochs)))
        return
    for clips in given.clips:
        with tempfile.TemporaryDirectory() as name:
            os.environ |= {"TRACKER_CACHE": str(Path(name, "cache")), "TF_CPP_MIN_LOG_LEVEL": "3"}
            plant(Path(name), clips)
            prepare(Path(name, "data"), plan_with({}), SilentReporter())
            more = ["--profile"] if given.profile else []
            command = [sys.executable, "-m", "bench.start", _CHILD, name, "--epochs", str(given.epochs), *more]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            if given.profile:
                print(output)
                continue
            print(f"{clips:,} clips")
            for what, value in json.loads(output.splitlines()[-1]).items():
                print(f"  {what}: {value}")


if __name__ == "__main__":
    main()
