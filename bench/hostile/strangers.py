"""Servers on loopback: another host, to which nobody may talk, and a tracking server that lies when it is told to."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HOST = "127.0.0.1"
_LARGEST = 4 << 20
_RUN_ID = "5e{:030x}"
_START = 1_700_000_000_000


@dataclass(frozen=True)
class Request:
    """What was sent to a server."""

    line: str
    headers: str
    body: bytes

    @property
    def all(self) -> bytes:
        """All of it, to look for secrets in."""
        return f"{self.line}\n{self.headers}\n".encode() + self.body


@dataclass(frozen=True)
class Exchange:
    """One request to a server, and the means to answer it in any way.

    A lie may name the `other` host's address, and the folder of the decoy `home`.
    """

    handler: BaseHTTPRequestHandler
    path: str
    query: Mapping[str, list[str]]
    body: bytes
    other: str
    home: str

    def send(self, body: bytes | str, status: int = 200, **headers: str) -> None:
        """Answer with a body; an underscore in a header's name is a hyphen."""
        data = body.encode() if isinstance(body, str) else body
        self.handler.send_response(status)
        named = {"Content-Type": "application/json", "Content-Length": str(len(data)), "Connection": "close"}
        for name, value in (named | {name.replace("_", "-"): value for name, value in headers.items()}).items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def json(self, answer: object, status: int = 200) -> None:
        """Answer with JSON."""
        self.send(json.dumps(answer), status)

    def raw(self, data: bytes) -> None:
        """Write bytes, whether or not they are HTTP."""
        self.handler.wfile.write(data)
        self.handler.wfile.flush()
        self.handler.close_connection = True

    @property
    def asked(self) -> dict[str, Any]:
        """What a request with a JSON body asks for."""
        with suppress(ValueError):
            asked = json.loads(self.body)
            return asked if isinstance(asked, dict) else {}
        return {}


@dataclass(frozen=True)
class Lie:
    """What a server answers at addresses that a pattern is found in; all others get the truth."""

    pattern: str
    answer: Callable[[Exchange], None]


class Server:
    """A server on a port of its own, from `with` to the end of the block; `requests` has all that it was sent."""

    def __init__(self, answer: Callable[[Exchange], None], other: str = "", home: str = "") -> None:
        self.requests: list[Request] = []
        self._http = ThreadingHTTPServer((HOST, 0), _handler(self.requests, answer, other, home))
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hung up
        self.uri = f"http://{HOST}:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.socket.close()


def _handler(
    requests: list[Request], answer: Callable[[Exchange], None], other: str, home: str
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def answer_any(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _LARGEST))
            requests.append(Request(self.requestline, str(self.headers), body))
            parts = urlsplit(self.path)
            with suppress(OSError):
                answer(Exchange(self, parts.path, parse_qs(parts.query), body, other, home))

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        setattr(Handler, f"do_{method}", Handler.answer_any)
    return Handler


def other_host() -> Server:
    """Return the server that nobody may talk to; it takes everything."""
    return Server(lambda exchange: exchange.send("{}"))


def tracking_server(lie: Lie | None, other: str, home: str) -> Server:
    """Return a tracking server that has two runs and takes more; it tells the truth but for one lie."""
    truth = Truth()

    def answer(exchange: Exchange) -> None:
        if lie and re.search(lie.pattern, exchange.path):
            lie.answer(exchange)
        else:
            truth.answer(exchange)

    return Server(answer, other, home)


def experiment() -> dict[str, Any]:
    return {
        "experiment_id": "1",
        "name": "tracker",
        "artifact_location": "mlflow-artifacts:/1",
        "lifecycle_stage": "active",
        "tags": [{"key": "tracker.metric", "value": "val_accuracy"}],
    }


