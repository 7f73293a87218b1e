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
from tracker.study.run_results import says_kept
from tracker.wording import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report import Report, RunEntry
    from tracker.statistics.proportions import Interval

NOTHING = Markup()


@dataclass(frozen=True, slots=True)
class Fact:
    """A result of a run: what, how much, and a note in brackets (maybe empty)."""

    title: str
    value: Markup
    note: Markup = NOTHING


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of runs."""

    title: str  # a metric's name is other people's text
    cell: Callable[[RunEntry], Markup]
    numeric: bool = True  # set flush right
    primary: bool = False  # the best run's cell is set in bold
    tight: bool = False  # its cells stay on one line


def table_columns(report: Report) -> tuple[Column, ...]:
    """Return the columns of the table of all runs, but for its number and its options."""
    metric, entries = report.metric, report.entries
    uncounted = metric.is_accuracy and not any(entry.result.accuracy for entry in entries)
    columns = (
        Column("Right", ratio, primary=metric.is_accuracy),
        Column("%", percent_correct, primary=uncounted),
        _INTERVAL,
        *(() if metric.is_accuracy else (Column(metric.name, score_writer(entries), primary=True),)),
        *(() if metric.is_loss else (Column("Loss", lambda entry: plain(wording.loss_cell(entry.result.val_loss))),)),
        *_epochs_and_time(entries),
    )
    return _occurring(columns, entries)


def section_columns(report: Report, entries: Sequence[RunEntry]) -> tuple[Column, ...]:
    """Return the columns of the table of one configuration's runs, but for number and seed; metrics as logged."""
    metric = report.metric
    own = Column(metric.name, lambda entry: _logged(entry.result.score), primary=True)
    columns = (
        Column("Validation Loss", lambda entry: _logged(entry.result.val_loss), numeric=False),
        Column("Validation Accuracy", lambda entry: _logged(entry.result.val_accuracy), numeric=False),
        *(() if metric.is_standard else (own,)),
        Column("Right", ratio),
        _INTERVAL,
        *_epochs_and_time(entries),
    )
    return _occurring(columns, entries)


def legend(report: Report) -> str:
    """Return what stands in the columns of the table of all runs."""
    metric, shown = report.metric, {column.title for column in table_columns(report)}
    kept = ", with the kept weights" if all(says_kept(entry.run) for entry in report.entries) else ", at the best epoch"
    kept = kept if "Best epoch" in shown else ""
    sentences = []
    if "Right" in shown:
        most = "; in bold the most" if metric.is_accuracy else ""
        loss = ", and the validation loss of the same weights" if "Loss" in shown else ""
        sentences.append(f"Right: validation clips classified as labelled, with the kept weights{most}.")
        sentences.append(f"Then their share and its 95 % interval in percent{loss}.")
    elif "%" in shown:
        highest = "; in bold the highest" if metric.is_accuracy else ""
        sentences.append(f"%: validation accuracy in percent{kept}{highest}.")
        sentences += ["Then the validation loss of the same weights."] if "Loss" in shown else []
    elif "Loss" in shown:
        sentences.append(f"Loss: validation loss{kept}.")
    if metric.name in shown:
        better, best = ("less", "lowest") if metric.lower_is_better else ("more", "highest")
        sentences.append(f"{metric.name}: what the runs are compared by{kept}; {better} is better, in bold the {best}.")
    return " ".join(sentences)


def score_writer(entries: Sequence[RunEntry]) -> Callable[[RunEntry], Markup]:
    """Return what writes a run's value of the primary metric, with the digits that set the runs' apart."""
    digits = wording.digits_apart([entry.result.score for entry in entries if entry.result.score is not None])
    return lambda entry: plain(wording.fixed_cell(entry.result.score, digits))


def _logged(value: float | None) -> Markup:
    return plain(wording.logged_cell(value))


def whole(value: int | None) -> Markup:
    """Return a count or an epoch."""
    return plain(wording.whole_cell(value))


def _interval_of(entry: RunEntry) -> Interval | None:
    return entry.result.accuracy.interval if entry.result.accuracy else None


_INTERVAL = Column(
    "95 % interval",
    lambda entry: plain(wording.percent_bounds_cell(_interval_of(entry))),
    numeric=False,
    tight=True,
)


