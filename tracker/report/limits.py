"""What this data cannot tell, in sentences: clips, seeds, options that changed together, what was not logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.option_effect import OptionEffect
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
        *_unlogged(study, voice),
        *_selection(study),
    )


def _clips(study: Study, conclusions: Sequence[Conclusion], voice: Voice) -> Iterator[str]:
    several = len(study.clip_sets) > 1
    for conclusion in conclusions:
        details = conclusion.details
        if isinstance(details, SampleSize):
            which = f" ({voice.runs(conclusion.runs)})" if several else ""
            yield f"{_size(conclusion, details)}{which}."
    if sum(clips.known for clips in study.clip_sets) > 1:
        yield "Runs judged on different validation clips are not compared with each other."


def _size(conclusion: Conclusion, details: SampleSize) -> str:
    groups = f" from {count(details.n_groups, 'group')}" if details.n_groups else ""
    clips = capitalised(count(conclusion.n or 0, "validation clip")) + groups
    smallest = details.detectable[1]
    if smallest is None:
        return f"{clips} cannot show any difference between two models reliably"
    return f"{clips} cannot reliably show a difference between two models below {points(smallest)}"


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


def _unlogged(study: Study, voice: Voice) -> Iterator[str]:
    if not study.metric.is_accuracy:
        yield f"Differences of {voice.metric} are not tested: only accuracy is known clip by clip."
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
    if len(study.outcomes) > 1 and not any("test_accuracy" in found.run.metrics for found in study.outcomes):
        yield "No run was judged on test clips: the best was chosen on the clips that its accuracy is said of."