def served_run(number: int, **info: Any) -> dict[str, Any]:
    """Return a run as a server tells of it, with some of its `info` replaced."""
    run_id = _RUN_ID.format(number)
    name = f"served-{number}"
    return {
        "info": {
            "run_id": run_id,
            "run_uuid": run_id,
            "run_name": name,
            "experiment_id": "1",
            "user_id": "somebody",
            "status": "FINISHED",
            "start_time": _START + number,
            "end_time": _START + number + 1_000,
            "artifact_uri": f"mlflow-artifacts:/1/{run_id}/artifacts",
            "lifecycle_stage": "active",
        }
        | info,
        "data": {
            "metrics": [
                {"key": key, "value": value, "timestamp": _START, "step": 0}
                for key, value in (("best_val_accuracy", 0.5), ("best_val_loss", 0.7), ("best_epoch", 1.0))
            ],
            "params": [{"key": "kernel_size", "value": str(number)}, {"key": "seed", "value": "0"}],
            "tags": [{"key": "mlflow.runName", "value": name}, {"key": "tracker.validation_clips", "value": "30"}],
        },
    }


def served_runs() -> list[dict[str, Any]]:
    return [served_run(1), served_run(2)]


@dataclass
class Truth:
    """As much of a tracking server as `tracker` asks for."""

    runs: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {run["info"]["run_id"]: run for run in served_runs()}
    )
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, exchange: Exchange) -> None:
        """Answer one request."""
        name = exchange.path.rpartition("/mlflow/")[2]
        with self.lock:
            answers: dict[str, Callable[[], object]] = {
                "experiments/get-by-name": lambda: {"experiment": experiment()},
                "experiments/get": lambda: {"experiment": experiment()},
                "experiments/search": lambda: {"experiments": [experiment()]},
                "experiments/create": lambda: {"experiment_id": "1"},
                "runs/search": lambda: {"runs": self._found(exchange)},
                "runs/create": lambda: {"run": self._created(exchange.asked)},
                "runs/get": lambda: {"run": self._run(exchange)},
                "runs/update": lambda: {"run_info": self._run(exchange)["info"]},
                "runs/log-batch": dict,
                "runs/log-inputs": dict,
                "runs/set-tag": dict,
                "runs/delete-tag": dict,
                "metrics/get-history-bulk": lambda: {"metrics": self._history(exchange)},
                "metrics/get-history": lambda: {"metrics": []},
            }
            if name in answers:
                exchange.json(answers[name]())
            elif exchange.path in {"/health", "/version"}:
                exchange.send("OK" if exchange.path == "/health" else "3.17.2", Content_Type="text/plain")
            elif "mlflow-artifacts" in exchange.path and exchange.handler.command != "GET":
                exchange.json({})
            else:
                exchange.json({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is none"}, 404)

    def _found(self, exchange: Exchange) -> list[dict[str, Any]]:
        wanted = re.search(r"tracker\.journal` = '(\w+)'", str(exchange.asked.get("filter", "")))
        return [run for run in self.runs.values() if not wanted or wanted[1] == run.get("journal")]

    def _created(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        run = served_run(len(self.runs) + 1, run_name=asked.get("run_name"), status="RUNNING")
        tags = {tag["key"]: tag["value"] for tag in asked.get("tags", [])}
        run["journal"] = tags.get("tracker.journal")
        self.runs[run["info"]["run_id"]] = run
        return run

    def _run(self, exchange: Exchange) -> dict[str, Any]:
        asked = (*exchange.query.get("run_id", ()), exchange.asked.get("run_id"))
        return self.runs.get(str(asked[0])) or served_run(9)

    def _history(self, exchange: Exchange) -> list[dict[str, Any]]:
        key = (exchange.query.get("metric_key") or ["?"])[0]
        return [
            {"run_id": run_id, "key": key, "value": 0.5, "timestamp": _START, "step": 0}
            for run_id in exchange.query.get("run_id", [])
        ]


def never(exchange: Exchange) -> None:
    """Say nothing until the client gives up."""
    with suppress(OSError):
        exchange.handler.connection.settimeout(60)
        exchange.handler.connection.recv(1)
    exchange.handler.close_connection = True


def hang_up(exchange: Exchange) -> None:
    """Close the connection without an answer."""
    exchange.handler.connection.shutdown(socket.SHUT_RDWR)
    exchange.handler.close_connection = True
