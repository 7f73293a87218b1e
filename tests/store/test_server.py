"""A server that lies costs one line: no redirect is followed, no answer is awaited for ever, no place is believed."""

from __future__ import annotations

import gzip
import json
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from mlflow import MlflowClient

from tests.builders import STARTED, epochs, send_run
from tracker.errors import StoreError
from tracker.runs.events import Attached, Ended
from tracker.store import UnreachableError
from tracker.store.client import client_of
from tracker.store.connection import ServerError
from tracker.store.location import Location, locate
from tracker.store.mlflow_store import HOST
from tracker.store.reader import read_experiment
from tracker.store.server import server_client
from tracker.store.upload import JournalUpload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.running import Served

    Answer = Callable[[BaseHTTPRequestHandler], None]

RUN = "5e" * 16
EXPERIMENT = {"experiment": {"experiment_id": "1", "name": "tracker", "tags": []}}
VALUE = {"run_id": RUN, "value": 0.5, "timestamp": 1, "step": 1}
FILES = ("predictions/validation.csv", "predictions/validation_by_epoch.npz")


class Liar:
    """A tracking server that has one experiment and one run, and tells the truth but at some addresses."""

    def __init__(self) -> None:
        self.lies: dict[str, Answer] = {}
        self.requests: list[tuple[str, str, Any]] = []  # method, path and headers of each
        self.body: dict[str, Any] = {}  # of the latest request that had one
        self.data: dict[str, Any] = {"metrics": [{"key": "loss", "value": 0.5}]}
        self.files = FILES[:0]
        self.info = {"run_id": RUN, "run_name": "a run", "status": "FINISHED", "artifact_uri": "mlflow-artifacts:/1"}

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        sent = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if handler.headers.get("Content-Type") == "application/json":
            self.body = json.loads(sent)
        self.requests.append((handler.command, handler.path, handler.headers))
        lie = next((lie for part, lie in self.lies.items() if part in handler.path), None)
        if lie:
            lie(handler)
            return
        run = {"info": self.info, "data": self.data}
        truth: dict[str, object] = {
            "experiments/get-by-name": EXPERIMENT,
            "runs/search": {"runs": [run]},
            "runs/get": {"run": run},
            "artifacts/list": {"files": [{"path": path} for path in self.files]},
            "mlflow-artifacts/artifacts?": {"files": [{"path": path.rpartition("/")[2]} for path in self.files]},
            "get-history-bulk": {"metrics": [VALUE]},
        }
        said = next((row for part, row in truth.items() if part in handler.path), {})
        is_file = handler.command == "GET" and ("get-artifact" in handler.path or "/artifacts/1/" in handler.path)
        send(handler, json.dumps(said), 404 if is_file else 200)


def send(handler: BaseHTTPRequestHandler, body: str | bytes, status: int = 200, **headers: str) -> None:
    data = body.encode() if isinstance(body, str) else body
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(data)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


def says(row: object, status: int = 200) -> Answer:
    return lambda handler: send(handler, json.dumps(row), status)


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            answer(self)

        def log_message(self, *_args: object) -> None:
            pass

    for method in ("GET", "POST", "PUT"):
        setattr(Handler, f"do_{method}", Handler.answer)
    with ThreadingHTTPServer((HOST, 0), Handler) as http:
        http.daemon_threads = True
        http.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hung up
        threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://{HOST}:{http.server_port}"
        http.shutdown()


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Liar, Location]]:
    """A liar, and where it is; it is waited for 2 s and asked once."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    liar = Liar()
    with serving(liar.answer) as uri:
        yield liar, Location(uri, None, "")


def refused(location: Location) -> str:
    """Read an experiment, and return why that can't be done: one line without control characters."""
    with pytest.raises(StoreError) as error:
        read_experiment(location, "tracker")
    said = str(error.value)
    assert said.isprintable()
    assert len(said) < 1_000
    assert said.startswith(f"cannot read from {location.shown}: ")
    return said


