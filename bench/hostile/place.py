"""Where a case happens: a project, decoys outside it, and how hostile things are put there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import zipfile
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.faults.kills import write_tones
from bench.hostile import lines
from bench.hostile.commands import TRACKER, plain_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bench.hostile.lines import Row

CANARY = "CANARY-5d1f0c-nobody-reads-this-key"
"""Stands in every decoy outside the project."""

GOOD = ("first", "second", "waiting", "halted")
"""The runs of the project: two in its store, one that only its journal has, and one in the store that was killed."""

HOSTILE_ID = "f" * 32
"""The id of a journal that a case adds."""

PLACES = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"))
"""The columns of a store that name folders of artifacts, with their tables."""

_IDS = {name: f"{number:032x}" for number, name in enumerate(GOOD, 0xA0)}
_TRAINING = ("--data", "data", "--segment", "0.5", "--width", "2", "--epochs", "40")
_PATIENCE_S = 180.0


@dataclass(frozen=True)
class Base:
    """The project that every case has a copy of.

    Parameters
    ----------
    folder : Path
        Where it is now.
    written : str
        Where it was when its files were written: they name that path.
    runs : dict of str to str
        The ids that the store has for the runs that it has.
    """

    folder: Path
    written: str
    runs: dict[str, str]


def build_base(root: Path) -> Base:
    """Train three runs, the last of which is killed but in the store, and add one that no store has yet."""
    project = root / "as-written"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    write_tones(project / "data")
    environment = plain_environment(root / "cache") | {"HOME": str(root)}
    _train_and_kill(project, environment)
    journals = {rows[0]["params"]["seed"]: path.parent for path, rows in _journals(project)}
    runs = {}
    for seed, name in enumerate(("first", "second", "halted")):
        folder = journals[str(seed)].rename(project / ".tracker" / _IDS[name])
        _rewrite(folder, name=name, uri="sqlite:///mlflow.db")
        with suppress(FileNotFoundError):
            runs[name] = json.loads((folder / "delivery.json").read_bytes())["run_id"]
    with closing(sqlite3.connect(project / "mlflow.db")) as store:
        for name, run_id in runs.items():
            store.execute("UPDATE runs SET name = ? WHERE run_uuid = ?", (name, run_id))
            row = (name, run_id)
            store.execute("UPDATE tags SET value = ? WHERE key = 'mlflow.runName' AND run_uuid = ?", row)
            row = (_IDS[name], run_id)
            store.execute("UPDATE tags SET value = ? WHERE key = 'tracker.journal' AND run_uuid = ?", row)
        store.commit()
    _add_waiting(project, runs["first"])
    return Base(project.rename(root / "base"), str(project), runs)


def _train_and_kill(project: Path, environment: dict[str, str]) -> None:
    """Train two runs, then a third whose process is killed; each by a command, so that no run holds them together."""
    with (project.parent / "training.txt").open("wb") as said:

        def train(seed: int) -> subprocess.Popen[bytes]:
            words = [*TRACKER, "run", *_TRAINING, "--seed", str(seed)]
            return subprocess.Popen(
                words, cwd=project, env=environment, stdout=said, stderr=said, start_new_session=True
            )

        statuses = [process.wait() for process in [train(0), train(1)]]
        halted = train(2)
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and halted.poll() is None:
            epochs = [path.read_bytes().count(b'"entry":"epoch"') for path in project.glob(".tracker/*/journal.jsonl")]
            if len(epochs) == 3 and min(epochs) >= 3:
                break
            time.sleep(0.005)
        with suppress(ProcessLookupError):
            os.killpg(halted.pid, signal.SIGKILL)
        statuses.append(halted.wait())
        # What it sent before it was killed depends on the machine; another user can read it in the store alone.
        sync = subprocess.run([*TRACKER, "sync"], cwd=project, env=environment, stdout=said, stderr=said, check=False)
        statuses.append(sync.returncode)
    if statuses != [0, 0, -signal.SIGKILL, 0]:
        raise RuntimeError(f"the runs to start from were not trained: {(project.parent / 'training.txt').read_text()}")


def _journals(project: Path) -> Iterable[tuple[Path, list[Row]]]:
    for path in project.glob(".tracker/*/journal.jsonl"):
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rfind(b"\n") + 1])  # a kill may have torn the last line
        yield path, lines.rows(path)


def _rewrite(folder: Path, **changes: str) -> None:
    journal = folder / "journal.jsonl"
    first, *rest = lines.rows(journal)
    journal.write_bytes(lines.text([first | changes, *rest]))


def _add_waiting(project: Path, run_id: str) -> None:
    """Add a finished run that was never sent: the first one's, with another seed."""
    folder = project / ".tracker" / _IDS["waiting"]
    folder.mkdir()
    first, *rest = lines.rows(project / ".tracker" / _IDS["first"] / "journal.jsonl")
    first |= {"name": "waiting", "params": first["params"] | {"seed": "7"}}
    (folder / "journal.jsonl").write_bytes(lines.text([first, *rest]))
    shutil.copytree(project / "mlruns" / "tracker" / run_id / "artifacts", folder / "artifacts")


