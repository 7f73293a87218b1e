"""A data set is read, measured and divided as `tracker run` would, and everything that was found is named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.atomic_files import cache_folder
from tracker.audit.findings import DataCheck, MeasuredClip, find
from tracker.data.dataset import duplicates, hash_clips, with_copies_together
from tracker.data.reading import located
from tracker.data.splits import divide
from tracker.errors import DataError
from tracker.features.measure import measure
from tracker.recording.reporter import SilentReporter
from tracker.recording.train import find_dataset, read_data
from tracker.runs.measures import Measures

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.recording.reporter import Reporter
    from tracker.runs import RunPlan

__all__ = ["DataCheck", "check"]


def check(data: Path | None, plan: RunPlan, reporter: Reporter, *, ladder: bool = False) -> DataCheck:
    """Check a dataset, the built-in demo set if `data` is None, read and divided as a plan has it.

    With a ladder the plan's network is trained under three splits. Nothing but the cache is written.
    """
    dataset = find_dataset(data, reporter, located(plan.data, data))
    with reporter.progress("reading", len(dataset.clips)) as progress:
        hashes = hash_clips(dataset, progress)
    with reporter.progress("measuring", len(dataset.clips)) as progress:
        files = [(clip.file, hashes[clip.path]) for clip in dataset.clips]
        measures = measure(files, cache_folder(), progress)
    usable = dataset.without(
        clip.path for clip, found in zip(dataset.clips, measures, strict=True) if not isinstance(found, Measures)
    )
    parts, problem = {}, None
    copies = duplicates({clip.path: hashes[clip.path] for clip in usable.clips})
    try:
        parts = divide(with_copies_together(usable, copies), plan.split).parts
    except DataError as error:
        problem = str(error)
    clips = [
        MeasuredClip(clip.path, clip.label, clip.group, parts.get(clip.path), hashes[clip.path], found)
        for clip, found in zip(dataset.clips, measures, strict=True)
    ]
    found = find(clips, plan.configuration.segment_s, problem)
    if not ladder or problem:
        return found
    from tracker.recording.ladder import climb

    read = read_data(data, plan.spectrogram, SilentReporter(), plan=located(plan.data, data))
    return replace(found, ladder=climb(read, plan, reporter))
