from pathlib import Path

import pytest

from tracker.data.folder import read_folder
from tracker.errors import DataError


def write(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return folder


class TestReadFolder:
    def test_labels_each_clip_by_its_sub_folder(self, tmp_path):
        clips = read_folder(write(tmp_path, "rock/a.wav", "jazz/b.flac"))
        assert [(clip.path, clip.label) for clip in clips] == [("jazz/b.flac", "jazz"), ("rock/a.wav", "rock")]

    def test_knows_where_the_bytes_are(self, tmp_path):
        (clip,) = read_folder(write(tmp_path, "rock/a.wav"))
        assert clip.file.read_bytes() == b"rock/a.wav"

    def test_takes_the_usual_endings_in_any_case(self, tmp_path):
        names = [f"x/{i}{ending}" for i, ending in enumerate([".wav", ".FLAC", ".Mp3", ".ogg", ".au", ".aiff"])]
        assert len(read_folder(write(tmp_path, *names))) == len(names)

    def test_labels_clips_that_lie_deeper_by_the_uppermost_sub_folder(self, tmp_path):
        (clip,) = read_folder(write(tmp_path, "rock/album/one/a.wav"))
        assert (clip.path, clip.label) == ("rock/album/one/a.wav", "rock")

    def test_passes_over_what_is_not_a_clip(self, tmp_path):
        clutter = ["rock/.DS_Store", "rock/._a.wav", ".git/x.wav", "__MACOSX/rock/a.wav", "rock/cover.jpg", "notes.txt"]
        assert [clip.path for clip in read_folder(write(tmp_path, "rock/a.wav", *clutter))] == ["rock/a.wav"]

    def test_follows_symbolic_links(self, tmp_path):
        elsewhere = write(tmp_path / "elsewhere", "a.wav")
        dataset = write(tmp_path / "dataset", "rock/b.wav")
        (dataset / "jazz").symlink_to(elsewhere)
        (dataset / "rock" / "c.wav").symlink_to(elsewhere / "a.wav")
        assert [clip.path for clip in read_folder(dataset)] == ["jazz/a.wav", "rock/b.wav", "rock/c.wav"]

    def test_is_not_caught_by_a_link_to_the_folder_above(self, tmp_path):
        write(tmp_path, "rock/a.wav")
        (tmp_path / "rock" / "again").symlink_to(tmp_path)
        assert [clip.path for clip in read_folder(tmp_path)] == ["rock/a.wav"]

    def test_says_paths_in_composed_characters_however_the_disk_has_them(self, tmp_path):
        (clip,) = read_folder(write(tmp_path, "cafe\u0301/re\u0301 mi.wav"))
        assert (clip.path, clip.label) == ("caf\u00e9/r\u00e9 mi.wav", "caf\u00e9")
        assert clip.file.is_file()

    def test_refuses_a_folder_without_audio(self, tmp_path):
        with pytest.raises(DataError, match=r"holds no audio.*one sub-folder per genre"):
            read_folder(write(tmp_path, "rock/readme.txt"))

    def test_refuses_audio_without_sub_folders(self, tmp_path):
        with pytest.raises(DataError, match=r"no sub-folders.*one sub-folder per genre"):
            read_folder(write(tmp_path, "a.wav", "b.wav"))

    def test_refuses_audio_beside_the_sub_folders_rather_than_leave_it_out_unsaid(self, tmp_path):
        with pytest.raises(DataError, match=r"'a.wav' and 1 more lie in .* beside the sub-folders"):
            read_folder(write(tmp_path, "a.wav", "b.wav", "rock/c.wav"))

    def test_refuses_audio_that_cannot_be_decoded_rather_than_leave_it_out_unsaid(self, tmp_path):
        with pytest.raises(DataError, match=r"'a.M4A' lies in .*convert"):
            read_folder(write(tmp_path, "rock/a.M4A", "rock/b.wav"))
