"""Runs and conclusions drawn once, as small SVG: inline in a page, alone in a PDF, as PNG beside Markdown."""

from tracker.figures.clips import run_confusion
from tracker.figures.curves import run_curves
from tracker.figures.intervals import Baseline, ConfigurationRow, headline
from tracker.figures.over_time import probabilities_over_time
from tracker.figures.pictures import report_pictures
from tracker.figures.raster import has_glyph, png, typefaces
from tracker.figures.spectrogram import draw_spectrogram
from tracker.figures.style import stylesheet
from tracker.figures.svg import titled

__all__ = [
    "Baseline",
    "ConfigurationRow",
    "draw_spectrogram",
    "has_glyph",
    "headline",
    "png",
    "probabilities_over_time",
    "report_pictures",
    "run_confusion",
    "run_curves",
    "stylesheet",
    "titled",
    "typefaces",
]
