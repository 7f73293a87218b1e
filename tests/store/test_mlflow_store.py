from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tracker.errors import StoreError
from tracker.store import mlflow_store
from tracker.store.client import open_store
from tracker.store.location import Location, locate
from tracker.store.mlflow_store import await_answer, free_port, serving, ui_command


class TestUiCommand:
    def test_ui_command_is_lean_and_local(self, location: Location) -> None:
        open_store(location)
        argv, environment = ui_command(location, port=5050)
        words = " ".join(argv[1:])
        assert words.startswith(f"-m mlflow server --backend-store-uri {location.uri} ")
        assert "--host 127.0.0.1 --port 5050 --workers 1" in words
        assert environment == {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONSAFEPATH": "1",
        }

    def test_ui_command_never_makes_a_store(self, location: Location) -> None:
        with pytest.raises(StoreError, match="does not exist: `tracker run`"):
            ui_command(location, 5000)

    def test_ui_command_leaves_a_server_to_its_own_ui(self) -> None:
        with pytest.raises(StoreError, match="has its UI at http://there:5000: open that in a browser"):
            ui_command(locate("http://there:5000", Path()), 5000)


class TestFreePort:
    def test_free_port_is_the_one_asked_for(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        assert free_port(port) == port

    def test_free_port_is_another_where_that_is_taken(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            assert free_port(port) not in {0, port}

    def test_free_port_is_none_on_another_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mlflow_store, "HOST", "192.0.2.1")
        with pytest.raises(StoreError, match=r"cannot listen on 192\.0\.2\.1"):
            free_port(5000)


class TestAwaitAnswer:
    def test_await_answer_says_that_the_server_ended(self) -> None:
        process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
        with pytest.raises(StoreError, match="ended before it answered, with exit status 3"):
            await_answer("http://127.0.0.1:9", process)

    def test_await_answer_says_that_it_did_not_answer_in_time(self) -> None:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"]) as process:
            with pytest.raises(StoreError, match="did not answer within 0 s"):
                await_answer("http://127.0.0.1:9", process, patience_s=0.2)
            process.kill()


class TestServing:
    def test_serving_says_why_a_server_does_not_start(
        self, location: Location, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_store(location)
        monkeypatch.setenv("PYTHONPATH", str(location.database.parent))
        (location.database.parent / "mlflow.py").write_text("raise SystemExit('no room at the inn')")
        with pytest.raises(StoreError, match="with exit status 1: no room at the inn"), serving(location, 5000):
            pass
