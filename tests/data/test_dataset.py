import os
from pathlib import Path

import pytest

from tracker.data.dataset import Clip, Dataset, duplicates, fingerprint, hash_clips, read_dataset
from tracker.errors import DataError

HASHES = {"a": "1", "b": "2"}
SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def write(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return folder


def clip(path: str, label: str = "rock", group: str | None = None) -> Clip:
    return Clip(path, Path("/nowhere") / path, label, group)


class TestDataset:
    def test_dataset_keeps_its_clips_sorted_by_path(self):
        assert [c.path for c in Dataset((clip("b"), clip("a"))).clips] == ["a", "b"]

    def test_dataset_names_its_classes_and_groups_once_and_sorted(self):
        dataset = Dataset((clip("a", "x", "g"), clip("b", "y"), clip("c", "x", "g"), clip("d", "x", "f")))
        assert (dataset.classes, dataset.groups) == (("x", "y"), ("f", "g"))

    def test_dataset_can_leave_clips_out(self):
        assert Dataset((clip("a"), clip("b"))).without(["a", "z"]) == Dataset((clip("b"),))


class TestReadDataset:
    def test_read_dataset_reads_a_folder_of_folders(self, tmp_path):
        dataset = read_dataset(write(tmp_path, "rock/a.wav", "jazz/b.wav"))
        assert [c.path for c in dataset.clips] == ["jazz/b.wav", "rock/a.wav"]

    def test_read_dataset_reads_a_manifest(self, tmp_path):
        write(tmp_path, "a.wav", "b.wav")
        (tmp_path / "list.csv").write_text("path,label\nb.wav,rock\na.wav,jazz\n")
        dataset = read_dataset(tmp_path / "list.csv")
        assert [(c.path, c.label) for c in dataset.clips] == [("a.wav", "jazz"), ("b.wav", "rock")]

    def test_read_dataset_reads_a_folder_by_its_manifest_where_it_has_one(self, tmp_path):
        write(tmp_path, "rock/a.wav", "jazz/b.wav")
        (tmp_path / "manifest.csv").write_text("path,label,group\nrock/a.wav,rock,abba\njazz/b.wav,jazz,monk\n")
        assert read_dataset(tmp_path).groups == ("abba", "monk")

    def test_read_dataset_refuses_what_is_not_there(self, tmp_path):
        with pytest.raises(DataError, match="no folder or manifest"):
            read_dataset(tmp_path / "nothing")

    @pytest.mark.parametrize(
        ("name", "message"),
        [("song.WAV", "a single audio file"), ("song.m4a", "a single audio file"), ("gtzan.tar.gz", "unpack")],
    )
    def test_read_dataset_refuses_a_file_that_is_no_manifest(self, tmp_path, name, message):
        write(tmp_path, name)
        with pytest.raises(DataError, match=message):
            read_dataset(tmp_path / name)

    def test_read_dataset_refuses_a_single_class(self, tmp_path):
        with pytest.raises(DataError, match=r"only one class, 'rock'.*add clips of another"):
            read_dataset(write(tmp_path, "rock/a.wav", "rock/b.wav"))

    def test_read_dataset_asks_whether_a_folder_further_down_was_meant(self, tmp_path):
        with pytest.raises(DataError, match=rf"only one class, 'data'.*did you mean {tmp_path}/data/genres"):
            read_dataset(write(tmp_path, "data/genres/rock/a.wav", "data/genres/jazz/b.wav"))

    def test_read_dataset_refuses_parts_of_a_split_in_place_of_classes(self, tmp_path):
        with pytest.raises(DataError, match="parts of a split, not classes"):
            read_dataset(write(tmp_path, "Train/rock/a.wav", "test/rock/b.wav"))

    def test_read_dataset_refuses_a_line_break_in_a_name(self, tmp_path):
        with pytest.raises(DataError, match=r"'rock/a\\nb.wav' contains a line break") as raised:
            read_dataset(write(tmp_path, "rock/a\nb.wav", "jazz/b.wav"))
        assert "\n" not in str(raised.value)

    def test_read_dataset_refuses_a_name_that_is_not_utf_8(self, tmp_path):
        write(tmp_path, "rock/a.wav", "jazz/b.wav")
        try:
            Path(os.fsdecode(bytes(tmp_path) + b"/rock/caf\xe9.wav")).write_bytes(b"x")
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
        with pytest.raises(DataError, match="not UTF-8; rename"):
            read_dataset(tmp_path)

    def test_read_dataset_refuses_two_names_that_differ_in_how_accents_are_encoded_alone(self, tmp_path):
        write(tmp_path, "rock/caf\u00e9.wav", "rock/cafe\u0301.wav", "jazz/b.wav")
        if len(list((tmp_path / "rock").iterdir())) == 1:
            pytest.skip("this file system takes them for one")
        with pytest.raises(DataError, match="accents encoded differently"):
            read_dataset(tmp_path)

    def test_read_dataset_says_what_cannot_be_read(self, tmp_path):
        write(tmp_path, "a.wav")
        (tmp_path / "list.csv").write_text(f"path,label\n{'x' * 300}.wav,rock\n")
        with pytest.raises(DataError, match="cannot be read"):
            read_dataset(tmp_path / "list.csv")


class TestHashClips:
    def test_hash_clips_hashes_the_bytes_of_each_file(self, tmp_path):
        (tmp_path / "a.wav").write_bytes(b"abc")
        assert hash_clips(Dataset((Clip("x/a.wav", tmp_path / "a.wav", "rock"),))) == {"x/a.wav": SHA256_OF_ABC}

    def test_hash_clips_tells_how_far_it_is(self, tmp_path):
        dataset = read_dataset(write(tmp_path, "rock/a.wav", "jazz/b.wav"))
        calls = []
        hash_clips(dataset, lambda done, total: calls.append((done, total)))
        assert calls == [(1, 2), (2, 2)]

    def test_hash_clips_names_a_file_that_cannot_be_read(self, tmp_path):
        (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
        with pytest.raises(DataError, match=r"a\.wav cannot be read \(No such file"):
            hash_clips(Dataset((Clip("a.wav", tmp_path / "a.wav", "rock"),)))


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
