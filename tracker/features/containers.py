"""What an audio file is, by its bytes, and how long it is by itself: decoders believe a header, here all is counted.

libsndfile stops where a header says that the sound ends, or where it guesses so. This module finds what would be left
out, before anything is decoded:

- mp3: every frame is counted. A file of variable rate without a "Xing" tag, or with one that says too little, as joined
  files have, gets a tag with the right count.
- flac: the number in the last frame's header says how long the stream is, whatever its beginning says.
- flac and ogg: files put one behind the other are taken apart.
- wav, aiff, caf, au: what follows the sound must be other chunks, or too little to be sound.

References
----------
ISO/IEC 11172-3, section 2.4.1 (frames of MPEG audio); RFC 9639 (FLAC); RFC 3533 (Ogg).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

START_BYTES = 64  # enough of a file to know its form
STREAMED_BYTES = 0x7FFF_0000  # sizes from here on are of programs that write to a pipe: nothing is missing
MOST_JUNK = 1 << 14  # bytes that no sound is missed in: padding, tags of unknown kinds


class Form(StrEnum):
    """How a file holds its sound; the name is one for people."""

    MPEG = "MPEG audio"
    FLAC = "FLAC"
    OGG = "Ogg"
    WAV = "WAV"
    OTHER = "another form that libsndfile may know"
    MP4 = "MP4"
    MATROSKA = "Matroska or WebM"
    ASF = "Windows Media"
    AMR = "AMR"
    AAC = "AAC"
    AC3 = "AC-3"
    WAVPACK = "WavPack"
    TTA = "True Audio"
    APE = "Monkey's Audio"


FOREIGN = frozenset(Form) - {Form.MPEG, Form.FLAC, Form.OGG, Form.WAV, Form.OTHER}  # to libsndfile

_MAGIC = (
    (b"fLaC", Form.FLAC), (b"OggS", Form.OGG), (b"\x1aE\xdf\xa3", Form.MATROSKA), (b"0&\xb2u\x8ef\xcf\x11", Form.ASF),
    (b"#!AMR", Form.AMR), (b"\x0b\x77", Form.AC3), (b"wvpk", Form.WAVPACK), (b"TTA1", Form.TTA), (b"MAC ", Form.APE),
)  # fmt: skip
_WAV_CODECS = {
    0x50: "MP2", 0x55: "MP3", 0xFF: "AAC", 0x160: "WMA", 0x161: "WMA", 0x162: "WMA", 0x163: "WMA", 0x1600: "AAC",
    0x1610: "AAC", 0x2000: "AC-3", 0x2001: "DTS",
}  # fmt: skip
_OGG_CODECS = {b"\x7fFLAC": "FLAC", b"Speex": "Speex", b"\x80theora": "video"}
_MP4_CODECS = {b"mp4a": "AAC", b"alac": "ALAC", b"ac-3": "AC-3", b"ec-3": "AC-3", b"samr": "AMR", b"fLaC": "FLAC"}


def form_of(file: IO[bytes]) -> tuple[Form, int]:
    """Return what a file is and where that begins: behind ID3 tags, which other programs put before any form."""
    begin = 0
    while True:
        file.seek(begin)
        start = file.read(START_BYTES)
        if not (length := _id3_length(start)):
            break
        begin += length
    for magic, form in _MAGIC:
        if start.startswith(magic):
            return form, begin
    if start[4:8] == b"ftyp" or start[4:8] == b"moov":
        return Form.MP4, begin
    if start[8:12] == b"WAVE" and start[:4] in {b"RIFF", b"RIFX", b"RF64", b"BW64"}:
        return Form.WAV, begin
    if len(start) > 6 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:
        return Form.AAC, begin
    if begin or _frame(start, 0):
        return Form.MPEG, begin
    return Form.OTHER, begin


def codec_name(form: Form, content: bytes) -> str:
    """Return what people call the sound in a file, as in ``FLAC in Ogg``; `content` is the file or its beginning."""
    if form is Form.MP4:
        found = re.search(rb"stsd.{12}(.{4})", content, re.DOTALL)
        codec = _MP4_CODECS.get(found[1]) if found else None
    elif form is Form.OGG:
        packet = content[28:36]
        codec = next((name for magic, name in _OGG_CODECS.items() if packet.startswith(magic)), None)
    elif form is Form.WAV:
        codec = _WAV_CODECS.get(wav_tag(content) or 0)
    else:
        codec = None
    return f"{codec} in {form}" if codec else str(form)


def wav_tag(content: bytes) -> int | None:
    """Return the number of a WAV file's codec, None if its beginning does not say."""
    at = content.find(b"fmt ", 12, 1 << 16)
    if at < 0 or len(content) < at + 10:
        return None
    return int.from_bytes(content[at + 8 : at + 10], "big" if content.startswith(b"RIFX") else "little")


