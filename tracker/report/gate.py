"""One question about two configurations: is the candidate better than the baseline, or at least not worse.

Both are configurations, with all their trainings, compared by the test that the report would use between two levels of
an option. The answer goes by an interval of the difference: `HOLDS` if it leaves out the opposite of what is asked,
`FAILS` if it leaves out what is asked, else `OPEN`. Its level is that of this look at the candidate, and of the
candidate in its series.

Runs that fail or diverge have no number to compare, so the others were selected by not doing so. A candidate does not
hold whose runs do that more often than the baseline's: it `FAILS` if that is significant at the same level, else it
is `OPEN`.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from tracker.conclusions.best_configuration import BY_CLIP
from tracker.conclusions.conclusion import filled_up, seeds_of
from tracker.conclusions.contrasts import (
    CROSSED,
    NESTED,
    Analysis,
    analyse_contrast,
    chance_with,
    nested_effect,
    training_noise,
)
from tracker.conclusions.option_effect import UNTESTABLE
from tracker.conclusions.trainings import PAIRED, differ_equally
from tracker.next_steps.command_line import shell_line
from tracker.next_steps.steps import seeds_commands
from tracker.runs import LOGGED_OPTIONS, RunStatus, shown
from tracker.runs.logged import find_run
from tracker.statistics.error_rates import series_level
from tracker.statistics.looks import level_at_look
from tracker.statistics.proportions import more_often_p
from tracker.statistics.repetitions import FEWEST_FOLDS, FEWEST_PAIRS
from tracker.study.looks import Looks
from tracker.study.options import level_text, terms_of
from tracker.study.param_roles import FOLD
from tracker.study.study import contrast_of
from tracker.wording import (
    called_configuration,
    chance_words,
    configuration_phrases,
    counted,
    listing,
    losses,
    metric_words,
    number_word,
    option_words,
    p_text,
    percent,
    points,
    points_interval,
    sign,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.conclusions.conclusion import Scope
    from tracker.next_steps.command_line import Argv, CommandWriter
    from tracker.report.model import Excluded
    from tracker.runs import Run
    from tracker.statistics.proportions import Interval
    from tracker.study.study import Contrast, Study

Require = Literal["better", "not-worse"]

_ENOUGH = 0.8  # chance of an answer that is worth the trainings
_TOO_RARE = 0.5  # chance below which nothing is suggested


class Outcome(StrEnum):
    """What the runs say to the question; the values are those of the JSON document."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "cannot tell yet"


