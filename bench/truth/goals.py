"""The goals, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.truth.coverage import LEAST_FAVOURABLE, coverages
from bench.truth.detection import RATIO, SELDOM, detections
from bench.truth.looks import LOOKED
from bench.truth.markdown import cell, percent
from bench.truth.measure import Measured
from bench.truth.shares import GOAL, Share

Results = Mapping[str, Sequence[Measured]]

EFFECTS = ("effect", "farther")
"""Fields of a setting that say by how much something differs."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: what is wanted, what was found, and whether that meets it."""

    name: str
    wanted: str
    found: str
    met: bool


def goals(results: Results) -> list[Goal]:
    """Hold everything that was measured against the goals.

    Parameters
    ----------
    results : mapping of part to what was measured

    Returns
    -------
    list of Goal
    """
    return [
        *(
            _null_goal(name, f"`{name}` supported where nothing differs", results)
            for name in ("best_run", "run_difference", "option_effect", "best_configuration", "across_data_sets")
        ),
        _null_goal(LOOKED, "`option_effect` supported at any look while seeds are added and nothing differs", results),
        _null_goal("over trainings", "`option_effect` without predictions, supported where nothing differs", results),
        _null_goal("for other clips", "the same, supported for other clips where nothing differs on those", results),
        _null_goal(
            "gate in a series",
            "`tracker gate --series` lets any of many candidates through that are no better",
            results,
        ),
        _equivalence(results),
        _detection(results),
        _two_models(results),
        _confounded(results),
        *_coverage(results),
    ]


def nulls(results: Results, name: str) -> list[tuple[Measured, Share]]:
    """Return every setting in which nothing differs and in which such a conclusion would be wrong, with its share."""
    found = [one for part in results.values() for one in part if not _effect(one)]
    if name == "run_difference":
        found = [one for one in found if not _noise(one)]
    return [(one, one.tally[name]) for one in found if name in one.tally]


def _noise(one: Measured) -> float:
    return float(getattr(one.setting, "noise", 0.0))


def _effect(one: Measured) -> float:
    return max(float(getattr(one.setting, field, 0.0)) for field in EFFECTS)


def _null_goal(name: str, what: str, results: Results) -> Goal:
    shares = [share for _, share in nulls(results, name)]
    over = sum(not share.meets() for share in shares)
    worst = max(shares, key=lambda share: share.rate)
    found = f"at most {cell(worst)} in {len(shares)} settings" + (
        f"; {over} exceed{'s' * (over == 1)} it" if over else ""
    )
    return Goal(what, f"≤ {percent(GOAL)}", found, not over)


def _equivalence(results: Results) -> Goal:
    shares = [one.tally["equivalent"] for one in results["one option"] if abs(_effect(one) - 0.05) < 1e-9]
    worst = max(shares, key=lambda share: share.rate)
    return Goal(
        "`option_effect` equivalent where it is the margin",
        f"≤ {percent(GOAL)}",
        f"at most {cell(worst)} in {len(shares)} settings",
        all(s.meets() for s in shares),
    )


def _detection(results: Results) -> Goal:
    found = [
        one for one in detections([*results["one option"], *results["other worlds"]]) if one.best_share.rate >= SELDOM
    ]
    lowest = min(found, key=lambda one: one.ratio)
    below = sum(not one.holds for one in found)
    text = f"at least {lowest.ratio:.2f} in {len(found)} settings" + _short(below)
    return Goal("effects found, beside the best valid test", f"≥ {RATIO}", text, not below)


def _two_models(results: Results) -> Goal:
    """Hold the report's test against the exact unconditional one, for models that differ without training noise."""
    options = [one for one in results["one option"] if _effect(one) and "exact unconditional" in one.tally]
    shares = [(one.tally["run_difference"], one.tally["exact unconditional"]) for one in options if not _noise(one)]
    ratios = [share.count / best.count for share, best in shares if best.rate >= SELDOM]
    below = sum(ratio < RATIO for ratio in ratios)
    text = f"at least {min(ratios):.2f} in {len(ratios)} settings" + _short(below)
    return Goal("models told apart, beside the exact unconditional test", f"≥ {RATIO}", text, not below)


def _short(below: int) -> str:
    return f"; {below} fall{'s' * (below == 1)} short" if below else ""


def _confounded(results: Results) -> Goal:
    every = [share for one in results["confounded"] for share in one.tally.values()]
    total = Share(sum(share.count for share in every), sum(share.total for share in every))
    return Goal("confounded options called so, and no others", "100%", percent(total.rate), total.count == total.total)


def _coverage(results: Results) -> Iterator[Goal]:
    found = coverages(results)
    narrow = [one.kind for one in found if one.mean < 0.93 or one.lowest.share.rate < 0.90]
    means = {one.kind: one.mean for one in found}
    wider = [kind for kind, mean in means.items() if mean > 0.97]
    wide = [kind for kind in wider if means.get(f"{kind}{LEAST_FAVOURABLE}", 1.0) > 0.97]
    there = f", {len(wider) - len(wide)} of them where it is least favourable" if len(wider) > len(wide) else ""
    yield Goal(
        "intervals that hold the truth often enough",
        "mean ≥ 93%, no point < 90%",
        _named(narrow, len(found)),
        not narrow,
    )
    yield Goal("intervals that are not too wide", "mean ≤ 97%", f"{_named(wide, len(found))}{there}", not wide)


def _named(missed: Sequence[str], kinds: int) -> str:
    return f"all {kinds} kinds" if not missed else f"all of {kinds} kinds but: {'; '.join(missed)}"
