"""Predictions of a kept model for audio files: of each clip, and of the segments that it is cut into.

A clip is cut as in an evaluation, and its probabilities are the mean over its segments. Nothing is logged and nothing
cached.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tracker.atomic_files import cache_folder
from tracker.data.dataset import audio_files
from tracker.errors import TrackerError
from tracker.features.decode import AudioFault
from tracker.features.extract import stream
from tracker.recording.kept_model import open_model
from tracker.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from tracker.recording.kept_model import KeptModel
    from tracker.recording.reporter import Reporter
    from tracker.runs import Run
    from tracker.store import Store

_TOGETHER = 16  # clips whose segments are predicted together: more fill no batch better
_DIGITS = 6  # of a probability in text


@dataclass(frozen=True, eq=False)
class ClipPrediction:
    """What a model predicts for one clip."""

    clip: str  # its path as given
    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]  # shape (n_classes,)
    times: NDArray[np.float64]  # shape (n_segments, 2): where each segment begins and ends, seconds
    segments: NDArray[np.float32]  # its probabilities, shape (n_segments, n_classes)

    @property
    def predicted(self) -> str:
        """The most probable class."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """Its probability."""
        return float(self.probabilities.max())

    def __repr__(self) -> str:
        return f"<ClipPrediction {self.clip!r}: {self.predicted} ({self.confidence:.3f})>"


@dataclass(frozen=True, eq=False)
class ClipPredictions(Sequence[ClipPrediction]):
    """What a run's kept model predicts for some clips, in the order given."""

    run: Run
    classes: tuple[str, ...]
    clips: tuple[ClipPrediction, ...]
    unusable: tuple[tuple[str, str], ...]  # the files that cannot be used, and why

    def __len__(self) -> int:
        return len(self.clips)

    def __repr__(self) -> str:
        return f"<ClipPredictions of {counted(len(self.clips), 'clip')} by run {self.run.name!r}>"

    @overload
    def __getitem__(self, index: int) -> ClipPrediction: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ClipPrediction, ...]: ...
    def __getitem__(self, index: int | slice) -> ClipPrediction | tuple[ClipPrediction, ...]:
        return self.clips[index]

    def to_csv(self, *, segments: bool = False) -> str:
        """Return a row a clip, or a segment: the predicted class and the probability of each class."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["clip", *(["start_s", "end_s"] if segments else []), "predicted", *self.classes])
        for clip in self.clips:
            rows = zip(clip.times.tolist(), clip.segments, strict=True) if segments else [([], clip.probabilities)]
            for times, row in rows:
                shares = [f"{value:.{_DIGITS}f}" for value in row.tolist()]
                writer.writerow([clip.clip, *(f"{t:.3f}" for t in times), self.classes[int(row.argmax())], *shares])
        return text.getvalue()

    def to_json(self, *, segments: bool = False) -> str:
        """Return the run, the classes and each clip's probabilities as JSON, with those of its segments if asked."""

        def shares(row: NDArray[np.float32]) -> dict[str, float]:
            return {name: round(value, _DIGITS) for name, value in zip(self.classes, row.tolist(), strict=True)}

        def parts(clip: ClipPrediction) -> list[dict[str, object]]:
            return [
                {"start_s": round(start, 3), "end_s": round(end, 3), "predicted": self.classes[int(row.argmax())],
                 "probabilities": shares(row)}
                for (start, end), row in zip(clip.times.tolist(), clip.segments, strict=True)
            ]  # fmt: skip

        document = {
            "run": {"id": self.run.run_id, "name": self.run.name},
            "classes": self.classes,
            "clips": [
                {"clip": clip.clip, "predicted": clip.predicted, "probabilities": shares(clip.probabilities)}
                | ({"segments": parts(clip)} if segments else {})
                for clip in self.clips
            ],
            "unusable": [{"file": file, "reason": reason} for file, reason in self.unusable],
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def to_figure(self, path: str | Path) -> None:
        """Draw each clip's probabilities over time, of the first twelve clips, as PNG or SVG by the path's ending.

        Raises
        ------
        ValueError
            If the ending is another one, or there is no clip.
        TrackerError
            If the file can't be written.
        """
        from tracker.figures import png, probabilities_over_time, titled
        from tracker.recording.reports import write_file

        target = Path(path)
        if target.suffix.lower() not in (".png", ".svg"):
            raise ValueError(f"a figure must be .png or .svg, got {target.name!r}")
        rows = [(Path(clip.clip).name, clip.times, clip.segments) for clip in self.clips]
        drawn = titled(probabilities_over_time(rows, self.classes, self.run.run_id))
        write_file(target, png(drawn) if target.suffix.lower() == ".png" else drawn.encode())


def predict_files(files: Sequence[str], run: Run, store: Store, reporter: Reporter) -> ClipPredictions:
    """Predict audio files, and all those in folders, with a run's kept model.

    Raises
    ------
    TrackerError
        If the run has no model that can be used, or there is no file.
    """
    if not files:
        raise TrackerError("there is no file to predict: give audio files or folders")
    kept = open_model(run, store)
    listed, unusable = _listed(files)
    clips = []
    with reporter.progress("loading the model", None):
        model = kept.load() if listed else None
    with reporter.progress("predicting", len(listed)) as progress:
        for name, found in _predicted(kept, model, listed, progress) if listed else ():
            if isinstance(found, AudioFault):
                unusable.append((name, found.reason))
            else:
                clips.append(found)
    return ClipPredictions(run, kept.classes, tuple(clips), tuple(unusable))


def _listed(files: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return all files, each once, those of folders among them; and the folders that have none, with the reason."""
    listed: dict[str, str] = {}  # as it was given, by the path itself
    faults: list[tuple[str, str]] = []
    for name in files:
        try:
            inside = audio_files(Path(name)) if Path(name).is_dir() else None
        except OSError as error:
            faults.append((name, f"cannot be read: {error.strerror}"))
            continue
        if inside == ():
            faults.append((name, "a folder without audio"))
        for file in [name] if inside is None else map(os.fspath, inside):
            listed.setdefault(os.fspath(Path(file)), file)
    return [*listed.values()], faults


def _predicted(
    kept: KeptModel, model: Any, files: Sequence[str], progress: Callable[[int, int], None]
) -> Iterator[tuple[str, ClipPrediction | AudioFault]]:
    """Yield what is predicted for each file, or why nothing is."""
    from tracker.training.batches import consecutive_segments
    from tracker.training.callbacks import clip_means, segment_probabilities

    images = zip(files, stream(map(Path, files), kept.spectrogram, cache_folder()), strict=True)
    second = kept.spectrogram.sr / kept.spectrogram.hop_length  # frames
    done = 0
    while some := list(islice(images, _TOGETHER)):
        good = [(name, image) for name, image in some if not isinstance(image, AudioFault)]
        yield from ((name, fault) for name, fault in some if isinstance(fault, AudioFault))
        if good:
            drawn = [image for _, image in good]
            segments = consecutive_segments(drawn, kept.frames, kept.spectrogram.silence)
            shares = segment_probabilities(model, drawn, segments)
            means = clip_means(shares, segments)
            for i, (name, image) in enumerate(good):
                own = segments.clips == i
                starts = segments.starts[own]
                ends = np.minimum(starts + kept.frames, image.shape[1])
                times = np.stack([starts, ends], axis=1) / second
                yield name, ClipPrediction(name, kept.classes, means[i], times, shares[own])
        done += len(some)
        progress(done, len(files))
