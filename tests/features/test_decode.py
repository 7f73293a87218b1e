from __future__ import annotations

import os
import struct
import sys
from typing import TYPE_CHECKING

import av
import librosa
import numpy as np
import pytest
import soundfile

from tracker.features import decode
from tracker.features.containers import mpeg_stream
from tracker.features.decode import SILENCE, AudioFault, read_audio

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

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
        assert fault(wav) == f"its sample rate must be 1,000 to 1,000,000 Hz, got {rate}"

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

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (
                "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
                "a Git LFS pointer instead of the audio; fetch it with `git lfs pull`",
            ),
            (
                "/annex/objects/SHA256E-s12345--4d7a.wav\n",
                "a git-annex pointer instead of the audio; fetch it with `git annex get`",
            ),
        ],
    )
    def test_read_audio_refuses_a_pointer_to_a_file_elsewhere(self, tmp_path, text, reason):
        file = tmp_path / "a.wav"
        file.write_text(text)
        assert fault(file) == reason

    @pytest.mark.parametrize(
        ("target", "reason"),
        [
            ("nowhere.wav", "a link that leads nowhere"),
            (
                ".git/annex/objects/x/y.wav",
                "a link to what git-annex has not fetched; fetch it with `git annex get`",
            ),
        ],
    )
    def test_read_audio_refuses_a_link_that_leads_nowhere(self, tmp_path, target, reason):
        (tmp_path / "a.wav").symlink_to(target)
        assert fault(tmp_path / "a.wav") == reason

    def test_read_audio_refuses_a_file_that_dvc_has_not_fetched(self, tmp_path):
        (tmp_path / "a.wav.dvc").write_text("outs:\n- md5: 4d7a\n  path: a.wav\n")
        assert fault(tmp_path / "a.wav") == "a DVC pointer instead of the audio; fetch it with `dvc pull`"

    def test_read_audio_does_not_wait_for_a_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "a.wav")
        assert fault(tmp_path / "a.wav") == "a named pipe"

    @pytest.mark.parametrize("name", [*FORMATS, "raw", "gsm", "vox", "txt"])
    def test_read_audio_refuses_a_file_that_is_not_audio(self, tmp_path, name):
        file = tmp_path / f"a.{name}"
        file.write_text("these are words, not sound\n" * 100)
        assert fault(file) == "not a readable audio file (wav, flac, mp3, ogg, au), or its header is damaged"

    @pytest.mark.parametrize("amplitude", [0.0, SILENCE * 0.99])
    @pytest.mark.parametrize("offset", [0.0, 0.5])
    def test_read_audio_refuses_silence_at_any_offset(self, write, sound, amplitude, offset):
        quiet = sound / np.ptp(sound) * 2 * amplitude + offset
        file = write("a.wav", quiet, subtype="FLOAT")
        assert fault(file) == "silent: it varies by less than −80 dB of full scale"

    def test_read_audio_says_where_channels_cancel_each_other(self, write, sound):
        assert fault(write("a.wav", np.stack([sound, -sound], axis=1))) == (
            "silent: its 2 channels cancel each other when they are mixed"
        )

    def test_read_audio_refuses_a_file_that_is_silent_once_resampled(self, write):
        ultrasound = 0.5 * np.hanning(96_000) * np.sin(2 * np.pi * 30_000 * np.arange(96_000) / 96_000)
        assert "silent" in fault(write("a.wav", ultrasound, 96_000))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
    def test_read_audio_refuses_samples_that_are_not_finite(self, write, sound, value):
        file = write("a.wav", np.append(sound, np.float32(value)), subtype="FLOAT")
        assert fault(file) == "contains samples that are NaN, infinite or above 1e12"

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
        assert fault(file) == f"truncated: {2 * len(sound) - 100:,} of {2 * len(sound):,} bytes of sound are present"

    def test_read_audio_of_a_truncated_file_says_how_many_samples_of_an_mp3_can_be_decoded(self, write, sound):
        file = write("a.mp3", sound)
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        assert f"of {len(sound):,} samples can be decoded" in fault(file)

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


def variable(file: Path, samples: NDArray[np.floating]) -> Path:
    """Write an mp3 of variable bit rate, which is loud at first, so that a guess by its first frame is too short."""
    loud_first = samples * np.where(np.arange(len(samples)) < SR / 3, 1, 0.02)
    soundfile.write(file, loud_first, SR, bitrate_mode="VARIABLE", compression_level=0.9)
    return file


