"""What is done with the model that a run has kept, all of it with one that is trained once."""

from __future__ import annotations

import csv
import io
import json
import re
import runpy
import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

import tracker as api
from tests.builders import write_tone
from tests.running import TINY_NETWORK, Collected
from tracker.errors import TrackerError
from tracker.recording.evaluate import evaluate_run
from tracker.recording.kept_model import chosen_run, open_model
from tracker.runs.facts import looks_at_test
from tracker.store import store_at
from tracker.store.run_files import parse_predictions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import LogRun, Result, Tracker
    from tracker.runs import Run

pytestmark = pytest.mark.xdist_group("keras")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a store that has one run, with a test split and artists."""
    folder = tmp_path_factory.mktemp("kept")
    rows = ["path,label,group"]
    for label, hertz in (("high", 2_000.0), ("low", 200.0)):
        for number in range(10):
            write_tone(folder / f"genres/{label}{number}.wav", hertz * (1 + number / 50), seed=number)
            rows.append(f"{label}{number}.wav,{label},{label}-artist{number // 2}")
    (folder / "genres/manifest.csv").write_text("\n".join(rows) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TRACKER_CACHE", str(folder / "cache"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        options = {"epochs": 2, "segment_s": 0.4, "test_fraction": 0.2, "model": TINY_NETWORK}
        api.train("genres", **options, reporter=api.SilentReporter())
    return folder


@pytest.fixture
def run(folder: Path) -> Run:
    return api.load_runs(folder)[0]


@pytest.fixture
def here(tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """The command line in that folder."""
    monkeypatch.chdir(folder)
    return tracker


def rows_of(result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(result.out)))


class TestPredict:
    def test_predictions_are_those_that_the_run_logged(self, here: Tracker, run: Run) -> None:
        result = here("predict", *(f"genres/{clip}" for clip in run.validation.clips), "--format", "csv")
        assert result.status == 0, result.err
        rows = rows_of(result)
        assert [row["clip"] for row in rows] == [f"genres/{clip}" for clip in run.validation.clips]
        assert [row["predicted"] for row in rows] == list(run.validation.predicted)
        shares = [[float(row[name]) for name in run.validation.classes] for row in rows]
        assert np.allclose(shares, run.validation.probabilities, atol=2e-6)

    def test_a_clip_is_the_mean_of_its_segments(self, here: Tracker) -> None:
        result = here("predict", "genres/low1.wav", "--segments", "--format", "json", "--run", "best")
        (clip,) = json.loads(result.out)["clips"]
        assert [(round(s["start_s"], 1), round(s["end_s"], 1)) for s in clip["segments"]] == [
            (0, 0.4), (0.4, 0.8), (0.6, 1)]  # fmt: skip
        mean = np.mean([part["probabilities"]["low"] for part in clip["segments"]])
        assert clip["probabilities"]["low"] == pytest.approx(mean, abs=1e-5)
        table = here("predict", "genres/low1.wav", "--segments").out.splitlines()
        assert table[0].split() == ["clip", "seconds", "predicted", "probability", "then"]
        assert table[2].split()[:2] == ["genres/low1.wav", "0.4–0.8"]

    def test_files_that_cannot_be_used_are_named_at_the_end_and_the_others_stand(
        self, here: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "text.wav").write_text("text")
        given = [str(tmp_path / "empty"), str(tmp_path / "text.wav"), "genres", "none.wav", "./genres/low1.wav"]
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(given) + "\n"))
        result = here("predict", "-", "--format", "csv", "--plot", tmp_path / "over.svg")
        assert result.status == 1
        assert len(rows_of(result)) == 20
        left_out = [line for line in result.err.splitlines() if "left out" in line]
        assert [line.split(": ")[-1] for line in left_out] == [
            "a folder without audio",
            "not a readable audio file (wav, flac, mp3, ogg, au), or its header is damaged",
            "No such file or directory",
        ]
        assert "first 12 of 20 clips" in (tmp_path / "over.svg").read_text()
        nothing = here("predict", "none.wav", "--format", "csv")
        assert (nothing.status, nothing.err.splitlines()[-1][:36]) == (1, "tracker: there is nothing to predict")

    def test_python_has_the_same(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        found = api.predict(["genres/high1.wav", folder / "none.wav"])
        assert [clip.clip for clip in found] == ["genres/high1.wav"]
        assert found[0].probabilities.sum() == pytest.approx(1)
        assert [reason for _, reason in found.unusable] == ["cannot be read: No such file or directory"]

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            (
                {"features": "wavelets"},
                "was trained on the features .wavelets., and this version of tracker only makes logmel, mfcc",
            ),
            (
                {"n_mels": "0"},
                "the features of run .* cannot be made: the number of mel bands must be 1 to 4,096, got 0",
            ),
            ({"segment_s": "0.6"}, r"takes images of 128×17×1 for 2 classes, but its run logged 128×26×1"),
        ],
    )
    def test_other_features_are_refused_by_name(
        self, folder: Path, run: Run, params: dict[str, str], message: str
    ) -> None:
        with pytest.raises(TrackerError, match=message):
            open_model(replace(run, params={**run.params, **params}), store_at(None, folder)).load()

    def test_without_a_winner_the_best_is_taken_and_said(self, log_run: LogRun) -> None:
        log_run("1101", kernel_size="3", name="three")
        best = log_run("1111", kernel_size="5", name="five")
        reporter = Collected()
        assert chosen_run(api.load_runs(), "best", reporter).run_id == best
        assert reporter.messages[0].startswith("the report names no winner (No winner yet")
        assert reporter.messages[0].endswith(f"this is run five ({best[:8]}), the best by validation accuracy")

    def test_a_run_whose_model_is_gone_is_named(self, folder: Path, run: Run) -> None:
        gone = replace(run, run_id="0" * 32, journal_id=None)
        with pytest.raises(
            TrackerError, match=r"\(00000000\) has kept no model: it did not finish, or its files are gone"
        ):
            open_model(gone, store_at(None, folder))

    def test_a_figure_of_another_kind_is_refused_before_anything_is_read(self, tracker: Tracker) -> None:
        result = tracker("predict", "a.wav", "--plot", "a.pdf")
        assert (result.status, "must end in .png or .svg, got 'a.pdf'" in result.err) == (2, True)


class TestEvaluate:
    """Of the one run, whose looks are counted from test to test."""

    def test_each_look_at_the_test_clips_is_logged_counted_and_said(self, here: Tracker, folder: Path) -> None:
        runs = api.load_runs(folder)
        before = looks_at_test(runs[0].tags)
        result = here("evaluate", "best")
        assert result.status == 0, result.err
        assert re.fullmatch(
            r"networks-tiny-k3-lr0\.001-epochs2-seg0\.4-test0\.2-s0: \d/4 \([\d.]+%\) test clips correct \(95% "
            r"interval [\d.–]+%\), test loss [\d.]+\. This is (the first look|look \d) at these test clips.*\n",
            result.out,
        )
        at_once = evaluate_run(runs[0], runs, store_at(None, folder), Collected())  # as read before the first look
        assert at_once.looks == before + 2
        again = json.loads(here("evaluate", "best", "--format", "json").out)
        run = api.load_runs(folder)[0]
        assert again["looks"] == {"run": before + 3, "other_runs": 0}
        assert looks_at_test(run.tags) == before + 3
        assert run.metrics["test_accuracy"] == again["accuracy"] == again["correct"] / 4
        assert run.curves["test_accuracy"].overwritten == 0
        logged = parse_predictions(store_at(None, folder).read_artifact(run.run_id, "predictions/test.csv"))
        assert {*logged.clips}.isdisjoint(run.validation.clips)
        assert logged.correct.sum() == again["correct"]
        points = [point for answer in api.build_report(api.load_runs(folder)).answers for point in answer.points]
        assert not any("test clips" in point for point in points)

    def test_data_that_has_changed_is_refused_in_a_line_and_no_look_is_counted(
        self, here: Tracker, folder: Path, tmp_path: Path
    ) -> None:
        before = looks_at_test(api.load_runs(folder)[0].tags)
        shutil.copytree(folder / "genres", tmp_path / "genres")
        write_tone(tmp_path / "genres/low3.wav", 500, seed=99)
        result = here("evaluate", "best", "--data", tmp_path / "genres")
        assert result.status == 1
        (line,) = [line for line in result.err.splitlines() if line.startswith("tracker: ")]
        assert "cannot be evaluated: the data has changed (the content of the files) since it was trained" in line
        assert looks_at_test(api.load_runs(folder)[0].tags) == before

    def test_a_run_without_test_clips_is_refused_before_anything_is_read(self, log_run: LogRun) -> None:
        log_run("1101")
        with pytest.raises(TrackerError, match=r"has no test clips: train it with test_fraction 0\.2"):
            api.evaluate("a run")


class TestExport:
    def test_the_script_predicts_as_tracker_does_where_there_is_no_tracker(
        self,
        here: Tracker,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        recwarn: pytest.WarningsRecorder,
    ) -> None:
        result = here("export", "best", "--to", "keras", "--output", tmp_path / "out")
        assert (result.status, result.out) == (0, f"{tmp_path / 'out'}\n"), result.err
        write_tone(tmp_path / 'short, "1".wav', 900, seconds=0.05)
        clips = ["genres/high3.wav", "genres/low4.wav", str(tmp_path / 'short, "1".wav')]
        expected = rows_of(here("predict", *clips, "--format", "csv"))
        monkeypatch.setattr("sys.argv", ["predict.py", *clips])
        with monkeypatch.context() as without:
            for name in [name for name in sys.modules if name.partition(".")[0] == "tracker"]:
                without.setitem(sys.modules, name, None)
            runpy.run_path(str(tmp_path / "out/predict.py"))
        found = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
        assert not any("n_fft" in str(warning.message) for warning in recwarn)
        assert [row["clip"] for row in found] == clips
        assert [row["predicted"] for row in found] == [row["predicted"] for row in expected]
        for name in ("high", "low"):
            assert [float(row[name]) for row in found] == pytest.approx(
                [float(row[name]) for row in expected], abs=1e-4
            )

    def test_the_card_has_verdict_fingerprint_limits_and_metadata(
        self, here: Tracker, tmp_path: Path, run: Run
    ) -> None:
        assert here("export", "best", "--to", "keras", "--output", tmp_path / "out").status == 0
        card = (tmp_path / "out/README.md").read_text()
        _, front, body = card.split("---\n", 2)
        (model,) = yaml.safe_load(front)["model-index"]
        (result,) = model["results"]
        assert model["name"] == run.name
        assert (result["dataset"]["name"], result["dataset"]["revision"]) == ("genres", run.tags["tracker.dataset"])
        assert result["metrics"][0]["value"] == run.validation.correct.mean()
        assert "One run: " in body
        assert "Run 1 is this model. There is no other run that it could be compared with." in body
        assert run.tags["tracker.dataset"] in body
        assert "validation clips correct" in body.partition("## Limits")[2]
        assert (tmp_path / "out/labels.txt").read_text() == "high\nlow\n"
        assert json.loads((tmp_path / "out/features.json").read_text())["segment_frames"] == 17

    def test_a_folder_that_is_there_is_left_alone(self, here: Tracker, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        result = here("export", "best", "--to", "keras", "--output", tmp_path)
        assert (result.status, result.err) == (
            1,
            f"tracker: cannot export to {tmp_path}: the folder isn't empty; give another --output\n",
        )

    @pytest.mark.skipif(bool(find_spec("tf2onnx")), reason="the extra is installed")
    def test_onnx_without_its_extra_says_how_to_install_it(self, here: Tracker) -> None:
        result = here("export", "best", "--to", "onnx")
        assert result.status == 1
        assert "pip install 'tracker-report[onnx]'" in result.err


class TestPromote:
    def test_without_a_winner_only_anyway_and_that_is_recorded(self, here: Tracker, folder: Path, run: Run) -> None:
        refused = here("promote", "best")
        assert refused.status == 1
        assert "is not promoted: the report names no winner (One run: " in refused.err
        result = here("promote", "best", "--anyway", "--name", "genres")
        assert (result.status, result.out) == (0, "models:/genres@best\n"), result.err
        version = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").get_model_version_by_alias("genres", "best")
        assert version.run_id == run.run_id
        assert version.description.startswith("One run: ")
        assert version.tags["tracker.promoted_anyway"] == "true"

    def test_that_there_is_no_winner_is_said_once(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1101", kernel_size="3", name="three")
        best = log_run("1111", kernel_size="5", name="five")
        refused = tracker("promote", "best")
        assert (refused.status, len(refused.err.splitlines())) == (1, 1)
        assert refused.err.startswith(f"tracker: run five ({best[:8]}) is not promoted: the report names no winner (")

    def test_the_winner_passes_and_another_run_is_refused(self, log_run: LogRun) -> None:
        log_run("10" * 20, kernel_size="3", name="three")
        log_run("11" * 20, kernel_size="5", name="five")
        with pytest.raises(TrackerError, match=r"three .* is not promoted: the report names another one \(.* is best"):
            api.promote("three")
        with pytest.raises(TrackerError, match="features of run five"):  # which has no model
            api.promote("best")


class TestInMlflow:
    def test_mlflow_loads_it_as_a_function_of_paths_and_bytes(
        self, here: Tracker, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import mlflow

        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        (model,) = folder.glob(f"mlruns/*/{run.run_id}/artifacts/model")
        function = mlflow.pyfunc.load_model(str(model))
        expected = rows_of(here("predict", "genres/high3.wav", "--format", "csv"))[0]
        for clip in ("genres/high3.wav", (folder / "genres/high3.wav").read_bytes()):
            found = function.predict(pd.DataFrame({"audio": [clip]}))
            assert list(found.columns) == ["predicted", "high", "low"]
            assert found["predicted"][0] == expected["predicted"]
            assert found["high"][0] == pytest.approx(float(expected["high"]), abs=1e-4)
        assert "librosa==0.11.0" in (model / "requirements.txt").read_text().splitlines()