@dataclass(frozen=True, slots=True)
class SeriesPlace:
    """Where a candidate stands in a series of them."""

    name: str
    candidate: int  # which one it is, from 1
    sizes: tuple[float, ...]  # repetitions at each look at it, as `Looks.sizes`; the last is now; empty if too few


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the candidate."""

    require: Require = "not-worse"
    margin: float = 0.02  # differences up to this are too small to matter, in the unit of the metric
    # probability of a wrong `HOLDS` at any look at any candidate of the series; of a wrong `FAILS` alike
    alpha: float = 0.05
    series: SeriesPlace | None = None
    most_seeds: int = 20  # of each configuration, in all, that are suggested

    def __post_init__(self) -> None:
        if not 0 <= self.margin < math.inf:
            raise ValueError(f"the margin must be at least 0, got {self.margin:g}")

    @property
    def doubt(self) -> float:
        """What the interval may leave out on both sides, at all looks at this candidate together."""
        total = self.alpha * self._sides
        return series_level(self.series.candidate, total) if self.series else total

    def doubt_at(self, looks: Looks) -> float:
        """Return what it may leave out at this look."""
        if self.series:
            return level_at_look(self.series.sizes, self.doubt) if self.series.sizes else self.doubt
        return looks.level(self.doubt)

    def level_at(self, looks: Looks) -> float:
        """Return the probability of a wrong answer at this look, either way."""
        return self.doubt_at(looks) / self._sides

    @property
    def _sides(self) -> int:
        """1 if both sides of the interval count as errors, 2 if only one of them does."""
        return 1 if self.require == "better" else 2


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """The answer and what it rests on. Differences are candidate minus baseline, in the unit of the metric."""

    answer: Outcome
    sentence: str  # one line
    require: Require
    margin: float
    level: float  # of this look: probability of a wrong answer, either way
    metric: str
    lower_is_better: bool
    baseline: tuple[str, ...]  # ids of the runs
    candidate: tuple[str, ...]
    baseline_failed: int  # runs that failed, diverged or logged no number for the metric
    candidate_failed: int
    pairs: int  # of trainings with the same seed, split and clips
    estimate: float | None  # None if nothing can be compared
    interval: Interval | None  # that decides, at `confidence`
    confidence: float | None
    method: str | None
    scope: Scope | None
    chance: float | None  # of an answer once the commands are run; None if that isn't known
    commands: tuple[Argv, ...]  # trainings that would tell
    series: SeriesPlace | None = None

    @property
    def exit_status(self) -> int:
        """What `tracker gate` exits with: 0 it holds, 1 it doesn't, 3 the runs can't tell yet."""
        return {Outcome.HOLDS: 0, Outcome.FAILS: 1, Outcome.OPEN: 3}[self.answer]


def configuration_named(study: Study, runs: Sequence[Run], left_out: Sequence[Excluded], text: str) -> tuple[int, ...]:
    """Return the runs of the configuration that a person names, as their indices in the study.

    It is named by any of its runs, or by what its runs have in common: ``kernel=7,lr=1e-4``, params and tags alike.

    Raises
    ------
    TrackerError
        If no run, or several, have the name.
    ValueError
        If no run has these params and tags, or runs of several configurations have; or the run doesn't count.
    """
    if "=" not in text:
        named = find_run(runs, text)
        reasons = {excluded.run_id: excluded.reason for excluded in left_out}
        if named.run_id in reasons:
            raise ValueError(f"run {named.name} does not count: {reasons[named.run_id]}")
        wanted = study.index_of[named.run_id]
        return next(members for members in study.design.configurations if wanted in members)
    asked = dict(_conditions(text))
    matching = [run for run in range(len(study.results)) if _has(study, run, asked)]
    if not matching:
        why = _left_out(study, runs, left_out, asked) or _misspelt(runs, asked)
        raise ValueError(f"no run that counts has {text}{why}")
    found = [members for members in study.design.configurations if not set(members).isdisjoint(matching)]
    if len(found) > 1:
        first = found[0][0]
        differ = {option for members in found[1:] for option in study.design.differing(first, members[0])}
        among = listing([option_words(option) for option in study.design.options if option in differ])
        raise ValueError(f"{len(found)} configurations have {text}: give {among or 'the run'} too")
    return found[0]


def _conditions(text: str) -> list[tuple[str, str]]:
    """Return names and values of ``NAME=VALUE,…``; a value may have commas, as a plateau's does."""
    parts: list[str] = []
    for part in text.split(","):
        if "=" in part or not parts:
            parts.append(part)
        else:
            parts[-1] += f",{part}"
    pairs = [part.partition("=") for part in parts]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise ValueError(f"a configuration must be NAME=VALUE,…, got {shown(text)}")
    counts = Counter(name.strip() for name, _, _ in pairs)
    if twice := next((name for name, count in counts.items() if count > 1), None):
        raise ValueError(f"{twice} is given twice in {shown(text)}: a run has one value of it")
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _misspelt(runs: Sequence[Run], asked: Mapping[str, str]) -> str:
    """Return which name may be meant by the first that no run has; nothing if all are known, or none is near."""
    known = {spelling for entry in LOGGED_OPTIONS.values() for spelling in entry.spellings}
    known |= {name for run in runs for name in (*run.params, *run.tags)}
    name = next((name for name in asked if not {name, name.replace("-", "_")} & known), "")
    near = get_close_matches(name, sorted(known), n=1)
    return f"; no run has {name}: did you mean {near[0]}?" if near else ""


