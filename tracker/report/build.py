"""The report from its runs: which of them count, what is concluded, and how a configuration is called."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import replace
from statistics import fmean, median, pstdev, stdev
from typing import TYPE_CHECKING

from tracker.answers import Findings, answer_all
from tracker.answers.limits import shared_limits
from tracker.conclusions import conclude, with_sentence
from tracker.next_steps.command_line import HERE, CommandWriter, Where
from tracker.next_steps.steps import in_one_list, next_steps, with_commands
from tracker.report import headline
from tracker.report.data_and_method import data_and_method
from tracker.report.model import DataSetSection, Excluded, Report, RunEntry, Section
from tracker.report.overview import ENDS, challenges, limits, methods, versions
from tracker.runs import ALPHAS, LOGGED_OPTIONS, MARGINS, OFF, REASON_TAG, RunStatus, as_number, is_resumable
from tracker.runs.logged import SHORT_ID
from tracker.study.clip_sets import clip_key
from tracker.study.histories import logged_numbers
from tracker.study.metric_roles import part_of
from tracker.study.metrics import in_one_unit, primary_metric
from tracker.study.options import NETWORK, Design, terms_of
from tracker.study.other_metrics import other_metrics
from tracker.study.param_roles import param_roles
from tracker.study.study import Study, study_of
from tracker.wording import count_words, in_few_digits, wording_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from tracker.answers import Answer
    from tracker.conclusions.best_configuration import Standing
    from tracker.next_steps.steps import NextStep
    from tracker.report.data_and_method import FactRow
    from tracker.runs import Run
    from tracker.study.param_roles import NamedParams, ParamRoles


def build_report(
    experiment: str,
    runs: Sequence[Run],
    *,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
    named: NamedParams | None = None,
    where: Where = HERE,
    log_to: str | None = None,
    selection: str = "",
    table: Callable[[ParamRoles], Sequence[FactRow]] | None = None,
    remarks: Sequence[str] = (),
) -> Report:
    """Conclude from an experiment's runs, in any order: the same runs give the same report.

    Parameters are those of `tracker.build_report`, those about params in one, what commands have to name to reach the
    store and data, the experiment that they log to if `experiment` is the name of several, and which of the runs these
    are if not all. Of runs from a table, what returns how that was taken, and what in it contradicts itself.

    Raises
    ------
    ValueError
        If `alpha` or `margin` is out of its range.
    """
    study, excluded = report_study(runs, metric=metric, minimise=minimise, alpha=alpha, margin=margin, named=named)
    wording = wording_of(study)
    writer = CommandWriter(log_to or experiment, where)
    own = _findings(study, writer)
    parts = tuple(_findings(part, writer) for part in study.parts) if study.data else ()
    conclusions = (*own.conclusions, *(conclusion for part in parts for conclusion in part.conclusions))
    findings = replace(own, conclusions=conclusions)
    limiting = (*remarks, *limits(study, conclusions, wording, in_table=table is not None))
    answers = answer_all(findings, limiting)
    sections = tuple(_section(findings, standing, writer) for standing in findings.standings)
    shared, data_sets = _without_shared_limits(
        [_data_set(part, sections, remarks, in_table=table is not None) for part in parts]
    )
    report = Report(
        experiment=experiment,
        metric=study.metric,
        title=headline.title(findings),
        lead=headline.lead(findings, answers),
        facts=headline.facts(findings, experiment, selection, "Table" if table else "Experiment"),
        key_figures=headline.key_figures(findings),
        answers=(*answers, *shared),
        other_metrics=other_metrics(study.results, study.metric, _most_columns(study)),
        data_and_method=(
            *(table(study.design.roles) if table else ()),
            *(row for row in data_and_method(study).rows(wording) if row.text),
        ),
        limits=limiting,
        options=study.design.options,
        sections=sections,
        data_sets=data_sets,
        conclusions=conclusions,
        next_steps=_next_steps(parts or (findings,), writer),
        challenges=tuple(challenges(study, conclusions, excluded, runs, wording)),
        excluded=excluded,
        methods=tuple(methods(study, conclusions)) if study.results else (),
        versions=versions([result.run for result in study.results]),
        alpha=alpha,
        margin=margin,
    )
    return report.with_sample_name(wording.sample)


MOST_OTHER_METRICS = 6  # with a column in the table of all runs; fewer if many options have one


def _most_columns(study: Study) -> int:
    return max(2, MOST_OTHER_METRICS - max(0, len(study.design.options) - 2))


def _findings(study: Study, writer: CommandWriter) -> Findings:
    """Return what is concluded from a study by itself, with sentences and commands."""
    wording = wording_of(study)
    found = with_commands(study, conclude(study), writer)
    return Findings(study, tuple(with_sentence(conclusion, wording) for conclusion in found), wording)


def _data_set(
    findings: Findings, sections: Sequence[Section], remarks: Sequence[str], *, in_table: bool
) -> DataSetSection:
    """Return the findings on one of several data sets, with those of the report's sections that are on it."""
    limiting = (*remarks, *limits(findings.study, findings.conclusions, findings.wording, in_table=in_table))
    name = findings.study.data_set
    return DataSetSection(
        name,
        headline.title(findings),
        answer_all(findings, limiting),
        tuple(section for section in sections if section.data_set == name),
    )


