"""What changing an option does to the accuracy of a configuration: one conclusion for each option that varied.

One training says nothing about a configuration, so nothing is claimed from fewer than three repetitions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from tracker.conclusions.comparisons import FOLDS, SPLITS
from tracker.conclusions.conclusion import (
    OPEN,
    Conclusion,
    Details,
    Difference,
    Kind,
    Method,
    PlannedRun,
    RunSpec,
    Table,
    Verdict,
    best_having,
    filled_up,
    further_seeds,
    repetitions_of,
    seeds_of,
)
from tracker.conclusions.contrasts import (
    CROSSED,
    NESTED,
    Analysis,
    ContrastEffect,
    Decision,
    analyse_contrast,
    chance_of_better,
    chance_with,
    decide,
    detectable_on,
    largest_set,
    pairs_worth_running,
    sample_size_for,
)
from tracker.conclusions.trainings import PAIRED, UNPAIRED, differ_equally
from tracker.replay import can_act
from tracker.runs import FEATURE_OPTIONS, LOGGED_OPTIONS, OFF
from tracker.statistics.repetitions import FEWEST_PAIRS
from tracker.study.histories import identical
from tracker.study.options import MOST_ALIASES, NETWORK, PLATEAU, as_whole
from tracker.study.study import Obstacle
from tracker.wording import (
    NONE,
    begun,
    change_cell,
    change_interval_cell,
    change_words,
    count_words,
    counted,
    level_cell,
    level_words,
    listing,
    losses,
    metric_text,
    metric_words,
    number_word,
    option_words,
    percent,
    points,
    points_cell,
    points_interval_cell,
    round_number,
    sign,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.statistics.proportions import Interval
    from tracker.study.study import Contrast, Pair, Study
    from tracker.wording import Wording

MOST_PAIRS = 20  # matched pairs of a contrast, in all, beyond which no command is suggested
_MOST_AT_FIRST = 6  # matched pairs suggested for a first test: they show what further ones would tell
_MOST_AT_ONCE = 2  # options that become testable by the few commands that are suggested at once
MOST_CONTRASTS = 50  # contrasts of one option that are listed: those with the smallest p-values
_MOST_NAMED = 5  # options that are named as having changed with another, if very many did
_MOST_ALSO = 3  # further contrasts that are named in the sentence of one that is supported
UNMEASURED = "no runs that differ {} alone logged {}"
UNTESTABLE = "these runs do not show how much of that could be chance"
_SAYS_NOTHING = 0.6  # width above which the interval of a difference is not worth a sentence
_MOST_SAID = 50  # more clips than so many times those at hand are no use to anybody
MOST_RESAMPLED = 3  # contrasts of one option, the clearest ones, whose probability of being better is resampled


@dataclass(frozen=True, slots=True)
class OptionEffect(Details):
    """The evidence of an option's effect."""

    contrasts: tuple[ContrastEffect, ...] = ()  # by level; at most `MOST_CONTRASTS`
    aliases: tuple[str, ...] = ()  # at most `MOST_ALIASES` options that changed with it, if it never changed alone
    levels: tuple[str, ...] = ()  # every level that it had
    n_contrasts: int = 0  # contrasts in all, listed or not
    tests: int = 0  # contrasts of all options that are tested: what the correction counts

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return what an option does, or why that is not known."""
        option = conclusion.option or ""
        name = option_words(option)
        if conclusion.verdict == "unknown":
            why = f": {UNMEASURED.format('in it', metric_words(wording.metric))}"
            unlogged = ", as are the validation clips that the runs were judged on"
            return f"The effect of {name} is unknown{why if self.n_contrasts else unlogged}."
        if not self.contrasts:
            changed = _aliases_text(self.aliases)
            if changed:
                return f"{begun(name)} was never varied on its own: {changed} changed with it."
            return f"{begun(name)} changed alone only between runs on different clips, so its effect is unknown."
        return self._tested_text(option, wording)

    def _tested_text(self, option: str, wording: Wording) -> str:
        """Return what the clearest contrast shows; nothing of one if all have too few runs."""
        first = leading(self.contrasts)
        if self.n_contrasts > 1 and all(map(_is_of_too_few, self.contrasts)):
            those = "matched pairs" if any(c.pairs for c in self.contrasts) else "comparable runs each"
            values = f"no two of its {number_word(len(self.levels))} values"
            return f"Too few runs to judge {option_words(option)}: {values} have the three {those} that a test takes."
        text = _contrast_text(option, first, wording, self.tests)
        also = [c for c in self.contrasts if c.verdict == "supported" and c is not first]
        if first.verdict != "supported" or self.n_contrasts < 2:
            return text
        if len(also) > _MOST_ALSO:
            return f"{text} In all, {len(also) + 1} of {self.n_contrasts} pairs of levels differ significantly."
        each = [f"{_observed_text(option, effect, wording)}" for effect in also]
        return f"{text} Also significant: {listing(each)}." if each else text

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return a row for each contrast."""
        header = ("from", "to", "matched pairs", "difference", "95% interval", "look", "p at most", "verdict")
        cell, interval = (points_cell, points_interval_cell) if in_points else (change_cell, change_interval_cell)
        rows = [
            (
                level_cell("", c.from_),
                level_cell("", c.to),
                str(c.pairs),
                cell(c.estimate),
                interval(c.interval),
                str(len(c.looks)) if c.looks else NONE,
                metric_text(c.level),
                verdict_words(c),
            )
            for c in self.contrasts
        ]
        return (Table("All comparisons", header, tuple(rows)),) if rows else ()

    def differences(self, conclusion: Conclusion, numbers: Mapping[str, int]) -> tuple[Difference, ...]:
        """Return a difference for each contrast that has an interval."""
        del numbers
        name, differences = option_words(conclusion.option or ""), []
        for c in self.contrasts:
            if c.estimate is not None and c.interval is not None:
                option = conclusion.option or ""
                change = f"{level_cell(option, c.from_)} → {level_cell(option, c.to)}"
                what, p_value = f"{name}: {change}", c.p_value if c.p_adjusted is None else c.p_adjusted
                differences.append(Difference(what, c.estimate, c.interval, p_value, c.verdict, conclusion.runs))
        return tuple(differences)

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods of all listed contrasts."""
        return tuple(part.method for part in self.contrasts if part.method)


def verdict_words(effect: ContrastEffect) -> str:
    """Return a contrast's verdict for a table; one that was not tested is not called inconclusive."""
    if effect.verdict == "inconclusive" and effect.p_value is None:
        return "too few runs" if _is_of_too_few(effect) else "not tested"
    return "identical" if effect.verdict == "exact" else effect.verdict.replace("_", " ")


