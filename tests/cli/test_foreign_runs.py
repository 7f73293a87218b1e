"""`tracker report` on runs that other programs logged, in a real store.

What each of them logs was recorded from real runs (Keras 3.15 and scikit-learn 1.8 under MLflow 3.17's autologging;
Lightning's MLFlowLogger, Hugging Face's MLflowCallback) and is logged here through MLflow's own client in the same
names, steps and params: training them would take minutes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from tracker.store.client import open_store
from tracker.store.location import locate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running import Tracker

History = Mapping[str, Sequence[tuple[int, float]]]


class Store:
    """A store that runs are logged to as other programs do it."""

    def __init__(self, folder: Path) -> None:
        place = locate(None, folder)
        open_store(place)
        self.uri = place.uri
        self._client = MlflowClient(self.uri)
        self._now = 1_700_000_000_000

    def log(
        self,
        experiment: str,
        params: Mapping[str, object],
        history: History,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Log a run and return its id."""
        self._now += 60_000
        known = self._client.get_experiment_by_name(experiment)
        number = known.experiment_id if known else self._client.create_experiment(experiment)
        run = self._client.create_run(number, start_time=self._now, tags=dict(tags or {}), run_name="a run")
        values = [(name, step, value) for name, points in history.items() for step, value in points]
        self._client.log_batch(
            run.info.run_id,
            metrics=[Metric(name, value, self._now + i, step) for i, (name, step, value) in enumerate(values)],
            params=[Param(name, str(value)) for name, value in params.items()],
            tags=[RunTag("mlflow.user", "somebody")],
        )
        self._client.set_terminated(run.info.run_id, end_time=self._now + 30_000)
        return str(run.info.run_id)


def by_step(values: Sequence[float], first: int = 0, every: int = 1) -> list[tuple[int, float]]:
    return [(first + every * i, value) for i, value in enumerate(values)]


def final(**values: float) -> dict[str, list[tuple[int, float]]]:
    return {name: [(0, value)] for name, value in values.items()}


LOSSES = [0.70, 0.50, 0.45, 0.48, 0.49]


def keras(store: Store) -> None:
    """``mlflow.tensorflow.autolog()`` with EarlyStopping(patience=2, restore_best_weights=True)."""
    constant = {"epochs": 30, "batch_size": None, "shuffle": True, "monitor": "val_loss", "patience": 2,
                "restore_best_weights": True, "validation_freq": 1, "opt_amsgrad": False}  # fmt: skip
    adam = {"opt_beta_1": 0.9, "opt_beta_2": 0.999, "opt_epsilon": 1e-07}
    sgd = {"opt_momentum": 0.0, "opt_nesterov": False}
    runs = (("adam", adam, 0.0), ("adam_1", adam, 0.01), ("sgd_2", sgd, 0.1), ("sgd_3", sgd, 0.11))
    for name, own, worse in runs:
        rate = 0.10000000149011612
        losses = [loss + worse for loss in LOSSES]
        again = [*losses, losses[2]]  # the restored epoch, once more, at the step after the last
        accuracies = [1 - loss for loss in again]
        history = {"loss": by_step([0.8, 0.6, 0.5, 0.4, 0.3, 0.5]), "val_loss": by_step(again),
                   "val_accuracy": by_step(accuracies), "validation_loss": [(0, loss) for loss in losses]}  # fmt: skip
        params = constant | own | {"opt_name": name, "opt_learning_rate": rate}
        store.log("keras", params, history | final(stopped_epoch=4, restored_epoch=2))


