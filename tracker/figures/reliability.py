"""A reliability diagram: how often predictions are correct, against how confident they are.

Predictions are put together into bins of about the same confidence (`tracker.statistics.calibration`). A bin above the
diagonal is more often correct than its confidence says, one below it less often.

References
----------
Niculescu-Mizil and Caruana (2005), doi:10.1145/1102351.1102430 (the diagram)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.figures import svg
from tracker.figures.style import NARROW
from tracker.report import Panel
from tracker.study.sample_name import CLIPS, SampleName
from tracker.wording import counted, percent, percent_cell, percent_interval, percent_interval_cell, whole_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.conclusions.calibration import Calibration
    from tracker.report import Picture
    from tracker.statistics.calibration import ConfidenceBin

_LEFT, _TOP, _BELOW, _RIGHT = 48.0, 22.0, 40.0, 20.0  # margins
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def reliability(details: Calibration, name: str, sample: SampleName = CLIPS) -> Picture:
    """Draw the bins of one run with their intervals; the names are what the run and a clip are called.

    Raises
    ------
    ValueError
        If there is no bin.
    """
    if not details.bins or details.best is None:
        raise ValueError("a reliability diagram needs predictions with probabilities")
    title = finding_of_reliability(details, name)
    note = [
        f"fraction correct by confidence, in bins of equally many {sample.many}",
        "95% confidence intervals",
        "dashed: where both are equal",
    ]
    panel = Panel(_draw(details.bins, f"{title}.", sample))
    header = ("confidence", sample.many, "mean confidence", "correct", "95% interval")
    rows = tuple(
        (
            percent_interval_cell((one.lowest, one.highest)),
            whole_cell(one.n),
            percent_cell(one.confidence),
            percent_cell(one.accuracy),
            percent_interval_cell(one.interval),
        )
        for one in details.bins
    )
    return svg.picture("reliability", (title, note, f"{title}."), [panel], (header, rows), (details.best,))


def finding_of_reliability(details: Calibration, name: str) -> str:
    """Return in a line whether a run is too confident or not confident enough, or that neither is shown."""
    confidence, accuracy = percent(details.confidence or 0.0), percent(details.accuracy or 0.0)
    if details.direction is None:
        return f"{name} is {confidence} confident on average and {accuracy} correct, which could be chance"
    which = "too confident" if details.direction == "over" else "not confident enough"
    return f"{name} is {which}: {confidence} on average, but {accuracy} correct"


def _draw(bins: Sequence[ConfidenceBin], alt: str, sample: SampleName) -> str:
    side = NARROW - _LEFT - _RIGHT
    x, y = svg.Scale(0, 1, 0, side), svg.Scale(0, 1, side, 0)
    parts = [svg.text(-_LEFT, -10, "correct", "mut"), svg.text(side, side + 34, "confidence", "mut", "end")]
    for tick in _TICKS:
        words = f"{100 * tick:.0f}%"
        parts += [svg.line(0, y(tick), side, y(tick), "grid"), svg.text(-6, y(tick) + 4, words, "mut", "end")]
        parts += [svg.line(x(tick), 0, x(tick), side, "grid"), svg.text(x(tick), side + 17, words, "mut", "middle")]
    parts.append(svg.line(0, side, side, 0, "cut"))
    parts.append(svg.text(8, 18, "underconfident", "mut halo"))
    parts.append(svg.text(side - 8, side - 10, "overconfident", "mut halo", "end"))
    for one in bins:
        across = x(one.confidence)
        confidences = percent_interval((one.lowest, one.highest))
        clips = sample.put_into(counted(one.n, "clip"))
        hover = f"{clips} at {confidences} confidence: {one.correct} correct ({percent(one.accuracy)})"
        whisker = svg.line(across, y(one.interval[0]), across, y(one.interval[1]), "w")
        parts.append(svg.group([whisker, svg.circle(across, y(one.accuracy), 5, "d")], "best", hover))
    return svg.drawing(NARROW, side + _TOP + _BELOW, [svg.moved(_LEFT, _TOP, parts)], alt)
