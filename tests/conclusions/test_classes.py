from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.classes import WrongClip, classes
from tracker.statistics.proportions import wilson

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy


class TestClasses:
    def test_count_the_best_runs_errors_by_class(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(made(1, "0011"), made(2, "1110", seed="1")))
        (errors,) = found.details.classes
        assert found.details.best == f"{2:032x}"
        assert (errors.name, errors.n, errors.wrong, errors.interval) == ("a", 4, 1, wilson(1, 4))
        assert (errors.mean_wrong, errors.taken_for, errors.taken) == (0.375, "b", 1)

    def test_find_the_clips_that_every_run_gets_wrong(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(*(made(i, right, seed=str(i)) for i, right in enumerate(["0101", "0110", "0111"]))))
        assert found.details.always_wrong == (WrongClip("clip0000", "a", "b", 3),)
        assert found.details.n_always_wrong == 1

    def test_do_not_suspect_labels_by_two_runs(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(made(1, "01"), made(2, "01", seed="1")))
        assert found.details.n_always_wrong == 0

    def test_are_unknown_without_predictions(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(made(1)))
        assert found.verdict == "unknown"
