"""Two runs side by side: what they were asked for, what each says of the clips, and what can be concluded from it.

The conclusion is the report's: drawn among all the runs that count, under the same numbers and the same correction. A
run that a report leaves out is shown with what it logged, and nothing is concluded from it. Wherever there is one
thing of each run, they come in the order of `Comparison.runs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.conclusions import with_sentence
from tracker.conclusions.families import better_first, printed_pairs, run_family
from tracker.conclusions.run_difference import run_differences
from tracker.next_steps.command_line import HERE, CommandWriter, Where
from tracker.next_steps.steps import with_commands
from tracker.report.build import report_study, run_entry
from tracker.report.clip_by_clip import class_counts, discordant_clips, on_other_data, shared_clips
from tracker.study.options import OFF
from tracker.study.study import Study, study_of
from tracker.wording import capitalised, count, listing, option_words, wording_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report.clip_by_clip import ClassCount, SharedClip
    from tracker.report.model import RunEntry
    from tracker.runs import Run
    from tracker.study.contrasts import Pair
    from tracker.study.metrics import Metric

_SHORT_ID = 8


@dataclass(frozen=True, slots=True, eq=False)
class ComparedRun:
    """One of the two runs."""

    entry: RunEntry  # as in the report; the number of a run that is left out means nothing
    left_out: str | None = None  # why a report leaves it out

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.entry.run.run_id

    @property
    def called(self) -> str:
        """How sentences call it: ``run 3``, as in the report; one that is left out by the beginning of its id."""
        return f"run {self.run_id[:_SHORT_ID] if self.left_out else self.entry.number}"


@dataclass(frozen=True, slots=True)
class Differing:
    """What was asked for differently: the name of an option, a seed or a part of the split, and the level of each."""

    name: str
    levels: tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two runs set side by side."""

    experiment: str
    metric: Metric
    # the better first if both count, as in the report; else in the order asked for
    runs: tuple[ComparedRun, ComparedRun]
    options: tuple[Differing, ...]
    repetition: tuple[Differing, ...]  # seeds and parts of the split
    conclusion: Conclusion | None  # of the kind `run_difference`; None if a report leaves one of the runs out
    remarks: tuple[str, ...]  # what is to be known beside it, in sentences
    clips_in_common: int  # clips that both were judged on
    # those of them that only one of the two classifies correctly, as `discordant_clips` sorts them
    clips: tuple[SharedClip, ...]
    classes: tuple[ClassCount, ...]  # all of them by class
    alpha: float = 0.05  # the level that the family of tests is held to


def build_comparison(
    experiment: str,
    runs: Sequence[Run],
    run_ids: tuple[str, str],
    *,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
    where: Where = HERE,
) -> Comparison:
    """Set two of an experiment's runs side by side.

    Parameters
    ----------
    experiment : str
        Its name.
    runs : sequence of Run
        All of the experiment's, in any order: the correction counts every pair of them.
    run_ids : tuple of str, length 2
        Those to compare.
    metric, minimise, alpha, margin, where
        As in `build_report`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the two are one, one of them is not among `runs`, or `alpha` or `margin` is out of its range.
    """
    _check(run_ids, runs)
    study, excluded = report_study(runs, metric=metric, minimise=minimise, alpha=alpha, margin=margin)
    reasons = {run.run_id: run.reason for run in excluded}
    shown = _with_left_out(study, [run for run in runs if run.run_id in run_ids and run.run_id in reasons])
    pair = (shown.index_of[run_ids[0]], shown.index_of[run_ids[1]])
    conclusion = None
    if shown is study:
        printed = printed_pairs(study)
        pair = _in_order(study, pair, printed)
        conclusion = _conclusion(study, pair, printed, CommandWriter(experiment, where))
    first, second = (_compared(shown, run, reasons) for run in pair)
    clips = shared_clips(first.entry.run, second.entry.run)
    options = _options(shown, pair)
    return Comparison(
        experiment=experiment,
        metric=study.metric,
        runs=(first, second),
        options=options,
        repetition=_repetition(shown, pair),
        conclusion=conclusion,
        remarks=tuple(_remarks((first, second), conclusion, options, clips)),
        clips_in_common=len(clips),
        clips=discordant_clips(clips),
        classes=class_counts(clips),
        alpha=alpha,
    )