def _epochs_and_time(entries: Sequence[RunEntry]) -> tuple[Column, ...]:
    apart = any(kept_epoch(entry) != NONE for entry in entries)
    return (
        Column("Best epoch", lambda entry: whole(entry.result.best_epoch)),
        *((Column("Kept epoch", lambda entry: whole(entry.result.kept_epoch)),) if apart else ()),
        Column("Stop epoch", lambda entry: whole(entry.result.stop_epoch)),
        Column("Seconds", lambda entry: plain(wording.seconds_number_cell(entry.result.seconds))),
    )


def _occurring(columns: Sequence[Column], entries: Sequence[RunEntry]) -> tuple[Column, ...]:
    """Return the columns of which any run has something."""
    return tuple(column for column in columns if any(column.cell(entry) != NONE for entry in entries))


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
    """Return a run's accuracy in percent; nothing if it wasn't logged as a fraction of clips."""
    accuracy = entry.result.accuracy
    fraction = accuracy.fraction if accuracy else entry.result.val_accuracy
    return plain(wording.percent_number_cell(fraction if is_fraction(fraction) else None))


def description(entry: RunEntry) -> tuple[Fact, ...]:
    """Return what stands in a run's own description."""
    result, interval = entry.result, accuracy_interval(entry)
    correct = Markup("{} validation clips, 95 % interval {}").format(correct_of(entry), interval)
    return (
        Fact("Validation Loss", _logged(result.val_loss)),
        Fact("Validation Accuracy", _logged(result.val_accuracy)),
        Fact("Right", correct),
        Fact("Best epoch", whole(result.best_epoch)),
        Fact("Stop epoch", whole(result.stop_epoch)),
        Fact("Time in epochs", plain(wording.seconds_cell(result.seconds))),
    )


def kept_epoch(entry: RunEntry) -> Markup:
    """Return whose epoch's weights were kept, if that isn't the best one's."""
    result = entry.result
    return whole(None if result.kept_epoch == result.best_epoch else result.kept_epoch)


def results(report: Report, entry: RunEntry) -> tuple[Fact, ...]:
    """Return a run's results, as logged."""
    result, counted = entry.result, NOTHING
    if result.accuracy:
        counted = Markup("{}, 95 % interval {}").format(correct_of(entry), accuracy_interval(entry))
    return (
        *_known("Validation Loss", _logged(result.val_loss)),
        *_known("Validation Accuracy", _logged(result.val_accuracy), counted),
        *(() if report.metric.is_standard else _known(report.metric.name, _logged(result.score))),
    )


def training_summary(entry: RunEntry) -> tuple[Fact, ...]:
    """Return how a run's training went."""
    return (
        *_known("Best epoch", whole(entry.result.best_epoch)),
        *_known("Kept epoch", kept_epoch(entry)),
        *_known("Stop epoch", whole(entry.result.stop_epoch)),
        *_known("Time", plain(wording.seconds_cell(entry.result.seconds))),
    )


def training_line(entry: RunEntry) -> Markup:
    """Return the same in a line: ``Best epoch 24, stop epoch 44, 14 s``."""
    parts = [
        fact.value if fact.title == "Time" else Markup("{} {}").format(fact.title, fact.value)
        for fact in training_summary(entry)
    ]
    line = Markup(", ").join([*parts[:1], *(text[:1].lower() + text[1:] for text in parts[1:])])
    return line[:1].upper() + line[1:]


def _known(title: str, value: Markup, note: Markup = NOTHING) -> tuple[Fact, ...]:
    return () if value == NONE and not note else (Fact(title, value, note),)


def facts(conclusion: Conclusion, alpha: float, *, in_points: bool = True) -> tuple[str, ...]:
    """Return the numbers that a conclusion rests on, as phrases; none if it follows without inference.

    Differences are of accuracy, in points, unless runs are compared by another metric.
    """
    if conclusion.estimate is None and conclusion.p_value is None:
        return ()
    adjusted, raw = conclusion.p_adjusted, conclusion.p_value
    estimates = kind_of(conclusion).estimates
    size = wording.points_cell(conclusion.estimate) if in_points else wording.change_cell(conclusion.estimate)
    phrases = (
        conclusion.estimate is not None and f"{estimates} {size}",
        conclusion.interval is not None and f"95 % interval {wording.points_interval_cell(conclusion.interval)}",
        raw is not None and wording.p_text(raw, alpha),
        adjusted is not None and f"adjusted {wording.p_text(adjusted, alpha)}",
        conclusion.n is not None and f"n = {conclusion.n}",
        conclusion.method,
    )
    return tuple(phrase for phrase in phrases if phrase)
