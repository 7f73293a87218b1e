"""One audio file of a dataset, and which files are audio.

Conventions: `Clip.path` is relative to the dataset, POSIX and in Unicode's composed form (NFC), so that it is the same
on every machine; `Clip.file` is where the bytes are. Audio is recognised by the usual endings of the formats of
libsndfile 1.2 (``soundfile.available_formats()``); other files (covers, notes, lists) are not clips.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Part = Literal["train", "validation", "test"]

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, undecodable bytes and line separators."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file and what is known about it.

    Parameters
    ----------
    path : str
        Its identity: relative to the dataset, POSIX.
    file : Path
    label : str
        Its class.
    group : str or None
        Artist, album, recording or speaker: a split keeps the clips of a group together.
    split : {"train", "validation", "test"} or None
        The part that a manifest assigns it to.
    fold : int or None, at least 1
        The fold in which a manifest holds it out.
    """

    path: str
    file: Path
    label: str
    group: str | None = None
    split: Part | None = None
    fold: int | None = None

    @property
    def unit(self) -> tuple[str, str]:
        """What a split keeps whole: the clip's group, or else the clip itself; the two never have the same name."""
        return ("clip", self.path) if self.group is None else ("group", self.group)


def is_printable(text: str) -> bool:
    """Return whether `text` fits in one line of a UTF-8 table, as names do in predictions and reports."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


READABLE = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp3 .oga .ogg .opus .rf64 .snd .sph .w64 .wav .wave".split()  # noqa: SIM905 - a list of 16 quoted words reads worse
)
UNREADABLE = frozenset(".aac .alac .ape .m4a .mka .mp4 .ra .webm .wma .wv".split())  # noqa: SIM905 - as above
"""Audio that libsndfile cannot decode: silently skipped, it would be missing from the dataset."""


def is_audio(file: Path) -> bool:
    """Return whether `file` has the ending of audio that can be decoded."""
    return file.suffix.lower() in READABLE


def is_unreadable_audio(file: Path) -> bool:
    """Return whether `file` has the ending of audio that cannot be decoded."""
    return file.suffix.lower() in UNREADABLE
