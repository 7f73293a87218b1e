"""Data sets by the name that a library of loaders knows them under: ``mirdata:gtzan_genre``, ``soundata:esc50``.

The audio is a local copy, which the library downloads and checks; nothing is downloaded here. A library's loaders name
what they know of a clip each in its own way, so the attributes of a clip that are its label, group, part and fold are
the first of the usual names, or those that are said.

References
----------
mirdata: doi:10.5334/tismir.186; soundata: doi:10.21105/joss.06634.
"""

from __future__ import annotations

import os
import unicodedata
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.data.dataset import Clip, Dataset
from tracker.data.manifest import folds_from_1, parts_of
from tracker.errors import DataError
from tracker.runs import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracker.runs import DataPlan

_USUAL = {
    "label": ("genre", "category", "class_label", "label", "emotion", "instrument", "instrument_id"),
    "group": ("artist", "artist_id", "src_file", "freesound_id", "speaker", "speaker_id", "performer", "actor"),
    "split": ("split", "subset"),
    "fold": ("fold",),
}


def read_library(name: str, plan: DataPlan) -> Dataset:
    """Return the local copy of a data set that a library knows, in `DataPlan.audio_root` or the library's own place.

    Raises
    ------
    DataError
        If the library or the data set is not there, or its clips have no label.
    """
    library, _, called = name.partition(":")
    try:
        loader = import_module(library).initialize(called, data_home=plan.audio_root)
    except ImportError as error:
        raise DataError(f"{name} needs {library}: pip install 'tracker-report[{library}]'") from error
    except ValueError as error:
        raise DataError(f"{library} knows no data set {called}; see {library}.list_datasets()") from error
    try:
        clips = loader.load_tracks() if library == LIBRARIES[0] else loader.load_clips()
        return clips_of(name, clips.values(), Path(loader.data_home), plan)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(name, loader.data_home, plan) from error
    except (OSError, LookupError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(
            f"{library} can't load the copy of {called} in {loader.data_home} ({what}); check it with "
            f"{library}.initialize('{called}').validate()"
        ) from error


def clips_of(name: str, loaded: Iterable[Any], home: Path, plan: DataPlan) -> Dataset:
    """Return the clips that a library's loader knows and that are there; raise `DataError` if none can be used."""
    rows: dict[str, tuple[Path, Mapping[str, str]]] = {}
    absent, names = 0, plan.column_names
    for clip in loaded:
        file = Path(str(clip.audio_path))
        if not file.is_file():
            absent += 1
            continue
        path = unicodedata.normalize("NFC", Path(os.path.relpath(file, home)).as_posix())
        rows[path] = file, {column: _text(clip, names, column) for column in _USUAL}
    if not rows:
        raise _missing(name, home, plan)
    unlabelled = sum(not row["label"] for _, row in rows.values())
    if unlabelled == len(rows):
        raise DataError(
            f"the clips of {name} have no {names.get('label') or 'label under a usual name'}; say which attribute is "
            "the label with --columns label=NAME"
        )
    parts = parts_of({row["split"].lower() for _, row in rows.values()})
    folds = folds_from_1({path: row["fold"] for path, (_, row) in rows.items()})
    clips = tuple(
        Clip(path, file, row["label"], row["group"] or None, parts.get(row["split"].lower()), folds.get(path))
        for path, (file, row) in rows.items()
        if row["label"]
    )
    notes = [f"{home} lacks {absent:,} of the clips that {name} lists"] if absent else []
    notes += [f"left out {unlabelled:,} of {len(rows):,} clips of {name}, without a label"] if unlabelled else []
    return Dataset(clips, name, names.get("group", "group"), tuple(notes), home)


def _text(clip: Any, names: Mapping[str, str], column: str) -> str:
    """Return what a clip has for a column, as text; empty for nothing."""
    for attribute in (names[column],) if column in names else _USUAL[column]:
        value = getattr(clip, attribute, None)
        if value is not None and not callable(value):
            return unicodedata.normalize("NFC", " ".join(str(value).split()))
    if column == "label" and column not in names:
        labels: list[str] = getattr(getattr(clip, "tags", None), "labels", None) or []
        return " ".join(map(str, labels)) if len(labels) == 1 else ""
    return ""


def _missing(name: str, home: object, plan: DataPlan) -> DataError:
    library, _, called = name.partition(":")
    given = f", data_home={str(home)!r}" if plan.audio_root else ""
    return DataError(
        f'there is no copy of {name} in {home}; download it with `python -c "import {library}; '
        f"{library}.initialize('{called}'{given}).download()\"`, or give its folder with --audio-root"
    )
