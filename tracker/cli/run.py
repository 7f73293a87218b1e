"""``tracker run``: train one configuration under one seed or several; ``tracker data``: write data to train on.

The options of `run` are made from the table of options (`tracker.runs.RUN_OPTIONS`) and from the signature of the
network that the command line names, so they are made when `run` is called, not when the program starts.
"""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.main

from tracker.cli.app import Command, app, examples
from tracker.cli.console import ConsoleReporter, log, print_result
from tracker.cli.followed import train_opened
from tracker.cli.options import JOBS, from_table, parsed_by, store_at, whole_number
from tracker.errors import TrackerError
from tracker.runs import LOGGED_OPTIONS, RUN_OPTIONS, Configuration, Panel, plan_with, plans_under
from tracker.runs.sweeps import levels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from typer._click import Context

    from tracker.recording.stores import LogTarget
    from tracker.runs import OptionValue, RunOption, RunPlan
    from tracker.training.networks import NetworkOption

_EXAMPLES = examples(
    "tracker run --kernel 7 --plateau 0.3,10",
    "tracker run --data genres/ --kernel 3 --lr 1e-3 --early-stop 20 --seeds 3",
    "tracker run --data manifest.csv --segment 0.5 --dropout 0.4",
    "tracker run --lr 1e-2 --offline --keep-going",
)

_JOBS = whole_number(
    "Train so many of the --seeds at once, as a sweep: those that are there already are not repeated",
    JOBS,
    default="1",
    panel=Panel.TRAINING.value,
)
_LONGEST_NOTE = 7_000  # characters: MLflow keeps 8,000 of a description, and the note is followed by a summary
_OTHER_NETWORKS = "Other networks, explained by --model NAME --help"
_NETWORK = "network_"  # prefix of the parameters of a network's options, so that none can hide one of `run`


class RunCommand(Command):
    """Takes the options of `run` and those of the networks that the command line names."""

    def of_networks(self, models: Sequence[str], options: Sequence[NetworkOption] = ()) -> CommandOfNetworks:
        """Return `run` with the options of a network."""
        return _command(models, options)

    def make_context(self, info_name: str | None, args: list[str], parent: Context | None = None, **extra: Any) -> Any:
        """Parse a command line by the options of its network."""
        from tracker.training.networks import network_options, of_network

        lenient = {"resilient_parsing": True, "ignore_unknown_options": True, "allow_extra_args": True}
        probe = self.of_networks([]).make_context(info_name, list(args), parent, **extra | lenient)
        given = probe.params["model"]
        if given == "":
            probe.fail("--model is empty")
        models = [Configuration().model] if given is None else [given] if isinstance(given, str) else given
        try:
            options = {option.name: option for model in models for option in network_options(model)}
            command = self.of_networks(models, [*options.values()])
            lacked = frozenset[str].intersection(*(of_network(model, ()).lacked for model in models))
        except (ValueError, TrackerError) as error:
            if parent and parent.resilient_parsing:  # a line that is being completed
                return probe
            if isinstance(error, TrackerError):
                raise
            probe.fail(str(error))
        for param in command.params:
            param.hidden = param.name in lacked  # type: ignore[attr-defined]  # from help: given, it is refused in words
        return command.make_context(info_name, _with_truth(args, options.values()), parent, **extra)


def _with_truth(args: Sequence[str], options: Iterable[NetworkOption]) -> list[str]:
    """Return a command line in which a network's switch that stands alone, such as ``--fine-tune``, is true."""
    switches = {flag_of(option) for option in options if option.type is bool}
    following = [*args[1:], "-"]
    pairs = zip(args, following, strict=False)  # there may be no arguments at all
    return [f"{arg}=true" if arg in switches and after.startswith("-") else arg for arg, after in pairs]


@app.command(cls=RunCommand, epilog=_EXAMPLES)
def run() -> None:
    """Train one configuration and log it; prints the run's id."""


class CommandOfNetworks(Command):
    """A command with the options of some networks."""

    models: tuple[str, ...] = ()

    def aliases(self, context: Context) -> dict[str, list[str]]:
        """Return the options by all names that the table knows them by, such as the params of a run."""
        flags = super().aliases(context)
        for entry in RUN_OPTIONS:
            for name in sorted(entry.spellings):
                flags[name] = [*flags.get(name, ()), entry.flag]
        return flags

    def hint(self, context: Context, flag: str) -> str:
        """Return which other network has an unknown option, else a guess at it."""
        from tracker.training.networks import network_names, network_options

        for name in network_names():
            if flag in map(flag_of, network_options(name)):
                return f"; it is an option of --model {name}"
        return super().hint(context, flag)

    def panels(self, ctx: Context) -> dict[str, dict[str, str]]:
        """Return the sections of the help, among them the names of the other networks and their options."""
        from tracker.training.networks import network_names, network_options

        others = {
            f"--model {name}": ", ".join(f"{flag_of(option)} {metavar_of(option)}" for option in network_options(name))
            for name in sorted(set(network_names()) - {*self.models})
        }
        named = {name: options or "no options of its own" for name, options in others.items()}
        return super().panels(ctx) | ({_OTHER_NETWORKS: named} if named else {})


