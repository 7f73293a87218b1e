"""What counts as harm, and how it is seen: pure functions of what commands said and of what files hold."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from bench.hostile.case import REPORT, RUNS
from bench.hostile.place import CANARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench.hostile.case import Case
    from bench.hostile.commands import Outcome
    from bench.hostile.strangers import Request

TOKEN = "canarytoken0a4f77"  # noqa: S105 -- of nothing
USER = "canaryuser"
PASSWORD = "canarypassword93be1d"  # noqa: S105 -- of nothing
IN_URI = "canaryinuri6c20e8"
"""The secret part of addresses that a journal or the user names."""

CREDENTIALS = {"MLFLOW_TRACKING_TOKEN": TOKEN, "MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
SECRETS = (TOKEN, PASSWORD, IN_URI, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
"""What must not be seen; also as it stands in the header ``Authorization: Basic``."""

INJECTED = "INJECTED"
"""The file that a shell makes if it is given a suggested command that isn't quoted."""

_LONGEST_LINE = 4_000
"""Characters of a line on standard error: more is a body of a server or a file that was passed on."""

_STEERING = {"Cc", "Cs"}
_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LARGEST = 64 << 20


class Harm(StrEnum):
    """What must never happen; each is a column of the table."""

    CHANGED = "files outside changed"
    READ = "outside content read into artifacts"
    SENT = "requests to other hosts"
    CREDENTIALS = "credentials seen"
    TRACEBACK = "tracebacks"
    HANG = "hangs over 20 s"
    LOST = "other runs lost"
    ESCAPE = "terminal escapes"
    STATUS = "undocumented exits"


@dataclass(frozen=True)
class Finding:
    """One harm that a case did, and how it shows."""

    harm: Harm
    symptom: str


@dataclass(frozen=True)
class Evidence:
    """All that is known of a case after its commands.

    Parameters
    ----------
    outcomes : tuple of Outcome
    before, after : mapping of str to str
        A digest of everything outside the project, and of what must stay intact in it.
    secrets : mapping of str to frozenset of str
        Which secrets each file holds that held none of them before: the canary of the decoys, or a credential.
    other, server : tuple of Request
        What was sent to the host that nobody may talk to, and to the server that the user gave.
    missing : tuple of str
        Good runs whose journals are gone or other than they were.
    """

    outcomes: tuple[Outcome, ...]
    before: Mapping[str, str]
    after: Mapping[str, str]
    secrets: Mapping[str, frozenset[str]]
    other: tuple[Request, ...]
    server: tuple[Request, ...]
    missing: tuple[str, ...]


def findings(case: Case, evidence: Evidence) -> tuple[Finding, ...]:
    """Return all harm that a case did, each kind once per command or file."""
    return tuple(Finding(harm, symptom) for harm, symptom in _all(case, evidence))


