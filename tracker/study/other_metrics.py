"""The values of logged metrics, which of several each is, and the metrics that runs are not ranked by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.study.histories import by_epoch
from tracker.study.metric_roles import ACCURACY, LOSS, RATE, Part, is_score, is_usage, named, part_of, role_of
from tracker.study.metrics import FINAL, is_fraction, logged_name, parts_measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.study.metrics import Metric
    from tracker.study.run_results import RunResult

# what a run's columns of epochs and time show
_SHOWN = frozenset({
    "epoch", "step", "global_step", "best_epoch", "stop_epoch", "stopped_epoch", "restored_epoch", "epoch_seconds",
    "best_iteration", "stopped_iteration",
})  # fmt: skip
_PARTS: tuple[Part | None, ...] = ("test", "validation", None, "training")


@dataclass(frozen=True, slots=True)
class LoggedValue:
    """A value of a metric that a run logged."""

    value: float  # finite
    values: int  # how many values the run logged
    epoch: int | None  # that it is of; None if it is the last one, or the only one


@dataclass(frozen=True, slots=True)
class OtherMetric:
    """A metric that runs are not ranked by."""

    name: str
    part: Part | None  # of the data it was measured on; None if that is unknown
    values: tuple[LoggedValue | None, ...]  # of each run
    is_fraction: bool  # whether it is an accuracy, and a fraction in all runs


@dataclass(frozen=True, slots=True)
class OtherMetrics:
    """The first of the metrics that runs are not ranked by, and how many more there are."""

    shown: tuple[OtherMetric, ...] = ()
    more: int = 0


NO_OTHERS = OtherMetrics()


def logged_value(result: RunResult, name: str) -> LoggedValue | None:
    """Return the value of a metric at the epoch that a run's results are of, or else its last one.

    None if the run did not log it, or the value is not finite.
    """
    curve, history = result.run.curves.get(name), by_epoch(result.run, name)
    epoch = result.best_epoch if result.kept_epoch is None else result.kept_epoch
    values = 1 if curve is None else len(curve.values) + curve.overwritten
    if history is not None and len(history.values) > 1 and epoch is not None:
        value = history.at(epoch)
    else:
        epoch, last = None, None if curve is None or not len(curve.values) else float(curve.values[-1])
        value = result.run.metrics.get(name, last)
    return None if value is None or not math.isfinite(value) else LoggedValue(value, values, epoch)


def ranking_values(results: Iterable[RunResult], metric: Metric) -> list[LoggedValue]:
    """Return which of its values of the primary metric each run is ranked by, of the runs that logged it."""
    found = (logged_value(result, logged_name(result.run, metric)) for result in results if result.score is not None)
    return [value for value in found if value is not None]


def other_metrics(results: Sequence[RunResult], metric: Metric, most: int) -> OtherMetrics:
    """Return the metrics that are neither the primary one nor a validation loss, accuracy, epoch or learning rate.

    Those of test data come first, then those of validation, of unknown and of training data, last what says nothing of
    how good a model is; of each part that of the primary metric's quantity first.
    """
    runs = [result.run for result in results]
    quantity, _ = role_of(metric.name)
    names = {name for run in runs for name in (*run.metrics, *run.curves)}
    shown = {(LOSS, "validation"), (quantity, part_of(metric.name))}
    shown |= {(ACCURACY, "validation")} if metric.is_fraction else set()  # which has a column of its own
    some, every = (of(run.is_in_format for run in runs) for of in (any, all))
    parts: dict[str, Part | None] = {}
    for name, part in parts_measured(runs, names - _SHOWN - (FINAL if some else set())).items():
        of_name = role_of(name)[0]
        # tracker's format has training metrics by epoch
        is_shown = (of_name, part_of(name)) in shown or of_name == RATE or (part == "training" and every)
        if not (is_shown or is_usage(name)):
            parts[name] = part

    def order(name: str) -> tuple[object, ...]:
        return not is_score(name), _PARTS.index(parts[name]), role_of(name)[0] != quantity, name

    found: list[OtherMetric] = []
    for name in sorted(parts, key=order):
        if len(found) == most:
            break
        values = tuple(logged_value(result, name) for result in results)
        numbers = [value.value for value in values if value is not None]
        is_share = role_of(name)[0] == ACCURACY and all(map(is_fraction, numbers))
        if numbers:
            found.append(OtherMetric(name, parts[name], values, is_share))
    return OtherMetrics(tuple(found), len(parts) - len(found))


def metric_on_test(results: Sequence[RunResult], metric: Metric) -> str | None:
    """Return the name of the test metric of the primary metric's quantity; None if that isn't one of validation."""
    if metric.part != "validation":
        return None
    logged = {name for result in results for name in (*result.run.metrics, *result.run.curves)}
    return named(logged, role_of(metric.name)[0], "test")
