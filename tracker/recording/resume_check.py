"""What differs from what a run began with: going on with it, it would end as no run would."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from tracker.data.splits import manifest_text
from tracker.journal.reader import ARTIFACTS
from tracker.recording.prepare import identity
from tracker.recording.recorder import environment_text
from tracker.recording.run_writer import ENVIRONMENT
from tracker.store import DATASET
from tracker.training.environment import differences
from tracker.wording import some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.journal.reader import Journal
    from tracker.recording.prepare import Prepared
    from tracker.runs import RunPlan

    Clips = Mapping[str, list[str]]


def changes(journal: Journal, plan: RunPlan, prepared: Prepared) -> list[str]:
    """Name what differs from what a run began with: data, split, versions, threads, code.

    Parameters
    ----------
    journal : Journal
    plan : RunPlan
        The run's, as its params say it.
    prepared : Prepared
        The data as they are now.

    Returns
    -------
    list of str
        None where it goes on as it began.
    """
    then, now = journal.started.tags, identity(prepared)
    changed = []
    if then.get("tracker.dataset") != now["tracker.dataset"]:
        manifest = manifest_text(prepared.dataset, prepared.split, plan.split)
        changed.append(f"the data{_clips_changed(_artifact(journal, DATASET), manifest)}")
    if then.get("tracker.split") != now["tracker.split"]:
        changed.append("the split")
    noted = {"tracker": then.get("tracker.version", "none")} | _noted(_artifact(journal, ENVIRONMENT))
    return changed + differences(noted, _noted(environment_text(plan.configuration.model)))


def _clips_changed(manifest_then: str, manifest: str) -> str:
    """Say which clips are gone, new, or told otherwise; where none is, it is the files."""
    before, now = _clips(manifest_then), _clips(manifest)
    if not before:
        return ""
    kinds = {
        "gone": before.keys() - now.keys(),
        "new": now.keys() - before.keys(),
        "with another label or group": {path for path in before.keys() & now.keys() if before[path] != now[path]},
    }
    told = [f"{len(paths)} {kind}: {some(sorted(paths))}" for kind, paths in kinds.items() if paths]
    return f" ({', '.join(told) or 'what the files hold'})"


def _clips(manifest: str) -> Clips:
    """Return label and group of each clip by its path."""
    return {path: about[:2] for path, *about in filter(None, csv.reader(io.StringIO(manifest, newline="")))}


def _noted(text: str) -> dict[str, str]:
    return {name: version for name, _, version in (line.partition(" ") for line in text.splitlines())}


def _artifact(journal: Journal, path: str) -> str:
    """Return an artifact that a run began with; nothing where it was killed before that was written."""
    file = journal.folder / ARTIFACTS / path
    return file.read_text("utf-8", "surrogateescape") if file.exists() else ""
