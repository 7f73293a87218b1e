from pathlib import Path

import pytest

from tests.builders import write_tone
from tests.data.test_dataset import write
from tracker.data.assign import grouped, refuse_swapped, split_by_lists
from tracker.data.dataset import Clip, Dataset
from tracker.data.reading import located, read_dataset
from tracker.errors import DataError
from tracker.runs import DataPlan, data_plan_of, plan_of, plan_with
from tracker.runs.sweeps import levels_of
from tracker.training.networks import parse_options


def clips(*paths: str) -> Dataset:
    return Dataset(tuple(Clip(path, Path("/nowhere") / path, path.split("/")[0], "before") for path in paths))


def groups(rule: str, *paths: str) -> list[str | None]:
    return [clip.group for clip in grouped(clips(*paths), DataPlan(group_by=rule)).clips]


class TestGrouped:
    @pytest.mark.parametrize(
        ("rule", "found", "group_is"),
        [
            ("folder:2", ["ann", "bob"], "folder"),
            (r"(\w+)_\d+\.wav", ["x", "y"], "group"),
            (r"_(?P<take>\d)", ["1", "2"], "take"),
            (r"ann|bob", ["ann", "bob"], "group"),
        ],
    )
    def test_groups_are_found_in_paths(self, rule, found, group_is):
        dataset = grouped(clips("rock/ann/x_1.wav", "rock/bob/y_2.wav"), DataPlan(group_by=rule))
        assert [clip.group for clip in dataset.clips] == found
        assert dataset.group_is == group_is

    def test_a_clip_without_a_group_is_its_own_and_is_counted(self):
        dataset = grouped(clips("rock/a.wav", "rock/ann/b.wav"), DataPlan(group_by="folder:2"))
        assert [clip.group for clip in dataset.clips] == [None, "ann"]
        assert dataset.notes == ("no group by folder:2 for 1 of 2 clips, such as rock/a.wav",)

    def test_a_rule_that_finds_no_group_is_refused(self):
        with pytest.raises(DataError, match=r"finds no group for any of the 2 clips, the first is rock/a\.wav"):
            groups("singer_(.*)", "rock/a.wav", "rock/b.wav")

    def test_groups_are_read_from_the_tags_of_files(self, tmp_path):
        import soundfile

        for name, artist in (("a", "Ann"), ("b", "Bob"), ("c", None)):
            file = tmp_path / "rock" / f"{name}.flac"
            write_tone(tmp_path / "rock" / f"{name}.wav", 200)
            samples, rate = soundfile.read(tmp_path / "rock" / f"{name}.wav")
            with soundfile.SoundFile(file, "w", rate, 1) as opened:
                if artist:
                    opened.artist = artist
                opened.write(samples)
        found = Dataset(tuple(Clip(f"{n}.flac", tmp_path / "rock" / f"{n}.flac", "rock") for n in "abc"))
        dataset = grouped(found, DataPlan(group_by="tag:artist"))
        assert ([clip.group for clip in dataset.clips], dataset.group_is) == (["Ann", "Bob", None], "artist")
        with pytest.raises(DataError, match="tag:singer can't be read"):
            grouped(found, DataPlan(group_by="tag:singer"))


