"""What can this data not show? The smallest difference, selection, seeds, groups, a missing test set, the baseline."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.baseline import Baseline
from tracker.conclusions.comparisons import cross_validation
from tracker.conclusions.conclusion import Table
from tracker.conclusions.imbalance import Imbalance
from tracker.conclusions.sample_size import SampleSize
from tracker.conclusions.selection_optimism import SelectionOptimism
from tracker.wording import counted, listing, percent, points, points_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracker.answers.answer import Findings
    from tracker.conclusions.conclusion import Conclusion, KindName

# kinds whose sentences bear on how far the results can be trusted, a line each
_SHOWN: tuple[KindName, ...] = ("baseline", "data_checks", "imbalance", "calibration", "range_edge")


def limits(findings: Findings, sentences: Sequence[str]) -> Answer | None:
    """Return what the clips cannot show and what the best score owes to selection, with `sentences` on the rest."""
    if not findings.study.results:
        return None
    first, more = detectable_text(findings), selection_text(findings)
    is_known_by_clip = findings.study.metric.is_known_by_clip
    is_on_training = findings.study.metric.part == "training"
    shown = [name for name in _SHOWN if findings.study.ranking and not (is_on_training and name == "data_checks")]
    found = (check for name in shown for check in _checks(findings, name))
    checks = _joined([check for check in found if is_known_by_clip or not check.unknown])
    listed = [text for text in (more, *(check.sentence for check in checks), *sentences) if text]
    sentence = first or (listed.pop(0) if listed else "Nothing beyond what the other answers say.")
    sizes, bias = findings.of_kind("sample_size"), findings.of_kind("selection_optimism")
    return Answer(
        "limits",
        "What can this data not show?",
        "Estimate" if first else "Observed",
        sentence,
        tuple(listed),
        tuple(found.id for found in (*sizes, *bias, *(found for check in checks for found in check.conclusions))),
        tuple(table for check in checks for table in check.tables),
        ("reliability",),
    )


def shared_limits(answers: Sequence[Answer]) -> tuple[Answer | None, list[Answer | None]]:
    """Return what several data sets have in common of what they cannot show, and what is left of each one's answer."""
    of_each = [(answer.sentence, *answer.points) for answer in answers]
    shared = [sentence for sentence in of_each[0] if all(sentence in of_one for of_one in of_each)]
    if not shared or len(answers) < 2:
        return None, list(answers)
    rest: list[Answer | None] = []
    for answer, of_one in zip(answers, of_each, strict=True):
        first, *points = [*(sentence for sentence in of_one if sentence not in shared), ""]
        rest.append(replace(answer, sentence=first, points=tuple(filter(None, points))) if first else None)
    question = "What can each data set by itself not show?"
    return Answer("limits", question, "Observed", shared[0], tuple(shared[1:])), rest


@dataclass(frozen=True, slots=True, eq=False)
class _Check:
    """What bears on how far the results can be trusted: a sentence, its tables, and what both rest on."""

    sentence: str
    tables: tuple[Table, ...]
    conclusions: tuple[Conclusion, ...]
    unknown: str = ""  # what is unknown for want of predictions: ``whether …``; empty if it is known


def _checks(findings: Findings, name: KindName) -> Iterator[_Check]:
    """Yield a kind's check, at most one: over all folds, or else on the clips of the best run if it has one there."""
    found = findings.of_kind(name)
    over_folds = _OVER_FOLDS.get(name)
    if over_folds is not None and len(found) > 1 and cross_validation(findings.study) is not None:
        sentence = over_folds(findings, found)
        tables: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        told = found if name in _BY_RUN else ()
        for table in (table for conclusion in told for table in conclusion.details.tables(in_points=True)):
            tables.setdefault((table.title, *table.header), []).extend(table.rows)
        joined = (Table(title, tuple(header), tuple(rows)) for (title, *header), rows in tables.items())
        yield _Check(sentence, tuple(joined), found)
        return
    of_best = [conclusion for conclusion in found if findings.best_run in conclusion.runs]
    for conclusion in [*of_best, *found][:1]:
        unknown = _UNKNOWN.get(name, "") if conclusion.verdict == "unknown" else ""
        yield _Check(conclusion.sentence, conclusion.details.tables(in_points=True), (conclusion,), unknown)


def _joined(checks: Sequence[_Check]) -> list[_Check]:
    """Return checks, those that are unknown for want of predictions as one."""
    silent = [check for check in checks if check.unknown]
    if len(silent) < 2:
        return list(checks)
    what = listing([check.unknown for check in silent])
    sentence = f"Without predictions, it is unknown {what}."
    one = _Check(sentence, (), tuple(found for check in silent for found in check.conclusions))
    return [one, *(check for check in checks if check not in silent)]


