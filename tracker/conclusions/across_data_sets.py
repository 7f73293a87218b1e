"""Which configuration is best across several data sets, each of which counts once, and which others could be as good.

Scores on different data sets don't compare, so that each configuration is ranked on each data set, by its mean there
over seeds and folds. Every pair of configurations is tested over data sets by signed ranks, after Friedman's test of
all. As in `best_run`, the best is called so only if its uncorrected test against each other one is significant.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method, Table, Verdict
from tracker.statistics.error_rates import is_best
from tracker.statistics.grouped import fewest_groups
from tracker.statistics.ranks import (
    adjusted_for_all_pairs,
    critical_difference,
    fewest_for_a_pair,
    friedman,
    ranks,
    signed_rank,
)
from tracker.study.datasets import complete_block
from tracker.wording import (
    NONE,
    begun,
    called_configuration,
    capitalised,
    configuration_phrases,
    counted,
    fixed_cell,
    listing,
    metric_text,
    metric_words,
    number_word,
    p_number,
    percent,
    percent_cell,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.study.study import Study
    from tracker.wording import Wording

MOST_COMPARED = 60  # configurations that are ranked, the best by their mean rank; above, the others are left out
_MOST_NAMED = 4  # configurations that the sentence names as possibly as good
_MOST_COLUMNS = 8  # of the table of scores
_MOST_GROUPS = 20  # of configurations that could be equally good

METHOD = Method(
    "Wilcoxon signed-rank test over data sets",
    "A data set counts once, by the mean over seeds of each configuration's score on it. Pairs of configurations are "
    "tested over data sets by the exact signed-rank test, after Friedman's test of all and corrected for all pairs by "
    "Shaffer's procedure; the best is called so if it is ahead of each other one at the uncorrected level, after "
    "Friedman's test too (Wilcoxon "
    "1945, doi:10.2307/3001968; Friedman 1937, doi:10.1080/01621459.1937.10503522; Shaffer 1986, "
    "doi:10.1080/01621459.1986.10478341; García and Herrera 2008, JMLR 9:2677–2694).",
)


@dataclass(frozen=True, slots=True)
class RankedConfiguration:
    """One configuration across data sets."""

    name: str  # its options in words, other people's in part
    runs: tuple[str, ...]  # ids of its runs on these data sets
    scores: tuple[float, ...]  # the primary metric on each data set, the mean over its runs there
    ranks: tuple[float, ...]  # on each data set, 1 being the best
    mean_rank: float
    times_first: int  # data sets on which no other configuration is ahead of it
    # data sets on which the best configuration is ahead of it, as good, and behind it; None for the best itself
    record: tuple[int, int, int] | None = None
    p_value: float | None = None  # of the best against it; None if nothing is tested, as the next one
    p_adjusted: float | None = None  # for all pairs of configurations
    tied: bool | None = None  # whether it is not significantly worse than the best, which is itself; None if not tested

    @property
    def called(self) -> str:
        """What it is called in a sentence."""
        return called_configuration(self.name.split(", "))


@dataclass(frozen=True, slots=True)
class AcrossDataSets(Details):
    """The evidence."""

    data_sets: tuple[str, ...] = ()  # those that every configuration was run on
    configurations: tuple[RankedConfiguration, ...] = ()  # the best mean rank first
    groups: tuple[tuple[int, ...], ...] = ()  # places of configurations no two of which differ significantly
    friedman_chi_square: float | None = None  # corrected for equal scores
    friedman_p: float | None = None
    iman_davenport_f: float | None = None  # None if every data set has the same order
    iman_davenport_p: float | None = None
    nemenyi_difference: float | None = None  # of mean ranks, for comparison with other papers; it decides nothing
    fewest: int = 0  # data sets that any test takes
    fewest_for_a_pair: int = 0  # data sets that it takes until two of so many configurations can differ
    data_sets_left_out: tuple[str, ...] = ()  # on which not all of these configurations were run
    configurations_left_out: int = 0  # that were not run on all of these data sets

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return which configuration is best across data sets, and whether chance explains it."""
        over = counted(len(self.data_sets), "data set")
        if len(self.configurations) == 2:
            return self._of_two(conclusion, wording, over)
        first, *others = self.configurations
        mean, among = mean_rank_text(first), counted(len(self.configurations), "configuration")
        if conclusion.verdict == "supported":
            return (
                f"{capitalised(first.called)} is best over {over}, with a mean rank of {mean} among {among}. It is "
                "significantly better than each of the others."
            )
        shared = [other for other in others if other.mean_rank == first.mean_rank]
        if shared:
            who = capitalised(listing([each.called for each in (first, *shared)][:_MOST_NAMED]))
            return f"{who} share the best mean rank over {over}, {mean} among {among}. {self._certainty(conclusion)}"
        head = f"{capitalised(first.called)} has the best mean rank over {over}, {mean} among {among}."
        return f"{head} {self._certainty(conclusion)}"

    def _of_two(self, conclusion: Conclusion, wording: Wording, over: str) -> str:
        first, second = self.configurations
        ahead, same, _ = second.record or (0, 0, 0)
        if first.mean_rank == second.mean_rank:
            each = f", each ahead on {ahead} of them" if ahead else ""
            return f"{capitalised(first.called)} and {second.called} are level over {over}{each}."
        what = f"a {'lower' if wording.metric.lower_is_better else 'higher'} {metric_words(wording.metric)}"
        equal = f" and the same on {same}" if same else ""
        who = f"{capitalised(first.called)} has {what} than {second.called}"
        return f"{who} on {ahead} of {over}{equal}. {self._certainty(conclusion)}"

    def _certainty(self, conclusion: Conclusion) -> str:
        """Return whether chance explains the order."""
        _, *others = self.configurations
        if len(self.data_sets) < self.fewest:
            return f"Too few data sets to test: it takes at least {number_word(self.fewest)}."
        if conclusion.verdict == "supported":
            return "The difference is significant."
        tied = [other for other in others if other.tied]
        if len(tied) == len(others):
            return self._none_worse()
        if not tied:
            return "Each other one is significantly worse, yet not by the test that guards against picking the best."
        worse = len(others) - len(tied)
        is_named = len(tied) <= _MOST_NAMED
        names = listing([other.called for other in tied]) if is_named else f"the other {number_word(len(tied))}"
        verb = "is" if worse == 1 else "are"
        which = f"{capitalised(number_word(worse))} of the other {number_word(len(others))}"
        return f"{which} {verb} significantly worse; {names} could be as good."

    def _none_worse(self) -> str:
        """Return that no other configuration is significantly worse, or that no test could have shown it."""
        k = len(self.configurations)
        if len(self.data_sets) < self.fewest_for_a_pair:
            few = counted(self.fewest_for_a_pair, "data set")
            return f"Whether others are worse is open: with {counted(k, 'configuration')} that takes at least {few}."
        who = {2: "the other is not", 3: "neither of the others is"}.get(k, "none of the others is")
        return f"Chance could explain that: {who} significantly worse."

    def score_table(self, *, in_percent: bool, title: str) -> Table:
        """Return the scores, configurations by data sets, and the mean ranks; the fewer of both are the columns."""
        write = percent_cell if in_percent else metric_text
        ranked = self.configurations
        if len(self.data_sets) <= min(_MOST_COLUMNS, max(len(ranked), 4)):
            rows = [(begun(c.name), *map(write, c.scores), mean_rank_text(c)) for c in ranked]
            return Table(title, ("configuration", *self.data_sets, "mean rank"), tuple(rows))
        shown = ranked[:_MOST_COLUMNS]
        rows = [(name, *(write(c.scores[place]) for c in shown)) for place, name in enumerate(self.data_sets)]
        more = "" if len(shown) == len(ranked) else f" ({len(shown)} of {len(ranked)} configurations)"
        last = ("mean rank", *map(mean_rank_text, shown))
        return Table(f"{title}{more}", ("data set", *(begun(c.name) for c in shown)), (*rows, last))

    def test_tables(self, alpha: float) -> tuple[Table, ...]:
        """Return the best against each other configuration, and the tests of all together; none if nothing is tested.

        Wins are data sets on which the best is ahead.
        """
        if self.friedman_p is None:
            return ()
        _, *others = self.configurations
        rows = []
        for other in others:
            p_values = [NONE if p is None else p_number(p, alpha) for p in (other.p_value, other.p_adjusted)]
            verdict = "could be as good" if other.tied else "significantly worse"
            rows.append((begun(other.name), " / ".join(map(str, other.record or ())), *p_values, verdict))
        header = ("configuration", "best wins / ties / losses", "p", "p, corrected for all pairs", "verdict")
        chi_square = f"χ²({len(self.configurations) - 1}) = {metric_text(self.friedman_chi_square)}"
        difference = f"{fixed_cell(self.nemenyi_difference, 2)} of mean rank; it decides nothing here"
        overall = (
            ("Friedman’s test", chi_square, p_number(self.friedman_p, alpha)),
            ("Nemenyi’s critical difference", difference, NONE),
        )
        return (
            Table("The best against the others, over data sets", header, tuple(rows)),
            Table("All configurations together", ("test", "value", "p"), overall),
        )

    def left_out_text(self) -> str:
        """Return what was left out because not every configuration was run on every data set; empty for nothing."""
        parts = []
        if self.configurations_left_out:
            which = counted(self.configurations_left_out, "configuration")
            verb = "was" if self.configurations_left_out == 1 else "were"
            parts.append(f"{which} that {verb} not run on all of these data sets")
        if self.data_sets_left_out:
            which = counted(len(self.data_sets_left_out), "data set")
            parts.append(f"{which} on which not all of these configurations were run")
        return f"Left out: {' and '.join(parts)}." if parts else ""