def wav_sound(content: bytes) -> bytes:
    """Return what the chunk of sound of a WAV file has; nothing if it has none."""
    at, lengths = 12, ">4sI" if content.startswith(b"RIFX") else "<4sI"
    while at + 8 <= len(content):
        name, length = struct.unpack_from(lengths, content, at)
        if name == b"data":
            return content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return b""


# ---- Chunks: wav, aiff, caf, au ----


def sizes_of_sound(file: IO[bytes], size: int) -> tuple[int, int] | None:
    """Return how many bytes of sound a header declares and how many there are, if these differ; else None.

    Of a file of `size` bytes. None also if a form has no such header, or does not say how much sound there is.
    """
    file.seek(0)
    start = file.read(16)
    if start.startswith(b".snd"):
        begin, declared = struct.unpack(">2I", start[4:12])
        follows = size - begin
        is_known = declared < STREAMED_BYTES
        return (declared, follows) if is_known and not 0 <= follows - declared <= MOST_JUNK else None
    form = next((form for magic, form in _CHUNKED.items() if start.startswith(magic)), None)
    return _excess_of_chunks(file, size, form) if form else None


@dataclass(frozen=True, slots=True)
class _Chunks:
    header: int  # bytes before the first chunk
    lengths: str  # how a chunk's name and length are written
    sound: bytes  # the name of the chunk of sound
    pads: bool = True  # to an even length


_RIFF = _Chunks(12, "<4sI", b"data")
_CHUNKED = {
    b"RIFF": _RIFF, b"RIFX": _Chunks(12, ">4sI", b"data"), b"FORM": _Chunks(12, ">4sI", b"SSND"),
    b"caff": _Chunks(8, ">4sq", b"data", pads=False),
}  # fmt: skip


def _excess_of_chunks(file: IO[bytes], size: int, form: _Chunks) -> tuple[int, int] | None:
    at, width, sound = form.header, struct.calcsize(form.lengths), None
    while at + width <= size:
        file.seek(at)
        name, length = struct.unpack(form.lengths, file.read(width))
        if sound and not re.fullmatch(rb"(?!RIFF|FORM)[\x20-\x7e]{4}", name):
            break
        if name == form.sound:
            if not 0 <= length < STREAMED_BYTES:
                return None  # to the end
            if at + width + length > size:
                return length, size - at - width
            sound = (at + width, length)
        at += width + length + (length % 2 if form.pads else 0)
    if not sound or size - at <= MOST_JUNK or _is_blank(file, at):
        return None
    return sound[1], size - sound[0]


def _is_blank(file: IO[bytes], at: int) -> bool:
    """Return whether only zeros follow: room that a recorder took beforehand."""
    file.seek(at)
    return all(not any(block) for block in iter(lambda: file.read(1 << 16), b""))


# ---- MPEG audio ----

_BITRATES = {  # kbit/s by version (1, or 2 and 2.5) and layer
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)  # Hz, of version 1; halved in 2, quartered in 2.5