class TestSplitByLists:
    @pytest.fixture
    def lists(self, tmp_path: Path) -> list[Path]:
        for name, lines in (("train", "rock/a.wav\n"), ("valid", "genres\\jazz\\b.au\n\n"), ("test", "./c\n")):
            (tmp_path / f"{name}.txt").write_text(lines)
        return [tmp_path / f"{name}.txt" for name in ("train", "valid", "test")]

    def test_clips_are_in_the_part_of_their_list_and_others_are_left_out(self, lists):
        dataset = split_by_lists(clips("rock/a.wav", "jazz/b.wav", "jazz/c.wav", "rock/d.wav"), lists)
        parts = {clip.path: clip.split for clip in dataset.clips}
        assert parts == {"rock/a.wav": "train", "jazz/b.wav": "validation", "jazz/c.wav": "test"}
        assert dataset.notes == ("left out 1 of 4 clips, in none of the lists",)

    def test_a_clip_in_two_lists_is_refused(self, lists):
        lists[2].write_text("a.wav\n")
        with pytest.raises(DataError, match=r"test\.txt, line 1: rock/a\.wav is in another list too"):
            split_by_lists(clips("rock/a.wav", "jazz/b.wav"), lists)

    def test_lists_of_other_data_are_refused(self, lists):
        with pytest.raises(
            DataError, match=r"1 of the 1 lines of .*train\.txt names no clip .* 'rock/a\.wav' \(line 1\)"
        ):
            split_by_lists(clips("rock/x.wav", "jazz/b.wav"), lists)

    def test_a_few_clips_that_are_not_there_are_counted(self, lists):
        names = [f"rock/{number}.wav" for number in range(20)]
        lists[0].write_text("\n".join([*names, "rock/gone.wav"]))
        dataset = split_by_lists(clips(*names, "jazz/b.wav", "jazz/c.wav"), lists)
        assert dataset.notes == ("there is no file for 1 of the 21 clips in train.txt",)

    def test_of_two_lists_the_second_is_the_test_unless_it_is_called_otherwise(self, lists):
        found = clips("rock/a.wav", "jazz/b.wav", "jazz/c.wav")
        parts = [{c.path: c.split for c in split_by_lists(found, [lists[0], second]).clips} for second in lists[1:]]
        assert parts == [
            {"rock/a.wav": "train", "jazz/b.wav": "validation"},
            {"rock/a.wav": "train", "jazz/c.wav": "test"},
        ]

    def test_a_list_to_train_on_that_is_shorter_than_another_is_named_unless_its_name_says_what_it_is(self, lists):
        found = clips("rock/a.wav", "jazz/b.wav", "jazz/c.wav")
        lists[2].write_text("b.wav\nc.wav\n")
        assert split_by_lists(found, [lists[0], lists[2]]).notes == ()
        first = lists[0].rename(lists[0].with_name("first.txt"))
        (note,) = split_by_lists(found, [first, lists[2]]).notes
        assert note.startswith("first.txt lists fewer clips to train on, 1, than test.txt to test on, 2; if that isn't")

    @pytest.mark.parametrize(
        "names", ["train test", "train eval", "train valid", "train dev test", "train test_a", "dev eval", "a b c"]
    )
    def test_lists_may_have_names_that_fit_their_order(self, names):
        refuse_swapped([Path(f"{name}.txt") for name in names.split()])

    @pytest.mark.parametrize(
        ("names", "named"),
        [
            ("test train", "test.txt stands where the clips to train on are listed, but by its name it has those to "),
            ("train test valid", "test.txt stands where the clips to validate on are listed"),
            ("a train_filtered", "train_filtered.txt stands where the clips to test on are listed"),
            ("valid test", "valid.txt stands where the clips to train on are listed"),
        ],
    )
    def test_lists_in_another_order_than_their_names_say_are_refused_when_they_are_given(self, names, named):
        lists = ",".join(f"{name}.txt" for name in names.split())
        with pytest.raises(DataError, match=named):
            located(DataPlan(split_lists=lists), Path("data"))


