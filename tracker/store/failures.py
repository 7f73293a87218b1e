"""Why a store was not written to or read, where what to do next depends on it."""

from __future__ import annotations

from tracker.errors import StoreError


class UnreachableError(StoreError):
    """A store is away, locked or full; nothing was refused, and the same may be done another time."""


class BusyError(UnreachableError):
    """Another writer was at the same rows at the same moment; the same may be done at once."""


class GoneError(StoreError):
    """A store answers and has not, or no longer, what is to be written to or read: the run, or its experiment."""


class BrokenError(StoreError):
    """A store's file is damaged, or is none: nothing but setting it aside helps."""
