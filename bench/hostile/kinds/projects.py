"""Projects whose files are links, pipes, devices or folders, and whose records name paths outside."""

from __future__ import annotations

import json
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.hostile.case import REPORT, RUNS, Case, without
from bench.hostile.lines import numbered, text
from bench.hostile.place import HOSTILE_ID, Place, clear, fifo, folder, link, unix_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from bench.hostile.case import Prepare

Commands = tuple[tuple[str, ...], ...]

SYNC, REPAIR, NEXT = ("sync",), ("repair",), ("next",)
PAGE = ("report", "--output", "REPORT.md")
HTML = ("report", "--format", "html", "--output", "report.html")
HEARD = (*HTML, "--audio", "20")

THINGS: dict[str, Callable[[Place, str], object]] = {
    "links-to-a-key": lambda place, path: link(place.at(path), place.key),
    "links-to-a-new-file": lambda place, path: link(place.at(path), place.home / "new"),
    "is-a-pipe": lambda place, path: fifo(place.at(path)),
    "is-a-socket": lambda place, path: unix_socket(place, place.at(path)),
    "is-endless": lambda place, path: link(place.at(path), "/dev/zero"),
    "is-a-folder": lambda place, path: folder(place.at(path)),
    "links-to-itself": lambda place, path: link(place.at(path), place.at(path).name),
}
"""What may be in the place of a file."""

LINKS = ("links-to-a-key", "links-to-a-new-file", "is-a-pipe")
READ = ("links-to-a-key", "is-a-pipe", "is-endless")
ALL = tuple(THINGS)

FILES: dict[str, tuple[str, tuple[str, ...], Commands, tuple[str, ...]]] = {
    "journal": (".tracker/<waiting>/journal.jsonl", ALL, (RUNS, SYNC), without("waiting")),
    "delivery": (".tracker/<waiting>/delivery.json", ALL, (RUNS, SYNC), without("waiting")),
    "delivery-of-sent": (".tracker/<first>/delivery.json", READ, (RUNS, REPAIR), without("first")),
    "owner": (".tracker/<halted>/owner.json", ALL, (RUNS, ("close", "halted")), without("halted")),
    "writer-lock": (".tracker/<halted>/run.lock", LINKS, (RUNS, ("close", "halted")), without("halted")),
    "sending-lock": (".tracker/<waiting>/sending.lock", LINKS, (SYNC,), without("waiting")),
    "attached-file": (".tracker/<waiting>/artifacts/dataset.csv", READ, (SYNC, RUNS), without("waiting")),
    "kept-predictions": (".tracker/<waiting>/artifacts/predictions/validation.csv", READ, (REPORT,), ()),
    "gitignore": (".tracker/.gitignore", LINKS, (RUNS, SYNC), without()),
    "store": ("mlflow.db", ALL, (RUNS, REPAIR), ()),
    "store-rollback": ("mlflow.db-journal", LINKS, (RUNS, SYNC), ()),
    "store-log": ("mlflow.db-wal", LINKS, (RUNS, SYNC), ()),
    "store-lock": ("mlflow.db.lock", LINKS, (REPAIR,), ()),
    "predictions": ("mlruns/<first>/predictions/validation.csv", ALL, (REPORT,), without()),
    "epochs": ("mlruns/<first>/predictions/validation_by_epoch.npz", ALL, (REPORT,), without()),
    "dataset": ("mlruns/<first>/dataset.csv", READ, (REPORT,), without()),
    "report-partial": ("REPORT.md.partial", LINKS, (PAGE,), without()),
    "report": ("REPORT.md", (*LINKS, "is-a-folder"), (PAGE,), without()),
    "html-partial": ("report.html.partial", LINKS, (HTML,), without()),
}
"""Files of a project, what each is replaced by, the commands that meet them, and the runs that must stay."""

FOLDERS: dict[str, tuple[str, Commands]] = {
    "journals": (".tracker", (RUNS, SYNC, ("close", "halted"))),
    "journal-folder": (".tracker/<waiting>", (RUNS, SYNC)),
    "halted-folder": (".tracker/<halted>", (("close", "halted"), RUNS)),
    "kept-artifacts": (".tracker/<waiting>/artifacts", (SYNC, RUNS)),
    "stored-runs": ("mlruns", (REPORT, SYNC)),
    "stored-experiment": ("mlruns/tracker", (REPORT, SYNC)),
    "stored-artifacts": ("mlruns/<first>", (REPORT, REPAIR)),
    "stored-predictions": ("mlruns/<first>/predictions", (REPORT, REPAIR)),
    "figures": ("reports/figures", (PAGE,)),
    "reports": ("reports", (PAGE,)),
}
"""Folders that may be links to those of another project, or to a home."""

