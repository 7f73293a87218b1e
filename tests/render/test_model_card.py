from __future__ import annotations

from typing import TYPE_CHECKING, Any

import librosa
import numpy as np
import pytest
import soundfile

from tracker.features.decode import read_audio
from tracker.features.extract import image_of
from tracker.recording.train import clip_settings
from tracker.render import predicting_script
from tracker.render.model_card import ModelCard, render_card, segments_code
from tracker.runs import KINDS, Spectrogram
from tracker.training.batches import consecutive_segments
from tracker.training.pretrained import MUSICNN

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = (
    Spectrogram(features="musicnn", sr=16_000, n_fft=512, hop_length=256, n_mels=96),
    Spectrogram(),
    Spectrogram(sr=16_000, n_fft=512, hop_length=256, n_mels=96),
    Spectrogram("mfcc", sr=16_000, n_mels=64, n_mfcc=13),
    Spectrogram("cqt", hop_length=400),
)


class TestSegmentsCode:
    @pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.features)
    @pytest.mark.parametrize("seconds", [1.0, 7.0])
    def test_a_script_without_tracker_makes_the_same_segments(
        self, tmp_path: Path, settings: Spectrogram, seconds: float
    ) -> None:
        sound = np.random.default_rng(0).normal(0, 0.1, round(seconds * 22_050)).astype(np.float32)
        sound[len(sound) // 2 :] *= 0.01
        soundfile.write(tmp_path / "clip.wav", sound, 22_050)
        code: dict[str, Any] = {"librosa": librosa, "np": np}
        exec(segments_code(settings.features), code)  # noqa: S102  (it is ours)
        theirs = code["segments"](str(tmp_path / "clip.wav"), clip_settings(settings, 3.0))
        image = image_of(read_audio(tmp_path / "clip.wav", settings.sr), settings).astype(np.float16)
        ours = consecutive_segments([image], settings.frames(3.0), settings.silence)
        np.testing.assert_allclose(theirs, ours.cut([image], slice(None)), atol=0.07)  # a step of half precision

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_of_features_has_its_script(self, kind: str) -> None:
        compile(predicting_script("keras", kind), "predict.py", "exec")


class TestRenderCard:
    def test_a_pretrained_model_carries_the_licence_of_its_weights(self) -> None:
        card = ModelCard(
            name="run", labels=("a", "b"), verdict="", standing="", results=(), limits=(), data=(), metrics=(),
            data_name="", fingerprint="", seconds="3", shape=(96, 187), images=("", ""),
            licences=((str(MUSICNN), MUSICNN.notice),),
        )  # fmt: skip
        text = render_card(card, "keras")
        assert "weights of musicnn 0.1.0" in text
        assert "> Copyright (c) Music Technology Group, Universitat Pompeu Fabra 2019." in text
