"""What the runs show went wrong, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.learning_rate import LearningRate
from tracker.conclusions.sentences.words import capitalised, count
from tracker.conclusions.stability import Diverged
from tracker.runs import INTERRUPTED, UNSENT_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.sentences.words import Voice
    from tracker.report.contents import Excluded
    from tracker.runs import Run

_ENDS = (
    ("FAILED", "failed", "failed"),
    ("KILLED", "was killed", "were killed"),
    ("RUNNING", "is still running or was interrupted", "are still running or were interrupted"),
    (INTERRUPTED, "was interrupted", "were interrupted"),
)

_MOST_SAID = 3
"""Conclusions of one sort that are said one by one."""


def challenges(
    conclusions: Sequence[Conclusion], excluded: Sequence[Excluded], runs: Sequence[Run], voice: Voice
) -> tuple[str, ...]:
    """Say what the runs show went wrong.

    Parameters
    ----------
    conclusions : sequence of Conclusion
    excluded : sequence of Excluded
        The runs that are left out.
    runs : sequence of Run
        All runs.
    voice : Voice

    Returns
    -------
    tuple of str
    """
    return (
        *_left_out(excluded, runs),
        *_unsent(runs, voice),
        *_diverged(conclusions, voice),
        *_drops(conclusions, voice),
        *_idle(conclusions, voice),
        *_limits(conclusions, voice),
        *_unrepeatable(conclusions, voice),
    )


def _left_out(excluded: Sequence[Excluded], runs: Sequence[Run]) -> Iterator[str]:
    status = {run.run_id: run.status for run in runs}
    for word, one, several in _ENDS:
        number = sum(status[left.run_id] == word for left in excluded)
        if number:
            said = f"{one} and is" if number == 1 else f"{several} and are"
            yield f"{capitalised(count(number, 'run'))} {said} left out of all comparisons."


def _unsent(runs: Sequence[Run], voice: Voice) -> Iterator[str]:
    waiting = [run.run_id for run in runs if UNSENT_TAG in run.tags and run.run_id in voice.numbers]
    if waiting:
        verb = "is" if len(waiting) == 1 else "are"
        named = capitalised(voice.runs(waiting))
        yield f"{named} {verb} not yet in the store, or not whole: tracker sync sends what is not."


def _diverged(conclusions: Sequence[Conclusion], voice: Voice) -> Iterator[str]:
    runs = [c for c in conclusions if isinstance(c.details, Diverged)]
    if len(runs) > _MOST_SAID:
        yield f"{capitalised(voice.runs([c.runs[0] for c in runs]))} diverged: their losses are no finite numbers."
    else:
        yield from (c.sentence for c in runs)


def _rates(conclusions: Sequence[Conclusion]) -> Iterator[tuple[str, LearningRate]]:
    """Yield what the learning rate of each run did, where it was logged."""
    for conclusion in conclusions:
        if isinstance(conclusion.details, LearningRate) and conclusion.verdict == "exact":
            yield conclusion.runs[0], conclusion.details


def _drops(conclusions: Sequence[Conclusion], voice: Voice) -> Iterator[str]:
    """Say which runs' rate drops came to nothing, as far as their losses are known."""
    helped = {run: {drop.helped for drop in found.drops} for run, found in _rates(conclusions)}
    idle = [run for run, found in helped.items() if False in found and True not in found]
    if idle:
        yield (
            f"Lowering the learning rate came to nothing in {voice.runs(idle)}: validation loss did not fall below "
            "what it had been."
        )


def _idle(conclusions: Sequence[Conclusion], voice: Voice) -> Iterator[str]:
    never = [run for run, found in _rates(conclusions) if found.plateau and not found.drops and not found.schedule]
    if never:
        yield f"The plateau never fired in {voice.runs(never)}: it could not have changed anything."


def _limits(conclusions: Sequence[Conclusion], voice: Voice) -> Iterator[str]:
    stopped = [c for c in conclusions if c.kind == "under_training" and c.verdict == "exact"]
    if len(stopped) > _MOST_SAID:
        runs = [c.runs[0] for c in stopped]
        yield f"{capitalised(voice.runs(runs))} reached their limit of epochs while they were still improving."
    else:
        yield from (c.sentence for c in stopped)


def _unrepeatable(conclusions: Sequence[Conclusion], voice: Voice) -> Iterator[str]:
    apart = [run for run, found in _rates(conclusions) if found.twin and not found.twin.as_it_must]
    if apart:
        yield (
            f"Training did not repeat exactly under one seed: {voice.runs(apart)} went another way than a run that "
            "differs only in what had not yet acted."
        )
