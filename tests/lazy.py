"""What heavy libraries have, imported once a test uses it: every worker collects all tests, but runs a part of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Lazy:
    """A function, class or module that another module has; to be called, or asked for its attributes."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def _load(self) -> Any:
        return getattr(import_module(self._module), self._name)

    def __call__(self, *arguments: object, **options: object) -> Any:
        return self._load()(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # which pytest asks every object of a module for
            raise AttributeError(name)
        return getattr(self._load(), name)
