"""A run's plan read back from its params, to train again what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from tracker.runs import Configuration, Fold, Plateau, RunPlan, Spectrogram, SplitPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracker.runs import Keep, OptionValue

    ParseOptions = Callable[[str, Mapping[str, str]], tuple[tuple[str, OptionValue], ...]]

T = TypeVar("T")

_EVERYTHING = Configuration(plateau=Plateau(0.5, 1), early_stopping_patience=1)
_OWN = frozenset(RunPlan(_EVERYTHING, split=SplitPlan(fold=Fold(1, 2))).params())
"""The params that every network has; all others are the network's own options."""


def plan_of(params: Mapping[str, str], parse_options: ParseOptions) -> RunPlan:
    """Return the plan of a run that tracker logged.

    Parameters
    ----------
    params : mapping of str to str
        As `RunPlan.params` wrote them.
    parse_options : callable
        Takes a network's name and its options as texts, and returns them as values; raises ValueError for an option
        that the network does not have.

    Raises
    ------
    ValueError
        If a param is missing or is not what this version writes for the same plan.
    """
    model = _read(params, "model", str)
    own = {name: text for name, text in params.items() if name not in _OWN}
    plan = RunPlan(
        Configuration(
            model=model,
            kernel_size=_read(params, "kernel_size", int),
            learning_rate=_read(params, "learning_rate", float),
            plateau=_plateau(params),
            early_stopping_patience=_optional(params, "early_stopping_patience", int),
            epochs=_read(params, "epochs", int),
            batch_size=_read(params, "batch_size", int),
            keep=cast("Keep", _read(params, "keep", str)),
            segment_s=_read(params, "segment_s", float),
            options=parse_options(model, own),
        ),
        _read(params, "seed", int),
        _split(params),
        Spectrogram(*(_read(params, name, int) for name in ("sr", "n_fft", "hop_length", "n_mels"))),
    )
    for name, text in plan.params().items():
        if params.get(name) != text:
            raise ValueError(f"the param {name} would be {text} now, got {params.get(name, 'none')}")
    return plan


def _plateau(params: Mapping[str, str]) -> Plateau | None:
    factor = _optional(params, "plateau_factor", float)
    return None if factor is None else Plateau(factor, _read(params, "plateau_patience", int))


def _split(params: Mapping[str, str]) -> SplitPlan:
    return SplitPlan(
        _read(params, "split_seed", int),
        _read(params, "validation_fraction", float),
        _read(params, "test_fraction", float),
        _optional(params, "fold", _fold),
    )


def _fold(text: str) -> Fold:
    number, _, count = text.partition("/")
    return Fold(int(number), int(count))


def _optional(params: Mapping[str, str], name: str, kind: Callable[[str], T]) -> T | None:
    return _read(params, name, kind) if name in params else None


def _read(params: Mapping[str, str], name: str, kind: Callable[[str], T]) -> T:
    if name not in params:
        raise ValueError(f"the param {name} is missing")
    try:
        return kind(params[name])
    except ValueError as error:
        raise ValueError(f"the param {name} cannot be read, got {params[name]!r}") from error
