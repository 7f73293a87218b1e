"""Templates, and what keeps other people's text out of them.

Both media know the same filters (`prose`, `code`, `level`, `note`, `commands`), each escaping for its own. HTML escapes
what passes no filter; Markdown has no such safety net, so that printing text which passed none is an error there.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tracker.bundled import TEMPLATES
from tracker.render.sanitize import (
    alt,
    code,
    fence,
    html_block,
    html_code,
    html_prose,
    note_html,
    note_markdown,
    plain,
    prose,
)
from tracker.study.options import NOT_APPLICABLE
from tracker.wording import whole_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Levels that need no ``<code>``, as long as Markdown leaves them alone: ``7``, ``0.0001``, ``0.3x10``, ``off``.
_PLAIN_LEVEL = re.compile(r"[A-Za-z0-9.]{1,28}")
# Cells that a column of numbers has: digits with a sign and a unit, or the mark for none.
_NUMBER = re.compile(r"[−+-]?[\d.,]*(?: ?%| points?)?|–")


@cache
def markdown_environment() -> Environment:
    """Return the environment of the Markdown templates."""
    environment = _environment(_escaped_only)
    environment.filters |= {
        "prose": prose,
        "code": code,
        "alt": alt,
        "note": note_markdown,
        "level": lambda level: _level(level, code),
        "commands": fence,
        "beside": _beside,
    }
    return environment


@cache
def html_environment() -> Environment:
    """Return the environment of the HTML templates."""
    environment = _environment()
    environment.filters |= {
        "prose": html_prose,
        "code": html_code,
        "note": note_html,
        "level": lambda level: _level(level, html_code),
        "commands": html_block,
    }
    return environment


def _numeric(rows: Sequence[Sequence[str]], columns: int) -> list[bool]:
    """Return which columns have nothing but numbers: they are set flush right."""
    return [all(_NUMBER.fullmatch(row[column]) for row in rows) for column in range(columns)]


def _environment(finalize: Callable[[object], object] | None = None) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"numeric": _numeric, "whole": lambda number: plain(whole_cell(number))}
    return environment


def _escaped_only(value: object) -> object:
    """Let numbers and text that an escaping function returned pass, and nothing else."""
    if isinstance(value, int | Markup):
        return value
    raise TypeError(f"a Markdown template prints text only through an escaping filter, got {value!r}")


def _level(level: str, code: Callable[[str], Markup]) -> Markup:
    if level == NOT_APPLICABLE:
        return escape(level)
    return escape(level) if _PLAIN_LEVEL.fullmatch(level) and prose(level) == level else code(level)


def _beside(text: Markup, number: int) -> Markup:
    """Indent the lines after the first so that they belong to the list item `number`."""
    return Markup(text.replace("\n", "\n" + " " * len(f"{number}. ")))  # noqa: S704
