"""The report's first lines: its title, which is the finding, a lead of two sentences, facts, and four key figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.answers.best import difference_words, mean_words, repetitions_words, score_words, value_words
from tracker.answers.data_sets import across
from tracker.answers.limits import expected
from tracker.conclusions.across_data_sets import mean_rank_text
from tracker.conclusions.best_configuration import not_tested
from tracker.conclusions.comparisons import cross_validation
from tracker.conclusions.option_effect import OptionEffect
from tracker.conclusions.sample_size import SampleSize
from tracker.report.model import KeyFigure
from tracker.report.overview import unlogged_metric
from tracker.report.ranking_metric import metric_fact
from tracker.study.param_roles import FOLD
from tracker.wording import (
    begun,
    capitalised,
    change_cell,
    change_words,
    count_words,
    counted,
    is_informative,
    metric_text,
    metric_words,
    number_for,
    number_word,
    option_words,
    p_text,
    percent,
    percent_interval,
    points,
    points_cell,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.answers import Answer, Findings
    from tracker.conclusions.best_configuration import Standing
    from tracker.conclusions.conclusion import Conclusion
    from tracker.study.options import Terms

_MOST_NAMED = 3  # options that the lead names


def title(findings: Findings) -> str:
    """Return the finding in one line."""
    n = len(findings.study.results)
    if not n:
        return "No finished run to report on"
    if findings.study.data is not None:
        return _title_across(findings)
    if n == 1:
        return _single_title(findings)
    if len(findings.ranked) < 2:
        return _unranked_title(findings)
    if _is_supported(findings):
        first = findings.ranked[0]
        found = findings.of_kind("best_configuration")
        where = f" {findings.wording.on_these}" if found and found[0].scope == "these_clips" else ""
        return f"{capitalised(findings.called(first))} is best{where}: {score_words(findings, first)}"
    return _open_title(findings)


def _title_across(findings: Findings) -> str:
    """Return the title of an experiment on several data sets."""
    found = across(findings)
    if found is None:
        return f"{capitalised(count_words(len(findings.study.results), 'run'))} on different data sets, not comparable"
    conclusion, details = found
    over = counted(len(details.data_sets), "data set")
    first, *others = details.configurations
    if conclusion.verdict == "supported":
        return f"{capitalised(first.called)} is best over {over}"
    if len(details.data_sets) < details.fewest:
        return f"No winner yet: {over} are too few to compare configurations across them"
    tied = sum(other.tied is not False for other in others) + 1
    many = number_word(len(others) + 1)
    if tied <= len(others):
        return f"No single winner over {over}: {number_word(max(tied, 2))} of {many} configurations could be the best"
    return f"No winner over {over}: the {many} configurations are not significantly different"


def _lead_across(findings: Findings) -> str:
    """Return on how many of several data sets the best configuration is ahead, and how sure its lead is."""
    found = across(findings)
    if found is None:
        return f"No two configurations have a {metric_words(findings.study.metric)} on two data sets."
    conclusion, details = found
    first, second, *_ = details.configurations
    metric = findings.study.metric
    extreme = f"{'lowest' if metric.lower_is_better else 'highest'} {metric_words(metric)}"
    who, next_one = capitalised(first.called), second.called
    n, of_second = len(details.data_sets), second.times_first
    every = "both" if n == 2 else f"all {n}"
    over = f"{every} data sets" if first.times_first == n else f"{first.times_first} of {n} data sets"
    head = f"{who} has the {extreme} on {over}, {next_one} on {of_second or 'none'}"
    sure = {True: "Its lead is more than chance explains.", False: "Its lead could be chance."}
    certainty = sure[conclusion.verdict == "supported"]
    if len(details.data_sets) < details.fewest:
        certainty = f"A test takes at least {number_word(details.fewest)} data sets."
    return f"{head}. {certainty}"


def _open_title(findings: Findings) -> str:
    """Return the title if no single configuration is significantly better than every other one."""
    ranked = findings.ranked
    first, *others = ranked
    tied = [standing for standing in others if standing.tied]
    what = "configuration" if findings.repeated else "model"
    many = number_word(len(ranked))
    if len(tied) < len(others):
        return f"No single winner: {number_word(len(tied) + 1)} of {many} {what}s could be the best"
    if any(standing.p_value is None for standing in others):
        return _untested_title(findings)
    if first.correct is None or findings.repeated or any(standing.correct is None for standing in ranked):
        return f"No winner yet: the {many} {what}s are not significantly different"
    correct = [standing.correct or 0 for standing in ranked]
    spread = max(correct) - min(correct)
    same = f"{'both' if len(ranked) == 2 else 'all'} get {counted(first.correct, 'clip')} correct"
    differ = f"differ by {count_words(spread, 'clip')}" if spread else same
    if len(ranked) > 2 and spread > 1:
        differ = f"are within {count_words(spread, 'clip')}, and chance may explain it"
    return f"No winner yet: the {many} {what}s {differ}"


def _untested_title(findings: Findings) -> str:
    """Return the title if the best could not be tested against every other one."""
    metric, first = findings.study.metric, findings.ranked[0]
    among = ""
    if any(standing.mean is not None and standing.tied is None for standing in findings.standings):
        what = "configurations" if findings.repeated else "runs"
        among = f" of the {number_word(len(findings.ranked))} {what} ranked together"
    if any(not_tested(first, standing) == "too few seeds" for standing in findings.ranked[1:]):
        return f"No winner yet: too few seeds to compare the {number_word(len(findings.ranked))} configurations"
    if first.correct is not None and not findings.repeated:
        extreme = f"most clips correct{among}, {first.correct} of {first.n}"
    else:
        best = "lowest" if metric.lower_is_better else "highest"
        extreme = f"{best} {metric_words(metric)}{among}, {mean_words(findings, first)}"
    who = findings.called(first) if findings.repeated else findings.wording.run(first.runs[0])
    shared = [standing for standing in findings.ranked if standing.mean == first.mean]
    if len(shared) > 1:
        runs = findings.wording.runs([standing.runs[0] for standing in shared])
        who = count_words(len(shared), "configuration") if findings.repeated else runs
        return f"{capitalised(who)} share the {extreme}; the data do not allow a test"
    return f"{capitalised(who)} has the {extreme}; its lead could not be tested"


def _single_title(findings: Findings) -> str:
    standing = findings.standings[0]
    if standing.mean is None:
        return f"One run, without {number_for(findings.study.metric)}"
    if standing.correct is None:
        return f"One run: {score_words(findings, standing)}"
    return f"One run: {standing.correct} of {standing.n} validation clips correct ({percent(standing.mean)})"


def _unranked_title(findings: Findings) -> str:
    """Return the title if there is only one configuration, or no two that can be ranked."""
    metric, runs = findings.study.metric, capitalised(count_words(len(findings.study.results), "run"))
    if findings.on_different_clips:
        return f"{runs} on different validation clips, which cannot be ranked"
    if len(findings.standings) > 1:
        by = f" by {metric.name}" if metric.is_logged else ": none logged a metric to rank them by"
        return f"{runs} that cannot be ranked{by}"
    (standing,) = findings.standings
    result = f", without {number_for(metric)}" if standing.mean is None else f": {score_words(findings, standing)}"
    return f"One configuration{result}"


def _is_supported(findings: Findings) -> bool:
    found = [*findings.of_kind("best_configuration"), *findings.of_kind("best_run")]
    return bool(found) and found[0].verdict == "supported"


def lead(findings: Findings, answers: Sequence[Answer]) -> str:
    """Return two sentences: which configuration scores what, and what the runs show of the options."""
    study, ranked = findings.study, findings.ranked
    if not study.results:
        return ""
    if study.data is not None:
        return _lead_across(findings)
    if not ranked or (len(ranked) < 2 and len(findings.standings) > 1):
        return _unranked_lead(findings)
    first, *others = ranked
    who = capitalised(findings.called(first))
    if first.correct is not None and len(first.runs) == 1:
        scores = f"{who} classifies {first.correct} of {first.n} validation clips correctly"
    elif study.metric.is_accuracy:
        scores = f"{who} scores {score_words(findings, first)}"
    else:
        value = value_words(findings, first)
        scores = f"{who} has {'a validation loss of' if study.metric.is_loss else metric_words(study.metric)} {value}"
    if not others and len(first.runs) > 1:
        return f"{scores}. There is no other configuration to compare it with."
    if not others:
        return f"{scores}. A single run shows nothing of how results vary: train it with other seeds or options."
    return f"{scores}, {_rest_text(findings, others)}. {_options_text(findings, answers)}"


def _unranked_lead(findings: Findings) -> str:
    """Return why several runs cannot be ranked, and what would make them comparable."""
    study, name = findings.study, findings.study.metric.name
    if not study.ranking:
        return unlogged_metric(study)
    if findings.on_different_clips:
        scored = [standing for standing in findings.standings if standing.mean is not None]
        low, high = min(scored, key=_mean), max(scored, key=_mean)
        scores = " to ".join(dict.fromkeys(score_words(findings, standing) for standing in (low, high)))
        return (
            f"The runs score {scores}, each on different validation clips, so these scores do not compare. "
            "Train them all on one split to rank them."
        )
    (having,) = study.ids(study.ranking)
    return f"Only {findings.named(having)} logged a number for {name}."


def _mean(standing: Standing) -> float:
    return standing.mean or 0.0


def _rest_text(findings: Findings, others: Sequence[Standing]) -> str:
    """Return what the others score: ``the other three 25``, ``the next 79%``."""
    first = others[0]
    if first.correct is not None and len(first.runs) == 1 and not findings.repeated:
        low, high = min(o.correct or 0 for o in others), max(o.correct or 0 for o in others)
        which = "the other" if len(others) == 1 else f"the other {number_word(len(others))}"
        if low == high == findings.ranked[0].correct:
            return f"and so {'does' if len(others) == 1 else 'do'} {which}"
        return f"{which} {high}" if low == high else f"{which} {low} {'and' if len(others) == 2 else 'to'} {high}"
    if first.mean == findings.ranked[0].mean:
        return "and so does the next" if findings.study.metric.is_accuracy else "as has the next"
    score = value_words(findings, first)
    if len(first.runs) == len(findings.ranked[0].runs):
        score = score.removesuffix(f" over {repetitions_words(findings, first)}")
    return f"the next {score}"


def _options_text(findings: Findings, answers: Sequence[Answer]) -> str:
    """Return the lead's second sentence: whether the difference is more than chance, and what the options do."""
    of_options = next((answer for answer in answers if answer.id == "options"), None)
    ranked = findings.ranked
    chance = "" if _is_supported(findings) else "The lead could be chance"
    if chance and ranked[0].mean == ranked[1].mean:
        chance = "The best score is shared"
    elif chance and any(standing.p_value is None for standing in findings.ranked[1:]):
        chance = "The lead could not be tested"
    effects = [c for c in findings.of_kind("option_effect") if c.verdict == "supported"]
    if effects:
        return _effect_text(findings, min(effects, key=lambda c: 1.0 if c.p_value is None else c.p_value))
    if of_options is None:
        return f"{chance}." if chance else "The lead is more than chance explains."
    what = {
        "Confounded": "every option changed together with others, so the runs do not show what any of them does",
        "Equivalent": "no option makes a difference that matters",
        "Unknown": "what the options do is unknown",
    }.get(of_options.label, "no option has an effect that these runs can separate from chance")
    if all(c.p_value is None for c in findings.of_kind("option_effect")) and of_options.label == "Inconclusive":
        what = "the runs are too few to test what the options do"
        if all(
            isinstance(c.details, OptionEffect) and any(one.constant for one in c.details.contrasts)
            for c in findings.of_kind("option_effect")
        ):
            what = "no effect of an option could be tested"
    return f"{chance}, and {what}." if chance else f"{capitalised(what)}."


