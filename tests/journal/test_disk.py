from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tracker.atomic_files import disk_errors, place_whole, remove_unfinished, sync_tree, write_synced, write_whole
from tracker.errors import JournalError


def fail(_temporary: Path) -> None:
    raise OSError(errno.EIO, "Input/output error")


class TestDiskErrors:
    @pytest.mark.parametrize(
        ("number", "said"),
        [
            (errno.ENOSPC, "cannot write the journal a: No space left on device; make room on that disk"),
            (errno.EROFS, "cannot write the journal a: Read-only file system; use a folder that can be written to"),
            (
                errno.EACCES,
                "cannot write the journal a: Permission denied; make it yours, or ask its owner for the permission",
            ),
            (
                errno.EIO,
                "cannot write the journal a: Input/output error; see that the disk is well and the folder there",
            ),
        ],
    )
    def test_says_what_where_why_and_the_remedy(self, number: int, said: str) -> None:
        import os

        with pytest.raises(JournalError) as error, disk_errors("write the journal", Path("a")):
            raise OSError(number, os.strerror(number))
        assert str(error.value) == said

    def test_says_in_one_line_what_has_no_number(self) -> None:
        with pytest.raises(JournalError, match=r"^cannot read a: one two; see"), disk_errors("read", Path("a")):
            raise OSError("one\ntwo")

    def test_lets_other_errors_be(self) -> None:
        with pytest.raises(KeyError), disk_errors("read", Path("a")):
            raise KeyError


class TestWriteWhole:
    def test_writes_over_one_that_is_there(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "a", b"old")
        write_whole(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_bytes() == b"new"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


class TestPlaceWhole:
    def test_makes_the_folders_on_the_way(self, tmp_path: Path) -> None:
        place_whole(tmp_path, tmp_path / "a/b/c", lambda temporary: write_synced(temporary, b"1"))
        assert (tmp_path / "a/b/c").read_bytes() == b"1"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_keeps_what_is_there_until_the_new_is_whole(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "a", b"old")

        def look_and_fail(temporary: Path) -> None:
            temporary.write_bytes(b"ne")
            assert (tmp_path / "a").read_bytes() == b"old"
            fail(temporary)

        with pytest.raises(OSError, match="Input/output error"):
            place_whole(tmp_path, tmp_path / "a", look_and_fail)
        assert (tmp_path / "a").read_bytes() == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_leaves_no_half_of_a_folder(self, tmp_path: Path) -> None:
        def begin_and_fail(temporary: Path) -> None:
            (temporary / "sub").mkdir(parents=True)
            fail(temporary)

        with pytest.raises(OSError, match="Input/output error"):
            place_whole(tmp_path, tmp_path / "a", begin_and_fail)
        assert list(tmp_path.iterdir()) == []

    def test_refuses_a_path_through_a_file(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "a", b"file")
        with pytest.raises(OSError, match="a"):
            place_whole(tmp_path, tmp_path / "a/b", lambda temporary: write_synced(temporary, b"1"))
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


class TestSyncTree:
    def test_leaves_a_folder_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "made/sub").mkdir(parents=True)
        (tmp_path / "made/sub/a").write_bytes(b"1")
        sync_tree(tmp_path / "made")
        assert (tmp_path / "made/sub/a").read_bytes() == b"1"

    def test_says_that_there_is_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            sync_tree(tmp_path / "gone")


class TestRemoveUnfinished:
    def test_removes_that_alone(self, tmp_path: Path) -> None:
        (tmp_path / ".a.tmp/sub").mkdir(parents=True)
        for name in (".b.tmp", "c.tmp", ".d"):
            (tmp_path / name).touch()
        remove_unfinished(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"c.tmp", ".d"}
