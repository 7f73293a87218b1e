"""From audio files and plans to logged runs: the data is prepared once, then each plan is trained into its journal.

Preparing means: read, hashed, turned into images, checked and divided.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tracker import __version__
from tracker.atomic_files import cache_folder
from tracker.audit.recordings import differing
from tracker.data.dataset import Dataset, fingerprint, hash_clips, with_copies_together
from tracker.data.reading import located, read_dataset
from tracker.data.splits import Split, cut_groups, divide, is_validation_drawn, manifest_text
from tracker.data.splits import fingerprint as split_fingerprint
from tracker.errors import DataError, StoreError, TrainingError
from tracker.features.decode import AudioFault
from tracker.features.extract import extract
from tracker.features.measure import SETTINGS as FINGERPRINTED
from tracker.journal.reader import Journal, unsettled
from tracker.recording.copies import find_copies
from tracker.recording.parent_run import parent_run
from tracker.recording.run_writer import ENVIRONMENT, RunWriter, classes_tag, signals_raise, versions_text
from tracker.recording.stores import data_tag, interrupted_message, journals_folder, load_runs, model_param
from tracker.replay import can_act
from tracker.runs import DataPlan, Run, RunPlan, RunStatus, number_text, value_text
from tracker.runs.events import Attached, DatasetUsed, Measured
from tracker.runs.facts import DataFacts, TrainingPlan, environment_tags, examples_of
from tracker.runs.options import options_of
from tracker.store import (
    DATASET,
    MODEL,
    VALIDATION,
    VALIDATION_BY_EPOCH,
    ClipFunction,
    epoch_predictions_npz,
    now_ms,
    predictions_csv,
)
from tracker.training.checkpoint import finished_epochs
from tracker.training.networks import find_network, hidden_file, network_options, short_name
from tracker.training.pretrained import prepare_weights
from tracker.training.result import environment, machine, use_backend
from tracker.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from tracker.data.dataset import Clip
    from tracker.recording.reporter import Reporter
    from tracker.recording.stores import LogTarget
    from tracker.runs import Configuration, Spectrogram, SplitPlan
    from tracker.runs.facts import NetworkShape
    from tracker.training.batches import Image, LabelledImages, TrainingData
    from tracker.training.fit import BuiltNetwork
    from tracker.training.result import Epoch, TrainingResult

CHECKPOINTS = "checkpoints"  # folder beside the journal
NETWORK = "network.py"  # the source of the run's network: what loading a model with layers of its own needs
NETWORK_SOURCES = "network_code"  # folder of all its sources, if it was built from several
VERSION_TAG, DATASET_TAG, SPLIT_TAG = "tracker.version", "tracker.dataset", "tracker.split"
CODE_TAG = "tracker.code"  # a digest of the sources of the run's network
KEEP_GOING_TAG = "tracker.keep_going"  # on a run that continues when the loss is NaN, also when it is resumed
_MOST_CLASSES = 4  # that the line about the data names
_ALIKE = 1.05  # how many times as long as the shortest clip the longest may be, to be called as long
ANY_DATA = DataPlan()  # read as it is
CLIP_PACKAGES = ("librosa", "numpy", "soundfile", "soxr")  # that make a clip into what a model takes
MOST_FAULTY = 0.1  # fraction of clips that may be left out; with more, the dataset isn't what the user thinks it is


@dataclass(frozen=True, eq=False)
class Prepared:
    """A dataset that is fit to train on."""

    dataset: Dataset  # without the clips that could not be used
    split: Split
    images: Mapping[str, Image]  # of each clip by its path, shape (n_mels, n_frames), dB
    identity: Mapping[str, str]  # the tags that, with the params, decide a run's result: version and fingerprints
    facts: DataFacts = field(default_factory=DataFacts)

    def summary(self, plan: RunPlan) -> str:
        """Return the data in a line: ``150 clips of 5 classes (blues 30, …), 30 s, split 120/30 by artist``."""
        dataset, spectrogram = self.dataset, plan.spectrogram
        counts = Counter(clip.label for clip in dataset.clips)
        listed = [f"{label} {counts[label]:,}" for label in sorted(counts, key=lambda label: (-counts[label], label))]
        shown = listed if len(listed) <= _MOST_CLASSES else [*listed[: _MOST_CLASSES - 2], "…", listed[-1]]
        frames, step = sorted(image.shape[1] for image in self.images.values()), spectrogram.hop_length / spectrogram.sr
        ends = (frames[0], frames[-1]) if frames[-1] > _ALIKE * frames[0] else (frames[len(frames) // 2],)
        length = " to ".join(_seconds_text((frame - 1) * step, frame * step) for frame in ends)
        return (
            f"{f'{dataset.layout}: ' if dataset.layout else ''}{counted(len(dataset.clips), 'clip')} of {len(counts)} "
            f"classes ({', '.join(shown)}), {length} s, split {_split_text(dataset, self.split, plan.split)}"
        )


def _seconds_text(least: float, below: float) -> str:
    """Return the shortest number of seconds in a range that is as wide as the step between frames.

    A second or more has one decimal at most: the frames of a clip don't tell whether it has 5.14 or 5.15 s.
    """
    digits = next((digits for digits in range(3) if 0 < math.ceil(least * 10**digits) < below * 10**digits), 2)
    if digits > 1 and least >= 1:
        return number_text(round((least + below) / 2, 1))
    return number_text(math.ceil(max(least, below / 2) * 10**digits) / 10**digits)


def _split_text(dataset: Dataset, split: Split, plan: SplitPlan) -> str:
    """Return how many clips are in each part, and what decided that."""
    parts = (split.training, split.validation, *((split.test,) if split.test else ()))
    is_given, has_folds = (any(getattr(clip, name) for clip in dataset.clips) for name in ("split", "fold"))
    drawn = f"by {dataset.group_is if any(clip.group for clip in dataset.clips) else 'clip'}"
    if plan.fold:
        how = f"as fold {plan.fold.number} of {plan.fold.count}, {'as given' if has_folds else f'drawn {drawn}'}"
    elif is_given:
        how = f"as given, the validation part drawn {drawn}" if is_validation_drawn(dataset) else "as given"
    else:
        how = drawn
    is_aside = not (plan.fold or is_given) and all(clip.group for clip in dataset.clips)  # else there is a warning
    unused = max((clip.fold or 0 for clip in dataset.clips), default=0) if is_aside else 0
    hint = f" (its {unused} folds are used with --fold 1/{unused}, 2/{unused}, …)" if unused else ""
    return f"{'/'.join(f'{len(part):,}' for part in parts)} {how}{hint}"


@dataclass(frozen=True, eq=False)
class ReadData:
    """A dataset as it was read, to be divided in one way or several."""

    dataset: Dataset  # without the clips that could not be used
    copies: tuple[tuple[str, ...], ...]  # the clips of each recording that there are several of
    images: Mapping[str, Image]
    fingerprint: str

    def divided(self, plan: SplitPlan, reporter: Reporter) -> Prepared:
        """Return the dataset divided; warns of what makes the validation accuracy too optimistic."""
        split = divide(self.dataset, plan)
        facts = _facts(self.dataset, split, self.copies)
        _warn_of_leaks(facts, reporter)
        if facts.copies and facts.copies.n:
            copies = counted(facts.copies.n, "recording")
            reporter.log(f"{copies} with copies, also encoded again, cut or amplified: the split keeps these together")
        warn_of_unused_folds(self.dataset, plan, reporter)
        identity = {
            VERSION_TAG: __version__,
            DATASET_TAG: self.fingerprint,
            SPLIT_TAG: split_fingerprint(split),
        }
        return Prepared(self.dataset, split, self.images, identity, facts)


def prepare(
    data: Path | None, plan: RunPlan, reporter: Reporter, on_classes: Callable[[int], None] | None = None
) -> Prepared:
    """Read, check and divide a dataset; the arguments are those of `read_data`."""
    prepared = read_data(data, plan.spectrogram, reporter, on_classes, plan=plan.data).divided(plan.split, reporter)
    reporter.log(prepared.summary(plan))
    return prepared


def read_data(
    data: Path | None,
    spectrogram: Spectrogram,
    reporter: Reporter,
    on_classes: Callable[[int], None] | None = None,
    *,
    plan: DataPlan = ANY_DATA,
) -> ReadData:
    """Read and check a dataset, the built-in demo set if `data` is None; nothing but the cache is written.

    It is read as `plan` has it, whose paths are relative to the data's folder: see `located`. `on_classes` is called
    with the number of classes before all audio is read.
    """
    _check_clock(time.localtime().tm_year)
    dataset = find_dataset(data, reporter, plan)
    if on_classes:
        on_classes(len(dataset.classes))
    with reporter.progress("reading", len(dataset.clips)) as progress:
        hashes = hash_clips(dataset, progress)
    return read_images(dataset, hashes, spectrogram, reporter)


def read_images(dataset: Dataset, hashes: Mapping[str, str], spectrogram: Spectrogram, reporter: Reporter) -> ReadData:
    """Return a dataset with the image of each clip that can be used; `hashes` are of all clips' bytes."""
    images = _images(dataset, hashes, spectrogram, reporter)
    usable = dataset.without(clip.path for clip in dataset.clips if clip.path not in images)
    at_hand = images.__getitem__ if spectrogram == FINGERPRINTED else None
    copies = find_copies(usable.clips, hashes, cache_folder(), reporter, at_hand)
    return ReadData(with_copies_together(usable, copies), copies, images, fingerprint(usable, hashes))