@dataclass
class Place:
    """A case's throw-away folder.

    Parameters
    ----------
    root : Path
        Holds all else: ``project``, where commands are run, ``cache`` and ``tmp``, which they may write to, and the
        decoys ``home``, ``victim`` and ``precious.txt``.
    base : Base
    other : str
        Address of the server that nobody may talk to.
    server : str
        Address of the one that the user gives; empty where a case has none.
    """

    root: Path
    base: Base
    other: str = ""
    server: str = ""
    sockets: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.project, self.home, self.victim = (self.root / name for name in ("project", "home", "victim"))
        self.precious = self.root / "precious.txt"
        self.key = self.home / ".ssh" / "id_rsa"

    def build(self) -> None:
        """Copy the project, and lay out the decoys."""
        for name in ("cache", "tmp"):
            (self.root / name).mkdir(parents=True)
        _copy(self.base, self.project)
        _copy(self.base, self.victim)
        (self.home / ".ssh").mkdir(parents=True)
        for path in (self.key, self.home / ".bashrc", self.home / ".profile", self.precious, self.victim / "notes.txt"):
            path.write_text(f"-----BEGIN {CANARY}-----\n{CANARY}\n", encoding="ascii")
        self.key.chmod(0o600)

    def close(self) -> None:
        """Let go of the sockets that were put there."""
        for one in self.sockets:
            one.close()

    def kept(self, name: str) -> Path:
        """Return the folder of a run's journal."""
        return self.project / ".tracker" / _IDS[name]

    def artifacts(self, name: str) -> Path:
        """Return the folder of a run's artifacts in the store."""
        return self.project / "mlruns" / "tracker" / self.base.runs[name] / "artifacts"

    def rows(self, name: str) -> list[Row]:
        """Return what a run's journal says."""
        return lines.rows(self.kept(name) / "journal.jsonl")

    def add_journal(self, journal: bytes | Iterable[Row], journal_id: str = HOSTILE_ID) -> Path:
        """Add a journal to the project; rows get right checksums."""
        folder = self.project / ".tracker" / journal_id
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(journal if isinstance(journal, bytes) else lines.text(journal))
        return folder

    def hostile_rows(self, **first: Any) -> list[Row]:
        """Return the rows of another run that is to be sent, with some of its first line replaced."""
        opening, *rest = self.rows("waiting")
        rest = [row for row in rest if row["entry"] != "attached"]
        return lines.numbered([opening | {"name": "hostile"} | first, *rest])

    def at(self, where: str) -> Path:
        """Return a path in the project: ``<waiting>`` is a journal's folder, ``<first>`` a run's artifacts."""
        for name in GOOD:
            where = where.replace(f".tracker/<{name}>", str(self.kept(name)))
            if name in self.base.runs:
                where = where.replace(f"mlruns/<{name}>", str(self.artifacts(name)))
        return self.project / where

    def told(self, word: str) -> str:
        """Fill in what a command names: ``<server>``, ``<other>``, one as ``<bare>``, ``<root>``, ids of runs."""
        bare = (self.server or self.other).removeprefix("http://")
        named = {"server": self.server, "other": self.other, "bare": bare, "root": str(self.root)} | self.base.runs
        for name, value in named.items():
            word = word.replace(f"<{name}>", value)
        return word

    def sql(self, *statements: tuple[str, Sequence[object]] | str) -> None:
        """Change the project's store."""
        with closing(sqlite3.connect(self.project / "mlflow.db")) as store:
            for statement in statements:
                store.execute(*((statement,) if isinstance(statement, str) else statement))
            store.commit()


def _copy(base: Base, target: Path) -> None:
    shutil.copytree(base.folder, target)
    with closing(sqlite3.connect(target / "mlflow.db")) as store:
        for table, column in PLACES:
            change = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"  # noqa: S608 -- of the names above
            store.execute(change, (base.written, str(target)))
        store.commit()
    for path in target.glob(".tracker/*/delivery.json"):
        path.write_text(path.read_text().replace(base.written, str(target)))


# ---- things that are put in the place of a file ----


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)


def link(path: Path, target: str | Path) -> None:
    clear(path)
    path.symlink_to(target)


def fifo(path: Path) -> None:
    clear(path)
    os.mkfifo(path)


def unix_socket(place: Place, path: Path) -> None:
    clear(path)
    made = socket.socket(socket.AF_UNIX)
    place.sockets.append(made)
    short = place.root / "s"  # the path of a socket may have 107 bytes
    made.bind(str(short))
    short.rename(path)


def folder(path: Path) -> None:
    clear(path)
    path.mkdir()


def bomb(path: Path, name: str, size: int) -> None:
    """Write an archive that unpacks to `size` zeros."""
    clear(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w", force_zip64=True) as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