def _without_shared_limits(
    data_sets: Sequence[DataSetSection],
) -> tuple[tuple[Answer, ...], tuple[DataSetSection, ...]]:
    """Return what the data cannot show on any of several data sets, and these without it."""
    limits_of = [answer for data_set in data_sets for answer in data_set.answers if answer.id == "limits"]
    if len(limits_of) < 2 or len(limits_of) < len(data_sets):
        return (), tuple(data_sets)
    shared, rest = shared_limits(limits_of)
    left = []
    for of_one, own in zip(data_sets, rest, strict=True):
        answers = (own if answer.id == "limits" else answer for answer in of_one.answers)
        left.append(replace(of_one, answers=tuple(answer for answer in answers if answer)))
    return (shared,) if shared else (), tuple(left)


def _next_steps(findings: Sequence[Findings], writer: CommandWriter) -> tuple[NextStep, ...]:
    """Return what to run next; of several data sets the first steps of each, in turn."""
    return in_one_list(next_steps(found.study, found.conclusions, writer) for found in findings)


def _section(findings: Findings, standing: Standing, writer: CommandWriter) -> Section:
    study = findings.study
    runs = sorted(study.index_of[run_id] for run_id in standing.runs)
    entries = tuple(run_entry(study, run, writer) for run in runs)
    name = entries[0].title
    if study.data is not None:
        names = [data.name for data in study.data.sets]
        place = names.index(entries[0].data_set)
        name = f"{name}, {_plain(names[place]) or f'data set {place + 1}'}"
    return Section(name, entries, findings.short(standing), standing)


def report_study(
    runs: Sequence[Run],
    *,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
    named: NamedParams | None = None,
) -> tuple[Study, tuple[Excluded, ...]]:
    """Return the runs that count, translated, and those that are left out; parameters as in `build_report`.

    Raises
    ------
    ValueError
        If `alpha` or `margin` is out of its range, or no run logged one of the params that are named.
    """
    if alpha not in ALPHAS:
        raise ValueError(f"alpha must be {ALPHAS}, got {alpha}")
    if margin not in MARGINS:
        raise ValueError(f"the margin must be {MARGINS}, got {margin}")
    params = [run.settings for run in runs]
    if named:
        named.check(params)
    selected, excluded = select_runs(runs)
    kept, roles = in_one_unit(selected), param_roles(params, named)
    metric_of_all = primary_metric(kept, metric, minimise=minimise)
    return study_of(kept, metric_of_all, alpha=alpha, margin=margin, roles=roles), excluded


