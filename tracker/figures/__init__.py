"""Runs and conclusions drawn with matplotlib, by its object interface: the same runs give the same bytes."""

from tracker.figures import backend
from tracker.figures.clips import run_confusion
from tracker.figures.curves import run_curves
from tracker.figures.pictures import report_pictures

__all__ = ["backend", "report_pictures", "run_confusion", "run_curves"]
