"""Stores that are none, that are damaged, or whose rows hold what MLflow would never write."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from bench.hostile.case import REPORT, RUNS, Case, without
from bench.hostile.place import link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.hostile.place import Place

REPAIR, NEXT = ("repair",), ("next",)
SUMMARY = ("report", "--format", "summary")

SHORT = {
    "foreign-text-repair", "foreign-experiments-table-repair", "schema-text-3", "artifacts-bracket",
    "params-value-is-bytes", "foreign-alembic-table-environment", "metrics-value-is-a-text", "params-of-no-run",
    "runs-with-one-param-of-another-program",
}  # fmt: skip


def stores(rng: Random) -> Iterator[Case]:
    yield from _foreign()
    yield from _damaged(rng)
    yield from _rows(rng)
    yield from _artifact_uris()
    yield from _legitimate()


def _case(name: str, prepare: Any, *commands: tuple[str, ...], **rest: Any) -> Case:
    return Case(f"stores/{name}", commands, prepare, short=name in SHORT, **rest)


# ---- files that are no store of tracker's or MLflow's ----


def _tables(*statements: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    return write


def _bytes(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


FOREIGN: dict[str, Callable[[Path], None]] = {
    "text": _bytes(b"x\n"),
    "jpeg": _bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 40),
    "noise": _bytes(Random(1).randbytes(20_000)),
    "nuls": _bytes(bytes(4_096)),
    "header-only": _bytes(b"SQLite format 3\0"),
    "header-and-noise": _bytes(b"SQLite format 3\0" + Random(2).randbytes(8_176)),
    "experiments-table": _tables("CREATE TABLE experiments (id, result)", "INSERT INTO experiments VALUES (1, 'mine')"),
    "empty-experiments-table": _tables("CREATE TABLE experiments (id, result)"),
    "alembic-table": _tables(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('0123456789ab')",
        "CREATE TABLE invoices (id, amount)",
        "INSERT INTO invoices VALUES (1, 100)",
    ),
    "empty-alembic-table": _tables(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)", "CREATE TABLE invoices (id, amount)"
    ),
    "odd-alembic-version": _tables(
        "CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES (x'ff00')"
    ),
    "experiments-view": _tables("CREATE VIEW experiments AS SELECT 1 AS experiment_id", "CREATE TABLE x (y)"),
    "both-tables-of-another": _tables(
        "CREATE TABLE alembic_version (version_num)",
        "INSERT INTO alembic_version VALUES ('1')",
        "CREATE TABLE experiments (experiment_id, name)",
        "INSERT INTO experiments VALUES (0, 'Default')",
    ),
    "another-program": _tables("CREATE TABLE notes (id, text)", "INSERT INTO notes VALUES (1, 'mine')"),
    "endless-view": _tables(
        "CREATE TABLE alembic_version (version_num)",
        "CREATE VIEW experiments AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS "
        "experiment_id, 'tracker' AS name, 'active' AS lifecycle_stage FROM n",
    ),
}


def _foreign() -> Iterator[Case]:
    for name, write in FOREIGN.items():
        rest: dict[str, Any] = {"keeps": (), "intact": ("mine.db",)}
        prepare = partial(_add, write)
        yield _case(f"foreign-{name}-repair", prepare, ("repair", "--tracking-uri", "mine.db"), **rest)
        yield _case(
            f"foreign-{name}-environment", prepare, RUNS, REPAIR, environment={"MLFLOW_TRACKING_URI": "mine.db"}, **rest
        )
    outside: dict[str, Any] = {"keeps": ()}
    yield _case("foreign-outside-repair", _nothing, ("repair", "--tracking-uri", "<root>/precious.txt"), **outside)
    yield _case("foreign-outside-sync", _nothing, ("sync", "--tracking-uri", "<root>/precious.txt"), **outside)
    yield _case(
        "foreign-key-repair", _nothing, ("repair", "--tracking-uri", "sqlite:///<root>/home/.ssh/id_rsa"), **outside
    )
    yield _case(
        "foreign-own-journal-repair",
        _nothing,
        ("repair", "--tracking-uri", ".tracker/.gitignore"),
        intact=(".tracker/.gitignore",),
        **outside,
    )
    yield _case(
        "foreign-linked-repair", partial(_linked, "mine.db"), ("repair", "--tracking-uri", "mine.db"), **outside
    )
    yield _case("foreign-missing-repair", _nothing, ("repair", "--tracking-uri", "nowhere/mine.db"), **outside)
    yield _case(
        "foreign-run-given",
        partial(_add, FOREIGN["experiments-table"]),
        ("run", "--data", "data", "--epochs", "1", "--tracking-uri", "mine.db"),
        intact=("mine.db",),
        **outside,
    )
    for name in ("text", "experiments-table", "alembic-table"):
        yield _case(f"foreign-{name}-in-the-default-place", partial(_instead, FOREIGN[name]), REPAIR, RUNS, keeps=())


def _nothing(_place: Place) -> None:
    pass


def _add(write: Callable[[Path], None], place: Place) -> None:
    write(place.project / "mine.db")


def _linked(name: str, place: Place) -> None:
    link(place.project / name, place.precious)


def _instead(write: Callable[[Path], None], place: Place) -> None:
    (place.project / "mlflow.db").unlink()
    write(place.project / "mlflow.db")


# ---- the project's own store, damaged ----


def _damaged(rng: Random) -> Iterator[Case]:
    """Damage the store, have it repaired, and look for the runs: all of them have journals."""
    for number in range(8):
        damage = partial(_schema_text, rng.randrange(1 << 30))
        yield _case(f"schema-text-{number}", damage, REPAIR, RUNS)
    for number in range(6):
        damage = partial(_flipped, rng.randrange(1 << 30))
        yield _case(f"page-bytes-{number}", damage, REPAIR, RUNS, limit_s=40)
    for share in (0.1, 0.5, 0.9):
        yield _case(f"cut-at-{share:.0%}", partial(_cut, share), REPAIR, RUNS)
    yield _case("header-changed", partial(_overwritten, 18, b"\x09\x09"), REPAIR, RUNS)
    yield _case("page-size-changed", partial(_overwritten, 16, b"\x00\x01"), REPAIR, RUNS)
    yield _case("text-encoding-changed", partial(_overwritten, 56, b"\0\0\0\x02"), RUNS, REPAIR, RUNS, keeps=())
    for table in ("runs", "metrics"):
        yield _case(f"without-{table}", partial(_sql, f"DROP TABLE {table}"), REPAIR, RUNS)
    yield _case("unread-runs", partial(_schema_text, 7), RUNS, REPORT, keeps=())


def _schema_text(seed: int, place: Place) -> None:
    """Make words of the schema ones that are no UTF-8: SQLite's message repeats them."""
    path = place.project / "mlflow.db"
    data = bytearray(path.read_bytes())
    rng = Random(seed)
    word = b"CREATE TABLE"
    for start in [at for at in range(len(data)) if data.startswith(word, at)]:
        data[start + rng.randrange(len(word) - 6)] = rng.choice((0xFF, 0xC3, 0x80))
    path.write_bytes(data)


