"""Reports and comparisons in the forms that people and programs read: Markdown, HTML, JSON, in short, in MLflow.

Each function is loaded on first use: JSON needs no templates, and loading those takes longer than writing it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.render.data_check import render_data_check_html, render_data_check_json
    from tracker.render.documents import (
        Listening,
        Sound,
        agent_instructions,
        picture_files,
        render_comparison,
        render_description,
        render_html,
        render_markdown,
        render_outcome,
        render_summary,
        render_verdict,
    )
    from tracker.render.json_document import render_comparison_json, render_gate_json, render_json, render_next_json
    from tracker.render.json_schema import gate_schema, report_schema
    from tracker.render.model_card import ModelCard, ModelForm, function_of_clips, predicting_script, render_card
    from tracker.render.pdf import render_pdf
    from tracker.render.tabular import render_csv, render_latex
    from tracker.render.view_model import ClipsView, ComparisonView, view_comparison

_MODULES = ("json_document", "data_check", "tabular", "view_model", "documents", "json_schema", "pdf", "model_card")

__all__ = [
    "ClipsView",
    "ComparisonView",
    "Listening",
    "ModelCard",
    "ModelForm",
    "Sound",
    "agent_instructions",
    "function_of_clips",
    "gate_schema",
    "picture_files",
    "predicting_script",
    "render_card",
    "render_comparison",
    "render_comparison_json",
    "render_csv",
    "render_data_check_html",
    "render_data_check_json",
    "render_description",
    "render_gate_json",
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
    "view_comparison",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _MODULES:
            if hasattr(import_module(f"{__name__}.{module}"), name):
                return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
