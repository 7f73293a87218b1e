"""Whether real stores of several kinds and versions of MLflow are read as what was logged to them.

    python -m bench.compat [--folder .compat]

`make compat` installs what it needs into the folder: an MLflow of each other version in a virtual environment of its
own, and the drivers for S3, PostgreSQL and MySQL. Each server is started, three runs are logged to it by the MLflow of
that version, and what tracker reads over HTTP, straight from the database, and through a plug-in of MLflow, must equal
what it reads from the SQLite file of its own version. What isn't installed is skipped, with the reason. The exit status
is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bench.compat_runs import EXPERIMENT
from tracker.errors import StoreError
from tracker.store import store_at
from tracker.store.mlflow_store import HOST, await_answer, free_port
from tracker.store.server import ServerClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tracker.runs import Run

SCRIPT = Path(__file__).with_name("compat_runs.py")
BUCKET = "bucket"
_AWS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}


class SkipError(Exception):
    """What a case needs isn't installed."""


@dataclass(frozen=True)
class Row:
    """One way to one store, and what came of it."""

    store: str
    version: str
    way: str
    outcome: str

    @property
    def is_wrong(self) -> bool:
        """Whether it could have been read as what was logged, and wasn't."""
        return not self.outcome.startswith(("the same", "skipped"))


@dataclass
class Bench:
    """Starts what the cases need, and compares what is read."""

    folder: Path  # of what is installed
    scratch: Path
    rows: list[Row] = field(default_factory=list)
    reference: list[str] = field(default_factory=list)  # what every store must be read as

    def python(self, version: str | None) -> str:
        """Return the Python of a version of MLflow; None is tracker's own."""
        python = self.folder / f"mlflow-{version}" / "bin" / "python"
        if version and not python.exists():
            raise SkipError(f"MLflow {version} is not installed in {self.folder}")
        return str(python) if version else sys.executable

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a server, or of who logs to it."""
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        return os.environ | quiet | {"PYTHONPATH": ""} | more

    def with_drivers(self, **more: str) -> dict[str, str]:
        """Return an environment in which the drivers are found."""
        return self.environment(PYTHONPATH=str(self.folder / "drivers"), **more)

    def driver(self, module: str) -> None:
        """Make sure that a driver is there."""
        if not (self.folder / "drivers" / module).is_dir():
            raise SkipError(f"{module} is not installed in {self.folder / 'drivers'}")

    @contextmanager
    def server(
        self, version: str | None, environment: Mapping[str, str], *options: str, port: int = 0
    ) -> Iterator[str]:
        """Run an MLflow server, and yield its address."""
        port = free_port(port)
        program = str(Path(self.python(version)).with_name("mlflow"))
        command = [program, "server", "--host", HOST, "--port", str(port), "--workers", "1"]
        programs = os.pathsep.join([str(Path(program).parent), environment.get("PATH", "")])  # gunicorn, for example
        environment = {**environment, "PATH": programs}
        address = f"http://{HOST}:{port}"
        with (
            tempfile.TemporaryFile() as output,
            running([*command, *options], environment, self.scratch, output=output) as process,
        ):
            try:
                await_answer(address, process)
            except StoreError as error:
                output.seek(0)
                raise StoreError(f"{error}: {output.read().decode().strip().splitlines()[-1:]}") from error
            yield address

    def log(self, version: str | None, address: str, environment: Mapping[str, str]) -> None:
        """Log the runs with the MLflow of a version."""
        command = [self.python(version), str(SCRIPT), address]
        known = {**environment, "MLFLOW_TRACKING_URI": address}  # which older clients upload artifacts to
        done = subprocess.run(command, env=known, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StoreError(f"cannot log: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")

    def compare(
        self, store: str, version: str | None, uri: str, way: str, read_lines: Callable[[str], list[str]] | None = None
    ) -> None:
        """Read a store and note whether that gives what was logged."""
        with counted_requests() as asked:
            try:
                read = (read_lines or self.read)(uri)
                if not self.reference:
                    self.reference = read
                differing = [line for line in read if line not in self.reference] or self.reference[len(read) :]
                outcome = f"DIFFERS: {differing[0]}" if differing else "the same"
            except StoreError as error:
                outcome = f"NOT READ: {error}"
        requests = ", ".join(f"{n} × {what}" for what, n in sorted(asked.items()))
        self.note(store, version, way, f"{outcome}{f' ({requests})' if requests else ''}")

    def read(self, uri: str) -> list[str]:
        """Read a store here."""
        return [line for run in store_at(uri, self.scratch).read(EXPERIMENT).runs for line in lines(run)]

    def note(self, store: str, version: str | None, way: str, outcome: str) -> None:
        """Keep what came of a case, and print it."""
        self.rows.append(Row(store, version or own_version(), way, outcome))
        print(f"| {store} | {version or own_version()} | {way} | {outcome} |", flush=True)


def own_version() -> str:
    from importlib.metadata import version

    return version("mlflow")


def lines(run: Run) -> list[str]:
    """Return all that is known of a run, but for its id and what MLflow's versions put into tags of their own."""
    curves = {
        key: list(zip(curve.steps.tolist(), curve.values.tolist(), strict=True)) for key, curve in run.curves.items()
    }
    tags = {key: tag for key, tag in run.tags.items() if not key.startswith("mlflow.")}
    predictions = run.validation and (run.validation.clips, run.validation.correct.tolist())
    facts = {
        "status": run.status,
        "times": (run.started, run.ended),
        "params": sorted(run.params.items()),
        "tags": sorted(tags.items()),
        "metrics": sorted(run.metrics.items()),
        "curves": sorted(curves.items()),
        "predictions": predictions or run.unread_predictions,
    }
    return [f"{run.name}: {what}: {fact}" for what, fact in facts.items()]


