from __future__ import annotations

import math
import os
import platform
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tracker
from tracker.errors import TrainingError
from tracker.training.result import Epoch, History, differences, environment, folder_digest, threads, use_backend

if TYPE_CHECKING:
    from pathlib import Path


def history(losses: list[float], keep: str = "best") -> History:
    """After epoch n the probabilities and the weights are all n."""
    found = History(keep)
    for n, loss in enumerate(losses, start=1):
        epoch = Epoch(n, {"val_loss": loss})
        found = found.after(epoch, np.full((3, 2), n, np.float32), lambda n=n: [np.full(4, n)])
    return found


class TestAfter:
    def test_after_adds_an_epoch_and_leaves_the_history_before_it_as_it_was(self):
        before = history([0.5])
        later = before.after(Epoch(2, {"val_loss": 0.4}), np.zeros((3, 2), np.float32), lambda: [np.zeros(4)])
        assert [epoch.number for epoch in later.epochs] == [1, 2]
        assert len(later.probabilities) == 2
        assert len(before.epochs) == len(before.probabilities) == 1
        assert before.weights[0].tolist() == [1] * 4

    def test_after_asks_for_the_weights_only_where_they_are_kept(self):
        def refuse() -> list[np.ndarray]:
            raise AssertionError

        later = history([0.5]).after(Epoch(2, {"val_loss": 0.6}), np.zeros((3, 2), np.float32), refuse)
        assert later.weights[0].tolist() == [1] * 4


class TestKept:
    @pytest.mark.parametrize(
        ("losses", "best", "last"),
        [
            ([0.5, 0.4, 0.6], 1, 2),
            ([0.5, 0.4, 0.4], 1, 2),
            ([math.nan, 0.4, 0.6, math.nan], 1, 2),
            ([0.5, math.inf, math.nan], 0, 0),
            ([-math.inf, 0.5], 1, 1),
        ],
    )
    def test_kept_is_the_best_or_the_last_of_the_epochs_with_a_finite_loss(self, losses, best, last):
        for keep, index in (("best", best), ("last", last)):
            found = history(losses, keep)
            assert found.kept == index
            assert found.best == best
            assert found.weights[0].tolist() == [index + 1] * 4

    @pytest.mark.parametrize("keep", ["best", "last"])
    @pytest.mark.parametrize("losses", [[], [math.nan, math.inf]])
    def test_kept_is_none_where_no_loss_is_finite(self, losses, keep):
        found = history(losses, keep)
        assert found.kept is None
        assert found.best is None
        assert found.weights == ()


class TestThreads:
    def test_there_is_one_thread_by_default(self):
        assert threads({}) == 1

    def test_the_variable_sets_the_number_of_threads(self):
        assert threads({"TRACKER_THREADS": "4"}) == 4

    @pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "", "1025", "1000000", "9" * 5_000, "²"])
    def test_a_number_of_threads_out_of_range_or_not_whole_is_refused(self, text):
        with pytest.raises(TrainingError, match="TRACKER_THREADS must be a whole number, 1 to 1,024, got"):
            threads({"TRACKER_THREADS": text})


class TestUseBackend:
    @pytest.mark.xdist_group("keras")
    def test_keras_keeps_the_backend_that_it_was_imported_with(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import tracker.training.backend  # noqa: F401  (imports Keras)

        monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
        use_backend("tensorflow")
        with pytest.raises(TrainingError, match=r"isn't installed; `pip install jax`|cannot change it to jax"):
            use_backend("jax")
        assert os.environ["KERAS_BACKEND"] == "tensorflow"


class TestEnvironment:
    def test_environment_has_the_versions_threads_and_code_that_decide_a_result(self):
        versions = environment("cnn")
        assert list(versions) == [
            *("tracker", "keras", "tensorflow", "librosa", "numpy", "python", "threads"),
            *("tracker/features", "tracker/runs", "tracker/training", "models/cnn.py"),
        ]
        assert versions["tracker"] == tracker.__version__
        assert versions["python"] == platform.python_version()

    def test_environment_names_the_backend_that_keras_trains_with(self) -> None:
        assert environment("cnn", "torch").keys() - environment("cnn").keys() <= {"torch"}
        assert "tensorflow" not in environment("cnn", "jax")

    def test_environment_has_each_source_of_a_network_given_by_its_path(self, tmp_path: Path) -> None:
        (tmp_path / "my nets").mkdir()
        (tmp_path / "my nets/net.py").write_text("from ._norms import norm")
        (tmp_path / "my nets/_norms.py").write_text("def norm(): ...")
        names = list(environment(str(tmp_path / "my nets/net.py")))
        assert names[-2:] == ["my%20nets/_norms.py", "my%20nets/net.py"]


class TestFolderDigest:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "parts").mkdir()
        (tmp_path / "parts/deep.py").write_text("x = 1")
        return tmp_path

    def test_digest_ignores_files_that_are_not_source(self, folder):
        before = folder_digest(folder)
        (folder / "notes.txt").write_text("other")
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__/deep.pyc").touch()
        assert folder_digest(folder) == before

    def test_digest_changes_with_a_character_a_name_and_a_new_file(self, folder):
        digests = {folder_digest(folder)}
        (folder / "parts/deep.py").write_text("x = 2")
        digests.add(folder_digest(folder))
        (folder / "parts/deep.py").rename(folder / "parts/flat.py")
        digests.add(folder_digest(folder))
        (folder / "parts/new.py").touch()
        digests.add(folder_digest(folder))
        assert len(digests) == 4


class TestDifferences:
    def test_an_unchanged_environment_has_no_differences(self):
        assert differences(environment("cnn"), environment("cnn")) == []

    def test_differences_name_both_values_and_code_by_its_path(self):
        then = {"keras": "3.1", "python": "3.11.1", "threads": "1", "tracker/training": "0f", "models/cnn.py": "1a"}
        now = {"keras": "3.2", "python": "3.11.1", "tracker/training": "1f", "models/cnn.py": "1b"}
        assert differences(then, now) == [
            "keras 3.1 then, 3.2 now",
            "threads 1 then, none now",
            "the code in tracker/training",
            "the code in models/cnn.py",
        ]

    def test_what_was_not_recorded_then_is_no_difference(self):
        assert differences({"tracker": "1"}, {"tracker": "1", "scipy": "2", "tracker/training": "0f"}) == []
