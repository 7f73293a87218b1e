"""What the runs were trained on and how: data set, split, network, settings, features, versions, machine.

Everything is as logged, None or empty if it was not. What several runs share stands once, with the ids of these runs.
Data, split and network are other people's names: whoever prints them must escape them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from tracker.runs import FEATURE_OPTIONS, KINDS, LOGGED_OPTIONS, Role, Spectrogram, as_number, number_text
from tracker.runs.facts import MACHINE, Layer, data_facts, environment_of, network_shape
from tracker.study.options import NETWORK, as_whole
from tracker.wording import counted, level_cell, listing, option_title, option_words, some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tracker.study.run_results import RunResult
    from tracker.study.study import Study
    from tracker.wording import Wording

T = TypeVar("T")

_FEATURES = ("sr", "n_fft", "hop_length", "n_mels", "segment_s")
_SPLIT = ("split_seed", "validation_fraction", "test_fraction", "fold")
_MOST_SHOWN = 3  # different values of one fact that are written out
_MOST_CLASSES = 12  # that are named
_FINGERPRINT = 12  # digits that are shown


@dataclass(frozen=True, slots=True)
class Shared(Generic[T]):
    """A value that runs have in common."""

    value: T
    runs: tuple[str, ...]  # their ids


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """A data set."""

    name: str | None  # what was given as the data: ``demo``, a path
    fingerprint: str | None
    clips: int | None  # in training, validation and test together
    classes: tuple[str, ...]
    groups: int | None  # how many it names; 0 if none
    called: str  # what its clips are called: ``clip``


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """How the data was divided."""

    training: int | None  # clips, as the next two
    validation: int | None
    test: int | None
    validation_groups: int | None  # groups among the validation clips; 0 if none
    fingerprint: str | None
    drawn: tuple[tuple[str, str], ...]  # the params that decide it, by name


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """A network."""

    name: str | None
    parameters: int | None
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class FeatureFacts:
    """How sound became an image."""

    kind: str | None  # in words; as it was logged if this version doesn't know it
    sr: int | None  # Hz
    n_fft: int | None  # samples, as the next one
    hop_length: int | None
    n_mels: int | None
    segment_s: float | None


@dataclass(frozen=True, slots=True)
class SoftwareFacts:
    """Versions by the name of what they are of."""

    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What a run was trained on."""

    processor: str | None
    cores: int | None
    memory: str | None
    threads: int | None


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact as a row of a table."""

    name: str  # ``Data set``, ``Split``; an option by its words
    text: str | None  # None if it was not logged


@dataclass(frozen=True, slots=True)
class DataAndMethod:
    """What the runs were trained on and how, each fact with its runs; those of the most runs first."""

    datasets: tuple[Shared[DatasetFacts], ...]
    splits: tuple[Shared[SplitFacts], ...]
    tables: tuple[Shared[str], ...]  # of other programs, that predictions were read from
    networks: tuple[Shared[NetworkFacts], ...]
    settings: tuple[tuple[str, str], ...]  # options, each with the level that all runs have
    varied: tuple[tuple[str, tuple[str, ...]], ...]  # options, each with the levels that were tried
    repeated_by: tuple[str, ...]  # params that repeat the training, or say its fold, under other names than tracker's
    not_compared: tuple[str, ...]  # params that vary and are no options
    ignored: tuple[str, ...]  # those of them that the reader wanted to be ignored
    features: tuple[Shared[FeatureFacts], ...]
    software: tuple[Shared[SoftwareFacts], ...]
    machines: tuple[Shared[MachineFacts], ...]

    def rows(self, wording: Wording) -> tuple[FactRow, ...]:
        """Return the facts as rows, in order; those that differ between runs with the runs that they are of."""
        return tuple(_rows(self, wording))


def data_and_method(study: Study) -> DataAndMethod:
    """Collect the facts from the params and tags of a study's runs."""
    levels = [dict(terms.levels) for terms in study.design.terms]
    shared = set.intersection(*(set(of_run.items()) for of_run in levels)) if levels else set()
    place = {name: index for index, name in enumerate(LOGGED_OPTIONS)}
    settings = [(name, level) for name, level in shared if name not in (*_FEATURES, *FEATURE_OPTIONS, NETWORK)]
    settings.sort(key=lambda setting: (place.get(setting[0], len(place)), setting[0]))
    roles, foreign = study.design.roles, _foreign_params(study)
    not_compared = tuple(name for name in foreign if roles.of(name) is Role.COMMAND)
    return DataAndMethod(
        datasets=_shared(study, _dataset),
        splits=_shared(study, _split),
        tables=_shared(study, lambda result: result.run.validation.table if result.run.validation else ""),
        networks=_shared(study, lambda result: _network(result, levels[result.index])),
        settings=tuple(settings),
        varied=tuple((option, study.design.levels[option]) for option in study.design.options),
        repeated_by=tuple(
            name for name in foreign if roles.of(name) in (Role.SEED, Role.SPLIT) and name not in roles.of_data
        ),
        not_compared=not_compared,
        ignored=tuple(name for name in not_compared if name in roles.named.ignore),
        features=_shared(study, _features),
        software=_shared(study, _software),
        machines=_shared(study, _machine),
    )


