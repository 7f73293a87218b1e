"""A run's artifacts on this machine, found even where the folder of the store was moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.store.experiment import Fetch

_SERVED = ("mlruns", "mlartifacts")
"""Folders beside the database where MLflow's own server keeps what it is sent, by default."""


def fetch_from(artifact_uri: str, folder: Path) -> Fetch:
    """Return how to read a run's artifacts.

    Parameters
    ----------
    artifact_uri : str
        As the store has it: a path, a ``file:`` or an ``mlflow-artifacts:`` URI that ends in the run's own folders.
    folder : Path
        The folder of the store, in which artifacts are looked for that are not where they were written.

    Returns
    -------
    callable
        Returns the bytes of an artifact by its path, None where the run has none of that name; raises `OSError` where
        they cannot be read.
    """
    found: list[Path | None] = []

    def fetch(path: str) -> bytes | None:
        if not found:
            found.append(find_folder(artifact_uri, folder))
        try:
            return (found[0] / path).read_bytes() if found[0] else None
        except FileNotFoundError:
            return None

    return fetch


def find_folder(artifact_uri: str, folder: Path) -> Path | None:
    """Return where a run's artifacts are, None if nowhere; see `fetch_from`.

    Raises
    ------
    OSError
        If they are not on this machine.
    """
    return next((place for place in _places(artifact_uri, folder) if place.is_dir()), None)


def within(folder: Path, path: str) -> Path | None:
    """Return what is at a path in a folder; None where nothing is, or the path leads out of it."""
    found = (folder / path).resolve()
    return found if found.is_relative_to(folder.resolve()) and found.exists() else None


def written_to(artifact_uri: str) -> Path | None:
    """Return the absolute path on this machine that a URI means; None if it means none."""
    parts = urlsplit(artifact_uri)
    if parts.scheme not in {"", "file"}:
        return None
    path = Path(unquote(parts.path) if parts.scheme else artifact_uri)
    return path if path.is_absolute() else None


def places_below(folder: Path, written: Path) -> Iterator[Path]:
    """List where below a folder may be what was written elsewhere, by ever fewer of its last folders: at least two."""
    steps = written.relative_to(written.anchor).parts
    yield from (folder.joinpath(*steps[i:]) for i in range(len(steps) - 1))


def found_below(folder: Path, written: Path) -> Path | None:
    """Return the folder below another that is what was written elsewhere, moved or copied; None where there is none."""
    there = written.exists()
    places = (place for place in places_below(folder, written) if place.is_dir())
    return next((place for place in places if not (there and place.samefile(written))), None)


def _places(artifact_uri: str, folder: Path) -> Iterator[Path]:
    """List where artifacts may be, the likeliest first; every place ends in the run's own id."""
    parts = urlsplit(artifact_uri)
    if parts.scheme == "mlflow-artifacts":
        yield from (folder / served / unquote(parts.path).lstrip("/") for served in _SERVED)
    elif parts.scheme in {"", "file"}:
        written = Path(unquote(parts.path) if parts.scheme else artifact_uri)
        yield folder / written
        yield from places_below(folder, written)
    else:
        raise OSError(f"the run's artifacts are at {artifact_uri}, and only those on this machine are read")
