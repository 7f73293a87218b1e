"""How results vary over seeds, which effects depend on one seed, and which runs diverged."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method, best_having, challenges_of, further_seeds
from tracker.conclusions.contrasts import crossed_effect, largest_set
from tracker.conclusions.trainings import mean_over_trainings
from tracker.statistics.repetitions import FEWEST_PAIRS, accuracy_over_seeds
from tracker.statistics.trainings import counted_accuracy_interval
from tracker.wording import (
    capitalised,
    change_words,
    counted,
    is_informative,
    losses,
    metric_text,
    metric_words,
    number_word,
    percent,
    percent_interval,
    points,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.statistics.proportions import Interval
    from tracker.study.study import Study
    from tracker.wording import Wording

_MANY = "diverged: their losses stopped being finite numbers."
METHOD = Method("Wilson interval over seeds and clips")
OVER_SEEDS = Method("Student's interval over seeds")
_MOST_PAIRS = 20  # matched pairs above which no single one carries an effect; trying each would take long


@dataclass(frozen=True, slots=True)
class Spread(Details):
    """How one configuration's accuracy, or the primary metric if no clips are counted, varies from seed to seed."""

    mean: float = 0.0  # accuracies, as fractions, or the metric
    lowest: float = 0.0
    highest: float = 0.0
    deviation: float = 0.0  # standard deviation from run to run
    # of the mean: for other seeds and other clips, or for other seeds alone if the metric is not known by clip. None if
    # only how many clips are correct is known, or for too few runs
    interval: Interval | None = None
    unlogged: bool = False  # whether no run logged a param, so that no configuration is known
    of_metric: bool = False  # whether it is of the primary metric as it was logged, of which no clip is known

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return how the accuracy of one configuration varies over seeds."""
        if conclusion.verdict == "unknown":
            why = (
                "no run logged its params" if self.unlogged else "no configuration was trained twice on the same clips"
            )
            return f"How much results vary from seed to seed is unknown: {why}."
        if self.of_metric:
            return self._metric_text(conclusion, wording)
        interval = ""
        if self.interval is not None and is_informative(self.interval):
            interval = f" (95% interval {percent_interval(self.interval)})"
        runs = f"{capitalised(wording.runs(conclusion.runs))} (one configuration)"
        if not self.deviation:
            return f"{runs} each classify {percent(self.mean)} of the clips correctly{interval}."
        spread = (
            f"{percent_interval((self.lowest, self.highest))}, with a standard deviation of {points(self.deviation)}"
        )
        average = f"{percent(self.mean)} of the clips correctly on average{interval}"
        return f"{runs} classify {average}. Single runs get {spread}."

    def _metric_text(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return how the primary metric varies if no clip of it is known."""
        runs = f"{capitalised(wording.runs(conclusion.runs))} (one configuration)"
        ends = (self.lowest, self.highest)
        if wording.metric.is_accuracy:
            mean, span, deviation = percent(self.mean), percent_interval(ends), points(self.deviation)
            interval = percent_interval(self.interval) if self.interval else ""
        else:
            mean, deviation, span = metric_text(self.mean), metric_text(self.deviation), " to ".join(losses(*ends))
            interval = " to ".join(losses(*self.interval)) if self.interval else ""
        what = metric_words(wording.metric)
        if not self.deviation:
            return f"{runs} each have the same {what}, {mean}."
        sure = f" (95% interval {interval} {wording.on_these})" if interval else ""
        spread = f"Single runs get {span}, with a standard deviation of {deviation}."
        return f"{runs} have a mean {what} of {mean}{sure}. {spread}"


@dataclass(frozen=True, slots=True)
class OneSeed(Details):
    """An option's effect that is only detected with one particular matched pair."""

    changed: str = ""
    from_: str = ""
    to: str = ""
    pairs: int = 0  # matched pairs in all
    p_value: float = 1.0  # with all pairs
    p_without: float = 1.0  # without that one

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return that an effect depends on one matched pair."""
        change, seed = change_words(self.changed, self.from_, self.to), f"without {wording.runs(conclusion.runs)}"
        p_values = f"{wording.p(self.p_without)} instead of {wording.p_again(self.p_value)}"
        return f"The effect of {change} depends on one seed: {seed} it is no longer significant ({p_values})."


@dataclass(frozen=True, slots=True)
class Diverged(Details):
    """The first epoch at which a run's loss was not finite."""

    epoch: int = 1

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return that a run diverged, and when."""
        run = capitalised(wording.run(conclusion.runs[0]))
        return f"{run} diverged: its loss stopped being a finite number at epoch {self.epoch:,}."


def stability(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each configuration with several runs on the same clips, on effects, and on diverged runs.

    One `unknown` conclusion if there is nothing else to say.
    """
    epochs = {result.run_id: result.first_diverged_epoch for result in study.results}
    diverged = [Conclusion("stability", "exact", (run,), Diverged(epoch)) for run, epoch in epochs.items() if epoch]
    known = (*_spreads(study), *_one_seed_effects(study), *diverged)
    if known or not study.results:
        return known
    return (Conclusion("stability", "unknown", study.run_ids, Spread(unlogged=not _has_params(study))),)


