"""The columns of a table of runs: those of which any run has something, and the primary metric among them.

The evidence of a conclusion: its numbers in one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from tracker import wording
from tracker.conclusions import kind_of
from tracker.render.sanitize import plain
from tracker.study.metrics import is_fraction
from tracker.wording import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report import Report, RunEntry
    from tracker.statistics.proportions import Interval

_TIME = "Time"

NOTHING = Markup()


@dataclass(frozen=True, slots=True)
class Fact:
    """A result of a run: what, how much, and a note in brackets (maybe empty)."""

    title: str
    value: Markup
    note: Markup


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Parameters
    ----------
    title : str
        Its head; a metric's name is other people's text.
    cell : callable
        Writes what stands in it of a run.
    numeric : bool
        Whether it is set flush right.
    primary : bool
        Whether the best run's cell is set in bold.
    tight : bool
        Whether its cells stay on one line.
    """

    title: str
    cell: Callable[[RunEntry], Markup]
    numeric: bool = True
    primary: bool = False
    tight: bool = False


def table_columns(report: Report) -> tuple[Column, ...]:
    """Return the columns of the table of all runs, but for its number and its options."""
    return tuple(_occurring(_of_table(report), report.entries))


def section_columns(report: Report, entries: Sequence[RunEntry]) -> tuple[Column, ...]:
    """Return the columns of the table of one configuration's runs, but for number and seed; metrics as logged."""
    columns = (
        Column("Validation Loss", _logged_loss, numeric=False),
        Column("Validation Accuracy", _logged_accuracy, numeric=False),
        *(_of_metric(report, _logged_score) if not report.metric.is_standard else ()),
        Column("Right", ratio),
        _interval(),
        *_epochs_and_time(entries),
    )
    return tuple(_occurring(columns, entries))


def legend(report: Report) -> str:
    """Say what stands in the columns of the table of all runs."""
    shown = {column.title: column for column in table_columns(report)}
    loss = ", and the validation loss of the same weights" if "Loss" in shown else ""
    kept = _of_which_epoch(report) if "Best epoch" in shown else ""
    most = "; in bold the most" if report.metric.is_accuracy else ""
    said = []
    if "Right" in shown:
        share = f"Then their share and its 95 % interval in percent{loss}."
        said = [f"Right: validation clips classified as labelled, with the kept weights{most}. {share}"]
    elif "%" in shown:
        highest = "; in bold the highest" if report.metric.is_accuracy else ""
        then = " Then the validation loss of the same weights." if loss else ""
        said = [f"%: validation accuracy in percent{kept}{highest}.{then}"]
    elif "Loss" in shown:
        said = [f"Loss: validation loss{kept}."]
    metric = report.metric
    if metric.name in shown:
        better, best = ("less", "lowest") if metric.lower_is_better else ("more", "highest")
        said.append(f"{metric.name}: what the runs are compared by{kept}; {better} is better, in bold the {best}.")
    return " ".join(said)


def _of_which_epoch(report: Report) -> str:
    known = all(entry.result.says_kept for entry in report.entries)
    return ", with the kept weights" if known else ", at the best epoch"


def score_writer(report: Report) -> Callable[[RunEntry], Markup]:
    """Return what writes a run's value of the primary metric, with the digits that set the runs' apart."""
    digits = wording.digits_apart([entry.result.score for entry in report.entries if entry.result.score is not None])
    return lambda entry: plain(wording.fixed_cell(entry.result.score, digits))


def _of_table(report: Report) -> Iterator[Column]:
    yield Column("Right", ratio, primary=report.metric.is_accuracy)
    uncounted = report.metric.is_accuracy and not any(entry.result.accuracy for entry in report.entries)
    yield Column("%", percent_correct, primary=uncounted)
    yield _interval()
    yield from _of_metric(report, score_writer(report))
    if not report.metric.is_loss:
        yield Column("Loss", lambda entry: plain(wording.loss_cell(entry.result.val_loss)))
    yield from _epochs_and_time(report.entries)


def _of_metric(report: Report, write: Callable[[RunEntry], Markup]) -> Iterator[Column]:
    """Yield the column of the primary metric, where no other column has it."""
    if not report.metric.is_accuracy:
        yield Column(report.metric.name, write, primary=True)


def _logged_loss(entry: RunEntry) -> Markup:
    return plain(wording.logged_cell(entry.result.val_loss))


def _logged_accuracy(entry: RunEntry) -> Markup:
    return plain(wording.logged_cell(entry.result.val_accuracy))


def _logged_score(entry: RunEntry) -> Markup:
    return plain(wording.logged_cell(entry.result.score))


def _interval() -> Column:
    return Column(
        "95 % interval",
        lambda entry: plain(wording.percent_bounds_cell(_interval_of(entry))),
        numeric=False,
        tight=True,
    )


def _epochs_and_time(entries: Sequence[RunEntry]) -> tuple[Column, ...]:
    apart = any(kept_epoch(entry) != NONE for entry in entries)
    return (
        Column("Best epoch", lambda entry: plain(wording.whole_cell(entry.result.best_epoch))),
        *((Column("Kept epoch", lambda entry: plain(wording.whole_cell(entry.result.kept_epoch))),) if apart else ()),
        Column("Stop epoch", lambda entry: plain(wording.whole_cell(entry.result.stop_epoch))),
        Column("Seconds", lambda entry: plain(wording.seconds_number_cell(entry.result.seconds))),
    )


