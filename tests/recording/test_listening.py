"""Clips to listen to: only from data that is still what the runs were trained on, and from nowhere else."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import make_predictions, make_run, write_tone
from tests.running import Collected
from tracker.atomic_files import cache_folder
from tracker.data.dataset import fingerprint, hash_clips
from tracker.data.demo import DemoSettings, demo_dataset
from tracker.data.reading import read_dataset
from tracker.recording import listening
from tracker.recording.reports import Report, build_report
from tracker.runs import Spectrogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.data.dataset import Dataset
    from tracker.render import Listening
    from tracker.runs import Run

pytestmark = pytest.mark.usefixtures("work")

CLIPS = ("high/0.wav", "high/1.wav", "low/0.wav", "low/1.wav")


def run_on(
    data: Path | str | None, dataset: Dataset, correct: str, clips: Sequence[str] = CLIPS, number: int = 1
) -> Run:
    """A run that says that it was trained on a data set, with predictions of some clips."""
    tags = {"tracker.dataset": fingerprint(dataset, hash_clips(dataset))}
    sizes = {"training": len(dataset.clips) - len(clips), "validation": len(clips), "test": 0}
    tags |= {f"tracker.{part}_clips": str(size) for part, size in sizes.items()}
    if data is not None:
        tags["tracker.data"] = str(data)
    labels = tuple(dataset.classes[at % 2] for at in range(len(clips)))
    order = sorted(range(len(clips)), key=lambda at: clips[at])
    made = make_predictions(correct, [clips[at] for at in order], classes=dataset.classes, labels=labels)
    params = {"kernel_size": str(number), **Spectrogram(sr=8_000, n_fft=512, hop_length=128, n_mels=32).params()}
    return replace(make_run(number, "1", params), tags=tags, validation=made)


def heard(*runs: Run, most: int = 4, folder: Path = Path()) -> Listening:
    found = replace(build_report(runs), data_folder=folder).find_sounds(most)
    assert found is not None
    return found


def problems(found: Listening) -> list[str]:
    assert not any(sound.data or sound.spectrogram for sound in found.sounds)
    return [sound.problem for sound in found.sounds]


class TestFindSounds:
    def test_find_sounds_has_the_sound_and_spectrogram_of_each_clip(self, genres: Path) -> None:
        found = heard(run_on(genres, read_dataset(genres), "1010"))
        assert [sound.mistake.clip for sound in found.sounds] == ["high/1.wav", "low/1.wav"]
        assert found.remarks == ("Wrong in every run or in the best one: only 2 clips, not 4.",)
        for sound in found.sounds:
            assert (sound.media_type, sound.data[:4], sound.problem) == ("audio/flac", b"fLaC", "")
            alt = f"Spectrogram of {sound.mistake.clip}: log-mel, 0 to 4,000 Hz, from 0 to 1 s."
            assert f'aria-label="{alt}"' in sound.spectrogram

    def test_data_is_found_beside_the_store(self, genres: Path) -> None:
        found = heard(run_on("genres", read_dataset(genres), "1110"), folder=genres.parent)
        assert all(sound.data for sound in found.sounds)

    def test_data_may_be_a_manifest_and_its_folder_a_link(self, genres: Path) -> None:
        rows = [f"{clip},{clip.partition('/')[0]}" for clip in CLIPS]
        (genres / "some.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
        Path("link").symlink_to(genres)
        found = heard(run_on("link/some.csv", read_dataset(genres / "some.csv"), "0111"))
        assert all(sound.data for sound in found.sounds)

    def test_the_demo_set_is_made_again_if_it_has_to_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tiny = DemoSettings(artists=2, clips=1, seconds=1.0)
        monkeypatch.setattr(listening, "demo_dataset", partial(demo_dataset, settings=tiny))
        dataset = demo_dataset(cache_folder(), settings=tiny)
        run = run_on("demo", dataset, "10", [clip.path for clip in dataset.clips[:2]])
        shutil.rmtree(cache_folder() / "demo")
        found = heard(run)
        assert [bool(sound.data) for sound in found.sounds] == [True]

    def test_a_clip_that_could_not_be_used_is_not_part_of_the_data(self, genres: Path) -> None:
        usable = read_dataset(genres)
        (genres / "low" / "damaged.wav").write_bytes(b"RIFF")
        found = heard(run_on(genres, usable, "1110"))
        assert all(sound.data for sound in found.sounds)

    def test_nothing_wrong_is_said(self, genres: Path) -> None:
        found = heard(run_on(genres, read_dataset(genres), "1111"))
        assert (len(found.sounds), len(found.remarks)) == (0, 1)
        assert "there is none to listen to" in found.remarks[0]

    def test_unknown_predictions_are_said(self) -> None:
        assert "No run logged its predictions" in heard(make_run(1, None, val_loss=[0.5])).remarks[0]


class TestDataThatIsNotThere:
    def test_gone_data_is_said_once_and_its_clips_are_named(self, genres: Path) -> None:
        runs = [run_on(genres, read_dataset(genres), signs, number=n) for n, signs in enumerate(("1100", "1000"), 1)]
        shutil.rmtree(genres)
        found = heard(*runs)
        assert found.remarks[:1] == (f"The data {genres} is not there any more, so its clips cannot be played.",)
        assert problems(found) == ["", ""]
        assert [sound.mistake.clip for sound in found.sounds] == ["low/0.wav", "low/1.wav"]

    def test_moved_data_is_found_where_another_run_names_it(self, genres: Path, tmp_path: Path) -> None:
        dataset = read_dataset(genres)
        before, after = run_on(genres, dataset, "1110"), run_on(tmp_path / "moved", dataset, "1110", number=2)
        genres.rename(tmp_path / "moved")
        found = heard(before, after)
        assert found.remarks == ("Wrong in every run or in the best one: only 1 clip, not 4.",)
        assert all(sound.data for sound in found.sounds)

    @pytest.mark.parametrize("change", ["content", "label", "more", "fewer"])
    def test_changed_data_is_not_played(self, genres: Path, change: str) -> None:
        run = run_on(genres, read_dataset(genres), "1110")
        if change == "content":
            write_tone(genres / "low" / "5.wav", 300.0, seed=99)
        elif change == "label":
            (genres / "low" / "5.wav").rename(genres / "high" / "50.wav")
        elif change == "more":
            write_tone(genres / "low" / "50.wav", 300.0)
        else:
            (genres / "low" / "5.wav").unlink()
        found = heard(run)
        assert "has changed since the runs were trained" in found.remarks[0]
        assert problems(found) == [""]

    @pytest.mark.parametrize(
        ("without", "said"), [("tracker.data", "don't say which data"), ("tracker.dataset", "logged no fingerprint")]
    )
    def test_data_that_cannot_be_checked_is_not_played(self, genres: Path, without: str, said: str) -> None:
        run = run_on(genres, read_dataset(genres), "1110")
        tags = {name: text for name, text in run.tags.items() if name != without}
        found = heard(replace(run, tags=tags))
        assert said in found.remarks[0]
        assert problems(found) == [""]

    @pytest.mark.parametrize("name", ["/dev/zero", "/etc/passwd", ""])
    def test_what_is_no_data_is_said(self, genres: Path, name: str) -> None:
        found = heard(run_on(name, read_dataset(genres), "1110"))
        assert "cannot be read any more" in found.remarks[0]
        assert problems(found) == [""]

    @pytest.mark.parametrize("name", ["a\0b", pytest.param("x" * 5_000, id="long"), "~"])
    def test_a_name_that_no_file_has_is_of_data_that_is_gone(self, genres: Path, name: str) -> None:
        run, reporter = run_on(name, read_dataset(genres), "1110"), Collected()
        found = build_report([run]).find_sounds(1, reporter)
        assert found is not None
        assert "is not there any more" in found.remarks[0]
        assert len(found.remarks[0]) < 300
        assert reporter.warnings == [found.remarks[0].removesuffix(".")]

    def test_what_is_wrong_with_data_is_told_whoever_called(self, genres: Path) -> None:
        run, reporter = run_on(genres, read_dataset(genres), "1110"), Collected()
        (genres / "old.wma").touch()
        found = build_report([run]).find_sounds(1, reporter)
        assert found is not None
        assert "cannot be read any more" in found.remarks[0]
        (warning,) = reporter.warnings
        assert "old.wma" in warning

    def test_a_terminal_is_warned_of_what_the_page_says_once(self, genres: Path) -> None:
        runs, reporter = [run_on(genres, read_dataset(genres), "1100", number=n) for n in (1, 2)], Collected()
        write_tone(genres / "low" / "5.wav", 300.0, seed=99)
        found = build_report(runs).find_sounds(4, reporter)
        assert found is not None
        assert reporter.warnings == [found.remarks[0].removesuffix(".")]

    def test_a_folder_of_far_more_files_than_clips_is_not_listed_to_its_end(
        self, genres: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = run_on(genres, read_dataset(genres), "1110")
        monkeypatch.setattr(listening, "_FILES_A_CLIP", 0)
        monkeypatch.setattr(listening, "_FURTHER_FILES", 19)
        assert "cannot be read any more" in heard(run).remarks[0]


class TestOtherFiles:
    """What else is on the disk stays out of the page."""

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        write_tone(tmp_path / "secret.wav", 500.0)
        return tmp_path / "secret.wav"

    @pytest.mark.parametrize("clip", ["../secret.wav", "high/../../secret.wav", "{}", "high/0.wav\0", "HIGH/0.WAV"])
    def test_a_path_among_predictions_is_looked_up_and_never_opened(
        self, genres: Path, secret: Path, clip: str
    ) -> None:
        run = run_on(genres, read_dataset(genres), "0", [clip.format(secret)])
        assert problems(heard(run)) == ["the data has no clip of that name"]

    @pytest.mark.parametrize("listed", ["../secret.wav", "{}"])
    def test_a_manifest_does_not_lead_out_of_its_folder(self, genres: Path, secret: Path, listed: str) -> None:
        (genres / "manifest.csv").write_text(f"path,label\n{listed.format(secret)},high\nlow/0.wav,low\n")
        (refused,) = problems(heard(run_on(genres, read_dataset(genres), "0", ["../secret.wav"])))
        assert "leads out of" in refused

    def test_a_link_among_the_clips_is_not_followed(self, genres: Path, secret: Path) -> None:
        (genres / "high" / "0.wav").unlink()
        (genres / "high" / "0.wav").symlink_to(secret)
        run = run_on(genres, read_dataset(genres), "0", ["high/0.wav"])
        assert problems(heard(run)) == ["0.wav is a symbolic link"]

    def test_a_link_in_the_place_of_a_folder_is_not_followed(self, genres: Path, tmp_path: Path) -> None:
        (genres / "high").rename(tmp_path / "elsewhere")
        (genres / "high").symlink_to(tmp_path / "elsewhere")
        run = run_on(genres, read_dataset(genres), "0", ["high/0.wav"])
        assert problems(heard(run)) == ["high is a symbolic link"]

    def test_a_pipe_is_not_waited_for(self, genres: Path) -> None:
        run = run_on(genres, read_dataset(genres), "0", ["high/0.wav"])
        (genres / "high" / "0.wav").unlink()
        os.mkfifo(genres / "high" / "0.wav")
        assert "has changed" in heard(run).remarks[0]

    def test_a_file_that_is_too_large_is_not_read(self, genres: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listening, "LARGEST_SOURCE", 1_000)
        (refused,) = problems(heard(run_on(genres, read_dataset(genres), "1110")))
        assert refused == "it has 16,044 bytes, and at most 1,000 are read"


class TestToHtml:
    @pytest.fixture
    def report(self, genres: Path) -> Report:
        return build_report([run_on(genres, read_dataset(genres), "1010")])

    def test_a_page_plays_clips_and_is_the_same_each_time(self, report: Report) -> None:
        page = report.to_html(audio=2)
        assert page == report.to_html("page.html", audio=2) == Path("page.html").read_text()
        assert page.count('src="data:audio/flac;base64,') == 2
        assert 'style-src &#39;unsafe-inline&#39;; media-src data:"' in page
        assert "<script" not in page

    def test_a_page_of_gone_data_says_so_and_is_otherwise_the_same(self, report: Report, genres: Path) -> None:
        shutil.rmtree(genres)
        page, plain = report.to_html(audio=2), report.to_html()
        assert "is not there any more" in page
        assert "media-src" not in page
        without = re.sub(r'<section id="listening".*?</section>\n', "", page, flags=re.DOTALL)
        assert re.sub(r"^\.(fig \.)?sounds .*\n", "", without, flags=re.MULTILINE) == plain

    def test_a_page_without_audio_reads_no_data(self, report: Report, genres: Path) -> None:
        before = report.to_html()
        shutil.rmtree(genres)
        assert report.to_html() == report.to_html(audio=None) == before
        assert "Clips to listen to" not in before

    @pytest.mark.parametrize("audio", [0, 21, -1, "3", 2.0, True])
    def test_a_number_of_clips_out_of_range_is_refused(self, report: Report, audio: object) -> None:
        with pytest.raises(ValueError, match="audio must be"):
            report.to_html(audio=audio)  # type: ignore[arg-type]
