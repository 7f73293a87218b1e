"""Clips that runs get wrong, to listen to: found in the data that the runs name, decoded and drawn.

Runs may be anybody's, and a page is passed on. So a file gets into one only if it belongs to data whose fingerprint, a
digest of all its files, is the one that the run logged: whoever wrote the run had that data already. A clip that
predictions name is looked up among the clips of the data, never opened by that name. It is read beneath the data's
folder, and no link is followed there.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tracker.atomic_files import cache_folder
from tracker.contained_files import LARGEST_SOURCE, read_file
from tracker.data.dataset import fingerprint, hash_clips
from tracker.data.demo import demo_dataset
from tracker.data.reading import read_dataset
from tracker.errors import DataError
from tracker.features.decode import AudioFault
from tracker.features.excerpt import make_excerpt, playable
from tracker.features.extract import extract
from tracker.figures import draw_spectrogram
from tracker.next_steps.command_line import DEMO
from tracker.printable import printable
from tracker.recording.stores import data_path
from tracker.recording.train import MOST_FAULTY
from tracker.render import Listening, Sound
from tracker.report import mistakes
from tracker.runs import Spectrogram, data_plan_of, number_text, spectrogram_of
from tracker.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracker.data.dataset import Dataset
    from tracker.recording.reporter import Reporter
    from tracker.report import DataSource, Mistake, Report
    from tracker.runs import Run

_FILES_A_CLIP, _FURTHER_FILES = 20, 10_000  # that a folder may have; a stranger may name the root of a disk

_LONGEST_NAME = 200  # of data, in sentences


class _Data:
    """Data that is still what runs were trained on."""

    def __init__(self, dataset: Dataset, hashes: dict[str, str], root: Path) -> None:
        self._clips = {clip.path: clip for clip in dataset.clips}
        self._hashes = hashes
        self._root = root

    def read(self, path: str) -> tuple[bytes, str]:
        """Return what a clip's file has, and the ending of its name; raise `AudioFault` if it can't be read."""
        clip = self._clips.get(path)
        if clip is None:
            raise AudioFault("the data has no clip of that name")
        try:
            content = read_file(clip.file, self._root, LARGEST_SOURCE)
        except OSError as error:
            raise AudioFault(str(error.strerror)) from error
        if hashlib.sha256(content).hexdigest() != self._hashes[path]:
            raise AudioFault("the file was changed while it was read")
        return content, clip.file.suffix


def find_sounds(report: Report, most: int, folder: Path, reporter: Reporter) -> Listening:
    """Return the clips that every run gets wrong, then those of the best run, with their sound.

    At most `most`. Data is named relative to `folder`. What can't be played is said; nothing is raised.
    """
    found = mistakes(report, most)
    if not found:
        return Listening((), (_why_none(report),))
    shelf = _Shelf(folder, reporter)
    sounds = tuple(_sound(mistake, shelf.data_of(mistake)) for mistake in found)
    too_few = f"Wrong in every run or in the best one: only {counted(len(found), 'clip')}, not {most}."
    return Listening(sounds, (*shelf.problems, *([too_few] if len(found) < most else [])))


def _why_none(report: Report) -> str:
    if any(entry.result.correct_by_clip is not None for entry in report.entries):
        return "No clip is wrong in every run or in the best one, so there is none to listen to."
    return "No run logged its predictions, so it is unknown which clips are wrong, and there is none to listen to."


def _sound(mistake: Mistake, data: _Data | None) -> Sound:
    if data is None:
        return Sound(mistake)
    try:
        content, ending = data.read(mistake.clip)
        excerpt = make_excerpt(content, ending, _settings(mistake.entry.run), cache_folder())
    except AudioFault as fault:
        return Sound(mistake, problem=fault.reason)
    start, end = (number_text(round(second, 2)) for second in (excerpt.start, excerpt.end))
    alt = f"Spectrogram of {mistake.clip}: log-mel, 0 to {excerpt.sr / 2:,.0f} Hz, from {start} to {end} s."
    drawn = draw_spectrogram(excerpt.image, excerpt.sr, (excerpt.start, excerpt.end), alt)
    return Sound(mistake, drawn, excerpt.media_type, excerpt.audio)


def _settings(run: Run) -> Spectrogram:
    try:
        return playable(spectrogram_of(run.params))
    except ValueError:
        return Spectrogram()


class _Shelf:
    """The data of several runs, each opened once, and sentences about what can't be used."""

    def __init__(self, folder: Path, reporter: Reporter) -> None:
        self.problems: dict[str, None] = {}
        self._folder = folder
        self._reporter = reporter
        self._opened: dict[DataSource, _Data | DataError] = {}

    def data_of(self, mistake: Mistake) -> _Data | None:
        """Return the first data that can be used of the runs that predicted a clip; if none can, note why."""
        for source in mistake.sources:
            if source not in self._opened:
                self._opened[source] = self._open(source, mistake.entry.run)
            if isinstance(data := self._opened[source], _Data):
                return data
        for problem in (self._opened[source] for source in mistake.sources):
            self._note(problem)
        return None

    def _note(self, problem: _Data | DataError) -> None:
        """Note for the page why data can't be used, and warn of it once: of the cause, which may name a path."""
        if str(problem) not in self.problems and isinstance(problem, DataError):
            cause = problem.__cause__
            self._reporter.warn(f"no clip can be played: {cause}" if cause else str(problem).removesuffix("."))
            self.problems[str(problem)] = None

    def _open(self, source: DataSource, run: Run) -> _Data | DataError:
        if source.name is None:
            return DataError("The runs don't say which data they were trained on, so no clip can be played.")
        called = "The built-in demo set" if source.name == DEMO else f"The data {printable(source.name, _LONGEST_NAME)}"
        if source.fingerprint is None:
            return DataError(f"{called} may have changed: the runs logged no fingerprint. Its clips are not played.")
        try:
            path = data_path(source.name, self._folder)
            is_gone = path is not None and not path.exists()
        except (OSError, ValueError):  # a name that no system has
            path, is_gone = None, True
        if is_gone:
            return DataError(f"{called} is not there any more, so its clips cannot be played.")
        try:
            data = self._read(path, source, run)
        except (DataError, OSError, ValueError) as error:
            problem = DataError(f"{called} cannot be read any more, so its clips cannot be played.")
            problem.__cause__ = error
            return problem
        return data or DataError(f"{called} has changed since the runs were trained, so its clips are not played.")

    def _read(self, path: Path | None, source: DataSource, run: Run) -> _Data | None:
        """Return the data if it is what was used; None if it is not."""
        if path is None:
            root = cache_folder()
            with self._reporter.progress("making the demo set", None) as progress:
                dataset = demo_dataset(root, progress)
        else:
            root = path if path.is_dir() else path.parent
            dataset = read_dataset(path, data_plan_of(run.params), _FILES_A_CLIP * (source.clips or 0) + _FURTHER_FILES)
        with self._reporter.progress("reading", len(dataset.clips)) as progress:
            hashes = hash_clips(dataset, progress)
        if fingerprint(dataset, hashes) != source.fingerprint:
            dataset = dataset.without(self._unusable(dataset, hashes, source, _settings(run)))
        return (
            _Data(dataset, hashes, dataset.root or root) if fingerprint(dataset, hashes) == source.fingerprint else None
        )

    def _unusable(
        self, dataset: Dataset, hashes: dict[str, str], source: DataSource, settings: Spectrogram
    ) -> Sequence[str]:
        """Return the clips that could not be used, and so aren't part of the fingerprint, if there may be any."""
        n = len(dataset.clips)
        if source.clips is None or not 0 < n - source.clips <= MOST_FAULTY * n:
            return ()
        files = [(clip.file, hashes[clip.path]) for clip in dataset.clips]
        with self._reporter.progress("features", n) as progress:
            results = extract(files, settings, cache_folder(), progress)
        return [c.path for c, result in zip(dataset.clips, results, strict=True) if isinstance(result, AudioFault)]
