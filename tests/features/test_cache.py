from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tracker.features.cache import ImageCache, settings_key
from tracker.runs import Spectrogram

CLIP, OTHER = "ab" * 32, "cd" * 32
IMAGE = np.linspace(-80, 0, 128 * 50).reshape(128, 50).astype(np.float16)


@pytest.fixture
def cache(tmp_path):
    return ImageCache(tmp_path / "cache", Spectrogram())


@pytest.fixture
def file(cache, tmp_path):
    """Where the image of `CLIP` lies, once written."""
    cache.write(CLIP, IMAGE)
    return tmp_path / "cache" / settings_key(Spectrogram()) / f"{CLIP}.npy"


class TestRead:
    def test_finds_nothing_in_an_empty_cache(self, cache):
        assert cache.read(CLIP) is None

    @pytest.mark.parametrize("mapped", [True, False])
    def test_gives_what_was_written(self, cache, mapped):
        cache.write(CLIP, IMAGE)
        image = cache.read(CLIP, mapped=mapped)
        assert image.dtype == np.float16
        assert isinstance(image, np.memmap) is mapped
        np.testing.assert_array_equal(image, IMAGE)

    @pytest.mark.parametrize(
        "other",
        [Spectrogram(sr=16_000), Spectrogram(n_fft=1_024), Spectrogram(hop_length=256), Spectrogram(n_mels=64)],
    )
    def test_does_not_mix_feature_settings(self, cache, tmp_path, other):
        cache.write(CLIP, IMAGE)
        assert ImageCache(tmp_path / "cache", other).read(CLIP) is None

    @pytest.mark.parametrize("length", [0, 3, 60, 128, -1])
    def test_takes_a_truncated_file_for_none(self, cache, file, length):
        file.write_bytes(file.read_bytes()[:length])
        assert cache.read(CLIP) is None

    def test_takes_a_file_with_a_damaged_header_for_none(self, cache, file):
        content = file.read_bytes()
        rng = np.random.default_rng(0)
        for position, value in zip(rng.integers(0, 128, 500), rng.integers(0, 256, 500), strict=True):
            file.write_bytes(content[:position] + bytes([value]) + content[position + 1 :])
            image = cache.read(CLIP)
            assert image is None or np.array_equal(image, IMAGE)

    def test_takes_a_file_that_a_disk_has_changed_for_none(self, cache, file):
        content = file.read_bytes()
        for position in np.random.default_rng(0).integers(128, len(content), 500):
            flipped = bytes([content[position] ^ 1])
            file.write_bytes(content[:position] + flipped + content[position + 1 :])
            assert cache.read(CLIP) is None

    def test_takes_the_file_of_another_clip_for_none(self, cache, file):
        file.rename(file.with_name(f"{OTHER}.npy"))
        assert cache.read(OTHER) is None

    def test_takes_an_array_without_its_checksum_for_none(self, cache, file):
        np.save(file, IMAGE)
        assert cache.read(CLIP) is None

    @pytest.mark.parametrize(
        "foreign", [IMAGE.astype(np.float32), IMAGE[:64], IMAGE.ravel(), np.array({"a": 1}, dtype=object)]
    )
    def test_takes_another_array_for_none(self, cache, file, foreign):
        np.save(file, foreign)
        assert cache.read(CLIP) is None


class TestWrite:
    def test_leaves_nothing_but_the_image(self, file):
        assert list(file.parent.iterdir()) == [file]

    def test_replaces_a_damaged_file(self, cache, file):
        file.write_bytes(b"\x93NUMPY")
        cache.write(CLIP, IMAGE)
        np.testing.assert_array_equal(cache.read(CLIP), IMAGE)

    def test_leaves_maps_of_the_old_file_alone(self, cache):
        cache.write(CLIP, IMAGE)
        old = cache.read(CLIP)
        cache.write(CLIP, np.zeros_like(IMAGE))
        np.testing.assert_array_equal(old, IMAGE)

    def test_keeps_an_image_however_it_lies_in_memory(self, cache):
        cache.write(CLIP, np.asfortranarray(IMAGE))
        np.testing.assert_array_equal(cache.read(CLIP), IMAGE)

    def test_removes_what_it_could_not_finish(self, cache, file):
        file.unlink()
        file.mkdir()
        (file / "in the way").touch()
        cache.write(CLIP, IMAGE)
        assert list(file.parent.iterdir()) == [file]


class TestFaults:
    def test_are_none_where_images_are_written_and_read_and_lacking(self, cache):
        cache.write(CLIP, IMAGE)
        assert cache.read(CLIP) is not None
        assert cache.read(OTHER) is None
        assert cache.faults == ()

    def test_count_the_damaged_files(self, cache, file, tmp_path):
        file.write_bytes(file.read_bytes()[:-1])
        file.with_name(f"{OTHER}.npy").touch()
        assert cache.read(CLIP) is cache.read(OTHER) is None
        folder = tmp_path / "cache" / settings_key(Spectrogram())
        assert cache.faults == (f"damaged features found in {folder} and made anew: 2",)

    def test_name_once_the_folder_that_cannot_be_written_to_and_the_remedy(self, tmp_path):
        (tmp_path / "file").touch()
        cache = ImageCache(tmp_path / "file", Spectrogram())
        start = threading.Barrier(4)

        def write(_):
            start.wait()
            cache.write(CLIP, IMAGE)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        assert cache.read(CLIP) is None
        (fault,) = cache.faults
        assert fault == (
            f"features are not cached: {tmp_path / 'file' / settings_key(Spectrogram())} cannot be written to (Not a "
            "directory); make room there or set TRACKER_CACHE to another folder"
        )


class TestSettingsKey:
    def test_is_the_same_for_equal_settings(self):
        assert settings_key(Spectrogram()) == settings_key(Spectrogram(22_050, 2_048, 512, 128))

    def test_is_another_for_another_version_of_what_makes_the_image(self):
        assert settings_key(Spectrogram(), lambda _: "0.1") != settings_key(Spectrogram(), lambda _: "0.2")

    def test_is_fit_for_a_file_name(self):
        assert settings_key(Spectrogram()).isalnum()
