from __future__ import annotations

import os
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.features.decode import read_audio
from tracker.features.logmel import log_mel
from tracker.runs import Spectrogram

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
                Spectrogram(n_fft=400, hop_length=500, n_mels=40),
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
