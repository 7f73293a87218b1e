"""Seconds an epoch: tracker's training beside Keras' `fit` on arrays, with the same network and as many segments.

    .venv/bin/python bench/epochs.py [--kernel 3] [--epochs 8] [--rounds 3]

120 training clips and 30 validation clips of 30 s as seeded noise with a brighter band per class, as large as the demo
set: four segments of each training clip and ten of each validation clip an epoch. The plain fit trains on the same
crops in every epoch and judges segments rather than clips. All run in turn: Keras, tracker, and tracker with a
checkpoint of every epoch in a folder of the working directory. Times are from the end of one epoch to the end of the
next, on the clock and on the processor (which other work on the machine disturbs less); "first" is from the start to
the end of the first epoch, with the network built and traced.

What keeping a run safe costs is measured by itself, as it is less than whole epochs differ among themselves. A
checkpoint: the time from the moment an epoch's metrics are known until it is told of, less the same without
checkpoints. The journal: the time that a line takes to be safe. Sending: the processor's time of sending these epochs
to a new SQLite store, all at once as the uploader does after a pause; it happens beside the training.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from tracker.journal.reader import ARTIFACTS, read
from tracker.journal.writer import JournalWriter
from tracker.runs import Configuration, RunPlan
from tracker.runs.events import EpochDone, Started
from tracker.store.location import locate
from tracker.training.batches import LabelledImages, TrainingData, consecutive_segments, random_segments
from tracker.training.fit import train
from tracker.training.result import threads

from tracker.training.backend import keras, use_fused_normalization  # isort: skip  (after whatever sets it up)
from tracker.training.build import build_network  # isort: skip
from tracker.training.networks import parse_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.training.result import Epoch

CLASSES = tuple("abcde")
OPTIONS = parse_options("cnn", {}).options
KERAS, TRACKER, SAVED = "keras fit", "tracker", "with saves"


class Marks:
    """Clock and processor seconds at the start and at the end of every epoch."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, float]] = []
        self.add()

    def add(self, *_: object) -> None:
        """Note that an epoch ends; also as a callback, whatever it is called with."""
        self._marks.append((time.perf_counter(), time.process_time()))

    def seconds(self) -> np.ndarray:
        """Return what each epoch took, shape (n_epochs, 2)."""
        return np.diff(self._marks, axis=0)


def make_part(count: int, seed: int) -> LabelledImages:
    rng = np.random.default_rng(seed)
    images = []
    for i in range(count):
        image = rng.uniform(-80, -10, (128, 1_292))
        image[20 * (i % 5) : 20 * (i % 5) + 20] += 8
        images.append(image.astype(np.float16))
    return LabelledImages(tuple(f"{i:03}" for i in range(count)), tuple(CLASSES[i % 5] for i in range(count)), images)


def plain_fit(plan: RunPlan, data: TrainingData, *, is_fused: bool = False) -> np.ndarray:
    marks = Marks()
    frames = plan.spectrogram.frames(plan.configuration.segment_s)
    crops = random_segments(data.training.images, frames, np.random.default_rng(0))
    held_out = consecutive_segments(data.validation.images, frames)
    x, x_val = crops.cut(data.training.images, slice(None)), held_out.cut(data.validation.images, slice(None))
    keras.utils.clear_session()
    keras.utils.set_random_seed(plan.seed)
    model = build_network(plan.configuration, x.shape[1:], len(CLASSES))
    if is_fused:
        use_fused_normalization(model)
    optimizer = keras.optimizers.Adam(plan.configuration.learning_rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        x.astype(np.float32),
        data.targets(data.training)[crops.clips],
        batch_size=plan.configuration.batch_size,
        epochs=plan.configuration.epochs,
        validation_data=(x_val.astype(np.float32), data.targets(data.validation)[held_out.clips]),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=marks.add)],
        verbose=0,
    )
    return marks.seconds()