def _is_of_too_few(effect: ContrastEffect) -> bool:
    """Return whether an effect is not tested for want of runs."""
    few = max(effect.pairs, min(effect.repetitions)) < FEWEST_PAIRS
    return few and effect.p_value is None and effect.verdict == "inconclusive"


def option_effects(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each option that varied, in the design's order."""
    by_option = {option: [c for c in found if _is_measured(study, c)] for option, found in study.contrasts.items()}
    contrasts = [contrast for of_option in by_option.values() for contrast in of_option]
    exact = {c for c in contrasts if c.pairs and all(_changed_nothing(study, pair) for pair in c.pairs)}
    analyses = {c: None if c in exact else analyse_contrast(study, c) for c in contrasts}
    found = [(contrast, analysis) for contrast, analysis in analyses.items() if analysis]
    tests, decided = len(found), decide(study, [analysis for _, analysis in found])
    tested = {contrast: one for (contrast, _), one in zip(found, decided, strict=True)}
    effects = {c: _effect(study, c, a, tested.get(c), tests, exact=c in exact) for c, a in analyses.items()}
    return tuple(
        _conclude_on_option(study, option, {c: effects[c] for c in of_option}, tests)
        for option, of_option in by_option.items()
    )


def _is_measured(study: Study, contrast: Contrast) -> bool:
    """Return whether runs on both sides of a contrast have the primary metric."""
    return any(all(_measured(study, runs) for runs in setting) for setting in contrast.repetitions)


def _measured(study: Study, runs: Sequence[int]) -> list[int]:
    """Return those of some runs that have the primary metric."""
    return [run for run in runs if study.results[run].score is not None or study.by_clip(run) is not None]


def _changed_nothing(study: Study, pair: Pair) -> bool:
    """Return whether two runs are identical, in their curves and, if both are known, in what they have correct."""
    first, second = (study.results[run] for run in pair)
    one, other = first.correct_by_clip, second.correct_by_clip
    same = one is None or other is None or np.array_equal(one, other)
    return same and identical(first.run, second.run)


def leading(effects: Sequence[ContrastEffect]) -> ContrastEffect:
    """Return the contrast that an option's conclusion speaks of: of those that decide its verdict the clearest.

    Its numbers are the conclusion's own, so that these never contradict the verdict: of an inconclusive option, an
    equivalent contrast may well have the smallest p-value.
    """
    order: tuple[Verdict, ...] = ("supported", "inconclusive")

    def rank(effect: ContrastEffect) -> tuple[int, float, int, int]:
        decides = order.index(effect.verdict) if effect.verdict in order else len(order)
        return decides, _by_p(effect), -min(effect.repetitions), -effect.pairs

    return min(effects, key=rank)


def _conclude_on_option(study: Study, option: str, found: Mapping[Contrast, ContrastEffect], tests: int) -> Conclusion:
    levels, contrasts, effects = study.design.levels[option], list(found), list(found.values())
    if not effects and study.contrasts[option]:
        details = OptionEffect(levels=levels, n_contrasts=len(study.contrasts[option]), tests=tests)
        return Conclusion("option_effect", "unknown", study.run_ids, details, option=option)
    if not effects:  # it never changed alone, or only between runs not known to share their clips
        alone = study.alone_elsewhere(option)
        together = study.design.aliases(option) if alone is None else ()
        verdict: Verdict = "unknown" if alone is Obstacle.UNLOGGED_CLIPS else "not_comparable"
        verdict = "confounded" if alone is None else verdict
        details = OptionEffect((), together, levels, tests=tests)
        return Conclusion("option_effect", verdict, study.run_ids, details, option=option)
    first = leading(effects)
    by_p = sorted(range(len(effects)), key=lambda index: (effects[index] is not first, _by_p(effects[index])))
    listed = {i: effects[i] for i in sorted(by_p[:MOST_CONTRASTS])}
    for i in by_p[:MOST_RESAMPLED]:
        if effects[i].p_value is not None:
            listed[i] = replace(effects[i], probability=chance_of_better(study, contrasts[i]))
    verdicts = {effect.verdict for effect in effects}
    if len(verdicts) > 1:
        verdicts.discard("exact")  # no difference at all, whatever the other levels do
    verdict = verdicts.pop() if len(verdicts) == 1 else "supported" if "supported" in verdicts else "inconclusive"
    runs = {run for c in contrasts for setting in c.repetitions for level in setting for run in level}
    details = OptionEffect(tuple(listed.values()), (), levels, len(effects), tests)
    clearest = (first.estimate, first.interval, first.p_value, first.p_adjusted, first.n, first.method)
    return Conclusion("option_effect", verdict, study.ids(sorted(runs)), details, *clearest, option, scope=first.scope)


def _by_p(effect: ContrastEffect) -> float:
    return effect.p_value if effect.p_value is not None else np.inf


def _effect(
    study: Study, contrast: Contrast, analysis: Analysis | None, decision: Decision | None, tests: int, *, exact: bool
) -> ContrastEffect:
    effect = decision.effect if decision else None
    settings = [[_measured(study, runs) for runs in setting] for setting in contrast.repetitions]
    start, end = max(settings, key=lambda runs: min(len(runs[0]), len(runs[1])))
    estimate = 0.0 if exact else effect.estimate if effect else _plain_estimate(study, contrast)
    verdict: Verdict = "exact" if exact else decision.verdict if decision else "inconclusive"
    return ContrastEffect(
        from_=contrast.start,
        to=contrast.end,
        pairs=sum(len(_measured(study, pair)) == len(pair) for pair in contrast.pairs),
        estimate=estimate,
        interval=effect.interval if effect else None,
        interval_90=effect.interval_90 if effect else None,
        p_value=effect.p_value if effect else None,
        p_adjusted=decision.p_adjusted if decision else None,
        verdict=verdict,
        repetitions=(len(start), len(end)),
        method=analysis.method if analysis else None,
        n=analysis.n if analysis else study.results[start[0]].clip_set.n,
        folds=analysis.folds if analysis else 0,
        within_margin=decision.within_margin if decision else None,
        detectable=detectable_on(study, contrast, analysis, tests) if analysis else None,
        crossed=analysis.inner if analysis else None,
        need=sample_size_for(study, contrast, analysis, tests) if analysis and verdict == "inconclusive" else None,
        scope=decision.scope if decision else "population",
        constant=differ_equally(study, contrast.pairs),
        settings=sum(bool(start and end) for start, end in settings),
        looks=analysis.looks.sizes if analysis else (),
        level=analysis.looks.level(study.alpha) if analysis else None,
        is_final=contrast.is_final,
        later_runs=contrast.later,
    )


def _plain_estimate(study: Study, contrast: Contrast) -> float | None:
    """Return the mean difference of the primary metric over matched pairs, else over repetitions."""
    sum_of_differences, number = 0.0, 0
    for start, end in [((a,), (b,)) for a, b in contrast.pairs] or contrast.repetitions:
        before, after = ([study.results[run].score for run in runs] for runs in (start, end))
        known = [score for score in before if score is not None], [score for score in after if score is not None]
        sum_of_differences += len(known[0]) * math.fsum(known[1]) - len(known[1]) * math.fsum(known[0])
        number += len(known[0]) * len(known[1])
    return sum_of_differences / number if number else None


def _aliases_text(aliases: Sequence[str]) -> str:
    """Return the options that changed with another; of very many, the first."""
    many = len(aliases) >= MOST_ALIASES
    words = [option_words(alias) for alias in (aliases[:_MOST_NAMED] if many else aliases)]
    return listing([*words, "many other options"] if many else words)


def _contrast_text(option: str, effect: ContrastEffect, wording: Wording, tests: int) -> str:
    change = change_words(option, effect.from_, effect.to)
    if effect.verdict == "exact":
        pairs = "in the matched pair" if effect.pairs == 1 else f"in all {number_word(effect.pairs)} matched pairs"
        return f"{begun(change)} changed nothing: {pairs} both runs are identical, epoch by epoch."
    if effect.p_value is None or effect.interval is None:
        return _untested_text(option, effect, wording)
    over = f" over {counted(effect.folds, 'split' if effect.method == SPLITS else 'fold')}" if effect.folds else ""
    if effect.scope == "these_clips":
        over = f" {wording.on_these}"
    if effect.verdict == "supported":
        does = "raises" if (effect.estimate or 0.0) > 0 else "lowers"
        by = _size(effect.estimate or 0.0, wording)
        interval = f"95% interval {_interval_text(effect.interval, wording)}"
        return f"{begun(change)} {does} {_quantity(effect, wording)} by {by}{over} ({interval})."
    if effect.verdict == "equivalent" and effect.interval_90:
        inside = f"90% interval {_interval_text(effect.interval_90, wording)}"
        return f"{begun(change)} makes no difference of {points(wording.margin)} or more{over} ({inside})."
    average = f"{over} on average" if effect.folds else f" on average{over}"
    return _open_text(option, effect, f"{_observed_text(option, effect, wording)}{average}", wording, tests)


def _open_text(option: str, effect: ContrastEffect, observed: str, wording: Wording, tests: int) -> str:
    """Return that a tested effect may be chance, given what was observed, and what it takes to detect it."""
    low, high = effect.interval or (-1.0, 1.0)
    interval = f"95% interval {_interval_text((low, high), wording)}"
    if effect.p_value is not None and effect.p_value <= wording.alpha:
        alone = f"That is significant on its own ({wording.p(effect.p_value)})"
        corrected = _why_not_significant(effect, effect.p_value, wording.alpha, tests)
        return f"{begun(option_words(option))} {observed} ({interval}). {alone}, {corrected}."
    none = f"No clear effect of {option_words(option)}"
    if wording.metric.is_accuracy and high - low > _SAYS_NOTHING:
        return f"{none}: {observed}, but the data are too few to tell."
    return f"{none}: {observed} ({interval}).{_need_text(effect, wording)}"


def _why_not_significant(effect: ContrastEffect, p_value: float, alpha: float, tests: int) -> str:
    """Return why an effect that would be significant on its own is not, after a comma."""
    if effect.level is None or effect.level >= alpha:
        return "but not after correcting for all contrasts"
    if p_value <= effect.level and tests == 1:
        return f"but while seeds may be added p must be {_held_to(effect)}, also in a stricter test"
    if p_value <= effect.level:
        return "but not after correcting for seeds that are added and for all contrasts"
    if len(effect.looks) == 1:
        return f"but seeds may still be added, so p must be {_held_to(effect)} at this first look"
    return f"but seeds were added after earlier looks, so p must be {_held_to(effect)} at this one"


def _held_to(effect: ContrastEffect) -> str:
    return f"at most {metric_text(effect.level)}"


def _need_text(effect: ContrastEffect, wording: Wording) -> str:
    """Return what it takes to detect the effect, as a sentence after a space; nothing if nobody would do it."""
    need, n = effect.need, effect.n or 0
    if need is None:
        if effect.detectable is None or (wording.metric.is_accuracy and effect.detectable >= 1):
            return ""
        return f" Effects below {_size(effect.detectable, wording)} would mostly go unnoticed."
    size = _size(need.effect, wording)
    if need.pairs is not None:
        return f" Detecting an effect of {size} takes {round_number(need.pairs)} matched pairs on these clips."
    if need.clips is None or need.clips > _MOST_SAID * n:
        return " More seeds alone won't tell: there are too few clips."
    clips = round_number(need.clips)
    return f" More seeds alone won't reveal an effect of {size} on these clips; that takes at least {clips} clips."


def _untested_text(option: str, effect: ContrastEffect, wording: Wording) -> str:
    """Return what was observed of a contrast that is not tested, and why it isn't."""
    observed, name = _observed_text(option, effect, wording), option_words(option)
    start, end = effect.repetitions
    among = "the one matched pair" if effect.pairs == 1 else f"{count_words(effect.pairs, 'matched pair')}"
    if not effect.pairs:
        runs = f"{count_words(start, 'run')} of each"
        among = runs if start == end else f"{count_words(start, 'run')} and {number_word(end)}"
        if effect.settings > 1:
            most = f"at most {number_word(min(start, end))} of each" if max(start, end) > 1 else "one run of each"
            observed = f"{observed} on average"
            among = f"{number_word(effect.settings)} settings of the other options, with {most}"
    if effect.pairs >= FEWEST_PAIRS and effect.constant:
        each = f"each of {count_words(effect.pairs, 'matched pair')}"
        return f"The effect of {name} cannot be tested: {observed} in {each}, so it is unknown how much that varies."
    if effect.pairs >= FEWEST_PAIRS or min(effect.repetitions) >= FEWEST_PAIRS:
        return f"The effect of {name} is not tested: {observed} in {among}, but {UNTESTABLE}."
    least = f"a test takes at least {number_word(FEWEST_PAIRS)}"
    least = f"{least} pairs" if effect.pairs else f"{least} of each"
    return f"Too few runs to judge {name}: {observed} in {among}; {least}."


def _observed_text(option: str, effect: ContrastEffect, wording: Wording) -> str:
    """Return ``7 instead of 3 gave 3.3 points less``."""
    estimate = effect.estimate or 0.0
    change = f"{level_words(option, effect.to)} instead of {_from_words(option, effect)}"
    if not estimate:
        return f"{change} made no difference"
    if wording.metric.is_accuracy:
        return f"{change} gave {points(estimate)} {'more' if estimate > 0 else 'less'}"
    moved = "raised" if estimate > 0 else "lowered"
    return f"{change} {moved} {_quantity(effect, wording)} by {_size(estimate, wording)}"


def _from_words(option: str, effect: ContrastEffect) -> str:
    return "none" if effect.from_ == OFF else level_words(option, effect.from_)


def _quantity(effect: ContrastEffect, wording: Wording) -> str:
    """Return what the runs are compared by, in words; a loss that is known by clip is that of clips, not segments."""
    if wording.metric.is_accuracy:
        return "validation accuracy"
    if wording.metric.is_loss and effect.p_value is not None and effect.method not in (PAIRED, UNPAIRED):
        return "the log-loss of validation clips"
    return metric_words(wording.metric)


def _size(difference: float, wording: Wording) -> str:
    return points(difference) if wording.metric.is_accuracy else losses(abs(difference))[0]


def _interval_text(interval: Interval, wording: Wording) -> str:
    if wording.metric.is_accuracy:
        return points_interval_cell(interval)
    sizes = losses(*map(abs, interval))
    return " to ".join(f"{sign(end)}{size}" for end, size in zip(interval, sizes, strict=True))


def _planned_runs(study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion]) -> list[PlannedRun]:
    """Vary the option alone, or complete the matched pairs of the contrast that the conclusion speaks of."""
    option, details = conclusion.option, conclusion.details
    if not study.metric.is_known_by_clip or option is None or not isinstance(details, OptionEffect):
        return []
    if conclusion.verdict not in ("confounded", "inconclusive"):
        return []
    untested = sum(isinstance(c.details, OptionEffect) and c.p_value is None and c.verdict in OPEN for c in conclusions)
    tests = details.tests + min(untested, _MOST_AT_ONCE)
    if conclusion.verdict == "confounded":
        return _vary_alone(study, option, tests)
    effect = leading(details.contrasts)
    contrast = next(c for c in study.contrasts[option] if (c.start, c.end) == (effect.from_, effect.to))
    if not contrast.pairs and all(min(map(len, setting)) == 1 for setting in contrast.repetitions):
        return _vary_alone(study, option, tests)
    pairs = _pairs_to_reach(study, contrast, effect, max(1, tests))
    return [] if pairs is None else _complete_pairs(study, contrast, pairs, max(1, tests))


