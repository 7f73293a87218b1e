"""Modules that are imported when something of them is first asked for, or in less time."""

from __future__ import annotations

import gc
import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tracker import __main__, late_imports
from tracker.late_imports import imported_late, imported_quickly, mark_own_process

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


class TestImportedQuickly:
    """A library that uses an extra package if it finds it."""

    @pytest.fixture(autouse=True)
    def _library(self, loads: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert loads == []
        monkeypatch.setattr(late_imports, "_own", [])
        code = f"try:\n    import {NAME} as extra\nexcept ImportError:\n    extra = None\nimport gc\n"
        (tmp_path / "tracker_library.py").write_text(f"{code}collects = gc.isenabled()\n")
        monkeypatch.delitem(sys.modules, "tracker_library", raising=False)

    def test_an_own_process_does_without_the_extra_and_can_still_import_it(self) -> None:
        mark_own_process()
        with imported_quickly(NAME):
            library = importlib.import_module("tracker_library")
        assert (library.extra, library.collects, gc.isenabled()) == (None, False, True)
        assert importlib.import_module(NAME).answer == 42

    def test_another_thread_finds_the_extra_meanwhile(self) -> None:
        """Which loads MLflow, for example, while Keras is imported."""
        mark_own_process()
        with imported_quickly(NAME), ThreadPoolExecutor(1) as other:
            assert other.submit(importlib.import_module, NAME).result().answer == 42

    def test_an_extra_that_is_imported_already_is_found(self) -> None:
        mark_own_process()
        extra = importlib.import_module(NAME)
        with imported_quickly(NAME):
            library = importlib.import_module("tracker_library")
        assert library.extra is extra is sys.modules[NAME]

    def test_somebody_elses_process_imports_as_usual(self) -> None:
        with imported_quickly(NAME):
            library = importlib.import_module("tracker_library")
        assert library.extra.answer == 42
        assert library.collects

    def test_a_process_of_the_command_line_is_an_own_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tracker.cli.main", lambda: None)
        monkeypatch.setattr(gc, "freeze", lambda: None)
        __main__.main()
        assert late_imports._own
