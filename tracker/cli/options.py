"""Options and arguments that several commands share, what they are read with, and what a shell completes them to.

Completion creates nothing, doesn't import MLflow and stays silent if it fails: a shell shows whatever is printed.
"""

from __future__ import annotations

import functools
import inspect
import math
import shlex
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from tracker.cli.console import warn
from tracker.late_imports import imported_late
from tracker.printable import decoded, printable
from tracker.runs import ALPHAS, MARGINS, Range, check_line, check_name_in_store, option_named, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracker.recording.reports import Report
    from tracker.recording.selection import Selection, Since
    from tracker.recording.stores import ExperimentRuns
    from tracker.runs import RunOption
    from tracker.store import RunName as NameOfRun
    from tracker.store import Store
    from tracker.study.param_roles import NamedParams


def networks(incomplete: str) -> list[str]:
    """Return the names of the networks, or the Python files that a path may go on to."""
    with suppress(Exception):
        from tracker.training.networks import is_path, network_names

        if not (incomplete.startswith(".") or is_path(incomplete)):
            return list(network_names())
        start = incomplete.rpartition("/")[0] + "/" if "/" in incomplete else ""
        folder = Path(start or ".").expanduser()
        folders = [f"{start}{path.name}/" for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
        return sorted([*folders, *(f"{start}{path.name}" for path in folder.glob("*.py"))])
    return []


def experiments(ctx: typer.Context) -> list[str]:
    """Return the names of the experiments that have runs."""
    return list(dict.fromkeys(run.experiment for run in _runs(ctx) if _is_plain(run.experiment)))


def runs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the names of runs, or the ids of those that share a name; ids alone if one is being typed."""
    from tracker.runs.logged import SHORT_ID

    named, first, found = ctx.params.get("experiment"), ctx.params.get("first"), _runs(ctx)
    if found and not named and "experiment" in ctx.params:
        named = _default_experiment(ctx)
    experiments = {named} if isinstance(named, str) else set(named or ())
    candidates = [
        run
        for run in found
        if run.experiment in (experiments or {run.experiment})
        and not (first and (run.name == first or run.run_id.startswith(first.lower())))
    ]
    times = Counter(run.name for run in candidates)
    by_name = [(run.name, run.run_id[:SHORT_ID]) for run in candidates if times[run.name] == 1 and _is_plain(run.name)]
    by_id = [(run.run_id[:SHORT_ID], printable(run.name)) for run in candidates if _is_plain(run.run_id[:SHORT_ID])]
    named = {run_id for _, run_id in by_name}
    return [*by_name, *(item for item in by_id if incomplete or item[0] not in named)]


def _runs(context: typer.Context) -> Sequence[NameOfRun]:
    with suppress(Exception):
        from tracker.recording.stores import run_names

        return run_names(store_at(context.params.get("tracking_uri")))
    return ()


def _default_experiment(context: typer.Context) -> str | None:
    with suppress(Exception):
        from tracker.recording.stores import experiment_or_default

        return experiment_or_default(None, store_at(context.params.get("tracking_uri")))
    return None


def _is_plain(text: str) -> bool:
    """Return whether a shell takes a text as it is, as one word."""
    return bool(text) and text.isprintable() and shlex.quote(text) == text


_NOT_NEGATIVE = Range(least=0)
_ANALYSIS, _RUNS = "Analysis", "Runs"
_LONGEST_METRIC = 250  # characters of a metric's name
_LONGEST_EXPERIMENT = 500  # characters of an experiment's


def parsed_by(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Return a parser whose errors name the option; a default is a value already."""

    def parsed(value: Any) -> Any:
        try:
            return parse(value) if isinstance(value, str) else value
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return parsed


def from_table(
    entry: RunOption,
    panel: str | None = None,
    help_text: str | None = None,
    parse: Callable[[str], Any] | None = None,
) -> Any:
    """Return an option of the table as Typer has it, in the panel and with the help that the table or a command has."""
    completions: dict[str, Callable[..., Any]] = {"model": networks, "experiment": experiments}
    if entry.choices:
        completions[entry.name] = lambda: list(entry.choices)
    choices = f"<{'|'.join(entry.choices)}>" if entry.choices else ""
    return typer.Option(
        entry.flag,
        parser=None if entry.type is bool else parsed_by(parse or entry.parse),
        metavar=entry.metavar or choices or entry.type.__name__.upper(),
        envvar=entry.environment or None,
        show_default=entry.default_text or False,
        help=help_text or entry.help_text,
        rich_help_panel=panel or entry.panel.value,
        autocompletion=completions.get(entry.name),
    )


TrackingUri = Annotated[str | None, from_table(option_named("tracking_uri"), _RUNS)]


def _experiment(text: str) -> str:
    """Return the name of an experiment to read, which is what the store has."""
    check_name_in_store("the experiment", decoded(text), _LONGEST_EXPERIMENT)
    return decoded(text)


Experiment = Annotated[str | None, from_table(option_named("experiment"), _RUNS, parse=_experiment)]

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        parser=decoded,
        help="A run's name, its id, or a unique prefix of its id (a name cannot be shortened); see `tracker runs`.",
        autocompletion=runs,
    ),
]


