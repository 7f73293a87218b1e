"""Stores for the tests: every test has its own, in its own folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.store.location import Location, locate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def location(tmp_path: Path) -> Location:
    """Where a store would be: nothing is there yet, and making it takes milliseconds."""
    return locate(None, tmp_path)