def _command(models: Sequence[str], network_options: Sequence[NetworkOption] = ()) -> CommandOfNetworks:
    """Return `run` with the options of a network."""

    def train(context: typer.Context, **values: Any) -> int:
        own = tuple((option.name, values[_NETWORK + option.name]) for option in network_options)
        return _train(context, values, own)

    panels = list(Panel)
    in_order = sorted(RUN_OPTIONS, key=lambda entry: (panels.index(entry.panel), entry.name != "data"))
    logging = [entry for entry in in_order if entry.panel is Panel.LOGGING]
    parameters = [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *(_parameter(entry) for entry in in_order if entry not in logging),
        *(_network_parameter(models, option) for option in network_options),
        inspect.Parameter("jobs", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Any, _JOBS]),
        *map(_parameter, logging),
    ]
    train.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    train.__annotations__ = {}
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command("run", cls=CommandOfNetworks, epilog=_EXAMPLES, help=run.__doc__)(train)
    command = typer.main.get_command(single)
    assert isinstance(command, CommandOfNetworks)  # noqa: S101  (as `cls` says)
    command.models = tuple(models)
    return command


def _parameter(entry: RunOption) -> inspect.Parameter:
    """Return an option of the table as a parameter that Typer reads."""
    kind, shown = bool if entry.type is bool else Any, from_table(entry, parse=partial(_one_value, entry))
    return inspect.Parameter(
        entry.name, inspect.Parameter.KEYWORD_ONLY, default=entry.default, annotation=Annotated[kind, shown]
    )


def _one_value(entry: RunOption, text: str) -> Any:
    """Return the value of an option; of several, each of which it could have, the error names what trains all."""
    try:
        return entry.parse(text)
    except ValueError as error:
        with suppress(ValueError):
            if entry.name in LOGGED_OPTIONS and len(levels_of(entry.name, text)) > 1:
                sweep = f"`tracker sweep {entry.flag} {text}`"
                raise typer.BadParameter(f"{error}; {sweep} trains a run for each") from error
        raise


def _network_parameter(models: Sequence[str], option: NetworkOption) -> inspect.Parameter:
    names = {"metavar": metavar_of(option), "help": option.help, "rich_help_panel": title_of(", ".join(models))}
    shown = Annotated[Any, typer.Option(flag_of(option), parser=parsed_by(option.parse), **names)]
    name, default = _NETWORK + option.name, option.default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=shown)


def flag_of(option: NetworkOption) -> str:
    """Return the flag of a network's option."""
    return f"--{option.name.replace('_', '-')}"


def metavar_of(option: NetworkOption) -> str:
    """Return what stands for its value in help."""
    return option.type.__name__.upper()


def title_of(model: str) -> str:
    """Return the heading of a network's options."""
    return f"Options of --model {model}"


def _train(context: typer.Context, values: Mapping[str, Any], own: tuple[tuple[str, OptionValue], ...]) -> int:
    """Train the plans that a command line describes."""
    from tracker.training.networks import of_network

    note = values["note"]
    if note and len(note) > _LONGEST_NOTE:
        context.fail(f"--note must be at most {_LONGEST_NOTE} characters, got {len(note)}")
    try:
        plans = plans_under(plan_with(values, of_network(values["model"], own)), values["seeds"])
    except ValueError as error:
        context.fail(str(error))

    from tracker.recording import stores
    from tracker.recording.train import train_plans
    from tracker.training.pretrained import prepare_weights

    data = None if values["data"] is None else Path(values["data"])
    store = store_at(values["tracking_uri"])
    experiment = stores.experiment_or_default(values["experiment"], store)
    target = stores.LogTarget(store, experiment, values["offline"])
    weights = None if values["weights"] is None else Path(values["weights"])
    if values["jobs"] is not None and len(plans) > 1:
        prepare_weights(plans[0].configuration.model, weights, log)
        return _train_at_once(plans, data, target, values)
    rest = {name: values[name] for name in ("name", "note", "reuse", "final", "keep_going")}
    for run_id in train_plans(plans, data, target, ConsoleReporter(), weights=weights, **rest):
        print_result(_outcome(target, run_id) if sys.stdout.isatty() else run_id)
    if sys.stdout.isatty():
        print_result(f"Next: {_next(target)}")
    return 0


def _train_at_once(plans: Sequence[RunPlan], data: Path | None, target: LogTarget, values: Mapping[str, Any]) -> int:
    """Train several seeds as a sweep does, in processes of their own."""
    from tracker.recording.sweep import open_sweep
    from tracker.runs.sweeps import RunList

    more: dict[str, Any] = {name: values[name] for name in ("jobs", "name", "note", "keep_going")}
    with open_sweep(RunList(tuple(plans), is_final=values["final"]), data, target, ConsoleReporter(), **more) as opened:
        log(str(opened))
        return train_opened(opened, yes=True)


def _outcome(target: LogTarget, run_id: str) -> str:
    """Return a run's id and result in a line; its id alone if it can't be read back."""
    from tracker.recording.stores import load_runs
    from tracker.render import render_outcome
    from tracker.report.build import report_study, run_entry
    from tracker.runs.logged import SHORT_ID

    try:
        run = load_runs(target.store, target.experiment, by_epoch=0, results_of={run_id}).find(run_id)
    except TrackerError:
        return run_id
    study, _ = report_study([run])
    result = f": {render_outcome(run_entry(study, 0))}" if study.results else ""
    return f"Run {run_id[:SHORT_ID]} ({run.name}){result}"


def _next(target: LogTarget) -> str:
    """Return the command that compares a run with the others of its experiment."""
    from tracker.recording.stores import command_on, where_from

    is_default = target.experiment == where_from(target.store).experiment
    named = [] if is_default else ["--experiment", target.experiment]
    return command_on(target.store, Path.cwd(), "report", "--output", "report.html", *named)