def _left_out(study: Study, runs: Sequence[Run], left_out: Sequence[Excluded], asked: Mapping[str, str]) -> str:
    """Return that runs with some params and tags don't count, and why the first doesn't; nothing if there is none."""
    reasons = {excluded.run_id: excluded.reason for excluded in left_out}
    having = [run for run in runs if run.run_id in reasons and _has_all(study, run, asked)]
    if not having:
        return ""
    name, reason = having[0].name, reasons[having[0].run_id]
    if len(having) == 1:
        return f"; run {name} does, but {reason}"
    return f"; {len(having)} do, but don't count: run {name} {reason}"


def _has_all(study: Study, run: Run, asked: Mapping[str, str]) -> bool:
    levels = dict(terms_of(run.settings, study.design.roles).levels)
    return all(_matches(levels, run, name, value) for name, value in asked.items())


def _has(study: Study, run: int, asked: Mapping[str, str]) -> bool:
    logged = study.results[run].run
    levels = dict(study.design.terms[run].levels)
    return all(_matches(levels, logged, name, value) for name, value in asked.items())


def _matches(levels: Mapping[str, str], run: Run, name: str, value: str) -> bool:
    """Return whether a run has an option at a level, a param or a tag of a value."""
    of_option = _levels_of(name, value)
    if any(part in levels for part in of_option):
        return all(levels.get(part) == level for part, level in of_option.items())
    if name in levels:
        return levels[name] == level_text(value)
    return value in (run.params.get(name), run.tags.get(name))


def _levels_of(name: str, value: str) -> dict[str, str]:
    """Return what an option of tracker is at a value; empty if it is none, or not of a value that it takes."""
    entry = next((entry for entry in LOGGED_OPTIONS.values() if name.replace("-", "_") in entry.spellings), None)
    try:
        return dict(terms_of(entry.to_params(entry.parse(value))).levels) if entry else {}
    except ValueError:
        return {}


def repetitions(study: Study, baseline: Sequence[int], candidate: Sequence[int]) -> float | None:
    """Return how many repetitions the two configurations have now, as `Looks.sizes`; None if too few to be compared.

    Raises ValueError as `answer_gate`.
    """
    analysis = _analysis(study, _measured(study, baseline, candidate))
    return analysis.looks.sizes[-1] if analysis and analysis.looks.sizes else None


@dataclass(frozen=True, slots=True)
class _Failures:
    """How many of the runs of one configuration failed, diverged or logged no number."""

    failed: int
    runs: int  # that ended, those that failed included

    def __str__(self) -> str:
        return f"{self.failed or 'none'} of {self.runs}"

    @property
    def share(self) -> float:
        return self.failed / self.runs if self.runs else 0.0


def _failures(study: Study, members: Sequence[int], runs: Sequence[Run]) -> _Failures:
    """Count the runs of a configuration that failed; one that was trained again and then ended well isn't counted."""
    ended_well = [run for run in members if _is_measured(study, run)]
    own = study.design.terms[members[0]].levels
    repetitions = {(study.design.terms[run].seed, study.design.terms[run].split) for run in ended_well}
    failed: set[object] = {run for run in members if run not in ended_well}
    for run in runs:
        if run.status == RunStatus.FAILED and run.settings:
            terms = terms_of(run.settings, study.design.roles)
            repetition = (terms.seed, terms.split)
            if terms.levels == own and repetition not in repetitions:
                failed.add(repetition if terms.seed else run.run_id)
    return _Failures(len(failed), len(ended_well) + len(failed))