def without_tag(mp3: bytes) -> bytes:
    return mp3[mp3.index(mp3[:2], 4) :]


def with_count(mp3: bytes, frames: int) -> bytes:
    at = mp3.index(b"Xing") + 8
    return mp3[:at] + struct.pack(">I", frames) + mp3[at + 4 :]


class TestReadAudioWhole:
    """Files that libsndfile by itself reads in part, without a word."""

    @pytest.mark.parametrize("tags", [b"", b"ID3\x03\0\0\0\0\x01\x00" + bytes(128)])
    def test_read_audio_counts_the_frames_of_an_mp3_of_variable_rate(self, tmp_path, sound, tags):
        file = variable(tmp_path / "a.mp3", np.tile(sound, 3))
        file.write_bytes(tags + without_tag(file.read_bytes()))
        assert 0 <= len(read_audio(file, SR)) - 3 * len(sound) < 3 * 1_152

    @pytest.mark.parametrize("frames", [0, 1, 100])
    def test_read_audio_does_not_believe_a_tag_that_says_too_little(self, tmp_path, sound, frames):
        file = variable(tmp_path / "a.mp3", np.tile(sound, 3))
        file.write_bytes(with_count(file.read_bytes(), frames))
        assert len(read_audio(file, SR)) == 3 * len(sound)

    def test_read_audio_refuses_an_mp3_whose_tag_says_more_than_there_is(self, tmp_path, sound):
        file = variable(tmp_path / "a.mp3", sound)
        file.write_bytes(with_count(file.read_bytes(), 1_000))
        assert "truncated" in fault(file)

    @pytest.mark.parametrize("between", [b"", b"TAG" + bytes(125), b"ID3\x03\0\0\0\0\x01\x00" + bytes(128)])
    def test_read_audio_reads_all_of_joined_mp3_files(self, write, sound, between):
        file = write("a.mp3", sound)
        content = file.read_bytes()
        file.write_bytes(content + between + content)
        assert 0 <= len(read_audio(file, SR)) - 2 * len(sound) < 3 * 1_152

    def test_read_audio_refuses_joined_mp3_files_of_different_rates(self, write, sound):
        first, second = write("a.mp3", sound).read_bytes(), write("b.mp3", sound, 44_100)
        second.write_bytes(without_tag(first) + second.read_bytes())
        assert "sound of another rate or number of channels follows" in fault(second)

    def test_read_audio_refuses_an_mp3_without_a_tag_that_has_a_hole(self, tmp_path, sound):
        file = variable(tmp_path / "a.mp3", np.tile(sound, 3))
        content = without_tag(file.read_bytes())
        file.write_bytes(content[:5_000] + bytes(range(256)) + content[6_000:])
        assert "in its middle are not sound" in fault(file)

    @pytest.mark.parametrize("name", ["flac", "ogg"])
    def test_read_audio_reads_all_of_joined_files(self, write, sound, name):
        file = write(f"a.{name}", sound)
        once = read_audio(file, SR)
        file.write_bytes(2 * file.read_bytes())
        np.testing.assert_array_equal(read_audio(file, SR), np.tile(once, 2))

    def test_read_audio_refuses_joined_files_of_different_rates(self, write, sound):
        first, second = write("a.flac", sound).read_bytes(), write("b.flac", sound, 44_100)
        second.write_bytes(first + second.read_bytes())
        assert fault(second) == "made of files of different sample rates (22050, 44100 Hz)"

    @pytest.mark.parametrize("declared", [0, 10_000])  # 0 is what a program writes that cannot go back
    def test_read_audio_reads_all_of_a_flac_stream_that_declares_less(self, write, sound, declared):
        file = write("a.flac", sound)
        content = bytearray(file.read_bytes())
        content[22:26] = declared.to_bytes(4, "big")
        file.write_bytes(content)
        np.testing.assert_allclose(read_audio(file, SR), sound, atol=1 / 32_767)

    @pytest.mark.parametrize("declared", [0, 10_000])
    def test_read_audio_refuses_a_wav_whose_header_says_less_than_follows(self, write, sound, declared):
        file = with_sizes(write("a.wav", sound), 36 + declared, declared)
        assert fault(file).startswith(f"its header declares {declared:,} bytes of sound, but {2 * len(sound):,} follow")

    def test_read_audio_takes_a_wav_with_other_chunks_and_room_behind_its_sound(self, write, sound):
        file = write("a.wav", sound)
        chunk = b"LIST" + struct.pack("<I", 20_000) + bytes(range(1, 201)) * 100
        file.write_bytes(file.read_bytes() + chunk + bytes(30_000))
        assert read_audio(file, SR).shape == sound.shape

    def test_read_audio_reads_an_mp3_beside_the_side_file_of_a_mac(self, write, sound):
        file = write("a.mp3", sound)
        file.write_bytes(without_tag(file.read_bytes()))
        file.with_name("._a.mp3").write_bytes(b"\0\5\x16\7" + bytes(100))
        assert len(read_audio(file, SR)) >= len(sound)

    def test_read_audio_lets_the_decoder_write_no_lines_of_its_own(self, tmp_path, sound, capfd):
        file = variable(tmp_path / "a.mp3", sound)
        content = bytearray(file.read_bytes())
        content[3_000::500] = bytes(len(content[3_000::500]))
        file.write_bytes(content)
        fault(file)
        assert capfd.readouterr() == ("", "")

    def test_mpeg_stream_finds_none_in_noise(self):
        assert mpeg_stream(np.random.default_rng(0).bytes(100_000)) is None


