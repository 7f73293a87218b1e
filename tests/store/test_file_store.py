"""File stores as MLflow 1, 2 and 3 write them are read, and nothing is ever written to one."""

from __future__ import annotations

import hashlib
import math
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import STARTED, USED, mlflow_inputs, random_predictions
from tracker.errors import StoreError
from tracker.store import VALIDATION, GoneError, UnreadableRows, predictions_csv, store_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tracker.runs.events import Event

RUN = "0123456789abcdef0123456789abcdef"
OTHER = "e" * 32

EXPERIMENT_1 = """artifact_location: ./mlruns/1
experiment_id: 1
lifecycle_stage: active
name: theirs
"""
RUN_1 = f"""artifact_uri: ./mlruns/1/{RUN}/artifacts
end_time: 1560000060000
entry_point_name: ''
experiment_id: '1'
lifecycle_stage: active
name: ''
run_id: {RUN}
run_uuid: {RUN}
source_name: ''
source_type: 4
source_version: ''
start_time: 1560000000000
status: 3
tags: []
user_id: somebody
"""
EXPERIMENT_3 = """artifact_location: file:///home/somebody/mlruns/1
creation_time: 1760000000000
experiment_id: '1'
last_update_time: 1760000000000
lifecycle_stage: active
name: theirs
"""
RUN_3 = f"""artifact_uri: file:///home/somebody/mlruns/1/{RUN}/artifacts
end_time: null
entry_point_name: ''
experiment_id: '1'
lifecycle_stage: active
run_id: {RUN}
run_name: 'a: "run"'
source_name: ''
source_type: 4
source_version: ''
start_time: 1760000000000
status: 1
tags: []
user_id: somebody
"""


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files by their paths below a folder."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


def store_with(folder: Path, files: Mapping[str, str | bytes], *, meta: str = RUN_3) -> Path:
    """Write a store of one run with some files, and return its folder."""
    root = folder / "mlruns"
    own = {f"1/{RUN}/{path}": content for path, content in files.items()}
    write(root, {"1/meta.yaml": EXPERIMENT_3, f"1/{RUN}/meta.yaml": meta, **own})
    return root


