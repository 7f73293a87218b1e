from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tests.builders import CLASSES, START, STARTED, send_run
from tracker.errors import StoreError
from tracker.runs.events import DatasetUsed
from tracker.store.client import open_store
from tracker.store.mlflow_run import Value
from tracker.store.upload import RunWriter

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.entities import Run

    from tracker.runs.events import Status
    from tracker.store.location import Location


@pytest.fixture
def run(location: Location) -> RunWriter:
    """A run just started, in a store of its own."""
    run_id = send_run(location, started=STARTED)
    return RunWriter(open_store(location), run_id)


def as_mlflow_has_it(location: Location, run: RunWriter) -> Run:
    return MlflowClient(location.uri).get_run(run.run_id)


class TestLogParams:
    def test_writes_more_than_mlflow_takes_at_once(self, location: Location, run: RunWriter) -> None:
        params = {f"option {i}": str(i) for i in range(250)}
        run.log_params(params)
        assert as_mlflow_has_it(location, run).data.params == {**STARTED.params, **params}

    def test_refuses_one_that_would_be_cut(self, location: Location, run: RunWriter) -> None:
        with pytest.raises(StoreError, match="the param note must be at most 6,000 characters, got 6,001"):
            run.log_params({"note": "x" * 6_001})
        assert as_mlflow_has_it(location, run).data.params == STARTED.params


class TestLogValues:
    def test_writes_each_at_its_step_and_time(self, location: Location, run: RunWriter) -> None:
        run.log_values([Value("loss", 0.5, START + 1, 1), Value("loss", math.nan, START + 2, 2)])
        history = MlflowClient(location.uri).get_metric_history(run.run_id, "loss")
        assert [(metric.step, metric.timestamp) for metric in history] == [(1, START + 1), (2, START + 2)]
        assert math.isnan(as_mlflow_has_it(location, run).data.metrics["loss"])

    def test_writes_all_or_none(self, location: Location, run: RunWriter) -> None:
        with pytest.raises(StoreError, match="the name of a metric"):
            run.log_values([Value("loss", 0.5, START, 1), Value("a\nb", 0.5, START, 1)])
        assert not as_mlflow_has_it(location, run).data.metrics

    def test_says_once_what_went_wrong_and_prints_nothing(
        self, run: RunWriter, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "mlflow.db").write_bytes(b"no longer a database" * 1_000)
        with pytest.raises(StoreError, match="file is not a database"):
            run.log_values([Value("loss", 0.5, START, 1)])
        assert capfd.readouterr() == ("", "")


class TestSetTags:
    def test_writes_them_over_those_of_the_same_name(self, location: Location, run: RunWriter) -> None:
        run.set_tags({"tracker.data": "gtzan", "mlflow.note.content": "# What was hard"})
        tags = as_mlflow_has_it(location, run).data.tags
        assert (tags["tracker.data"], tags["mlflow.note.content"]) == ("gtzan", "# What was hard")

    def test_refuses_one_that_would_be_cut(self, location: Location, run: RunWriter) -> None:
        with pytest.raises(StoreError, match="at most 8,000 characters"):
            run.set_tags({"mlflow.note.content": "x" * 8_001})
        assert "mlflow.note.content" not in as_mlflow_has_it(location, run).data.tags


class TestLogDatasets:
    def test_names_one_by_the_end_of_a_path_that_is_too_long(self, location: Location, run: RunWriter) -> None:
        path = "/a" * 300 + "/genres"
        run.log_datasets([DatasetUsed(path, "e" * 64, path, "validation", CLASSES, 4)])
        held = [one.dataset for one in as_mlflow_has_it(location, run).inputs.dataset_inputs]
        (found,) = [dataset for dataset in held if dataset.name != "demo"]
        assert (found.name, json.loads(found.source)) == (path[-500:], {"uri": path})


class TestLogPath:
    def test_writes_a_file_where_mlflow_finds_it(self, location: Location, run: RunWriter, tmp_path: Path) -> None:
        (tmp_path / "curves.png").write_bytes(b"\x89PNG\xff")
        run.log_path(tmp_path / "curves.png", "figures/curves.png")
        (found,) = MlflowClient(location.uri).list_artifacts(run.run_id, "figures")
        assert (found.path, found.file_size) == ("figures/curves.png", 5)
        assert (
            tmp_path / "mlruns/tracker" / run.run_id / "artifacts/figures/curves.png"
        ).read_bytes() == b"\x89PNG\xff"

    def test_says_in_one_line_what_could_not_be_written(self, run: RunWriter, tmp_path: Path) -> None:
        (tmp_path / "mlruns").touch()
        (tmp_path / "a.txt").touch()
        with pytest.raises(StoreError, match=rf"cannot write the a.txt of run {run.run_id} to .*mlflow.db: ") as error:
            run.log_path(tmp_path / "a.txt", "a.txt")
        assert "\n" not in str(error.value)


class TestEnd:
    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
    def test_ends_the_run_then(self, location: Location, run: RunWriter, status: Status) -> None:
        run.end(status, START + 2_000)
        info = as_mlflow_has_it(location, run).info
        assert (info.status, info.end_time) == (status, START + 2_000)
