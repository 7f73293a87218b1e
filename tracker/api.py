"""The Python interface: what a command does, a notebook or a script does in one call.

Imported by `tracker` itself when one of its names is first used; heavy libraries load when a function needs them.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.journal.reader import journals
from tracker.next_steps.command_line import HERE, Where
from tracker.recording.locations import STORE_VARIABLE, LogTarget, find_store, here, journals_folder
from tracker.recording.read_runs import ExperimentRuns
from tracker.recording.read_runs import load_runs as read_experiment_runs
from tracker.recording.report_files import FIGURES, render_report, write_file
from tracker.recording.reporter import LoggingReporter
from tracker.report import Comparison as ComparisonContent
from tracker.report import Report as ReportContent
from tracker.runs import DEFAULT_EXPERIMENT
from tracker.runs.logged import DEFAULT_METRIC, find_run
from tracker.store import BY_EPOCH_RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.recording.repair import Repaired
    from tracker.recording.reporter import Reporter
    from tracker.recording.script_run import ScriptRun
    from tracker.recording.uploader import JournalProblem, UploadResult
    from tracker.runs import OptionValue, Run, RunPlan
    from tracker.store import Store


def train(
    data: str | Path | None = None,
    *,
    experiment: str = DEFAULT_EXPERIMENT,
    tracking_uri: str | None = None,
    name: str | None = None,
    note: str | None = None,
    reuse: bool = False,
    offline: bool = False,
    keep_going: bool = False,
    reporter: Reporter | None = None,
    **options: Any,
) -> Run:
    """Train one configuration with one seed, log it, and return the logged run.

    Parameters
    ----------
    data : str or Path, optional
        A folder with one sub-folder of audio per class, or a CSV manifest; by default the built-in demo set.
    experiment : str
        The MLflow experiment that the run belongs to.
    tracking_uri : str, optional
        The store; by default that of ``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the working directory.
    name : str, optional
        By default the configuration in short.
    note : str, optional
        Your own words about the run, in Markdown.
    reuse : bool
        Whether a finished run of the same configuration, seed, data and version is returned instead.
    offline : bool
        Whether the store is left alone until `sync`.
    keep_going : bool
        Whether training continues when the loss is NaN or infinite.
    reporter : Reporter, optional
        Receives messages and progress; by default the logger ``tracker``. `PrintReporter` suits a notebook.
    **options
        Any option of ``tracker run`` under its param's name, and the network's own: ``kernel_size=7``,
        ``learning_rate=1e-4``, ``plateau=(0.3, 10)``, ``early_stopping_patience=15``, ``epochs=60``, ``seed=0``,
        ``fold=(1, 5)``, ``model="cnn"``, ``dropout=0.3``.

    Raises
    ------
    ValueError
        If there is no such option, or a value is not of its type or out of its range.
    TrackerError
        If the data is not fit to train on, the training fails or the store can't accept runs.
    """
    from tracker.recording.train import TrainingRequest, train_plans

    reporter = reporter or LoggingReporter()
    store = _store(tracking_uri)
    target = LogTarget.at(store, experiment, offline=offline)
    request = TrainingRequest(
        (_plan(options),), None if data is None else Path(data), target, name, note, reuse, keep_going
    )
    (run_id,) = train_plans(request, reporter)
    return _logged_run(store, run_id, experiment)


def _plan(options: Mapping[str, Any]) -> RunPlan:
    from tracker.runs import LOGGED_OPTIONS, Configuration, plan_with, value_text
    from tracker.training.networks import parse_options

    own: dict[str, OptionValue] = {name: value for name, value in options.items() if name not in LOGGED_OPTIONS}
    model = options.get("model", Configuration().model)
    return plan_with(options, parse_options(model, {name: value_text(value) for name, value in own.items()}))


def start_run(
    params: Mapping[str, object],
    *,
    experiment: str = DEFAULT_EXPERIMENT,
    tracking_uri: str | None = None,
    name: str | None = None,
    note: str | None = None,
    offline: bool = False,
    tags: Mapping[str, str] | None = None,
    metric: str = DEFAULT_METRIC,
    sample_name: str = "sample",
    reporter: Reporter | None = None,
) -> ScriptRun:
    """Return a run to be logged by your own training script, in any framework, as a context.

    Parameters
    ----------
    params : mapping of str to object
        What decides the result, with its ``seed``. None is off. ``keep`` says which epoch's weights the predictions
        are made with: ``"last"`` (default), or ``"best"`` by validation loss, as after `restore_best_weights`.
    experiment, tracking_uri, note, offline, reporter
        As in `train`.
    name : str, optional
        By default the params in short.
    tags : mapping of str to str, optional
    metric : str
        What runs are ranked by, if the experiment is new.
    sample_name : str
        What a sample is called: clip, image, patient.

    Raises
    ------
    ValueError
        If the name of a param is not a text.
    StoreError
        When the context is entered, if the store would cut or refuse a name, param or tag.

    Examples
    --------
    >>> with tracker.start_run({"learning_rate": 1e-4, "seed": 0}, experiment="mine") as run:  # doctest: +SKIP
    ...     run.log_epoch({"loss": 0.9, "val_loss": 1.1, "val_accuracy": 0.8})
    """
    from tracker.recording.script_run import ScriptRun

    target = LogTarget.at(_store(tracking_uri), experiment, offline=offline)
    return ScriptRun(
        target,
        params,
        reporter or LoggingReporter(),
        name=name,
        note=note,
        tags=tags,
        metric=metric,
        sample_name=sample_name,
    )


def load_runs(
    tracking_uri: str | None = None, *, experiment: str = DEFAULT_EXPERIMENT, reporter: Reporter | None = None
) -> ExperimentRuns:
    """Return the runs of an experiment, also those that were not uploaded yet, as ``tracker report`` sees them.

    Parameters
    ----------
    tracking_uri, experiment, reporter
        As in `train`.

    Returns
    -------
    ExperimentRuns
        A sequence of `Run`, in the order in which they were started.

    Raises
    ------
    TrackerError
        If the store can't be read, or there is no such experiment.
    """
    reporter = reporter or LoggingReporter()
    runs = read_experiment_runs(_store(tracking_uri), experiment, by_epoch=BY_EPOCH_RUNS)
    for problem in runs.problems:
        reporter.warn(problem)
    return runs


class Report(ReportContent):
    """A report as data, to be written in the forms of ``tracker report``."""

    def to_markdown(self, path: str | Path | None = None, *, figures: str | Path = FIGURES) -> str:
        """Return the report as Markdown; write it to a file, and its figures to a folder beside it.

        Parameters
        ----------
        path : str or Path, optional
            By default nothing is written, and the links are those of a report in the working directory.
        figures : str or Path
            Folder of the figures.
        """
        base = Path(path).parent if path else Path()
        text, files = render_report(self, "markdown", figures=Path(figures), base=base)
        for file, content in files.items() if path else ():
            write_file(file, content)
        return _written(text, path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one HTML page with its figures; write it to a file, if one is given."""
        return _written(render_report(self, "html")[0], path)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the report as JSON; write it to a file, if one is given."""
        return _written(render_report(self, "json")[0], path)

    def to_summary(self, path: str | Path | None = None, *, max_bytes: int | None = None) -> str:
        """Return the report's tables and sentences as Markdown; write them to a file, if one is given."""
        return _written(render_report(self, "summary", max_bytes=max_bytes)[0], path)


