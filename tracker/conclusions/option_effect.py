"""What changing an option does to the configuration: one conclusion per option that varied.

One training says nothing of a configuration, so that nothing is claimed from fewer than three repetitions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Verdict
from tracker.conclusions.contrast_analysis import (
    FOLDS,
    SPLITS,
    Analysis,
    Need,
    adjusted_p_values,
    analyse_contrast,
    chance_of_better,
    sample_size_for,
)
from tracker.statistics.repetitions import detectable_effect
from tracker.study.identical_runs import identical
from tracker.study.options import aliases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.statistics.proportions import Interval
    from tracker.study.contrasts import Contrast
    from tracker.study.study import Study

MOST_CONTRASTS = 50
"""Contrasts of one option that are listed; of more, those with the smallest p-values."""


MOST_RESAMPLED = 3
"""Contrasts of one option, the clearest, for which the chance of being better is resampled."""


@dataclass(frozen=True, slots=True)
class InnerEffect:
    """Where folds or splits decide: what the crossed analysis says on the one that has most matched pairs."""

    estimate: float
    interval: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class ContrastEffect:
    """What going from one level to another does.

    Parameters
    ----------
    from_, to : str
        Levels.
    pairs : int
        Matched pairs.
    estimate, interval, p_value, p_adjusted
        As in `Conclusion`: *to* minus *from*.
    verdict : Verdict
    repetitions : tuple of int, length 2
        Runs of each level that differ in nothing but the seed, in the setting where most are.
    method : str or None
    n : int or None
        Clips.
    folds : int
        Where folds, or splits, decide: how many; else 0. The method says which they are.
    within_margin : bool or None
        Whether the 90 % interval lies strictly inside the margin.
    detectable : float or None
        The smallest effect that these runs would have shown four times in five.
    crossed : InnerEffect or None
    probability : float or None
        The chance that *to* beats *from* on other clips and seeds; an estimate, for contrasts that are listed.
    need : Need or None
        Where matched pairs leave it open: what would settle it.
    """

    from_: str
    to: str
    pairs: int
    estimate: float | None
    interval: Interval | None
    p_value: float | None
    p_adjusted: float | None
    verdict: Verdict
    repetitions: tuple[int, int]
    method: str | None
    n: int | None
    folds: int
    within_margin: bool | None
    detectable: float | None
    crossed: InnerEffect | None
    probability: float | None = None
    need: Need | None = None


@dataclass(frozen=True, slots=True)
class OptionEffect(Details):
    """The evidence of an option's effect.

    Parameters
    ----------
    contrasts : tuple of ContrastEffect
        By level; at most `MOST_CONTRASTS`.
    aliases : tuple of str
        Where the option never changed alone: what changed with it.
    levels : tuple of str
        All that the option was at.
    n_contrasts : int
        All that there are.
    """

    contrasts: tuple[ContrastEffect, ...] = ()
    aliases: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    n_contrasts: int = 0


@dataclass(frozen=True, slots=True)
class _Tested:
    """A contrast with what its runs bear out, before correction."""

    contrast: Contrast
    analysis: Analysis | None
    exact: bool


def option_effects(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each option that varied.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Conclusion
        In the design's order.
    """
    tested = {option: [_tested(study, contrast) for contrast in found] for option, found in study.contrasts.items()}
    adjusted = iter(
        adjusted_p_values([one.analysis.effect for found in tested.values() for one in found if one.analysis])
    )
    effects = {
        option: [_contrast(study, one, next(adjusted) if one.analysis else None) for one in found]
        for option, found in tested.items()
    }
    return tuple(_conclusion(study, option, found) for option, found in effects.items())


def _conclusion(study: Study, option: str, found: Sequence[ContrastEffect]) -> Conclusion:
    levels = study.design.levels[option]
    if not found:
        return _without_contrast(study, option)
    first = min(found, key=_by_p)
    return Conclusion(
        kind="option_effect",
        verdict=_overall([contrast.verdict for contrast in found]),
        runs=study.ids(_runs(study.contrasts[option])),
        details=OptionEffect(_listed(study, option, found), (), levels, len(found)),
        option=option,
        estimate=first.estimate,
        interval=first.interval,
        p_value=first.p_value,
        p_adjusted=first.p_adjusted,
        n=first.n,
        method=first.method,
    )


