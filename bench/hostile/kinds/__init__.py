"""All cases, one module for each kind."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bench.hostile.kinds.artifacts import artifacts
from bench.hostile.kinds.checkpoints import checkpoints
from bench.hostile.kinds.environments import environments
from bench.hostile.kinds.journals import journals
from bench.hostile.kinds.models import models
from bench.hostile.kinds.options import options
from bench.hostile.kinds.projects import projects
from bench.hostile.kinds.servers import servers
from bench.hostile.kinds.stores import stores

if TYPE_CHECKING:
    from bench.hostile.case import Case

KINDS = (projects, journals, stores, artifacts, models, checkpoints, servers, environments, options)


def all_cases(seed: int) -> list[Case]:
    """Return every case; the same for the same seed.

    Raises
    ------
    ValueError
        If two have one name.
    """
    cases = [case for kind in KINDS for case in kind(random.Random(f"{seed} {kind.__name__}"))]
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise ValueError(f"two cases have one name: {sorted({name for name in names if names.count(name) > 1})}")
    return cases