def answer_gate(
    study: Study,
    baseline: Sequence[int],
    candidate: Sequence[int],
    question: Question,
    writer: CommandWriter,
    runs: Sequence[Run] = (),
) -> GateAnswer:
    """Return whether the runs of a candidate show what is asked of it.

    `runs` are all of the experiment, those that failed included.

    Raises
    ------
    ValueError
        If both are the same configuration.
    """
    contrast = _measured(study, baseline, candidate)
    analysis = _analysis(study, contrast)
    looks = analysis.looks if analysis else Looks(())
    confidence = 1 - question.doubt_at(looks)
    effect = None if analysis is None else analysis.population or analysis.effect
    interval = None if effect is None else effect.interval_at(confidence)
    by_interval = Outcome.OPEN if interval is None else _answer(study, interval, question)
    failures = (_failures(study, candidate, runs), _failures(study, baseline, runs))
    answer = by_interval
    if by_interval is Outcome.HOLDS and failures[0].share > failures[1].share:
        answer = Outcome.FAILS if _p_of_more(*failures) <= question.level_at(looks) else Outcome.OPEN
    names = [called_configuration(configuration_phrases(study.design, runs[0])) for runs in (candidate, baseline)]
    commands = _Further()
    if by_interval is Outcome.OPEN:  # a seed without a number would have none again
        commands = _commands(study, contrast_of(study.design, baseline, candidate), question, writer)
    words = _Words(study, question, names[0], names[1], confidence, failures)
    return GateAnswer(
        answer=answer,
        sentence=words.sentence(answer, by_interval, contrast, analysis, interval, commands),
        require=question.require,
        margin=question.margin,
        level=question.level_at(looks),
        metric=study.metric.name,
        lower_is_better=study.metric.lower_is_better,
        baseline=study.ids(baseline),
        candidate=study.ids(candidate),
        baseline_failed=failures[1].failed,
        candidate_failed=failures[0].failed,
        pairs=len(contrast.pairs),
        estimate=effect.estimate if effect else None,
        interval=interval,
        confidence=confidence if interval else None,
        method=str(analysis.method) if analysis else None,
        scope=None if analysis is None else "population" if analysis.population else "these_clips",
        chance=commands.chance,
        commands=commands.commands,
        series=question.series,
    )


def _measured(study: Study, baseline: Sequence[int], candidate: Sequence[int]) -> Contrast:
    """Set those runs of two configurations against each other that have a number."""
    if set(baseline) & set(candidate):
        raise ValueError("the candidate is the baseline: name two configurations")
    return contrast_of(
        study.design, *([run for run in runs if _is_measured(study, run)] for runs in (baseline, candidate))
    )


def _p_of_more(candidate: _Failures, baseline: _Failures) -> float:
    return more_often_p(candidate.failed, candidate.runs, baseline.failed, baseline.runs)


def _is_measured(study: Study, run: int) -> bool:
    return study.results[run].score is not None or study.by_clip(run) is not None


def _analysis(study: Study, contrast: Contrast) -> Analysis | None:
    """Estimate the difference as the report does between two levels of an option; None for too few trainings.

    If further configurations were trained three times or more on the same clips, the training noise of all is pooled,
    as between configurations: at the small levels of a long series a few seeds of two alone would tell next to nothing.
    """
    found = analyse_contrast(study, contrast) if contrast.repetitions else None
    if found is None or found.method not in {CROSSED, NESTED}:
        return found
    clips = study.results[contrast.repetitions[0][0][0]].clip_set
    known = [
        [run for run in runs if run in clips.row_of and study.by_clip(run) is not None]
        for runs in (*contrast.repetitions[0], *study.design.configurations)
    ]
    start, end, *configurations = known
    repeated = [runs for runs in configurations if len(runs) >= FEWEST_PAIRS]
    noise = training_noise(study, clips, repeated) if len(repeated) > 2 else None
    pooled = nested_effect(study, clips, start, end, noise) if noise else None
    if pooled is None:
        return found
    return Analysis(pooled, BY_CLIP, len(clips.clips), pooled, study.looks_at_levels(start, end))


def _answer(study: Study, interval: Interval, question: Question) -> Outcome:
    """Return what an interval of the difference says to the question."""
    low, high = (-interval[1], -interval[0]) if study.metric.lower_is_better else interval
    if question.require == "better":
        if low > 0:
            return Outcome.HOLDS
        return Outcome.FAILS if high < question.margin or high <= 0 else Outcome.OPEN
    if low > -question.margin:
        return Outcome.HOLDS
    return Outcome.FAILS if high < -question.margin else Outcome.OPEN


@dataclass(frozen=True, slots=True)
class _Further:
    """Trainings that would tell."""

    seeds: int = 0  # that each configuration has then
    chance: float | None = None
    commands: tuple[Argv, ...] = ()
    are_allowed: bool = True  # otherwise more seeds than that would be needed


