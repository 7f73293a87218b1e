"""The default network is trained under three splits, and nothing is logged: what leakage is worth on a data set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.audit.ladder import Kept, Ladder, Rung
from tracker.data.dataset import Clip, Dataset
from tracker.data.splits import divide
from tracker.runs import SplitPlan
from tracker.statistics import grouped_wilson
from tracker.training.result import use_backend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.recording.reporter import Reporter
    from tracker.recording.train import ReadData
    from tracker.runs import RunPlan
    from tracker.training.batches import Image, LabelledImages


def climb(read: ReadData, plan: RunPlan, reporter: Reporter) -> Ladder:
    """Train a plan's network under each split, which is drawn whatever the manifest says.

    Raises
    ------
    DataError
        If the clips can't be divided so.
    """
    use_backend(plan.configuration.keras_backend)
    from tracker.training.batches import TrainingData
    from tracker.training.fit import train

    segments = _segments(read, plan)
    has_groups = any(clip.group is not None for clip in read.dataset.clips)
    # As many steps as a run has: in an epoch each segment is seen as often as a clip is.
    epochs = max(1, round(plan.configuration.epochs * len(read.dataset.clips) / len(segments)))
    shorter = replace(plan, configuration=replace(plan.configuration, epochs=epochs))
    rungs = []
    for kept in Kept if has_groups else (Kept.NOTHING, Kept.CLIPS):
        units = Dataset(tuple(_kept(clip, source, kept) for clip, source, _ in segments))
        split = divide(units, SplitPlan(plan.split.split_seed, plan.split.validation_fraction))
        images = {clip.path: image for clip, _, image in segments}
        data = TrainingData(_labelled(split.training, images), _labelled(split.validation, images), units.classes)
        with reporter.epochs(str(kept), epochs) as progress:
            result = train(shorter, data, on_epoch=progress.on_epoch, on_batch=progress.on_batch)
        correct = result.validation.correct
        sources = {clip.path: source.group or source.path for clip, source, _ in segments}
        interval = grouped_wilson(correct, [sources[path] for path in result.validation.clips])
        rungs.append(Rung(kept, int(np.sum(correct)), len(correct), interval))
    return Ladder(tuple(rungs))


def _segments(read: ReadData, plan: RunPlan) -> list[tuple[Clip, Clip, Image]]:
    """Return each consecutive segment of each clip as a clip of its own, the clip it is of, and its image."""
    from tracker.training.batches import consecutive_segments, segment_frames

    frames, found = segment_frames(plan), []
    for clip in read.dataset.clips:
        image = read.images[clip.path]
        for number, start in enumerate(consecutive_segments([image], frames).starts.tolist()):
            of_clip = Clip(f"{clip.path}#{number}", clip.file, clip.label)
            found.append((of_clip, clip, image[:, start : start + frames]))
    return found


def _kept(segment: Clip, source: Clip, kept: Kept) -> Clip:
    if kept is Kept.NOTHING:
        return segment
    return replace(segment, group=source.path if kept is Kept.CLIPS else " ".join(source.unit))


def _labelled(clips: Sequence[Clip], images: Mapping[str, Image]) -> LabelledImages:
    from tracker.training.batches import LabelledImages

    paths, labels = tuple(clip.path for clip in clips), tuple(clip.label for clip in clips)
    return LabelledImages(paths, labels, [images[path] for path in paths])
