"""What the report says about all conclusions together: limits, challenges, methods.

Each kind of conclusion contributes its own sentences; those about the experiment as a whole stand here.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tracker import __version__
from tracker.conclusions import kinds, of_kind
from tracker.report.model import Procedure
from tracker.report.ranking_metric import metric_limits, no_test_text, test_looks_text
from tracker.runs import UNSENT_TAG, RunStatus
from tracker.study.contradictions import Contradiction
from tracker.study.metric_roles import lower_is_better
from tracker.study.metrics import logged_name
from tracker.study.options import as_whole
from tracker.wording import (
    capitalised,
    count_words,
    listing,
    metric_text,
    metric_words,
    number_for,
    percent,
    points,
    steps_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion, KindName
    from tracker.report.model import Excluded
    from tracker.runs import Run
    from tracker.study.histories import LoggedSteps
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study
    from tracker.wording import Wording

HOW_TO_LOG = "docs/log-your-own-runs.md"
_MOST_NAMED = 6  # metrics that are named if the primary one was not logged


def limits(
    study: Study, conclusions: Sequence[Conclusion], wording: Wording, *, in_table: bool = False
) -> Iterator[str]:
    """Yield what the runs of an experiment, or those in a table, cannot show, as sentences."""
    for kind in kinds("sample_size", "option_effect", "stability"):
        yield from kind.limits(study, of_kind(conclusions, kind), wording)
    yield from _limits_of_metric(study, wording)
    yield from _limits_of_clips(study, wording, in_table=in_table)
    yield from _limits_of_steps(study, wording)
    silent = [run for run, result in enumerate(study.results) if result.best_epoch and not result.kept_epoch]
    if silent:
        yield (
            f"{_who(study, silent, wording)} did not log which epoch's weights were kept, so results are those of the "
            "epoch with the lowest validation loss."
        )
    is_estimated = any(c.kind == "selection_optimism" and c.verdict == "estimate" for c in conclusions)
    is_picked = any(len(study.ranked(group)) > 1 for group in study.rankable_groups)
    untested = no_test_text(study, is_picked=is_picked and not is_estimated)
    if untested:
        yield untested
    if looks := test_looks_text(study):
        yield looks


def _limits_of_metric(study: Study, wording: Wording) -> Iterator[str]:
    """Yield the limits of the primary metric: of which data it is, no fraction of clips, not tested."""
    metric = study.metric
    if not study.ranking:  # the lead says so
        return
    yield from metric_limits(study)
    in_percent = {
        result.index: name
        for result in study.results
        if (name := logged_name(result.run, metric)) in result.run.in_percent
    }
    if in_percent:
        who, names = _who(study, list(in_percent), wording), listing(list(dict.fromkeys(in_percent.values())))
        if len(in_percent) < sum(result.score is not None for result in study.results):
            yield f"{who} logged {names} in percent and other runs as a fraction: percent was divided by 100."
        else:
            yield f"{who} logged {names} above 1, so it is read as a percentage."
    yield from _without_rank(study, wording)
    if not metric.is_fraction:
        scores = [result.score or 0.0 for result in study.results]
        beyond = "is below 0 in some runs" if min(scores) < 0 else "exceeds 1"
        perhaps = " (a percentage, perhaps)" if min(scores) >= 0 and max(scores) <= 100 else ""
        yield f"{metric.name} {beyond}, so it isn't a fraction of clips{perhaps}. It is shown as logged."
    if metric.is_accuracy or any(study.by_clip(run) is not None for run in range(len(study.results))):
        return
    unknown = f"{metric_words(metric)} is known for each training alone"
    unknown += ", as predictions are not known" if metric.is_loss else ", not clip by clip"
    can_be = "Configurations trained three times or more can be compared."
    yield f"Single runs are not tested against each other: {unknown}. {can_be}"


def _without_rank(study: Study, wording: Wording) -> Iterator[str]:
    """Yield which runs have no rank, since they logged no number for the primary metric or one of no known unit."""
    metric, silent = study.metric, []
    for result in study.results:
        name = logged_name(result.run, metric)
        if result.score is None and name in result.run.in_no_unit:
            value, who = metric_text(result.run.metrics.get(name)), capitalised(wording.run(result.run_id))
            yield f"{who} logged {name} as {value}, neither a share nor a percentage, so it has no rank."
        elif result.score is None:
            silent.append(result.index)
    if silent and len(study.ranking) > 1:
        rank = "it has" if len(silent) == 1 else "they have"
        yield f"{_who(study, silent, wording)} logged no number for {metric_words(metric)}, so {rank} no rank."


def unlogged_metric(study: Study) -> str:
    """Return what runs logged instead of the primary metric."""
    logged = {name for result in study.results for name in (*result.run.metrics, *result.run.curves)}
    others = sorted(logged, key=lambda name: (lower_is_better(name) is None, name))[:_MOST_NAMED]
    them = "any of these" if len(others) > 1 else "it"
    instead = f" They did log {listing(others)}: --metric ranks them by {them}." if others else ""
    return f"No run logged {number_for(study.metric) if study.metric.is_logged or others else 'a metric'}.{instead}"


def _limits_of_steps(study: Study, wording: Wording) -> Iterator[str]:
    """Yield at which steps runs logged a metric whose values therefore belong to no known epoch."""
    runs: dict[LoggedSteps, list[int]] = defaultdict(list)
    for result in study.results:
        if result.steps_without_epochs is not None:
            runs[result.steps_without_epochs].append(result.index)
    for steps, of_runs in runs.items():
        yield f"{_who(study, of_runs, wording)} logged {steps_text(steps)}. Log each epoch with its number as the step."


def _limits_of_clips(study: Study, wording: Wording, *, in_table: bool) -> Iterator[str]:
    if not study.metric.is_accuracy or not study.ranking:
        return
    silent = [run for run, result in enumerate(study.results) if run not in result.clip_set.row_of]
    unread = [run for run in silent if study.results[run].run.unread_predictions]
    if unread:
        whose, reason = wording.runs(study.ids(unread)), study.results[unread[0]].run.unread_predictions
        yield f"The predictions of {whose}, if logged, could not be read: {reason}."
    silent = [run for run in silent if run not in unread]
    judged = [run for run in silent if study.results[run].clip_set.known]
    nowhere = [run for run in silent if run not in judged and len(study.results) > 1]
    counted = [run for run in judged if study.results[run].correct is not None]
    countless = [run for run in judged if study.results[run].correct is None]
    for runs, what in (
        (nowhere, _nowhere(study, in_table=in_table)),
        (counted, "logged no predictions: how many clips are correct is known, but not which"),
        (countless, "logged neither predictions nor an accuracy that gives a count of clips"),
    ):
        if runs:
            yield f"{_who(study, runs, wording)} {what}."
    if silent:
        yield f"{HOW_TO_LOG} says how to log what is missing."


def _nowhere(study: Study, *, in_table: bool) -> str:
    """Return what runs of unlogged clips did not log, what is assumed instead, and what would log it."""
    among = "all runs of a fold or split" if study.design.split_parts else "all runs"
    assumed = f"comparisons assume the same ones for {among}"
    if in_table:
        return (
            f"came without a row for each clip, so which clips they were evaluated on is unknown: {assumed}. A row a "
            "run and clip has the columns run, sample, label and predicted"
        )
    return (
        f"logged no predictions, and no dataset to say which clips they were evaluated on: {assumed}. MLflow logs them "
        'by log_input(dataset, context="validation")'
    )


def _who(study: Study, runs: Sequence[int], wording: Wording) -> str:
    if len(runs) == len(study.results) > 1:
        return "The runs"
    return capitalised(wording.runs(study.ids(runs)))


# how runs end that are left out for it, said of one and of several
ENDS: dict[str, tuple[str, str]] = {
    RunStatus.FAILED: ("failed", "failed"),
    RunStatus.KILLED: ("was killed", "were killed"),
    RunStatus.RUNNING: ("is still running or was interrupted", "are still running or were interrupted"),
    RunStatus.INTERRUPTED: ("was interrupted", "were interrupted"),
}


def challenges(
    study: Study,
    conclusions: Sequence[Conclusion],
    excluded: Sequence[Excluded],
    runs: Sequence[Run],
    wording: Wording,
) -> Iterator[str]:
    """Yield what went wrong in the runs, as sentences, given the excluded ones and all of them."""
    status = {run.run_id: run.status for run in runs}
    for state, (singular, plural) in ENDS.items():
        number = sum(status[run.run_id] == state for run in excluded)
        if number:
            ended = f"{singular} and is" if number == 1 else f"{plural} and are"
            yield f"{capitalised(count_words(number, 'run'))} {ended} left out of all comparisons."
    waiting = [run.run_id for run in runs if UNSENT_TAG in run.tags and run.run_id in wording.numbers]
    if waiting:
        who = f"{capitalised(wording.runs(waiting))} {'is' if len(waiting) == 1 else 'are'}"
        yield f"{who} not yet in the store, or not whole: tracker sync sends what is not."
    for what in Contradiction:
        contradicted = [result for result in study.results if what in result.contradictions]
        if contradicted:
            yield _contradiction_text(what, contradicted, wording)
    for kind in kinds("stability"):
        yield from kind.challenges(of_kind(conclusions, kind), wording)


_PLURAL = {
    Contradiction.ACCURACY: "the validation accuracies that they logged",
    Contradiction.CLIPS: "the numbers of validation clips that they logged",
}


def _contradiction_text(what: Contradiction, results: Sequence[RunResult], wording: Wording) -> str:
    """Return what contradicts the predictions of some runs, and which of the two is used."""
    who, first = capitalised(wording.runs([result.run_id for result in results])), results[0]
    if what is Contradiction.BY_EPOCH:
        its = "its" if len(results) == 1 else "their"
        return (
            f"{who} logged predictions by epoch that don't fit {its} predictions with the kept weights (other clips, "
            "labels, epochs or errors): those by epoch are not used."
        )
    if len(results) > 1:
        of_runs = wording.runs([result.run_id for result in results])
        return f"The predictions of {of_runs} contradict {_PLURAL[what]}: the predictions are used."
    if what is Contradiction.CLIPS:
        number = as_whole(first.run.tags["tracker.validation_clips"])
        logged = f"says that it was judged on {number} validation clips"
        return f"{who} {logged}, but its predictions are of {first.n}: the predictions are used."
    logged = f"logged a validation accuracy of {percent(first.val_accuracy or 0.0)}"
    correct = f"correct on {first.correct} of {first.n} clips"
    return f"{who} {logged}, but its predictions are {correct}: the predictions are used."


# kinds whose tests are corrected for multiple comparisons: their methods come first
_CORRECTED: tuple[KindName, ...] = ("run_difference", "option_effect", "best_run")


def methods(study: Study, conclusions: Sequence[Conclusion]) -> Iterator[Procedure]:
    """Yield how the conclusions were computed, each with what it is for; only what was used."""
    if any(result.correct is not None for result in study.results):
        yield _procedure("Accuracies", "Accuracies have Wilson's 95% interval (doi:10.1080/01621459.1927.10502953).")
    if any(clips.groups for clips in study.clip_sets):
        yield _procedure(
            "Accuracies",
            "If clips share groups, the interval is Wilson's at the number of clips divided by the design effect, "
            "with Student's quantile (doi:10.1093/jssam/smv024).",
        )
    used = {method for conclusion in conclusions for method in (conclusion.method, *conclusion.details.methods)}
    ordered = kinds(*_CORRECTED, "early_stopping")
    for kind in ordered:
        yield from (_procedure(kind.title, method.source) for method in kind.tests if method in used and method.source)
        found, one_of = of_kind(conclusions, kind), study if kind.name == "across_data_sets" else study.parts[0]
        yield from (_procedure(kind.title, sentence) for sentence in kind.methods(one_of, found))
    if any(conclusion.verdict == "equivalent" for conclusion in conclusions):
        yield _procedure(
            "Equivalence",
            f"Equivalent means that the 90% interval lies strictly inside ±{points(study.margin)}; each is tested at "
            "5% on its own, without correction.",
        )


def _procedure(purpose: str, sentence: str) -> Procedure:
    """Take the sources, which stand in brackets with their DOI, out of a sentence."""
    sources, rest, start = [], sentence, 0
    while (at := rest.find("(", start)) >= 0:
        end = _closing(rest, at)
        inside = rest[at + 1 : end]
        if "doi:" in inside:
            sources.append(inside)
            rest = rest[:at].rstrip() + rest[end + 1 :]
        else:
            start = end + 1
    return Procedure(purpose, rest, "; ".join(sources))


def _closing(text: str, start: int) -> int:
    """Return where the bracket that opens at `start` is closed."""
    depth = 0
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return len(text) - 1


def versions(runs: Sequence[Run]) -> tuple[tuple[str, str], ...]:
    """Return the versions that wrote the report and logged its runs, each with what it is a version of."""
    logged = sorted({run.tags["tracker.version"] for run in runs if "tracker.version" in run.tags})
    commits = sorted({run.commit[:12] for run in runs if run.commit})
    of_runs = {"tracker, the runs": ", ".join(logged), "git commits of the runs": ", ".join(commits)}
    return ("tracker, this report", __version__), *((what, text) for what, text in of_runs.items() if text)
