"""A report in the forms that people and programs read: Markdown, HTML, a short summary, JSON, a run's description."""

from tracker.render.description import render_description
from tracker.render.html_page import Sound, render_html
from tracker.render.json_document import render_json
from tracker.render.markdown import picture_files, render_markdown
from tracker.render.summary import render_summary

__all__ = [
    "Sound",
    "picture_files",
    "render_description",
    "render_html",
    "render_json",
    "render_markdown",
    "render_summary",
]
