"""Tables of runs, with the columns of which any run has something, and facts of runs and conclusions in numbers."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tracker import wording
from tracker.conclusions import kind_of, with_sentence
from tracker.conclusions.best_configuration import not_tested
from tracker.conclusions.conclusion import Table
from tracker.conclusions.stability import Spread
from tracker.render.sanitize import plain
from tracker.report.ranking_metric import value_words
from tracker.study.metric_roles import LOSS, part_of, role_of
from tracker.study.metrics import is_fraction
from tracker.wording import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from tracker.answers import AnswerId
    from tracker.conclusions.best_configuration import Standing
    from tracker.conclusions.conclusion import Conclusion, KindName, Verdict
    from tracker.report import Report, RunEntry, Section
    from tracker.statistics.proportions import Interval
    from tracker.study.metrics import Metric
    from tracker.study.other_metrics import OtherMetric
    from tracker.study.run_results import RunResult

NOTHING = Markup()

# Cells that a column of numbers has: digits with a sign and a unit, or the mark for none.
_NUMBER = re.compile(r"[−+-]?[\d.,]*(?: ?%| points?)?|–")
_NUMBER_OR_FOLD = re.compile(r"[0-9]{1,10}(?:[./][0-9]{1,10})?")


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


def _column(title: str, write: Callable[[Any], str], value: Callable[[RunResult], Any], **look: bool) -> Column:
    return Column(title, lambda entry: plain(write(value(entry.result))), **look)


def _interval(result: RunResult) -> Interval | None:
    return result.accuracy.interval if result.accuracy else None


def _accuracy(result: RunResult) -> float | None:
    """Return the fraction of clips classified correctly; as logged if they were not counted."""
    return result.accuracy.fraction if result.accuracy else result.val_accuracy


VAL_LOSS = _column("Loss", wording.metric_text, lambda result: result.val_loss)
BEST = _column("Best epoch", wording.whole_cell, lambda result: result.best_epoch)
KEPT = _column("Kept epoch", wording.whole_cell, lambda result: result.kept_epoch)
STOP = _column("Stop epoch", wording.whole_cell, lambda result: result.stop_epoch)
_SECONDS = _column("Seconds", wording.seconds_number_cell, lambda result: result.seconds)
_INTERVAL = _column("95% interval", wording.percent_bounds_cell, _interval, numeric=False, tight=True)
_LOGGED_LOSS = _column("Validation loss", wording.metric_text, lambda result: result.val_loss, numeric=False)
_LOGGED_ACCURACY = _column("Validation accuracy", wording.percent_cell, _accuracy, numeric=False)


def _logged_score(report: Report) -> tuple[Column, ...]:
    """Return the column of the primary metric as logged, if it isn't the loss or the accuracy."""
    column = Column(_score_title(report.metric), _score_writer_of(report), primary=True)
    return () if report.metric.is_standard else (column,)


def _score_title(metric: Metric) -> str:
    return f"{metric.name} (training)" if metric.is_of_fit else metric.name


def table_columns(report: Report) -> tuple[Column, ...]:
    """Return the columns of the table of all runs, but for its number and its options."""
    metric, entries = report.metric, report.entries
    uncounted = metric.is_accuracy and not any(entry.result.accuracy for entry in entries)
    columns = (
        *_split_columns(entries),
        Column("Correct", ratio, primary=metric.is_accuracy),
        Column("%", percent_correct, primary=uncounted),
        _INTERVAL,
        *(() if metric.is_accuracy else (Column(_score_title(metric), score_writer(entries), primary=True),)),
        *(() if metric.is_loss else (VAL_LOSS,)),
        *(other_column(other, entries) for other in report.other_metrics.shown),
    )
    return _occurring(columns, entries)


_OWN_NAMES = {"test_accuracy": "test accuracy", "test_loss": "test loss"}  # of metrics that `tracker evaluate` logs