@dataclass(frozen=True, slots=True)
class _Frame:
    kind: tuple[int, int, bool]  # the same for all frames of one sound: version and layer, rate, whether it is mono
    length: int  # bytes
    samples: int


@lru_cache(maxsize=4096)
def _frame_of(header: bytes) -> _Frame | None:
    """Return what a frame's first four bytes say; None if they begin none."""
    first, second, third = header[1], header[2], header[3]
    version, layer = (first >> 3) & 3, 4 - ((first >> 1) & 3)
    bitrate, rate = second >> 4, (second >> 2) & 3
    if header[0] != 0xFF or first < 0xE0 or version == 1 or layer not in {2, 3} or bitrate in {0, 15} or rate == 3:
        return None
    if third & 3 == 2:  # an emphasis that there is not
        return None
    table = 1 if version == 3 else 2
    hertz = _RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    samples = 576 if layer == 3 and table == 2 else 1_152
    length = samples // 8 * 1_000 * _BITRATES[table, layer][bitrate - 1] // hertz + ((second >> 1) & 1)
    return _Frame((first & 0x1E, second & 0x0C, third >> 6 == 3), length, samples)


def _frame(content: bytes, at: int) -> _Frame | None:
    header = content[at : at + 4]
    return _frame_of(header) if len(header) == 4 else None


