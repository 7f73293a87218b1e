"""The registry of models in a store: a run's model as a version of a named model, with an alias.

The same run has one version of a model: promoting it again changes what that version says. A version is of the run's
logged model if it has one, so that MLflow shows either on the other's page.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracker.errors import StoreError
from tracker.store.client import open_store
from tracker.store.client_errors import IS_THERE, Ignored, one_line_errors
from tracker.store.logged_model import listed_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.store.location import Location

LONGEST_DESCRIPTION = 5_000  # characters of a version's, which every database takes
_VERSIONS_TAG = "mlflow.modelVersions"  # of a logged model


def register_model(
    location: Location, run_id: str, path: str, name: str, alias: str, description: str, tags: Mapping[str, str]
) -> str:
    """Register a run's model and give it an alias; see `tracker.store.Store.register_model`."""
    if not name or len(name) > 250 or {*name} & {*"/:"}:
        raise StoreError(
            f"the name of a registered model must be 1 to 250 characters without / and :, got {name[:250]!r}"
        )
    store = open_store(location)
    store.check_run(run_id)
    client = store.full_client
    with one_line_errors(f"cannot register the model of run {run_id} in {location.shown}"):
        info = client.get_run(run_id).info
        listed = listed_model(store, str(info.experiment_id), run_id)
        model_id = str(listed.model_id) if listed else None
        source = f"{str(info.artifact_uri).rstrip('/')}/{path}"
        if listed:  # MLflow looks a model up in the store of its own settings, unless that is a server
            source = str(listed.artifact_location) if location.database else f"models:/{model_id}"
        with Ignored(IS_THERE):
            client.create_registered_model(name)
        found = client.search_model_versions(f"run_id = '{run_id}'")
        own = [str(version.version) for version in found if version.name == name]
        words = description[:LONGEST_DESCRIPTION]
        if own:
            version = own[0]
            client.update_model_version(name, version, words)
            for key, value in tags.items():
                client.set_model_version_tag(name, version, key, value)
        else:
            about: dict[str, Any] = {"tags": dict(tags), "description": words, "model_id": model_id}
            made = client.create_model_version(name, source, run_id, **about)
            version = str(made.version)
            if listed and location.database:  # a server does so by itself
                _name_version(client, str(model_id), name, version)
        client.set_registered_model_alias(name, alias, version)
    return version


def _name_version(client: Any, model_id: str, name: str, version: str) -> None:
    """Add a version to those that MLflow shows with a logged model."""
    try:
        before = json.loads(client.get_logged_model(model_id).tags.get(_VERSIONS_TAG, "[]"))
    except ValueError:
        before = []
    versions = [*(before if isinstance(before, list) else []), {"name": name, "version": version}]
    client.set_logged_model_tags(model_id, {_VERSIONS_TAG: json.dumps(versions)})