# before a reason: tracker's own errors need no name before their words
_OWN_ERROR = re.compile(r"^(?:Data|Journal|Store|Training)Error: ")
_SAME = 1e-9  # relative difference up to which a mean is the same: it was summed in another order
# how trials end that Optuna leaves without a result, by its tag ``state``; MLflow counts them as finished
_TRIALS = {"PRUNED": "was pruned by Optuna before it had a result", "FAIL": "is a trial that failed"}
_TRIAL_TAGS = frozenset({"number", "direction", "state"})
_LONGEST_WHY = 200  # of a reason's characters that are shown: one line, not all of a stranger's error


def select_runs(runs: Sequence[Run]) -> tuple[tuple[Run, ...], tuple[Excluded, ...]]:
    """Return the runs that count and those that are left out, each by start time, then by id."""
    ordered = sorted(runs, key=lambda run: (run.started is None, run.started or 0, run.run_id))
    children: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.parent_id:
            children[run.parent_id].append(run)
    reasons = {run.run_id: _holds_others(run, children.get(run.run_id, ())) or _unfinished(run) for run in ordered}
    reasons |= _repeated([run for run in ordered if reasons[run.run_id] is None])
    if any(run.settings for run in ordered if reasons[run.run_id] is None):  # else each run is a configuration
        unknown = "logged no params, so its configuration is unknown"
        reasons |= {run.run_id: reasons[run.run_id] or unknown for run in ordered if not run.settings}
    excluded = (Excluded(run.run_id, run.name, reason) for run in ordered if (reason := reasons[run.run_id]))
    return tuple(run for run in ordered if reasons[run.run_id] is None), tuple(excluded)


def _holds_others(run: Run, children: Sequence[Run]) -> str | None:
    """Return that a run only holds others together, as a sweep does; None if it logged a result of its own."""
    if not children or run.validation or any(len(curve.values) > 1 for curve in run.curves.values()):
        return None
    values: dict[str, list[float]] = defaultdict(list)
    for child in children:
        for name, value in child.metrics.items():
            values[name].append(value)
    if all(_is_of_children(name, value, values) for name, value in run.metrics.items()):
        return f"holds {count_words(len(children), 'other run')}"
    return None


_SUMMARY = re.compile(r"best|mean|avg|average|median|std|min|max")  # in the name of a metric that sums up others
_NO_RESULT = re.compile(r"(?:^|[^a-z])(?:time|seconds|duration|trials?|runs?|number|count|n)(?:$|[^a-z])")


def _is_of_children(name: str, value: float, values: Mapping[str, Sequence[float]]) -> bool:
    """Return whether a metric of a parent says no more than its children's `values` by metric do.

    A score on training samples is no result of a search: the best candidate, trained again, has one of its own.
    """
    if not math.isfinite(value) or _NO_RESULT.search(name.lower()) or part_of(name) == "training":
        return True
    for of_metric in values.values() if _SUMMARY.search(name.lower()) else (values.get(name, ()),):
        finite = [one for one in of_metric if math.isfinite(one)]
        summaries = [fmean(finite), median(finite), pstdev(finite)] if finite else []
        summaries += [stdev(finite)] if len(finite) > 1 else []
        if any(math.isclose(value, one, rel_tol=_SAME) for one in (*finite, *summaries)):
            return True
    return False


def _repeated(runs: Sequence[Run]) -> dict[str, str]:
    """Return why runs are left out that another one was logged as before, or that repeat one of tracker's."""
    alike: dict[Hashable, list[Run]] = defaultdict(list)
    for run in runs:
        terms, clips, version = terms_of(run.settings), clip_key(run), run.tags.get("tracker.version") or run.commit
        alike[terms, clips, version].append(run)
    reasons = {}
    for group in (group for group in alike.values() if len(group) > 1):
        repeats = bool(terms_of(group[0].settings).seed) and clip_key(group[0]) is not None
        trained = [run for run in group if repeats and is_resumable(run.tags)]
        for run in trained[1:]:
            if run.tags.get("tracker.deterministic") != "false":
                reasons[run.run_id] = f"repeats run {trained[0].run_id} under the same seed"
        originals: dict[Hashable, Run] = {}
        for run in group:
            numbers = logged_numbers(run)
            if (
                numbers is not None
                and (original := originals.setdefault((numbers, run.started, run.ended), run)) is not run
            ):
                reasons[run.run_id] = f"is the same run as {original.run_id}, logged twice"
    return reasons


