"""Which metric runs are ranked by, in which direction and unit; the part of the data it was measured on.

Unless the user or the experiment names one, it is a validation metric if any was logged, else one of test data, else
one whose name says no part, else a training metric: of several the accuracy, or one whose name says what is better.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import Curve
from tracker.runs.logged import DEFAULT_METRIC
from tracker.study.metric_roles import (
    ACCURACY,
    LOSS,
    Part,
    is_score,
    is_share,
    lower_is_better,
    named,
    part_of,
    role_of,
    without_estimator,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.runs import Run

_PERCENT = 100.0
_ROUNDING = 1e-6
_MOST_NAMED = 6  # metrics that a message names
_NEAR = 0.6  # likeness from which a name may have been meant
_PARTS: tuple[Part | None, ...] = ("validation", "test", None, "training")  # the first that was logged is compared
_FIRST = {ACCURACY: 0, "rmse": 1, "mse": 2, "mae": 3}  # quantities that are compared before any other
_KERAS_FIT = {"validation_split", "steps_per_epoch"}  # params of Keras' fit, which its autologging logs
_TRAINER = {"per_device_train_batch_size", "num_train_epochs"}  # of the Trainer of transformers, whose ``loss`` is such


@dataclass(frozen=True, slots=True)
class Metric:
    """The primary metric: what runs are ranked by."""

    name: str  # as it was logged
    lower_is_better: bool = False
    assumed: bool = False  # whether the direction is a guess, since neither the name, the runs nor the user says it
    is_fraction: bool = True  # False if an accuracy was logged in per cent or otherwise above 1 or below 0
    is_of_fit: bool = False  # whether it is a training metric whose name doesn't say so
    is_picked: bool = False  # whether nobody named it
    is_logged: bool = True  # False if nobody named one, and no run logged any that could be picked
    others: tuple[str, ...] = ()  # which else could have been picked, the first choice first

    @property
    def part(self) -> Part | None:
        """The part of the data that it was measured on; None if that is unknown."""
        return "training" if self.is_of_fit else part_of(self.name)

    @property
    def measures_accuracy(self) -> bool:
        """Whether it is the validation accuracy, in whatever unit."""
        return role_of(self.name) == (ACCURACY, "validation")

    @property
    def is_accuracy(self) -> bool:
        """Whether it is the fraction of validation clips classified correctly."""
        return self.is_fraction and self.measures_accuracy

    @property
    def is_loss(self) -> bool:
        """Whether it is the validation loss."""
        return role_of(self.name) == (LOSS, "validation")

    @property
    def is_known_by_clip(self) -> bool:
        """Whether predictions say what each clip adds to it: one that is correct, or its log-loss."""
        return self.is_accuracy or self.is_loss

    @property
    def is_standard(self) -> bool:
        """Whether it is the validation loss or accuracy, in whatever unit: what every report shows in any case."""
        return self.is_loss or self.measures_accuracy


def primary_metric(runs: Sequence[Run], name: str | None, *, minimise: bool | None = None) -> Metric:
    """Choose the metric that runs are ranked by.

    Parameters
    ----------
    name : str or None
        What the user or the experiment names; None to pick one.
    minimise : bool, optional
        Whether lower is better, if neither the name nor the runs say it, or wrongly.
    """
    picked = [] if name else _candidates(runs)
    chosen = name or next(iter(picked), DEFAULT_METRIC)
    lower = lower_is_better(chosen) if minimise is None else minimise
    if lower is None:
        lower = _logged_direction(runs, chosen)
    judged = any(run.validation for run in runs)
    accuracies = (
        value
        for run in runs
        for name, value in run.metrics.items()
        if role_of(name) == (ACCURACY, "validation") and name not in run.in_no_unit
    )
    is_share = all(is_fraction(value) for value in accuracies if math.isfinite(value))
    return Metric(
        chosen,
        bool(lower),
        assumed=lower is None,
        is_fraction=judged or is_share,
        is_of_fit=part_of(chosen) is None and parts_measured(runs, [chosen])[chosen] == "training",
        is_picked=not name,
        is_logged=bool(name or picked),
        others=tuple(picked[1:]),
    )


def parts_measured(runs: Sequence[Run], names: Iterable[str]) -> dict[str, Part | None]:
    """Return the part of the data that each metric was measured on, None if that is unknown.

    A name that says none is of training data beside a validation metric of the same quantity, or as Keras' autologging
    and the Trainer of transformers name it.
    """
    validated = {
        role_of(name)[0] for run in runs for name in (*run.metrics, *run.curves) if part_of(name) == "validation"
    }
    parts: dict[str, Part | None] = {}
    for name in names:
        parts[name] = part_of(name)
        if parts[name] is None:
            fits = (_KERAS_FIT, _TRAINER) if role_of(name)[0] == LOSS else (_KERAS_FIT,)
            having = [run.params.keys() for run in runs if name in run.metrics or name in run.curves]
            fitted = bool(having) and all(any(params >= fit for fit in fits) for params in having)
            if fitted or role_of(name)[0] in validated:
                parts[name] = "training"
    return parts


def logged_name(run: Run, metric: Metric) -> str:
    """Return under which name a run logged the primary metric: another program may call it otherwise."""
    if metric.name in run.metrics or metric.name in run.curves:
        return metric.name
    quantity, part = role_of(metric.name)
    same_part = [name for name in (*run.curves, *run.metrics) if part_of(name) == part_of(metric.name)]
    return named(same_part, quantity, part) or metric.name


def _candidates(runs: Sequence[Run]) -> list[str]:
    """Return a name for each quantity of each part that may rank runs, the first choice first.

    Training metrics are left out if there is any other. A metric that fewer than half as many runs have as another
    comes after those that more have. Predictions make validation accuracies: nothing else is picked if there are any.
    """
    scores = [_scores(run) for run in runs]
    judged = any(run.validation for run in runs) or _has_final_accuracy(runs)
    names = [name for name in dict.fromkeys(chain.from_iterable(scores)) if not (judged and name in FINAL)]
    by_role: dict[tuple[str, Part | None], list[str]] = defaultdict(list)
    for name, part in parts_measured(runs, names).items():
        by_role[role_of(name)[0], part].append(name)
    found = {}
    for (quantity, part), of_role in by_role.items():
        usual = named(of_role, *role_of(of_role[0])) or of_role[0]
        usual = without_estimator(usual) if len(of_role) > 1 else usual
        found[usual] = (part, quantity, sum(not of_run.isdisjoint(of_role) for of_run in scores))
    if judged and not any((quantity, part) == (ACCURACY, "validation") for part, quantity, _ in found.values()):
        found[DEFAULT_METRIC] = ("validation", ACCURACY, len(runs))
    most = max((number for *_, number in found.values()), default=0)

    def order(name: str) -> tuple[object, ...]:
        part, quantity, number = found[name]
        lower, is_fold = lower_is_better(name), "fold" in words_of(name)
        first = _FIRST.get(quantity, len(_FIRST))
        is_loss = not {"loss", "logloss"}.isdisjoint(words_of(name))
        return 2 * number < most, _PARTS.index(part), lower is None, is_fold, first, bool(lower), is_loss, name

    ordered = sorted(found, key=order)
    others = [name for name in ordered if found[name][0] != "training"]
    return others or ordered


def _scores(run: Run) -> set[str]:
    """Return the metrics of a run that may rank it and have a number: the last one, or one at the best epoch."""
    has_best = any(role_of(name) == (LOSS, "validation") for name in run.curves)
    by_step = {
        name
        for name, curve in run.curves.items()
        if is_score(name) and np.isfinite(curve.values if has_best else curve.values[-1:]).any()
    }
    return by_step | {name for name, value in run.metrics.items() if is_score(name) and math.isfinite(value)}


# what runs of tracker's format say of the weights that they kept
FINAL = frozenset(
    {f"{which}_val_{quantity}" for which in ("best", "last") for quantity in (LOSS, ACCURACY)}
    | {f"fit_{quantity}" for quantity in (LOSS, ACCURACY)}
)


def _has_final_accuracy(runs: Sequence[Run]) -> bool:
    """Return whether runs of tracker's format say the accuracy of the weights that they kept."""
    return any(run.is_in_format and not FINAL.isdisjoint(run.metrics) for run in runs)


