"""What `tracker run` begins to record, and what it refuses to, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.running import Tracker


class TestRecorder:
    @pytest.mark.parametrize(
        ("option", "text", "said"),
        [
            ("--experiment", "x" * 501, "--experiment must be at most 500 characters, got 501"),
            ("--name", "caf\udce9", r"--name must be a text of one line, got 'caf\udce9'"),
        ],
    )
    def test_recorder_begins_no_journal_that_mlflow_would_never_take(
        self, tracker: Tracker, genres: Path, option: str, text: str, said: str
    ) -> None:
        result = tracker("run", "--data", genres, "--epochs", 1, "--segment", 0.5, option, text)
        assert result.status == 2
        assert said in result.err
        assert not list(Path.cwd().iterdir())
