"""Which configuration is best across several data sets, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.across_data_sets import AcrossDataSets
from tracker.wording import metric_words

if TYPE_CHECKING:
    from tracker.answers.answer import Findings
    from tracker.conclusions.conclusion import Conclusion

_QUESTION = "Which configuration is best across the data sets?"


def data_sets(findings: Findings) -> Answer | None:
    """Return which configuration is best across data sets; None if there are not several."""
    if findings.study.data is None:
        return None
    found = across(findings)
    if found is None:
        what = metric_words(findings.study.metric)
        return Answer("data_sets", _QUESTION, "Unknown", f"No two configurations have a {what} on two data sets.")
    conclusion, details = found
    left_out = details.left_out_text()
    return Answer(
        "data_sets",
        _QUESTION,
        conclusion.label,
        conclusion.sentence,
        (left_out,) if left_out else (),
        (conclusion.id,),
        details.test_tables(findings.study.alpha),
    )


def across(findings: Findings) -> tuple[Conclusion, AcrossDataSets] | None:
    """Return the conclusion across data sets with its evidence; None if there is none."""
    return next(iter(findings.with_details("across_data_sets", AcrossDataSets)), None)
