"""What one audio file is to a dataset.

Conventions: `Clip.path` is relative to the dataset, POSIX and in Unicode's composed form (NFC), so that it is the same
on every machine; `Clip.file` is where the bytes are.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Part = Literal["train", "validation", "test"]

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, bytes that are no text, and line separators."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file and what is known of it.

    Parameters
    ----------
    path : str
        Its identity: relative to the dataset, POSIX.
    file : Path
    label : str
        Its class.
    group : str or None
        What it shares with other clips and a split must not cut: artist, album, recording, speaker.
    split : {"train", "validation", "test"} or None
        The part that a manifest puts it in.
    fold : int or None, at least 1
        The fold that a manifest holds it out in.
    """

    path: str
    file: Path
    label: str
    group: str | None = None
    split: Part | None = None
    fold: int | None = None

    @property
    def unit(self) -> tuple[str, str]:
        """What a split must keep whole: the clip's group, or the clip itself; the two never share a name."""
        return ("clip", self.path) if self.group is None else ("group", self.group)


def is_printable(text: str) -> bool:
    """Return whether `text` can stand in one line of a table in UTF-8, as names do in predictions and reports."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)
