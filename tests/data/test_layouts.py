from pathlib import Path

import pytest

from tests.data.test_dataset import write
from tracker.data.reading import read_dataset
from tracker.errors import DataError


def table(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def esc_50(folder: Path) -> Path:
    names = [f"{fold}-10{k}-A-{k}.wav" for fold in (1, 2) for k in (0, 1)]
    rows = [f"{name},{name[0]},{name[6]},{('dog', 'cat')[int(name[4])]},False,{name[2:5]},A" for name in names]
    table(folder / "meta/esc50.csv", "filename,fold,target,category,esc10,src_file,take", *rows)
    return write(folder, *(f"audio/{name}" for name in names))


def urban_sound_8k(folder: Path) -> Path:
    names = [f"{fold}0{k}-{k}-0-0.wav" for fold in (1, 2) for k in (0, 1)]
    rows = [f"{n},{n[:3]},0.0,4.0,1,{n[0]},{n[4]},{('siren', 'drilling')[int(n[4])]}" for n in names]
    table(folder / "metadata/UrbanSound8K.csv", "slice_file_name,fsID,start,end,salience,fold,classID,class", *rows)
    return write(folder, *(f"audio/fold{name[0]}/{name}" for name in names))


def fma(folder: Path) -> Path:
    table(
        folder / "fma_metadata/tracks.csv",
        ",album,artist,set,set,track",
        ",id,id,split,subset,genre_top",
        "track_id,,,,,",
        "2,1,7,training,small,Rock",
        "5,1,7,training,small,Rock",
        "1003,2,8,test,small,Folk",
        "1004,2,9,validation,large,",
        "9999,2,9,validation,large,Rock",
    )
    return write(
        folder, *(f"fma_small/{name}.mp3" for name in ("000/000002", "000/000005", "001/001003", "001/001004"))
    )


def speech_commands(folder: Path) -> Path:
    table(folder / "validation_list.txt", "yes/0b_nohash_0.wav")
    table(folder / "testing_list.txt", "no/0c_nohash_1.wav")
    return write(
        folder, "yes/0a_nohash_0.wav", "yes/0b_nohash_0.wav", "no/0a_nohash_0.wav", "no/0c_nohash_1.wav",
        "_background_noise_/pink_noise.wav",
    )  # fmt: skip


def kaggle_gtzan(folder: Path) -> Path:
    table(folder / "Data/features_3_sec.csv", "filename,tempo", "blues.00000.0.wav,120")
    names = (
        "genres_original/blues/blues.00000.wav",
        "genres_original/rock/rock.00000.wav",
        "images_original/blues/x.png",
    )
    return write(folder, *(f"Data/{name}" for name in names))


def ravdess(folder: Path) -> Path:
    return write(folder, *(f"Actor_0{k}/03-01-0{e}-01-01-01-0{k}.wav" for k in (1, 2) for e in (1, 5)))


def fsdd(folder: Path) -> Path:
    return write(folder, *(f"recordings/{digit}_{who}_0.wav" for digit in (0, 1) for who in ("ann", "bob")))


def rows(path: Path) -> list[tuple[object, ...]]:
    return [(c.path, c.label, c.group, c.split, c.fold) for c in read_dataset(path).clips]


class TestTables:
    @pytest.mark.parametrize("given", ["", "audio", "meta/esc50.csv"])
    def test_esc_50_is_read_from_wherever_in_it(self, tmp_path, given):
        dataset = read_dataset(esc_50(tmp_path) / given)
        assert (dataset.layout, dataset.group_is) == ("ESC-50", "recording")
        assert rows(tmp_path / given) == [
            ("1-100-A-0.wav", "dog", "100", None, 1),
            ("1-101-A-1.wav", "cat", "101", None, 1),
            ("2-100-A-0.wav", "dog", "100", None, 2),
            ("2-101-A-1.wav", "cat", "101", None, 2),
        ]

    @pytest.mark.parametrize("given", ["", "audio", "metadata/UrbanSound8K.csv"])
    def test_urban_sound_8k_has_its_classes_recordings_and_folds(self, tmp_path, given):
        urban_sound_8k(tmp_path)
        (tmp_path / "audio/fold2/201-1-0-0.wav").unlink()
        assert rows(tmp_path / given) == [
            ("fold1/100-0-0-0.wav", "siren", "100", None, 1),
            ("fold1/101-1-0-0.wav", "drilling", "101", None, 1),
            ("fold2/200-0-0-0.wav", "siren", "200", None, 2),
        ]
        assert read_dataset(tmp_path / given).notes == ("there is no file for 1 of the clips in UrbanSound8K.csv",)

    def test_a_table_beside_the_audio_is_found(self, tmp_path):
        urban_sound_8k(tmp_path)
        (tmp_path / "metadata/UrbanSound8K.csv").rename(tmp_path / "audio/UrbanSound8K.csv")
        assert read_dataset(tmp_path / "audio").clips[0].path == "fold1/100-0-0-0.wav"

    def test_folds_without_the_table_are_refused_with_its_name(self, tmp_path):
        (urban_sound_8k(tmp_path) / "metadata/UrbanSound8K.csv").unlink()
        with pytest.raises(DataError, match=r"metadata/UrbanSound8K\.csv"):
            read_dataset(tmp_path / "audio")

    @pytest.mark.parametrize("given", ["", "fma_small"])
    def test_fma_has_top_genres_artists_and_parts(self, tmp_path, given):
        dataset = read_dataset(fma(tmp_path) / given)
        assert [(c.label, c.group, c.split) for c in dataset.clips] == [
            ("Rock", "7", "train"),
            ("Rock", "7", "train"),
            ("Folk", "8", "test"),
        ]
        assert dataset.notes == ("left out 1 of 4 tracks, without a top genre in tracks.csv",)

    def test_numbered_folders_of_tracks_without_the_table_are_refused_with_its_name(self, tmp_path):
        (fma(tmp_path) / "fma_metadata/tracks.csv").unlink()
        with pytest.raises(DataError, match=r"tracks\.csv of fma_metadata\.zip"):
            read_dataset(tmp_path / "fma_small")

    @pytest.mark.parametrize("given", ["", "fma_small"])
    def test_a_track_of_another_name_is_left_out(self, tmp_path, given):
        write(fma(tmp_path), *(f"fma_small/001/{name}.mp3" for name in (*range(1_010, 1_016), "take two")))
        for file in (tmp_path / "fma_small/001").glob("10*.mp3"):
            file.rename(file.with_stem(f"00{file.stem}"))
        assert len(read_dataset(tmp_path / given).clips) == 3

    @pytest.mark.parametrize("layout", [esc_50, urban_sound_8k])
    def test_names_are_found_whatever_the_case_of_their_ending(self, tmp_path, layout):
        expected = len(read_dataset(layout(tmp_path)).clips)
        for file in [*tmp_path.rglob("*.wav")]:
            file.rename(file.with_suffix(".WAV"))
        assert len(read_dataset(tmp_path).clips) == expected

    def test_a_table_of_other_clips_is_refused(self, tmp_path):
        esc_50(tmp_path)
        for file in [*tmp_path.rglob("*.wav")]:
            file.rename(file.with_stem(f"5-9{file.stem[3:]}"))
        with pytest.raises(DataError, match=r"none of the 4 files that .*esc50\.csv lists is in"):
            read_dataset(tmp_path)

    def test_a_second_copy_of_a_clip_is_said_to_be_left_out(self, tmp_path):
        write(esc_50(tmp_path), "copy/1-100-A-0.wav")
        assert read_dataset(tmp_path).notes == (
            "left out 1 of 5 audio files, without a line of their own in esc50.csv",
        )  # fmt: skip


class TestFolders:
    def test_speech_commands_has_its_lists_and_speakers_and_no_noise(self, tmp_path):
        assert rows(speech_commands(tmp_path)) == [
            ("no/0a_nohash_0.wav", "no", "0a", "train", None),
            ("no/0c_nohash_1.wav", "no", "0c", "test", None),
            ("yes/0a_nohash_0.wav", "yes", "0a", "train", None),
            ("yes/0b_nohash_0.wav", "yes", "0b", "validation", None),
        ]
        assert "_background_noise_" in read_dataset(tmp_path).notes[0]

    def test_speech_commands_finds_what_it_lists_whatever_the_ending(self, tmp_path):
        (speech_commands(tmp_path) / "yes/0b_nohash_0.wav").rename(tmp_path / "yes/0b_nohash_0.WAV")
        (tmp_path / "no/0c_nohash_1.wav").unlink()
        dataset = read_dataset(tmp_path)
        assert [clip.split for clip in dataset.clips] == ["train", "train", "validation"]
        assert dataset.notes[-1].startswith("there is no file for 1 of the 2 clips in validation_list.txt")

    def test_speech_commands_without_its_lists_has_speakers_alone(self, tmp_path):
        speech_commands(tmp_path)
        for name in ("validation_list.txt", "testing_list.txt"):
            (tmp_path / name).unlink()
        assert {(c.group, c.split) for c in read_dataset(tmp_path).clips} == {("0a", None), ("0b", None), ("0c", None)}

    @pytest.mark.parametrize("given", ["", "Data", "Data/genres_original"])
    def test_gtzan_from_kaggle_is_its_sound_alone(self, tmp_path, given):
        assert rows(kaggle_gtzan(tmp_path) / given) == rows(tmp_path / given)
        assert [path for path, *_ in rows(tmp_path / given)] == ["blues/blues.00000.wav", "rock/rock.00000.wav"]

    def test_gtzan_twice_is_refused_with_both_places(self, tmp_path):
        kaggle_gtzan(kaggle_gtzan(tmp_path) / "again")
        with pytest.raises(DataError, match=r"in several places, .*/Data/genres_original, .*/again/Data/genres_orig"):
            read_dataset(tmp_path)

    def test_gtzan_leaves_out_and_names_what_is_in_no_folder_of_a_genre(self, tmp_path):
        write(
            tmp_path,
            "take.wav",
            *(f"genres/{genre}/{genre}.{k:05d}.wav" for genre in ("blues", "rock") for k in range(5)),
        )
        dataset = read_dataset(tmp_path)
        assert (dataset.layout, dataset.classes) == ("GTZAN", ("blues", "rock"))
        assert dataset.notes == ("left out 1 of 11 audio files, in no folder of a genre, such as take.wav",)


class TestNames:
    @pytest.mark.parametrize("given", ["", "Actor_01"])
    def test_ravdess_has_emotions_and_actors_in_its_names(self, tmp_path, given):
        dataset = read_dataset(ravdess(tmp_path) / given)
        assert dataset.classes == ("angry", "neutral")
        assert {(Path(c.path).name[-6:-4], c.group) for c in dataset.clips} <= {("01", "01"), ("02", "02")}

    def test_fsdd_has_digits_and_speakers_in_its_names(self, tmp_path):
        dataset = read_dataset(fsdd(tmp_path))
        assert (dataset.layout, dataset.group_is) == ("FSDD", "speaker")
        assert [(c.label, c.group) for c in dataset.clips] == [("0", "ann"), ("0", "bob"), ("1", "ann"), ("1", "bob")]

    def test_a_copy_of_the_data_in_itself_has_the_same_labels(self, tmp_path):
        fsdd(fsdd(tmp_path) / "copy")
        dataset = read_dataset(tmp_path)
        assert dataset.classes == ("0", "1")
        assert "such as copy/recordings/0_ann_0.wav and recordings/0_ann_0.wav, and are read as copies" in "".join(
            dataset.notes
        )

    def test_a_file_of_another_name_is_left_out_and_named(self, tmp_path):
        names = [f"recordings/{digit}_ann_{take}.wav" for digit in (0, 1) for take in range(10)]
        dataset = read_dataset(write(tmp_path, *names, "recordings/a.wav"))
        assert len(dataset.clips) == 20
        assert "left out 1 of 21 audio files" in dataset.notes[0]
        assert dataset.notes[0].endswith("such as recordings/a.wav")

    def test_folders_that_divide_the_clips_otherwise_are_the_classes(self, tmp_path):
        names = [
            f"{kind}/{d}_{who}_0.wav"
            for kind, people in (("low", "ab"), ("high", "cd"))
            for who in people
            for d in (0, 1)
        ]
        clips = read_dataset(write(tmp_path, *names)).clips
        assert {c.label for c in clips} == {"low", "high"}
        assert {c.group for c in clips} == {*"abcd"}
