"""Modules that are imported when something of them is first asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tracker.cli.late_imports import imported_late

if TYPE_CHECKING:
    from pathlib import Path

NAME = "tracker_late_example"


@pytest.fixture
def loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list to which the module adds a word when it is executed."""
    (tmp_path / f"{NAME}.py").write_text("import sys\nsys.tracker_loads.append('loaded')\nanswer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "tracker_loads", [], raising=False)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    return sys.tracker_loads  # type: ignore[attr-defined]


def test_a_late_module_is_executed_when_something_of_it_is_asked_for(loads: list[str]) -> None:
    with imported_late(NAME):
        module = __import__(NAME)
    assert loads == []
    assert module.answer == 42
    assert loads == ["loaded"]


def test_another_module_is_executed_at_once(loads: list[str]) -> None:
    with imported_late("another"):
        __import__(NAME)
    assert loads == ["loaded"]


def test_modules_are_executed_at_once_again_afterwards(loads: list[str]) -> None:
    with imported_late(NAME):
        pass
    __import__(NAME)
    assert loads == ["loaded"]
