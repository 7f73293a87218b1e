"""One line and an exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tracker.render import gate_schema

if TYPE_CHECKING:
    from tests.running import LogRun, Tracker

PUBLISHED = Path(__file__).parents[2] / "docs/gate.schema.json"
BETTER, WORSE = "1" * 36 + "0" * 4, "1" * 14 + "0" * 26


@pytest.fixture
def logged(log_run: LogRun) -> None:
    for seed in range(3):
        log_run(BETTER, name=f"good-{seed}", seed=str(seed), kernel_size="7")
        log_run(WORSE, name=f"bad-{seed}", seed=str(seed), kernel_size="3")
    log_run(WORSE, name="once", kernel_size="5")


@pytest.mark.usefixtures("logged")
class TestGate:
    @pytest.mark.parametrize(
        ("candidate", "baseline", "status", "begins"),
        [
            ("good-0", "bad-0", 0, "holds: the 7×7 kernel with lr 1e-3 is 55 points better than the 3×3 kernel"),
            ("kernel=3", "kernel=7", 1, "does not hold: the 3×3 kernel"),
            ("once", "kernel=7", 3, "cannot tell yet: the candidate has 1 run and the baseline 3 runs"),
        ],
    )
    def test_the_exit_status_is_the_answer(
        self, tracker: Tracker, candidate: str, baseline: str, status: int, begins: str
    ) -> None:
        answered = tracker("gate", "--candidate", candidate, "--baseline", baseline)
        assert (answered.status, answered.err) == (status, "")
        assert answered.out.startswith(begins)
        assert answered.out.count("\n") == 1

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--candidate", "nope", "--baseline", "once"), "tracker: no run has the id or name 'nope'"),
            (("--candidate", "once", "--baseline", "once"), "tracker gate: the candidate is the baseline"),
            (
                ("--candidate", "once", "--baseline", "good-0", "--jobs", "2"),
                "tracker gate: Invalid value for '--jobs': it is about training further seeds: give --max-seeds too",
            ),
            (
                ("--candidate", "once", "--baseline", "good-0", "--margin", "-1"),
                "tracker gate: Invalid value for '--margin'",
            ),
        ],
    )
    def test_a_question_that_cannot_be_asked_has_a_status_of_its_own(
        self, tracker: Tracker, words: tuple[str, ...], said: str
    ) -> None:
        refused = tracker("gate", *words)
        assert (refused.status, refused.out) == (2, "")
        assert refused.err.startswith(said)
        assert refused.err.count("\n") == 1

    def test_max_seeds_trains_nothing_if_the_runs_can_tell_or_have_as_many(self, tracker: Tracker) -> None:
        told = tracker("gate", "--candidate", "good-0", "--baseline", "bad-0", "--max-seeds", "8")
        assert (told.status, told.err) == (0, "")
        assert tracker("gate", "--candidate", "once", "--baseline", "bad-0", "--max-seeds", "1").status == 3

    def test_json_is_as_the_published_schema_says(self, tracker: Tracker) -> None:
        assert PUBLISHED.read_text() == gate_schema(), "make schema writes it"
        validator = Draft202012Validator(json.loads(gate_schema()))
        for words in (("--series", "a"), ("--require", "better"), ()):
            answered = tracker("gate", "--candidate", "once", "--baseline", "bad-0", "--format", "json", *words)
            document = json.loads(answered.out)
            validator.validate(document)
            assert document["exit_status"] == answered.status == 3
