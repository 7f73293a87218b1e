"""Preparing a dataset warns of what makes its validation accuracy too good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import write_tone
from tests.running import Collected
from tracker.recording.train import prepare, warn_of_idle_options
from tracker.runs import Configuration, Fold, RunPlan, Spectrogram, SplitPlan
from tracker.runs.facts import Found

if TYPE_CHECKING:
    from pathlib import Path


PLAN = RunPlan(Configuration(), spectrogram=Spectrogram(sr=8_000))


def manifest(folder: Path, *rows: tuple[str, str, str]) -> Path:
    """Write a manifest of (group, split, recording), whose clips are of two classes by turns."""
    lines = ["path,label,group,split"]
    for number, (group, split, recording) in enumerate(rows):
        write_tone(folder / f"{number}.wav", 200, seed=number if not recording else int(recording))
        lines.append(f"{number}.wav,{'ab'[number % 2]},{group},{split}")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")
    return folder / "clips.csv"


@pytest.mark.parametrize(("features", "warned"), [("logmel", True), ("cqt", False)])
def test_a_window_longer_than_a_segment_is_warned_of(features: str, *, warned: bool) -> None:
    spectrogram = Spectrogram(features) if features == "cqt" else Spectrogram(features, n_fft=65_536)
    reporter = Collected()
    warn_of_idle_options(
        RunPlan(Configuration(segment_s=0.05 if features == "cqt" else 1.0), spectrogram=spectrogram), reporter
    )
    start = "a window of --n-fft 65536 lasts 2.97 s, longer than a segment of 1 s, so a segment's frames hardly differ"
    assert [warning.startswith(start) for warning in reporter.warnings] == [True] * warned


@pytest.mark.usefixtures("work")
class TestPrepare:
    def test_prepare_warns_of_groups_that_a_manifest_has_on_both_sides(self, tmp_path: Path) -> None:
        rows = [("x", "train", ""), ("y", "train", ""), ("x", "validation", ""), ("z", "validation", "")]
        reporter = Collected()
        prepare(manifest(tmp_path, *rows), PLAN, reporter)
        assert reporter.warnings[-1] == (
            "clips of one group are in more than one part of the manifest's own split, so the validation "
            "accuracy is too optimistic: x"
        )

    def test_prepare_warns_of_a_recording_that_is_on_both_sides(self, tmp_path: Path) -> None:
        rows = [("", "train", "7"), ("", "train", ""), ("", "validation", "7"), ("", "validation", "")]
        reporter = Collected()
        prepare(manifest(tmp_path, *rows), PLAN, reporter)
        assert reporter.warnings[-1] == ("the same recording is in more than one part of the split: 0.wav, 2.wav")

    def test_prepare_warns_of_nothing_where_every_group_is_whole(self, tmp_path: Path) -> None:
        rows = [("x", "train", ""), ("x", "train", ""), ("y", "validation", ""), ("y", "validation", "")]
        reporter = Collected()
        prepare(manifest(tmp_path, *rows), PLAN, reporter)
        assert not reporter.warnings

    def test_prepare_finds_what_is_on_both_sides_or_has_two_labels(self, tmp_path: Path) -> None:
        rows = [("x", "train", "7"), ("y", "train", "8"), ("x", "validation", "7"), ("z", "validation", "8")]
        rows += [("y", "train", "9"), ("y", "train", "9")]
        facts = prepare(manifest(tmp_path, *rows), PLAN, Collected()).facts
        assert facts.groups == 3
        assert facts.shared_recordings == Found(2, (("0.wav", "2.wav"), ("1.wav", "3.wav")))
        assert facts.cut_groups == Found(1, (("x",),))
        assert facts.relabelled_recordings == Found(1, (("4.wav", "5.wav"),))

    def test_prepare_warns_of_a_recording_with_two_labels(self, tmp_path: Path) -> None:
        rows = [("", "train", "7"), ("", "train", "7"), ("", "validation", ""), ("", "validation", "")]
        reporter = Collected()
        prepare(manifest(tmp_path, *rows), PLAN, reporter)
        assert reporter.warnings[-1] == "the same recording has more than one label: 0.wav, 1.wav"

    def test_prepare_keeps_copies_together_and_says_so(self, tmp_path: Path) -> None:
        rows = [(group, "", number) for group, number in zip("wwxxyyzz", "71234576", strict=True)]
        reporter = Collected()
        prepared = prepare(manifest(tmp_path, *rows), PLAN, reporter)
        assert prepared.facts.copies == Found(1, (("0.wav", "6.wav"),))
        assert {len({prepared.split.parts[f"{number}.wav"] for number in (0, 1, 6, 7)})} == {1}
        assert reporter.messages[-2].startswith("1 recording with copies")

    def test_prepare_says_the_data_in_a_line(self, tmp_path: Path) -> None:
        rows = [(group, "", "") for group in "wwxxyyzz"]
        reporter = Collected()
        prepare(manifest(tmp_path, *rows), PLAN, reporter)
        assert reporter.messages[-1] == "8 clips of 2 classes (a 4, b 4), 1 s, split 6/2 by group"

    def test_lengths_have_no_more_decimals_than_frames_tell(self, tmp_path: Path) -> None:
        file = manifest(tmp_path, *[(group, "", "") for group in "wwxxyyzz"])
        write_tone(tmp_path / "0.wav", 200, seconds=5.11)
        reporter = Collected()
        prepare(file, PLAN, reporter)
        assert ", 1 to 5.1 s, split" in reporter.messages[-1]

    def test_prepare_draws_the_validation_part_that_a_manifest_lacks(self, tmp_path: Path) -> None:
        rows = [("", part, "") for part in ("train", "train", "train", "train", "test", "test")]
        reporter = Collected()
        prepared = prepare(manifest(tmp_path, *rows), PLAN, reporter)
        assert reporter.messages[-1].endswith("split 2/2/2 as given, the validation part drawn by clip")
        assert {clip.path for clip in prepared.split.test} == {"4.wav", "5.wav"}

    def test_prepare_warns_of_folds_that_are_not_used(self, tmp_path: Path) -> None:
        file = manifest(tmp_path, *[("", str(1 + number // 2), "") for number in range(4)])
        file.write_text(file.read_text().replace("group,split", "group,fold"))
        reporter = Collected()
        prepare(file, PLAN, reporter)
        assert "use them with --fold 1/2" in reporter.warnings[-1]
        reporter = Collected()
        prepare(file, replace(PLAN, split=SplitPlan(fold=Fold(1, 2))), reporter)
        assert not reporter.warnings
        assert reporter.messages[-1].endswith("split 2/2 as fold 1 of 2, as given")

    def test_prepare_names_a_class_that_has_no_usable_clip(self, tmp_path: Path) -> None:
        for number in range(20):
            write_tone(tmp_path / "ab"[number % 2] / f"{number}.wav", 200, seed=number)
        (tmp_path / "rare").mkdir()
        (tmp_path / "rare/0.wav").write_bytes(bytes(300))
        reporter = Collected()
        prepared = prepare(tmp_path, PLAN, reporter)
        assert reporter.warnings[-1] == "the class rare is left out, since none of its clips can be used"
        assert prepared.dataset.classes == ("a", "b")
