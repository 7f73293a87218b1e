"""What stands in the report, in order, and how it is put together from the runs."""

from tracker.conclusions.next_steps import NextStep
from tracker.report.assembly import build_report
from tracker.report.contents import (
    Accuracy,
    Excluded,
    Note,
    Picture,
    Report,
    RunEntry,
    Section,
)

__all__ = [
    "Accuracy",
    "Excluded",
    "NextStep",
    "Note",
    "Picture",
    "Report",
    "RunEntry",
    "Section",
    "build_report",
]
