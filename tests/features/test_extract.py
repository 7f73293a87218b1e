from __future__ import annotations

import hashlib
import mmap
import os
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.features.decode import AudioFault, read_audio
from tracker.features.extract import ImageCache, _bands, _window, extract, image_of, log_mel, settings_key
from tracker.runs import Spectrogram

SETTINGS = Spectrogram()
AGREEMENT_DB = 0.01
REAL_AUDIO = os.environ.get("TRACKER_REAL_AUDIO", "")


def by_librosa(samples, spectrogram):
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=spectrogram.sr,
        n_fft=spectrogram.n_fft,
        hop_length=spectrogram.hop_length,
        n_mels=spectrogram.n_mels,
    )
    return librosa.power_to_db(power, ref=np.max)


def assert_agrees(samples, spectrogram):
    image = log_mel(samples, spectrogram)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, by_librosa(samples, spectrogram), atol=AGREEMENT_DB)


class TestDefinitions:
    """What an image is made with is librosa's and SciPy's own, though neither is imported for it."""

    @pytest.mark.parametrize(
        ("sr", "n_fft", "n_mels"),
        [
            (1_000, 128, 1),
            (1_999, 1_023, 40),
            (2_000, 1_024, 64),
            (8_000, 400, 40),
            (16_000, 400, 64),
            (16_000, 512, 96),
            (22_050, 2_048, 13),
            (22_050, 2_048, 128),
            (44_100, 4_095, 229),
            (48_000, 8_192, 512),
            (384_000, 4_096, 100),
        ],
    )
    def test_the_mel_filters_are_those_of_librosa_bit_by_bit(self, sr, n_fft, n_mels):
        filters = _bands(Spectrogram(sr=sr, n_fft=n_fft, n_mels=n_mels, hop_length=64)).toarray()
        theirs = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels)
        assert filters.dtype == theirs.dtype
        assert np.array_equal(filters, theirs)

    def test_the_window_is_that_of_scipy_bit_by_bit(self):
        for n_fft in (*range(64, 700, 7), 1_023, 1_024, 2_048, 4_096, 8_192, 16_384):
            assert _window(n_fft).tobytes() == scipy.signal.get_window("hann", n_fft).astype(np.float32).tobytes()


