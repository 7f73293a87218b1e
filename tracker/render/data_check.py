"""A check of a data set as JSON for programs, and as one HTML page."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from tracker.audit.findings import CLASS_COLUMNS, FINDING_COLUMNS, class_rows, finding_rows
from tracker.audit.ladder import COLUMNS
from tracker.render.documents import html_environment

if TYPE_CHECKING:
    from tracker.audit.findings import DataCheck

_SCHEMA = "tracker.data_check/1"


def render_data_check_json(found: DataCheck) -> str:
    """Return a check as JSON: each class, and each finding with its kind and whether it would bias a result."""
    document = {
        "schema": _SCHEMA,
        "clips": found.clips,
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
    tables = [(CLASS_COLUMNS, class_rows(found)), (FINDING_COLUMNS, finding_rows(found))]
    if found.ladder:
        tables.append((COLUMNS, found.ladder.rows))
    template = html_environment().get_template("html/data_check.html.j2")
    return template.render(found=found, tables=[table for table in tables if table[1]])
