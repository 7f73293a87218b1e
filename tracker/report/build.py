"""Putting the report together: runs in, every part of the report out, nothing read from the world."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.conclusions import conclude, with_sentence
from tracker.next_steps.command_line import HERE, CommandWriter, Where
from tracker.next_steps.steps import next_steps, with_commands
from tracker.report.model import Note, Report, RunEntry, Section
from tracker.report.overview import challenges, limits, methods, summary, versions
from tracker.report.select_runs import select_runs
from tracker.runs import LOGGED_OPTIONS
from tracker.study.metrics import primary_metric
from tracker.study.options import NETWORK, OFF, Design, as_number
from tracker.study.study import Study, study_of
from tracker.wording import wording_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.report.model import Excluded
    from tracker.runs import Run


def build_report(
    experiment: str,
    runs: Sequence[Run],
    *,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
    where: Where = HERE,
) -> Report:
    """Conclude from an experiment's runs and put the report together.

    Parameters
    ----------
    runs : sequence of Run
        All of the experiment's, in any order: the same runs give the same report.
    metric : str, optional
        The primary metric; by default the validation accuracy of the kept weights.
    minimise : bool, optional
        Whether a lower metric is better; by default its name says so.
    alpha : float, above 0 and below 1
        The level that each family of tests is held to.
    margin : float, above 0
        Differences of accuracy within ± this are too small to matter.
    where : Where, optional
        What commands have to name to reach the store and data.

    Raises
    ------
    ValueError
        If `alpha` or `margin` is out of its range.
    """
    study, excluded = report_study(runs, metric=metric, minimise=minimise, alpha=alpha, margin=margin)
    configurations = (tuple(run_entry(study, run) for run in runs) for runs in study.design.configurations)
    sections = tuple(Section(entries[0].title, entries) for entries in configurations)
    entries = sorted((entry for section in sections for entry in section.entries), key=lambda entry: entry.number)
    wording = wording_of(study)
    writer = CommandWriter(experiment, where)
    settled = with_commands(study, conclude(study), writer)
    conclusions = tuple(with_sentence(conclusion, wording) for conclusion in settled)
    return Report(
        experiment=experiment,
        metric=study.metric,
        summary=summary(conclusions),
        limits=limits(study, conclusions, wording),
        options=study.design.options,
        sections=sections,
        conclusions=conclusions,
        next_steps=next_steps(study, conclusions, writer),
        notes=tuple(Note(entry.number, entry.title, entry.run.note) for entry in entries if entry.run.note),
        challenges=challenges(conclusions, excluded, runs, wording),
        excluded=excluded,
        methods=methods(study, conclusions),
        versions=versions([result.run for result in study.results]),
        alpha=alpha,
        margin=margin,
    )


def report_study(
    runs: Sequence[Run], *, metric: str | None, minimise: bool | None, alpha: float, margin: float
) -> tuple[Study, tuple[Excluded, ...]]:
    """Return the runs that count, translated, and those that are left out; parameters as in `build_report`.

    Raises
    ------
    ValueError
        If `alpha` or `margin` is out of its range.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be above 0 and below 1, got {alpha}")
    if not 0 < margin < 1:
        raise ValueError(f"the margin must be above 0 and below 1, got {margin}")
    kept, excluded = select_runs(runs)
    return study_of(kept, primary_metric(kept, metric, minimise=minimise), alpha=alpha, margin=margin), excluded


def run_entry(study: Study, run: int) -> RunEntry:
    """Return a run as the report shows it."""
    levels = tuple((option, study.design.level(run, option)) for option in study.design.options)
    return RunEntry(study.results[run], title(study.design, run), levels)


_PLAIN = re.compile(r"(?!www)[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*", re.ASCII | re.IGNORECASE)
_LONGEST = 40
_IN_EVERY_TITLE = {name: entry for name, entry in LOGGED_OPTIONS.items() if entry.title_format}


def title(design: Design, run: int) -> str:
    """Return a run's configuration in words: what every title has, then every further option that varies.

    ``Conv=7, lr=0.0001, ReduceLROnPlateau(factor=0.3, patience=10), EarlyStopping(patience=15)``. A title stands plain
    in a heading, so that nobody's text may act in it: a level that isn't a number, a truth value or a plain word is
    named by its place among the option's levels.
    """
    levels = dict(design.terms[run].levels)
    known = (entry.formatted(entry.title_format, levels.get(option, OFF)) for option, entry in _IN_EVERY_TITLE.items())
    parts = [part for part in known if part]
    for option in design.options:
        if option not in _IN_EVERY_TITLE and design.has(run, option):
            level = design.level(run, option)
            place = design.levels[option].index(level) + 1
            text = _file_name(level, design.levels[option]) if option == NETWORK else level
            parts.append(f"{_plain(option) or 'option'}={_plain(text) or f'level {place}'}")
    return ", ".join(parts) or "Default configuration"


def _file_name(network: str, networks: Sequence[str]) -> str:
    """Return a network's file without its folders if that names no other network."""
    name = network.rpartition("/")[2]
    return name if [other.rpartition("/")[2] for other in networks].count(name) == 1 else network


def _plain(text: str) -> str | None:
    return text if len(text) <= _LONGEST and (_PLAIN.fullmatch(text) or as_number(text) is not None) else None
