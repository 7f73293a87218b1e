"""What this data cannot tell, in sentences: clips, seeds, options that changed together, what was not logged."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from tracker.conclusions.folds import folded
from tracker.conclusions.option_effect import OptionEffect
from tracker.conclusions.roles import falls
from tracker.conclusions.sample_size import SampleSize
from tracker.conclusions.sentences.words import capitalised, count, listing, number_word, option_words, points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.sentences.words import Voice
    from tracker.conclusions.study import Study

FEWEST_SEEDS = 3


def limits(study: Study, conclusions: Sequence[Conclusion], voice: Voice) -> tuple[str, ...]:
    """Say what an experiment's runs cannot tell.

    Parameters
    ----------
    study : Study
    conclusions : sequence of Conclusion
    voice : Voice

    Returns
    -------
    tuple of str
    """
    return (
        *_clips(study, conclusions, voice),
        *_seeds(study),
        *_together(study, conclusions),
        *_metric(study, voice),
        *_unlogged(study, voice),
        *_kept(study, voice),
        *_selection(study),
    )


def _clips(study: Study, conclusions: Sequence[Conclusion], voice: Voice) -> Iterator[str]:
    """Say what the clips can show, once for all sets of as many clips."""
    alike: dict[tuple[int | None, int], list[Conclusion]] = defaultdict(list)
    for conclusion in conclusions:
        if isinstance(conclusion.details, SampleSize):
            alike[conclusion.n, conclusion.details.n_groups].append(conclusion)
    for (n, groups), found in alike.items():
        clips = count(n or 0, "validation clip") + (f" from {count(groups, 'group')}" if groups else "")
        runs = [run for conclusion in found for run in conclusion.runs]
        which = f" ({voice.runs(runs)})" if len(alike) > 1 else ""
        yield f"{capitalised(clips)} {_smallest(found)}{which}."
    joined = folded(study)
    if sum(clips.known for clips in study.clip_sets) > 1 and (joined is None or joined.splits):
        over = f": configurations are, over all {len(joined.places)} splits" if joined else ""
        yield f"Runs judged on different validation clips are not compared with each other{over}."


def _smallest(found: Sequence[Conclusion]) -> str:
    """Say the smallest difference that can be shown, or from which to which on several sets of clips."""
    smallest = [c.details.detectable[1] for c in found if isinstance(c.details, SampleSize)]
    shown = sorted(difference for difference in smallest if difference is not None)
    if len(shown) < len(smallest):
        return "cannot show any difference between two models reliably"
    low, high = points(shown[0]), points(shown[-1])
    span = high if low == high else f"{low.removesuffix(' points')} to {high}, set by set"
    return f"cannot reliably show a difference between two models below {span}"


def _seeds(study: Study) -> Iterator[str]:
    sizes = [len(runs) for runs in study.design.configurations]
    if len(sizes) < 2:
        return
    if max(sizes) == 1:
        yield "Every configuration was trained once: what an option does cannot be told from the luck of one training."
    elif max(sizes) < FEWEST_SEEDS:
        yield "No configuration was trained three times: too few to tell what an option does from the luck of training."
    elif min(sizes) < FEWEST_SEEDS:
        few = sum(size < FEWEST_SEEDS for size in sizes)
        of_all = f"{capitalised(number_word(few))} of the {number_word(len(sizes))} configurations"
        trained = "was trained" if few == 1 else "were trained"
        yield f"{of_all} {trained} fewer than three times: too few to tell what they do from the luck of training."


def _together(study: Study, conclusions: Sequence[Conclusion]) -> Iterator[str]:
    """Say which options changed together, those that share one with others in one sentence."""
    found: list[set[str]] = []
    for conclusion in conclusions:
        details = conclusion.details
        if isinstance(details, OptionEffect) and conclusion.option is not None and details.aliases:
            together = {conclusion.option, *details.aliases}
            joined = [other for other in found if other & together]
            found = [other for other in found if not other & together] + [together.union(*joined)]
    for options in found:
        names = [option_words(option) for option in study.design.options if option in options]
        yield f"{capitalised(listing(names))} changed together: which of them mattered is not known."


def _metric(study: Study, voice: Voice) -> Iterator[str]:
    """Say what the primary metric cannot bear: nobody logged it, it is no share of clips, its name tells no better."""
    metric = study.metric
    if not study.ranking:
        others = _logged_instead(study)
        instead = f"; they did log {listing(others)}, and --metric compares by any of these" if others else ""
        yield f"No run logged a number for {voice.metric}{instead}."
        return
    if metric.assumed:
        least = f"--minimise --metric {voice.metric} says the other"
        yield f"Whether less or more of {voice.metric} is better its name does not say: more is taken to be, {least}."
    if not metric.is_share:
        yield (
            f"{voice.metric} goes above 1, so that it is no share of clips (per cent, perhaps): it stands as it was "
            "logged, clips are not counted from it, and differences of it are not tested."
        )
    elif not metric.is_accuracy:
        yield f"Differences of {voice.metric} are not tested: only validation accuracy is known clip by clip."


_MOST_NAMED = 6
"""Metrics that are named where the one asked for is not there."""


def _logged_instead(study: Study) -> list[str]:
    """Return the names of metrics that runs did log, first those of which the name says what is better."""
    names = {name for found in study.outcomes for name in (*found.run.metrics, *found.run.curves)}
    return sorted(names, key=lambda name: (falls(name) is None, name))[:_MOST_NAMED]


def _kept(study: Study, voice: Voice) -> Iterator[str]:
    """Say of which runs it is not known whose epoch's weights they kept."""
    silent = [run for run, found in enumerate(study.outcomes) if found.best_epoch and not found.kept_epoch]
    if silent:
        yield (
            f"{_who(study, silent, voice)} did not log which epoch's weights were kept: results are those of the epoch "
            "with the lowest validation loss."
        )


def _unlogged(study: Study, voice: Voice) -> Iterator[str]:
    if not study.metric.is_accuracy or not study.ranking:
        return
    silent = [run for run in range(len(study.outcomes)) if run not in study.sets[run].rows]
    nowhere = [run for run in silent if not study.sets[run].known]
    counted = [run for run in silent if study.sets[run].known and study.outcomes[run].correct is not None]
    countless = [run for run in silent if study.sets[run].known and study.outcomes[run].correct is None]
    if nowhere and len(study.outcomes) > 1:
        yield f"{_who(study, nowhere, voice)} did not log on which validation clips they were judged: not compared."
    if counted:
        yield f"{_who(study, counted, voice)} logged no predictions: only how many clips are right is known, not which."
    if countless:
        yield f"{_who(study, countless, voice)} logged neither predictions nor an accuracy that gives a count of clips."


def _who(study: Study, runs: Sequence[int], voice: Voice) -> str:
    return capitalised(voice.runs(study.ids(runs)))


def _selection(study: Study) -> Iterator[str]:
    tested = any(
        "test" in re.findall(r"[a-z]+", name.lower()) for found in study.outcomes for name in found.run.metrics
    )
    if len(study.ranking) > 1 and not tested:
        what = "accuracy" if study.metric.is_accuracy else study.metric.name
        yield f"No run was judged on test clips: the best was chosen on the clips that its {what} is said of."