def whole_number(help_text: str, within: Range, *, default: str | None = None, panel: str | None = None) -> Any:
    """Return an option that takes a whole number in a range, which help and errors name."""
    return number(help_text, within, "INT", kind=int, default=default, panel=panel)


def _fraction(help_text: str, within: Range) -> Any:
    return number(help_text, within, "FLOAT", panel=_ANALYSIS)


def number(
    help_text: str,
    within: Range,
    metavar: str,
    *,
    kind: type[int | float] = float,
    panel: str | None = None,
    default: str | None = None,
) -> Any:
    """Return an option that takes a number in a range, which help and errors name."""

    def parse(value: str | float) -> float:
        try:
            number = kind(value)
        except ValueError:
            number = math.nan
        if number not in within:
            what = "a whole number" if kind is int else "a number"
            raise typer.BadParameter(f"must be {what}, {within}, got {shown(value)}")
        return number

    words = f"{help_text} ({within})."
    return typer.Option(parser=parse, metavar=metavar, show_default=default or True, help=words, rich_help_panel=panel)


def _metric(text: str) -> str:
    check_line("the metric", decoded(text), _LONGEST_METRIC)
    return decoded(text)


def _since(text: str) -> Since:
    from tracker.recording.selection import since_of

    return since_of(text, time.time_ns() // 1_000_000)


def _run_names(help_text: str) -> Any:
    """Return an option that takes runs, as often as it is given."""
    return typer.Option(
        metavar="RUN",
        parser=decoded,
        show_default=False,
        help=f"{help_text}: name, id or unique prefix of it; repeat, or divide several by commas.",
        rich_help_panel=_RUNS,
        autocompletion=runs,
    )


def _param_names(help_text: str) -> Any:
    """Return an option that takes names of params, as often as it is given."""
    return typer.Option(
        metavar="NAME",
        parser=parsed_by(_param),
        show_default=False,
        help=f"{help_text} (repeat for several).",
        rich_help_panel=_ANALYSIS,
    )


def tag_wanted(text: str) -> tuple[str, str | None]:
    """Return the name and the value of ``NAME=VALUE``; of ``NAME`` alone any value will do, which None stands for."""
    name, equals, value = decoded(text).partition("=")
    if not name:
        raise ValueError(f"a tag must have a name before =, got {shown(decoded(text))}")
    check_line("the tag", name, _LONGEST_METRIC)
    return name, value if equals else None


def _param(text: str) -> str:
    check_line("the param", decoded(text), _LONGEST_METRIC)
    return decoded(text)


@dataclass(frozen=True, kw_only=True)
class ParamOptions:
    """What the params of runs decide, if their names don't say it: each field is an option of the command line."""

    seed_param: Annotated[list[str], _param_names("A param that repeats the training, as a seed does")] = field(
        default_factory=list
    )
    option_param: Annotated[list[str], _param_names("A param to compare by that looks like bookkeeping")] = field(
        default_factory=list
    )
    ignore: Annotated[list[str], _param_names("A param to leave out of the comparison")] = field(default_factory=list)

    @property
    def named(self) -> NamedParams:
        """The params that were named, as what they are."""
        from tracker.study.param_roles import NamedParams

        return NamedParams(tuple(self.seed_param), tuple(self.option_param), tuple(self.ignore))


@contextmanager
def naming_params() -> Iterator[None]:
    """Have an error about a param that no run logged name the option of the command line."""
    from tracker.study.param_roles import UnknownParamError

    try:
        yield
    except UnknownParamError as error:
        flag = f"--{error.argument.removesuffix('s').replace('_', '-')}"
        raise typer.BadParameter(str(error), param_hint=f"'{flag}'") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricOptions:
    """By which metric runs are ranked: each field is an option of the command line."""

    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=parsed_by(_metric),
            show_default="the experiment's, or val_accuracy",
            help="The metric to compare.",
            rich_help_panel=_ANALYSIS,
        ),
    ] = None
    minimise: Annotated[
        bool | None,
        typer.Option(
            "--minimise/--maximise",
            show_default="by its name: lower for losses and errors, else higher",
            help="Whether a lower or a higher value of the metric is better.",
            rich_help_panel=_ANALYSIS,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonOptions(MetricOptions):
    """By which metric runs are compared, and how strictly."""

    alpha: Annotated[float, _fraction("Significance level: accepted false-positive rate", ALPHAS)] = 0.05
    margin: Annotated[float, _fraction("Equivalence margin: smallest accuracy difference that matters", MARGINS)] = 0.05


@dataclass(frozen=True, kw_only=True)
class AnalysisOptions(ParamOptions, ComparisonOptions):
    """Which runs are compared, and how."""

    @property
    def question(self) -> dict[str, Any]:
        """What the application is asked about the runs."""
        asked = {name: getattr(self, name) for name in ("metric", "minimise", "alpha", "margin", "ignore")}
        return asked | {"seed_params": self.seed_param, "option_params": self.option_param}


@dataclass(frozen=True, kw_only=True)
class ListedRuns(ParamOptions, MetricOptions):
    """The runs of one experiment, or those with some tags."""

    tag: Annotated[
        list[Any],
        typer.Option(
            metavar="NAME[=VALUE]",
            parser=parsed_by(tag_wanted),
            show_default=False,
            help="List only runs with this tag (repeat for several).",
            rich_help_panel=_RUNS,
        ),
    ] = field(default_factory=list)
    experiment: Experiment = None
    tracking_uri: TrackingUri = None


@dataclass(frozen=True, kw_only=True)
class ExperimentAnalysis(AnalysisOptions):
    """An analysis of all runs of one experiment."""

    experiment: Experiment = None
    tracking_uri: TrackingUri = None


@dataclass(frozen=True, kw_only=True)
class GateAnalysis(ExperimentAnalysis):
    """A question about two configurations of one experiment."""

    margin: Annotated[
        float, number("Difference, in the metric's unit, too small to matter", _NOT_NEGATIVE, "FLOAT", panel=_ANALYSIS)
    ] = 0.02


@dataclass(frozen=True, kw_only=True)
class SelectionAnalysis(AnalysisOptions):
    """An analysis of the runs of one experiment or several, or of a selection of them."""

    experiment: Annotated[
        list[str],
        from_table(option_named("experiment"), _RUNS, "The experiment; repeat for a report on several.", _experiment),
    ] = field(default_factory=list)
    runs: Annotated[list[str], _run_names("Report on these runs only")] = field(default_factory=list)
    exclude: Annotated[list[str], _run_names("Leave these runs out")] = field(default_factory=list)
    filter_string: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="FILTER",
            parser=decoded,
            help="Report on the runs that match a filter in MLflow's syntax: \"params.kernel_size = '7'\".",
            rich_help_panel=_RUNS,
        ),
    ] = None
    since: Annotated[
        Any,
        typer.Option(
            metavar="DATE|AGE",
            parser=parsed_by(_since),
            help="Report on the runs started since then: 2026-11-25, 2026-11-25T14:00, or an age such as 3d or 12h.",
            rich_help_panel=_RUNS,
        ),
    ] = None
    tracking_uri: TrackingUri = None

    @property
    def selection(self) -> Selection:
        """Which runs are kept."""
        from tracker.recording.selection import Selection

        return Selection(
            runs=tuple(self.runs), exclude=tuple(self.exclude), filter_string=self.filter_string, since=self.since
        )


