"""Which clips are the same recording, by their fingerprints: whatever encoded, cut or amplified them.

A fingerprint is a word of 32 bits for each frame (`tracker.features.measure` makes them). Of two clips of one
recording many words share all bits of one of three parts of a word, at one distance in time. Clips that do so often
enough are laid over each other at that distance, and are the same recording if few bits differ. So the work grows with
the number of clips, not of pairs. Of more clips a larger part is compared, and a block of them at a time, so that
agreements by chance take neither more time a clip nor more memory: 1,000 clips of 30 s take 1 s, 8,000 take 12 s.

Clips of less than 2.5 s have too few words for that. Those of equal length are compared by their log-mel images, if
these are alike in outline: 20,000 clips of 1 s take 20 s.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

# The fraction of bits that may differ, by the frames that are shared. Measured on 1,000 clips of 100 synthetic artists,
# who repeat themselves: copies differ by at most 0.20 (0.23 if 4 s long and badly encoded: these may be missed), other
# clips of an artist by at least 0.25 over 6 s and 0.29 over 16 s, and by 0.38 over 30 s.
_MOST_BITS = ([300.0, 1_000.0], [0.22, 0.28])
LEAST_FRAMES = 100  # that two clips must share, 2.3 s: over fewer, chance could keep that many bits
# Shorter clips are one if enough of what is audible differs by as good as nothing but its level. On 720 spoken digits
# copies as mp3 and Vorbis, also at their lowest qualities, keep at least 74% of it within 3 dB, takes of one speaker at
# most 62%. Steady noises of one colour would keep as much, but their levels do not change together.
_AUDIBLE = -45.0  # dB below the maximum
_HEARD = slice(4, 100)  # mel bands: from 90 Hz to 8 kHz
_NEAR, _LEAST_NEAR = 3.0, 0.68  # dB, and the fraction of the audible points of an image that must be so near
_LEAST_POINTS = 200
_LEAST_CORRELATION = 0.8  # of the changes of level over time
_SHORTEST, _LONGEST_SHORT = 8, LEAST_FRAMES + 8  # frames of an image: a fingerprint has 8 fewer
_OUTLINE, _MOST_APART = (8, 4), 3.0  # bands by times that an outline has, and how far those of copies are apart, in dB
_PAIRS = 20_000_000  # of outlines that are compared at a time
_LEAST_BITS, _MOST_PART = 20, 26  # of a part of a word: as many as there are words, in bits
_BLOCK = 2_000_000  # words whose agreements are counted at a time
_NEIGHBOURS = 10  # entries of one part's value that each is compared with: copies of copies are found in turn
_BIN = 8  # frames of distance that count as one
_LEAST_VOTES, _MOST_CANDIDATES = 3, 4  # and at most so many pairs a clip
_HOPELESS = 0.40  # of the bits of some frames differ


@dataclass(frozen=True, slots=True)
class Match:
    """Two clips of one recording, by their places in the list."""

    first: int
    second: int
    frames: int  # that they share
    bits: float  # fraction of their bits that differs


def same_recordings(fingerprints: Sequence[NDArray[np.uint32]]) -> list[Match]:
    """Return each pair of clips that share `LEAST_FRAMES` of one recording."""
    best: dict[tuple[int, int], Match] = {}
    for first, second, distance in _candidates(fingerprints):
        match = _overlay(first, second, fingerprints[first], fingerprints[second], distance)
        known = best.get((first, second))
        if match and (known is None or match.frames > known.frames):
            best[first, second] = match
    return [best[pair] for pair in sorted(best)]


def same_short_recordings(images: Sequence[NDArray[np.floating]]) -> list[tuple[int, int]]:
    """Return pairs of short clips of equal length that are one recording, by their places in the list.

    `images` are log-mel images of 128 bands in decibels, shape (128, n_frames); longer ones are passed over.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for place, image in enumerate(images):
        if _SHORTEST <= image.shape[1] < _LONGEST_SHORT:
            by_length[image.shape[1]].append(place)
    return [
        (places[first], places[second])
        for _, places in sorted(by_length.items())
        for first, second in _alike(np.stack([_outline(images[place]) for place in places]))
        if _is_same(images[places[first]], images[places[second]])
    ]


