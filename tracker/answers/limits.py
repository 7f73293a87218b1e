"""What can this data not show? The smallest difference, selection, seeds, groups, a missing test set, the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.sample_size import SampleSize
from tracker.conclusions.selection_optimism import SelectionOptimism
from tracker.wording import capitalised, counted, percent, percent_interval, points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.answers.answer import Findings
    from tracker.conclusions.conclusion import Conclusion, KindName

# kinds whose sentences bear on how far the results can be trusted, a line each
_CHECKS: tuple[KindName, ...] = ("baseline", "data_checks", "imbalance", "calibration", "range_edge")


def limits(findings: Findings, sentences: Sequence[str]) -> Answer | None:
    """Return what the clips cannot show and what the best score owes to selection, with `sentences` on the rest."""
    if not findings.study.results:
        return None
    first, more = detectable_text(findings), selection_text(findings)
    checked = [found for name in _CHECKS for found in _of_best(findings, name)]
    listed = [text for text in (more, *(found.sentence for found in checked), *sentences) if text]
    sentence = first or (listed.pop(0) if listed else "Nothing beyond what the other answers say.")
    sizes, bias = findings.of_kind("sample_size"), findings.of_kind("selection_optimism")
    return Answer(
        "limits",
        "What can this data not show?",
        "Estimate" if first else "Observed",
        sentence,
        tuple(listed),
        tuple(conclusion.id for conclusion in (*sizes, *bias, *checked)),
        tuple(table for found in checked for table in found.details.tables(in_points=True)),
        ("reliability",),
    )


def _of_best(findings: Findings, name: KindName) -> tuple[Conclusion, ...]:
    """Return a kind's conclusion on the best run, else its first: runs on other clips or folds have their own."""
    found = findings.of_kind(name)
    of_best = [conclusion for conclusion in found if findings.best_run in conclusion.runs]
    return tuple([*of_best, *found][:1])


def detectable_text(findings: Findings) -> str:
    """Return the smallest difference between two models that the clips reliably show."""
    found = findings.with_details("sample_size", SampleSize)
    if not found or len(findings.study.results) < 2:
        return ""
    conclusion, details = max(found, key=lambda pair: len(pair[0].runs))
    if details.folds:
        return conclusion.sentence
    groups = f" of {counted(details.n_groups, 'group')}" if details.n_groups else ""
    clips = f"{counted(conclusion.n or 0, 'validation clip')}{groups}"
    smallest = details.detectable[1]
    if smallest is None:
        return f"{clips} reliably show no difference between two models, however large."
    return f"{clips} reliably show only differences of about {points(smallest)} or more between two models."


def selection_text(findings: Findings) -> str:
    """Return what to expect on new clips of the run that was picked as the best."""
    found = expected(findings)
    if found is None or found.accuracy is None or found.expected is None or found.expected_interval is None:
        return ""
    who, over_epochs = capitalised(findings.wording.run(found.best or "")), found.over_epochs
    picked = f"{who} {'and its best epoch were' if over_epochs else 'was'} picked using these same clips"
    here, there = percent(found.accuracy), percent(found.expected)
    if here == there:
        return f"{picked}, which hardly changes what to expect on new ones: about {there}."
    interval = f"95% interval {percent_interval(found.expected_interval)}"
    return f"{picked}, so {here} is optimistic. On new clips, expect about {there} ({interval})."


def expected(findings: Findings) -> SelectionOptimism | None:
    """Return what the best run owes to having been picked; None without predictions to estimate it from."""
    of_best = (d for _, d in findings.with_details("selection_optimism", SelectionOptimism) if d.expected is not None)
    return next((details for details in of_best if details.best == findings.best_run), None)