def _effect_text(findings: Findings, effect: Conclusion) -> str:
    """Return the clearest change of a level in a few words."""
    details = effect.details
    found = [c for c in details.contrasts if c.estimate == effect.estimate] if isinstance(details, OptionEffect) else []
    raises = "raises" if (effect.estimate or 0.0) > 0 else "lowers"
    if not found:
        return f"{begun(option_words(effect.option or ''))} has a significant effect."
    change = begun(change_words(effect.option or "", found[0].from_, found[0].to))
    what = metric_words(findings.study.metric)
    return f"{change} {raises} {what} by {difference_words(findings, effect.estimate or 0.0)}."


def facts(
    findings: Findings, experiment: str, selection: str = "", what: str = "Experiment"
) -> tuple[tuple[str, str], ...]:
    """Return what the report is about: experiment, runs, seeds, clips, groups and metric, each with its name.

    `selection` says which of the experiment's runs were selected, if not all were, and `what` if it is a table.
    """
    study = findings.study
    if not study.results:
        return ((what, experiment), *((("Selection", selection),) if selection else ()))
    configurations = len(study.design.configurations)
    runs = f"{len(study.results):,}"
    if configurations < len(study.results):
        runs = f"{runs} of {counted(configurations, 'configuration')}"
        folds = {part for term in study.design.terms for part in term.split if part[0] == FOLD}
        runs = f"{runs}, {counted(len(folds), 'fold')}" if len(folds) > 1 and cross_validation(study) is None else runs
        number, of_what = _seeds([term for term in study.design.terms if term.seed])
        runs = f"{runs}, {counted(number, of_what)}" if number > (len(folds) > 1) else runs
    elif len(study.results) > 1 and all(term.seed for term in study.design.terms):
        runs = f"{runs}, one seed each"
    in_several = len({result.run.experiment for result in study.results}) > 1
    named = (
        (f"{what}s" if in_several else what, experiment),
        ("Data sets", some([data.name for data in study.data.sets]) if study.data else ""),
        ("Runs", runs),
        ("Selection", selection),
        ("Clips", _clips_text(findings)),
        ("Metric", metric_fact(study.metric)),
    )
    return tuple((name, text) for name, text in named if text)


