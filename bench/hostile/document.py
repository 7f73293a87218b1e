"""What was tried and what came of it: a section of a page of Markdown, and the list of what failed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bench.hostile.checks import Harm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.hostile.case import Case
    from bench.hostile.trial import Trial


def section(trials: Sequence[Trial], skipped: Sequence[Case], seed: int) -> str:
    """Return the results as Markdown, with the command that gives them."""
    return "\n".join([_head(trials, seed), *_table(trials), "", *_skipped(skipped)])


def failures(trials: Iterable[Trial]) -> str:
    """Return one line for each case that failed, with the command that tries it again, by kind of harm."""
    failed = [trial for trial in trials if trial.findings]
    if not failed:
        return ""
    lines = ["Repeat one with: .venv/bin/python -m bench.hostile --case NAME", ""]
    for trial in failed:
        harms = dict.fromkeys(f"{one.harm}: {one.symptom}" for one in trial.findings)
        lines.append(f"- {trial.case.name}: {'; '.join(harms)}")
    return "\n".join([*lines, ""])


def _head(trials: Sequence[Trial], seed: int) -> str:
    return f"""\
# Safe with strangers?

`make hostile` writes this section; as it stands it was written by

    .venv/bin/python -m bench.hostile --forked --seed {seed} --write docs/faults.md

A small project is copied into a throw-away folder for each of {len(trials)} cases, and something hostile or odd is put
there: a link that leads out, a journal with right checksums and wrong contents, a damaged store, a broken artifact, a
model that runs code, a server that lies, an environment without a home. Then real commands are run; each has 20 s, or
60 s if it trains. Beside the project lie a home with a private key, another project and a file that nobody may touch;
the environment has a token and a password; and another port of this machine writes down whatever it is sent. Other runs
are lost if a listing lacks a run that has nothing to do with the hostile one. Terminal escapes are control characters,
marks that turn text around, names that are not shown as they are, and suggested commands that run something else. An
exit is documented if its status is 0, 1 or 2, and if one that is not 0 comes with a message where something is wrong.
Every number but those of cases and commands must be 0.
"""


def _table(trials: Sequence[Trial]) -> list[str]:
    kinds = list(dict.fromkeys(trial.case.kind for trial in trials))
    rows = [_row(kind, [trial for trial in trials if trial.case.kind == kind]) for kind in kinds]
    head = ["kind", "cases", "commands", *Harm]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows, _row("**all**", trials))]


def _row(kind: str, trials: Sequence[Trial]) -> list[str]:
    counts = Counter(finding.harm for trial in trials for finding in trial.findings)
    numbers = (len(trials), sum(trial.commands for trial in trials), *(counts[harm] for harm in Harm))
    return [kind, *(f"{number:,}" for number in numbers)]


def _skipped(cases: Sequence[Case]) -> list[str]:
    if not cases:
        return []
    return ["Not tried here:", "", *(f"- {case.name}: {case.skipped}" for case in cases), ""]
