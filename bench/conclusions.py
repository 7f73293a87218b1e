"""How long the conclusions of many runs take, and how much memory.

    .venv/bin/python bench/conclusions.py [--clips 300] [--rounds 3] [--runs 1000 10000]
    .venv/bin/python bench/conclusions.py --params 250 1000 2000 4000

The runs are a grid of options under several seeds, with predictions of every clip and curves of 20 epochs. Each round
is a process of its own, so that its peak of memory is its own; the runs are made before the clock starts. The goals, on
one core: 1,000 runs in 2 s, 10,000 in 20 s, and memory that grows no faster than the runs. With `--params` it is told
instead how long three runs take of which two have so many params that tracker doesn't know, each at another level: time
that grows no faster than the params.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

from tracker.conclusions import conclude, with_sentence
from tracker.next_steps.command_line import CommandWriter
from tracker.next_steps.steps import next_steps, with_commands
from tracker.report import build_report
from tracker.runs import Curve, Predictions, Run, RunStatus
from tracker.study.metrics import primary_metric
from tracker.study.study import study_of
from tracker.wording import wording_of

GOALS_S = {1_000: 2.0, 10_000: 20.0}
EPOCHS = 20
CLASSES = ("blues", "jazz", "metal", "pop", "reggae")
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def made_runs(count: int, clips: int) -> list[Run]:
    """Make runs of 5 kernels × 4 rates × 5 dropouts under as many seeds as it takes."""
    rng = np.random.default_rng(0)
    names = tuple(f"{i:05d}.wav" for i in range(clips))
    labels = tuple(CLASSES[i % len(CLASSES)] for i in range(clips))
    truth = np.arange(clips) % len(CLASSES)
    difficulty = rng.standard_normal(clips)
    return [made_run(number, names, labels, truth, difficulty, rng) for number in range(count)]


def made_run(
    number: int,
    names: tuple[str, ...],
    labels: tuple[str, ...],
    truth: np.ndarray,
    difficulty: np.ndarray,
    rng: np.random.Generator,
) -> Run:
    scores = rng.standard_normal((len(names), len(CLASSES)))
    scores[np.arange(len(names)), truth] += 1.5 + difficulty
    chances = np.exp(scores)
    losses = np.exp(-np.arange(EPOCHS) / 8) + 0.05 * rng.random((2, EPOCHS))
    steps = np.arange(1, EPOCHS + 1)
    best = int(losses[0].argmin())
    setting, seed = number % 100, number // 100
    params = {
        "kernel_size": str(3 + 2 * (setting % 5)),
        "learning_rate": ("0.01", "0.001", "0.0001", "0.00001")[setting // 5 % 4],
        "dropout": f"0.{setting // 20}",
        "early_stopping_patience": "10",
        "epochs": str(EPOCHS),
        "seed": str(seed),
        "split_seed": "0",
    }
    return Run(
        run_id=f"{number:032x}",
        name=f"run {number}",
        status=RunStatus.FINISHED,
        params=params,
        tags={"tracker.dataset": "data", "tracker.split": "split", "tracker.validation_clips": str(len(names))},
        metrics={"best_epoch": best + 1.0, "stop_epoch": float(EPOCHS), "best_val_loss": float(losses[0, best])},
        curves={"val_loss": Curve(steps, losses[0]), "loss": Curve(steps, losses[1])},
        validation=Predictions(names, labels, CLASSES, chances / chances.sum(axis=1, keepdims=True)),
        started=number,
    )


def one_round(count: int, clips: int) -> dict[str, float]:
    """Conclude once, and say how many seconds and how much memory it took."""
    runs = made_runs(count, clips)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, began_cpu = time.perf_counter(), time.process_time()
    study = study_of(runs, primary_metric(runs, None), alpha=0.05, margin=0.05)
    writer = CommandWriter("bench")
    wording, settled = wording_of(study), with_commands(study, conclude(study), writer)
    conclusions = [with_sentence(conclusion, wording) for conclusion in settled]
    next_steps(study, conclusions, writer)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - began_cpu,
        "runs_mb": before / 1024,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def params_round(params: int) -> dict[str, float]:
    """Conclude once from few runs of many params, and say how many seconds it took."""
    plain, *others = made_runs(3, 30)
    runs = [
        plain,
        *(
            replace(run, params={**run.params, **{f"option{i}": str(i + shift) for i in range(params)}})
            for shift, run in enumerate(others)
        ),
    ]
    began, began_cpu = time.perf_counter(), time.process_time()
    build_report("bench", runs)
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - began_cpu}


def rounds(count: int, clips: int, times: int) -> dict[str, list[float]]:
    command = [sys.executable, __file__, "--one-round", str(count), "--clips", str(clips)]
    found = [
        json.loads(subprocess.run(command, env=os.environ | ONE_CORE, check=True, capture_output=True).stdout)
        for _ in range(times)
    ]
    return {name: [one[name] for one in found] for name in found[0]}


def line(count: int, found: dict[str, list[float]]) -> str:
    beyond = statistics.median(np.subtract(found["peak_mb"], found["runs_mb"]))
    middle = {name: statistics.median(values) for name, values in found.items()}
    seconds = f"{middle['seconds']:.2f} ({max(found['seconds']):.2f})"
    memory = f"{middle['runs_mb']:>12.0f} MB {beyond:>9.0f} MB {1024 * beyond / count:>6.0f} kB"
    goal = f"{GOALS_S[count]:.0f} s" if count in GOALS_S else ""
    return f"{count:>7,} {seconds:>16} {middle['cpu']:>8.2f} {memory}  {goal}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[1_000, 2_000, 5_000, 10_000])
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one-round", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--params", type=int, nargs="+", help="how many params, instead of how many runs")
    arguments = parser.parse_args()
    if arguments.params:
        params_round(1)  # what is imported at the first call
        print(f"{'params':>7} {'seconds':>8} {'CPU s':>8}")
        for params in arguments.params:
            taken = params_round(params)
            print(f"{params:>7,} {taken['seconds']:>8.2f} {taken['cpu']:>8.2f}", flush=True)
        return
    if arguments.one_round:
        print(json.dumps(one_round(arguments.one_round, arguments.clips)))
        return
    print(f"{arguments.clips} clips, median of {arguments.rounds} rounds (slowest), on one core")
    print(f"{'runs':>7} {'seconds':>16} {'CPU s':>8} {'memory of runs':>15} {'beyond them':>12} {'a run':>9}  goal")
    for count in arguments.runs:
        found = rounds(count, arguments.clips, arguments.rounds)
        print(line(count, found), flush=True)


if __name__ == "__main__":
    main()
