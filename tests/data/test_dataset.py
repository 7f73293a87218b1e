import os
import unicodedata
from pathlib import Path

import pytest

from tracker.data.dataset import (
    UNREAD,
    Clip,
    Dataset,
    duplicates,
    fingerprint,
    hash_clips,
    read_dataset,
    read_folder,
    read_manifest,
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


def clip(path: str, label: str = "rock", group: str | None = None) -> Clip:
    return Clip(path, Path("/nowhere") / path, label, group)


class TestDataset:
    def test_dataset_keeps_its_clips_sorted_by_path(self):
        assert [c.path for c in Dataset((clip("b"), clip("a"))).clips] == ["a", "b"]

    def test_dataset_names_its_classes_once_and_sorted(self):
        assert Dataset((clip("a", "y"), clip("b", "x"), clip("c", "y"))).classes == ("x", "y")

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

    def test_read_folder_is_not_caught_by_a_link_to_the_folder_above(self, tmp_path):
        write(tmp_path, "rock/a.wav")
        (tmp_path / "rock" / "again").symlink_to(tmp_path)
        assert [clip.path for clip in read_folder(tmp_path)] == ["rock/a.wav"]

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

    def test_read_folder_refuses_audio_that_cannot_be_decoded_rather_than_leave_it_out_unsaid(self, tmp_path):
        with pytest.raises(DataError, match=r"'a.M4A' is in .*convert"):
            read_folder(write(tmp_path, "rock/a.M4A", "rock/b.wav"))


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.wav", "c.wav", "deep/d e.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def manifest(folder: Path, text: str | bytes) -> Path:
    file = folder / "list.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


class TestReadManifest:
    def test_read_manifest_reads_paths_relative_to_itself(self, music):
        (clip,) = read_manifest(manifest(music, "path,label\ndeep/d e.wav,rock\n"))
        assert (clip.path, clip.label, clip.group, clip.split, clip.fold) == ("deep/d e.wav", "rock", None, None, None)
        assert clip.file.read_bytes() == b"deep/d e.wav"

    def test_read_manifest_reads_the_columns_in_any_order_and_passes_over_others(self, music):
        (clip,) = read_manifest(manifest(music, "fold,Label,bpm,SPLIT,group,path\n2,rock,120,train,abba,a.wav\n"))
        assert (clip.path, clip.label, clip.group, clip.split, clip.fold) == ("a.wav", "rock", "abba", "train", 2)

    def test_read_manifest_reads_what_spreadsheets_write(self, music):
        text = '\ufeffpath;label;group\r\n" a.wav" ; rock ;"the; band"\r\n\r\n;;\r\nb.wav;jazz;\r\n'
        clips = read_manifest(manifest(music, text))
        assert [(clip.path, clip.label, clip.group) for clip in clips] == [
            ("a.wav", "rock", "the; band"),
            ("b.wav", "jazz", None),
        ]

    def test_read_manifest_reads_utf_16_as_excel_writes_it(self, music):
        (clip,) = read_manifest(manifest(music, "path\tlabel\na.wav\trock\n".encode("utf-16")))
        assert (clip.path, clip.label) == ("a.wav", "rock")

    @pytest.mark.parametrize(
        ("word", "part"),
        [
            ("train", "train"), ("Training", "train"), ("validation", "validation"), ("val", "validation"),
            ("valid", "validation"), ("TEST", "test"), ("", None),
        ],
    )  # fmt: skip
    def test_read_manifest_knows_the_words_for_the_parts(self, music, word, part):
        (clip,) = read_manifest(manifest(music, f"path,label,split\na.wav,rock,{word}\n"))
        assert clip.split == part

    @pytest.mark.parametrize("written", ["./a.wav", "deep/../a.wav", "deep\\..\\a.wav"])
    def test_read_manifest_knows_a_clip_by_the_shortest_way_to_it(self, music, written):
        (clip,) = read_manifest(manifest(music, f"path,label\n{written},rock\n"))
        assert clip.path == "a.wav"

    def test_read_manifest_knows_a_clip_given_by_its_absolute_path_by_its_relative_one(self, music):
        (clip,) = read_manifest(manifest(music, f"path,label\n{music}/deep/d e.wav,rock\n"))
        assert clip.path == "deep/d e.wav"

    @pytest.mark.parametrize("written", ["NFC", "NFD"])
    @pytest.mark.parametrize("stored", ["NFC", "NFD"])
    def test_read_manifest_finds_accents_however_they_are_encoded(self, music, written, stored):
        (music / unicodedata.normalize(stored, "café.wav")).write_bytes(b"x")
        (clip,) = read_manifest(manifest(music, f"path,label\n{unicodedata.normalize(written, 'café.wav')},rock\n"))
        assert clip.path == unicodedata.normalize("NFC", "café.wav")
        assert clip.file.read_bytes() == b"x"

    def test_read_manifest_finds_a_file_whose_name_ends_in_a_space(self, music):
        (music / "z.wav ").write_bytes(b"x")
        (clip,) = read_manifest(manifest(music, 'path,label\n"z.wav ",rock\n'))
        assert clip.file.read_bytes() == b"x"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "is empty"),
            (" \n\n", "is empty"),
            ("path,label\n", "lists no clips"),
            ("file,label\na.wav,rock\n", "no 'path' column in its first line"),
            ("path,genre\na.wav,rock\n", "no 'label' column"),
            ("a.wav,rock\n", "no 'path' or 'label' column in its first line"),
            ("path,label,path\na.wav,rock,b.wav\n", "column path more than once"),
            ("path,label\na.wav,rock\nb.wav, \n", "line 3: the label is empty"),
            ("path,label\n\n,rock\n", "line 3: the path is empty"),
            ("path,label\na.wav\n", "line 2: the label is empty"),
            ("path,label\na.wav,rock,roll\n", "line 2: 3 fields, but the header has 2"),
            ("path,label,split\na.wav,rock,dev\n", "line 2: the split must be .* got 'dev'"),
            ("path,label,fold\na.wav,rock,one\n", "line 2: the fold must be .* got 'one'"),
            ("path,label,fold\na.wav,rock,0\n", "line 2: the fold must be .* at least 1, got '0'"),
            ("path,label,fold\na.wav,rock,1.5\n", "line 2: the fold must be .* got '1.5'"),
            ("path,label\na.wav,rock\nb.wav,rock\n./a.wav,jazz\n", "line 4: a.wav is already in line 2"),
            ("path,label\na.wav,rock\nx.wav,rock\ny.wav,rock\n", r"2 of the 3 .* the first is x.wav \(line 3\)"),
            ("path,label\ndeep,rock\n", r"1 of the 1 files .* deep \(line 2\)"),
            ("path,label\nx.m4a,rock\n", "line 2: .m4a files cannot be decoded"),
            ('path,label\na.wav,rock\n"b.wav,rock\nc.wav,rock\n', "line 3: the path 'b.wav,rock.*close its quotes"),
            ("path,label\na.wav,ro\x07ck\n", "line 2: the label .* control character"),
            (b"path,label\ncaf\xe9.wav,rock\n", "not UTF-8"),
        ],
    )  # fmt: skip
    def test_read_manifest_refuses_what_is_wrong_by_name_and_line(self, music, text, message):
        with pytest.raises(DataError, match=message) as raised:
            read_manifest(manifest(music, text))
        assert "\n" not in str(raised.value)

    def test_read_manifest_counts_lines_as_an_editor_does_when_a_field_spans_two(self, music):
        with pytest.raises(DataError, match="line 4: the label is empty"):
            read_manifest(manifest(music, 'path,label,remark\na.wav,rock,"one\ntwo"\nb.wav,,\n'))
