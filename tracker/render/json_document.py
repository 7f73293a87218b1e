"""Reports and comparisons as JSON for programs: the schemas ``tracker.report/2`` and ``tracker.comparison/1``.

Absent values are null and numbers are never NaN or infinite. Everything outside ASCII is written as an escape, so that
nothing in a name reaches a terminal as a command to it. Keys are those of the dataclasses; a trailing underscore, which
sets a name apart from a word of Python's, is dropped (``from_`` is ``from``).

The classes of this module are the document: `tracker.render.json_schema` makes the published schema of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from io import BytesIO
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Literal, cast

import msgspec
import numpy as np

from tracker.conclusions.best_configuration import Standing
from tracker.next_steps.command_line import shell_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.answers import Answer, AnswerId
    from tracker.conclusions.conclusion import Conclusion, Details, KindName, Scope, Verdict
    from tracker.report import Comparison, DataSetSection, NextStep, Report, RunEntry, Section
    from tracker.report.gate import GateAnswer, Outcome, SeriesPlace
    from tracker.runs import RunStatus
    from tracker.statistics.proportions import Interval
    from tracker.study.run_results import Accuracy

AnswerVerdict = Literal["supported", "equivalent", "inconclusive", "confounded", "not_comparable", "unknown",
                        "observed", "replay", "estimate"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunDocument:
    """A run that counts, in the order of start."""

    run_id: str
    name: str
    title: Annotated[str, "its configuration in words"]
    status: RunStatus
    params: Mapping[str, str]
    data_set: Annotated[str | None, "the one that it is on, if configurations are compared across several"]
    metrics: Annotated[Mapping[str, float], "the latest value of each"]
    validation: Annotated[Accuracy | None, "validation clips classified correctly, and the fraction's 95% interval"]


@dataclass(frozen=True, slots=True)
class ConfigurationDocument:
    """Runs of equal options, whatever their seeds; the best configuration first."""

    id: Annotated[str, "made of its options alone: the same from report to report"]
    title: str
    data_set: Annotated[str | None, "the one that it was run on, if configurations are compared across several"]
    runs: Annotated[tuple[str, ...], "ids, the best first"]
    mean: Annotated[float | None, "of the primary metric over its runs"]
    sd: Annotated[float | None, "standard deviation from run to run; null for a single one"]
    interval: Annotated[Interval | None, "at 95% confidence, of an accuracy alone"]
    tied_with_best: Annotated[
        bool | None, "whether it is not significantly worse than the best; null if it was judged on other clips"
    ]


@dataclass(frozen=True, slots=True)
class AnswerDocument:
    """The answer to a question that a reader asks."""

    id: AnswerId
    question: str
    verdict: AnswerVerdict
    sentence: Annotated[str, "one or two sentences"]
    points: Annotated[tuple[str, ...], "further sentences"]
    conclusions: Annotated[tuple[str, ...], "ids of the conclusions that it rests on"]


@dataclass(frozen=True, slots=True)
class DataSetDocument:
    """One of several data sets across which configurations are compared."""

    name: str
    title: Annotated[str, "the finding on it"]
    runs: Annotated[tuple[str, ...], "ids"]
    answers: Annotated[tuple[AnswerDocument, ...], "what the page says of it"]


@dataclass(frozen=True, slots=True)
class ConclusionDocument:
    """A single finding, with the evidence of its kind."""

    id: Annotated[
        str, "``kind:option`` (of one of several data sets with its name) or ``kind:run-ids``: the same in each report"
    ]
    kind: KindName
    verdict: Verdict
    scope: Annotated[
        Scope | None,
        "what an inference is about: other clips like these, or other trainings on these; null if nothing is inferred",
    ]
    option: Annotated[str | None, "the param's name"]
    data_set: Annotated[str | None, "the one that its runs are on, if configurations are compared across several"]
    runs: Annotated[tuple[str, ...], "ids of the runs that it is about"]
    estimate: Annotated[float | None, "a difference of accuracy as a fraction"]
    interval: Annotated[Interval | None, "at 95% confidence"]
    p_value: Annotated[float | None, "raw"]
    p_adjusted: Annotated[float | None, "within its family"]
    n: Annotated[int | None, "validation clips"]
    method: str | None
    sentence: str
    details: Details
    command: Annotated[str | None, "of the runs that bear on it, for a POSIX shell"]


@dataclass(frozen=True, slots=True)
class StepDocument:
    """A command worth running."""

    command: Annotated[str, "for a POSIX shell"]
    argv: Annotated[tuple[str, ...], "the same as arguments, the program's name first"]
    answers: Annotated[tuple[str, ...], "ids of the conclusions that it bears on"]
    chance: Annotated[float | None, "that the test detects a true effect of the size `effect`; null without a test"]
    effect: Annotated[float | None, "in the unit of the primary metric"]
    estimated_seconds: float | None
    suggestion: Annotated[int, "steps of one number are run together; those of 1 have the most chance for their time"]


@dataclass(frozen=True, slots=True)
class ExcludedDocument:
    """A run that is left out."""

    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A report on the runs of an experiment."""

    schema: Literal["tracker.report/2"]
    experiment: str
    metric: Annotated[str, "the primary one"]
    title: Annotated[str, "the finding"]
    lead: Annotated[str, "two sentences: the best configuration, and what the runs show"]
    runs: Iterable[RunDocument]  # each made as it is written, like the conclusions
    configurations: tuple[ConfigurationDocument, ...]
    answers: Annotated[tuple[AnswerDocument, ...], "what the page says: at most seven"]
    data_sets: Annotated[tuple[DataSetDocument, ...], "if configurations are compared across several, else none"]
    conclusions: Annotated[Iterable[ConclusionDocument], "the single findings under the answers"]
    next: Annotated[tuple[StepDocument, ...], "at most three"]
    excluded: tuple[ExcludedDocument, ...]


