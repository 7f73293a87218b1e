"""Which files are audio, by their ending.

Source: the formats of libsndfile 1.2 (``soundfile.available_formats()``) by the endings that are usual for music and
speech; a dataset's other files (covers, notes, lists) are none of its clips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

READABLE = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp3 .oga .ogg .opus .rf64 .snd .sph .w64 .wav .wave".split()  # noqa: SIM905 - a list of 16 quoted words reads worse
)
UNREADABLE = frozenset(".aac .alac .ape .m4a .mka .mp4 .ra .webm .wma .wv".split())  # noqa: SIM905 - as above
"""Audio that libsndfile cannot decode: left out unsaid, it would go missing from the dataset."""


def is_audio(file: Path) -> bool:
    """Return whether `file` has the ending of audio that can be decoded."""
    return file.suffix.lower() in READABLE


def is_unreadable_audio(file: Path) -> bool:
    """Return whether `file` has the ending of audio that cannot be decoded."""
    return file.suffix.lower() in UNREADABLE
