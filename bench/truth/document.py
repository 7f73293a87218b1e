"""The document that the benchmark writes: what was simulated, the goals, and every table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.truth import one_option
from bench.truth.confounded import Confounded
from bench.truth.counts import CountsAlone
from bench.truth.coverage import Coverage, coverages
from bench.truth.data_sets import DataSets
from bench.truth.detection import Detection, detections
from bench.truth.folds import Folds
from bench.truth.goals import goals
from bench.truth.grouped import GroupedOption, GroupedRuns
from bench.truth.intervals import Gap
from bench.truth.limit import Rule, behrens_fisher, both_t_tests, false_claims, hillis, linear, reported
from bench.truth.looks import CARELESS, ENDLESS, FINAL, HABITS, HALVED, LOOKED, AddedSeeds
from bench.truth.markdown import cell, held, percent, points, table
from bench.truth.measure import Measured
from bench.truth.null_runs import NullRuns
from bench.truth.one_option import OneOption
from bench.truth.series import Series
from bench.truth.trainings import CountedSeeds, FoldScores, Scores

if TYPE_CHECKING:
    from bench.truth.settings import Setting
    from bench.truth.shares import Share

Results = Mapping[str, Sequence[Measured]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much was simulated, and how to do it again."""

    experiments: int
    slow: int
    seed: int


def document(results: Results, effort: Effort) -> str:
    """Write the document.

    Parameters
    ----------
    results : mapping of part to what was measured
    effort : Effort

    Returns
    -------
    str
        Markdown; the same results give the same text.
    """
    sections = [
        _head(effort),
        _goals(results),
        _null_runs(results),
        _null_option(results),
        _people(results),
        _detection(results),
        _added_seeds(results),
        _two_models(results),
        _confounded(results),
        _grouped(results),
        _counts(results),
        _folds(results),
        _trainings(results),
        _data_sets(results),
        _series(results),
        _coverage(results),
        _gap(results),
    ]
    return "\n\n".join(sections) + "\n"


def _head(effort: Effort) -> str:
    return f"""# Do the conclusions hold?

Experiments with known truth, put through the code that `tracker report` uses. `make truth` writes this file; as it
stands it was written by

    .venv/bin/python -m bench.truth --experiments {effort.experiments} --seed {effort.seed} --write docs/truth.md

with {effort.experiments:,} experiments a setting, {effort.slow:,} where intervals are resampled or there are several
data sets. The same command gives the same figures.

A simulated model is right on a clip where its margin is above 0. Half of a margin's variance is how hard the clip is
for every model, so that errors are correlated; a tenth is how well the configuration suits the clip; the rest is what
one training makes of it. Mean accuracy is 70%. *Noise* is the standard deviation, in points, of a configuration's
accuracy from seed to seed (cut off at two of them). Each model becomes a run with params, tags, metrics and
predictions, and the verdicts are those of the functions that write the report. Behind each share stands its 99%
interval, in per cent; a share that is held to at most 5% is **bold** where even the lower end is above 5%."""


def _goals(results: Results) -> str:
    rows = [[goal.name, goal.wanted, goal.found, "yes" if goal.met else "**no**"] for goal in goals(results)]
    return "## Goals\n\n" + table(["what", "goal", "found", "met"], rows)


def _null_runs(results: Results) -> str:
    names = ("best_run", "run_difference", "option_effect")
    people = ("highest accuracy wins", "McNemar, best against worst")
    rows = []
    for one in results["null runs"]:
        if isinstance(one.setting, NullRuns):
            at = [one.setting.layout, str(one.setting.clips), points(one.setting.noise)]
            held_to = [held(one.tally.get(name)) for name in names]
            rows.append([*at, *held_to, *(cell(one.tally.get(name)) for name in people)])
    return f"""## Nothing differs

Share of experiments in which at least one such conclusion is `supported`, and for contrast what people do: naming the
run with the highest accuracy, and testing the best against the worst as if they had not been chosen. With noise the
trained models do differ, so that only options are held to the goal.

{table(["layout", "clips", "noise", *names, *people], rows)}"""


