"""One case tried: its place is built, its commands are run, and what they did is held against what they may do."""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.hostile.checks import CREDENTIALS, Evidence, Finding, digests, files_with_secrets, findings
from bench.hostile.commands import HEAVY, TRAINING_LIMIT_S, plain_environment, run
from bench.hostile.place import Place
from bench.hostile.strangers import other_host, tracking_server

if TYPE_CHECKING:
    from bench.hostile.case import Case
    from bench.hostile.commands import Outcome
    from bench.hostile.forked import Forker
    from bench.hostile.place import Base

_INSIDE = ("project", "cache", "tmp", "said")
"""What commands may write to."""
_OWN_CACHES = ("home/.cache", "home/.config", "home/.keras")
"""Where libraries put caches and settings of their own."""


@dataclass(frozen=True)
class Trial:
    """What came of a case.

    Parameters
    ----------
    case : Case
    commands : int
        How many processes were started.
    findings : tuple of Finding
    outcomes : tuple of Outcome
    seconds : float
    """

    case: Case
    commands: int
    findings: tuple[Finding, ...]
    outcomes: tuple[Outcome, ...]
    seconds: float


def attempt(case: Case, base: Base, folder: Path, forker: Forker | None = None, slow: float = 1.0) -> Trial:
    """Try a case in a new folder, which is removed afterwards; a forker runs what needs no start of its own."""
    began = time.monotonic()
    root = Path(tempfile.mkdtemp(dir=folder))
    with ExitStack() as stack:
        stack.callback(_remove, root)
        other = stack.enter_context(other_host())
        served = tracking_server(case.lie, other.uri, str(root / "home")) if case.lie or case.serves else None
        server = stack.enter_context(served) if served else None
        place = Place(root, base, other.uri, server.uri if server else "")
        stack.callback(place.close)
        place.build()
        (root / "said").mkdir()
        case.prepare(place)
        before, journals = _outside(case, place), _journals(case, place)
        planted = _with_secrets(place)
        outcomes = _run_all(case, place, forker, slow)
        evidence = Evidence(
            outcomes=outcomes,
            before=before,
            after=_outside(case, place),
            secrets=_new_secrets(planted, place),
            other=tuple(other.requests),
            server=tuple(server.requests) if server else (),
            missing=tuple(name for name, text in journals.items() if not _begins_with(place, name, text)),
        )
        return Trial(case, len(outcomes), findings(case, evidence), outcomes, time.monotonic() - began)


def _run_all(case: Case, place: Place, forker: Forker | None, slow: float) -> tuple[Outcome, ...]:
    usual = plain_environment(place.base.folder.parent / "cache")
    own = {"HOME": str(place.home), "TMPDIR": str(place.root / "tmp")} | CREDENTIALS
    changed = {name: None if value is None else place.told(value) for name, value in case.environment.items()}
    environment = {name: value for name, value in (usual | own | changed).items() if value is not None}

    def command(words: tuple[str, ...], number: int) -> Outcome:
        output = place.root / "said" / str(number)
        output.mkdir(exist_ok=True)
        told = tuple(map(place.told, words))
        limit_s = slow * max(case.limit_s, TRAINING_LIMIT_S if words[0] in HEAVY else 0)
        if forker and case.may_be_forked:
            return forker.run(told, place.project, environment, output, limit_s)
        prelude = place.told(case.prelude)
        return run(told, place.project, environment, output, prelude=prelude, terminal=case.terminal, limit_s=limit_s)

    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(case.at_once) as pool:
        for words in case.commands:
            outcomes += pool.map(lambda number, words=words: command(words, number), range(case.at_once))
    return tuple(outcomes)


def _outside(case: Case, place: Place) -> dict[str, str]:
    """Return digests of all that no command may change."""
    paths = [path for path in place.root.iterdir() if path.name not in _INSIDE]
    paths += [place.at(name) for name in case.intact]
    return digests(paths, place.root, _OWN_CACHES)


def _journals(case: Case, place: Place) -> dict[str, bytes]:
    paths = {name: place.kept(name) / "journal.jsonl" for name in case.keeps}
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


def _begins_with(place: Place, name: str, text: bytes) -> bool:
    path = place.kept(name) / "journal.jsonl"
    return path.is_file() and path.read_bytes().startswith(text)


def _with_secrets(place: Place) -> dict[str, frozenset[str]]:
    folders = [place.root / name for name in (*_INSIDE, "home", "victim") if name != "said"]
    return files_with_secrets(folders, place.root)


def _new_secrets(planted: dict[str, frozenset[str]], place: Place) -> dict[str, frozenset[str]]:
    """Return which files hold secrets that they did not hold before."""
    new = {path: secrets - planted.get(path, frozenset()) for path, secrets in _with_secrets(place).items()}
    return {path: secrets for path, secrets in new.items() if secrets}


def _remove(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(root, ignore_errors=True)
