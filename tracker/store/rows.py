"""What clients of a store take and give: MLflow's entities as far as runs are written and read, without MLflow.

Fields have the names that MLflow's own have, so that its client takes these as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

Whole = Annotated[int, Meta(ge=-(2**62), le=2**62)]
Id = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.\-]*\Z", max_length=256)]


class View(IntEnum):
    """Which runs are searched, numbered as in MLflow."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3


class Metric(NamedTuple):
    """A value of a metric, with the logged model and the dataset that it is of, if any."""

    key: str
    value: float
    timestamp: int  # ms
    step: int
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None
    run_id: str | None = None


class Text(NamedTuple):
    """A param or a tag."""

    key: str
    value: str


class Dataset(NamedTuple):
    """A dataset that a run used; its schema and profile are JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str


class DatasetInput(NamedTuple):
    """What a run used a dataset for, which its tags say."""

    dataset: Dataset
    tags: list[Text]


class ModelOutput(NamedTuple):
    """A logged model that a run has made, and at which step."""

    model_id: str
    step: int


class RunInfo(Struct):
    """What a store says of a run itself."""

    run_id: Id
    run_name: str | None = None
    status: str = ""
    start_time: Whole | None = None
    end_time: Whole | None = None
    artifact_uri: str | None = None
    lifecycle_stage: str = "active"
    experiment_id: str = ""


@dataclass(frozen=True, slots=True)
class RunData:
    """What a run logged: its params, tags and the latest value of each metric."""

    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]


class Output(Struct):
    """A logged model that a run has made."""

    model_id: str = ""


class Outputs(Struct):
    """The logged models that a run has made."""

    model_outputs: list[Output] | None = None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as a store has it."""

    info: RunInfo
    data: RunData
    datasets: tuple[tuple[str, str, str, str | None], ...] = ()  # name, digest, context and profile of each
    outputs: Outputs | None = None


@dataclass(frozen=True, slots=True)
class StoredExperiment:
    """An experiment as a store has it."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    tags: dict[str, str]


class LoggedModel(Struct):
    """A logged model, as far as it is needed."""

    model_id: Annotated[str, Meta(pattern=r"\Am-[A-Za-z0-9]{1,200}\Z")]
    artifact_uri: str = ""
    status: str = ""
    source_run_id: str = ""

    @property
    def artifact_location(self) -> str:
        """Where its files are kept."""
        return self.artifact_uri
