from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.data.test_dataset import write
from tracker.data.libraries import clips_of
from tracker.data.reading import located, read_dataset
from tracker.errors import DataError
from tracker.runs import DataPlan, is_of_library

NAME = "mirdata:some"


def loaded(folder: Path, **attributes: list[object]) -> list[SimpleNamespace]:
    """Return what a loader has of two clips that are there and one that isn't."""
    write(folder, "a/0.wav", "b/1.wav")
    clips = []
    for number, file in enumerate(("a/0.wav", "b/1.wav", "b/2.wav")):
        values = {name: value[number] for name, value in attributes.items()}
        clips.append(SimpleNamespace(audio_path=str(folder / file), **values))
    return clips


class TestClipsOf:
    def test_clips_have_what_loaders_usually_call_label_group_and_fold(self, tmp_path):
        clips = loaded(tmp_path, category=["dog", "cat", "cat"], src_file=["7", "8", "9"], fold=[0, 1, 1])
        dataset = clips_of(NAME, clips, tmp_path, DataPlan())
        assert [(c.path, c.label, c.group, c.fold) for c in dataset.clips] == [
            ("a/0.wav", "dog", "7", 1),
            ("b/1.wav", "cat", "8", 2),
        ]
        assert dataset.layout == NAME
        assert dataset.notes == (f"{tmp_path} lacks 1 of the clips that {NAME} lists",)

    def test_a_single_tag_is_a_label(self, tmp_path):
        tags = [SimpleNamespace(labels=[label]) for label in ("dog", "cat", "cat")]
        assert clips_of(NAME, loaded(tmp_path, tags=tags), tmp_path, DataPlan()).classes == ("cat", "dog")

    def test_attributes_may_be_said(self, tmp_path):
        clips = loaded(tmp_path, mood=["calm", "wild", "wild"], genre=["x", "x", "x"], singer=["ann", "bob", "bob"])
        dataset = clips_of(NAME, clips, tmp_path, DataPlan(columns="label=mood,group=singer"))
        assert [(c.label, c.group) for c in dataset.clips] == [("calm", "ann"), ("wild", "bob")]
        assert dataset.group_is == "singer"

    @pytest.mark.parametrize(
        ("attributes", "columns", "message"),
        [({"pitch": [1, 2, 3]}, None, "label under a usual name"), ({"genre": ["x"] * 3}, "label=mood", "no mood;")],
    )
    def test_clips_without_a_label_are_refused(self, tmp_path, attributes, columns, message):
        with pytest.raises(DataError, match=message):
            clips_of(NAME, loaded(tmp_path, **attributes), tmp_path, DataPlan(columns=columns))

    def test_a_copy_that_is_not_there_is_refused_with_the_command_that_downloads_it(self, tmp_path):
        clips = loaded(tmp_path, genre=["x"] * 3)[2:]
        with pytest.raises(DataError, match=r"there is no copy of mirdata:some .* mirdata\.initialize\('some'\)"):
            clips_of(NAME, clips, tmp_path, DataPlan())


class TestNames:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [("mirdata:gtzan_genre", True), ("soundata:esc50", True), ("C:genres", False)],
    )
    def test_a_name_in_a_library_is_no_path(self, name, expected):
        assert is_of_library(name) is expected

    def test_a_library_that_is_not_installed_is_named_with_how_to_install_it(self):
        try:
            import mirdata  # noqa: F401
        except ImportError:
            with pytest.raises(DataError, match=r"pip install 'tracker-report\[mirdata\]'"):
                read_dataset(Path(NAME))

    def test_the_folder_of_a_copy_is_absolute_since_the_data_has_none(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert located(DataPlan(audio_root="copy"), Path(NAME)).audio_root == str(tmp_path / "copy")
