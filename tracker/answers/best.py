"""Which is best? The configuration with the highest mean, or the run if each was trained once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.best_configuration import not_tested
from tracker.conclusions.best_run import BestRun
from tracker.conclusions.comparisons import cross_validation
from tracker.conclusions.conclusion import Table
from tracker.conclusions.option_effect import UNTESTABLE
from tracker.conclusions.stability import Spread
from tracker.conclusions.trainings import differ_equally, pairs_by_split
from tracker.statistics.repetitions import FEWEST_PAIRS
from tracker.study.metric_roles import ACCURACY, role_of
from tracker.study.metrics import is_fraction
from tracker.study.other_metrics import logged_value, metric_on_test
from tracker.study.param_roles import FOLD
from tracker.wording import (
    NONE,
    capitalised,
    change_cell,
    count_words,
    counted,
    listing,
    losses,
    metric_text,
    metric_words,
    number_for,
    number_word,
    p_number,
    percent,
    percent_cell,
    points,
    points_cell,
)

if TYPE_CHECKING:
    from tracker.answers.answer import Findings
    from tracker.conclusions.best_configuration import Standing
    from tracker.conclusions.conclusion import Conclusion, Scope

_MOST_ROWS = 12  # configurations that the table sets against the best
_MOST_NAMED = 4  # configurations that the sentence names as not significantly worse
_EASILY = 0.3  # a p-value above which chance easily explains a lead


def best(findings: Findings) -> Answer | None:
    """Return which run or configuration is best; None for fewer than two that finished."""
    if len(findings.study.results) < 2:
        return None
    what = "configuration" if findings.repeated else "run"
    question = f"Which {what} is best?"
    found = next(iter([*findings.of_kind("best_configuration"), *findings.of_kind("best_run")]), None)
    if not findings.study.ranking:
        why = f"No run logged {number_for(findings.study.metric)}."
        ids = tuple(conclusion.id for conclusion in findings.of_kind("best_run"))
        return Answer("best", question, "Unknown", why, conclusions=ids)
    if len(findings.standings) == 1:
        return _one_configuration(findings)
    if findings.on_different_clips:
        why = "The runs were evaluated on different validation clips, so a higher score may be due to easier clips."
        return Answer("best", question, "Not comparable", why, conclusions=(found.id,) if found else ())
    if found is None or len(findings.ranked) < 2:
        why = found.sentence if found else f"No two runs can be ranked by {findings.study.metric.name}."
        return Answer("best", question, "Unknown", why, conclusions=(found.id,) if found else ())
    pairs = findings.of_kind("run_difference") if not findings.repeated else ()
    return Answer(
        "best",
        question,
        found.label,
        _sentence(findings, found),
        tuple(filter(None, [_on_test_data(findings)])),
        conclusions=(found.id, *(pair.id for pair in pairs if pair.runs[0] == findings.best_run)),
        tables=_table(findings),
    )


def _on_test_data(findings: Findings) -> str:
    """Return how the best on validation data does on test data, if a test metric of the same quantity was logged."""
    study, ranked = findings.study, findings.ranked
    name = metric_on_test(study.results, study.metric)
    if name is None:
        return ""
    index, means = study.index_of, []
    for standing in ranked:
        logged = [logged_value(study.results[index[run]], name) for run in standing.runs]
        means.append(math.fsum(of.value for of in logged if of) / len(logged) if all(logged) else None)
    known = [mean for mean in means if mean is not None]
    own = means[0]
    if own is None:
        return ""
    is_share = role_of(name)[0] == ACCURACY and all(map(is_fraction, known))
    write = percent_cell if is_share else metric_text
    best = min(known) if study.metric.lower_is_better else max(known)
    place = sum(mean < own if study.metric.lower_is_better else mean > own for mean in known)
    who = _name(findings, ranked[0])
    if len(known) < 2:
        return f"{capitalised(who)} has {name} {write(own)}."
    if place == 0:
        return f"{capitalised(who)} is also best by {name}, {write(own)}."
    leader = _name(findings, ranked[means.index(best)])
    of = f"of {number_word(len(known))}"
    nth = f"last {of}" if place == len(known) - 1 else f"number {place + 1} {of}"
    return f"By {name}, {who} is {nth}: {write(own)}, against {write(best)} for {leader}."


def _name(findings: Findings, standing: Standing) -> str:
    return findings.called(standing) if findings.repeated else findings.wording.run(standing.runs[0])


def _one_configuration(findings: Findings) -> Answer | None:
    """Return how the runs of the only configuration vary; None if that is not known."""
    found = [pair for pair in findings.with_details("stability", Spread) if pair[0].verdict != "unknown"]
    if not found:
        return None
    conclusion, _ = max(found, key=lambda pair: len(pair[0].runs))
    question = "How good is the configuration, whatever the seed?"
    return Answer("best", question, conclusion.label, conclusion.sentence, conclusions=(conclusion.id,))


def _sentence(findings: Findings, found: Conclusion) -> str:
    over_folds = isinstance(found.details, BestRun) and bool(found.details.folds)
    if isinstance(found.details, BestRun) and not findings.repeated:
        are_equal = len(found.details.tied) == found.details.others
        if found.details.why is not None or (are_equal and found.p_value is None):
            return found.sentence
    if over_folds or findings.repeated:
        return _of_configurations(findings, found.scope, supported=found.verdict == "supported")
    return _of_runs(findings, found)


def score_words(findings: Findings, standing: Standing) -> str:
    """Return what a configuration scores: ``26 of 30 clips correct``, ``82% over 5 seeds``, ``val_loss 0.31``."""
    metric, mean = findings.study.metric, standing.mean or 0.0
    if len(standing.runs) == 1 and standing.correct is not None:
        return f"{standing.correct} of {standing.n}"
    value = percent(mean) if metric.is_accuracy else f"{metric_words(metric)} {metric_text(mean)}"
    if len(findings.ranked) > 1 and not metric.is_accuracy:
        first = [other.mean or 0.0 for other in findings.ranked[:2]]
        if mean in first and first[0] != first[1] and metric_text(first[0]) == metric_text(first[1]):
            value = f"{metric_words(metric)} {losses(*first)[first.index(mean)]}"  # the digits that set them apart
    elif len(findings.ranked) > 1:
        best, second = (other.mean or 0.0 for other in findings.ranked[:2])
        value = percent_cell(mean) if best != second and percent(best) == percent(second) else value
    return value if len(standing.runs) == 1 else f"{value} over {repetitions_words(findings, standing)}"


def mean_words(findings: Findings, standing: Standing) -> str:
    """Return the mean of the primary metric alone: ``79.3%``, ``0.410``."""
    is_accuracy = findings.study.metric.is_accuracy
    return percent_cell(standing.mean) if is_accuracy else metric_text(standing.mean)


def value_words(findings: Findings, standing: Standing) -> str:
    """Return what a configuration scores without the name of its metric: ``0.410 over 3 seeds``."""
    return score_words(findings, standing).removeprefix(f"{metric_words(findings.study.metric)} ")


def difference_words(findings: Findings, difference: float) -> str:
    """Return the size of a difference of the primary metric: ``3.1 points``, ``0.021``."""
    metric = findings.study.metric
    return points(difference) if metric.is_accuracy and metric.is_fraction else metric_text(abs(difference))


def repetitions_words(findings: Findings, standing: Standing) -> str:
    """Return what a configuration was repeated over: ``5 seeds``, ``5 folds and 3 seeds``; ``5 runs`` of no seed."""
    study = findings.study
    folds = cross_validation(study)
    sets = {study.clip_set_index[study.index_of[run]] for run in standing.runs}
    if folds is None or len(sets) < 2:
        terms = [study.design.terms[study.index_of[run]] for run in standing.runs]
        if len({part for term in terms for part in term.split if part[0] == FOLD}) == len(terms) > 1:
            return counted(len(terms), "fold")
        is_seeded = len({term.single_seed for term in terms} - {None}) == len(terms)
        return counted(len(terms), "seed" if is_seeded else "run")
    seeds = len(standing.runs) // len(sets)
    over = counted(len(sets), "split" if folds.splits else "fold")
    return over if seeds == 1 else f"{over} and {counted(seeds, 'seed')}"


def _of_configurations(findings: Findings, scope: Scope, *, supported: bool) -> str:
    first, *others = findings.ranked
    lead = difference_words(findings, (first.mean or 0.0) - (others[0].mean or 0.0))
    who, score = capitalised(findings.called(first)), score_words(findings, first)
    if supported:
        each = "the other one" if len(others) == 1 else f"each of the other {number_word(len(others))}"
        where = "" if scope == "population" else f" {findings.wording.on_these}"
        return f"{who} is best{where} with {score}, {lead} ahead of the next. It is significantly better than {each}."
    tied = [standing for standing in others if standing.tied]
    extreme = "lowest" if findings.study.metric.lower_is_better else "highest"
    equal = [standing for standing in findings.ranked if standing.mean == first.mean]
    if len(equal) > 1:
        share = f"{capitalised(count_words(len(equal), 'configuration'))} share the {extreme} mean, {score}"
        return f"{share}. {_not_worse(findings, tied, len(others), shared=True)}"
    return f"{who} has the {extreme} mean, {score}, {lead} ahead of the next. {_not_worse(findings, tied, len(others))}"


def _of_runs(findings: Findings, found: Conclusion) -> str:
    first, *others = findings.ranked
    who, metric = capitalised(findings.wording.run(first.runs[0])), findings.study.metric
    if first.correct is None or others[0].correct is None:
        extreme = "lowest" if metric.lower_is_better else "highest"
        head = f"{who} has the {extreme} {metric_words(metric)}, {mean_words(findings, first)}."
    else:
        head = f"{who} has {first.correct} of {first.n} clips correct, {_lead(findings)}."
    if found.verdict == "supported":
        each = "the other run" if len(others) == 1 else f"each of the other {number_word(len(others))} runs"
        return f"{head} It is significantly better than {each}."
    if all(standing.mean == first.mean for standing in others) and first.correct is not None:
        return head
    tied = [standing for standing in others if standing.tied]
    shared = any(standing.mean == first.mean for standing in others)
    return f"{head} {_not_worse(findings, tied, len(others), shared=shared)}"


def _lead(findings: Findings) -> str:
    """Return by how much the best run leads: ``1 clip more than the next``."""
    first, *others = findings.ranked
    same = [standing for standing in others if standing.correct == first.correct]
    if same:
        who = findings.wording.runs([run for standing in same for run in standing.runs])
        return f"as many as {who}"
    return f"{(first.correct or 0) - (others[0].correct or 0):,} more than the next"


def _not_worse(findings: Findings, tied: list[Standing], others: int, *, shared: bool = False) -> str:
    """Return which configurations are not significantly worse than the best one, whose score may be `shared`."""
    what = "configuration" if findings.repeated else "run"
    p_values = [standing.p_value for standing in tied if standing.p_value is not None]
    if len(tied) < others:
        worse = others - len(tied)
        count = f"{capitalised(number_word(worse))} of the other {number_word(others)} {what}s"
        rest = "the rest could be as good" if tied else "yet not by the test that guards against picking the best"
        names = listing([findings.called(standing) for standing in tied]) if 0 < len(tied) <= _MOST_NAMED else ""
        verb = "is" if worse == 1 else "are"
        return f"{count} {verb} significantly worse; {f'{names} could be as good' if names else rest}."
    if len(p_values) < len(tied):
        return _untested_text(findings, tied, others)
    explains = "easily explains" if min(p_values) > _EASILY else "could explain"
    none = f"the other {what} is not"
    if others > 1:
        none = f"{'neither' if others == 2 else 'none'} of the other {number_word(others)} {what}s is"
    if shared:
        return f"{capitalised(none)} significantly worse."
    return f"Chance {explains} that: {none} significantly worse."


def _untested_text(findings: Findings, tied: list[Standing], others: int) -> str:
    """Return why it is unknown whether other configurations are worse than the best one."""
    first, metric = findings.ranked[0], findings.study.metric
    untested = [standing for standing in tied if standing.p_value is None]
    what = "the other is" if others == 1 else "the others are" if len(untested) == others else "all others are"
    if any(not_tested(first, standing) == "too few seeds" for standing in untested):
        why = f"a test takes at least {number_word(FEWEST_PAIRS)} seeds of each configuration"
    elif findings.repeated:
        why = UNTESTABLE
        index_of = findings.study.index_of
        start, end = ([index_of[run] for run in standing.runs] for standing in (first, untested[0]))
        pairs = pairs_by_split(findings.study, start, end)
        if others == 1 and differ_equally(findings.study, pairs):
            why = f"the lead is the same in each of {count_words(len(pairs), 'fold')}, so how it varies is not known"
    elif not (metric.is_accuracy or metric.is_loss):
        why = f"{metric_words(metric)} is not known clip by clip"
    else:
        why = "the predictions for each clip are not known"
    return f"Whether {what} worse is unknown: {why}."


def _table(findings: Findings) -> tuple[Table, ...]:
    """Return the best against each other one: difference, p-values, and whether the other could be as good."""
    first, *others = findings.ranked
    alpha, rows = findings.study.alpha, []
    by_clip = findings.study.metric.is_accuracy
    tested = any(standing.p_value is not None for standing in others)
    for standing in others[:_MOST_ROWS]:
        behind = None if first.mean is None or standing.mean is None else standing.mean - first.mean
        p_values = [NONE if p is None else p_number(p, alpha) for p in (standing.p_value, standing.p_adjusted)]
        verdict = "could be as good" if standing.tied else "significantly worse"
        if standing.p_value is None:
            verdict = not_tested(first, standing)
        difference = points_cell(behind) if by_clip else change_cell(behind)
        cells = (findings.short(standing), value_words(findings, standing), difference)
        rows.append((*cells, *(p_values if tested else ()), verdict))
    more = "" if len(others) <= _MOST_ROWS else f" ({_MOST_ROWS} of {len(others)})"
    what, score = "configuration" if findings.repeated else "run", "score"
    if not by_clip:
        score = metric_words(findings.study.metric)
    header = (what, score, "behind the best", *(("p", "p, corrected for all pairs") if tested else ()), "verdict")
    return (Table(f"The best against the others{more}", header, tuple(rows)),)
