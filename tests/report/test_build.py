from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import WRITEUP, WRITEUP_TITLES, make_predictions, make_run
from tracker.report import build_comparison, build_report
from tracker.report.build import report_study
from tracker.runs import Curve, Run
from tracker.statistics.proportions import grouped_wilson, wilson
from tracker.study.options import MOST_ALIASES
from tracker.study.param_roles import NamedParams
from tracker.wording import configuration_phrases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.report import Report, RunEntry

TAGS = {"tracker.dataset": "d", "tracker.split": "s", "tracker.data": "demo", "tracker.version": "0.1.0"}


PARAMS = (
    "epochs", "learning_rate", "kernel_size", "plateau_factor", "plateau_patience", "early_stopping_patience", "model",
    "keep", "restore_best_weights", "batch_size", "optimizer_name", "estimator_name", "split_seed", "fold",
    "max_epochs", "seed", "dropout", "a/b", "",
)  # fmt: skip
LEVELS = (
    "off", "", "None", "nan", "inf", "1e400", "-1", "0", "0.3x10", "x", "9" * 400, "9" * 5_000, "\u0663", "\u00bd",
    "1_000", "0x10", "1e308", "true", "\0", "\x1b[31m", "\ud800", "a" * 6_000, "1.5", "[1,2]", "1000000", "99999999999",
    "best", "5",
)  # fmt: skip
TAGGED = (
    "tracker.validation_clips", "tracker.training_clips", "tracker.classes", "tracker.deterministic", "tracker.data",
    "tracker.dataset", "tracker.split", "tracker.version", "estimator_name", "tracker.groups", "tracker.network",
    "tracker.shared_recordings", "tracker.environment",
)  # fmt: skip
METRICS = (
    "best_epoch", "stop_epoch", "best_val_loss", "best_val_accuracy", "last_val_loss", "last_val_accuracy", "val_loss",
    "stopped_epoch", "restored_epoch", "fit_accuracy", "val_accuracy", "accuracy", "loss", "epoch", "learning_rate",
)  # fmt: skip
VALUES = (0.0, -1.0, 1.0, 2.0, 0.5, 1e308, -1e308, float("nan"), float("inf"), -float("inf"), 1e18, 87.5, 3.0)


def params_of(kernel: str, rate: str) -> dict[str, str]:
    return {"kernel_size": kernel, "learning_rate": rate, "epochs": "60", "seed": "0"}


def run_of(
    number: int,
    params: Mapping[str, str],
    correct: int = 25,
    *,
    n: int = 30,
    groups: int = 0,
    status: str = "FINISHED",
    tags: Mapping[str, str] | None = None,
    epochs: int = 30,
) -> Run:
    """A run with curves and predictions; its number alone decides which clips are correct, and its losses."""
    rng = np.random.default_rng(number)
    signs = "".join("01"[sign] for sign in (rng.permutation(np.arange(n) < correct)).astype(int))
    validation = make_predictions(
        signs, "blues/{:03d}.wav", classes=("blues", "jazz"), labels=("blues",) * n, probability=(0.9, 0.7)
    )
    steps = np.arange(1, epochs + 1)
    val_loss = 0.4 + np.exp(-steps / 5) + 0.002 * steps + 0.01 * rng.random(epochs)
    curves = {
        "loss": 1.2 * np.exp(-steps / 8),
        "val_loss": val_loss,
        "learning_rate": np.full(epochs, 0.001),
        "epoch_seconds": np.full(epochs, 1.5),
    }
    return Run(
        run_id=f"{number:032x}",
        name=f"run-{number}",
        status=status,
        params=params,
        tags=TAGS | dict(tags or {}),
        metrics={},
        curves={name: Curve(steps, values) for name, values in curves.items()},
        validation=validation,
        groups={clip: f"artist{i % groups}" for i, clip in enumerate(validation.clips)} if groups else {},
        started=number,
    )


def on_part(place: int, run: Run) -> Run:
    """The run as if judged on clips of its own part of the dataset."""
    assert run.validation is not None
    clips = tuple(f"{place}/{clip}" for clip in run.validation.clips)
    return replace(run, tags={**run.tags, "tracker.split": str(place)}, validation=replace(run.validation, clips=clips))