def _seeds(terms: Sequence[Terms]) -> tuple[int, str]:
    """Return how many seeds runs have, or other values that repeat a training if several do, and what these are."""
    if all(term.single_seed is not None for term in terms):
        return len({term.single_seed for term in terms}), "seed"
    return len({term.seed for term in terms}), "repetition"


def _clips_text(findings: Findings) -> str:
    """Return on how many clips runs were trained and judged: ``120 for training, 30 for validation from 10 groups``."""
    results, sets = findings.study.results, [clips for clips in findings.study.clip_sets if clips.n]
    folds = cross_validation(findings.study)
    training = _span([result.training_clips for result in results if result.training_clips])
    judged = _span([clips.n for clips in sets if clips.n])
    groups = _span([clips.n_groups for clips in sets if clips.n_groups])
    where = ""
    if folds is not None:
        where = f", in {counted(len(folds.folds), 'split' if folds.splits else 'fold')}"
    elif len(sets) > 1:
        where = f", in {counted(len(sets), 'different set')}"
    of_groups = f" from {groups} group{'' if groups == '1' else 's'}" if groups else ""
    parts = (f"{training} for training" if training else "", f"{judged} for validation{of_groups}" if judged else "")
    return ", ".join(filter(None, parts)) + (where if judged else "")


