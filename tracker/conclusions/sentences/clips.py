"""Sentences on the validation clips, on seeds and on what was chosen on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.wording import (
    Wording,
    capitalised,
    change_words,
    count,
    listing,
    number_word,
    percent,
    percent_interval,
    points,
    points_interval,
    round_number,
)

if TYPE_CHECKING:
    from tracker.conclusions.classes import ClassErrors, Classes, WrongClip
    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.sample_size import SampleSize
    from tracker.conclusions.selection_optimism import SelectionOptimism
    from tracker.conclusions.stability import Diverged, OneSeed, Spread

_MOST_CLASSES = 3
_MOST_CLIPS = 3


def spread(conclusion: Conclusion, details: Spread, wording: Wording) -> str:
    """Say how the accuracy of one configuration scatters."""
    if conclusion.verdict == "unknown":
        why = "no configuration was trained twice on the same clips"
        if details.unlogged:
            why = (
                "runs that repeat a configuration did not log which clips they were judged on, or how many they have "
                "right"
            )
        return f"How much results depend on the seed cannot be said: {why}."
    interval = ""
    if details.interval is not None:
        interval = f" (95 % interval {percent_interval(details.interval)} over seeds and clips)"
    mean, runs = percent(details.mean), f"{capitalised(wording.runs(conclusion.runs))} repeat one configuration"
    if not details.deviation:
        return f"{runs}: each has {mean} of clips right{interval}."
    low, high = percent(details.lowest).removesuffix(" %"), percent(details.highest)
    scatter = f"a standard deviation of {points(details.deviation)} from seed to seed"
    return f"{runs}: {low} to {high} of clips right, {mean} on average{interval}, with {scatter}."


def one_seed(conclusion: Conclusion, details: OneSeed, wording: Wording) -> str:
    """Say that an effect hangs on one matched pair."""
    change = change_words(details.changed, details.from_, details.to)
    return (
        f"The effect of {change} hangs on one seed: without {wording.runs(conclusion.runs)} it is no longer detected "
        f"({wording.p(details.p_without)} instead of {wording.p(details.p_value).removeprefix('p = ')})."
    )


def diverged(conclusion: Conclusion, details: Diverged, wording: Wording) -> str:
    """Say that a run diverged, and when."""
    run = capitalised(wording.run(conclusion.runs[0]))
    return f"{run} diverged: its loss is no finite number at epoch {details.epoch}."


def classes(conclusion: Conclusion, details: Classes, wording: Wording) -> str:
    """Say where the best run's errors are, and which clips every run gets wrong."""
    if conclusion.verdict == "unknown" or details.best is None:
        return "Which classes carry the errors cannot be said: no run's predictions were logged."
    return " ".join([_errors(details, wording.run(details.best)), *_always_wrong(details)])


def selection_optimism(conclusion: Conclusion, details: SelectionOptimism, wording: Wording) -> str:
    """Say by how much the best flatters itself."""
    if conclusion.estimate is None or conclusion.interval is None or details.accuracy is None or details.best is None:
        why = "what each run says of each clip was not logged"
        if details.why == "metric":
            why = f"that is done for accuracy, and the runs are ranked by {wording.metric}"
        return f"By how much the best of {count(details.runs, 'run')} flatters itself cannot be estimated: {why}."
    epochs = ", and its epoch among its own," if details.over_epochs else ""
    nearer = percent(max(0.0, details.accuracy - conclusion.estimate))
    best, among = capitalised(wording.run(details.best)), count(details.runs, "run")
    flattery = f"{points(conclusion.estimate)} (bootstrap, 95 % interval {points_interval(conclusion.interval)} points)"
    expect = f": on new clips expect nearer to {nearer} than to {percent(details.accuracy)}"
    return (
        f"{best} was chosen among {among}{epochs} on the clips that its accuracy is said of. That flatters it by an "
        f"estimated {flattery}{expect if nearer != percent(details.accuracy) else ''}."
    )


