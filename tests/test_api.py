"""The names of `tracker`: loaded on first use, and doing what the commands do."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tracker
from tests.builders import write_tone
from tests.processes import Forked
from tests.running import SMALL_NETWORK, Collected
from tracker.cli import main
from tracker.runs import LOGGED_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

HEAVY = {"tensorflow", "keras", "mlflow", "librosa", "matplotlib", "scipy", "sklearn", "pandas", "numpy", "typer"}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("TRACKER_DATA", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def logged_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the journals of four runs of two learning rates, on one set of samples."""
    folder = tmp_path_factory.mktemp("logged")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        _log_runs()
    return folder


@pytest.fixture(scope="module")
def built(logged_once: Path) -> tracker.Report:
    """The report on those runs, for tests of what it refuses."""
    return tracker.build_report(tracker.load_runs(logged_once))


@pytest.fixture
def logged(logged_once: Path, work: Path) -> Path:
    """The working folder, with those runs."""
    shutil.copytree(logged_once, work, dirs_exist_ok=True)
    return work


def _log_runs() -> None:
    for rate in (1e-2, 1e-3):
        for seed in (0, 1):
            with tracker.start_run({"learning_rate": rate, "seed": seed}, offline=True) as run:
                for epoch in range(1, 4):
                    run.log_epoch({"loss": 1 / epoch, "val_loss": 1 / epoch + rate, "val_accuracy": 0.5 + epoch / 10})
                p = [0.9 if i % 5 > seed else 0.2 for i in range(20)]
                run.log_predictions(range(20), [1] * 20, p, classes=["no", "yes"])


class TestNames:
    def test_importing_the_package_loads_no_library(self) -> None:
        code = "import sys, tracker; print(*sorted({name.split('.')[0] for name in sys.modules}))"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert not set(result.stdout.split()) & HEAVY

    def test_each_is_there_and_listed(self) -> None:
        for name in tracker.__all__:
            assert getattr(tracker, name) is not None
        assert dir(tracker) == sorted(tracker.__all__)

    def test_another_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="module 'tracker' has no attribute 'nothing'"):
            tracker.nothing  # type: ignore[attr-defined]  # noqa: B018

    def test_a_script_that_logs_loads_neither_keras_nor_tensorflow(self, work: Path) -> None:
        code = (
            "import sys, tracker\n"
            "with tracker.start_run({'seed': 0}, offline=True) as run: run.log_epoch({'val_loss': 1.0})\n"
            "print(*sorted({name.split('.')[0] for name in sys.modules}))"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=work)
        assert not set(result.stdout.split()) & {"tensorflow", "keras", "mlflow", "librosa", "sklearn", "typer"}


