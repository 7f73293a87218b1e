"""A run that is interrupted ends as KILLED with what it has, and at once if it is interrupted again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.processes import command
from tests.running import TINY_NETWORK, TRACKER
from tracker.journal.reader import journals
from tracker.recording.run_writer import signals_raise
from tracker.runs.events import Attached, Measured
from tracker.store.location import locate
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(autouse=True)
def _heeding_signals() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, what `nohup` starts hang-ups, and so would all of these."""
    heeded = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in heeded.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_an_interruption_while_libraries_are_imported_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
    words = (sys.executable, "-m", "tracker", "report")
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "tracker: interrupted\n")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_is_killed_and_keeps_its_epochs(sent: signal.Signals, genres: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    words = ("run", "--data", genres, "--segment", "0.5", "--epochs", "3000", "--model", TINY_NETWORK)
    environment = os.environ | {"TRACKER_CACHE": str(tmp_path / "cache")}
    with command(words, folder=work, environment=environment) as process:
        while not process.stderr.readline().startswith("epoch 3/"):
            assert process.poll() is None
        process.send_signal(sent)
        said = process.communicate()[1].splitlines()
    assert process.returncode == 1
    assert [line for line in said if "interrupted" in line] == said[-1:]
    assert any(line.startswith("interrupting: ") for line in said)
    (run,) = read_experiment(locate(None, work), "tracker").runs
    assert said[-1].endswith(f"Its finished epochs are saved. Continue with `tracker resume {run.run_id}`")
    assert run.status == "KILLED"
    assert run.tags["tracker.reason"] == "interrupted"
    stopped = int(run.metrics["stop_epoch"])
    assert stopped >= 3
    assert run.curves["val_loss"].steps.tolist() == list(range(1, stopped + 1))
    assert run.validation is not None


def test_a_run_interrupted_again_leaves_out_what_is_not_written_yet(genres: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    words = ("run", "--data", genres, "--segment", "0.5", "--epochs", "3000", "--model", TINY_NETWORK, "--offline")
    environment = os.environ | {"TRACKER_CACHE": str(tmp_path / "cache")}
    with command(words, folder=work, environment=environment) as process:
        while not process.stderr.readline().startswith("epoch 3/"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        while not any(isinstance(event, Measured) for event in journals(work / ".tracker")[0].events):
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1].splitlines()
    assert process.returncode == 1
    assert any(" was interrupted after " in line for line in said)
    assert "tracker: interrupted" not in said
    (journal,) = journals(work / ".tracker")
    assert journal.status == "KILLED"
    assert list(journal.epochs) == list(range(1, len(journal.epochs) + 1))
    assert len(journal.epochs) >= 3
    assert Attached("model") not in journal.events
    assert any((journal.folder / "checkpoints").glob("epoch-*.npz"))


@pytest.mark.parametrize("is_ready", [True, False])
def test_ctrl_c_ends_the_ui_quietly(is_ready: bool, writeup_store: Path) -> None:
    words = [TRACKER, "ui", "--tracking-uri", f"sqlite:///{writeup_store}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if is_ready:
            assert process.stdout.readline().startswith("http://127.0.0.1:")
        else:
            assert "MLflow's UI is starting at http://127.0.0.1:" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert "interrupted" not in process.stderr.read()


def descendants(pid: int) -> set[int]:
    try:
        children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except FileNotFoundError:
        return set()
    return children.union(*map(descendants, children))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_ui_answers_on_a_free_port_runs_no_module_of_the_folder_and_takes_its_server_with_it_if_killed(
    writeup_store: Path, tmp_path: Path
) -> None:
    for name in ("mlflow", "uvicorn", "tracker"):
        (tmp_path / f"{name}.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        asked = taken.getsockname()[1]
        words = [TRACKER, "ui", "--tracking-uri", f"sqlite:///{writeup_store}", "--port", str(asked)]
        with subprocess.Popen(
            words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            at_once = process.stderr.readline()
            address = process.stdout.readline().split()[0]
            assert at_once.startswith(f"port {asked} is taken: MLflow's UI is starting at {address}")
            assert address.startswith("http://127.0.0.1:")
            assert address != f"http://127.0.0.1:{asked}"
            assert requests.get(f"{address}/health", timeout=30).text == "OK"
            servers = descendants(process.pid)
            assert servers
            process.kill()
            process.wait(60)
    deadline = time.monotonic() + 60
    while any(map(is_running, servers)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not (tmp_path / "ran").exists()


class TestSignalsRaise:
    def signalled(self, number: int, error_of: Callable[[int], BaseException], times: int = 1) -> None:
        with signals_raise(error_of):
            try:
                os.kill(os.getpid(), number)
                time.sleep(10)
            finally:
                for _ in range(times - 1):
                    os.kill(os.getpid(), number)

    def test_signals_raise_ends_a_block_by_the_exception_of_its_signal(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            with pytest.raises(SystemExit) as ended:
                self.signalled(number, lambda number: SystemExit(128 + number))
            assert ended.value.code == 128 + number
            assert signal.getsignal(number) is before

    def test_a_second_hang_up_does_not_cut_what_the_first_began(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.signalled(signal.SIGHUP, lambda _number: KeyboardInterrupt(), times=2)

    def test_a_signal_that_is_ignored_stays_so(self) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with signals_raise(lambda _number: KeyboardInterrupt()):
                os.kill(os.getpid(), signal.SIGHUP)
                assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, before)