def mean_rank_text(configuration: RankedConfiguration) -> str:
    """Return a mean rank with two decimals."""
    return fixed_cell(configuration.mean_rank, 2)


def across_data_sets(study: Study) -> Iterator[Conclusion]:
    """Conclude on the configurations that were run on the same data sets, if there are several of both."""
    if study.data is None or not study.ranking:
        return
    runs_of = _comparable(study)
    found = {place: _scores(study, runs) for place, runs in enumerate(runs_of)}
    whole, names = complete_block({place: frozenset(scores) for place, scores in found.items()})
    if not whole:
        return
    ordered = [data.name for data in study.data.sets if data.name in names]
    scores = np.array([[found[place][name] for place in whole] for name in ordered])
    of_ranks = ranks(scores, lower_is_better=study.metric.lower_is_better)
    means = of_ranks.mean(axis=0)
    best_first = sorted(range(len(whole)), key=lambda column: (means[column], column))[:MOST_COMPARED]
    scores, of_ranks = scores[:, best_first], of_ranks[:, best_first]
    runs = [tuple(sorted(run for name in ordered for run in runs_of[whole[column]][name])) for column in best_first]
    left_out = len(found) - len(best_first), tuple(data.name for data in study.data.sets if data.name not in names)
    yield _conclusion(study, ordered, runs, scores, of_ranks, left_out)


