"""Where a store and its artifacts are: what a tracking URI means, without opening anything.

A store is a SQLite database, with its artifacts under ``mlruns/`` beside it, a tracking server, or one of MLflow's file
stores, a folder that is mostly called ``mlruns`` too. Those in other databases, and those that MLflow's own client or a
plug-in of it reaches, are read only. URIs are absolute, so that a change of the working directory
changes nothing. A run's artifacts on this machine are found even if the folder of the store was moved.

What is a secret is decided here alone: `public_uri` is what may be written and printed of a URI, `without_secrets` of
any other text. The credentials that a person gives with a URI reach MLflow and nothing else.

A store may be a stranger's, and so the places that it names: artifacts are looked for below the store's own folder, and
elsewhere only in a folder that MLflow made for that very run. `tracker.contained_files` says which links are followed.
"""

from __future__ import annotations

import base64
import os
import posixpath
import re
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from importlib.metadata import entry_points
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from tracker.atomic_files import copy_path
from tracker.contained_files import LARGEST_ARTIFACT, contains, is_folder, read_file
from tracker.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Parents = Callable[[Path, tuple[str, ...]], list[str]]

DATABASE_NAME = "mlflow.db"  # MLflow's own default, so that a plain `mlflow ui` in the same folder shows the same runs

_DATABASES = {"postgresql", "mysql", "mssql"}  # beside SQLite, by the names that SQLAlchemy has for them

_PLUG_INS = {"azureml": "azureml-mlflow", "arn": "sagemaker-mlflow"}  # packages, by the scheme that they serve
_PLUG_IN_GROUP = "mlflow.tracking_store"  # of entry points
_DATABRICKS, _REGISTRIES = "databricks", ("databricks-uc", "uc")  # MLflow's client reaches the former by itself
_SERVER_SCHEMES = {"http", "https"}
_SQLITE_SCHEMES = {"sqlite", "sqlite+pysqlite"}

_ARTIFACTS = "mlruns"
_DATABASE_SUFFIXES = {".db", ".sqlite", ".sqlite3"}


