"""Write tests/store/revisions/: stores of MLflow's schemas from 2019 on, as SQL, with three runs in each.

    python tests/store/make_revisions.py

The installed MLflow's own migrations take an empty store to each revision; the runs are then put in by plain SQL, in
the columns that the revision has. Of the tables, those of runs and of their datasets are kept.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

FOLDER = Path(__file__).parent / "revisions"

# The last one of each year or so, by the year of its making.
REVISIONS = {
    "2019-451aebb31d03": "metrics have steps",
    "2019-181f10493468": "metrics may be NaN",
    "2019-89d4b8295536": "latest metrics have a table",
    "2020-a8c4a736bde6": "models have tags",
    "2021-c48cb773bb87": "the last one of 2021",
    "2022-97727af70f4d": "runs have names in their own table",
    "2023-acf3f17fdcc7": "runs have datasets",
    "2024-f5a4f2784254": "traces",
    "2025-400f98739977": "MLflow 3: logged models",
    "2025-bf29a5ff90ea": "jobs",
    "2026-1b5f0d9ad7c1": "workspaces",
}

KEPT = (
    "alembic_version", "experiments", "experiment_tags", "runs", "params", "tags", "metrics", "latest_metrics",
    "inputs", "input_tags", "datasets",
)  # fmt: skip

START = 1_560_000_000_000
RUNS = ("a" * 32, "b" * 32, "c" * 32)  # of which the last one is deleted
NAMED_IN_TAGS_UNTIL = "2021-c48cb773bb87"  # MLflow 2.0 was the first to fill the column of a run's name


def rows(label: str) -> dict[str, list[dict[str, object]]]:
    """Return the rows of every table, as MLflow writes them; columns that a revision lacks are left out."""
    named = label > NAMED_IN_TAGS_UNTIL
    of_runs: dict[str, list[dict[str, object]]] = {name: [] for name in ("runs", "params", "tags", "metrics")}
    latest = []
    for number, run_id in enumerate(RUNS):
        of_runs["runs"].append({
            "run_uuid": run_id, "name": f"run {number}" if named else "", "source_type": "LOCAL",
            "source_name": "train.py", "entry_point_name": "", "user_id": "somebody",
            "status": ("FINISHED", "FAILED", "FINISHED")[number],
            "start_time": START + number, "end_time": START + 60_000 + number, "source_version": "",
            "lifecycle_stage": "deleted" if number == 2 else "active",
            "artifact_uri": f"/gone/mlruns/1/{run_id}/artifacts", "experiment_id": 1,
        })  # fmt: skip
        of_runs["params"] += [{"key": "lr", "value": f"0.{number + 1}", "run_uuid": run_id}]
        of_runs["tags"] += [{"key": "mlflow.runName", "value": f"run {number}", "run_uuid": run_id}]
        values = [(0, 0.5), (1, 0.25), (2, 0.75 + number)]
        for step, value in values:
            metric = {"value": value, "timestamp": START + step, "run_uuid": run_id, "step": step, "is_nan": 0}
            of_runs["metrics"].append({"key": "val_loss", **metric})
        latest.append({"key": "val_loss", **metric})
        nothing = {"key": "nothing", "value": 0.0, "timestamp": START, "run_uuid": run_id, "step": 0, "is_nan": 1}
        of_runs["metrics"].append(nothing)
        latest.append(nothing)
    experiments = [
        {"experiment_id": number, "name": name, "artifact_location": f"/gone/mlruns/{number}", "lifecycle_stage": stage}
        for number, (name, stage) in enumerate([("Default", "active"), ("theirs", "active"), ("removed", "deleted")])
    ]
    tags = [{"key": "owner", "value": "somebody", "experiment_id": 1}]
    return {"experiments": experiments, **of_runs, "latest_metrics": latest, "experiment_tags": tags}


def migrated(database: Path, revision: str) -> None:
    """Let MLflow's own migrations take an empty store to a revision."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{database}")
    Base.metadata.create_all(engine)
    config = _get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def dump(database: Path, label: str) -> str:
    """Fill a store and return it as SQL."""
    with closing(sqlite3.connect(database)) as connection:
        for table, entries in rows(label).items():
            columns = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
            for entry in entries if columns else ():
                kept = {name: value for name, value in entry.items() if name in columns}
                places = ", ".join("?" * len(kept))
                statement = f"INSERT INTO {table} ({', '.join(kept)}) VALUES ({places})"  # noqa: S608 -- of the names above
                connection.execute(statement, tuple(kept.values()))
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table not in KEPT:
                connection.execute(f"DROP TABLE {table}")
        connection.commit()
        return (
            "\n".join([f"-- {REVISIONS[label]}; written by tests/store/make_revisions.py", *connection.iterdump()])
            + "\n"
        )


def main() -> None:
    """Write every revision."""
    FOLDER.mkdir(exist_ok=True)
    for label in REVISIONS:
        with tempfile.TemporaryDirectory() as made:
            database = Path(made, "mlflow.db")
            migrated(database, label.partition("-")[2])
            (FOLDER / f"{label}.sql").write_text(dump(database, label), encoding="utf-8")


if __name__ == "__main__":
    main()