def drip(handler: BaseHTTPRequestHandler, start: bytes = b"") -> None:
    handler.wfile.write(start)
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n[")
    for _ in range(100_000):
        handler.wfile.write(b'"x",' * 16_384)


class TestWrongAnswers:
    def test_what_tells_the_truth_is_read(self, liar: tuple[Liar, Location]) -> None:
        (run,) = read_experiment(liar[1], "tracker").runs
        assert (run.run_id, run.name, run.curves["loss"].values.tolist()) == (RUN, "a run", [0.5])

    @pytest.mark.parametrize(
        ("at", "row"),
        [
            ("get-by-name", []),
            ("get-by-name", None),
            ("get-by-name", {}),
            ("get-by-name", {"experiment": {"experiment_id": "../x", "name": "tracker"}}),
            ("get-by-name", {"experiment": {**EXPERIMENT["experiment"], "tags": [{"key": 1}]}}),
            ("runs/search", []),
            ("runs/search", {"runs": 7}),
            ("runs/search", {"runs": [{}]}),
            ("runs/search", {"runs": [{"info": {"run_id": "../../home"}}]}),
            ("runs/search", {"runs": [{"info": {"run_id": "$(touch x)"}}]}),
            ("runs/search", {"runs": [{"info": {"run_id": "x\n"}}]}),
            ("runs/search", {"runs": [{"info": {"run_id": RUN, "run_name": ["x"]}}]}),
            ("runs/search", {"runs": [{"info": {"run_id": RUN, "start_time": "yesterday"}}]}),
            ("runs/search", {"runs": [{"info": {"run_id": RUN}, "data": {"metrics": [{"key": "x", "value": "low"}]}}]}),
            ("runs/search", {"runs": [{"info": {"run_id": RUN}, "data": {"params": [{"key": "x", "value": [1]}]}}]}),
            ("get-history-bulk", []),
            ("get-history-bulk", {}),
            ("get-history-bulk", {"metrics": [{"run_id": RUN, "value": None}]}),
            ("get-history-bulk", {"metrics": [{"run_id": RUN, "value": 1, "step": 10**30}]}),
            ("get-history-bulk", {"metrics": [{"run_id": "nobody", "value": 1}]}),
        ],
    )
    def test_an_answer_of_wrong_types_is_one_line(self, liar: tuple[Liar, Location], at: str, row: object) -> None:
        liar[0].lies[at] = says(row)
        assert at in refused(liar[1]) or "nobody" in refused(liar[1])

    @pytest.mark.parametrize(
        "body",
        [
            b"exploded",
            b"<html>" + b"x" * 100_000,
            b"[" * 100_000,
            b"9" * 10_000,
            b"\x1f\x8b",
            bytes(range(256)),
            b"NaN",
        ],
        ids=["text", "page", "deep", "huge number", "cut", "bytes", "NaN"],
    )
    def test_an_answer_that_is_no_json_is_one_line(self, liar: tuple[Liar, Location], body: bytes) -> None:
        liar[0].lies["get-by-name"] = partial(send, body=body)
        assert f"check that {liar[1].shown} is a tracking server" in refused(liar[1])

    @pytest.mark.parametrize(
        "row",
        [
            {"error_code": ["x"], "message": {"a": 1}},
            {"error_code": "EXPLODED", "message": "\x1b]0;x\x07\u202e\nno"},
            {"error_code": "INVALID_PARAMETER_VALUE", "message": "x" * 1_000_000},
            [],
        ],
    )
    def test_an_error_is_one_line_of_what_the_server_says(self, liar: tuple[Liar, Location], row: object) -> None:
        liar[0].lies["get-by-name"] = says(row, 400)
        assert "status 400" in refused(liar[1])

    def test_an_error_suggests_no_command(self, liar: tuple[Liar, Location]) -> None:
        row = {"error_code": "INTERNAL_ERROR", "message": "run `tracker resume $(touch x)` now"}
        liar[0].lies["get-by-name"] = says(row, 500)
        assert "`tracker" not in refused(liar[1])

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_login_that_is_refused_and_echoed_is_said_without_it(
        self, liar: tuple[Liar, Location], monkeypatch: pytest.MonkeyPatch, status: int
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "somebody")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "pass-w0rd")

        def echo(handler: BaseHTTPRequestHandler) -> None:
            login = handler.headers["Authorization"]
            send(handler, f"no: {login.split()[1]} somebody:pass-w0rd\n{handler.headers}", status)

        liar[0].lies["get-by-name"] = echo
        said = refused(liar[1])
        login = liar[0].requests[-1][2]["Authorization"].split()[1]
        assert not [secret for secret in ("pass-w0rd", login) if secret in said]
        assert "check MLFLOW_TRACKING_USERNAME" in said


