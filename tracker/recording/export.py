"""A run's kept model as a folder to hand over: model, card, labels, feature settings, and a script that predicts.

Nothing in the folder needs tracker. The card says what the runs show of the model and what they don't.
"""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tracker.atomic_files import disk_errors, folder_when_complete
from tracker.errors import TrackerError, TrainingError
from tracker.printable import printable
from tracker.recording.kept_model import called, open_model
from tracker.recording.reports import build_report
from tracker.recording.train import CLIP_PACKAGES, CODE_TAG, DATASET_TAG, SPLIT_TAG, VERSION_TAG, clip_settings
from tracker.runs import number_text
from tracker.runs.facts import data_facts, looks_at_test
from tracker.training.pretrained import PRETRAINED
from tracker.wording import counted, metric_text, percent_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.recording.kept_model import KeptModel
    from tracker.recording.reporter import Reporter
    from tracker.recording.reports import Report
    from tracker.recording.stores import ExperimentRuns
    from tracker.render import ModelCard, ModelForm
    from tracker.report import RunEntry
    from tracker.runs import Run
    from tracker.store import Store
    from tracker.training.pretrained import Pretrained

_NEEDED = {"onnx": ("onnx", "tf2onnx")}  # modules that a form takes beside Keras and its backend

# What the script in the folder imports beside what makes features.
_IMPORTED: dict[str, tuple[str, ...]] = {
    "keras": ("keras", "tensorflow"),
    "tflite": ("ai-edge-litert",),
    "onnx": ("onnxruntime",),
}


def export_run(
    run: Run, runs: ExperimentRuns, store: Store, form: ModelForm, folder: Path | None, reporter: Reporter
) -> Path:
    """Write a run's kept model to a new or empty folder, by default one of the run's name, and return it.

    Raises
    ------
    TrackerError
        If the run has no model, the form needs a library that isn't installed, or the folder can't be written to.
    """
    lacking = [name for name in _NEEDED.get(form, ()) if find_spec(name) is None]
    if lacking:
        raise TrackerError(
            f"--to {form} needs {' and '.join(lacking)}: install them with `pip install 'tracker-report[{form}]'`"
        )
    target = folder or Path(f"{printable(run.name).replace('/', '-').strip('. ') or run.run_id}-{form}")
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        why = "it is a file" if target.is_file() else "the folder isn't empty"
        raise TrackerError(f"cannot export to {target}: {why}; give another --output")
    kept = open_model(run, store)
    files = _files(kept, runs, form)
    with disk_errors("export to", target), folder_when_complete(target) as place:
        for name, content in files.items():
            (place / name).write_bytes(content)
    reporter.log(
        f"the model of {called(run)} is in {target}: README.md is its card, predict.py predicts without tracker"
    )
    return target


def _files(kept: KeptModel, runs: ExperimentRuns, form: ModelForm) -> dict[str, bytes]:
    from tracker import render
    from tracker.render.model_card import FILES

    settings = clip_settings(kept.spectrogram, kept.segment_s)
    labels = [printable(name) for name in kept.classes]
    texts = {
        "README.md": render.render_card(_card(kept, build_report(runs)), form),
        "labels.txt": "".join(f"{label}\n" for label in labels),
        "features.json": json.dumps(settings, indent=2) + "\n",
        "predict.py": render.predicting_script(form, kept.spectrogram.features),
        "requirements.txt": "".join(f"{line}\n" for line in _requirements(form)),
    }
    return {FILES[form]: _model(kept, form)} | {name: text.encode("utf-8", "replace") for name, text in texts.items()}


def _model(kept: KeptModel, form: ModelForm) -> bytes:
    model = kept.load(own_layers=form != "keras")  # also to know that it is one
    if form == "keras":
        return kept.content
    from tracker.training.kept_model import export_model

    try:
        return export_model(model, "litert" if form == "tflite" else "onnx", f".{form}")
    except TrainingError as error:
        raise TrackerError(f"the model of {called(kept.run)} cannot be exported as {form}: {error}") from error


def _requirements(form: ModelForm) -> Iterator[str]:
    for name in sorted((*CLIP_PACKAGES, *_IMPORTED[form])):
        try:
            yield f"{name}=={version(name)}"
        except PackageNotFoundError:  # another distribution of it, or what the script alone needs
            yield name