def _comparable(study: Study) -> list[dict[str, list[int]]]:
    """Return each configuration's runs by data set: those on the clips that most configurations there have.

    If it wasn't run on all of these clips, such as all folds, it has none on the data set.
    """
    configurations = [[run for run in runs if run in study.rank_of] for runs in study.design.configurations]
    on_clips: list[dict[str, dict[object, list[int]]]] = []
    for runs in configurations:
        by_set: dict[str, dict[object, list[int]]] = defaultdict(lambda: defaultdict(list))
        for run in runs:
            by_set[study.data_set_of[run]][_clips_key(study, run)].append(run)
        on_clips.append(by_set)
    found: list[dict[str, list[int]]] = [{} for _ in configurations]
    for name in dict.fromkeys(study.data_set_of.values()):
        counts = Counter(key for by_set in on_clips if name in by_set for key in by_set[name])
        most = max(counts.values(), default=0)
        usual = [key for key, count in counts.items() if count == most]
        for own, by_set in zip(found, on_clips, strict=True):
            if name in by_set and by_set[name].keys() >= set(usual):
                own[name] = [run for key in usual for run in by_set[name][key]]
    return found


def _clips_key(study: Study, run: int) -> object:
    """Return what says which clips of its data set a run was evaluated on."""
    is_known = study.results[run].clip_set.known
    return (study.clip_set_index[run] if is_known else None, study.design.terms[run].split)


