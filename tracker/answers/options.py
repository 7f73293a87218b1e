"""What do the options do? One line an option that could be tested, and one sentence for those that changed together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.answers.answer import Answer
from tracker.conclusions.conclusion import Table
from tracker.conclusions.option_effect import UNMEASURED, OptionEffect, verdict_words
from tracker.wording import (
    NONE,
    begun,
    change_cell,
    change_interval_cell,
    level_cell,
    listing,
    metric_words,
    number_word,
    option_words,
    p_number,
    points_cell,
    points_interval_cell,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.answers.answer import Findings
    from tracker.conclusions.conclusion import Conclusion

_MOST_LINES = 8  # options that have a line
_MOST_ROWS = 24  # contrasts in the table
_MOST_NAMED = 5  # options that the question, or a sentence, names

_BY_INFORMATION = ("Supported", "Equivalent", "Observed", "Inconclusive", "Confounded", "Not comparable", "Unknown")


def options(findings: Findings) -> Answer | None:
    """Return what the options that vary do; None if none varies."""
    found = findings.of_kind("option_effect")
    if not found:
        return None
    names = [option_words(conclusion.option or "") for conclusion in found]
    asked = listing(names) if len(names) <= _MOST_NAMED else "the options"
    question = f"What does changing {asked} do?"
    unlogged = [c for c in found if c.verdict == "unknown"]
    if len(unlogged) == len(found) > 1:
        return Answer(
            "options", question, "Unknown", _unlogged_text(findings, found), conclusions=tuple(c.id for c in found)
        )
    untested = [c for c in found if c.verdict in {"confounded", "not_comparable"}]
    tested = [c for c in found if c not in untested]
    several = len(unlogged) > 1
    lines = tuple(c.sentence for c in _clearest_first(tested)[:_MOST_LINES] if not (several and c in unlogged))
    if several:
        lines += (_unlogged_text(findings, unlogged),)
    sentence = _untested_text(findings, untested, alone=not tested)
    if not sentence:
        sentence, lines = (lines[0], ()) if len(lines) == 1 else (_overview_text(tested), lines)
    return Answer(
        "options",
        question,
        min((c.label for c in found), key=_BY_INFORMATION.index),
        sentence,
        lines,
        tuple(conclusion.id for conclusion in found),
        _table(findings, tested),
        ("differences",),
    )


def _unlogged_text(findings: Findings, found: Sequence[Conclusion]) -> str:
    """Return that the effects of options are unknown, in one sentence for all of them."""
    names = [option_words(conclusion.option or "") for conclusion in found]
    which = listing(names) if len(names) <= _MOST_NAMED else f"{number_word(len(names))} options"
    if any(isinstance(c.details, OptionEffect) and c.details.n_contrasts for c in found):
        why = UNMEASURED.format("in one of them", metric_words(findings.study.metric))
        return f"The effects of {which} are unknown: {why}."
    return f"The effects of {which} are unknown, as are the validation clips that the runs were judged on."


def _clearest_first(found: Iterable[Conclusion]) -> list[Conclusion]:
    by_p = sorted(found, key=lambda c: 1.0 if c.p_value is None else c.p_value)
    return sorted(by_p, key=lambda c: _BY_INFORMATION.index(c.label))


def _overview_text(found: Sequence[Conclusion]) -> str:
    """Return how many of several options have an effect that is more than chance explains."""
    clear = [option_words(c.option or "") for c in _clearest_first(found) if c.verdict == "supported"]
    if not clear:
        if all(c.p_value is None for c in found):
            return f"{'Neither' if len(found) == 2 else f'None of the {number_word(len(found))}'} could be tested."
        who = "Neither" if len(found) == 2 else f"Not one of the {number_word(len(found))}"
        return f"{who} has an effect that these runs can separate from chance."
    if len(clear) == len(found):
        return f"{begun(listing(clear))} each have a significant effect."
    verb = "has" if len(clear) == 1 else "have"
    return f"{begun(listing(clear[:_MOST_NAMED]))} {verb} a significant effect."


def _untested_text(findings: Findings, found: Sequence[Conclusion], *, alone: bool) -> str:
    """Return why options could not be tested: they changed together, or never on the same clips."""
    if not found:
        return ""
    confounded = [c for c in found if isinstance(c.details, OptionEffect) and c.details.aliases]
    if len(confounded) < len(found):
        names = [option_words(c.option or "") for c in found if c not in confounded]
        elsewhere = f"{begun(listing(names[:_MOST_NAMED]))} never changed alone between runs on the same clips."
        return " ".join(filter(None, [elsewhere, _confounded_text(findings, confounded, alone=alone)]))
    return _confounded_text(findings, confounded, alone=alone)


def _confounded_text(findings: Findings, found: Sequence[Conclusion], *, alone: bool) -> str:
    if not found:
        return ""
    names = [option_words(conclusion.option or "") for conclusion in found]
    if alone:
        none = "neither" if len(names) == 2 else f"none of the {number_word(len(names))}"
        head = f"Unknown: {none} changed on its own." if len(names) > 1 else "Unknown: it never changed on its own."
    else:
        verb = "was" if len(names) == 1 else "were"
        head = f"{begun(listing(names[:_MOST_NAMED]))} {verb} never varied alone."
    return f"{head}{_closest_text(findings)}"


def _closest_text(findings: Findings) -> str:
    """Return which two of the first runs differ least, and in what; empty if that is in too much to name."""
    design, runs = findings.study.design, range(min(len(findings.study.results), 50))
    pairs = [(design.differing(a, b), a, b) for a in runs for b in runs if a < b]
    differ, a, b = min((pair for pair in pairs if pair[0]), key=lambda pair: len(pair[0]), default=((), 0, 0))
    if not 1 < len(differ) <= _MOST_NAMED:
        return ""
    who = findings.wording.runs(findings.study.ids([a, b]))
    return f" The closest pair, {who}, differs in {listing([option_words(name) for name in differ])} at once."


def _table(findings: Findings, found: Sequence[Conclusion]) -> tuple[Table, ...]:
    """Return a row for each contrast of every option, the clearest first."""
    alpha, rows = findings.study.alpha, []
    cell, interval_cell = (points_cell, points_interval_cell)
    if not findings.study.metric.is_accuracy:
        cell, interval_cell = (change_cell, change_interval_cell)
    for conclusion in _clearest_first(found):
        details = conclusion.details
        for c in details.contrasts if isinstance(details, OptionEffect) else ():
            p_value = c.p_value if c.p_adjusted is None else c.p_adjusted
            p_text = NONE if p_value is None else p_number(p_value, alpha)
            effect, interval = cell(c.estimate), interval_cell(c.interval)
            option = conclusion.option or ""
            change = f"{level_cell(option, c.from_)} → {level_cell(option, c.to)}"
            row = (option_words(option), change, str(c.pairs), effect)
            rows.append((*row, interval, p_text, verdict_words(c)))
    header = ("option", "change", "matched pairs", "effect", "95% interval", "p, corrected", "verdict")
    more = "" if len(rows) <= _MOST_ROWS else f" ({_MOST_ROWS} of {len(rows)})"
    return (Table(f"All comparisons{more}", header, tuple(rows[:_MOST_ROWS])),) if rows else ()
