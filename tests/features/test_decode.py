from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import librosa
import numpy as np
import pytest

from tracker.features import decode
from tracker.features.decode import SILENCE, AudioFault, read_audio

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ["wav", "flac", "mp3", "ogg", "au"]
LOSSLESS = ["wav", "flac", "au"]
SR = 22_050


def fault(file: Path, sr: int = SR) -> str:
    with pytest.raises(AudioFault) as caught:
        read_audio(file, sr)
    assert caught.value.reason == str(caught.value)
    assert "\n" not in caught.value.reason
    return caught.value.reason


def with_sizes(wav: Path, riff: int, data: int) -> Path:
    """Overwrite the two sizes that a plain wav header declares."""
    content = bytearray(wav.read_bytes())
    content[4:8], content[40:44] = struct.pack("<I", riff), struct.pack("<I", data)
    wav.write_bytes(content)
    return wav


class TestReadAudio:
    @pytest.mark.parametrize("name", LOSSLESS)
    def test_read_audio_gives_the_samples_of_a_lossless_file(self, write, sound, name):
        samples = read_audio(write(f"a.{name}", sound), SR)
        assert samples.dtype == np.float32
        np.testing.assert_allclose(samples, sound, atol=1 / 32_767)

    @pytest.mark.parametrize("name", ["mp3", "ogg"])
    def test_read_audio_gives_all_samples_of_a_lossy_file(self, write, sound, name):
        samples = read_audio(write(f"a.{name}", sound), SR)
        assert samples.shape == sound.shape
        assert np.corrcoef(samples, sound)[0, 1] > 0.98

    @pytest.mark.parametrize("rate", [1, 999, 1_000_001, 2**31 - 1])
    def test_read_audio_refuses_a_rate_that_would_make_gigabytes_or_nothing_of_a_file(self, write, sound, rate):
        wav = write("a.wav", sound)
        content = bytearray(wav.read_bytes())
        content[24:28] = struct.pack("<I", rate)
        wav.write_bytes(content)
        assert fault(wav) == f"its sample rate must be 1000 to 1000000 Hz, got {rate}"

    def test_read_audio_refuses_what_is_longer_than_memory_should_be_asked_for(self, write, sound, monkeypatch):
        monkeypatch.setattr(decode, "MOST_SAMPLES", len(sound) - 1)
        monkeypatch.setattr(decode, "BLOCK_FRAMES", 1_000)
        assert fault(write("a.wav", sound)) == f"longer than {len(sound) - 1:,} samples; cut it into shorter files"

    @pytest.mark.filterwarnings("ignore::DeprecationWarning:audioread")
    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize(("sr", "channels"), [(44_100, 2), (48_000, 1), (8_000, 1)])
    def test_read_audio_agrees_with_librosa_at_any_rate(self, write, sound, name, sr, channels):
        file = write(f"a.{name}", np.stack([sound * (1 - 0.3 * i) for i in range(channels)], axis=1), sr)
        expected, _ = librosa.load(file, sr=SR)
        samples = read_audio(file, SR)
        assert abs(len(samples) - len(expected)) <= 1
        common = min(len(samples), len(expected)) - 64
        np.testing.assert_allclose(samples[:common], expected[:common], atol=1e-5)

    def test_read_audio_averages_channels(self, write, sound):
        file = write("a.wav", np.stack([sound, 0 * sound, sound, 0 * sound], axis=1), subtype="FLOAT")
        np.testing.assert_allclose(read_audio(file, SR), sound / 2, atol=1e-7)

    def test_read_audio_decodes_a_file_longer_than_a_block_without_a_seam(self, write):
        ramp = np.linspace(-0.9, 0.9, (1 << 20) + 1_000, dtype=np.float32)
        np.testing.assert_array_equal(read_audio(write("a.wav", ramp, subtype="FLOAT"), SR), ramp)

    @pytest.mark.parametrize("name", FORMATS)
    def test_read_audio_goes_by_the_content_not_the_name(self, write, sound, name):
        file = write(f"a.{name}", sound)
        renamed = file.rename(file.with_suffix(".flac" if name == "wav" else ".wav"))
        assert read_audio(renamed, SR).shape == sound.shape

    def test_read_audio_takes_the_quietest_sound_that_is_not_silence(self, write, sound):
        quiet = sound / np.ptp(sound) * 2 * SILENCE * 1.01
        assert read_audio(write("a.wav", quiet, subtype="FLOAT"), SR).shape == sound.shape