def tracker_fit(
    plan: RunPlan, data: TrainingData, checkpoints: Path | None, tell: Callable[[Epoch], None] = lambda _: None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each epoch took, and the seconds in it that went by between its metrics and its telling."""
    marks, trained = Marks(), []

    def on_epoch(epoch: Epoch) -> None:
        marks.add()
        trained.append(epoch.metrics["epoch_seconds"])
        tell(epoch)

    train(plan, data, on_epoch=on_epoch, checkpoints=checkpoints)
    return marks.seconds(), marks.seconds()[1:, 0] - trained[1:]


class Journalled:
    """Keeps epochs in a journal, and sends them."""

    def __init__(self, folder: Path) -> None:
        self._location = locate(None, folder)
        self._folder = folder / ".tracker" / uuid4().hex
        started = Started(0, self._location.uri, "bench", "a run", "val_accuracy", {}, {})
        self._writer = JournalWriter.create(self._folder, started)
        self.lines: list[float] = []

    def tell(self, epoch: Epoch) -> None:
        """Write an epoch, and note how long that took."""
        began = time.perf_counter()
        self._writer.append(EpochDone(1_000 * epoch.number, epoch.number, epoch.metrics))
        self.lines.append(time.perf_counter() - began)

    def sent(self) -> float:
        """Send all epochs, and return the processor's seconds that one took; making the run is not counted."""
        from tracker.store.upload import JournalUpload

        self._writer.close()
        events = read(self._folder).events
        sender = JournalUpload(self._location, self._folder.name, None, lambda _: None)
        sender.send(events[:1], self._folder / ARTIFACTS)
        began = time.process_time()
        sender.send(events, self._folder / ARTIFACTS)
        return (time.process_time() - began) / (len(events) - 1)


def show(runs: dict[str, list[np.ndarray]]) -> None:
    print(f"{'':10} {'seconds on the clock':^35} {'on the processor':^17}")
    print(f"{'what':10} {'an epoch':>8} {'lowest':>8} {'first':>8} {'× keras':>8} {'an epoch':>8} {'× keras':>8}")
    medians = {name: np.median(np.concatenate([run[1:] for run in some]), axis=0) for name, some in runs.items()}
    for name, some in runs.items():
        lowest, first = min(run[1:, 0].min() for run in some), np.median([run[0, 0] for run in some])
        (clock, processor), (clock_ratio, processor_ratio) = medians[name], medians[name] / medians[KERAS]
        on_the_clock = f"{clock:8.3f} {lowest:8.3f} {first:8.3f} {clock_ratio:8.2f}"
        print(f"{name:10} {on_the_clock} {processor:8.3f} {processor_ratio:8.2f}")


def show_cost(
    told: dict[str, list[np.ndarray]], epoch: float, sizes: list[int], lines: list[float], sending: float
) -> None:
    telling = {name: np.concatenate(some) for name, some in told.items()}
    cost = np.median(telling[SAVED]) - np.median(telling[TRACKER])
    print(
        f"a checkpoint: {1e3 * cost:.1f} ms (longest {1e3 * telling[SAVED].max():.1f}), "
        f"{cost / epoch:.1%} of Keras' epoch; on disk in the end: {len(sizes)} files, {sum(sizes) / 1e6:.2f} MB"
    )
    line = float(np.median(lines))
    print(
        f"a journal line: {1e3 * line:.1f} ms (longest {1e3 * max(lines):.1f}); sending, beside the training: "
        f"{1e3 * sending:.1f} ms of the processor; all three {(cost + line + sending) / epoch:.1%} of Keras' epoch"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    plan = RunPlan(Configuration(kernel_size=arguments.kernel, epochs=arguments.epochs, options=OPTIONS))
    data = TrainingData(make_part(120, 0), make_part(30, 1), CLASSES)
    runs: dict[str, list[np.ndarray]] = {KERAS: [], TRACKER: [], SAVED: []}
    told: dict[str, list[np.ndarray]] = {TRACKER: [], SAVED: []}
    sizes: list[int] = []
    lines: list[float] = []
    sending: list[float] = []
    for _ in range(arguments.rounds):
        runs[KERAS].append(plain_fit(plan, data))
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # elsewhere it may be in memory
            journalled, kept = Journalled(Path(folder)), Path(folder, "checkpoints")
            for name, checkpoints, tell in ((TRACKER, None, lambda _: None), (SAVED, kept, journalled.tell)):
                seconds, telling = tracker_fit(plan, data, checkpoints, tell)
                runs[name].append(seconds)
                told[name].append(telling)
            sizes = [path.stat().st_size for path in kept.iterdir()]
            lines += journalled.lines
            sending.append(journalled.sent())
    print(f"kernel {arguments.kernel}, {threads()} thread(s), {arguments.epochs} epochs, {arguments.rounds} rounds")
    show(runs)
    show_cost(told, float(np.median(np.concatenate([run[1:, 0] for run in runs[KERAS]]))), sizes, lines, min(sending))


if __name__ == "__main__":
    main()
