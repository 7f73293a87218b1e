"""What stands in the report, in order, and how it is put together from the runs."""

from tracker.next_steps.steps import NextStep
from tracker.report.build import build_report
from tracker.report.comparison import ClassCount, ComparedRun, Comparison, Differing, SharedClip, build_comparison
from tracker.report.mistakes import DataSource, Mistake, mistakes
from tracker.report.model import (
    Cover,
    DataSetSection,
    Excluded,
    Panel,
    Picture,
    Plot,
    Procedure,
    Report,
    RunEntry,
    Section,
)

__all__ = [
    "ClassCount",
    "ComparedRun",
    "Comparison",
    "Cover",
    "DataSetSection",
    "DataSource",
    "Differing",
    "Excluded",
    "Mistake",
    "NextStep",
    "Panel",
    "Picture",
    "Plot",
    "Procedure",
    "Report",
    "RunEntry",
    "Section",
    "SharedClip",
    "build_comparison",
    "build_report",
    "mistakes",
]