class TestEndlessAnswers:
    @pytest.mark.parametrize(
        "answer",
        [
            lambda _handler: time.sleep(5),
            partial(drip, start=b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
            partial(drip, start=b"HTTP/1.1 200 OK\r\nX-Y: "),
        ],
    )
    def test_an_answer_that_does_not_come_in_time_is_given_up(
        self, liar: tuple[Liar, Location], answer: Answer
    ) -> None:
        liar[0].lies["get-by-name"] = answer
        assert "get-by-name was not answered within 2 s" in refused(liar[1])

    @pytest.mark.parametrize(
        "answer",
        [endless, lambda handler: send(handler, gzip.compress(b" " * (1 << 27), 1), Content_Encoding="gzip")],
    )
    def test_an_answer_without_end_is_given_up(
        self, liar: tuple[Liar, Location], monkeypatch: pytest.MonkeyPatch, answer: Answer
    ) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
        liar[0].lies["get-by-name"] = answer
        assert "is longer than 67,108,864 bytes" in refused(liar[1])

    def test_a_page_token_that_repeats_is_given_up(self, liar: tuple[Liar, Location]) -> None:
        liar[0].lies["runs/search"] = says({"runs": [], "next_page_token": "again"})
        assert "the server repeats a page's token" in refused(liar[1])

    @pytest.mark.parametrize("at", ["runs/search", "experiments/search"])
    def test_pages_that_bring_nothing_new_are_given_up(self, liar: tuple[Liar, Location], at: str) -> None:
        numbers = iter(range(1_000_000))
        same = {"runs": [{"info": {"run_id": RUN}}], "experiments": [EXPERIMENT["experiment"]]}

        def next_page(handler: BaseHTTPRequestHandler) -> None:
            send(handler, json.dumps({**same, "next_page_token": str(next(numbers))}))

        liar[0].lies[at] = next_page
        if at == "experiments/search":
            liar[0].lies["get-by-name"] = says({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}, 404)
        assert "the answer has no end" in refused(liar[1])

    def test_no_more_artifacts_are_asked_for_after_one_that_did_not_come_in_time(
        self, liar: tuple[Liar, Location]
    ) -> None:
        liar[0].files = FILES
        liar[0].info["artifact_uri"] = "s3://bucket/1"
        liar[0].lies["get-artifact"] = partial(drip, start=b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        experiment = read_experiment(liar[1], "tracker")
        assert [run.run_id for run in experiment.runs] == [RUN]
        assert [one.path for one in experiment.unreadable] == [*FILES]
        assert len([path for _, path, _ in liar[0].requests if "get-artifact" in path]) == 1


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("at", ["health", "get-by-name"])
    def test_no_redirect_is_followed_and_its_target_is_named(
        self, liar: tuple[Liar, Location], monkeypatch: pytest.MonkeyPatch, status: int, at: str
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
        other = Liar()
        with serving(other.answer) as uri:
            login = uri.replace("//", "//me:s3cret@")
            liar[0].lies[at] = lambda handler: send(handler, "", status, Location=f"{login}/x?token=y")
            with pytest.raises(StoreError) as error:
                read_experiment(liar[1], "tracker")
        assert f"a redirect to {uri}/x, which isn't followed" in str(error.value)
        assert other.requests == []

    def test_a_page_in_the_place_of_an_artifact_costs_that_alone(self, liar: tuple[Liar, Location]) -> None:
        liar[0].files = FILES
        for place in ("get-artifact", "mlflow-artifacts"):
            liar[0].lies[place] = lambda handler: send(handler, "<html>Log in", Content_Type="text/html")
        experiment = read_experiment(liar[1], "tracker")
        assert [run.run_id for run in experiment.runs] == [RUN]
        assert ["an HTML page instead of" in one.reason for one in experiment.unreadable] == [True, True]

    def test_a_redirect_costs_an_artifact_alone(self, liar: tuple[Liar, Location]) -> None:
        liar[0].files = FILES
        for place in ("get-artifact", "mlflow-artifacts"):
            liar[0].lies[place] = lambda handler: send(handler, "", 302, Location="http://192.0.2.1/x")
        experiment = read_experiment(liar[1], "tracker")
        assert [run.run_id for run in experiment.runs] == [RUN]
        assert ["http://192.0.2.1/x" in one.reason for one in experiment.unreadable] == [True, True]


class TestOtherServers:
    """What older servers, other stores of artifacts and proxies do otherwise than MLflow 3.17 on its own disk."""

    def test_an_artifact_that_is_not_listed_is_not_asked_for(self, liar: tuple[Liar, Location]) -> None:
        liar[0].lies["get-artifact"] = says({"error_code": "INTERNAL_ERROR", "message": "No such artifact"}, 500)
        experiment = read_experiment(liar[1], "tracker")
        assert experiment.unreadable == ()
        assert not [path for _, path, _ in liar[0].requests if "get-artifact" in path]

    def test_an_artifact_of_our_own_runs_is_listed_only_if_it_is_not_brought(self, liar: tuple[Liar, Location]) -> None:
        liar[0].data["tags"] = [{"key": "tracker.version", "value": "1.0"}]
        liar[0].lies["/artifacts/1/"] = says({"error_code": "INTERNAL_ERROR", "message": "gone"}, 500)
        liar[0].lies["get-artifact"] = says({"error_code": "INTERNAL_ERROR", "message": "No such artifact"}, 500)
        assert read_experiment(liar[1], "tracker").unreadable == ()
        liar[0].files = FILES[:1]
        (run,) = read_experiment(liar[1], "tracker").runs
        assert "No such artifact" in (run.unread_predictions or "") or "gone" in (run.unread_predictions or "")

    def test_artifacts_that_cannot_be_listed_are_a_fact_about_the_run(self, liar: tuple[Liar, Location]) -> None:
        liar[0].lies["mlflow-artifacts"] = liar[0].lies["artifacts/list"] = says({}, 500)
        experiment = read_experiment(liar[1], "tracker")
        assert [one.path for one in experiment.unreadable] == [*FILES]
        assert "artifacts/list was answered with status 500" in (experiment.runs[0].unread_predictions or "")
        assert len([path for _, path, _ in liar[0].requests if "artifacts" in path]) == 3

    @pytest.mark.parametrize("answer", [says({}, 404), says({}, 403), lambda handler: send(handler, "<html>Log in")])
    def test_histories_are_read_run_by_run_if_they_are_not_given_together(
        self, liar: tuple[Liar, Location], answer: Answer
    ) -> None:
        liar[0].lies["get-history-bulk"] = answer
        pages = iter([{"next_page_token": "2", "metrics": [VALUE]}, {"metrics": [{**VALUE, "step": 2}]}])
        liar[0].lies["metrics/get-history"] = lambda handler: send(handler, json.dumps(next(pages)))
        (run,) = read_experiment(liar[1], "tracker").runs
        assert run.curves["loss"].steps.tolist() == [1, 2]

    def test_smaller_pages_are_asked_for_if_large_ones_are_refused(self, liar: tuple[Liar, Location]) -> None:
        def refuse_large(handler: BaseHTTPRequestHandler) -> None:
            if liar[0].body["max_results"] >= 1_000:
                says({"error_code": "BadRequest", "message": "max_results must be below 1000"}, 400)(handler)
            else:
                says({"runs": [{"info": liar[0].info}]})(handler)

        liar[0].lies["runs/search"] = refuse_large
        assert [run.run_id for run in read_experiment(liar[1], "tracker").runs] == [RUN]

    def test_an_address_that_is_not_there_may_need_a_path(self, liar: tuple[Liar, Location]) -> None:
        liar[0].lies["get-by-name"] = lambda handler: send(handler, "<html><h1>Not Found</h1>", 404)
        said = refused(liar[1])
        assert "<" not in said
        assert f"its address may need a path, such as {liar[1].shown}/mlflow" in said


def write(liar: tuple[Liar, Location], folder: Path, content: bytes = b"hello") -> list[tuple[str, str]]:
    """Send a run with an artifact, and return by which requests that went."""
    folder.mkdir(exist_ok=True)
    (folder / "a b.txt").write_bytes(content)
    JournalUpload(liar[1], "j", None, lambda _: None).send([STARTED, Attached("a b.txt")], folder)
    return [(method, path) for method, path, _ in liar[0].requests if "artifact" in path]


class TestLogInputs:
    def test_a_server_that_knows_no_datasets_is_told_of_none(self, liar: tuple[Liar, Location]) -> None:
        liar[0].lies["log-inputs"] = partial(send, body="<html>Not Found", status=404)
        server_client(liar[1]).log_inputs(RUN, ())
        assert "log-inputs" in liar[0].requests[-1][1]

    def test_a_run_that_is_not_there_has_no_datasets(self, liar: tuple[Liar, Location]) -> None:
        row = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}
        liar[0].lies["log-inputs"] = says(row, 404)
        with pytest.raises(ServerError, match="no such run"):
            server_client(liar[1]).log_inputs(RUN, ())


class TestHasArtifact:
    @pytest.mark.parametrize(
        ("path", "folder", "has"), [("a/b/c.txt", "a/b", True), ("a/b/d.txt", "a/b", False), ("model", None, False)]
    )
    def test_has_artifact_looks_for_it_in_its_folder(
        self, liar: tuple[Liar, Location], path: str, folder: str | None, *, has: bool
    ) -> None:
        liar[0].lies["artifacts/list"] = says({"root_uri": "x", "files": [{"path": "a/b/c.txt", "is_dir": False}]})
        assert server_client(liar[1]).has_artifact(RUN, path) is has
        query = urlencode({"run_id": RUN, **({"path": folder} if folder else {})})
        assert [path for _, path, _ in liar[0].requests][1:] == [f"/api/2.0/mlflow/artifacts/list?{query}"]

    def test_has_artifact_is_false_of_a_run_without_any(self, liar: tuple[Liar, Location]) -> None:
        assert not server_client(liar[1]).has_artifact(RUN, "a")


class TestPlacesOfArtifacts:
    @pytest.mark.parametrize("place", ["mlflow-artifacts:/1/x", "mlflow-artifacts://{host}/1/x", "{uri}{api}/1/x"])
    def test_artifacts_go_through_the_server_that_takes_them(
        self, liar: tuple[Liar, Location], tmp_path: Path, place: str
    ) -> None:
        api, uri = "/api/2.0/mlflow-artifacts/artifacts", liar[1].uri
        liar[0].info["artifact_uri"] = place.format(api=api, uri=uri, host=uri.removeprefix("http://"))
        assert write(liar, tmp_path / "artifacts") == [("PUT", f"{api}/1/x/a%20b.txt")]

    @pytest.mark.parametrize("place", ["file://{home}", "{home}", "s3://bucket/x", "http://[", "sqlite:///x"])
    def test_nothing_is_written_to_a_place_that_a_server_names(
        self, liar: tuple[Liar, Location], tmp_path: Path, place: str
    ) -> None:
        home = tmp_path / "home"
        home.mkdir()
        liar[0].info["artifact_uri"] = place.format(home=home)
        asked = "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=" + RUN + "&path=a+b.txt"
        assert write(liar, tmp_path / "artifacts") == [("POST", asked)]
        assert not [*home.iterdir()]

    @pytest.mark.parametrize("place", ["{uri}/api/2.0/mlflow-artifacts/artifacts/x", "mlflow-artifacts://{host}/x"])
    def test_nothing_is_sent_to_another_host_that_a_server_names(
        self, liar: tuple[Liar, Location], tmp_path: Path, place: str
    ) -> None:
        other = Liar()
        with serving(other.answer) as uri:
            liar[0].info["artifact_uri"] = place.format(uri=uri, host=uri.removeprefix("http://"))
            ((method, path),) = write(liar, tmp_path / "artifacts")
        assert (method, "upload-artifact" in path) == ("POST", True)
        assert other.requests == []

    def test_what_a_server_does_not_take_itself_is_refused_with_the_place_and_the_remedy(
        self, liar: tuple[Liar, Location], tmp_path: Path
    ) -> None:
        liar[0].info["artifact_uri"] = "s3://key:s3cret@bucket/x"
        with pytest.raises(
            StoreError, match=r"keeps artifacts at s3://bucket/x.*at most 10,000,000.*--serve-artifacts"
        ):
            write(liar, tmp_path / "artifacts", bytes(10_000_001))
        liar[0].lies["upload-artifact"] = says({}, 404)
        with pytest.raises(StoreError, match=r"keeps artifacts at s3://bucket/x.*takes none itself.*--serve-artifacts"):
            write(liar, tmp_path / "artifacts")

    def test_a_database_whose_artifacts_are_elsewhere_takes_no_run(self, tmp_path: Path) -> None:
        location = locate(None, tmp_path)
        send_run(location)
        other = Liar()
        with serving(other.answer) as uri:
            MlflowClient(location.uri).create_experiment("theirs", artifact_location=f"{uri}/x")
            with pytest.raises(StoreError, match=f"would be written to {uri}/x, which is not below the store's folder"):
                send_run(location, *epochs(1.0), started=STARTED.__class__(**_fields("theirs")), files={"a": b"b"})
        assert other.requests == []


def _fields(experiment: str) -> dict[str, Any]:
    return {name: getattr(STARTED, name) for name in STARTED.__dataclass_fields__} | {"experiment": experiment}


class TestTheRealServer:
    def test_a_server_that_keeps_artifacts_in_a_folder_takes_them_itself(self, served: Served, tmp_path: Path) -> None:
        place = tmp_path / "kept"
        client_of(served.http).create_experiment("in a folder", artifact_location=place.as_uri())
        started = STARTED.__class__(**_fields("in a folder"))
        files = {"a b.txt": b"hello", "sub/c.bin": bytes(100_000), "sub/empty": b""}
        run_id = send_run(served.http, Ended(9, "FINISHED"), started=started, files=files)
        assert (place / run_id / "artifacts" / "a b.txt").read_bytes() == b"hello"
        assert (place / run_id / "artifacts" / "sub/c.bin").read_bytes() == bytes(100_000)

    def test_many_params_and_tags_and_odd_numbers_arrive(self, served: Served) -> None:
        started = STARTED.__class__(**_fields("many") | {"params": {f"p{n}": "x" for n in range(250)}})
        send_run(served.http, *epochs(float("nan"), float("inf"), -float("inf"), 0.25), started=started)
        (run,) = read_experiment(served.direct, "many").runs
        assert len(run.params) == 250
        assert [str(value) for value in run.curves["val_loss"].values] == ["nan", "inf", "-inf", "0.25"]

    def test_a_server_that_is_away_is_unreachable(self) -> None:
        with pytest.raises(UnreachableError, match="no tracking server answers"):
            server_client(Location("http://me:s3cret@127.0.0.1:9", None, ""))