def _span(numbers: Sequence[int]) -> str:
    """Return ``30``, or ``29 to 30``; nothing if none is known."""
    return " to ".join(f"{number:,}" for number in sorted({min(numbers), max(numbers)})) if numbers else ""


def key_figures(findings: Findings) -> tuple[KeyFigure, ...]:
    """Return the best score, what to expect on new clips, the lead over the next, and the smallest difference shown.

    Across data sets: the best mean rank, on how many data sets it is first, and its mean lead over the next.
    """
    if findings.study.data is not None:
        return tuple(_key_figures_across(findings))
    return tuple(
        figure
        for figure in (_best(findings), _expected(findings), _lead(findings), _detectable(findings))
        if figure is not None
    )


def _key_figures_across(findings: Findings) -> Iterator[KeyFigure]:
    found = across(findings)
    if found is None:
        return
    _, details = found
    first, second, *_ = details.configurations
    n, k = len(details.data_sets), len(details.configurations)
    is_shared = first.mean_rank == second.mean_rank
    whose = "shared by several" if is_shared else first.name
    yield KeyFigure(mean_rank_text(first), f"best mean rank among {counted(k, 'configuration')}: {whose}")
    if is_shared:  # then none is ahead of the next
        return
    yield KeyFigure(f"{first.times_first} of {n}", "data sets on which it is first")
    lead = sum(a - b for a, b in zip(first.scores, second.scores, strict=True)) / n
    size = change_cell(lead)
    if findings.study.metric.is_accuracy and findings.study.metric.is_fraction:
        size = points_cell(lead)
    yield KeyFigure(size, f"mean difference from the next, {second.name}")