def _null_option(results: Results) -> str:
    every = [*results["one option"], *results["other worlds"]]
    shares = {_key(one.setting): one.tally["option_effect"] for one in every if isinstance(one.setting, OneOption)}
    keys = sorted({(key[0], key[1], key[3]) for key in shares if key[4] == 0})
    rows = [
        [
            points(suits),
            str(n),
            points(noise),
            *(held(shares.get((suits, n, r, noise, 0.0))) for r in one_option.SEEDS),
        ]
        for suits, n, noise in keys
    ]
    nested = _by_seeds(results["unmatched"], "option_effect", 0.0)
    seeds = [_seeds(r) for r in one_option.SEEDS]
    return f"""## An option does nothing

Share of experiments in which its `option_effect` is `supported`. *Suits* is the share of a margin's variance that is
how well the configuration suits the clip, in per cent: 10 everywhere else in this document.

{table(["suits", "clips", "noise", *seeds], rows)}

With no seed shared between the levels (the nested form):

{table(["clips", "noise", _seeds(3), _seeds(5)], nested)}

{_why_three()}"""


def _why_three() -> str:
    rules = [(rule, level) for level in (0.05, 0.05 / 6) for rule in (hillis, linear, behrens_fisher, reported)]
    rows = []
    for pairs in (3, 4, 5, 6, 10, 20):
        ends = (false_claims(pairs, rule, level) for rule, level in rules)
        rows.append([str(pairs), *(f"{percent(low)} – {percent(high)}" for low, high in ends)])
    heads = [f"{name}, at {level}" for level in ("5%", "0.83%") for name in ("Hillis", "fewer", "B.–F.", "report")]
    return f"""With one seed an option is never supported. From three on the crossed analysis rests on how much the
pairs differ, which three pairs tell with two degrees of freedom. Where they differ too little by chance, the standard
error is too small and Hillis' degrees of freedom (r − 1) (V / MS_P)² are too many, both at once. Were the clips
endlessly many, this alone would give the following shares, from the best to the worst proportion of the two variances;
beside them those with the fewer degrees of freedom (r − 1) V / MS_P, those of Behrens' and Fisher's solution, and those
of the report. It tests a single contrast with degrees of freedom that were fitted to this: they depend on the estimated
proportion so that at most 5.0% are claimed whatever the true one is, and hardly fewer. Of a family of contrasts each is
held to a smaller level, 0.83% if there are six, where only Behrens' and Fisher's p-values hold; those are corrected
there.

{table(["pairs", *heads], rows)}"""


def _people(results: Results) -> str:
    shares: dict[tuple[int, float], dict[str, Share]] = {}
    for one in results["one option"]:
        if isinstance(one.setting, OneOption) and not one.setting.effect:
            mine = shares.setdefault((one.setting.clips, one.setting.noise), {})
            mine |= {f"{name}, {one.setting.seeds}": share for name, share in one.tally.items()}
    columns = {
        "highest accuracy wins": "highest accuracy wins, 1",
        "McNemar, one seed": "McNemar, 1",
        "z-test, one seed": "z-test, 1",
        "t over 3 seeds": "t over seeds, 3",
        "t over 5 seeds": "t over seeds, 5",
        "t over clips, 5 seeds": "t over clips, 5",
    }
    rows = [
        [str(n), points(noise), *(held(found[name]) for name in columns.values())]
        for (n, noise), found in sorted(shares.items())
    ]
    return f"""## What people do, where an option does nothing

Share of the same experiments in which the option would be said to do something: from one training of each level, by
looking, by exact McNemar and by a z-test of two proportions; from several, by a t-test over seeds (as if the clips were
all there are) and by a t-test over clips (as if the trainings were).

{table(["clips", "noise", *columns], rows)}"""


