from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tracker.statistics


@pytest.mark.parametrize("name", tracker.statistics.__all__)
def test_every_public_name_is_exported(name: str) -> None:
    assert getattr(tracker.statistics, name)
    assert name in dir(tracker.statistics)


def test_type_checkers_see_the_names_that_are_loaded_on_first_use() -> None:
    tree = ast.parse(Path(tracker.statistics.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(tracker.statistics.__all__) <= imported


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        tracker.statistics.nothing  # noqa: B018
