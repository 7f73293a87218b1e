import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tracker.data.dataset import Clip, Dataset
from tracker.data.demo import DemoSettings, demo_dataset, write_demo
from tracker.data.demo.genres import GENRES
from tracker.data.reading import read_dataset
from tracker.data.splits import divide
from tracker.errors import DataError
from tracker.runs import SplitPlan

TINY = DemoSettings(artists=2, clips=1, seconds=1.0)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class TestDemoSettings:
    def test_demo_settings_are_by_default_150_clips_of_50_artists(self):
        rows = DemoSettings().rows
        assert len(rows) == len({path for path, _, _ in rows}) == 150
        assert len({group for _, _, group in rows}) == 50

    def test_demo_settings_are_divided_by_default_into_eight_and_two_artists_of_each_genre(self):
        dataset = Dataset(tuple(Clip(path, Path(path), label, group) for path, label, group in DemoSettings().rows))
        split = divide(dataset, SplitPlan())
        assert len(split.validation) == 30
        assert [len({c.group for c in split.validation if c.label == genre}) for genre in GENRES] == [2] * 5

    @pytest.mark.parametrize("change", [{"artists": 0}, {"clips": 0}, {"seconds": 0.5}, {"seed": -1}])
    def test_demo_settings_refuse_what_is_out_of_range(self, change):
        with pytest.raises(ValueError, match="must be at least"):
            DemoSettings(**change)

    def test_demo_settings_are_known_by_all_of_them(self):
        changed = [DemoSettings(artists=9), DemoSettings(clips=2), DemoSettings(seconds=29.0), DemoSettings(seed=1)]
        assert len({settings.key for settings in [DemoSettings(), *changed]}) == 5


