"""``tracker run``: train one configuration under one seed or several, each a run of its own."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracker.cli.console import ConsoleReporter, say, warn
from tracker.cli.options import FoldType, PlateauType, store_options
from tracker.cli.suggested_commands import named_store

if TYPE_CHECKING:
    from tracker.runs import Configuration, Fold, Keep, OptionValue, Plateau
    from tracker.training.networks import NetworkOption

_EXAMPLES = """
\b
Examples:
  tracker run --kernel 7 --plateau 0.3,10
  tracker run --data genres/ --kernel 3 --lr 1e-3 --early-stop 20 --seeds 3
  tracker run --data manifest.csv --segment 0.5 --dropout 0.4
  tracker run --lr 1e-2 --offline --keep-going

"""

_LONGEST_NOTE = 7_000
"""Characters: MLflow keeps 8,000 of a description, and what came out is added to the note."""


class _RunCommand(click.Command):
    """Lists the networks' own options after those that every run has."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from tracker.training.networks import network_names, network_options

        super().format_options(ctx, formatter)
        for name in network_names():
            rows = [(_flag(option), _explained(option)) for option in network_options(name)]
            with formatter.section(f"Options of --model {name}"):
                formatter.write_dl(rows)


def _flag(option: NetworkOption) -> str:
    return f"--{option.name.replace('_', '-')} {option.type.__name__.upper()}"


def _explained(option: NetworkOption) -> str:
    return f"{option.help}  [default: {option.default}]"


@click.command(
    cls=_RunCommand, epilog=_EXAMPLES, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="TRACKER_DATA",
    metavar="PATH",
    help="A folder with one sub-folder of audio per class, or a CSV manifest with the columns path,label and "
    "optionally group,split,fold.  [default: the built-in demo set; environment: TRACKER_DATA]",
)
@click.option("--kernel", type=int, default=3, show_default=True, help="Kernel size of the convolutions, at least 1.")
@click.option("--lr", type=float, default=1e-3, show_default=True, help="Learning rate of Adam, above 0.")
@click.option(
    "--plateau",
    type=PlateauType(),
    help="Multiply the learning rate by FACTOR (between 0 and 1) after PATIENCE epochs without a lower validation "
    "loss.  [default: off]",
)
@click.option(
    "--early-stop",
    type=int,
    metavar="PATIENCE",
    help="Stop after PATIENCE epochs (at least 1) without a lower validation loss.  [default: off]",
)
@click.option("--epochs", type=int, default=60, show_default=True, help="Most epochs to train, at least 1.")
@click.option("--batch-size", type=int, default=32, show_default=True, help="Segments in a batch, at least 1.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the training, 0 or above.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Train under N seeds in a row, from --seed on, each a run of its own.",
)
@click.option("--split-seed", type=int, default=0, show_default=True, help="Seed of the split, 0 or above.")
@click.option(
    "--validation-fraction", type=float, default=0.2, show_default=True, help="Share of clips to validate on, 0 to 1."
)
@click.option(
    "--test-fraction",
    type=float,
    default=0.0,
    show_default=True,
    help="Share of clips to set aside, 0 to 1; run never looks at them.",
)
@click.option(
    "--fold", type=FoldType(), help="Validate on part K of N instead of a validation fraction.  [default: off]"
)
@click.option(
    "--keep",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Whose weights are kept: those of the epoch with the lowest validation loss, or the last.",
)
@click.option(
    "--segment",
    type=float,
    default=3.0,
    show_default=True,
    metavar="SECONDS",
    help="Length of the windows that clips are cut into, above 0.",
)
@click.option("--model", default="cnn", show_default=True, metavar="NAME", help="The network: a module in models/.")
@click.option("--name", metavar="TEXT", help="The run's name.  [default: its configuration in short]")
@click.option("--note", metavar="TEXT", help="Your own words on the run, in Markdown; the report prints them.")
@click.option(
    "--reuse",
    is_flag=True,
    help="Train nothing where a finished run has the same configuration, seed, data and version: print its id.",
)
@click.option(
    "--offline", is_flag=True, help="Leave the store alone: the run is kept beside it until `tracker sync` sends it."
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Go on when the loss is no longer a number, instead of ending the run as failed; such epochs are never kept.",
)
@store_options
@click.pass_context
def run(
    context: click.Context,
    *,
    data: Path | None,
    kernel: int,
    lr: float,
    plateau: Plateau | None,
    early_stop: int | None,
    epochs: int,
    batch_size: int,
    seed: int,
    seeds: int,
    split_seed: int,
    validation_fraction: float,
    test_fraction: float,
    fold: Fold | None,
    keep: Keep,
    segment: float,
    model: str,
    name: str | None,
    note: str | None,
    reuse: bool,
    offline: bool,
    keep_going: bool,
    experiment: str,
    tracking_uri: str | None,
) -> None:
    """Train one configuration and log it; prints the run's id."""
    from tracker.runs import Configuration, RunPlan, SplitPlan

    if note and len(note) > _LONGEST_NOTE:
        raise click.UsageError(f"--note must be at most {_LONGEST_NOTE} characters, got {len(note)}", context)
    try:
        configuration = Configuration(
            model=model,
            kernel_size=kernel,
            learning_rate=lr,
            plateau=plateau,
            early_stopping_patience=early_stop,
            epochs=epochs,
            batch_size=batch_size,
            keep=keep,
            segment_s=segment,
            options=_network_options(context, model),
        )
        split = SplitPlan(split_seed, validation_fraction, test_fraction, fold)
        plans = tuple(RunPlan(configuration, seed + i, split) for i in range(seeds))
    except ValueError as error:
        raise click.UsageError(str(error), context) from error
    _warn_of_idle_callbacks(configuration)

    from tracker.recording.locations import LogTarget, find_store
    from tracker.recording.train import TrainingRequest, train_plans

    target = LogTarget.at(find_store(tracking_uri), experiment, offline=offline, named_store=named_store())
    request = TrainingRequest(plans, data, target, name, note, reuse, keep_going)
    for run_id in train_plans(request, ConsoleReporter()):
        say(run_id)