def _commands(study: Study, contrast: Contrast, question: Question, writer: CommandWriter) -> _Further:
    """Return the further seeds of both configurations that would tell, if a small number of them would."""
    if not contrast.repetitions or len(contrast.repetitions) > 1:  # whole folds are more than anyone would add
        return _Further()
    setting = contrast.repetitions[0]
    seeds = [seeds_of(study, runs) for runs in setting]
    both, either = seeds[0] & seeds[1], seeds[0] | seeds[1]
    if question.most_seeds < max(FEWEST_PAIRS, len(both) + 1):
        return _Further(question.most_seeds, are_allowed=False)
    number, chance = _seeds_needed(study, contrast, question, len(both))
    if chance is not None and chance < _TOO_RARE:
        return _Further(number, chance)
    wanted = filled_up([*sorted(both), *sorted(either - both)], number, either)
    missing = [(runs[0], wanted - have) for runs, have in zip(setting, seeds, strict=True)]
    commands = [seeds_commands(study, run, further, writer) for run, further in missing]
    if not all(found for found, (_, further) in zip(commands, missing, strict=True) if further):
        return _Further()
    return _Further(number, chance, tuple(command for found in commands for command in found))


def _seeds_needed(study: Study, contrast: Contrast, question: Question, have: int) -> tuple[int, float | None]:
    """Return how many seeds each configuration should have, and the chance of an answer then, if that is known."""
    at_level = replace(study, alpha=question.doubt)
    distance, run = _distance(study, contrast, question), contrast.repetitions[0][0][0]
    numbers = range(max(FEWEST_PAIRS, have + 1), question.most_seeds + 1)
    found = chance_with(at_level, contrast, run, numbers[0], 1, distance)
    if found is None:
        return max(FEWEST_PAIRS, min(2 * have, numbers[-1])), None
    for number in numbers:
        found = chance_with(at_level, contrast, run, number, 1, distance)
        if found and found.power >= _ENOUGH:
            return number, found.power
    return numbers[-1], found.power if found else None


def _distance(study: Study, contrast: Contrast, question: Question) -> float:
    """Return how far the difference is thought to be from where the answer changes, above 0."""
    gains = [_gain(study, *pair) for pair in contrast.pairs if all(_is_measured(study, run) for run in pair)]
    gain = sum(gains) / len(gains) if gains else 0.0
    nearest = 0.0 if question.require == "better" else -question.margin
    return abs(gain - nearest) or question.margin or study.margin


def _gain(study: Study, baseline: int, candidate: int) -> float:
    before, after = study.results[baseline].score or 0.0, study.results[candidate].score or 0.0
    return before - after if study.metric.lower_is_better else after - before