def with_analysis_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of an analysis to a command, which takes them as one `analysis` of the kind that it names."""
    signature = inspect.signature(command, eval_str=True)
    kind = signature.parameters["analysis"].annotation
    names = [field.name for field in fields(kind)]

    @functools.wraps(command)
    def called(**values: Any) -> Any:
        analysis = kind(**{name: values.pop(name) for name in names})
        with imported_late():
            return command(**values, analysis=analysis)

    hints = get_type_hints(kind, include_extras=True)
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=_default(f), annotation=hints[f.name])
        for f in fields(kind)
    ]
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "analysis"]
    called.__signature__ = signature.replace(parameters=[*own, *shared])  # type: ignore[attr-defined]
    return called


def _default(option: Field[Any]) -> Any:
    return option.default if option.default_factory is MISSING else option.default_factory()


JOBS = Range(least=1, most=1_024)
Jobs = whole_number("Runs trained at once, each in a process of its own", JOBS, default="one a core")
Yes = typer.Option("--yes", "-y", help="Start training without asking, however long it takes.")

Results = Annotated[
    Path | None,
    typer.Argument(
        metavar="RESULTS",
        show_default=False,
        help="A table instead of a store, as .csv, .tsv or .parquet: a row a run, or a row a run and sample or epoch.",
    ),
]

_OF_A_STORE = {
    "experiment": "--experiment", "tracking_uri": "--tracking-uri", "filter_string": "--filter", "since": "--since",
}  # fmt: skip


def _check_table_alone(context: typer.Context, results: Path) -> None:
    """Refuse options about a store beside a table; what the environment sets of them doesn't count."""
    for name, flag in _OF_A_STORE.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            context.fail(f"give the table {results} or {flag}, not both: a table is read without a store")


