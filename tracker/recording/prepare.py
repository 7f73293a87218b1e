"""From audio files to what a network trains on: read, hashed, turned into images, checked and divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker import __version__
from tracker.data.dataset import Dataset, duplicates, fingerprint, hash_clips, read_dataset
from tracker.data.splits import Split, cut_groups, divide
from tracker.data.splits import fingerprint as split_fingerprint
from tracker.errors import DataError
from tracker.features.decode import AudioFault
from tracker.features.extract import extract
from tracker.next_steps.command_line import DEMO
from tracker.recording.locations import cache_folder
from tracker.wording import some

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tracker.recording.reporter import Reporter
    from tracker.runs import Spectrogram, SplitPlan
    from tracker.training.batches import Image

MOST_FAULTY = 0.1  # fraction of clips that may be left out; with more, the dataset isn't what the user thinks it is


@dataclass(frozen=True, eq=False)
class Prepared:
    """A dataset that is fit to train on.

    Parameters
    ----------
    source : str
        What the run's tag calls the data: by default as it was given, ``demo`` for the built-in set.
    dataset : Dataset
        Without the clips that could not be used.
    split : Split
    images : mapping of clip path to ndarray, shape (n_mels, n_frames), dB
    dataset_fingerprint, split_fingerprint : str
    """

    source: str
    dataset: Dataset
    split: Split
    images: Mapping[str, Image]
    dataset_fingerprint: str
    split_fingerprint: str


def identity(prepared: Prepared) -> dict[str, str]:
    """Return the tags that, with the params, decide a run's result."""
    return {
        "tracker.version": __version__,
        "tracker.dataset": prepared.dataset_fingerprint,
        "tracker.split": prepared.split_fingerprint,
    }


def prepare(data: Path | None, split_plan: SplitPlan, spectrogram: Spectrogram, reporter: Reporter) -> Prepared:
    """Read, check and divide a dataset; nothing but the cache is written.

    Raises
    ------
    DataError
        If the dataset is not fit to train on.
    """
    dataset = _read(data, reporter)
    with reporter.progress("reading", len(dataset.clips)) as progress:
        hashes = hash_clips(dataset, progress)
    images, faults = _images(dataset, hashes, spectrogram, reporter)
    _leave_out(faults, len(dataset.clips), reporter)
    usable = dataset.without(faults)
    split = divide(usable, split_plan)
    _warn_of_duplicates(split, hashes, reporter)
    _warn_of_cut_groups(split, reporter)
    return Prepared(
        source=str(data) if data else DEMO,
        dataset=usable,
        split=split,
        images=images,
        dataset_fingerprint=fingerprint(usable, hashes),
        split_fingerprint=split_fingerprint(split),
    )


def _read(data: Path | None, reporter: Reporter) -> Dataset:
    if data:
        return read_dataset(data)
    from tracker.data.demo import demo_dataset

    reporter.log("no data given: training on the built-in demo set (5 genres by 10 synthetic artists, 150 clips)")
    with reporter.progress("making the demo set", None) as progress:
        return demo_dataset(cache_folder(), progress)


def _images(
    dataset: Dataset, hashes: Mapping[str, str], spectrogram: Spectrogram, reporter: Reporter
) -> tuple[dict[str, Image], dict[str, AudioFault]]:
    """Return the image of each clip, and what is wrong with those that have none."""
    files = [(clip.file, hashes[clip.path]) for clip in dataset.clips]
    with reporter.progress("features", len(files)) as progress:
        results = extract(files, spectrogram, cache_folder(), progress, reporter.warn)
    by_path = dict(zip((clip.path for clip in dataset.clips), results, strict=True))
    faults = {path: result for path, result in by_path.items() if isinstance(result, AudioFault)}
    images = {path: result for path, result in by_path.items() if not isinstance(result, AudioFault)}
    return images, faults


def _leave_out(faults: Mapping[str, AudioFault], clips: int, reporter: Reporter) -> None:
    """Warn of clips that cannot be used, and refuse the dataset if there are too many."""
    if not faults:
        return
    named = some([f"{path} ({fault})" for path, fault in faults.items()])
    if len(faults) > MOST_FAULTY * clips:
        raise DataError(
            f"{len(faults)} of {clips} clips cannot be used, more than a tenth: {named}; repair or remove these files"
        )
    reporter.warn(f"left out {len(faults)} of {clips} clips that cannot be used: {named}")


def _warn_of_duplicates(split: Split, hashes: Mapping[str, str], reporter: Reporter) -> None:
    """Warn of recordings on both sides of the split, which make the validation accuracy too optimistic."""
    parts = split.parts
    for same in duplicates({path: hashes[path] for path in parts}):
        if len({parts[path] for path in same}) > 1:
            reporter.warn(f"the same recording is in more than one part of the split: {some(same)}")


def _warn_of_cut_groups(split: Split, reporter: Reporter) -> None:
    """Warn of groups on both sides, which only a manifest's own split or folds can have."""
    cut = cut_groups(split)
    if cut:
        reporter.warn(
            "clips of one group are in more than one part of the manifest's own split, so the validation accuracy "
            f"is too optimistic: {some(cut)}"
        )
