"""Which clips each run gets right: a column a clip, the hardest first, and a row a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tracker.figures.style import MUTED, SMALL, TINY, VERMILION, WIDTH, label, paper, place, png, style
from tracker.report import Picture
from tracker.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from tracker.report import RunEntry

_MOST_CLIPS = 300  # columns that a screen can show; of more clips the hardest are shown
_NAMED_CLIPS = 40  # up to so many clips have their names below and a cross on every wrong cell
_TALLEST = 6.0  # inches that the rows may take
_TABLE_ROWS = 60
_RIGHT = "#d3e5f2"


def clip_grid(entries: Sequence[RunEntry]) -> Picture:
    """Draw a clip × run grid of right and wrong; its table has the clips that any run gets wrong.

    There is at least one run, all with predictions on the same clips; the first is on top.
    """
    correct = np.array([entry.result.correct_by_clip for entry in entries])
    order = np.lexsort((np.arange(correct.shape[1]), correct.sum(axis=0)))
    with style():
        figure = draw_grid(entries, correct, order[:_MOST_CLIPS])
        ids = tuple(entry.run.run_id for entry in entries)
        return Picture("clip-grid", png(figure), _finding(correct), _HEADER, _rows(entries, correct, order), ids)


def draw_grid(entries: Sequence[RunEntry], correct: NDArray[np.bool_], shown: NDArray[np.intp]) -> Figure:
    """Draw a row for each run, the first on top, and a column for each clip of `shown`."""
    clips = entries[0].result.clip_set.clips
    names = [label(clips[i].rsplit("/", 1)[-1], 20) for i in shown] if len(shown) <= _NAMED_CLIPS else []
    below = 0.45 + 0.05 * max(map(len, names), default=0)
    height = min(0.24, _TALLEST / len(entries)) * len(entries)
    figure = paper(below + height + 0.1)
    axes = place(figure, 0.75, below, WIDTH - 0.85, height)
    _cells(axes, correct[:, shown])
    size = min(SMALL, 72 * _TALLEST / len(entries) * 0.9)
    axes.set_yticks(range(len(entries)), [label(entry.name, 12) for entry in entries], fontsize=size)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=TINY - 1, color=MUTED)
    axes.tick_params(length=0)
    _legend(figure, len(shown), correct.shape[1])
    return figure


_HEADER = ("clip", "label", "right in", "mostly taken for")


def _cells(axes: Axes, correct: NDArray[np.bool_]) -> None:
    """Fill the cells, with white lines between them while they are wide enough."""
    axes.imshow(
        ~correct, cmap=ListedColormap([_RIGHT, VERMILION]), vmin=0, vmax=1, aspect="auto", interpolation="nearest"
    )
    runs, clips = correct.shape
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if clips <= _NAMED_CLIPS:
        axes.vlines(np.arange(1, clips) - 0.5, -0.5, runs - 0.5, color="white", linewidth=1.2)
        rows, columns = np.nonzero(~correct)
        axes.plot(columns, rows, linestyle="none", marker="x", color="white", markersize=4.5, markeredgewidth=1.3)
    axes.hlines(np.arange(1, runs) - 0.5, -0.5, clips - 0.5, color="white", linewidth=1.2 if runs <= 25 else 0.4)


def _legend(figure: Figure, shown: int, clips: int) -> None:
    cross: dict[str, Any] = (
        {"marker": "x", "markeredgecolor": "white", "markersize": 4} if shown <= _NAMED_CLIPS else {}
    )
    wrong = Line2D([], [], color=VERMILION, linewidth=8, solid_capstyle="butt", label="wrong", **cross)
    which = count(clips, "clip") if shown == clips else f"the {shown} hardest of {clips:,} clips"
    order = Patch(facecolor="none", edgecolor="none", label=f"{which}, from the hardest to the easiest →")
    handles = [Patch(facecolor=_RIGHT, label="right"), wrong, order]
    figure.legend(handles=handles, loc="lower center", ncols=3, fontsize=SMALL, borderaxespad=0.3)


def _finding(correct: NDArray[np.bool_]) -> str:
    runs, clips = correct.shape
    per_clip = correct.sum(axis=0)
    if runs == 1:
        return f"The run is right on {int(per_clip.sum())} of {clips} clips."
    always, never = int((per_clip == runs).sum()), int((per_clip == 0).sum())
    return (
        f"Of {clips} clips {always} are right in all {runs} runs, {never} are wrong in all of them, "
        f"and {clips - always - never} are right in some."
    )


def _rows(
    entries: Sequence[RunEntry], correct: NDArray[np.bool_], order: NDArray[np.intp]
) -> tuple[tuple[str, ...], ...]:
    """Return the clips that any run gets wrong, the hardest first."""
    wrong = [int(clip) for clip in order if not correct[:, clip].all()]
    predicted = [entry.result.predicted_names for entry in entries]
    clips = entries[0].result.clip_set
    rows = [
        (
            clips.clips[clip],
            clips.labels[clip],
            f"{correct[:, clip].sum()} of {len(entries)}",
            _mostly_predicted([of_run[clip] for of_run in predicted], clips.labels[clip]),
        )
        for clip in wrong[:_TABLE_ROWS]
    ]
    return (*rows, *([("…", f"{len(wrong) - _TABLE_ROWS} more", "", "")] if len(wrong) > _TABLE_ROWS else []))


def _mostly_predicted(predicted: Sequence[str], label: str) -> str:
    """Return the class other than the label that most runs predict; the first by name of equals."""
    others = Counter(name for name in predicted if name != label)
    return max(sorted(others), key=lambda name: others[name])