def _outline(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mean level of some bands at some times, less that of all."""
    levels = np.maximum(image[_HEARD].astype(np.float32), _AUDIBLE)
    bands, times = _OUTLINE
    begins = [image.shape[1] * number // times for number in range(times)]
    sums = np.add.reduceat(levels.reshape(bands, -1, image.shape[1]).mean(axis=1), begins, axis=1)
    outline = (sums / np.diff([*begins, image.shape[1]])).ravel()
    return np.asarray(outline - outline.mean(), np.float32)


def _alike(outlines: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Yield each outline with those of the following ones that are nearest to it, if they are near enough."""
    n, size = outlines.shape
    squares = np.square(outlines).sum(axis=1)
    step = max(1, _PAIRS // n)
    for begin in range(0, n, step):
        block = slice(begin, begin + step)
        distances = squares[block, None] + squares[begin:] - 2 * outlines[block] @ outlines[begin:].T
        for row, apart in enumerate(distances):
            near = np.flatnonzero(apart[row + 1 :] < size * _MOST_APART**2) + row + 1
            nearest = near[np.argsort(apart[near], kind="stable")[:_NEIGHBOURS]]
            yield from ((begin + row, begin + int(other)) for other in nearest)


def _is_same(one: NDArray[np.floating], other: NDArray[np.floating]) -> bool:
    """Return whether two images of equal length are of one recording."""
    a, b = one[_HEARD].astype(np.float32), other[_HEARD].astype(np.float32)
    apart = (a - b)[np.maximum(a, b) > _AUDIBLE]
    if len(apart) < _LEAST_POINTS or np.mean(np.abs(apart - np.median(apart)) < _NEAR) < _LEAST_NEAR:
        return False
    a, b = (np.maximum(levels, _AUDIBLE) for levels in (a, b))
    a, b = (levels - levels.mean(axis=1, keepdims=True) for levels in (a, b))
    return bool(np.sum(a * b) >= _LEAST_CORRELATION * np.sqrt(np.sum(a * a) * np.sum(b * b)) > 0)


def copies(clips: Mapping[str, tuple[str, NDArray[np.uint32], NDArray[np.floating]]]) -> tuple[tuple[str, ...], ...]:
    """Return the names of the clips of each recording that there are several of, sorted.

    Each clip has a digest of its log-mel image, its fingerprint and that image: clips of equal images are one recording
    however short they are. What is found depends on the clips alone, not on their order.
    """
    names = sorted(clips)
    root = dict(zip(names, names, strict=True))

    def of(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    first: dict[str, str] = {}
    for name in names:
        root[name] = first.setdefault(clips[name][0], name)
    firsts = sorted(first.values())
    matches = same_recordings([clips[name][1] for name in firsts])
    pairs = [(match.first, match.second) for match in matches]
    for first_of, second_of in pairs + same_short_recordings([clips[name][2] for name in firsts]):
        one, other = sorted((of(firsts[first_of]), of(firsts[second_of])))
        root[other] = one
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        members[of(name)].append(name)
    return tuple(tuple(same) for same in members.values() if len(same) > 1)


def differing(copies: Iterable[tuple[str, ...]], value_of: Mapping[str, str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return the recordings whose copies differ in something, such as the label, each with its values, sorted.

    Each recording is the names of its copies; those that `value_of` leaves out differ from none.
    """
    values = {names: {value_of[name] for name in names if name in value_of} for names in copies}
    return {names: tuple(sorted(found)) for names, found in values.items() if len(found) > 1}


def _candidates(fingerprints: Sequence[NDArray[np.uint32]]) -> list[tuple[int, int, int]]:
    """Return pairs of clips and the distance in frames at which words of theirs agree, those with most votes first."""
    n = len(fingerprints)
    lengths = np.array([len(words) for words in fingerprints], np.int64)
    if n < 2 or not lengths.sum():
        return []
    span = int(lengths.max()) // _BIN + 2
    counted = [
        _repeated(np.concatenate([*votes, np.zeros(0, np.int64)])) for votes in _votes(fingerprints, lengths, n, span)
    ]
    keys, counts = (np.concatenate(found) for found in zip(*counted, strict=True))
    order = np.argsort(-counts, kind="stable")
    first = np.sort(np.unique(keys[order] // (2 * span), return_index=True)[1])  # the likeliest distance of each pair
    pairs, bins = np.divmod(keys[order][first[: _MOST_CANDIDATES * n]], 2 * span)
    return [(int(pair // n), int(pair % n), (int(b) - span) * _BIN) for pair, b in zip(pairs, bins, strict=True)]


def _repeated(votes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers that stand often enough in a list, sorted, and how often; the list is sorted."""
    votes.sort()
    rest = _LEAST_VOTES - 1  # a number that stands again so many places on has enough
    keys, counts = np.unique(votes[rest:][votes[rest:] == votes[: len(votes) - rest]], return_counts=True)
    return keys, counts + rest


def _votes(
    fingerprints: Sequence[NDArray[np.uint32]], lengths: NDArray[np.int64], n: int, span: int
) -> Iterator[Iterator[NDArray[np.int64]]]:
    """Yield for each block of clips the numbers of its agreements with others: of the pair and the distance in bins."""
    words = np.concatenate(fingerprints)
    clips = np.repeat(np.arange(n, dtype=np.int32), lengths)
    times = (np.arange(len(words)) - np.repeat(np.cumsum(lengths) - lengths, lengths)).astype(np.int32)
    bits = min(max(_LEAST_BITS, len(words).bit_length() - 1), _MOST_PART)
    parts = [_Part.of(words, clips, times, first, bits) for first in (0, (32 - bits) // 2, 32 - bits)]
    blocks = -(-len(words) // _BLOCK)
    for block in range(blocks):
        yield (
            votes for part in parts for votes in part.votes(n, span, (block * n // blocks, (block + 1) * n // blocks))
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of all words, sorted, with the clip and the frame that each is of."""

    values: NDArray[np.uint32]
    clips: NDArray[np.int32]
    times: NDArray[np.int32]

    @classmethod
    def of(
        cls, words: NDArray[np.uint32], clips: NDArray[np.int32], times: NDArray[np.int32], first: int, bits: int
    ) -> _Part:
        """Return the part of so many bits that begins at a bit, without frames in which nothing changes."""
        values = (words >> np.uint32(first)) & np.uint32(2**bits - 1)
        # A value that stays the same over some frames of a clip counts once.
        begins = np.flatnonzero((words != 0) & ((np.diff(values, prepend=values[:1] + 1) != 0) | (times == 0)))
        # Values with their places as one number each: these are sorted several times as fast as places by values.
        both = np.sort(values[begins].astype(np.uint64) << np.uint64(32) | begins.astype(np.uint64))
        places = both.astype(np.uint32)
        return cls((both >> np.uint64(32)).astype(np.uint32), clips[places], times[places])

    def votes(self, n: int, span: int, block: tuple[int, int]) -> Iterator[NDArray[np.int64]]:
        """Yield a number for each agreement of a clip of a block, from one number to below the other, with another."""
        values, clips, times = self.values, self.clips, self.times
        same = np.flatnonzero((clips >= block[0]) & (clips < block[1]))
        for step in range(1, min(_NEIGHBOURS, len(values))):
            same = same[: np.searchsorted(same, len(values) - step)]
            same = same[values[same + step] == values[same]]
            one = same[clips[same] != clips[same + step]]
            other = one + step
            pairs = clips[one].astype(np.int64) * n + clips[other]
            yield pairs * (2 * span) + ((times[one] - times[other]) // _BIN + span)


def _overlay(
    first: int, second: int, one: NDArray[np.uint32], other: NDArray[np.uint32], distance: int
) -> Match | None:
    """Return how two clips agree near a distance in frames; None if they aren't the same recording there."""
    coarse = min(
        (_differing(one, other, shift, every=3), shift) for shift in range(distance - _BIN, distance + 2 * _BIN, 4)
    )
    if coarse[0][0] > _HOPELESS:
        return None
    (bits, frames), _ = min((_differing(one, other, shift), shift) for shift in range(coarse[1] - 3, coarse[1] + 4))
    return Match(first, second, frames, bits) if bits <= np.interp(frames, *_MOST_BITS) else None


def _differing(one: NDArray[np.uint32], other: NDArray[np.uint32], shift: int, every: int = 1) -> tuple[float, int]:
    """Return the fraction of bits that differ at a distance, 1 if too few frames are shared, and how many are."""
    a, b = one[max(0, shift) :: every], other[max(0, -shift) :: every]
    shared = min(len(a), len(b))
    is_known = (a[:shared] != 0) & (b[:shared] != 0)
    frames = int(np.count_nonzero(is_known))
    if frames * every < LEAST_FRAMES:
        return 1.0, frames
    return int(np.bitwise_count((a[:shared] ^ b[:shared])[is_known]).sum()) / (32 * frames), frames
