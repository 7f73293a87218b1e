"""Try what may go wrong, and print or write what came of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

import bench.faults
from bench.at_once import first_opens
from bench.faults.document import Effort, Results, document, missed_aims
from bench.faults.kills import kill_runs
from bench.faults.server import Sent, server_deaths
from bench.sections import write_section


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.faults", description=bench.faults.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--server-deaths", type=int, default=20)
    parser.add_argument("--opens", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2, help="runs that are trained at the same time (default 2)")
    parser.add_argument("--write", type=Path, help="the page whose section is replaced; default: standard output")
    asked = parser.parse_args()
    effort = Effort(asked.kills, asked.server_deaths, asked.opens, asked.seed)
    results = _results(effort, asked.processes)
    text = document(results, effort)
    if asked.write:
        write_section(asked.write, text)
    else:
        print(text, end="")
    print(f"{results.wrong} fault{'' if results.wrong == 1 else 's'}", file=sys.stderr)
    missed = missed_aims(results.survived)
    for aim in missed:
        print(f"no kill was {aim}", file=sys.stderr)
    return 1 if results.wrong or missed else 0


def _results(effort: Effort, processes: int) -> Results:
    """Try the parts in an order in which nothing that runs threads is forked later."""
    with tempfile.TemporaryDirectory() as folder:
        survived = kill_runs(Path(folder), effort.kills, effort.seed, processes) if effort.kills else ()
    broken = sum(_opens_broken() for _ in range(effort.opens))
    return Results(survived, _sent(effort), broken)


def _opens_broken() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return bool(first_opens(Path(folder)))


def _sent(effort: Effort) -> Sent | None:
    if not effort.server_deaths:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return server_deaths(Path(folder), effort.server_deaths, np.random.default_rng(effort.seed))


if __name__ == "__main__":
    sys.exit(main())
