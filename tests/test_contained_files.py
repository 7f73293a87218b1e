from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracker import contained_files
from tracker.contained_files import (
    UnsafePathError,
    check_place,
    contains,
    list_tree,
    open_file,
    open_folder,
    read_file,
    read_regular,
    resolve_output,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        short = Path(f"/tmp/{os.getpid()}.socket")  # noqa: S108 -- the path of a socket may have 107 bytes
        made.bind(str(short))
        short.rename(path)


KINDS: dict[str, Callable[[Path], object]] = {
    "a symbolic link": lambda path: path.symlink_to("/etc/hostname"),
    "a named pipe": os.mkfifo,
    "a socket": bind,
}
"""What may lie in the place of a file, and is named."""


@pytest.fixture(params=[True, False], ids=["openat", "without openat"])
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a file, beside one that nobody may read, on either kind of system."""
    monkeypatch.setattr(contained_files, "_HAS_OPENAT", request.param)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/key").write_text("secret")
    (tmp_path / "project/a/b").mkdir(parents=True)
    (tmp_path / "project/a/b/file").write_text("content")
    return tmp_path / "project"


class TestReadFile:
    def test_a_file_beneath_the_root_is_read(self, project: Path) -> None:
        assert read_file(project / "a/b/file", project, 7) == b"content"

    def test_the_root_may_be_reached_through_a_link(self, project: Path) -> None:
        (project.parent / "link").symlink_to(project)
        assert read_file(project.parent / "link/a/b/file", project.parent / "link", 7) == b"content"

    def test_a_file_beyond_the_limit_is_named(self, project: Path) -> None:
        with pytest.raises(UnsafePathError, match="file: it has 7 bytes, and at most 6 are read; remove it"):
            read_file(project / "a/b/file", project, 6)

    @pytest.mark.parametrize("step", ["a", "a/b", "a/b/file"])
    def test_no_link_is_followed_on_the_way(self, project: Path, step: str) -> None:
        (project / step).rename(project.parent / "elsewhere")
        (project / step).symlink_to(project.parent / "elsewhere")
        with pytest.raises(UnsafePathError, match=f"{Path(step).name} is a symbolic link; put a .* in its place"):
            read_file(project / "a/b/file", project, 7)

    @pytest.mark.parametrize("path", ["../home/key", "a/../../home/key", "/etc/hostname"])
    def test_no_path_leads_out(self, project: Path, path: str) -> None:
        with pytest.raises(UnsafePathError, match="it leads out of"):
            read_file(project / path, project, 99)

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_not_a_file_is_named_and_not_waited_for(self, project: Path, kind: str) -> None:
        KINDS[kind](project / "a/it")
        with pytest.raises(UnsafePathError, match=f"it is {kind}; put a file itself in its place, or remove it"):
            read_file(project / "a/it", project, 99)

    @pytest.mark.parametrize("kind", ["a named pipe", "a socket"])
    def test_what_is_not_a_folder_is_named(self, project: Path, kind: str) -> None:
        KINDS[kind](project / "it")
        with pytest.raises(UnsafePathError, match=f"it is {kind}; put a folder itself in its place"):
            read_file(project / "it/file", project, 99)

    def test_what_is_missing_or_no_folder_is_an_error_of_the_system(self, project: Path) -> None:
        for path, error in (
            ("a/gone", FileNotFoundError),
            ("gone/file", FileNotFoundError),
            ("a/b", IsADirectoryError),
        ):
            with pytest.raises(error, match=re.escape(str(project / path.split("/")[0]))):
                read_file(project / path, project, 99)
        with pytest.raises(NotADirectoryError):
            read_file(project / "a/b/file/x", project, 99)

    def test_a_name_with_a_nul_is_an_error_of_one_line(self, project: Path) -> None:
        with pytest.raises(UnsafePathError, match="NUL"):
            read_file(project / "a\0b", project, 99)


class TestOpenFile:
    def test_a_new_file_is_created_where_nothing_is(self, project: Path) -> None:
        with open_file(project / "new", project, "xb") as file:
            file.write(b"1")
        assert (project / "new").read_bytes() == b"1"

    @pytest.mark.parametrize("target", ["../home/key", "../home/new"])
    def test_a_new_file_is_not_created_through_a_link(self, project: Path, target: str) -> None:
        (project / "new").symlink_to(target)
        with pytest.raises(FileExistsError), open_file(project / "new", project, "xb"):
            pass
        assert [path.name for path in (project.parent / "home").iterdir()] == ["key"]

    @pytest.mark.parametrize("mode", ["ab", "r+b"])
    def test_nothing_is_added_to_through_a_link(self, project: Path, mode: contained_files.Mode) -> None:
        (project / "log").symlink_to("../home/key")
        with pytest.raises(UnsafePathError, match="log is a symbolic link"), open_file(project / "log", project, mode):
            pass
        assert (project.parent / "home/key").read_text() == "secret"


class TestOpenFolder:
    def test_missing_folders_are_made_on_request(self, project: Path) -> None:
        with pytest.raises(FileNotFoundError), open_folder(project / "c/d", project):
            pass
        with open_folder(project / "c/d", project, make=True) as folder:
            assert folder.names() == []
        assert (project / "c/d").is_dir()

    def test_no_folder_is_made_behind_a_link(self, project: Path) -> None:
        (project / "c").symlink_to("../home")
        with pytest.raises(UnsafePathError), open_folder(project / "c/d", project, make=True):
            pass
        assert not (project.parent / "home/d").exists()


class TestContains:
    def test_files_and_folders_are_contained_and_nothing_else(self, project: Path) -> None:
        (project / "a/link").symlink_to("b")
        os.mkfifo(project / "a/pipe")
        paths = ("a", "a/b", "a/b/file", "a/link", "a/link/file", "a/pipe", "a/gone", "../home/key", "", ".", "a\0b")
        assert [path for path in paths if contains(project, path, project)] == ["a", "a/b", "a/b/file"]
        assert not contains(project / "a", str(project.parent / "home/key"), project)
        assert not contains(project / "a", "..", project)

    def test_nothing_is_contained_behind_a_link_below_the_root(self, project: Path) -> None:
        (project / "link").symlink_to("a")
        assert contains(project / "a", "b", project)
        assert not contains(project / "link", "b", project)


class TestCheckPlace:
    def test_a_place_that_is_not_there_yet_is_right(self, project: Path) -> None:
        check_place(project / "a/new/folder", project)

    @pytest.mark.parametrize("path", ["link/new", "a/../../home"])
    def test_a_place_that_leads_out_is_refused(self, project: Path, path: str) -> None:
        (project / "link").symlink_to("../home")
        with pytest.raises(UnsafePathError):
            check_place(project / path, project)


class TestListTree:
    def test_every_file_is_listed(self, project: Path) -> None:
        (project / "a/c").touch()
        assert list(list_tree(project, project)) == [project / "a/b/file", project / "a/c"]

    @pytest.mark.parametrize("kind", KINDS)
    def test_anything_else_is_named(self, project: Path, kind: str) -> None:
        KINDS[kind](project / "a/it")
        with pytest.raises(UnsafePathError, match=f"it is {kind}"):
            list(list_tree(project, project))


class TestReadRegular:
    def test_what_a_user_names_may_be_a_link(self, project: Path) -> None:
        (project / "link").symlink_to("a/b/file")
        assert read_regular(project / "link") == b"content"

    @pytest.mark.parametrize("path", ["/dev/zero", "pipe"])
    def test_pipes_and_devices_are_named(self, project: Path, path: str) -> None:
        os.mkfifo(project / "pipe")
        with pytest.raises(UnsafePathError, match=f"{Path(path).name} is a (device|named pipe)"):
            read_regular(project / path)


class TestResolveOutput:
    @pytest.fixture(autouse=True)
    def _in_the_project(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(project)

    def test_links_that_stay_in_the_working_folder_are_followed(self, project: Path) -> None:
        (project / "link").symlink_to("a/b")
        assert resolve_output(Path("link/new")) == project / "a/b/new"

    @pytest.mark.parametrize("path", ["link", "link/new", "dangling"])
    def test_links_that_leave_it_are_refused(self, project: Path, path: str) -> None:
        (project / "link").symlink_to("../home")
        (project / "dangling").symlink_to("../home/new")
        for spelt in (Path(path), project / path):
            with pytest.raises(UnsafePathError, match=r"a link leads from there to .*; give that path itself"):
                resolve_output(spelt)

    def test_a_path_outside_may_be_given(self, project: Path) -> None:
        assert resolve_output(Path("../home/new")) == project.parent / "home/new"
        assert resolve_output(project.parent / "home/new") == project.parent / "home/new"

    def test_links_of_the_system_are_its_own(self) -> None:
        assert resolve_output(Path("/dev/stdout")) == Path("/dev/stdout")