class TestWriteDemo:
    def test_write_demo_writes_a_dataset_whose_manifest_names_the_artists(self, tmp_path):
        manifest = write_demo(tmp_path / "demo", DemoSettings(artists=2, clips=2, seconds=1.0))
        dataset = read_dataset(manifest)
        assert manifest == tmp_path / "demo" / "manifest.csv"
        assert dataset.classes == tuple(sorted(GENRES))
        first = dataset.clips[0]
        assert (first.path, first.group) == ("disco/disco-artist01-clip1.wav", "disco-artist01")
        assert len(dataset.clips) == 20
        assert len({clip.group for clip in dataset.clips}) == 10

    def test_write_demo_writes_16_bit_wav_files_of_the_length_asked_for(self, tmp_path):
        write_demo(tmp_path / "demo", DemoSettings(artists=1, clips=1, seconds=1.5))
        about = soundfile.info(tmp_path / "demo" / "jazz" / "jazz-artist01-clip1.wav")
        assert (about.samplerate, about.channels, about.subtype, about.duration) == (22_050, 1, "PCM_16", 1.5)

    def test_write_demo_writes_the_same_bytes_every_time(self, tmp_path):
        write_demo(tmp_path / "one", TINY)
        write_demo(tmp_path / "two", TINY)
        assert contents(tmp_path / "one") == contents(tmp_path / "two")

    def test_write_demo_writes_other_music_under_another_seed(self, tmp_path):
        other = dataclasses.replace(TINY, seed=1)
        one, two = (contents(write_demo(tmp_path / str(s.seed), s).parent) for s in (TINY, other))
        assert all(one[path] != two[path] for path, _, _ in TINY.rows)

    def test_write_demo_makes_no_two_clips_alike(self, tmp_path):
        files = contents(write_demo(tmp_path / "demo", DemoSettings(artists=2, clips=2, seconds=1.0)).parent)
        assert len(set(files.values())) == len(files)

    def test_write_demo_tells_how_far_it_is(self, tmp_path):
        calls = []
        write_demo(tmp_path / "demo", DemoSettings(artists=1, clips=2, seconds=1.0), lambda *call: calls.append(call))
        assert calls == [(2, 10), (4, 10), (6, 10), (8, 10), (10, 10)]

    def test_write_demo_fills_a_folder_that_is_there_and_empty(self, tmp_path):
        (tmp_path / "there").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "there")
        write_demo(tmp_path / "link", TINY)
        assert len(contents(tmp_path / "there")) == 11

    def test_write_demo_makes_folders_on_the_way(self, tmp_path):
        assert write_demo(tmp_path / "a" / "b", TINY).is_file()

    def test_write_demo_refuses_a_folder_that_is_not_empty(self, tmp_path):
        (tmp_path / "mine.txt").write_text("mine")
        with pytest.raises(DataError, match="not empty"):
            write_demo(tmp_path, TINY)
        assert list(contents(tmp_path)) == ["mine.txt"]

    def test_write_demo_refuses_a_file(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(DataError, match="is a file"):
            write_demo(tmp_path / "file", TINY)

    def test_write_demo_says_where_it_cannot_write(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(DataError, match="cannot be written to"):
            write_demo(tmp_path / "file" / "below", TINY)

    def test_write_demo_leaves_nothing_behind_when_interrupted(self, tmp_path):
        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_demo(tmp_path / "demo", TINY, interrupt)
        assert list(tmp_path.iterdir()) == []


class TestDemoDataset:
    def test_demo_dataset_is_made_once(self, tmp_path):
        calls = []
        first = demo_dataset(tmp_path, lambda *call: calls.append(call), TINY)
        made = len(calls)
        assert demo_dataset(tmp_path, lambda *call: calls.append(call), TINY) == first
        assert len(calls) == made > 0
        assert len({clip.group for clip in first.clips}) == 10

    @pytest.mark.parametrize(
        "damage",
        [
            lambda file: file.unlink(),
            lambda file: file.write_bytes(b""),
            lambda file: file.parent.parent.joinpath("manifest.csv").write_bytes(b"\xff"),
        ],
        ids=["lost", "cut", "manifest"],
    )
    def test_demo_dataset_is_made_again_when_damaged(self, tmp_path, damage):
        dataset = demo_dataset(tmp_path, None, TINY)
        before = contents(dataset.clips[0].file.parent.parent)
        damage(dataset.clips[0].file)
        assert demo_dataset(tmp_path, None, TINY) == dataset
        assert contents(dataset.clips[0].file.parent.parent) == before

    def test_demo_dataset_is_neither_read_nor_made_behind_a_link(self, tmp_path):
        place = demo_dataset(tmp_path / "cache", None, TINY).clips[0].file.parent.parent
        place.rename(tmp_path / "elsewhere")
        before = contents(tmp_path / "elsewhere")
        place.symlink_to(tmp_path / "elsewhere")
        demo_dataset(tmp_path / "cache", None, TINY)
        assert not place.is_symlink()
        assert contents(place) == contents(tmp_path / "elsewhere") == before
        place.parent.rename(tmp_path / "demo")
        place.parent.symlink_to(tmp_path / "demo")
        with pytest.raises(DataError, match=r"cannot be written to \(demo is a symbolic link\); set TRACKER_CACHE"):
            demo_dataset(tmp_path / "cache", None, TINY)

    def test_demo_dataset_is_made_by_one_of_two_processes_that_ask_at_once(self, tmp_path):
        program = (
            "import pathlib, sys\n"
            "from tracker.data.demo import DemoSettings, demo_dataset\n"
            "calls = []\n"
            "settings = DemoSettings(artists=2, clips=1, seconds=1.0)\n"
            "dataset = demo_dataset(pathlib.Path(sys.argv[1]), lambda *call: calls.append(call), settings)\n"
            "print(len(dataset.clips), 'made' if calls else 'found')\n"
        )
        command = [sys.executable, "-c", program, str(tmp_path)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
        asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
        assert sorted(process.communicate()[0] for process in asking) == ["10 found\n", "10 made\n"]

    def test_demo_dataset_says_where_it_cannot_be_kept(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(DataError, match="cannot be written to"):
            demo_dataset(tmp_path / "file", None, TINY)
