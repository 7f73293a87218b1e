from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tracker.next_steps.command_line import MOST_PARAMS, Argv, CommandWriter, Where, read_command
from tracker.runs import Configuration, Fold, OfNetwork, Plateau, RunPlan, Spectrogram, SplitPlan
from tracker.training.networks import parse_options

if TYPE_CHECKING:
    from tests.builders import MakeRun
    from tracker.runs import Run

BASE = {"kernel_size": "3", "learning_rate": "0.001"}
BY_TRACKER = {"tracker.version": "0.1.0"}
HOSTILE = ["a; rm -rf ~", "$(id)", "`id`", "a b", "it's", "--help", "../x", "a|b&c"]


def again(
    run: Run, changes: dict[str, str] | None = None, seed: int = 0, seeds: int = 1, **given: object
) -> Argv | None:
    return CommandWriter("tracker").train_again(run, changes or {}, seed, seeds, **given)


def line(*arguments: object, **given: object) -> str:
    return " ".join(again(*arguments, **given) or ())


class TestTrainAgain:
    def test_train_again_leaves_out_options_at_their_defaults(self, made: MakeRun) -> None:
        assert line(made(1, params=RunPlan(Configuration()).params())) == "tracker run --kernel 3 --lr 0.001"

    def test_train_again_leaves_out_options_of_a_built_in_network_at_their_defaults(self, made: MakeRun) -> None:
        writer = CommandWriter("tracker", Where(built_in={"cnn": OfNetwork((("dropout", 0.3), ("width", 8)))}))
        run = made(1, params=BASE | {"model": "cnn", "dropout": "0.3", "width": "16"}, tags=BY_TRACKER)
        assert " ".join(writer.train_again(run, {}, 0)) == "tracker run --kernel 3 --lr 0.001 --width 16"
        assert writer.train_again(run, {"width": "8"}, 0) == ("tracker", "run", "--kernel", "3", "--lr", "0.001")

    def test_train_again_gives_every_option_in_the_order_of_the_table(self, made: MakeRun) -> None:
        configuration = Configuration(
            model="other", kernel_size=7, learning_rate=1e-4, plateau=Plateau(0.3, 10), early_stopping_patience=15,
            epochs=80, batch_size=16, keep="last", segment_s=0.5, options=(("batch_norm", True), ("dropout", 0.4)),
        )  # fmt: skip
        split = SplitPlan(split_seed=2, test_fraction=0.1, fold=Fold(1, 5))
        run = made(1, params=RunPlan(configuration, 0, split).params(), tags=BY_TRACKER)
        assert line(run, seed=4) == (
            "tracker run --model other --kernel 7 --lr 0.0001 --plateau 0.3,10 --early-stop 15 --epochs 80 "
            "--batch-size 16 --keep last --segment 0.5 --batch-norm true --dropout 0.4 --split-seed 2 "
            "--test-fraction 0.1 --fold 1/5 --seed 4"
        )

    def test_train_again_applies_changes_of_options_and_of_the_split(self, made: MakeRun) -> None:
        changes = {"kernel_size": "7", "plateau": "0.3x10", "validation_fraction": "0.4"}
        assert line(made(1, params=BASE), changes, 1, 2) == (
            "tracker run --kernel 7 --lr 0.001 --plateau 0.3,10 --validation-fraction 0.4 --seed 1 --seeds 2"
        )

    def test_train_again_gives_no_command_of_hundreds_of_params(self, made: MakeRun) -> None:
        params = {f"option{i}": "1" for i in range(MOST_PARAMS)}
        assert again(made(1, params=BASE | dict(list(params.items())[:-3]), tags=BY_TRACKER)) is not None
        assert again(made(1, params=BASE | params, tags=BY_TRACKER)) is None

    def test_train_again_turns_an_option_off(self, made: MakeRun) -> None:
        run = made(1, params=BASE | {"early_stopping_patience": "15"})
        assert line(run, {"early_stopping_patience": "off"}) == "tracker run --kernel 3 --lr 0.001"

    @pytest.mark.parametrize("text", HOSTILE)
    def test_train_again_passes_data_and_experiment_as_one_argument_each(self, made: MakeRun, text: str) -> None:
        run = made(1, params=BASE, tags={"tracker.data": text})
        arguments = CommandWriter(text).train_again(run, {}, 0) or ()
        expected = [f"--data={text}", f"--experiment={text}"] if text.startswith("-") else [text, text]
        assert [argument for argument in arguments if text in argument] == expected

    def test_train_again_does_not_name_the_demo_set(self, made: MakeRun) -> None:
        assert "--data" not in line(made(1, params=BASE, tags={"tracker.data": "demo"}))

    @pytest.mark.parametrize("text", ["a\nb", "a\x1b[31m", "\u202egnp.", "\x00", "a\tb"])
    def test_train_again_refuses_invisible_characters(self, made: MakeRun, text: str) -> None:
        assert again(made(1, params=BASE, tags={"tracker.data": text})) is None
        assert CommandWriter(text).train_again(made(1, params=BASE), {}, 0) is None
        assert CommandWriter("tracker", Where(text)).train_again(made(1, params=BASE), {}, 0) is None

    @pytest.mark.parametrize(
        ("name", "value"),
        [("kernel_size", "big"), ("kernel_size", "0"), ("kernel_size", "2.5"), ("learning_rate", "-1"),
         ("plateau_factor", "2"), ("early_stopping_patience", "soon"), ("keep", "worst"), ("model", "../cnn"),
         ("fold", "6/5"), ("validation_fraction", "1.5"), ("epochs", "1e9999"), ("segment_s", "3s")],
    )  # fmt: skip
    def test_train_again_refuses_values_that_their_option_does_not_take(
        self, made: MakeRun, name: str, value: str
    ) -> None:
        params = BASE | ({"plateau_patience": "5"} if name == "plateau_factor" else {}) | {name: value}
        assert again(made(1, params=params)) is None

    @pytest.mark.parametrize(
        "name",
        ["tracking_uri", "name", "help", "Dropout", "drop out", "x=y", "-x", "data", "keep_going", "offline", "kernel"],
    )
    def test_train_again_refuses_params_that_cannot_be_options_of_a_network(self, made: MakeRun, name: str) -> None:
        assert again(made(1, params=BASE | {name: "1"}, tags=BY_TRACKER)) is None

    @pytest.mark.parametrize("value", ["a;b", "$(id)", "'", "a b"])
    def test_train_again_refuses_values_of_networks_that_are_not_plain_words(self, made: MakeRun, value: str) -> None:
        assert again(made(1, params=BASE | {"act": value}, tags=BY_TRACKER)) is None

    def test_train_again_refuses_unknown_params_of_runs_that_tracker_did_not_log(self, made: MakeRun) -> None:
        assert again(made(1, params=BASE | {"pooling": "max"})) is None

    def test_train_again_refuses_runs_without_a_kernel_or_a_learning_rate(self, made: MakeRun) -> None:
        assert again(made(1, params={"epochs": "3"})) is None

    def test_train_again_refuses_runs_of_another_program(self, made: MakeRun) -> None:
        tags = {"tracker.dataset": "", "tracker.split": ""}
        assert again(made(1, params=BASE, tags=tags, metrics={"val_accuracy": 0.8})) is None

    def test_train_again_names_features_that_are_not_the_default_ones(self, made: MakeRun) -> None:
        run = made(1, params=BASE | Spectrogram("mfcc", n_mels=64, n_mfcc=13).params())
        assert line(run) == "tracker run --kernel 3 --lr 0.001 --features mfcc --n-mels 64 --n-mfcc 13"

    def test_train_again_refuses_features_that_make_no_image(self, made: MakeRun) -> None:
        assert again(made(1, params=BASE | Spectrogram(n_mels=64).params() | {"hop_length": "4096"})) is None

    def test_train_again_takes_data_and_split_of_another_run(self, made: MakeRun) -> None:
        run = made(1, params=BASE | {"split_seed": "3"}, tags={"tracker.data": "mine"})
        assert line(run, data="yours", split={"split_seed": "7"}) == (
            "tracker run --data yours --kernel 3 --lr 0.001 --split-seed 7"
        )


