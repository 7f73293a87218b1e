from __future__ import annotations

import platform

import pytest

import tracker
from tracker.errors import TrainingError
from tracker.training.environment import environment, threads


class TestThreads:
    def test_is_one_unless_said(self):
        assert threads({}) == 1

    def test_is_what_the_variable_says(self):
        assert threads({"TRACKER_THREADS": "4"}) == 4

    @pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
    def test_refuses_what_is_no_number_of_threads(self, text):
        with pytest.raises(TrainingError, match="TRACKER_THREADS must be a whole number of at least 1, got"):
            threads({"TRACKER_THREADS": text})


class TestEnvironment:
    def test_names_what_decides_the_result(self):
        versions = environment()
        assert list(versions) == ["tracker", "keras", "tensorflow", "librosa", "numpy", "python", "threads"]
        assert versions["tracker"] == tracker.__version__
        assert versions["python"] == platform.python_version()