# Params and tags in which searches and trainers (Optuna, Weights & Biases, Keras Tuner, Ray Tune, Hugging Face) log
# which metric they optimise, and in which direction; in lower case, with `_` for any sign between words.
_TARGETS = ("objective", "metric_name", "metric", "monitor", "metric_for_best_model", "objective_metric")
_GOALS = ("direction", "goal", "metric_goal", "mode", "objective_direction", "study_direction")
_HIGHER = "greater_is_better"
_DIRECTION = re.compile(r"\b(?:(min)(?:imi[sz]e)?|(max)(?:imi[sz]e)?)\b", re.IGNORECASE)


def _logged_direction(runs: Sequence[Run], name: str) -> bool | None:
    """Return whether lower is better by the runs' params and tags; None if they don't say it or disagree.

    A direction is that of the metric that a run names beside it. If none is named, it is that of the only metric whose
    name doesn't say its own.
    """
    undirected = {metric for run in runs for metric in _scores(run) if lower_is_better(metric) is None}
    having = (run for run in runs if name in run.metrics or name in run.curves)
    said = {_direction_of(run, name, is_only=undirected <= {name}) for run in having}
    said.discard(None)
    return said.pop() if len(said) == 1 else None


def _direction_of(run: Run, name: str, *, is_only: bool) -> bool | None:
    """Return whether lower is better in a run by its params and tags."""
    settings = {re.sub(r"\W", "_", key).lower(): value for key, value in (*run.tags.items(), *run.params.items())}
    targets = [settings[key] for key in _TARGETS if key in settings]
    of_several = _DIRECTION.findall(settings.get("directions", settings.get("direction", "")))
    if len(of_several) > 1:  # of Optuna's several objectives, which are called value_0, value_1, … by default
        place = next(reversed(words_of(name)), "")
        if len(set(of_several)) == 1:
            return bool(of_several[0][0])
        return bool(of_several[int(place)][0]) if place.isdecimal() and int(place) < len(of_several) else None
    names_it = [target for target in targets if _names(target, name)]
    if not names_it and (not is_only or any(_names_another(run, target) for target in targets)):
        return None
    if names_it and _HIGHER in settings:
        return settings[_HIGHER].strip().lower() == "false"
    said = (*names_it, *(settings[key] for key in _GOALS if key in settings))
    found = next(filter(None, map(_DIRECTION.search, said)), None)
    return None if found is None else found[1] is not None


