"""A tracking server's registry of models, and its logged models, which are MLflow's since version 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tracker.runs.events import json_number
from tracker.store.client_errors import NOT_THERE
from tracker.store.connection import NOT_FOUND, ONCE, Connection, ServerError
from tracker.store.rows import LoggedModel  # noqa: TC001  (msgspec reads annotations)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker.store.rows import Metric, ModelOutput

API = "/api/2.0/mlflow"
_NOT_SERVED = {NOT_FOUND, 405, 501}
_MOST_PARAMS = 100  # of a logged model that a server takes in one call
_READY = "LOGGED_MODEL_READY"


class Nothing(Struct):
    """An answer of which nothing is needed."""


class ModelVersion(Struct):
    """A version of a registered model."""

    name: str
    version: str


class _Versions(Struct):
    model_versions: list[ModelVersion] | None = None
    next_page_token: str | None = None


class _VersionAnswer(Struct):
    model_version: ModelVersion


class _ModelRow(Struct):
    info: LoggedModel


class _ModelAnswer(Struct):
    model: _ModelRow


class _Models(Struct):
    models: list[_ModelRow] | None = None
    next_page_token: str | None = None


class ServerModels(Connection):
    """The part of a server's interface that has models; see `tracker.store.server.ServerClient`."""

    # ---- registry ----

    def create_registered_model(self, name: str) -> None:
        """Create a registered model."""
        self.call("POST", f"{API}/registered-models/create", Nothing, name=name)

    def search_model_versions(self, filter_string: str) -> list[ModelVersion]:
        """Return all versions of registered models that match a filter."""
        found: list[ModelVersion] = []

        def ask(token: str | None) -> _Versions:
            query = {"filter": filter_string, "max_results": 200, "page_token": token}
            return self.call("GET", f"{API}/model-versions/search", _Versions, **query)

        def new_in(page: _Versions) -> int:
            found.extend(page.model_versions or ())
            return len(page.model_versions or ())

        for _ in self.pages(ask, new_in):
            pass
        return found

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str,
        tags: Mapping[str, str],
        description: str,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Create a version of a registered model."""
        about = {"run_id": run_id, "tags": rows_of(tags.items()), "description": description, "model_id": model_id}
        endpoint = f"{API}/model-versions/create"
        return self.call("POST", endpoint, _VersionAnswer, name=name, source=source, **about).model_version

    def update_model_version(self, name: str, version: str, description: str) -> None:
        """Set the description of a version."""
        endpoint = f"{API}/model-versions/update"
        self.call("PATCH", endpoint, Nothing, name=name, version=version, description=description)

    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        """Set a tag of a version."""
        self.call("POST", f"{API}/model-versions/set-tag", Nothing, name=name, version=version, key=key, value=value)

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Give a version an alias, which no other version of the model has then."""
        self.call("POST", f"{API}/registered-models/alias", Nothing, name=name, alias=alias, version=version)

    # ---- logged models ----

    def search_logged_models(self, experiment_ids: Sequence[str], filter_string: str) -> list[LoggedModel] | None:
        """Return an experiment's logged models that match a filter; None of a server that knows of none at all."""
        found: list[LoggedModel] = []

        def ask(token: str | None) -> _Models:
            query = {"experiment_ids": [*experiment_ids], "filter": filter_string, "page_token": token}
            return self.call("POST", f"{API}/logged-models/search", _Models, **query)

        def new_in(page: _Models) -> int:
            found.extend(row.info for row in page.models or ())
            return len(page.models or ())

        try:
            for _ in self.pages(ask, new_in):
                pass
        except ServerError as error:
            if is_unknown(error):
                return None
            raise
        return found

    def create_logged_model(
        self, experiment_id: str, name: str, source_run_id: str, tags: Mapping[str, str], params: Mapping[str, str]
    ) -> LoggedModel:
        """Create a logged model, which is pending; asked once, for a lost answer would make two."""
        about = {"experiment_id": experiment_id, "name": name, "source_run_id": source_run_id}
        rows = {"tags": rows_of(tags.items()), "params": rows_of(params.items())[:_MOST_PARAMS]}
        answer = self.call("POST", f"{API}/logged-models", _ModelAnswer, options=ONCE, **about, **rows)
        return answer.model.info

    def finalize_logged_model(self, model_id: str, status: str) -> None:
        """Say that a logged model is ready."""
        assert status == "READY"  # noqa: S101
        endpoint = f"{API}/logged-models/{model_id}"
        self.call("PATCH", endpoint, Nothing, model_id=model_id, status=_READY)

    def delete_logged_model(self, model_id: str) -> None:
        """Mark a logged model as deleted."""
        self.call("DELETE", f"{API}/logged-models/{model_id}", Nothing)

    def log_outputs(self, run_id: str, models: Iterable[ModelOutput]) -> None:
        """Write which logged models a run has made."""
        rows = [{"model_id": model.model_id, "step": model.step} for model in models]
        self.call("POST", f"{API}/runs/outputs", Nothing, options=ONCE, run_id=run_id, models=rows)


def is_unknown(error: ServerError) -> bool:
    """Return whether a server refused what it has no address for, as those of older versions do."""
    return error.get_http_status_code() in _NOT_SERVED and error.error_code != NOT_THERE


def metric_row(metric: Metric) -> dict[str, object]:
    """Return a value of a metric as a server takes it, with the logged model and the dataset that it is of, if any."""
    row: dict[str, object] = {"key": metric.key, "value": json_number(metric.value)}
    row |= {"timestamp": metric.timestamp, "step": metric.step}
    of = {"model_id": metric.model_id, "dataset_name": metric.dataset_name, "dataset_digest": metric.dataset_digest}
    return row | {name: value for name, value in of.items() if value}


def rows_of(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Return texts with names as a server takes them."""
    return [{"key": key, "value": value} for key, value in pairs]
