"""What the report says of the metric that ranks the runs: why this one, of which data, which value, which others."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tracker.runs import key_of_test_clips
from tracker.runs.facts import looks_at_test
from tracker.study.metric_roles import part_of
from tracker.study.other_metrics import ranking_values
from tracker.wording import capitalised, count_words, listing, metric_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.study.metrics import Metric
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study

_MOST_NAMED = 3  # metrics that could rank the runs instead


def metric_fact(metric: Metric) -> str:
    """Return the primary metric for the head of a report: ``validation accuracy``, ``val_mae (lower is better)``."""
    if not metric.is_logged:
        return "none logged"
    if metric.is_standard:
        return metric_words(metric)
    better = "lower" if metric.lower_is_better else "higher"
    return f"{metric_words(metric)} ({'assumed: ' if metric.assumed else ''}{better} is better)"


def metric_limits(study: Study) -> Iterator[str]:
    """Yield why the runs are ranked by this metric, by what else they could be, and what its name leaves open."""
    metric = study.metric
    if not study.ranking:  # the lead says so
        return
    is_told = metric.is_picked and len(study.ranking) > 1 and (not metric.is_standard or len(metric.others) > 1)
    instead = _instead(metric.others) if metric.others and is_told and metric.part != "training" else ""
    if metric.part != "validation":
        yield _of_other_data(metric, is_compared=len(study.ranking) > 1) + instead
    elif instead:
        yield f"Runs are ranked by {metric_words(metric)}.{instead}"
    if metric.assumed:
        yield (
            f"The name {metric.name} doesn't say whether higher or lower is better. Higher is assumed; --minimise "
            "reverses that."
        )


def _instead(others: Sequence[str]) -> str:
    """Return which other metrics could rank the runs, in a sentence that follows another."""
    if len(others) <= _MOST_NAMED + 1:
        return f" --metric ranks them by another: {listing(others, 'or')}."
    return f" --metric ranks them by another: {', '.join(others[:_MOST_NAMED])} or {len(others) - _MOST_NAMED:,} more."


def _of_other_data(metric: Metric, *, is_compared: bool) -> str:
    """Return of which data the metric is if that isn't validation data, and why it was picked nevertheless."""
    name = metric_words(metric)
    few = any(part_of(other) == "validation" for other in metric.others)
    lacking = "Few runs logged a validation metric" if few else "No metric is named as one of validation data"
    if metric.part != "test" and not few:
        lacking = "No metric is named as one of validation or test data"
    reason = f"{lacking}, so " if metric.is_picked else ""
    begun = f"{reason}runs are ranked by {name}" if reason else f"Runs are ranked by {name}"
    if metric.part == "training":
        which = "which" if metric.is_of_fit else "which is of training data and"
        return f"{begun}, {which} doesn't show how good a model is on new data."
    if metric.part == "test":
        flattered = "; that of the best is optimistic, since the best was picked by it" if is_compared else ""
        return f"{begun}, which is of test data{flattered}."
    return f"{begun}, whose name doesn't say which data it was measured on."


def no_test_text(study: Study, *, is_picked: bool) -> str:
    """Return that the best was picked and scored on the same data, if no test metric tells how good it is on other."""
    logged = {name for result in study.results for name in (*result.run.metrics, *result.run.curves)}
    if (
        not is_picked
        or len(study.design.configurations) < 2
        or study.metric.part != "validation"
        or any(part_of(name) == "test" for name in logged)
    ):
        return ""
    what = "configuration" if len(study.design.configurations) < len(study.results) else "run"
    if all(result.run.is_in_format for result in study.results):
        return f"There is no test set: the best {what} was picked and scored on the same clips."
    return f"No metric of test data was logged, and the best {what} was picked and scored on the same data."


def test_looks_text(study: Study) -> str:
    """Return that several runs were evaluated on the same test clips, and how often, if they were."""
    looks: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for result in study.results:
        tags = result.run.tags
        if of_run := looks_at_test(tags):
            looks[key_of_test_clips(tags, result.run.params)].append(of_run)
    most = max(looks.values(), key=len, default=[])
    if len(most) < 2:
        return ""
    return (
        f"{capitalised(count_words(len(most), 'run'))} were evaluated on the same test clips, in {sum(most)} looks, so "
        "the best test score is optimistic."
    )


def value_words(results: Sequence[RunResult], metric: Metric) -> str | None:
    """Return which of its logged values each run is ranked by: ``the last of 10 values``; empty if there is but one.

    None if it is that of the epoch that a run's results are of.
    """
    values = ranking_values(results, metric)
    if not values or any(result.correct_by_clip is not None for result in results):
        return None
    several = sorted({value.values for value in values if value.values > 1 and value.epoch is None})
    if not several:
        return None if any(value.epoch is not None for value in values) else ""
    to = "or" if several[-1] == several[0] + 1 else "to"
    span = f"{several[0]:,}" if len(several) == 1 else f"{several[0]:,} {to} {several[-1]:,}"
    return f"the last of {span} values"
