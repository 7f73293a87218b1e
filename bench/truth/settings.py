"""What every setting is: one experiment drawn, and what is counted of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

Counted = dict[str, bool]


class Setting(Protocol):
    """A frozen dataclass that says what is true and how experiments are laid out."""

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw one experiment and say what came of it; what does not apply is left out."""
        ...
