"""Tests, one folder a room of `tracker/`. A package, so that no installed `tests` hides it."""
