from __future__ import annotations

import platform

import pytest

import tracker
from tracker.errors import TrainingError
from tracker.training.environment import code_digests, differences, environment, threads


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
        named = ["tracker", "keras", "tensorflow", "librosa", "numpy", "python", "threads"]
        assert list(versions) == [*named, *code_digests()]
        assert versions["tracker"] == tracker.__version__
        assert versions["python"] == platform.python_version()


class TestDifferences:
    def test_are_none_where_all_is_as_it_was(self):
        assert differences("cnn", environment(), environment()) == []

    def test_name_each_with_both_values_and_code_by_its_place(self):
        then = {"keras": "3.1", "python": "3.11.1", "threads": "1", "tracker/training": "0f", "models/cnn.py": "1a"}
        now = {"keras": "3.2", "python": "3.11.1", "tracker/training": "1f", "models/cnn.py": "1b"}
        assert differences("cnn", then, now) == [
            "keras 3.1 then, 3.2 now",
            "threads 1 then, none now",
            "the code in tracker/training",
            "the code in models/cnn.py",
        ]

    def test_are_not_of_the_code_of_other_networks(self):
        assert differences("cnn", {"models/rnn.py": "1", "models/cnn.py": "2"}, {"models/cnn.py": "2"}) == []

    def test_are_of_what_was_noted_then_alone(self):
        assert differences("cnn", {"tracker": "1"}, {"tracker": "1", "scipy": "2", "tracker/training": "0f"}) == []
