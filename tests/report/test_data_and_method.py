from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import make_run, make_study
from tracker.report.data_and_method import (
    DatasetFacts,
    FactRow,
    FeatureFacts,
    MachineFacts,
    NetworkFacts,
    SoftwareFacts,
    SplitFacts,
    data_and_method,
)
from tracker.runs.facts import DataFacts, Found, Layer, NetworkShape, environment_tags
from tracker.wording import wording_of

if TYPE_CHECKING:
    from tracker.runs import Run

NETWORK = NetworkShape(1_234, (Layer("Conv2D", 1_000), Layer("Conv2D", 200), Layer("Dense", 34)))
PARAMS = {
    "model": "cnn", "kernel_size": "7", "learning_rate": "1e-4", "epochs": "60", "split_seed": "3",
    "test_fraction": "0", "validation_fraction": "0.2", "sr": "22050", "n_fft": "2048", "hop_length": "512",
    "n_mels": "128", "segment_s": "3",
}  # fmt: skip
TAGS = {
    "tracker.data": "demo", "tracker.dataset": "f" * 64, "tracker.split": "e" * 64, "tracker.version": "1.0",
    "tracker.training_clips": "120", "tracker.test_clips": "0", "tracker.classes": json.dumps(["a", "b"]),
    **NETWORK.tags(), **DataFacts(10, Found(0), Found(0), Found(0)).tags(),
    **environment_tags({"tracker": "1.0", "keras": "3.15", "threads": "1", "processor": "A", "cores": "4",
                        "memory": "8 GiB"}),
}  # fmt: skip


def whole_run(number: int, **params: str) -> Run:
    """A run that logged all there is to be logged, on 30 clips of two groups."""
    return make_run(number, "1" * 30, PARAMS | params, groups=["x", "y"] * 15, tags=TAGS)


class TestDataAndMethod:
    def test_each_fact_that_runs_share_is_there_once(self) -> None:
        facts = data_and_method(make_study(whole_run(1), whole_run(2, kernel_size="3")))
        (dataset,), (split,), (network,) = facts.datasets, facts.splits, facts.networks
        assert dataset.runs == (f"{1:032x}", f"{2:032x}")
        assert dataset.value == DatasetFacts("demo", "f" * 64, 150, ("a", "b"), 10, "clip")
        drawn = (("split_seed", "3"), ("validation_fraction", "0.2"), ("test_fraction", "0"))
        assert split.value == SplitFacts(120, 30, 0, 2, "e" * 64, drawn)
        assert network.value == NetworkFacts("cnn", 1_234, NETWORK.layers)
        assert facts.settings == (("learning_rate", "0.0001"), ("epochs", "60"))
        assert facts.varied == (("kernel_size", ("3", "7")),)
        assert facts.features[0].value == FeatureFacts("log-mel", 22_050, 2_048, 512, 128, 3.0)
        assert facts.software[0].value == SoftwareFacts((("tracker", "1.0"), ("keras", "3.15")))
        assert facts.machines[0].value == MachineFacts("A", 4, "8 GiB", 1)

    def test_runs_that_differ_in_a_fact_are_told_apart(self) -> None:
        other = replace(whole_run(3), tags=TAGS | environment_tags({"processor": "B"}))
        facts = data_and_method(make_study(whole_run(1), whole_run(2), other))
        assert [(one.value.processor, len(one.runs)) for one in facts.machines] == [("A", 2), ("B", 1)]

    def test_what_was_not_logged_is_none(self) -> None:
        facts = data_and_method(make_study(make_run(1, tags={"tracker.dataset": "", "tracker.split": ""})))
        assert facts.datasets[0].value == DatasetFacts(None, None, None, (), None, "clip")
        assert facts.splits[0].value == SplitFacts(None, None, None, None, None, ())
        assert facts.networks[0].value == NetworkFacts(None, None, ())
        assert facts.features[0].value == FeatureFacts(None, None, None, None, None, None)
        assert facts.machines[0].value == MachineFacts(None, None, None, None)
        assert {row.text for row in rows_of(make_run(1, tags={"tracker.dataset": "", "tracker.split": ""}))} == {None}

    @pytest.mark.parametrize("text", ["", "x", "[1]", '{"a": 1}', "[" * 10_000])
    def test_classes_of_another_form_are_those_of_the_predictions(self, text: str) -> None:
        run = make_run(1, "11", tags={"tracker.classes": text})
        assert data_and_method(make_study(run)).datasets[0].value.classes == ("a", "b")

    def test_no_runs_have_no_facts(self) -> None:
        assert data_and_method(make_study()).datasets == ()


def rows_of(*runs: Run) -> tuple[FactRow, ...]:
    study = make_study(*runs)
    return data_and_method(study).rows(wording_of(study))


class TestRows:
    def test_rows_say_what_was_logged(self) -> None:
        rows = rows_of(whole_run(1), whole_run(2, kernel_size="3"))
        assert {row.name: row.text for row in rows} == {
            "Data set": "the built-in demo set, 150 clips",
            "Classes": "2: a, b",
            "Groups": "10",
            "Data fingerprint": "f" * 12,
            "Split": "120 training and 30 validation clips, validation from 2 groups, no test clips",
            "Split decided by": "split seed 3, validation fraction 0.2",
            "Split fingerprint": "e" * 12,
            "Model": "cnn",
            "Layers": "2 Conv2D, 1 Dense",
            "Parameters": "1,234",
            "Learning rate": "1e-4",
            "Epoch limit": "60",
            "Features": (
                "log-mel images, sampled at 22,050 Hz, windows of 2,048 samples, hop of 512, 128 mel bands, "
                "segments of 3 s"
            ),
            "Software": "tracker 1.0, keras 3.15",
            "Processor": "A",
            "Machine": "4 cores, 8 GiB of memory, 1 thread used",
        }

    def test_rows_count_many_different_values(self) -> None:
        runs = [whole_run(number, split_seed=str(number)) for number in range(1, 6)]
        (decided,) = [row for row in rows_of(*runs) if row.name == "Split decided by"]
        assert decided.text == "5 different ones, the first split seed 1, validation fraction 0.2"

    def test_rows_name_the_fold_that_is_counted_from_zero(self) -> None:
        assert FactRow("Split decided by", "fold 0") in rows_of(make_run(1, None, {"fold": "0", "test_fraction": "0"}))

    def test_rows_leave_out_the_validation_fraction_of_a_fold(self) -> None:
        run = make_run(
            1, None, {"fold": "1/3", "split_seed": "0", "validation_fraction": "0.2", "test_fraction": "0.1"}
        )
        assert FactRow("Split decided by", "split seed 0, test fraction 0.1, fold 1/3") in rows_of(run)

    def test_rows_say_which_runs_a_fact_is_of_if_not_all_share_it(self) -> None:
        larger = TAGS | NetworkShape(9_999, NETWORK.layers).tags()
        rows = rows_of(whole_run(1), replace(whole_run(2, kernel_size="9"), tags=larger), whole_run(3, seed="1"))
        assert {row.name: row.text for row in rows}["Parameters"] == "1,234 (runs 1 and 3); 9,999 (run 2)"

    def test_no_label_repeats_another(self) -> None:
        names = [row.name for row in rows_of(whole_run(1))]
        assert len(set(names)) == len(names)
