"""One hostile or odd case: what is put where, and which commands are run then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.hostile.commands import LIMIT_S
from bench.hostile.place import GOOD, Place

if TYPE_CHECKING:
    from bench.hostile.strangers import Lie

Prepare = Callable[[Place], object]

RUNS = ("runs", "--format", "json")
REPORT = ("report", "--format", "json")
"""Both list the runs, so that one that is lost is missed."""

CREDENTIALS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
"""Variables that every command has, unless a case removes them."""


@dataclass(frozen=True)
class Case:
    """One case.

    Parameters
    ----------
    name : str
        Its kind and what it is: ``journals/params-is-a-list``.
    commands : tuple of tuple of str
        The words of each, run one after another; see `Place.told`.
    prepare : callable
        Puts what is hostile into the place.
    keeps : tuple of str
        The runs that each listing must have: those that have nothing to do with the hostile one. In a report only
        those of a store are looked for.
    intact : tuple of str
        Files in the project that are none of `tracker`'s and must stay as they are.
    environment : mapping
        Variables on top of the usual ones; None removes one.
    lie : Lie, optional
        What the server that the user gives lies about. Without one there is no such server, unless ``serves``.
    serves : bool
        Whether there is a server that tells the truth.
    prelude : str
        Shell code that is run before each command, in its process.
    shows : tuple of str
        Texts that the output must have as they are.
    terminal : bool
        Whether output goes to a terminal.
    at_once : int
        How many processes run each command at the same time.
    succeeds : bool
        Whether every command must end with status 0: nothing is wrong at all.
    skipped : str
        Why it cannot be tried on this machine; empty where it can.
    short : bool
        Whether it belongs to the short form.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    prepare: Prepare = lambda _place: None
    keeps: tuple[str, ...] = GOOD
    intact: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    lie: Lie | None = None
    serves: bool = False
    prelude: str = ""
    shows: tuple[str, ...] = ()
    terminal: bool = False
    at_once: int = 1
    succeeds: bool = False
    skipped: str = ""
    short: bool = False
    limit_s: float = LIMIT_S

    @property
    def kind(self) -> str:
        """The first part of its name."""
        return self.name.partition("/")[0]

    @property
    def may_be_forked(self) -> bool:
        """Whether it is the same however its commands are started."""
        usual = set(self.environment) <= {"MLFLOW_TRACKING_URI", "TRACKER_CACHE", *CREDENTIALS}
        return usual and not self.prelude and not self.terminal and self.at_once == 1


def without(*names: str) -> tuple[str, ...]:
    """Return the good runs but for some."""
    return tuple(name for name in GOOD if name not in names)
