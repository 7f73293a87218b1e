"""What this data cannot tell, in sentences: clips, seeds, options that changed together, what was not logged.

What the runs show went wrong, in sentences.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from tracker.conclusions.folds import folded
from tracker.conclusions.learning_rate import LearningRate
from tracker.conclusions.option_effect import OptionEffect
from tracker.conclusions.sample_size import SampleSize
from tracker.conclusions.stability import Diverged
from tracker.runs import INTERRUPTED, UNSENT_TAG
from tracker.study.metrics import lower_is_better
from tracker.wording import capitalised, count, listing, number_word, option_words, points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report.model import Excluded
    from tracker.runs import Run
    from tracker.study.study import Study
    from tracker.wording import Wording

FEWEST_SEEDS = 3


def limits(study: Study, conclusions: Sequence[Conclusion], wording: Wording) -> tuple[str, ...]:
    """Say what an experiment's runs cannot tell.

    Parameters
    ----------
    study : Study
    conclusions : sequence of Conclusion
    wording : Wording

    Returns
    -------
    tuple of str
    """
    return (
        *_clips(study, conclusions, wording),
        *_seeds(study),
        *_together(study, conclusions),
        *_metric(study, wording),
        *_unlogged(study, wording),
        *_kept(study, wording),
        *_selection(study),
    )


def _clips(study: Study, conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    """Say what the clips can show, once for all sets of as many clips."""
    alike: dict[tuple[int | None, int], list[Conclusion]] = defaultdict(list)
    for conclusion in conclusions:
        if isinstance(conclusion.details, SampleSize):
            alike[conclusion.n, conclusion.details.n_groups].append(conclusion)
    for (n, groups), found in alike.items():
        clips = count(n or 0, "validation clip") + (f" from {count(groups, 'group')}" if groups else "")
        runs = [run for conclusion in found for run in conclusion.runs]
        which = f" ({wording.runs(runs)})" if len(alike) > 1 else ""
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


def _metric(study: Study, wording: Wording) -> Iterator[str]:
    """Say what the primary metric cannot bear: nobody logged it, it is no share of clips, its name tells no better."""
    metric = study.metric
    if not study.ranking:
        others = _logged_instead(study)
        instead = f"; they did log {listing(others)}, and --metric compares by any of these" if others else ""
        yield f"No run logged a number for {wording.metric}{instead}."
        return
    if metric.assumed:
        least = f"--minimise --metric {wording.metric} says the other"
        yield f"Whether less or more of {wording.metric} is better its name does not say: more is taken to be, {least}."
    if not metric.is_fraction:
        yield (
            f"{wording.metric} goes above 1, so that it is no share of clips (per cent, perhaps): it stands as it was "
            "logged, clips are not counted from it, and differences of it are not tested."
        )
    elif not metric.is_accuracy:
        yield f"Differences of {wording.metric} are not tested: only validation accuracy is known clip by clip."


_MOST_NAMED = 6
"""Metrics that are named where the one asked for is not there."""


def _logged_instead(study: Study) -> list[str]:
    """Return the names of metrics that runs did log, first those of which the name says what is better."""
    names = {name for found in study.results for name in (*found.run.metrics, *found.run.curves)}
    return sorted(names, key=lambda name: (lower_is_better(name) is None, name))[:_MOST_NAMED]


def _kept(study: Study, wording: Wording) -> Iterator[str]:
    """Say of which runs it is not known whose epoch's weights they kept."""
    silent = [run for run, found in enumerate(study.results) if found.best_epoch and not found.kept_epoch]
    if silent:
        yield (
            f"{_who(study, silent, wording)} did not log which epoch's weights were kept: results are those of the "
            "epoch with the lowest validation loss."
        )


def _unlogged(study: Study, wording: Wording) -> Iterator[str]:
    if not study.metric.is_accuracy or not study.ranking:
        return
    silent = [run for run in range(len(study.results)) if run not in study.clip_set_of[run].row_of]
    nowhere = [run for run in silent if not study.clip_set_of[run].known]
    counted = [run for run in silent if study.clip_set_of[run].known and study.results[run].correct is not None]
    countless = [run for run in silent if study.clip_set_of[run].known and study.results[run].correct is None]
    if nowhere and len(study.results) > 1:
        yield f"{_who(study, nowhere, wording)} did not log on which validation clips they were judged: not compared."
    if counted:
        who = _who(study, counted, wording)
        yield f"{who} logged no predictions: only how many clips are right is known, not which."
    if countless:
        who = _who(study, countless, wording)
        yield f"{who} logged neither predictions nor an accuracy that gives a count of clips."


