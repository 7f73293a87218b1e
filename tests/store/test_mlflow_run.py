from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_param_name

from tests.builders import START, STARTED, epochs, random_epoch_predictions, random_predictions, send_run, whole_journal
from tracker.errors import StoreError
from tracker.runs import REASON_TAG
from tracker.runs.events import Attached, Ended, EpochDone, Measured, Resumed, Tagged
from tracker.store import (
    DATASET,
    VALIDATION,
    VALIDATION_BY_EPOCH,
    Experiment,
    UnreadableArtifact,
    epoch_predictions_npz,
    predictions_csv,
    run_of_journal,
)
from tracker.store.mlflow_run import (
    EVALUATION,
    JOURNAL_TAG,
    MetricRow,
    Record,
    Value,
    assemble,
    check_keys,
    check_start,
    check_texts,
    curves_by_run,
    ended,
    experiment_of,
    started,
    tags,
    values_of,
)
from tracker.store.reader import read_experiment
from tracker.store.upload import JournalUpload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracker.runs import Run
    from tracker.runs.events import Event
    from tracker.store.location import Location


def mlflow_takes(key: str) -> bool:
    try:
        _validate_param_name(key)
    except MlflowException:
        return False
    return len(key) <= 250


def we_take(key: str) -> bool:
    try:
        check_keys("param", [key])
    except StoreError:
        return False
    return True


class TestCheckKeys:
    @settings(derandomize=True, max_examples=100)
    @given(st.text(st.sampled_from("aZ_0é.-/: |\t"), min_size=1, max_size=6))
    def test_check_keys_takes_what_mlflow_takes(self, key: str) -> None:
        assert we_take(key) == mlflow_takes(key)

    @pytest.mark.parametrize("key", ["", ".", "..", "../a", "/a", "a//b", "a/", "a/./b", "a|b", "a\n", "k" * 251])
    def test_check_keys_refuses_what_mlflow_cannot_keep(self, key: str) -> None:
        with pytest.raises(StoreError, match="the name of a metric must be"):
            check_keys("metric", [key])

    @pytest.mark.parametrize("key", ["val_loss", "train/loss", "a b:c-d.e", "größe", "k" * 250])
    def test_check_keys_takes_every_usual_name(self, key: str) -> None:
        check_keys("metric", [key])


class TestCheckStart:
    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"experiment": ""}, "the name of an experiment must be 1 to 500 characters, got 0"),
            ({"experiment": "e" * 501}, "the name of an experiment must be 1 to 500 characters, got 501"),
            ({"experiment": "caf\udce9"}, r"the name of the experiment must be Unicode, got 'caf\\udce9'"),
            ({"name": "caf\udce9"}, r"the name of the run must be Unicode, got 'caf\\udce9'"),
            ({"params": {"a|b": "1"}}, r"the name of a param must be .*, got 'a\|b'"),
            ({"params": {"model": "x" * 6_001}}, "the param model must be at most 6,000 characters, got 6,001"),
            ({"tags": {"tracker.data": "caf\udce9"}}, r"the tag tracker\.data must be Unicode, got 'caf\\udce9'"),
        ],
    )
    def test_check_start_refuses_what_mlflow_would_cut_or_refuse(self, asked: dict[str, str], said: str) -> None:
        with pytest.raises(StoreError, match=said):
            check_start(replace(STARTED, **asked))

    @pytest.mark.parametrize(
        "asked", [{"experiment": "e" * 500}, {"experiment": " /..\n"}, {"name": ""}, {"name": "n" * 10_000}]
    )
    def test_check_start_takes_what_a_store_takes(self, location: Location, asked: dict[str, str]) -> None:
        check_start(replace(STARTED, **asked))
        assert send_run(location, started=replace(STARTED, **asked))


class TestCheckTexts:
    def test_check_texts_of_params_takes_the_longest_that_is_kept_whole(self) -> None:
        check_texts("param", {"note": "x" * 6_000})

    def test_check_texts_of_params_refuses_one_more(self) -> None:
        with pytest.raises(StoreError, match="6,001: shorten it"):
            check_texts("param", {"note": "x" * 6_001})

    def test_check_texts_of_tags_takes_the_longest_that_is_kept_whole(self) -> None:
        check_texts("tag", {"note": "x" * 8_000})

    def test_check_texts_of_tags_refuses_one_more(self) -> None:
        with pytest.raises(StoreError, match="8,001: shorten it"):
            check_texts("tag", {"note": "x" * 8_001})


