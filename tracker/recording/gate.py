"""A gate for a build job or an agent in a loop: is a candidate better than a baseline, or not worse.

Asking again with more runs, and asking about many candidates, are further chances to err. In a named series each has
its share of the level, which is kept as a tag of the experiment before the answer is given; deleting runs gives nothing
back. Asking again about the same runs costs nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import msgspec

from tracker.errors import TrackerError
from tracker.next_steps.command_line import CommandWriter
from tracker.recording.reports import id_of, named_params, question_of
from tracker.recording.stores import ExperimentRuns
from tracker.report.build import report_study
from tracker.report.gate import (
    GateAnswer,
    Question,
    Require,
    SeriesPlace,
    answer_gate,
    configuration_named,
    repetitions,
)
from tracker.runs import shown
from tracker.runs.logged import SHORT_ID
from tracker.store import now_ms
from tracker.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker.runs import Run
    from tracker.study.study import Study

__all__ = ["GateAnswer", "gate"]

_TAG = "tracker.series"  # followed by the series' name and a digest of the candidate
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_DIGITS = 12  # of a digest
_MOST_LOOKS = 40  # at one candidate


def gate(
    runs: ExperimentRuns,
    baseline: str | Run,
    candidate: str | Run,
    *,
    require: Require = "not-worse",
    margin: float = 0.02,
    series: str | None = None,
    most_seeds: int = 20,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    seed_params: Iterable[str] = (),
    option_params: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> GateAnswer:
    """Return whether a candidate is better than a baseline, or not worse: yes, no, or that the runs cannot tell yet.

    Parameters
    ----------
    runs : ExperimentRuns
        All runs of the experiment, from `tracker.load_runs`.
    baseline, candidate : str or Run
        A configuration, by any of its runs, or by params and tags: ``"kernel=7,lr=1e-4"``, ``"baseline=yes"``. All of
        its trainings count.
    require : {"not-worse", "better"}
        What is asked of the candidate. Not worse means by less than `margin`.
    margin : float, at least 0
        Difference, in the unit of the metric, that is too small to matter.
    series : str, optional
        Names candidates that are tried one after another against one baseline: the probability that any of them is let
        through wrongly is at most `alpha`, however many there are and however often runs are added. It is kept in the
        store.
    most_seeds : int
        Of each configuration, in all, that `GateAnswer.commands` train.
    metric, minimise, alpha, seed_params, option_params, ignore
        As in `build_report`.

    Raises
    ------
    ValueError
        If an argument is not what it must be, both are the same configuration, or a name means several.
    TrackerError
        If no run, or several, have a name; or the series cannot be kept in the store.
    """
    if not isinstance(runs, ExperimentRuns):
        raise ValueError("runs must be those of tracker.load_runs")  # noqa: TRY004  (one kind of error)
    if require not in get_args(Require):
        raise ValueError(f"require must be 'better' or 'not-worse', got {shown(require)}")
    if series is not None and not (isinstance(series, str) and _NAME.fullmatch(series)):
        raise ValueError(f"series must be 1 to 60 letters, digits and . _ -, got {shown(series)}")
    named = named_params(seed_params, option_params, ignore)
    name, found, settings = question_of(runs, metric, named, minimise=minimise, alpha=alpha, margin=0.05)
    where = settings.pop("where")
    study, left_out = report_study(found, **settings)
    if study.data is not None:
        raise ValueError("these runs are on several data sets: log those of each to an experiment of its own")
    of_baseline, of_candidate = (
        configuration_named(study, found, left_out, id_of(which)) for which in (baseline, candidate)
    )
    question = Question(require, float(margin), study.alpha, most_seeds=most_seeds)
    if series:
        question = replace(question, series=_take_place(runs, study, of_baseline, of_candidate, series))
    return answer_gate(study, of_baseline, of_candidate, question, CommandWriter(name, where), found)


class _Record(msgspec.Struct):
    """What a series keeps of one candidate."""

    since: int  # ms, when it was first asked about
    baseline: str  # digest of the configuration
    sizes: list[float]  # repetitions at each look, ascending
    runs: list[str]  # ids, shortened, of the runs at the last look, the first looks' first


def _take_place(
    runs: ExperimentRuns, study: Study, baseline: Sequence[int], candidate: Sequence[int], series: str
) -> SeriesPlace:
    """Return a candidate's place in a series, after the store has kept that it was asked about with these runs."""
    if runs.store is None or len(runs.experiments) != 1:
        raise ValueError("a series is kept in a store, as a tag of the experiment: give the runs of one experiment")
    prefix, key = f"{_TAG}.{series}.", _configuration(study, candidate[0])
    of_baseline = _configuration(study, baseline[0])
    records = _records(runs.tags, prefix)
    others = {record.baseline for record in records.values()} - {of_baseline}
    if others:
        raise TrackerError(
            f"the series {series!r} is against another baseline than {study.results[baseline[0]].run.name}: give a "
            "new baseline a --series of its own"
        )
    record = records.get(key) or _Record(now_ms(), of_baseline, [], [])
    ids = [run_id[:SHORT_ID] for run_id in study.ids((*baseline, *candidate))]
    if _looks_again(record, ids, repetitions(study, baseline, candidate), series) or key not in records:
        kept = runs.store.tag_experiment(runs.name, {prefix + key: msgspec.json.encode(record).decode()})
        records = _records(kept, prefix)  # with those of other processes meanwhile
    order = sorted((one.since, other) for other, one in (records | {key: record}).items())
    return SeriesPlace(series, 1 + order.index((record.since, key)), tuple(record.sizes))


def _looks_again(record: _Record, runs: Sequence[str], size: float | None, series: str) -> bool:
    """Add a look at these runs to what a series keeps, and return whether it is one that wasn't there."""
    gone = [run for run in record.runs if run not in runs]
    if gone:
        count, them = ("counts", "it") if len(gone) == 1 else ("count", "them")
        raise TrackerError(
            f"{counted(len(gone), 'run')} that the series {series!r} was answered by no longer {count} ({some(gone)}): "
            f"bring {them} back, or begin another --series"
        )
    if size is None or (record.sizes and size <= record.sizes[-1]):
        return False
    if len(record.sizes) >= _MOST_LOOKS:
        raise TrackerError(f"the series {series!r} has {_MOST_LOOKS} answers about this candidate: no more are kept")
    record.sizes.append(size)
    record.runs += [run for run in runs if run not in record.runs]
    return True


def _records(tags: Mapping[str, str], prefix: str) -> dict[str, _Record]:
    """Return what a series keeps of each candidate, by its digest."""
    records = {}
    for tag, text in tags.items():
        if tag.startswith(prefix):
            try:
                records[tag.removeprefix(prefix)] = msgspec.json.decode(text, type=_Record)
            except msgspec.MsgspecError as error:
                raise TrackerError(
                    f"the experiment's tag {tag} is damaged ({error}): begin another --series"
                ) from error
    return records


def _configuration(study: Study, run: int) -> str:
    return _digest(f"{option}={level}" for option, level in study.design.terms[run].levels)


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(texts)).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