def _foreign_params(study: Study) -> list[str]:
    """Return the params that vary and are no options of tracker, by name."""
    params = [result.run.params for result in study.results]
    names = {name for of_run in params for name in of_run} - LOGGED_OPTIONS.keys()
    return sorted(name for name in names if len({of_run.get(name) for of_run in params}) > 1)


def _shared(study: Study, fact_of: Callable[[RunResult], T]) -> tuple[Shared[T], ...]:
    runs: dict[T, list[str]] = defaultdict(list)
    for result in study.results:
        runs[fact_of(result)].append(result.run_id)
    found = [Shared(value, tuple(ids)) for value, ids in runs.items()]
    return tuple(sorted(found, key=lambda one: -len(one.runs)))


def _dataset(result: RunResult) -> DatasetFacts:
    tags, sizes = result.run.tags, _sizes(result)
    known = sizes[0] is not None and sizes[1] is not None
    return DatasetFacts(
        name=tags.get("tracker.data"),
        fingerprint=tags.get("tracker.dataset"),
        clips=sum(filter(None, sizes)) if known else None,
        classes=_classes(result),
        groups=data_facts(tags).groups,
        called=tags.get("tracker.sample_name", "clip"),
    )


def _sizes(result: RunResult) -> tuple[int | None, int | None, int | None]:
    return result.training_clips, result.n, as_whole(result.run.tags.get("tracker.test_clips"))


def _classes(result: RunResult) -> tuple[str, ...]:
    try:
        listed = json.loads(result.run.tags.get("tracker.classes", ""))
    except (ValueError, RecursionError):
        listed = None
    if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
        return tuple(listed)
    validation = result.run.validation
    return validation.classes if validation and validation.has_labels else ()


def _split(result: RunResult) -> SplitFacts:
    params, known = result.run.params, result.run.validation is not None
    return SplitFacts(
        *_sizes(result),
        validation_groups=len(set(result.run.groups.values())) if known else None,
        fingerprint=result.run.tags.get("tracker.split"),
        drawn=tuple((name, params[name]) for name in _SPLIT if name in params),
    )


def _network(result: RunResult, levels: Mapping[str, str]) -> NetworkFacts:
    shape = network_shape(result.run.tags)
    return NetworkFacts(levels.get(NETWORK), shape.parameters if shape else None, shape.layers if shape else ())


def _features(result: RunResult) -> FeatureFacts:
    params = result.run.params
    sr, n_fft, hop_length, n_mels = (as_whole(params.get(name), least=1) for name in _FEATURES[:4])
    logged = params.get("features", Spectrogram().features if sr or n_mels else "")
    kind = KINDS[logged].words if logged in KINDS else logged or None
    unused = KINDS[logged].ignores if logged in KINDS else ()
    n_fft, n_mels = (None if name in unused else value for name, value in (("n_fft", n_fft), ("n_mels", n_mels)))
    return FeatureFacts(kind, sr, n_fft, hop_length, n_mels, as_number(params.get("segment_s", "")))


def _software(result: RunResult) -> SoftwareFacts:
    tags = result.run.tags
    logged = {"tracker": tags["tracker.version"]} if "tracker.version" in tags else {}
    others = {name: text for name, text in environment_of(tags).items() if name not in (*MACHINE, "threads")}
    return SoftwareFacts(tuple((logged | others).items()))


def _machine(result: RunResult) -> MachineFacts:
    logged = environment_of(result.run.tags)
    cores, threads = (as_whole(logged.get(name), least=1) for name in ("cores", "threads"))
    return MachineFacts(logged.get("processor"), cores, logged.get("memory"), threads)


