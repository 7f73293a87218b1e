"""One run being logged: its journal, and its upload beside it, whoever trains."""

from __future__ import annotations

import getpass
import json
import os
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from tracker.errors import JournalError, TrackerError
from tracker.journal.reader import ARTIFACTS, read, read_upload_state
from tracker.journal.writer import JournalWriter
from tracker.recording.stores import command_on, journals_folder
from tracker.recording.uploader import Uploader, drop_uploaded_artifacts
from tracker.runs import RunStatus
from tracker.runs.events import COMMIT_TAG, NOTE_TAG, PROGRAM_TAG, USER_TAG, Ended, EpochDone, Resumed, Started, Tagged
from tracker.runs.logged import DEFAULT_METRIC, NOTE_END
from tracker.store import TAG_LENGTH, now_ms, run_of_journal
from tracker.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType, TracebackType

    from tracker.recording.reporter import Reporter
    from tracker.recording.stores import LogTarget
    from tracker.runs.events import DatasetUsed, Event
    from tracker.training.result import Epoch

ENVIRONMENT = "environment.txt"  # versions of what decides a run's result, a line each
_SIGNALLED = 128  # exit statuses above it mean that a signal ended the program


class RunWriter:
    """Writes a run's journal and has it uploaded in the background; closed by `close` with what ended the run.

    A run that was never started leaves nothing behind. The note is the person's own words.
    To continue an interrupted run, the folder of its journal is given. `continued_by` says what continues the run if it
    fails or is interrupted, after "Its finished epochs are saved."
    """

    def __init__(
        self,
        target: LogTarget,
        name: str,
        note: str | None,
        reporter: Reporter,
        folder: Path | None = None,
        continued_by: str | None = None,
    ) -> None:
        self.target = target
        self.name = name
        self.note = note
        self.folder = folder or journals_folder(target.store) / uuid4().hex
        self.epochs: dict[int, Mapping[str, float]] = {}
        self._reporter = reporter
        self._continued_by = continued_by
        self._uploader = None if target.offline else Uploader(target.store, self.folder, reporter)
        self._on_append = self._uploader.wake if self._uploader else lambda: None
        self._journal: JournalWriter | None = None
        self._process = os.getpid()
        self._is_closed = False

    @property
    def run_id(self) -> str:
        """The run's id in the store or, as long as it has none, its journal's."""
        delivery = read_upload_state(self.folder)
        return delivery.run_id if delivery else self.folder.name

    @property
    def is_open(self) -> bool:
        """Whether the run was started, by this process, and has not ended."""
        return self._journal is not None and not self._is_closed and self._process == os.getpid()

    @property
    def _open_journal(self) -> JournalWriter:
        if self._journal is None:
            raise TrackerError(
                f"run {self.name} has not been started: log within `with tracker.start_run(...) as run:`"
            )
        if self._is_closed:
            raise TrackerError(
                f"run {self.name} has ended and takes nothing more: call tracker.start_run for a new run"
            )
        if not self.is_open:
            raise TrackerError(f"run {self.name} was started by another process, which alone can log it: log it there")
        return self._journal

    def start(
        self,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        program: str,
        metric: str = DEFAULT_METRIC,
        datasets: tuple[DatasetUsed, ...] = (),
    ) -> None:
        """Begin the journal of a run of `program`, unless the store would refuse it, or cut a name, param or tag."""
        if self._journal:
            raise TrackerError(f"run {self.name} was started already: call tracker.start_run for a new run")
        store, tags = self.target.store, {**tags, **origin_tags(program, self.note)}
        started = Started(now_ms(), store.uri, self.target.experiment, self.name, metric, params, tags, datasets)
        store.check_usable()
        store.check_start(started)
        self._journal = JournalWriter.create(self.folder, started, self._on_append)

    def reopen(self, epochs: Mapping[int, Mapping[str, float]], checkpoints: Iterable[Epoch]) -> None:
        """Continue the journal of an interrupted run, with those epochs whose checkpoint is safe that it lacks."""
        self._journal = JournalWriter.reopen(self.folder, self._on_append)
        self.epochs = dict(epochs)
        for epoch in checkpoints:
            self.log_epoch(epoch.number, epoch.metrics)
        self.append(Resumed(now_ms(), len(self.epochs)))
        self.append(Tagged(_process_tags()))

    def begin_upload(self) -> None:
        """Upload what there is, and what is added, from here on."""
        if self._uploader:
            self._uploader.start()

    def append(self, event: Event) -> None:
        """Write an event; once this returns it is on the disk."""
        self._open_journal.append(event)

    def log_epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Write an epoch; one that the journal has keeps the values that it was first logged with."""
        if number not in self.epochs:
            self.append(EpochDone(now_ms(), number, metrics))
            self.epochs[number] = metrics

    def attach_file(self, path: str, content: str | bytes) -> None:
        """Keep a file among the run's artifacts, over one of the same path."""
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogateescape")  # a file's name may have bytes that are not Unicode
        self._open_journal.attach_bytes(path, content)

    def attach_folder(self, path: str, write: Callable[[Path], None]) -> None:
        """Have a folder written among the run's artifacts, at the path that `write` is given."""
        self._open_journal.attach_folder(path, write)

    def describe(self) -> tuple[str, dict[str, bytes]]:
        """Return the run's summary and, as far as it has what they show, its figures as PNG files by path."""
        from tracker.figures import png, run_confusion, run_curves, titled
        from tracker.render import render_description
        from tracker.report.build import report_study, run_entry

        events = read(self.folder).events
        run = run_of_journal(events, self.folder / ARTIFACTS, self.run_id, RunStatus.FINISHED)
        figures = {}
        for draw in (run_curves, run_confusion):
            with suppress(ValueError):  # nothing to draw
                picture = draw(run)
                figures[f"{picture.name}.png"] = png(titled(picture))
        study, _ = report_study([run])
        return render_description(run_entry(study, 0)), figures

    def attach_description(self, summary: str, figures: Mapping[str, bytes]) -> None:
        """Keep a run's figures, and its summary below the person's note."""
        for path, png in figures.items():
            self.attach_file(path, png)
        words = "\n\n".join([self.note or "", NOTE_END, summary]).strip()
        self.append(Tagged({NOTE_TAG: words[:TAG_LENGTH]}))  # a title of many options may be long, and so may a note

    def close(self, error: BaseException | None) -> None:
        """End the run as FINISHED, FAILED or KILLED, by what was raised, and wait for the upload."""
        if self._journal is None or not self.is_open:
            return
        self._is_closed = True
        ended = ending(error)
        try:
            self._journal.append(ended)
        except JournalError as lost:
            if error is None:
                raise
            self._reporter.warn(str(lost))
        finally:
            self._journal.close()
            if self._uploader:
                self._uploader.finish()
        if ended.status is not RunStatus.FINISHED:
            self._log_failure(ended, error)
        if not drop_uploaded_artifacts(self.folder):
            why = " (--offline)" if self.target.offline else ""
            remedy = self._command("sync")
            self._reporter.log(
                f"run {self.name} is not in the store yet{why}: `{remedy}` uploads it from {self.folder}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close(error)

    def _command(self, *words: str) -> str:
        return command_on(self.target.store, self.folder.parent.parent, *words)

    def _log_failure(self, ending: Ended, error: BaseException | None) -> None:
        ended = "failed" if ending.status is RunStatus.FAILED else "was interrupted"
        remedy = self._continued_by or f"Continue with `{self._command('resume', self.run_id)}`"
        when = "before an epoch was finished."
        if self.epochs:
            when = f"after {counted(len(self.epochs), 'epoch')}. Its finished epochs are saved."
        notice = f"run {self.run_id} ({self.name}) {ended} {when} {remedy}"
        self._reporter.log(notice)
        if isinstance(error, KeyboardInterrupt):
            error.add_note(notice)  # the command line need not say so again


def is_clean_exit(error: BaseException | None) -> bool:
    """Return whether what was raised, if anything, is no failure: a script may end by `sys.exit()`."""
    return error is None or (isinstance(error, SystemExit) and error.code in {None, 0})


def ending(error: BaseException | None) -> Ended:
    """Return how a run ends, by what was raised while it was trained."""
    if is_clean_exit(error):
        return Ended(now_ms(), RunStatus.FINISHED)
    is_signal = isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > _SIGNALLED
    if isinstance(error, Exception | SystemExit) and not is_signal:
        return Ended(now_ms(), RunStatus.FAILED, one_line(error))
    return Ended(now_ms(), RunStatus.KILLED, "interrupted")


def one_line(error: BaseException) -> str:
    """Return an error in one line, short enough for a tag."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:1_000]


@contextmanager
def signals_raise(error_of: Callable[[int], BaseException]) -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a terminal that is closed, end the training by an exception: its run is then closed.

    A signal that the program handles itself, or ignores as under nohup, is left to it. A process that was forked
    meanwhile, such as a loader of data, dies of it as usual.
    """
    process = os.getpid()

    def leave(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == process:
            if number != signal.SIGTERM:  # a terminal that goes may send it twice: closing the run must not be cut
                signal.signal(number, signal.SIG_IGN)
            raise error_of(number)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # the latter of Unix
    is_main = threading.current_thread() is threading.main_thread()  # which alone can set a handler
    ours = [number for number in numbers if is_main and signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def classes_tag(classes: Sequence[str]) -> dict[str, str]:
    """Return the tag that lists the classes, if a store keeps it whole; they also head the columns of predictions."""
    listed = json.dumps(classes)
    return {"tracker.classes": listed} if len(listed) <= TAG_LENGTH else {}


def versions_text(versions: Mapping[str, str]) -> str:
    """Return versions as `ENVIRONMENT` has them, a line each."""
    return "".join(f"{name} {version}\n" for name, version in versions.items())


def account() -> str:
    """Return the account that runs this process; its number where, as in containers, it has no name."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _process_tags() -> dict[str, str]:
    return {"tracker.host": socket.gethostname(), "tracker.pid": str(os.getpid())}


def origin_tags(program: str, note: str | None) -> dict[str, str]:
    """Return the tags that say who trains with what: account, program, git commit, process, the person's note."""
    tags = {USER_TAG: account(), PROGRAM_TAG: program}
    try:
        git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    except OSError:
        git = None
    if git and not git.returncode:
        tags[COMMIT_TAG] = git.stdout.strip()
    return tags | _process_tags() | ({NOTE_TAG: note} if note else {})