def find_dataset(
    data: Path | None, reporter: Reporter, plan: DataPlan = ANY_DATA, *, any_names: bool = False
) -> Dataset:
    """Return a dataset before any audio is read; what a person must know of it is a warning.

    One with names that no table can hold is refused, unless `any_names`.
    """
    if data is None and plan != ANY_DATA:
        given = ", ".join(entry.flag for entry in options_of(DataPlan) if getattr(plan, entry.name) is not None)
        raise DataError(f"{given} says how data of your own is read, and none was given; add --data")
    dataset = read_dataset(data, plan, any_names=any_names) if data else _demo_set(reporter)
    for note in dataset.notes:
        reporter.warn(note)
    return dataset


def _check_clock(year: int) -> None:
    """Refuse to train for hours what could not be saved then: a model is kept as a ZIP file."""
    if not 1980 <= year <= 2107:
        raise TrainingError(f"this machine's clock says it is {year}, and no model can be saved with that date: set it")


def _demo_set(reporter: Reporter) -> Dataset:
    from tracker.data.demo import demo_dataset

    reporter.log("using the built-in demo set (5 genres by 10 synthetic artists, 150 clips)")
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
    if refusal := too_many_faults(faults, len(files)):
        raise DataError(refusal)
    if faults:
        reporter.warn(f"left out {len(faults):,} of {len(files):,} clips that cannot be used: {some(faults)}")
    usable = {clip.label for clip in dataset.clips if not isinstance(by_path[clip.path], AudioFault)}
    for label in sorted({*dataset.classes} - usable):
        reporter.warn(f"the class {label} is left out, since none of its clips can be used")
    if refusal := too_few_classes(usable):
        raise DataError(refusal)
    return {path: result for path, result in by_path.items() if not isinstance(result, AudioFault)}