class TestStarted:
    def test_started_is_the_first_event(self) -> None:
        assert started([STARTED, *epochs(1.0)]) is STARTED

    @pytest.mark.parametrize("events", [[], epochs(1.0)])
    def test_started_refuses_a_journal_without(self, events: list[EpochDone]) -> None:
        with pytest.raises(ValueError, match="must begin with how the run was started"):
            started(events)


class TestValues:
    def test_values_are_at_the_epoch_and_else_at_nought(self) -> None:
        events = [STARTED, EpochDone(START, 3, {"loss": 1}), Measured(START + 1, {"best_epoch": 3})]
        assert values_of(events) == [(), (Value("loss", 1.0, START, 3),), (Value("best_epoch", 3.0, START + 1, 0),)]

    def test_values_keep_the_times_of_the_clock_where_epochs_differ(self) -> None:
        events = [EpochDone(9, 1, {"loss": 1.0}), EpochDone(5, 2, {"loss": 1.0}), EpochDone(5, 3, {"loss": 1.0})]
        assert [rows[0].time for rows in values_of(events)] == [9, 5, 5]

    def test_rise_in_time_within_an_epoch(self) -> None:
        events = [EpochDone(time, 1, {"loss": 1.0}) for time in (9, 5, 5, 20)]
        assert [rows[0].time for rows in values_of(events)] == [9, 10, 11, 20]

    def test_values_are_the_same_where_the_first_events_are_left_out(self) -> None:
        times = [(9, 1), (5, 1), (5, 2), (4, 2), (3, 1), (7, 3)]
        events = [STARTED, *(EpochDone(time, number, {"loss": 1.0}) for time, number in times)]
        events += [Measured(9, {"best_epoch": 1}), Tagged({}), Measured(5, {"best_epoch": 2})]
        for sent in range(len(events) + 1):
            assert values_of(events, sent) == values_of(events)[sent:]


class TestTags:
    def test_tags_are_those_set_last_and_the_name(self) -> None:
        held = tags([STARTED, Tagged({"tracker.data": "gtzan"}), *epochs(1.0), Tagged({"a": "b"})])
        assert held == {"tracker.data": "gtzan", "a": "b", "mlflow.runName": "a run"}

    def test_tags_say_why_a_run_ended_until_it_goes_on(self) -> None:
        events = [STARTED, Ended(START, "FAILED", "disk full")]
        assert tags(events)[REASON_TAG] == "disk full"
        assert REASON_TAG not in tags([*events, Resumed(START, 0)])


class TestEnded:
    def test_ended_is_when_the_run_ended_last(self) -> None:
        events = [STARTED, Ended(START + 1, "KILLED", "interrupted")]
        assert ended(events[:1]) is None
        assert ended(events) == START + 1
        assert ended([*events, Resumed(START + 2, 0)]) is None
        assert ended([*events, Resumed(START + 2, 0), Ended(START, "FINISHED")]) == START


def record(run_id: str, started: int | None = 0) -> Record:
    return Record(run_id, f"name of {run_id}", "FINISHED", started, None, "")


WHOLE = {
    VALIDATION: predictions_csv(random_predictions()).encode(),
    VALIDATION_BY_EPOCH: epoch_predictions_npz(random_epoch_predictions()),
    DATASET: b"path,label,group,split,fold\nblues/000.wav,blues,artist 1,validation,\nx,jazz,artist 2,train,\n",
}


def assembled(records: list[Record], said: dict[str, bytes], by_epoch: int = 50) -> Experiment:
    return assemble("tracker", {}, records, lambda _record, path: said.get(path), by_epoch=by_epoch)


