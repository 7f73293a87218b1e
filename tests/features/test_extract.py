from __future__ import annotations

import hashlib
import resource
import subprocess
import sys

import numpy as np
import pytest

from tracker.features.decode import AudioFault
from tracker.features.extract import extract
from tracker.features.logmel import log_mel
from tracker.runs import Spectrogram

SETTINGS = Spectrogram()


@pytest.fixture
def files(write, sound):
    """Five clips of different lengths, each with its digest."""
    paths = [write(f"{i}.wav", sound[: 10_000 + 1_000 * i]) for i in range(5)]
    return [(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


class TestExtract:
    def test_gives_images_in_the_order_of_the_files(self, files, cache):
        images = extract(files, SETTINGS, cache)
        assert [image.shape for image in images] == [(128, 1 + (10_000 + 1_000 * i) // 512) for i in range(5)]

    def test_is_off_by_no_more_than_half_precision(self, files, cache, sound):
        image = extract(files[:1], SETTINGS, cache)[0]
        assert image.dtype == np.float16
        np.testing.assert_allclose(image, log_mel(sound[:10_000], SETTINGS), atol=0.04)

    def test_gives_the_same_images_from_the_cache(self, files, cache):
        made, kept = extract(files, SETTINGS, cache), extract(files, SETTINGS, cache)
        for one, other in zip(made, kept, strict=True):
            assert isinstance(other, np.memmap)
            np.testing.assert_array_equal(one, other)

    def test_needs_no_audio_once_it_is_cached(self, files, cache):
        extract(files, SETTINGS, cache)
        for path, _ in files:
            path.unlink()
        assert not any(isinstance(image, AudioFault) for image in extract(files, SETTINGS, cache))

    def test_makes_a_damaged_image_again(self, files, cache):
        made = extract(files, SETTINGS, cache)
        damaged = next(cache.rglob(f"{files[2][1]}.npy"))
        damaged.write_bytes(damaged.read_bytes()[:1_000])
        told = []
        again = extract(files, SETTINGS, cache, warn=told.append)
        np.testing.assert_array_equal(again[2], made[2])
        np.testing.assert_array_equal(np.load(damaged), made[2])
        assert told == [f"damaged features found in {damaged.parent} and made anew: 1"]

    def test_gives_faults_beside_images_and_does_not_cache_them(self, files, cache, tmp_path):
        (tmp_path / "empty.wav").touch()
        results = extract([files[0], (tmp_path / "empty.wav", "0" * 64), files[1]], SETTINGS, cache)
        assert [isinstance(result, AudioFault) for result in results] == [False, True, False]
        assert results[1].reason == "it is empty: 0 bytes"
        assert len(list(cache.rglob("*.npy"))) == 2

    def test_tells_of_every_clip(self, files, cache):
        told = []
        extract(files, SETTINGS, cache, progress=lambda done, total: told.append((done, total)))
        assert told == [(i, 5) for i in range(1, 6)]

    def test_gives_nothing_for_nothing(self, cache):
        assert extract([], SETTINGS, cache) == []
        assert not cache.exists()

    def test_goes_on_where_it_cannot_cache(self, files, tmp_path):
        (tmp_path / "file").touch()
        told = []
        images = extract(files, SETTINGS, tmp_path / "file", warn=told.append)
        assert all(image.shape[0] == 128 for image in images)
        assert len(told) == 1

    def test_keeps_no_image_of_a_file_that_was_replaced_after_its_digest_was_taken(self, files, cache):
        (replaced, _), (other, _) = files[:2]
        replaced.write_bytes(other.read_bytes())
        fault, image = extract(files[:2], SETTINGS, cache)
        assert str(fault) == "it was changed while it was read: run again"
        assert [path.stem for path in cache.rglob("*.npy")] == [files[1][1]]
        assert image.shape[0] == 128

    def test_stops_at_once_where_it_is_interrupted(self, write, sound, cache):
        def interrupt(done, total):
            raise KeyboardInterrupt

        paths = [write(f"{i}.wav", sound[i : 2_000 + i]) for i in range(500)]
        many = [(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
        with pytest.raises(KeyboardInterrupt):
            extract(many, SETTINGS, cache, progress=interrupt)
        assert len(list(cache.rglob("*.npy"))) < 250

    def test_reads_images_whole_where_maps_would_use_up_the_open_files(self, files, cache):
        extract(files, SETTINGS, cache)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        try:
            images = extract(files * 40, SETTINGS, cache)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert len(images) == 200
        assert not any(isinstance(image, np.memmap) for image in images)

    def test_reads_the_cache_without_librosa(self, files, cache):
        extract(files, SETTINGS, cache)
        code = (
            "import sys; from pathlib import Path; from tracker.features.extract import extract; "
            "from tracker.runs import Spectrogram; "
            "extract([(Path(sys.argv[1]), sys.argv[2])], Spectrogram(), Path(sys.argv[3])); "
            "print([name for name in ('librosa', 'tensorflow') if name in sys.modules])"
        )
        command = [sys.executable, "-c", code, files[0][0], files[0][1], cache]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"
