"""What a run says of its data, its network and its machine in tags; written and read here alone.

Each tag is a number or a JSON document. Anybody may have logged it: what isn't as described counts as not logged.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUPS_TAG = "tracker.groups"  # how many groups the data set names
SHARED_TAG = "tracker.shared_recordings"
CUT_GROUPS_TAG = "tracker.cut_groups"
RELABELLED_TAG = "tracker.relabelled_recordings"
COPIES_TAG = "tracker.copies"
NETWORK_TAG = "tracker.network"
ENVIRONMENT_TAG = "tracker.environment"
PLAN_TAG = "tracker.plan"  # an id of what one command trains: the same command, given again, has the same one
PLAN_SIZE_TAG = "tracker.plan_size"  # how often that trains each configuration: seeds times folds
FINAL_TAG = "tracker.final"  # ``true``: the plan was declared fixed before it was trained
TEST_LOOKS_TAG = "tracker.test_evaluations"  # how often the run was evaluated on its test clips
SWEEP_TAG = "tracker.sweep"  # on the run that only holds a sweep's runs together: how many they are to be

# Parts of an environment that decide how long a run takes, and of its result at most the last digits.
MACHINE = ("processor", "cores", "memory", "device")

_MOST_EXAMPLES, _MOST_NAMES, _LONGEST_NAME = 5, 4, 200  # so that any of these tags fits into a store
_MOST_LAYERS = 100


@dataclass(frozen=True, slots=True)
class Found:
    """How often something was found in the data, and examples: the clips of a recording, or a group's name."""

    n: int
    examples: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What is to be known about a data set and its split; None if it was not logged."""

    groups: int | None = None  # how many the data set names; 0 if none
    shared_recordings: Found | None = None  # with copies in more than one part of the split
    cut_groups: Found | None = None  # groups in more than one part of the split
    relabelled_recordings: Found | None = None  # with copies under several labels
    copies: Found | None = None  # recordings with copies in one part of the split

    def tags(self) -> dict[str, str]:
        """Return what is known as tags."""
        found = {SHARED_TAG: self.shared_recordings, CUT_GROUPS_TAG: self.cut_groups,
                 RELABELLED_TAG: self.relabelled_recordings, COPIES_TAG: self.copies}  # fmt: skip
        tags = {name: _document(what) for name, what in found.items() if what is not None}
        return tags if self.groups is None else {GROUPS_TAG: str(self.groups), **tags}


def data_facts(tags: Mapping[str, str]) -> DataFacts:
    """Read the facts back from a run's tags."""
    return DataFacts(
        _whole(_parsed(tags.get(GROUPS_TAG))),
        _found(tags.get(SHARED_TAG)),
        _found(tags.get(CUT_GROUPS_TAG)),
        _found(tags.get(RELABELLED_TAG)),
        _found(tags.get(COPIES_TAG)),
    )


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a network: its type, as Keras calls it, and how many numbers it learns or keeps."""

    type: str
    parameters: int


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """A network as it was built."""

    parameters: int
    layers: tuple[Layer, ...]  # in order, at most a hundred

    def tags(self) -> dict[str, str]:
        """Return it as a tag."""
        layers = [[layer.type[:_MOST_LAYERS], layer.parameters] for layer in self.layers[:_MOST_LAYERS]]
        return {NETWORK_TAG: json.dumps({"parameters": self.parameters, "layers": layers})}


def network_shape(tags: Mapping[str, str]) -> NetworkShape | None:
    """Read it back from a run's tags."""
    document = _parsed(tags.get(NETWORK_TAG))
    parameters = _whole(document.get("parameters")) if isinstance(document, dict) else None
    if parameters is None or not isinstance(document, dict):
        return None
    layers = document.get("layers")
    pairs = [pair for pair in layers if isinstance(pair, list) and len(pair) == 2] if isinstance(layers, list) else []
    typed = [(name, _whole(number)) for name, number in pairs]
    return NetworkShape(parameters, tuple(Layer(str(name), number) for name, number in typed if number is not None))


def looks_at_test(tags: Mapping[str, str]) -> int:
    """Return how often a run with these tags was evaluated on its test clips, as far as it says so."""
    return _whole(_parsed(tags.get(TEST_LOOKS_TAG))) or 0


def is_sweep(tags: Mapping[str, str]) -> bool:
    """Return whether a run with these tags only holds the runs of a sweep together: it counts nowhere as a run."""
    return SWEEP_TAG in tags


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What one command trains: a run belongs to the plan that trained it, also if a later one takes it over."""

    id: str  # 32 hexadecimal digits
    repetitions: int  # of each configuration, at least 1
    is_final: bool = False  # whether these runs alone decide, whatever is trained later

    def tags(self) -> dict[str, str]:
        """Return it as tags."""
        final = {FINAL_TAG: "true"} if self.is_final else {}
        return {PLAN_TAG: self.id, PLAN_SIZE_TAG: str(self.repetitions), **final}


def training_plan(tags: Mapping[str, str]) -> TrainingPlan | None:
    """Read it back from a run's tags."""
    repetitions = _whole(_parsed(tags.get(PLAN_SIZE_TAG)))
    if not tags.get(PLAN_TAG) or not repetitions:
        return None
    return TrainingPlan(tags[PLAN_TAG], repetitions, tags.get(FINAL_TAG) == "true")


def environment_tags(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the versions and the machine as a tag."""
    return {ENVIRONMENT_TAG: json.dumps(dict(environment))}


def environment_of(tags: Mapping[str, str]) -> Mapping[str, str]:
    """Read the versions and the machine back from a run's tags."""
    document = _parsed(tags.get(ENVIRONMENT_TAG))
    return {str(name): str(value) for name, value in document.items()} if isinstance(document, dict) else {}


def examples_of(found: Sequence[Sequence[str]]) -> Found:
    """Count what was found, and keep the first examples."""
    examples = (tuple(_cut(name) for name in names[:_MOST_NAMES]) for names in found[:_MOST_EXAMPLES])
    return Found(len(found), tuple(examples))


def _document(found: Found) -> str:
    return json.dumps({"n": found.n, "examples": found.examples}, ensure_ascii=False)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _found(text: str | None) -> Found | None:
    document = _parsed(text)
    number = _whole(document.get("n")) if isinstance(document, dict) else None
    if number is None or not isinstance(document, dict):
        return None
    examples = document.get("examples")
    rows = [row for row in examples if isinstance(row, list)] if isinstance(examples, list) else []
    return Found(number, tuple(tuple(map(str, row)) for row in rows[:_MOST_EXAMPLES]))


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12 else None


def _parsed(text: str | None) -> object:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
