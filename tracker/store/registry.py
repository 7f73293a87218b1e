"""The registry of models in a store: a run's model as a version of a named model, with an alias.

The same run has one version of a model: promoting it again changes what that version says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.store.client import MlflowException, one_line_errors, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.store.location import Location

LONGEST_DESCRIPTION = 5_000  # characters of a version's, which every database takes
_THERE = "RESOURCE_ALREADY_EXISTS"


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
    client = store.client
    with one_line_errors(f"cannot register the model of run {run_id} in {location.shown}"):
        source = f"{str(client.get_run(run_id).info.artifact_uri).rstrip('/')}/{path}"
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != _THERE:
                raise
        found = client.search_model_versions(f"run_id = '{run_id}'")
        own = [str(version.version) for version in found if version.name == name]
        words = description[:LONGEST_DESCRIPTION]
        if own:
            version = own[0]
            client.update_model_version(name, version, words)
            for key, value in tags.items():
                client.set_model_version_tag(name, version, key, value)
        else:
            made = client.create_model_version(name, source, run_id, tags=dict(tags), description=words)
            version = str(made.version)
        client.set_registered_model_alias(name, alias, version)
    return version
