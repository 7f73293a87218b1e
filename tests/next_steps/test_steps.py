from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import concluded
from tracker.conclusions.conclusion import Conclusion
from tracker.conclusions.contrasts import CROSSED, ContrastEffect, Need
from tracker.conclusions.option_effect import MOST_PAIRS, OptionEffect
from tracker.next_steps.steps import why_no_step
from tracker.render import shell_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.builders import MakeRun, MakeStudy
    from tracker.next_steps.steps import NextStep
    from tracker.runs import Run
    from tracker.study.study import Study

FLAGS = {"--kernel": "kernel_size", "--lr": "learning_rate", "--early-stop": "early_stopping_patience"}


def settled(study: Study) -> tuple[dict[str, Conclusion], tuple[NextStep, ...]]:
    conclusions, steps = concluded(study)
    return {c.id: c for c in conclusions}, steps


def trained(made: MakeRun, line: str, first: int) -> list[Run]:
    """Do what a command says: runs of its params, as luck has it."""
    words = shlex.split(line)[2:]
    given = dict(zip(words[::2], words[1::2], strict=True))
    params = {name: given[flag] for flag, name in FLAGS.items() if flag in given}
    if "--plateau" in given:
        params |= dict(zip(("plateau_factor", "plateau_patience"), given["--plateau"].split(","), strict=True))
    seeds = range(int(given.get("--seed", 0)), int(given.get("--seed", 0)) + int(given.get("--seeds", 1)))
    rng = np.random.default_rng(first)
    return [
        made(first + i, "".join(rng.choice(["0", "1"], 30)), params, seed=str(seed)) for i, seed in enumerate(seeds)
    ]