def _pairs_to_reach(study: Study, contrast: Contrast, effect: ContrastEffect, tests: int) -> int | None:
    """Return how many matched pairs in all are worth having; None if no small number of them is."""
    if contrast.is_final:
        return None
    run = contrast.repetitions[0][0][0]
    if effect.p_value is None and len(largest_set(study, contrast)[1]) < FEWEST_PAIRS:
        return pairs_worth_running(study, contrast, run, _MOST_AT_FIRST, tests) or FEWEST_PAIRS
    most = effect.need.pairs if effect.need else None
    return None if most is None or most > MOST_PAIRS else pairs_worth_running(study, contrast, run, most, tests) or most


def _vary_alone(study: Study, option: str, tests: int) -> list[PlannedRun]:
    """Change the option alone, starting from the best run that has it, for a first test; nothing if it cannot act."""
    best = best_having(study, option)
    own = study.design.level(best, option)
    ranked = [study.design.level(run, option) for run in study.ranking if study.design.has(run, option)]
    others = (level for level in dict.fromkeys((*ranked, *study.design.levels[option])) if level != own)
    target = next((level for level in others if _can_differ(study, best, option, level)), None)
    if target is None:
        return []
    changes = ((option, target), *(_network_options(study, best, target) if option == NETWORK else ()))
    why = f"run {study.results[best].number} with {change_words(option, own, target)}"
    pairs = pairs_worth_running(study, None, best, _MOST_AT_FIRST, tests) or FEWEST_PAIRS
    chance = chance_with(study, None, best, pairs, tests)
    base = further_seeds(study, best, pairs, by_clip=True)
    have = seeds_of(study, repetitions_of(study, best, by_clip=True))
    return [replace(base, chance=chance), PlannedRun(RunSpec(best, changes), have | base.seeds, why, chance)]