SHORT = {
    "journal-is-a-pipe", "report-partial-links-to-a-key", "predictions-links-to-a-key", "epochs-is-endless",
    "journals-leads-to-another-project", "gitignore-links-to-a-new-file", "owner-is-a-folder",
    "delivery-links-to-itself", "listen-to-a-key",
    "resume-network-outside",
}  # fmt: skip


def projects(_rng: Random) -> Iterator[Case]:
    for file, (path, things, commands, keeps) in FILES.items():
        for thing in things:
            yield _case(f"{file}-{thing}", commands, partial(_put, THINGS[thing], path), keeps=keeps)
    for name, (path, own_commands) in FOLDERS.items():
        lost = ("waiting",) if "waiting" in path else ("halted",) if "halted" in path else ()
        keeps = without(*lost) if path.startswith((".tracker/", "reports", "mlruns")) else ()
        yield _case(f"{name}-leads-to-another-project", own_commands, partial(_to_victim, path), keeps=keeps)
        yield _case(f"{name}-leads-home", own_commands, partial(_to_home, path), keeps=keeps)
    yield from _attached()
    yield from _deliveries()
    yield from _owners()
    yield from _places()
    yield from _resumed()
    yield from _heard()


def _case(name: str, commands: Commands, prepare: Prepare, **rest: Any) -> Case:
    return Case(f"projects/{name}", commands, prepare, short=name in SHORT, **rest)


def _put(put: Callable[[Place, str], object], path: str, place: Place) -> None:
    put(place, path)


def _to_victim(path: str, place: Place) -> None:
    ours = place.at(path)
    theirs = place.victim / ours.relative_to(place.project)
    theirs.mkdir(parents=True, exist_ok=True)
    link(ours, theirs)


def _to_home(path: str, place: Place) -> None:
    link(place.at(path), place.home / ".ssh")


# ---- attached artifacts that lead out ----

ATTACHED = {
    "absolute": "<root>/home/.ssh/id_rsa",
    "parents": "../../../../home/.ssh/id_rsa",
    "parents-inside": "predictions/../../../../../home/.ssh/id_rsa",
    "home": "~/.ssh/id_rsa",
    "folder-link": "l/id_rsa",
    "deep-link": "l/../../../../../../home/.bashrc",
    "whole-folder-link": "l",
    "nul": "a\0b",
    "empty": "",
    "dot": ".",
    "long": "a/" * 3_000,
    "backslashes": "..\\..\\home\\.ssh\\id_rsa",
    "surrogate": "\udcff.csv",
}


def _attached() -> Iterator[Case]:
    for number, (name, path) in enumerate(ATTACHED.items()):
        command = ("sync", "repair")[number % 2]
        prepare = partial(_attach, path, command == "repair")
        yield _case(f"attached-{name}-{command}", ((command,), RUNS), prepare)
    commands = (REPAIR, RUNS)
    yield _case("attached-written-through-a-link", commands, _write_through_a_link)
    yield _case("attached-copied-from-a-key-folder", commands, _copied_from_home)
    yield _case("attached-artifacts-link-to-root", (SYNC, RUNS), _artifacts_are_the_root)


def _attach(path: str, sent: bool, place: Place) -> None:  # noqa: FBT001
    rows = place.hostile_rows()
    rows.insert(1, {"entry": "attached", "line": 2, "path": place.told(path)})
    journal = place.add_journal(numbered(rows))
    link(journal / "artifacts" / "l", place.home / ".ssh")
    if sent:
        _deliver(place, HOSTILE_ID, {"run_id": "e" * 32, "artifacts": place.home.as_uri(), "entries": len(rows)})


