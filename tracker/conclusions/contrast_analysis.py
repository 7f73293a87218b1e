"""What a contrast's runs bear out: the analyses of an option's effect, each on what it needs.

Entries are right at the second level minus right at the first, a row per matched pair and a column per clip.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Method
from tracker.statistics.matched_pairs import Effect, by_group, crossed, nested
from tracker.statistics.multiple_comparisons import holm
from tracker.statistics.repetitions import FEWEST_FOLDS, columns_needed, nadeau_bengio, pairs_needed
from tracker.statistics.resampling import probability_better
from tracker.study.options import OFF, as_number
from tracker.study.run_results import count_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.study.clip_sets import ClipSet
    from tracker.study.contrasts import Contrast, Pair
    from tracker.study.study import Study

FEWEST = 3
"""Repetitions below which an option's effect is never supported nor equivalent."""

CROSSED = Method(
    "crossed analysis of matched pairs and clips",
    "An option's effect over matched pairs is estimated with pairs and clips both taken as samples "
    "(Dorfman, Berbaum and Metz 1992; Hillis 2007, doi:10.1002/sim.2532).",
)
NESTED = Method(
    "nested analysis of repetitions and clips",
    "Runs of two levels that share too few seeds are compared as nested in their level and crossed with "
    "clips (Hillis 2007, doi:10.1002/sim.2532).",
)
FOLDS = Method(
    "corrected resampled t-test over folds",
    "Over folds the corrected resampled t-test is used (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).",
)
SPLITS = Method(
    "corrected resampled t-test over splits",
    "Over splits of one dataset, whose validation clips may overlap, the corrected resampled t-test is used "
    "(Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).",
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """An effect and how it was estimated.

    Parameters
    ----------
    effect : Effect
        From the first level to the second.
    method : Method
    n : int
        Clips.
    repetitions : int
        Matched pairs, runs of the level that has fewer, folds or splits.
    inner : Effect or None
        Where folds or splits decide: the crossed analysis on the one that has most pairs.
    """

    effect: Effect
    method: Method
    n: int
    repetitions: int
    inner: Effect | None = None


def analyse_contrast(study: Study, contrast: Contrast) -> Analysis | None:
    """Estimate a contrast's effect: over folds or splits if it can be, else over matched pairs, else over repetitions.

    Parameters
    ----------
    study : Study
    contrast : Contrast

    Returns
    -------
    Analysis or None
        None where there are fewer than three repetitions whose predictions were logged.
    """
    by_set = pairs_by_set(study, contrast)
    place = _fullest(by_set)
    pairs = by_set[place] if place is not None else []
    inner = crossed_effect(study.clip_sets[place], pairs) if place is not None else None
    means = {found: float(_entries(study.clip_sets[found], by_set[found]).mean()) for found in by_set}
    over_folds = fold_effect(study, means)
    if over_folds is not None:
        n = sum(len(study.clip_sets[i].clips) for i in by_set)
        return Analysis(over_folds, _fold_method(study, by_set), n, len(by_set), inner)
    if inner is not None and place is not None:
        return Analysis(inner, CROSSED, len(study.clip_sets[place].clips), len(pairs))
    return _over_repetitions(study, contrast)


def crossed_effect(clips: ClipSet, pairs: Sequence[Pair]) -> Effect | None:
    """Analyse matched pairs crossed with clips, or with groups of clips.

    Parameters
    ----------
    clips : ClipSet
    pairs : sequence of (run at the first level, run at the second)
        Judged on these clips.

    Returns
    -------
    Effect or None
        None for fewer than three pairs, or fewer than two clips or groups.
    """
    if len(pairs) < FEWEST or not _several(clips):
        return None
    return crossed(_by_column(clips, _entries(clips, pairs)))


def fold_effect(study: Study, differences: Mapping[int, float]) -> Effect | None:
    """Test a mean difference over folds or splits of one dataset.

    Parameters
    ----------
    study : Study
    differences : mapping of place of a clip set to float
        The mean difference on it.

    Returns
    -------
    Effect or None
        None for fewer than three clip sets, or if they are not known to be of one dataset.
    """
    if len(differences) < FEWEST_FOLDS or not one_dataset(study, differences):
        return None
    sets = [study.clip_sets[place] for place in differences]
    n_validation = float(np.mean([len(clips.clips) or clips.n or 0 for clips in sets]))
    n_train = float(np.mean([_training_clips(study, clips, n_validation) for clips in sets]))
    return nadeau_bengio(np.array(list(differences.values())), n_train, n_validation)


def _fold_method(study: Study, places: Iterable[int]) -> Method:
    """Return what a test over clip sets is called: over folds if each is one, else over splits."""
    firsts = [study.clip_sets[place].members[0] for place in places]
    asked = [dict(study.design.terms[run].split).get("fold", OFF) for run in firsts]
    return SPLITS if OFF in asked else FOLDS


def adjusted_p_values(family: Sequence[Effect]) -> list[float]:
    """Correct the p-values of the contrasts of all options.

    Parameters
    ----------
    family : sequence of Effect

    Returns
    -------
    list of float
        A single test's own p-value; of several, which are held to smaller levels, Holm's correction of the strict ones.
    """
    p_values = [effect.p_value if len(family) == 1 else effect.strict_p_value for effect in family]
    return [float(p) for p in holm(np.array(p_values))]


def chance_of_better(study: Study, contrast: Contrast) -> float | None:
    """Estimate the chance that the second level beats the first on other clips and seeds, by the bootstrap.

    Parameters
    ----------
    study : Study
    contrast : Contrast

    Returns
    -------
    float or None
        None for fewer than three matched pairs on one set of clips.
    """
    by_set = pairs_by_set(study, contrast)
    place = _fullest(by_set)
    if place is None or len(by_set[place]) < FEWEST:
        return None
    clips, pairs = study.clip_sets[place], by_set[place]
    seed = study.random_seed(run for pair in pairs for run in pair)
    return probability_better(_entries(clips, pairs), seed, clips.groups or None)


def one_dataset(study: Study, places: Mapping[int, object] | Sequence[int]) -> bool:
    """Tell whether clip sets are known to be parts of one dataset."""
    firsts = [study.results[study.clip_sets[place].members[0]].run for place in places]
    datasets = {run.tags.get("tracker.dataset") for run in firsts}
    return len(datasets) == 1 and None not in datasets


def pairs_by_set(study: Study, contrast: Contrast) -> dict[int, list[Pair]]:
    """Return the matched pairs whose predictions were logged, by the place of their clip set."""
    found: dict[int, list[Pair]] = defaultdict(list)
    for pair in contrast.pairs:
        place = study.clip_set_index[pair[0]]
        if all(run in study.clip_sets[place].row_of for run in pair):
            found[place].append(pair)
    return found


@dataclass(frozen=True, slots=True)
class Need:
    """What it would take to find an effect as large as the one observed, or as the margin if that is larger.

    Parameters
    ----------
    effect : float, above 0
    pairs : int or None
        Matched pairs in all; None where no number of them will do on these clips.
    clips : int or None
        Where no number of pairs will do: about how many clips are the least.
    """

    effect: float
    pairs: int | None
    clips: int | None = None


def sample_size_for(study: Study, contrast: Contrast, analysis: Analysis) -> Need | None:
    """Say what it would take to settle a contrast that was analysed.

    Parameters
    ----------
    study : Study
    contrast : Contrast
    analysis : Analysis
        Of this contrast.

    Returns
    -------
    Need or None
        None where the contrast rests on folds, splits or unmatched repetitions.
    """
    by_set = pairs_by_set(study, contrast)
    place = _fullest(by_set)
    if analysis.method != CROSSED or place is None:
        return None
    clips = study.clip_sets[place]
    entries = _by_column(clips, _entries(clips, by_set[place]))
    effect = max(abs(analysis.effect.estimate), study.margin)
    pairs = pairs_needed(entries, effect, alpha=study.alpha)
    if pairs is not None:
        return Need(effect, max(pairs, len(entries) + 1))
    columns = columns_needed(entries, effect, alpha=study.alpha)
    return Need(effect, None, math.ceil(columns * len(clips.clips) / entries.shape[1]))


def pairs_wanted(study: Study, contrast: Contrast, most: int) -> int | None:
    """Say how many matched pairs would decide a contrast.

    Parameters
    ----------
    study : Study
    contrast : Contrast
    most : int
        More are not asked for.

    Returns
    -------
    int or None
        Three where there are fewer; from there on as many as are needed. None where no number will do, where it would
        take more than `most`, or where the contrast rests on folds, splits or unmatched repetitions.
    """
    analysis = analyse_contrast(study, contrast)
    if analysis is None:
        return FEWEST if study.metric.is_accuracy and len(contrast.pairs) < FEWEST else None
    need = sample_size_for(study, contrast, analysis)
    return need.pairs if need is not None and need.pairs is not None and need.pairs <= most else None


def _fullest(by_set: Mapping[int, Sequence[Pair]]) -> int | None:
    """Return the place of the clip set that has most pairs, of equals the first; None where there are none."""
    return max(by_set, key=lambda place: len(by_set[place]), default=None)


def _over_repetitions(study: Study, contrast: Contrast) -> Analysis | None:
    """Analyse repetitions that share too few seeds, in the setting that has most of them."""
    settings = [tuple(_judged(study, runs) for runs in setting) for setting in contrast.repetitions]
    start, end = max(settings, key=lambda setting: min(map(len, setting)))
    fewer = min(len(start), len(end))
    if fewer < FEWEST or not _several(study.clip_set_of[start[0]]):
        return None
    clips = study.clip_set_of[start[0]]
    a, b = (_by_column(clips, _right(clips, runs)) for runs in (end, start))
    return Analysis(nested(a, b), NESTED, len(clips.clips), fewer)


def _by_column(clips: ClipSet, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values by clip, or by group where clips share one."""
    return by_group(values, clips.groups) if clips.groups else values


def _several(clips: ClipSet) -> bool:
    return (clips.n_groups if clips.groups else len(clips.clips)) > 1


def _entries(clips: ClipSet, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    return _right(clips, [b for _, b in pairs]) - _right(clips, [a for a, _ in pairs])


def _right(clips: ClipSet, runs: Sequence[int]) -> NDArray[np.float64]:
    return clips.correct[[clips.row_of[run] for run in runs]].astype(np.float64)


def _judged(study: Study, runs: Sequence[int]) -> list[int]:
    return [run for run in runs if run in study.clip_set_of[run].row_of]


def _training_clips(study: Study, clips: ClipSet, n_validation: float) -> float:
    """Return how many clips a fold was trained on, as logged or by its number of folds; at worst as many as judged."""
    run = study.results[clips.members[0]].run
    logged = count_tag(run, "tracker.training_clips")
    if logged:
        return logged
    folds = as_number(run.params.get("fold", "").partition("/")[2])
    return n_validation * (folds - 1 if folds and folds > 1 else 1)