def sample_size(conclusion: Conclusion, details: SampleSize, wording: Wording) -> str:
    """Say what the validation set can show."""
    clips = count(conclusion.n or 0, "validation clip")
    groups = f" from {count(details.n_groups, 'group')}" if details.n_groups else ""
    if details.n_groups and round(details.design_effect, 1) > 1:
        groups += f", which count for about {round((conclusion.n or 0) / details.design_effect)} independent ones,"
    parts = [f"With {clips}{groups} one clip is {points(details.one_clip)}.", _detectable(details)]
    shows = details.detectable[1] is not None and details.ceiling_p is not None
    if shows and details.ceiling_p is not None and details.ceiling_p > wording.alpha:
        parts.append(
            f"Nothing can significantly beat {details.best_correct} of {conclusion.n}: even all {conclusion.n} right "
            f"gives {wording.p(details.ceiling_p)} at best."
        )
    return " ".join(parts)


def _errors(details: Classes, best: str) -> str:
    wrong = [found for found in details.classes if found.wrong]
    total = sum(found.wrong for found in wrong)
    if not wrong:
        return f"{capitalised(best)} gets no validation clip wrong."
    named = [_class(found, first=place == 0) for place, found in enumerate(wrong[:_MOST_CLASSES])]
    rest = sum(found.wrong for found in wrong[_MOST_CLASSES:])
    if rest:
        named.append(f"{number_word(rest)} in other classes")
    return f"{capitalised(best)} gets {count(total, 'validation clip')} wrong: {listing(named)}."


def _class(found: ClassErrors, *, first: bool) -> str:
    """Say how many clips of a class are wrong; of the first one its interval too."""
    told = [f"95 % interval {percent_interval(found.interval)}"] if first else []
    if found.taken_for is not None:
        some = "" if found.taken == found.wrong else f"{number_word(found.taken)} "
        told.append(f"{some}taken for {found.taken_for}")
    head = f"{found.wrong} of {found.n} in {found.name}"
    return f"{head} ({'; '.join(told)})" if told else head


def _always_wrong(details: Classes) -> list[str]:
    if not details.n_always_wrong:
        return []
    shown = [_wrong_clip(found, details.runs) for found in details.always_wrong[:_MOST_CLIPS]]
    more = details.n_always_wrong - len(shown)
    rest = f" and {number_word(more)} more" if more else ""
    verb = "is" if details.n_always_wrong == 1 else "are"
    which = "its label is" if details.n_always_wrong == 1 else "their labels are"
    head = f"{capitalised(count(details.n_always_wrong, 'clip'))} {verb} wrong in all {number_word(details.runs)} runs"
    return [f"{head}: {', '.join(shown)}{rest}; {which} worth checking."]


def _wrong_clip(found: WrongClip, runs: int) -> str:
    agreed = "by all" if found.agreeing == runs else f"by {number_word(found.agreeing)}"
    return f"{found.clip} ({found.label}, taken for {found.taken_for} {agreed})"


def _detectable(details: SampleSize) -> str:
    low, high = details.detectable
    if high is None:
        return "So few show no difference reliably, however large."
    fewest, most = details.clips_for_one
    if details.discordance is not None:
        return (
            f"Two of these models disagree on {percent(details.discordance)} of clips; then a true difference of "
            f"{points(high)} would be found about four times in five, smaller ones less often, and one of a single "
            f"clip would take {round_number(most)} clips."
        )
    fewest_points, most_points = points(high if low is None else low), points(high)
    span = f"{fewest_points.removesuffix(' points')} to {most_points}" if fewest_points != most_points else most_points
    return (
        f"A true difference of {span}, depending on how often two models disagree, would be found about four times in "
        f"five, and one of a single clip would take {round_number(fewest)} to "
        f"{round_number(most).removeprefix('about ')} clips."
    )