def other_column(other: OtherMetric, entries: Sequence[RunEntry]) -> Column:
    """Return the column of a metric beside the primary one, accuracies in percent."""
    values = {entry.run.run_id: value for entry, value in zip(entries, other.values, strict=True) if value is not None}
    training = " (training)" if other.part == "training" and part_of(other.name) is None else ""
    numbers = [value.value for value in values.values()]
    write = wording.percent_number_cell if other.is_fraction else _writer(numbers)
    if role_of(other.name)[0] == LOSS:
        write = wording.metric_text  # as the validation loss is written

    def cell(entry: RunEntry) -> Markup:
        value = values.get(entry.run.run_id)
        return plain(NONE if value is None else write(value.value))

    name = _OWN_NAMES.get(other.name, other.name)
    return Column(f"{name}{training}{' (%)' if other.is_fraction else ''}", cell)


def section_columns(report: Report, entries: Sequence[RunEntry]) -> tuple[Column, ...]:
    """Return the columns of the table of one configuration's runs, but for number and seed; metrics as logged."""
    columns = (_LOGGED_LOSS, _LOGGED_ACCURACY, *_logged_score(report), Column("Correct", ratio), _INTERVAL)
    return _occurring((*_split_columns(entries), *columns), entries)


def _split_columns(entries: Sequence[RunEntry]) -> tuple[Column, ...]:
    """Return a column for each part of the split that varies, such as the fold."""

    def column(part: str) -> Column:
        return Column(
            wording.option_title(part),
            lambda entry: _number_or_fold(dict(entry.split).get(part, NONE)),
            numeric=False,
            tight=True,
        )

    return tuple(column(part) for part, _ in (entries[0].split if entries else ()))


def _number_or_fold(text: str) -> Markup:
    """Return ``0.2`` or ``3/5`` as it is; anything else, which may be other people's text, is not shown."""
    return plain(text if _NUMBER_OR_FOLD.fullmatch(text) else NONE)


def _occurring(columns: Sequence[Column], entries: Sequence[RunEntry]) -> tuple[Column, ...]:
    """Return the columns of which any run has something, those of epochs and time behind the others."""
    kept = [KEPT] if any(kept_epoch(entry) != NONE for entry in entries) else []
    every = (*columns, BEST, *kept, STOP, _SECONDS)
    return tuple(column for column in every if any(column.cell(entry) != NONE for entry in entries))


def numeric_columns(rows: Sequence[Sequence[str]], columns: int) -> list[bool]:
    """Return which columns have nothing but numbers: they are set flush right."""
    return [all(_NUMBER.fullmatch(row[column]) for row in rows) for column in range(columns)]


def column_looks(rows: Sequence[Sequence[str]], columns: int) -> list[str]:
    """Return the look of each column: ``n`` of numbers, ``keep`` of short words on one line, ``words``, or none."""
    longest = [max((len(row[column]) for row in rows), default=0) for column in range(columns)]
    return [
        "n" if numeric else "keep" if length <= _SHORT else "words" if length > _LONG else ""
        for numeric, length in zip(numeric_columns(rows, columns), longest, strict=True)
    ]


_SHORT, _LONG = 12, 20  # characters of the longest cell


def legend(report: Report) -> str:
    """Return what stands in the columns of the table of all runs."""
    metric, shown = report.metric, {column.title for column in table_columns(report)}
    name = _score_title(metric)
    silent = any(entry.result.kept_epoch is None and entry.result.best_epoch is not None for entry in report.entries)
    kept = ", at the best epoch" if silent else ", with the kept weights"
    which = value_words([entry.result for entry in report.entries], metric)
    kept = f", {which}" if which else kept if which is None and "Best epoch" in shown else ""
    sentences = []
    if "Correct" in shown:
        most = _in_bold(report, "highest") if metric.is_accuracy else ""
        loss = " Loss is the validation loss of the same weights." if "Loss" in shown else ""
        sentences.append(f"Correct: validation clips classified correctly{kept}{most}.{loss}")
        sentences.append("Intervals are 95% confidence intervals.")
    elif "%" in shown:
        highest = _in_bold(report, "highest") if metric.is_accuracy else ""
        sentences.append(f"%: validation accuracy in percent{kept}{highest}.")
        sentences += ["Loss is the validation loss of the same weights."] if "Loss" in shown else []
    elif "Loss" in shown:
        sentences.append(f"Loss: validation loss{kept}.")
    if name in shown:
        better, best = ("lower", "lowest") if metric.lower_is_better else ("higher", "highest")
        sentences.append(f"{name}: the metric that ranks the runs{kept}; {better} is better{_in_bold(report, best)}.")
    sentences += _other_metrics_text(report)
    return report.sample.put_into(" ".join(sentences))