class TestAssemble:
    def test_assemble_puts_the_files_into_the_run(self) -> None:
        (run,) = assembled([record("a")], WHOLE).runs
        assert run.validation is not None
        assert run.validation_by_epoch is not None
        assert run.validation.clips == random_predictions().clips
        assert run.validation_by_epoch.probabilities.shape == (3, 4, 3)
        assert run.groups == {"blues/000.wav": "artist 1"}

    def test_assemble_reads_predictions_from_the_first_table_that_has_some(self) -> None:
        logged = record("a")
        paths = ["train.json", "texts.json", "eval/preds.json", "more.json"]
        logged.tags["mlflow.loggedArtifacts"] = json.dumps([{"path": path, "type": "table"} for path in paths])
        table = b'{"columns": ["label", "prediction"], "data": [["x", "x"], ["y", "x"]]}'
        texts = b'{"columns": ["inputs"], "data": [["x"]]}'
        files = {"train.json": table, "texts.json": texts, "eval/preds.json": table, "more.json": b"{"}
        held = assembled([logged], files)
        predictions = held.runs[0].validation
        assert predictions is not None
        assert (predictions.table, predictions.correct.tolist()) == ("eval/preds.json", [True, False])
        assert held.unreadable == ()
        assert (assembled([logged], files | WHOLE).runs[0].validation or predictions).table == ""

    @pytest.mark.parametrize(
        ("header", "is_read"),
        [
            ("inputs,species,guess,right/score", True),
            ("inputs,species,outputs,right/score", True),
            ("inputs,prediction,species,right/score", True),
            ("inputs,one,other,right", False),
        ],
    )
    def test_assemble_reads_a_table_of_evaluate_whatever_its_label_is_called(self, header: str, is_read: bool) -> None:
        logged = record("a")
        logged.tags["mlflow.loggedArtifacts"] = json.dumps([{"path": EVALUATION, "type": "table"}])
        right = [1, 0, 1, 0] if header.endswith("score") else ["x", "y", "x", "y"]
        data = [[f"text {i}", *pair, right[i]] for i, pair in enumerate(("xx", "yx", "yy", "xy"))]
        table = json.dumps({"columns": header.split(","), "data": data}).encode()
        predictions = assembled([logged], {EVALUATION: table}).runs[0].validation
        assert (predictions is not None and predictions.correct.tolist() == [True, False, True, False]) == is_read

    def test_assemble_takes_files_that_are_not_there_for_missing_and_not_for_broken(self) -> None:
        held = assembled([record("a")], {})
        assert (held.runs[0].validation, held.runs[0].validation_by_epoch, held.runs[0].groups) == (None, None, {})
        assert held.unreadable == ()

    def test_assemble_reads_what_a_spreadsheet_saved(self) -> None:
        assert assembled([record("a")], {VALIDATION: b"\xef\xbb\xbf" + WHOLE[VALIDATION]}).runs[0].validation

    def test_assemble_leaves_a_broken_file_out_and_says_why(self) -> None:
        held = assembled([record("a")], WHOLE | {VALIDATION: b"clip,label\n"})
        assert held.runs[0].validation is None
        assert held.runs[0].validation_by_epoch is not None
        (broken,) = held.unreadable
        assert (broken.run_id, broken.path) == ("a", VALIDATION)
        assert broken.reason.startswith("the columns must be")

    def test_assemble_quotes_no_more_of_a_broken_file_than_a_line_takes(self) -> None:
        csv = f"clip,label,predicted,a,b\nx,a,a,{'9x' * 50_000},0.5\n".encode()
        (broken,) = assembled([record("a")], {VALIDATION: csv}).unreadable
        assert len(broken.reason) == 300

    def test_assemble_leaves_a_file_out_that_cannot_be_read(self) -> None:
        def fetch(_record: Record, path: str) -> bytes:
            raise PermissionError(13, "Permission denied", path)

        held = assemble("tracker", {}, [record("a")], fetch, by_epoch=0)
        assert held.unreadable == (
            UnreadableArtifact("a", VALIDATION, f"[Errno 13] Permission denied: '{VALIDATION}'"),
        )

    def test_assemble_takes_groups_from_any_run_on_the_same_dataset(self) -> None:
        same = [record(name, i) for i, name in enumerate("abc")]
        for one in same[:2]:
            one.tags["tracker.dataset"] = "f" * 64
        asked: list[str] = []

        def fetch(one: Record, path: str) -> bytes | None:
            asked.append(f"{one.run_id} {path}")
            return WHOLE.get(path)

        held = assemble("tracker", {}, same, fetch, by_epoch=0)
        assert [run.groups for run in held.runs] == [{"blues/000.wav": "artist 1"}] * 3
        assert [what for what in asked if what.endswith(DATASET)] == [f"a {DATASET}", f"c {DATASET}"]

    def test_assemble_orders_runs_by_their_start_and_then_by_id(self) -> None:
        held = assembled([record("c", 5), record("b", 5), record("a", 7), record("d", None)], {})
        assert [run.run_id for run in held.runs] == ["d", "b", "c", "a"]

    def test_assemble_reads_by_epoch_predictions_of_the_last_runs_only(self) -> None:
        held = assembled([record("a", 1), record("b", 2), record("c", 3)], WHOLE, by_epoch=2)
        assert [run.validation_by_epoch is not None for run in held.runs] == [False, True, True]

    def test_assemble_reads_none_of_them_when_told_so(self) -> None:
        assert assembled([record("a")], WHOLE, by_epoch=0).runs[0].validation_by_epoch is None


