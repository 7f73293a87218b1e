"""Trains audio classifiers, logs every run to MLflow and writes the comparison, with conclusions that hold.

Each name is imported when it is first used, so that ``import tracker`` takes milliseconds.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it; importing `typing` would take most of the time

if TYPE_CHECKING:
    from tracker import replay, statistics
    from tracker.api import (
        cache,
        check_data,
        close,
        delete,
        evaluate,
        export,
        load_runs,
        predict,
        promote,
        read_table,
        rename,
        repair,
        resume,
        start_run,
        sweep,
        sync,
        tag,
        train,
        train_next,
    )
    from tracker.errors import TrackerError
    from tracker.recording.answering import Answered
    from tracker.recording.caching import Cache
    from tracker.recording.data_check import DataCheck
    from tracker.recording.evaluate import Evaluation
    from tracker.recording.gate import GateAnswer, gate
    from tracker.recording.predict import ClipPrediction, ClipPredictions
    from tracker.recording.promote import Promotion
    from tracker.recording.reporter import LoggingReporter, PrintReporter, Reporter, SilentReporter
    from tracker.recording.reports import Comparison, Report, build_report, compare, log_report
    from tracker.recording.script_run import ScriptRun
    from tracker.recording.stores import ExperimentRuns
    from tracker.recording.sweep import SweepResult
    from tracker.runs import Fold, Plateau, Run

__version__ = "0.1.0"

__all__ = [
    "Answered",
    "Cache",
    "ClipPrediction",
    "ClipPredictions",
    "Comparison",
    "DataCheck",
    "Evaluation",
    "ExperimentRuns",
    "Fold",
    "GateAnswer",
    "LoggingReporter",
    "Plateau",
    "PrintReporter",
    "Promotion",
    "Report",
    "Reporter",
    "Run",
    "ScriptRun",
    "SilentReporter",
    "SweepResult",
    "TrackerError",
    "__version__",
    "build_report",
    "cache",
    "check_data",
    "close",
    "compare",
    "delete",
    "evaluate",
    "export",
    "gate",
    "load_runs",
    "log_report",
    "predict",
    "promote",
    "read_table",
    "rename",
    "repair",
    "replay",
    "resume",
    "start_run",
    "statistics",
    "sweep",
    "sync",
    "tag",
    "train",
    "train_next",
]

_NAMES = {  # where names are that `tracker.api` does not define
    "tracker.errors": ("TrackerError",),
    "tracker.recording.answering": ("Answered",),
    "tracker.recording.caching": ("Cache",),
    "tracker.recording.data_check": ("DataCheck",),
    "tracker.recording.evaluate": ("Evaluation",),
    "tracker.recording.gate": ("GateAnswer", "gate"),
    "tracker.recording.predict": ("ClipPrediction", "ClipPredictions"),
    "tracker.recording.promote": ("Promotion",),
    "tracker.recording.reporter": ("LoggingReporter", "PrintReporter", "Reporter", "SilentReporter"),
    "tracker.recording.reports": ("Comparison", "Report", "build_report", "compare", "log_report"),
    "tracker.recording.script_run": ("ScriptRun",),
    "tracker.recording.stores": ("ExperimentRuns",),
    "tracker.recording.sweep": ("SweepResult",),
    "tracker.runs": ("Fold", "Plateau", "Run"),
}


def __getattr__(name: str) -> object:
    if name in {"replay", "statistics"}:
        return import_module(f"tracker.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'tracker' has no attribute {name!r}")
    module = next((module for module, names in _NAMES.items() if name in names), "tracker.api")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
