"""Reports as tables for other programs: CSV for spreadsheets and data frames, LaTeX for papers.

Text that came from other people can do nothing in either. In CSV no cell begins a formula: a spreadsheet would run
``=HYPERLINK(…)`` of a run's name, so that such text gets an apostrophe before it. In LaTeX every sign that TeX acts on
is written as the command that prints it.

References
----------
CSV injection: https://owasp.org/www-community/attacks/CSV_Injection
booktabs: https://ctan.org/pkg/booktabs
"""

from __future__ import annotations

import csv
import io
import math
import re
from typing import TYPE_CHECKING

from tracker.printable import printable
from tracker.render.json_document import configuration_ids
from tracker.runs import as_number
from tracker.wording import (
    NONE,
    begun,
    digits_apart,
    fixed_cell,
    option_title,
    percent_bounds_cell,
    percent_number_cell,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.conclusions.across_data_sets import AcrossDataSets
    from tracker.report import Report, RunEntry, Section

_MOST_ROWS = 50  # configurations in a LaTeX table
_MOST_OPTIONS = 8  # options with a column in it
_LONGEST = 80  # characters of a cell in it

# A formula's first sign, in full width too, where a cell begins; a spreadsheet may take a semicolon for its end.
_FORMULA = re.compile(r"(^|;)(\s*)(?=[=+\-@＝＋－＠])")

_OWN = ("run_id", "run", "name", "configuration", "title", "primary_metric", "score", "correct", "n", "interval_low",
        "interval_high", "val_loss", "best_epoch", "kept_epoch", "stop_epoch", "seconds")  # fmt: skip

_Cell = str | float | None


def render_csv(report: Report) -> str:
    """Return the report's runs as CSV, a row each: ids, configuration, params, metrics as logged, and results.

    Columns of params begin with ``param.``, those of metrics with ``metric.``; a number that is absent, NaN or infinite
    is an empty cell. Accuracies are fractions, losses are in nats.
    """
    ids = {
        entry.run.run_id: name
        for name, section in zip(configuration_ids(report.sections), report.sections, strict=True)
        for entry in section.entries
    }
    params = sorted({name for entry in report.entries for name in entry.run.params})
    metrics = sorted({name for entry in report.entries for name in entry.run.metrics})
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    in_several = len({entry.run.experiment for entry in report.entries}) > 1
    first = [*(["experiment"] if in_several else []), *(["data_set"] if report.data_sets else [])]
    own = (*first, *_OWN)
    header = (*own, *(f"param.{name}" for name in params), *(f"metric.{name}" for name in metrics))
    writer.writerow([_csv_cell(name) for name in header])
    for entry in report.entries:
        cells: list[_Cell] = [entry.run.experiment] if in_several else []
        cells += [entry.data_set] if report.data_sets else []
        cells += [*_own_cells(report, entry, ids[entry.run.run_id])]
        cells += [entry.run.params.get(name) for name in params]
        cells += [entry.run.metrics.get(name) for name in metrics]
        writer.writerow(map(_csv_cell, cells))
    return stream.getvalue()


def _own_cells(report: Report, entry: RunEntry, configuration: str) -> tuple[_Cell, ...]:
    run, result = entry.run, entry.result
    low, high = result.accuracy.interval if result.accuracy else (None, None)
    who = (run.run_id, entry.number, run.name, configuration, entry.title)
    scores = (report.metric.name, result.score, result.correct, result.n, low, high, result.val_loss)
    return (*who, *scores, result.best_epoch, result.kept_epoch, result.stop_epoch, result.seconds)


def _csv_cell(value: _Cell) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if not isinstance(value, str):
        return repr(value + 0)  # of numpy's numbers Python's own
    text = printable(value)
    return text if as_number(text) is not None else _FORMULA.sub(r"\1'\2", text)


_REPETITIONS = ("Seeds", "Runs")
_INTERVAL = "95% interval"


def render_latex(report: Report) -> str:
    r"""Return the configurations as a LaTeX table with booktabs' rules, to be read by ``\input`` inside a float.

    The best is first; in bold those that are not significantly worse. Means are over seeds, with the standard deviation
    from seed to seed; intervals are at 95%. Of several data sets the table has each one's scores, and the mean ranks.
    """
    across = report.across_data_sets
    if across is not None:
        return _latex_across(report, across)
    options, shown = report.options[:_MOST_OPTIONS], report.sections[:_MOST_ROWS]
    in_percent = report.metric.is_accuracy and report.metric.is_fraction
    means = [section.standing.mean for section in report.sections if section.standing and section.standing.mean]
    digits = digits_apart([float(f"{mean:.4g}") for mean in means])
    is_repeated = any(len(section.entries) > 1 for section in shown)
    first = [option_title(option) for option in options] or ["Configuration"]
    score = "Validation accuracy (%)" if in_percent else report.metric.name
    runs = _repetitions(report)
    heads = [*first, runs, score, _INTERVAL]
    rows = []
    for section in shown:
        levels = dict(section.entries[0].levels)
        cells = [levels[option] for option in options] or [section.title]
        numbers = _numbers(section, in_percent=in_percent, digits=digits)
        rows.append([*map(_latex, cells), str(len(section.entries)), *numbers])
    kept = [place for place in range(len(heads)) if _is_worth_a_column(heads[place], [row[place] for row in rows])]
    stacked = [_stacked(head, "l" if place < len(first) else "r") for place, head in enumerate(heads)]
    lines = [" & ".join(row[place] for place in kept) + r" \\" for row in (stacked, *rows)]
    more = len(report.sections) - len(shown)
    others = [section.standing for section in report.sections[1:] if section.standing and section.standing.tied]
    spread = f"± standard deviation over {runs.lower()}" if is_repeated else "of one run"
    untested = " or was not tested" if any(standing.p_value is None for standing in others) else ""
    return "\n".join(
        [
            rf"% Needs \usepackage{{booktabs}}. In bold: the best, and what is not significantly worse{untested}.",
            f"% Mean {spread}{'; 95% confidence interval' if heads.index(_INTERVAL) in kept else ''}.",
            *([f"% {more:,} more configurations: tracker report --format csv has every run."] if more else []),
            rf"\begin{{tabular}}{{{'l' * len(first)}{'r' * (len(kept) - len(first))}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _latex_across(report: Report, across: AcrossDataSets) -> str:
    """Return the scores of configurations on data sets as a LaTeX table, the best on each in bold."""
    in_percent = report.metric.is_accuracy and report.metric.is_fraction
    shown, best = across.configurations[:_MOST_ROWS], [min(of_set) for of_set in zip(*_ranks(across), strict=True)]
    digits = digits_apart([float(f"{score:.4g}") for configuration in shown for score in configuration.scores])
    rows = []
    for configuration in shown:
        cells = []
        for score, rank, lowest in zip(configuration.scores, configuration.ranks, best, strict=True):
            cell = _latex(percent_number_cell(score) if in_percent else fixed_cell(score, digits))
            cells.append(rf"\textbf{{{cell}}}" if rank == lowest else cell)
        rows.append([_latex(begun(configuration.name)), *cells, fixed_cell(configuration.mean_rank, 2)])
    heads = ["Configuration", *across.data_sets, "Mean rank"]
    lines = [" & ".join(row) + r" \\" for row in ([*map(_latex, heads)], *rows)]
    metric = "validation accuracy (%)" if in_percent else report.metric.name
    return "\n".join(
        [
            rf"% Needs \usepackage{{booktabs}}. In bold: the best on each data set. Scores: {_latex(metric)}.",
            rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _ranks(across: AcrossDataSets) -> list[tuple[float, ...]]:
    return [configuration.ranks for configuration in across.configurations]


def _stacked(head: str, side: str) -> str:
    """Return a column's head, of several words on two lines: a table of four options then fits an article's page."""
    words = head.split()
    halves = [(" ".join(words[:place]), " ".join(words[place:])) for place in range(1, len(words))]
    if not halves:
        return _latex(head)
    upper, lower = min(halves, key=lambda lines: max(map(len, lines)))
    return rf"\shortstack[{side}]{{{_latex(upper)}\\{_latex(lower)}}}"


def _is_worth_a_column(head: str, cells: Sequence[str]) -> bool:
    """Return whether a column says anything: intervals do if there are any, numbers of seeds if not all are 1."""
    return not (head == _INTERVAL and set(cells) <= {"--"}) and not (head in _REPETITIONS and set(cells) <= {"1"})


def _repetitions(report: Report) -> str:
    """Return what the trainings of a configuration are: seeds if each has one of its own, else runs."""
    seeds = [[entry.terms.seed for entry in section.entries] for section in report.sections]
    is_seeded = all(() not in of_one and len(set(of_one)) == len(of_one) for of_one in seeds)
    return _REPETITIONS[0] if is_seeded else _REPETITIONS[1]


def _numbers(section: Section, *, in_percent: bool, digits: int) -> tuple[str, str]:
    """Return a configuration's mean with its deviation, and the interval."""
    standing = section.standing
    if standing is None or standing.mean is None:
        return "--", "--"

    def cell(value: float) -> str:
        return percent_number_cell(value) if in_percent else fixed_cell(value, digits)

    mean = _latex(cell(standing.mean))
    if standing.tied:
        mean = rf"\textbf{{{mean}}}"
    if standing.deviation is not None:
        mean = rf"{mean} $\pm$ {_latex(cell(standing.deviation))}"
    if in_percent or standing.interval is None:
        return mean, _latex(percent_bounds_cell(standing.interval))
    return mean, _latex(" to ".join(map(cell, standing.interval)))


_COMMANDS: Mapping[str, str] = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "^": r"\textasciicircum{}",
    "_": r"\_", "~": r"\textasciitilde{}", "%": r"\%", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "`": r"{\char96}", "'": r"{\char39}", "[": "{[}", "]": "{]}", "*": "{*}",
    "-": "{-}", "\N{NO-BREAK SPACE}": "~", "\N{EN DASH}": "--", "\N{EM DASH}": "---", "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{PLUS-MINUS SIGN}": r"$\pm$", "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{ALMOST EQUAL TO}": r"$\approx$", "\N{REPLACEMENT CHARACTER}": "?",
}  # fmt: skip
"""What prints a sign. Braces hold those that would join their neighbours, or that ``\\\\`` before them would take."""


def _latex(text: str) -> str:
    """Return text in which TeX acts on nothing; letters of any script stay."""
    return "".join(_COMMANDS.get(sign, sign) for sign in printable(text, _LONGEST)) if text != NONE else "--"
