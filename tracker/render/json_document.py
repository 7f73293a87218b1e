"""The report as JSON for programs: the schema ``tracker.report/1``.

Absent values are null and numbers are never NaN or infinite. Everything outside ASCII is written as an escape, so that
nothing in a name reaches a terminal as a command to it. Keys are those of the dataclasses; a trailing underscore, which
sets a name apart from a word of Python's, is dropped (``from_`` is ``from``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.render.view_model import shell_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report import NextStep, Report, RunEntry

SCHEMA = "tracker.report/1"

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def render_json(report: Report) -> str:
    """Return the report as JSON, with every run and every conclusion, however many there are."""
    document = {
        "schema": SCHEMA,
        "experiment": report.experiment,
        "metric": report.metric.name,
        "runs": [run_record(entry) for entry in report.entries],
        "conclusions": [conclusion_record(conclusion) for conclusion in report.conclusions],
        "next": [_step(step) for step in report.next_steps],
        "excluded": [{"run_id": run.run_id, "reason": run.reason} for run in report.excluded],
    }
    return json_text(document)


def render_next_json(steps: Sequence[NextStep]) -> str:
    """Return next steps as JSON, as they stand in the report's ``next``."""
    return json_text([_step(step) for step in steps])


def json_text(document: object) -> str:
    """Return anything that a report has in it as JSON; what isn't a number is null."""
    return json.dumps(_plain(document), indent=2, allow_nan=False) + "\n"


def _step(step: NextStep) -> dict[str, object]:
    return {"command": shell_line([step.command]), "settles": step.settles, "estimated_seconds": step.estimated_seconds}


def run_record(entry: RunEntry) -> dict[str, object]:
    """Return a run as the report's JSON has it."""
    run, accuracy = entry.run, entry.result.accuracy
    return {
        "run_id": run.run_id,
        "name": run.name,
        "title": entry.title,
        "status": run.status,
        "params": run.params,
        "metrics": run.metrics,
        "validation": accuracy,
    }


def conclusion_record(conclusion: Conclusion) -> dict[str, object]:
    """Return a conclusion as the report's JSON has it."""
    return {
        "id": conclusion.id,
        "kind": conclusion.kind,
        "verdict": conclusion.verdict,
        "option": conclusion.option,
        "runs": conclusion.runs,
        "estimate": conclusion.estimate,
        "interval": conclusion.interval,
        "p_value": conclusion.p_value,
        "p_adjusted": conclusion.p_adjusted,
        "n": conclusion.n,
        "method": conclusion.method,
        "sentence": conclusion.sentence,
        "details": conclusion.details,
        "command": shell_line(conclusion.commands) or None,
    }


def _plain(value: object) -> Json:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if is_dataclass(value):
        return {field.name.rstrip("_"): _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(entry) for entry in value]
    raise TypeError(f"a report has no {type(value).__name__} in it, got {value!r}")