class TestReadAudioRefuses:
    def test_read_audio_refuses_a_missing_file(self, tmp_path):
        assert fault(tmp_path / "none.wav") == "cannot be read: No such file or directory"

    def test_read_audio_refuses_a_folder(self, tmp_path):
        assert fault(tmp_path) == "cannot be read: Is a directory"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_read_audio_refuses_a_file_that_may_not_be_read(self, write, sound):
        file = write("a.wav", sound)
        file.chmod(0)
        assert fault(file) == "cannot be read: Permission denied"

    def test_read_audio_refuses_an_empty_file(self, tmp_path):
        file = tmp_path / "a.wav"
        file.touch()
        assert fault(file) == "empty: 0 bytes"

    def test_read_audio_refuses_a_header_without_samples(self, write, sound):
        assert fault(write("a.wav", sound[:0])) == "contains no sound: 0 samples"

    def test_read_audio_refuses_a_git_lfs_pointer(self, tmp_path):
        file = tmp_path / "a.wav"
        file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
        assert fault(file) == "a Git LFS pointer instead of the audio; fetch it with `git lfs pull`"

    @pytest.mark.parametrize("name", [*FORMATS, "raw", "gsm", "vox", "txt"])
    def test_read_audio_refuses_a_file_that_is_not_audio(self, tmp_path, name):
        file = tmp_path / f"a.{name}"
        file.write_text("these are words, not sound\n" * 100)
        assert fault(file) == "not a readable audio file (wav, flac, mp3, ogg, au), or its header is damaged"

    def test_read_audio_refuses_a_name_that_is_not_utf_8(self, write, sound):
        file = write("a.wav", sound)
        assert "rename it" in fault(file.rename(file.with_name("a\udcff.wav")))

    @pytest.mark.parametrize("amplitude", [0.0, SILENCE * 0.99])
    @pytest.mark.parametrize("offset", [0.0, 0.5])
    def test_read_audio_refuses_silence_at_any_offset(self, write, sound, amplitude, offset):
        quiet = sound / np.ptp(sound) * 2 * amplitude + offset
        file = write("a.wav", quiet, subtype="FLOAT")
        assert fault(file) == "silent: below −80 dB of full scale throughout"

    def test_read_audio_refuses_a_file_that_is_silent_once_resampled(self, write):
        ultrasound = 0.5 * np.hanning(96_000) * np.sin(2 * np.pi * 30_000 * np.arange(96_000) / 96_000)
        assert "silent" in fault(write("a.wav", ultrasound, 96_000))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
    def test_read_audio_refuses_samples_that_are_not_finite(self, write, sound, value):
        file = write("a.wav", np.append(sound, np.float32(value)), subtype="FLOAT")
        assert fault(file) == "contains samples that are NaN, infinite or above 1e12"

    def test_read_audio_refuses_a_flac_stream_of_unknown_length(self, write, sound):
        file = write("a.flac", sound)
        content = bytearray(file.read_bytes())
        content[21] &= 0xF0
        content[22:26] = bytes(4)
        file.write_bytes(content)
        assert fault(file) == "does not declare its length; encode it again"

    def test_read_audio_refuses_a_flac_file_whose_header_asks_for_too_much_memory(self, write, sound):
        file = write("a.flac", sound)
        content = bytearray(file.read_bytes())
        content[21] |= 0x0F
        content[22:26] = b"\xff" * 4
        file.write_bytes(content)
        assert "truncated or damaged" in fault(file)


class TestReadAudioOfATruncatedFile:
    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize("share", [0.999, 0.9, 0.5, 0.05, 0.002])
    def test_read_audio_of_a_truncated_file_never_gives_a_part_of_it(self, write, sound, name, share):
        file = write(f"a.{name}", np.tile(sound, 5))
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * share)])
        assert "truncated" in fault(file) or "header is damaged" in fault(file)

    @pytest.mark.parametrize("name", ["wav", "au"])
    def test_read_audio_of_a_truncated_file_says_how_many_bytes_are_there(self, write, sound, name):
        file = write(f"a.{name}", sound)
        content = file.read_bytes()
        file.write_bytes(content[:-100])
        assert fault(file) == f"truncated: {2 * len(sound) - 100} of {2 * len(sound)} bytes of sound are present"

    def test_read_audio_of_a_truncated_file_says_how_many_samples_of_an_mp3_can_be_decoded(self, write, sound):
        file = write("a.mp3", sound)
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        assert f"of {len(sound)} samples can be decoded" in fault(file)

    @pytest.mark.parametrize("name", ["flac", "mp3", "ogg"])
    def test_read_audio_of_a_truncated_file_finds_a_hole_in_the_middle_where_the_format_can_tell(
        self, write, sound, name
    ):
        file = write(f"a.{name}", np.tile(sound, 10))
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] + content[len(content) // 2 + 2_000 :])
        assert "truncated or damaged" in fault(file)


class TestReadAudioOfAnOddButWholeFile:
    @pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F000])
    def test_read_audio_takes_a_wav_that_was_written_to_a_pipe(self, write, sound, size):
        file = with_sizes(write("a.wav", sound), size, size)
        assert read_audio(file, SR).shape == sound.shape

    def test_read_audio_takes_a_wav_whose_outer_size_is_wrong(self, write, sound):
        file = with_sizes(write("a.wav", sound), 0, 2 * len(sound))
        assert read_audio(file, SR).shape == sound.shape

    @pytest.mark.parametrize("name", FORMATS)
    def test_read_audio_takes_a_file_with_a_tag_at_its_end(self, write, sound, name):
        file = write(f"a.{name}", sound)
        file.write_bytes(file.read_bytes() + b"TAG" + bytes(125))
        assert read_audio(file, SR).shape == sound.shape

    def test_read_audio_takes_an_mp3_that_does_not_declare_its_length(self, write, sound):
        bursts = np.concatenate([0 * sound, sound] * 4)  # libsndfile guesses by the first frame, and far too long
        file = write("a.mp3", bursts)
        content = file.read_bytes()
        second_frame = content.index(content[:2], 4)
        file.write_bytes(content[second_frame:])
        assert len(read_audio(file, SR)) >= len(bursts)

    def test_read_audio_takes_an_mp3_with_a_tag_at_its_beginning(self, write, sound):
        file = write("a.mp3", sound)
        file.write_bytes(b"ID3\x03\0\0\0\0\x01\x00" + bytes(128) + file.read_bytes())
        assert read_audio(file, SR).shape == sound.shape

    def test_read_audio_finds_the_cut_in_an_mp3_with_a_tag_at_its_beginning(self, write, sound):
        file = write("a.mp3", sound)
        content = file.read_bytes()
        file.write_bytes(b"ID3\x03\0\0\0\0\x01\x00" + bytes(128) + content[: len(content) // 2])
        assert "truncated" in fault(file)