def _flipped(seed: int, place: Place) -> None:
    path = place.project / "mlflow.db"
    data = bytearray(path.read_bytes())
    rng = Random(seed)
    for _ in range(200):
        data[rng.randrange(100, len(data))] = rng.randrange(256)
    path.write_bytes(data)


def _cut(share: float, place: Place) -> None:
    path = place.project / "mlflow.db"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])


def _overwritten(at: int, new: bytes, place: Place) -> None:
    path = place.project / "mlflow.db"
    data = bytearray(path.read_bytes())
    data[at : at + len(new)] = new
    path.write_bytes(data)


def _sql(statement: str, place: Place) -> None:
    place.sql("PRAGMA foreign_keys = OFF", place.told(statement))


# ---- rows that hold other types ----

COLUMNS = {
    "runs": ("name", "status", "start_time", "end_time", "artifact_uri", "lifecycle_stage", "user_id"),
    "params": ("key", "value"),
    "tags": ("key", "value"),
    "metrics": ("key", "value", "step", "timestamp", "is_nan"),
    "latest_metrics": ("key", "value", "step"),
    "experiments": ("artifact_location", "lifecycle_stage"),
    "experiment_tags": ("key", "value"),
    "datasets": ("dataset_source", "dataset_profile"),
}
VALUES = {
    "bytes": "x'ff00fe'",
    "a-number": "7",
    "a-fraction": "0.5",
    "null": "NULL",
    "huge": "9e999",
    "negative": "-9223372036854775808",
    "a-text": "'x'",
    "no-unicode": "CAST(x'c328ff' AS TEXT)",
    "escape": "char(27) || ']0;x' || char(7) || char(8238)",
    "long": "printf('%.1000000c', 'x')",
}
PER_COLUMN = 2
OF_FIRST = "(SELECT run_uuid FROM runs WHERE name = 'first')"