def _all(case: Case, evidence: Evidence) -> Iterator[tuple[Harm, str]]:
    yield from ((Harm.CHANGED, what) for what in changed(evidence.before, evidence.after))
    yield from _seen(evidence)
    yield from ((Harm.SENT, request.line) for request in evidence.other)
    yield from ((Harm.LOST, f"the journal of {name} was changed") for name in evidence.missing)
    for outcome in evidence.outcomes:
        command = f"tracker {' '.join(outcome.words)[:80]}"
        yield from ((harm, f"`{command}`: {what}") for harm, what in _said(case, outcome))
    wanted = [text for text in case.shows if not any(text in one.out + one.err for one in evidence.outcomes)]
    yield from ((Harm.ESCAPE, f"{text!r} is not shown as it is") for text in wanted)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return which files are new, gone or other than before."""
    words = {(False, True): "is new", (True, False): "is gone", (True, True): "has changed"}
    paths = [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]
    return [f"{path} {words[path in before, path in after]}" for path in paths]


def _seen(evidence: Evidence) -> Iterator[tuple[Harm, str]]:
    for path, secrets in evidence.secrets.items():
        for secret in secrets:
            yield (Harm.READ if secret == CANARY else Harm.CREDENTIALS), f"{_name_of(secret)} is in {path}"
    for request in (*evidence.other, *evidence.server):
        if CANARY in secrets_in(request.all):
            yield Harm.READ, f"the decoy's content was sent: {request.line}"
    for request in evidence.other:
        for secret in secrets_in(request.all) - {CANARY}:
            yield Harm.CREDENTIALS, f"{_name_of(secret)} was sent to the other host"


def _said(case: Case, outcome: Outcome) -> Iterator[tuple[Harm, str]]:
    said = f"{outcome.out}\n{outcome.err}"
    for secret in secrets_in(said.encode()):
        yield (Harm.READ if secret == CANARY else Harm.CREDENTIALS), f"{_name_of(secret)} was printed"
    if raised := traceback(said):
        yield Harm.TRACEBACK, raised
    if exit_ := _ended_wrong(case, outcome):
        yield exit_
    yield from _on_the_terminal(case, outcome)
    if lost := lost_runs(case, outcome):
        reason = outcome.err.strip().splitlines()
        yield Harm.LOST, f"without {', '.join(lost)}{f' ({reason[-1][:160]})' if reason else ''}"


def _ended_wrong(case: Case, outcome: Outcome) -> tuple[Harm, str] | None:
    if outcome.hung:
        return Harm.HANG, f"killed after {outcome.seconds:.0f} s"
    if outcome.status not in {0, 1, 2}:
        return Harm.STATUS, f"status {outcome.status}"
    if outcome.status and not outcome.err.strip() and not case.terminal:
        return Harm.STATUS, f"status {outcome.status} without a word"
    if outcome.status and case.succeeds:
        return Harm.STATUS, f"status {outcome.status}, though nothing is wrong: {outcome.err.strip()[-200:]}"
    return None


def _on_the_terminal(case: Case, outcome: Outcome) -> Iterator[tuple[Harm, str]]:
    if sign := steering(outcome.out, terminal=case.terminal) or steering(outcome.err):
        yield Harm.ESCAPE, f"U+{ord(sign):04X} was printed"
    if (longest := max(map(len, outcome.err.splitlines()), default=0)) > _LONGEST_LINE:
        yield Harm.ESCAPE, f"a line of {longest:,} characters on standard error"
    if INJECTED in outcome.out + outcome.err and runs_something_else(outcome):
        yield Harm.ESCAPE, "a suggested command runs something else"


def traceback(said: str) -> str | None:
    """Return the last line of a traceback, if there is any."""
    if "Traceback (most recent call last)" not in said and "Exception in thread" not in said:
        return None
    raised = re.findall(r"^(?:[\w.]+(?:Error|Exception|Interrupt|Warning|Exit)\b.*|[\w.]+: .*)$", said, re.MULTILINE)
    return (raised[-1] if raised else "a traceback")[:200]


def steering(said: str, *, terminal: bool = False) -> str | None:
    """Return a sign that steers a terminal or turns text around, if there is any; a terminal itself adds returns."""
    harmless = "\n\t\r" if terminal else "\n\t"
    hostile = (
        sign
        for sign in said
        if (unicodedata.category(sign) in _STEERING and sign not in harmless) or sign in _BIDIRECTIONAL
    )
    return next(hostile, None)


def runs_something_else(outcome: Outcome) -> bool:
    """Return whether a shell that is given the suggested commands does more than call `tracker`."""
    suggested = re.findall(r"`(tracker [^`]*)`", outcome.err) + re.findall(r"^tracker .*$", outcome.out, re.MULTILINE)
    shell = shutil.which("sh") or "/bin/sh"
    with tempfile.TemporaryDirectory() as folder:
        for command in suggested:
            subprocess.run(
                [shell, "-c", f"tracker() {{ :; }}\n{command}"],
                cwd=folder,
                capture_output=True,
                check=False,
                timeout=20,
            )
        return any(Path(folder).iterdir())


def lost_runs(case: Case, outcome: Outcome) -> list[str]:
    """Return the good runs that a listing lacks."""
    if outcome.words not in {RUNS, REPORT} or outcome.hung:
        return []
    keeps = case.keeps if outcome.words == RUNS else [name for name in case.keeps if name in {"first", "second"}]
    return [name for name in keeps if name not in _listed(outcome)]


def _listed(outcome: Outcome) -> set[str]:
    try:
        listed = json.loads(outcome.out)
    except ValueError:
        return set()
    runs = listed["runs"] if isinstance(listed, dict) else listed
    return {run["name"] for run in runs if isinstance(run["name"], str)}


def secrets_in(data: bytes) -> frozenset[str]:
    """Return the secrets in some bytes, also those that stand there in Base64."""
    return frozenset(secret for secret, forms in _FORMS.items() if any(form in data for form in forms))


def _forms(secret: str) -> tuple[bytes, ...]:
    """Return a secret as it is and in Base64, at each of the three places where a group of four signs may begin."""
    data = secret.encode()
    shifted = [base64.b64encode(b"?" * shift + data)[4 if shift else 0 :] for shift in range(3)]
    return (data, *(form[: len(form) // 4 * 4 - 4] for form in shifted))


_FORMS = {secret: _forms(secret) for secret in (CANARY, *SECRETS)}


def _name_of(secret: str) -> str:
    names = {
        CANARY: "the decoy's content",
        TOKEN: "the token",
        PASSWORD: "the password",
        IN_URI: "an address's password",
    }
    return names.get(secret, "the login")


def digests(paths: Iterable[Path], root: Path, ignored: Sequence[str] = ()) -> dict[str, str]:
    """Return what is below some paths: kind, mode and content of each file, without following links."""
    held = {}
    for path in paths:
        for one in (path, *_below(path)):
            name = one.relative_to(root).as_posix()
            if not name.startswith(tuple(ignored)) and os.path.lexists(one):
                held[name] = _digest(one)
    return held


def _below(path: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(path):
        yield from (Path(folder, name) for name in (*folders, *files))


def _digest(path: Path) -> str:
    status = path.lstat()
    kind = f"{stat.filemode(status.st_mode)} "
    if stat.S_ISLNK(status.st_mode):
        return kind + str(path.readlink())
    return kind + hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else kind


def files_with_secrets(folders: Iterable[Path], root: Path) -> dict[str, frozenset[str]]:
    """Return the files below some folders that hold secrets; links are not followed."""
    found = {}
    for folder in folders:
        for path in _below(folder):
            if path.is_symlink():
                continue
            status = path.lstat()
            if (
                stat.S_ISREG(status.st_mode)
                and status.st_size <= _LARGEST
                and (secrets := secrets_in(path.read_bytes()))
            ):
                found[path.relative_to(root).as_posix()] = secrets
    return found
