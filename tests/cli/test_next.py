"""`tracker next` on runs in a store, alone and piped into a shell."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import copy_store
from tests.cli.conftest import logger_in
from tests.running import TINY_NETWORK
from tracker.store.location import locate
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from tests.running import LogRun, Tracker

COMMANDS = [
    "tracker run --kernel 5 --lr 0.001 --seed 1 --seeds 2",
    "tracker run --kernel 3 --lr 0.001 --seed 1 --seeds 2",
]
"""What gives two runs that differ in the kernel alone their three matched pairs."""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two runs, to be copied."""
    folder = tmp_path_factory.mktemp("two")
    log_run = logger_in(folder)
    log_run("1" * 17 + "011", name="k3", kernel_size="3")
    log_run("1" * 18 + "00", name="k5", kernel_size="5")
    return folder


@pytest.fixture
def two(tracker: Tracker, logged: Path) -> None:
    """Two runs that differ in one option."""
    copy_store(logged, Path.cwd())


class TestTheCommands:
    @pytest.mark.usefixtures("two")
    def test_the_commands_stand_alone_on_standard_output_one_a_line(self, tracker: Tracker) -> None:
        result = tracker("next")
        assert result.status == 0
        assert sorted(result.out.splitlines()) == sorted(COMMANDS)

    @pytest.mark.usefixtures("two")
    def test_the_commands_are_explained_on_standard_error_with_their_time(self, tracker: Tracker) -> None:
        first, second, total = tracker("next").err.splitlines()
        for number, line in enumerate((first, second), start=1):
            assert line.startswith(f"{number}. Matched pairs for kernel size 5 instead of 3")
            other = f"together with step {3 - number}"
            assert f" (about 9 s): {other}, this would detect a difference of 5 points less than 1 time in 20" in line
        assert total == "2 commands, about 18 s in all"

    @pytest.mark.usefixtures("two")
    @pytest.mark.parametrize(
        "how", ["", "--alpha 0.5 --margin 0.4", "--metric val_loss", "--metric epoch_seconds --minimise"]
    )
    def test_the_commands_in_json_are_the_reports_next_steps(self, tracker: Tracker, how: str) -> None:
        report = json.loads(tracker("report", "--format", "json", *how.split()).out)
        assert report["next"]
        assert json.loads(tracker("next", "--format", "json", *how.split()).out) == report["next"]
        assert tracker("next", *how.split()).out.splitlines() == [step["command"] for step in report["next"]]

    def test_the_commands_keep_escape_sequences_from_the_terminal(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("10", kernel_size="3", activation="\x1b[31mred")
        log_run("01", kernel_size="3", activation="relu")
        result = tracker("next")
        assert "\x1b" not in result.out + result.err


class TestBadInput:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--budget", "30m"], "it is about training the runs: give --run too"),
            (["--jobs", "2"], "it is about training the runs: give --run too"),
            (["-y"], "it is about training the runs: give --run too"),
            (["--run", "--budget", "30"], "must be a time above 0 such as 30m, 2h, 90s or 1h30m, got '30'"),
        ],
    )
    def test_a_budget_is_a_time_to_train_in(self, tracker: Tracker, words: list[str], message: str) -> None:
        result = tracker("next", *words)
        assert (result.status, result.out) == (2, "")
        assert f"{message} (see tracker next --help)" in result.err


