"""What an answer is: a question that a reader asks of an experiment, a verdict, and one or two sentences.

An answer is written from conclusions, and names those that it rests on. However many runs there are, a question has one
answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar

from tracker.conclusions.best_configuration import Standing, standings
from tracker.wording import begun, called_configuration, capitalised, configuration_phrases, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.conclusions.conclusion import Conclusion, Details, KindName, Table
    from tracker.study.study import Study
    from tracker.wording import Wording

MOST_DRAWN = 12  # runs, the best, whose curves stand side by side: sentences name no others

D = TypeVar("D", bound="Details")

AnswerId = Literal["data_sets", "best", "options", "overfitting", "patience", "learning_rate", "errors", "limits"]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to one question; text may be other people's in part, and whoever prints it must escape it."""

    id: AnswerId
    question: str
    label: str  # the verdict of what was inferred or is missing, or what else the answer is: `Conclusion.label`
    sentence: str  # one or two sentences
    points: tuple[str, ...] = ()  # further sentences, each a line of its own
    conclusions: tuple[str, ...] = ()  # ids of the conclusions that it rests on, that with the evidence first
    tables: tuple[Table, ...] = ()
    pictures: tuple[str, ...] = ()  # names of the figures that stand beside it, if they are drawn


@dataclass(frozen=True, eq=False)
class Findings:
    """All that answers are written from."""

    study: Study
    conclusions: tuple[Conclusion, ...]  # of every kind, with their sentences
    wording: Wording

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """Every configuration, the best first."""
        return standings(self.study)

    @cached_property
    def ranked(self) -> tuple[Standing, ...]:
        """Those that were judged on the same clips as the best and have the primary metric."""
        return tuple(standing for standing in self.standings if standing.tied is not None)

    @cached_property
    def on_different_clips(self) -> bool:
        """Whether runs have the primary metric but no two of them the same clips, so that none can be ranked."""
        return len(self.standings) > 1 and len(self.ranked) < 2 <= len(self.study.ranking)

    @cached_property
    def repeated(self) -> bool:
        """Whether a configuration was trained more than once."""
        return any(len(standing.runs) > 1 for standing in self.ranked or self.standings)

    @cached_property
    def best_run(self) -> str | None:
        """The id of the best run; None if no run has the primary metric."""
        return self.study.run_ids[self.study.ranking[0]] if self.study.ranking else None

    @cached_property
    def drawn(self) -> frozenset[str]:
        """The ids of the best runs, whose curves are drawn; runs without a rank come last."""
        study = self.study
        rest = [result for result in study.results if result.index not in study.rank_of]
        rest.sort(key=lambda result: (math.inf if result.val_loss is None else result.val_loss, result.run_id))
        return frozenset(study.ids([*study.ranking, *(result.index for result in rest)][:MOST_DRAWN]))

    def who(self, run_ids: Sequence[str]) -> str:
        """Return ``runs 1 and 4``; how many they are if not all of them are drawn."""
        return self.wording.runs(run_ids) if self.drawn.issuperset(run_ids) else counted(len(run_ids), "run")

    def best_first(self, found: Sequence[tuple[Conclusion, D]]) -> list[tuple[Conclusion, D]]:
        """Return conclusions on single runs by the rank of their runs."""
        last = len(self.study.results)
        return sorted(found, key=lambda pair: self.study.rank_of.get(self.study.index_of[pair[0].runs[0]], last))

    def of_kind(self, name: KindName) -> tuple[Conclusion, ...]:
        """Return the conclusions of one kind, in their order."""
        return tuple(conclusion for conclusion in self.conclusions if conclusion.kind == name)

    def with_details(self, name: KindName, details: type[D]) -> tuple[tuple[Conclusion, D], ...]:
        """Return the conclusions of one kind that have such details, with them."""
        found = self.of_kind(name)
        return tuple((each, each.details) for each in found if isinstance(each.details, details))

    def words(self, run_id: str) -> str:
        """Return what a run's configuration is called in a sentence: ``7×7 kernel, lr 1e-4, no plateau``."""
        return ", ".join(configuration_phrases(self.study.design, self.study.index_of[run_id]))

    def named(self, run_id: str) -> str:
        """Return ``run 2 (7×7 kernel, lr 1e-4)``; without brackets if runs don't differ in anything that has a name."""
        words = self.words(run_id)
        return f"{self.wording.run(run_id)} ({words})" if words else self.wording.run(run_id)

    def called(self, standing: Standing) -> str:
        """Return what a configuration is called: its options if it was repeated, else its run and its options."""
        if not self.repeated:
            return self.named(standing.runs[0])
        phrases = configuration_phrases(self.study.design, self.study.index_of[standing.runs[0]])
        return called_configuration(phrases) if phrases else f"the configuration of {self.wording.runs(standing.runs)}"

    def short(self, standing: Standing) -> str:
        """Return what a configuration is called in a table's cell."""
        words = self.words(standing.runs[0])
        if not self.repeated:
            run = capitalised(self.wording.run(standing.runs[0]))
            return f"{run}: {words}" if words else run
        return begun(words) or capitalised(self.wording.runs(standing.runs))
