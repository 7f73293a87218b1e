from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import concluded
from tracker.conclusions.conclusion import Conclusion
from tracker.conclusions.contrasts import CROSSED, ContrastEffect, Need
from tracker.conclusions.option_effect import MOST_PAIRS, OptionEffect
from tracker.next_steps.command_line import CommandWriter, Where, read_command, shell_line
from tracker.next_steps.steps import NextStep, in_one_list, next_steps, why_no_step
from tracker.runs import plan_with
from tracker.training.networks import parse_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.builders import MakeRun, MakeRuns, MakeStudy
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
            f"tracker run --kernel 3 {best} --seed 1 --seeds 3",
            f"tracker run --kernel 7 {best} --seed 1 --seeds 3",
            "tracker run --kernel 3 --lr 0.0001 --plateau 0.5,15 --early-stop 20 --seed 1 --seeds 3",
        ]

    def test_next_steps_state_their_chance_of_a_verdict(self, writeup: list[Run], studied: MakeStudy) -> None:
        _, steps = settled(studied(*writeup))
        assert all(step.chance.effect == 0.05 and 0 < step.chance.power < 0.05 for step in steps)
        chance = "this would detect a difference of 5 points less than 1 time in 20, and one of 63 points 4 times in 5"
        assert [step.outlook for step in steps] == [f"together with step {n}, {chance}" for n in (2, 1, 1)]

    def test_next_steps_are_at_most_three_commands_for_the_likeliest_answers(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        rng = np.random.default_rng(2)
        draw = lambda p: "".join(rng.choice(["0", "1"], 200, p=[1 - p, p]))  # noqa: E731
        options = ("kernel_size", "learning_rate", "batch_size", "epochs")
        base = dict(zip(options, ("3", "0.1", "8", "40"), strict=True))
        runs = [made(1, draw(0.8), base)]
        for number, (option, level) in enumerate(zip(options, ("5", "0.2", "16", "80"), strict=True), start=2):
            runs.append(made(number, draw(0.9 - 0.15 * number), base | {option: level}))
        _, steps = settled(studied(*runs))
        lines = [shell_line([step.command]) for step in steps]
        assert lines[0] == "tracker run --kernel 3 --lr 0.1 --epochs 40 --batch-size 8 --seed 1 --seeds 2"
        assert lines[1] == "tracker run --kernel 3 --lr 0.1 --epochs 80 --batch-size 8 --seed 1 --seeds 2"
        assert len(lines) == 3

    def test_share_the_best_runs_seeds_among_options(self, writeup: list[Run], studied: MakeStudy) -> None:
        found, steps = settled(studied(*writeup))
        options = [c.id for c in found.values() if c.kind == "option_effect"]
        assert set(steps[0].answers) >= set(options[:2])
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
        assert [step.estimated_seconds for step in steps] == [2 * 4 * 1.0, 3 * 4 * 1.0, 3 * 4 * 3.0]

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

    def test_next_steps_state_the_chance_of_what_two_models_on_the_same_clips_would_show(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        params, yours = (
            {"kernel_size": "3", "learning_rate": "0.1"},
            {"tracker.data": "yours", "tracker.dataset": "other"},
        )
        runs = [
            made(i, "1" * (24 + i) + "0" * (6 - i), params, seed=str(i), tags={"tracker.data": "mine"}) for i in (0, 1)
        ]
        other = made(9, "1" * 20 + "0" * 10, params | {"kernel_size": "5"}, tags=yours, prefix="other")
        study = studied(*runs, other)
        _, steps = settled(study)
        (step,) = [step for step in steps if "--kernel 5" in shell_line([step.command])]
        assert step.chance.effect == pytest.approx(25 / 30 - 20 / 30)
        assert step.chance.power == study.detectable_between((0, 1)).power(step.chance.effect)

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
        assert apart.id in steps[1].answers

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

    def test_next_steps_that_serve_two_options_name_both(self, made: MakeRun, studied: MakeStudy) -> None:
        base = {"kernel_size": "3", "learning_rate": "0.1"}
        levels = [("1110", {}), ("1100", {"kernel_size": "5"}), ("1000", {"learning_rate": "1"})]
        runs = [
            made(10 * i + seed, right, base | changes, seed=str(seed))
            for i, (right, changes) in enumerate(levels)
            for seed in (0, 1)
        ]
        _, steps = settled(studied(*runs))
        assert steps[0].why == "matched pairs for learning rate 1 instead of 0.1 and for kernel size 5 instead of 3"


class TestSuggestions:
    def test_the_first_has_most_chance_a_minute_and_its_steps_one_number(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        rng = np.random.default_rng(2)
        draw = lambda p: "".join(rng.choice(["0", "1"], 200, p=[1 - p, p]))  # noqa: E731
        base = {"kernel_size": "3", "learning_rate": "0.1"}
        levels = [(0.8, {}), (0.5, {"kernel_size": "5"}), (0.77, {"learning_rate": "1"})]
        runs = [
            made(10 * i, draw(right), base | changes, val_loss=[0.9, 0.8], epoch_seconds=[30.0] * 2)
            for i, (right, changes) in enumerate(levels)
        ]
        _, steps = settled(studied(*runs))
        assert [step.suggestion for step in steps] == [1, 1, 2]
        assert steps[0].command[3] != steps[1].command[3]  # the kernel, whose levels differ most
        assert steps[0].minutes == pytest.approx(steps[0].estimated_seconds / 60)
        assert steps[0].chance.power > steps[2].chance.power

    def test_a_first_look_has_the_number_of_pairs_with_most_chance_for_each(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        rng = np.random.default_rng(2)
        draw = lambda p: "".join(rng.choice(["0", "1"], 300, p=[1 - p, p]))  # noqa: E731
        params = {"kernel_size": "3", "learning_rate": "0.1"}
        runs = made(0, draw(0.85), params), made(1, draw(0.65), params | {"kernel_size": "5"})
        _, steps = settled(studied(*runs))
        assert [step.command[-1] for step in steps] == ["3", "3"]  # besides the pair that is there
        assert steps[0].chance.power > 0.5

    def test_of_several_data_sets_come_in_turn_and_whole(self) -> None:
        pair = [NextStep(("tracker", "run", kernel), ("k",), "", None, chance_of="k") for kernel in "35"]
        alone = [NextStep(("tracker", "run", "7"), ("b",), "", None, chance_of="b")]
        found = in_one_list([alone, pair])
        assert [(step.suggestion, step.outlook) for step in found] == [
            (1, ""), (2, "together with step 3, "), (2, "together with step 2, "),
        ]  # fmt: skip
        assert in_one_list([pair, pair, alone])[2].command == alone[0].command


class TestWhyNoStep:
    def test_why_no_step_is_that_nothing_is_open(self) -> None:
        assert why_no_step(()) == "No further run is suggested."

    def test_why_no_step_is_that_the_runs_are_not_of_tracker(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(k, metrics={"val_auc": k / 10}, params={"k": str(k)}) for k in (1, 2)]
        conclusions, steps = concluded(studied(*runs))
        assert steps == ()
        assert why_no_step(conclusions, has_commands=False).startswith(
            "Questions remain open, but tracker has commands "
        )

    @pytest.mark.parametrize(
        ("need", "why"),
        [
            (
                Need(0.05, 21),
                "No small number of runs will answer the remaining questions: more than 20 matched pairs are needed.",
            ),
            (Need(0.05, None, 900), "The remaining questions need more validation clips, not more runs."),
        ],
    )
    def test_why_no_step_is_that_it_takes_more_pairs_or_more_clips(self, need: Need, why: str) -> None:
        contrast = ContrastEffect(
            "3", "7", 3, 0.03, (-0.2, 0.25), (-0.16, 0.21), 0.6, 0.6, "inconclusive", (3, 3), CROSSED, 30, 0,
            within_margin=False, detectable=0.3, crossed=None, need=need,
        )  # fmt: skip
        found = Conclusion("option_effect", "inconclusive", ("a",), OptionEffect((contrast,)), option="k")
        assert why_no_step([found]) == why


class TestTooManyPairs:
    def test_more_than_twenty_matched_pairs_are_no_suggestion(self, made: MakeRun, studied: MakeStudy) -> None:
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
        assert (option.commands, steps) == ((), ())


class TestTheContrastOfTheSentence:
    def test_its_pairs_are_completed_and_not_those_of_the_first_levels(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(4)
        draw = lambda p: "".join(rng.choice(["0", "1"], 100, p=[1 - p, p]))  # noqa: E731
        share = {"3": 0.6, "5": 0.62, "7": 0.74}
        runs = [
            made(10 * seed + int(k), draw(share[k]), {"kernel_size": k, "learning_rate": "0.1"}, seed=str(seed))
            for k in "357"
            for seed in range(3)
        ]
        conclusions, steps = concluded(studied(*runs))
        (option,) = [c for c in conclusions if c.kind == "option_effect"]
        assert option.verdict == "inconclusive"
        assert option.sentence.startswith("Kernel size 7 instead of 5 gave ")
        assert [command[3] for command in option.commands] == ["5", "7"]
        assert {step.command[3] for step in steps} == {"5", "7"}


class TestWhatCannotDiffer:
    @pytest.mark.parametrize(
        ("option", "long", "short"),
        [
            ("early_stopping_patience", {"early_stopping_patience": "15"}, {"early_stopping_patience": "5"}),
            (
                "plateau",
                {"plateau_factor": "0.3", "plateau_patience": "15"},
                {"plateau_factor": "0.3", "plateau_patience": "5"},
            ),
        ],
    )
    def test_a_patience_that_no_epoch_can_reach_is_not_suggested(
        self,
        made: MakeRun,
        studied: MakeStudy,
        option: str,
        long: dict[str, str],
        short: dict[str, str],
    ) -> None:
        common = {"learning_rate": "0.1", "epochs": "12"}

        def planned(patience: dict[str, str]) -> tuple[tuple[str, ...], ...]:
            runs = (
                made(1, "1110", common | {"kernel_size": "3"}),
                made(2, "1000", common | {"kernel_size": "5"} | patience),
            )
            found, _ = settled(studied(*runs))
            assert found[f"option_effect:{option}"].verdict == "confounded"
            return found[f"option_effect:{option}"].commands

        assert planned(long) == ()
        assert len(planned(short)) == 2


class TestFolds:
    def test_no_single_fold_is_trained_again(self, on_folds: MakeRuns, studied: MakeStudy) -> None:
        runs = on_folds({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]})
        conclusions, steps = concluded(studied(*runs))
        assert steps == ()
        assert why_no_step(conclusions) == (
            "The remaining questions need more clips or folds: further seeds on the same folds would not answer them."
        )


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

    @pytest.mark.parametrize("model", ["linear", "musicnn"])
    @pytest.mark.parametrize("best", [0, 1])
    def test_every_command_for_a_network_that_lacks_options_of_others_can_be_run(
        self, made: MakeRun, studied: MakeStudy, model: str, best: int
    ) -> None:
        given = [{"kernel_size": 7, "features": "mfcc"}, {"model": model}, {"kernel_size": 5, "features": "mfcc"}]
        plans = [plan_with(of, parse_options(str(of.get("model", "cnn")), {})) for of in given]
        runs = [
            made(1 + i, "1" * (60 + 20 * (i == best)) + "0" * (40 - 20 * (i == best)), plan.params(),
                 tags={"tracker.version": "0.1.0"})
            for i, plan in enumerate(plans)
        ]  # fmt: skip
        study = studied(*runs)
        where = Where(built_in={name: parse_options(name, {}) for name in ("cnn", model)})
        steps = next_steps(study, concluded(study)[0], CommandWriter("tracker", where))
        assert {read_command(step.command, parse_options).plans[0].configuration.model for step in steps} == {
            "cnn",
            model,
        }


def own_of(params: Mapping[str, str]) -> dict[str, str]:
    """Return the params but the seed."""
    return {name: value for name, value in params.items() if name != "seed"}
