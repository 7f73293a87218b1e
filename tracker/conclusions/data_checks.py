"""What may make accuracy too optimistic: unknown groups, and recordings or groups on both sides of the split.

`tracker run` compares all clips and logs which are copies of one recording, also if they were encoded again, cut or
amplified; other programs may log the same tags.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Table
from tracker.runs.facts import Found, data_facts
from tracker.study.metric_roles import ACCURACY, role_of
from tracker.study.sample_name import CLIPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.study.run_results import RunResult
    from tracker.study.study import Study
    from tracker.wording import Wording


_IN_SEVERAL_PARTS = "in more than one part of the split, so validation accuracy is too optimistic."
_SEVERAL_LABELS = "more than one label, so no model can classify every copy correctly."
_ARE_COPIES = (
    "there more than once, also encoded again, cut or amplified. The split keeps such copies together, but fewer clips "
    "are independent than were counted."
)
_MAY_SHARE = "so clips of one {} may be in both training and {}; {} would then be too optimistic."
_SOURCES_OF_AUDIO, _SOURCES = "artist, speaker or recording", "person, place or other source"


@dataclass(frozen=True, slots=True)
class DataChecks(Details):
    """The evidence; None if it was not logged."""

    groups: int | None = None  # how many the data names; 0 if none
    shared_recordings: Found | None = None  # with copies in more than one part of the split
    cut_groups: Found | None = None  # groups in more than one part of the split
    relabelled_recordings: Found | None = None  # with copies under several labels
    copies: Found | None = None  # recordings with copies in one part of the split

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return what makes the validation accuracy too optimistic, or may."""
        del conclusion
        parts = []
        for found, one, several, consequence in (
            (self.shared_recordings, "recording is", "recordings are", _IN_SEVERAL_PARTS),
            (self.cut_groups, "group is", "groups are", _IN_SEVERAL_PARTS),
            (self.relabelled_recordings, "recording has", "recordings have", _SEVERAL_LABELS),
        ):
            if found and found.n:
                parts.append(f"{found.n:,} {one if found.n == 1 else several} {consequence}")
        if self.copies and self.copies.n:
            are = "recording is" if self.copies.n == 1 else "recordings are"
            parts.append(f"{self.copies.n:,} {are} {_ARE_COPIES}")
        if not self.groups:
            why = "No groups were logged" if self.groups is None else "The data names no groups"
            sources = _SOURCES_OF_AUDIO if wording.sample == CLIPS else _SOURCES
            part = "test" if wording.metric.part == "test" else "validation"
            what = "accuracy" if role_of(wording.metric.name)[0] == ACCURACY else "results"
            parts.append(f"{why}, {_MAY_SHARE.format(sources, part, what)}")
        if parts:
            return " ".join(parts)
        if self.cut_groups is None:
            return "Whether training and validation clips come from different groups was not logged."
        recording = " or recording" if self.shared_recordings else ""
        return f"No group{recording} is in more than one part of the split."

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return the examples."""
        del in_points
        return tuple(
            Table(title, (column,), tuple((" = ".join(names),) for names in found.examples))
            for title, column, found in (
                ("The same recording in several parts of the split", "clips", self.shared_recordings),
                ("Groups in several parts of the split", "group", self.cut_groups),
                ("The same recording under several labels", "clips", self.relabelled_recordings),
                ("The same recording more than once", "clips", self.copies),
            )
            if found and found.examples
        )


def data_checks(study: Study) -> Iterator[Conclusion]:
    """Conclude on the data of the runs, once for all runs of which the same is known."""
    runs: dict[DataChecks, list[str]] = defaultdict(list)
    for result in study.results:
        runs[_checks(result)].append(result.run_id)
    for details, ids in runs.items():
        yield Conclusion("data_checks", "unknown" if details == DataChecks() else "exact", tuple(ids), details)


def _checks(result: RunResult) -> DataChecks:
    facts, run = data_facts(result.run.tags), result.run
    groups = facts.groups
    if groups is None and run.validation is not None:
        groups = len(set(run.groups.values()))
    return DataChecks(groups, facts.shared_recordings, facts.cut_groups, facts.relabelled_recordings, facts.copies)


KIND = Kind(name="data_checks", title="Data checks", conclude=data_checks)
