from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tracker.atomic_files import (
    copy_path,
    disk_errors,
    remove_unfinished,
    replace_file,
    replace_path,
    sync_tree,
    write_new,
)
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
                "cannot write the journal a: Permission denied; make it yours, or ask its owner for permission",
            ),
            (
                errno.EIO,
                "cannot write the journal a: Input/output error; check that the disk works and the folder exists",
            ),
        ],
    )
    def test_an_os_error_becomes_one_line_with_path_reason_and_remedy(self, number: int, said: str) -> None:
        import os

        with pytest.raises(JournalError) as error, disk_errors("write the journal", Path("a")):
            raise OSError(number, os.strerror(number))
        assert str(error.value) == said

    def test_an_error_without_a_number_becomes_one_line(self) -> None:
        with pytest.raises(JournalError, match=r"^cannot read a: one two; check"), disk_errors("read", Path("a")):
            raise OSError("one\ntwo")

    def test_other_errors_pass_unchanged(self) -> None:
        with pytest.raises(KeyError), disk_errors("read", Path("a")):
            raise KeyError


class TestReplaceFile:
    def test_replace_file_replaces_an_existing_file(self, tmp_path: Path) -> None:
        replace_file(tmp_path / "a", b"old")
        replace_file(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_bytes() == b"new"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


class TestReplacePath:
    def test_replace_path_creates_the_folders_above_the_target(self, tmp_path: Path) -> None:
        replace_path(tmp_path / "a/b/c", lambda temporary: write_new(temporary, b"1"), folder=tmp_path)
        assert (tmp_path / "a/b/c").read_bytes() == b"1"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_the_old_file_stays_until_the_new_one_is_complete(self, tmp_path: Path) -> None:
        replace_file(tmp_path / "a", b"old")

        def look_and_fail(temporary: Path) -> None:
            temporary.write_bytes(b"ne")
            assert (tmp_path / "a").read_bytes() == b"old"
            fail(temporary)

        with pytest.raises(OSError, match="Input/output error"):
            replace_path(tmp_path / "a", look_and_fail, folder=tmp_path)
        assert (tmp_path / "a").read_bytes() == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_a_failed_write_leaves_no_partial_folder(self, tmp_path: Path) -> None:
        def begin_and_fail(temporary: Path) -> None:
            (temporary / "sub").mkdir(parents=True)
            fail(temporary)

        with pytest.raises(OSError, match="Input/output error"):
            replace_path(tmp_path / "a", begin_and_fail, folder=tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_replace_path_refuses_a_path_through_a_file(self, tmp_path: Path) -> None:
        replace_file(tmp_path / "a", b"file")
        with pytest.raises(OSError, match="a"):
            replace_path(tmp_path / "a/b", lambda temporary: write_new(temporary, b"1"), folder=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


class TestSyncTree:
    def test_syncing_changes_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "made/sub").mkdir(parents=True)
        (tmp_path / "made/sub/a").write_bytes(b"1")
        sync_tree(tmp_path / "made")
        assert (tmp_path / "made/sub/a").read_bytes() == b"1"

    def test_syncing_a_missing_folder_raises(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            sync_tree(tmp_path / "gone")


class TestRemoveUnfinished:
    def test_remove_unfinished_removes_only_unfinished_files(self, tmp_path: Path) -> None:
        (tmp_path / ".a.tmp/sub").mkdir(parents=True)
        for name in (".b.tmp", "c.tmp", ".d"):
            (tmp_path / name).touch()
        remove_unfinished(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"c.tmp", ".d"}


class TestCopyPath:
    def test_copy_path_copies_files_and_whole_folders_to_folders_that_exist(self, tmp_path: Path) -> None:
        (tmp_path / "a/sub").mkdir(parents=True)
        (tmp_path / "a/sub/file").write_bytes(b"1")
        for source, target in (("a", "b"), ("a/sub/file", "c")):
            copy_path(tmp_path / source, tmp_path / target, source_root=tmp_path, target_root=tmp_path)
        assert (tmp_path / "b/sub/file").read_bytes() == (tmp_path / "c").read_bytes() == b"1"
        assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "c"}
