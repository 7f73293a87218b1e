"""What was measured of one clip's sound, whatever is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np  # elsewhere where it is used, so that help doesn't load it
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """A clip that can be read."""

    seconds: float
    rate: int  # Hz
    channels: int
    clipped: float  # fraction of its frames at full scale
    sound: str  # SHA-256 of its samples in 16 bits, mono, and their rate: the same in any lossless file
    words: NDArray[np.uint32]  # its fingerprint, a word for each of `STEPS_A_SECOND`; 0 where there is nothing to tell


STEPS_A_SECOND = 22_050 / 512


@dataclass(frozen=True, slots=True)
class Unusable:
    """A clip that can't be used, and why."""

    reason: str
    is_silent: bool = False