def _unfinished(run: Run) -> str | None:
    """Return on one line that a run did not finish, and why as far as it says so; None if it did."""
    if run.status == RunStatus.FINISHED:
        return _TRIALS.get(run.tags.get("state", "")) if run.tags.keys() >= _TRIAL_TAGS else None
    if run.status not in ENDS:
        return "has not started" if run.status == RunStatus.SCHEDULED else "did not finish"
    reason, run_id = ENDS[run.status][0], run.run_id[:SHORT_ID]
    if run.status == RunStatus.INTERRUPTED:
        resume = f"tracker resume {run_id} continues it, " if is_resumable(run.tags) else ""
        return f"{reason}: {resume}tracker close {run_id} ends it"
    why = _OWN_ERROR.sub("", " ".join(run.tags.get(REASON_TAG, "").split()))
    if not why or run.status not in {RunStatus.FAILED, RunStatus.KILLED}:
        return reason
    return f"{reason}: {why if len(why) <= _LONGEST_WHY else f'{why[: _LONGEST_WHY - 1]}…'}"


def run_entry(study: Study, run: int, writer: CommandWriter | None = None) -> RunEntry:
    """Return a run as the report shows it; a writer is for the command that trains it again."""
    levels = tuple((option, study.design.shown_level(run, option)) for option in study.design.options)
    split = tuple((part, study.design.split_level(run, part)) for part in study.design.split_parts)
    terms, data_set = study.design.terms[run], study.data_set_of.get(run, "")
    return RunEntry(study.results[run], title(study.design, run), terms, levels, split, writer, data_set)


_PLAIN = re.compile(r"(?!www)[^\W_]+(?:(?:__|[._+-])[^\W_]+)*", re.IGNORECASE)
_OBJECT = re.compile(
    r"[A-Za-z]\w*\((?:[A-Za-z0-9.=+-]|(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])|, )*\)", re.ASCII
)  # ``SVC(C=1)``
_LONGEST = 40
_IN_EVERY_TITLE = {name: entry for name, entry in LOGGED_OPTIONS.items() if entry.title_format}


def title(design: Design, run: int) -> str:
    """Return a run's configuration in words: what every title has, then every further option that varies.

    ``Conv=7, lr=0.0001, ReduceLROnPlateau(factor=0.3, patience=10), EarlyStopping(patience=15)``. A title stands plain
    in a heading, so that nobody's text may act in it: a level that isn't a number, a truth value or a plain word is
    named by its place among the option's levels, a network by its file if that names no other.
    """
    terms = design.terms[run]
    levels = dict(terms.levels)
    parts = [
        entry.formatted(entry.title_format, in_few_digits(levels.get(name, OFF), design.levels.get(name, ())))
        for name, entry in _IN_EVERY_TITLE.items()
    ]
    for option in (option for option in design.naming(run) if option not in _IN_EVERY_TITLE):
        text = level = levels.get(option, OFF)
        known = design.levels.get(option, (level,))
        if option == NETWORK:
            files, file = [other.rpartition("/")[2] for other in known], level.rpartition("/")[2]
            text = file if files.count(file) == 1 else level
        if option in terms.unset and option not in LOGGED_OPTIONS:
            text = "none"
        name = option if _plain(option.replace("/", ".")) else "option"
        parts.append(f"{name}={_plain(in_few_digits(text, known)) or f'level {known.index(level) + 1}'}")
    return ", ".join(filter(None, parts)) or "No options logged"


def _plain(text: str) -> str | None:
    if len(text) > _LONGEST:
        return None
    return text if _PLAIN.fullmatch(text) or _OBJECT.fullmatch(text) or as_number(text) is not None else None