@contextmanager
def counted_requests() -> Iterator[Counter[str]]:
    """Count the requests to servers by what they are for."""
    asked: Counter[str] = Counter()
    original = ServerClient.ask

    def ask(self: ServerClient, method: str, endpoint: str, **options: object) -> object:
        parts = endpoint.replace("mlflow-artifacts/artifacts", "own-artifacts").strip("/").split("/")
        named = next((part for part in parts if part in {"own-artifacts", "get-artifact", "get-history-bulk"}), "")
        asked[named or "/".join(parts[-2:])] += 1
        return original(self, method, endpoint, **options)  # type: ignore[arg-type]

    ServerClient.ask = ask  # type: ignore[method-assign, assignment]
    try:
        yield asked
    finally:
        ServerClient.ask = original  # type: ignore[method-assign]
        del asked["health"]


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    user: str | None = None,
    output: IO[bytes] | int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a group of its own processes, all of which end with the context."""
    process = subprocess.Popen(
        command, env=dict(environment), cwd=folder, stdout=output, stderr=output, start_new_session=True, user=user
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):  # workers of older servers outlive the command that started them
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def on_disk(bench: Bench, store: str, version: str | None, *, proxied: bool) -> None:
    """Try a server with a SQLite file, and artifacts in a folder beside it."""
    folder = bench.scratch / f"disk-{version}-{proxied}"
    folder.mkdir()
    environment = bench.environment()
    backend = f"--backend-store-uri=sqlite:///{folder}/mlflow.db"
    served = ("--serve-artifacts", f"--artifacts-destination={folder}/mlartifacts")
    root = f"--default-artifact-root={'mlflow-artifacts:/' if proxied else folder / 'mlruns'}"
    with bench.server(version, environment, backend, root, *(served if proxied else ())) as address:
        bench.log(version, address, environment)
        bench.compare(store, version, str(folder / "mlflow.db"), "file")
        bench.compare(store, version, address, "HTTP")


def on_s3(bench: Bench, store: str, version: str | None, *, proxied: bool) -> None:
    """Try a server with artifacts in S3, its own or given out to everybody."""
    for module in ("moto", "boto3"):
        bench.driver(module)
    folder, port = bench.scratch / f"s3-{version}-{proxied}", free_port(0)
    folder.mkdir()
    s3 = f"http://{HOST}:{port}"
    environment = bench.with_drivers(**_AWS, MLFLOW_S3_ENDPOINT_URL=s3)
    place = f"s3://{BUCKET}/{folder.name}"
    root = f"--artifacts-destination={place}" if proxied else f"--default-artifact-root={place}"
    make = f"import boto3; boto3.client('s3', endpoint_url='{s3}').create_bucket(Bucket='{BUCKET}')"
    with ExitStack() as stack:
        moto = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
        stack.enter_context(running(moto, environment, folder))
        wait_for(lambda: subprocess.run([sys.executable, "-c", make], env=environment, capture_output=True, check=True))
        address = stack.enter_context(
            bench.server(version, environment, f"--backend-store-uri=sqlite:///{folder}/mlflow.db", root)
        )
        bench.log(version, address, environment)
        bench.compare(store, version, address, "HTTP")


def on_postgres(bench: Bench, store: str, version: str | None) -> None:
    """Try a server on PostgreSQL, and the database itself."""
    with postgres(bench) as uri:
        on_database(bench, store, version, uri, "psycopg2")


@contextmanager
def postgres(bench: Bench) -> Iterator[str]:
    """Run PostgreSQL, and yield the URI of an empty database."""
    bench.driver("psycopg2")
    programs = program_folder("initdb", "/usr/lib/postgresql/*/bin")
    user = "postgres" if os.geteuid() == 0 else None
    folder, port = bench.scratch / "postgres", free_port(0)
    folder.mkdir()
    if user:
        shutil.chown(folder, user)
        bench.scratch.chmod(0o755)
    data = str(folder / "data")
    run_once([str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"], folder, user)
    argv = [str(programs / "postgres"), "-D", data, "-p", str(port), "-k", str(folder), "-h", HOST]
    with running(argv, os.environ, folder, user=user):
        probe = [str(programs / "pg_isready"), "-h", HOST, "-p", str(port)]
        wait_for(lambda: subprocess.run(probe, capture_output=True, check=True))
        yield f"postgresql://postgres:s3cret@{HOST}:{port}/postgres"


def on_mysql(bench: Bench, store: str, version: str | None) -> None:
    """Try a server on MariaDB, and the database itself."""
    bench.driver("pymysql")
    programs, daemon = program_folder("mariadb-install-db", "/usr/bin"), program_folder("mariadbd", "/usr/sbin")
    folder, port = bench.scratch / "mysql", free_port(0)
    folder.mkdir()
    own = ["--no-defaults", f"--datadir={folder / 'data'}", *(["--user=root"] if os.geteuid() == 0 else [])]
    login = "--auth-root-authentication-method=normal"
    run_once([str(programs / "mariadb-install-db"), *own, login, "--skip-test-db"], folder)
    socket = f"--socket={folder / 'socket'}"
    argv = [str(daemon / "mariadbd"), *own, f"--port={port}", socket, f"--bind-address={HOST}"]
    statement = "CREATE DATABASE mlflow CHARACTER SET utf8mb4"
    make = [str(programs / "mariadb"), "--no-defaults", socket, "-u", "root", "-e", statement]
    with running(argv, os.environ, folder):
        wait_for(lambda: subprocess.run(make, capture_output=True, check=True))
        on_database(bench, store, version, f"mysql://root@{HOST}:{port}/mlflow", "pymysql")


def on_database(bench: Bench, store: str, version: str | None, uri: str, driver: str) -> None:
    """Try a server on a database, and the database itself."""
    kind, _, place = uri.partition(":")
    environment, artifacts = bench.with_drivers(), bench.scratch / f"{kind}-artifacts"
    options = (f"--backend-store-uri={kind}+{driver}:{place}", f"--default-artifact-root={artifacts}")
    with bench.server(version, environment, *options) as address:
        bench.log(version, address, environment)
        bench.compare(store, version, address, "HTTP")
        bench.compare(store, version, uri, "SQLAlchemy")


def through_plug_in(bench: Bench, store: str, version: str | None) -> None:
    """Try what a package registers with MLflow as a tracking store; here it is a SQLite file under another name."""
    folder = bench.scratch / "plug-in"
    known = folder / "compat_plug_in-1.dist-info"
    known.mkdir(parents=True)
    (folder / "compat_plug_in.py").write_text(_PLUG_IN)
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: compat-plug-in\nVersion: 1\n")
    (known / "entry_points.txt").write_text("[mlflow.tracking_store]\ncompat = compat_plug_in:store\n")
    uri, environment = f"compat://{folder}/mlflow.db", bench.environment(PYTHONPATH=str(folder))
    (folder / "mlruns").mkdir()
    bench.log(version, uri, environment)

    def read(uri: str) -> list[str]:  # where MLflow finds the package
        path = os.pathsep.join([str(folder), *filter(None, sys.path)])
        command = [sys.executable, "-m", "bench.compat", "--lines", uri]
        done = subprocess.run(
            command, env=environment | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StoreError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
        return [*json.loads(done.stdout)]

    bench.compare(store, version, uri, "MLflow's client", read)


_PLUG_IN = """
def store(store_uri, artifact_uri=None):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path = store_uri.partition("://")[2]
    return SqlAlchemyStore("sqlite:///" + path, artifact_uri or path.rpartition("/")[0] + "/mlruns")
