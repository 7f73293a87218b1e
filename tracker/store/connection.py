"""Requests to a tracking server, and what it answers: nothing of that is believed.

MLflow's own client follows redirects with the login, and reads answers that never end. Here login, certificates,
proxies and retries are MLflow's (`http_request`), and all else is checked: no redirect is followed, an answer has a
largest size and a time in which it must be whole, and what it says is converted into a type. Whatever is wrong is a
`ServerError` of one line.
"""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urljoin

import msgspec

from tracker.store.location import public_text, public_uri, secrets_of
from tracker.store.mlflow_client import (
    MLFLOW_HTTP_REQUEST_TIMEOUT,
    MlflowException,
    get_default_host_creds,
    http_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracker.store.location import Location

LONGEST_ANSWER = 64 << 20  # bytes of JSON: 1,000 runs with 100 params, 100 metrics and a long note each take 30 MB
MOST_PAGES = 1_000
SLOWEST = 100_000  # bytes a second below which a long answer is given up
OK, BAD_REQUEST, NOT_FOUND = 200, 400, 404
_LOGIN_FAILED = {401, 403}
_FRUITLESS_PAGES = 10  # in a row that bring nothing new
_LONGEST_MESSAGE = 300  # characters of what a server says of an error
ONCE: dict[str, Any] = {"max_retries": 1, "retry_codes": ()}  # but if the connection was closed since the last time
_CHUNK = 16_384  # a compressed one may unpack to a thousand times that


class ServerError(MlflowException):  # type: ignore[misc]
    """A server that refuses, or doesn't answer as a tracking server does."""

    def __init__(self, message: str, status: int = 500, code: str = "INTERNAL_ERROR") -> None:
        super().__init__(message)
        self.error_code, self._status = code, status

    def get_http_status_code(self) -> int:
        """Return the status of the answer; 500 if that was fine and its content wasn't."""
        return self._status


class TooLongError(ServerError):
    """A server whose answer has no end, or might as well have none."""


class NotServedError(ServerError):
    """An address that a server, or a proxy before it, answers with a page or a redirect rather than with data."""


T = TypeVar("T")


class _Paged(Protocol):
    next_page_token: str | None


Page = TypeVar("Page", bound=_Paged)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of a server, whole."""

    status: int
    kind: str  # its content type
    content: bytes
    target: str = ""  # where a redirect leads


class Connection:
    """Asks a tracking server.

    Every method raises `ServerError`, or `OSError` and MLflow's own errors if the server is away.
    """

    def __init__(self, location: Location) -> None:
        self.location = location

    def ask(
        self,
        method: str,
        endpoint: str,
        *,
        longest: int = LONGEST_ANSWER,
        within_s: float | None = None,
        **options: Any,
    ) -> Answer:
        """Ask the server, and return its answer, whatever its status; `options` are those of MLflow's `http_request`.

        The answer must be whole within `within_s` seconds, by default MLFLOW_HTTP_REQUEST_TIMEOUT, and longer only as
        it brings `SLOWEST` bytes a second.
        """
        patience = patience_s() if within_s is None else within_s
        received = [0]

        def work() -> Answer:
            usual: dict[str, Any] = {"stream": True, "allow_redirects": False, "raise_on_status": False}
            usual |= {"respect_retry_after_header": False, "timeout": patience}
            host = get_default_host_creds(self.location.uri)
            with http_request(host, endpoint, method, **usual | options) as response:
                content = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    content += chunk
                    received[0] = len(content)
                    if len(content) > longest:
                        raise TooLongError(f"the answer to {endpoint} is longer than {longest:,} bytes")
                kind, target = (response.headers.get(name, "") for name in ("Content-Type", "Location"))
                return Answer(response.status_code, kind, bytes(content), target)

        answer = _in_time(work, lambda: patience + received[0] / SLOWEST, endpoint)
        if 300 <= answer.status < 400:
            raise self._redirected(endpoint, answer)
        return answer

    def call(self, method: str, endpoint: str, kind: type[T], *, options: Any = None, **query: Any) -> T:
        """Call the interface, and return what it answers as the type that it must be of; `options` as of `ask`."""
        given = {key: value for key, value in query.items() if value is not None}
        sent: dict[str, Any] = {"params" if method == "GET" else "json": given, **(options or {})}
        answer = self.ask(method, endpoint, **sent)
        if answer.status != OK:
            raise self.refusal(endpoint, answer)
        return self._decoded(endpoint, answer, kind)

    def _decoded(self, endpoint: str, answer: Answer, kind: type[T]) -> T:
        content = answer.content or b"{}"
        with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):  # a tenth of the time of what comes next
            return msgspec.json.decode(content, type=kind, strict=False)
        try:  # by the standard library, for MLflow writes NaN as no JSON has it
            return msgspec.convert(json.loads(content), kind, strict=False)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            is_page = _is_html(answer)
            what = "an HTML page" if is_page else f"something else ({self.shown(str(error))})"
            raise (NotServedError if is_page else ServerError)(
                f"{endpoint} was answered with {what}: check that {self.location.shown} is a tracking server"
            ) from error

    def refusal(self, endpoint: str, answer: Answer) -> ServerError:
        """Return an answer of another status than 200 as an error, with what the server says of it in one line."""
        code, said = "", ""
        try:
            row = json.loads(answer.content)
            code, said = row["error_code"], row["message"]
        except (ValueError, RecursionError, TypeError, KeyError):
            said = "" if _is_html(answer) else answer.content[:10_000].decode("utf-8", "replace")
        shown = self.shown(said) if isinstance(said, str) else ""
        reason = f": {shown}" if shown else ""
        if answer.status in _LOGIN_FAILED:
            what = f"the server refused access ({answer.status}){reason}; check MLFLOW_TRACKING_USERNAME and "
            reason, what = "", f"{what}MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        else:
            what = f"{endpoint} was answered with status {answer.status}"
        if answer.status == NOT_FOUND and not code:
            reason += (
                f"; check that {self.location.shown} is a tracking server: its address may need a path, such as "
                f"{self.location.shown}/mlflow"
            )
        known = code if isinstance(code, str) and code.isidentifier() else "INTERNAL_ERROR"
        return ServerError(what + reason, answer.status, known)

    def shown(self, said: str) -> str:
        """Return what a server says as a part of a line: no credentials, nothing that looks like a command of ours."""
        host = get_default_host_creds(self.location.uri)
        sent = {each for each in (host.username, host.password, host.token) if each}
        text = public_text(said[:10_000], secrets_of(os.environ, self.location.uri) | sent)
        line = "".join(sign if sign.isprintable() else " " for sign in text.replace("`", "'"))
        line = " ".join(line.split())
        return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]} …"

    def _redirected(self, endpoint: str, answer: Answer) -> ServerError:
        target = self.shown(public_uri(urljoin(self.location.public + "/", answer.target))) or "nowhere"
        return NotServedError(
            f"{endpoint} was answered with a redirect to {target}, which isn't followed: if that is the tracking "
            "server, give its address as --tracking-uri"
        )

    def pages(self, ask: Callable[[str | None], Page], new_in: Callable[[Page], int]) -> Iterator[Page]:
        """Ask for page after page; `new_in` returns how much a page brings that none before it had."""
        tokens: set[str | None] = set()
        token, fruitless = None, 0
        while token not in tokens:
            if len(tokens) == MOST_PAGES or fruitless == _FRUITLESS_PAGES:
                raise ServerError(f"the answer has no end: {len(tokens):,} pages, and a token for another")
            tokens.add(token)
            page = ask(token)
            fruitless = 0 if new_in(page) else fruitless + 1
            yield page
            token = page.next_page_token or None
            if token is None:
                return
        raise ServerError("the answer has no end: the server repeats a page's token")


def patience_s() -> float:
    """Return how many seconds an answer may take."""
    try:
        return float(MLFLOW_HTTP_REQUEST_TIMEOUT.get())
    except (TypeError, ValueError) as error:
        raise ServerError(f"{MLFLOW_HTTP_REQUEST_TIMEOUT.name} must be a number of seconds: {error}") from error


def _in_time(work: Callable[[], Answer], patience_s: Callable[[], float], endpoint: str) -> Answer:
    """Return what a call returns, unless it takes longer: no timeout of a socket ends one that drips."""
    outcome: Future[Answer] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  (it is raised by who waits)
            outcome.set_exception(error)

    began = time.monotonic()
    threading.Thread(target=run, name="request", daemon=True).start()
    while not outcome.done():
        left = patience_s() - (time.monotonic() - began)
        if left <= 0:
            raise TimeoutError(f"{endpoint} was not answered within {patience_s():.0f} s")
        try:
            return outcome.result(left)
        except TimeoutError:
            continue  # unless more was received meanwhile; the call's own is raised below
    return outcome.result()


def _is_html(answer: Answer) -> bool:
    return "html" in answer.kind.lower() or answer.content.lstrip()[:1] == b"<"
