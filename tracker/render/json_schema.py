"""The JSON Schema of the JSON report, made of the classes that the document is written from.

Each kind of conclusion has its own `details`, those of the `Details` in its module. A number that is NaN or infinite in
Python is null in JSON, so that every float may be null.

References
----------
JSON Schema, draft 2020-12: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import EnumType
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from tracker.answers import AnswerId
from tracker.conclusions import kinds
from tracker.conclusions.conclusion import Details, Kind, KindName, Scope, Verdict
from tracker.render.json_document import ConclusionDocument, GateDocument, ReportDocument
from tracker.report.gate import Outcome, SeriesPlace
from tracker.runs import RunStatus
from tracker.statistics import paired
from tracker.statistics.proportions import Interval
from tracker.study.histories import LoggedSteps
from tracker.study.run_results import Accuracy
from tracker.study.study import Obstacle

if TYPE_CHECKING:
    from collections.abc import Sequence

Schema = dict[str, object]

_PLAIN: dict[object, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "null"]},
    NoneType: {"type": "null"},
}
# what the modules of these classes import for type checkers alone
_IMPORTED: dict[str, object] = {
    "Accuracy": Accuracy,
    "AnswerId": AnswerId,
    "Details": Details,
    "Interval": Interval,
    "KindName": KindName,
    "LoggedSteps": LoggedSteps,
    "Mapping": Mapping,
    "Obstacle": Obstacle,
    "Outcome": Outcome,
    "RunStatus": RunStatus,
    "Scope": Scope,
    "SeriesPlace": SeriesPlace,
    "Verdict": Verdict,
    "paired": paired,
}


def report_schema() -> str:
    """Return the schema of ``tracker report --format json`` as JSON."""
    named: dict[str, Schema] = {}
    whole = _of_class(ReportDocument, named)
    conclusion = named[_name(ConclusionDocument)]
    conclusion["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind.name}}},
            "then": {"properties": {"details": {"anyOf": [_schema(details, named) for details in _evidence(kind)]}}},
        }
        for kind in kinds()
    ]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "tracker.report/2"}
    return json.dumps(head | whole | {"$defs": dict(sorted(named.items()))}, indent=1) + "\n"


def gate_schema() -> str:
    """Return the schema of ``tracker gate --format json`` as JSON."""
    named: dict[str, Schema] = {}
    whole = _of_class(GateDocument, named)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "tracker.gate/1"}
    return json.dumps(head | whole | {"$defs": dict(sorted(named.items()))}, indent=1) + "\n"


def _evidence(kind: Kind) -> list[type[Details]]:
    """Return the classes of evidence that stand in a kind's module."""
    module = sys.modules[kind.conclude.__module__]
    own = [found for found in vars(module).values() if isinstance(found, type) and found.__module__ == module.__name__]
    return [found for found in own if issubclass(found, Details)]


def _name(described: type) -> str:
    return described.__name__.removesuffix("Document")


def _schema(annotation: Any, named: dict[str, Schema]) -> Schema:
    """Return the schema of a type; dataclasses are added to `named` and referred to."""
    if is_dataclass(annotation) and isinstance(annotation, type):
        name = _name(annotation)
        if name not in named:
            named[name] = {}  # before its fields, one of which may be of the same class
            named[name] |= _of_class(annotation, named)
        return {"$ref": f"#/$defs/{name}"}
    if get_origin(annotation):
        return _of_generic(get_origin(annotation), get_args(annotation), named)
    if isinstance(annotation, EnumType):
        return {"enum": list(annotation.__members__.values())}
    return dict(_PLAIN[str if issubclass(annotation, str) else annotation])


def _of_generic(origin: object, arguments: tuple[Any, ...], named: dict[str, Schema]) -> Schema:
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is Annotated:
        return _schema(arguments[0], named) | {"description": arguments[1]}
    if origin in {Union, UnionType}:
        return _any_of([_schema(argument, named) for argument in arguments])
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(arguments[1], named)}
    if arguments[-1] is Ellipsis or origin is Iterable:
        return {"type": "array", "items": _schema(arguments[0], named)}
    places = [_schema(argument, named) for argument in arguments]  # of a tuple
    return {"type": "array", "prefixItems": places, "minItems": len(places), "maxItems": len(places)}


def _any_of(schemas: Sequence[Schema]) -> Schema:
    """Return the schema of a union; of plain types alone a list of their names."""
    types: list[object] = []
    for schema in schemas:
        if set(schema) != {"type"}:
            return {"anyOf": list(schemas)}
        named = schema["type"]
        types += named if isinstance(named, list) else [named]
    return {"type": list(dict.fromkeys(types))}


def _of_class(described: type, named: dict[str, Schema]) -> Schema:
    if described is Details:
        return {"type": "object", "description": "the evidence of its kind"}
    hints = get_type_hints(described, localns=_IMPORTED, include_extras=True)
    own = {field.name.rstrip("_"): _schema(hints[field.name], named) for field in fields(described)}
    return {
        "type": "object",
        "description": (described.__doc__ or "").strip().split("\n\n")[0],
        "properties": own,
        "required": list(own),
        "additionalProperties": False,
    }