def printed(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """Return what a command prints."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert not ended.value.code
    return capfd.readouterr().out


@pytest.mark.usefixtures("logged")
class TestReport:
    def test_results_are_short_to_print(self) -> None:
        runs = tracker.load_runs()
        assert repr(runs) == "<ExperimentRuns 'tracker', 4 runs: lr0.01-s0, lr0.01-s1, lr0.001-s0, lr0.001-s1>"
        assert repr(runs[0]) == f"<Run 'lr0.01-s0' ({runs[0].run_id[:8]}), FINISHED>"
        assert repr(runs[0].validation) == "<Predictions of 20 clips for 2 classes>"
        assert re.fullmatch(r"<Report on 'tracker': \d+ conclusions>", repr(tracker.build_report(runs)))
        compared = repr(tracker.compare(runs, runs[0], runs[1]))
        assert re.fullmatch(r"<Comparison of 'lr0.01-s\d' and 'lr0.01-s\d': [a-z ]+>", compared)

    def test_report_sees_the_runs_of_the_commands_in_their_order(self, capfd: pytest.CaptureFixture[str]) -> None:
        runs = tracker.load_runs()
        listed = [line.split()[1] for line in printed(capfd, "runs").splitlines()[1:]]
        assert [run.run_id[:8] for run in runs] == listed
        assert runs.find("lr0.01-s1") is runs[1]
        assert runs[-2:] == runs.runs[-2:]

    @pytest.mark.parametrize(
        ("write", "form"),
        [
            (lambda report: report.to_markdown(), "markdown"),
            (lambda report: report.to_html(), "html"),
            (lambda report: report.to_json(), "json"),
            (lambda report: report.to_summary(), "summary"),
        ],
    )
    def test_report_is_the_same_text_as_the_command_prints(
        self, write: Callable[[tracker.Report], str], form: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert write(tracker.build_report(tracker.load_runs())) == printed(capfd, "report", "--format", form)

    def test_report_plays_the_clips_that_the_command_plays(self, capfd: pytest.CaptureFixture[str]) -> None:
        page = tracker.build_report(tracker.load_runs()).to_html(audio=2)
        assert page == printed(capfd, "report", "--format", "html", "--audio", "2")
        assert "Clips to listen to" in page

    def test_report_is_written_with_its_figures_as_the_command_writes_it(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        report = tracker.build_report(tracker.load_runs())
        text = report.to_markdown("docs/R.md", figures="docs/img")
        figures = {path.name: path.read_bytes() for path in Path("docs/img").iterdir()}
        printed(capfd, "report", "--output", "docs/C.md", "--assets", "docs/img2")
        assert Path("docs/R.md").read_text() == text == Path("docs/C.md").read_text().replace("(img2/", "(img/")
        assert figures == {path.name: path.read_bytes() for path in Path("docs/img2").iterdir()}

    def test_report_to_a_file_that_cannot_be_written_says_what_to_do(self) -> None:
        Path("file").touch()
        with pytest.raises(tracker.TrackerError, match=r"cannot write file/R\.json"):
            tracker.build_report(tracker.load_runs()).to_json("file/R.json")

    def test_report_refuses_a_metric_that_no_run_logged(self) -> None:
        with pytest.raises(ValueError, match="no run logged the metric 'f1'; "):
            tracker.build_report(tracker.load_runs(), metric="f1")

    def test_report_refuses_a_level_out_of_range(self) -> None:
        with pytest.raises(ValueError, match="alpha must be"):
            tracker.build_report(tracker.load_runs(), alpha=2)

    @pytest.mark.parametrize(
        "option",
        [
            {"alpha": "x"}, {"alpha": None}, {"margin": None}, {"metric": 3}, {"metric": ""}, {"minimise": "x"},
            {"runs": None}, {"runs": "x"}, {"runs": [1]}, {"runs": "twice"},
        ],
    )  # fmt: skip
    def test_report_refuses_what_is_not_of_its_type(self, option: Any) -> None:
        runs = tracker.load_runs()
        option = {"runs": [runs[0], runs[0]]} if option == {"runs": "twice"} else option
        with pytest.raises(ValueError, match="must be") as raised:
            tracker.build_report(**({"runs": runs} | option))
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("path", ["", 3, b"x", "a\0b"])
    def test_report_is_not_written_to_what_is_no_path(self, built: tracker.Report, path: Any) -> None:
        for write in (built.to_markdown, built.to_html, built.to_json, built.to_summary):
            with pytest.raises(ValueError, match="path must be a path, got"):
                write(path)

    def test_what_is_no_report_is_not_logged(self, built: tracker.Report) -> None:
        for report, runs in (("x", ()), (built, [])):
            with pytest.raises(ValueError, match=r"must be (one|those)"):
                tracker.log_report(report, runs)  # type: ignore[arg-type]

    @pytest.mark.parametrize("experiment", [3, "", " ", [3], "caf\udce9"])
    def test_runs_of_what_is_no_experiment_are_refused(self, experiment: Any) -> None:
        with pytest.raises(ValueError, match="experiment must be a name"):
            tracker.load_runs(experiment=experiment)

    def test_report_refuses_a_size_that_is_no_number(self, built: tracker.Report) -> None:
        for size in ("x", True):
            with pytest.raises(ValueError, match="max_bytes must be a whole number"):
                built.to_summary(max_bytes=size)  # type: ignore[arg-type]

    def test_report_is_not_written_to_a_file_of_another_form(self, built: tracker.Report) -> None:
        for write, path in ((built.to_pdf, "x.md"), (built.to_markdown, "x.html"), (built.to_html, ".json")):
            with pytest.raises(ValueError, match=f"{path} is to be .* by its ending"):
                write(path)
            assert not Path(path).exists()

    def test_an_interactive_page_is_that_of_the_command(
        self, built: tracker.Report, capfd: pytest.CaptureFixture[str]
    ) -> None:
        page = built.to_html("page.html", interactive=True)
        assert page == Path("page.html").read_text() == printed(capfd, "report", "--format", "html", "--interactive")
        assert page != built.to_html()

    def test_report_of_bare_runs_needs_no_experiment(self) -> None:
        assert len(tracker.build_report(list(tracker.load_runs())).entries) == 4


@pytest.mark.usefixtures("logged")
class TestCompare:
    def test_compare_is_the_same_text_as_the_command_prints(self, capfd: pytest.CaptureFixture[str]) -> None:
        found = tracker.compare(tracker.load_runs(), "lr0.01-s0", "lr0.001-s1")
        words = ("compare", "lr0.01-s0", "lr0.001-s1", "--format")
        assert found.to_markdown() == printed(capfd, *words, "markdown")
        assert found.to_json("c.json") == printed(capfd, *words, "json") == Path("c.json").read_text()

    def test_compare_takes_runs_as_well_as_their_names(self) -> None:
        runs = tracker.load_runs()
        by_name = tracker.compare(runs, "lr0.01-s0", "lr0.001-s1")
        assert tracker.compare(runs, runs[0], runs[3]).to_json() == by_name.to_json()
        with pytest.raises(ValueError, match="a run must be named by its id or name, got 1"):
            tracker.compare(runs, 1, 2)  # type: ignore[arg-type]

    def test_compare_names_the_runs_there_are_if_none_matches(self) -> None:
        with pytest.raises(tracker.TrackerError, match="no run has the id or name 'x'"):
            tracker.compare(tracker.load_runs(), "x", "lr0.01-s0")


@pytest.mark.usefixtures("work")
def log_five_epochs(seed: int) -> None:
    with tracker.start_run({"seed": seed}) as run:
        for epoch in range(5):
            run.log_epoch({"val_loss": 1.0 + epoch})


class TestStores:
    def test_an_empty_folder_has_no_runs_and_stays_empty(self, work: Path) -> None:
        assert tracker.sync() == ()
        for read in (tracker.load_runs, tracker.repair):
            with pytest.raises(tracker.TrackerError, match=r"does not exist: .* or give another tracking_uri"):
                read()
        for end in (tracker.resume, tracker.close):
            with pytest.raises(tracker.TrackerError, match=r"'x'; there are: none in .*, or give its store with tr"):
                end("x")
            with pytest.raises(ValueError, match="a run must be named by its id or name, got None"):
                end(None)  # type: ignore[arg-type]
        assert not list(work.iterdir())

    @pytest.mark.usefixtures("logged")
    def test_an_unknown_experiment_is_answered_with_those_there_are(self) -> None:
        with pytest.raises(tracker.TrackerError, match="see experiment 'tracker'"):
            tracker.load_runs(experiment="traker")

    @pytest.mark.usefixtures("logged")
    def test_a_store_may_be_given_as_a_path(self, work: Path) -> None:
        assert len(tracker.load_runs(work)) == len(tracker.load_runs(work / "mlflow.db")) == 4
        with pytest.raises(ValueError, match="tracking_uri must be a text, got 3"):
            tracker.sync(3)  # type: ignore[arg-type]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_run_in_a_folder_that_cannot_be_written_to_says_what_to_do(self, work: Path) -> None:
        work.chmod(0o500)
        try:
            with pytest.raises(tracker.TrackerError, match="Permission denied; make it yours"), tracker.start_run({}):
                pass
        finally:
            work.chmod(0o700)

    @pytest.mark.usefixtures("logged")
    def test_an_offline_run_is_synced_and_then_in_the_store(self) -> None:
        before = tracker.load_runs()
        assert [result.error for result in tracker.sync() if hasattr(result, "error")] == [None] * 4
        after = tracker.load_runs()
        assert [run.journal_id for run in after] == [run.run_id for run in before]
        assert tracker.sync() == ()
        assert tracker.repair() == ()

    @pytest.mark.usefixtures("work")
    def test_a_store_that_is_away_costs_a_warning_and_no_metric(self) -> None:
        reporter = Collected()
        uri = "http://127.0.0.1:9"
        with tracker.start_run({"seed": 0}, tracking_uri=uri, reporter=reporter) as run:
            run.log_epoch({"val_loss": 1.0})
        assert len(reporter.warnings) == 1
        assert uri in reporter.warnings[0]
        (found,) = tracker.load_runs(uri, reporter=Collected())
        assert (found.run_id, found.metrics["val_loss"]) == (run.run_id, 1.0)

    @pytest.mark.xdist_group("processes")
    def test_two_processes_log_to_a_new_store_at_once(self, work: Path) -> None:
        with Forked(log_five_epochs, 0, folder=work) as one, Forked(log_five_epochs, 1, folder=work) as other:
            said = [process.communicate() for process in (one, other)]
        assert (one.returncode, other.returncode) == (0, 0), said
        runs = tracker.load_runs()
        assert sorted((run.params["seed"], run.status, len(run.curves["val_loss"].values)) for run in runs) == [
            ("0", "FINISHED", 5),
            ("1", "FINISHED", 5),
        ]


@pytest.mark.usefixtures("work")
@pytest.mark.xdist_group("keras")
class TestTrain:
    @pytest.fixture
    def genres(self, work: Path) -> Path:
        """Two classes of five clips each."""
        for label, hertz in (("high", 2_000.0), ("low", 200.0)):
            for number in range(5):
                write_tone(work / f"genres/{label}/{number}.wav", hertz * (1 + number / 50), seed=number)
        return work / "genres"

    def test_train_logs_what_the_command_would_and_returns_the_run(self, genres: Path) -> None:
        options = {"kernel_size": 5, "plateau": (0.3, 10), "segment_s": 0.5, "epochs": 2, "width": 4,
                   "model": SMALL_NETWORK}  # fmt: skip
        run = tracker.train(genres, offline=True, **options)
        assert run.status == "FINISHED"
        assert (run.params["plateau_factor"], run.params["width"]) == ("0.3", "4")
        assert run.name == "networks-small-k5-lr0.001-plateau0.3x10-epochs2-seg0.5-width4-s0"
        again = tracker.train(genres, offline=True, reuse=True, **options)
        assert again.run_id == run.run_id

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"kernel": 7}, "has no option 'kernel'"),
            ({"kernel_sze": 7}, r"has no option 'kernel_sze': did you mean kernel_size\?"),
            ({"dropuot": 0.4}, r"has no option 'dropuot': did you mean dropout\?"),
            ({"kernel_size": 0}, "kernel_size: the kernel size must be 1 to 255, got 0"),
            ({"kernel_size": 10**6}, "kernel_size: the kernel size must be 1 to 255, got 1000000"),
            ({"seed": 2**32}, "seed: the seed must be 0 to 4,294,967,295, got 4294967296"),
            ({"segment_s": math.nan}, "segment_s: the segment length must be above 0 and at most 3,600, got nan"),
            (
                {"width": 10**5_000},
                "option width must be a number, a text or a truth value, got a number of about 5000",
            ),
            ({"name": "n" * 251}, "name must be at most 250 characters, got 251"),
            ({"experiment": "\u202e"}, "experiment must be a text of one line"),
            ({"model": "none"}, "no model 'none'"),
            ({"model": None}, "the model must be text, got None"),
            ({"model": Path("none.py")}, "check the path given to model"),
            ({"dropout": None}, "option dropout must be a number"),
            ({"lr": 1e-4}, "no option 'lr': give it as learning_rate"),
            ({"seeds": 3}, "no option 'seeds': call tracker.train once for each seed"),
            ({"data": 3}, "data must be a path, got 3"),
            ({"data": ""}, "data must be a path, got ''"),
            ({"name": "a\nb"}, "name must be a text of one line"),
            ({"reporter": "x"}, "reporter must be one such as"),
            ({"plateau": (3, 10)}, "factor must be"),
        ],
    )
    def test_train_refuses_an_option_that_there_is_not(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            tracker.train(**({"data": "genres"} | options))

    def test_train_takes_the_numbers_of_numpy(self) -> None:
        with pytest.raises(tracker.TrackerError, match="there is no folder or manifest genres"):
            tracker.train("genres", kernel_size=np.int64(5), learning_rate=np.float32(0.1), dropout=np.array(0.5))

    def test_train_shows_every_option_of_a_run_with_its_default(self) -> None:
        parameters = signature(tracker.train).parameters
        for name, option in LOGGED_OPTIONS.items():
            assert (parameters[name].default, parameters[name].kind.name) == (option.default, "KEYWORD_ONLY")
        assert next(iter(parameters)) == "data"
