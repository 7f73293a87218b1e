"""Reports and comparisons in the forms that people and programs read: Markdown, HTML, JSON, in short, in MLflow."""

from tracker.render.documents import (
    Listening,
    Sound,
    picture_files,
    render_comparison,
    render_description,
    render_html,
    render_markdown,
    render_outcome,
    render_summary,
    render_verdict,
)
from tracker.render.json_document import render_comparison_json, render_json, render_next_json
from tracker.render.json_schema import report_schema
from tracker.render.pdf import render_pdf
from tracker.render.tabular import render_csv, render_latex
from tracker.render.view_model import ClipsView, ComparisonView, shell_line, view_comparison

__all__ = [
    "ClipsView",
    "ComparisonView",
    "Listening",
    "Sound",
    "picture_files",
    "render_comparison",
    "render_comparison_json",
    "render_csv",
    "render_description",
    "render_html",
    "render_json",
    "render_latex",
    "render_markdown",
    "render_next_json",
    "render_outcome",
    "render_pdf",
    "render_summary",
    "render_verdict",
    "report_schema",
    "shell_line",
    "view_comparison",
]
