"""Imported last by the process to fork from, for those that are forked."""

import mlflow.store.db.utils

from tests.sparing import collect_garbage_seldom, freeze_modules, remember_migrations

collect_garbage_seldom()
remember_migrations()
mlflow.store.db.utils._get_latest_schema_revision()
freeze_modules()