def _write_through_a_link(place: Place) -> None:
    """Make the target of a file that is brought back lead to a home, by a link in the store."""
    rows = place.hostile_rows()
    stored = place.project / "mlruns" / "tracker" / ("e" * 32) / "artifacts"
    deep = stored / "a/b/c/d/e/f/g/h/i/j/k/l"
    deep.mkdir(parents=True)
    (stored / "l").symlink_to("a/b/c/d/e/f/g/h/i/j/k/l")
    journal = place.add_journal([])
    path = "l/" + "../" * (len((journal / "artifacts").relative_to(place.root).parts) + 1) + "home/.bashrc"
    clear(source := (deep / path.removeprefix("l/")))
    source.write_text("hostile\n")
    rows.insert(1, {"entry": "attached", "line": 2, "path": path})
    shutil.rmtree(journal)
    place.add_journal(numbered(rows))
    _deliver(place, HOSTILE_ID, {"run_id": "e" * 32, "artifacts": stored.as_uri(), "entries": len(rows)})
    (place.home / ".bashrc").write_text((place.home / ".profile").read_text())


def _copied_from_home(place: Place) -> None:
    rows = place.hostile_rows()
    rows.insert(1, {"entry": "attached", "line": 2, "path": "id_rsa"})
    place.add_journal(numbered(rows))
    delivery = {"run_id": "e" * 32, "artifacts": (place.home / ".ssh").as_uri(), "entries": len(rows)}
    _deliver(place, HOSTILE_ID, delivery)


def _artifacts_are_the_root(place: Place) -> None:
    rows = place.hostile_rows()
    rows.insert(1, {"entry": "attached", "line": 2, "path": "home/.ssh/id_rsa"})
    link(place.add_journal(numbered(rows)) / "artifacts", place.root)


# ---- delivery.json and owner.json ----

RUN_IDS = {
    "parents": "../../../../home/.ssh",
    "absolute": "<root>/home/.ssh",
    "command": "$(touch INJECTED)",
    "commands": "x; touch INJECTED; #",
    "escape": "\x1b]0;title\x07",
    "empty": "",
    "long": "e" * 100_000,
    "query": "x' OR '1'='1",
}
ARTIFACTS = {
    "key-folder": "file://<root>/home/.ssh",
    "path": "<root>/home/.ssh",
    "other-project": "file://<root>/victim",
    "relative": "../home/.ssh",
    "server": "<other>/artifacts",
    "login": "http://somebody:canaryinuri6c20e8@127.0.0.1:1/x",
    "broken": "http://[",
    "nul": "file:///a\0b",
    "device": "file:///dev",
    "ftp": "ftp://127.0.0.1:1/x",
    "bucket": "s3://bucket/x",
}


def _deliver(place: Place, journal_id: str, delivery: object) -> None:
    (place.project / ".tracker" / journal_id / "delivery.json").write_text(json.dumps(delivery))


def _deliveries() -> Iterator[Case]:
    for name, run_id in RUN_IDS.items():
        commands = (RUNS, SYNC) if name in {"parents", "absolute", "long"} else (SYNC, RUNS, ("close", "hostile"))
        yield _case(f"delivery-run-id-{name}", commands, partial(_delivered, {"run_id": run_id, "entries": 3}))
    for name, place_of in ARTIFACTS.items():
        rest = {"artifacts": place_of, "run_id": "e" * 32}
        yield _case(f"delivery-artifacts-{name}", (REPAIR, RUNS), partial(_delivered, rest | {"entries": 1_000}))
        if name in {"key-folder", "server", "login", "broken"}:
            yield _case(f"delivery-artifacts-{name}-sync", (SYNC, REPORT), partial(_delivered, rest | {"entries": 3}))


def _delivered(delivery: dict[str, Any], place: Place) -> None:
    rows = place.hostile_rows()
    rows.insert(1, {"entry": "attached", "line": 2, "path": "id_rsa"})
    place.add_journal(numbered(rows))
    usual = {"run_id": "e" * 32, "artifacts": "file:///nowhere", "entries": 3}
    told = {name: place.told(value) if isinstance(value, str) else value for name, value in delivery.items()}
    _deliver(place, HOSTILE_ID, usual | told)


OWNERS: dict[str, object] = {
    "pid-is-a-path": {"host": "here", "pid": "../../etc/passwd"},
    "pid-is-huge": {"host": "here", "pid": 10**30},
    "pid-is-negative": {"host": "here", "pid": -1},
    "pid-is-infinite": {"host": "here", "pid": float("inf")},
    "pid-is-nothing": {"host": "here", "pid": None},
    "host-escapes": {"host": "\x1b[2J\x1b]0;x\x07\u202e", "pid": 1},
    "host-is-a-command": {"host": "$(touch INJECTED)`touch INJECTED`", "pid": 1},
    "host-is-long": {"host": "h" * 1_000_000, "pid": 1},
    "host-is-a-list": {"host": ["a"], "pid": 1},
    "host-is-markup": {"host": "[/x][bold]", "pid": 1},
    "is-a-list": [1, 2],
    "is-a-number": 7,
}


