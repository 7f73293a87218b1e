"""``tracker predict``, ``evaluate``, ``export``, ``promote``: what people do with the models that runs have kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tracker.cli.app import command
from tracker.cli.console import ConsoleReporter, fitting_table, log, print_document, print_result, print_tables, warn
from tracker.cli.options import Experiment, TrackingUri, runs, store_at
from tracker.errors import TrackerError
from tracker.printable import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracker.recording.predict import ClipPrediction, ClipPredictions
    from tracker.recording.stores import ExperimentRuns

KeptRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        parser=decoded,
        help="A run's name or id, or `best`, the run that the report names.",
        autocompletion=runs,
    ),
]

_RUNNERS_UP = 2  # classes that a table names beside the most probable one
_LEAST_NAMED = 0.005  # probability below which it doesn't


@command(
    "predict",
    "Predict audio files with a run's model.",
    "tracker predict song.wav",
    "tracker predict recordings/ --format csv > predictions.csv",
    "tracker predict song.mp3 --run k7-lr0.0001-s0 --segments --plot song.png",
    "find . -name '*.flac' | tracker predict - --format json",
)
def predict(
    context: typer.Context,
    *,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            parser=decoded,
            help="Audio files, folders of them, or - for a list of paths on standard input, one a line.",
        ),
    ],
    run: Annotated[
        str,
        typer.Option(
            "--run",
            metavar="RUN",
            parser=decoded,
            help="Whose kept model predicts: a run's name or id, or `best`, the run that the report names.",
            autocompletion=runs,
        ),
    ] = "best",
    segments: Annotated[
        bool, typer.Option("--segments", help="Show each segment that a clip is cut into, not the clip alone.")
    ] = False,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="For a terminal, a spreadsheet or programs.")
    ] = "table",
    plot: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE",
            show_default="none",
            help="Draw the probabilities over time of up to 12 clips, as .png or .svg.",
        ),
    ] = None,
    experiment: Experiment = None,
    tracking_uri: TrackingUri = None,
) -> int:
    """Predict the class of audio files with the model that a run has kept; exits with 1 if a file can't be used.

    A clip's probabilities are the mean over its segments, as in validation.
    """
    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise typer.BadParameter(f"must end in .png or .svg, got {plot.name!r}", param_hint="'--plot'")
    from tracker.recording.kept_model import chosen_run
    from tracker.recording.predict import predict_files

    listed = [*_paths(files)]
    if not listed:
        context.fail("there is no path on standard input")
    reporter, found = ConsoleReporter(), _runs(experiment, tracking_uri)
    assert found.store is not None  # noqa: S101  (they were read from one)
    predicted = predict_files(listed, chosen_run(found, run, reporter), found.store, reporter)
    if form == "csv":
        print_document(predicted.to_csv(segments=segments))
    elif form == "json":
        print_document(predicted.to_json(segments=segments))
    elif predicted.clips:
        _print_table(predicted, segments=segments)
    if plot is not None and predicted.clips:
        predicted.to_figure(plot)
        log(f"the probabilities over time are drawn in {plot}")
    for file, reason in predicted.unusable:
        warn(f"{file} was left out: {reason}")
    if not predicted.clips:
        raise TrackerError("there is nothing to predict: no file that was given can be read; check the paths")
    return int(bool(predicted.unusable))


@command(
    "evaluate",
    "Evaluate a run's model on its test clips.",
    "tracker evaluate k7-lr0.0001-s0 --split test",
    "tracker evaluate best --format json",
)
def evaluate(
    *,
    run: KeptRun,
    split: Annotated[Literal["test"], typer.Option(help="Which clips: those that no run has seen.")] = "test",  # noqa: ARG001
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            show_default="where it was",
            help="Where the data is now, if it was moved, or its audio alone: the folder of --audio-root, or the local "
            "copy of a data set of mirdata or soundata.",
        ),
    ] = None,
    form: Annotated[Literal["text", "json"], typer.Option("--format", help="A line, or JSON for programs.")] = "text",
    experiment: Experiment = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Evaluate a run's kept model on its own test clips, once you have decided: each look is logged and counted.

    Prints how many are correct, with the interval and the number of looks at these clips so far. The report shows the
    result and ranks nothing by it.
    """
    from tracker.recording.evaluate import evaluate_run
    from tracker.recording.kept_model import chosen_run

    reporter, found = ConsoleReporter(), _runs(experiment, tracking_uri)
    assert found.store is not None  # noqa: S101  (they were read from one)
    result = evaluate_run(chosen_run(found, run, reporter), found, found.store, reporter, data)
    if form == "json":
        print_document(result.to_json())
    else:
        print_result(result.sentence)


