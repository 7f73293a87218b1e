"""``tracker sweep``: train many configurations, each under several seeds or folds, in one command.

Its options are those of ``tracker run``, made from the same table and the signatures of the networks that the command
line names; each takes several levels.
"""

from __future__ import annotations

import inspect
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.main

from tracker.cli.app import app, examples
from tracker.cli.console import ConsoleReporter, log, print_result
from tracker.cli.followed import follow, train_opened
from tracker.cli.options import Jobs, Yes, from_table, parsed_by, store_at, whole_number
from tracker.cli.run import CommandOfNetworks, RunCommand, flag_of, metavar_of, title_of
from tracker.contained_files import read_regular
from tracker.errors import TrackerError
from tracker.runs import LOGGED_OPTIONS, RUN_OPTIONS, Panel, Role, option_named, options_set_by
from tracker.runs.sweeps import BACKENDS, COUNTS, FOLDS, WRITEUP, SweepPlan, levels_of, seeds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.next_steps.command_line import Argv
    from tracker.recording.answering import Trained
    from tracker.recording.sweep import Sweep
    from tracker.report import Report
    from tracker.runs import RunOption
    from tracker.runs.sweep_file import SweepFile
    from tracker.training.networks import NetworkOption

_EXAMPLES = examples(
    "tracker sweep --kernel 3,5,7 --lr 1e-3,1e-4 --seeds 3",
    "tracker sweep --data genres/ --plateau off,0.3,10 --seeds 6 --folds 5 --jobs 4",
    "tracker sweep writeup --seeds 3 --yes",
    "tracker sweep kernels.toml --dry-run",
)

_WRITEUP = "writeup"
_NETWORK = "network_"  # prefix of the parameters of a network's options
_BESIDE_FILE = {  # options that don't say what is trained
    "plan", "data", "note", "experiment", "tracking_uri", "offline", "keep_going", "jobs", "backend", "address", "yes",
    "dry_run",
}  # fmt: skip


class SweepCommand(RunCommand):
    """Takes the options of `sweep` and those of the networks that the command line names."""

    def of_networks(self, models: Sequence[str], options: Sequence[NetworkOption] = ()) -> CommandOfNetworks:
        """Return `sweep` with the options of some networks."""
        return _command(models, options)


@app.command(cls=SweepCommand, epilog=_EXAMPLES)
def sweep() -> None:
    """Train many configurations, each with several seeds or folds.

    An option takes one level or several, divided by commas: every combination is trained. Runs that are there already
    are not repeated, and the same command continues what was interrupted. Prints the ids of the runs.
    """


def _command(models: Sequence[str], network_options: Sequence[NetworkOption] = ()) -> CommandOfNetworks:
    def train(context: typer.Context, **values: Any) -> int:
        own = {option.name: values.pop(_NETWORK + option.name) for option in network_options}
        return _sweep(context, values, own)

    panels = list(Panel)
    entries = sorted(LOGGED_OPTIONS.values(), key=lambda entry: panels.index(entry.panel))
    of_data = [entry for entry in entries if entry.panel is Panel.DATA]
    parameters = [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        _parameter("plan", _PLAN),
        _parameter("data", from_table(option_named("data"))),
        *(_levels(entry) for entry in of_data),
        _parameter("folds", whole_number("Train on each of N folds", FOLDS, panel=Panel.DATA.value)),
        *(_levels(entry) for entry in entries if entry.panel is Panel.FEATURES),
        *(_levels(entry) for entry in entries if entry.panel is Panel.TRAINING and entry.role is not Role.SEED),
        _parameter("seed", _SEED),
        _parameter("seeds", whole_number(_SEEDS, COUNTS, default="1", panel=Panel.TRAINING.value)),
        _switch("keep_going", from_table(option_named("keep_going"))),
        *(_levels(entry) for entry in entries if entry.panel is Panel.NETWORK),
        *(_network_levels(models, option) for option in network_options),
        *(_parameter(name, from_table(option_named(name))) for name in ("note", "experiment", "tracking_uri")),
        _switch("offline", from_table(option_named("offline"))),
        _switch("final", from_table(option_named("final"))),
        _parameter("jobs", Jobs),
        _parameter("backend", _BACKEND),
        _parameter("address", _ADDRESS),
        _switch("yes", Yes),
        _switch("dry_run", _DRY_RUN),
    ]
    train.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    train.__annotations__ = {}
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command("sweep", cls=CommandOfNetworks, epilog=_EXAMPLES, help=inspect.getdoc(sweep))(train)
    command = typer.main.get_command(single)
    assert isinstance(command, CommandOfNetworks)  # noqa: S101  (as `cls` says)
    command.models = tuple(models)
    return command


_SEEDS = "Train each configuration with N consecutive seeds, starting at --seed"
_PLAN = typer.Argument(
    metavar="PLAN",
    show_default=False,
    help="A TOML file with what is to be trained, or `writeup`: the four configurations that `make demo` trains.",
)
_SEED = typer.Option(
    "--seed",
    metavar="INT,…",
    show_default="0",
    help="The first seed, or all of them divided by commas.",
    rich_help_panel=Panel.TRAINING.value,
)
_BACKEND = typer.Option(
    "--backend",
    metavar="|".join(BACKENDS),
    show_default=BACKENDS[0],
    help="What runs the worker processes: joblib on this machine, or a cluster of Dask or Ray.",
)
_ADDRESS = typer.Option(
    "--address",
    metavar="ADDRESS",
    show_default="one is started here",
    help="Where the cluster is, such as tcp://host:8786.",
)
_DRY_RUN = typer.Option("--dry-run", help="Print the names of the runs that would be trained, and train nothing.")