def _rows(facts: DataAndMethod, wording: Wording) -> Iterator[FactRow]:
    def row(name: str, shared: Sequence[Shared[T]], words: Callable[[T], str | None]) -> FactRow:
        runs: dict[str, list[str]] = defaultdict(list)
        for one in shared:
            runs[words(one.value) or ""] += one.runs
        return FactRow(name, _joined(runs, wording))

    yield row("Data set", facts.datasets, _dataset_words)
    yield row("Classes", facts.datasets, lambda data: _class_words(data.classes))
    yield row("Groups", facts.datasets, lambda data: _group_words(data.groups))
    yield row("Data fingerprint", facts.datasets, lambda data: _digits(data.fingerprint))
    yield row("Split", facts.splits, _split_words)
    yield row("Split decided by", facts.splits, _drawn_words)
    yield row("Split fingerprint", facts.splits, lambda split: _digits(split.fingerprint))
    if any(shared.value for shared in facts.tables):
        yield row("Predictions", facts.tables, lambda table: f"from the table {table}" if table else None)
    yield row("Model", facts.networks, lambda network: network.name)
    yield row("Layers", facts.networks, lambda network: _layer_words(network.layers))
    yield row("Parameters", facts.networks, lambda network: _whole(network.parameters))
    for option, level in facts.settings:
        yield FactRow(option_title(option), level_cell(option, level))
    if facts.repeated_by:
        yield FactRow("Repeated by", some(facts.repeated_by))
    if facts.not_compared:
        yield FactRow("Not compared by", _not_compared_words(facts))
    yield row("Features", facts.features, _feature_words)
    yield row("Software", facts.software, lambda software: _version_words(software.versions))
    yield row("Processor", facts.machines, lambda machine: machine.processor)
    yield row("Machine", facts.machines, _machine_words)


def _not_compared_words(facts: DataAndMethod) -> str:
    found = [name for name in facts.not_compared if name not in facts.ignored]
    bookkeeping = f"{some(found)}: bookkeeping, unless given as --option-param" if found else ""
    ignored = f"{some(facts.ignored)}: ignored as asked" if facts.ignored else ""
    return "; ".join(filter(None, (bookkeeping, ignored)))


def _joined(runs: Mapping[str, Sequence[str]], wording: Wording) -> str | None:
    """Return a fact that all runs share, or the different ones with their runs; of many how many there are."""
    different = [text for text in runs if text]
    if len(different) > _MOST_SHOWN:
        return f"{len(different)} different ones, the first {different[0]}"
    if len(runs) == 1:
        return different[0] if different else None
    return "; ".join(f"{text} ({wording.runs(runs[text])})" for text in different) or None


def _dataset_words(dataset: DatasetFacts) -> str | None:
    size = counted(dataset.clips, dataset.called) if dataset.clips is not None else None
    name = "the built-in demo set" if dataset.name == "demo" else dataset.name
    return ", ".join(filter(None, (name, size))) or None


def _class_words(classes: tuple[str, ...]) -> str | None:
    if not classes:
        return None
    more = len(classes) - _MOST_CLASSES
    return f"{len(classes):,}: {', '.join(classes[:_MOST_CLASSES])}{f' and {more:,} more' if more > 0 else ''}"


def _group_words(groups: int | None) -> str | None:
    return "none named" if groups == 0 else _whole(groups)


def _split_words(split: SplitFacts) -> str | None:
    if split.training is None and split.validation is None:
        return None
    sizes = {"training": split.training, "validation": split.validation, "test": split.test}
    known = listing([f"{n:,} {name}" for name, n in sizes.items() if n])
    groups = f", validation from {counted(split.validation_groups, 'group')}" if split.validation_groups else ""
    return f"{known} clips{groups}{', no test clips' if split.test == 0 else ''}"


def _drawn_words(split: SplitFacts) -> str | None:
    """Return what the split was drawn by; on a fold, the validation fraction decides nothing."""
    drawn = dict(split.drawn)
    if "fold" in drawn:
        drawn.pop("validation_fraction", None)
    decided = {name: value for name, value in drawn.items() if value != "0" or not name.endswith("_fraction")}
    return ", ".join(f"{option_words(name)} {value}" for name, value in decided.items()) or None


def _layer_words(layers: tuple[Layer, ...]) -> str | None:
    """Return how many layers of each type there are, in the order of their first ones."""
    return ", ".join(f"{n} {name}" for name, n in Counter(layer.type for layer in layers).items()) or None


def _feature_words(features: FeatureFacts) -> str | None:
    texts = (
        (features.kind, "{} images"),
        (features.sr, "sampled at {:,} Hz"),
        (features.n_fft, "windows of {:,} samples"),
        (features.hop_length, "hop of {:,}"),
        (features.n_mels, "{:,} mel bands"),
    )
    known = [text.format(value) for value, text in texts if value is not None]
    seconds = features.segment_s
    known += [f"segments of {number_text(seconds)} s"] if seconds is not None else []
    return ", ".join(known) or None


def _version_words(versions: tuple[tuple[str, str], ...]) -> str | None:
    return ", ".join(f"{name} {version}" for name, version in versions) or None


def _machine_words(machine: MachineFacts) -> str | None:
    cores = counted(machine.cores, "core") if machine.cores is not None else None
    memory = f"{machine.memory} of memory" if machine.memory else None
    threads = f"{counted(machine.threads, 'thread')} used" if machine.threads is not None else None
    return ", ".join(filter(None, (cores, memory, threads))) or None


def _digits(fingerprint: str | None) -> str | None:
    return fingerprint[:_FINGERPRINT] if fingerprint else None


def _whole(number: int | None) -> str | None:
    return None if number is None else f"{number:,}"
