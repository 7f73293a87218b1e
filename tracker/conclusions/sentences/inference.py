"""Sentences of the conclusions that infer: on two models and on options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.option_effect import NESTED, ContrastEffect, OptionEffect
from tracker.conclusions.run_difference import COUNTS, RunDifference
from tracker.conclusions.sentences.words import (
    Voice,
    capitalised,
    count,
    level_words,
    listing,
    number_word,
    option_words,
    points,
    points_interval,
)

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion


def run_difference(conclusion: Conclusion, details: RunDifference, voice: Voice) -> str:
    """Say how two models differ on the same clips."""
    first, second = (voice.run(run_id) for run_id in conclusion.runs)
    if details.why is not None:
        return _no_comparison(first, second, details.why, voice)
    if conclusion.verdict == "exact":
        return f"{capitalised(first)} and {second} are the same epoch by epoch and on every validation clip."
    return " ".join([_right_on(first, second, conclusion, details, voice), _meaning(conclusion, details)])


def option_effect(conclusion: Conclusion, details: OptionEffect, voice: Voice) -> str:
    """Say what an option does, or why that is not to be had."""
    option = conclusion.option or ""
    if conclusion.verdict == "confounded":
        return _confounded(option, details)
    telling = min(details.contrasts, key=lambda c: c.p_value if c.p_value is not None else 2.0)
    return _contrast(option, telling, voice)


def _no_comparison(first: str, second: str, why: str, voice: Voice) -> str:
    reasons = {
        "clips": "were judged on different validation clips and are not compared",
        "unlogged clips": "cannot be compared: which validation clips they were judged on was not logged",
        "metric": f"cannot be tested against each other on {voice.metric}: only accuracy is known clip by clip",
        "counts": "cannot be compared: how many validation clips they have right was not logged",
    }
    return f"{capitalised(first)} and {second} {reasons[why]}."


def _right_on(first: str, second: str, conclusion: Conclusion, details: RunDifference, voice: Voice) -> str:
    """Say the two counts, their difference with its interval, and the test."""
    one, other = details.correct
    head = f"{capitalised(first)} is right on {one} of {conclusion.n} validation clips, {second} on {other}"
    interval = f"95 % interval {points_interval(conclusion.interval)}" if conclusion.interval else ""
    test = f"{conclusion.method} {voice.p(conclusion.p_value)}" if conclusion.p_value is not None else ""
    if conclusion.method == COUNTS and conclusion.p_value is not None:
        test = f"at best {voice.p(conclusion.p_value)}, by the least favourable pairing of the clips"
    return f"{head}: {points(conclusion.estimate or 0.0, signed=True)} ({interval}; {test})."


def _meaning(conclusion: Conclusion, details: RunDifference) -> str:
    if conclusion.verdict == "supported":
        options = listing([option_words(option) for option in details.differs_in], "or") or "the seed"
        return (
            f"These two models differ on these clips; whether {options} or the luck of one training did it, "
            "one training each cannot say."
        )
    if conclusion.verdict == "equivalent":
        return "The difference lies within the margin: for practical purposes these two models are equally accurate."
    return "That is within chance."


def _confounded(option: str, details: OptionEffect) -> str:
    changed = listing([option_words(alias) for alias in details.aliases])
    name = capitalised(option_words(option))
    if not changed:
        return f"{name} changed, but never with everything else equal: what it does, these runs cannot say."
    return f"{name} never changed alone: {changed} changed with it, and these runs cannot say which of them mattered."


def _contrast(option: str, found: ContrastEffect, voice: Voice) -> str:
    to, start = level_words(option, found.to), level_words(option, found.from_)
    head = capitalised(f"{to} instead of {start}")
    if found.verdict == "exact":
        return f"{head} changed nothing: the runs are the same epoch by epoch."
    if found.p_value is None or found.interval is None:
        return _too_few(head, found)
    basis = _basis(found)
    evidence = (
        f"{points(found.estimate or 0.0, signed=True)} (95 % interval {points_interval(found.interval)}, "
        f"{voice.p(found.p_value)}, over {basis})"
    )
    if found.verdict == "supported":
        return f"{head} changes validation accuracy by {evidence}."
    if found.verdict == "equivalent":
        return f"{head} makes no difference that matters: {evidence}, inside ±{points(voice.margin)}."
    return f"Whether {to} is better than {start} is not detectable here: {evidence}."


def _basis(found: ContrastEffect) -> str:
    if found.method == NESTED:
        start, end = found.repetitions
        return f"{end} and {start} runs that share too few seeds, {found.n} clips"
    return f"{count(found.pairs, 'matched pair')}, {found.n} clips"


def _too_few(head: str, found: ContrastEffect) -> str:
    have = count(found.pairs, "matched pair") if found.pairs else f"{number_word(min(found.repetitions))} run each"
    estimate = "" if found.estimate is None else f": {points(found.estimate, signed=True)}"
    return f"{head} has {have}{estimate}. What the option does and what the luck of training does needs three to tell."