@dataclass(frozen=True, slots=True)
class _Words:
    """What the one line of an answer is written from."""

    study: Study
    question: Question
    candidate: str
    baseline: str
    confidence: float
    failures: tuple[_Failures, _Failures]  # of the candidate and of the baseline

    def sentence(
        self,
        answer: Outcome,
        by_interval: Outcome,
        contrast: Contrast,
        analysis: Analysis | None,
        interval: Interval | None,
        further: _Further,
    ) -> str:
        """Return the answer in one line, with what it rests on and what would tell more."""
        if not contrast.repetitions and any(one.failed for one in self.failures):
            return f"{answer}: nothing can be compared{self._failed()}"
        if not contrast.repetitions:
            return f"{answer}: no run of the candidate was judged on the same validation clips as one of the baseline"
        if analysis is None or interval is None:
            return f"{answer}: {self._untested(contrast)}{self._failed()}{self._remedy(further)}"
        seen = f"{self._seen(analysis)} ({self._interval(interval)}"
        over = f" over {self._trainings(contrast, analysis)})"
        if answer is not by_interval:
            return f"{answer}: {seen}{over}{self._failed('; but ')}{self._refused(answer)}"
        return f"{answer}: {seen}{over}{self._meaning(answer)}{self._failed()}{self._remedy(further)}"

    def _failed(self, begun: str = "; ") -> str:
        """Return how many runs of each ended without a number that could be compared; nothing if none did."""
        candidate, baseline = self.failures
        if not (candidate.failed or baseline.failed):
            return ""
        what = f"of the candidate ended without a number for {metric_words(self.study.metric)}"
        return f"{begun}{candidate} run{'' if candidate.runs == 1 else 's'} {what}, {baseline} of the baseline"

    def _refused(self, answer: Outcome) -> str:
        """Return why a candidate doesn't hold whose runs fail more often."""
        if answer is Outcome.OPEN:
            return "; find out why before it passes"
        return f", which is significantly more often ({p_text(_p_of_more(*self.failures), self.question.alpha)})"

    def _untested(self, contrast: Contrast) -> str:
        """Return why there is no test: the pairs all differ by the same, or there are too few runs or folds."""
        if differ_equally(self.study, contrast.pairs):
            each = f"each of {counted(len(contrast.pairs), 'matched pair')}"
            return f"{self._compared(_gain(self.study, *contrast.pairs[0]))} in {each}, so how that varies is unknown"
        baseline, candidate = (sum(map(len, sides)) for sides in zip(*contrast.repetitions, strict=True))
        least = f"a test takes at least {number_word(FEWEST_PAIRS)}"
        if min(baseline, candidate) >= FEWEST_PAIRS and len(contrast.repetitions) > 1:
            part = "fold" if FOLD in self.study.design.split_parts else "split"
            shared = f"the two have {counted(len(contrast.repetitions), part)} in common"
            return f"{shared}, and {least}" if len(contrast.repetitions) < FEWEST_FOLDS else UNTESTABLE
        runs = f"the candidate has {counted(candidate, 'run')} and the baseline {counted(baseline, 'run')}"
        return f"{runs}, and {least} of each that can be compared"

    def _seen(self, analysis: Analysis) -> str:
        estimate = (analysis.population or analysis.effect).estimate
        return self._compared(-estimate if self.study.metric.lower_is_better else estimate)

    def _compared(self, gain: float) -> str:
        if abs(gain) < 1e-9:
            return f"{self.candidate} is as good as {self.baseline}"
        return f"{self.candidate} is {self._size(gain)} {'better' if gain > 0 else 'worse'} than {self.baseline}"

    def _trainings(self, contrast: Contrast, analysis: Analysis) -> str:
        if analysis.folds:
            return counted(analysis.folds, "fold")
        if analysis.method in {CROSSED, PAIRED}:
            return counted(len(contrast.pairs), "matched pair")
        numbers = [max(len(side) for side in sides) for sides in zip(*contrast.repetitions, strict=True)]
        return f"{numbers[1]} and {numbers[0]} trainings"

    def _meaning(self, answer: Outcome) -> str:
        margin = self._size(self.question.margin)
        if answer is Outcome.FAILS:
            worse = f"it is worse by more than {margin}"
            return f"; {f'it is not better by {margin} or more' if self.question.require == 'better' else worse}"
        if answer is Outcome.HOLDS and self.question.require == "not-worse":
            return f"; it is not worse by {margin} or more"
        return ""

    def _remedy(self, further: _Further) -> str:
        seeds = f"{further.seeds} seeds of each"
        if not further.are_allowed:
            return f"; it takes more than {counted(further.seeds, 'seed')} of each"
        if not further.commands:
            return "" if further.chance is None else f"; even {seeds} would tell only {chance_words(further.chance)}"
        often = "" if further.chance is None else f", which would tell {chance_words(further.chance)}"
        return f"; train {seeds}{often}: {shell_line(further.commands)}"

    def _size(self, difference: float) -> str:
        if self.study.metric.is_accuracy:
            return points(difference)
        return f"{losses(abs(difference))[0]} in {metric_words(self.study.metric)}"

    def _interval(self, interval: Interval) -> str:
        confidence = percent(self.confidence)
        if self.study.metric.is_accuracy:
            return f"{confidence} interval {points_interval(interval)} points"
        sizes = losses(*map(abs, interval))
        ends = " to ".join(f"{sign(end)}{size}" for end, size in zip(interval, sizes, strict=True))
        return f"{confidence} interval {ends}"