def _detection(results: Results) -> str:
    found = {_key(one.setting): one for one in detections([*results["one option"], *results["other worlds"]])}
    seeds = [r for r in one_option.SEEDS if r > 1]
    rows = [
        [str(n), points(noise), points(effect), *(_found(found[0.1, n, r, noise, effect]) for r in seeds)]
        for n, noise, effect in sorted({(key[1], key[3], key[4]) for key in found})
    ]
    few, many, both = _most(linear, 3), _most(hillis, 10), _most(both_t_tests, 5)
    return f"""## An option does something

Share of experiments in which the effect is found, and its ratio to that of the best valid test on the same data: of a
t-test over seeds, over clips, the larger p-value of both, Cochran's critical value for two variances, and the crossed
analysis with Hillis' or with fewer degrees of freedom, the one that finds most among those that hold 5% at this number
of clips and seeds whatever the noise and the world, over all clips and noises together, and where clips are endlessly
many: there fewer degrees of freedom claim up to {few} with three pairs, Hillis' {many} with ten, and the two t-tests
together {both} with five, though they hold 5% in worlds where every training has many errors of its own. The goal is a
ratio of 0.95, where the best finds an effect at least one time in five; below it is **bold**.

{table(["clips", "noise", "effect", *map(_seeds, seeds)], rows)}"""


def _most(rule: Rule, pairs: int) -> str:
    return percent(false_claims(pairs, rule)[1])


def _added_seeds(results: Results) -> str:
    nulls, effects = [], []
    for one in results["added seeds"]:
        if isinstance(one.setting, AddedSeeds):
            at, tally = one.setting, one.tally
            row = [at.habit, "endlessly many" if at.clips == ENDLESS else str(at.clips), points(at.noise)]
            if not at.effect:
                nulls.append([*row, *(held(tally[name]) for name in (LOOKED, FINAL, HALVED, CARELESS))])
                continue
            trained = 2 * sum(share.rate for name, share in tally.items() if name.startswith("pair "))
            most = str(2 * HABITS[at.habit].most)
            found = [cell(tally[LOOKED]), f"{trained:.1f}", cell(tally[FINAL]), most, cell(tally[HALVED])]
            effects.append([*row, points(at.effect), *found])
    of = ("seeds added", "clips", "noise")
    return f"""## Seeds are added and looked at again

Share of experiments in which an option that does nothing is `supported` at any look. At each look p is held to a level
of its own: by r pairs a fraction 0.8 (1 − 2/r) of 5% is spent at most, in one look or in many. Beside it a fixed
plan, declared by `--final`, of as many pairs as there are at the last look; levels of 3%, 1.5%, 0.75% and so on,
whatever the numbers of pairs; and what happens if each look is held to 5%. Where clips are *endlessly many* an accuracy
has no other error than training noise, and pairs are tested by Student's t.

The third and the fourth habit let the last p-value decide how many pairs are added, which no schedule of this kind
allows for; a fifth of the level is kept back for them. Of 48 such habits with up to 24 pairs, in 40,000 experiments
each with endlessly many clips, the worst claims something in 4.9%: one more pair if p < 0.1, twice as many if p < 0.5,
else 24. With the whole level to spend it would be 6.1%.

{table([*of, "looks", "fixed plan", "halved levels", "5% at each look"], nulls)}

Where the option does something: how often that is found by the last look, and how many trainings (two for each pair) it
takes on average until it is found or the last look is reached. The fixed plan trains all of them whatever comes out.

{table([*of, "effect", "looks", "trainings", "fixed plan", "trainings", "halved levels"], effects)}"""


