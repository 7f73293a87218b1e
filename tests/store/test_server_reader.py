from __future__ import annotations

import math
import re
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest
from mlflow import MlflowClient

from tests.builders import (
    START,
    STARTED,
    USED,
    epochs,
    mlflow_inputs,
    random_epoch_predictions,
    random_predictions,
    same_curves,
    send_run,
)
from tracker.errors import StoreError
from tracker.runs.events import Ended, EpochDone, Measured, Started
from tracker.store import DATASET, VALIDATION, VALIDATION_BY_EPOCH, epoch_predictions_npz, predictions_csv
from tracker.store.client import client_of
from tracker.store.connection import TooLongError
from tracker.store.location import Location
from tracker.store.mlflow_run import Record
from tracker.store.reader import deleted_runs, read_experiment
from tracker.store.server_reader import Limits, _Artifacts, read_server

if TYPE_CHECKING:
    from tests.running import Served
    from tracker.runs import Run

SERVER_FILES = {
    VALIDATION: predictions_csv(random_predictions()).encode(),
    VALIDATION_BY_EPOCH: epoch_predictions_npz(random_epoch_predictions()),
    DATASET: b"a manifest of no use\n",
}


def write_through(location: Location, experiment: str) -> str:
    losses = [1.0, math.nan, math.inf, 0.5]
    events = [EpochDone(START + epoch, epoch, {"val_loss": loss}) for epoch, loss in enumerate(losses, 1)]
    once = Measured(START + 5, {"best_epoch": 4})
    return send_run(location, *events, once, Ended(START + 6, "FINISHED"), started=of(experiment), files=SERVER_FILES)


def of(experiment: str) -> Started:
    return replace(STARTED, experiment=experiment)


def plain(run: Run) -> tuple[object, ...]:
    return run.run_id, run.name, run.status, run.params, run.tags, str(run.metrics), run.started, run.ended, run.groups


class TestReadServer:
    def test_read_server_brings_back_the_same_as_reading_the_database(self, served: Served) -> None:
        run_id = write_through(served.http, "over http")
        MlflowClient(served.http.uri).log_inputs(run_id, mlflow_inputs())
        direct, over_http = (read_experiment(location, "over http") for location in served)
        assert over_http.tags == direct.tags
        assert over_http.unreadable == direct.unreadable
        assert [broken.path for broken in direct.unreadable] == ["dataset.csv"]
        (one,), (other,) = over_http.runs, direct.runs
        assert one.run_id == run_id
        assert re.fullmatch(rf"{served.http.uri}/#/experiments/\d+/runs/{run_id}", one.page)
        assert other.page == ""
        assert plain(one) == plain(other)
        assert one.datasets == other.datasets
        assert set(one.datasets) >= set(USED)
        assert same_curves(one.curves, other.curves)
        assert one.validation is not None
        assert one.validation.predicted == random_predictions().predicted
        assert one.validation_by_epoch is not None
        assert np.array_equal(one.validation_by_epoch.probabilities, random_epoch_predictions().probabilities)

    def test_read_server_brings_back_artifacts_that_went_through_the_server(self, served: Served) -> None:
        client_of(served.http).create_experiment("proxied", artifact_location="mlflow-artifacts:/proxied")
        write_through(served.http, "proxied")
        for location in served:
            (run,) = read_experiment(location, "proxied").runs
            assert run.validation is not None
            assert run.validation.predicted == random_predictions().predicted

    def test_read_server_takes_an_artifact_that_is_not_there_for_missing(self, served: Served) -> None:
        client_of(served.http).create_experiment("bare", artifact_location="mlflow-artifacts:/bare")
        for experiment in ("bare", "bare too"):
            send_run(served.http, started=of(experiment))
            held = read_experiment(served.http, experiment)
            assert held.runs[0].validation is None
            assert held.unreadable == ()

    def test_read_server_brings_back_more_values_than_one_answer_holds(self, served: Served) -> None:
        for length in (3, 4, 12, 1, 6):
            send_run(served.direct, *epochs(*[1 / length] * length), started=of("long"))
        over_http = read_server(served.http, "long", by_epoch=0, limits=Limits(values=10, together=6))
        direct = read_experiment(served.direct, "long")
        assert sorted(len(run.curves["loss"].steps) for run in over_http.runs) == [1, 3, 4, 6, 12]
        for one, other in zip(over_http.runs, direct.runs, strict=True):
            assert same_curves(one.curves, other.curves)

    def test_read_server_brings_back_every_page(self, served: Served) -> None:
        written = [send_run(served.direct, started=of("paged")) for _ in range(5)]
        held = read_server(served.http, "paged", by_epoch=0, limits=Limits(page=2, runs=2))
        assert sorted(run.run_id for run in held.runs) == sorted(written)

    def test_read_server_says_that_all_runs_were_deleted(self, served: Served) -> None:
        run_id = send_run(served.http, started=of("emptied"))
        MlflowClient(served.http.uri).delete_run(run_id)
        for location in served:
            with pytest.raises(StoreError, match=r"'emptied' in .* were all deleted: restore some"):
                read_experiment(location, "emptied")
            assert [run.run_id for run in deleted_runs(location, "emptied")] == [run_id]

    def test_read_server_names_the_experiments_that_are_there(self, served: Served) -> None:
        with pytest.raises(StoreError, match=r"no experiment 'nope' in http://127.*; choose 'Default'"):
            read_experiment(served.http, "nope")

    def test_read_server_says_that_no_server_answers(self) -> None:
        with pytest.raises(StoreError, match=r"^no tracking server answers at http://127\.0\.0\.1:9: start it"):
            read_experiment(Location("http://127.0.0.1:9", None, ""), "tracker")

    def test_read_server_says_in_one_line_that_it_is_no_tracking_server(self) -> None:
        class Anything(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<html>\nhello")

            def log_message(self, *_args: object) -> None:
                pass

        with HTTPServer(("127.0.0.1", 0), Anything) as other:
            Thread(target=other.serve_forever, daemon=True).start()
            with pytest.raises(StoreError, match=r"^cannot read from http://127") as error:
                read_experiment(Location(f"http://127.0.0.1:{other.server_port}", None, ""), "tracker")
            other.shutdown()
        assert "\n" not in str(error.value)


class TestArtifacts:
    @pytest.mark.parametrize("error", [TimeoutError("not answered within 12 s"), TooLongError("longer than 9 bytes")])
    def test_what_is_too_slow_or_too_long_is_not_listed_to_see_whether_it_is_there(self, error: Exception) -> None:
        class Client:
            def fetch(self, *_: str) -> bytes:
                raise error

            def artifacts_in(self, *_: str) -> frozenset[str]:
                raise AssertionError

        record = Record("a" * 32, "", "FINISHED", None, None, "", tags={"tracker.data": "demo"})
        artifacts = _Artifacts(Client())  # type: ignore[arg-type]
        for path in ("predictions/validation.csv", "predictions/validation.csv"):
            with pytest.raises(OSError, match=str(error)):
                artifacts.fetch(record, path)
