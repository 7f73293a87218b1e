"""What was measured of one clip's sound, whatever is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Measures:
    """A clip that can be read."""

    seconds: float
    rate: int  # Hz
    channels: int
    clipped: float  # fraction of its frames at full scale
    sound: str  # SHA-256 of its samples in 16 bits, mono, and their rate: the same in any lossless file


class Fault(StrEnum):
    """What keeps a clip from being used."""

    UNREADABLE = "unreadable"
    SILENT = "silent"
    NAME = "name"  # which no line of a table can hold


@dataclass(frozen=True, slots=True)
class Unusable:
    """A clip that can't be used, and why."""

    reason: str
    fault: Fault = Fault.UNREADABLE
