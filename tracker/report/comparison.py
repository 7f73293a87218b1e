"""Two runs side by side: their options, what each model predicts for the clips of both, and what can be concluded.

Naming two runs is a planned comparison: its verdict goes by its own p-value. Whoever picked the two after looking at
all runs needs the corrected one, which stands beside it and decides in the report. A run that a report leaves out is
shown with what it logged, and nothing is concluded from it. Wherever there is one thing of each run, they come in the
order of `Comparison.runs`.

A clip is the same in both runs if its path and its label are. If the runs say that their data differ, and their clips
are not exactly the same, a path may mean another recording, and no clips are matched.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.conclusions import with_sentence
from tracker.conclusions.comparisons import Family, better_first, printed_pairs, run_family
from tracker.conclusions.run_difference import run_differences
from tracker.next_steps.command_line import HERE, CommandWriter, Where
from tracker.next_steps.steps import with_commands
from tracker.report.build import MOST_OTHER_METRICS, report_study, run_entry
from tracker.runs import OFF
from tracker.runs.logged import NO_LABEL, SHORT_ID
from tracker.study.other_metrics import NO_OTHERS, OtherMetrics, other_metrics
from tracker.study.sample_name import CLIPS, SampleName
from tracker.study.study import Study, study_of
from tracker.wording import capitalised, counted, listing, option_words, p_text, wording_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report.model import RunEntry
    from tracker.runs import Predictions, Run
    from tracker.study.metrics import Metric
    from tracker.study.param_roles import NamedParams
    from tracker.study.study import Pair


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
        return f"run {self.run_id[:SHORT_ID] if self.left_out else self.entry.number}"


@dataclass(frozen=True, slots=True)
class SharedClip:
    """A clip that both models were judged on, and what each predicts."""

    clip: str
    label: str
    predicted: tuple[str | None, str | None]  # the most probable class; None if a probability is not finite
    probabilities: tuple[float | None, float | None]  # of the label; None too if it was not logged for the class
    correct: tuple[bool, bool]  # whether it is classified as labelled

    @property
    def gap(self) -> float:
        """The difference between the probabilities that they give the label, 0 to 1."""
        first, second = self.probabilities
        return abs((first or 0.0) - (second or 0.0))


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many of the `n` clips of a class each model classifies correctly."""

    name: str
    n: int
    correct: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Differing:
    """The name of an option, a seed or a part of the split, and the level of each run."""

    name: str
    levels: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Corrected:
    """The p-value of two runs among all pairs of runs on the same clips, by Holm's method."""

    pairs: int
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two runs set side by side."""

    experiment: str
    metric: Metric
    runs: tuple[ComparedRun, ComparedRun]  # the better first if both count, as in the report; else as asked for
    options: tuple[Differing, ...]
    repetition: tuple[Differing, ...]  # seeds and parts of the split
    # of the kind `run_difference`, not corrected for other pairs; None if a report leaves one of the runs out
    conclusion: Conclusion | None
    remarks: tuple[str, ...]  # what is to be known beside it, in sentences
    clips_in_common: int  # clips that both were judged on
    clips: tuple[SharedClip, ...]  # those that only one classifies correctly, as `discordant_clips` sorts them
    classes: tuple[ClassCount, ...]  # all clips in common, by class
    alpha: float = 0.05  # the significance level
    sample: SampleName = CLIPS  # what its sentences call a clip
    corrected: Corrected | None = None  # None if nothing is tested, or these are the only two runs
    other_metrics: OtherMetrics = NO_OTHERS  # than the primary one

    @property
    def worse(self) -> str | None:
        """The id of the run that is significantly worse on the primary metric; None if neither is."""
        found = self.conclusion
        if found is None or found.verdict != "supported" or not found.estimate:
            return None
        return found.runs[(found.estimate > 0) != self.metric.lower_is_better]

    def __repr__(self) -> str:
        names = " and ".join(repr(of_run.entry.result.run.name) for of_run in self.runs)
        return f"<Comparison of {names}: {self.conclusion.verdict if self.conclusion else 'no conclusion'}>"


def build_comparison(
    experiment: str,
    runs: Sequence[Run],
    run_ids: tuple[str, str],
    *,
    metric: str | None = None,
    minimise: bool | None = None,
    alpha: float = 0.05,
    margin: float = 0.05,
    named: NamedParams | None = None,
    where: Where = HERE,
) -> Comparison:
    """Set two of an experiment's runs side by side.

    Parameters are those of `build_report`, and the ids of the two.

    Raises
    ------
    ValueError
        If the two are the same run, one of them is not among `runs`, or `alpha` or `margin` is out of its range.
    """
    if run_ids[0] == run_ids[1]:
        raise ValueError(f"two different runs must be given, got {run_ids[0]} twice")
    unknown = set(run_ids) - {run.run_id for run in runs}
    if unknown:
        raise ValueError(f"the runs to compare must be among the experiment's, got {min(unknown)}")
    study, excluded = report_study(runs, metric=metric, minimise=minimise, alpha=alpha, margin=margin, named=named)
    reasons = {run.run_id: run.reason for run in excluded}
    left_out = [run for run in runs if run.run_id in run_ids and run.run_id in reasons]
    if left_out:  # known to a study that nothing is concluded from, behind the runs that count
        known = [*(result.run for result in study.results), *left_out]
        study = study_of(known, study.metric, alpha=alpha, margin=margin, roles=study.design.roles)
    pair, conclusion, corrected = (study.index_of[run_ids[0]], study.index_of[run_ids[1]]), None, None
    if not left_out:
        pair, conclusion, corrected = _conclude_on_pair(study, pair, CommandWriter(experiment, where))
    first, second = (ComparedRun(run_entry(study, run), reasons.get(study.results[run].run_id)) for run in pair)
    on_one_data_set = first.entry.data_set == second.entry.data_set
    clips = shared_clips(first.entry.run, second.entry.run) if on_one_data_set else ()
    options = tuple(
        Differing(option, (study.design.level(pair[0], option), study.design.level(pair[1], option)))
        for option in study.design.differing(*pair)
    )
    sample = wording_of(study).sample
    return Comparison(
        experiment=experiment,
        metric=study.metric,
        runs=(first, second),
        options=options,
        repetition=tuple(_repetition(study, pair)),
        conclusion=conclusion,
        remarks=tuple(map(sample.put_into, _remarks((first, second), conclusion, corrected, options, clips, alpha))),
        clips_in_common=len(clips),
        clips=discordant_clips(clips),
        classes=class_counts(clips),
        alpha=alpha,
        sample=sample,
        corrected=corrected,
        other_metrics=other_metrics([first.entry.result, second.entry.result], study.metric, MOST_OTHER_METRICS),
    )


def _conclude_on_pair(study: Study, pair: Pair, writer: CommandWriter) -> tuple[Pair, Conclusion, Corrected | None]:
    """Return two runs, the better first, what is concluded from them alone, and the p-value that the report goes by."""
    printed = printed_pairs(study)
    if pair not in printed:
        pair = pair[::-1] if pair[::-1] in printed else better_first(study, pair)
    family = run_family(study, (*printed, pair))
    own = {min(pair, pair[::-1]): p for p in [family.p_value(*pair)] if p is not None}
    (complete,) = with_commands(study, run_differences(study, (pair,), Family(1, own, own)), writer)
    adjusted = family.p_adjusted(*pair)
    corrected = Corrected(family.size, adjusted) if adjusted is not None and family.size > 1 else None
    return pair, with_sentence(complete, wording_of(study)), corrected


def _repetition(study: Study, pair: Pair) -> Iterator[Differing]:
    """Yield the seeds, then the parts of the split, in which the two differ."""
    first, second = (study.design.terms[run] for run in pair)
    for of_first, of_second in ((dict(first.seed), dict(second.seed)), (dict(first.split), dict(second.split))):
        for name in sorted(of_first.keys() | of_second.keys()):
            unlogged = OFF if name == "fold" else "not logged"
            levels = of_first.get(name, unlogged), of_second.get(name, unlogged)
            if levels[0] != levels[1]:
                yield Differing(name, levels)


def _remarks(
    runs: tuple[ComparedRun, ComparedRun],
    conclusion: Conclusion | None,
    corrected: Corrected | None,
    options: Sequence[Differing],
    clips: Sequence[SharedClip],
    alpha: float,
) -> Iterator[str]:
    for run in runs:
        if run.left_out:
            reports = ". Reports" if ": " in run.left_out else ": reports"  # a reason may have a sentence of its own
            left_out = f"{capitalised(run.called)} {run.left_out}{reports} leave it out"
            yield f"{left_out}, and nothing is concluded from it; what it logged is shown."
    if corrected and conclusion and conclusion.verdict != "exact":
        by_all = f"corrected for all {corrected.pairs:,} pairs, {p_text(corrected.p_value, alpha)}"
        yield f"If you picked these two after looking at all runs: {by_all}."
    if conclusion and conclusion.verdict in ("inconclusive", "equivalent") and options:
        names = listing([option_words(option.name) for option in options], "or")
        yield f"This is about these two models: one training each cannot separate {names} from training noise."
    yield from _about_clips(runs, clips)


def _about_clips(runs: tuple[ComparedRun, ComparedRun], clips: Sequence[SharedClip]) -> Iterator[str]:
    first, second = (run.entry.run for run in runs)
    silent = [run.called for run in runs if run.entry.run.validation is None]
    if silent:
        gets = "it classifies" if len(silent) == 1 else "they classify"
        yield f"There are no predictions of {listing(silent)}: which clips {gets} correctly is not known."
    elif on_other_data(first, second):
        yield "The two were judged on different data, where one path may mean two recordings: no clip is compared."
    elif not clips:
        yield "The two have no validation clip in common: no clip is compared."
    else:
        judged = [len(run.validation.clips) for run in (first, second) if run.validation]
        if len(clips) < max(judged):
            yield (
                f"Of {judged[0]} validation clips of {runs[0].called} and {judged[1]} of {runs[1].called}, "
                f"{counted(len(clips), 'clip')} {'is' if len(clips) == 1 else 'are'} the same: only these are compared."
            )


def shared_clips(first: Run, second: Run) -> tuple[SharedClip, ...]:
    """Return the clips that two runs were both judged on.

    Sorted by clip; empty if either logged no predictions, or the two were judged on different data.
    """
    if first.validation is None or second.validation is None or on_other_data(first, second):
        return ()
    of_first, of_second = _by_clip_and_label(first.validation), _by_clip_and_label(second.validation)
    clips = []
    for key in sorted(of_first.keys() & of_second.keys()):
        (predicted_a, probability_a, correct_a), (predicted_b, probability_b, correct_b) = of_first[key], of_second[key]
        predicted, probabilities = (predicted_a, predicted_b), (probability_a, probability_b)
        clips.append(SharedClip(*key, predicted, probabilities, (correct_a, correct_b)))
    return tuple(clips)


def on_other_data(first: Run, second: Run) -> bool:
    """Return whether two runs say that their data differ, and their clips do not say otherwise."""
    datasets = [run.tags.get("tracker.dataset") for run in (first, second)]
    judged = [run.validation and _by_clip_and_label(run.validation).keys() for run in (first, second)]
    return None not in datasets and datasets[0] != datasets[1] and judged[0] != judged[1]


def discordant_clips(clips: Iterable[SharedClip]) -> tuple[SharedClip, ...]:
    """Return the clips that exactly one model classifies correctly.

    Those that the first has correct come first; of each the largest `gap` first, then by clip.
    """
    discordant = [clip for clip in clips if clip.correct[0] != clip.correct[1]]
    return tuple(sorted(discordant, key=lambda clip: (clip.correct[1], -clip.gap, clip.clip, clip.label)))


def class_counts(clips: Iterable[SharedClip]) -> tuple[ClassCount, ...]:
    """Count the clips of each class, and how many of them each model classifies correctly; sorted by class.

    Empty if the classes are not known.
    """
    by_label: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for clip in clips:
        by_label[clip.label].append(clip.correct)
    return tuple(
        ClassCount(name, len(correct), (sum(a for a, _ in correct), sum(b for _, b in correct)))
        for name, correct in sorted(by_label.items())
        if name != NO_LABEL
    )


def _by_clip_and_label(predictions: Predictions) -> dict[tuple[str, str], tuple[str | None, float | None, bool]]:
    """Return the predicted class of each clip, the probability of its label, and whether it is correct."""
    columns = {name: column for column, name in enumerate(predictions.classes)}
    rows = [None] * len(predictions.clips) if predictions.probabilities is None else predictions.probabilities
    predicted = zip(predictions.predicted, predictions.correct, rows, strict=True)
    found = {}
    for clip, label, (name, correct, row) in zip(predictions.clips, predictions.labels, predicted, strict=True):
        is_known = row is not None and name is not None and label in columns
        probability = float(row[columns[label]]) if is_known else None
        found[clip, label] = name, probability, bool(correct)
    return found
