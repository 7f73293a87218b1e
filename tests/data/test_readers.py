from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest

from tracker.data.readers import read_folder, read_manifest
from tracker.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


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
            ("file,label\na.wav,rock\n", "no 'path' column .first line: 'file,label'."),
            ("path,genre\na.wav,rock\n", "no 'label' column"),
            ("a.wav,rock\n", "no 'path' or 'label' column .first line: 'a.wav,rock'."),
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
            ("path,label\na.wav,rock\n".encode("utf-16"), "not UTF-8"),
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
