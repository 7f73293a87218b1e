"""A conclusion as data, before it is a sentence.

Conventions: differences are of accuracy, as fractions; `run_difference` is `runs[0]` minus `runs[1]`, the better
first; an option's effect is level *to* minus level *from*. `p_value` is raw, `p_adjusted` within its family.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tracker.statistics.proportions import Interval

Kind = Literal[
    "best_run",
    "run_difference",
    "option_effect",
    "overfitting",
    "early_stopping",
    "learning_rate",
    "under_training",
    "stability",
    "classes",
    "selection_optimism",
    "sample_size",
]
Verdict = Literal["supported", "equivalent", "inconclusive", "confounded", "not_comparable", "exact", "unknown"]


@dataclass(frozen=True, slots=True)
class Details:
    """What a kind of conclusion says beyond the common fields; each kind has its own child.

    Fields hold numbers, texts, truth values, None, tuples and other frozen dataclasses; JSON takes their names as they
    are, but for a trailing underscore, which only keeps a Python keyword away (``from_``).
    """


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One conclusion with its verdict and evidence.

    Parameters
    ----------
    kind : Kind
    verdict : Verdict
    runs : tuple of str
        Run ids that it speaks of.
    details : Details
        The evidence of its kind.
    option : str or None
        The option that it is about, for an `option_effect`.
    estimate, interval, p_value, p_adjusted, n, method
        As in the module's conventions; None where the kind has none or it could not be had.
    sentence : str
        What a person reads; plain text, written by `sentences`.
    command : str or None
        The command line that would settle it, where it is open.
    """

    kind: Kind
    verdict: Verdict
    runs: tuple[str, ...]
    details: Details = field(default_factory=Details)
    option: str | None = None
    estimate: float | None = None
    interval: Interval | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    n: int | None = None
    method: str | None = None
    sentence: str = ""
    command: str | None = None

    @property
    def id(self) -> str:
        """``kind:option`` or ``kind:run-ids``: the same from report to report."""
        return f"{self.kind}:{self.option or ','.join(self.runs)}"