def _has_params(study: Study) -> bool:
    """Return whether any run's configuration is known."""
    return any(map(study.design.is_known, range(len(study.results))))


def _spreads(study: Study) -> Iterator[Conclusion]:
    """Yield how each configuration scatters on each set of clips, if several of its runs have a count or a score."""
    by_set: dict[tuple[int, int], list[int]] = defaultdict(list)
    scored: dict[tuple[int, int], list[int]] = defaultdict(list)
    for configuration, runs in enumerate(study.design.configurations):
        for run in runs:
            if study.results[run].clip_set.known and study.results[run].correct is not None:
                by_set[configuration, study.clip_set_index[run]].append(run)
            elif study.results[run].score is not None:
                scored[configuration, int(study.design.repeats[run])].append(run)
    for members in (members for _, members in sorted(scored.items()) if len(members) > 1):
        yield _spread_of_metric(study, members)
    for members in (members for _, members in sorted(by_set.items()) if len(members) > 1):
        results, clips = [study.results[run] for run in members], study.results[members[0]].clip_set
        accuracies = np.array([run.correct / run.n for run in results if run.correct is not None and run.n])
        interval = None
        if all(run in clips.row_of for run in members):
            correct = clips.correct[[clips.row_of[run] for run in members]]
            interval = accuracy_over_seeds(correct, clips.groups or None)
        elif len(members) >= FEWEST_PAIRS and not clips.groups and clips.n:
            interval = counted_accuracy_interval(accuracies, clips.n)
        mean, deviation = float(accuracies.mean()), float(accuracies.std(ddof=1))
        details = Spread(mean, float(accuracies.min()), float(accuracies.max()), deviation, interval)
        method = METHOD if interval else None
        yield Conclusion("stability", "estimate", study.ids(members), details, n=results[0].n, method=method)


def _spread_of_metric(study: Study, members: Sequence[int]) -> Conclusion:
    """Return how the primary metric of runs of one configuration varies."""
    results = [study.results[run] for run in members]
    scores = np.array([result.score for result in results], dtype=np.float64)
    deviation = float(scores.std(ddof=1)) if len(set(scores.tolist())) > 1 else 0.0
    interval = mean_over_trainings(study, scores) if deviation and len(scores) >= FEWEST_PAIRS else None
    details = Spread(
        float(scores.mean()), float(scores.min()), float(scores.max()), deviation, interval, of_metric=True
    )
    found = Conclusion("stability", "estimate", study.ids(members), details, n=results[0].n)
    return replace(found, method=OVER_SEEDS if interval else None, scope="these_clips")


def _one_seed_effects(study: Study) -> Iterator[Conclusion]:
    """Yield the contrasts that are detected with all matched pairs but not without one of them."""
    for contrast in (contrast for contrasts in study.contrasts.values() for contrast in contrasts):
        clips, pairs = largest_set(study, contrast)
        if not study.metric.is_accuracy or len(pairs) <= FEWEST_PAIRS or len(pairs) > _MOST_PAIRS:
            continue
        whole = crossed_effect(study, clips, pairs)
        if whole is None or whole.p_value > study.alpha:
            continue
        without = [crossed_effect(study, clips, [*pairs[:i], *pairs[i + 1 :]]) for i in range(len(pairs))]
        p_values = [effect.p_value if effect else 1.0 for effect in without]
        worst = int(np.argmax(p_values))
        if p_values[worst] > study.alpha:
            details = OneSeed(contrast.option, contrast.start, contrast.end, len(pairs), whole.p_value, p_values[worst])
            yield Conclusion("stability", "exact", study.ids(pairs[worst]), details, n=len(clips.clips))


def _limits(study: Study, _conclusions: Sequence[Conclusion], _wording: Wording) -> Iterator[str]:
    sizes = [len(runs) for runs in study.design.configurations]
    if len(sizes) < 2:
        return
    if not _has_params(study):
        yield "No run logged its params, so it is unknown which runs are repetitions of others."
    elif max(sizes) == 1:
        once = "with one seed" if any(terms.seed for terms in study.design.terms) else "once"
        yield f"Each configuration was trained {once}, so effects cannot be separated from training noise."
    elif max(sizes) < FEWEST_PAIRS:
        yield "No configuration was trained with three seeds: too few to separate effects from training noise."
    elif min(sizes) < FEWEST_PAIRS:
        few = sum(size < FEWEST_PAIRS for size in sizes)
        of_all = f"{capitalised(number_word(few))} of the {counted(len(sizes), 'configuration')}"
        trained = "was trained" if few == 1 else "were trained"
        yield f"{of_all} {trained} with fewer than three seeds: too few to separate effects from training noise."


KIND = Kind(
    name="stability",
    title="Seeds",
    conclude=stability,
    limits=_limits,
    challenges=lambda found, words: challenges_of([c for c in found if isinstance(c.details, Diverged)], words, _MANY),
    planned_runs=lambda study, conclusion, _: (
        [further_seeds(study, best_having(study))] if conclusion.verdict == "unknown" else []
    ),
)
