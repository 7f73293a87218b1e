from __future__ import annotations

import numpy as np

from tracker.figures.curves import finding, finding_of_all, table, table_of_all
from tracker.figures.data import trace_of, trace_of_entry


class TestFinding:
    def test_finding_says_where_the_loss_was_lowest_and_where_it_ended(self, entries) -> None:
        assert finding(trace_of_entry(entries[2])) == (
            "Run 3's validation loss is lowest at epoch 24, 0.371, and 0.487 at the last epoch, 44."
        )

    def test_finding_says_when_a_loss_was_lost(self, made) -> None:
        lost = trace_of(made({"loss": [1, np.nan], "val_loss": [1, np.nan]}))
        assert finding(lost) == "The run's loss is not finite from epoch 2 on; the last epoch is 2."

    def test_finding_says_what_was_not_logged(self, made) -> None:
        assert finding(trace_of(made({"loss": [1, 1]}))).endswith("no validation loss was logged.")


class TestFindingOfAll:
    def test_finding_of_all_says_whose_loss_is_lowest(self, entries) -> None:
        traces = [trace_of_entry(entry) for entry in entries]
        assert finding_of_all(traces) == (
            "Loss and accuracy by epoch of 4 runs: the lowest validation loss is Run 3's, 0.371."
        )

    def test_finding_of_all_speaks_of_no_accuracy_where_none_was_logged(self, made) -> None:
        traces = [trace_of(made({"val_loss": [1, 0.5]}), f"Run {number}") for number in (1, 2)]
        assert finding_of_all(traces) == "Loss by epoch of 2 runs: the lowest validation loss is Run 1's, 0.500."


class TestTable:
    def test_table_has_every_epoch_of_a_short_run(self, made) -> None:
        header, rows = table(trace_of(made({"loss": [2, 1], "val_loss": [2, 1.5], "learning_rate": [1e-4, 3e-5]})))
        assert header == ("epoch", "loss", "validation loss", "learning rate", "mark")
        assert rows == (
            ("1", "2.0000", "2.0000", "0.0001", "rate drops after it"),
            ("2", "1.0000", "1.5000", "0.00003", "best, last"),
        )

    def test_table_of_a_long_run_has_the_marked_epochs_among_few(self, entries) -> None:
        _, rows = table(trace_of_entry(entries[0]))
        assert len(rows) < 30
        marks = {row[0]: row[-1] for row in rows if row[-1]}
        assert marks == {"41": "best", "51": "rate drops after it", "56": "last"}

    def test_table_says_which_values_are_not_finite(self, made) -> None:
        _, rows = table(trace_of(made({"loss": [1, np.inf]})))
        assert rows[1][1] == "not finite"


class TestTableOfAll:
    def test_table_of_all_writes_an_accuracy_in_per_cent_as_it_was_logged(self, made) -> None:
        trace = trace_of(made({"val_loss": [1, 0.5], "val_accuracy": [70, 83.3]}), "Run 1")
        header, rows = table_of_all([trace])
        assert rows[0][header.index("its accuracy")] == "83.300"

    def test_table_of_all_has_a_row_a_run(self, entries) -> None:
        _, rows = table_of_all([trace_of_entry(entry) for entry in entries])
        assert rows[3] == ("Run 4", "37", "0.457", "80 %", "47", "0.538", "21, 42")
