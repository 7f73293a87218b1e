"""What was tried and what came of it, as a page of Markdown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.at_once import OPENERS
from bench.faults.kills import EPOCHS
from bench.faults.moments import AIMS

if TYPE_CHECKING:
    from bench.faults.kills import Survived
    from bench.faults.server import Sent


MANY_KILLS = 100
"""So many that each of the `AIMS` is hit, or it is no aim any more."""


@dataclass(frozen=True)
class Effort:
    """How much is tried.

    Parameters
    ----------
    kills, server_deaths, opens : int
    seed : int
    """

    kills: int
    server_deaths: int
    opens: int
    seed: int


@dataclass(frozen=True)
class Results:
    """What came of it.

    Parameters
    ----------
    survived : tuple of Survived
    sent : Sent or None
        None if no server was killed.
    broken_opens : int
    """

    survived: tuple[Survived, ...]
    sent: Sent | None
    broken_opens: int

    @property
    def wrong(self) -> int:
        """Count all that must not be."""
        runs = sum(run.lost + run.again + run.differing + run.broken + (not run.ended) for run in self.survived)
        sent = self.sent.lost + self.sent.duplicated if self.sent else 0
        return runs + sent + self.broken_opens


def document(results: Results, effort: Effort) -> str:
    """Return the results as Markdown, with the command that gives them."""
    return "\n".join([_head(effort), *_table(results, effort), "", *_moments(results.survived)])


def _head(effort: Effort) -> str:
    return f"""\
# Do runs survive?

`make faults` writes this section, from 100 kills, 20 deaths of the server and 50 first opens; as it stands it was
written by

    .venv/bin/python -m bench.faults --kills {effort.kills} --server-deaths {effort.server_deaths} \
--opens {effort.opens} --seed {effort.seed} --write docs/faults.md

A run on twenty noisy tones, which early stopping ends before its {EPOCHS} epochs, whose learning rate falls on plateaus
and whose weights are kept from an epoch in between, is killed with SIGKILL: every other one at a moment drawn from all
of its time, from the first line of its journal to its end, the others amid their epochs; at that moment, or at the
first one after it at which something in particular is being written. Half of the runs are killed again while they are
resumed, and half lose the note on what was sent, so that all of it is sent again. After each kill the journal must have
every epoch that was told as finished, and SQLite must find a copy of the store whole. Then each run is resumed to its
end, MLflow must open its store, and what the store has of it is held against the same run without interruption, bit by
bit. A real `mlflow server` is killed, with its workers, while values are sent to it, and started again on the same
store.

| what | tried | found | must be |
| --- | ---: | ---: | ---: |"""


def _table(results: Results, effort: Effort) -> list[str]:
    runs, sent = results.survived, results.sent
    killed = f"{_counted(sum(len(run.kills) for run in runs), 'kill')} of {_counted(len(runs), 'run')}"
    rows = []
    if runs:
        rows += [
            ("finished epochs lost", killed, sum(run.lost for run in runs)),
            ("finished epochs trained a second time", killed, sum(run.again for run in runs)),
            (
                "metrics, predictions, weights and other artifacts that differ",
                killed,
                sum(run.differing for run in runs),
            ),
            ("broken stores", killed, sum(run.broken for run in runs)),
            ("runs that are not in the store once, as finished", killed, sum(not run.ended for run in runs)),
        ]
    if sent:
        died = f"{_counted(sent.values, 'value')}, {_counted(effort.server_deaths, 'death')}"
        rows += [("values lost", died, sent.lost), ("values duplicated", died, sent.duplicated)]
    if effort.opens:
        opened = f"{effort.opens} × {OPENERS} processes at once"
        rows += [("stores broken by first opens", opened, results.broken_opens)]
    return [f"| {what} | {tried} | {found} | 0 |" for what, tried, found in rows]


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _moments(survived: tuple[Survived, ...]) -> list[str]:
    counts = Counter(kill for run in survived for kill in run.kills)
    if not counts:
        return []
    times = sorted(((when, counts[when]) for when in AIMS), key=lambda aimed: -aimed[1])
    return ["| killed | times |", "| --- | ---: |", *(f"| {when} | {n} |" for when, n in times), ""]


def missed_aims(survived: tuple[Survived, ...]) -> list[str]:
    """Return at what no kill was, of all that so many kills are aimed at: none may be missed."""
    times = Counter(kill for run in survived for kill in run.kills)
    return [aim for aim in AIMS if not times[aim]] if times.total() >= MANY_KILLS else []
