"""How the conclusions were come by, in sentences with their sources; only what was used is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker import __version__
from tracker.conclusions.contrast_analysis import CROSSED, FOLDS, NESTED, SPLITS
from tracker.conclusions.option_effect import OptionEffect
from tracker.conclusions.run_difference import COUNTS, MCNEMAR, SIGN_FLIP, RunDifference
from tracker.wording import number_word, percent, points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.runs import Run
    from tracker.study.study import Study

_SENTENCES = {
    MCNEMAR: "Two models on the same clips are compared by McNemar's exact test, with Tango's score interval "
    "(doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B).",
    SIGN_FLIP: "Where clips share groups, two models are compared by an exact sign-flip test over the groups' net "
    "differences (Fisher 1935; doi:10.1080/01621459.1983.10477990); the interval is the wider of that over groups and "
    "Tango's.",
    COUNTS: "With counts alone, every pairing of the clips that they allow is tried; the largest p-value decides.",
    CROSSED: "An option's effect over matched pairs is estimated with pairs and clips both taken as samples "
    "(Dorfman, Berbaum and Metz 1992; Hillis 2007, doi:10.1002/sim.2532).",
    NESTED: "Runs of two levels that share too few seeds are compared as nested in their level and crossed with "
    "clips (Hillis 2007, doi:10.1002/sim.2532).",
    FOLDS: "Over folds the corrected resampled t-test is used (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).",
    SPLITS: "Over splits of one dataset, whose validation clips may overlap, the corrected resampled t-test is used "
    "(Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).",
}


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
    return (*_accuracy(study), *_tests(conclusions), *_families(study, conclusions), *_rest(conclusions))


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


def _tests(conclusions: Sequence[Conclusion]) -> Iterator[str]:
    used = {c.method for c in conclusions} | {
        found.method for c in conclusions if isinstance(c.details, OptionEffect) for found in c.details.contrasts
    }
    yield from (sentence for method, sentence in _SENTENCES.items() if method in used)


def _families(study: Study, conclusions: Sequence[Conclusion]) -> Iterator[str]:
    level = percent(study.alpha)
    sizes = {c.details.family for c in conclusions if isinstance(c.details, RunDifference)} - {0}
    for size in sorted(sizes):
        yield (
            f"All pairs of runs on the same clips, {number_word(size)}, are one family, corrected by Holm's method at "
            f"{level} whether printed or not."
        )
    if any(c.kind == "option_effect" and c.p_value is not None for c in conclusions):
        yield f"All contrasts of options with three repetitions or more are another family, corrected so at {level}."
    if any(c.method == CROSSED and c.p_adjusted != c.p_value for c in conclusions):
        yield (
            "What is corrected there is the p-value of Behrens and Fisher (doi:10.1111/j.1469-1809.1935.tb02120.x), "
            "which holds at the small levels of a family too, where that of t does not; adjusted p-values are "
            "therefore somewhat larger than Holm's of the p-values shown."
        )
    if any(c.kind == "best_run" and c.p_value is not None for c in conclusions):
        yield (
            "The best run is called so only if its uncorrected test against every other run says it (Hung and Fithian "
            "2019, doi:10.1214/17-AOS1634)."
        )
    yield (
        f"Equivalent means that the 90 % interval lies strictly inside ±{points(study.margin)}: each time a 5 % "
        "statement of its own, not corrected."
    )


def _rest(conclusions: Sequence[Conclusion]) -> Iterator[str]:
    kinds = {c.kind for c in conclusions if c.verdict == "exact"}
    if "early_stopping" in kinds:
        yield "Patiences are replayed on the logged validation loss as Keras' EarlyStopping counts them."
    if any(c.kind == "overfitting" and getattr(c.details, "gap", None) for c in conclusions):
        yield (
            "The gap between training and validation clips has Newcombe's interval "
            "(doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I)."
        )
    if "selection_optimism" in kinds:
        yield (
            "What the best owes to having been chosen is estimated by the bootstrap over clips "
            "(Efron 1983, doi:10.1080/01621459.1983.10477973)."
        )
    if "sample_size" in kinds:
        yield "What the clips can show is the power of McNemar's exact test (doi:10.2307/2531151)."
