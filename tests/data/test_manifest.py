import unicodedata
from pathlib import Path

import pytest

from tracker.data.manifest import notes_on_columns, read_manifest
from tracker.errors import DataError


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
            ("valid", "validation"), ("dev", "validation"), ("TEST", "test"), ("testing", "test"), ("eval", "test"),
            ("", None),
        ],
    )  # fmt: skip
    def test_read_manifest_knows_the_words_for_the_parts(self, music, word, part):
        (clip,) = read_manifest(manifest(music, f"path,label,split\na.wav,rock,{word}\n"))
        assert clip.split == part

    @pytest.mark.parametrize(
        ("words", "parts"),
        [
            (("train", "dev", "eval"), ("train", "validation", "test")),
            (("train", "eval", "test"), ("train", "validation", "test")),
        ],
    )
    def test_read_manifest_takes_an_evaluation_for_what_is_missing_beside_it(self, music, words, parts):
        lines = "".join(f"{name}.wav,rock,{word}\n" for name, word in zip("abc", words, strict=True))
        assert tuple(c.split for c in read_manifest(manifest(music, f"path,label,split\n{lines}"))) == parts

    @pytest.mark.parametrize(
        ("written", "folds"), [(("1.0", "2.0"), (1, 2)), (("0", "1"), (1, 2)), (("fold1", "fold_02"), (1, 2))]
    )
    def test_read_manifest_counts_folds_from_1_however_they_are_written(self, music, written, folds):
        lines = "".join(f"{name}.wav,rock,{fold}\n" for name, fold in zip("ab", written, strict=True))
        assert tuple(c.fold for c in read_manifest(manifest(music, f"path,label,fold\n{lines}"))) == folds

    def test_columns_that_look_like_groups_splits_and_folds_are_said_to_be_unused(self, music):
        file = manifest(music, "path,label,Speaker_ID,subset,tempo\na.wav,rock,ann,train,120\n")
        assert notes_on_columns(file, {}) == (
            (
                "the column Speaker_ID is not used; if it says the artist, speaker or recording of each clip, add "
                "--columns group=Speaker_ID"
            ),
            "the column subset is not used; if it says the part of each clip, add --columns split=subset",
        )
        assert not notes_on_columns(file, {"group": "Speaker_ID", "split": "subset"})
        assert not notes_on_columns(file, {}, {"group", "split"})
        assert not notes_on_columns(manifest(music, "path,label,group,artist\n"), {})

    def test_read_manifest_passes_over_empty_fields_beyond_the_header(self, music):
        assert len(read_manifest(manifest(music, "path,label\na.wav,rock,,\n"))) == 1

    def test_read_manifest_reads_every_row_of_a_file_whose_quotes_are_text(self, music):
        text = 'path\tsentence\tlabel\na.wav\t"He said\trock\nb.wav\tno\trock\nc.wav\t"and left\tjazz\n'
        assert [clip.path for clip in read_manifest(manifest(music, text))] == ["a.wav", "b.wav", "c.wav"]

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
            ("path,label,split\na.wav,rock,mine\n", "line 2: the split must be .* got 'mine'"),
            ("path,label,fold\na.wav,rock,one\n", "line 2: the fold must be .* got 'one'"),
            ("path,label,fold\na.wav,rock,-1\n", "line 2: the fold must be .* got '-1'"),
            ("path,label,fold\na.wav,rock,1.5\n", "line 2: the fold must be .* got '1.5'"),
            ("path,label\na.wav,rock\nb.wav,rock\n./a.wav,jazz\n", "line 4: a.wav is already in line 2"),
            ("path,label\na.wav,rock\nx.wav,rock\ny.wav,rock\n", r"2 of the 3 .* the first is x.wav \(line 3\)"),
            ("path,label\ndeep,rock\n", r"1 of the 1 files .* deep \(line 2\)"),
            ('path,label\na.wav,rock\n"b.wav,rock\n"c.wav,rock\n', r'2 of the 3 .* the first is "b.wav \(line 3\)'),
            ("path,label\na.wav,ro\x07ck\n", "line 2: the label .* control character"),
            (b"path,label\ncaf\xe9.wav,rock\n", "not UTF-8"),
        ],
    )  # fmt: skip
    def test_read_manifest_refuses_what_is_wrong_by_name_and_line(self, music, text, message):
        with pytest.raises(DataError, match=message) as raised:
            read_manifest(manifest(music, text))
        assert "\n" not in str(raised.value)

    def test_read_manifest_reads_names_that_no_table_can_hold_if_asked(self, music):
        clips = read_manifest(manifest(music, 'path,label\na.wav,"hip\nhop"\nb.wav,x\n'), any_names=True)
        assert [clip.label for clip in clips] == ["hip\nhop", "x"]

    def test_read_manifest_finds_the_file_whose_folders_agree(self, music):
        for name in ("x/1.wav", "y/1.wav"):
            (music / "deep" / name).parent.mkdir()
            (music / "deep" / name).touch()
        (clip,) = read_manifest(manifest(music, "path,label\nC:\\data\\y\\1.wav,rock\n"), audio_root=music / "deep")
        assert clip.path == "y/1.wav"

    @pytest.mark.parametrize(
        ("written", "hint"),
        [
            ("A.WAV", "beside it is a.wav"),
            ("a", "beside it is a.wav"),
            ("/home/ada/z.wav", "give the folder .*--audio-r"),
        ],
    )
    def test_read_manifest_says_what_may_be_wrong_with_a_path(self, music, written, hint):
        with pytest.raises(DataError, match=hint):
            read_manifest(manifest(music, f"path,label\n{written},rock\n"))

    def test_read_manifest_counts_lines_as_an_editor_does_when_a_field_spans_two(self, music):
        with pytest.raises(DataError, match="line 4: the label is empty"):
            read_manifest(manifest(music, 'path,label,remark\na.wav,rock,"one\ntwo"\nb.wav,,\n'))