class TestLogMel:
    def test_log_mel_agrees_with_librosa_on_notes(self, sound):
        assert_agrees(sound, Spectrogram())

    @pytest.mark.filterwarnings("ignore:n_fft=.* is too large:UserWarning")
    @given(
        length=st.integers(1, 30_000),
        loudness=st.floats(1e-4, 1e3),
        spectrogram=st.sampled_from(
            [
                Spectrogram(),
                Spectrogram(sr=16_000, n_fft=512, hop_length=160, n_mels=64),
                Spectrogram(sr=44_100, n_fft=4_096, hop_length=1_024, n_mels=256),
                Spectrogram(n_fft=1_023, hop_length=300, n_mels=40),
                Spectrogram(n_fft=400, hop_length=400, n_mels=40),
            ]
        ),
        seed=st.integers(0, 2**32 - 1),
    )
    @settings(derandomize=True, deadline=None, max_examples=60)
    def test_log_mel_agrees_with_librosa_on_noise_of_any_length_and_loudness(self, length, loudness, spectrogram, seed):
        noise = np.random.default_rng(seed).standard_normal(length)
        assert_agrees((loudness * noise).astype(np.float32), spectrogram)

    def test_log_mel_lies_between_the_floor_and_the_maximum(self, sound):
        image = log_mel(np.concatenate([sound, 0 * sound]), Spectrogram())
        assert image.max() == 0
        assert image.min() == -80

    def test_log_mel_has_a_frame_at_every_hop(self, sound):
        assert log_mel(sound, Spectrogram()).shape == (128, 1 + len(sound) // 512)

    def test_log_mel_shows_a_tone_in_its_band(self):
        tone = np.sin(2 * np.pi * 1_000 * np.arange(22_050) / 22_050).astype(np.float32)
        image = log_mel(tone, Spectrogram())
        centres = librosa.mel_frequencies(n_mels=130, fmax=11_025)[1:-1]
        loudest = centres[image.mean(axis=1).argmax()]
        assert loudest == pytest.approx(1_000, rel=0.03)

    def test_log_mel_leaves_the_samples_alone(self, sound):
        before = sound.copy()
        log_mel(sound, Spectrogram())
        np.testing.assert_array_equal(sound, before)

    @pytest.mark.skipif(not REAL_AUDIO, reason="TRACKER_REAL_AUDIO names no folder of real recordings")
    def test_log_mel_agrees_with_librosa_on_real_recordings(self):
        files = sorted(Path(REAL_AUDIO).rglob("*.wav"))[::20]
        assert files
        for file in files:
            assert_agrees(read_audio(file, 22_050), Spectrogram())


def is_mapped(image):
    """Return whether an image lies in a file that is mapped, not in memory."""
    while isinstance(image, np.ndarray):
        image = image.base
    return isinstance(image, memoryview) and isinstance(image.obj, mmap.mmap)


class TestImageOf:
    def test_mfccs_are_those_of_librosa_over_the_root_of_the_bands(self, sound):
        image = image_of(sound, Spectrogram("mfcc", n_mels=64, n_mfcc=13))
        theirs = librosa.feature.mfcc(S=by_librosa(sound, Spectrogram(n_mels=64)), n_mfcc=13) / 8
        assert image.dtype == np.float32
        np.testing.assert_allclose(image, theirs, atol=AGREEMENT_DB)

    def test_the_first_mfcc_is_the_mean_level(self, sound):
        image = image_of(sound, Spectrogram("mfcc"))
        np.testing.assert_allclose(image[0], log_mel(sound, SETTINGS).mean(axis=0), atol=AGREEMENT_DB)

    def test_a_constant_q_image_is_that_of_librosa(self, sound):
        image = image_of(sound, Spectrogram("cqt", hop_length=500))
        theirs = librosa.amplitude_to_db(np.abs(librosa.cqt(sound, sr=22_050, hop_length=500)), ref=np.max)
        np.testing.assert_allclose(image, theirs, atol=AGREEMENT_DB)

    @pytest.mark.parametrize("kind", ["logmel", "mfcc", "cqt"])
    @pytest.mark.parametrize("length", [1, 700, 20_000])
    def test_a_clip_of_any_length_has_a_frame_at_every_hop(self, sound, kind, length):
        settings = Spectrogram(kind)
        image = image_of(sound[:length], settings)
        assert image.shape == (settings.height, 1 + length // 512)
        assert np.isfinite(image).all()

    @pytest.mark.parametrize("kind", ["logmel", "mfcc", "cqt"])
    def test_padding_is_what_silence_looks_like(self, sound, kind):
        settings = Spectrogram(kind)
        image = image_of(np.concatenate([sound, np.zeros(200_000, np.float32)]), settings)
        np.testing.assert_allclose(image[:, -1], settings.silence, atol=AGREEMENT_DB)


@pytest.fixture
def files(write, sound):
    """Five clips of different lengths, each with its digest."""
    paths = [write(f"{i}.wav", sound[: 10_000 + 1_000 * i]) for i in range(5)]
    return [(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


class TestExtract:
    def test_extract_gives_images_in_the_order_of_the_files(self, files, cache):
        images = extract(files, SETTINGS, cache)
        assert [image.shape for image in images] == [(128, 1 + (10_000 + 1_000 * i) // 512) for i in range(5)]

    def test_extract_is_off_by_no_more_than_half_precision(self, files, cache, sound):
        image = extract(files[:1], SETTINGS, cache)[0]
        assert image.dtype == np.float16
        np.testing.assert_allclose(image, log_mel(sound[:10_000], SETTINGS), atol=0.04)

    def test_extract_gives_the_same_images_from_the_cache(self, files, cache):
        made, kept = extract(files, SETTINGS, cache), extract(files, SETTINGS, cache)
        for one, other in zip(made, kept, strict=True):
            assert is_mapped(other)
            np.testing.assert_array_equal(one, other)

    def test_extract_needs_no_audio_once_it_is_cached(self, files, cache):
        told = []
        made = extract(files, SETTINGS, cache, warn=told.append)
        assert [str(image) for image in made if isinstance(image, AudioFault)] == told == []
        for path, _ in files:
            path.unlink()
        kept = extract(files, SETTINGS, cache, warn=told.append)
        assert [str(image) for image in kept if isinstance(image, AudioFault)] == told == []

    def test_extract_makes_a_damaged_image_again(self, files, cache):
        made = extract(files, SETTINGS, cache)
        damaged = next(cache.rglob(f"{files[2][1]}.npy"))
        damaged.write_bytes(damaged.read_bytes()[:1_000])
        told = []
        again = extract(files, SETTINGS, cache, warn=told.append)
        np.testing.assert_array_equal(again[2], made[2])
        np.testing.assert_array_equal(np.load(damaged), made[2])
        assert told == [f"damaged features in {damaged.parent} were computed again: 1"]

    def test_extract_gives_faults_beside_images_and_does_not_cache_them(self, files, cache, tmp_path):
        (tmp_path / "empty.wav").touch()
        results = extract([files[0], (tmp_path / "empty.wav", "0" * 64), files[1]], SETTINGS, cache)
        assert [isinstance(result, AudioFault) for result in results] == [False, True, False]
        assert results[1].reason == "empty: 0 bytes"
        assert len(list(cache.rglob("*.npy"))) == 2

    def test_extract_reports_its_progress(self, files, cache):
        told = []
        extract(files, SETTINGS, cache, progress=lambda done, total: told.append((done, total)))
        assert told == [(i, 5) for i in range(1, 6)]

    def test_extract_gives_nothing_for_nothing(self, cache):
        assert extract([], SETTINGS, cache) == []
        assert not cache.exists()

    def test_extract_continues_if_it_cannot_cache(self, files, tmp_path):
        (tmp_path / "file").touch()
        told = []
        images = extract(files, SETTINGS, tmp_path / "file", warn=told.append)
        assert all(image.shape[0] == 128 for image in images)
        assert len(told) == 1

    def test_extract_keeps_no_image_of_a_file_that_was_replaced_after_its_digest_was_taken(self, files, cache):
        (replaced, _), (other, _) = files[:2]
        replaced.write_bytes(other.read_bytes())
        fault, image = extract(files[:2], SETTINGS, cache)
        assert str(fault) == "changed while it was read; run again"
        assert [path.stem for path in cache.rglob("*.npy")] == [files[1][1]]
        assert image.shape[0] == 128

    def test_extract_stops_at_once_where_it_is_interrupted(self, write, sound, cache):
        def interrupt(done, total):
            raise KeyboardInterrupt

        paths = [write(f"{i}.wav", sound[i : 2_000 + i]) for i in range(500)]
        many = [(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
        with pytest.raises(KeyboardInterrupt):
            extract(many, SETTINGS, cache, progress=interrupt)
        assert len(list(cache.rglob("*.npy"))) < 250

    def test_extract_may_open_as_many_files_as_it_maps(self, files, cache):
        extract(files, SETTINGS, cache)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        try:
            images = extract(files * 80, SETTINGS, cache)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert len(images) == 400
        assert all(map(is_mapped, images))

    def test_extract_reads_images_whole_where_maps_would_use_up_what_a_process_may_have(
        self, files, cache, monkeypatch
    ):
        extract(files, SETTINGS, cache)
        monkeypatch.setattr("tracker.features.extract._MOST_MAPPED", 199)
        images = extract(files * 40, SETTINGS, cache)
        assert len(images) == 200
        assert not any(map(is_mapped, images))

    def test_extract_makes_images_without_librosa_and_scipy_signal(self, files, cache):
        code = (
            "import sys; from pathlib import Path; from tracker.features.extract import extract; "
            "from tracker.runs import Spectrogram; "
            "extract([(Path(sys.argv[1]), sys.argv[2])], Spectrogram(), Path(sys.argv[3])); "
            "print([name for name in ('librosa', 'scipy.signal', 'tensorflow') if name in sys.modules])"
        )
        command = [sys.executable, "-c", code, files[0][0], files[0][1], cache]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


CLIP, OTHER = "ab" * 32, "cd" * 32
IMAGE = np.linspace(-80, 0, 128 * 50).reshape(128, 50).astype(np.float16)


@pytest.fixture
def image_cache(tmp_path):
    return ImageCache(tmp_path / "cache", Spectrogram())


@pytest.fixture
def file(image_cache, tmp_path):
    """Where the image of `CLIP` lies, once written."""
    image_cache.write(CLIP, IMAGE)
    return tmp_path / "cache" / settings_key(Spectrogram()) / f"{CLIP}.npy"


class TestRead:
    def test_read_finds_nothing_in_an_empty_cache(self, image_cache):
        assert image_cache.read(CLIP) is None

    @pytest.mark.parametrize("mapped", [True, False])
    def test_read_gives_what_was_written(self, image_cache, mapped):
        image_cache.write(CLIP, IMAGE)
        image = image_cache.read(CLIP, mapped=mapped)
        assert image.dtype == np.float16
        assert is_mapped(image) is mapped
        np.testing.assert_array_equal(image, IMAGE)

    @pytest.mark.parametrize(
        "other",
        [Spectrogram(sr=16_000), Spectrogram(n_fft=1_024), Spectrogram(hop_length=256), Spectrogram(n_mels=64)],
    )
    def test_read_does_not_mix_feature_settings(self, image_cache, tmp_path, other):
        image_cache.write(CLIP, IMAGE)
        assert ImageCache(tmp_path / "cache", other).read(CLIP) is None

    @pytest.mark.parametrize("length", [0, 3, 60, 128, -1])
    def test_read_takes_a_truncated_file_for_none(self, image_cache, file, length):
        file.write_bytes(file.read_bytes()[:length])
        assert image_cache.read(CLIP) is None

    def test_read_takes_a_file_with_a_damaged_header_for_none(self, image_cache, file):
        content = file.read_bytes()
        rng = np.random.default_rng(0)
        for position, value in zip(rng.integers(0, 128, 500), rng.integers(0, 256, 500), strict=True):
            file.write_bytes(content[:position] + bytes([value]) + content[position + 1 :])
            image = image_cache.read(CLIP)
            assert image is None or np.array_equal(image, IMAGE)

    def test_read_takes_a_file_that_a_disk_has_changed_for_none(self, image_cache, file):
        content = file.read_bytes()
        for position in np.random.default_rng(0).integers(128, len(content), 500):
            flipped = bytes([content[position] ^ 1])
            file.write_bytes(content[:position] + flipped + content[position + 1 :])
            assert image_cache.read(CLIP) is None

    def test_read_takes_the_file_of_another_clip_for_none(self, image_cache, file):
        file.rename(file.with_name(f"{OTHER}.npy"))
        assert image_cache.read(OTHER) is None

    def test_read_takes_an_array_without_its_checksum_for_none(self, image_cache, file):
        np.save(file, IMAGE)
        assert image_cache.read(CLIP) is None

    def test_read_follows_no_link_and_waits_for_no_pipe(self, image_cache, file, tmp_path):
        file.rename(tmp_path / "image")
        file.symlink_to(tmp_path / "image")
        assert image_cache.read(CLIP) is None
        file.unlink()
        os.mkfifo(file)
        assert image_cache.read(CLIP) is None

    def test_write_replaces_a_link_and_leaves_what_it_led_to(self, image_cache, file, tmp_path):
        (tmp_path / "precious").write_text("mine")
        file.unlink()
        file.symlink_to(tmp_path / "precious")
        image_cache.write(CLIP, IMAGE)
        assert (tmp_path / "precious").read_text() == "mine"
        np.testing.assert_array_equal(image_cache.read(CLIP), IMAGE)

    def test_write_makes_nothing_behind_a_link(self, image_cache, tmp_path):
        (tmp_path / "cache").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "cache" / settings_key(Spectrogram())).symlink_to(tmp_path / "elsewhere")
        image_cache.write(CLIP, IMAGE)
        assert list((tmp_path / "elsewhere").iterdir()) == []
        assert "is a symbolic link" in image_cache.faults[0]

    @pytest.mark.parametrize(
        "foreign", [IMAGE.astype(np.float32), IMAGE[:64], IMAGE.ravel(), np.array({"a": 1}, dtype=object)]
    )
    def test_read_takes_another_array_for_none(self, image_cache, file, foreign):
        np.save(file, foreign)
        assert image_cache.read(CLIP) is None


class TestWrite:
    def test_write_leaves_nothing_but_the_image(self, file):
        assert list(file.parent.iterdir()) == [file]

    def test_write_replaces_a_damaged_file(self, image_cache, file):
        file.write_bytes(b"\x93NUMPY")
        image_cache.write(CLIP, IMAGE)
        np.testing.assert_array_equal(image_cache.read(CLIP), IMAGE)

    def test_write_leaves_maps_of_the_old_file_alone(self, image_cache):
        image_cache.write(CLIP, IMAGE)
        old = image_cache.read(CLIP)
        image_cache.write(CLIP, np.zeros_like(IMAGE))
        np.testing.assert_array_equal(old, IMAGE)

    def test_write_keeps_an_image_however_it_lies_in_memory(self, image_cache):
        image_cache.write(CLIP, np.asfortranarray(IMAGE))
        np.testing.assert_array_equal(image_cache.read(CLIP), IMAGE)

    def test_write_removes_what_it_could_not_finish(self, image_cache, file):
        file.unlink()
        file.mkdir()
        (file / "in the way").touch()
        image_cache.write(CLIP, IMAGE)
        assert list(file.parent.iterdir()) == [file]


class TestFaults:
    def test_faults_are_none_where_images_are_written_and_read_and_lacking(self, image_cache):
        image_cache.write(CLIP, IMAGE)
        assert image_cache.read(CLIP) is not None
        assert image_cache.read(OTHER) is None
        assert image_cache.faults == ()

    def test_faults_count_the_damaged_files(self, image_cache, file, tmp_path):
        file.write_bytes(file.read_bytes()[:-1])
        file.with_name(f"{OTHER}.npy").touch()
        assert image_cache.read(CLIP) is image_cache.read(OTHER) is None
        folder = tmp_path / "cache" / settings_key(Spectrogram())
        assert image_cache.faults == (f"damaged features in {folder} were computed again: 2",)

    def test_faults_name_once_the_folder_that_cannot_be_written_to_and_the_remedy(self, tmp_path):
        (tmp_path / "file").touch()
        image_cache = ImageCache(tmp_path / "file", Spectrogram())
        start = threading.Barrier(4)

        def write(_):
            start.wait()
            image_cache.write(CLIP, IMAGE)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        assert image_cache.read(CLIP) is None
        (fault,) = image_cache.faults
        assert fault == (
            f"features are not cached: {tmp_path / 'file' / settings_key(Spectrogram())} cannot be written to (File "
            "exists); make room there or set TRACKER_CACHE to another folder"
        )

    def test_one_image_that_cannot_be_stored_leaves_the_cache_to_others(self, tmp_path):
        image_cache, other = ImageCache(tmp_path, Spectrogram()), "0" * len(CLIP)
        (tmp_path / settings_key(Spectrogram()) / f"{CLIP}.npy").mkdir(parents=True)
        image_cache.write(CLIP, IMAGE)
        image_cache.write(other, IMAGE)
        assert image_cache.read(other) is not None
        assert "some features are not cached" in image_cache.faults[0]


class TestSettingsKey:
    def test_settings_key_is_the_same_for_equal_settings(self):
        assert settings_key(Spectrogram()) == settings_key(Spectrogram("logmel", 22_050, 2_048, 512, 128))

    def test_settings_key_is_another_for_each_setting(self):
        changes = [{}, {"n_mels": 64}, {"n_fft": 1_024}, {"hop_length": 256}, {"sr": 16_000}, {"features": "cqt"}]
        changes += [{"features": "mfcc"}, {"features": "mfcc", "n_mfcc": 13}]
        assert len({settings_key(Spectrogram(**change)) for change in changes}) == len(changes)

    def test_settings_key_is_another_for_another_version_of_what_makes_the_image(self):
        assert settings_key(Spectrogram(), lambda _: "0.1") != settings_key(Spectrogram(), lambda _: "0.2")

    def test_settings_key_is_fit_for_a_file_name(self):
        assert settings_key(Spectrogram()).isalnum()
