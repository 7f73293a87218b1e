"""``tracker data``: the built-in demo set as files."""

from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.app import SETTINGS, Command, Group, app, examples
from tracker.cli.console import ConsoleReporter, print_result
from tracker.cli.options import length, whole_number

_EXAMPLES = examples("tracker data demo genres", "tracker run --data genres/manifest.csv")

data_app = typer.Typer(cls=Group, context_settings=SETTINGS, rich_markup_mode=None)
app.add_typer(data_app, name="data")


@data_app.callback(invoke_without_command=True, epilog=_EXAMPLES)
def data(context: typer.Context) -> None:
    """Write the demo set."""
    if context.invoked_subcommand is None:
        print_result(context.get_help())


@data_app.command(cls=Command, epilog=_EXAMPLES, short_help="Write the built-in demo set as audio files.")
def demo(
    *,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write to.")],
    artists: Annotated[int, whole_number("Artists per genre", 2)] = 10,
    clips: Annotated[int, whole_number("Clips per artist", 1)] = 3,
    seconds: Annotated[float, length("Length of a clip", 1, 600)] = 30.0,
    seed: Annotated[int, whole_number("Seed of the whole set", 0)] = 0,
) -> None:
    """Write the built-in, synthetic demo set to a folder as audio files; prints the path of its manifest."""
    from tracker.data.demo import DemoSettings, write_demo

    with ConsoleReporter().progress("making the demo set", None) as progress:
        manifest = write_demo(folder, DemoSettings(artists, clips, seconds, seed), progress)
    print_result(str(manifest))
