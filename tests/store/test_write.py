from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tests.store.conftest import START, ticking
from tracker.errors import StoreError
from tracker.store.write import RunWriter, start_run

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.entities import Run

    from tracker.store.location import Location


def as_mlflow_has_it(location: Location, writer: RunWriter) -> Run:
    return MlflowClient(location.uri).get_run(writer.run_id)


class TestStartRun:
    def test_writes_name_params_and_tags_and_leaves_it_running(self, location: Location, writer: RunWriter) -> None:
        run = as_mlflow_has_it(location, writer)
        assert (run.info.run_name, run.info.status, run.info.start_time) == ("a run", "RUNNING", START + 1_000)
        assert run.data.params == {"kernel_size": "7"}
        assert run.data.tags == {"tracker.data": "demo", "mlflow.runName": "a run"}

    def test_asks_git_and_the_system_for_nothing(self, location: Location, writer: RunWriter) -> None:
        run = as_mlflow_has_it(location, writer)
        assert not {"mlflow.user", "mlflow.source.git.commit"} & set(run.data.tags)

    def test_gives_a_new_experiment_its_metric(self, location: Location) -> None:
        start_run(location, "mine", "a run", {}, {}, metric="val_f1")
        assert MlflowClient(location.uri).get_experiment_by_name("mine").tags["tracker.metric"] == "val_f1"

    def test_takes_more_params_than_mlflow_takes_at_once(self, location: Location) -> None:
        params = {f"option {i}": str(i) for i in range(250)}
        assert as_mlflow_has_it(location, start_run(location, "tracker", "a run", params, {})).data.params == params

    @pytest.mark.parametrize(
        ("params", "tags", "said"),
        [
            ({"note": "x" * 6_001}, {}, "the param note must be at most 6,000 characters, got 6,001"),
            ({}, {"note": "x" * 8_001}, "the tag note must be at most 8,000 characters, got 8,001"),
            ({"a|b": "1"}, {}, r"the name of a param must be .*, got 'a\|b'"),
        ],
    )
    def test_makes_nothing_of_what_mlflow_would_cut_or_refuse(
        self, location: Location, tmp_path: Path, params: dict[str, str], tags: dict[str, str], said: str
    ) -> None:
        with pytest.raises(StoreError, match=said):
            start_run(location, "tracker", "a run", params, tags)
        assert not list(tmp_path.iterdir())


class TestRunWriter:
    def test_writes_an_epoch_at_its_step_and_time(self, location: Location, writer: RunWriter) -> None:
        writer.log_epoch(1, {"loss": 0.5, "val_loss": 0.75})
        writer.log_epoch(2, {"loss": 0.25, "val_loss": math.nan})
        history = MlflowClient(location.uri).get_metric_history(writer.run_id, "loss")
        assert [(metric.step, metric.value, metric.timestamp) for metric in history] == [
            (1, 0.5, START + 2_000),
            (2, 0.25, START + 3_000),
        ]
        assert math.isnan(as_mlflow_has_it(location, writer).data.metrics["val_loss"])

    def test_writes_an_epoch_whole_or_not_at_all(self, location: Location, writer: RunWriter) -> None:
        with pytest.raises(StoreError, match="the name of a metric"):
            writer.log_epoch(1, {"loss": 0.5, "a\nb": 0.5})
        assert not as_mlflow_has_it(location, writer).data.metrics

    def test_writes_what_a_run_has_once(self, location: Location, writer: RunWriter) -> None:
        writer.log_metrics({"best_epoch": 24})
        assert as_mlflow_has_it(location, writer).data.metrics == {"best_epoch": 24.0}

    def test_writes_tags_over_those_of_the_same_name(self, location: Location, writer: RunWriter) -> None:
        writer.set_tags({"tracker.data": "gtzan", "mlflow.note.content": "# What was hard"})
        tags = as_mlflow_has_it(location, writer).data.tags
        assert (tags["tracker.data"], tags["mlflow.note.content"]) == ("gtzan", "# What was hard")

    def test_refuses_a_tag_that_would_be_cut(self, location: Location, writer: RunWriter) -> None:
        with pytest.raises(StoreError, match="at most 8,000 characters"):
            writer.set_tags({"mlflow.note.content": "x" * 8_001})
        assert "mlflow.note.content" not in as_mlflow_has_it(location, writer).data.tags

    def test_writes_files_where_mlflow_finds_them(self, location: Location, writer: RunWriter, tmp_path: Path) -> None:
        writer.log_text("naïve\n", "environment.txt")
        writer.log_bytes(b"\x89PNG\xff", "figures/curves.png")
        client = MlflowClient(location.uri)
        assert [found.path for found in client.list_artifacts(writer.run_id)] == ["environment.txt", "figures"]
        assert client.list_artifacts(writer.run_id, "figures")[0].file_size == 5
        files = tmp_path / "mlruns/tracker" / writer.run_id / "artifacts"
        assert (files / "environment.txt").read_text(encoding="utf-8") == "naïve\n"
        assert (files / "figures/curves.png").read_bytes() == b"\x89PNG\xff"

    def test_keeps_bytes_that_are_no_unicode_in_a_files_name(self, writer: RunWriter, tmp_path: Path) -> None:
        name = b"caf\xe9.wav"
        writer.log_text(name.decode("utf-8", "surrogateescape"), "clips.txt")
        assert (tmp_path / "mlruns/tracker" / writer.run_id / "artifacts/clips.txt").read_bytes() == name

    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
    def test_ends_the_run(self, location: Location, writer: RunWriter, status: str) -> None:
        writer.finish(status)
        info = as_mlflow_has_it(location, writer).info
        assert (info.status, info.end_time) == (status, START + 2_000)

    def test_says_in_one_line_what_could_not_be_written(self, writer: RunWriter, tmp_path: Path) -> None:
        folder = tmp_path / "mlruns"
        folder.touch()
        with pytest.raises(
            StoreError, match=rf"cannot write the a.txt of run {writer.run_id} to .*mlflow.db: "
        ) as error:
            writer.log_text("hello", "a.txt")
        assert "\n" not in str(error.value)

    def test_says_it_once_and_prints_nothing(
        self, writer: RunWriter, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "mlflow.db").write_bytes(b"no longer a database" * 1_000)
        with pytest.raises(StoreError, match="file is not a database"):
            writer.log_epoch(1, {"loss": 1.0})
        assert capfd.readouterr() == ("", "")


def test_a_clock_is_asked_for_every_time_that_is_written(location: Location) -> None:
    asked = ticking(5)
    writer = start_run(location, "tracker", "a run", {}, {}, clock=asked)
    writer.log_epoch(1, {"loss": 1.0})
    writer.finish("FINISHED")
    info = as_mlflow_has_it(location, writer).info
    assert (info.start_time, info.end_time) == (1_005, 3_005)