class TestColumns:
    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        write(tmp_path, "audio/one/a.wav", "audio/two/b.wav", "meta/all.csv")
        (tmp_path / "meta/all.csv").write_text("filename,category,singer,fold\na,dog,ann,1\nb.wav,cat,bob,2\n")
        return tmp_path / "meta/all.csv"

    def test_a_table_is_read_by_its_own_names_of_columns_with_audio_elsewhere(self, table, monkeypatch):
        monkeypatch.chdir(table.parents[1])
        asked = DataPlan(columns="path=filename,label=category,group=singer", audio_root="audio")
        plan = located(asked, Path("meta/all.csv"))
        assert plan.audio_root == "../audio"
        assert located(plan, Path("meta/all.csv")) == plan
        dataset = read_dataset(Path("meta/all.csv"), plan)
        assert [(c.path, c.label, c.group, c.fold) for c in dataset.clips] == [
            ("one/a.wav", "dog", "ann", 1),
            ("two/b.wav", "cat", "bob", 2),
        ]
        assert dataset.group_is == "singer"

    @pytest.mark.parametrize(
        ("columns", "message"),
        [("path=file,label=category", "no 'file' column"), ("label=folder:1", "must name its columns, not folders")],
    )
    def test_columns_that_a_table_does_not_have_are_refused(self, table, columns, message):
        with pytest.raises(DataError, match=message):
            read_dataset(table, DataPlan(columns=columns))

    @pytest.mark.parametrize(
        ("root", "message"), [("sounds", "sounds is neither in"), ("all.csv", "all.csv isn't a folder")]
    )
    def test_a_path_that_is_nowhere_or_no_folder_is_refused(self, table, root, message):
        with pytest.raises(DataError, match=f"--audio-root: {message}"):
            located(DataPlan(audio_root=root), table)

    def test_paths_are_found_from_data_that_is_a_link(self, tmp_path, monkeypatch):
        write(tmp_path, "disk/data/cat/a.wav", "disk/data/dog/b.wav")
        (tmp_path / "here/lists").mkdir(parents=True)
        (tmp_path / "here/data").symlink_to(tmp_path / "disk/data")
        for part, line in (("train", "cat/a.wav\ndog/b.wav\n"), ("valid", ""), ("test", "")):
            (tmp_path / f"here/lists/{part}.txt").write_text(line)
        (tmp_path / "disk/lists").mkdir()
        (tmp_path / "disk/lists/test.txt").write_text("another list\n")
        monkeypatch.chdir(tmp_path / "here")
        asked = DataPlan(split_lists="lists/train.txt,lists/valid.txt,lists/test.txt")
        read = read_dataset(Path("data"), located(asked, Path("data")))
        assert [clip.split for clip in read.clips] == ["train", "train"]

    def test_levels_of_folders_say_classes_groups_and_folds(self, tmp_path):
        names = [f"{site}/{label}/{site}.wav" for site in ("here", "there") for label in ("cat", "dog")]
        plan = DataPlan(columns="label=folder:2,group=folder:1")
        assert [(c.label, c.group) for c in read_dataset(write(tmp_path, *names), plan).clips] == [
            ("cat", "here"), ("dog", "here"), ("cat", "there"), ("dog", "there"),
        ]  # fmt: skip
        assert read_dataset(tmp_path, DataPlan(columns="label=folder:1")).classes == ("here", "there")
        assert read_dataset(tmp_path, DataPlan(columns="group=folder:2")).classes == ("here", "there")

    @pytest.mark.parametrize(("level", "classes"), [(1, ("cat", "dog")), (2, ("ann", "bob"))])
    def test_the_level_that_is_grouped_by_is_not_that_of_the_classes(self, tmp_path, level, classes):
        folder = write(tmp_path, *(f"{one}/{other}/a.wav" for one in ("ann", "bob") for other in ("cat", "dog")))
        with pytest.raises(DataError, match="if these are artists or the like, --group-by folder:2"):
            read_dataset(folder)
        dataset = read_dataset(folder, DataPlan(group_by=f"folder:{level}"))
        assert dataset.classes == classes
        assert [clip.group for clip in dataset.clips] == [clip.path.split("/")[level - 1] for clip in dataset.clips]

    def test_folders_that_are_parts_and_groups_divide_the_data_still(self, tmp_path):
        write(tmp_path, *(f"{part}/{label}/a.wav" for part in ("train", "test") for label in ("cat", "dog")))
        clips = read_dataset(tmp_path, DataPlan(group_by="folder:1")).clips
        assert [(clip.split, clip.group) for clip in clips] == [("test", "test")] * 2 + [("train", "train")] * 2

    def test_grouping_by_the_classes_is_refused(self, tmp_path):
        with pytest.raises(
            DataError, match=r"the sub-folders of .* \(jazz, rock\), which are its classes; give a deep"
        ):
            read_dataset(write(tmp_path, "rock/x/a.wav", "jazz/y/b.wav"), DataPlan(group_by="folder:1"))

    @pytest.mark.parametrize(
        ("columns", "message"),
        [("label=genre", "which level of sub-folders"), ("label=folder:3", "no sub-folder of level 3")],
    )
    def test_levels_that_a_folder_does_not_have_are_refused(self, tmp_path, columns, message):
        with pytest.raises(DataError, match=message):
            read_dataset(write(tmp_path, "rock/x/a.wav", "jazz/x/b.wav"), DataPlan(columns=columns))


class TestDataPlan:
    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"columns": "name=file"}, "--columns must be such as"),
            ({"columns": "path=a,path=b"}, "--columns must be such as"),
            ({"columns": "path"}, "got 'path'"),
            ({"split_lists": "a.txt"}, "must be three files, TRAIN VALID TEST, or two"),
            ({"group_by": "(x"}, "folder:N, tag:NAME or a regular expression"),
            ({"group_by": "folder:0"}, "got 'folder:0'; folders are counted from 1"),
            ({"group_by": "tag:"}, "got 'tag:'"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, values, message):
        with pytest.raises(ValueError, match=message):
            DataPlan(**values)

    @pytest.mark.parametrize(("word", "guess"), [("artist", "folder:2, or tag:artist"), ("2", "folder:2")])
    def test_grouping_by_a_word_is_refused_but_read_of_runs_that_earlier_versions_logged(self, word, guess):
        with pytest.raises(ValueError, match=f"finds the same in all paths; did you mean {guess}?"):
            plan_with({"group_by": word})
        assert data_plan_of({"group_by": word}).group_by == word

    def test_python_may_give_a_text_in_parts(self):
        given = {"columns": {"path": "a", "label": "b"}, "split_lists": ("x", "y", "z"), "audio_root": Path("audio")}
        plan = DataPlan(columns="path=a,label=b", split_lists="x,y,z", audio_root="audio")
        assert plan_with(given).data == plan
        assert {name: levels_of(name, value) for name, value in given.items()} == {
            "columns": ("path=a,label=b",), "split_lists": ("x,y,z",), "audio_root": ("audio",),
        }  # fmt: skip

    def test_how_data_is_read_is_logged_and_read_back(self):
        asked = {"columns": "path=a,label=b", "group_by": r"(\w+)_\d"}
        plan = plan_with(asked, parse_options("cnn", {}))
        assert plan.params().items() >= asked.items()
        assert plan_of(plan.params(), parse_options) == plan
        assert data_plan_of(plan.params()) == plan.data
        assert DataPlan().column_names == {}
