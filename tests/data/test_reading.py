import os
from pathlib import Path

import pytest

from tests.data.test_dataset import write
from tracker.data.reading import read_dataset
from tracker.errors import DataError
from tracker.runs import DataPlan


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
        assert [c.group for c in read_dataset(tmp_path).clips] == ["monk", "abba"]

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
        with pytest.raises(DataError, match=r"rock/a b.wav: its path contains a line break; rename it") as raised:
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


class TestFoldersThatAreParts:
    @pytest.mark.parametrize(
        "names",
        [
            ("fold1/a.wav", "fold2/b.wav"),
            ("000/a.wav", "001/b.wav"),
            ("Training/a.wav", "Testing/b.wav"),
            ("train/a.wav", "test/b.wav", "more/c.wav"),
            ("audio_train/a.wav", "audio_test/b.wav"),
            ("1/a.wav", "2/b.wav", "10/c.wav"),
            ("shard-00000-of-00002/a.wav", "shard-00001-of-00002/b.wav"),
            ("here/cat/a.wav", "here/dog/b.wav", "there/cat/c.wav", "there/dog/d.wav"),
        ],
    )
    def test_parts_are_never_classes(self, tmp_path, names):
        with pytest.raises(DataError, match=r"the sub-folders of .* list the clips in a manifest"):
            read_dataset(write(tmp_path, *names))

    @pytest.mark.parametrize(("deeper", "level"), [("", "folder:1"), ("cat/", "folder:2")])
    def test_the_level_that_is_offered_for_the_classes_is_there(self, tmp_path, deeper, level):
        with pytest.raises(DataError, match=f"--columns label={level}$"):
            read_dataset(write(tmp_path, f"000/{deeper}a.wav", "001/dog/b.wav", "002/pig/c.wav"))

    def test_a_table_nearby_is_named(self, tmp_path):
        write(tmp_path, "audio/fold1/a.wav", "audio/fold2/b.wav", "metadata/labels.csv")
        with pytest.raises(DataError, match=r"the labels may be in .*metadata/labels\.csv"):
            read_dataset(tmp_path / "audio")

    @pytest.mark.parametrize("name", ["Training/cat/a.wav", "cat/train/a.wav"])
    def test_parts_of_a_split_that_hold_the_classes_are_its_split(self, tmp_path, name):
        other = name.replace("cat", "dog"), name.replace("Training", "Testing").replace("train", "test")
        clips = read_dataset(write(tmp_path, name, *other)).clips
        assert {(c.path, c.label, c.split) for c in clips} == {
            (name, "cat", "train"),
            (other[0], "dog", "train"),
            (other[1], "cat", "test"),
        }

    @pytest.mark.parametrize(
        ("names", "plan", "gone"),
        [
            (("Training/cat/a.wav", "Training/dog/b.wav", "Testing/cat/c.wav"), {}, "Training/bird"),
            (("cat/fold1/a.wav", "cat/fold2/b.wav", "dog/fold1/c.wav"), {}, "bird"),
            (("000/cat/a.wav", "001/dog/b.wav"), {"columns": "label=folder:2"}, "001/bird"),
            (("ann/cat/a.wav", "bob/cat/b.wav", "bob/dog/c.wav"), {"group_by": "folder:1"}, "bob/bird"),
            (("x/1001_DFA_ANG_XX.wav", "y/1001_DFA_HAP_XX.wav", "y/1002_DFA_SAD_XX.wav"), {}, "bird"),
        ],
    )
    def test_a_class_without_a_clip_is_named_wherever_it_is(self, tmp_path, names, plan, gone):
        (write(tmp_path, *names) / gone / "more").mkdir(parents=True)
        assert read_dataset(tmp_path, DataPlan(**plan)).notes == (
            f"no clips come from the folder {gone} (folders without files)",
        )

    def test_of_many_folders_without_clips_the_rest_is_counted(self, tmp_path):
        write(tmp_path, "cat/a.wav", "dog/b.wav")
        for number in range(22):
            (tmp_path / f"{number:02}").mkdir()
        notes = read_dataset(tmp_path).notes
        assert (len(notes), notes[-1]) == (21, "nor do they come from 2 more folders")

    def test_folds_that_hold_the_classes_are_its_folds(self, tmp_path):
        names = [f"fold{k}/{label}/{k}.wav" for k in (0, 1) for label in ("cat", "dog")]
        clips = read_dataset(write(tmp_path, *names)).clips
        assert [(c.label, c.fold) for c in clips] == [("cat", 1), ("dog", 1), ("cat", 2), ("dog", 2)]

    def test_names_with_a_word_for_a_part_are_parts(self, tmp_path):
        names = ("train_set/cat/a.wav", "train_set/dog/b.wav", "test-2/cat/c.wav")
        assert [c.split for c in read_dataset(write(tmp_path, *names)).clips] == ["test", "train", "train"]

    def test_a_class_with_the_name_of_a_part_is_a_class(self, tmp_path):
        assert read_dataset(write(tmp_path, "train/a.wav", "bus/b.wav")).classes == ("bus", "train")

    def test_single_digits_are_classes(self, tmp_path):
        assert read_dataset(write(tmp_path, "0/a.wav", "1/b.wav", "2/c.wav")).classes == ("0", "1", "2")

    def test_an_album_that_two_artists_share_divides_no_class(self, tmp_path):
        names = ("rock/live/a.wav", "rock/one/b.wav", "jazz/live/c.wav", "jazz/two/d.wav")
        assert read_dataset(write(tmp_path, *names)).classes == ("jazz", "rock")

    @pytest.mark.parametrize("copy", ["genres/genres", "music/genres"])
    def test_a_copy_of_the_data_is_no_class(self, tmp_path, copy):
        names = [f"{folder}/{label}/{label}.wav" for folder in ("genres", copy) for label in ("jazz", "rock")]
        write(tmp_path, *names)
        with pytest.raises(DataError, match="jazz, rock"):
            read_dataset(tmp_path / "genres" if copy.startswith("genres") else tmp_path)

    def test_folders_of_one_name_far_below_different_ones_divide_no_class(self, tmp_path):
        names = [
            f"{label}/{album}/cd{disc}/a.wav" for label, album in (("jazz", "x"), ("rock", "y")) for disc in (1, 2)
        ]
        assert read_dataset(write(tmp_path, *names)).classes == ("jazz", "rock")


class TestFoldersWithoutClips:
    def test_each_is_named_with_what_is_in_it(self, tmp_path):
        write(
            tmp_path, "rock/a.wav", "jazz/b.wav", "phone/0.pdf", "phone/1.pdf", "hidden/.x", "_background_noise_/n.wav"
        )
        (tmp_path / "rare").mkdir()
        dataset = read_dataset(tmp_path)
        assert dataset.classes == ("jazz", "rock")
        assert dataset.notes == (
            "no clips come from the folder _background_noise_ (noise without words, so no class)",
            "no clips come from the folder hidden (hidden files alone)",
            "no clips come from the folder phone (2 .pdf files: no audio)",
            "no clips come from the folder rare (it is empty)",
        )
