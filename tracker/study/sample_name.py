"""What is called a clip: what else whoever logged the runs says that one thing is that is classified.

Sentences are written of clips, as `tracker run` trains on clips of audio. Of runs on anything else they say samples, or
images, or what `tracker.start_run` was told: each sentence is put into that word once, when it is finished. What other
people named stays as it is, also if it is called a clip.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.runs import Run

_CLIP, _SAMPLE = "clip", "sample"
_TAG = "tracker.sample_name"
_OF_CLIPS = ("tracker.data", "tracker.dataset", "tracker.training_clips", "tracker.validation_clips")
_NAME = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+){0,3}")
_LONGEST = 30  # characters of a name
_WORD = r"(?<![\w/.#-])(?:(?P<article>[Aa]) )?(?P<initial>[Cc])lip(?P<many>s?)(?![\w/=-]|\.\w)"
_HAS_WORD = re.compile(r"\bclips?\b", re.IGNORECASE)
_PLURAL_IN_ES = ("s", "x", "z", "ch", "sh")
_VOWELS = tuple("aeioAEIO")


@dataclass(frozen=True)
class SampleName:
    """What one thing that is classified is called, and what of other people's text has the word ``clip`` in it."""

    one: str = _CLIP
    others: frozenset[str] = frozenset()

    @property
    def many(self) -> str:
        """Several of them: ``images``."""
        if self.one.endswith("y") and not self.one.endswith(("ay", "ey", "oy", "uy")):
            return f"{self.one[:-1]}ies"
        return f"{self.one}{'es' if self.one.endswith(_PLURAL_IN_ES) else 's'}"

    def put_into(self, text: str) -> str:
        """Return a text that is written of clips with this name in place of that word."""
        return text if self.one == _CLIP or "lip" not in text else self._pattern.sub(self._named, text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        names = "|".join(map(re.escape, sorted(self.others, key=lambda name: (-len(name), name))))
        return re.compile(rf"(?<!\w)(?:{names})(?!\w)|{_WORD}" if names else _WORD)

    def _named(self, found: re.Match[str]) -> str:
        if not found["initial"]:
            return found[0]
        name = self.many if found["many"] else self.one
        name = name if found["initial"] == "c" else f"{name[0].upper()}{name[1:]}"
        article = found["article"] or ""
        return f"{article}{'n' if article and name.startswith(_VOWELS) else ''}{' ' if article else ''}{name}"


CLIPS = SampleName()


def sample_name_of(runs: Sequence[Run]) -> SampleName:
    """Return what runs call what they classify, ``sample`` if they don't say it or don't agree."""
    names = {_name_in(run) for run in runs}
    one = names.pop() if len(names) == 1 else _SAMPLE if names else _CLIP
    if one == _CLIP:
        return CLIPS
    return SampleName(one, frozenset(text for run in runs for text in _texts_of(run) if _HAS_WORD.search(text)))


def _name_in(run: Run) -> str:
    name = run.tags.get(_TAG, "")
    if len(name) <= _LONGEST and _NAME.fullmatch(name):
        return name
    return _CLIP if any(tag in run.tags for tag in _OF_CLIPS) else _SAMPLE


def _texts_of(run: Run) -> Iterator[str]:
    """Yield what a run's own names are that a sentence may quote."""
    yield from (
        run.name,
        run.experiment,
        *run.params,
        *run.params.values(),
        *run.metrics,
        *run.tags.values(),
        *(data.name for data in run.datasets),
    )
    if run.validation:
        yield from {*run.validation.clips, *run.validation.labels, *run.validation.classes}
