"""A run's model registered under a name, with the alias ``best``, where the report's verdict allows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.errors import TrackerError
from tracker.recording.kept_model import called, open_model
from tracker.recording.reports import build_report
from tracker.runs import UNSENT_TAG
from tracker.store import MODEL

if TYPE_CHECKING:
    from tracker.recording.reports import Report
    from tracker.recording.stores import ExperimentRuns
    from tracker.runs import Run
    from tracker.store import Store

ALIAS = "best"

_VERDICT_TAG = "tracker.verdict"  # of a version: whether the report calls its configuration best
_ANYWAY_TAG = "tracker.promoted_anyway"


@dataclass(frozen=True, slots=True)
class Promotion:
    """A run's model as it is registered."""

    name: str  # of the registered model
    version: str
    sentence: str  # the report's, which is the version's description
    anyway: bool  # whether the report did not allow it

    @property
    def uri(self) -> str:
        """What MLflow loads it by."""
        return f"models:/{self.name}@{ALIAS}"


def promote_run(
    run: Run, runs: ExperimentRuns, store: Store, name: str | None = None, *, anyway: bool = False
) -> Promotion:
    """Register a run's kept model, by default under the experiment's name, and give it the alias ``best``.

    Raises
    ------
    TrackerError
        If the report names no winner, or another one, unless `anyway`; the run has no model or isn't in the store yet;
        the store refuses or is away.
    """
    report = build_report(runs)
    refusal = _refusal(report, run)
    if refusal and not anyway:
        raise TrackerError(f"{called(run)} is not promoted: {refusal}; --anyway does it, and records that")
    if UNSENT_TAG in run.tags:
        raise TrackerError(f"{called(run)} is not wholly in the store: upload it first with `tracker sync`")
    open_model(run, store)  # to know that there is one
    given = name or runs.name.replace("/", "-").replace(":", "-")
    sentence = f"{report.title}. {report.lead}".strip()
    tags = {_VERDICT_TAG: "none" if refusal else "best", _ANYWAY_TAG: str(bool(refusal)).lower()}
    version = store.register_model(run.run_id, MODEL, given, ALIAS, sentence, tags)
    return Promotion(given, version, sentence, bool(refusal))


def _refusal(report: Report, run: Run) -> str:
    """Return why the report does not allow a run to be called best; empty if it does."""
    if not report.has_winner:
        return f"the report names no winner ({report.title})"
    if all(entry.run.run_id != run.run_id for entry in report.sections[0].entries):
        return f"the report names another one ({report.title})"
    return ""