def _two_models(results: Results) -> str:
    names = ("run_difference", "McNemar", "exact unconditional")
    rows = [
        [str(one.setting.clips), points(one.setting.effect), *(cell(one.tally[name]) for name in names)]
        for one in results["one option"]
        if isinstance(one.setting, OneOption) and one.setting.seeds == 1 and not one.setting.noise
    ]
    return f"""## Two trained models, a planned comparison

Share of experiments in which their `run_difference` is `supported`, without training noise. The exact unconditional
test of Suissa and Shuster (1991) decides it. McNemar's, which is better known, holds 5% for each number of clips on
which two models disagree rather than over all of them, and finds less where clips are few. *Exact unconditional* is a
second implementation, with the worst case over fewer frequencies.

{table(["clips", "effect", *names], rows)}"""


def _confounded(results: Results) -> str:
    rows = [
        [one.setting.design, cell(one.tally["called confounded"]), cell(one.tally["no other is"])]
        for one in results["confounded"]
        if isinstance(one.setting, Confounded)
    ]
    return f"""## Options that never change alone

Models differ widely (55% to 85%). Share of designs in which every such option is called `confounded`, and in which no
other is.

{table(["design", "all called so", "no other called so"], rows)}"""


def _grouped(results: Results) -> str:
    names = ("best_run", "run_difference", "McNemar, groups forgotten")
    runs = [
        [*_in_groups(at), str(at.runs), points(at.effect), *(_shown(one.tally[name], at.effect) for name in names)]
        for one in results["grouped runs"]
        if isinstance(at := one.setting, GroupedRuns)
    ]
    options = [
        [
            *_in_groups(at),
            str(at.seeds),
            points(at.noise),
            points(at.effect),
            _shown(one.tally["option_effect"], at.effect),
        ]
        for one in results["grouped option"]
        if isinstance(at := one.setting, GroupedOption)
    ]
    return f"""## Clips in groups

Half of each part of a margin is shared by the clips of a group (an artist, a speaker). No training noise for runs.

{table(["clips", "groups", "runs", "effect", *names], runs)}

{table(["clips", "groups", "seeds", "noise", "effect", "option_effect"], options)}"""


def _in_groups(setting: GroupedRuns | GroupedOption) -> tuple[str, str]:
    return str(setting.clips), str(setting.groups)


def _shown(share: Share, effect: float) -> str:
    """Write a share that is held to the goal where nothing differs."""
    return cell(share) if effect else held(share)


def _counts(results: Results) -> str:
    names = ("best_run", "run_difference", "option_effect", "McNemar, were there predictions", "z-test")
    rows = []
    for one in results["counts"]:
        if isinstance(one.setting, CountsAlone):
            at = one.setting
            shares = (_shown(one.tally[name], at.effect) for name in names)
            rows.append([str(at.clips), str(at.runs), points(at.effect), *shares])
    return f"""## Counts alone

Only accuracies and the number of clips were logged. A claim then has to hold for every pairing of the clips that the
counts allow, so that none is made by luck and many are missed.

{table(["clips", "runs", "effect", *names], rows)}"""


def _folds(results: Results) -> str:
    names = ("option_effect", "best_run", "t over folds", "McNemar over all clips")
    rows = []
    for one in results["folds"]:
        if isinstance(one.setting, Folds):
            at = one.setting
            effect = f"{100 * at.truth():.1f}" if at.farther else "0"
            shares = (_shown(one.tally[name], at.farther) for name in names)
            rows.append([str(at.clips), str(at.folds), effect, *shares])
    return f"""## Folds

Two real learners (nearest centroid, each on its own half of the features) are trained and judged on every fold, so that
training sets overlap as they do. Effects are in points.

{table(["clips", "folds", "effect", *names], rows)}"""


