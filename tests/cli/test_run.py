"""`tracker run` from audio files to a run in the store, with the real libraries."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.builders import SR, write_tone
from tests.running import TINY_NETWORK, a_terminal
from tracker.cli import main
from tracker.runs import NOTE_END, Run
from tracker.runs.facts import environment_of, network_shape
from tracker.store.location import locate
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Tracker

pytestmark = pytest.mark.xdist_group("keras")

QUICK = ("--epochs", "2", "--segment", "0.5")
TINY = (*QUICK, "--model", TINY_NETWORK)


def runs_in(folder: Path) -> tuple[Run, ...]:
    return read_experiment(locate(None, folder), "tracker").runs


def files_of(folder: Path, run_id: str) -> set[str]:
    artifacts = next(folder.glob(f"mlruns/*/{run_id}/artifacts"))
    return {str(file.relative_to(artifacts)) for file in artifacts.rglob("*") if file.is_file()}


class TestOnATerminal:
    def test_on_a_terminal_a_run_ends_with_its_result_and_the_next_command(
        self, tracker: Tracker, genres: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = ["run", "--data", genres, *TINY, "--experiment", "mine"]
        run_id = tracker(*words).out.strip()
        with a_terminal(monkeypatch) as shown, suppress(SystemExit):
            main([*map(str, words), "--reuse"])
        *_, result, following = shown[0].splitlines()
        interval = r"\d of 4 validation clips correct \([\d.]+%, 95% interval [\d.–]+%\), validation loss \d\.\d{2,3}"
        assert re.fullmatch(rf"Run {run_id[:8]} \(.+-s0\): {interval}. Best epoch \d, stop epoch 2, .+ s", result)
        assert following == "Next: tracker report --output report.html --experiment mine"


class TestARun:
    def test_a_run_holds_what_the_contract_says_and_agrees_with_its_own_predictions(
        self, tracker: Tracker, genres: Path, tmp_path: Path
    ) -> None:
        options = ("--kernel", "5", "--lr", "1e-3", "--plateau", "0.3,1", "--early-stop", "5", "--dropout", "0.2")
        result = tracker("run", "--data", genres, *QUICK, *options, "--note", "My *own* words.")
        assert result.status == 0, result.err
        (run,) = runs_in(genres.parent / "work")
        assert result.out == f"{run.run_id}\n"
        assert run.status == "FINISHED"
        assert run.name == "k5-lr0.001-plateau0.3x1-stop5-epochs2-seg0.5-dropout0.2-s0"
        expected = {
            "seed": "0", "split_seed": "0", "validation_fraction": "0.2", "test_fraction": "0", "model": "cnn",
            "kernel_size": "5", "learning_rate": "0.001", "plateau_factor": "0.3", "plateau_patience": "1",
            "early_stopping_patience": "5", "epochs": "2", "batch_size": "32", "keep": "best", "segment_s": "0.5",
            "sr": "22050", "n_fft": "2048", "hop_length": "512", "n_mels": "128", "dropout": "0.2", "width": "8",
        }  # fmt: skip
        assert run.params == expected
        by_epoch = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds"}
        once = {"best_epoch", "best_val_loss", "best_val_accuracy", "last_val_loss", "last_val_accuracy", "stop_epoch",
                "fit_accuracy", "fit_loss"}  # fmt: skip
        assert set(run.metrics) == by_epoch | once
        assert all(run.curves[name].steps.tolist() == [1, 2] for name in by_epoch)
        assert json.loads(run.tags["tracker.classes"]) == ["high", "low"]
        clips = [run.tags[f"tracker.{part}_clips"] for part in ("training", "validation", "test")]
        assert clips == ["16", "4", "0"]
        assert run.tags["tracker.data"] == str(tmp_path / "genres")
        assert run.tags["mlflow.note.content"].startswith(f"My *own* words.\n\n{NOTE_END}")
        assert run.note == "My *own* words."
        files = files_of(tmp_path / "work", run.run_id)
        assert files >= {
            "predictions/validation.csv", "predictions/validation_by_epoch.npz", "curves.png", "confusion.png",
            "dataset.csv", "environment.txt", "network.py",
        }  # fmt: skip
        assert run.validation is not None
        assert run.validation_by_epoch is not None
        right = run.validation.correct.mean()
        assert right == pytest.approx(run.metrics["best_val_accuracy"])
        kept = run.validation_by_epoch.probabilities[int(run.metrics["best_epoch"]) - 1]
        assert np.array_equal(kept, run.validation.probabilities.astype(np.float32))


class TestSeeds:
    def test_each_is_a_run_of_its_own_on_the_same_validation_clips(self, tracker: Tracker, genres: Path) -> None:
        result = tracker("run", "--data", genres, *TINY, "--seeds", 2, "--seed", 3)
        assert result.status == 0, result.err
        first, second = runs_in(genres.parent / "work")
        assert result.out.split() == [first.run_id, second.run_id]
        assert [first.params["seed"], second.params["seed"]] == ["3", "4"]
        assert first.validation is not None
        assert second.validation is not None
        assert first.validation.clips == second.validation.clips
        assert first.metrics["loss"] != second.metrics["loss"]


class TestDataOptions:
    @pytest.mark.parametrize("lists", [("a.txt", "b.txt", "c.txt"), ("a.txt,b.txt,c.txt",)])
    def test_split_lists_are_three_words_or_one(self, tracker: Tracker, genres: Path, lists: tuple[str, ...]) -> None:
        for name in "ab":
            (genres / f"{name}.txt").touch()
        for command in (("run",), ("data", "check")):
            result = tracker(*command, "--split-lists", *lists, "--data", genres)
            assert result.status == 1
            assert "--split-lists: c.txt is neither in" in result.err

    def test_a_single_split_list_is_refused_as_such(self, tracker: Tracker, genres: Path) -> None:
        result = tracker("data", "check", genres, "--split-lists", "a.txt", "--fold", "1/5")
        assert result.status == 2
        assert "--split-lists must be three files, TRAIN VALID TEST, or two, TRAIN TEST, got 'a.txt'" in result.err

    def test_a_kernel_size_of_a_network_without_is_refused_by_its_flag(self, tracker: Tracker) -> None:
        result = tracker("run", "--model", "linear", "--kernel", 7)
        assert result.status == 2
        expected = "the model linear takes no --kernel, got 7; leave it out, or take a model with kernels of any size: "
        assert f"{expected}cnn, crnn, resnet" in result.err

    def test_options_about_data_need_data_of_ones_own(self, tracker: Tracker) -> None:
        result = tracker("run", "--group-by", "folder:1")
        assert result.status == 1
        assert "--group-by says how data of your own is read, and none was given" in result.err


class TestReuse:
    def test_reuse_prints_the_finished_run_and_trains_nothing(self, tracker: Tracker, genres: Path) -> None:
        first = tracker("run", "--data", genres, *TINY, "--reuse")
        again = tracker("run", "--data", genres, *TINY, "--reuse")
        assert again.out == first.out
        assert "reusing run networks-tiny-k3-lr0.001-epochs2-seg0.5-s0" in again.err
        assert len(runs_in(genres.parent / "work")) == 1

    def test_reuse_trains_where_anything_differs(self, tracker: Tracker, genres: Path) -> None:
        first = tracker("run", "--data", genres, *TINY, "--reuse")
        other_seed = tracker("run", "--data", genres, *TINY, "--reuse", "--seed", 1)
        write_tone(genres / "low" / "new.wav", 210)
        other_data = tracker("run", "--data", genres, *TINY, "--reuse")
        assert len({first.out, other_seed.out, other_data.out}) == 3


class TestAudio:
    def test_audio_of_every_kind_and_rate_is_read(self, tracker: Tracker, genres: Path) -> None:
        noise = np.random.default_rng(0).normal(0, 0.1, (44_100, 2))
        for ending, rate in (("flac", 44_100), ("mp3", 44_100), ("ogg", 48_000), ("au", 16_000)):
            soundfile.write(genres / "low" / f"other.{ending}", noise, rate)
        result = tracker("run", "--data", genres, *TINY)
        assert result.status == 0, result.err
        (run,) = runs_in(genres.parent / "work")
        assert int(run.tags["tracker.training_clips"]) + int(run.tags["tracker.validation_clips"]) == 24
        shape = network_shape(run.tags)
        assert shape is not None
        assert shape.parameters == sum(layer.parameters for layer in shape.layers) > 0
        assert {"keras", "python", "cores"} <= environment_of(run.tags).keys()
        assert "cannot be used" not in result.err

    def test_that_cannot_be_used_is_named_and_left_out(self, tracker: Tracker, genres: Path) -> None:
        (genres / "low" / "pointer.wav").write_text(
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
        )
        soundfile.write(genres / "low" / "silent.wav", np.zeros(SR), SR)
        result = tracker("run", "--data", genres, *TINY)
        assert result.status == 0, result.err
        (warning,) = [line for line in result.err.splitlines() if "left out" in line]
        assert "left out 2 of 22 clips" in warning
        assert "low/pointer.wav (" in warning
        assert "low/silent.wav (" in warning

    def test_shorter_than_a_segment_is_padded_and_named_once(self, tracker: Tracker, genres: Path) -> None:
        write_tone(genres / "low" / "short.wav", 220, seconds=0.2)
        result = tracker("run", "--data", genres, *TINY, "--seeds", 2)
        assert result.status == 0, result.err
        assert result.err.count("low/short.wav") == 1
        assert "warning: 1 clip is shorter than a segment of 0.5 s and padded with silence: low/short.wav" in result.err

    def test_all_shorter_than_a_segment_has_the_length_that_would_do(self, tracker: Tracker, genres: Path) -> None:
        result = tracker("run", "--data", genres, "--model", TINY_NETWORK, "--epochs", 1, "--segment", 2)
        assert result.status == 0, result.err
        (warning,) = [line for line in result.err.splitlines() if "shorter than" in line]
        assert warning.startswith(
            "warning: all 20 clips are shorter than a segment of 2 s and padded with silence: high/"
        )
        assert warning.endswith("; the longest lasts 1 s, and a --segment of that would train faster")

    def test_copies_of_one_file_stay_in_one_part_of_the_split(self, tracker: Tracker, genres: Path) -> None:
        for number in range(10):
            (genres / "low" / f"copy{number}.wav").write_bytes((genres / "low" / f"{number}.wav").read_bytes())
        result = tracker("run", "--data", genres, *TINY)
        assert result.status == 0, result.err
        assert "in more than one part of the split" not in result.err


class TestAnEnding:
    def test_by_a_diverged_loss_is_a_failed_run_with_the_reason(self, tracker: Tracker, genres: Path) -> None:
        result = tracker("run", "--data", genres, *TINY, "--lr", "1e38")
        assert result.status == 1
        assert result.out == ""
        (run,) = runs_in(genres.parent / "work")
        assert run.status == "FAILED"
        assert "epoch 1" in run.tags["tracker.reason"]
        assert "epoch 1" in result.err.splitlines()[-1]

    def test_by_options_outside_the_range_of_the_network_leaves_no_run(self, tracker: Tracker, genres: Path) -> None:
        result = tracker("run", "--data", genres, *QUICK, "--dropout", "1.5")
        assert result.status == 2
        assert "dropout must be at least 0 and below 1, got 1.5" in result.err.splitlines()[-1]
        assert not (genres.parent / "work" / "mlflow.db").exists()


class TestWarnings:
    def test_warnings_are_given_for_a_plateau_that_cannot_fire(self, tracker: Tracker, genres: Path) -> None:
        few = ("--epochs", "4", *TINY[2:])
        result = tracker("run", "--data", genres, *few, "--plateau", "0.3,2", "--early-stop", "1")
        assert "warning: early stopping after 1 epoch is not later than the plateau's patience of 2" in result.err

    def test_warnings_are_given_for_a_patience_that_no_epoch_can_reach(self, tracker: Tracker, genres: Path) -> None:
        result = tracker("run", "--data", genres, *TINY, "--plateau", "0.3,10", "--early-stop", "15")
        assert "warning: early stopping with a patience of 15 cannot end a run of at most 2 epochs early" in result.err
        assert "warning: a plateau with a patience of 10 cannot act in a run of at most 2 epochs" in result.err