class Access(Enum):
    """How a store is reached."""

    SQLITE = "a file"
    FILES = "a folder"
    SERVER = "HTTP"
    SQL = "SQLAlchemy"
    PLUG_IN = "MLflow's client"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a store is."""

    uri: str = field(repr=False)  # absolute, as MLflow takes it, with the credentials that a server's was given with
    database: Path | None  # the SQLite file; None for a tracking server
    artifacts: str  # URI that new experiments keep their artifacts under; empty for a server, which decides itself
    files: Path | None = None  # the folder of a file store, which is only read

    @property
    def access(self) -> Access:
        """How the store is reached."""
        if self.database or self.files:
            return Access.SQLITE if self.database else Access.FILES
        scheme = _scheme_of(self.uri)
        if scheme in _SERVER_SCHEMES:
            return Access.SERVER
        return Access.SQL if _kind_of_database(scheme) else Access.PLUG_IN

    @property
    def shown(self) -> str:
        """Path or address as a person would write it, without credentials."""
        path = self.database or self.files
        return without_secrets(str(path)) if path else _public(self.uri)

    @property
    def public(self) -> str:
        """The URI without credentials, which names the same store."""
        return self.uri if self.database or self.files else _public(self.uri)


def locate(tracking_uri: str | None, folder: Path) -> Location:
    """Return where the store of a tracking URI is; see `tracker.store.store_at`."""
    text = (tracking_uri or "").strip()
    if meant := _address_meant(text):
        page = _PAGE.fullmatch(text)
        of = "database" if _MISSPELT_DATABASE.fullmatch(text) else "tracking server"
        what = "is a page of MLflow's UI" if page else f"isn't the address of a {of}"
        shown = f"{public_uri(page[1])}/#/…" if page else public_uri(text)
        shown = "the store" if _AT.search(shown) else shown  # in which a login is left
        raise StoreError(f"{shown} {what}: did you mean {public_uri(meant)}?")
    scheme = _scheme_of(text)
    if scheme in _SERVER_SCHEMES:
        return Location(text.rstrip("/"), None, "")
    if scheme in _SQLITE_SCHEMES:
        return _beside(_sqlite_path(text), folder)
    if scheme == "file":
        return _of_file_uri(text, folder)
    if scheme or text in {_DATABRICKS, *_REGISTRIES}:
        return _elsewhere(text, scheme or text)
    return _of_path(text, folder)


def _scheme_of(text: str) -> str:
    """Return the scheme of a URI; a path may have a colon after a slash."""
    start, colon, _ = text.partition(":")
    return start.lower() if colon and "/" not in start else ""


_PAGE = re.compile(r"(https?://[^#]*?)/?#/[^@]*", re.IGNORECASE)  # of MLflow's UI, as a browser shows it
_MISSPELT = re.compile(r"(https?)(?!://[^/:])(?::[:/]*|//+)(.*)", re.IGNORECASE | re.DOTALL)
_MISSPELT_DATABASE = re.compile(rf"((?:postgres|{'|'.join(_DATABASES)})(?:\+\w+)?)//+(.+)", re.IGNORECASE | re.DOTALL)
_WITHOUT_SCHEME = re.compile(r"(?:[\w.-]+|\[[\d:a-f]+\]):\d{1,5}(?:/[^@]*)?", re.IGNORECASE)
_EXAMPLE = "http://localhost:5000"


def _address_meant(text: str) -> str | None:
    """Return the address of a server or database that a misspelt one, or that of a page, stands for, if it does."""
    if page := _PAGE.fullmatch(text):
        return page[1]
    if misspelt := _MISSPELT.fullmatch(text) or _MISSPELT_DATABASE.fullmatch(text):
        rest = _AT.split(misspelt[2])[-1]  # without a login, which may be misspelt too
        return f"{misspelt[1].lower()}://{rest}" if rest else _EXAMPLE
    if text.lower() == "localhost":
        return _EXAMPLE
    return f"http://{text}" if _WITHOUT_SCHEME.fullmatch(text) else None


def _public(uri: str) -> str:
    return public_uri(uri) if "://" in uri else without_secrets(uri)  # such as ``arn:aws:sagemaker:…``


def _kind_of_database(scheme: str) -> str | None:
    """Return which of the databases, other than SQLite, a scheme is of; None if of none."""
    kind = {"postgres": "postgresql"}.get(scheme, scheme).partition("+")[0]
    return kind if kind in _DATABASES else None


def _elsewhere(uri: str, scheme: str) -> Location:
    """Return a store that is in another database, or that MLflow's own client or a plug-in of it reaches."""
    if scheme in _REGISTRIES:
        raise StoreError(f"{uri} is a registry of models, which holds no runs: did you mean {_DATABRICKS}?")
    if _kind_of_database(scheme):
        return Location(re.sub("^postgres(?=:)", "postgresql", uri, flags=re.IGNORECASE), None, "")
    if scheme != _DATABRICKS and scheme not in {point.name for point in entry_points(group=_PLUG_IN_GROUP)}:
        if scheme in _PLUG_INS:
            missing = f"reading {_public(uri)} needs MLflow's plug-in for it: `pip install {_PLUG_INS[scheme]}`"
            raise StoreError(f"{missing}, or give another --tracking-uri")
        raise StoreError(
            f"cannot use the store {public_uri(uri)}: give a SQLite file, a tracking server such as {_EXAMPLE}, or a "
            "PostgreSQL, MySQL or SQL Server database as --tracking-uri"
        )
    return Location(uri, None, "")


def _of_file_uri(uri: str, folder: Path) -> Location:
    path = path_of("file:" + uri.partition(":")[2])
    if path is None:
        raise StoreError(f"{public_uri(uri)} names no folder on this machine: give a path as --tracking-uri")
    return _of_files(folder / path)


def _of_path(text: str, folder: Path) -> Location:
    path, there = Path(text), folder / text
    if there.is_file() or (path.suffix in _DATABASE_SUFFIXES and not there.is_dir()):
        return _beside(path, folder)
    is_own = (there / DATABASE_NAME).exists() or (there / ".tracker").exists()  # runs of `tracker run` are here
    if text and not is_own and any(_experiments_in(there)):
        return _of_files(there)
    if not is_own and any(map(_has_runs, _experiments_in(there / _ARTIFACTS))):
        return _of_files(there / _ARTIFACTS)
    return _beside(path / DATABASE_NAME, folder)