def _can_differ(study: Study, run: int, option: str, level: str) -> bool:
    """Return whether a run can come out otherwise at another level: a patience may be too long ever to act."""
    levels = dict(study.design.terms[run].levels)
    return _acting(levels) != _acting(levels | {option: level})


def _acting(levels: Mapping[str, str]) -> dict[str, str]:
    """Return levels without those that are off, or that cannot act within the limit of epochs."""
    epochs = as_whole(levels.get("epochs"))
    patiences = {
        "early_stopping_patience": as_whole(levels.get("early_stopping_patience")),
        PLATEAU: as_whole(levels.get(PLATEAU, "").rpartition("x")[2]),
    }
    idle = {name for name, patience in patiences.items() if epochs and patience and not can_act(patience, epochs)}
    return {name: level for name, level in levels.items() if level != OFF and name not in idle}


def _network_options(study: Study, run: int, network: str) -> list[tuple[str, str]]:
    """Return the changes of options that only a run's network has, or only another, as its best run has them."""
    like = next(o for o in (*study.ranking, *range(len(study.results))) if study.design.level(o, NETWORK) == network)
    common = {name for name, entry in LOGGED_OPTIONS.items() if not entry.of_some} - FEATURE_OPTIONS
    before, after = (
        {name: level for name, level in study.design.terms[i].levels if name not in common} for i in (run, like)
    )
    dropped = dict.fromkeys(before.keys() - after.keys(), OFF)
    return sorted((dropped | {name: after[name] for name in after.keys() - before.keys()}).items())