def _trainings(results: Results) -> str:
    scored, counted, over_folds = [], [], []
    for one in results["scores"]:
        if isinstance(one.setting, Scores):
            at, more = one.setting, one.setting.more
            seeds = str(more) if at.seeds == more else f"{at.seeds} and {more}"
            paired, times = "yes" if at.shared else "no", f"{at.scatter:.0f} : 1"
            shares = (held(one.tally[name]) for name in ("over trainings", "best_configuration"))
            scored.append([at.metric, str(at.levels), seeds, paired, times, *shares])
    for one in results["counted seeds"]:
        if isinstance(one.setting, CountedSeeds):
            at_counts, shares = (
                one.setting,
                (held(one.tally.get(name)) for name in ("over trainings", "for other clips")),
            )
            sizes = [points(at_counts.suits), str(at_counts.clips), points(at_counts.noise), str(at_counts.seeds)]
            counted.append([*sizes, "yes" if at_counts.shared else "no", *shares])
    for one in results["fold scores"]:
        if isinstance(one.setting, FoldScores):
            at_folds = one.setting
            sizes = [at_folds.metric, str(at_folds.clips), str(at_folds.folds)]
            over_folds.append([*sizes, held(one.tally["for other clips"])])
    wider = ["suits", "clips", "noise", "seeds", "paired", "option_effect", "for other clips"]
    return f"""## Without predictions

One number was logged of each training, and nothing differs. Matched pairs are tested by Student's t. Trainings that are
not paired are tested by the larger p-value of Behrens' and Fisher's and of Student's test. Welch's test, which is
usual, would claim something in 6% of null experiments with 3 trainings of each level, one of which scatters four times
as far, in 7% with 3 and 10 trainings, and in 14% of these if some trainings fail. Losses are log-normal, AUCs crowd
below 1, RMSEs go far astray now and then (Student's t with 3 degrees of freedom). *Scatter* is that of the first level.

{table(["metric", "levels", "seeds", "paired", "scatter", "option_effect", "best_configuration"], scored)}

Of an accuracy on a known number of clips an effect is said to hold for other clips too if it also stands against the
largest variance that the clips can add, that of uncorrelated errors. Whether it holds on these clips is held to the
goal where nothing differs on them either (*suits* 0). With *suits* 80 errors of the two levels are not correlated at
all.

{table(wider, counted)}

The learners of the section before on folds, their score logged with the fold's number (nothing says that folds are of
one dataset but that they are folds):

{table(["metric", "clips", "folds", "for other clips"], over_folds)}"""


def _data_sets(results: Results) -> str:
    names = ("across_data_sets", "best called so", "signed ranks, Holm alone", "Nemenyi", "t-test, best against worst")
    rows = []
    for one in results["data sets"]:
        if isinstance(one.setting, DataSets):
            at = one.setting
            vary = "two vary more" if at.is_volatile else "alike"
            shares = (_shown(one.tally[name], at.effect) for name in names)
            rows.append([str(at.configurations), str(at.data_sets), vary, points(at.effect), *shares])
    return f"""## Data sets

Configurations have one accuracy on each of several data sets, whose difficulty differs by far more than they do: share
of experiments in which any configuration is said to be better than another, in which the best is called so, and what
other procedures claim: signed ranks with Holm's correction and no test of all, Nemenyi's critical difference of mean
ranks, and a t-test of the best against the worst as if they had not been chosen. Effects are in points, between the
first configuration and the last. With fewer than six data sets nothing is claimed.

{table(["configurations", "data sets", "vary", "effect", *names], rows)}"""


def _series(results: Results) -> str:
    names = ("gate in a series", "gate, each by itself", "highest accuracy wins")
    rows, found = [], []
    for one in (one for one in results["series"] if isinstance(one.setting, Series)):
        at = one.setting
        if at.effect:
            kept = (cell(one.tally[name]) for name in ("last one kept", "last one kept by itself"))
            found.append([str(at.candidates), str(at.clips), points(at.noise), str(at.seeds), points(at.effect), *kept])
        else:
            shares = (held(one.tally[name]) if name == names[0] else cell(one.tally[name]) for name in names)
            noise = points(at.noise) + (", uneven" if at.is_uneven else "")
            rows.append([str(at.candidates), str(at.clips), noise, str(at.seeds), *shares])
    heads = ["candidates", "clips", "noise", "seeds"]
    return f"""## A series of candidates

Candidates are tried one after another against one baseline, and none is any better: share of series in which
`tracker gate --require better` lets any of them through, with `--series`, without it, and if the higher mean accuracy
decided. Training noise is pooled over all that were tried so far; where it is uneven, every fifth configuration
scatters four times as much as the others.

{table([*heads, *names], rows)}

If only the last candidate is better, this is how often it is found, in a series and by itself:

{table([*heads, "effect", "in a series", "by itself"], found)}"""


