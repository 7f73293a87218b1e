"""How the conclusions were come by, in sentences with their sources; only what was used is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker import __version__
from tracker.conclusions import kinds, of_kind
from tracker.wording import points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion, Kind, KindName
    from tracker.runs import Run
    from tracker.study.study import Study

_CORRECTED: tuple[KindName, ...] = ("run_difference", "option_effect", "best_run")
"""Kinds with tests that are corrected for how many they are: their methods come first."""


def methods(study: Study, conclusions: Sequence[Conclusion]) -> tuple[str, ...]:
    """Say how the conclusions were come by.

    Parameters
    ----------
    study : Study
    conclusions : sequence of Conclusion

    Returns
    -------
    tuple of str
    """
    if not study.results:
        return ()
    ordered = kinds(*_CORRECTED, "early_stopping")
    corrected, others = ordered[: len(_CORRECTED)], ordered[len(_CORRECTED) :]
    return (
        *_accuracy(study),
        *_sources(ordered, conclusions),
        *(sentence for kind in corrected for sentence in kind.methods(study, of_kind(conclusions, kind))),
        _equivalence(study),
        *(sentence for kind in others for sentence in kind.methods(study, of_kind(conclusions, kind))),
    )


def _equivalence(study: Study) -> str:
    return (
        f"Equivalent means that the 90 % interval lies strictly inside ±{points(study.margin)}: each time a 5 % "
        "statement of its own, not corrected."
    )


def versions(runs: Sequence[Run]) -> tuple[tuple[str, str], ...]:
    """Return the versions that wrote the report and logged its runs.

    Parameters
    ----------
    runs : sequence of Run

    Returns
    -------
    tuple of (name, version)
    """
    logged = sorted({run.tags[tag] for run in runs if (tag := "tracker.version") in run.tags})
    commits = sorted({run.commit[:12] for run in runs if run.commit})
    return (
        ("tracker, this report", __version__),
        *([("tracker, the runs", ", ".join(logged))] if logged else []),
        *([("git commits of the runs", ", ".join(commits))] if commits else []),
    )


def _accuracy(study: Study) -> Iterator[str]:
    if any(found.correct is not None for found in study.results):
        yield "Accuracies have Wilson's 95 % interval (doi:10.1080/01621459.1927.10502953)."
    if any(clips.groups for clips in study.clip_sets):
        yield (
            "Where clips share groups, it is Wilson's at the number of clips over the design effect, with Student's "
            "quantile (doi:10.1093/jssam/smv024)."
        )


def _sources(ordered: Sequence[Kind], conclusions: Sequence[Conclusion]) -> Iterator[str]:
    """Yield the sources of the methods that were used."""
    used = {method for conclusion in conclusions for method in (conclusion.method, *conclusion.details.methods)}
    yield from (method.source for kind in ordered for method in kind.tests if method in used)
