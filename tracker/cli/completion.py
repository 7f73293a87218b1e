"""What a shell offers for completion: models, experiments and runs."""

from __future__ import annotations


def models() -> list[str]:
    """Return the names of the networks."""
    from tracker.training.networks import network_names

    return list(network_names())


def experiments() -> list[str]:
    """Return the names of the experiments."""
    return []


def runs() -> list[str]:
    """Return the runs."""
    return []