def too_many_faults(faults: Sequence[str], n: int) -> str | None:
    """Return why a dataset of `n` clips can't be trained on if these can't be used; None if it can."""
    if len(faults) <= MOST_FAULTY * n:
        return None
    which = f"{len(faults):,} of {n:,} clips cannot be used, more than a tenth"
    return f"{which}: {some(faults)}; repair or remove these files"


def too_few_classes(usable: Collection[str]) -> str | None:
    """Return why a dataset can't be trained on if clips of these classes alone can be used; None if it can."""
    if len(usable) != 1:
        return None
    return f"only clips of one class can be used, {min(usable)!r}, and a classifier needs two"


def _facts(dataset: Dataset, split: Split, copies: Sequence[tuple[str, ...]]) -> DataFacts:
    """Return what is on both sides of the split, or has several labels, given the clips of each recording."""
    shared = differing(copies, split.parts)
    relabelled = differing(copies, {clip.path: clip.label for clip in dataset.clips})
    return DataFacts(
        groups=len({clip.group for clip in dataset.clips if clip.group is not None}),
        shared_recordings=examples_of([*shared]),
        cut_groups=examples_of([(group,) for group in cut_groups(split)]),  # which only a manifest's own split can have
        relabelled_recordings=examples_of([*relabelled]),
        copies=examples_of([paths for paths in copies if paths not in shared]),
    )


