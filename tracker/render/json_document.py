"""Reports and comparisons as JSON for programs: the schemas ``tracker.report/1`` and ``tracker.comparison/1``.

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
    from tracker.report import Comparison, NextStep, Report, RunEntry

_CONCLUSION = ("id", "kind", "verdict", "option", "runs", "estimate", "interval", "p_value", "p_adjusted", "n",
               "method", "sentence", "details")  # fmt: skip


def render_json(report: Report) -> str:
    """Return the report as JSON, with every run and every conclusion, however many there are."""
    return _text(
        {
            "schema": "tracker.report/1",
            "experiment": report.experiment,
            "metric": report.metric.name,
            "runs": [_run(entry) for entry in report.entries],
            "conclusions": [_conclusion(conclusion) for conclusion in report.conclusions],
            "next": [_step(step) for step in report.next_steps],
            "excluded": [{"run_id": run.run_id, "reason": run.reason} for run in report.excluded],
        }
    )


def render_next_json(steps: Sequence[NextStep]) -> str:
    """Return next steps as JSON, as they stand in the report's ``next``."""
    return _text([_step(step) for step in steps])


def render_comparison_json(comparison: Comparison) -> str:
    """Return a comparison as JSON, runs and conclusion as in the report's, with every clip and every class."""
    ids = [run.run_id for run in comparison.runs]

    def by_run(values: tuple[object, object]) -> dict[str, object]:
        return dict(zip(ids, values, strict=True))

    conclusion = comparison.conclusion
    return _text(
        {
            "schema": "tracker.comparison/1",
            "experiment": comparison.experiment,
            "metric": comparison.metric.name,
            "runs": [_run(run.entry) for run in comparison.runs],
            "options": [{"option": option.name, "levels": by_run(option.levels)} for option in comparison.options],
            "repetition": [{"param": param.name, "values": by_run(param.levels)} for param in comparison.repetition],
            "conclusion": None if conclusion is None else _conclusion(conclusion),
            "corrected": comparison.corrected,
            "worse": comparison.worse,
            "remarks": comparison.remarks,
            "clips_in_common": comparison.clips_in_common,
            "clips": [
                {
                    "clip": clip.clip,
                    "label": clip.label,
                    "right": ids[clip.correct.index(True)],
                    "predicted": by_run(clip.predicted),
                    "probabilities": by_run(clip.probabilities),
                }
                for clip in comparison.clips
            ],
            "classes": [
                {"class": counts.name, "n": counts.n, "correct": by_run(counts.correct)}
                for counts in comparison.classes
            ],
            "excluded": [{"run_id": run.run_id, "reason": run.left_out} for run in comparison.runs if run.left_out],
        }
    )


def _step(step: NextStep) -> dict[str, object]:
    return {
        "command": shell_line([step.command]),
        "argv": step.command,
        "answers": step.answers,
        "chance": step.chance and step.chance.power,
        "effect": step.chance and step.chance.effect,
        "estimated_seconds": step.estimated_seconds,
    }


def _run(entry: RunEntry) -> dict[str, object]:
    return {
        "run_id": entry.run.run_id,
        "name": entry.run.name,
        "title": entry.title,
        "status": entry.run.status,
        "params": entry.run.params,
        "metrics": entry.run.metrics,
        "validation": entry.result.accuracy,
    }


def _conclusion(conclusion: Conclusion) -> dict[str, object]:
    as_they_are = {name: getattr(conclusion, name) for name in _CONCLUSION}
    return as_they_are | {"command": shell_line(conclusion.commands) or None}


def _text(document: object) -> str:
    return json.dumps(_plain(document), indent=2, allow_nan=False) + "\n"


def _plain(value: object) -> object:
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