def _complete_pairs(study: Study, contrast: Contrast, pairs: int, tests: int) -> list[PlannedRun]:
    """Bring a contrast to so many matched pairs, in the setting of everything else that has most repetitions."""
    clips, have_pairs = largest_set(study, contrast)
    on_clips = [setting for setting in contrast.repetitions if study.results[setting[0][0]].clip_set is clips]
    setting = max(on_clips, key=lambda runs: (min(map(len, runs)), sum(map(len, runs))))
    seeds = [seeds_of(study, [run for run in runs if study.by_clip(run) is not None]) for runs in setting]
    both, either = seeds[0] & seeds[1], seeds[0] | seeds[1]
    taken = seeds_of(study, (*setting[0], *setting[1]))
    elsewhere = len(have_pairs) - len(both)
    needed = filled_up([*sorted(both), *sorted(either - both)], pairs - elsewhere, taken)
    why = f"matched pairs for {change_words(contrast.option, contrast.start, contrast.end)}"
    chance = chance_with(study, contrast, setting[0][0], pairs, tests)
    both_levels = zip(setting, seeds, strict=True)
    return [PlannedRun(RunSpec(runs[0]), needed - have, why, chance) for runs, have in both_levels]


def _why_no_run(conclusions: Sequence[Conclusion]) -> Iterator[str]:
    found = [(c.verdict, leading(c.details.contrasts)) for c in conclusions if _has_contrasts(c.details)]
    still_open = [effect for verdict, effect in found if verdict == "inconclusive"]
    needs = [effect.need for effect in still_open if effect.need]
    if any(need.pairs is not None and need.pairs > MOST_PAIRS for need in needs):
        yield (
            "No small number of runs will answer the remaining questions: more than "
            f"{MOST_PAIRS} matched pairs are needed."
        )
    if any(need.pairs is None for need in needs):
        yield "The remaining questions need more validation clips, not more runs."
    if any(effect.folds for effect in still_open):
        yield "The remaining questions need more clips or folds: further seeds on the same folds would not answer them."