@command(
    "export",
    "Write a run's model to a folder, to be used without tracker.",
    "tracker export best --to keras",
    "tracker export k7-lr0.0001-s0 --to onnx --output model/",
)
def export(
    *,
    run: KeptRun,
    to: Annotated[
        Literal["keras", "tflite", "onnx"], typer.Option(help="What runs the model; onnx needs the extra [onnx].")
    ],
    output: Annotated[
        Path | None,
        typer.Option(file_okay=False, metavar="FOLDER", show_default="the run's name", help="A new or empty folder."),
    ] = None,
    experiment: Experiment = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Write a run's kept model to a folder with a model card and a script that predicts without tracker.

    The card says what the runs show, on which data, and the limits. Prints the folder.
    """
    from tracker.recording.export import export_run
    from tracker.recording.kept_model import chosen_run

    reporter, found = ConsoleReporter(), _runs(experiment, tracking_uri)
    assert found.store is not None  # noqa: S101  (they were read from one)
    print_result(str(export_run(chosen_run(found, run, reporter), found, found.store, to, output, reporter)))


@command(
    "promote",
    "Register a run's model as the best, if the report says so.",
    "tracker promote best",
    "tracker promote k7-lr0.0001-s0 --name genres",
    "tracker promote 3f2a9c41 --anyway",
)
def promote(
    *,
    run: KeptRun,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", parser=decoded, show_default="the experiment's", help="Name of the registered model."
        ),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Do it though the report does not say so; the version records that.")
    ] = False,
    experiment: Experiment = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Register a run's kept model in MLflow with the alias `best`, if the report says that its configuration is best.

    The report's finding becomes the version's description. Prints the address that MLflow loads the model by.
    """
    from tracker.recording.kept_model import called, chosen_run
    from tracker.recording.promote import promote_run
    from tracker.recording.reporter import SilentReporter

    found = _runs(experiment, tracking_uri)
    assert found.store is not None  # noqa: S101  (they were read from one)
    chosen = chosen_run(found, run, SilentReporter())  # whether the report names it is said below, or refused
    done = promote_run(chosen, found, found.store, name, anyway=anyway)
    log(f"version {done.version} of {done.name}, the model of {called(chosen)}, is now best: {done.sentence}")
    print_result(done.uri)


def _runs(experiment: str | None, tracking_uri: str | None) -> ExperimentRuns:
    from tracker.recording.stores import experiment_or_default, load_runs

    store = store_at(tracking_uri)
    found = load_runs(store, experiment_or_default(experiment, store), by_epoch=0)
    for problem in found.problems:
        warn(problem)
    return found


def _paths(files: Iterable[str]) -> Iterable[str]:
    """Yield paths; those of standard input for ``-``."""
    for name in files:
        if name != "-":
            yield name
            continue
        try:
            yield from filter(None, (line.rstrip("\r\n") for line in sys.stdin))
        except (OSError, ValueError) as error:
            raise TrackerError(f"the list of paths on standard input cannot be read: {error}") from error


def _print_table(predicted: ClipPredictions, *, segments: bool) -> None:
    rows = [row for clip in predicted for row in _rows(clip, segments=segments)]
    names = ["clip", *(["seconds"] if segments else []), "predicted", "probability", "then"]
    columns = list(zip(names, (list(cells) for cells in zip(*rows, strict=True)), strict=True))
    shown, _ = fitting_table(columns, {"clip", "seconds", "predicted", "then"}, ("then",))
    print_tables(shown)


def _rows(clip: ClipPrediction, *, segments: bool) -> Iterable[tuple[str, ...]]:
    from tracker.runs import number_text
    from tracker.wording import percent_cell

    spans = [f"{number_text(round(start, 1))}–{number_text(round(end, 1))}" for start, end in clip.times.tolist()]
    shares = [row.tolist() for row in clip.segments] if segments else [clip.probabilities.tolist()]
    for place, row in enumerate(shares):
        ranked = sorted(zip(row, clip.classes, strict=True), key=lambda pair: -pair[0])
        further = [pair for pair in ranked[1 : _RUNNERS_UP + 1] if pair[0] >= _LEAST_NAMED]
        span = [spans[place]] if segments else []
        yield (
            clip.clip,
            *span,
            ranked[0][1],
            percent_cell(ranked[0][0]),
            ", ".join(f"{name} {percent_cell(share)}" for share, name in further),
        )
