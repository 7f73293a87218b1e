"""The values that the statistics are held against; each says where it is from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def oracles() -> dict[str, list[dict[str, Any]]]:
    read = json.loads(Path(__file__).with_name("oracles.json").read_text(encoding="utf-8"))
    return {method: found["cases"] for method, found in read.items()}