def _scores(study: Study, by_set: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return a configuration's score on each data set: the mean over sets of clips of the mean over seeds."""
    found = {}
    for name, runs in by_set.items():
        by_clips: dict[object, list[float]] = defaultdict(list)
        for run in runs:
            by_clips[_clips_key(study, run)].append(study.results[run].score or 0.0)
        found[name] = float(np.mean([np.mean(values) for values in by_clips.values()]))
    return found


def _conclusion(
    study: Study,
    names: Sequence[str],
    runs: Sequence[tuple[int, ...]],
    scores: NDArray[np.float64],
    of_ranks: NDArray[np.float64],
    left_out: tuple[int, tuple[str, ...]],
) -> Conclusion:
    """Return the conclusion, given configurations by their runs, the best first, and the columns of `scores`."""
    (n, k), fewest = scores.shape, fewest_groups(study.alpha)
    is_tested = n >= fewest
    pairs = list(combinations(range(k), 2))
    p_values = np.array([signed_rank(scores[:, a], scores[:, b]) for a, b in pairs]) if is_tested else np.ones(0)
    overall = friedman(of_ranks)
    adjusted = adjusted_for_all_pairs(p_values, k, overall.p_value) if is_tested else p_values
    raw, corrected = (dict(zip(pairs, found.tolist(), strict=False)) for found in (p_values, adjusted))
    against = [raw.get((0, other)) for other in range(1, k)]
    known = np.array([p for p in against if p is not None])
    ahead = all(of_ranks[:, 0].mean() < of_ranks[:, other].mean() for other in range(1, k))
    differ_at_all = k == 2 or overall.p_value <= study.alpha
    is_supported = is_tested and ahead and differ_at_all and is_best(known, study.alpha)
    verdict: Verdict = "supported" if is_supported else "inconclusive"
    words = _names(study, runs)
    ranked = []
    for place in range(k):
        wins = np.sign(of_ranks[:, place] - of_ranks[:, 0])
        p_adjusted = corrected.get((0, place))
        is_worse = is_supported or (p_adjusted is not None and p_adjusted <= study.alpha)
        ranked.append(
            RankedConfiguration(
                name=words[place],
                runs=study.ids(runs[place]),
                scores=tuple(scores[:, place].tolist()),
                ranks=tuple(of_ranks[:, place].tolist()),
                mean_rank=float(of_ranks[:, place].mean()),
                times_first=int((of_ranks[:, place] == of_ranks.min(axis=1)).sum()),
                record=(int((wins > 0).sum()), int((wins == 0).sum()), int((wins < 0).sum())) if place else None,
                p_value=raw.get((0, place)),
                p_adjusted=p_adjusted,
                tied=(not place or not is_worse) if is_tested else None,
            )
        )
    differ = {pair for pair, p in corrected.items() if p <= study.alpha}
    details = AcrossDataSets(
        data_sets=tuple(names),
        configurations=tuple(ranked),
        groups=tuple(equal_groups(k, differ)) if is_tested else (),
        friedman_chi_square=overall.chi_square if is_tested else None,
        friedman_p=overall.p_value if is_tested else None,
        iman_davenport_f=overall.f if is_tested and np.isfinite(overall.f) else None,
        iman_davenport_p=overall.f_p_value if is_tested else None,
        nemenyi_difference=critical_difference(k, n, study.alpha) if is_tested else None,
        fewest=fewest,
        fewest_for_a_pair=fewest_for_a_pair(k, study.alpha),
        data_sets_left_out=left_out[1],
        configurations_left_out=left_out[0],
    )
    every = tuple(run_id for configuration in ranked for run_id in configuration.runs)
    method = METHOD if is_tested else None
    p_value = max(p for p in against if p is not None) if is_tested else None
    return Conclusion("across_data_sets", verdict, every, details, p_value=p_value, n=n, method=method)


def _names(study: Study, runs: Sequence[tuple[int, ...]]) -> list[str]:
    """Return what each configuration is called; those that would be called the same have a number."""
    names = [", ".join(configuration_phrases(study.design, of_one[0])) for of_one in runs]
    twice = {name for name, count in Counter(names).items() if count > 1 or not name}
    return [f"{name} (configuration {n})".strip() if name in twice else name for n, name in enumerate(names, start=1)]


def equal_groups(k: int, differ: set[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Return the largest groups of two or more configurations no two of which differ, the best first.

    Parameters
    ----------
    differ : set of (int, int)
        Pairs that differ, each by its lower place first.
    """
    equal = [{b for b in range(k) if b != a and (min(a, b), max(a, b)) not in differ} for a in range(k)]
    found: list[tuple[int, ...]] = []

    def extend(group: set[int], candidates: set[int], tried: set[int]) -> None:  # Bron and Kerbosch's algorithm
        if len(found) >= _MOST_GROUPS:
            return
        if not candidates and not tried:
            if len(group) > 1:
                found.append(tuple(sorted(group)))
            return
        pivot = max(candidates | tried, key=lambda place: len(equal[place] & candidates))
        for place in sorted(candidates - equal[pivot]):
            extend(group | {place}, candidates & equal[place], tried & equal[place])
            candidates = candidates - {place}
            tried = tried | {place}

    extend(set(), set(range(k)), set())
    return sorted(found)


def _methods(study: Study, conclusions: Sequence[Conclusion]) -> Iterator[str]:
    if any(conclusion.method for conclusion in conclusions):
        yield (
            "Mean ranks put configurations in order but decide nothing: whether two differ in mean rank depends on "
            "which others are compared (Benavoli, Corani and Mangili 2016, JMLR 17:1–10). Nemenyi's critical "
            "difference, which rests on them, is there for comparison with other papers (Demšar 2006, JMLR 7:1–30)."
        )
        yield (
            "Friedman's test is used in its own form. That of Iman and Davenport, which is in the JSON document too, "
            "finds too many differences with six to eight data sets (doi:10.1080/03610928008827904)."
        )
    if study.data is not None:
        n = len(study.data.sets)
        yield (
            f"The tests within the {n} data sets share the level: those of each are held to 1/{n} of "
            f"{percent(study.alpha)}, so that more data sets claim no more by chance."
        )


KIND = Kind(
    name="across_data_sets",
    title="Data sets",
    conclude=across_data_sets,
    p_is="against each other configuration at most",
    tests=(METHOD,),
    methods=_methods,
)
