"""The questions that a reader asks of an experiment, at most seven, in the report's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.answers.answer import Answer, AnswerId, Findings
from tracker.answers.best import best
from tracker.answers.data_sets import data_sets
from tracker.answers.errors import errors
from tracker.answers.learning_rate import learning_rate
from tracker.answers.limits import limits
from tracker.answers.options import options
from tracker.answers.overfitting import overfitting
from tracker.answers.patience import patience

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Answer", "AnswerId", "Findings", "answer_all"]

OF_RUNS = (overfitting, patience, learning_rate)  # each by itself, whatever it was evaluated on
QUESTIONS = (best, options, *OF_RUNS, errors)


def answer_all(findings: Findings, limitations: Sequence[str]) -> tuple[Answer, ...]:
    """Return the answers to the questions that the runs raise; the last has `limitations`, a line each.

    Of several data sets these are the questions across them and of single runs; of one of them, all the others.
    """
    if findings.study.data is not None:
        answers = [question(findings) for question in (data_sets, *OF_RUNS)]
    elif findings.study.data_set:
        answers = [*(question(findings) for question in (best, options, errors)), limits(findings, limitations)]
    else:
        answers = [*(question(findings) for question in QUESTIONS), limits(findings, limitations)]
    return tuple(answer for answer in answers if answer is not None)
