"""Effects on a metric of which one number is known for each training: runs without predictions, and any metric.

Three trainings of each level, or three matched pairs, say what other trainings on the same clips would give. Of an
accuracy on a known number of clips they may also say what other clips would give (`OverTrainings.population`).
Over folds, or random splits of one dataset, the corrected resampled t-test takes their overlap into account.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.comparisons import FOLDS, SPLITS
from tracker.conclusions.conclusion import Method
from tracker.runs import as_number
from tracker.statistics.repetitions import FEWEST_FOLDS, FEWEST_PAIRS, nadeau_bengio
from tracker.statistics.trainings import (
    largest_clip_variance,
    on_other_clips,
    paired_effect,
    training_mean_interval,
    unpaired_effect,
    unpaired_p_value,
)
from tracker.study.metric_roles import is_share
from tracker.study.param_roles import FOLD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.statistics.matched_pairs import Effect
    from tracker.statistics.proportions import Interval
    from tracker.study.looks import Looks
    from tracker.study.study import Contrast, Pair, Study

PAIRED = Method(
    "t-test over matched pairs of trainings",
    "If predictions are not known clip by clip, matched pairs are compared by Student's t-test over pairs "
    "(Student 1908, doi:10.1093/biomet/6.1.1).",
)
UNPAIRED = Method(
    "Behrens-Fisher test over trainings",
    "Trainings that are not paired are compared by the larger p-value of Behrens' and Fisher's and of Student's test "
    "(Fisher 1935, doi:10.1111/j.1469-1809.1935.tb02120.x; Student 1908, doi:10.1093/biomet/6.1.1).",
)


@dataclass(frozen=True, slots=True)
class OverTrainings:
    """An effect over trainings and how it was estimated."""

    effect: Effect
    method: Method
    n: int | None  # validation clips, if that is known
    population: Effect | None  # the same on other clips too; None if that can't be said
    looks: Looks  # at the trainings that it was estimated from
    folds: int = 0  # folds or splits, if it was estimated over them


def over_trainings(study: Study, contrast: Contrast) -> OverTrainings | None:
    """Estimate an effect over folds or splits if it is on several, else over pairs, else over three repetitions."""
    pairs = [pair for pair in contrast.pairs if None not in _scores(study, pair)]
    by_block: dict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_block[int(study.design.repeats[pair[0]])].append(pair)
    if len(by_block) > 1:
        over = _over_splits(
            study, {block: _differences(study, of_block) for block, of_block in by_block.items()}, pairs
        )
        if over is not None:
            return over
    together = max(by_block.values(), key=len, default=[])
    effect = paired_effect(_differences(study, together)) if len(together) >= FEWEST_PAIRS else None
    if effect is not None:
        start, end = ([pair[side] for pair in together] for side in (0, 1))
        return _on_these_clips(study, effect, PAIRED, start, end, study.looks_at_pairs(together))
    # or every pair differs by the same, which is less noise than there is
    settings = [tuple([run for run in runs if study.results[run].score is not None] for runs in setting)
                for setting in contrast.repetitions]  # fmt: skip
    start, end = max(settings, key=lambda setting: min(map(len, setting)))
    return over_repetitions(study, start, end)


def over_repetitions(study: Study, start: Sequence[int], end: Sequence[int]) -> OverTrainings | None:
    """Estimate the effect of going from some trainings to others that are not paired with them; None for too few."""
    if min(len(start), len(end)) < FEWEST_PAIRS:
        return None
    before, after = (_values(study, runs) for runs in (start, end))
    looks = study.looks_at_levels(start, end)
    return _on_these_clips(study, unpaired_effect(after, before), UNPAIRED, start, end, looks)


def p_over_repetitions(study: Study, start: Sequence[int], end: Sequence[int]) -> float | None:
    """Return the p-value of that effect; None if there is no such effect."""
    if min(len(start), len(end)) < FEWEST_PAIRS:
        return None
    return unpaired_p_value(_values(study, end), _values(study, start))


def over_shared_splits(study: Study, start: Sequence[int], end: Sequence[int]) -> OverTrainings | None:
    """Estimate the same of two configurations that were trained on the same folds or splits."""
    shared = _on_shared_splits(study, start, end)
    means = {block: _values(study, after).mean() - _values(study, before).mean()
             for block, (before, after) in shared.items()}  # fmt: skip
    firsts = [(before[0], after[0]) for before, after in shared.values()]
    return _over_splits(study, {block: np.array([mean]) for block, mean in means.items()}, firsts)


def differ_equally(study: Study, pairs: Sequence[Pair]) -> bool:
    """Return whether all of at least three pairs differ by the same, so that their spread can't be estimated."""
    pairs = [pair for pair in pairs if None not in _scores(study, pair)]
    return len(pairs) >= FEWEST_PAIRS and _are_equal(_differences(study, pairs))