LARGEST = 1.7976931348623157e308

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["run a", "run b"]),
        st.sampled_from(["loss", "accuracy"]),
        st.integers(0, 4),
        st.floats(0, 1),
        st.integers(0, 2),
    ),
    max_size=30,
).map(lambda rows: [(*row, order) for order, row in enumerate(rows)])


class TestCurvesByRun:
    def test_curves_by_run_of_nothing_is_nothing(self) -> None:
        assert curves_by_run([]) == {}

    def test_curves_by_run_orders_by_step_and_not_by_writing(self) -> None:
        curve = curves_by_run([("r", "loss", 3, 0.1, 30, 0), ("r", "loss", 1, 0.9, 30, 1)])["r"]["loss"]
        assert curve.steps.tolist() == [1, 3]
        assert curve.values.tolist() == [0.9, 0.1]

    def test_curves_by_run_keeps_the_last_written_of_several_at_a_step(self) -> None:
        rows = [("r", "loss", 1, 0.1, 20, 0), ("r", "loss", 1, 0.2, 20, 1), ("r", "loss", 1, 0.3, 10, 2)]
        assert curves_by_run(rows)["r"]["loss"].values.tolist() == [0.2]
        assert curves_by_run([*rows, ("r", "acc", 0, 0.1, 30, 7)])["r"]["loss"].overwritten == len(rows) - 1

    def test_curves_by_run_brings_back_what_is_no_number_or_infinite(self) -> None:
        rows = [("r", "loss", 1, None, 1, 0), ("r", "loss", 2, LARGEST, 1, 1), ("r", "loss", 3, -LARGEST, 1, 2)]
        assert np.array_equal(curves_by_run(rows)["r"]["loss"].values, [math.nan, math.inf, -math.inf], equal_nan=True)

    def test_curves_by_run_takes_more_rows_than_it_turns_over_at_once(self) -> None:
        rows = [(f"run {i % 7}", "loss", i // 7, float(i), 0, i) for i in range(25_000)]
        curves = curves_by_run(reversed(rows))
        assert curves["run 3"]["loss"].steps.tolist() == list(range(3_571))
        assert curves["run 3"]["loss"].values.tolist() == [float(i) for i in range(3, 25_000, 7)]

    @settings(derandomize=True, max_examples=100)
    @given(ROWS)
    def test_curves_by_run_agrees_with_the_plain_way(self, rows: list[MetricRow]) -> None:
        plain: dict[tuple[str, str], dict[int, float | None]] = {}
        for run_id, key, step, value, _, _ in sorted(rows, key=lambda row: row[4:]):
            plain.setdefault((run_id, key), {})[step] = value
        found = {
            (run_id, key): dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))
            for run_id, curves in curves_by_run(rows).items()
            for key, curve in curves.items()
        }
        assert found == plain
        assert all(list(curve) == sorted(curve) for curve in found.values())