def _rows(rng: Random) -> Iterator[Case]:
    for table, columns in COLUMNS.items():
        for column in columns:
            for value in rng.sample(list(VALUES), PER_COLUMN):
                commands = rng.choice([(RUNS,), (REPORT,), (RUNS, SUMMARY), (NEXT, RUNS)])
                prepare = partial(_with_value, table, column, VALUES[value])
                is_own = table.startswith(("experiment", "datasets"))
                keeps = () if table == "experiments" else without() if is_own else without("first")
                yield _case(f"{table}-{column}-is-{value}", prepare, *commands, keeps=keeps)
    for name, statement in STATEMENTS.items():
        told = statement.replace("<first>", OF_FIRST).replace(
            "<metrics>", "metrics (key, value, timestamp, run_uuid, step)"
        )
        yield _case(name, partial(_sql, told), RUNS, REPORT, keeps=without("first"))


STATEMENTS = {
    "params-value-is-bytes": "UPDATE params SET value = x'ff00' WHERE run_uuid = <first>",
    "metrics-value-is-a-text": "UPDATE metrics SET value = 'x' WHERE run_uuid = <first>",
    "params-of-no-run": "INSERT INTO params (key, value, run_uuid) VALUES ('x', '1', 'nobody')",
    "metrics-of-no-run": "INSERT INTO <metrics> VALUES ('x', 1, 1, 'nobody', 1)",
    "a-run-without-id": "UPDATE runs SET run_uuid = '' WHERE run_uuid = <first>",
    "a-run-whose-id-is-a-path": "UPDATE runs SET run_uuid = '../../../home/.ssh' WHERE run_uuid = <first>",
    "a-run-whose-id-escapes": "UPDATE runs SET run_uuid = char(27) || ']0;x' || char(7) WHERE run_uuid = <first>",
    "a-run-whose-id-is-a-command": "UPDATE runs SET run_uuid = '$(touch INJECTED)' WHERE run_uuid = <first>",
    "classes-tag-is-deep": "UPDATE tags SET value = printf('%.100000c', '[') WHERE key = 'tracker.classes'",
    "metric-tag-is-unknown": "UPDATE experiment_tags SET value = char(27) || '[31m' WHERE key = 'tracker.metric'",
    "metric-named-as-a-path": "INSERT INTO <metrics> VALUES ('../../x', 1, 1, <first>, 1)",
    "metric-at-a-huge-step": "INSERT INTO <metrics> VALUES ('val_loss', 1, 1, <first>, 9223372036854775807)",
}
"""What is done to the store; ``<first>`` is the id of the first run."""


def _with_value(table: str, column: str, value: str, place: Place) -> None:
    """Write a value into a table made again without its constraints, which another program need not have."""
    where = f"WHERE run_uuid = {OF_FIRST}" if table in {"runs", "params", "tags", "metrics", "latest_metrics"} else ""
    where = "WHERE name = 'first'" if table == "runs" else where
    place.sql(
        "PRAGMA foreign_keys = OFF",
        f"CREATE TABLE loose AS SELECT * FROM {table}",  # noqa: S608 -- of the names above
        f"UPDATE loose SET {column} = {value} {where}",  # noqa: S608 -- of the names above
        f"DROP TABLE {table}",
        f"ALTER TABLE loose RENAME TO {table}",
    )