def _has_contrasts(details: Details) -> TypeGuard[OptionEffect]:
    return isinstance(details, OptionEffect) and bool(details.contrasts)


def _limits(study: Study, conclusions: Sequence[Conclusion], _wording: Wording) -> Iterator[str]:
    """Yield at which look, and so at which level, options were decided that seeds are added to."""
    tested = [(c.option or "", leading(c.details.contrasts)) for c in conclusions if _has_contrasts(c.details)]
    tested = [(option, effect) for option, effect in tested if effect.looks]
    growing = [(option, effect) for option, effect in tested if _is_growing(study, effect)]
    level = percent(study.alpha)
    if growing:
        each = [
            f"{_held_to(effect)} for {option_words(option)} (look {len(effect.looks)})" for option, effect in growing
        ]
        many = f" and {len(each) - _MOST_NAMED} others" if len(each) > _MOST_NAMED else ""
        yield (
            f"Seeds can be added after each look at the results. For {level} to hold over all looks, p must now be "
            f"{listing(each[:_MOST_NAMED])}{many}; seeds trained with --final count as one plan, held to {level}."
        )
    if any(not effect.is_final and not _is_growing(study, effect) for _, effect in tested):
        yield (
            "The runs do not record which command trained them, so they count as one plan made in advance. If seeds "
            f"were added after a look at the results, chance passes for an effect more often than {level} of the time."
        )
    for option, effect in tested:
        if effect.later_runs:
            those = "1 run that was trained besides does" if effect.later_runs == 1 else (
                f"{effect.later_runs} runs that were trained besides do")  # fmt: skip
            yield f"{begun(option_words(option))} is decided by a plan declared final: the {those} not change that."


