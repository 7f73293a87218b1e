"""Places and surroundings that are odd, not evil: containers, locales, rights, clocks, streams."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.hostile.case import REPORT, RUNS, Case, without
from bench.hostile.place import clear, fifo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from bench.hostile.place import Place

TABLE, NEXT, SYNC, REPAIR = ("runs",), ("next",), ("sync",), ("repair",)
SUMMARY = ("report", "--format", "summary")
MARKDOWN, HTML = ("report", "--output", "REPORT.md"), ("report", "--format", "html", "--output", "report.html")
COMPARE = ("compare", "first", "second")
RUN = ("run", "--data", "data", "--epochs", "1", "--segment", "0.5", "--width", "2")

NOBODY = 54_321
SHORT = {
    "latin-1",
    "no-passwd-entry",
    "deleted-folder",
    "clock-in-1975-report",
}  # fmt: skip


def environments(_rng: Random) -> Iterator[Case]:
    yield from _variables()
    yield from _encodings()
    yield from _rights()
    yield from _folders()
    yield from _clocks()
    yield from _streams()
    yield from _at_once()


def _case(name: str, *commands: tuple[str, ...], **rest: Any) -> Case:
    return Case(f"environments/{name}", commands, short=name in SHORT, **rest)


VARIABLES: dict[str, tuple[dict[str, str | None], tuple[tuple[str, ...], ...]]] = {
    "no-home": ({"HOME": None}, (RUNS, RUN)),
    "home-is-missing": ({"HOME": "/nowhere/at/all", "TRACKER_CACHE": None}, (RUNS, MARKDOWN, RUN)),
    "home-is-a-file": ({"HOME": "<root>/precious.txt", "TRACKER_CACHE": None}, (RUNS, RUN)),
    "home-is-relative": ({"HOME": "x"}, (RUNS, MARKDOWN)),
    "home-is-empty": ({"HOME": ""}, (RUNS, MARKDOWN)),
    "no-path": ({"PATH": ""}, (RUNS, RUN)),
    "cache-is-a-file": ({"TRACKER_CACHE": "<root>/precious.txt"}, (RUN,)),
    "cache-is-a-device": ({"TRACKER_CACHE": "/dev/null"}, (RUN,)),
    "cache-is-empty": ({"TRACKER_CACHE": ""}, (RUNS,)),
    "no-caches-of-libraries": ({"MPLCONFIGDIR": None, "NUMBA_CACHE_DIR": None}, (MARKDOWN,)),
    "caches-of-libraries-are-files": (
        {"MPLCONFIGDIR": "<root>/precious.txt", "NUMBA_CACHE_DIR": "<root>/precious.txt"},
        (MARKDOWN,),
    ),
    "temporary-folder-is-missing": ({"TMPDIR": "/nowhere"}, (MARKDOWN, SYNC)),
    "temporary-folder-is-a-file": ({"TMPDIR": "<root>/precious.txt"}, (MARKDOWN, SYNC)),
    "threads-are-no-number": ({"TRACKER_THREADS": "many"}, (RUNS, RUN)),
    "threads-are-none": ({"TRACKER_THREADS": "0"}, (RUN,)),
    "threads-are-a-million": ({"TRACKER_THREADS": "1000000"}, (RUN,)),
    "columns-are-none": ({"COLUMNS": "0"}, (TABLE, COMPARE)),
    "columns-are-no-number": ({"COLUMNS": "wide"}, (TABLE, COMPARE)),
    "columns-are-a-billion": ({"COLUMNS": "1000000000"}, (TABLE, COMPARE)),
    "columns-are-negative": ({"COLUMNS": "-5"}, (TABLE, COMPARE)),
    "terminal-is-unknown": ({"TERM": "exploded"}, (TABLE, COMPARE)),
    "colours-are-forced": ({"NO_COLOR": "1", "FORCE_COLOR": ""}, (TABLE,)),
    "retries-are-no-number": ({"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "many"}, (RUNS, SYNC)),
    "time-zone-is-unknown": ({"TZ": "Nowhere/At_All"}, (RUNS, MARKDOWN)),
    "backend-of-figures-is-unknown": ({"MPLBACKEND": "exploded"}, (MARKDOWN,)),
    "store-is-empty": ({"MLFLOW_TRACKING_URI": ""}, (RUNS,)),
    "store-is-a-folder": ({"MLFLOW_TRACKING_URI": "data"}, (RUNS, REPAIR)),
    "store-is-the-root": ({"MLFLOW_TRACKING_URI": "/"}, (RUNS, REPAIR)),
    "store-is-a-device": ({"MLFLOW_TRACKING_URI": "/dev/null"}, (RUNS, REPAIR)),
    "store-is-a-long-path": ({"MLFLOW_TRACKING_URI": "x/" * 3_000}, (RUNS, REPAIR)),
    "data-is-missing": ({"TRACKER_DATA": "/nowhere"}, (RUNS, NEXT)),
}


def _variables() -> Iterator[Case]:
    for name, (variables, commands) in VARIABLES.items():
        # A store that is named instead has none of this project's runs.
        keeps = () if variables.get("MLFLOW_TRACKING_URI") else without()
        yield _case(name, *commands, environment=variables, keeps=keeps)


def _encodings() -> Iterator[Case]:
    plain: dict[str, str | None] = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    encodings: dict[str, dict[str, str | None]] = {
        "latin-1": {"PYTHONIOENCODING": "latin-1"},
        "ascii": {"PYTHONIOENCODING": "ascii"},
        "ascii-strict": {"PYTHONIOENCODING": "ascii:strict"},
        "cp1252": {"PYTHONIOENCODING": "cp1252"},
        "language-c": dict(plain),
        "language-is-unknown": plain | {"LANG": "xx_YY", "LC_ALL": "xx_YY"},
        "no-language": plain | {"LANG": None, "LC_ALL": None},
    }
    for name, variables in encodings.items():
        yield _case(name, TABLE, COMPARE, SUMMARY, NEXT, environment=variables)
    yield _case("latin-1-html", ("report", "--format", "html"), environment={"PYTHONIOENCODING": "latin-1"})
    yield _case("language-c-files", MARKDOWN, HTML, environment=dict(plain))
    yield _case("language-c-odd-names", TABLE, (*RUN, "--name", "é\u2013×"), RUNS, environment=dict(plain))
    yield _case(
        "language-c-odd-data", ("run", "--data", "dätä", *RUN[3:]), RUNS, prepare=_odd_data, environment=dict(plain)
    )


def _odd_data(place: Place) -> None:
    shutil.copytree(place.project / "data", place.project / "dätä")


# ---- rights ----


def _rights() -> Iterator[Case]:
    """Run commands as somebody whom the system does not know; only root can do that."""
    as_nobody = f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "
    skipped = "" if os.getuid() == 0 and shutil.which("setpriv") else "only root can be another user, with setpriv"
    own = partial(_given_away, ("project", "cache", "tmp", "home", "said"))
    rest: dict[str, Any] = {"prelude": f'{as_nobody}"$@"', "skipped": skipped}
    cached = {"TRACKER_CACHE": "<root>/cache/tracker", "MPLCONFIGDIR": None, "NUMBA_CACHE_DIR": None}
    yield _case("no-passwd-entry", RUNS, RUN, prepare=own, environment=cached, succeeds=True, **rest)
    homeless = cached | {"HOME": None, "TRACKER_CACHE": None}
    yield _case("no-passwd-entry-no-home", RUNS, MARKDOWN, RUN, prepare=own, environment=homeless, **rest)
    yield _case(
        "no-passwd-entry-user-named", RUN, prepare=own, environment=cached | {"LOGNAME": "x", "USER": "x"}, **rest
    )
    theirs = partial(_given_away, ("cache", "tmp", "said"))
    for name, commands in {
        "reads": (RUNS, SUMMARY, NEXT, COMPARE),
        "writes": (SYNC, REPAIR),
        "closes": (("close", "halted"), RUNS),
        "resumes": (("resume", "halted"), RUNS),
        "reports": (MARKDOWN, RUNS),
        "trains": (RUN, RUNS),
    }.items():
        # SQLite itself may have to write beside a store in order to read it.
        yield _case(f"project-of-another-{name}", *commands, prepare=theirs, environment=cached, **rest)
    yield _case(
        "home-of-another",
        RUNS,
        MARKDOWN,
        RUN,
        prepare=partial(_given_away, ("project", "tmp", "said")),
        environment=cached | {"TRACKER_CACHE": None},
        **rest,
    )
    unreadable = {
        "store": "mlflow.db", "journals": ".tracker", "journal": ".tracker/<waiting>/journal.jsonl",
        "artifacts": "mlruns/<first>", "delivery": ".tracker/<waiting>/delivery.json",
    }  # fmt: skip
    for name, path in unreadable.items():
        keeps = ("first", "second") if name == "journals" else () if name == "store" else without("waiting")
        yield _case(
            f"unreadable-{name}",
            RUNS,
            REPORT,
            SYNC,
            prepare=partial(_unreadable, path),
            environment=cached,
            keeps=keeps,
            **rest,
        )
    for mask in ("077", "777"):
        yield _case(f"umask-{mask}", MARKDOWN, SYNC, RUN, RUNS, prelude=f"umask {mask};", succeeds=mask == "077")


def _given_away(names: tuple[str, ...], place: Place) -> None:
    place.root.chmod(0o755)
    for name in names:
        folder = place.root / name
        folder.mkdir(exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def _unreadable(path: str, place: Place) -> None:
    file = place.at(path)
    if not file.exists():
        file.write_text("{}")
    _given_away(("project", "cache", "tmp", "said"), place)
    file.chmod(0)


# ---- folders ----


def _folders() -> Iterator[Case]:
    gone = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
    yield _case("deleted-folder", TABLE, MARKDOWN, SYNC, REPAIR, prelude=gone)
    yield _case("deleted-folder-trains", (*RUN[:2], "<root>/project/data", *RUN[3:]), prelude=gone)
    deep = 'mkdir -p "$(printf "%0200d/" 1 2 3 4 5 6 7 8 9)"; cd "$(printf "%0200d/" 1 2 3 4 5 6 7 8 9)"; exec "$@"'
    yield _case("deep-folder", TABLE, SYNC, prelude=deep)
    yield _case("data-of-odd-names", ("run", "--data", "odd", *RUN[3:]), RUNS, prepare=_odd_clips)
    yield _case("reports-is-a-file", ("report",), MARKDOWN, prepare=lambda place: _file(place.project / "reports"))
    yield _case("report-is-a-pipe-of-nobody", HTML, prepare=lambda place: fifo(place.project / "report.html"))
    yield _case("disk-is-full", MARKDOWN, SYNC, prelude="ulimit -f 8;")
    yield _case("disk-is-full-trains", RUN, RUNS, prelude="ulimit -f 8;", keeps=without())
    yield _case("few-open-files", MARKDOWN, SYNC, prelude="ulimit -n 24;")
    yield _case("little-memory", MARKDOWN, prelude="ulimit -v 700000;")


def _file(path: Path) -> None:
    clear(path)
    path.write_text("x")


def _odd_clips(place: Place) -> None:
    """Give classes and clips names that are no Unicode, escape, or look like markup."""
    shutil.copytree(place.project / "data/high", Path(os.fsdecode(os.fsencode(place.project) + b"/odd/h\xff\x1b[31m")))
    shutil.copytree(place.project / "data/low", place.project / "odd/[/low]\u202e")


# ---- clocks ----


def _clocks() -> Iterator[Case]:
    for name, seconds in {
        "in-1975": 157_766_400,
        "in-1901": -2_177_452_800,
        "in-2107": 4_323_456_000,
        "in-9999": 253_370_764_800,
    }.items():
        prepare = partial(_clock, seconds)
        variables = {"PYTHONPATH": f"<root>/cache/clock:{os.environ.get('PYTHONPATH') or Path.cwd()}"}
        yield _case(f"clock-{name}-report", RUNS, MARKDOWN, SYNC, prepare=prepare, environment=variables)
        if name in {"in-1975", "in-2107"}:
            yield _case(f"clock-{name}-trains", RUN, RUNS, prepare=prepare, environment=variables)


def _clock(seconds: int, place: Place) -> None:
    """Set the clock of Python for those who ask it what time it is."""
    folder = place.root / "cache" / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import time\n"
        f"_offset = {seconds} - time.time()\n"
        "_time, _ns, _local, _gm = time.time, time.time_ns, time.localtime, time.gmtime\n"
        "time.time = lambda: _time() + _offset\n"
        "time.time_ns = lambda: _ns() + int(_offset * 1e9)\n"
        "time.localtime = lambda s=None: _local(time.time() if s is None else s)\n"
        "time.gmtime = lambda s=None: _gm(time.time() if s is None else s)\n"
    )


# ---- streams ----


def _streams() -> Iterator[Case]:
    streams = {
        "output-is-closed": 'exec "$@" >&-',
        "errors-are-closed": 'exec "$@" 2>&-',
        "all-is-closed": 'exec "$@" <&- >&- 2>&-',
        "output-is-full": 'exec "$@" >/dev/full',
        "errors-are-full": 'exec "$@" 2>/dev/full',
        "output-has-no-reader": '"$@" | true; exit 0',
    }
    for name, prelude in streams.items():
        skipped = "" if Path("/dev/full").exists() or "full" not in name else "there is no device that is always full"
        # What is not printed cannot be looked at, so no run is missed here.
        silent = {"all-is-closed", "errors-are-closed", "errors-are-full"}
        commands = (TABLE, MARKDOWN) if name in silent else (TABLE, SUMMARY, SYNC)
        yield _case(name, *commands, prelude=prelude, skipped=skipped)


# ---- many at once ----


def _at_once() -> Iterator[Case]:
    rest: dict[str, Any] = {"at_once": 16, "limit_s": 120.0}
    yield _case("sixteen-reports-markdown", MARKDOWN, succeeds=True, **rest)
    yield _case("sixteen-reports-html", HTML, succeeds=True, **rest)
    yield _case(
        "sixteen-reports-json", ("report", "--format", "json", "--output", "report.json"), succeeds=True, **rest
    )
    yield _case("sixteen-syncs", SYNC, **rest)
    yield _case(
        "sixteen-repairs", REPAIR, prepare=lambda place: (place.project / "mlflow.db").write_bytes(b"x" * 999), **rest
    )
