"""What changing an option does to the configuration: one conclusion per option that varied.

One training says nothing of a configuration, so that nothing is claimed from fewer than three repetitions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Interval, Verdict
from tracker.conclusions.outcomes import whole_tag
from tracker.conclusions.twins import identical
from tracker.design import Contrast, aliases
from tracker.statistics.corrections import holm
from tracker.statistics.crossed import Effect, by_group, crossed, nested
from tracker.statistics.folds import FEWEST_FOLDS, nadeau_bengio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.conclusions.clips import ClipSet
    from tracker.conclusions.pairs import Pair
    from tracker.conclusions.study import Study

FEWEST = 3
"""Repetitions below which an option's effect is never supported nor equivalent."""

CROSSED = "crossed analysis of pairs and clips"
NESTED = "nested analysis of repetitions and clips"
FOLDS = "corrected resampled t-test over folds"


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
        Runs of each level that differ in nothing else but the seed, where most are.
    method : str or None
    n : int or None
        Clips.
    within_margin : bool or None
        Whether the 90 % interval lies strictly inside the margin.
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
    within_margin: bool | None


@dataclass(frozen=True, slots=True)
class OptionEffect(Details):
    """The evidence of an option's effect.

    Parameters
    ----------
    contrasts : tuple of ContrastEffect
        By level.
    aliases : tuple of str
        Where the option never changed alone: what changed with it.
    levels : tuple of str
        All that the option was at.
    """

    contrasts: tuple[ContrastEffect, ...] = ()
    aliases: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Tested:
    """A contrast with what its runs bear out, before correction."""

    contrast: Contrast
    effect: Effect | None
    method: str | None
    n: int | None
    estimate: float | None
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
    tested = {option: [_tested(study, c) for c in found] for option, found in study.contrasts.items()}
    p_values = [t.effect.p_value for found in tested.values() for t in found if t.effect]
    adjusted = iter(holm(np.array(p_values)).tolist())
    return tuple(
        _conclusion(study, option, tuple(_contrast(study, t, next(adjusted) if t.effect else None) for t in found))
        for option, found in tested.items()
    )


def _conclusion(study: Study, option: str, found: tuple[ContrastEffect, ...]) -> Conclusion:
    levels = study.design.levels[option]
    if not found:
        details = OptionEffect((), aliases(study.design, option), levels)
        return Conclusion("option_effect", "confounded", study.ids(_all_runs(study)), details, option=option)
    first = min(found, key=lambda c: c.p_value if c.p_value is not None else np.inf)
    return Conclusion(
        kind="option_effect",
        verdict=_overall([contrast.verdict for contrast in found]),
        runs=study.ids(_runs(study.contrasts[option])),
        details=OptionEffect(found, (), levels),
        option=option,
        estimate=first.estimate,
        interval=first.interval,
        p_value=first.p_value,
        p_adjusted=first.p_adjusted,
        n=first.n,
        method=first.method,
    )


def _overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return an option's verdict from those of its contrasts."""
    if "supported" in verdicts:
        return "supported"
    alike = set(verdicts)
    return alike.pop() if len(alike) == 1 else "inconclusive"


def _contrast(study: Study, tested: _Tested, p_adjusted: float | None) -> ContrastEffect:
    effect, contrast = tested.effect, tested.contrast
    within = effect is not None and -study.margin < effect.interval_90[0] and effect.interval_90[1] < study.margin
    verdict: Verdict = "exact" if tested.exact else "equivalent" if within else "inconclusive"
    if p_adjusted is not None and p_adjusted <= study.alpha:
        verdict = "supported"
    start, end = max(contrast.repetitions, key=lambda runs: min(len(runs[0]), len(runs[1])))
    return ContrastEffect(
        from_=contrast.start,
        to=contrast.end,
        pairs=len(contrast.pairs),
        estimate=tested.estimate,
        interval=effect.interval if effect else None,
        p_value=effect.p_value if effect else None,
        p_adjusted=p_adjusted,
        verdict=verdict,
        repetitions=(len(start), len(end)),
        method=tested.method,
        n=tested.n,
        within_margin=within if effect else None,
    )


def _tested(study: Study, contrast: Contrast) -> _Tested:
    """Estimate a contrast's effect by the strongest analysis that its runs allow."""
    estimate, runs = _plain_estimate(study, contrast), [study.outcomes[run].run for run in range(len(study.outcomes))]
    exact = bool(contrast.pairs) and all(identical(runs[a], runs[b]) for a, b in contrast.pairs)
    if not exact and study.metric.is_accuracy:
        for analysis in (_over_folds, _over_pairs, _over_repetitions):
            found = analysis(study, contrast)
            if found is not None:
                return found
    n = study.sets[contrast.repetitions[0][0][0]].n
    return _Tested(contrast, None, None, n, 0.0 if exact else estimate, exact)