class TestNothingToDo:
    def test_nothing_to_do_is_said_on_standard_error_where_no_command_would_settle_anything(
        self, tracker: Tracker, log_run: LogRun
    ) -> None:
        log_run("10", kernel_size="three")
        result = tracker("next")
        assert (result.status, result.out, result.err) == (0, "", "No further run is suggested.\n")

    def test_nothing_to_do_is_said_where_no_run_is_finished(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("10", status="FAILED")
        result = tracker("next")
        assert (result.status, result.out, result.err) == (
            0,
            "",
            "No run has finished yet, so no further run is suggested.\n",
        )

    def test_nothing_to_do_is_an_empty_list_in_json(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("10", status="FAILED")
        assert json.loads(tracker("next", "--format", "json").out) == []

    def test_nothing_to_do_is_not_said_of_a_store_that_is_not_there(self, tracker: Tracker) -> None:
        result = tracker("next")
        assert (result.status, result.out) == (1, "")
        assert list(Path.cwd().iterdir()) == []


class TestWhere:
    def test_a_store_elsewhere_is_named_by_its_absolute_uri(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("110", uri="my store/runs.db", kernel_size="3")
        log_run("101", uri="my store/runs.db", kernel_size="5")
        lines = tracker("next", "--tracking-uri", "my store/runs.db").out.splitlines()
        uri = f"sqlite:///{Path.cwd()}/my store/runs.db"
        assert sorted(lines) == sorted(f"{command} --tracking-uri '{uri}'" for command in COMMANDS)

    @pytest.mark.usefixtures("two")
    @pytest.mark.parametrize("uri", ["mlflow.db", "sqlite:///mlflow.db", "."])
    def test_the_default_store_is_not_named_however_it_was_given(self, tracker: Tracker, uri: str) -> None:
        assert sorted(tracker("next", "--tracking-uri", uri).out.splitlines()) == sorted(COMMANDS)

    def test_a_store_of_the_environment_is_named_for_other_shells(
        self, tracker: Tracker, log_run: LogRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log_run("110", uri="sqlite:///other.db", kernel_size="3")
        log_run("101", uri="sqlite:///other.db", kernel_size="5")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
        uri = f"sqlite:///{Path.cwd()}/other.db"
        assert sorted(tracker("next").out.splitlines()) == sorted(f"{line} --tracking-uri {uri}" for line in COMMANDS)

    def test_report_next_and_compare_agree_from_another_folder(
        self, tracker: Tracker, log_run: LogRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clips = {"data": "a/d", "learning_rate": "0.001"}
        log_run("1" * 17 + "011", name="k3", kernel_size="3", **clips)
        log_run("1" * 18 + "00", name="k5", kernel_size="5", clip="other{:03d}.wav", **clips)
        folder = Path.cwd()
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        where = ("--tracking-uri", str(folder))
        steps = tracker("next", *where).out.splitlines()
        document = json.loads(tracker("report", "--format", "json", *where).out)
        (apart,) = [found for found in document["conclusions"] if found["kind"] == "run_difference"]
        compared = json.loads(tracker("compare", "k3", "k5", "--format", "json", *where).out)
        assert compared["conclusion"]["command"] == apart["command"]
        assert steps == [step["command"] for step in document["next"]]
        for command in (*steps, *apart["command"].split(" && ")):
            assert f"--data {folder}/a/d " in command
            assert command.endswith(f" --tracking-uri sqlite:///{folder}/mlflow.db")

    @pytest.mark.usefixtures("two")
    def test_data_that_the_environment_names_do_not_stand_in_for_the_demo_set(
        self, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRACKER_DATA", "genres")
        expected = sorted(f"env TRACKER_DATA= {command}" for command in COMMANDS)
        assert sorted(tracker("next").out.splitlines()) == expected

    def test_data_that_a_command_names_need_no_help(
        self, tracker: Tracker, log_run: LogRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log_run("110", data="my genres", kernel_size="3")
        log_run("101", data="-genres", kernel_size="5")
        monkeypatch.setenv("TRACKER_DATA", "others")
        lines = tracker("next").out.splitlines()
        assert len(lines) == 2
        assert all(line.startswith(("tracker run --data 'my genres'", "tracker run --data=-genres")) for line in lines)


@pytest.mark.xdist_group("keras")
def test_piped_into_a_shell_a_command_trains_into_the_same_store(
    tracker: Tracker, log_run: LogRun, genres: Path
) -> None:
    where = {"uri": "sqlite:///my runs.db", "experiment": "it's mine"}
    usual = {"data": str(genres), "epochs": "2", "segment_s": "0.5", "model": str(TINY_NETWORK)}
    for seed in "012":  # the third of the other kernel size is what is asked for
        log_run("1101", kernel_size="3", seed=seed, **usual, **where)
        if seed != "2":
            log_run("1011", kernel_size="5", seed=seed, **usual, **where)
    line = tracker("next", "--experiment", "it's mine", "--tracking-uri", "sqlite:///my runs.db").out
    print_words = "tracker() { printf '%s\\0' \"$@\"; }\n"  # how an installed command starts is for other tests
    read = subprocess.run(["sh"], input=print_words + line, capture_output=True, text=True, check=True)
    result = tracker(*read.stdout.split("\0")[:-1])
    assert result.status == 0, result.err
    runs = read_experiment(locate(where["uri"], Path.cwd()), where["experiment"]).runs
    assert sorted((run.params["kernel_size"], run.params["seed"], run.status) for run in runs) == [
        (kernel, seed, "FINISHED") for kernel in "35" for seed in "012"
    ]
    assert result.out.split() == [run.run_id for run in runs[5:]]


@pytest.mark.xdist_group("keras")
def test_a_command_leaves_the_shell_its_standard_input(tracker: Tracker, genres: Path, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("the next command\n")
    before = os.dup(0)
    try:
        with script.open("rb", buffering=0) as stream:
            os.dup2(stream.fileno(), 0)
            result = tracker("run", "--data", genres, "--epochs", "1", "--segment", "0.5", "--model", TINY_NETWORK)
        assert result.status == 0, result.err
        assert os.read(0, 100) == b"the next command\n"
    finally:
        os.dup2(before, 0)
        os.close(before)