def _read_table(context: typer.Context, results: Path, analysis: Any) -> ExperimentRuns:
    from tracker.recording.selection import ALL_RUNS
    from tracker.recording.tables import load_table

    _check_table_alone(context, results)
    found = load_table(
        results,
        metrics=() if analysis.metric is None else (analysis.metric,),
        params=(*analysis.option_param, *analysis.ignore),
        seeds=analysis.seed_param,
        selection=getattr(analysis, "selection", ALL_RUNS),
    )
    for problem in found.problems:
        warn(problem)
    return found


def store_at(tracking_uri: str | None) -> Store:
    """Return the store of a tracking URI."""
    from tracker.recording.stores import find_store

    return find_store(tracking_uri)


def read_runs(experiment: str | None, tracking_uri: str | None, warn: Callable[[str], None] = warn) -> ExperimentRuns:
    """Read an experiment's runs without the predictions after each epoch; warn of what cannot be read."""
    from tracker.recording.stores import experiment_or_default, load_runs

    store = store_at(tracking_uri)
    runs_read = load_runs(store, experiment_or_default(experiment, store), by_epoch=0)
    for problem in runs_read.problems:
        warn(problem)
    return runs_read


def read_results(
    context: typer.Context, results: Path | None, analysis: ExperimentAnalysis | ListedRuns
) -> ExperimentRuns:
    """Read the runs of a table, or those of an experiment; warn of what cannot be read."""
    if results is not None:
        return _read_table(context, results, analysis)
    return read_runs(analysis.experiment, analysis.tracking_uri)


def read_selected(context: typer.Context, results: Path | None, analysis: SelectionAnalysis) -> ExperimentRuns:
    """Read the selected runs, those of a store with the predictions after each epoch; warn of what cannot be read."""
    if results is not None:
        return _read_table(context, results, analysis)
    from tracker.recording.selection import load_selected
    from tracker.recording.stores import experiment_or_default
    from tracker.store import FilterError

    store = store_at(analysis.tracking_uri)
    experiments = analysis.experiment or [experiment_or_default(None, store)]
    try:
        found = load_selected(store, experiments, analysis.selection)
    except FilterError as error:
        raise typer.BadParameter(str(error), param_hint="'--filter'") from error
    for problem in found.problems:
        warn(problem)
    return found


@contextmanager
def naming_metric() -> Iterator[None]:
    """Have an error about a metric that no run logged name the option of the command line."""
    from tracker.study.metrics import UnknownMetricError

    try:
        yield
    except UnknownMetricError as error:
        raise typer.BadParameter(str(error), param_hint="--metric") from error


def report_on(experiment_runs: ExperimentRuns, analysis: AnalysisOptions, **cover: Any) -> Report:
    """Conclude from runs what the options ask for; `cover` has the report's title, author and introduction."""
    from tracker.recording.reports import build_report

    with naming_metric(), naming_params():
        return build_report(experiment_runs, **analysis.question, **cover)
