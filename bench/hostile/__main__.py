"""Try what strangers may do, and print or write what came of it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import bench.hostile
from bench.hostile.document import failures, section
from bench.hostile.forked import Forker, forking
from bench.hostile.kinds import all_cases
from bench.hostile.place import Base, build_base
from bench.hostile.trial import Trial, attempt
from bench.sections import write_section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.hostile.case import Case


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.hostile", description=bench.hostile.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="KIND", help="try one kind, or several")
    parser.add_argument("--case", action="append", metavar="NAME", help="try one case, or several, and show all output")
    parser.add_argument("--short", action="store_true", help="try a fixed part of the cases, in a minute")
    parser.add_argument("--jobs", type=int, default=2, help="cases that are tried at the same time (default 2)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--base", type=Path, metavar="FOLDER", help="keep the project to start from here, or take it from here"
    )
    parser.add_argument(
        "--forked", action="store_true", help="fork commands from a process that has imported all: faster"
    )
    parser.add_argument(
        "--slow", type=float, default=1.0, metavar="FACTOR", help="give commands more time, on a busy machine"
    )
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--write", type=Path, metavar="FILE", help="replace the section on this in a page of Markdown")
    asked = parser.parse_args()
    cases = _chosen(all_cases(asked.seed), asked)
    if asked.list:
        print("\n".join(case.name for case in cases))
        return 0
    if not cases:
        parser.error("there is no such case: --list prints all names")
    began = time.monotonic()
    trials = _try_all([case for case in cases if not case.skipped], asked)
    skipped = [case for case in cases if case.skipped]
    text = section(trials, skipped, asked.seed)
    if asked.write:
        write_section(asked.write, text)
    else:
        print(text)
    print(failures(trials), end="")
    failed = sum(bool(trial.findings) for trial in trials)
    print(f"{failed} of {len(trials)} cases failed, in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 1 if failed else 0


def _chosen(cases: Sequence[Case], asked: argparse.Namespace) -> list[Case]:
    chosen = [case for case in cases if not asked.only or case.kind in asked.only]
    chosen = [case for case in chosen if not asked.case or case.name in asked.case]
    return [case for case in chosen if case.short or not asked.short]


def _try_all(cases: Sequence[Case], asked: argparse.Namespace) -> list[Trial]:
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="hostile-"))
        pool = stack.enter_context(ThreadPoolExecutor(asked.jobs))
        kept = asked.base or Path(name)
        forkers = SimpleQueue[Forker | None]()
        lent = stack.enter_context(forking(asked.jobs, kept / "cache")) if asked.forked else [None] * asked.jobs
        for forker in lent:
            forkers.put(forker)
        base = _base(kept)
        Path(name).chmod(0o755)  # some commands are run as another user
        trials = []

        def tried(case: Case) -> Trial:
            return _attempt(case, base, Path(name), forkers, asked.slow)

        # Sixteen commands at once take the machine: beside them, another case would seem to hang.
        beside, alone = ([case for case in cases if (case.at_once > 1) is crowd] for crowd in (False, True))
        for trial in chain(pool.map(tried, beside), map(tried, alone)):
            trials.append(trial)
            _tell(trial, is_verbose=bool(asked.case))
        return trials


def _base(folder: Path) -> Base:
    kept = folder / "base.json"
    if kept.exists():
        return Base(folder / "base", **json.loads(kept.read_text()))
    base = build_base(folder)
    kept.write_text(json.dumps({"written": base.written, "runs": base.runs}))
    return base


def _attempt(case: Case, base: Base, folder: Path, forkers: SimpleQueue[Forker | None], slow: float) -> Trial:
    forker = forkers.get()
    try:
        return attempt(case, base, folder, forker, slow)
    except Exception as error:
        error.add_note(f"while {case.name} was tried")
        raise
    finally:
        forkers.put(forker)


def _tell(trial: Trial, *, is_verbose: bool) -> None:
    harms = "; ".join(dict.fromkeys(f"{one.harm}: {one.symptom}" for one in trial.findings)) or "held"
    print(f"{trial.case.name} ({trial.seconds:.1f} s): {harms}", file=sys.stderr, flush=True)
    if is_verbose:
        for outcome in trial.outcomes:
            print(f"$ tracker {' '.join(outcome.words)}\n[{outcome.status}, {outcome.seconds:.1f} s]")
            print(*filter(None, (outcome.out[:4_000], outcome.err[-4_000:])), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