def digests(folder: Path) -> dict[str, str]:
    """The digest of every file below a folder, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class TestRead:
    def test_read_brings_back_a_run_of_mlflow_1(self, tmp_path: Path) -> None:
        metrics = {
            "metrics/val_loss": "1560000000000 0.5\n1560000001000 0.25\n",
            "metrics/acc": "1560000000000 0.75 3\n",
        }
        texts = {"params/lr": "0.1", "tags/mlflow.runName": "a run", "tags/mlflow.source.git.commit": "abc"}
        store_with(tmp_path, {**metrics, **texts}, meta=RUN_1)
        write(tmp_path / "mlruns", {"1/meta.yaml": EXPERIMENT_1})
        before = digests(tmp_path)
        experiment = store_at(None, tmp_path).read("theirs")
        (run,) = experiment.runs
        assert (run.run_id, run.name, run.status, run.commit) == (RUN, "a run", "FINISHED", "abc")
        assert (run.started, run.ended) == (1_560_000_000_000, 1_560_000_060_000)
        assert (run.params, run.metrics) == ({"lr": "0.1"}, {"val_loss": 0.25, "acc": 0.75})
        assert (run.curves["val_loss"].steps.tolist(), run.curves["acc"].steps.tolist()) == ([0], [3])
        assert not experiment.unreadable
        assert not experiment.unreadable_rows
        assert digests(tmp_path) == before

    def test_read_brings_back_a_run_of_mlflow_3(self, tmp_path: Path) -> None:
        lines = "1 0.5 1 \n2 nan 2\n3 0.125 3 validation abc123\n4 inf 4\n"
        files = {
            "metrics/val/loss": lines,
            "params/model/name": "größe\nand more",
            "tags/empty": "",
            "artifacts/predictions/validation.csv": predictions_csv(random_predictions()),
        }
        root = store_with(tmp_path, files)
        write(root, {"1/tags/tracker.metric": "val/loss", "1/models/m-1/meta.yaml": "name: a model\n"})
        experiment = store_at("mlruns", tmp_path).read("theirs")
        (run,) = experiment.runs
        assert (run.name, run.status, run.ended, experiment.metric) == ('a: "run"', "RUNNING", None, "val/loss")
        curve = run.curves["val/loss"]
        assert curve.steps.tolist() == [1, 2, 3, 4]
        assert math.isnan(curve.values[1])
        assert (curve.values[2], curve.values[3]) == (0.125, math.inf)
        assert (run.params, run.tags) == ({"model/name": "größe\nand more"}, {"empty": ""})
        assert run.validation is not None
        assert run.validation.predicted == random_predictions().predicted

    def test_read_brings_back_what_mlflow_itself_reads(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from mlflow import MlflowClient

        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        client = MlflowClient(f"file://{tmp_path}/mlruns")
        name = 'a name that is longer than a line of YAML: quoted # and "more", größer \u2028 as is usual in papers'
        theirs = client.create_experiment(name)
        ids = [client.create_run(theirs, run_name=text).info.run_id for text in ("null", "1e3", "x" * 200)]
        for number, run_id in enumerate(ids):
            client.log_param(run_id, "lr", 10.0**-number)
            for step in range(5):
                client.log_metric(run_id, "val_loss", 1 / (step + 1 + number), step=step)
            client.log_inputs(run_id, mlflow_inputs())
            client.set_terminated(run_id, ("FINISHED", "FAILED", "KILLED")[number])
        client.delete_run(client.create_run(theirs).info.run_id)
        runs = {run.run_id: run for run in store_at(None, tmp_path).read(name).runs}
        assert set(runs) == set(ids)
        for run_id in ids:
            run, own = runs[run_id], client.get_run(run_id)
            assert (run.name, run.status.value) == (own.info.run_name, own.info.status)
            assert (run.started, run.ended) == (own.info.start_time, own.info.end_time)
            assert (run.params, run.metrics) == (own.data.params, own.data.metrics)
            history = client.get_metric_history(run_id, "val_loss")
            assert run.curves["val_loss"].values.tolist() == [metric.value for metric in history]
            assert run.datasets == USED

    def test_read_finds_the_artifacts_of_a_store_that_was_moved(self, tmp_path: Path) -> None:
        store_with(tmp_path / "here", {f"artifacts/{VALIDATION}": predictions_csv(random_predictions())})
        (tmp_path / "here").rename(tmp_path / "there")
        (run,) = store_at(str(tmp_path / "there"), tmp_path).read("theirs").runs
        assert run.validation is not None

    def test_read_names_artifacts_that_are_not_on_this_machine(self, tmp_path: Path) -> None:
        meta = RUN_3.replace(f"file:///home/somebody/mlruns/1/{RUN}/artifacts", f"s3://bucket/1/{RUN}/artifacts")
        store_with(tmp_path, {"params/lr": "1"}, meta=meta)
        experiment = store_at(None, tmp_path).read("theirs")
        assert {each.run_id for each in experiment.unreadable} == {RUN}
        assert "s3://bucket" in experiment.unreadable[0].reason

    def test_read_names_deleted_experiments_and_runs(self, tmp_path: Path) -> None:
        root = store_with(tmp_path, {}, meta=RUN_3.replace("stage: active", "stage: deleted"))
        write(root, {".trash/2/meta.yaml": "name: gone\nlifecycle_stage: deleted\n"})
        store = store_at("mlruns", tmp_path)
        with pytest.raises(StoreError, match="were all deleted"):
            store.read("theirs")
        with pytest.raises(GoneError, match=r"'gone' .* was deleted: restore it .*--experiment-id 2"):
            store.read("gone")
        with pytest.raises(GoneError, match="choose 'theirs' with --experiment"):
            store.read("nope")
        with pytest.raises(StoreError, match="does not exist"):
            store_at(f"file://{tmp_path}/nowhere", tmp_path).read("theirs")


class TestReadOfStrangers:
    @pytest.mark.parametrize(
        ("path", "content", "table"),
        [
            ("metrics/loss", "1 0.5 1\n2 many 2\n", "metrics"),
            ("metrics/loss", "1 0.5 1\n2 0.5 2 four\n", "metrics"),
            ("metrics/loss", f"1 0.5 1\n2 0.5 {2**70}\n", "metrics"),
            ("metrics/loss", b"1 0.5 1\n\xff\xfe\n", "metrics"),
            ("params/lr", b"\xff\xfe", "params"),
            ("tags/long", b"x" * (2**20 + 1), "tags"),
            ("params/" + "/".join(["x" * 90] * 3), "0.1", "params"),
        ],
    )
    def test_read_leaves_out_what_mlflow_never_writes_and_counts_it(
        self, tmp_path: Path, path: str, content: str | bytes, table: str
    ) -> None:
        store_with(tmp_path, {"metrics/loss": "1 0.5 1\n", path: content, "params/other": "2"})
        experiment = store_at(None, tmp_path).read("theirs")
        (run,) = experiment.runs
        assert (run.curves["loss"].values.tolist(), run.params) == ([0.5], {"other": "2"})
        assert experiment.unreadable_rows == (UnreadableRows(RUN, ((table, 1),)),)

    @pytest.mark.parametrize(
        "meta",
        [
            "", "- a\n", "[" * 9_000, "a: &a [x]\n" + "b: *a\n" * 900, "\0", b"\xff", "x" * 2**15,
            f"run_id: {RUN}\nstart_time: 1\n", f"run_id: {OTHER}\nstart_time: {10**30}\n",
            f"run_id: {OTHER}\nstart_time: soon\n", f"run_id: {OTHER}\nstart_time: [1]\nstatus: " + "{" * 400,
        ],
    )  # fmt: skip
    def test_read_leaves_out_a_run_whose_meta_is_none_and_reads_the_others(
        self, tmp_path: Path, meta: str | bytes
    ) -> None:
        write(store_with(tmp_path, {}), {f"1/{OTHER}/meta.yaml": meta, "2/meta.yaml": meta})
        experiment = store_at(None, tmp_path).read("theirs")
        assert [run.run_id for run in experiment.runs] == [RUN]
        assert experiment.unreadable_rows == (UnreadableRows(OTHER, (("runs", 1),)),)

    @pytest.mark.parametrize("kind", ["params", "tags", "metrics"])
    def test_read_follows_no_link_and_waits_for_no_pipe(self, tmp_path: Path, kind: str) -> None:
        (tmp_path / "secret").write_text("1 0.5 1")
        root = store_with(tmp_path, {f"{kind}/own": "1 0.5 1"})
        (root / f"1/{RUN}/{kind}/link").symlink_to(tmp_path / "secret")
        (root / f"1/{RUN}/{kind}/folder").symlink_to(tmp_path)
        os.mkfifo(root / f"1/{RUN}/{kind}/pipe")
        experiment = store_at(None, tmp_path).read("theirs")
        (run,) = experiment.runs
        assert experiment.unreadable_rows == (UnreadableRows(RUN, ((kind, 3),)),)
        assert {*run.params, *run.tags, *run.metrics} == {"own"}

    @pytest.mark.parametrize("place", ["1", f"1/{RUN}", f"1/{RUN}/params", f"1/{RUN}/artifacts", "1/tags"])
    def test_read_enters_no_folder_through_a_link(self, tmp_path: Path, place: str) -> None:
        files = {"params/lr": "0.1", f"artifacts/{VALIDATION}": predictions_csv(random_predictions())}
        root = store_with(tmp_path, {"params/x": "1"})
        write(root, {"1/tags/a": "b"})
        write(store_with(tmp_path / "elsewhere", files), {"1/tags/a": "of another"})
        target = tmp_path / "elsewhere/mlruns" / place
        if (root / place).exists():
            (root / place).rename(tmp_path / "before")
        (root / place).symlink_to(target)
        try:
            experiment = store_at(str(root), tmp_path).read("theirs")
        except StoreError:
            return
        assert "lr" not in {name for run in experiment.runs for name in run.params}
        assert not any(run.validation for run in experiment.runs)
        assert "of another" not in experiment.tags.values()


class TestWriting:
    def test_writing_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        store_with(tmp_path, {"params/lr": "1"})
        before = digests(tmp_path)
        store = store_at(None, tmp_path)
        started: list[Event] = [STARTED]
        refused: list[Any] = [
            store.check_usable,
            lambda: store.open_upload("a-journal", None, print).send(started, tmp_path),
            lambda: store.log_report("theirs", RUN, b"", ""),
            lambda: store.matching_runs("theirs", "params.lr = '1'"),
            store.set_aside,
            store.relocate,
            store.serve_ui,
        ]
        for write_to in refused:
            with pytest.raises(StoreError, match=r"file stores, which tracker only reads: to write, give another one"):
                write_to()
        condition = store.examine(has_uploads=True)
        assert not condition.is_broken
        assert "only reads" in str(condition.refusal)
        assert (store.uri, store.folder, store.has_no_file) == ((tmp_path / "mlruns").as_uri(), tmp_path, False)
        assert digests(tmp_path) == before
