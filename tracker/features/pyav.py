"""Audio that libsndfile does not know, such as m4a, webm and wma: decoded by FFmpeg through PyAV, an optional extra.

A missing end shows in what the container declares: its duration, or a packet that cannot be decoded.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import av
import numpy as np
from av.error import FFmpegError

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.container import InputContainer
    from numpy.typing import NDArray

MOST_MISSING = 0.1  # seconds by which containers round or pad their durations

av.logging.set_level(None)  # FFmpeg's own lines go nowhere


def decode_blocks(
    file: IO[bytes], most_samples: Callable[[int], int]
) -> tuple[list[NDArray[np.float32]], int, str | None]:
    """Return an open file's samples in blocks of shape (n_frames, n_channels), their rate in Hz, and what is missing.

    The last is a reason, None if all is there.

    `most_samples` gives how many may be read at a rate.
    """
    blocks: list[NDArray[np.float32]] = []
    rate = count = 0
    declared = fault = None
    try:
        with av.open(file, "r") as container:
            if container.streams.audio:
                declared = _seconds(container)
            else:
                fault = "it has no sound"
            planes = av.AudioResampler(format="fltp")
            for frame in container.decode(audio=0) if not fault else ():
                rate = rate or frame.sample_rate
                for converted in planes.resample(frame):
                    blocks.append(converted.to_ndarray().T.astype(np.float32, copy=False))
                    count += len(blocks[-1])
                if count > most_samples(rate):
                    fault = f"longer than {most_samples(rate):,} samples; cut it into shorter files"
                    break
    except FFmpegError as error:
        fault = f"{'truncated or damaged' if blocks else 'its header is damaged'} ({error.strerror})"
    except ValueError:  # of the resampler
        fault = "its sample rate or number of channels changes midway"
    if not fault and declared and count / rate < declared - MOST_MISSING:
        fault = f"truncated: {count / rate:.1f} of {declared:.1f} s can be decoded"
    return blocks, rate, fault


def _seconds(container: InputContainer) -> float | None:
    """Return how long the sound should be; None if that isn't known."""
    stream = container.streams.audio[0]
    if container.format.name == "aac":  # guessed from its first bit rate
        return None
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if len(container.streams) > 1 or container.duration is None:  # which may be that of a picture
        return None
    return container.duration / av.time_base