"""


def program_folder(program: str, usual: str) -> Path:
    """Return the folder of a program of a database."""
    found = shutil.which(program) or next(map(str, sorted(Path("/").glob(f"{usual[1:]}/{program}"))), None)
    if found is None:
        raise SkipError(f"{program} is not installed")
    return Path(found).resolve().parent


def run_once(command: Sequence[str], folder: Path, user: str | None = None) -> None:
    """Run a program to its end; raise `StoreError` with its last line if it fails."""
    done = subprocess.run(command, user=user, check=False, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise StoreError(f"{Path(command[0]).name}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")


def wait_for(work: Callable[[], object], tries: int = 60) -> None:
    """Do something again and again until it can be done."""
    for _ in range(tries - 1):
        with suppress(subprocess.CalledProcessError):
            work()
            return
        time.sleep(0.5)
    work()


@dataclass(frozen=True)
class Case:
    """A store to start."""

    store: str
    version: str | None  # of MLflow; None is tracker's own
    start: Callable[[Bench, str, str | None], None]

    def try_in(self, bench: Bench) -> None:
        """Start it, log to it and read it."""
        self.start(bench, self.store, self.version)


def cases(versions: Sequence[str]) -> list[Case]:
    """Return all cases; the first one is what the others are compared with."""
    disk = [
        Case(store, version, partial(on_disk, proxied=proxied))
        for version in (None, *versions)
        for store, proxied in (("SQLite, artifacts through the server", True), ("SQLite, artifacts in a folder", False))
    ]
    s3 = [
        Case("SQLite, artifacts in S3 through the server", None, partial(on_s3, proxied=True)),
        Case("SQLite, artifacts in S3", None, partial(on_s3, proxied=False)),
    ]
    databases = [Case("PostgreSQL", None, on_postgres), Case("MariaDB", None, on_mysql)]
    return [*disk, *s3, *databases, Case("A plug-in of MLflow", None, through_plug_in)]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.compat", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path(".compat"), help="what `make compat` installed")
    parser.add_argument("--versions", nargs="*", default=["2.22.5"], help="of MLflow, beside tracker's own")
    parser.add_argument("--only", default="", help="a part of the names of the cases to try")
    parser.add_argument("--lines", metavar="URI", help="print what is read of a store as JSON, and nothing else")
    asked = parser.parse_args()
    if asked.lines:
        print(json.dumps(Bench(asked.folder, Path.cwd()).read(asked.lines)))
        return 0
    folder = asked.folder.resolve()
    sys.path.append(str(folder / "drivers"))
    print("| store | MLflow | read from | as what was logged |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(folder, Path(scratch))
        for case in cases(asked.versions):
            if bench.reference and asked.only not in f"{case.store} {case.version or own_version()}":
                continue
            try:
                case.try_in(bench)
            except SkipError as error:
                bench.note(case.store, case.version, "–", f"skipped: {error}")
            except (StoreError, OSError, subprocess.SubprocessError) as error:
                bench.note(case.store, case.version, "–", f"NOT STARTED: {error}")
    return 1 if any(row.is_wrong for row in bench.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
