"""What each process of a sweep does when, seen from outside: clock, processor, and how long it waits for another.

The processes below one are looked at ten times a second; what a worker does at that moment is told by its runs'
journals. A process waits if none of its threads is running or ready to: on a machine that is busy with something else
clocks say little, but waits and processor seconds still say where a sweep loses time.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracker.journal.reader import journals
from tracker.runs.events import EpochDone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LOOK_S = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")
_BUSY = {"R", "D"}
_LEAST_S = 0.3  # of processor time: what has less is not worth a row
_LETTERS = {"loading": "l", "first epoch": "c", "epochs": "e", "saving": "s", "between runs": "b", "after": "a"}
_LETTERS |= {"before": "p", "runs": "r"}
PER_LETTER_S = 1.0


class _Look(NamedTuple):
    time: float  # since 1970
    processor: float  # seconds so far
    is_busy: bool


class Spent(NamedTuple):
    """Seconds in a phase."""

    clock: float
    processor: float
    waiting: float


class Watch:
    """Looks at a process and those below it until it is closed."""

    def __init__(self, root: int) -> None:
        self._root = root
        self.looks: dict[int, list[_Look]] = defaultdict(list)
        self.born: dict[int, float] = {}
        self.names: dict[int, str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(_LOOK_S):
            known = {self._root}
            for pid in sorted(int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit()):
                with suppress(OSError, ValueError, IndexError):
                    fields = _stat(Path(f"/proc/{pid}/stat"))
                    if pid in known or int(fields[1]) in known:
                        known.add(pid)
                        self._look(pid, fields)

    def _look(self, pid: int, fields: Sequence[str]) -> None:
        if pid not in self.born:
            self.born[pid] = time.time() - (_uptime() - int(fields[19]) / _TICKS)
            self.names[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        is_busy = any(_stat(task / "stat")[0] in _BUSY for task in Path(f"/proc/{pid}/task").iterdir())
        self.looks[pid].append(_Look(time.time(), (int(fields[11]) + int(fields[12])) / _TICKS, is_busy))


def _stat(path: Path) -> list[str]:
    return path.read_text().rpartition(")")[2].split()


def _uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def _phases(folder: Path) -> Mapping[int, list[tuple[float, str]]]:
    """Return when each process that trained runs began what, by its id."""
    found: dict[int, list[tuple[float, str]]] = defaultdict(list)
    for journal in journals(folder):
        epochs = [event.time / 1_000 for event in journal.events if isinstance(event, EpochDone)]
        if not (epochs and journal.ended):
            continue
        moments = (journal.started.time / 1_000, epochs[0], epochs[-1], journal.ended.time / 1_000)
        names = ("first epoch", "epochs", "saving", "between runs")
        found[int(journal.started.tags["tracker.pid"])] += zip(moments, names, strict=True)
    for of_one in found.values():
        of_one.sort()
        of_one[-1] = (of_one[-1][0], "after")
        of_one.insert(0, (0.0, "loading"))
    return found


def timeline(watch: Watch, folder: Path) -> Iterator[str]:
    """Yield, for each process of a sweep in whose folder the journals are, what it spent and a letter a second."""
    phases = _phases(folder / ".tracker")
    first = min((moments[1][0] for moments in phases.values()), default=0.0)
    last = max((moments[-1][0] for moments in phases.values()), default=0.0)
    begun = min(watch.born.values())
    for pid in sorted(watch.looks, key=watch.born.__getitem__):
        looks = watch.looks[pid]
        if looks[-1].processor < _LEAST_S:
            continue
        own = phases.get(pid, [(0.0, "before"), (first, "runs"), (last, "after")])
        name = "worker" if pid in phases and pid != min(watch.born) else "sweep" if pid == min(watch.born) else "other"
        yield f"{name} {pid}, born after {watch.born[pid] - begun:.1f} s, gone after {looks[-1].time - begun:.1f} s"
        for phase, spent in _spent(looks, own, watch.born[pid]).items():
            yield (
                f"  {phase:<13}{spent.clock:6.1f} s, processor {spent.processor:6.1f} s, waiting {spent.waiting:6.1f} s"
            )
        yield f"  {_strip(looks, own, begun)}"


def _phase_at(moments: Sequence[tuple[float, str]], when: float) -> str:
    return [name for began, name in moments if began <= when][-1]


def _spent(looks: Sequence[_Look], moments: Sequence[tuple[float, str]], born: float) -> Mapping[str, Spent]:
    spent: dict[str, Spent] = {}
    before = _Look(born, 0.0, is_busy=True)
    for look in looks:
        phase = _phase_at(moments, look.time)
        clock, processor = look.time - before.time, look.processor - before.processor
        had = spent.get(phase, Spent(0, 0, 0))
        waited = clock if not look.is_busy and processor < clock / 4 else 0.0
        spent[phase] = Spent(had.clock + clock, had.processor + processor, had.waiting + waited)
        before = look
    return spent


def _strip(looks: Sequence[_Look], moments: Sequence[tuple[float, str]], begun: float) -> str:
    """Return a letter a second: what was done most of it, a dot if most of it was waited for another."""
    seconds: dict[int, Counter[str]] = defaultdict(Counter)
    for look in looks:
        letter = _LETTERS[_phase_at(moments, look.time)] if look.is_busy else "."
        seconds[int((look.time - begun) / PER_LETTER_S)][letter] += 1
    return "".join(seconds[at].most_common(1)[0][0] if at in seconds else " " for at in range(max(seconds) + 1))
