"""What this data cannot tell, in sentences: clips, seeds, options that changed together, what was not logged.

What the runs show went wrong, in sentences.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.conclusions import kinds, of_kind
from tracker.runs import UNSENT_TAG, RunStatus
from tracker.study.metrics import lower_is_better
from tracker.wording import capitalised, count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report.model import Excluded
    from tracker.runs import Run
    from tracker.study.study import Study
    from tracker.wording import Wording


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
        *(
            sentence
            for kind in kinds("sample_size", "stability")
            for sentence in kind.limits(study, of_kind(conclusions, kind), wording)
        ),
        *_metric(study, wording),
        *_unlogged(study, wording),
        *_kept(study, wording),
        *_selection(study),
    )


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
    (RunStatus.FAILED, "failed", "failed"),
    (RunStatus.KILLED, "was killed", "were killed"),
    (RunStatus.RUNNING, "is still running or was interrupted", "are still running or were interrupted"),
    (RunStatus.INTERRUPTED, "was interrupted", "were interrupted"),
)


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
        *(sentence for kind in kinds("stability") for sentence in kind.challenges(of_kind(conclusions, kind), wording)),
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