def _network_options(context: click.Context, model: str) -> tuple[tuple[str, OptionValue], ...]:
    """Read what is left of the command line as options of the network."""
    from tracker.training.networks import network_options, parse_options

    given = dict(_pairs(context))
    for name in sorted(given.keys() - {option.name for option in network_options(model)}):
        meant = difflib.get_close_matches(name, _own_options(context), n=1)
        if meant:
            raise click.NoSuchOption(f"--{name}", possibilities=[f"--{meant[0]}"], ctx=context)
    return parse_options(model, given)


def _pairs(context: click.Context) -> list[tuple[str, str]]:
    """Return (name, value) of every unknown ``--name value`` or ``--name=value``."""
    words, pairs = list(context.args), []
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            raise click.UsageError(f"unexpected argument {word!r}: every option starts with --", context)
        name, equals, value = word[2:].partition("=")
        if not equals and (not words or words[0].startswith("--")):
            raise click.UsageError(f"option {word} needs a value", context)
        pairs.append((name.replace("-", "_"), value if equals else words.pop(0)))
    return pairs


def _own_options(context: click.Context) -> list[str]:
    return [option.removeprefix("--") for param in context.command.params for option in param.opts]


def _warn_of_idle_callbacks(configuration: Configuration) -> None:
    """Warn where early stopping comes before the plateau can."""
    plateau, stop = configuration.plateau, configuration.early_stopping_patience
    if plateau and stop is not None and stop <= plateau.patience:
        warn(
            f"--early-stop {stop} is not longer than the plateau's patience of {plateau.patience}: the run ends before "
            f"a lower learning rate can be used; try --early-stop {plateau.patience + 5}"
        )