def _owners() -> Iterator[Case]:
    commands = (RUNS, ("close", "halted"), ("resume", "halted"))
    for name, owner in OWNERS.items():
        chosen = commands if name.startswith("host") else commands[:2]
        yield _case(
            f"owner-{name}", chosen, partial(_own, json.dumps(owner), "halted", "owner.json"), keeps=without("halted")
        )
    deep = "[" * 100_000 + "]" * 100_000
    yield _case("owner-is-deep", commands[:2], partial(_own, deep, "halted", "owner.json"), keeps=without("halted"))
    yield _case(
        "delivery-is-deep", (RUNS, SYNC), partial(_own, deep, "waiting", "delivery.json"), keeps=without("waiting")
    )


def _own(content: str, name: str, file: str, place: Place) -> None:
    (place.kept(name) / file).write_text(content)


# ---- names of folders, and places of a store ----


def _places() -> Iterator[Case]:
    yield _case("journal-folder-escapes", (RUNS, SYNC), partial(_odd_folder, "\x1b]0;x\x07"))
    yield _case("journal-folder-turned", (RUNS, SYNC), partial(_odd_folder, "\u202eabc"))
    yield _case("journal-folder-no-unicode", (RUNS, SYNC), partial(_odd_folder, "\udcff"))
    yield _case("journals-is-a-file", (RUNS, REPORT), _journals_is_a_file, keeps=("first", "second"))
    yield _case(
        "project-folder-escapes", (("runs", "--tracking-uri", "odd\x1b[31m\x07/mlflow.db"),), _odd_project, keeps=()
    )
    yield _case("project-folder-turned", (("repair", "--tracking-uri", "odd\u202e/mlflow.db"),), _odd_project, keeps=())
    yield _case("store-links-to-another-store", (SYNC, REPAIR, RUNS), _store_elsewhere, keeps=())
    yield _case("store-is-a-broken-link", (RUNS, SYNC), partial(_dangling, "mlflow.db"), keeps=())
    yield _case(
        "cache-entries-link-out",
        (("run", "--data", "data", "--epochs", "1", "--segment", "0.5"),),
        _cache_links_out,
        environment={"TRACKER_CACHE": "<root>/cache/tracker"},
    )
    yield _case(
        "network-outside", (("run", "--data", "data", "--model", "models/n.py", "--epochs", "1"),), _network_is_the_key
    )
    yield _case(
        "clip-is-a-pipe",
        (("run", "--data", "data", "--epochs", "1"),),
        lambda place: fifo(place.project / "data/high/0.wav"),
    )
    yield _case(
        "clip-is-endless",
        (("run", "--data", "data", "--epochs", "1"),),
        lambda place: link(place.project / "data/high/0.wav", "/dev/zero"),
    )
    yield _case(
        "manifest-is-a-pipe",
        (("run", "--data", "m.csv", "--epochs", "1"),),
        lambda place: fifo(place.project / "m.csv"),
    )
    yield _case(
        "manifest-is-endless",
        (("run", "--data", "m.csv", "--epochs", "1"),),
        lambda place: link(place.project / "m.csv", "/dev/zero"),
    )
    yield _case(
        "manifest-is-a-key",
        (("run", "--data", "m.csv", "--epochs", "1"),),
        lambda place: link(place.project / "m.csv", place.key),
    )
    yield _case(
        "data-leads-in-circles",
        (("run", "--data", "data", "--epochs", "1", "--segment", "9"),),
        lambda place: link(place.project / "data/high/again", ".."),
    )


def _odd_folder(name: str, place: Place) -> None:
    shutil.copytree(place.kept("waiting"), place.project / ".tracker" / name)
    (place.project / ".tracker" / HOSTILE_ID).mkdir()
    (place.project / ".tracker" / HOSTILE_ID / "journal.jsonl").write_bytes(b"broken")


def _journals_is_a_file(place: Place) -> None:
    clear(place.project / ".tracker")
    (place.project / ".tracker").write_text("x")


def _odd_project(place: Place) -> None:
    for name in ("odd\x1b[31m\x07", "odd\u202e"):
        journal = place.project / name / ".tracker" / HOSTILE_ID
        journal.mkdir(parents=True)
        (journal / "journal.jsonl").write_bytes(b"broken")