def _check(run_ids: tuple[str, str], runs: Sequence[Run]) -> None:
    if run_ids[0] == run_ids[1]:
        raise ValueError(f"two different runs must be given, got {run_ids[0]} twice")
    unknown = set(run_ids) - {run.run_id for run in runs}
    if unknown:
        raise ValueError(f"the runs to compare must be among the experiment's, got {min(unknown)}")


def _with_left_out(study: Study, left_out: Sequence[Run]) -> Study:
    """Return a study that knows these runs too, behind those that count; nothing may be concluded from it."""
    if not left_out:
        return study
    runs = [*(found.run for found in study.results), *left_out]
    return study_of(runs, study.metric, alpha=study.alpha, margin=study.margin)


def _in_order(study: Study, pair: Pair, printed: Sequence[Pair]) -> Pair:
    """Return two runs as the report has them: the better first."""
    if pair in printed:
        return pair
    return pair[::-1] if pair[::-1] in printed else better_first(study, pair)


def _conclusion(study: Study, pair: Pair, printed: Sequence[Pair], writer: CommandWriter) -> Conclusion:
    """Conclude as the report does, which tests the pairs that it prints in any case."""
    difference = run_differences(study, (pair,), run_family(study, (*printed, pair)))
    (settled,) = with_commands(study, difference, writer)
    return with_sentence(settled, wording_of(study))


def _compared(shown: Study, run: int, reasons: Mapping[str, str]) -> ComparedRun:
    entry = run_entry(shown, run)
    return ComparedRun(entry, reasons.get(entry.run.run_id))


def _options(shown: Study, pair: Pair) -> tuple[Differing, ...]:
    def level(run: int, option: str) -> str:
        return shown.design.level(run, option)

    names = shown.design.differing(*pair)
    return tuple(Differing(name, (level(pair[0], name), level(pair[1], name))) for name in names)


def _repetition(shown: Study, pair: Pair) -> tuple[Differing, ...]:
    """Return the seeds, then the parts of the split, in which the two differ."""
    first, second = (shown.design.terms[run] for run in pair)
    found = []
    for one, other in ((dict(first.seed), dict(second.seed)), (dict(first.split), dict(second.split))):
        for name in sorted(one.keys() | other.keys()):
            unlogged = OFF if name == "fold" else "not logged"
            levels = one.get(name, unlogged), other.get(name, unlogged)
            if levels[0] != levels[1]:
                found.append(Differing(name, levels))
    return tuple(found)


def _remarks(
    runs: tuple[ComparedRun, ComparedRun],
    conclusion: Conclusion | None,
    options: Sequence[Differing],
    clips: Sequence[SharedClip],
) -> Iterator[str]:
    for run in runs:
        if run.left_out:
            reports = ". Reports" if ": " in run.left_out else ": reports"  # a reason may have a sentence of its own
            left_out = f"{capitalised(run.called)} {run.left_out}{reports} leave it out"
            yield f"{left_out}, and nothing is concluded from it; what it logged is shown."
    if conclusion and conclusion.verdict in ("inconclusive", "equivalent") and options:
        names = listing([option_words(option.name) for option in options], "or")
        yield f"It is about these two models: what {names} does, one training each cannot tell from luck."
    yield from _about_clips(runs, clips)


def _about_clips(runs: tuple[ComparedRun, ComparedRun], clips: Sequence[SharedClip]) -> Iterator[str]:
    """Say what keeps the two from being compared clip by clip, or lets it be done on a part of the clips alone."""
    first, second = (run.entry.run for run in runs)
    silent = [run.called for run in runs if run.entry.run.validation is None]
    if silent:
        has = "it has" if len(silent) == 1 else "they have"
        yield f"There are no predictions of {listing(silent)}: which clips {has} right is not known."
    elif on_other_data(first, second):
        yield "The two were judged on different data, where one path may mean two recordings: no clip is compared."
    elif not clips:
        yield "The two have no validation clip in common: no clip is compared."
    else:
        judged = [len(run.validation.clips) for run in (first, second) if run.validation]
        if len(clips) < max(judged):
            yield (
                f"Of {judged[0]} validation clips of {runs[0].called} and {judged[1]} of {runs[1].called}, "
                f"{count(len(clips), 'clip')} {'is' if len(clips) == 1 else 'are'} the same: only these are compared."
            )
