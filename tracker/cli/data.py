"""``tracker data``: the built-in demo set as files."""

from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.app import SETTINGS, Command, Group, app
from tracker.cli.console import say

_EXAMPLES = """
\b
Example:
  tracker data demo genres
  tracker run --data genres/manifest.csv
"""


data_app = typer.Typer(cls=Group, context_settings=SETTINGS, rich_markup_mode=None)
app.add_typer(data_app, name="data")


@data_app.callback(invoke_without_command=True, epilog=_EXAMPLES)
def data(context: typer.Context) -> None:
    """Make and look at datasets."""
    if context.invoked_subcommand is None:
        say(context.get_help())


@data_app.command(cls=Command, epilog=_EXAMPLES)
def demo(
    *,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it.")],
    artists: Annotated[int, typer.Option(min=2, metavar="INT", help="Artists of each genre.")] = 10,
    clips: Annotated[int, typer.Option(min=1, metavar="INT", help="Clips of each artist.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, max=600, metavar="FLOAT", help="Length of a clip.")] = 30.0,
    seed: Annotated[int, typer.Option(min=0, metavar="INT", help="Seed of the whole set.")] = 0,
) -> None:
    """Write the synthetic demo set to FOLDER as audio files; prints the path of its manifest."""
    from tracker.cli.console import counting
    from tracker.data.demo import write_demo

    with counting("making the demo set", None) as progress:
        manifest = write_demo(folder, artists=artists, clips=clips, seconds=seconds, seed=seed, progress=progress)
    say(str(manifest))