def _best(findings: Findings) -> KeyFigure | None:
    first = next(iter(findings.ranked or findings.standings), None)
    if first is None or first.mean is None or len(findings.ranked) < 2 <= len(findings.standings):
        return None
    interval = f", 95% interval {percent_interval(first.interval)}" if first.interval else ""
    if first.correct is not None and len(first.runs) == 1:
        what = "best run" if len(findings.ranked) > 1 else "validation clips correct"
        return KeyFigure(f"{first.correct} / {first.n}", f"{what} ({percent(first.mean)}{interval})")
    metric = findings.study.metric
    over = f" over {repetitions_words(findings, first)}" if len(first.runs) > 1 else ""
    if metric.is_accuracy:
        what = f"best {'configuration' if over else 'run'}" if len(findings.ranked) > 1 else "validation accuracy"
        return KeyFigure(percent(first.mean), f"{what}{over}{interval}")
    best = "" if len(findings.ranked) < 2 else "lowest " if metric.lower_is_better else "highest "
    return KeyFigure(metric_text(first.mean), f"{best}{metric_words(metric)}{over}")


def _expected(findings: Findings) -> KeyFigure | None:
    found = None if findings.repeated else expected(findings)  # it is of a single run
    if found is None or found.expected is None or found.expected_interval is None:
        return None
    is_clear = is_informative(found.expected_interval)
    interval = f" ({percent_interval(found.expected_interval)})" if is_clear else ""
    caption = f"expected on new clips, corrected for picking the best{interval}"
    return KeyFigure(f"≈ {percent(found.expected)}".replace("≈ over", "over"), caption)


def _lead(findings: Findings) -> KeyFigure | None:
    if len(findings.ranked) < 2:
        return None
    first, second = findings.ranked[:2]
    if first.mean is None or second.mean is None:
        return None
    behind = "lead over the next configuration" if findings.repeated else "lead over the next run"
    test = "" if second.p_value is None else f" ({p_text(second.p_value, findings.study.alpha)})"
    if first.mean == second.mean:
        return KeyFigure("tie", f"between the best {'configurations' if findings.repeated else 'runs'}{test}")
    if first.correct is not None and second.correct is not None and len(first.runs) == len(second.runs) == 1:
        return KeyFigure(counted(abs(first.correct - second.correct), "clip"), f"{behind}{test}")
    return KeyFigure(difference_words(findings, first.mean - second.mean), f"{behind}{test}")


def _detectable(findings: Findings) -> KeyFigure | None:
    found = findings.with_details("sample_size", SampleSize)
    if not found or len(findings.study.results) < 2 or not findings.study.metric.is_accuracy:
        return None
    conclusion, details = max(found, key=lambda pair: len(pair[0].runs))
    smallest = details.detectable[1]
    if smallest is None:
        return None
    what = counted(conclusion.n or 0, "clip")
    what = counted(details.folds, "split" if details.splits else "fold") if details.folds else what
    caption = f"roughly the smallest difference that {what} reliably show"
    return KeyFigure(points(smallest), caption)