def _in_bold(report: Report, best: str) -> str:
    """Return what is set in bold, ``(highest in bold)``; empty if no run is ranked."""
    ranked, runs = report.ranked, {entry.run.run_id for entry in report.entries if entry.result.score is not None}
    if not ranked:
        return ""
    return f" ({best} in bold)" if ranked >= runs else f" ({best} on the clips that most runs share in bold)"


def _other_metrics_text(report: Report) -> list[str]:
    """Return which of their values the other metrics in the table have, and how many metrics are not in it."""
    others = report.other_metrics
    several = [value for other in others.shown for value in other.values if value is not None and value.values > 1]
    sentences = []
    if any(value.epoch is None for value in several):
        epochs = " at the same epoch, or else" if any(value.epoch is not None for value in several) else ""
        sentences.append(f"Other metrics are as logged{epochs} last.")
    if others.more:
        more = wording.capitalised(wording.count_words(others.more, "more metric"))
        sentences.append(f"{more} {'was' if others.more == 1 else 'were'} logged: --format csv has every metric.")
    return sentences


@lru_cache(maxsize=1)
def _score_writer_of(report: Report) -> Callable[[RunEntry], Markup]:
    """Return the same for all runs of a report, cached because each section asks for it."""
    return score_writer(report.entries)


def score_writer(entries: Sequence[RunEntry]) -> Callable[[RunEntry], Markup]:
    """Return what writes a run's value of the primary metric, with the digits that set the runs' apart."""
    write = _writer([entry.result.score for entry in entries if entry.result.score is not None])
    return lambda entry: plain(write(entry.result.score))


_MORE_DECIMALS = 2  # that a column has for its small values: they have the digits that they have in sentences


_MOST_DIGITS = 9  # of very small values


def _tells_apart(values: Sequence[float], digits: int) -> bool:
    return len({wording.metric_text(value, digits) for value in values}) == len(set(values))


def _writer(values: Sequence[float]) -> Callable[[float | None], str]:
    """Return what writes a column's values: with the digits that set them apart, and no fewer than sentences have."""
    if values and max(map(abs, values)) < wording.SMALL:
        every = (digits for digits in range(wording.SIGNIFICANT, _MOST_DIGITS) if _tells_apart(values, digits))
        precise = next(every, _MOST_DIGITS)
        return lambda value: wording.metric_text(value, precise)
    digits = wording.digits_apart(values)
    shortened = (value for value in values if value and round(value, digits) != wording.significant(value))
    needed = (wording.decimals(abs(value)) for value in shortened)
    digits = max([digits, *(need for need in needed if need <= digits + _MORE_DECIMALS)])

    def write(value: float | None) -> str:
        if value and wording.decimals(abs(value)) > digits and round(value, digits) != wording.significant(value):
            return wording.metric_text(value)
        return wording.fixed_cell(value, digits)

    return write


def ratio(entry: RunEntry) -> Markup:
    """Return how many clips are correct, as ``25/30``."""
    accuracy = entry.result.accuracy
    return plain(NONE if accuracy is None else f"{accuracy.correct}/{accuracy.n}")


def correct_of(entry: RunEntry) -> Markup:
    """Return how many clips are correct, as ``25 of 30``."""
    accuracy = entry.result.accuracy
    return plain(NONE if accuracy is None else f"{accuracy.correct} of {accuracy.n}")


def accuracy_interval(entry: RunEntry) -> Markup:
    """Return the 95% interval of a run's accuracy."""
    return plain(wording.percent_interval_cell(_interval(entry.result)))


def percent_correct(entry: RunEntry) -> Markup:
    """Return a run's accuracy in percent; nothing if it wasn't logged as a fraction of clips."""
    fraction = _accuracy(entry.result)
    return plain(wording.percent_number_cell(fraction if is_fraction(fraction) else None))