def writeup(**kwargs: int) -> list[Run]:
    return [
        run_of(number, written.params | {"epochs": "60", "seed": "0"}, written.correct, **kwargs)
        for number, written in enumerate(WRITEUP, start=1)
    ]


def result_of(entry: RunEntry) -> tuple[object, ...]:
    result = entry.result
    return result.accuracy, result.val_loss, result.best_epoch, result.seconds


def told(report: Report) -> tuple[object, ...]:
    """All that a report says, without its runs."""
    entries = [(e.number, e.title, e.levels, *result_of(e)) for e in report.entries]
    return (
        [answer.sentence for answer in report.answers], report.title, report.lead, report.limits, report.options,
        report.conclusions, report.next_steps, report.challenges, report.excluded, report.methods, report.versions,
        entries,
    )  # fmt: skip


class TestBuildReport:
    def test_build_report_of_the_writeup_has_its_sections(self) -> None:
        report = build_report("tracker", writeup())
        assert [section.title for section in report.sections] == [WRITEUP_TITLES[run] for run in (2, 0, 1, 3)]
        assert report.options == ("kernel_size", "learning_rate", "plateau", "early_stopping_patience")

    def test_build_report_says_which_runs_were_selected(self) -> None:
        facts = dict(build_report("tracker", writeup()[:2], selection="2 of 4 runs (--since 3d)").facts)
        assert facts["Selection"] == "2 of 4 runs (--since 3d)"
        assert "Selection" not in dict(build_report("tracker", writeup()).facts)

    @pytest.mark.parametrize(
        ("params", "runs"),
        [
            (
                [{"seed": "0"}, {"seed": "1"}, {"random_state": "0"}, {"random_state": "1"}],
                "4 of 1 configuration, 2 seeds",
            ),
            ([{"C": "1", "seed": "0"}, {"C": "2", "seed": "0"}], "2, one seed each"),
            ([{"C": "1", "seed": "0"}, {"C": "2"}], "2"),
        ],
    )
    def test_facts_count_seeds_by_their_values_whatever_they_are_called(
        self, params: list[dict[str, str]], runs: str
    ) -> None:
        logged = [make_run(i, None, of_run, seed=None, metrics={"f1": i / 9}) for i, of_run in enumerate(params)]
        assert dict(build_report("tracker", logged).facts)["Runs"] == runs

    def test_build_report_of_the_writeup_supports_nothing(self) -> None:
        conclusions = build_report("tracker", writeup()).conclusions
        assert not [c for c in conclusions if c.verdict in ("supported", "equivalent")]
        (kernel,) = [c for c in conclusions if c.option == "kernel_size"]
        assert kernel.verdict == "confounded"
        assert kernel.details.aliases == ("learning_rate", "plateau", "early_stopping_patience")

    def test_build_report_of_the_writeup_answers_what_it_raises(self) -> None:
        report = build_report("tracker", writeup())
        assert [answer.id for answer in report.answers] == [
            "best", "options", "overfitting", "patience", "errors", "limits",
        ]  # fmt: skip

    def test_build_report_counts_accuracies_with_their_intervals(self) -> None:
        report = build_report("tracker", writeup())
        found = [entry.result.accuracy for entry in report.entries]
        assert [(one.correct, one.n) for one in found] == [(25, 30), (25, 30), (26, 30), (24, 30)]
        assert found[0].interval == wilson(25, 30)

    def test_build_report_takes_groups_into_account(self) -> None:
        (run,) = writeup(groups=10)[:1]
        (entry,) = build_report("tracker", [run]).entries
        groups = [run.groups[clip] for clip in run.validation.clips]
        assert entry.result.accuracy.interval == grouped_wilson(run.validation.correct, groups)

    def test_build_report_joins_the_seeds_of_a_configuration_in_one_section(self) -> None:
        runs = [run_of(i, params_of("3", "0.001") | {"seed": str(i)}) for i in range(3)]
        (section,) = build_report("tracker", runs).sections
        assert (section.title, [entry.number for entry in section.entries]) == ("Conv=3, lr=0.001", [1, 2, 3])

    def test_build_report_of_no_runs_is_empty(self) -> None:
        report = build_report("tracker", [])
        assert (report.answers, report.sections, report.conclusions, report.next_steps) == ((), (), (), ())

    def test_build_report_of_runs_on_different_datasets_says_so(self) -> None:
        params = params_of("3", "0.001")
        here, there = run_of(1, params), run_of(2, params | {"kernel_size": "7"}, n=20, tags={"tracker.dataset": "e"})
        report = build_report("tracker", [here, there])
        assert {c.verdict for c in report.conclusions if c.kind in ("run_difference", "option_effect")} == {
            "not_comparable"
        }
        assert report.answers[0].label == "Not comparable"

    def test_runs_on_other_clips_than_most_are_never_ranked_before_these(self) -> None:
        same = [make_run(number, signs, {"kernel_size": str(number)}) for number, signs in ((1, "1100"), (3, "1000"))]
        other = make_run(5, "1111", {"kernel_size": "5"}, prefix="other", tags={"tracker.dataset": "other"})
        report = build_report("genres", [other, *same])
        assert [entry.run.run_id for entry in report.best_first(report.entries)] == [
            same[0].run_id, same[1].run_id, other.run_id,
        ]  # fmt: skip
        assert report.ranked == {run.run_id for run in same}
        assert not build_report("genres", [other, same[0]]).ranked

    def test_an_option_that_changed_alone_only_on_different_clips_has_no_known_effect(self) -> None:
        first = make_run(1, "1100", {"kernel_size": "3", "early_stopping_patience": "9"})
        both = make_run(2, "1000", {"kernel_size": "5", "early_stopping_patience": "4"})
        elsewhere = make_run(3, "1111", {"kernel_size": "5", "early_stopping_patience": "9"}, prefix="other")
        report = build_report("genres", [first, both, elsewhere])
        found = {c.option: c.sentence for c in report.conclusions if c.kind == "option_effect"}
        assert found["kernel_size"] == (
            "Kernel size changed alone only between runs on different clips, so its effect is unknown."
        )
        (options,) = (answer for answer in report.answers if answer.id == "options")
        assert "never changed alone between runs on the same clips." in options.sentence

    def test_build_report_of_failed_runs_alone_names_them(self) -> None:
        report = build_report("tracker", [run_of(1, {}, status="FAILED"), run_of(2, {}, status="RUNNING")])
        assert [(e.name, e.reason) for e in report.excluded] == [
            ("run-1", "failed"), ("run-2", "is still running or was interrupted"),
        ]  # fmt: skip
        assert report.challenges == (
            "One run failed and is left out of all comparisons.",
            "One run is still running or was interrupted and is left out of all comparisons.",
        )

    @pytest.mark.parametrize(
        ("status", "tag", "reason"),
        [
            ("FAILED", "TrainingError: training diverged: loss became nan in epoch 3; try a lower learning rate",
             "failed: training diverged: loss became nan in epoch 3; try a lower learning rate"),
            ("FAILED", "MemoryError: no room\n\tfor 7 GB", "failed: MemoryError: no room for 7 GB"),
            ("FAILED", "  ", "failed"),
            ("FAILED", "w" * 1_000, f"failed: {'w' * 199}…"),
            ("KILLED", "interrupted", "was killed: interrupted"),
            ("RUNNING", "interrupted", "is still running or was interrupted"),
        ],
    )  # fmt: skip
    def test_build_report_says_in_one_line_why_a_run_did_not_finish(self, status: str, tag: str, reason: str) -> None:
        report = build_report("tracker", [run_of(1, {}, status=status, tags={"tracker.reason": tag})])
        assert [left.reason for left in report.excluded] == [reason]

    def test_build_report_of_an_interrupted_run_names_the_commands_that_go_on_with_it_or_end_it(self) -> None:
        resumable, script = ({"tracker.data": "demo"}, "tracker resume 00000000 continues it, "), ({}, "")
        for tags, resume in (resumable, script):
            run = replace(run_of(255, {}, status="INTERRUPTED"), tags=tags)
            report = build_report("tracker", [run, run_of(2, {})])
            assert [e.reason for e in report.excluded] == [f"was interrupted: {resume}tracker close 00000000 ends it"]
        assert "One run was interrupted and is left out of all comparisons." in report.challenges

    def test_build_report_says_which_runs_are_not_in_the_store_yet(self) -> None:
        report = build_report("tracker", [run_of(1, {}), run_of(2, {}, tags={"tracker.unsent": "true"})])
        said = [line for line in report.challenges if "tracker sync" in line]
        assert said == ["Run 2 is not yet in the store, or not whole: tracker sync sends what is not."]

    def test_build_report_counts_a_configuration_trained_twice_under_one_seed_once(self) -> None:
        params = params_of("3", "0.001")
        report = build_report("tracker", [run_of(1, params), run_of(2, params), run_of(3, params | {"seed": "1"})])
        assert [entry.run.name for entry in report.entries] == ["run-1", "run-3"]
        assert [(e.name, e.reason) for e in report.excluded] == [("run-2", f"repeats run {1:032x} under the same seed")]

    @pytest.mark.parametrize("tag", ["tracker.dataset", "tracker.split", "tracker.version"])
    def test_build_report_counts_runs_on_other_data_or_by_another_version_apart(self, tag: str) -> None:
        params = params_of("3", "0.001")
        report = build_report("tracker", [run_of(1, params), run_of(2, params, tags={tag: "other"})])
        assert report.excluded == ()

    def test_build_report_counts_a_run_logged_twice_once_and_no_other(self) -> None:
        run = replace(run_of(1, {"k": "3"}), metrics={"f1": 0.5}, ended=9)
        twice = replace(run, run_id="2" * 32)
        report = build_report("tracker", [run, twice])
        assert [(e.run_id, e.reason) for e in report.excluded] == [
            ("2" * 32, f"is the same run as {run.run_id}, logged twice")
        ]
        for other in (
            replace(twice, metrics={"f1": 0.6}),
            replace(twice, started=2),
            replace(twice, ended=10),
            replace(twice, curves={**run.curves, "extra": run.curves["loss"]}),
            replace(twice, params={"k": "4"}),
        ):
            assert build_report("tracker", [run, other]).excluded == ()

    @pytest.mark.parametrize("seed", [{}, {"seed": "0"}])
    def test_build_report_keeps_ties_of_other_programs(self, seed: dict[str, str]) -> None:
        clips = {"tracker.dataset": "", "tracker.split": ""}
        runs = [make_run(i, params={"k": "3"} | seed, seed=None, tags=clips, metrics={"val_accuracy": 26 / 30})
                for i in range(3)]  # fmt: skip
        assert build_report("tracker", runs).excluded == ()

    @pytest.mark.parametrize(
        ("metrics", "own"),
        [
            ({}, False),
            ({"val_accuracy": 0.8, "n_trials": 2.0, "total_time": 7.5}, False),
            ({"best_score": 0.8, "mean_accuracy": 0.75}, False),
            ({"val_accuracy": 0.75, "std_val_accuracy": 0.05}, False),  # of the two
            ({"val_accuracy": float("nan"), "training_score": 1.0}, False),
            ({"best_score": 0.8, "test_accuracy": 0.945}, True),
            ({"test_accuracy": 0.8}, True),
        ],
    )
    def test_build_report_leaves_out_a_run_that_only_holds_others_together(
        self, metrics: dict[str, float], *, own: bool
    ) -> None:
        sweep = replace(make_run(1, params={"space": "lr: 0.1, 0.2"}), metrics=metrics)
        runs = [
            replace(make_run(i, params={"lr": f"0.{i}"}, metrics={"val_accuracy": accuracy}), parent_id=sweep.run_id)
            for i, accuracy in ((2, 0.7), (3, 0.8))
        ]
        report = build_report("tracker", [sweep, *runs])
        assert [run.reason for run in report.excluded] == ([] if own else ["holds two other runs"])

    def test_build_report_leaves_out_trials_without_a_result(self) -> None:
        optuna = {"number": "2", "direction": "MINIMIZE"}
        states = {"PRUNED": "was pruned by Optuna before it had a result", "FAIL": "is a trial that failed"}
        pruned = [make_run(i, params={"x": "1"}, tags=optuna | {"state": state}) for i, state in enumerate(states)]
        complete = make_run(7, params={"x": "2"}, tags=optuna | {"state": "COMPLETE"})
        other = make_run(8, params={"x": "3"}, tags={"state": "PRUNED"})  # not Optuna's word
        report = build_report("tracker", [*pruned, complete, other])
        assert [run.reason for run in report.excluded] == list(states.values())

    def test_build_report_leaves_out_a_run_without_params_beside_those_that_have_some(self) -> None:
        others = [make_run(i, seed=None, metrics={"val_accuracy": i / 10}) for i in (1, 2)]
        report = build_report("tracker", [make_run(3, params={"lr": "0.1"}), *others])
        assert [(run.name, run.reason) for run in report.excluded] == [
            (f"run-{i}", "logged no params, so its configuration is unknown") for i in (1, 2)
        ]
        report = build_report("tracker", others)
        assert (report.excluded, len(report.sections)) == ((), 2)  # each is a configuration
        assert "No run logged its params, so it is unknown which runs are repetitions of others." in report.limits
        assert "trained once" not in " ".join([*report.limits, *(found.sentence for found in report.conclusions)])

    def test_build_report_keeps_a_parent_that_trained(self) -> None:
        parent = run_of(1, {"lr": "0.1"})
        child = replace(run_of(2, {"lr": "0.2"}), parent_id=parent.run_id)
        report = build_report("tracker", [parent, child])
        assert report.excluded == ()

    def test_build_report_numbers_runs_by_start_then_by_id(self) -> None:
        runs = [replace(run, started=when) for run, when in zip(writeup(), [7, None, 3, 3], strict=True)]
        assert [e.run.name for e in build_report("tracker", runs).entries] == ["run-3", "run-4", "run-1", "run-2"]

    def test_build_report_carries_notes_as_they_came(self) -> None:
        note = "It was **hard** to <b>wait</b>."
        (entry,) = build_report("tracker", [replace(writeup()[0], note=note)]).entries
        assert entry.run.note == note

    def test_build_report_says_what_the_data_cannot_tell(self) -> None:
        limits = build_report("tracker", writeup()).limits
        assert len(limits) == 1  # of the seeds; the estimate of the selection bias says the rest
        unknown = build_report("tracker", [replace(run, validation=None) for run in writeup()]).limits
        assert unknown[-1] == "There is no test set: the best run was picked and scored on the same clips."

    def test_limits_say_that_predictions_could_not_be_read_rather_than_were_not_logged(self) -> None:
        first, *others = writeup()
        unread = replace(first, validation=None, groups={}, tags={}, unread_predictions="they are at s3://bucket")
        limits = " ".join(build_report("tracker", [unread, *others]).limits)
        assert "The predictions of run 1, if logged, could not be read: they are at s3://bucket." in limits
        assert "did not log the validation clips" not in limits

    def test_build_report_names_the_methods_it_used_and_no_others(self) -> None:
        methods = " ".join(f"{each.how} {each.source}" for each in build_report("tracker", writeup()).methods)
        assert "exact unconditional test" in methods
        assert "Dorfman" not in methods
        assert "sign-flip" not in methods

    def test_the_source_of_a_method_stands_apart(self) -> None:
        accuracies = build_report("tracker", writeup()).methods[0]
        assert accuracies.how == "Accuracies have Wilson's 95% interval."
        assert accuracies.source == "doi:10.1080/01621459.1927.10502953"

    @pytest.mark.parametrize(("param", "what"), [("fold", "folds"), ("split_seed", "splits")])
    def test_build_report_calls_folds_and_splits_by_their_names(self, param: str, what: str) -> None:
        runs = [
            on_part(place, run_of(10 * place + int(k), {"kernel_size": k, "seed": "0", param: f"{place}/3"}))
            for place in (1, 2, 3)
            for k in "37"
        ]
        report = build_report("tracker", runs)
        said = (part for c in report.conclusions for part in (c.sentence, c.method or ""))
        text = " ".join([*(each.how for each in report.methods), *report.limits, *said])
        assert f"corrected resampled t-test over {what}" in text
        assert f"Over {what} " in text
        assert f"over {({'folds', 'splits'} - {what}).pop()}" not in text.lower()

    def test_build_report_says_which_versions_logged_the_runs(self) -> None:
        assert ("tracker, the runs", "0.1.0") in build_report("tracker", writeup()).versions

    def test_build_report_compares_by_another_metric(self) -> None:
        report = build_report("tracker", writeup(), metric="val_loss")
        assert report.metric.name == "val_loss"
        assert "not tested" not in " ".join(report.limits)  # losses are known clip by clip

    @pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 1.5}, {"margin": 0.0}, {"margin": -0.1}])
    def test_build_report_refuses_levels_out_of_range(self, wrong: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="must be "):
            build_report("tracker", [], **wrong)

    @given(st.permutations(range(8)))
    @settings(derandomize=True, max_examples=5, deadline=None)
    def test_build_report_is_the_same_whatever_the_order_of_runs(self, order: list[int]) -> None:
        runs = [*writeup(), *(run_of(10 + i, params_of("3", "0.001") | {"seed": str(i)}) for i in range(4))]
        assert told(build_report("x", [runs[i] for i in order])) == told(build_report("x", runs))

    @given(st.lists(st.text(max_size=20), min_size=4, max_size=4))
    @settings(derandomize=True, max_examples=5, deadline=None)
    def test_build_report_does_not_hang_on_the_names_of_runs(self, names: Sequence[str]) -> None:
        renamed = [replace(run, name=name) for run, name in zip(writeup(), names, strict=True)]
        assert told(build_report("x", renamed)) == told(build_report("x", writeup()))

    def test_report_of_hundreds_of_runs_compares_the_fifty_pairs_of_the_best(self) -> None:
        kernels, rates = ("3", "5", "7"), ("0.1", "0.01", "0.001")
        runs = [
            run_of(i, params_of(kernels[i % 3], rates[i // 3 % 3]) | {"seed": str(i // 9)}, 200, n=300)
            for i in range(360)
        ]
        report = build_report("tracker", runs)
        assert len([c for c in report.conclusions if c.kind == "run_difference"]) == 50


class TestRunsOfOtherPrograms:
    """What another program logs into the same experiment costs no report, comparison or next step."""

    @pytest.mark.parametrize(
        ("params", "metrics"),
        [
            ({"lr": "1"}, {}),
            ({"epochs": "off"}, {"val_accuracy": 0.5}),
            ({"epochs": "20", "optimizer": "adam"}, {"val_accuracy": 0.5}),
            ({"learning_rate": "small", "seed": "lucky", "plateau_factor": "x"}, {"val_accuracy": 0.5}),
        ],
    )
    def test_next_steps_of_the_writeup_do_not_end_at_a_run_of_another_program(
        self, params: dict[str, str], metrics: dict[str, float]
    ) -> None:
        another = replace(make_run(9, params=params, seed=None, metrics=metrics, tags={"tracker.dataset": ""}), tags={})
        report = build_report("tracker", [*writeup(), another])
        assert len(report.entries) == 5
        assert report.next_steps

    @settings(derandomize=True, max_examples=60, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.dictionaries(st.sampled_from(PARAMS), st.sampled_from(LEVELS), max_size=6),
                st.dictionaries(st.sampled_from(TAGGED), st.sampled_from(LEVELS), max_size=3),
                st.dictionaries(st.sampled_from(METRICS), st.sampled_from(VALUES), max_size=5),
                st.dictionaries(st.sampled_from(METRICS), st.lists(st.sampled_from(VALUES), max_size=3), max_size=3),
                st.sampled_from([None, "1101", "x0x1"]),
            ),
            min_size=1,
            max_size=3,
        )
    )
    def test_build_report_takes_params_tags_and_metrics_of_any_value(self, others: list[tuple[Any, ...]]) -> None:
        odd = [
            make_run(9 + number, correct, params, seed=None, tags=tags, metrics=metrics, **curves)
            for number, (params, tags, metrics, curves, correct) in enumerate(others)
        ]
        runs = [*writeup(), *odd]
        report = build_report("tracker", runs)
        assert len(report.entries) + len(report.excluded) == len(runs)
        build_comparison("tracker", runs, (runs[0].run_id, odd[0].run_id))

    @pytest.mark.parametrize("others", [0, 1, 4])
    def test_reports_and_comparisons_take_a_run_that_logged_nothing(self, others: int) -> None:
        empty = replace(make_run(9, seed=None), tags={})
        runs = [*writeup()[:others], empty, replace(empty, run_id="8" * 32)]
        report = build_report("tracker", runs)
        assert len(report.entries) == (others or 2)
        build_comparison("tracker", runs, (runs[-1].run_id, runs[0].run_id))

    def test_build_report_of_a_thousand_params_names_few_of_those_that_changed_together(self) -> None:
        params = {f"option{i}": str(i) for i in range(1_000)}
        report = build_report("tracker", [*writeup(), make_run(9, "11110000", params)])
        effects = [conclusion for conclusion in report.conclusions if conclusion.kind == "option_effect"]
        assert len(effects) >= 1_000
        assert max(len(conclusion.details.aliases) for conclusion in effects) == MOST_ALIASES
        assert max(len(conclusion.sentence) for conclusion in effects) < 400


class TestSentences:
    def test_levels_that_are_no_plain_words_are_quoted_with_the_option_s_name(self) -> None:
        params = params_of("3", "0.001")
        levels = [("yes", "yes|no"), ("no", "x" * 50), ("yes", "x" * 50)]
        runs = [run_of(i, params | {"Augment?": one, "opt|flag": other}) for i, (one, other) in enumerate(levels)]
        design = report_study(runs)[0].design
        phrases = [configuration_phrases(design, run) for run in range(2)]
        assert phrases[0][2:] == ("Augment? yes", "opt|flag “yes|no”")
        assert phrases[1][2:] == ("Augment? no", "opt|flag level 1")

    def test_what_repeats_beside_a_seed_is_no_seed(self) -> None:
        runs = [
            make_run(2 * place + kernel, "1101", {"kernel_size": str(kernel), "lr": lr}, seed=seed)
            for kernel in (1, 2)
            for place, (lr, seed) in enumerate([("1", "2"), ("2", "1"), ("1", "1")], start=1)
        ]
        facts = dict(build_report("x", runs, named=NamedParams(seed_params=("lr",))).facts)
        assert facts["Runs"] == "6 of 2 configurations, 3 repetitions"


class TestTitles:
    @pytest.mark.parametrize(
        "value", ["www.evil.com", "<b>", "a|b", "@everyone", "x" * 50, "#1", "a b", "a\nb", "_x_", ""]
    )
    def test_titles_say_hostile_values_by_their_place(self, value: str) -> None:
        params = params_of("3", "0.001")
        report = build_report("x", [run_of(1, params | {"opt": value}), run_of(2, params | {"opt": "0.5"})])
        title = report.sections[0].title
        assert title in ("Conv=3, lr=0.001, opt=level 2", "Conv=3, lr=0.001, opt=none")

    @pytest.mark.parametrize("name", ["größe", "model/depth", "svc__C"])
    def test_titles_name_params_of_other_programs_as_they_are_called(self, name: str) -> None:
        params = params_of("3", "0.001")
        report = build_report("x", [run_of(1, params | {name: "1"}), run_of(2, params | {name: "2"})])
        assert report.sections[0].title == f"Conv=3, lr=0.001, {name}=1"

    @pytest.mark.parametrize("name", ["<img>", "a b", "www.x", "@x", "__x__"])
    def test_titles_say_hostile_names_as_option(self, name: str) -> None:
        params = params_of("3", "0.001")
        report = build_report("x", [run_of(1, params | {name: "1"}), run_of(2, params | {name: "2"})])
        assert report.sections[0].title == "Conv=3, lr=0.001, option=1"

    @pytest.mark.parametrize(
        ("networks", "titles"),
        [
            (("cnn", "./nets/mine.py"), ("cnn", "mine.py")),
            (("a/mine.py", "b/mine.py"), ("level 1", "level 2")),
            (("cnn", "a/my net.py"), ("cnn", "level 1")),
        ],
    )
    def test_titles_name_a_network_by_its_file(self, networks: tuple[str, str], titles: tuple[str, str]) -> None:
        params = params_of("3", "0.001")
        report = build_report("x", [run_of(i, params | {"model": name}) for i, name in enumerate(networks)])
        assert [entry.title for entry in report.entries] == [f"Conv=3, lr=0.001, model={title}" for title in titles]

    def test_titles_leave_out_options_that_the_network_does_not_have(self) -> None:
        params = params_of("3", "0.001")
        own = ({"model": "cnn", "width": "8"}, {"model": "cnn", "width": "4"}, {"model": "mine"})
        report = build_report("x", [run_of(i, params | options) for i, options in enumerate(own)])
        assert [entry.title.removeprefix("Conv=3, lr=0.001, ") for entry in report.entries] == [
            "model=cnn, width=8", "model=cnn, width=4", "model=mine",
        ]  # fmt: skip

    def test_append_further_options_that_vary(self) -> None:
        params = params_of("3", "0.001")
        report = build_report("x", [run_of(1, params | {"dropout": "0.4"}), run_of(2, params)])
        assert [section.title for section in report.sections] == [
            "Conv=3, lr=0.001, dropout=0.4", "Conv=3, lr=0.001, dropout=off",
        ]  # fmt: skip
