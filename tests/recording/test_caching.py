from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tracker.recording.caching import bytes_of, look_at_cache

if TYPE_CHECKING:
    from pathlib import Path

HOUR_NS = 3_600 * 10**9


def write(path: Path, size: int, hour: int) -> Path:
    """A file last used so many hours after some moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, ns=(hour * HOUR_NS, hour * HOUR_NS))
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TRACKER_CACHE", str(folder))
    write(folder / "0123456789abcdef/old.npy", 100, hour=1)
    write(folder / "0123456789abcdef/new.npy", 100, hour=9)
    write(folder / "demo/0123/clips/a.wav", 300, hour=2)
    write(folder / "demo/0123/clips/b.wav", 300, hour=5)
    write(folder / "measures/1-0123/old.json", 10, hour=3)
    return folder


class TestLookAtCache:
    def test_each_kind_is_counted(self, cache: Path) -> None:
        found = look_at_cache()
        assert [(part.name, part.files, part.size) for part in found.parts] == [
            ("features", 2, 200),
            ("measures of clips", 1, 10),
            ("demo sets", 2, 600),
        ]
        assert (found.folder, found.size, found.removed) == (cache, 810, 0)
        assert found.parts[0].used_ms == 9 * HOUR_NS // 10**6

    def test_a_folder_that_is_not_there_is_empty(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRACKER_CACHE", str(tmp_path / "nowhere"))
        assert look_at_cache(0).parts == ()

    @pytest.mark.parametrize(
        ("limit", "kept"),
        [
            (810, ["a.wav", "b.wav", "new.npy", "old.json", "old.npy"]),
            (809, ["a.wav", "b.wav", "new.npy", "old.json"]),
            (705, ["a.wav", "b.wav", "new.npy"]),
            (699, ["new.npy"]),  # a demo set is used as a whole
            (0, []),
        ],
    )
    def test_what_was_used_longest_ago_is_removed_first(self, cache: Path, limit: int, kept: list[str]) -> None:
        found = look_at_cache(limit)
        assert sorted(file.name for file in cache.rglob("*") if file.is_file()) == kept
        assert found.size <= limit
        assert found.freed == 810 - found.size
        assert found.removed == 5 - len(kept)

    def test_other_things_in_the_folder_are_left_alone(self, cache: Path, tmp_path: Path) -> None:
        other = write(tmp_path / "other/thesis.npy", 50, hour=1)
        mine = [write(cache / name, 10, hour=1) for name in ("notes.txt", "0123456789abcdef0/a.npy", "src/a.npy")]
        (cache / "demo/linked").symlink_to(other.parent)
        (cache / "fedcba9876543210").symlink_to(other.parent)
        assert look_at_cache(0).removed == 5
        assert all(file.exists() for file in (other, *mine))


class TestBytesOf:
    @pytest.mark.parametrize(
        ("text", "size"), [("0", 0), ("2GB", 2 * 10**9), ("1.5 mb", 1_500_000), ("12k", 12_000), ("7b", 7)]
    )
    def test_a_size_has_a_unit_or_is_0(self, text: str, size: int) -> None:
        assert bytes_of(text) == size

    @pytest.mark.parametrize("text", ["", "GB", "3", "-1", "-1B", "2 pounds", "1e9", "٣", "9" * 400])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be a size such as 2GB, 500MB or 0, got "):
            bytes_of(text)