def _id3_length(start: bytes) -> int:
    """Return the bytes of an ID3v2 tag that begins here, 0 if none does."""
    if not start.startswith(b"ID3") or len(start) < 10 or max(start[6:10]) > 0x7F:
        return 0
    size = sum(byte << shift for byte, shift in zip(start[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if start[5] & 0x10 else 0)


def _tag_length(content: bytes, at: int) -> int:
    """Return the bytes of a tag of any kind that begins here, 0 if none does."""
    if content.startswith(b"TAG", at):
        return 355 if content.startswith(b"TAG+", at) else 128
    if content.startswith(b"APETAGEX", at) and len(content) >= at + 32:
        size, flags = struct.unpack_from("<I4xI", content, at + 12)
        return 32 + (size if flags & 1 << 29 else 0)
    if content.startswith(b"LYRICSBEGIN", at) and (end := content.find(b"LYRICS200", at)) > 0:
        return end + 9 - at
    return _id3_length(content[at : at + 10])


@dataclass(frozen=True, slots=True)
class MpegStream:
    """The frames of MPEG audio, without tags of words or pictures, and what the first says about them."""

    sound: bytes
    frames: int  # that hold sound
    frame: _Frame  # the first of them
    declared: int | None  # frames, by the tag before them
    damage: str | None  # why a part would be missing

    @property
    def samples(self) -> int:
        """Samples of each channel, with what an encoder added at both ends."""
        return self.frames * self.frame.samples

    def countable(self) -> bytes:
        """Return the sound such that a decoder knows its length: with a tag before it that has the right count.

        As it is if its tag says so, or that more is missing, or if it is of layer II, where every frame has one length.
        """
        if self.frame.kind[0] & 6 != 2 or (self.declared is not None and self.declared >= self.frames):
            return self.sound
        at = _xing(self.sound)
        if at is not None and self.sound[at + 7] & 1:
            counted = bytearray(self.sound)
            counted[at + 8 : at + 12] = self.frames.to_bytes(4, "big")
            if counted[at + 7] & 2:
                counted[at + 12 : at + 16] = len(counted).to_bytes(4, "big")
            return bytes(counted)
        sound = self.sound[_frame_length(self.sound) :] if at is not None or _vbri(self.sound) else self.sound
        return _tag_frame(sound, self.frames) + sound


def _frame_length(sound: bytes) -> int:
    frame = _frame(sound, 0)
    return frame.length if frame else 0


def _xing(sound: bytes) -> int | None:
    """Return where in the first frame a tag with a count begins, None if it has none."""
    first = sound[: _frame_length(sound)]
    at = max(first.find(b"Xing", 0, 64), first.find(b"Info", 0, 64))
    return at if at >= 0 and len(first) >= at + 16 else None


def _vbri(sound: bytes) -> bool:
    return sound[36:40] == b"VBRI"


def _declared(sound: bytes) -> int | None:
    at = _xing(sound)
    if at is not None and sound[at + 7] & 1:
        return int.from_bytes(sound[at + 8 : at + 12], "big")
    return int.from_bytes(sound[50:54], "big") if _vbri(sound) else None


def _tag_frame(sound: bytes, frames: int) -> bytes:
    """Return a frame without sound that says how many follow it, of the kind of theirs."""
    first, second, third = sound[1] | 1, sound[2] & 0x0C | 0x90, sound[3]  # without a checksum, at 80 or 128 kbit/s
    header = bytes((0xFF, first, second, third))
    frame = _frame_of(header)
    assert frame, "frames of one kind differ in their bit rate alone"  # noqa: S101
    is_mono, is_first_version = frame.kind[2], first & 0x18 == 0x18
    side = {(True, True): 17, (True, False): 32, (False, True): 9, (False, False): 17}[is_first_version, is_mono]
    tag = b"Xing" + struct.pack(">3I", 3, frames, frame.length + len(sound))
    return (header + bytes(side) + tag).ljust(frame.length, b"\0")


def mpeg_stream(content: bytes) -> MpegStream | None:
    """Return the frames of a file or a WAV's sound; None if it has none."""
    at = _first_frame(content)
    frame = None if at is None else _frame(content, at)
    if at is None or frame is None:
        return None
    parts, frames, damage = [], 0, None
    size = len(content)
    while True:
        begin = at
        while (now := _frame(content, at)) and now.kind == frame.kind and at + now.length <= size:
            at += now.length
            frames += 1
        parts.append(content[begin:at])
        now = _frame(content, at)
        if now and now.kind == frame.kind and at + now.length > size:
            break  # its last frame is cut: it counts as missing if a tag says so
        if length := _tag_length(content, at):
            at += length
            continue
        following = _first_frame(content, at)
        if following is None:
            rest = content[at:].strip(b"\0")
            damage = f"its last {len(rest):,} bytes are not sound" if len(rest) > MOST_JUNK else None
            break
        if _frame_kind(content, following) != frame.kind:
            damage = f"sound of another rate or number of channels follows at byte {following:,}"
            break
        if content[at:following].strip(b"\0"):
            damage = f"{following - at:,} bytes in its middle are not sound"
            break
        at = following
    sound = b"".join(parts)
    declared = _declared(sound)
    has_tag = declared is not None or _xing(sound) is not None
    if damage and declared == frames - has_tag:  # all that was encoded is there, and something else between
        damage = None
    return MpegStream(sound, frames - has_tag, frame, declared, damage)


def _frame_kind(content: bytes, at: int) -> tuple[int, int, bool] | None:
    frame = _frame(content, at)
    return frame.kind if frame else None


def _first_frame(content: bytes, begin: int = 0) -> int | None:
    """Return where three frames of one kind follow each other, or fewer to the end; None if nowhere."""
    while length := _tag_length(content, begin):
        begin += length
    for found in re.finditer(rb"\xff[\xe2-\xff]", memoryview(content)[begin:]):
        at = begin + found.start()
        if not (frame := _frame(content, at)):
            continue
        second, third = at + frame.length, 0
        if second >= len(content):
            return at if second == len(content) and begin == at else None
        if _frame_kind(content, second) == frame.kind:
            third = second + (_frame(content, second) or frame).length
            if third >= len(content) or _frame_kind(content, third) == frame.kind or _tag_length(content, third):
                return at
        elif at == begin and _tag_length(content, second):
            return at
    return None


# ---- FLAC and Ogg: files one behind the other ----


def flac_streams(content: bytes) -> list[bytes]:
    """Return each FLAC stream of a file, with its real length in its header."""
    begins, at = [0], 0
    while (at := content.find(b"fLaC", at + 4)) >= 0:
        if content[at + 4 : at + 8] in {b"\0\0\0\x22", b"\x80\0\0\x22"}:
            begins.append(at)
    ends = [*begins[1:], len(content)]
    return [_with_length(content[begin:end]) for begin, end in zip(begins, ends, strict=True)]


def _with_length(stream: bytes) -> bytes:
    """Return a FLAC stream with the length that its last frame gives, if its header has less; else as it is."""
    declared = int.from_bytes(stream[21:26], "big") & 0xF_FFFF_FFFF
    found = _flac_length(stream)
    if found is None or found <= declared:
        return stream
    patched = bytearray(stream)
    patched[21] = patched[21] & 0xF0 | found >> 32
    patched[22:26] = (found & 0xFFFF_FFFF).to_bytes(4, "big")
    return bytes(patched)


def _flac_length(stream: bytes) -> int | None:
    """Return the samples up to the end of a FLAC stream's last frame, by its header; None if none was found."""
    end = len(stream)
    block = int.from_bytes(stream[8:10], "big")
    while (at := max(stream.rfind(b"\xff\xf8", 42, end), stream.rfind(b"\xff\xf9", 42, end))) >= 0:
        if found := _flac_frame(stream[at : at + 16], block):
            return found
        end = at + 1
    return None


def _flac_frame(header: bytes, fixed: int) -> int | None:
    """Return the number of the sample behind a frame; None if these are not the first bytes of a frame."""
    if len(header) < 6 or header[3] & 1:
        return None
    size_code, rate_code = header[2] >> 4, header[2] & 15
    coded = _utf8_number(header[4:])
    if not size_code or rate_code == 15 or coded is None:
        return None
    number, width = coded
    at = 4 + width
    extra = {6: 1, 7: 2}.get(size_code, 0)
    size = int.from_bytes(header[at : at + extra], "big") + 1
    if not extra:
        size = 192 if size_code == 1 else 576 << (size_code - 2) if size_code < 6 else 256 << (size_code - 8)
    at += extra + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if at >= len(header) or _crc8(header[:at]) != header[at]:
        return None
    return (number if header[1] & 1 else number * fixed) + size


def _utf8_number(coded: bytes) -> tuple[int, int] | None:
    """Return a number of up to 36 bits written as UTF-8 would write it, and how many bytes it takes."""
    first = coded[0]
    if first < 0x80:
        return first, 1
    width = 8 - (first ^ 0xFF).bit_length()
    if not 2 <= width <= 7 or len(coded) < width or any(byte & 0xC0 != 0x80 for byte in coded[1:width]):
        return None
    number = first & (0x7F >> width)
    for byte in coded[1:width]:
        number = number << 6 | byte & 0x3F
    return number, width


def _crc8(content: bytes) -> int:
    value = 0
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 7) & 0xFF if value & 0x80 else value << 1
    return value


def ogg_streams(content: bytes) -> list[bytes]:
    """Return each chain of an Ogg file: those that begin after another has ended."""
    begins = [0]
    was_begin = True
    for at, flags in _ogg_pages(content):
        is_begin = bool(flags & 2)
        if is_begin and not was_begin:
            begins.append(at)
        was_begin = is_begin
    return [content[begin:end] for begin, end in zip(begins, [*begins[1:], len(content)], strict=True)]


def _ogg_pages(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each page begins, and its flags."""
    at = 0
    while content.startswith(b"OggS\0", at) and at + 27 <= len(content):
        yield at, content[at + 5]
        lengths = content[at + 27 : at + 27 + content[at + 26]]
        at += 27 + len(lengths) + sum(lengths)