def _who(study: Study, runs: Sequence[int], wording: Wording) -> str:
    return capitalised(wording.runs(study.ids(runs)))


def _selection(study: Study) -> Iterator[str]:
    tested = any("test" in re.findall(r"[a-z]+", name.lower()) for found in study.results for name in found.run.metrics)
    if len(study.ranking) > 1 and not tested:
        what = "accuracy" if study.metric.is_accuracy else study.metric.name
        yield f"No run was judged on test clips: the best was chosen on the clips that its {what} is said of."


_ENDS = (
    ("FAILED", "failed", "failed"),
    ("KILLED", "was killed", "were killed"),
    ("RUNNING", "is still running or was interrupted", "are still running or were interrupted"),
    (INTERRUPTED, "was interrupted", "were interrupted"),
)

_MOST_SAID = 3
"""Conclusions of one sort that are said one by one."""


def challenges(
    conclusions: Sequence[Conclusion], excluded: Sequence[Excluded], runs: Sequence[Run], wording: Wording
) -> tuple[str, ...]:
    """Say what the runs show went wrong.

    Parameters
    ----------
    conclusions : sequence of Conclusion
    excluded : sequence of Excluded
        The runs that are left out.
    runs : sequence of Run
        All runs.
    wording : Wording

    Returns
    -------
    tuple of str
    """
    return (
        *_left_out(excluded, runs),
        *_unsent(runs, wording),
        *_diverged(conclusions, wording),
        *_drops(conclusions, wording),
        *_idle(conclusions, wording),
        *_limits(conclusions, wording),
        *_unrepeatable(conclusions, wording),
    )


def _left_out(excluded: Sequence[Excluded], runs: Sequence[Run]) -> Iterator[str]:
    status = {run.run_id: run.status for run in runs}
    for word, one, several in _ENDS:
        number = sum(status[left.run_id] == word for left in excluded)
        if number:
            said = f"{one} and is" if number == 1 else f"{several} and are"
            yield f"{capitalised(count(number, 'run'))} {said} left out of all comparisons."


def _unsent(runs: Sequence[Run], wording: Wording) -> Iterator[str]:
    waiting = [run.run_id for run in runs if UNSENT_TAG in run.tags and run.run_id in wording.numbers]
    if waiting:
        verb = "is" if len(waiting) == 1 else "are"
        named = capitalised(wording.runs(waiting))
        yield f"{named} {verb} not yet in the store, or not whole: tracker sync sends what is not."


def _diverged(conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    runs = [c for c in conclusions if isinstance(c.details, Diverged)]
    if len(runs) > _MOST_SAID:
        yield f"{capitalised(wording.runs([c.runs[0] for c in runs]))} diverged: their losses are no finite numbers."
    else:
        yield from (c.sentence for c in runs)


def _rates(conclusions: Sequence[Conclusion]) -> Iterator[tuple[str, LearningRate]]:
    """Yield what the learning rate of each run did, where it was logged."""
    for conclusion in conclusions:
        if isinstance(conclusion.details, LearningRate) and conclusion.verdict == "exact":
            yield conclusion.runs[0], conclusion.details


def _drops(conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    """Say which runs' rate drops came to nothing, as far as their losses are known."""
    helped = {run: {drop.helped for drop in found.drops} for run, found in _rates(conclusions)}
    idle = [run for run, found in helped.items() if False in found and True not in found]
    if idle:
        yield (
            f"Lowering the learning rate came to nothing in {wording.runs(idle)}: validation loss did not fall below "
            "what it had been."
        )


def _idle(conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    never = [run for run, found in _rates(conclusions) if found.plateau and not found.drops and not found.schedule]
    if never:
        yield f"The plateau never fired in {wording.runs(never)}: it could not have changed anything."


def _limits(conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    stopped = [c for c in conclusions if c.kind == "under_training" and c.verdict == "exact"]
    if len(stopped) > _MOST_SAID:
        runs = [c.runs[0] for c in stopped]
        yield f"{capitalised(wording.runs(runs))} reached their limit of epochs while they were still improving."
    else:
        yield from (c.sentence for c in stopped)


def _unrepeatable(conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    apart = [run for run, found in _rates(conclusions) if found.twin and not found.twin.as_it_must]
    if apart:
        yield (
            f"Training did not repeat exactly under one seed: {wording.runs(apart)} went another way than a run that "
            "differs only in what had not yet acted."
        )