def outcome(entry: RunEntry) -> str:
    """Return a run's result in a line, its interval with it, to three digits.

    ``26 of 30 validation clips correct (86.7%, 95% interval 70.3–94.7%), validation loss 0.613``.
    """
    result, parts = entry.result, []
    if result.accuracy:
        interval = wording.percent_interval_cell(result.accuracy.interval)
        share, n = wording.percent_cell(result.accuracy.fraction), result.accuracy.n
        parts.append(f"{result.accuracy.correct} of {n} validation clips correct ({share}, 95% interval {interval})")
    elif result.val_accuracy is not None:
        parts.append(f"validation accuracy {wording.metric_text(result.val_accuracy)}")
    if result.val_loss is not None:
        parts.append(f"validation loss {wording.metric_text(result.val_loss)}")
    return ", ".join(parts) or "no validation result logged"


def kept_epoch(entry: RunEntry) -> Markup:
    """Return whose epoch's weights were kept, if that isn't the best one's."""
    return plain(NONE) if entry.result.kept_epoch == entry.result.best_epoch else KEPT.cell(entry)


def results(report: Report, entry: RunEntry) -> tuple[Fact, ...]:
    """Return a run's results, as logged."""
    counted = Markup("{}, 95% interval {}").format(correct_of(entry), accuracy_interval(entry))
    accuracy = Fact(_LOGGED_ACCURACY.title, _LOGGED_ACCURACY.cell(entry), counted if entry.result.accuracy else NOTHING)
    loss, *others = (Fact(column.title, column.cell(entry)) for column in (_LOGGED_LOSS, *_logged_score(report)))
    return tuple(fact for fact in (loss, accuracy, *others) if fact.value != NONE or fact.note)


def training_summary(entry: RunEntry) -> tuple[Fact, ...]:
    """Return how a run's training went."""
    time = plain(wording.seconds_cell(entry.result.seconds))
    course = {BEST.title: BEST.cell(entry), KEPT.title: kept_epoch(entry), STOP.title: STOP.cell(entry), "Time": time}
    return tuple(Fact(title, value) for title, value in course.items() if value != NONE)


def training_line(entry: RunEntry) -> Markup:
    """Return the same in a line: ``Best epoch 24, stop epoch 44, 14 s``."""
    parts: list[Markup] = []
    for fact in training_summary(entry):
        title = fact.title.lower() if parts else fact.title
        parts.append(fact.value if fact.title == "Time" else Markup("{} {}").format(title, fact.value))
    return Markup(", ").join(parts)


_MOST_ON_TEST = 2  # metrics of test data in the table of configurations


def configuration_header(report: Report) -> tuple[str, ...]:
    """Return the heads of the table of configurations, those of test metrics last."""
    of_test = (f"mean {other.name}{' (%)' if other.is_fraction else ''}" for other in _on_test(report))
    return "configuration", "runs", "mean", "standard deviation", "95% interval", "could be the best", *of_test


def _on_test(report: Report) -> list[OtherMetric]:
    return [other for other in report.other_metrics.shown if other.part == "test"][:_MOST_ON_TEST]


def configurations(report: Report) -> list[tuple[str, ...]]:
    """Return a row for every configuration, the best first; none if each was trained once.

    None either if they are on several data sets, each of which has its own table.
    """
    standings = [section.standing for section in report.sections if section.standing]
    if report.data_sets or all(len(standing.runs) < 2 or standing.mean is None for standing in standings):
        return []
    return configuration_rows(report, report.sections)


def configuration_rows(report: Report, sections: Sequence[Section]) -> list[tuple[str, ...]]:
    """Return a row for each of some configurations."""
    standings = [(section.words, section.standing) for section in sections if section.standing]
    in_percent = report.metric.is_accuracy and report.metric.is_fraction
    rows: list[tuple[str, ...]] = []
    for words, standing in standings:
        mean = wording.percent_cell(standing.mean) if in_percent else wording.metric_text(standing.mean)
        spread = wording.points_cell(standing.deviation) if in_percent else wording.metric_text(standing.deviation)
        tied = {True: "yes", False: "no", None: NONE}[standing.tied]
        if standing.tied and standing is not standings[0][1] and standing.p_value is None:
            tied = not_tested(standings[0][1], standing)
        interval = wording.percent_bounds_cell(standing.interval)
        if standing.interval is not None and not in_percent:
            interval = " to ".join(wording.losses(*standing.interval))
        of_test = (_mean_cell(report, other, standing) for other in _on_test(report))
        rows.append((words, str(len(standing.runs)), mean, spread.removeprefix("+"), interval, tied, *of_test))
    return rows


