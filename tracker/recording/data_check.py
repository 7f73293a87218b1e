"""A data set is read, measured and divided as `tracker run` would, and everything that was found is named."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.atomic_files import cache_folder
from tracker.audit.findings import DataCheck, MeasuredClip, find
from tracker.data.dataset import hash_clips, with_copies_together
from tracker.data.reading import located, name_faults, names_refusal
from tracker.data.splits import divide
from tracker.errors import DataError
from tracker.features.measure import measure
from tracker.printable import printable
from tracker.recording.copies import find_copies
from tracker.recording.reporter import SilentReporter
from tracker.recording.train import (
    find_dataset,
    read_images,
    segment_advice,
    too_few_classes,
    too_many_faults,
    warn_of_unused_folds,
)
from tracker.runs.measures import Fault, Unusable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tracker.data.dataset import Clip
    from tracker.recording.reporter import Reporter
    from tracker.runs import RunPlan

__all__ = ["DataCheck", "check"]


def check(data: Path | None, plan: RunPlan, reporter: Reporter, *, ladder: bool = False) -> DataCheck:
    """Check a dataset, the built-in demo set if `data` is None, read and divided as a plan has it.

    With a ladder the plan's network is trained under three splits. Nothing but the cache is written.
    """
    found = find_dataset(data, reporter, located(plan.data, data), any_names=True)
    misnamed = name_faults(found)
    dataset = replace(found, clips=tuple(clip for place, clip in enumerate(found.clips) if place not in misnamed))
    with reporter.progress("reading", len(dataset.clips)) as progress:
        hashes = hash_clips(dataset, progress)
    with reporter.progress("measuring", len(dataset.clips)) as progress:
        files = [(clip.file, hashes[clip.path]) for clip in dataset.clips]
        measures = dict(zip(dataset.clips, measure(files, cache_folder(), progress), strict=True))
    faults = {clip.path: measured for clip, measured in measures.items() if isinstance(measured, Unusable)}
    usable = dataset.without(faults)
    copies = find_copies(usable.clips, hashes, cache_folder(), reporter)
    warn_of_unused_folds(usable, plan.split, reporter)
    longest = max((each.seconds for each in measures.values() if not isinstance(each, Unusable)), default=math.inf)
    if longest < plan.configuration.segment_s:
        reporter.log(f"all clips are shorter than a segment: {segment_advice(longest)}")
    problem = (
        names_refusal(found)
        or too_many_faults([f"{path} ({fault.reason})" for path, fault in faults.items()], len(dataset.clips))
        or too_few_classes(usable.classes)
    )
    parts: Mapping[str, str] = {}
    try:
        parts = divide(with_copies_together(usable, copies), plan.split).parts
    except DataError as error:
        problem = problem or str(error)
    clips = [
        MeasuredClip(clip.path, clip.label, clip.group, parts.get(clip.path), hashes[clip.path], measured)
        for clip, measured in measures.items()
    ]
    clips += [_misnamed(found.clips[place], reason) for place, reason in misnamed.items()]
    name = "the demo set" if data is None else printable(str(data))
    result = replace(find(clips, plan.configuration.segment_s, problem, copies), data=name)
    if not ladder or problem:
        return result
    from tracker.recording.ladder import climb

    read = read_images(dataset, hashes, plan.spectrogram, SilentReporter())
    return replace(result, ladder=climb(read, plan, reporter))


def _misnamed(clip: Clip, reason: str) -> MeasuredClip:
    group = None if clip.group is None else printable(clip.group)
    return MeasuredClip(printable(clip.path), printable(clip.label), group, None, "", Unusable(reason, Fault.NAME))
