from pathlib import Path

import pytest

from tracker.data.dataset import (
    UNREAD,
    Clip,
    Dataset,
    clips_by_folder,
    duplicates,
    fingerprint,
    hash_clips,
    list_folder,
)
from tracker.errors import DataError

HASHES = {"a": "1", "b": "2"}
SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def write(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return folder


def read_folder(folder: Path, most_files: int | None = None) -> list[Clip]:
    return clips_by_folder(list_folder(folder, most_files))


def clip(path: str, label: str = "rock", group: str | None = None) -> Clip:
    return Clip(path, Path("/nowhere") / path, label, group)


class TestDataset:
    def test_dataset_keeps_its_clips_sorted_by_path(self):
        assert [c.path for c in Dataset((clip("b"), clip("a"))).clips] == ["a", "b"]

    def test_dataset_names_its_classes_once_and_sorted(self):
        assert Dataset((clip("a", "y"), clip("b", "x"), clip("c", "y"))).classes == ("x", "y")

    def test_dataset_can_leave_clips_out(self):
        assert Dataset((clip("a"), clip("b"))).without(["a", "z"]) == Dataset((clip("b"),))


class TestHashClips:
    def test_hash_clips_hashes_the_bytes_of_each_file(self, tmp_path):
        (tmp_path / "a.wav").write_bytes(b"abc")
        assert hash_clips(Dataset((Clip("x/a.wav", tmp_path / "a.wav", "rock"),))) == {"x/a.wav": SHA256_OF_ABC}

    def test_hash_clips_tells_how_far_it_is(self, tmp_path):
        dataset = Dataset(tuple(read_folder(write(tmp_path, "rock/a.wav", "jazz/b.wav"))))
        calls = []
        hash_clips(dataset, lambda done, total: calls.append((done, total)))
        assert calls == [(1, 2), (2, 2)]

    def test_hash_clips_marks_a_file_that_cannot_be_read(self, tmp_path):
        (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
        assert hash_clips(Dataset((Clip("a.wav", tmp_path / "a.wav", "rock"),))) == {"a.wav": UNREAD}


class TestFingerprint:
    def test_fingerprint_is_the_same_in_any_order_and_place(self):
        here = Dataset((clip("a"), clip("b")))
        there = Dataset((Clip("b", Path("/there/b"), "rock"), Clip("a", Path("/there/a"), "rock")))
        assert fingerprint(here, HASHES) == fingerprint(there, HASHES)

    @pytest.mark.parametrize(
        "other", [(clip("a", "jazz"), clip("b")), (clip("a", "rock", "g"), clip("b")), (clip("a"),)]
    )
    def test_fingerprint_tells_labels_groups_and_clips_apart(self, other):
        assert fingerprint(Dataset(other), HASHES) != fingerprint(Dataset((clip("a"), clip("b"))), HASHES)

    def test_fingerprint_tells_contents_apart(self):
        dataset = Dataset((clip("a"), clip("b")))
        assert fingerprint(dataset, HASHES) != fingerprint(dataset, {"a": "1", "b": "3"})


class TestDuplicates:
    def test_duplicates_names_each_set_of_the_same_bytes(self):
        assert duplicates({"d": "1", "a": "1", "b": "2", "c": "3", "e": "3"}) == (("a", "d"), ("c", "e"))

    def test_duplicates_finds_none_where_all_differ(self):
        assert duplicates({"a": "1", "b": "2"}) == ()


class TestReadFolder:
    def test_labels_each_clip_by_its_sub_folder(self, tmp_path):
        clips = read_folder(write(tmp_path, "rock/a.wav", "jazz/b.flac"))
        assert [(clip.path, clip.label) for clip in clips] == [("jazz/b.flac", "jazz"), ("rock/a.wav", "rock")]

    def test_read_folder_refuses_more_files_than_it_may_list(self, tmp_path):
        folder = write(tmp_path, "rock/a.wav", "rock/b.wav", "rock/notes.txt")
        assert len(read_folder(folder, most_files=3)) == 2
        with pytest.raises(DataError, match="has more than 2 files"):
            read_folder(folder, most_files=2)

    def test_read_folder_knows_where_the_bytes_are(self, tmp_path):
        (clip,) = read_folder(write(tmp_path, "rock/a.wav"))
        assert clip.file.read_bytes() == b"rock/a.wav"

    def test_read_folder_takes_the_usual_endings_in_any_case(self, tmp_path):
        names = [f"x/{i}{ending}" for i, ending in enumerate([".wav", ".FLAC", ".Mp3", ".ogg", ".au", ".aiff"])]
        assert len(read_folder(write(tmp_path, *names))) == len(names)

    def test_labels_clips_that_lie_deeper_by_the_uppermost_sub_folder(self, tmp_path):
        (clip,) = read_folder(write(tmp_path, "rock/album/one/a.wav"))
        assert (clip.path, clip.label) == ("rock/album/one/a.wav", "rock")

    def test_read_folder_passes_over_what_is_not_a_clip(self, tmp_path):
        clutter = ["rock/.DS_Store", "rock/._a.wav", ".git/x.wav", "__MACOSX/rock/a.wav", "rock/cover.jpg", "notes.txt"]
        assert [clip.path for clip in read_folder(write(tmp_path, "rock/a.wav", *clutter))] == ["rock/a.wav"]

    def test_read_folder_follows_symbolic_links(self, tmp_path):
        elsewhere = write(tmp_path / "elsewhere", "a.wav")
        dataset = write(tmp_path / "dataset", "rock/b.wav")
        (dataset / "jazz").symlink_to(elsewhere)
        (dataset / "rock" / "c.wav").symlink_to(elsewhere / "a.wav")
        assert [clip.path for clip in read_folder(dataset)] == ["jazz/a.wav", "rock/b.wav", "rock/c.wav"]

    @pytest.mark.parametrize("above", ["dataset", "."])
    def test_read_folder_does_not_follow_a_link_to_a_folder_above(self, tmp_path, above):
        write(tmp_path, "dataset/rock/a.wav", "other/b.wav")
        (tmp_path / "dataset" / "rock" / "again").symlink_to(tmp_path / above)
        assert [clip.path for clip in read_folder(tmp_path / "dataset")] == ["rock/a.wav"]

    def test_read_folder_says_paths_in_composed_characters_however_the_disk_has_them(self, tmp_path):
        (clip,) = read_folder(write(tmp_path, "cafe\u0301/re\u0301 mi.wav"))
        assert (clip.path, clip.label) == ("caf\u00e9/r\u00e9 mi.wav", "caf\u00e9")
        assert clip.file.is_file()

    def test_read_folder_refuses_a_folder_without_audio(self, tmp_path):
        with pytest.raises(DataError, match=r"contains no audio.*one sub-folder per class"):
            read_folder(write(tmp_path, "rock/readme.txt"))

    def test_read_folder_refuses_audio_without_sub_folders(self, tmp_path):
        with pytest.raises(DataError, match=r"no sub-folders.*one sub-folder per class"):
            read_folder(write(tmp_path, "a.wav", "b.wav"))

    def test_read_folder_refuses_audio_beside_the_sub_folders_rather_than_leave_it_out_unsaid(self, tmp_path):
        with pytest.raises(DataError, match=r"'a.wav' and 1 more are in .* outside the sub-folders"):
            read_folder(write(tmp_path, "a.wav", "b.wav", "rock/c.wav"))

    def test_read_folder_leaves_it_to_the_decoder_which_audio_it_knows(self, tmp_path):
        assert len(read_folder(write(tmp_path, "rock/a.M4A", "rock/b.wav"))) == 2

    def test_read_folder_counts_a_clip_that_dvc_has_not_fetched(self, tmp_path):
        clips = read_folder(write(tmp_path, "rock/a.wav", "rock/b.wav.dvc", "rock/a.wav.dvc"))
        assert [clip.path for clip in clips] == ["rock/a.wav", "rock/b.wav"]