def _mean_cell(report: Report, other: OtherMetric, standing: Standing) -> str:
    """Return a configuration's mean of a metric, nothing if not all of its runs logged it."""
    runs = set(standing.runs)
    of_runs = zip(report.entries, other.values, strict=True)
    values = [value.value for entry, value in of_runs if value is not None and entry.run.run_id in runs]
    mean = math.fsum(values) / len(values) if values and len(values) == len(runs) else None
    return wording.percent_number_cell(mean) if other.is_fraction else wording.metric_text(mean)


_IN_APPENDIX: dict[KindName, str] = {
    "run_difference": "Pairs of runs",
    "option_effect": "Contrasts of options",
    "early_stopping": "Patiences",
    "learning_rate": "Cuts of the learning rate",
}


# answers whose table has a row for each of a kind's, up to some number: the appendix has them if there are more
_IN_ANSWERS: dict[KindName, AnswerId] = {"option_effect": "options", "learning_rate": "learning_rate"}


def appendix(report: Report) -> Iterator[Table]:
    """Yield all pairs of runs, contrasts, patiences and cuts, a table each, unless an answer has all of them."""
    numbers = {entry.run.run_id: entry.number for entry in report.entries}
    words = wording.Wording(numbers, report.metric, report.alpha, report.margin, report.sample)
    for name, title in _IN_APPENDIX.items():
        found = [c for c in report.conclusions if c.kind == name and numbers.keys() >= set(c.runs)]
        header, rows = _pairs(found, words) if name == "run_difference" else _evidence(found, words)
        answers = [answer for answer in report.answers if answer.id == _IN_ANSWERS.get(name)]
        if rows and len(rows) > sum(len(table.rows) for answer in answers for table in answer.tables):
            yield Table(title, header, tuple(rows))
    yield from _further(report, words)


def _pairs(found: Sequence[Conclusion], words: wording.Wording) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return a row for each pair of runs of whose difference anything is known."""
    rows = []
    for conclusion in found:
        numbers = _numbers(conclusion, words.alpha)
        if any(number != NONE for number in numbers[:-1]):
            rows.append((words.runs_alone(conclusion.runs, in_order=False), *numbers))
    return _PAIR_HEADER, rows


def _evidence(found: Sequence[Conclusion], words: wording.Wording) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the tables of conclusions in one, each row with its option or its run; of equal tables of runs one."""
    header: tuple[str, ...] = ()
    runs_of: dict[tuple[str | None, str | None, tuple[tuple[str, ...], ...]], list[str]] = defaultdict(list)
    for conclusion in found:
        for part in conclusion.details.tables(in_points=words.metric.is_accuracy):
            header = ("option" if conclusion.option else "run", *map(words.sample.put_into, part.header))
            runs_of[conclusion.option, conclusion.data_set, part.rows] += conclusion.runs[:1]
    return header, [
        (f"{wording.option_words(option)}{f', {on}' if on else ''}" if option else words.runs_alone(runs), *row)
        for (option, on, rows), runs in runs_of.items()
        for row in rows
    ]


