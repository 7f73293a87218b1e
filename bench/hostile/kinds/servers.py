"""Tracking servers that lie, repeat themselves, never end, or send the client elsewhere."""

from __future__ import annotations

import base64
import gzip
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.hostile.case import RUNS, Case, without
from bench.hostile.strangers import Exchange, Lie, experiment, hang_up, never, served_run, served_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from bench.hostile.place import Place

    Answer = Callable[[Exchange], None]

TO_SERVER = ("--tracking-uri", "<server>")
LOOK, PAGE, SEND = ("runs", *TO_SERVER), ("report", "--format", "json", *TO_SERVER), ("sync", *TO_SERVER)
MEND, NEXT = ("repair", *TO_SERVER), ("next", *TO_SERVER)
ALL, SEARCH, HISTORY, ARTIFACT, HEALTH = (
    "",
    "runs/search",
    "get-history-bulk",
    "get-artifact|mlflow-artifacts",
    "health",
)
WRITE, CREATE, FIND = "log-batch", "runs/create", "experiments/get-by-name"

SHORT = {"html", "echoes-login", "page-token-repeats", "redirects-301", "artifact-uri-is-home", "search-is-a-list",
         "not-json", "token-echoed"}  # fmt: skip


def servers(_rng: Random) -> Iterator[Case]:
    yield _case("tells-the-truth", None, LOOK, SEND, serves=True, succeeds=True)
    for name, answer in ANSWERS.items():
        yield _case(name, Lie(f"(?!.*{HEALTH})^.*", answer), LOOK, *((SEND,) if name in SENT else ()))
    for name, (pattern, wrong) in WRONG.items():
        commands = {WRITE: (SEND,), CREATE: (SEND,), FIND: (LOOK, SEND)}.get(pattern, (LOOK,))
        yield _case(name, Lie(pattern, _saying(wrong)), *commands)
    for status in (301, 302, 303, 307, 308):
        lie = Lie(f"(?!.*{HEALTH})^.*", partial(_redirect, status))
        yield _case(f"redirects-{status}", lie, LOOK if status < 307 else SEND)
    yield _case("redirects-from-the-first", Lie(HEALTH, partial(_redirect, 302)), LOOK)
    yield _case("redirects-artifacts", Lie(ARTIFACT, partial(_redirect, 302)), PAGE)
    yield _case("redirects-to-a-file", Lie(SEARCH, _redirect_to_a_file), LOOK)
    yield _case("redirects-for-ever", Lie(SEARCH, _redirect_to_itself), LOOK)
    yield _case(
        "page-token-repeats", Lie(SEARCH, lambda exchange: exchange.json({"runs": [], "next_page_token": "x"})), LOOK
    )
    yield _case("page-token-never-ends", Lie(SEARCH, _next_page), LOOK)
    yield _case("experiments-never-end", Lie("experiments/(search|get-by-name)", _next_experiments), LOOK)
    yield from _artifacts()
    yield from _credentials()
    yield _case("trains-for-html", Lie(f"(?!.*{HEALTH})^.*", ANSWERS["html"]), _run(), RUNS)
    yield _case("trains-for-wrong-json", Lie(CREATE, _saying({"run": {"info": {"run_id": {}}}})), _run(), RUNS)
    yield _case("trains-for-silence", Lie(WRITE, ANSWERS["hangs-up"]), _run(), RUNS)


def _case(name: str, lie: Lie | None, *commands: tuple[str, ...], **rest: Any) -> Case:
    usual = {"prepare": _waiting_for_server, "keeps": without("waiting"), "short": name in SHORT}
    return Case(f"servers/{name}", commands, lie=lie, **usual | rest)  # type: ignore[arg-type]


def _waiting_for_server(place: Place) -> None:
    """Add a run that is to be sent to the server."""
    place.add_journal(place.hostile_rows(uri=place.server, name="for-the-server"))


def _run() -> tuple[str, ...]:
    return ("run", "--data", "data", "--epochs", "1", "--segment", "0.5", "--width", "2", *TO_SERVER)


# ---- answers to everything ----


def _saying(wrong: object) -> Answer:
    return lambda exchange: exchange.json(wrong)


def _text(body: str | bytes, status: int = 200, **headers: str) -> Answer:
    return lambda exchange: exchange.send(body, status, **headers)


