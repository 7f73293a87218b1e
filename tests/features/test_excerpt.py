from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.builders import SR, write_tone
from tracker.features.decode import AudioFault
from tracker.features.excerpt import Excerpt, make_excerpt, playable
from tracker.runs import FLOOR_DB, Spectrogram

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = Spectrogram(sr=8_000, n_fft=512, hop_length=256, n_mels=32)


def excerpt_of(folder: Path, seconds: float, settings: Spectrogram = SETTINGS) -> Excerpt:
    write_tone(folder / "tone.wav", 1_000.0, seconds)
    return make_excerpt((folder / "tone.wav").read_bytes(), ".wav", settings, folder / "cache")


class TestPlayable:
    def test_playable_keeps_usual_settings(self) -> None:
        assert playable(SETTINGS) == SETTINGS
        assert playable(Spectrogram(sr=48_000, n_mels=64)) == Spectrogram(sr=48_000, n_mels=64)

    @pytest.mark.parametrize(
        "change", [{"sr": 192_000, "n_fft": 8_192}, {"n_mels": 512}, {"hop_length": 1}, {"n_fft": 2**17}]
    )
    def test_playable_replaces_settings_that_suit_no_page(self, change: dict[str, int]) -> None:
        assert playable(Spectrogram(**change)) == Spectrogram()


class TestMakeExcerpt:
    def test_make_excerpt_takes_the_middle_of_a_longer_clip(self, tmp_path: Path) -> None:
        excerpt = excerpt_of(tmp_path, 10.0)
        whole, _ = soundfile.read(tmp_path / "tone.wav", dtype="float32")
        heard, rate = soundfile.read(io.BytesIO(excerpt.audio), dtype="float32")
        assert (excerpt.start, excerpt.end, rate) == (3.5, 6.5, SR)
        assert np.abs(heard - whole[28_000:52_000]).max() < 2 / 32_768

    def test_make_excerpt_takes_all_of_a_shorter_clip(self, tmp_path: Path) -> None:
        excerpt = excerpt_of(tmp_path, 1.0)
        assert (excerpt.start, excerpt.end) == (0.0, 1.0)
        assert excerpt.image.shape == (32, 1 + 8_000 // 256)

    def test_make_excerpt_draws_the_tone_where_it_is(self, tmp_path: Path) -> None:
        image = excerpt_of(tmp_path, 4.0).image
        loudest = image.mean(axis=1).argmax()
        assert 10 <= loudest <= 17  # 1 kHz lies at 15 of the 35 mel that 4 kHz is
        assert image.max() == 0
        assert image.min() >= FLOOR_DB

    def test_make_excerpt_keeps_the_smaller_of_two_lossless_files(self, tmp_path: Path) -> None:
        excerpt = excerpt_of(tmp_path, 4.0)
        assert excerpt.media_type == "audio/flac"
        assert len(excerpt.audio) < 44 + 2 * 3 * SR

    def test_make_excerpt_gives_the_same_bytes_each_time(self, tmp_path: Path) -> None:
        assert excerpt_of(tmp_path, 4.0).audio == excerpt_of(tmp_path, 4.0).audio

    def test_make_excerpt_shows_a_silent_middle_as_silence(self, tmp_path: Path) -> None:
        sound = np.zeros(10 * SR)
        sound[:100] = 0.5
        soundfile.write(tmp_path / "end.wav", sound, SR)
        excerpt = make_excerpt((tmp_path / "end.wav").read_bytes(), ".wav", SETTINGS, tmp_path)
        assert (excerpt.image == FLOOR_DB).all()

    @pytest.mark.parametrize("content", [b"", b"not audio", b"version https://git-lfs.github.com/spec/v1"])
    def test_make_excerpt_refuses_what_is_not_audio(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(AudioFault):
            make_excerpt(content, ".wav", SETTINGS, tmp_path)
