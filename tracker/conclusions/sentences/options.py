"""Sentences on what an option does to the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.contrast_analysis import FEWEST, NESTED, SPLITS
from tracker.study.metrics import ACCURACY, role_of
from tracker.wording import (
    Wording,
    capitalised,
    change_words,
    count,
    listing,
    losses,
    number_word,
    option_words,
    points,
    points_interval,
    round_number,
)

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.option_effect import ContrastEffect, OptionEffect


def option_effect(conclusion: Conclusion, details: OptionEffect, wording: Wording) -> str:
    """Say what an option does, or why that is not to be had."""
    option = conclusion.option or ""
    if conclusion.verdict == "unknown":
        return _unlogged(option)
    if not details.contrasts:
        return _confounded(option, details, conclusion.command)
    telling = min(details.contrasts, key=lambda found: found.p_value if found.p_value is not None else 2.0)
    return " ".join([_contrast(option, telling, wording), *_others(option, details)])


def _unlogged(option: str) -> str:
    why = "it changed alone, but which validation clips the runs were judged on was not logged"
    return f"What {option_words(option)} does cannot be said: {why}."


def _confounded(option: str, details: OptionEffect, command: str | None) -> str:
    changed = [option_words(alias) for alias in details.aliases]
    name = capitalised(option_words(option))
    ends = "; the runs under “Next steps” would." if command else "."
    if not changed:
        return (
            f"{name} changed, but never between runs on the same clips: this experiment cannot say what it does{ends}"
        )
    return (
        f"{name} never changed alone: {listing(changed)} changed with it. "
        f"This experiment cannot say which of them mattered{ends}"
    )


def _contrast(option: str, found: ContrastEffect, wording: Wording) -> str:
    change = change_words(option, found.from_, found.to)
    if found.verdict == "exact":
        pairs = "in the matched pair" if found.pairs == 1 else f"in all {number_word(found.pairs)} matched pairs"
        return f"{capitalised(change)} changed nothing: {pairs} both runs are the same, epoch by epoch."
    if found.p_value is None or found.interval is None:
        return _too_few(option, change, found, wording)
    evidence = f"(95 % interval {points_interval(found.interval)} points; {_test(found, wording)})"
    if found.verdict == "supported":
        does = "raises" if (found.estimate or 0.0) > 0 else "lowers"
        return f"{capitalised(change)} {does} validation accuracy by {points(found.estimate or 0.0)} {evidence}."
    observed = f"{_side(found.estimate or 0.0)} {evidence}"
    if found.verdict == "equivalent":
        return f"{capitalised(change)} makes no difference of {points(wording.margin)} or more: on average {observed}."
    told = f"Whether {change} helps these runs cannot tell: on average {observed}."
    return " ".join([told, *_reach(found)])


def _reach(found: ContrastEffect) -> list[str]:
    """Say what would have been noticed, and what it would take to notice more."""
    told = [f"An effect below {points(found.detectable)} would mostly go unnoticed."] if found.detectable else []
    need = found.need
    if need is None:
        return told
    sought = f"{'one' if told else 'an effect'} of {points(need.effect)}"
    if need.pairs is not None:
        return [*told, f"To find {sought} on these clips takes {round_number(need.pairs)} matched pairs in all."]
    takes = f"{round_number(need.clips or 0)} clips"
    return [
        *told,
        f"{capitalised(sought)} no number of trainings would show on these clips: it takes {takes} at least.",
    ]


def _side(estimate: float) -> str:
    """Return ``3.3 points more``."""
    return f"{points(estimate)} {'more' if estimate > 0 else 'less'}" if estimate else "no difference"


def _test(found: ContrastEffect, wording: Wording) -> str:
    """Say what was analysed, and its p-value."""
    if found.folds:
        basis = f"{found.method}, {count(found.folds, 'split' if found.method == SPLITS else 'fold')}"
    elif found.method == NESTED:
        start, end = found.repetitions
        basis = f"{number_word(end)} against {count(start, 'run')} that share too few seeds, {found.n} clips"
    else:
        basis = f"{count(found.pairs, 'matched pair')} crossed with {found.n} clips"
    p_value = found.p_value if found.p_value is not None else 1.0
    return f"{basis}, {wording.corrected(p_value, found.p_adjusted, 'all contrasts')}"


def _too_few(option: str, change: str, found: ContrastEffect, wording: Wording) -> str:
    have = count(found.pairs, "matched pair") if found.pairs else f"{_each(found)}, under different seeds"
    by_clip = role_of(wording.metric) == (ACCURACY, "validation")
    side = "" if found.estimate is None else _side(found.estimate) if by_clip else _moved(found.estimate, wording)
    observed = f"{have}, {side}" if side else have
    if found.pairs >= FEWEST or min(found.repetitions) >= FEWEST:
        unlogged = "what each run says of each clip was not logged"
        why = unlogged if by_clip else f"{wording.metric} is not known clip by clip"
        return f"{capitalised(change)}: {observed}. Whether that is more than chance cannot be tested: {why}."
    return (
        f"{capitalised(change)}: {observed}. So few trainings cannot tell {option_words(option)} from the luck of "
        "training; three matched pairs are the least."
    )


def _moved(estimate: float, wording: Wording) -> str:
    """Return ``val_mae 0.12 lower on average``."""
    if not estimate:
        return f"no difference of {wording.metric}"
    return f"{wording.metric} {losses(abs(estimate))[0]} {'higher' if estimate > 0 else 'lower'} on average"


def _each(found: ContrastEffect) -> str:
    start, end = found.repetitions
    return f"{count(start, 'run')} each" if start == end else f"{number_word(start)} and {count(end, 'run')}"


def _others(option: str, details: OptionEffect) -> list[str]:
    """Say of how many contrasts this is one."""
    if details.n_contrasts < 2:
        return []
    detected = sum(found.verdict == "supported" for found in details.contrasts)
    name = option_words(option)
    return [f"Of the {number_word(details.n_contrasts)} contrasts of {name}, {_detected(detected)}."]


def _detected(number: int) -> str:
    return f"{number_word(number) if number else 'none'} {'is' if number < 2 else 'are'} detected"
