"""A conclusion as data, the evidence that words it, the runs that bear on it, and what a kind is made of.

Conventions: differences are of accuracy, as fractions; `run_difference` is `runs[0]` minus `runs[1]`, the better
first; an option's effect is level *to* minus level *from*. `p_value` is raw, `p_adjusted` within its family. Intervals
are at 95% at any significance level, and exclude 0 only if the raw p-value is at most 0.05.

An option is tested from three matched pairs on: the same seeds at two levels, everything else being equal. Options that
never changed alone all start from the best run, so that its further seeds serve each of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from tracker.runs import as_number
from tracker.statistics.repetitions import FEWEST_PAIRS
from tracker.wording import capitalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tracker.statistics.proportions import Interval
    from tracker.study.options import Terms
    from tracker.study.study import Study
    from tracker.wording import Wording

# the kinds that the schema ``tracker.report/2`` knows
KindName = Literal["best_run", "best_configuration", "run_difference", "option_effect", "overfitting",
                   "early_stopping", "learning_rate", "under_training", "stability", "classes",
                   "selection_optimism", "sample_size", "baseline", "imbalance", "calibration", "range_edge",
                   "data_checks", "across_data_sets"]  # fmt: skip

Verdict = Literal["supported", "equivalent", "inconclusive", "confounded", "not_comparable", "exact", "estimate",
                  "unknown"]  # fmt: skip

# What an inference is about: other clips like these and other trainings, or other trainings evaluated on these clips.
Scope = Literal["population", "these_clips"]

# verdicts that leave something open
OPEN: tuple[Verdict, ...] = ("inconclusive", "confounded", "not_comparable", "unknown")


class Method(str):
    """The name of a statistical method, as the JSON document has it, with the sentence that cites its source."""

    __slots__ = ("source",)
    source: str  # empty if the kind that uses the method has a sentence of its own

    def __new__(cls, name: str, source: str = "") -> Self:
        """Make a method of its name and its source."""
        method = super().__new__(cls, name)
        method.source = source
        return method


@dataclass(frozen=True, slots=True)
class Table:
    """A table of evidence as text, other people's included: whoever prints it must escape it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of accuracy with its interval, as the figure of differences draws it."""

    name: str  # what is compared with what: ``run 3 − run 1``, ``kernel size: 7 → 3``
    estimate: float  # fraction
    interval: Interval
    p_value: float | None  # adjusted, as it decides
    verdict: Verdict
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """The evidence of a conclusion beyond the common fields, and how it reads; each kind has its own child.

    Fields hold numbers, text, booleans, None, tuples and other frozen dataclasses. JSON takes their names as they are,
    without the trailing underscore that keeps a Python keyword away (``from_``).
    """

    exact_label: ClassVar[str] = "Observed"  # what an exact conclusion of this kind is called

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return what a person reads: one or more whole sentences of plain text."""
        raise NotImplementedError

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return the evidence as tables, differences of accuracy `in_points`; most kinds have none."""
        del in_points
        return ()

    def differences(self, conclusion: Conclusion, numbers: Mapping[str, int]) -> tuple[Difference, ...]:
        """Return the differences that can be drawn, given the report's number of each run id; most kinds have none."""
        del conclusion, numbers
        return ()

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods that were used beside the conclusion's own."""
        return ()


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One conclusion with its verdict and evidence."""

    kind: KindName
    verdict: Verdict
    runs: tuple[str, ...]  # ids of the runs that it is about
    details: Details = field(default_factory=Details)  # the evidence of its kind
    # as in the module's conventions; None if the kind has none or the runs do not give it
    estimate: float | None = None
    interval: Interval | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    n: int | None = None
    method: Method | None = None
    option: str | None = None  # the option that it is about, for an `option_effect`
    data_set: str | None = None  # the one that its runs are on, if configurations are compared across several
    scope: Scope = "population"  # of what is inferred, if anything is
    sentence: str = ""  # what a person reads; plain text
    # the commands of the runs that bear on it, each by its arguments; none if nothing is open
    commands: tuple[tuple[str, ...], ...] = ()

    @property
    def id(self) -> str:
        """``kind:option`` (of one of several data sets with its name) or ``kind:run-ids``: the same in each report."""
        where = f"@{self.data_set}" if self.option and self.data_set else ""
        return f"{self.kind}:{self.option or ','.join(self.runs)}{where}"

    @property
    def label(self) -> str:
        """The verdict as it is printed: ``Not comparable``; an exact one is ``Observed`` or ``Replay``."""
        return self.details.exact_label if self.verdict == "exact" else capitalised(self.verdict.replace("_", " "))


def challenges_of(conclusions: Sequence[Conclusion], wording: Wording, together: str) -> tuple[str, ...]:
    """Return the sentence of a conclusion; of several, one sentence that says `together` of their runs."""
    if len(conclusions) < 2:
        return tuple(conclusion.sentence for conclusion in conclusions)
    return (f"{capitalised(wording.runs([conclusion.runs[0] for conclusion in conclusions]))} {together}",)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A configuration to train, by the run that it is like."""

    like: int  # position of the run that it is like
    changes: tuple[tuple[str, str], ...] = ()  # what is changed
    on: int | None = None  # position of the run whose data and split are used, if not its own


