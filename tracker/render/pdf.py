"""Reports as PDF, typeset by typst: tagged for screen readers (PDF/UA-1), the same bytes each time.

The document is a fixed template that reads data: other people's text is never part of typst's markup, so that nothing
in it acts. It has what the HTML page has but the appendix; what the page folds is printed short, or not at all.

References
----------
typst: https://typst.app/docs; PDF/UA-1: ISO 14289-1
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tracker.bundled import TEMPLATES
from tracker.errors import TrackerError
from tracker.printable import printable
from tracker.render.sanitize import SENTENCE_LENGTH, note_tree, unbroken
from tracker.render.tables import numeric_columns
from tracker.render.view_model import MOST_OPEN, arrange
from tracker.wording import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from tracker.render.view_model import AnswerView, ReportView, SectionView
    from tracker.report import Picture, Report

_Data = dict[str, object]

_LONG_WORD = re.compile(r"\S{30,}")
_LONGEST_CELL = 240  # characters of a cell or a heading
_PART = 20  # characters of a long word after which a line may end


def render_pdf(report: Report, pictures: Sequence[Picture], typefaces: Path, has_glyph: Callable[[str], bool]) -> bytes:
    """Return the report as PDF.

    Parameters
    ----------
    typefaces : Path
        The folder of the figures' typeface, which also has what typst's own lack.
    has_glyph : callable
        Whether that typeface has every sign of a text.

    Raises
    ------
    TrackerError
        If typst isn't installed.
    """
    try:
        import typst
    except ImportError as error:
        raise TrackerError(
            "a PDF is made by typst, which is not installed: pip install 'tracker-report[pdf]'"
        ) from error

    def compiled(data: str, *, ignore_system_fonts: bool) -> bytes:
        return typst.compile(
            (TEMPLATES / "typst/report.typ").read_bytes(),
            format="pdf",
            font_paths=typst.Fonts(not ignore_system_fonts, font_paths=[typefaces]),
            sys_inputs={"report": data},
            pdf_standards=["ua-1"],
            timestamp=0,
        )

    data = json.dumps(_document(report, arrange(report, pictures)), ensure_ascii=False)
    is_known = has_glyph(data)
    try:
        return compiled(data, ignore_system_fonts=is_known)
    except typst.TypstError:
        if is_known:
            raise
    # A sign that no typeface here has: PDF/UA forbids the box that would stand for it.
    shown = "".join(sign if has_glyph(sign) else "\N{REPLACEMENT CHARACTER}" for sign in data)
    return compiled(shown, ignore_system_fonts=True)


def _document(report: Report, view: ReportView) -> _Data:
    """Return what the template prints."""
    cover = report.cover
    no_challenge = not (view.notes.shown or view.challenges.shown or view.excluded.shown)
    return {
        "name": _heading(cover.title or report.title),
        "author": _text(cover.author),
        "finding": _text(report.title) if cover.title else "",
        "lead": _text(report.lead),
        "facts": _joined(f"{name}: {text}" for name, text in report.facts),
        "key_figures": [{"value": _text(it.value), "caption": _text(it.caption)} for it in report.key_figures],
        "headline": [_picture(view.headline)] if view.headline else [],
        "intro": note_tree(cover.intro) if cover.intro else [],
        "answers": list(map(_answer, view.answers)),
        "scores": [_table(it.header, it.rows, it.title) for it in (view.scores,) if it],
        "data_sets": [
            {
                "name": _heading(it.name),
                "title": f"{_text(it.title)}.",
                "configurations": _tables(
                    view.configuration_header,
                    it.configurations.shown,
                    more=_more(it.configurations.more, "are not shown: tracker report --format json has all of them."),
                ),
                "answers": list(map(_answer, it.answers)) if place < MOST_OPEN else [],
            }
            for place, it in enumerate(view.data_sets)
        ],
        "data_and_method": _tables(
            ("Fact", "As logged"),
            [(it.name, it.text or "not logged") for it in report.data_and_method],
        ),
        "curves": [_picture(view.curves)] if view.curves else [],
        "configurations": _tables(
            view.configuration_header,
            view.configurations.shown,
            more=_more(view.configurations.more, "configurations: tracker report --format json has all of them."),
        ),
        "runs": _runs(view),
        "sections": [_section(it, is_open=place < MOST_OPEN) for place, it in enumerate(view.sections.shown)],
        "more_sections": _more(
            view.sections.more, "configurations have no section here: tracker runs lists their runs."
        ),
        "steps": [
            {
                "text": _text(f"{it.why}{': ' if it.outlook else ''}{it.outlook}. {_sentence(it.duration)}"),
                "command": printable(it.command),
            }
            for it in view.steps
        ],
        "why_no_step": "" if view.steps else _text(view.why_no_step),
        "notes": [{"title": _text(f"{it.who}, {it.title}"), "note": note_tree(it.text)} for it in view.notes.shown],
        "challenges": list(map(_text, view.challenges.shown)),
        "excluded": _tables(
            ("Run", "Why"),
            [(f"{it.name} {it.run_id}", it.reason) for it in view.excluded.shown],
            "Left out of every comparison",
            _more(view.excluded.more, "are left out: tracker runs lists them."),
        ),
        "no_challenge": "No run carries a note, and none went wrong." if no_challenge else "",
        "methods": [
            *_tables(
                ("Question", "How it is answered", "Source"), [(m.purpose, m.how, m.source) for m in report.methods]
            ),
            *_tables(("Software", "Version"), report.versions),
        ],
    }


def _answer(part: AnswerView) -> _Data:
    return {
        "question": _heading(part.answer.question),
        "label": _text(part.answer.label),
        "sentence": _text(part.answer.sentence),
        "points": list(map(_text, part.answer.points)),
        "facts": _joined(part.facts),
        "tables": [_table(it.header, it.rows, it.title) for it in part.answer.tables],
        "pictures": [_picture(it, 62) for it in part.pictures],
    }


def _text(text: str, length: int = SENTENCE_LENGTH) -> str:
    """Return a sentence or a cell on one line; a line may end within a very long word."""
    shown = printable(text, length)
    return unbroken(_LONG_WORD.sub(lambda word: "\N{ZERO WIDTH SPACE}".join(_parts(word[0])), shown))


def _heading(text: str) -> str:
    """Return a heading, which PDF/UA forbids to be empty."""
    return _text(text, _LONGEST_CELL).strip() or NONE


def _cells(texts: Sequence[str]) -> list[str]:
    return [_text(text, _LONGEST_CELL) for text in texts]


def _parts(word: str) -> list[str]:
    return [word[start : start + _PART] for start in range(0, len(word), _PART)]


def _sentence(text: str | None) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _joined(phrases: Iterable[str]) -> str:
    return " · ".join(map(_text, phrases))


def _more(number: int, rest: str) -> str:
    return f"{number:,} more {rest}" if number else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", more: str = "") -> _Data:
    return {
        "title": _text(title),
        "header": _cells(header),
        "numeric": numeric_columns(rows, len(header)),
        "rows": list(map(_cells, rows)),
        "more": more,
    }


def _tables(header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", more: str = "") -> list[_Data]:
    """Return a table as the only one; none if it has no rows."""
    return [_table(header, rows, title, more)] if rows else []


def _runs(view: ReportView) -> list[_Data]:
    header = ("Run", *view.options.shown, *(head.title for head in view.heads), "Id")
    rows = [(str(row.number), *row.levels, *row.cells, row.short_id) for row in view.rows.shown]
    options = _more(view.options.more, "options vary: tracker runs shows them.")
    runs = f"The best {len(rows)} of {view.rows.n:,} runs: tracker runs lists all of them." if view.rows.more else ""
    return _tables(header, rows, more=_text(" ".join(filter(None, [view.legend, options, runs]))))


def _section(section: SectionView, *, is_open: bool) -> _Data:
    """Return a configuration's section; of one that the page folds, its results without figures."""
    rows = section.rows.shown
    header = ("Run", *(["Name"] if section.is_named else []), "Seed", *(head.title for head in section.heads))
    cells = [(str(r.number), *([r.name] if section.is_named else []), r.seed or NONE, *r.cells) for r in rows]
    lines = []
    if len(rows) == 1:
        (row,) = rows
        facts = [f"{it.title} {it.value}{f' ({it.note})' if it.note else ''}" for it in row.results]
        who = f"{section.who}, {row.name} ({row.short_id}){'' if row.seed is None else f', seed {row.seed}'}"
        lines = [_joined([who, *facts, *([row.training_line] if row.training_line else [])])]
    notes = [f"Note{f' ({it.who})' if len(rows) > 1 else ''}: {it.text}" for it in section.notes]
    command = rows[0].command if rows and is_open else None
    return {
        "title": _heading(section.title),
        "lines": lines,
        "tables": _tables(header, cells) if len(rows) > 1 else [],
        "notes": list(map(_text, notes)),
        "pictures": [_picture(it, 80) for it in section.pictures] if is_open else [],
        "command": printable(command) if command else "",
    }


def _picture(picture: Picture, width: int = 100) -> _Data:
    """Return a figure as wide as a share of the column, in percent."""
    title, note, alt = map(_text, (picture.title, picture.note, picture.alt))
    return {"title": title, "note": note, "alt": alt or title or picture.name, "svg": picture.drawing, "width": width}