class TestWhere:
    @pytest.mark.parametrize(
        ("data", "expected"), [("genres", "/b/genres"), ("../genres", "/genres"), ("/a/genres", "/a/genres")]
    )
    def test_where_makes_relative_data_absolute(self, made: MakeRun, data: str, expected: str) -> None:
        run = made(1, params=BASE, tags={"tracker.data": data})
        arguments = CommandWriter("tracker", Where(folder="/b")).train_again(run, {}, 0)
        assert arguments == ("tracker", "run", "--data", expected, "--kernel", "3", "--lr", "0.001")

    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("nets/mine.py", "/b/nets/mine.py"),
            ("/a/mine.py", "/a/mine.py"),
            ("./mine.py", "/b/mine.py"),
            ("../c/mine.py", "/c/mine.py"),
        ],
    )
    def test_where_makes_the_file_of_a_network_absolute(self, made: MakeRun, model: str, expected: str) -> None:
        arguments = CommandWriter("tracker", Where(folder="/b")).train_again(
            made(1, params=BASE | {"model": model}), {}, 0
        )
        assert arguments[:4] == ("tracker", "run", "--model", expected)

    def test_where_gives_the_path_of_a_network_that_only_its_folder_has(self, made: MakeRun) -> None:
        writer = CommandWriter("tracker", Where(folder="/b", networks={"mine": "models/mine.py"}))
        mine, cnn = (writer.train_again(made(1, params=BASE | {"model": name}), {}, 0) for name in ("mine", "cnn"))
        assert mine[:4] == ("tracker", "run", "--model", "/b/models/mine.py")
        assert "--model" not in cnn

    def test_where_names_the_store_last(self, made: MakeRun) -> None:
        arguments = CommandWriter("mine", Where("sqlite:////b/mlflow.db")).train_again(made(1, params=BASE), {}, 0)
        assert arguments[-4:] == ("--experiment", "mine", "--tracking-uri", "sqlite:////b/mlflow.db")

    def test_names_the_default_of_an_option_that_the_environment_sets(self, made: MakeRun) -> None:
        params = [BASE, BASE | {"keras_backend": "jax"}]
        here, there = Where(), Where(set_by_environment=frozenset({"keras_backend"}))
        named = [
            CommandWriter("tracker", where).train_again(made(1, params=of_run), {}, 0)[6:]
            for where in (here, there)
            for of_run in params
        ]
        jax, tensorflow = (("--keras-backend", backend) for backend in ("jax", "tensorflow"))
        assert named == [(), jax, tensorflow, jax]

    def test_unsets_data_of_the_environment_for_the_demo_set_alone(self, made: MakeRun) -> None:
        writer = CommandWriter("tracker", Where(data_in_environment=True))
        on_demo, on_mine = (made(1, params=BASE, tags={"tracker.data": data}) for data in ("demo", "mine"))
        assert writer.train_again(on_demo, {}, 0)[:4] == ("env", "TRACKER_DATA=", "tracker", "run")
        assert writer.train_again(on_mine, {}, 0)[:4] == ("tracker", "run", "--data", "mine")


class TestReadCommand:
    def test_a_command_is_read_as_the_runs_that_it_trains(self, made: MakeRun) -> None:
        options = parse_options("cnn", {"dropout": "0.1"}).options
        plan = RunPlan(
            Configuration(kernel_size=7, plateau=Plateau(0.3, 10), options=options), 1, SplitPlan(split_seed=2)
        )
        run = made(1, params=plan.params(), tags=BY_TRACKER | {"tracker.data": "-my genres"})
        words = CommandWriter("mine", Where(tracking_uri="sqlite:///a=b.db")).train_again(run, {}, seed=1, seeds=2)
        read = read_command(words, parse_options)
        assert read.plans == (plan, replace(plan, seed=2))
        assert (read.data, read.experiment, read.tracking_uri) == ("-my genres", "mine", "sqlite:///a=b.db")

    def test_a_command_for_the_demo_set_names_no_data(self) -> None:
        read = read_command(["env", "TRACKER_DATA=", "tracker", "run", "--kernel", "7"], parse_options)
        assert (read.plans[0].configuration.kernel_size, read.data, read.experiment) == (7, None, None)
