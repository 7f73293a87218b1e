"""Which clips of a data set are one recording: the same bytes, the same sound, or encoded again, cut or amplified.

That is decided by the clips' contents alone, whatever a run's features are and whatever is cached, since a split keeps
such clips together. It is found once: the result is kept in the cache, by the contents of all clips.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from tracker.atomic_files import replace_file
from tracker.audit.recordings import copies
from tracker.contained_files import open_folder, read_file
from tracker.data.dataset import duplicates
from tracker.features.decode import AudioFault
from tracker.features.extract import extract, settings_key
from tracker.features.measure import SETTINGS, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tracker.data.dataset import Clip
    from tracker.recording.reporter import Reporter

COPIES_VERSION = 3  # increased with every change of what counts as a copy
_LARGEST = 2**26  # bytes of a file of copies


def find_copies(
    clips: Sequence[Clip],
    hashes: Mapping[str, str],
    cache: Path,
    reporter: Reporter,
    images: Callable[[str], NDArray[np.float16]] | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Return the sorted paths of the clips of each recording that there are several of.

    Parameters
    ----------
    hashes : mapping
        The SHA-256 of each clip's bytes, by its path.
    images : callable or None
        Returns a clip's image under `SETTINGS` by its path, if these images are at hand.
    """
    contents = {hashes[clip.path]: clip for clip in reversed(clips)}
    kept = _Kept(cache, contents)
    found = kept.read()
    if found is None:
        of = (
            {content: images(clip.path) for content, clip in contents.items()}
            if images
            else _log_mel_images(contents, cache, reporter)
        )
        with reporter.progress("comparing", len(of)) as progress:
            found = copies({content: (*made, of[content]) for content, made in _fingerprints(of, progress).items()})
            progress(len(of), len(of))
        kept.write(found)
    same = {content: group[0] for group in found for content in group}
    return duplicates({clip.path: same.get(hashes[clip.path], hashes[clip.path]) for clip in clips})


def _log_mel_images(contents: Mapping[str, Clip], cache: Path, reporter: Reporter) -> dict[str, NDArray[np.float16]]:
    """Return the image of each content that a fingerprint is made of: a run's own features may be others."""
    files = [(clip.file, content) for content, clip in contents.items()]
    with reporter.progress("log-mel features, to find copies by", len(files)) as progress:
        made = zip(contents, extract(files, SETTINGS, cache, progress), strict=True)
        return {content: image for content, image in made if not isinstance(image, AudioFault)}


def _fingerprints(
    images: Mapping[str, NDArray[np.float16]], progress: Callable[[int, int], None]
) -> dict[str, tuple[str, NDArray[np.uint32]]]:
    """Return a digest of the image of each content, and its fingerprint."""
    made: dict[str, tuple[str, NDArray[np.uint32]]] = {}
    with ThreadPoolExecutor() as pool:
        for content, found in zip(images, pool.map(_fingerprint, images.values()), strict=True):
            made[content] = found
            progress(max(0, len(made) - 1), len(images))  # the last one waits for the search
    return made


def _fingerprint(image: NDArray[np.float16]) -> tuple[str, NDArray[np.uint32]]:
    return hashlib.sha256(image.data).hexdigest(), fingerprint(image)


class _Kept:
    """The copies among contents as a cache has them; what can't be read or written costs time, nothing else."""

    def __init__(self, cache: Path, contents: Mapping[str, Clip]) -> None:
        self._root, self._contents = cache, contents
        self._key = hashlib.sha256("\n".join(sorted(contents)).encode()).hexdigest()
        self._folder = cache / "measures" / f"copies-{COPIES_VERSION}-{settings_key(SETTINGS)}"

    def read(self) -> tuple[tuple[str, ...], ...] | None:
        """Return the contents of each recording that there are several of; None if that isn't known."""
        try:
            document = json.loads(read_file(self._folder / f"{self._key}.json", self._root, _LARGEST))
            found = tuple(tuple(str(content) for content in group) for group in document["copies"])
            is_right = document["of"] == self._key and all(
                content in self._contents for group in found for content in group
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if is_right and all(found) else None

    def write(self, found: tuple[tuple[str, ...], ...]) -> None:
        """Keep what was found."""
        content = json.dumps({"of": self._key, "copies": found}).encode()
        with suppress(OSError):
            self._root.mkdir(parents=True, exist_ok=True)
            with open_folder(self._folder, self._root, make=True):
                pass
            replace_file(self._folder / f"{self._key}.json", content, root=self._root, durable=False)
