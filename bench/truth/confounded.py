"""Options that never change alone: whether they are called confounded, whatever they seem to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.truth.experiment import Model, concluded, runs_of
from bench.truth.world import World, draw
from tracker.conclusions.option_effect import option_effects

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from bench.truth.settings import Counted

NAMES = ("kernel_size", "learning_rate", "dropout", "batch_size", "plateau_factor", "early_stopping_patience")

Table = list[dict[str, str]]


def all_at_once(rng: np.random.Generator) -> tuple[Table, set[str]]:
    """Give every run its own level of every option."""
    options, runs = rng.choice(NAMES, rng.integers(2, 7), replace=False).tolist(), int(rng.integers(2, 7))
    return [{name: str(level + 1) for name in options} | _seed(0) for level in range(runs)], set(options)


def two_together(rng: np.random.Generator) -> tuple[Table, set[str]]:
    """Vary a first option alone, a second and a third only together; one to four seeds."""
    free, *tied = rng.choice(NAMES, 3, replace=False).tolist()
    seeds = int(rng.integers(1, 5))
    rows = [{free: str(i + 1)} | dict.fromkeys(tied, str(j + 1)) for i in range(2) for j in range(2)]
    return [row | _seed(seed) for row in rows for seed in range(seeds)], set(tied)


def half_fraction(rng: np.random.Generator) -> tuple[Table, set[str]]:
    """Lay out half of a factorial of three options: any two runs differ in two of them; one to four seeds."""
    options = rng.choice(NAMES, 3, replace=False).tolist()
    codes = [(i, j, (i + j) % 2) for i in range(2) for j in range(2)]
    seeds = int(rng.integers(1, 5))
    rows = [{name: str(code + 1) for name, code in zip(options, row, strict=True)} for row in codes]
    return [row | _seed(seed) for row in rows for seed in range(seeds)], set(options)


def writeup(_: np.random.Generator) -> tuple[Table, set[str]]:
    """Lay out the four runs of the writeup."""
    rows = [
        {"kernel_size": "7", "learning_rate": "0.0001", "plateau_factor": "0.3", "plateau_patience": "10",
         "early_stopping_patience": "15"},
        {"kernel_size": "7", "learning_rate": "0.0001"},
        {"kernel_size": "3", "learning_rate": "0.001", "plateau_factor": "0.5", "plateau_patience": "15",
         "early_stopping_patience": "20"},
        {"kernel_size": "5", "learning_rate": "0.0001", "plateau_factor": "0.1", "plateau_patience": "5",
         "early_stopping_patience": "10"},
    ]  # fmt: skip
    return [row | _seed(0) for row in rows], {"kernel_size", "learning_rate", "plateau", "early_stopping_patience"}


DESIGNS: dict[str, Callable[[np.random.Generator], tuple[Table, set[str]]]] = {
    "everything changes at once": all_at_once,
    "two options always together, a third alone": two_together,
    "half of a 2 × 2 × 2 factorial": half_fraction,
    "the writeup's four runs": writeup,
}


@dataclass(frozen=True, slots=True)
class Confounded:
    """A layout in which some options never change alone, with models that differ widely."""

    design: str
    clips: int = 300

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is said of its confounded options."""
        table, tied = DESIGNS[self.design](rng)
        world = World(self.clips, 0.04)
        judged = draw(world, rng.uniform(0.55, 0.85, len(table)).tolist(), 1, rng)
        models = [Model(row, margins) for row, margins in zip(table, judged.margins[:, 0], strict=True)]
        found = {one.option: one.verdict for one in option_effects(concluded(runs_of(models, world)))}
        tied = {"plateau" if name == "plateau_factor" else name for name in tied}
        return {
            "called confounded": all(found[name] == "confounded" for name in tied),
            "no other is": all(verdict != "confounded" for name, verdict in found.items() if name not in tied),
        }


def settings() -> list[Confounded]:
    return [Confounded(design) for design in DESIGNS]


def _seed(seed: int) -> dict[str, str]:
    return {"seed": str(seed)}