def _plain_estimate(study: Study, contrast: Contrast) -> float | None:
    """Return the mean difference of the primary metric over matched pairs, else over repetitions."""
    sides = contrast.pairs or [(a, b) for start, end in contrast.repetitions for a in start for b in end]
    scores = [(study.outcomes[a].score, study.outcomes[b].score) for a, b in sides]
    differences = [b - a for a, b in scores if a is not None and b is not None]
    return float(np.mean(differences)) if differences else None


def _over_folds(study: Study, contrast: Contrast) -> _Tested | None:
    """Analyse pairs on several folds or splits of one dataset: each is one value."""
    by_set = _pairs_by_set(study, contrast)
    datasets = {study.outcomes[pairs[0][0]].run.tags.get("tracker.dataset") for pairs in by_set.values()}
    if len(by_set) < FEWEST_FOLDS or len(datasets) != 1 or None in datasets:
        return None
    differences = np.array([_entries(study.clip_sets[place], pairs).mean() for place, pairs in by_set.items()])
    sizes = [len(study.clip_sets[place].clips) for place in by_set]
    training = [_training_clips(study, pairs[0][0]) for pairs in by_set.values()]
    known = [count for count in training if count]
    n_train = np.mean(known) if known else np.mean(sizes) * (len(by_set) - 1)
    effect = nadeau_bengio(differences, float(n_train), float(np.mean(sizes)))
    return _Tested(contrast, effect, FOLDS, sum(sizes), effect.estimate, exact=False)


def _over_pairs(study: Study, contrast: Contrast) -> _Tested | None:
    """Analyse matched pairs crossed with clips, on the clip set that has most of them."""
    by_set = _pairs_by_set(study, contrast)
    place = max(by_set, key=lambda found: len(by_set[found]), default=None)
    if place is None or len(by_set[place]) < FEWEST:
        return None
    clips = study.clip_sets[place]
    entries = _entries(clips, by_set[place])
    if entries.shape[1] < 2 or (clips.groups and clips.n_groups < 2):
        return None
    effect = crossed(by_group(entries, clips.groups) if clips.groups else entries)
    return _Tested(contrast, effect, CROSSED, entries.shape[1], effect.estimate, exact=False)


def _over_repetitions(study: Study, contrast: Contrast) -> _Tested | None:
    """Analyse repetitions that share no seed, in the setting that has most of them."""
    settings = [tuple(_judged(study, runs) for runs in setting) for setting in contrast.repetitions]
    start, end = max(settings, key=lambda setting: min(map(len, setting)))
    if min(len(start), len(end)) < FEWEST:
        return None
    clips = study.sets[start[0]]
    a, b = (_right(clips, runs) for runs in (end, start))
    if a.shape[1] < 2 or (clips.groups and clips.n_groups < 2):
        return None
    effect = nested(*(by_group(x, clips.groups) for x in (a, b))) if clips.groups else nested(a, b)
    return _Tested(contrast, effect, NESTED, a.shape[1], effect.estimate, exact=False)


def _pairs_by_set(study: Study, contrast: Contrast) -> dict[int, list[Pair]]:
    """Return the matched pairs whose predictions are there, by the place of their clip set."""
    places = {id(clips): place for place, clips in enumerate(study.clip_sets)}
    found: dict[int, list[Pair]] = defaultdict(list)
    for pair in contrast.pairs:
        clips = study.sets[pair[0]]
        if all(run in clips.rows for run in pair):
            found[places[id(clips)]].append(pair)
    return found


def _entries(clips: ClipSet, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """Return right at the second level minus right at the first, shape (n_pairs, n_clips)."""
    return _right(clips, [b for _, b in pairs]) - _right(clips, [a for a, _ in pairs])


def _right(clips: ClipSet, runs: Sequence[int]) -> NDArray[np.float64]:
    return clips.right[[clips.rows[run] for run in runs]].astype(np.float64)


def _judged(study: Study, runs: Sequence[int]) -> list[int]:
    return [run for run in runs if run in study.sets[run].rows]


def _training_clips(study: Study, run: int) -> int | None:
    return whole_tag(study.outcomes[run].run, "tracker.training_clips")


def _runs(found: Sequence[Contrast]) -> list[int]:
    return sorted({run for c in found for setting in c.repetitions for runs in setting for run in runs})


def _all_runs(study: Study) -> range:
    return range(len(study.outcomes))
