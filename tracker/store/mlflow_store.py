"""MLflow as a `tracker.store.Store`: a SQLite file, or a tracking server; each call imports what it needs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.store import BY_EPOCH_RUNS, BusyError, Condition, Experiment, GoneError, StoreState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tracker.runs.events import Started, UploadState
    from tracker.store import ArtifactPath, Model, RunName, UiServer, Upload
    from tracker.store.location import Location

_UNUSABLE = {StoreState.OLDER, StoreState.NEWER, StoreState.FOREIGN}


@dataclass(frozen=True, slots=True)
class MlflowStore:
    """See `tracker.store.Store`, which documents each method."""

    location: Location

    @property
    def uri(self) -> str:
        """Absolute tracking URI."""
        return self.location.uri

    @property
    def shown(self) -> str:
        """Path or address without a password."""
        return self.location.shown

    @property
    def folder(self) -> Path | None:
        """Folder of the SQLite file; None for a server."""
        return self.location.database.parent if self.location.database else None

    @property
    def has_no_file(self) -> bool:
        """Whether the SQLite file is missing."""
        return self.location.database is not None and not self.location.database.exists()

    def check_usable(self) -> None:
        """Refuse a database that is of another version, or isn't a store."""
        from tracker.store.database import refusal, state_of

        if self.location.database:
            with suppress(BusyError):  # the upload tries again
                state = state_of(self.location.database)
                if state in _UNUSABLE:
                    raise StoreError(refusal(self.location.database, state))

    def check_start(self, started: Started) -> None:
        """Refuse what MLflow would cut or refuse."""
        from tracker.store.mlflow_run import check_start

        check_start(started)

    def check_metrics(self, names: Iterable[str]) -> None:
        """Refuse what MLflow would refuse."""
        from tracker.store.mlflow_run import check_keys

        check_keys("metric", names)

    def read(self, experiment: str, *, by_epoch: int = BY_EPOCH_RUNS) -> Experiment:
        """Read an experiment."""
        from tracker.store.reader import read_experiment

        return read_experiment(self.location, experiment, by_epoch=by_epoch)

    def run_names(self) -> tuple[RunName, ...]:
        """Return the names of the runs in a SQLite file."""
        from tracker.store.reader import run_names

        return run_names(self.location.database) if self.location.database else ()

    def open_upload(
        self, journal: str, known: UploadState | None, on_uploaded: Callable[[UploadState], None]
    ) -> Upload:
        """Return the upload of one journal."""
        from tracker.store.upload import JournalUpload

        return JournalUpload(self.location, journal, known, on_uploaded)

    def has_run(self, run_id: str) -> bool:
        """Return whether a run is there."""
        from tracker.store.client import open_store

        try:
            open_store(self.location).check_run(run_id)
        except GoneError:
            return False
        return True

    def save_model(self, folder: Path, model: Model, example: NDArray[np.float32]) -> None:
        """Save a Keras model as an MLflow model."""
        from tracker.store.client import save_keras_model

        save_keras_model(folder, model, example)

    def examine(self) -> Condition:
        """Return what is wrong, waiting while another program makes the store."""
        from tracker.store.database import examine

        condition = examine(self.location)
        if condition.state is StoreState.HALF_MADE:
            from tracker.store.client import open_store

            with suppress(StoreError):
                open_store(self.location)
                return examine(self.location)
        return condition

    def set_aside(self) -> Path:
        """Move a broken database out of the way."""
        from tracker.store.database import set_aside

        return set_aside(self.location)

    def relocate(self) -> tuple[tuple[ArtifactPath, ...], Path | None]:
        """Update the artifact paths of a moved or copied database."""
        from tracker.store.database import relocate

        return relocate(self.location)

    def restore_artifacts(self, uri: str | None, paths: Iterable[str], into: Path, folder: Path) -> tuple[str, ...]:
        """Copy artifacts back into their journal."""
        from tracker.store.location import restore_artifacts

        return restore_artifacts(uri, paths, into, folder)

    def serve_ui(self, port: int = 5000) -> AbstractContextManager[UiServer]:
        """Run MLflow's UI."""
        from tracker.store.database import state_of

        if self.location.database and state_of(self.location.database) is StoreState.UPGRADABLE:
            from tracker.store.client import open_store

            open_store(self.location)  # MLflow's server would migrate it too, but without a lock
        from tracker.store.ui import serving

        return serving(self.location, port)
