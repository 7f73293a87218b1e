"""A series of candidates, kept in a real store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import logger_in
from tracker.errors import TrackerError
from tracker.recording.changes import delete_run
from tracker.recording.gate import gate
from tracker.recording.reporter import SilentReporter
from tracker.recording.stores import load_runs
from tracker.store import store_at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import LogRun
    from tracker.report.gate import GateAnswer
    from tracker.store import Store

HARD = "1" * 20 + "0" * 20


@pytest.fixture
def log(work: Path) -> LogRun:
    log = logger_in(work)
    for kernel in "357":
        for seed in range(3):
            own = HARD[: 5 * seed] + "1" * int(kernel) + HARD[5 * seed + int(kernel) :]
            log(own, name=f"k{kernel}-s{seed}", seed=str(seed), kernel_size=kernel)
    return log


@pytest.fixture
def store(work: Path) -> Store:
    return store_at(None, work)


def asked(store: Store, baseline: str, candidate: str, series: str = "a") -> GateAnswer:
    return gate(load_runs(store, "tracker"), f"kernel={baseline}", f"kernel={candidate}", series=series)


class TestSeries:
    def test_each_candidate_and_each_look_at_it_has_a_share_of_its_own(self, log: LogRun, store: Store) -> None:
        first, second = asked(store, "3", "5"), asked(store, "3", "7")
        assert (first.series.candidate, first.series.sizes) == (1, (3.0,))
        assert (second.series.candidate, second.series.sizes) == (2, (3.0,))
        assert second.level < first.level < 0.05 / 2
        assert asked(store, "3", "5") == first
        log(HARD, name="k3-s3", seed="3", kernel_size="3")
        log(HARD, name="k5-s3", seed="3", kernel_size="5")
        again = asked(store, "3", "5")
        assert (again.series.candidate, again.series.sizes) == (1, (3.0, 4.0))
        assert again.level < first.level
        assert asked(store, "3", "7", series="b").series.candidate == 1

    @pytest.mark.usefixtures("log")
    def test_deleting_a_candidate_gives_nothing_back(self, store: Store) -> None:
        asked(store, "3", "5")
        for seed in range(3):
            delete_run(f"k5-s{seed}", store, "tracker", SilentReporter())
        assert asked(store, "3", "7").series.candidate == 2

    def test_a_seed_is_not_left_out_after_a_look(self, log: LogRun, store: Store) -> None:
        for kernel in "35":
            log(HARD, name=f"k{kernel}-s3", seed="3", kernel_size=kernel)
        asked(store, "3", "5")
        delete_run("k5-s1", store, "tracker", SilentReporter())
        with pytest.raises(TrackerError, match=r"1 run that the series 'a' was answered by no longer counts \(.*bring"):
            asked(store, "3", "5")

    @pytest.mark.usefixtures("log")
    def test_a_question_that_cannot_be_asked_takes_no_place(self, store: Store) -> None:
        with pytest.raises(ValueError, match="the candidate is the baseline"):
            asked(store, "3", "3")
        with pytest.raises(ValueError, match="the margin must be at least 0"):
            gate(load_runs(store, "tracker"), "kernel=3", "kernel=5", series="a", margin=-1)
        assert asked(store, "3", "7").series.candidate == 1

    @pytest.mark.usefixtures("log")
    def test_a_series_is_against_one_baseline(self, store: Store) -> None:
        asked(store, "3", "5")
        with pytest.raises(TrackerError, match="the series 'a' is against another baseline than k7-s0"):
            asked(store, "7", "5")

    @pytest.mark.usefixtures("log")
    def test_a_damaged_record_is_an_error(self, store: Store) -> None:
        store.tag_experiment("tracker", {"tracker.series.a.0123": "{"})
        with pytest.raises(TrackerError, match=r"the experiment's tag tracker\.series\.a\.0123 is damaged"):
            asked(store, "3", "5")


class TestGate:
    @pytest.mark.usefixtures("log")
    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            ({"require": "worse"}, "require must be 'better' or 'not-worse', got 'worse'"),
            ({"series": "a b"}, "series must be 1 to 60 letters, digits and . _ -, got 'a b'"),
            ({"alpha": 2}, "alpha must be"),
        ],
    )
    def test_arguments_are_checked(self, store: Store, arguments: dict[str, object], error: str) -> None:
        with pytest.raises(ValueError, match=error):
            gate(load_runs(store, "tracker"), "kernel=3", "kernel=5", **arguments)

    def test_runs_must_be_an_experiments(self) -> None:
        with pytest.raises(ValueError, match=r"runs must be those of tracker\.load_runs"):
            gate([], "kernel=3", "kernel=5")