def flat(thing: object) -> object:
    """Everything in a run as text and lists, for comparison."""
    if isinstance(thing, np.ndarray):
        return str(thing.tolist())
    if hasattr(thing, "__dataclass_fields__"):
        return {field.name: flat(getattr(thing, field.name)) for field in fields(thing)}  # type: ignore[arg-type]
    if isinstance(thing, dict):
        return {key: flat(value) for key, value in thing.items()}
    return str(thing)


def but_the_journals_tag(run: Run) -> Any:
    plain: Any = flat(run)
    plain["tags"].pop(JOURNAL_TAG, None)
    del plain["journal_id"]
    return plain


INTERRUPTED: list[Event] = [STARTED, *epochs(1.0, 0.5), Ended(START + 9_000, "KILLED", "interrupted")]
EXTREMES = {"a": float("nan"), "b": float("inf"), "c": -float("inf"), "d": 1e-320, "e": 0.1}


class TestRunOf:
    @pytest.mark.parametrize(
        ("events", "status"),
        [
            ([STARTED], "RUNNING"),
            (INTERRUPTED, "KILLED"),
            ([*INTERRUPTED, Resumed(START, 2)], "RUNNING"),
            ([*INTERRUPTED, Resumed(START, 2), *epochs(0.7, 0.8, first=2), Ended(START, "FINISHED")], "FINISHED"),
            ([STARTED, EpochDone(START, 1, EXTREMES), Measured(START, EXTREMES)], "RUNNING"),
            ([STARTED, *[EpochDone(START - n, 1, {"loss": n}) for n in range(3)]], "RUNNING"),
        ],
    )
    def test_run_of_is_what_the_store_gives_back(
        self, location: Location, tmp_path: Path, events: Sequence[Event], status: str
    ) -> None:
        delivery = JournalUpload(location, "a-journal", None, lambda _delivery: None).send(events, tmp_path)
        (sent,) = read_experiment(location, "tracker").runs
        assert sent.tags[JOURNAL_TAG] == "a-journal"
        assert but_the_journals_tag(run_of_journal(events, tmp_path, delivery.run_id, status)) == but_the_journals_tag(
            sent
        )

    def test_run_of_is_what_the_store_gives_back_of_a_whole_journal(self, location: Location, tmp_path: Path) -> None:
        events = whole_journal(tmp_path / "artifacts")
        delivery = JournalUpload(location, "a-journal", None, lambda _delivery: None).send(
            events, tmp_path / "artifacts"
        )
        (sent,) = read_experiment(location, "tracker").runs
        run = run_of_journal(events, tmp_path / "artifacts", delivery.run_id, "FINISHED")
        assert run.validation is not None
        assert run.validation_by_epoch is not None
        assert run.groups == {"blues/000.wav": "artist 1"}
        assert but_the_journals_tag(run) == but_the_journals_tag(sent)

    def test_run_of_has_no_file_before_it_was_said_to_be_ready(self, tmp_path: Path) -> None:
        events = whole_journal(tmp_path)
        before = events[: events.index(Attached(VALIDATION))]
        assert run_of_journal(before, tmp_path, "an id", "RUNNING").validation is None

    def test_run_of_has_no_file_that_was_removed_once_sent(self, tmp_path: Path) -> None:
        events = whole_journal(tmp_path)
        (tmp_path / VALIDATION).unlink()
        assert run_of_journal(events, tmp_path, "an id", "FINISHED").validation is None

    def test_run_of_refuses_events_that_begin_elsewhere(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="must begin with how the run was started"):
            run_of_journal(epochs(1.0), tmp_path, "an id", "RUNNING")


class TestExperimentOf:
    def test_experiment_of_has_the_name_the_metric_and_the_run(self, tmp_path: Path) -> None:
        held = experiment_of([STARTED], tmp_path, "an id", "RUNNING")
        assert (held.name, held.tags) == ("tracker", {"tracker.metric": "val_accuracy"})
        assert [run.run_id for run in held.runs] == ["an id"]

    def test_experiment_of_says_which_file_cannot_be_read(self, tmp_path: Path) -> None:
        events = whole_journal(tmp_path)
        (tmp_path / VALIDATION).write_text("torn")
        held = experiment_of(events, tmp_path, "an id", "FINISHED")
        assert held.runs[0].validation is None
        assert [broken.path for broken in held.unreadable] == [VALIDATION]
