"""What a shell is offered for completion, asked as bash asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.running import TRACKER

if TYPE_CHECKING:
    from tests.running import LogRun, Tracker

MINE = '''
raise SystemExit("completion must not run this")

def build(input_shape, n_classes, *, kernel_size: int = 3, depth: int = 4):
    """Build a network."""
'''


class Completions:
    """Completes a line whose last word is still being typed."""

    def __init__(self, tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
        self._tracker = tracker
        self._monkeypatch = monkeypatch

    def __call__(self, line: str) -> list[str]:
        *words, _ = line.split(" ")
        self._monkeypatch.setenv("_TRACKER_COMPLETE", "complete_bash")
        self._monkeypatch.setenv("COMP_WORDS", line)
        self._monkeypatch.setenv("COMP_CWORD", str(len(words)))
        result = self._tracker()
        self._monkeypatch.delenv("_TRACKER_COMPLETE")
        assert (result.status, result.err) == (0, "")
        return result.out.split()


@pytest.fixture
def completions(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> Completions:
    return Completions(tracker, monkeypatch)


@pytest.fixture
def own_network(completions: Completions) -> Completions:
    """Completion in a folder with a network of its own."""
    Path("models").mkdir()
    Path("models/mine.py").write_text(MINE)
    return completions


class TestWords:
    @pytest.mark.parametrize(
        ("line", "offered"),
        [
            ("tracker re", ["rename", "repair", "report", "resume"]),
            ("tracker data ", ["check", "demo"]),
            ("tracker run --le", []),
            ("tracker run --early", ["--early-stop"]),
            ("tracker run --keep ", ["best", "last"]),
            ("tracker report --format s", ["summary"]),
        ],
    )
    def test_commands_options_and_choices_are_offered(
        self, completions: Completions, line: str, offered: list[str]
    ) -> None:
        assert sorted(completions(line)) == sorted(offered)


class TestNetworks:
    def test_networks_names_of_built_in_and_own_networks_are_offered(self, own_network: Completions) -> None:
        assert own_network("tracker run --model ") == ["cnn", "crnn", "linear", "musicnn", "resnet", "mine"]

    def test_paths_of_python_files_are_offered(self, own_network: Completions) -> None:
        assert own_network("tracker run --model ./mod") == ["./models/"]
        assert own_network("tracker run --model models/") == ["models/mine.py"]

    @pytest.mark.parametrize("model", ["mine", "./models/mine.py"])
    def test_options_of_the_named_network_are_offered(self, own_network: Completions, model: str) -> None:
        assert own_network(f"tracker run --model {model} --dep") == ["--depth"]
        assert own_network(f"tracker run --model {model} --drop") == []
        assert own_network("tracker run --drop") == ["--dropout"]

    def test_a_network_that_is_not_there_has_no_options(self, own_network: Completions) -> None:
        assert own_network("tracker run --model nowhere --dep") == []
        assert own_network("tracker run --model nowhere --kern") == ["--kernel"]


class TestRuns:
    def test_runs_names_are_offered_and_ids_if_one_is_typed(self, completions: Completions, log_run: LogRun) -> None:
        first, second = log_run(name="k3-s0"), log_run(name="k5-s0")
        assert sorted(completions("tracker compare ")) == ["k3-s0", "k5-s0"]
        assert completions(f"tracker compare k3-s0 {second[:5]}") == [second[:8]]
        assert sorted(completions("tracker resume k")) == ["k3-s0", "k5-s0"]
        assert first != second

    def test_the_run_that_is_given_already_is_not_offered_again(
        self, completions: Completions, log_run: LogRun
    ) -> None:
        first, _ = log_run(name="k3-s0"), log_run(name="k5-s0")
        assert completions("tracker compare k3-s0 ") == ["k5-s0"]
        assert completions(f"tracker compare {first[:8]} ") == ["k5-s0"]

    def test_runs_that_share_a_name_are_offered_by_id(self, completions: Completions, log_run: LogRun) -> None:
        ids = [log_run(name="same"), log_run(name="same")]
        assert sorted(completions("tracker compare ")) == sorted(run_id[:8] for run_id in ids)

    @pytest.mark.parametrize("name", ["two words", "$(touch x)", "\x1b[31mred", "a;b"])
    def test_a_name_that_a_shell_would_read_differently_is_offered_by_id(
        self, completions: Completions, log_run: LogRun, name: str
    ) -> None:
        run_id = log_run(name=name)
        assert completions("tracker compare ") == [run_id[:8]]

    def test_only_runs_of_the_named_experiment_and_store_are_offered(
        self, completions: Completions, log_run: LogRun
    ) -> None:
        log_run(name="here")
        log_run(name="other", experiment="mine")
        log_run(name="elsewhere", uri="sqlite:///other.db", experiment="third")
        assert completions("tracker compare ") == ["here"]
        assert completions("tracker compare --experiment mine ") == ["other"]
        assert sorted(completions("tracker report --experiment ")) == ["mine", "tracker"]
        assert completions("tracker runs --tracking-uri sqlite:///other.db --experiment ") == ["third"]


class TestWhatIsLeftAlone:
    @pytest.mark.parametrize("line", ["tracker compare ", "tracker runs --experiment ", "tracker resume x"])
    def test_no_store_is_created(self, completions: Completions, line: str) -> None:
        assert completions(line) == []
        assert list(Path.cwd().iterdir()) == []

    @pytest.mark.parametrize("content", ["", "not a database", "SQLite format 3\0 or nearly"])
    def test_a_store_that_cannot_be_read_offers_nothing_in_silence(
        self, completions: Completions, content: str
    ) -> None:
        Path("mlflow.db").write_text(content)
        assert completions("tracker compare ") == []
        assert Path("mlflow.db").read_text() == content

    def test_a_server_is_not_asked(self, completions: Completions) -> None:
        assert completions("tracker compare --tracking-uri http://192.0.2.1:5000 ") == []

    def test_no_heavy_library_is_imported(self, log_run: LogRun) -> None:
        log_run(name="k3")
        asked = {"_TRACKER_COMPLETE": "complete_bash", "COMP_WORDS": "tracker compare ", "COMP_CWORD": "2"}
        code = (
            "import sys, tracker.cli\n"
            "try: tracker.cli.main([])\n"
            "except SystemExit: pass\n"
            "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=True
        )
        assert result.stdout == "k3\n"
        assert not set(result.stderr.split()) & {"mlflow", "keras", "tensorflow", "sqlalchemy", "matplotlib", "rich"}


def test_installation_writes_a_script_for_the_shell(tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [TRACKER, "--install-completion", "bash"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "_TRACKER_COMPLETE" in (tmp_path / ".bash_completions" / "tracker.sh").read_text()
