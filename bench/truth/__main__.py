"""Simulate, and print or write what came out."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import bench.truth
from bench.truth.document import Effort, document
from bench.truth.measure import measure
from bench.truth.parts import PARTS

SLOW = 4
"""Of slow experiments, such as those whose intervals are resampled, one is drawn for so many others."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench.truth", description=bench.truth.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=2_000, help="of each setting (default 2000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="the file to write rather than standard output")
    arguments = parser.parse_args()
    effort = Effort(arguments.experiments, max(1, arguments.experiments // SLOW), arguments.seed)
    results = {}
    for name, part in PARTS.items():
        began = time.perf_counter()
        experiments = effort.slow if part.slow else effort.experiments
        results[name] = measure(part.settings, experiments, effort.seed, arguments.processes)
        print(
            f"{name}: {len(part.settings)} settings, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True
        )
    text = document(results, effort)
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