class TestNextSteps:
    def test_next_steps_of_the_writeup_start_from_the_best_run(self, writeup: list[Run], studied: MakeStudy) -> None:
        _, steps = settled(studied(*writeup))
        best = "--lr 0.001 --plateau 0.5,15 --early-stop 20"
        assert [shell_line([step.command]) for step in steps] == [
            f"tracker run --kernel 3 {best} --seed 1 --seeds 2",
            f"tracker run --kernel 7 {best} --seeds 3",
            "tracker run --kernel 3 --lr 0.0001 --plateau 0.5,15 --early-stop 20 --seeds 3",
            "tracker run --kernel 3 --lr 0.001 --plateau 0.3,10 --early-stop 20 --seeds 3",
            "tracker run --kernel 3 --lr 0.001 --plateau 0.5,15 --early-stop 15 --seeds 3",
        ]

    def test_share_the_best_runs_seeds_among_options(self, writeup: list[Run], studied: MakeStudy) -> None:
        found, steps = settled(studied(*writeup))
        options = [c.id for c in found.values() if c.kind == "option_effect"]
        assert steps[0].settles[:4] == tuple(options)
        assert found["option_effect:kernel_size"].commands == (steps[0].command, steps[1].command)

    def test_settle_what_they_say(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        runs = [
            made(1, "".join(rng.choice(["0", "1"], 30)), {"kernel_size": "3", "learning_rate": "0.001"}),
            made(2, "".join(rng.choice(["0", "1"], 30)), {"kernel_size": "7", "learning_rate": "0.0001"}),
        ]
        _, steps = settled(studied(*runs))
        for number, step in enumerate(steps):
            runs += trained(made, shell_line([step.command]), 100 * (number + 1))
        found, _ = settled(studied(*runs))
        for option in ("kernel_size", "learning_rate"):
            effect = found[f"option_effect:{option}"]
            assert max(c.pairs for c in effect.details.contrasts) >= 3
            assert effect.p_value is not None

    def test_complete_matched_pairs_with_the_missing_partners(self, made: MakeRun, studied: MakeStudy) -> None:
        base, other = ({"kernel_size": k, "learning_rate": "0.001"} for k in "37")
        runs = [made(i, "1100", base, seed=str(i)) for i in range(3)] + [made(9, "1000", other)]
        found, _ = settled(studied(*runs))
        commands = found["option_effect:kernel_size"].commands
        assert shell_line(commands) == "tracker run --kernel 7 --lr 0.001 --seed 1 --seeds 2"

    def test_next_steps_add_pairs_where_more_of_them_would_decide(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(5)
        draw = lambda p: "".join(rng.choice(["0", "1"], 200, p=[1 - p, p]))  # noqa: E731
        runs = []
        for seed, (low, high) in enumerate([(0.6, 0.7), (0.7, 0.65), (0.6, 0.75)]):
            for k, p in (("3", low), ("7", high)):
                runs.append(
                    made(10 * seed + int(k), draw(p), {"kernel_size": k, "learning_rate": "0.1"}, seed=str(seed))
                )
        found, _ = settled(studied(*runs))
        effect = found["option_effect:kernel_size"]
        assert effect.verdict == "inconclusive"
        assert "--seed 3 --seeds" in shell_line(effect.commands)

    def test_estimate_the_time_from_the_runs_own_epochs(self, made: MakeRun, studied: MakeStudy) -> None:
        losses = [0.9, 0.8, 0.85, 0.9]
        runs = [
            made(i, right, {"kernel_size": k, "learning_rate": r}, val_loss=losses, epoch_seconds=[s] * 4)
            for i, (right, k, r, s) in enumerate([("11", "3", "0.1", 1.0), ("10", "7", "0.2", 3.0)])
        ]
        _, steps = settled(studied(*runs))
        assert [step.estimated_seconds for step in steps[:2]] == [2 * 4 * 1.0, 3 * 4 * 3.0]

    def test_next_steps_give_the_best_run_a_longer_limit_if_it_was_improving(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        params = {"kernel_size": "3", "learning_rate": "0.1", "epochs": "4"}
        _, steps = settled(studied(made(1, "11", params, val_loss=[0.9, 0.8, 0.7, 0.6])))
        assert any("--epochs 8" in shell_line([step.command]) for step in steps)

    def test_bring_runs_onto_the_same_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        params = {"kernel_size": "3", "learning_rate": "0.1"}
        mine, yours = {"tracker.data": "mine"}, {"tracker.data": "yours", "tracker.dataset": "other"}
        other = made(2, "10", params | {"kernel_size": "5"}, tags=yours, prefix="other")
        found, _ = settled(studied(made(1, "11", params, tags=mine), other))
        (apart,) = [c for c in found.values() if c.kind == "run_difference"]
        assert apart.verdict == "not_comparable"
        assert shell_line(apart.commands) == "tracker run --data mine --kernel 5 --lr 0.1"

    def test_next_steps_never_ask_for_one_training_twice(self, made: MakeRun, studied: MakeStudy) -> None:
        params = {"kernel_size": "3", "learning_rate": "0.1"}
        here, five = {"tracker.data": "mine"}, params | {"kernel_size": "5"}
        runs = (
            made(1, "1110", params, tags=here, val_loss=[0.5, 0.4]),
            made(2, "1100", five, tags=here, seed="1", val_loss=[0.6, 0.5]),
            made(3, "1100", five, tags=here | {"tracker.split": "b"}, prefix="b", val_loss=[0.7, 0.6]),
        )
        found, steps = settled(studied(*runs))
        (apart,) = [c for c in found.values() if c.verdict == "not_comparable"]
        assert shell_line(apart.commands) == "tracker run --data mine --kernel 5 --lr 0.1"
        assert [shell_line([step.command]) for step in steps] == [
            "tracker run --data mine --kernel 3 --lr 0.1 --seed 1 --seeds 2",
            "tracker run --data mine --kernel 5 --lr 0.1 --seeds 3",
        ]
        assert apart.id in steps[1].settles

    def test_next_steps_never_repeat_a_run_that_is_there(self, made: MakeRun, studied: MakeStudy) -> None:
        params = {"kernel_size": "3", "learning_rate": "0.1"}
        mine = {"tracker.data": "mine"}
        runs = made(1, "11", params, tags=mine), made(2, "10", params, tags=mine | {"tracker.split": "b"}, prefix="b")
        found, _ = settled(studied(*runs))
        (apart,) = [c for c in found.values() if c.verdict == "not_comparable"]
        assert apart.commands == ()

    def test_suggest_no_runs_for_an_option_that_another_metric_cannot_tell(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = [
            made(i, "1100", {"kernel_size": k, "learning_rate": "0.1"}, seed=str(i), metrics={"val_mae": 0.1})
            for i, k in enumerate("3355")
        ]
        found, _ = settled(studied(*runs, metric="val_mae"))
        assert found["option_effect:kernel_size"].commands == ()

    def test_next_steps_never_suggest_what_cannot_be_said(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = (
            made(i, right, {"optimizer": name}) for i, (right, name) in enumerate([("11", "sgd"), ("10", "adam; id")])
        )
        found, steps = settled(studied(*runs))
        assert steps == ()
        assert all(c.commands == () for c in found.values())

    @pytest.mark.parametrize("verdict", ["exact", "supported", "equivalent"])
    def test_next_steps_leave_what_is_settled_alone(self, writeup: list[Run], studied: MakeStudy, verdict: str) -> None:
        found, _ = settled(studied(*writeup))
        assert all(c.commands == () for c in found.values() if c.verdict == verdict)


class TestWhyNoStep:
    def test_why_no_step_is_that_nothing_is_open(self) -> None:
        assert why_no_step(()) == "No further run is suggested."

    def test_why_no_step_is_that_it_takes_many_matched_pairs(self) -> None:
        commands = (("tracker", "run", "--seeds", "50"),)
        many = Conclusion("option_effect", "inconclusive", ("a",), option="k", commands=commands)
        assert why_no_step([many]).startswith(
            "No few runs would settle what is open: it takes more than 20 matched pairs"
        )

    def test_why_no_step_is_that_it_takes_more_clips(self) -> None:
        contrast = ContrastEffect(
            "3", "7", 3, 0.03, (-0.2, 0.25), 0.6, 0.6, "inconclusive", (3, 3), CROSSED, 30, 0,
            within_margin=False, detectable=0.3, crossed=None, need=Need(0.05, None, 900),
        )  # fmt: skip
        found = Conclusion("option_effect", "inconclusive", ("a",), OptionEffect((contrast,)), option="k")
        assert why_no_step([found]).startswith("What is open takes more clips, not more runs")


class TestLargePlans:
    def test_large_plans_are_beside_their_conclusion_but_not_in_the_plan(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        rights = {"3": ["1" * 50 + "0" * 50, "1" * 70 + "0" * 30, "1" * 30 + "0" * 70],
                  "7": ["1" * 70 + "0" * 30, "1" * 48 + "0" * 52, "1" * 44 + "0" * 56]}  # fmt: skip
        runs = [
            made(2 * seed + (kernel == "7"), right, {"kernel_size": kernel, "learning_rate": "0.001"}, seed=str(seed))
            for kernel, found in rights.items()
            for seed, right in enumerate(found)
        ]
        conclusions, steps = concluded(studied(*runs))
        (option,) = [c for c in conclusions if c.kind == "option_effect"]
        assert option.details.contrasts[0].need.pairs > MOST_PAIRS
        assert "--seeds " in shell_line(option.commands)
        assert not any(option.id in step.settles for step in steps)


class TestStepsOfNetworks:
    CNN = {"model": "cnn", "kernel_size": "3", "learning_rate": "0.001", "dropout": "0.3", "width": "8"}  # noqa: RUF012
    MINE = {"model": "mine", "kernel_size": "3", "learning_rate": "0.001", "depth": "2"}  # noqa: RUF012
    OPTIONS = {"cnn": {"dropout", "width"}, "mine": {"depth"}}  # noqa: RUF012

    @pytest.mark.parametrize(
        "changes",
        [
            ({}, {}),
            ({}, {"kernel_size": "7"}),
            ({"dropout": "0.5"}, {"depth": "3", "kernel_size": "7"}),
            ({"dropout": "0.5", "learning_rate": "0.01"}, {"depth": "3"}),
        ],
    )
    @pytest.mark.parametrize("best", ["cnn", "mine"])
    def test_every_command_trains_something_new_with_the_options_of_its_network(
        self, made: MakeRun, studied: MakeStudy, changes: tuple[dict[str, str], dict[str, str]], best: str
    ) -> None:
        params = [self.CNN, self.CNN | changes[0], self.MINE, self.MINE | changes[1]]
        tags = {"tracker.version": "0.1.0"}
        runs = [
            made(
                1 + i,
                "1" * (60 + i + 20 * (of["model"] == best)) + "0" * (40 - i - 20 * (of["model"] == best)),
                of,
                tags=tags,
            )
            for i, of in enumerate(params)
        ]
        _, steps = settled(studied(*runs))
        assert steps
        had = [(own_of(run.params), run.params["seed"]) for run in runs]
        for step in steps:
            words = step.command[2:]
            given = dict(zip(words[::2], words[1::2], strict=True))
            model = given.pop("--model", "cnn")
            first = int(given.pop("--seed", 0))
            seeds = range(first, first + int(given.pop("--seeds", 1)))
            own = {flag.removeprefix("--") for flag in given} - {"kernel", "lr"}
            assert own == self.OPTIONS[model]
            params_of = {FLAGS.get(flag, flag.removeprefix("--")): value for flag, value in given.items()}
            assert any((own_of(params_of | {"model": model}), str(seed)) not in had for seed in seeds)


def own_of(params: Mapping[str, str]) -> dict[str, str]:
    """Return the params but the seed."""
    return {name: value for name, value in params.items() if name != "seed"}
