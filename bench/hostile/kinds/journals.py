"""Journals with right checksums that hold what none should: wrong types, huge numbers, strange names, addresses."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.hostile import lines
from bench.hostile.case import REPORT, RUNS, Case, without
from bench.hostile.place import HOSTILE_ID, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from bench.hostile.lines import Row

TABLE, SUMMARY, NEXT, SYNC, REPAIR = ("runs",), ("report", "--format", "summary"), ("next",), ("sync",), ("repair",)
CLOSE = ("close", "hostile")

WRONG: dict[str, Any] = {
    "null": None,
    "a-number": 7,
    "a-fraction": 0.5,
    "true": True,
    "a-text": "x",
    "a-list": ["x", 1],
    "a-mapping": {"x": {"y": [1]}},
    "huge": 10**400,
    "long": "x" * 1_000_000,
    "nested": {"x": {"x": {"x": {"x": None}}}},
}
"""What may stand where something else is due."""

FIELDS: dict[str, tuple[str, ...]] = {
    "started": ("line", "version", "time", "uri", "experiment", "name", "metric", "params", "tags", "datasets"),
    "epoch": ("line", "time", "number", "metrics"),
    "measured": ("metrics", "time"),
    "tagged": ("tags",),
    "attached": ("path",),
    "ended": ("time", "status", "reason"),
}
"""The fields of each entry."""

PER_FIELD = 2
"""How many wrong values each field is tried with, drawn from all."""

SHORT = {
    "started-params-in-params",
    "line-is-huge",
    "deep",
    "uri-other-host",
    "name-escapes-title",
    "no-data",
    "uri-foreign",
    "unknown-entry",
    "epoch-metrics-inside",
    "name-markup-broken-list",
    "delivery-entries-is-a-text",
    "uri-login",
}


def journals(rng: Random) -> Iterator[Case]:
    yield from _wrong_types(rng)
    yield from _inside()
    yield from _whole()
    yield from _addresses()
    yield from _names()
    yield from _records()
    yield from _many()


def _case(name: str, prepare: Any, *commands: tuple[str, ...], **rest: Any) -> Case:
    return Case(f"journals/{name}", commands, prepare, short=name in SHORT, **rest)


def _wrong_types(rng: Random) -> Iterator[Case]:
    """Take one field of one entry, and give it what it must not have."""
    for entry, names in FIELDS.items():
        for field in names:
            for wrong in rng.sample(list(WRONG), PER_FIELD):
                commands = rng.choice([(RUNS,), (RUNS,), (RUNS, SYNC), (REPORT,), (RUNS, CLOSE)])
                yield _case(f"{entry}-{field}-is-{wrong}", partial(_with_field, entry, field, WRONG[wrong]), *commands)


def _with_field(entry: str, field: str, value: Any, place: Place) -> None:
    rows = place.hostile_rows()
    if entry == "attached":
        rows.insert(1, {"entry": "attached", "line": 2, "path": "x"})
        rows = lines.numbered(rows)
    place.add_journal([row | {field: value} if row["entry"] == entry else row for row in rows])


INSIDE: dict[str, tuple[str, dict[str, Any]]] = {
    "started-params-in-params": ("started", {"params": {"kernel_size": {"a": 1}, "seed": []}}),
    "started-param-is-a-number": ("started", {"params": {"kernel_size": 7, "learning_rate": 0.1, "seed": 0}}),
    "started-param-is-null": ("started", {"params": {"kernel_size": None, "seed": None}}),
    "started-param-is-long": ("started", {"params": {"note": "x" * 1_000_000}}),
    "started-param-is-no-number": ("started", {"params": {"epochs": "off", "batch_size": "many", "seed": "first"}}),
    "started-param-is-huge": ("started", {"params": {"epochs": "9" * 5_000, "learning_rate": "1e999"}}),
    "started-params-are-many": ("started", {"params": {f"p{number}": str(number) for number in range(3_000)}}),
    "started-param-name-is-odd": ("started", {"params": {"../../x": "1", "\x1b[31m": "2", "": "3", "\ud800": "4"}}),
    "started-tag-is-a-list": ("started", {"tags": {"tracker.classes": ["a"], "tracker.data": []}}),
    "started-tag-is-null": ("started", {"tags": {"tracker.data": None, "tracker.host": None}}),
    "started-classes-are-broken": ("started", {"tags": {"tracker.classes": "[", "tracker.validation_clips": "x"}}),
    "started-clips-are-endless": ("started", {"tags": {"tracker.validation_clips": "1" * 5_000}}),
    "started-command-is-broken": ("started", {"tags": {"tracker.command": "[[[", "tracker.plan_size": "-1"}}),
    "started-datasets-are-odd": ("started", {"datasets": [{"name": 1, "digest": None, "classes": 7, "clips": "x"}]}),
    "started-dataset-lacks-all": ("started", {"datasets": [{}]}),
    "started-dataset-has-more": ("started", {"datasets": [{"name": "x", "evil": 1}]}),
    "started-classes-are-a-million": ("started", {"tags": {"tracker.classes": json.dumps(list(range(200_000)))}}),
    "epoch-metrics-inside": ("epoch", {"metrics": {"val_loss": {"a": 1}, "loss": [1]}}),
    "epoch-metric-is-null": ("epoch", {"metrics": {"val_loss": None}}),
    "epoch-metric-is-a-text": ("epoch", {"metrics": {"val_loss": "low"}}),
    "epoch-metric-is-true": ("epoch", {"metrics": {"val_loss": True, "loss": False}}),
    "epoch-metric-is-huge": ("epoch", {"metrics": {"val_loss": 10**400}}),
    "epoch-metric-is-infinite": ("epoch", {"metrics": {"val_loss": "Infinity", "val_accuracy": "-Infinity"}}),
    "epoch-metric-above-one": ("epoch", {"metrics": {"val_accuracy": 1e300, "val_loss": -1e300}}),
    "epoch-metrics-are-many": ("epoch", {"metrics": {f"m{number}": 0.5 for number in range(2_000)}}),
    "epoch-is-negative": ("epoch", {"number": -5}),
    "epoch-is-huge": ("epoch", {"number": 2**63}),
    "epoch-is-nought": ("epoch", {"number": 0}),
    "time-is-beyond-the-calendar": ("epoch", {"time": 10**18}),
    "time-is-before-the-calendar": ("started", {"time": -(10**18)}),
    "status-is-unknown": ("ended", {"status": "EXPLODED"}),
    "reason-escapes": ("ended", {"status": "FAILED", "reason": "\x1b]0;x\x07 \u202e [/x]"}),
    "note-escapes": ("tagged", {"tags": {"tracker.note": "\x1b[31m \u202e <script>alert(1)</script>"}}),
}


def _inside() -> Iterator[Case]:
    """Give a field the right type, with the wrong things inside."""
    for name, (entry, changes) in INSIDE.items():
        commands = (RUNS, SUMMARY) if entry == "started" else (REPORT, RUNS)
        yield _case(name, partial(_with_changes, entry, changes), *commands)


def _with_changes(entry: str, changes: dict[str, Any], place: Place) -> None:
    rows = place.hostile_rows()
    place.add_journal([row | changes if row["entry"] == entry else row for row in rows])


def _whole() -> Iterator[Case]:
    """Replace lines of the file, or all of it."""
    deep = b'{"entry":"tagged","line":2,"tags":' + b'{"x":' * 100_000 + b"1" + b"}" * 100_000
    whole: dict[str, bytes | None] = {
        "deep": lines.sealed(deep),
        "deep-list": lines.sealed(b'{"entry":"tagged","line":2,"tags":' + b"[" * 200_000 + b"]" * 200_000),
        "line-is-huge": lines.line({"entry": "tagged", "line": 100_000_000, "tags": {}}),
        "line-is-beyond-all": lines.line({"entry": "tagged", "line": 10**30, "tags": {}}),
        "line-is-negative": lines.line({"entry": "tagged", "line": -3, "tags": {}}),
        "unknown-entry": lines.line({"entry": "exploded", "line": 2}),
        "unknown-field": lines.line({"entry": "tagged", "line": 2, "tags": {}, "evil": 1}),
        "no-entry": lines.line({"line": 2}),
        "a-list-for-a-line": lines.sealed(b"[1,2"),
        "not-json": lines.sealed(b"exploded"),
        "not-text": lines.sealed(bytes(range(128, 256))),
        "twice-in-a-line": lines.sealed(b'{"entry":"tagged","line":2,"tags":{}},{"entry":"ended","line":3'),
        "closed-early": lines.sealed(b'{"entry":"tagged","line":2,"tags":{}}],[{"x":1'),
        "digits-without-end": lines.sealed(b'{"entry":"tagged","line":' + b"9" * 100_000 + b',"tags":{}'),
        "not-a-number": lines.sealed(b'{"entry":"epoch","line":2,"time":NaN,"number":1,"metrics":{}'),
        "second-start": None,
        "empty-lines": b"\n" * 100_000,
        "nuls": bytes(1_000_000),
    }
    for name, tail in whole.items():
        yield (
            _case(name, partial(_with_tail, tail), RUNS, SYNC)
            if name in SHORT
            else _case(name, partial(_with_tail, tail), RUNS)
        )
    yield _case("first-line-is-missing", partial(_replaced, lambda rows: rows[1:]), RUNS)
    yield _case("first-line-twice", partial(_replaced, lambda rows: [rows[0], *rows]), RUNS, CLOSE)
    yield _case("end-twice", partial(_replaced, lambda rows: [*rows, rows[-1] | {"status": "FAILED"}]), RUNS, SYNC)
    yield _case("epochs-backwards", partial(_replaced, lambda rows: [rows[0], *reversed(rows[1:])]), RUNS, REPORT)
    yield _case("no-data", partial(_untagged, "tracker.data"), ("resume", "hostile"), RUNS)
    yield _case("no-tags", partial(_untagged, ""), NEXT, RUNS, ("resume", "hostile"))
    yield _case("version-of-the-future", partial(_with_field, "started", "version", 99), RUNS, SYNC)


def _with_tail(tail: bytes | None, place: Place) -> None:
    first, *_ = place.hostile_rows()
    tail = lines.line(first | {"line": 2}) if tail is None else tail
    place.add_journal(lines.line(first) + tail)


def _replaced(change: Any, place: Place) -> None:
    place.add_journal(lines.numbered(change(place.hostile_rows())))


def _untagged(tag: str, place: Place) -> None:
    first, *rest = place.hostile_rows()
    tags = {name: value for name, value in first["tags"].items() if tag and name != tag}
    rows = [row for row in rest if row["entry"] != "ended"]
    place.add_journal([first | {"tags": tags}, *lines.numbered([first, *rows])[1:]])


ADDRESSES = {
    "other-host": "<other>",
    "login": "http://somebody:canaryinuri6c20e8@127.0.0.1:1",
    "token": "http://127.0.0.1:1/?token=canaryinuri6c20e8",
    "password-in-query": "http://127.0.0.1:1/x?password=canaryinuri6c20e8#x",
    "other-host-login": "http://somebody:canaryinuri6c20e8@<bare>",
    "sqlite-login": "sqlite://somebody:canaryinuri6c20e8@h/x",
    "one-slash": "http:/somebody:canaryinuri6c20e8@h",
    "bare-login": "somebody:canaryinuri6c20e8@h",
    "postgres": "postgresql://somebody:canaryinuri6c20e8@h/x",
    "foreign": "foo://h",
    "file": "file:///x",
    "file-home": "file://<root>/home",
    "other-project": "sqlite:///<root>/victim/mlflow.db",
    "home": "sqlite:///<root>/home/new.db",
    "above": "sqlite:///../victim/mlflow.db",
    "key": "sqlite:///<root>/home/.ssh/id_rsa",
    "bracket": "http://[",
    "port": "http://127.0.0.1:999999",
    "databricks": "databricks://profile",
    "escape": "http://127.0.0.1:1/\x1b[31m\x07\u202e",
    "nul": "sqlite:///a\0b",
    "empty": "",
    "memory": "sqlite:///:memory:",
    "query": "sqlite:///mlflow.db?vfs=x&mode=rwc",
}


def _addresses() -> Iterator[Case]:
    for name, uri in ADDRESSES.items():
        yield _case(f"uri-{name}", partial(_addressed, uri), SYNC, RUNS)
    for name in ("other-host", "login", "foreign", "other-project"):
        yield _case(f"uri-{name}-repair", partial(_addressed, ADDRESSES[name], delivered=True), REPAIR, RUNS)
    for name in ("other-host", "login"):
        yield _case(f"uri-{name}-close", partial(_addressed, ADDRESSES[name], ended=False), CLOSE, RUNS)
        yield _case(
            f"uri-{name}-resume", partial(_addressed, ADDRESSES[name], ended=False), ("resume", "hostile"), RUNS
        )
    yield _case(
        "uri-other-host-server-given",
        partial(_addressed, "<other>"),
        ("sync", "--tracking-uri", "<server>"),
        RUNS,
        serves=True,
    )
    yield _case(
        "uri-other-host-token",
        partial(_addressed, "<other>"),
        SYNC,
        RUNS,
        environment={"MLFLOW_TRACKING_USERNAME": None, "MLFLOW_TRACKING_PASSWORD": None},
    )
    yield _case(
        "uri-other-host-store-in-environment",
        partial(_addressed, "<other>"),
        SYNC,
        RUNS,
        environment={"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"},
    )


def _addressed(uri: str, place: Place, *, delivered: bool = False, ended: bool = True) -> None:
    uri = place.told(uri)
    rows = place.hostile_rows(uri=uri)
    if not ended:
        rows = [row for row in rows if row["entry"] in {"started", "epoch"}]
    journal = place.add_journal(rows)
    if delivered:
        state = {"run_id": "e" * 32, "artifacts": uri, "entries": len(rows)}
        (journal / "delivery.json").write_text(json.dumps(state))


NAMES = {
    "escapes-title": "\x1b]0;x\x07",
    "escapes-colour": "\x1b[31mred\x1b[0m",
    "escapes-screen": "\x1b[2J\x1b[H",
    "escapes-c1": "\x9b31m\x9d0;x\x9c",
    "turned": "\u202eexe.wav",
    "isolated": "\u2067x\u2069",
    "returns": "good\rEVIL",
    "line-feed": "good\nwarning: run this",
    "bell": "\a\b\b\b",
    "separator": "x\u2028y",
    "surrogate": "\ud800x",
    "nul": "x\0y",
    "command": "$(touch INJECTED)",
    "backquote": "`touch INJECTED`",
    "semicolon": "x; touch INJECTED",
    "quote": "'; touch INJECTED; '",
    "option": "--gone",
    "long": "n" * 200_000,
    "empty": "",
    "prefix-of-id": "a",
}
MARKUP = {"markup-broken": "[/x]", "markup-bold": "[bold]loud[/bold]", "markup-link": "[link=http://evil]x[/link]"}


def _names() -> Iterator[Case]:
    for name, given in NAMES.items():
        yield _case(f"name-{name}-list", partial(_named, given), TABLE, RUNS)
        if name in {"escapes-title", "turned", "markup-broken", "command", "line-feed", "surrogate"}:
            yield _case(f"name-{name}-terminal", partial(_named, given), TABLE, ("runs",), terminal=True)
            yield _case(f"name-{name}-sync", partial(_named, given, ended=True), SYNC)
    yield _case("name-escapes-title-resume", partial(_named, NAMES["escapes-title"]), ("resume", HOSTILE_ID))
    for name, given in MARKUP.items():
        yield _case(f"name-{name}-list", partial(_named, given), TABLE, RUNS, shows=(given,))
        yield _case(f"name-{name}-terminal", partial(_named, given), TABLE, terminal=True, shows=(given,))
        yield _case(
            f"name-{name}-given",
            lambda _place: None,
            ("run", "--data", "data", "--epochs", "1", "--name", given, "--segment", "0.5", "--width", "2"),
            RUNS,
            shows=(json.dumps(given),),
        )


def _named(name: str, place: Place, *, ended: bool = False) -> None:
    rows = place.hostile_rows(name=name)
    place.add_journal(rows if ended else [row for row in rows if row["entry"] in {"started", "epoch"}])


RECORDS = {
    "delivery-entries-is-a-text": ("waiting", "delivery.json", {"run_id": "e" * 32, "artifacts": "x", "entries": "3"}),
    "delivery-entries-is-true": ("waiting", "delivery.json", {"run_id": "e" * 32, "artifacts": "x", "entries": True}),
    "delivery-entries-is-huge": (
        "waiting",
        "delivery.json",
        {"run_id": "e" * 32, "artifacts": "x", "entries": 10**400},
    ),
    "delivery-entries-is-negative": ("waiting", "delivery.json", {"run_id": "e" * 32, "artifacts": "x", "entries": -1}),
    "delivery-run-is-a-number": ("waiting", "delivery.json", {"run_id": 7, "artifacts": "x", "entries": 1}),
    "delivery-run-is-surrogate": ("waiting", "delivery.json", {"run_id": "\ud800", "artifacts": "x", "entries": 1}),
    "delivery-is-a-list": ("waiting", "delivery.json", [1]),
    "delivery-is-long": ("waiting", "delivery.json", {"run_id": "x" * 5_000_000, "artifacts": "x", "entries": 1}),
    "delivery-of-another-run": ("waiting", "delivery.json", {"run_id": "<first>", "artifacts": "x", "entries": 1}),
}


def _records() -> Iterator[Case]:
    for name, (run, file, record) in RECORDS.items():
        yield _case(name, partial(_recorded, run, file, json.dumps(record)), RUNS, SYNC, keeps=without(run))
    yield _case("delivery-of-sent-lost", partial(_lost_delivery, "first"), SYNC, RUNS, REPORT)


def _recorded(run: str, file: str, text: str, place: Place) -> None:
    (place.kept(run) / file).write_text(place.told(text))


def _lost_delivery(run: str, place: Place) -> None:
    (place.kept(run) / "delivery.json").unlink()


def _many() -> Iterator[Case]:
    yield _case("a-thousand-broken", partial(_broken, 1_000), RUNS)
    yield _case("a-hundred-hostile", _hundred, RUNS, SYNC)


def _broken(count: int, place: Place) -> None:
    for number in range(count):
        place.add_journal(b"\x1b]0;x\x07\n" * 3, f"{number:032x}".replace("0", "b", 1))


def _hundred(place: Place) -> None:
    rows: list[Row] = place.hostile_rows()
    for number, (field, wrong) in enumerate((field, wrong) for field in FIELDS["started"] for wrong in WRONG):
        first = rows[0] | {field: WRONG[wrong]}
        place.add_journal([first, *rows[1:]], HOSTILE_ID[:-3] + f"{number:03x}")
