"""The kept model of a run evaluated on the run's own test clips, with every look at them counted.

The result is written as other changes of a run are: through its journal if that is here, so that it reaches the store
once that is back. The look is counted before the result is returned, so that no look goes uncounted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from tracker.data.splits import manifest_text
from tracker.errors import DataError, StoreError, TrackerError
from tracker.journal.reader import read
from tracker.journal.writer import JournalWriter
from tracker.recording.changes import journal_of
from tracker.recording.kept_model import called, open_model
from tracker.recording.resume import clips_changed, refuse_alive, send_change
from tracker.recording.script_run import TEST, scores
from tracker.recording.stores import moved_data, unread_data
from tracker.recording.train import ANY_DATA, DATASET_TAG, SPLIT_TAG, read_data
from tracker.runs import Predictions, data_plan_of, is_resumable, key_of_test_clips, split_of
from tracker.runs.events import Attached, Measured, Tagged
from tracker.runs.facts import TEST_LOOKS_TAG, looks_at_test
from tracker.statistics.proportions import grouped_wilson, wilson
from tracker.store import DATASET, now_ms, predictions_csv
from tracker.wording import correct_of, counted, metric_text, percent_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.recording.kept_model import KeptModel
    from tracker.recording.reporter import Reporter
    from tracker.recording.stores import ExperimentRuns
    from tracker.recording.train import Prepared
    from tracker.runs import Run
    from tracker.runs.events import Event
    from tracker.store import Store


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a run's kept model does on its test clips, and how often these have been looked at."""

    run: Run  # as it was before
    predictions: Predictions  # of the test clips
    loss: float
    accuracy: float
    interval: tuple[float, float]  # 95%, of the accuracy; over groups if clips share them
    looks: int  # at the test clips by this run, this one among them
    other_looks: int  # by other runs of the experiment

    @property
    def correct(self) -> int:
        """How many test clips are classified correctly."""
        return int(self.predictions.correct.sum())

    @property
    def n(self) -> int:
        """How many test clips there are."""
        return len(self.predictions.clips)

    @property
    def sentence(self) -> str:
        """The result with its interval and the count of looks."""
        return (
            f"{self.run.name}: {correct_of(self.correct, self.n)} test clips correct (95% interval "
            f"{percent_interval(self.interval)}), test loss {metric_text(self.loss)}. {self._fold_text}"
            f"{self._looks_text}"
        )

    @property
    def _fold_text(self) -> str:
        fold = self.run.params.get("fold")
        return "No fold trains or validates on these clips. " if fold else ""

    @property
    def _looks_text(self) -> str:
        total = self.looks + self.other_looks
        if total == 1:
            return "This is the first look at these test clips."
        if not self.other_looks:
            return f"This is look {total} at these test clips, all by this run."
        return (
            f"This is look {total} at these test clips, {self.other_looks} of them by other runs: the best of several "
            "results is optimistic."
        )

    def to_json(self) -> str:
        """Return the result as JSON."""
        document = {
            "run": {"id": self.run.run_id, "name": self.run.name},
            "split": "test",
            "correct": self.correct,
            "clips": self.n,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "loss": self.loss,
            "looks": {"run": self.looks, "other_runs": self.other_looks},
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def __repr__(self) -> str:
        return f"<Evaluation of {self.run.name!r}: {self.correct} of {self.n} correct, {counted(self.looks, 'look')}>"


def evaluate_run(
    run: Run, runs: ExperimentRuns, store: Store, reporter: Reporter, data: Path | None = None
) -> Evaluation:
    """Evaluate a run's kept model on its test clips and log it; `runs` are those of its experiment.

    `data` is where the data is now, if it was moved.

    Raises
    ------
    TrackerError
        If the run has no test clips or no model, its data or split has changed, or the store refuses.
    """
    _check_has_test(run)
    kept = open_model(run, store)
    prepared = _prepared(kept, data, reporter)
    predictions = _predictions(kept, prepared)
    measured = scores(predictions, "test")
    looks = _write(run, store, predictions, measured, reporter)
    same = key_of_test_clips(run.tags, run.params)
    others = [other for other in runs if other.run_id != run.run_id]
    of_others = [other for other in others if key_of_test_clips(other.tags, other.params) == same]
    return Evaluation(
        run,
        predictions,
        measured["test_loss"],
        measured["test_accuracy"],
        _interval(predictions, {clip.path: clip.group for clip in prepared.split.test}),
        looks,
        sum(looks_at_test(other.tags) for other in of_others),
    )


def _check_has_test(run: Run) -> None:
    if not is_resumable(run.tags):
        raise TrackerError(
            f"{called(run)} was not trained by `tracker run`, so its test clips are unknown: log what it predicts for "
            'them with run.log_predictions(…, split="test")'
        )
    if run.tags.get("tracker.test_clips", "0") == "0":
        fold = run.params.get("fold")
        what = (
            f"is fold {fold}, which has no test clips beside those that it validates on: to hold some out of all folds,"
            if fold
            else "has no test clips:"
        )
        raise TrackerError(f"{called(run)} {what} train it with --test-fraction 0.2, or give the manifest a test split")


def _prepared(kept: KeptModel, data: Path | None, reporter: Reporter) -> Prepared:
    """Return the run's data, divided as it was; raises `TrackerError` if that isn't what it was trained on."""
    run, store = kept.run, kept.store
    place, how = None, ANY_DATA
    try:
        place, how = moved_data(run.tags["tracker.data"], store.folder or Path.cwd(), data_plan_of(run.params), data)
        read = read_data(place, kept.spectrogram, reporter, plan=how)
        prepared = read.divided(plan := split_of(run.params), reporter)
    except (DataError, OSError, ValueError) as error:
        reason = unread_data(error, place, how, data)
        raise TrackerError(f"the test clips of {called(run)} cannot be read: {reason}") from error
    changed = []
    if prepared.identity[DATASET_TAG] != run.tags.get(DATASET_TAG):
        manifest = manifest_text(prepared.dataset, prepared.split, plan)
        changed.append(f"the data has changed{clips_changed(_manifest(run, store), manifest)}")
    elif prepared.identity[SPLIT_TAG] != run.tags.get(SPLIT_TAG):
        changed.append("this version of tracker divides the data otherwise")
    if changed:
        raise TrackerError(
            f"{called(run)} cannot be evaluated: {changed[0]} since it was trained, so its test clips may be among "
            "those that it has seen; restore the data, or train again"
        )
    return prepared


def _manifest(run: Run, store: Store) -> str:
    try:
        return store.read_artifact(run.run_id, DATASET).decode("utf-8", "surrogateescape")
    except StoreError:
        return ""


def _predictions(kept: KeptModel, prepared: Prepared) -> Predictions:
    from tracker.training.batches import consecutive_segments
    from tracker.training.callbacks import clip_probabilities

    clips = prepared.split.test
    images = [prepared.images[clip.path] for clip in clips]
    shares = clip_probabilities(
        kept.load(), images, consecutive_segments(images, kept.frames, kept.spectrogram.silence)
    )
    paths, labels = tuple(clip.path for clip in clips), tuple(clip.label for clip in clips)
    return Predictions(paths, labels, kept.classes, shares.astype(np.float64))


def _interval(predictions: Predictions, groups: Mapping[str, str | None]) -> tuple[float, float]:
    correct = predictions.correct
    if not any(groups.values()):
        return wilson(int(correct.sum()), len(correct))
    named = [("group", groups[clip]) if groups[clip] else ("clip", clip) for clip in predictions.clips]
    return grouped_wilson(correct, named)


def _write(run: Run, store: Store, predictions: Predictions, metrics: Mapping[str, float], reporter: Reporter) -> int:
    """Write an evaluation through the run's journal, or else to its store; return how many there are of the run."""

    def events(looks: int, logged: Mapping[str, float]) -> list[Event]:
        new = {name: value for name, value in metrics.items() if logged.get(name) != value}
        tags = {TEST_LOOKS_TAG: str(looks), "tracker.test_clips": str(len(predictions.clips))}
        return [*([Measured(now_ms(), new)] if new else []), Tagged(tags)]

    data = predictions_csv(predictions).encode("utf-8", "surrogateescape")
    journal, looks = journal_of(run, store), looks_at_test(run.tags) + 1
    if journal is None:
        with TemporaryDirectory(prefix="tracker-") as folder:
            artifacts = Path(folder).resolve() / "artifacts"
            (artifacts / TEST).parent.mkdir(parents=True)
            (artifacts / TEST).write_bytes(data)
            store.add_to_run(run.run_id, [Attached(TEST), *events(looks, run.metrics)], artifacts)
        return looks
    refuse_alive(journal)
    with JournalWriter.reopen(journal.folder) as writer:
        if (now := read(journal.folder)).is_deleted:
            raise TrackerError(f"{called(run)} was deleted by another process")
        # Another process may have evaluated it meanwhile.
        counts = [looks_at_test(event.tags) for event in now.events if isinstance(event, Tagged)]
        looks = max([looks, *(count + 1 for count in counts)])
        logged = [event.metrics for event in now.events if isinstance(event, Measured)]
        writer.attach_bytes(TEST, data)
        for event in events(looks, dict(chain(run.metrics.items(), *(of_event.items() for of_event in logged)))):
            writer.append(event)
    send_change(journal, "evaluated", store, reporter)
    return looks