def warn_of_unused_folds(dataset: Dataset, plan: SplitPlan, reporter: Reporter) -> None:
    """Warn that folds which may keep recordings together are not used, unless groups or a given split do that."""
    folds = {clip.fold for clip in dataset.clips if clip.fold}
    if (
        not plan.fold
        and len(folds) > 1
        and not any(clip.split for clip in dataset.clips)
        and any(clip.group is None for clip in dataset.clips)
    ):
        reporter.warn(
            f"the data has {len(folds)} folds, which are not used, so what a fold keeps together, such as the slices "
            "of one recording, may be on both sides of the split, and the validation accuracy too optimistic; use them "
            f"with --fold 1/{max(folds)}"
        )


def _warn_of_leaks(facts: DataFacts, reporter: Reporter) -> None:
    """Warn of what makes the validation accuracy too optimistic."""
    shared, cut, relabelled = facts.shared_recordings, facts.cut_groups, facts.relabelled_recordings
    for paths in relabelled.examples if relabelled else ():
        reporter.warn(f"the same recording has more than one label: {some(paths)}")
    for paths in shared.examples if shared else ():
        reporter.warn(f"the same recording is in more than one part of the split: {some(paths)}")
    if shared and shared.n > len(shared.examples):
        others = counted(shared.n - len(shared.examples), "other recording")
        reporter.warn(f"the same goes for {others}")
    if cut and cut.n:
        names = some([name for names in cut.examples for name in names])
        reporter.warn(
            "clips of one group are in more than one part of the manifest's own split, so the validation accuracy "
            f"is too optimistic: {names}{f' and {cut.n - len(cut.examples)} more' if cut.n > len(cut.examples) else ''}"
        )


def train_plans(
    plans: Sequence[RunPlan],
    data: Path | None,
    target: LogTarget,
    reporter: Reporter,
    *,
    name: str | None = None,
    note: str | None = None,
    reuse: bool = False,
    final: bool = False,
    keep_going: bool = False,
    weights: Path | None = None,
) -> Iterator[str]:
    """Train and log a run for each plan, all alike but for the seed; yields the id of each as soon as it is done.

    The arguments are those of `tracker.train`.
    """
    target.store.check_usable()
    use_backend(plans[0].configuration.keras_backend)
    warn_of_idle_options(plans[0], reporter)
    prepare_weights(plans[0].configuration.model, weights, reporter.log)
    plans = located_plans(plans, data)
    built: list[BuiltNetwork] = []  # of the first plan, until it is trained
    built_for: list[int] = []  # classes, of which one may turn out to have no usable clip

    def build(n_classes: int) -> None:
        from tracker.training.fit import BuiltNetwork

        built_for.append(n_classes)
        built.append(BuiltNetwork.of(plans[0], n_classes))

    # A network that cannot be built is refused before all audio is read. A run to reuse may need none.
    prepared = prepare(data, plans[0], reporter, None if reuse else build)
    _warn_of_short_clips(prepared, plans[0], reporter)
    source = data_tag(data, target.store, Path.cwd())
    finished = _finished_runs(target) if reuse else {}
    kept = unsettled(journals_folder(target.store))
    for problem in kept.problems:
        reporter.warn(problem)
    model = model_param(plans[0].configuration.model, target.store, Path.cwd())
    tags = {**prepared.identity, CODE_TAG: find_network(model).digest}
    named = [replace(plan, configuration=replace(plan.configuration, model=model)) for plan in plans]
    keys = [run_key(plan.params(), tags) for plan in named]
    of_all = TrainingPlan(plan_id(target.experiment, keys), len(plans), final)
    what = f"{name or run_name(plans[0])} and {counted(len(plans) - 1, 'further seed')}"
    is_alone = len(plans) == 1 or all(key in finished for key in keys)
    parent = nullcontext() if is_alone else parent_run(target, of_all, what, len(plans), note, reporter)
    with parent:
        for given, plan, key in zip(plans, named, keys, strict=True):
            if key in finished:
                reporter.log(f"reusing run {finished[key].name}: same configuration, seed, data and version")
                yield finished[key].run_id
                continue
            _log_interrupted(kept, plan, target, reporter)
            writer = RunWriter(target, name or run_name(given), note, reporter)
            network = built.pop() if built and len(prepared.dataset.classes) == built_for[0] else None
            recorder = Recorder(writer, plan, prepared, source, of_all, keep_going, built=network)
            yield recorder.train(reporter)


def located_plans(plans: Sequence[RunPlan], data: Path | None) -> list[RunPlan]:
    """Return plans as they are logged: what they say of the data is so from wherever they are carried out."""
    by_plan = {plan: located(plan, data) for plan in dict.fromkeys(plan.data for plan in plans)}
    if len(by_plan) > 1:
        raise DataError(
            "all runs of a sweep read their data in one way; give --columns, --split-lists and --group-by once"
        )
    return [replace(plan, data=by_plan[plan.data]) for plan in plans]