def _names(target: str, metric: str) -> bool:
    """Return whether what a search optimises is this metric: ``val_auc``, or Keras Tuner's ``Objective(name=…)``."""
    quantity, _ = role_of(metric)
    quoted = re.findall(r"name['\"]?\s*[=:]\s*['\"]([^'\"]+)", target)
    return any(role_of(text)[0] == quantity for text in (*quoted, target))


def _names_another(run: Run, target: str) -> bool:
    return any(_names(target, metric) for metric in run.metrics)


class UnknownMetricError(ValueError):
    """No run logged the metric that was asked for."""


def check_logged(runs: Sequence[Run], name: str) -> None:
    """Check that some run logged a metric, under this name or another one of the same quantity and part.

    Raises
    ------
    UnknownMetricError
        If no run did, although some metric was logged; its message names the nearest ones.
    """
    logged, (quantity, part) = {metric for run in runs for metric in (*run.metrics, *run.curves)}, role_of(name)
    if not logged or any((role_of(other), part_of(other)) == (role_of(name), part_of(name)) for other in logged):
        return
    if part == "validation" and quantity in (LOSS, ACCURACY):
        summarised = {metric for run in runs if run.is_in_format for metric in run.metrics}
        final = summarised & {f"best_val_{quantity}", f"last_val_{quantity}"}
        predicted = quantity == ACCURACY and any(run.validation for run in runs)
        if predicted or final:
            return
    by_lower = {metric.lower(): metric for metric in sorted(logged, key=len, reverse=True)}
    near = [by_lower[m] for m in difflib.get_close_matches(name.lower(), by_lower, _MOST_NAMED, _NEAR)]
    within = [metric for metric in sorted(logged) if set(words_of(name)) <= set(words_of(metric))]
    nearest = list(dict.fromkeys([*within, *near]))[:_MOST_NAMED]
    others = sorted(
        logged, key=lambda metric: (lower_is_better(metric) is None, role_of(metric)[1] == "training", metric)
    )
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"logged are {', '.join(others[:_MOST_NAMED])}"
    raise UnknownMetricError(f"no run logged the metric {name!r}; {hint}")


