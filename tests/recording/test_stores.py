from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import STARTED, send_run
from tracker.errors import DataError, TrackerError
from tracker.recording.stores import (
    data_path,
    data_tag,
    experiment_or_default,
    load_runs,
    model_param,
    model_path,
    moved_data,
    unread_data,
    where_from,
)
from tracker.runs import DataPlan
from tracker.store import store_at

if TYPE_CHECKING:
    from tracker.store.location import Location


class TestExperimentOrDefault:
    NAMED = "MLFLOW_EXPERIMENT_NAME"
    BY_ID = "MLFLOW_EXPERIMENT_ID"

    @pytest.mark.parametrize(
        ("given", "environment", "expected"),
        [
            (None, {}, "tracker"),
            (None, {NAMED: "my own"}, "my own"),
            (None, {NAMED: "my own", BY_ID: "1"}, "my own"),
            (None, {NAMED: "", BY_ID: ""}, "tracker"),
            ("given", {NAMED: "my own"}, "given"),
        ],
    )
    def test_experiment_or_default_prefers_what_is_given_then_the_environment(
        self, tmp_path: Path, given: str | None, environment: dict[str, str], expected: str
    ) -> None:
        assert experiment_or_default(given, store_at(None, tmp_path), environment) == expected

    def test_experiment_or_default_finds_the_name_of_an_id(self, location: Location, tmp_path: Path) -> None:
        send_run(location, started=replace(STARTED, experiment="theirs"))
        store = store_at(None, tmp_path)
        assert experiment_or_default(None, store, {self.BY_ID: "1"}) == "theirs"
        with pytest.raises(TrackerError, match=r"MLFLOW_EXPERIMENT_ID is '77', and .*mlflow.db has no experiment"):
            experiment_or_default(None, store, {self.BY_ID: "77"})

    def test_experiment_or_default_finds_the_name_of_an_id_in_a_file_store(self, tmp_path: Path) -> None:
        (tmp_path / "mlruns/512").mkdir(parents=True)
        (tmp_path / "mlruns/512/meta.yaml").write_text("name: theirs\nlifecycle_stage: active\n")
        assert experiment_or_default(None, store_at("mlruns", tmp_path), {self.BY_ID: "512"}) == "theirs"

    def test_experiment_or_default_refuses_what_is_no_name(self, tmp_path: Path) -> None:
        with pytest.raises(TrackerError, match="MLFLOW_EXPERIMENT_NAME: --experiment must be"):
            experiment_or_default(None, store_at(None, tmp_path), {self.NAMED: "two\nlines"})


class TestWhereFrom:
    def test_where_from_names_the_experiment_if_the_environment_names_one(self, tmp_path: Path) -> None:
        store = store_at(None, tmp_path)
        assert where_from(store, tmp_path, {}).experiment == "tracker"
        assert where_from(store, tmp_path, {"MLFLOW_EXPERIMENT_ID": "3"}).experiment == ""

    def test_where_from_names_nothing_for_the_default_store_of_the_folder(self, tmp_path: Path) -> None:
        where = where_from(store_at(None, tmp_path), tmp_path, {})
        assert where.built_in["cnn"].options == (("dropout", 0.3), ("width", 8))
        assert (where.tracking_uri, where.folder, where.data_in_environment) == (None, None, False)

    def test_where_from_names_a_store_in_another_folder_and_the_folder_that_its_data_is_relative_to(
        self, tmp_path: Path
    ) -> None:
        where = where_from(store_at(str(tmp_path / "a" / "mlflow.db"), tmp_path), tmp_path, {})
        assert where.tracking_uri == f"sqlite:///{tmp_path}/a/mlflow.db"
        assert where.folder == str(tmp_path / "a")

    def test_where_from_names_a_folder_as_it_is_whatever_way_it_was_reached(self, tmp_path: Path) -> None:
        here, there = tmp_path / "here", tmp_path / "there"
        here.mkdir()
        there.mkdir()
        assert where_from(store_at("../here/mlflow.db", here), here, {}).tracking_uri is None
        where = where_from(store_at("../here/mlflow.db", there), there, {})
        assert where.tracking_uri == f"sqlite:///{here}/mlflow.db"

    def test_where_from_names_another_store_in_the_same_folder_alone(self, tmp_path: Path) -> None:
        where = where_from(store_at("sqlite:///other.db", tmp_path), tmp_path, {})
        assert (where.tracking_uri, where.folder) == (f"sqlite:///{tmp_path}/other.db", None)

    @pytest.mark.parametrize("named", ["sqlite:///other.db", "sqlite:///mlflow.db"])
    def test_where_from_names_the_store_if_the_environment_names_one(self, tmp_path: Path, named: str) -> None:
        where = where_from(store_at(None, tmp_path), tmp_path, {"MLFLOW_TRACKING_URI": named})
        assert where.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"

    def test_where_from_leaves_the_data_of_a_servers_runs_as_it_is(self, tmp_path: Path) -> None:
        where = where_from(store_at("http://there:5000", tmp_path), tmp_path, {})
        assert (where.tracking_uri, where.folder) == ("http://there:5000", None)

    def test_where_from_never_repeats_credentials(self, tmp_path: Path) -> None:
        uri = "http://me:secret@there:5000"
        by_option = where_from(store_at(uri, tmp_path), tmp_path, {})
        by_environment = where_from(store_at(uri, tmp_path), tmp_path, {"MLFLOW_TRACKING_URI": uri})
        assert (by_option.tracking_uri, by_environment.tracking_uri) == ("http://there:5000", None)

    def test_where_from_says_nothing_of_a_server_that_the_environment_has_the_login_for(self, tmp_path: Path) -> None:
        environment = {"MLFLOW_TRACKING_URI": "http://me:secret@there:5000"}
        assert where_from(store_at("http://there:5000", tmp_path), tmp_path, environment).tracking_uri is None
        assert where_from(store_at("http://here:5000", tmp_path), tmp_path, environment).tracking_uri is not None

    def test_where_from_notices_data_in_the_environment(self, tmp_path: Path) -> None:
        assert where_from(store_at(None, tmp_path), tmp_path, {"TRACKER_DATA": "genres"}).data_in_environment


