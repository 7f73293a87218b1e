"""From audio files to what a network trains on: read, hashed, turned into images, checked and divided."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker import __version__
from tracker.data.dataset import Dataset, duplicates, fingerprint, hash_clips, read_dataset
from tracker.data.splits import Split, cut_groups, divide
from tracker.data.splits import fingerprint as split_fingerprint
from tracker.errors import DataError
from tracker.features.decode import AudioFault
from tracker.features.extract import extract
from tracker.wording import some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.recording.reporter import Reporter
    from tracker.runs import RunPlan, Spectrogram
    from tracker.training.batches import Image

MOST_FAULTY = 0.1  # fraction of clips that may be left out; with more, the dataset isn't what the user thinks it is


@dataclass(frozen=True, eq=False)
class Prepared:
    """A dataset that is fit to train on.

    Parameters
    ----------
    dataset : Dataset
        Without the clips that could not be used.
    split : Split
    images : mapping of clip path to ndarray, shape (n_mels, n_frames), dB
    identity : mapping of str to str
        The tags that, with the params, decide a run's result: version, fingerprints of the dataset and the split.
    """

    dataset: Dataset
    split: Split
    images: Mapping[str, Image]
    identity: Mapping[str, str]


def prepare(data: Path | None, plan: RunPlan, reporter: Reporter) -> Prepared:
    """Read, check and divide a dataset, the built-in demo set if `data` is None; nothing but the cache is written.

    Raises
    ------
    DataError
        If the dataset is not fit to train on.
    """
    dataset = read_dataset(data) if data else _demo_set(reporter)
    with reporter.progress("reading", len(dataset.clips)) as progress:
        hashes = hash_clips(dataset, progress)
    images = _images(dataset, hashes, plan.spectrogram, reporter)
    usable = dataset.without(clip.path for clip in dataset.clips if clip.path not in images)
    split = divide(usable, plan.split)
    _warn_of_leaks(split, hashes, reporter)
    identity = {
        "tracker.version": __version__,
        "tracker.dataset": fingerprint(usable, hashes),
        "tracker.split": split_fingerprint(split),
    }
    return Prepared(usable, split, images, identity)


def cache_folder() -> Path:
    """Return where features and the demo set are cached: ``TRACKER_CACHE`` or the system's own place."""
    import platformdirs

    return Path(os.environ.get("TRACKER_CACHE") or platformdirs.user_cache_dir("tracker"))


def _demo_set(reporter: Reporter) -> Dataset:
    from tracker.data.demo import demo_dataset

    reporter.log("no data given: training on the built-in demo set (5 genres by 10 synthetic artists, 150 clips)")
    with reporter.progress("making the demo set", None) as progress:
        return demo_dataset(cache_folder(), progress)


def _images(
    dataset: Dataset, hashes: Mapping[str, str], spectrogram: Spectrogram, reporter: Reporter
) -> dict[str, Image]:
    """Return the image of each usable clip; warn of the others, and refuse the dataset if they are too many."""
    files = {clip.path: (clip.file, hashes[clip.path]) for clip in dataset.clips}
    with reporter.progress("features", len(files)) as progress:
        results = extract([*files.values()], spectrogram, cache_folder(), progress, reporter.warn)
    by_path = dict(zip(files, results, strict=True))
    faults = [f"{path} ({result})" for path, result in by_path.items() if isinstance(result, AudioFault)]
    if len(faults) > MOST_FAULTY * len(files):
        raise DataError(
            f"{len(faults)} of {len(files)} clips cannot be used, more than a tenth: {some(faults)}; repair or remove "
            "these files"
        )
    if faults:
        reporter.warn(f"left out {len(faults)} of {len(files)} clips that cannot be used: {some(faults)}")
    return {path: result for path, result in by_path.items() if not isinstance(result, AudioFault)}


def _warn_of_leaks(split: Split, hashes: Mapping[str, str], reporter: Reporter) -> None:
    """Warn of what is on both sides of the split and makes the validation accuracy too optimistic."""
    parts = split.parts
    for same in duplicates({path: hashes[path] for path in parts}):
        if len({parts[path] for path in same}) > 1:
            reporter.warn(f"the same recording is in more than one part of the split: {some(same)}")
    cut = cut_groups(split)  # which only a manifest's own split or folds can have
    if cut:
        reporter.warn(
            "clips of one group are in more than one part of the manifest's own split, so the validation accuracy "
            f"is too optimistic: {some(cut)}"
        )