def lightning(store: Store) -> None:
    """Four trainings of five epochs of 47 batches, logged every 50 batches: steps are batches."""
    ends = [47 * (epoch + 1) - 1 for epoch in range(5)]
    for rate, worse in ((0.001, 0.0), (0.01, 0.1)):
        for seed in (0, 1):
            losses = [loss + worse + 0.01 * seed for loss in LOSSES]
            batches = range(49, 5 * 47, 50)
            history = {
                "train_loss_step": [(step, 1 - step / 500) for step in batches],
                "train_loss_epoch": list(zip(ends, [0.9, 0.7, 0.6, 0.5, 0.4], strict=True)),
                "val_loss": list(zip(ends, losses, strict=True)),
                "val_acc": [(step, 1 - loss) for step, loss in zip(ends, losses, strict=True)],
                "epoch": [*((step, step // 47) for step in batches), *((step, i) for i, step in enumerate(ends))],
                "lr-Adam": [(step, rate) for step in ends],
            }
            store.log("lightning", {"lr": rate, "seed_everything": seed, "max_epochs": 5}, history)


def hugging_face(store: Store) -> None:
    """Three epochs of 125 steps; ``epoch`` says how many are done."""
    for rate in ("2e-05", "5e-05"):
        for seed in (42, 43):
            where = f"./results-{rate}-{seed}"
            params = {"learning_rate": rate, "seed": seed, "num_train_epochs": 3, "output_dir": where,
                      "run_name": where, "logging_dir": f"{where}/runs", "id2label": '{0: "LABEL_0"}' * 20}  # fmt: skip
            ends = [125, 250, 375]
            history = {
                "loss": by_step([0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1], 50, 50),
                "learning_rate": by_step([0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04], 50, 50),
                "epoch": [(step, step / 125) for step in sorted({*range(50, 376, 50), *ends})],
                "eval_loss": list(zip(ends, [0.5, 0.4, 0.45], strict=True)),
                "eval_accuracy": list(zip(ends, [0.7, 0.8, 0.81], strict=True)),
                "eval_runtime": [(step, 2.3) for step in ends],
                "train_loss": [(375, 0.4)],
            }
            store.log("hugging-face", params, history)


def sklearn(store: Store) -> None:
    """``mlflow.sklearn.autolog()``: final metrics on the training clips, dozens of params, the estimator as a tag."""
    linear = {"fit_intercept": True, "max_iter": 100, "solver": "lbfgs", "tol": 0.0001, "random_state": None}
    forest = {"bootstrap": True, "criterion": "gini", "n_estimators": 50, "max_features": "sqrt"}
    support = {"kernel": "rbf", "gamma": "scale", "max_iter": -1, "tol": 0.001, "random_state": None}
    runs = (
        ("LogisticRegression", linear | {"C": 0.1}, 0.79),
        ("LogisticRegression", linear | {"C": 1.0}, 0.77),
        ("RandomForestClassifier", forest | {"random_state": 0}, 1.0),
        ("RandomForestClassifier", forest | {"random_state": 1}, 1.0),
        ("SVC", support | {"C": 1.0}, 0.9),
    )
    for estimator, params, score in runs:
        history = final(training_accuracy_score=score, training_score=score, training_f1_score=score - 0.01)
        store.log("sklearn", params, history, {"estimator_name": estimator, "mlflow.autologging": "sklearn"})


def search(store: Store) -> None:
    """``GridSearchCV`` under autologging: a parent that holds the candidates."""
    parent = store.log(
        "search",
        {"cv": 3, "param_grid": "{'C': [0.1, 1]}" * 40, "best_C": 1},
        final(best_cv_score=0.86, training_score=1),
    )
    for value, score in ((0.1, 0.76), (1, 0.86)):
        store.log("search", {"C": value, "kernel": "rbf"}, final(val_accuracy=score), {"mlflow.parentRunId": parent})


def percent(store: Store) -> None:
    for kernel, accuracy in ((3, 83.3), (5, 86.7), (7, 80.0)):
        store.log("percent", {"kernel_size": kernel, "learning_rate": "1e-3"}, final(val_accuracy=accuracy))


def regression(store: Store) -> None:
    for layers, worse in ((1, 0.1), (2, 0.0), (3, 0.2)):
        losses = by_step([loss + worse for loss in LOSSES], 1)
        errors = by_step([2 * loss + worse for loss in LOSSES], 1)
        store.log("regression", {"layers": layers, "seed": 0}, {"val_loss": losses, "val_mae": errors})


def mute(store: Store) -> None:
    """Metrics whose names say neither on which clips nor what is better, and runs without any or without a number."""
    for layers in (1, 2, 3):
        store.log("mute", {"layers": layers}, final(quality=3.0 - layers, accuracy=0.8))
    store.log("mute", {"layers": 4}, final(quality=float("nan")))
    store.log("mute", {}, {})


def boosting(store: Store) -> None:
    """XGBoost's own names: with several sets of clips the last is the one that it stops by."""
    for depth in (3, 6):
        falling = np.linspace(0.69, 0.3 + depth / 100, 20).tolist()
        history = {"validation_0-logloss": by_step([x / 2 for x in falling]), "validation_1-logloss": by_step(falling)}
        store.log("boosting", {"max_depth": depth, "objective": "binary:logistic"}, history)


EXPERIMENTS: dict[str, Callable[[Store], None]] = {
    "keras": keras, "lightning": lightning, "hugging-face": hugging_face, "sklearn": sklearn, "search": search,
    "percent": percent, "regression": regression, "mute": mute, "boosting": boosting,
}  # fmt: skip


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of a store with all of these experiments."""
    store = Store(tmp_path_factory.mktemp("foreign"))
    for log in EXPERIMENTS.values():
        log(store)
    store.log("with\ttab", {"C": 1}, final(val_acc=0.7))
    return store.uri


Report = dict[str, Any]


@pytest.fixture(scope="module")
def printed() -> dict[tuple[str, ...], str]:
    """What each report printed, by its words: many tests ask for the same."""
    return {}


@pytest.fixture
def report(tracker: Tracker, foreign: str, printed: dict[tuple[str, ...], str]) -> Callable[..., str]:
    """Report on one of the experiments in some form."""

    def report(form: str, experiment: str, *words: str) -> str:
        asked = (form, experiment, *words)
        if asked not in printed:
            where = ("--tracking-uri", foreign, "--experiment", experiment)
            result = tracker("report", "--format", form, *where, *words)
            assert result.status == 0, result.err
            printed[asked] = result.out
        return printed[asked]

    return report


@pytest.fixture
def reported(report: Callable[..., str]) -> Callable[..., Report]:
    """Report on one of the experiments in JSON."""
    return lambda experiment, *words: json.loads(report("json", experiment, *words))


@pytest.fixture
def summarised(report: Callable[..., str]) -> Callable[..., str]:
    """Report on one of the experiments in sentences and tables."""
    return lambda experiment, *words: report("summary", experiment, *words)


def of_kind(report: Report, kind: str) -> list[Report]:
    return [conclusion for conclusion in report["conclusions"] if conclusion["kind"] == kind]


class TestReport:
    def test_report_reads_an_experiment_under_whatever_name_the_store_has(self, tracker: Tracker, foreign: str) -> None:
        result = tracker("report", "--format", "summary", "--tracking-uri", foreign, "--experiment", "with\ttab")
        assert "Experiment: with tab" in result.out
        assert not result.status

    @pytest.mark.parametrize("experiment", EXPERIMENTS)
    @pytest.mark.parametrize("form", ["markdown", "html", "summary"])
    def test_report_is_written_in_every_form_without_holes(
        self, report: Callable[..., str], experiment: str, form: str
    ) -> None:
        words = set(report(form, experiment).replace("|", " ").split())
        assert not words & {"None", "None.", "nan", "nan.", "inf", "{}", "()"}

    @pytest.mark.parametrize("experiment", EXPERIMENTS)
    def test_report_suggests_no_command_that_would_train_something_else(self, reported, experiment: str) -> None:
        report = reported(experiment)
        assert report["next"] == []
        assert {conclusion["command"] for conclusion in report["conclusions"]} == {None}

    @pytest.mark.parametrize("experiment", EXPERIMENTS)
    def test_infers_nothing_from_unlogged_clips(self, reported, experiment: str) -> None:
        inferred = ("best_run", "run_difference", "option_effect")
        found = [c for c in reported(experiment)["conclusions"] if c["kind"] in inferred]
        assert not {c["verdict"] for c in found} & {"supported", "equivalent"}
        assert {c["verdict"] for c in found if c["kind"] == "run_difference"} <= {"unknown"}

    @pytest.mark.parametrize(
        ("experiment", "options"),
        [
            ("keras", {"opt_name"}),
            ("lightning", {"lr"}),
            ("hugging-face", {"learning_rate"}),
            ("sklearn", {"C", "estimator_name"}),
            ("search", {"C"}),
            ("boosting", {"max_depth"}),
        ],
    )
    def test_report_takes_only_what_was_varied_for_options(self, reported, experiment: str, options: set[str]) -> None:
        assert {conclusion["option"] for conclusion in of_kind(reported(experiment), "option_effect")} == options

    @pytest.mark.parametrize("experiment", ["keras", "lightning"])
    def test_replays_early_stopping_by_epoch(self, reported, experiment: str) -> None:
        found = of_kind(reported(experiment), "early_stopping")
        assert len(found) == 4
        for conclusion in found:
            by_patience = {answer["patience"]: answer for answer in conclusion["details"]["patiences"]}
            assert (by_patience[1]["stop_epoch"], by_patience[1]["kept_epoch"]) == (4, 3)
            assert (by_patience[2]["stop_epoch"], by_patience[2]["kept_epoch"]) == (5, 3)
            assert by_patience[3]["censored"]

    @pytest.mark.parametrize("experiment", ["lightning", "hugging-face", "sklearn", "boosting", "mute"])
    def test_report_compares_runs_of_unlogged_clips_as_if_theirs_were_the_same(self, reported, experiment: str) -> None:
        found = of_kind(reported(experiment), "option_effect")
        assert "inconclusive" in {conclusion["verdict"] for conclusion in found}
        assert not any(conclusion["verdict"] in ("not_comparable", "unknown") for conclusion in found)

    def test_report_counts_hugging_faces_epochs_and_not_its_steps(self, reported) -> None:
        for conclusion in of_kind(reported("hugging-face"), "overfitting"):
            assert (conclusion["details"]["best_epoch"], conclusion["details"]["last_epoch"]) == (2, 3)

    def test_report_says_for_lack_of_what_nothing_is_known(self, reported) -> None:
        report = reported("sklearn")
        for kind in ("overfitting", "early_stopping", "learning_rate", "under_training", "classes"):
            assert {conclusion["verdict"] for conclusion in of_kind(report, kind)} == {"unknown"}

    def test_report_says_that_it_ranks_by_training_data_if_there_is_nothing_else(self, summarised) -> None:
        assert "ranked by training_accuracy_score, which is of training data" in summarised("sklearn")

    def test_report_leaves_out_a_search_that_only_holds_its_candidates(self, reported) -> None:
        report = reported("search")
        assert len(report["runs"]) == 2
        (left_out,) = report["excluded"]
        assert left_out["reason"] == "holds two other runs"

    def test_report_reads_per_cent_in_every_run_as_a_percentage(self, reported, summarised) -> None:
        (best,) = of_kind(reported("percent"), "best_run")
        assert best["estimate"] == pytest.approx(0.034)
        assert "Run 2 has the highest validation accuracy, 86.7%." in best["sentence"]
        text = summarised("percent")
        assert "| 2 | 5 | **86.7** |" in text
        assert "The runs logged val_accuracy above 1, so it is read as a percentage." in text
        assert "8670" not in text
        assert "not statistically different" not in text
        assert "The lead could not be tested, and the runs are too few to test what the options do." in text

    def test_ranks_by_a_metric_of_which_less_is_better(self, reported, summarised) -> None:
        (best,) = of_kind(reported("regression", "--metric", "val_mae"), "best_run")
        assert best["sentence"].startswith("Run 2 has the lowest val_mae, 0.900.")
        text = summarised("regression", "--metric", "val_mae")
        assert "| Run | layers | val_mae | Loss | Best epoch | Stop epoch |" in text
        assert "| 2 | 2 | **0.9** |" in text
        assert "lower is better (lowest in bold)" in text

    def test_report_takes_the_last_of_several_sets_of_clips(self, reported) -> None:
        assert reported("boosting")["metric"] == "validation_1-logloss"

    def test_report_says_that_a_direction_is_a_guess(self, reported, summarised) -> None:
        guess = "The name quality doesn't say whether higher or lower is better."
        assert guess in summarised("mute", "--metric", "quality")
        assert guess not in summarised("mute", "--metric", "quality", "--minimise")
        (most,) = of_kind(reported("mute", "--metric", "quality"), "best_run")
        (least,) = of_kind(reported("mute", "--metric", "quality", "--minimise"), "best_run")
        assert most["sentence"].startswith("Run 1 has the highest quality, 2.")
        assert least["sentence"].startswith("Run 3 has the lowest quality, 0.")

    def test_report_is_told_what_params_are(self, reported) -> None:
        assert of_kind(reported("regression"), "option_effect")
        assert not of_kind(reported("regression", "--seed-param", "layers"), "option_effect")
        assert not of_kind(reported("regression", "--ignore", "layers"), "option_effect")

    @pytest.mark.parametrize("command", ["report", "next", "runs", "compare"])
    def test_commands_refuse_a_param_that_no_run_logged(self, command: str, tracker: Tracker, foreign: str) -> None:
        where = ("--tracking-uri", foreign, "--experiment", "sklearn")
        listed = json.loads(tracker("runs", "--format", "json", *where).out)
        runs = [run["run_id"] for run in listed[:2]] if command == "compare" else []
        result = tracker(command, *runs, *where, "--seed-param", "randomstate")
        assert result.status == 2
        assert "'--seed-param': no run logged a param 'randomstate'; did you mean random_state?" in result.err

    def test_report_says_that_the_kept_weights_are_not_known(self, reported, summarised) -> None:
        assert "did not log which epoch's weights were kept" in summarised("lightning")
        assert "did not log which epoch's weights were kept" not in summarised("keras")
        assert {c["details"]["kept_epoch"] for c in of_kind(reported("lightning"), "overfitting")} == {None}
        assert {c["details"]["kept_epoch"] for c in of_kind(reported("keras"), "overfitting")} == {3}

    def test_report_shows_the_seed_whatever_it_is_called(self, tracker: Tracker, foreign: str) -> None:
        words = ("--tracking-uri", foreign, "--experiment", "lightning")
        text = tracker("report", "--output", "REPORT.md", *words)
        assert text.status == 0, text.err
        assert "| 2 | 1 | 0.460 |" in Path("REPORT.md").read_text(encoding="utf-8")


class TestRuns:
    @pytest.mark.parametrize("experiment", EXPERIMENTS)
    def test_runs_are_listed(self, tracker: Tracker, foreign: str, experiment: str) -> None:
        result = tracker("runs", "--tracking-uri", foreign, "--experiment", experiment)
        assert result.status == 0, result.err