def _parameter(name: str, shown: Any) -> inspect.Parameter:
    annotation = Annotated[Any, shown]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _switch(name: str, shown: Any) -> inspect.Parameter:
    annotation = Annotated[bool, shown]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)


def _levels(entry: RunOption) -> inspect.Parameter:
    """Return an option of the table as one that takes levels."""
    shown = from_table(entry, parse=partial(levels_of, entry.name))
    shown.metavar = shown.metavar if entry.whole else f"{shown.metavar},…"
    shown.envvar = None  # which sets what the sweep leaves open, not levels
    return _parameter(entry.name, shown)


def _network_levels(models: Sequence[str], option: NetworkOption) -> inspect.Parameter:
    shown = typer.Option(
        flag_of(option),
        parser=parsed_by(partial(levels_of, option.name)),
        metavar=f"{metavar_of(option)},…",
        show_default=str(option.default),
        help=option.help,
        rich_help_panel=title_of(", ".join(models)),
    )
    return _parameter(_NETWORK + option.name, shown)


def _sweep(context: typer.Context, values: Mapping[str, Any], own: Mapping[str, Any]) -> int:
    """Train what a command line describes."""
    from tracker.recording import stores
    from tracker.recording.sweep import open_sweep

    given = {name: values[name] for name in LOGGED_OPTIONS if values.get(name) is not None and name != "seed"}
    given |= {name: levels for name, levels in own.items() if levels is not None}
    settings: dict[str, str] = {}
    try:
        if values["plan"] in {None, _WRITEUP}:
            plan = _plan(values, given)
        else:
            found = _read_file(context, Path(values["plan"]), {**values, **given})
            plan, settings = found.plan, dict(found.settings)
        plan = plan.based_on(options_set_by(os.environ))
    except ValueError as error:
        context.fail(str(error))
    store = store_at(values["tracking_uri"])
    data, note, named = (
        settings.get(name) if values[name] is None else values[name] for name in ("data", "note", "experiment")
    )
    experiment = stores.experiment_or_default(named, store)
    target = stores.LogTarget(store, experiment, values["offline"])
    more = {"jobs": values["jobs"], "note": note, "keep_going": values["keep_going"], "address": values["address"]}
    more["backend"] = values["backend"] or BACKENDS[0]
    if values["dry_run"]:
        more["may_start"] = lambda: False  # so that no worker process is started for it
    try:
        with open_sweep(plan, None if data is None else Path(data), target, ConsoleReporter(), **more) as opened:
            log(str(opened))
            if values["dry_run"]:
                for task in opened.missing.values():
                    print_result(task.name)
                return 0
            return train_opened(opened, yes=values["yes"])
    except ValueError as error:
        context.fail(str(error))


def train_commands(
    commands: Sequence[Argv], *, jobs: int | None, yes: bool, show: Callable[[str], None] = print_result
) -> int:
    """Train what some ``tracker run`` commands would, each data set's runs as a sweep; return the exit status.

    `show` gets what standard output is for: the ids of the runs.
    """
    from tracker.recording.answering import Trained
    from tracker.recording.answering import train_commands as train

    status = 0

    def followed(opened: Sweep) -> Trained:
        nonlocal status
        log(str(opened))
        status = max(status, train_opened(opened, yes=yes, show=show))
        return Trained()

    train(commands, followed, ConsoleReporter(), jobs=jobs)
    return status


def train_for_answers(look: Callable[[], Report], budget: float, jobs: int | None) -> int:
    """Train what would tell most until the questions are answered or so many seconds are spent; return the status."""
    from tracker.recording.answering import answer_questions, train_commands
    from tracker.recording.reporter import SayOnce

    reporter = SayOnce(ConsoleReporter())  # each round reads the same data

    def train(commands: Sequence[Argv], may_start: Callable[[], bool]) -> Trained:
        return train_commands(commands, follow, reporter, jobs=jobs, may_start=may_start)

    answered = answer_questions(look, train, budget, log, jobs=jobs)
    for line in str(answered).splitlines():
        log(line)
    return 1 if answered.trained.failures else 0


def _plan(values: Mapping[str, Any], given: Mapping[str, Any]) -> SweepPlan:
    """Return what options ask for, given as levels."""
    seeds = levels_of_seed(values["seed"])
    if len(seeds) > 1 and values["seeds"] is not None:
        raise ValueError("give --seeds or several of --seed, not both")
    asked = seeds if len(seeds) > 1 else seeds_of(values["seeds"] or 1, seeds[0])
    configurations = WRITEUP if values["plan"] == _WRITEUP else ({},)
    return SweepPlan(configurations, given, asked, values["folds"], values["final"])


def levels_of_seed(text: str | None) -> tuple[int, ...]:
    """Return the seeds that a text lists; raise ValueError if it isn't one."""
    entry = LOGGED_OPTIONS["seed"]
    return seeds_of([entry.parse(part.strip()) for part in (text or "0").split(",")])


def _read_file(context: typer.Context, file: Path, given: Mapping[str, Any]) -> SweepFile:
    """Read a sweep from a file, which alone decides what is trained; raise ValueError if it can't be one."""
    from tracker.runs.sweep_file import parse_sweep

    flags = {entry.name: entry.flag for entry in RUN_OPTIONS} | {"folds": "--folds"}
    for name in given:
        if name not in _BESIDE_FILE and given[name] not in (None, False):
            flag = flags.get(name, f"--{name.replace('_', '-')}")
            context.fail(f"{flag} cannot be given beside {file}: what is trained stands there")
    try:
        text = read_regular(file).decode("utf-8-sig")  # as some editors begin a text
    except FileNotFoundError:
        context.fail(f"there is no file {file}: give a TOML file, {_WRITEUP} or options")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} isn't text in UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise TrackerError(f"{file} cannot be read ({error.strerror or error}): give a TOML file") from error
    return parse_sweep(text, str(file))