def _folds_words(findings: Findings, number: int, of: int) -> str:
    """Return ``each of the 3 folds``, ``2 of 3 folds``, ``none of the 3 folds``; of several seeds each, runs."""
    folds = cross_validation(findings.study)
    what = "split" if folds is not None and folds.splits else "fold"
    if folds is not None and of != len(folds.folds):
        what = "run"
    if number in (0, of):
        return f"{'each' if number else 'none'} of the {counted(of, what)}"
    return f"{number} of {counted(of, what)}"


def _baseline_over_folds(findings: Findings, found: Sequence[Conclusion]) -> str:
    """Return on how many folds the best configuration beats the baseline."""
    known = [(c, c.details) for c in found if isinstance(c.details, Baseline) and c.details.runs]
    best, not_better = set(findings.ranked[0].runs), {run for _, details in known for run in details.not_better}
    of_best = [run.run for _, details in known for run in details.runs if run.run in best]
    better = sum(run not in not_better for run in of_best)
    where = _folds_words(findings, better, len(of_best))
    correct, n = sum(details.correct for _, details in known), sum(c.n or 0 for c, _ in known)
    gets = f"{correct} of {counted(n, 'validation clip')} correct over all of them ({percent(correct / n)})"
    who = findings.called(findings.ranked[0])
    subject = f", {who} is" if better else f" is {who}"
    return f"In {where}{subject} significantly better than the majority-class baseline, which gets {gets}."


def _calibration_over_folds(findings: Findings, found: Sequence[Conclusion]) -> str:
    """Return the range of calibration errors, and on how many folds they are more than chance."""
    known = [(c.estimate, c.interval) for c in found if c.estimate is not None and c.interval is not None]
    low, high = min(error for error, _ in known), max(error for error, _ in known)
    clear = sum(interval[0] > 0 for _, interval in known)
    where = _folds_words(findings, clear or len(known), len(known))
    head = f"The best run of each fold has an expected calibration error of {points_span(low, high)}"
    return f"{head}, which {'is more than chance' if clear else 'chance'} explains in {where}."


def _imbalance_over_folds(_: Findings, found: Sequence[Conclusion]) -> str:
    """Return how unequal the classes are in all folds together, and the balanced accuracies."""
    known, sizes = [c.details for c in found if isinstance(c.details, Imbalance)], Counter[str]()
    for details in known:
        sizes.update({size.name: size.n for size in details.sizes})
    ordered = sizes.most_common()
    (most, largest), (least, smallest) = ordered[0], ordered[-1]
    balanced = [details.runs[0].balanced_accuracy for details in known]
    low, high = percent(min(balanced)), percent(max(balanced))
    span = low if low == high else f"{low} to {high}"
    unequal = f"{counted(largest, 'validation clip')} of “{most}” and {smallest} of “{least}” over all folds"
    return f"Classes are unequal: {unequal}. The best run of each has a balanced accuracy of {span}."


_UNKNOWN: dict[KindName, str] = {
    "baseline": "whether the runs beat the majority-class baseline",
    "calibration": "whether their probabilities can be trusted",
}
_BY_RUN: tuple[KindName, ...] = ("baseline", "imbalance")  # whose tables have a row for each run
_OVER_FOLDS: dict[KindName, Callable[[Findings, Sequence[Conclusion]], str]] = {
    "baseline": _baseline_over_folds,
    "calibration": _calibration_over_folds,
    "imbalance": _imbalance_over_folds,
}


def detectable_text(findings: Findings) -> str:
    """Return the smallest difference between two models that the clips reliably show."""
    found = findings.with_details("sample_size", SampleSize)
    if not found or len(findings.study.results) < 2 or not findings.study.metric.is_known_by_clip:
        return ""
    conclusion, details = max(found, key=lambda pair: len(pair[0].runs))
    if details.folds:
        return conclusion.sentence
    groups = f" from {counted(details.n_groups, 'group')}" if details.n_groups else ""
    clips = f"{counted(conclusion.n or 0, 'validation clip')}{groups}"
    smallest = details.detectable[1]
    if smallest is None:
        return f"{clips} cannot reliably show any difference between two models, however large."
    return f"{clips} reliably show only differences of about {points(smallest)} or more between two models."


def selection_text(findings: Findings) -> str:
    """Return what to expect on new clips of the run that was picked as the best."""
    return next((conclusion.sentence for conclusion, _ in _selections(findings)), "")


def expected(findings: Findings) -> SelectionOptimism | None:
    """Return what the best run owes to having been picked; None without predictions to estimate it from."""
    return next((details for _, details in _selections(findings)), None)


def _selections(findings: Findings) -> Iterator[tuple[Conclusion, SelectionOptimism]]:
    for conclusion, details in findings.with_details("selection_optimism", SelectionOptimism):
        if details.expected is not None and details.best == findings.best_run:
            yield conclusion, details
