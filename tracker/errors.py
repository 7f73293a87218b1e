"""What can go wrong in the world, as errors that a person can act on.

An error's message is one line, whatever it quotes: what is wrong, the rule, the value received, the remedy. A bad
argument in the pure core is a plain `ValueError`; nothing here is ever turned into a verdict.
"""

from tracker.printable import LINE, printable


class TrackerError(Exception):
    """Something in the world keeps tracker from going on; the command line prints it and exits with 1."""

    def __str__(self) -> str:
        return printable(super().__str__(), LINE)


class DataError(TrackerError):
    """A dataset, a manifest or an audio file is not fit to train on."""


class JournalError(TrackerError):
    """A run's journal cannot be written or read, or another process writes it."""


class StoreError(TrackerError):
    """A tracking store is missing, not readable or made by another version."""


class TrainingError(TrackerError):
    """A network cannot be built or its training cannot go on."""