def warn_of_idle_options(plan: RunPlan, reporter: Reporter) -> None:
    """Warn of a patience that is too long ever to act, and if early stopping ends the run before a plateau can act.

    So it does of an own network that a built-in one of the same name hides, and of a window longer than a segment.
    """
    configuration, epochs = plan.configuration, plan.configuration.epochs
    if hidden := hidden_file(configuration.model):
        reporter.warn(
            f"the model {configuration.model} is tracker's own, not the one in {hidden}: --model {hidden} trains that"
        )
    plateau, patience = configuration.plateau, configuration.early_stopping_patience
    if patience is not None and not can_act(patience, epochs):
        reporter.warn(
            f"early stopping with a patience of {patience} cannot end a run of at most "
            f"{counted(epochs, 'epoch')} early: give a shorter --early-stop or more --epochs"
        )
    elif plateau and patience is not None and patience <= plateau.patience:
        reporter.warn(
            f"early stopping after {counted(patience, 'epoch')} is not later than the plateau's patience of "
            f"{plateau.patience}: the run ends before a lower learning rate can be used; try an early-stopping "
            f"patience of {plateau.patience + 5}"
        )
    if not plateau and patience is None and (configuration.min_delta or configuration.monitor != "val_loss"):
        reporter.warn("--monitor and --min-delta change nothing without --plateau or --early-stop")
    if plateau and not can_act(plateau.patience, epochs):
        reporter.warn(
            f"a plateau with a patience of {plateau.patience} cannot act in a run of at most "
            f"{counted(epochs, 'epoch')}: give it a shorter patience or more --epochs"
        )
    window, segment = plan.spectrogram.window_s, configuration.segment_s
    if window > segment:
        reporter.warn(
            f"a window of --n-fft {plan.spectrogram.n_fft} lasts {number_text(round(window, 2))} s, longer than a "
            f"segment of {number_text(segment)} s, so a segment's frames hardly differ and include what surrounds it: "
            "give a shorter --n-fft or a longer --segment"
        )


def segment_advice(longest: float) -> str:
    """Return which segment suits clips that are all shorter than one; `longest` is in seconds."""
    return f"the longest lasts {number_text(round(longest, 2))} s, and a --segment of that would train faster"


def _warn_of_short_clips(prepared: Prepared, plan: RunPlan, reporter: Reporter) -> None:
    """Name the clips that are padded, once for all seeds."""
    from tracker.training.batches import short_clips

    data, spectrogram = _training_data(prepared), plan.spectrogram
    short = short_clips(plan, data)
    if not short:
        return
    frames = [image.shape[1] for image in (*data.training.images, *data.validation.images)]
    what = f"{counted(len(short), 'clip')} {'is' if len(short) == 1 else 'are'}"
    advice = ""
    if len(short) == len(frames):
        # A clip's first frame is centred on its beginning and the last one near its end.
        longest = max(1, max(frames) - 1) * spectrogram.hop_length / spectrogram.sr
        what = f"all {what}"
        advice = f"; {segment_advice(longest)}"
    seconds = number_text(plan.configuration.segment_s)
    reporter.warn(f"{what} shorter than a segment of {seconds} s and padded with silence: {some(short)}{advice}")


def _finished_runs(target: LogTarget) -> dict[str, Run]:
    """Return the finished runs by their keys; the first of equal ones."""
    try:
        runs = load_runs(target.store, target.experiment, by_epoch=0, results_of=frozenset())
    except StoreError:
        return {}  # there is nothing to reuse; opening the store will say what else may be wrong with it
    return {run_key(run.params, run.tags): run for run in reversed(runs) if run.status is RunStatus.FINISHED}


def run_key(params: Mapping[str, str], tags: Mapping[str, str]) -> str:
    """Return a digest of what decides a run's result: its params, and by its tags version, data, split and code."""
    identity = [tags.get(tag, "") for tag in (VERSION_TAG, DATASET_TAG, SPLIT_TAG, CODE_TAG)]
    return hashlib.sha256(json.dumps([sorted(params.items()), identity]).encode()).hexdigest()[:32]