def _experiments_in(folder: Path) -> Iterator[Path]:
    """List what looks like an experiment of a file store; MLflow's registered models are in ``models``."""
    return (meta.parent for meta in folder.glob("*/meta.yaml") if meta.parent.name != "models")


def _has_runs(experiment: Path) -> bool:
    return any(experiment.glob("*/meta.yaml"))


def _of_files(folder: Path) -> Location:
    folder = folder.absolute()
    if ".." in folder.parts:
        folder = folder.resolve()
    return Location(folder.as_uri(), None, "", folder)


def _sqlite_path(uri: str) -> Path:
    """Return the path in a SQLite URI as SQLAlchemy reads it: after three slashes, percent-decoded."""
    path = unquote(uri.partition("://")[2].partition("?")[0])
    if not path.startswith("/") or path in {"/", "/:memory:"}:
        shown = public_uri(uri)
        raise StoreError(f"{shown} names no file: a SQLite store is sqlite:///PATH, such as sqlite:///{DATABASE_NAME}")
    return Path(path[1:])


def _beside(path: Path, folder: Path) -> Location:
    database = (folder / path).absolute()
    if ".." in database.parts:
        database = database.parent.resolve() / database.name
    return Location(sqlite_uri(database), database, (database.parent / _ARTIFACTS).as_uri())


def sqlite_uri(database: Path) -> str:
    """Return the URI of a SQLite file as SQLAlchemy reads it."""
    return "sqlite:///" + str(database).replace("%", "%25").replace("?", "%3F")