def _store_elsewhere(place: Place) -> None:
    link(place.project / "mlflow.db", place.victim / "mlflow.db")


def _dangling(path: str, place: Place) -> None:
    link(place.project / path, place.home / "new")


def _cache_links_out(place: Place) -> None:
    """Make each entry of a cache that others write to as well a link to a file that is none of theirs."""
    kept = place.base.folder.parent / "cache" / "tracker"
    for entry in kept.rglob("*.npy"):
        link(place.root / "cache" / "tracker" / entry.relative_to(kept), place.precious)


def _network_is_the_key(place: Place) -> None:
    link(place.project / "models/n.py", place.key)


# ---- journals that would have something else trained ----


def _resumed() -> Iterator[Case]:
    names = {
        "network-outside": ({"model": "<root>/evil.py"}, {}),
        "network-above": ({"model": "../evil.py"}, {}),
        "data-is-a-pipe": ({}, {"tracker.data": "pipe"}),
        "data-is-endless": ({}, {"tracker.data": "/dev/zero"}),
        "data-is-a-key": ({}, {"tracker.data": "<root>/home/.ssh/id_rsa"}),
        "data-is-a-server": ({}, {"tracker.data": "<other>/data.zip"}),
        "no-hop": ({"hop_length": "0"}, {}),
        "no-window": ({"n_fft": "0"}, {}),
        "huge-window": ({"n_fft": "1000000000000"}, {}),
        "huge-rate": ({"sr": "1e300"}, {}),
        "huge-kernel": ({"kernel_size": "1000000000"}, {}),
        "huge-width": ({"width": "1000000000"}, {}),
        "huge-batch": ({"batch_size": "1" * 400}, {}),
        "rate-is-no-number": ({"learning_rate": "nan"}, {}),
        "epochs-are-huge": ({"epochs": "1" * 4_400}, {}),
        "no-params": (None, {}),
        "no-data": ({}, None),
    }  # fmt: skip
    for name, (params, tags) in names.items():
        yield _case(
            f"resume-{name}", (("resume", "halted"), RUNS), partial(_halted, params, tags), keeps=without("halted")
        )


def _halted(params: dict[str, str] | None, tags: dict[str, str] | None, place: Place) -> None:
    network = (place.artifacts("first") / "network.py").read_text()
    mark = f"import pathlib\npathlib.Path({str(place.root / 'ran-evil')!r}).touch()\n"
    (place.root / "evil.py").write_text(f"{network}\n{mark}")
    environment = place.kept("halted") / "artifacts" / "environment.txt"
    lines = environment.read_text().splitlines(keepends=True)
    environment.write_text("".join(line for line in lines if not line.startswith("models/")))  # so none has changed
    fifo(place.project / "pipe")
    first, *rest = place.rows("halted")
    for field, changes in (("params", params), ("tags", tags)):
        told = {name: place.told(value) for name, value in (changes or {}).items()}
        first[field] = first[field] | told if changes is not None else {}
    (place.kept("halted") / "journal.jsonl").write_bytes(text([first, *rest]))


# ---- stores that would have a page play what isn't theirs ----


def _heard() -> Iterator[Case]:
    names = {
        "a-key": "<root>/home/.ssh/id_rsa",
        "a-home": "<root>/home",
        "a-pipe": "pipe",
        "an-endless-file": "/dev/zero",
        "a-whole-disk": "/",
        "a-server": "<other>/data.zip",
        "a-long-name": "x" * 5_000,
    }
    for name, data in names.items():
        yield _case(f"listen-to-{name}", (HEARD, RUNS), partial(_name_data, data))
    yield _case("listen-to-links", (HEARD, RUNS), _clips_are_links)


def _name_data(data: str, place: Place) -> None:
    fifo(place.project / "pipe")
    named = place.told(data)
    place.sql(("UPDATE tags SET value = ? WHERE key = 'tracker.data'", (named,)))
    first, *rest = place.rows("waiting")
    first["tags"] |= {"tracker.data": named}
    (place.kept("waiting") / "journal.jsonl").write_bytes(text([first, *rest]))


def _clips_are_links(place: Place) -> None:
    for number, clip in enumerate(sorted((place.project / "data").rglob("*.wav"))):
        clip.rename(place.home / f"{number}.wav")
        link(clip, place.home / f"{number}.wav")