def _error(message: str, status: int = 400, code: str = "INVALID_PARAMETER_VALUE") -> Answer:
    return lambda exchange: exchange.json({"error_code": code, "message": message}, status)


def _echo_login(exchange: Exchange) -> None:
    """Repeat the login in the error, as it was sent and in plain text."""
    sent = exchange.handler.headers.get("Authorization") or ""
    with_login = base64.b64decode(sent.partition(" ")[2] + "==") if sent.startswith("Basic") else b""
    exchange.send(f"not allowed: {sent} {with_login.decode('latin-1')}\n{exchange.handler.headers}", 401)


def _echo_login_as_json(exchange: Exchange) -> None:
    sent = exchange.handler.headers.get("Authorization") or ""
    plain = base64.b64decode(sent.partition(" ")[2] + "==").decode("latin-1") if sent.startswith("Basic") else ""
    exchange.json({"error_code": "PERMISSION_DENIED", "message": f"no: {sent} ({plain})"}, 403)


def _endless(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    for _ in range(100_000):
        exchange.raw(b'"x",' * 16_384)


def _drip(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(60):
        exchange.raw(b" ")
        time.sleep(1)


def _drip_headers(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\n")
    for number in range(60):
        exchange.raw(b"X-%d: y\r\n" % number)
        time.sleep(1)


def _gzip_bomb(exchange: Exchange) -> None:
    parts = gzip.compress(b"[") + gzip.compress(b" " * (1 << 20)) * (1 << 10)  # made at once, as the command waits
    exchange.send(parts, Content_Encoding="gzip")


ANSWERS: dict[str, Answer] = {
    "not-json": _text("exploded"),
    "empty": _text(""),
    "html": _text("<!DOCTYPE html><html><body>Log in</body></html>" + "<p>x</p>" * 2_000, Content_Type="text/html"),
    "html-500": _text("<html>" + "x" * 100_000 + "</html>", 500, Content_Type="text/html"),
    "html-404": _text("<html>\x1b[31mnothing\u202e</html>", 404, Content_Type="text/html"),
    "status-502": _text("bad gateway", 502),
    "status-429": _text("slow down", 429, Retry_After="3600"),
    "status-204": _text("", 204),
    "status-999": _text("{}", 999),
    "list": _text("[]"),
    "null": _text("null"),
    "number": _text("7"),
    "text": _text('"x"'),
    "empty-mapping": _text("{}"),
    "deep": _text("[" * 100_000 + "]" * 100_000),
    "huge-number": _text('{"experiment": ' + "9" * 10_000 + "}"),
    "not-a-number": _text('{"experiment": NaN}'),
    "utf-16": _text(json.dumps({"experiment": experiment()}).encode("utf-16")),
    "not-text": _text(bytes(range(128, 256))),
    "broken-gzip": _text(b"\x1f\x8bexploded", Content_Encoding="gzip"),
    "gzip-bomb": _gzip_bomb,
    "length-lies": lambda exchange: exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{}"),
    "length-is-no-number": lambda exchange: exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}"),
    "headers-never-end": lambda exchange: exchange.raw(b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 100_000),
    "not-http": lambda exchange: exchange.raw(b"\x15\x03\x01\x00\x02\x02\x28" * 10),
    "hangs-up": hang_up,
    "silent": never,
    "endless": _endless,
    "drips": _drip,
    "drips-headers": _drip_headers,
    "echoes-login": _echo_login,
    "echoes-login-as-json": _echo_login_as_json,
    "error-escapes": _error("\x1b]0;x\x07 \u202e\nsecond line\n[/x]"),
    "error-is-long": _error("x" * 2_000_000),
    "error-is-a-list": lambda exchange: exchange.json({"error_code": ["x"], "message": {"a": 1}}, 400),
    "error-is-unknown": _error("no", 400, "EXPLODED"),
    "error-suggests": _error("run `tracker resume $(touch INJECTED)` now"),
    "error-500": _error("internal", 500, "INTERNAL_ERROR"),
}
SENT = {"not-json", "html", "html-500", "list", "empty-mapping", "hangs-up", "echoes-login", "error-escapes", "endless"}
"""Those to which a run is sent, too."""


# ---- wrong answers in one place ----


def _run_with(**info: Any) -> dict[str, Any]:
    return {"runs": [served_run(1, **info), served_run(2)]}


def _data_with(**data: Any) -> dict[str, Any]:
    first, second = served_runs()
    return {"runs": [first | {"data": first["data"] | data}, second]}


def _history(**row: Any) -> dict[str, Any]:
    usual = {"run_id": served_run(1)["info"]["run_id"], "key": "val_loss", "value": 0.5, "timestamp": 1, "step": 1}
    return {"metrics": [usual | row]}


WRONG: dict[str, tuple[str, object]] = {
    "search-is-a-list": (SEARCH, []),
    "search-is-null": (SEARCH, {"runs": None}),
    "search-has-a-number": (SEARCH, {"runs": [7]}),
    "search-has-no-info": (SEARCH, {"runs": [{}]}),
    "search-has-strangers": (SEARCH, {"runs": [{"info": {"run_id": "x", "evil": 1}, "data": {"evil": []}}]}),
    "run-id-is-a-path": (SEARCH, _run_with(run_id="../../home/.ssh", run_uuid="../../home/.ssh")),
    "run-id-escapes": (SEARCH, _run_with(run_id="\x1b]0;x\x07\u202e")),
    "run-id-is-a-command": (SEARCH, _run_with(run_id="$(touch INJECTED)", status="RUNNING")),
    "run-id-is-missing": (SEARCH, _run_with(run_id=None)),
    "run-name-escapes": (SEARCH, _run_with(run_name="\x1b]0;x\x07\u202e[/x]")),
    "run-name-is-a-list": (SEARCH, _run_with(run_name=["x"])),
    "run-status-is-a-number": (SEARCH, _run_with(status=77)),
    "run-status-is-unknown": (SEARCH, _run_with(status="EXPLODED")),
    "run-start-is-huge": (SEARCH, _run_with(start_time=10**18)),
    "run-start-is-a-text": (SEARCH, _run_with(start_time="yesterday")),
    "param-is-a-list": (SEARCH, _data_with(params=[{"key": "seed", "value": [1]}])),
    "param-has-no-key": (SEARCH, _data_with(params=[{"value": "1"}])),
    "param-is-no-number": (SEARCH, _data_with(params=[{"key": "epochs", "value": "off"}])),
    "metric-is-a-text": (SEARCH, _data_with(metrics=[{"key": "val_loss", "value": "low", "timestamp": 1, "step": 1}])),
    "metric-step-is-huge": (SEARCH, _data_with(metrics=[{"key": "v", "value": 1, "timestamp": 1, "step": 10**30}])),
    "tags-are-a-number": (SEARCH, _data_with(tags=7)),
    "tag-is-deep": (SEARCH, _data_with(tags=[{"key": "tracker.classes", "value": "[" * 50_000}])),
    "experiment-is-a-list": (FIND, {"experiment": []}),
    "experiment-is-null": (FIND, {"experiment": None}),
    "experiment-id-is-a-path": (FIND, {"experiment": experiment() | {"experiment_id": "../../x"}}),
    "experiment-tags-are-odd": (FIND, {"experiment": experiment() | {"tags": [{"key": 1}]}}),
    "history-is-a-list": (HISTORY, []),
    "history-is-missing": (HISTORY, {}),
    "history-of-a-text": (HISTORY, _history(value="low")),
    "history-of-null": (HISTORY, _history(value=None)),
    "history-of-no-run": (HISTORY, _history(run_id="nobody")),
    "history-step-is-a-text": (HISTORY, _history(step="x")),
    "history-step-is-huge": (HISTORY, _history(step=10**30)),
    "history-lacks-fields": (HISTORY, {"metrics": [{}]}),
    "created-is-empty": (CREATE, {}),
    "created-id-is-a-path": (CREATE, {"run": served_run(3, run_id="../../x")}),
    "batch-is-a-text": (WRITE, "x"),
}


# ---- elsewhere ----


def _redirect(status: int, exchange: Exchange) -> None:
    exchange.send("", status, Location=f"{exchange.other}{exchange.path}")


def _redirect_to_a_file(exchange: Exchange) -> None:
    exchange.send("", 302, Location="file:///etc/hostname")


def _redirect_to_itself(exchange: Exchange) -> None:
    exchange.send("", 307, Location=exchange.path)


_pages = iter(range(1 << 62))


def _next_page(exchange: Exchange) -> None:
    exchange.json({"runs": [], "next_page_token": f"page{next(_pages)}"})


def _next_experiments(exchange: Exchange) -> None:
    if "get-by-name" in exchange.path:
        exchange.json({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is none"}, 404)
    else:
        exchange.json({"experiments": [experiment()], "next_page_token": f"page{next(_pages)}"})


# ---- artifacts ----


def _artifacts() -> Iterator[Case]:
    contents: dict[str, Answer] = {
        "endless": _endless,
        "html": ANSWERS["html"],
        "drips": _drip,
        "gzip-bomb": _gzip_bomb,
        "status-500": _text("x", 500),
        "hangs-up": hang_up,
    }
    for name, answer in contents.items():
        yield _case(f"artifact-{name}", Lie(ARTIFACT, answer), PAGE)
    places = {
        "home": "file://<home>/.ssh",
        "other-host": "<other>/x",
        "bracket": "http://[",
        "bucket": "s3://bucket/x",
        "database": "sqlite:///x",
    }
    for name, uri in places.items():
        yield _case(f"artifact-uri-is-{name}", Lie(f"{SEARCH}|{CREATE}|runs/get", partial(_with_uri, uri)), SEND, PAGE)


def _with_uri(uri: str, exchange: Exchange) -> None:
    """Tell of runs whose artifacts are elsewhere; the one that is being sent among them."""
    told = uri.replace("<other>", exchange.other).replace("<home>", exchange.home)
    run = served_run(1, artifact_uri=told, lifecycle_stage="active")
    exchange.json({"runs": [run]} if "search" in exchange.path else {"run": run})


# ---- what the user gives ----

GIVEN = {
    "login": "http://somebody:canaryinuri6c20e8@127.0.0.1:1",
    "login-without-name": "http://:canaryinuri6c20e8@127.0.0.1:1",
    "token": "http://127.0.0.1:1/?token=canaryinuri6c20e8",
    "password": "http://127.0.0.1:1/x?password=canaryinuri6c20e8&y=1",
    "key": "http://127.0.0.1:1/x?api_key=canaryinuri6c20e8",
    "fragment": "http://127.0.0.1:1/x#access_token=canaryinuri6c20e8",
    "one-slash": "http:/somebody:canaryinuri6c20e8@127.0.0.1:1",
    "sqlite": "sqlite://somebody:canaryinuri6c20e8@h/x",
    "postgres": "postgresql://somebody:canaryinuri6c20e8@h/x",
    "bare": "somebody:canaryinuri6c20e8@h",
    "bracket": "http://somebody:canaryinuri6c20e8@[",
    "port": "http://somebody:canaryinuri6c20e8@127.0.0.1:x",
    "spaces": " http://somebody:canaryinuri6c20e8@127.0.0.1:1 ",
    "file": "file://somebody:canaryinuri6c20e8@h/x",
}


def _credentials() -> Iterator[Case]:
    for name, uri in GIVEN.items():
        rest: dict[str, Any] = {"prepare": lambda _place: None, "keeps": ()}
        yield _case(
            f"login-given-{name}", None, ("runs", "--tracking-uri", uri), ("next", "--tracking-uri", uri), **rest
        )
        if name in {"login", "token", "sqlite", "one-slash"}:
            variables = {"MLFLOW_TRACKING_URI": uri}
            yield _case(f"login-in-environment-{name}", None, ("runs",), ("sync",), environment=variables, **rest)
    served = "http://somebody:canaryinuri6c20e8@<bare>"
    for command in ("runs", "next", "sync"):
        yield _case(f"login-works-{command}", None, (command, "--tracking-uri", served), serves=True)
    yield _case("login-trains", None, (*_run()[:-1], served), serves=True)
    yield _case("token-echoed", Lie("", _echo_login), LOOK, environment={"MLFLOW_TRACKING_USERNAME": None})
    yield _case(
        "other-commands-stay-here", None, ("runs",), ("report", "--format", "summary"), NEXT[:1], ("sync",), serves=True
    )