class TestDataTag:
    @pytest.mark.parametrize("data", ["genres", "../genres", "/data/genres"])
    def test_data_tag_keeps_the_path_if_the_run_starts_in_the_folder_of_its_store(
        self, tmp_path: Path, data: str
    ) -> None:
        assert data_tag(Path(data), store_at(None, tmp_path), tmp_path) == data

    @pytest.mark.parametrize("uri", ["a/mlflow.db", "http://there:5000"])
    def test_data_tag_makes_the_path_absolute_for_a_store_elsewhere(self, tmp_path: Path, uri: str) -> None:
        assert data_tag(Path("genres"), store_at(uri, tmp_path), tmp_path) == str(tmp_path / "genres")

    def test_data_tag_tells_a_folder_called_demo_from_the_demo_set(self, tmp_path: Path) -> None:
        store = store_at(None, tmp_path)
        assert data_tag(None, store, tmp_path) == "demo"
        assert data_tag(Path("demo"), store, tmp_path) == "./demo"


class TestDataPath:
    def test_data_that_was_moved_is_read_from_its_new_place(self, tmp_path: Path) -> None:
        plan = DataPlan(audio_root="sounds")
        assert moved_data("genres.csv", tmp_path, plan, Path("new.csv")) == (Path("new.csv"), plan)
        assert moved_data("genres.csv", tmp_path, plan, None) == (Path("genres.csv"), plan)
        assert moved_data("demo", tmp_path, plan, None) == (None, plan)
        missing = DataError("there is nothing")
        assert unread_data(missing, Path("genres"), DataPlan(), None).endswith("moved, give its new path with --data")
        assert unread_data(missing, Path("new.csv"), plan, Path("new.csv")) == "there is nothing"

    def test_audio_of_a_table_that_was_moved_without_it_is_read_from_its_new_place(self, tmp_path: Path) -> None:
        plan, audio = DataPlan(audio_root="sounds"), tmp_path / "audio"
        audio.mkdir()
        moved = replace(plan, audio_root=audio.as_posix())
        assert moved_data("genres.csv", tmp_path, plan, audio) == (Path("genres.csv"), moved)
        missing = unread_data(DataError("there is nothing"), Path("genres.csv"), plan, None)
        assert missing.endswith("with --data, or if its audio alone was, that of the audio's folder")
        (audio / "manifest.csv").touch()
        assert moved_data("genres.csv", tmp_path, plan, audio) == (audio, plan)

    def test_data_of_a_library_that_was_moved_is_a_new_folder_of_audio(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        name, plan = "mirdata:gtzan_genre", DataPlan(audio_root="/old")
        there = DataPlan(audio_root=str(tmp_path / "new"))
        assert moved_data(name, tmp_path, plan, Path("new")) == (Path(name), there)
        assert moved_data(name, tmp_path, plan, Path(name)) == moved_data(name, tmp_path, plan, None)
        missing = DataError("there is no copy: give its folder with --audio-root")
        assert unread_data(missing, Path(name), plan, None) == "there is no copy: give its folder with --data"

    def test_data_path_is_relative_to_the_folder_of_the_store(self, tmp_path: Path) -> None:
        (tmp_path / "genres").mkdir()
        assert data_path("genres", tmp_path) == tmp_path / "genres"

    def test_data_path_is_relative_to_the_working_directory_for_earlier_runs(self, tmp_path: Path) -> None:
        assert data_path("genres", tmp_path) == Path("genres")

    def test_data_path_is_none_for_the_demo_set(self, tmp_path: Path) -> None:
        assert data_path("demo", tmp_path) is None


class TestModelParam:
    @pytest.mark.parametrize("model", ["cnn", "nets/mine.py", "/nets/mine.py"])
    def test_model_param_is_as_given_if_the_run_starts_in_the_folder_of_its_store(
        self, tmp_path: Path, model: str
    ) -> None:
        assert model_param(model, store_at(None, tmp_path), tmp_path) == model

    def test_model_param_leaves_out_the_current_folder(self, tmp_path: Path) -> None:
        assert model_param("./nets/mine.py", store_at(None, tmp_path), tmp_path) == "nets/mine.py"

    @pytest.mark.parametrize("uri", [None, "http://there:5000", "a/mlflow.db"])
    def test_model_param_is_one_for_all_ways_to_give_a_file_in_models(self, tmp_path: Path, uri: str | None) -> None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models/mine.py").touch()
        given = ("mine", "models/mine.py", "./models/mine.py", str(tmp_path / "models/mine.py"))
        params = {model_param(model, store_at(uri, tmp_path), tmp_path) for model in given}
        assert params == {str(tmp_path / "models/mine.py") if uri == "a/mlflow.db" else "mine"}

    def test_model_param_keeps_the_path_of_a_file_with_the_name_of_a_built_in_network(self, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models/cnn.py").touch()
        assert model_param("./models/cnn.py", store_at(None, tmp_path), tmp_path) == "models/cnn.py"

    @pytest.mark.parametrize("uri", ["a/mlflow.db", "http://there:5000"])
    def test_model_param_is_absolute_for_a_file_if_the_store_is_elsewhere(self, tmp_path: Path, uri: str) -> None:
        store = store_at(uri, tmp_path)
        assert model_param("nets/mine.py", store, tmp_path) == str(tmp_path / "nets/mine.py")
        assert model_param("cnn", store, tmp_path) == "cnn"

    def test_model_param_names_the_home_folder_in_full(self, tmp_path: Path) -> None:
        assert model_param("~/mine.py", store_at(None, tmp_path), tmp_path) == str(Path.home() / "mine.py")


class TestModelPath:
    def test_model_path_is_relative_to_the_folder_of_the_store(self, tmp_path: Path) -> None:
        (tmp_path / "mine.py").touch()
        assert model_path("mine.py", tmp_path) == str(tmp_path / "mine.py")

    def test_model_path_finds_a_network_by_name_in_the_folder_of_the_store(self, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models/mine.py").touch()
        assert model_path("mine", tmp_path) == str(tmp_path / "models/mine.py")

    @pytest.mark.parametrize("param", ["cnn", "mine.py"])
    def test_model_path_leaves_names_and_missing_files_as_they_are(self, tmp_path: Path, param: str) -> None:
        assert model_path(param, tmp_path) == param


class TestLoadRuns:
    def test_load_runs_names_the_rows_of_each_run_that_are_left_out_once(self, location: Location) -> None:
        runs = [send_run(location, started=replace(STARTED, name=name)) for name in ("good", "odd", "lost")]
        with closing(sqlite3.connect(location.database)) as connection:
            connection.execute("UPDATE params SET value = x'ff00' WHERE run_uuid = ?", (runs[1],))
            connection.execute(
                "UPDATE tags SET value = x'ff00' WHERE run_uuid = ? AND key = 'tracker.data'", (runs[1],)
            )
            connection.execute("UPDATE runs SET name = x'ff' WHERE run_uuid = ?", (runs[2],))
            connection.commit()
        held = load_runs(store_at(location.uri, location.database.parent), "tracker")
        assert {run.name for run in held} == {"good", "odd"}
        (problem,) = held.problems
        assert f"run {runs[1][:8]} (2 in params, 1 in tags)" in problem
        assert f"run {runs[2][:8]}, all of it (1 in runs)" in problem