def _is_growing(study: Study, effect: ContrastEffect) -> bool:
    """Return whether an effect is held to less than the whole level, since more seeds may be added."""
    return effect.level is not None and effect.level < study.alpha


def _methods(study: Study, conclusions: Sequence[Conclusion]) -> Iterator[str]:
    if any(conclusion.p_value is not None for conclusion in conclusions):
        yield (
            "All contrasts of options with three repetitions or more are another family, corrected so at "
            f"{percent(study.alpha)}."
        )
    effects = [
        c for conclusion in conclusions if _has_contrasts(conclusion.details) for c in conclusion.details.contrasts
    ]
    if any(_is_growing(study, effect) for effect in effects):
        yield (
            "An effect that is looked at again whenever seeds are added is held to a smaller level at each look: by r "
            f"repetitions a fraction 0.8 (1 - 2/r) of {percent(study.alpha)} is spent at most, so that it holds over "
            "all looks (Lan and DeMets 1983, doi:10.1093/biomet/70.3.659)."
        )
    if {PAIRED, UNPAIRED} & {part for conclusion in conclusions for part in conclusion.details.methods}:
        yield (
            "Without predictions an effect is one on other trainings on the same clips. One on accuracies of a known "
            "number of clips holds for other clips too if it also exceeds what is due to the largest variance that "
            "clips can add, that of two proportions without correlation."
        )
    if any(conclusion.method == CROSSED and conclusion.p_adjusted != conclusion.p_value for conclusion in conclusions):
        yield (
            "What is corrected there is the p-value of Behrens and Fisher (doi:10.1111/j.1469-1809.1935.tb02120.x), "
            "which holds at the small levels of a family too, where that of t does not; adjusted p-values are "
            "therefore somewhat larger than Holm's of the p-values shown."
        )


KIND = Kind(
    name="option_effect",
    title="What the options do",
    conclude=option_effects,
    estimates="difference",
    in_metric_unit=True,
    tests=(CROSSED, NESTED, FOLDS, SPLITS, PAIRED, UNPAIRED),
    methods=_methods,
    limits=_limits,
    planned_runs=_planned_runs,
    why_no_run=_why_no_run,
)