def pairs_by_split(study: Study, start: Sequence[int], end: Sequence[int]) -> list[Pair]:
    """Return the runs of two configurations that are on the same fold or split; none if one has several on any."""
    shared = _on_shared_splits(study, start, end).values()
    alone = all(len(before) == len(after) == 1 for before, after in shared)
    return [(before[0], after[0]) for before, after in shared] if alone else []


def _on_shared_splits(study: Study, start: Sequence[int], end: Sequence[int]) -> dict[int, tuple[list[int], list[int]]]:
    """Return the runs of two configurations on each fold or split; none if they are not on the same ones."""
    sides: list[dict[int, list[int]]] = [defaultdict(list), defaultdict(list)]
    for side, runs in zip(sides, (start, end), strict=True):
        for run in runs:
            side[int(study.design.repeats[run])].append(run)
    before, after = sides
    return {block: (runs, after[block]) for block, runs in before.items()} if before.keys() == after.keys() else {}


def _are_equal(differences: NDArray[np.float64]) -> bool:
    return not differences.std() > 1e-9 * np.abs(differences).max()


def _on_these_clips(
    study: Study, effect: Effect | None, method: Method, start: Sequence[int], end: Sequence[int], looks: Looks
) -> OverTrainings | None:
    if effect is None:
        return None
    clips = study.results[start[0]].clip_set
    results = [study.results[run] for run in (*start, *end)]
    counted = study.metric.is_accuracy and all(result.correct is not None for result in results)
    population = None
    if counted and clips.known and not clips.groups and clips.n and clips.n > 1:
        means = [float(_values(study, runs).mean()) for runs in (start, end)]
        population = on_other_clips(effect, largest_clip_variance(means[0], means[1], clips.n), clips.n)
    return OverTrainings(effect, method, clips.n if clips.known else None, population, looks)


def _over_splits(
    study: Study, differences: Mapping[int, NDArray[np.float64]], pairs: Sequence[Pair]
) -> OverTrainings | None:
    """Estimate an effect over folds or splits from the differences on each; None for too few, or of unknown sizes."""
    means = np.array([of_split.mean() for of_split in differences.values()])
    ratio = _size_ratio(study, [run for pair in pairs for run in pair])
    if len(means) < FEWEST_FOLDS or ratio is None or _are_equal(means):
        return None
    effect = nadeau_bengio(means, 1 / ratio, 1.0)
    folds = {dict(study.design.terms[pair[0]].split).get(FOLD) for pair in pairs}
    sizes = {study.results[pair[0]].clip_set: study.results[pair[0]].n for pair in pairs}
    n = sum(size or 0 for size in sizes.values()) if None not in sizes.values() else None
    method = FOLDS if len(folds) == len(means) else SPLITS
    return OverTrainings(effect, method, n, effect, study.looks_at_pairs(pairs), len(means))


def _size_ratio(study: Study, runs: Sequence[int]) -> float | None:
    """Return how many clips a fold or split validates on for each that it trains on; None if that is not known."""
    ratios = {ratio for run in runs if (ratio := _ratio_of(study, run)) is not None}
    return max(ratios, default=None)


def _ratio_of(study: Study, run: int) -> float | None:
    result, split = study.results[run], dict(study.design.terms[run].split)
    if FOLD in split:
        folds = as_number(split[FOLD].partition("/")[2]) or len(_folds(study))
        return 1 / (folds - 1) if folds > 1 else None
    if result.training_clips and result.n:
        return result.n / result.training_clips
    fraction = as_number(split.get("validation_fraction", ""))
    return fraction / (1 - fraction) if fraction is not None and 0 < fraction < 1 else None


def _folds(study: Study) -> set[str]:
    return {level for terms in study.design.terms for part, level in terms.split if part == FOLD}


def _differences(study: Study, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    return _values(study, [b for _, b in pairs]) - _values(study, [a for a, _ in pairs])


def _values(study: Study, runs: Sequence[int]) -> NDArray[np.float64]:
    return np.array([study.results[run].score for run in runs], dtype=np.float64)


def _scores(study: Study, runs: Iterable[int]) -> list[float | None]:
    return [study.results[run].score for run in runs]


def mean_over_trainings(study: Study, scores: NDArray[np.float64]) -> Interval:
    """Return the 95% interval of the mean of the primary metric over other trainings; a share ends at 0 and 1."""
    low, high = training_mean_interval(scores)
    are_shares = bool(((scores >= 0) & (scores <= 1)).all())
    is_of_shares = study.metric.is_accuracy or (is_share(study.metric.name) and are_shares)
    return (max(low, 0.0), min(high, 1.0)) if is_of_shares else (low, high)