def build_report(
    runs: ExperimentRuns | Sequence[Run],
    *,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
) -> Report:
    """Conclude from an experiment's runs.

    Parameters
    ----------
    runs : ExperimentRuns or sequence of Run
        As `load_runs` returns them.
    metric : str, optional
        What the runs are ranked by; by default the experiment's own metric, or the validation accuracy.
    minimise : bool, optional
        Whether a lower metric is better, if its name doesn't say so.
    alpha : float, above 0 and below 1
        Significance level of each family of tests.
    margin : float, above 0 and below 1
        Equivalence margin: the smallest difference of accuracy that matters.

    Raises
    ------
    ValueError
        If `alpha` or `margin` is out of its range.
    """
    from tracker.report import build_report as build

    name, chosen, where = _context(runs, metric)
    report = build(name, runs, metric=chosen, minimise=minimise, alpha=alpha, margin=margin, where=where)
    return Report(**_fields(report))


class Comparison(ComparisonContent):
    """Two runs set side by side as data, to be written in the forms of ``tracker compare``."""

    def to_markdown(self, path: str | Path | None = None) -> str:
        """Return the comparison as Markdown; write it to a file, if one is given."""
        from tracker.render import render_comparison

        return _written(render_comparison(self), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the comparison as JSON, with every clip; write it to a file, if one is given."""
        from tracker.render import render_comparison_json

        return _written(render_comparison_json(self), path)


def compare(
    runs: ExperimentRuns | Sequence[Run],
    first: str,
    second: str,
    *,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
) -> Comparison:
    """Compare two runs of an experiment clip by clip.

    Parameters
    ----------
    runs : ExperimentRuns or sequence of Run
        All runs of the experiment: the correction counts every pair of them.
    first, second : str
        A run's id, a unique beginning of one, or its name.
    metric, minimise, alpha, margin
        As in `build_report`.

    Raises
    ------
    TrackerError
        If no run or several runs match.
    ValueError
        If both are the same run, or `alpha` or `margin` is out of its range.
    """
    from tracker.report import build_comparison

    name, chosen, where = _context(runs, metric)
    pair = (find_run(runs, first).run_id, find_run(runs, second).run_id)
    comparison = build_comparison(
        name, runs, pair, metric=chosen, minimise=minimise, alpha=alpha, margin=margin, where=where
    )
    return Comparison(**_fields(comparison))


def resume(
    run: str,
    tracking_uri: str | None = None,
    *,
    data: str | Path | None = None,
    offline: bool = False,
    gone: bool = False,
    reporter: Reporter | None = None,
) -> Run:
    """Continue an interrupted run of `train` after its last finished epoch, and return the logged run.

    Parameters
    ----------
    run : str
        A run's id, a unique beginning of one, or its name.
    tracking_uri, offline, reporter
        As in `train`.
    data : str or Path, optional
        Where the data is now, if it was moved.
    gone : bool
        Whether to treat the run as dead. Needed if it was started on another machine.

    Raises
    ------
    TrackerError
        If there is no such run, it is finished or may still be running, or it could not end as it would have.
    """
    from tracker.recording.resume import resume_run

    store = _store(tracking_uri)
    moved = None if data is None else Path(data)
    run_id = resume_run(run, store, reporter or LoggingReporter(), data=moved, offline=offline, gone=gone)
    return _logged_run(store, run_id)


def close(run: str, tracking_uri: str | None = None, *, gone: bool = False, reporter: Reporter | None = None) -> Run:
    """End an interrupted run as KILLED, with the epochs that it has, and return the logged run.

    Parameters
    ----------
    run, tracking_uri, gone, reporter
        As in `resume`.

    Raises
    ------
    TrackerError
        If there is no such run, it has ended or may still be running.
    """
    from tracker.recording.resume import close_run

    store = _store(tracking_uri)
    return _logged_run(store, close_run(run, store, reporter or LoggingReporter(), gone=gone))


def sync(tracking_uri: str | None = None) -> tuple[UploadResult | JournalProblem, ...]:
    """Upload every run that is not, or not wholly, in its store yet; nothing is returned if there is none.

    Parameters
    ----------
    tracking_uri : str, optional
        As in `train`.

    Raises
    ------
    StoreError
        If the store is gone with what was uploaded to it.
    """
    from tracker.recording.uploader import sync_runs

    return tuple(sync_runs(_store(tracking_uri)))


def repair(tracking_uri: str | None = None, *, reporter: Reporter | None = None) -> tuple[Repaired, ...]:
    """Repair a store that is broken, gone, was moved or lacks runs; nothing is deleted.

    Parameters
    ----------
    tracking_uri, reporter
        As in `train`.

    Raises
    ------
    StoreError
        If the store is of another version, absent without journals, or can't be read.
    """
    from tracker.recording.repair import repair_store

    return tuple(repair_store(_store(tracking_uri), reporter or LoggingReporter()))


def _store(tracking_uri: str | None) -> Store:
    return find_store(tracking_uri or os.environ.get(STORE_VARIABLE))


def _logged_run(store: Store, run_id: str, experiment: str | None = None) -> Run:
    """Return a run that was just logged; its journal knows its experiment."""
    if experiment is None:
        experiment = find_run(journals(journals_folder(store)), run_id).started.experiment
    return find_run(read_experiment_runs(store, experiment, by_epoch=BY_EPOCH_RUNS), run_id)


def _context(runs: Sequence[Run], metric: str | None) -> tuple[str, str | None, Where]:
    """Return the name of the experiment, the metric asked for or else its own, and what commands must name."""
    if isinstance(runs, ExperimentRuns):
        where = here(runs.store)
        return runs.name, metric or runs.tags.get("tracker.metric"), where
    return "runs", metric, HERE


def _fields(content: Any) -> dict[str, Any]:
    return {field.name: getattr(content, field.name) for field in fields(content)}


def _written(text: str, path: str | Path | None) -> str:
    if path:
        write_file(Path(path), text.encode())
    return text