def render_json(report: Report) -> bytes:
    """Return the report as JSON, with every run and every conclusion, however many there are."""
    document = ReportDocument(
        schema="tracker.report/2",
        experiment=report.experiment,
        metric=report.metric.name,
        title=report.title,
        lead=report.lead,
        runs=map(_run, report.entries),
        configurations=tuple(_configurations(report.sections)),
        answers=tuple(_answer(answer) for answer in report.answers),
        data_sets=tuple(map(_data_set, report.data_sets)),
        conclusions=map(_conclusion, report.conclusions),
        next=tuple(_step(step) for step in report.next_steps),
        excluded=tuple(ExcludedDocument(run.run_id, run.reason) for run in report.excluded),
    )
    with BytesIO() as file:
        for piece in _pieces(document):
            file.write(piece.encode())
        return file.getvalue()


@dataclass(frozen=True, slots=True)
class GateDocument:
    """The answer of `tracker gate`."""

    schema: Literal["tracker.gate/1"]
    answer: Outcome
    exit_status: Annotated[int, "0 it holds, 1 it does not hold, 3 the runs cannot tell yet"]
    sentence: Annotated[str, "what is printed"]
    require: Literal["better", "not-worse"]
    margin: Annotated[float, "in the unit of the metric"]
    level: Annotated[float, "probability of a wrong answer either way: this one's share of alpha in a series"]
    metric: str
    lower_is_better: bool
    baseline: Annotated[tuple[str, ...], "ids of the runs"]
    candidate: tuple[str, ...]
    baseline_failed: Annotated[int, "runs that failed, diverged or logged no number for the metric"]
    candidate_failed: Annotated[int, "alike; if that is more often, it does not hold"]
    pairs: Annotated[int, "matched pairs of trainings"]
    estimate: Annotated[float | None, "candidate minus baseline; null if nothing can be compared"]
    interval: Annotated[Interval | None, "of the same, which decides, at `confidence`"]
    confidence: float | None
    method: str | None
    scope: Scope | None
    chance: Annotated[float | None, "of an answer once the commands are run"]
    commands: Annotated[tuple[str, ...], "for a shell: trainings that would tell"]
    series: SeriesPlace | None


def render_gate_json(answer: GateAnswer) -> str:
    """Return the answer of a gate as JSON."""
    own = {field.name: getattr(answer, field.name) for field in fields(answer)}
    commands = tuple(shell_line([command]) for command in answer.commands)
    return _text(
        GateDocument(**(own | {"commands": commands}), schema="tracker.gate/1", exit_status=answer.exit_status)
    )


def render_next_json(steps: Sequence[NextStep]) -> str:
    """Return next steps as JSON, as they stand in the report's ``next``."""
    return _text([_step(step) for step in steps])


def render_comparison_json(comparison: Comparison) -> str:
    """Return a comparison as JSON, runs and conclusion as in the report's, with every clip and every class."""
    ids = [run.run_id for run in comparison.runs]

    def by_run(values: tuple[object, object]) -> dict[str, object]:
        return dict(zip(ids, values, strict=True))

    conclusion = comparison.conclusion
    return _text(
        {
            "schema": "tracker.comparison/1",
            "experiment": comparison.experiment,
            "metric": comparison.metric.name,
            "runs": [_run(run.entry) for run in comparison.runs],
            "options": [{"option": option.name, "levels": by_run(option.levels)} for option in comparison.options],
            "repetition": [{"param": param.name, "values": by_run(param.levels)} for param in comparison.repetition],
            "conclusion": None if conclusion is None else _conclusion(conclusion),
            "corrected": comparison.corrected,
            "worse": comparison.worse,
            "remarks": comparison.remarks,
            "clips_in_common": comparison.clips_in_common,
            "clips": [
                {
                    "clip": clip.clip,
                    "label": clip.label,
                    "right": ids[clip.correct.index(True)],
                    "predicted": by_run(clip.predicted),
                    "probabilities": by_run(clip.probabilities),
                }
                for clip in comparison.clips
            ],
            "classes": [
                {"class": counts.name, "n": counts.n, "correct": by_run(counts.correct)}
                for counts in comparison.classes
            ],
            "excluded": [{"run_id": run.run_id, "reason": run.left_out} for run in comparison.runs if run.left_out],
        }
    )