_START = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*:)(/*)")
_HOST = re.compile(r"(\[[^\]]*\]?|[^:]*)(:\d*(?!\d))?")
_QUERY = re.compile(r"[?#]|%3F|%23", re.IGNORECASE)
_AT = re.compile("@|%40", re.IGNORECASE)
_COLON = re.compile(":|%3A", re.IGNORECASE)


def public_uri(uri: str) -> str:
    """Return a URI without user info, query and fragment, also if they are misspelt or percent-encoded.

    A path is returned as it is but for its query, as is a URI without a host.
    """
    start = _START.match(uri)
    if not start:
        return without_secrets(uri)
    scheme, slashes = start.groups()
    rest = uri[start.end() :].strip()
    if len(slashes) > 2 and scheme.lower() not in {"http:", "https:"}:
        return without_secrets(f"{scheme}{slashes}{rest.partition('?')[0]}")
    authority = _host_and_port(rest)
    if _AT.search(authority) is None and _AT.search(rest) and not _is_host(authority):
        rest = _AT.split(rest)[-1]  # a password with a slash or a question mark that isn't encoded
    authority, slash, path = _QUERY.split(rest)[0].partition("/")
    host = _HOST.match(_AT.split(authority)[-1])
    named = host[0] if host else ""
    if scheme.lower() in {"http:", "https:"}:
        scheme, named = scheme.lower(), named.lower()
    is_misspelt = not slashes and bool(_AT.search(authority))  # user:password@host: the scheme is the user's name
    return without_secrets(f"{'' if is_misspelt else scheme + slashes}{named}{slash}{path}")


def _host_and_port(rest: str) -> str:
    return _QUERY.split(rest)[0].partition("/")[0]


def _is_host(authority: str) -> bool:
    """Return whether a text is a host with or without a port, rather than the beginning of a login."""
    match = _HOST.match(authority)
    return len(_COLON.split(authority)) == 1 or bool(match and match[0] == authority)


_NAMES = r"(?:[a-z]+[_-])?(?:token|password|passwd|pwd|secret|credentials?|signature|api_?key|access_?key)"
_HIDDEN = "[hidden]"
_LOGIN = re.compile(r"(authorization['\"]?\s*[:=]\s*['\"]?)(?:\w+\s+)?[^\s,;'\"]+", re.IGNORECASE)
_SCHEME = re.compile(r"\b((?i:basic|bearer))\s+(?=\S*[A-Z\d=+/.])[\w+/=.~-]{8,}")
_PART = re.compile(rf"((?<![a-z]){_NAMES}['\"]?\s*(?:=|:|%3D)\s*['\"]?)[^\s&,;'\"]+", re.IGNORECASE)
_ENCODED_PART = re.compile(r"(?<=[?&#;])([^=&\s]*%[0-9a-f]{2}[^=&\s]*)=[^\s&]*", re.IGNORECASE)
_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/{1,2}(?=[^/\s])[^\s'\"<>`|]+")
_SHORTEST = 3  # characters of a user's name that are worth hiding


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without what looks like a credential, and without `secrets`, as `secrets_of` returns them."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = _LOGIN.sub(rf"\1{_HIDDEN}", text)
    text = _SCHEME.sub(rf"\1 {_HIDDEN}", text)
    text = _ENCODED_PART.sub(lambda part: f"{unquote(part[1])}={_HIDDEN}", text)
    return _PART.sub(rf"\1{_HIDDEN}", text)


def public_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text from elsewhere, such as a server's error, with its URIs and all else free of credentials."""
    return without_secrets(_IN_TEXT.sub(lambda found: public_uri(found[0]), without_secrets(text, secrets)))


def secrets_of(environment: Mapping[str, str], uri: str = "") -> set[str]:
    """Return the credentials that the environment, or a URI, has for a tracking server, in every form they are sent in.

    Those are the user, the password and the token as they are and in Base64.
    """
    user, password, token = (
        environment.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD", "TOKEN")
    )
    logins = [(user, password), *map(_login_in, (uri, environment.get("MLFLOW_TRACKING_URI", "")))]
    encoded = {base64.b64encode(f"{name}:{word}".encode()).decode() for name, word in logins if name or word}
    plain = {token, base64.b64encode(token.encode()).decode(), *(part for login in logins for part in login)}
    return {secret for secret in plain | encoded if len(secret) >= _SHORTEST}


def _login_in(uri: str) -> tuple[str, str]:
    """Return the user and the password in a URI; empty ones if it has none."""
    start = _START.match(uri)
    login, at, _ = uri[start.end() :].rpartition("@") if start else ("", "", "")
    name, _, password = login.partition(":")
    return (unquote(name), unquote(password)) if at else ("", "")


_RUN_ID = re.compile("[0-9a-f]{32}")

# Folders beside the database where MLflow's own server keeps what it is sent, by default.
_SERVED = ("mlruns", "mlartifacts")


@dataclass(frozen=True, slots=True)
class ArtifactFolder:
    """A run's artifacts on this machine."""

    path: Path
    root: Path  # below it no link is followed

    def read(self, path: str) -> bytes | None:
        """Return an artifact, None if it isn't there; raise `OSError` if it can't be read."""
        try:
            return read_file(self.path / path, self.root, LARGEST_ARTIFACT)
        except FileNotFoundError:
            return None


def parents_below(folder: Path, above: tuple[str, ...]) -> list[str]:
    """List the folders below another, and itself, that ever fewer of some parts lead to.

    Text is joined, as paths take five times as long: each run without artifacts is looked for in every place.
    """
    places = (os.path.join(folder, *above[i:]) for i in range(len(above) + 1))  # noqa: PTH118
    return list(filter(os.path.isdir, places))


def find_artifacts(
    artifact_uri: str, folder: Path, run_id: str, parents: Parents = parents_below
) -> ArtifactFolder | None:
    """Return where a run's artifacts are, None if nowhere; raise `OSError` if they aren't on this machine.

    Parameters
    ----------
    artifact_uri : str
        As the store has it: a path, a ``file:`` or an ``mlflow-artifacts:`` URI that ends in the run's own folders.
    folder : Path
        The folder of the store, searched for artifacts that aren't where they were written.
    run_id : str
        Outside of `folder`, artifacts must be in a folder named by it.
    parents : callable
        `parents_below`, or one that remembers: the folders above are the same for all runs of an experiment.
    """
    parts = _split(artifact_uri)
    if parts and parts.scheme == "mlflow-artifacts":
        places = iter([folder / served / unquote(parts.path).lstrip("/") for served in _SERVED])
    elif written := path_of(artifact_uri):
        places = chain(filter(os.path.isdir, [folder / written]), folders_below(folder, written, parents))
    else:
        place = public_uri(artifact_uri)[:200] or "no place that the store names"
        raise OSError(f"the run's artifacts are at {place}, and only those on this machine are read")
    found = (ArtifactFolder(place, root) for place in places if (root := _root_of(place, folder, run_id)))
    return next((each for each in found if is_folder(each.path, each.root)), None)


def _root_of(place: Path, folder: Path, run_id: str) -> Path | None:
    """Return the folder below which artifacts are read: the store's, or that of its artifacts, which may be a link."""
    root = root_above(place, folder)
    if root:
        first = place.relative_to(root).parts[:1]
        return root.joinpath(*first) if first and first[0] in _SERVED else root
    is_of_run = _RUN_ID.fullmatch(run_id) and place.parts[-2:] == (run_id, "artifacts")
    return place.parent.parent if is_of_run else None


def root_above(place: Path, folder: Path) -> Path | None:
    """Return the part of a path that is a folder, however it is spelt; None if the path isn't below that folder."""
    if place.is_relative_to(folder):
        return folder
    with suppress(OSError):
        return next((above for above in (place, *place.parents) if above.exists() and above.samefile(folder)), None)
    return None


def restore_artifacts(uri: str | None, paths: Iterable[str], artifacts: Path, folder: Path) -> tuple[str, ...]:
    """Copy uploaded artifacts back into their journal; see `tracker.store.Store.restore_artifacts`.

    They are copied only from below `folder`, and from behind no link: `uri` may be a stranger's.
    """
    uploaded = _below(uri, folder) if uri else None
    missing = [path for path in paths if not contains(artifacts, path, artifacts.parent)]
    located = {path: uploaded / path for path in missing if uploaded and contains(uploaded, path, folder)}
    try:
        for path, source in located.items():
            copy_path(source, artifacts / path, source_root=folder, target_root=artifacts.parent)
    except OSError as error:
        raise StoreError(f"cannot bring artifacts back from {uploaded}: {error}") from error
    return tuple(path for path in missing if path not in located)


def _below(artifact_uri: str, folder: Path) -> Path | None:
    """Return the folder below a store's own that artifacts are in; None if there isn't any."""
    try:
        found = find_artifacts(artifact_uri, folder, "")
    except OSError:  # not on this machine
        return None
    root = root_above(found.path, folder) if found else None
    return folder / found.path.relative_to(root) if found and root else None


def written_to(artifact_uri: str) -> Path | None:
    """Return the absolute path on this machine that a URI means; None if it means none."""
    path = path_of(artifact_uri)
    return path if path and path.is_absolute() else None


def path_of(artifact_uri: str) -> Path | None:
    """Return the path on this machine, relative or absolute, that a URI means; None if it means none."""
    parts = _split(artifact_uri)
    if not parts or parts.scheme not in {"", "file"} or (parts.scheme and parts.netloc not in {"", "localhost"}):
        return None
    text = unquote(parts.path, errors="surrogateescape") if parts.scheme else artifact_uri
    return Path(text) if text and "\0" not in text else None


def uri_below(uri: str, path: str) -> str:
    """Return the URI of a path below a folder's, as MLflow puts it together: a query and a fragment stay at the end."""
    parts = _split(uri)
    if not parts or not parts.scheme:
        return posixpath.join(uri, path)
    below = posixpath.join(parts.path, path)
    if parts.path.startswith("/"):
        return urlunsplit(parts._replace(path=below))
    return f"{parts.scheme}:{urlunsplit(parts._replace(scheme='', path=below))}"  # of a relative path


def _split(uri: str) -> SplitResult | None:
    try:
        return urlsplit(uri)
    except ValueError:
        return None


def folders_below(folder: Path, written: Path, parents: Parents = parents_below) -> Iterator[Path]:
    """List the folders below another that may be what was written elsewhere.

    Ever fewer of its last parts, at least two, lead to them; `parents` as in `find_artifacts`.
    """
    steps = written.parts[1:] if written.anchor else written.parts
    if len(steps) > 1:
        places = (os.path.join(parent, *steps[-2:]) for parent in parents(folder, steps[:-2]))  # noqa: PTH118
        yield from map(Path, filter(os.path.isdir, places))


def folder_below(folder: Path, written: Path) -> Path | None:
    """Return the folder below another that is what was written elsewhere, moved or copied; None if there isn't any."""
    exists = written.exists()
    return next((place for place in folders_below(folder, written) if not (exists and place.samefile(written))), None)
