from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracker.errors import JournalError
from tracker.journal.reader import Journal, find_journal
from tracker.runs.events import Delivery, Started

if TYPE_CHECKING:
    from collections.abc import Sequence


def journal(beginning: str, name: str = "a run", run_id: str | None = None) -> Journal:
    key = beginning.ljust(32, "0")
    start = Started(1, "sqlite:////tmp/mlflow.db", "tracker", name, "val_accuracy", {}, {})
    delivery = Delivery(run_id, "there", 1) if run_id else None
    return Journal(key, Path(key), (start,), delivery, None, torn=False, lost=(), alive=False)


JOURNALS = [
    journal("a1b2c3", "k7"),
    journal("a1ffff", "k5", run_id="f00d"),
    journal("beef00", "k3"),
    journal("beef01", "k3"),
    journal("c0ffee", "a1b2c3"),
]


class TestFindJournal:
    @pytest.mark.parametrize(
        ("text", "beginning"),
        [
            ("a1b2c3".ljust(32, "0"), "a1b2c3"),
            ("a1f", "a1ffff"),
            ("A1F", "a1ffff"),
            ("k5", "a1ffff"),
            ("c", "c0ffee"),
            ("a1b2c3", "c0ffee"),
            ("f00d", "a1ffff"),
            ("f0", "a1ffff"),
        ],
    )
    def test_takes_an_id_of_its_own_or_of_a_store_its_beginning_or_a_name(self, text: str, beginning: str) -> None:
        assert find_journal(JOURNALS, text).id.startswith(beginning)

    @pytest.mark.parametrize(
        ("text", "candidates"),
        [("a1", "a1b2c300 ('k7'), a1ffff00 ('k5')"), ("k3", "beef0000 ('k3'), beef0100 ('k3')")],
    )
    def test_lists_the_candidates_in_one_line(self, text: str, candidates: str) -> None:
        assert refusal(JOURNALS, text) == f"{text!r} means 2 journals: {candidates}; give more of the id"

    def test_names_the_journals_that_are_there(self) -> None:
        assert refusal(JOURNALS, "x").startswith("no journal has the id or name 'x'; there are: a1b2c300 ('k7'), ")

    def test_means_none_by_no_text(self) -> None:
        assert refusal(JOURNALS, "").startswith("no journal has the id or name ''")

    def test_says_that_there_are_none(self) -> None:
        assert refusal([], "x") == "no journal has the id or name 'x'; there are: none"


def refusal(journals: Sequence[Journal], text: str) -> str:
    with pytest.raises(JournalError) as error:
        find_journal(journals, text)
    return str(error.value)