def encode(file: Path, codec: str, samples: NDArray[np.float32], rate: int = SR, form: str | None = None) -> Path:
    """Write samples as FFmpeg encodes them."""
    with av.open(str(file), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono", bit_rate=64_000)
        context = stream.codec_context
        container.start_encoding()
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(context.format, "mono", rate, frame_size=context.frame_size or 1_024)
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            container.mux(stream.encode(part))
    return file


FOREIGN = {
    "a.m4a": ("aac", None),
    "a.aac": ("aac", "adts"),
    "a.webm": ("libopus", None),
    "a.wma": ("wmav2", "asf"),
    "a.3gp": ("aac", None),
    "flac.ogg": ("flac", "ogg"),
    "ac3.wav": ("ac3", "wav"),
    "misnamed.wav": ("aac", "mp4"),
}


class TestReadAudioOfFormsThatLibsndfileDoesNotKnow:
    @pytest.mark.parametrize("name", FOREIGN)
    def test_read_audio_reads_them_through_pyav(self, tmp_path, sound, name):
        codec, form = FOREIGN[name]
        rate = {"libopus": 24_000, "ac3": 44_100}.get(codec, SR)
        samples = read_audio(encode(tmp_path / name, codec, sound, rate, form), rate)
        assert len(samples) == pytest.approx(len(sound), abs=3_000)
        assert np.corrcoef(np.abs(np.fft.rfft(samples, 2**16)), np.abs(np.fft.rfft(sound, 2**16)))[0, 1] > 0.9

    @pytest.mark.parametrize("name", ["a.m4a", "a.aac", "a.webm", "a.wma", "flac.ogg", "ac3.wav"])
    def test_read_audio_never_gives_a_part_of_them(self, tmp_path, sound, name):
        codec, form = FOREIGN[name]
        rate = {"libopus": 24_000, "ac3": 44_100}.get(codec, SR)
        file = encode(tmp_path / name, codec, np.tile(sound, 2), rate, form)
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2 + 100])
        assert "truncated" in fault(file) or "damaged" in fault(file)

    def test_read_audio_reads_an_mp3_in_a_wav(self, tmp_path, sound):
        file = encode(tmp_path / "a.wav", "libmp3lame", sound, SR, "wav")
        assert 0 <= len(read_audio(file, SR)) - len(sound) < 4 * 1_152

    @pytest.mark.parametrize(
        ("name", "called"),
        [("a.m4a", "AAC in MP4"), ("flac.ogg", "FLAC in Ogg"), ("ac3.wav", "AC-3 in WAV"), ("a.wma", "Windows Media")],
    )
    def test_read_audio_names_them_and_what_reads_them_where_pyav_is_missing(
        self, tmp_path, sound, name, called, monkeypatch
    ):
        codec, form = FOREIGN[name]
        file = encode(tmp_path / name, codec, sound, 44_100, form)
        monkeypatch.setitem(sys.modules, "tracker.features.pyav", None)
        assert fault(file) == f"{called}, which takes PyAV to read: pip install 'tracker-report[av]'"