def plan_id(experiment: str, keys: Iterable[str]) -> str:
    """Return the id of a plan: the same runs of the same experiment have the same one, whenever they are asked for."""
    return hashlib.sha256(json.dumps([experiment, sorted(keys)]).encode()).hexdigest()[:32]


def _log_interrupted(kept: Iterable[Journal], plan: RunPlan, target: LogTarget, reporter: Reporter) -> None:
    """Name the interrupted runs of the same plan: continuing one takes less time than training it again."""
    same = (target.experiment, plan.params())
    for journal in kept:
        start = journal.started
        if journal.status is RunStatus.INTERRUPTED and (start.experiment, start.params) == same:
            reporter.log(interrupted_message(start.name, journal.id, target.store))


def run_name(plan: RunPlan) -> str:
    """Return what a run is called by default: its configuration in short."""
    model = plan.configuration.model
    usual = [(option.name, option.default) for option in network_options(model)]
    named = replace(plan.configuration, model=short_name(model))
    return replace(plan, configuration=named).run_name(usual)


def _training_data(prepared: Prepared) -> TrainingData:
    from tracker.training.batches import LabelledImages, TrainingData

    def labelled(clips: tuple[Clip, ...]) -> LabelledImages:
        return LabelledImages(
            tuple(clip.path for clip in clips),
            tuple(clip.label for clip in clips),
            [prepared.images[clip.path] for clip in clips],
        )

    split = prepared.split
    return TrainingData(labelled(split.training), labelled(split.validation), prepared.dataset.classes)


def clip_settings(spectrogram: Spectrogram, segment_s: float) -> dict[str, object]:
    """Return what a clip is made into for a model, as a script without tracker needs it."""
    return {
        **asdict(spectrogram),
        "segment_s": segment_s,
        "segment_frames": spectrogram.frames(segment_s),
        "silence": [*spectrogram.silence],  # of each row: what a clip shorter than a segment is padded with
        "images": f"{spectrogram.kind.words} as librosa has it, {spectrogram.kind.values}",
    }


def clip_function(classes: Sequence[str], spectrogram: Spectrogram, configuration: Configuration) -> ClipFunction:
    """Return what makes a run's network a function of audio files in MLflow."""
    from tracker.render import function_of_clips

    settings: dict[str, object] = {"classes": [*classes], "backend": configuration.keras_backend}
    document = json.dumps(settings | clip_settings(spectrogram, configuration.segment_s), indent=2)
    return ClipFunction(function_of_clips(spectrogram.features), document, CLIP_PACKAGES)


