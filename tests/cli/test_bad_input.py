"""Bad input gets one clear line and exit 1 or 2, and leaves the folder as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.builders import SR, write_tone

if TYPE_CHECKING:
    from tests.running import Result, Tracker


def one_line(result: Result) -> str:
    """Return the only line that was said; results there must be none, and nothing may have been written."""
    assert result.out == ""
    lines = result.err.splitlines()
    assert len(lines) == 1, lines
    assert list(Path.cwd().iterdir()) == []
    return lines[0]


def last_line(result: Result) -> str:
    assert result.out == ""
    assert list(Path.cwd().iterdir()) == []
    return result.err.splitlines()[-1]


class TestWrongUsage:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("--plateau 1.3,10", "factor must be above 0 and below 1, got 1.3"),
            ("--plateau 0.3", "expected FACTOR,PATIENCE, for example 0.3,10, got '0.3'"),
            ("--plateau 0.3,0", "a plateau's patience must be 1 to 100,000, got 0"),
            ("--kernel 3,5", "got '3,5'; `tracker sweep --kernel 3,5` trains a run for each"),
            ("--lr 1e-3,1e-4", "`tracker sweep --lr 1e-3,1e-4` trains a run for each"),
            ("--seed 0,1", "`tracker sweep --seed 0,1` trains a run for each"),
            ("--plateau 0.3,1.5", "the patience must be a whole number, got '1.5'"),
            ("--kernel 0", "kernel size must be 1 to 255, got 0"),
            ("--kernel seven", "'--kernel': the kernel size must be a whole number, got 'seven'"),
            ("--lr -1", "learning rate must be above 0 and at most 1e38, got -1"),
            ("--lr nan", "learning rate must be above 0 and at most 1e38, got nan"),
            ("--early-stop 0", "early-stopping patience must be 1 to 100,000, got 0"),
            ("--epochs 0", "epoch limit must be 1 to 100,000, got 0"),
            ("--batch-size 0", "batch size must be 1 to 65,536, got 0"),
            ("--segment 0", "segment length must be above 0 and at most 3,600, got 0"),
            ("--seed -1", "seed must be 0 to 4,294,967,295, got -1"),
            ("--seeds 0", "the number of seeds must be 1 to 10,000, got 0"),
            ("--fold 6/5", "a fold must be 1 to 5, got 6"),
            ("--fold 1", "expected K/N, for example 1/5, got '1'"),
            ("--validation-fraction 1", "validation fraction must be above 0 and below 1, got 1"),
            ("--validation-fraction 0.6 --test-fraction 0.4", "must leave clips to train on"),
            ("--kernal 7", "there is no option --kernal; did you mean --kernel?"),
            ("--dropuot 0.4", "there is no option --dropuot; did you mean --dropout?"),
            ("--depth 4", "there is no option --depth (see tracker run --help)"),
            ("--dropout much", "'--dropout': option dropout must be a finite number, got 'much'"),
            ("--dropout 1", "Invalid value for '--dropout': option dropout must be at least 0 and below 1, got 1"),
            ("--dropout", "'--dropout' requires an argument"),
            ("--model vgg", "there is no model 'vgg'; the models: cnn, crnn, linear, musicnn, resnet"),
            ("--seed 4294967296", "'--seed': the seed must be 0 to 4,294,967,295, got 4294967296"),
            ("--seed 4294967295 --seeds 2", "the last of 2 seeds that start at 4294967295 must be 0 to 4,294,967,295"),
            ("--seeds 999999999", "the number of seeds must be 1 to 10,000, got 999999999"),
            ("--kernel 100000", "the kernel size must be 1 to 255, got 100000"),
            ("--width 1000000", "option width must be 1 to 1,024, got 1000000"),
            ("--segment 1e300", "segment length must be above 0 and at most 3,600, got "),
            ("--segment 100000", "segment length must be above 0 and at most 3,600, got 100000"),
            ("--epochs 1000000000000", "epoch limit must be 1 to 100,000, got 1000000000000"),
            ("--batch-size 1000000000000", "batch size must be 1 to 65,536, got 1000000000000"),
            ("--fold 1/1000000000", "the number of folds must be 2 to 10,000, got 1000000000"),
            ("--experiment \x1b[31m", r"run: --experiment must be a text of one line, got '\x1b[31m'"),
            ("genres/", "unexpected extra argument(s) (genres/)"),
            ("--experiment a --lr 1 --experiment b", "--experiment was given twice"),
            ("--data=", "--data is empty"),
            ("--model=", "--model is empty"),
            ("--model tests.py", "model file tests.py does not exist"),
            ("--fold 1/5 --validation-fraction 0.3", "give --fold or --validation-fraction, not both"),
            ("--name= --lr 1", "--name is empty"),
        ],
    )
    def test_wrong_usage_of_run_is_told_in_one_line(self, tracker: Tracker, words: str, said: str) -> None:
        result = tracker("run", *words.split())
        assert result.status == 2
        assert said in one_line(result)

    @pytest.mark.parametrize(
        ("option", "value", "said"),
        [
            ("--kernel", "1" * 4_000, "the kernel size must be 1 to 255, got a number of about 3999 digits"),
            ("--kernel", "1" * 5_000, "the kernel size must be a whole number, got '1111111111"),
            ("--width", "1" * 4_000, "option width must be 1 to 1,024, got a number of about 3999 digits"),
            ("--lr", "x" * 100_000, "the learning rate must be a number, got 'xxxxxxxxxx"),
            ("--name", "n" * 100_000, "run: --name must be at most 250 characters, got 100000"),
            ("--n" + "m" * 100_000, "x", "there is no option --nmmmmmmmmmm"),
        ],
        ids=lambda value: value[:20],
    )
    def test_wrong_usage_with_a_value_that_is_too_long_is_told_in_a_line_to_read(
        self, tracker: Tracker, option: str, value: str, said: str
    ) -> None:
        result = tracker("run", option, value)
        assert result.status == 2
        line = one_line(result)
        assert said in line
        assert len(line) < 4_000

    def test_wrong_usage_of_an_unknown_command_is_told_in_one_line(self, tracker: Tracker) -> None:
        result = tracker("rnu")
        assert result.status == 2
        assert "there is no command 'rnu'; did you mean run?" in one_line(result)


@pytest.mark.xdist_group("keras")
class TestDatasets:
    def test_a_missing_folder_is_named(self, tracker: Tracker) -> None:
        result = tracker("run", "--data", "nowhere")
        assert result.status == 1
        assert "nowhere" in one_line(result)

    def test_a_folder_without_audio_is_named(self, tracker: Tracker, tmp_path: Path) -> None:
        (tmp_path / "empty" / "jazz").mkdir(parents=True)
        result = tracker("run", "--data", tmp_path / "empty")
        assert result.status == 1
        assert "no audio" in one_line(result)

    def test_one_class_is_too_few(self, tracker: Tracker, tmp_path: Path) -> None:
        write_tone(tmp_path / "one" / "jazz" / "a.wav", 300)
        result = tracker("run", "--data", tmp_path / "one")
        assert result.status == 1
        assert "jazz" in one_line(result)

    def test_a_class_too_small_for_the_split_is_named(self, tracker: Tracker, genres: Path) -> None:
        write_tone(genres / "rare" / "only.wav", 900)
        result = tracker("run", "--data", genres)
        assert result.status == 1
        assert "'rare'" in last_line(result)

    def test_a_tenth_of_faulty_clips_is_refused_when_passed(self, tracker: Tracker, genres: Path) -> None:
        for number in range(3):
            soundfile.write(genres / "low" / f"{number}.wav", np.zeros(SR), SR)
        result = tracker("run", "--data", genres)
        assert result.status == 1
        assert "3 of 20 clips cannot be used" in last_line(result)
        assert "low/0.wav" in last_line(result)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("file,label\na.wav,x\n", "path"),
            ("path,label\nmissing.wav,x\nmissing2.wav,y\n", "missing.wav"),
            ("path,label\na.wav,x\na.wav,y\n", "a.wav"),
            ("", "empty"),
        ],
    )
    def test_a_faulty_manifest_is_refused_with_what_is_wrong(
        self, tracker: Tracker, tmp_path: Path, text: str, said: str
    ) -> None:
        write_tone(tmp_path / "a.wav", 300)
        (tmp_path / "manifest.csv").write_text(text)
        result = tracker("run", "--data", tmp_path / "manifest.csv")
        assert result.status == 1
        assert said in one_line(result)


class TestFolders:
    def test_a_working_folder_that_is_gone_is_told_in_one_line(self, tracker: Tracker) -> None:
        Path.cwd().rmdir()
        result = tracker("runs")
        assert (result.status, result.out) == (1, "")
        assert result.err == (
            "tracker: I/O error: No such file or directory; check this folder and where standard output is redirected\n"
        )


class TestStores:
    @pytest.mark.parametrize("command", ["report", "runs", "ui"])
    def test_a_folder_without_a_store_is_told_and_stays_without(self, tracker: Tracker, command: str) -> None:
        result = tracker(command)
        assert result.status == 1
        assert "mlflow.db" in one_line(result)
