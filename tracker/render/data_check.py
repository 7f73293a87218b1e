"""A check of a data set as JSON for programs, and as one HTML page."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from tracker.audit.findings import CLASS_COLUMNS, MOST_NAMES, Kind, class_rows
from tracker.audit.ladder import COLUMNS
from tracker.render.documents import html_environment
from tracker.wording import capitalised, listing

if TYPE_CHECKING:
    from tracker.audit.findings import DataCheck

_SCHEMA = "tracker.data_check/1"
_MOST_SHOWN = 5  # findings of a kind that are open on the page
_MOST_LISTED = 500  # that are on it at all


def render_data_check_json(found: DataCheck) -> str:
    """Return a check as JSON: each class, and each finding with its kind and whether it would bias a result."""
    document = {
        "schema": _SCHEMA,
        "data": found.data,
        "clips": found.clips,
        "usable": found.usable,
        "groups": found.groups,
        "parts": dict(found.parts),
        "problem": found.problem,
        "is_clean": found.is_clean,
        "ladder": found.ladder
        and {
            "sentence": found.ladder.sentence,
            "rungs": [asdict(rung) for rung in found.ladder.rungs],
        },
        "classes": [asdict(row) for row in found.classes],
        "findings": [
            {
                "kind": finding.kind.value,
                "would_bias": finding.kind.would_bias,
                "names": finding.names,
                "detail": finding.detail,
            }
            for finding in found.findings
        ],
    }
    return f"{json.dumps(document, indent=2, ensure_ascii=False)}\n"


def render_data_check_html(found: DataCheck) -> str:
    """Return a check as one HTML page without scripts, which fetches nothing."""
    kinds = {kind: [finding for finding in found.findings if finding.kind is kind] for kind in Kind}
    sections = [
        (title, [(kind, of_kind) for kind, of_kind in kinds.items() if of_kind and kind.would_bias == would_bias])
        for title, would_bias in (("What would bias a result", True), ("What else was found", False))
    ]
    return (
        html_environment()
        .get_template("html/data_check.html.j2")
        .render(
            found=found,
            key_figures=_key_figures(found),
            sections=[(title, listed) for title, listed in sections if listed],
            ladder=found.ladder and ([*map(capitalised, COLUMNS)], found.ladder.rows),
            classes=([*map(capitalised, CLASS_COLUMNS)], class_rows(found)),
            most_names=MOST_NAMES,
            most_shown=_MOST_SHOWN,
            most_listed=_MOST_LISTED,
        )
    )


def _key_figures(found: DataCheck) -> list[tuple[str, str]]:
    """Return figures and their captions for the head of the page."""
    usable = "" if found.usable == found.clips else f", {found.usable:,} usable"
    figures = [
        (f"{found.clips:,}", f"{'clip' if found.clips == 1 else 'clips'}{usable}"),
        (f"{len(found.classes):,}", "class" if len(found.classes) == 1 else "classes"),
        (f"{found.groups:,}", "group" if found.groups == 1 else "groups") if found.groups else ("none", "groups"),
    ]
    if found.parts:
        figures.append((" / ".join(f"{n:,}" for n in found.parts.values()), f"clips in {listing([*found.parts])}"))
    return figures