@dataclass(frozen=True, eq=False)
class Recorder:
    """Trains a run by a plan, or continues the one that was interrupted, and writes its journal."""

    writer: RunWriter
    plan: RunPlan
    prepared: Prepared
    data: str  # what the run's tags call its data
    training_plan: TrainingPlan | None = None  # that the run belongs to; one that is continued keeps its own
    keep_going: bool = False  # if the loss is NaN or infinite
    interrupted: Journal | None = None
    built: BuiltNetwork | None = None  # of the plan, if it was built before
    _shape_tags: dict[str, str] = field(default_factory=dict)  # of the network, once it is built

    def train(self, reporter: Reporter) -> str:
        """Train to the end of the plan, and return the run's id."""
        use_backend(self.plan.configuration.keras_backend)
        from tracker.training.fit import train

        name, checkpoints = self.writer.name, self.writer.folder / CHECKPOINTS
        diverged: list[str] = []
        with (
            signals_raise(lambda _number: KeyboardInterrupt()),
            self.writer,
            reporter.epochs(name, self.plan.configuration.epochs) as progress,
        ):

            def on_epoch(epoch: Epoch) -> None:
                self.writer.log_epoch(epoch.number, epoch.metrics)
                progress.on_epoch(epoch)
                if not all(map(math.isfinite, epoch.metrics.values())):
                    diverged.append(str(epoch.number))

            outcome = train(
                self.plan,
                _training_data(self.prepared),
                on_build=self._built,
                on_start=self._start,
                on_epoch=on_epoch,
                on_batch=progress.on_batch,
                on_interrupt=lambda: reporter.log(
                    "interrupting: the finished epochs are being evaluated and saved; Ctrl-C again skips that"
                ),
                on_describe=lambda clips: reporter.log(
                    f"the frozen part of the network describes {counted(clips, 'clip')}, once for all epochs and runs"
                ),
                checkpoints=checkpoints,
                keep_going=self.keep_going,
                built=self.built,
            )
            self._log_outcome(outcome)
        shutil.rmtree(checkpoints, ignore_errors=True)
        if diverged:
            reporter.warn(
                f"run {name} diverged: its loss was NaN or infinite in epoch{'s' if len(diverged) > 1 else ''} "
                f"{some(diverged)}; it keeps the weights of epoch {outcome.kept_epoch}"
            )
        return self.writer.run_id

    def _built(self, shape: NetworkShape) -> None:
        self._shape_tags.update(shape.tags())

    def _start(self) -> None:
        """Begin the journal with params and tags, or continue it, and upload it from here on."""
        if self.interrupted:
            epochs = {number: epoch.metrics for number, epoch in self.interrupted.epochs.items()}
            self.writer.reopen(epochs, finished_epochs(self.writer.folder / CHECKPOINTS))
        else:
            self._begin()
        self._attach_data()
        self.writer.begin_upload()

    def _begin(self) -> None:
        from tracker.training.backend import CPU, device

        split, classes = self.prepared.split, self.prepared.dataset.classes
        tags = {
            **self.prepared.identity,
            "tracker.training_clips": str(len(split.training)),
            "tracker.validation_clips": str(len(split.validation)),
            "tracker.test_clips": str(len(split.test)),
            "tracker.data": self.data,
            "tracker.deterministic": value_text(device == CPU),  # a graphics processor may add up in any order
            CODE_TAG: find_network(self.plan.configuration.model).digest,
            **({KEEP_GOING_TAG: "true"} if self.keep_going else {}),
            **(self.training_plan.tags() if self.training_plan else {}),
            **classes_tag(classes),
            **self.prepared.facts.tags(),
            **self._shape_tags,
            **environment_tags({name: text for name, text in self._environment.items() if "/" not in name}),
        }
        digest, parts = tags[DATASET_TAG], {"training": split.training, "validation": split.validation}
        datasets = (DatasetUsed(self.data, digest, self.data, part, classes, len(parts[part])) for part in parts)
        self.writer.start(self.plan.params(), tags, "tracker run", datasets=tuple(datasets))

    @property
    def _environment(self) -> dict[str, str]:
        from tracker.training.backend import device

        configuration = self.plan.configuration
        return environment(configuration.model, configuration.keras_backend) | machine(device)

    def _attach_data(self) -> None:
        """Keep what the run is trained on and with; a run that is continued may have been killed before it did."""
        events = self.interrupted.events if self.interrupted else ()
        attached = {event.path for event in events if isinstance(event, Attached)}
        network = find_network(self.plan.configuration.model)
        files: dict[str, str | bytes] = {
            DATASET: manifest_text(self.prepared.dataset, self.prepared.split, self.plan.split),
            ENVIRONMENT: versions_text(self._environment),
            NETWORK: network.source,
        }
        if len(network.sources) > 1:
            files |= {f"{NETWORK_SOURCES}/{name}": source for name, source in network.sources.items()}
        for path in sorted(files.keys() - attached):
            self.writer.attach_file(path, files[path])

    def _log_outcome(self, outcome: TrainingResult) -> None:
        self._measure(outcome.metrics)
        self.writer.attach_file(VALIDATION, predictions_csv(outcome.validation))
        self.writer.attach_file(VALIDATION_BY_EPOCH, epoch_predictions_npz(outcome.validation_by_epoch))
        self.writer.attach_description(*self.writer.describe())
        save, backend = self.writer.target.store.save_model, self.plan.configuration.keras_backend
        clips = clip_function(self.prepared.dataset.classes, self.plan.spectrogram, self.plan.configuration)
        self.writer.attach_folder(MODEL, lambda folder: save(folder, outcome.model, clips, backend))
        if outcome.interrupted:  # now that everything there is has been written
            raise KeyboardInterrupt

    def _measure(self, metrics: Mapping[str, float]) -> None:
        """Write metrics, but those that a run that is continued has with the same values: a store would have both."""
        before: dict[str, str] = {}  # as texts, of which NaN is one
        for event in self.interrupted.events if self.interrupted else ():
            if isinstance(event, Measured):
                before |= {name: repr(float(value)) for name, value in event.metrics.items()}
        new = {name: value for name, value in metrics.items() if before.get(name) != repr(float(value))}
        if new:
            self.writer.append(Measured(now_ms(), new))