def _without_contrast(study: Study, option: str) -> Conclusion:
    """Conclude on an option that never changed alone, or only between runs that are not known to share their clips."""
    everything, levels = study.ids(range(len(study.results))), study.design.levels[option]
    alone = study.alone_elsewhere(option)
    if alone is not None:
        verdict: Verdict = "unknown" if alone == "unlogged clips" else "not_comparable"
        return Conclusion("option_effect", verdict, everything, OptionEffect((), (), levels), option=option)
    details = OptionEffect((), aliases(study.design, option), levels)
    return Conclusion("option_effect", "confounded", everything, details, option=option)


def _by_p(contrast: ContrastEffect) -> float:
    return contrast.p_value if contrast.p_value is not None else np.inf


def _listed(study: Study, option: str, found: Sequence[ContrastEffect]) -> tuple[ContrastEffect, ...]:
    """Return the contrasts that are listed, in their order, the clearest of them with what is resampled."""
    chosen = sorted(range(len(found)), key=lambda place: (_by_p(found[place]), place))[:MOST_CONTRASTS]
    resampled = {
        place: chance_of_better(study, study.contrasts[option][place])
        for place in chosen[:MOST_RESAMPLED]
        if found[place].p_value is not None
    }
    return tuple(replace(found[place], probability=resampled.get(place)) for place in sorted(chosen))


def _overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return an option's verdict from those of its contrasts."""
    alike = set(verdicts)
    if "supported" in alike:
        return "supported"
    return alike.pop() if len(alike) == 1 else "inconclusive"


def _tested(study: Study, contrast: Contrast) -> _Tested:
    pairs = [tuple(study.results[run].run for run in pair) for pair in contrast.pairs]
    if pairs and all(identical(a, b) for a, b in pairs):
        return _Tested(contrast, None, exact=True)
    return _Tested(contrast, analyse_contrast(study, contrast) if study.metric.is_accuracy else None, exact=False)


def _contrast(study: Study, tested: _Tested, p_adjusted: float | None) -> ContrastEffect:
    contrast, analysis = tested.contrast, tested.analysis
    effect = analysis.effect if analysis else None
    start, end = max(contrast.repetitions, key=lambda runs: min(len(runs[0]), len(runs[1])))
    within = None if effect is None else study.within_margin(effect.interval_90)
    estimate = 0.0 if tested.exact else effect.estimate if effect else _plain_estimate(study, contrast)
    verdict = _verdict(study, tested, p_adjusted, within=bool(within))
    return ContrastEffect(
        from_=contrast.start,
        to=contrast.end,
        pairs=len(contrast.pairs),
        estimate=estimate,
        interval=effect.interval if effect else None,
        p_value=effect.p_value if effect else None,
        p_adjusted=p_adjusted,
        verdict=verdict,
        repetitions=(len(start), len(end)),
        method=analysis.method if analysis else None,
        n=analysis.n if analysis else study.clip_set_of[start[0]].n,
        folds=analysis.repetitions if analysis and analysis.method in (FOLDS, SPLITS) else 0,
        within_margin=within,
        detectable=detectable_effect(effect, alpha=study.alpha) if effect else None,
        crossed=_inner(analysis),
        need=sample_size_for(study, contrast, analysis) if analysis and verdict == "inconclusive" else None,
    )


def _verdict(study: Study, tested: _Tested, p_adjusted: float | None, *, within: bool) -> Verdict:
    if tested.exact:
        return "exact"
    if p_adjusted is not None and p_adjusted <= study.alpha:
        return "supported"
    return "equivalent" if within else "inconclusive"


def _inner(analysis: Analysis | None) -> InnerEffect | None:
    if analysis is None or analysis.inner is None:
        return None
    return InnerEffect(analysis.inner.estimate, analysis.inner.interval, analysis.inner.p_value)


def _plain_estimate(study: Study, contrast: Contrast) -> float | None:
    """Return the mean difference of the primary metric over matched pairs, else over repetitions."""
    sides = contrast.pairs or [(a, b) for start, end in contrast.repetitions for a in start for b in end]
    scores = [(study.results[a].score, study.results[b].score) for a, b in sides]
    differences = [b - a for a, b in scores if a is not None and b is not None]
    return float(np.mean(differences)) if differences else None


def _runs(found: Sequence[Contrast]) -> list[int]:
    return sorted({run for c in found for setting in c.repetitions for runs in setting for run in runs})
