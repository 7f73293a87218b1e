"""Drawing many experiments of each setting, the same ones whatever the number of processes."""

from __future__ import annotations

import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from bench.truth.shares import Share, Tally, merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.truth.settings import Setting

CHUNK = 100
"""Experiments that one process draws at a time."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of the experiments of a setting."""

    setting: Setting
    tally: Tally


def measure(settings: Sequence[Setting], experiments: int, seed: int, processes: int = 1) -> list[Measured]:
    """Draw experiments of each setting.

    Parameters
    ----------
    settings : sequence of Setting
    experiments : int
        Of each.
    seed : int
        With the setting it decides every experiment.
    processes : int

    Returns
    -------
    list of Measured
        In the order of the settings.
    """
    chunks = [(setting, seed, start, min(start + CHUNK, experiments))
              for setting in settings for start in range(0, experiments, CHUNK)]  # fmt: skip
    if processes == 1:
        tallies = [_chunk(chunk) for chunk in chunks]
    else:
        with ProcessPoolExecutor(processes) as pool:
            tallies = list(_told(pool.map(_chunk, chunks), len(chunks)))
    each = len(chunks) // max(len(settings), 1)
    return [Measured(setting, reduce(merged, tallies[i * each : (i + 1) * each])) for i, setting in enumerate(settings)]


def _chunk(chunk: tuple[Setting, int, int, int]) -> Tally:
    setting, seed, start, stop = chunk
    key = zlib.crc32(repr(setting).encode())
    rngs = (np.random.default_rng([seed, key, number]) for number in range(start, stop))
    counted = (setting.experiment(rng) for rng in rngs)
    return reduce(merged, ({name: Share(int(said), 1) for name, said in one.items()} for one in counted))


def _told(tallies: Iterator[Tally], total: int) -> Iterator[Tally]:
    """Pass tallies on, saying on standard error how far it is."""
    for number, tally in enumerate(tallies, 1):
        if number % 50 == 0 or number == total:
            print(f"\r{number} of {total} chunks", end="\n" if number == total else "", file=sys.stderr, flush=True)
        yield tally
