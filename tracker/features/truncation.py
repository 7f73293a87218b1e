"""How a file shows that its end is missing; each format does it in another way.

Tried with files cut at 99.9, 90, 50, 5 and 0.2 % of their bytes, decoded by libsndfile 1.2:

- wav, au: decoding ends early without an error; the log of the opening says how many bytes the header declares.
- flac: decoding raises.
- mp3: fewer samples are decoded than declared. Only a file whose first frame is a "Xing" or "Info" tag declares its
  length; for others libsndfile guesses from the first bit rate and the size, off by a factor of three where the rate
  varies, so that a cut cannot be told.
- ogg: decoding ends early without an error; the last page is incomplete or does not have its end-of-stream bit.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

    import soundfile

STREAMED_BYTES = 0x7FFF_0000
"""Sizes from here on are declared by programs that write to a pipe and cannot know the size: nothing is missing."""

OGG_PAGE_BYTES = 65_307
"""The largest page of an ogg stream: header, 255 lengths and as many segments of 255 bytes."""

_OGG_PAGE = b"OggS\0"
_DECLARED = re.compile(r"^ *data(?: size)? *: (\d+) \(should be (\d+)\)", re.MULTILINE | re.IGNORECASE)


def missing_end(file: Path, sound: soundfile.SoundFile) -> str | None:
    """Say what is missing at the end of a file, as far as that shows before it is decoded.

    Parameters
    ----------
    file : Path
    sound : soundfile.SoundFile
        The same file, opened.

    Returns
    -------
    str or None
        ``"80 of 90 bytes of sound are there"``, or None where nothing is missing.
    """
    if sound.format == "OGG":
        return None if _ogg_ends(file) else "its last page is not there"
    declared = _DECLARED.search(sound.extra_info)
    if declared and int(declared[2]) < int(declared[1]) < STREAMED_BYTES:
        return f"{declared[2]} of {declared[1]} bytes of sound are there"
    return None


def declares_length(file: Path, sound: soundfile.SoundFile) -> bool:
    """Whether the number of samples that an opened file announces is declared in it rather than guessed."""
    return sound.format != "MP3" or _mp3_is_tagged(file)


def _ogg_ends(file: Path) -> bool:
    """Whether the last page of an ogg file is whole and ends its stream."""
    with file.open("rb") as raw:
        raw.seek(-min(file.stat().st_size, 2 * OGG_PAGE_BYTES), os.SEEK_END)
        tail = raw.read()
    page = tail[tail.rfind(_OGG_PAGE) :]
    if len(page) < 27:
        return False
    ends_stream, lengths = page[5] & 4, page[27 : 27 + page[26]]
    return bool(ends_stream) and len(page) >= 27 + page[26] + sum(lengths)


def _mp3_is_tagged(file: Path) -> bool:
    """Whether the first frame of an mp3 file declares its length."""
    with file.open("rb") as raw:
        raw.seek(_id3_bytes(raw))
        frame = raw.read(64)
    return b"Xing" in frame or b"Info" in frame


def _id3_bytes(raw: BinaryIO) -> int:
    """Return the length of the ID3v2 tag that a file begins with, or 0."""
    head = raw.read(10)
    if not head.startswith(b"ID3") or len(head) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