@dataclass(frozen=True, slots=True)
class Chance:
    """How often the test that will decide detects an effect of some size."""

    effect: float  # the true one, above 0, in the unit of the primary metric
    power: float  # 0 to 1
    detectable: float | None = None  # the smallest effect that it detects four times in five


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A configuration to train under some seeds, and what for."""

    spec: RunSpec
    seeds: frozenset[int]
    why: str  # a phrase
    chance: Chance | None = None  # of the test once all runs planned for the conclusion are there; None without one


def further_seeds(study: Study, run: int, number: int = FEWEST_PAIRS, *, by_clip: bool = False) -> PlannedRun:
    """Bring a run's configuration to so many seeds; if `by_clip`, those known clip by clip alone count."""
    have = seeds_of(study, repetitions_of(study, run, by_clip=by_clip))
    taken = seeds_of(study, repetitions_of(study, run))
    seeds = filled_up(sorted(have), number, taken) - have
    return PlannedRun(RunSpec(run), seeds, f"more seeds of run {study.results[run].number}")


def best_having(study: Study, option: str | None = None) -> int:
    """Return the best run, the first if none has the primary metric; of those that have an option, if it is given."""
    runs: tuple[int, ...] = (*study.ranking, *range(len(study.results)))
    for run in runs:
        if option is None or study.design.has(run, option):
            return run
    raise ValueError(f"no run has the option {option}")


def repetitions_of(study: Study, run: int, *, by_clip: bool = False) -> list[int]:
    """Return the runs of a run's configuration on its split; only those known clip by clip, if `by_clip`."""
    configuration = next(runs for runs in study.design.configurations if run in runs)
    same = [other for other in configuration if study.design.repeats[other] == study.design.repeats[run]]
    return [other for other in same if study.by_clip(other) is not None] if by_clip else same


def seeds_of(study: Study, runs: Iterable[int]) -> frozenset[int]:
    """Return the seeds of runs that ``tracker run`` can take: one whole number of at least 0 for each run."""
    seeds = (seed_of(study.design.terms[run]) for run in runs)
    return frozenset(seed for seed in seeds if seed is not None)


def seed_of(terms: Terms) -> int | None:
    """Return a run's seed if it is one that ``tracker run`` can take, else None."""
    number = as_number(dict(terms.seed).get("seed", "")) if len(terms.seed) == 1 else None
    return int(number) if number is not None and number == int(number) and number >= 0 else None


def filled_up(seeds: Sequence[int], number: int, taken: Iterable[int] = ()) -> frozenset[int]:
    """Return the first of `seeds`, filled up to `number` with the ones after these and those `taken`."""
    fresh = count(max([*seeds, *taken], default=-1) + 1)
    return frozenset([*seeds[:number], *(next(fresh) for _ in range(number - len(seeds)))])


def _none(*_: object) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """A question that is asked of every study, and everything that the report needs to know about its answers.

    The wording of one conclusion is in its `Details`; that of all conclusions of the kind together is here:
    each function is passed the conclusions of this kind alone, in the report's order.
    """

    name: KindName
    title: str  # the section's heading
    conclude: Callable[[Study], Iterable[Conclusion]]  # in a stable order; without sentences and commands
    estimates: str = "estimate"  # what the estimate is
    p_is: str = ""  # what the p-value is of, if not of the estimate
    in_metric_unit: bool = False  # whether the estimate is in the unit of the primary metric, if that isn't accuracy
    tests: tuple[Method, ...] = ()  # methods whose sources are cited when used
    # sentences: further methods, what the data cannot show, what went wrong in the runs
    methods: Callable[[Study, Sequence[Conclusion]], Iterable[str]] = _none
    limits: Callable[[Study, Sequence[Conclusion], Wording], Iterable[str]] = _none
    challenges: Callable[[Sequence[Conclusion], Wording], Iterable[str]] = _none
    # the runs that bear on one conclusion, given all conclusions of every kind
    planned_runs: Callable[[Study, Conclusion, Sequence[Conclusion]], Iterable[PlannedRun]] = _none
    why_no_run: Callable[[Sequence[Conclusion]], Iterable[str]] = _none  # why no further one is planned, as sentences