def _card(kept: KeptModel, report: Report) -> ModelCard:
    from tracker.render import ModelCard

    run = kept.run
    entry = next((entry for entry in report.entries if entry.run.run_id == run.run_id), None)
    data_name = PurePosixPath(run.tags.get("tracker.data", "unknown")).name  # its folder is nobody else's business
    return ModelCard(
        name=run.name,
        labels=kept.classes,
        verdict=f"{report.title}. {report.lead}",
        standing=" ".join(filter(None, [f"{entry.name} is this model." if entry else "", _standing(report, run)])),
        results=tuple(_results(run, entry)),
        limits=tuple(_limits(report)) if entry else (_left_out(report, run),),
        data=tuple(_data(run, data_name)),
        metrics=tuple(_metrics(run, entry)),
        data_name=data_name,
        fingerprint=run.tags.get(DATASET_TAG, "unknown"),
        seconds=number_text(kept.segment_s),
        images=(kept.spectrogram.kind.words, kept.spectrogram.kind.values),
        licences=tuple((str(weights), weights.notice) for weights in _pretrained(run)),
        shape=(kept.spectrogram.height, kept.frames),
    )


def _pretrained(run: Run) -> list[Pretrained]:
    model = run.params.get("model", "")
    return [PRETRAINED[model]] if model in PRETRAINED else []


def _standing(report: Report, run: Run) -> str:
    if not report.has_winner:
        if [entry.run.run_id for entry in report.entries] == [run.run_id]:
            return "There is no other run that it could be compared with."
        return "No test shows that this model is better than those of other runs."
    is_of_best = any(entry.run.run_id == run.run_id for entry in report.sections[0].entries)
    return f"This model is of {'that' if is_of_best else 'another'} configuration."


def _left_out(report: Report, run: Run) -> str:
    why = next((one.reason for one in report.excluded if one.run_id == run.run_id), "it is of another selection")
    return f"The report leaves this run out: {why}."


def _results(run: Run, entry: RunEntry | None) -> Iterator[str]:
    from tracker.render import render_outcome

    if entry:
        yield f"{render_outcome(entry)}."
    if "test_accuracy" in run.metrics:
        looks = looks_at_test(run.tags)
        times = "once" if looks == 1 else f"{looks} times" if looks else "an unknown number of times"
        loss = f", loss {metric_text(run.metrics['test_loss'])}" if "test_loss" in run.metrics else ""
        n = run.tags.get("tracker.test_clips", "")
        clips = counted(int(n), "test clip") if n.isdecimal() and int(n) else "the test clips"
        yield f"Accuracy on {clips}: {percent_cell(run.metrics['test_accuracy'])}{loss}; evaluated {times}."
    else:
        yield "It was not evaluated on test clips, and the epoch that was kept was chosen on the validation clips."


def _limits(report: Report) -> Iterator[str]:
    for answer in report.answers:
        if answer.id == "limits":
            yield answer.sentence
            yield from answer.points


def _data(run: Run, data_name: str) -> Iterator[tuple[str, str]]:
    yield "data", data_name
    for what, tag in (("fingerprint of the data", DATASET_TAG), ("fingerprint of the split", SPLIT_TAG)):
        yield what, run.tags.get(tag, "unknown")
    parts = ("training", "validation", "test")
    yield "clips", ", ".join(f"{run.tags.get(f'tracker.{part}_clips', '?')} {part}" for part in parts)
    groups = data_facts(run.tags).groups
    if groups is not None:
        yield "groups that no split cuts", str(groups) if groups else "none given"
    yield "run", run.run_id
    yield "tracker", run.tags.get(VERSION_TAG, "unknown")
    yield "digest of the network's code", run.tags.get(CODE_TAG, "unknown")


def _metrics(run: Run, entry: RunEntry | None) -> Iterator[tuple[str, float]]:
    if entry and entry.result.accuracy:
        yield "validation accuracy", entry.result.accuracy.fraction
    if "test_accuracy" in run.metrics:
        yield "test accuracy", run.metrics["test_accuracy"]
