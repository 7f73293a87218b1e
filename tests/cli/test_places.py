"""Containers, other people's folders and odd clocks: each works, or is told in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.processes import command
from tracker.errors import TrainingError
from tracker.recording.train import _check_clock

if TYPE_CHECKING:
    from tests.running import LogRun, Tracker

NOBODY = "54321"
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
needs_another_user = pytest.mark.skipif(
    os.name != "posix" or os.getuid() != 0 or not shutil.which("setpriv"), reason="only root can be another user"
)
NAMELESS = """
import os
from pathlib import Path
from tracker.features.extract import give_librosa_a_folder
from tracker.recording.run_writer import account
from tracker.atomic_files import cache_folder

print(account())
folder = cache_folder()
assert folder == cache_folder() and folder.is_dir() and os.access(folder, os.W_OK)
give_librosa_a_folder(Path("/nowhere"))
import librosa.filters
print(librosa.filters.mel(sr=22_050, n_fft=2_048, n_mels=16).shape)
import tracker.store.mlflow_client
print(folder)
"""

EACH = """
import sys
from tracker.cli import main

for words in sys.argv[1:]:
    try:
        main(words.split())
    except SystemExit as ended:
        print(end=f"\\0{ended.code or 0}\\0", file=sys.stderr)
"""


class TestUsers:
    @needs_another_user
    def test_a_user_without_a_name_a_home_or_a_writable_installation_trains(self, tmp_path: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in {"HOME", "LOGNAME", "USER"}}
        environment |= {"TRACKER_CACHE": "", "MPLCONFIGDIR": "", "XDG_CACHE_HOME": ""}
        environment.pop("NUMBA_CACHE_DIR", None)
        done = subprocess.run(
            [*AS_NOBODY, sys.executable, "-c", NAMELESS],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        name, shape, folder = done.stdout.splitlines()
        assert (name, shape) == (NOBODY, "(16, 1025)")
        assert not Path(folder).exists()
        assert not list(tmp_path.iterdir())

    @needs_another_user
    def test_a_project_of_another_user_is_read(self, log_run: LogRun) -> None:
        log_run("1101", kernel_size="3")
        folder = Path.cwd()
        before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
        for parent in [folder, *folder.parents][:-2]:
            parent.chmod(0o755)
        words = [*AS_NOBODY, sys.executable, "-c", EACH, "runs", "report --format summary", "report --output R.md"]
        environment = os.environ | {"HOME": "/"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        assert "Traceback" not in done.stderr
        *ended, _ = done.stderr.split("\0")
        assert ended[1::2] == ["0", "0", "1"], done.stderr
        assert all(len(said.splitlines()) <= 1 for said in ended[::2])
        assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


class TestSettings:
    def test_a_backend_of_matplotlib_that_there_is_not_changes_nothing(self, log_run: LogRun) -> None:
        log_run("1101", kernel_size="3")
        words = [sys.executable, "-m", "tracker", "report"]
        environment = os.environ | {"MPLBACKEND": "exploded"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("mask", [0o077, 0o027])
    def test_files_are_written_whatever_the_mask(self, tracker: Tracker, log_run: LogRun, mask: int) -> None:
        before = os.umask(mask)
        try:
            log_run("1101", kernel_size="3")
            assert tracker("report", "--output", "R.md").status == 0
            assert tracker("sync").status == 0
            assert tracker("runs").status == 0
        finally:
            os.umask(before)
        assert not Path("R.md").stat().st_mode & mask


class TestClock:
    @pytest.mark.parametrize("year", [1901, 1979, 2108, 9999])
    def test_a_clock_whose_dates_no_saved_model_can_hold_is_named_before_training(self, year: int) -> None:
        with pytest.raises(TrainingError, match=f"clock says it is {year}.*: set it"):
            _check_clock(year)

    @pytest.mark.parametrize("year", [1980, 2026, 2107])
    def test_any_other_clock_will_do(self, year: int) -> None:
        _check_clock(year)


class TestAtOnce:
    def test_sixteen_reports_into_two_files_all_succeed_and_leave_them_whole(
        self, tracker: Tracker, log_run: LogRun
    ) -> None:
        log_run("1101", kernel_size="3")
        log_run("1000", kernel_size="5")
        for ending in ("md", "html"):
            assert tracker("report", "--output", f"wanted.{ending}").status == 0
        folder = Path.cwd()
        files = ["R.md"] * 4 + ["R.html"] * 12  # Markdown takes longer, for its figures
        processes = [command(("report", "--output", file), folder=folder) for file in files]
        said = [process.communicate() for process in processes]
        assert [process.returncode for process in processes] == [0] * 16, said
        for ending in ("md", "html"):
            assert Path(f"R.{ending}").read_text() == Path(f"wanted.{ending}").read_text()
        assert not [path for path in folder.iterdir() if path.name not in NAMES]


NAMES = {"R.md", "R.html", "wanted.md", "wanted.html", "reports", "mlflow.db", "mlruns", ".tracker"}
