"""Stores that are no file of this machine, read as SQLite files are: here in the same file, through other clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import STARTED, epochs, mlflow_inputs, random_predictions, same_curves, send_run
from tracker.errors import StoreError
from tracker.runs.events import Ended
from tracker.store import VALIDATION, predictions_csv, store_at
from tracker.store.client import full_client_of
from tracker.store.location import Location, locate
from tracker.store.plug_in import read_through_client
from tracker.store.reader import read_experiment
from tracker.store.sql_reader import read_sql

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracker.store import Experiment

    Reads = Callable[[Location, Path, str], Experiment]

FILES = {VALIDATION: predictions_csv(random_predictions()).encode()}


def through_sql(location: Location, folder: Path, experiment: str) -> Experiment:
    return read_sql(Location(location.uri, None, ""), folder, experiment, by_epoch=0)


def through_client(location: Location, _folder: Path, experiment: str) -> Experiment:
    return read_through_client(Location(location.uri, None, ""), experiment, by_epoch=0)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Location:
    location = locate(None, tmp_path_factory.mktemp("filled"))
    run_id = send_run(location, *epochs(1.0, float("nan"), float("inf")), Ended(9, "FINISHED"), files=FILES)
    client = full_client_of(location)
    client.log_inputs(run_id, mlflow_inputs())
    client.log_metric(run_id, "val_loss", 0.25, timestamp=10**15, step=3)  # type: ignore[union-attr]
    send_run(location)
    return location


@pytest.mark.parametrize("read", [through_sql, through_client])
class TestElsewhere:
    def test_runs_are_as_in_the_file(self, filled: Location, tmp_path: Path, read: Reads) -> None:
        there, here = read(filled, tmp_path, STARTED.experiment), read_experiment(filled, STARTED.experiment)
        assert there.tags == here.tags
        assert len(there.runs) == 2
        for one, other in zip(there.runs, here.runs, strict=True):
            assert (one.run_id, one.name, one.status) == (other.run_id, other.name, other.status)
            assert (one.params, one.tags, str(one.metrics)) == (other.params, other.tags, str(other.metrics))
            assert (one.started, one.ended, one.datasets) == (other.started, other.ended, other.datasets)
            assert same_curves(dict(one.curves), dict(other.curves))
            assert (one.validation and one.validation.predicted) == (other.validation and other.validation.predicted)
        assert there.unreadable == here.unreadable == ()

    def test_an_experiment_that_is_not_there_is_named_with_those_that_are(
        self, filled: Location, tmp_path: Path, read: Reads
    ) -> None:
        with pytest.raises(StoreError, match=r"no experiment 'nope' in .*; choose 'Default' or 'tracker'"):
            read(filled, tmp_path, "nope")


class TestStoresThatAreOnlyRead:
    def test_a_database_without_its_driver_says_which_to_install(self, tmp_path: Path) -> None:
        store = store_at("mysql+nosuch://me:s3cret@127.0.0.1:9/x", tmp_path)
        assert (store.uri, store.has_login) == ("mysql+nosuch://127.0.0.1:9/x", True)
        with pytest.raises(
            StoreError, match=r"^reading mysql\+nosuch://127\.0\.0\.1:9/x needs .*`pip install pymysql`$"
        ):
            store.read("tracker")

    def test_a_database_that_is_not_a_store_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"is not an MLflow store, as it lacks experiments\.experiment_id"):
            read_sql(Location(f"sqlite:///{tmp_path}/new.db", None, ""), tmp_path, "tracker", by_epoch=0)

    def test_nothing_is_written_to_a_database(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="is a database, which tracker only reads: to write, give another one"):
            store_at("postgresql://host/x", tmp_path).check_usable()