def _occurring(columns: Iterator[Column] | Sequence[Column], entries: Sequence[RunEntry]) -> Iterator[Column]:
    """Yield the columns of which any run has something."""
    yield from (column for column in columns if any(column.cell(entry) != NONE for entry in entries))


def ratio(entry: RunEntry) -> Markup:
    """Return how many clips are correct, as ``25/30``."""
    accuracy = entry.result.accuracy
    return plain(NONE if accuracy is None else f"{accuracy.correct}/{accuracy.n}")


def correct_of(entry: RunEntry) -> Markup:
    """Return how many clips are correct, as ``25 of 30``."""
    accuracy = entry.result.accuracy
    return plain(NONE if accuracy is None else f"{accuracy.correct} of {accuracy.n}")


def accuracy_interval(entry: RunEntry) -> Markup:
    """Return the 95 % interval of a run's accuracy."""
    return plain(wording.percent_interval_cell(_interval_of(entry)))


def percent_correct(entry: RunEntry) -> Markup:
    """Write a run's accuracy in percent; nothing where it was logged otherwise than as a share of clips."""
    accuracy = entry.result.accuracy
    fraction = accuracy.fraction if accuracy else entry.result.val_accuracy
    return plain(wording.percent_number_cell(fraction if is_fraction(fraction) else None))


def description(entry: RunEntry) -> tuple[Fact, ...]:
    """Return what stands in a run's own description."""
    result, interval = entry.result, accuracy_interval(entry)
    correct = Markup("{} validation clips, 95 % interval {}").format(correct_of(entry), interval)
    return (
        Fact("Validation Loss", _logged_loss(entry), NOTHING),
        Fact("Validation Accuracy", _logged_accuracy(entry), NOTHING),
        Fact("Right", correct, NOTHING),
        Fact("Best epoch", plain(wording.whole_cell(result.best_epoch)), NOTHING),
        Fact("Stop epoch", plain(wording.whole_cell(result.stop_epoch)), NOTHING),
        Fact("Time in epochs", plain(wording.seconds_cell(result.seconds)), NOTHING),
    )


def _interval_of(entry: RunEntry) -> Interval | None:
    return entry.result.accuracy.interval if entry.result.accuracy else None


def kept_epoch(entry: RunEntry) -> Markup:
    """Write whose epoch's weights were kept, where that is not the best one's."""
    result = entry.result
    return plain(wording.whole_cell(None if result.kept_epoch == result.best_epoch else result.kept_epoch))


def results(report: Report, entry: RunEntry) -> tuple[Fact, ...]:
    """Return what a run came to, as logged."""
    accuracy, own = entry.result.accuracy, not report.metric.is_standard
    interval = accuracy_interval(entry)
    counted = Markup("{}, 95 % interval {}").format(correct_of(entry), interval) if accuracy else Markup()
    return (
        *_known("Validation Loss", _logged_loss(entry)),
        *_known("Validation Accuracy", _logged_accuracy(entry), counted),
        *(_known(report.metric.name, plain(wording.logged_cell(entry.result.score))) if own else ()),
    )


def training_summary(entry: RunEntry) -> tuple[Fact, ...]:
    """Return how a run's training went."""
    return (
        *_known("Best epoch", plain(wording.whole_cell(entry.result.best_epoch))),
        *_known("Kept epoch", kept_epoch(entry)),
        *_known("Stop epoch", plain(wording.whole_cell(entry.result.stop_epoch))),
        *_known(_TIME, plain(wording.seconds_cell(entry.result.seconds))),
    )


def training_line(entry: RunEntry) -> Markup:
    """Return the same in a line: ``Best epoch 24, stop epoch 44, 14 s``."""
    said = [
        fact.value if fact.title == "Time" else Markup("{} {}").format(fact.title, fact.value)
        for fact in training_summary(entry)
    ]
    line = Markup(", ").join([*said[:1], *(text[:1].lower() + text[1:] for text in said[1:])])
    return line[:1].upper() + line[1:]


def _known(title: str, value: Markup, note: Markup = NOTHING) -> tuple[Fact, ...]:
    return () if value == NONE and not note else (Fact(title, value, note),)


def facts(conclusion: Conclusion, alpha: float, *, in_points: bool = True) -> tuple[str, ...]:
    """Return the numbers that a conclusion rests on, as phrases; none where it follows without inference.

    Differences are of accuracy, in points, unless runs are compared by another metric.
    """
    if conclusion.estimate is None and conclusion.p_value is None:
        return ()
    adjusted, raw = conclusion.p_adjusted, conclusion.p_value
    estimates = kind_of(conclusion).estimates
    size = wording.points_cell(conclusion.estimate) if in_points else wording.change_cell(conclusion.estimate)
    found = (
        conclusion.estimate is not None and f"{estimates} {size}",
        conclusion.interval is not None and f"95 % interval {wording.points_interval_cell(conclusion.interval)}",
        raw is not None and wording.p_text(raw, alpha),
        adjusted is not None and f"adjusted {wording.p_text(adjusted, alpha)}",
        conclusion.n is not None and f"n = {conclusion.n}",
        conclusion.method,
    )
    return tuple(phrase for phrase in found if phrase)
