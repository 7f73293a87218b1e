"""A folder with one sub-folder per genre, as GTZAN is laid out, to clips.

A clip's label is the name of the sub-folder below the dataset that it lies in, however deep. Hidden files and what
archivers leave behind are passed over, and so is all that is not audio.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from tracker.data.clip import Clip, is_audio, is_unreadable_audio
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LAYOUT = "put the clips into one sub-folder per genre, or name them in a CSV manifest (path,label)"

_LEFT_BY_ARCHIVERS = frozenset({"__MACOSX"})


def read_folder(folder: Path) -> list[Clip]:
    """Find the clips of a dataset that is laid out in folders.

    Parameters
    ----------
    folder : Path
        Its sub-folders are the classes.

    Returns
    -------
    list of Clip
        At least one.

    Raises
    ------
    DataError
        If there is no audio, or some of it lies beside the sub-folders or cannot be decoded.
    OSError
        If a folder cannot be read.
    """
    files = list(_files(folder, ()))
    audio = [file for file in files if is_audio(file)]
    _refuse_unreadable([file for file in files if is_unreadable_audio(file)], folder)
    if not audio:
        raise DataError(f"{folder} holds no audio (wav, flac, mp3, ogg, au, …); {LAYOUT}")
    _refuse_unlabelled([file for file in audio if file.parent == folder], len(audio))
    return [_clip(file, folder) for file in audio]


def _files(folder: Path, above: Sequence[Path]) -> Iterator[Path]:
    """Yield every file below `folder`, through symbolic links too but never round in a circle."""
    here = folder.resolve()
    if here in above:
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in _LEFT_BY_ARCHIVERS:
            continue
        if entry.is_dir():
            yield from _files(entry, (*above, here))
        else:
            yield entry


def _refuse_unreadable(files: Sequence[Path], folder: Path) -> None:
    if files:
        raise DataError(
            f"{_first(files)} in {folder}: {files[0].suffix} files cannot be decoded; "
            "convert them to WAV or FLAC, or move them out of the dataset"
        )


def _refuse_unlabelled(files: Sequence[Path], clips: int) -> None:
    if len(files) == clips:
        raise DataError(f"{files[0].parent} holds audio but no sub-folders, so its clips have no labels; {LAYOUT}")
    if files:
        raise DataError(
            f"{_first(files)} in {files[0].parent} beside the sub-folders, so without a label; "
            "move such clips into the sub-folder of their genre, or out of the dataset"
        )


def _first(files: Sequence[Path]) -> str:
    more = f" and {len(files) - 1} more lie" if len(files) > 1 else " lies"
    return f"{files[0].name!r}{more}"


def _clip(file: Path, folder: Path) -> Clip:
    path = unicodedata.normalize("NFC", file.relative_to(folder).as_posix())
    return Clip(path=path, file=file, label=path.split("/")[0])