def configuration_ids(sections: Sequence[Section]) -> tuple[str, ...]:
    """Return an id for each configuration, made of its options; of runs on other clips it has a number behind it."""
    ids: Counter[str] = Counter()
    found = []
    for section in sections:
        text = json.dumps(section.entries[0].terms.levels)  # ASCII, whatever is in it
        name = f"configuration:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        ids[name] += 1
        found.append(name if ids[name] == 1 else f"{name}-{ids[name]}")
    return tuple(found)


def _configurations(sections: Sequence[Section]) -> Iterator[ConfigurationDocument]:
    for name, section in zip(configuration_ids(sections), sections, strict=True):
        runs = tuple(entry.run.run_id for entry in section.entries)
        own = section.standing or Standing(runs, None)
        numbers = (own.mean, own.deviation, own.interval, own.tied)
        yield ConfigurationDocument(name, section.title, section.data_set or None, own.runs, *numbers)


def _data_set(data_set: DataSetSection) -> DataSetDocument:
    runs = tuple(entry.run.run_id for section in data_set.sections for entry in section.entries)
    return DataSetDocument(data_set.name, data_set.title, runs, tuple(map(_answer, data_set.answers)))


def _answer(answer: Answer) -> AnswerDocument:
    verdict = cast("AnswerVerdict", answer.label.lower().replace(" ", "_"))
    return AnswerDocument(answer.id, answer.question, verdict, answer.sentence, answer.points, answer.conclusions)


def _step(step: NextStep) -> StepDocument:
    return StepDocument(
        command=shell_line([step.command]),
        argv=step.command,
        answers=step.answers,
        chance=step.chance.power if step.chance else None,
        effect=step.chance.effect if step.chance else None,
        estimated_seconds=step.estimated_seconds,
        suggestion=step.suggestion,
    )


def _run(entry: RunEntry) -> RunDocument:
    run = entry.run
    data_set, accuracy = entry.data_set or None, entry.result.accuracy
    return RunDocument(run.run_id, run.name, entry.title, run.status, run.params, data_set, run.metrics, accuracy)


_AS_CONCLUDED = frozenset(field.name for field in fields(ConclusionDocument)) - {"scope", "command"}


def _conclusion(conclusion: Conclusion) -> ConclusionDocument:
    inferred = conclusion.p_value is not None or conclusion.interval is not None
    return ConclusionDocument(
        scope=conclusion.scope if inferred else None,
        command=shell_line(conclusion.commands) or None,
        **{name: getattr(conclusion, name) for name in _AS_CONCLUDED},
    )


def _pieces(document: ReportDocument) -> Iterator[str]:
    """Yield the text of a document a run or a conclusion at a time: that of 100,000 runs takes much of the memory."""
    before = "{"
    for name, value in ((field.name, getattr(document, field.name)) for field in fields(document)):
        yield f'{before}\n  "{name}": '
        before = ","
        if not isinstance(value, tuple | Iterator):
            yield _indented(value)
            continue
        opening = "["
        for entry in value:
            yield f"{opening}\n    " + _indented(entry).replace("\n", "\n    ")
            opening = ","
        yield "\n  ]" if opening == "," else "[]"
    yield "\n}\n"


def _text(document: object) -> str:
    return f"{_indented(document)}\n"


def _indented(value: object) -> str:
    try:  # nearly every value, in half the time: json itself goes through what it knows
        content = _ENCODER.encode(value)
    except ValueError:  # a number that isn't finite
        content = json.dumps(_plain(value), allow_nan=False)
    try:  # with an indent, json is several times slower
        return msgspec.json.format(content, indent=2)
    except msgspec.DecodeError:  # half a character in somebody's text
        return json.dumps(json.loads(content), indent=2)


def _plain(value: object) -> object:
    """Return a value as what JSON has, which is null for a number that isn't finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return _plain(_members_of(value))


def _members_of(value: object) -> object:
    """Return what a value is made of that json doesn't know by itself."""
    kind: type = type(value)
    if is_dataclass(kind):
        keys, values_of = _members(kind)
        return dict(zip(keys, values_of(value), strict=True))
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a report has no {type(value).__name__} in it, got {value!r}")


_ENCODER = json.JSONEncoder(default=_members_of, allow_nan=False, check_circular=False)


@cache
def _members(kind: type) -> tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]:
    """Return the keys of a dataclass in the document, and what returns its values in their order."""
    names = tuple(field.name for field in fields(kind))
    several = attrgetter(*names) if len(names) > 1 else lambda value: tuple(getattr(value, name) for name in names)
    return tuple(name.rstrip("_") for name in names), several
