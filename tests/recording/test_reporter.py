"""Reporters pass on what they are told: to nobody, to a logger, to a stream."""

from __future__ import annotations

import io
import logging

import pytest

from tracker.recording.reporter import EpochLines, LoggingReporter, PrintReporter, Reporter, SilentReporter
from tracker.training.result import Epoch

EPOCH = Epoch(3, {"loss": 0.5, "val_loss": 0.25, "val_accuracy": 1.0, "learning_rate": 1e-4, "epoch_seconds": 2.0})


def tell(reporter: Reporter) -> None:
    """Tell a reporter one thing of each kind."""
    reporter.log("a message")
    reporter.warn("a warning")
    with reporter.progress("reading", 2) as progress:
        progress(1, 2)
    with reporter.epochs("a run", 60) as epochs:
        epochs.on_batch(1, 2)
        epochs.on_epoch(EPOCH)


def test_a_silent_reporter_says_nothing(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        tell(SilentReporter())
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_logging_reporter_logs_messages_as_info_and_warnings_as_warnings(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        tell(LoggingReporter())
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "a message"),
        ("WARNING", "a warning"),
        ("INFO", "epoch 3/60  loss 0.500  val_loss 0.250  val_accuracy 1.000  lr 0.0001"),
    ]


def test_a_print_reporter_prints_a_line_each() -> None:
    stream = io.StringIO()
    tell(PrintReporter(stream))
    assert stream.getvalue().splitlines() == [
        "a message",
        "warning: a warning",
        "epoch 3/60  loss 0.500  val_loss 0.250  val_accuracy 1.000  lr 0.0001",
    ]


def test_a_print_reporter_prints_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    PrintReporter().log("hello")
    assert capsys.readouterr().out == "hello\n"


@pytest.mark.parametrize(
    ("limit", "ending"), [(4, "up to 2 s left"), (303, "up to 10 min left"), (3, "lr 0.0001")], ids=str
)
def test_the_time_left_is_in_readable_units_and_not_given_after_the_last_epoch(limit: int, ending: str) -> None:
    lines: list[str] = []
    EpochLines(lines.append, limit, time_left=True).on_epoch(EPOCH)
    assert lines[0].endswith(f"  {ending}")


def test_the_time_left_does_not_count_what_the_first_batch_waits_for() -> None:
    lines: list[str] = []
    clock = iter([100.0, 103.0]).__next__
    lines_of = EpochLines(lines.append, 13, time_left=True, clock=clock)
    for number in (1, 2):
        for batch in (1, 2, 3, 4):
            lines_of.on_batch(batch, 4)
        lines_of.on_epoch(Epoch(number, {**EPOCH.metrics, "epoch_seconds": 20.0 if number == 1 else 5.0}))
    # 3 s after the first of four batches: 4 s an epoch; then the second epoch's own 5 s
    assert [line.partition("0.0001  ")[2] for line in lines] == ["up to 48 s left", "up to 55 s left"]