def _further(report: Report, words: wording.Wording) -> Iterator[Table]:
    """Yield what no answer speaks of and no other table has: a row a conclusion, and its own tables."""
    answers = [*report.answers, *(answer for data_set in report.data_sets for answer in data_set.answers)]
    told = {found for answer in answers for found in answer.conclusions}
    rest = [c for c in report.conclusions if c.id not in told and c.kind not in _IN_APPENDIX]
    rest = [c for c in rest if words.numbers.keys() >= set(c.runs)]
    if configurations(report) or report.data_sets:  # have each one's mean and how it varies from seed to seed
        rest = [c for c in rest if not isinstance(c.details, Spread) or c.verdict == "unknown"]
    rest = _together(rest, words)
    of_sets: dict[tuple[str, str, str], list[str | None]] = defaultdict(list)  # data sets, by what is said of them
    for found in rest:
        of_sets[words.sample.put_into(kind_of(found).title), found.label.lower(), found.sentence].append(found.data_set)
    every = len({found.data_set for found in report.conclusions if found.data_set})
    rows = tuple(
        (f"{about}{_on(data_sets, every)}", verdict, finding)
        for (about, verdict, finding), data_sets in of_sets.items()
    )
    if rows:
        yield Table("Further findings", ("about", "verdict", "finding"), rows)
    for conclusion in rest:
        yield from conclusion.details.tables(in_points=report.metric.is_accuracy)


def _on(data_sets: Sequence[str | None], every: int) -> str:
    """Return the data sets that a finding is about, to stand after what it is about; nothing if it is all of them."""
    names = [name for name in dict.fromkeys(data_sets) if name]
    if not names:
        return ""
    return ", each data set" if 1 < every == len(names) else f", {wording.listing(names)}"


_PAIR_HEADER = ("runs", "difference", "95% interval", "p", "p, corrected", "verdict")


# kinds, and a verdict, whose sentences may be of several runs
_OF_RUNS: Container[tuple[KindName, Verdict]] = {
    ("overfitting", "unknown"), ("under_training", "exact"), ("under_training", "unknown"),
}  # fmt: skip


def _together(conclusions: Sequence[Conclusion], words: wording.Wording) -> list[Conclusion]:
    """Return conclusions, as one those that say the same of several runs."""
    runs_of: dict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    first: dict[tuple[str, str, str | None], Conclusion] = {}
    for conclusion in conclusions:
        key = (conclusion.kind, conclusion.id, conclusion.data_set)
        if (conclusion.kind, conclusion.verdict) in _OF_RUNS and len(conclusion.runs) == 1:
            run = words.run(conclusion.runs[0])
            sentence = re.sub(rf"\b{run}\b", "run", conclusion.sentence, flags=re.IGNORECASE)
            key = (conclusion.kind, sentence, None)
        runs_of[key] += conclusion.runs
        if first.setdefault(key, conclusion).data_set != conclusion.data_set:
            first[key] = replace(first[key], data_set=None)
    return [
        with_sentence(replace(conclusion, runs=tuple(runs_of[key])), words)
        if len(runs_of[key]) > len(conclusion.runs)
        else conclusion
        for key, conclusion in first.items()
    ]


def _numbers(conclusion: Conclusion, alpha: float) -> tuple[str, ...]:
    p_values = (NONE if p is None else wording.p_number(p, alpha) for p in (conclusion.p_value, conclusion.p_adjusted))
    interval = wording.points_interval_cell(conclusion.interval)
    return wording.points_cell(conclusion.estimate), interval, *p_values, conclusion.label.lower()


def facts(conclusion: Conclusion, alpha: float, *, in_points: bool = True) -> tuple[str, ...]:
    """Return the numbers that a conclusion rests on, as phrases; none if it follows without inference.

    Differences are of accuracy, in points, unless runs are compared by another metric.
    """
    if conclusion.estimate is None and conclusion.p_value is None:
        return ()
    adjusted, raw = conclusion.p_adjusted, conclusion.p_value
    estimates, p_is = kind_of(conclusion).estimates, kind_of(conclusion).p_is
    size = wording.points_cell(conclusion.estimate) if in_points else wording.change_cell(conclusion.estimate)
    ends = wording.points_interval_cell if in_points else wording.change_interval_cell
    phrases = (
        conclusion.estimate is not None and f"{estimates} {size}",
        conclusion.interval is not None and f"95% interval {ends(conclusion.interval)}",
        raw is not None and f"{p_is} {wording.p_text(raw, alpha)}".lstrip(),
        adjusted is not None and f"adjusted {wording.p_text(adjusted, alpha)}",
        conclusion.n is not None and f"n = {conclusion.n}",
        conclusion.method,
    )
    return tuple(phrase for phrase in phrases if phrase)
