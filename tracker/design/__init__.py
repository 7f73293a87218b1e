"""What an experiment varied, and which of its runs can be set against each other.

An *option* is one thing that was varied, a *level* one of its values as text. Runs are given by their position.
"""

from __future__ import annotations

from tracker.design.aliasing import aliases
from tracker.design.levels import OFF, as_number, level_order, level_text
from tracker.design.matching import Contrast, contrasts
from tracker.design.terms import PLATEAU, Terms, terms_of
from tracker.design.varied import Design, design_of

__all__ = [
    "OFF",
    "PLATEAU",
    "Contrast",
    "Design",
    "Terms",
    "aliases",
    "as_number",
    "contrasts",
    "design_of",
    "level_order",
    "level_text",
    "terms_of",
]