def is_fraction(value: float | None) -> bool:
    """Return whether a value can be a share of clips; an accuracy in per cent cannot."""
    return value is not None and -_ROUNDING <= value <= 1 + _ROUNDING


def in_one_unit(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return runs with fractions where a share (an accuracy, an F1, …) was logged in percent and as a fraction.

    A metric that a run ever logged above 1 is in percent there, above 100 in no known unit. Accuracies are fractions in
    any case if one is of validation data, which reports write in percent. If no run logged another quantity as a
    fraction, all stay as they are: then the values are in one unit. So do those of a part of the data of which some are
    above 100 and none is a fraction, which may be counts.
    """
    values: dict[str, list[tuple[int, str, float]]] = defaultdict(list)
    for index, run in enumerate(runs):
        for name, value in _highest_shares(run).items():
            values[role_of(name)[0]].append((index, name, value))
    in_percent: dict[int, list[str]] = defaultdict(list)
    in_no_unit: dict[int, list[str]] = defaultdict(list)
    for quantity, found in values.items():
        above = [(index, name, value) for index, name, value in found if value > 1 + _ROUNDING]
        validated = quantity == ACCURACY and (
            any(run.validation for run in runs) or any(part_of(name) == "validation" for _, name, _ in found)
        )
        counted = {part_of(name) for _, name, value in above if value > _PERCENT + _ROUNDING}
        counted -= {part_of(name) for _, name, value in found if value <= 1 + _ROUNDING}
        if validated or len(above) < len(found):
            for index, name, value in above:
                if part_of(name) not in counted:
                    (in_no_unit if value > _PERCENT + _ROUNDING else in_percent)[index].append(name)
    return tuple(
        replace(_divided(run, in_percent[index]), in_no_unit=tuple(in_no_unit[index]))
        if index in in_percent or index in in_no_unit
        else run
        for index, run in enumerate(runs)
    )


def _highest_shares(run: Run) -> dict[str, float]:
    """Return the highest finite value of each metric that is a share by its name."""
    highest = {name: value for name, value in run.metrics.items() if is_share(name) and math.isfinite(value)}
    for name, curve in run.curves.items():
        finite = curve.values[np.isfinite(curve.values)] if is_share(name) else ()
        if len(finite):
            highest[name] = max(highest.get(name, -math.inf), float(np.max(finite)))
    return highest


def _divided(run: Run, names: Sequence[str]) -> Run:
    """Return a run with some metrics divided by 100."""
    metrics = {name: run.metrics[name] / _PERCENT for name in names if name in run.metrics}
    curves = {n: Curve(run.curves[n].steps, run.curves[n].values / _PERCENT) for n in names if n in run.curves}
    return replace(run, metrics={**run.metrics, **metrics}, curves={**run.curves, **curves}, in_percent=tuple(names))
