from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from tracker.conclusions.planned_runs import whole_seed
from tracker.next_steps.command_line import command_line
from tracker.runs import Configuration, Fold, Plateau, RunPlan, Spectrogram, SplitPlan
from tracker.study.options import terms_of

if TYPE_CHECKING:
    from tests.builders import MakeRun

BASE = {"kernel_size": "3", "learning_rate": "0.001"}
HOSTILE = ["a; rm -rf ~", "$(id)", "`id`", "a b", "it's", "--help", "../x", "a|b&c"]


class TestCommandLine:
    def test_says_only_what_is_not_the_default(self, made: MakeRun) -> None:
        params = RunPlan(Configuration()).params()
        assert command_line(made(1, params=params), "tracker", {}, 0) == "tracker run --kernel 3 --lr 0.001"

    def test_says_every_option(self, made: MakeRun) -> None:
        configuration = Configuration(
            model="other", kernel_size=7, learning_rate=1e-4, plateau=Plateau(0.3, 10), early_stopping_patience=15,
            epochs=80, batch_size=16, keep="last", segment_s=0.5, options=(("dropout", 0.4), ("norm", True)),
        )  # fmt: skip
        split = SplitPlan(split_seed=2, test_fraction=0.1, fold=Fold(1, 5))
        run = made(1, params=RunPlan(configuration, 0, split).params(), tags={"tracker.version": "0.1.0"})
        assert command_line(run, "tracker", {}, 4) == (
            "tracker run --model other --kernel 7 --lr 0.0001 --plateau 0.3,10 --early-stop 15 --epochs 80 "
            "--batch-size 16 --keep last --segment 0.5 --dropout 0.4 --norm true --split-seed 2 --test-fraction 0.1 "
            "--fold 1/5 --seed 4"
        )

    def test_changes_what_it_is_asked_to(self, made: MakeRun) -> None:
        changes = {"kernel_size": "7", "plateau": "0.3x10", "validation_fraction": "0.4"}
        assert command_line(made(1, params=BASE), "tracker", changes, 1, 2) == (
            "tracker run --kernel 7 --lr 0.001 --plateau 0.3,10 --validation-fraction 0.4 --seed 1 --seeds 2"
        )

    def test_turns_an_option_off(self, made: MakeRun) -> None:
        run = made(1, params=BASE | {"early_stopping_patience": "15"})
        assert (
            command_line(run, "tracker", {"early_stopping_patience": "off"}, 0) == "tracker run --kernel 3 --lr 0.001"
        )

    @pytest.mark.parametrize("text", HOSTILE)
    def test_quotes_the_data_and_the_experiment(self, made: MakeRun, text: str) -> None:
        line = command_line(made(1, params=BASE, tags={"tracker.data": text}), text, {}, 0)
        words = shlex.split(line)
        said = [f"--data={text}", f"--experiment={text}"] if text.startswith("-") else [text, text]
        assert [word for word in words if text in word] == said

    def test_leaves_the_demo_set_unsaid(self, made: MakeRun) -> None:
        assert "--data" not in command_line(made(1, params=BASE, tags={"tracker.data": "demo"}), "tracker", {}, 0)

    @pytest.mark.parametrize("text", ["a\nb", "a\x1b[31m", "\u202egnp.", "\x00", "a\tb"])
    def test_refuses_what_cannot_be_seen(self, made: MakeRun, text: str) -> None:
        assert command_line(made(1, params=BASE, tags={"tracker.data": text}), "tracker", {}, 0) is None
        assert command_line(made(1, params=BASE), text, {}, 0) is None

    @pytest.mark.parametrize(
        ("name", "value"),
        [("kernel_size", "big"), ("kernel_size", "0"), ("kernel_size", "2.5"), ("learning_rate", "-1"),
         ("plateau_factor", "2"), ("early_stopping_patience", "soon"), ("keep", "worst"), ("model", "../cnn"),
         ("fold", "6/5"), ("validation_fraction", "1.5"), ("epochs", "1e9999"), ("segment_s", "3s")],
    )  # fmt: skip
    def test_refuses_values_that_are_not_of_their_type(self, made: MakeRun, name: str, value: str) -> None:
        params = BASE | ({"plateau_patience": "5"} if name == "plateau_factor" else {}) | {name: value}
        assert command_line(made(1, params=params), "tracker", {}, 0) is None

    @pytest.mark.parametrize("name", ["tracking_uri", "name", "help", "Dropout", "drop out", "x=y", "-x", "data"])
    def test_refuses_what_is_no_option_of_a_network(self, made: MakeRun, name: str) -> None:
        run = made(1, params=BASE | {name: "1"}, tags={"tracker.version": "0.1.0"})
        assert command_line(run, "tracker", {}, 0) is None

    @pytest.mark.parametrize("value", ["a;b", "$(id)", "", "a b"])
    def test_refuses_network_values_that_are_no_plain_word(self, made: MakeRun, value: str) -> None:
        run = made(1, params=BASE | {"act": value or "'"}, tags={"tracker.version": "0.1.0"})
        assert command_line(run, "tracker", {}, 0) is None

    def test_refuses_params_of_runs_that_tracker_did_not_log(self, made: MakeRun) -> None:
        assert command_line(made(1, params=BASE | {"optimizer": "sgd"}), "tracker", {}, 0) is None

    def test_refuses_runs_without_a_kernel_or_a_rate(self, made: MakeRun) -> None:
        assert command_line(made(1, params={"epochs": "3"}), "tracker", {}, 0) is None

    def test_refuses_runs_of_another_program(self, made: MakeRun) -> None:
        run = made(1, params=BASE, tags={"tracker.dataset": "", "tracker.split": ""}, metrics={"val_accuracy": 0.8})
        assert command_line(run, "tracker", {}, 0) is None

    def test_refuses_another_spectrogram(self, made: MakeRun) -> None:
        params = BASE | Spectrogram(n_mels=64).params()
        assert command_line(made(1, params=params), "tracker", {}, 0) is None

    def test_takes_data_and_split_of_another_run(self, made: MakeRun) -> None:
        run = made(1, params=BASE | {"split_seed": "3"}, tags={"tracker.data": "mine"})
        assert command_line(run, "tracker", {}, 0, data="yours", split={"split_seed": "7"}) == (
            "tracker run --data yours --kernel 3 --lr 0.001 --split-seed 7"
        )


class TestWholeSeed:
    @pytest.mark.parametrize(("params", "seed"), [({"seed": "3"}, 3), ({"seed": "0.0"}, 0)])
    def test_is_a_whole_number(self, params: dict[str, str], seed: int) -> None:
        assert whole_seed(terms_of(params)) == seed

    @pytest.mark.parametrize("params", [{}, {"seed": "-1"}, {"seed": "x"}, {"seed": "1", "data_seed": "2"}])
    def test_is_none_where_the_command_line_cannot_take_it(self, params: dict[str, str]) -> None:
        assert whole_seed(terms_of(params)) is None