def _coverage(results: Results) -> str:
    rows = [_coverage_row(found) for found in coverages(results)]
    return f"""## Intervals

How often intervals at 95% hold the truth: the mean over the grid of truths should be 93% to 97%, and no point below
90%. Sizes, accuracies (50% to 90%), effects and noises vary over the grid; **bold** is what misses it.

{table(["interval", "points", "mean", "lowest", "at"], rows)}

Two kinds are wider here than they have to be: they have to hold where less is known, and in the *least favourable*
world they hold in 95% of experiments and no more. That proves that no narrower ones are valid: an interval follows from
what was logged, which does not say how favourable the world is, so that narrower ones would hold less often than 95%
there. The interval from counts alone holds for every pairing of the clips that the counts allow; real models agree more
than two whose errors exclude each other, but counts do not say so. Folds share training clips, and no estimate of how
much that correlates them is unbiased (Bengio and Grandvalet 2004, Journal of Machine Learning Research 5, 1089-1105);
Nadeau and Bengio assume n_val / (n_val + n_train), which is more than these learners show."""


def _coverage_row(found: Coverage) -> list[str]:
    lowest, share = percent(found.mean), found.lowest.share
    mean = lowest if 0.93 <= found.mean <= 0.97 else f"**{lowest}**"
    worst = cell(share) if share.rate >= 0.90 else f"**{cell(share)}**"
    return [found.kind, str(len(found.points)), mean, worst, _where(found.lowest.setting)]


def _gap(results: Results) -> str:
    rows = []
    for one in results["plain intervals"]:
        if isinstance(one.setting, Gap) and one.setting.fitted == one.setting.accuracy:
            at, rule, above = one.setting, one.tally["gap above max(.03, .10 · train)"], one.tally["interval above 0"]
            rows.append([str(at.validation), percent(at.accuracy), cell(rule), cell(above)])
    return f"""## "A gap above max(.03, .10 · train) is overfitting"

Share of models flagged that are exactly as good on other clips as on their training clips (four times as many). The
report gives the gap's interval instead, which lies wholly above 0 in about 2.5% of them; only then may it say more.

{table(["validation clips", "accuracy", "flagged by the rule", "interval above 0"], rows)}"""


def _key(setting: object) -> tuple[float, int, int, float, float]:
    if not isinstance(setting, OneOption):
        raise TypeError(f"only settings of one option have this key, got {setting}")
    return setting.suits, setting.clips, setting.seeds, setting.noise, setting.effect


def _by_seeds(measured: Sequence[Measured], name: str, effect: float) -> list[list[str]]:
    found = {_key(one.setting): one.tally[name] for one in measured}
    keys = sorted({(n, noise) for _, n, _, noise, at in found if at == effect})
    seeds = sorted({r for _, _, r, _, _ in found})
    return [[str(n), points(noise), *(held(found.get((0.1, n, r, noise, effect))) for r in seeds)] for n, noise in keys]


def _found(one: Detection) -> str:
    ratio = f"{one.ratio:.2f}" if one.holds else f"**{one.ratio:.2f}**"
    return f"{cell(one.share)}, {ratio}" if one.best_share.rate >= 0.2 else cell(one.share)


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _where(setting: Setting) -> str:
    """Say where on the grid a point is, by the setting's own fields."""
    return repr(setting).partition("(")[2].removesuffix(")").replace("=", " ")