# ---- where artifacts are said to be ----

URIS = {
    "key-folder": "file://<root>/home/.ssh",
    "key-folder-as-a-path": "<root>/home/.ssh",
    "other-project": "file://<root>/victim/mlruns",
    "relative": "../home/.ssh",
    "other-host": "<other>/x",
    "login": "http://somebody:canaryinuri6c20e8@127.0.0.1:1/x",
    "bracket": "http://[",
    "bucket": "s3://bucket/x",
    "served": "mlflow-artifacts:/../../home/.ssh",
    "served-elsewhere": "mlflow-artifacts://<bare>/x",
    "nul": "file:///a' || char(0) || 'b",
    "device": "file:///dev",
    "share": "file://server/share",
    "long": "file:///' || printf('%.100000c', 'x') || '",
    "percent": "file:///%00%ff%2e%2e",
    "empty": "",
}


def _artifact_uris() -> Iterator[Case]:
    for name, uri in URIS.items():
        yield _case(f"artifacts-{name}", partial(_placed, uri), REPORT, REPAIR)
    for name in ("key-folder", "other-host", "bracket"):
        prepare = partial(_sql, "UPDATE experiments SET artifact_location = '<uri>'".replace("<uri>", URIS[name]))
        yield _case(f"experiment-artifacts-{name}", prepare, ("sync",), RUNS, keeps=without("waiting"))


def _placed(uri: str, place: Place) -> None:
    for name in ("predictions", "validation.csv"):
        target = place.home / ".ssh" / name
        target.mkdir() if name == "predictions" else (place.home / ".ssh/predictions" / name).write_text(
            place.key.read_text()
        )
    place.sql(f"UPDATE runs SET artifact_uri = '{place.told(uri)}' WHERE name = 'first'")  # noqa: S608 -- of the names above


# ---- runs of other programs, which are no attack at all ----


def _legitimate() -> Iterator[Case]:
    """Add runs that another program logged to the experiment; a report must take them as they are."""
    others: dict[str, tuple[dict[str, str], dict[str, float]]] = {
        "one-param-of-another-program": ({"lr": "1"}, {}),
        "epochs-and-accuracy": ({"epochs": "20", "optimizer": "adam"}, {"val_accuracy": 0.5, "accuracy": 0.6}),
        "epochs-off": ({"epochs": "off"}, {"val_accuracy": 0.5}),
        "no-params": ({}, {"val_accuracy": 0.5, "val_loss": 0.7}),
        "nothing": ({}, {}),
        "params-in-words": ({"learning_rate": "small", "batch_size": "large", "seed": "lucky"}, {"val_accuracy": 0.5}),
        "infinite-metrics": ({"kernel_size": "3"}, {"val_accuracy": 1.7976931348623157e308, "val_loss": -1e308}),
        "many-params": ({f"option{number}": str(number) for number in range(400)}, {"val_accuracy": 0.5}),
    }
    for name, (params, metrics) in others.items():
        prepare = partial(_logged, params, metrics)
        yield _case(f"runs-with-{name}", prepare, RUNS, REPORT, NEXT, succeeds=True)


def _logged(params: dict[str, str], metrics: dict[str, float], place: Place) -> None:
    run_id = "d" * 32
    run = (
        "INSERT INTO runs (run_uuid, name, status, start_time, end_time, lifecycle_stage, artifact_uri, experiment_id) "
        "SELECT ?, 'another', 'FINISHED', start_time + 1, end_time, 'active', '', experiment_id FROM runs LIMIT 1"
    )
    rows: list[tuple[str, tuple[object, ...]]] = [(run, (run_id,))]
    rows += [("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", (*item, run_id)) for item in params.items()]
    for name, value in metrics.items():
        for step in (1, 2):
            rows.append(("INSERT INTO metrics VALUES (?, ?, 1, ?, ?, 0)", (name, value, run_id, step)))
        latest = "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, 1, 2, 0, ?)"
        rows.append((latest, (name, value, run_id)))
    place.sql(*rows)
