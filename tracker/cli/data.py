"""``tracker data``: the built-in demo set as files."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.cli.console import say

_EXAMPLES = """
\b
Example:
  tracker data demo genres
  tracker run --data genres/manifest.csv
"""


@click.group()
def data() -> None:
    """Make and look at datasets."""


@data.command(epilog=_EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--artists", type=click.IntRange(min=2), default=10, show_default=True, help="Artists of each genre.")
@click.option("--clips", type=click.IntRange(min=1), default=3, show_default=True, help="Clips of each artist.")
@click.option(
    "--seconds", type=click.FloatRange(min=1, max=600), default=30.0, show_default=True, help="Length of a clip."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the whole set.")
def demo(folder: Path, artists: int, clips: int, seconds: float, seed: int) -> None:
    """Write the synthetic demo set to FOLDER as audio files; prints the path of its manifest."""
    from tracker.cli.console import counting
    from tracker.data.demo import write_demo

    with counting("making the demo set", None) as progress:
        manifest = write_demo(folder, artists=artists, clips=clips, seconds=seconds, seed=seed, progress=progress)
    say(str(manifest))
