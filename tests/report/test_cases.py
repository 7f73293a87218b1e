"""What a report says of inputs that once got a false sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.builders import make_run
from tracker.report import Report, build_report
from tracker.runs import Curve, Run


def sentences(report: Report) -> list[str]:
    return [*report.limits, *(conclusion.sentence for conclusion in report.conclusions)]


def logged_at(number: int, steps: range, overwritten: int = 0) -> Run:
    """A run whose losses and accuracies were logged at these steps."""
    curves = {
        name: Curve(np.array(steps), np.linspace(start, start / 2, len(steps)), overwritten)
        for name, start in (("val_loss", 0.6), ("val_accuracy", 0.68))
    }
    tags = {"tracker.dataset": "", "tracker.split": ""}
    return replace(make_run(number, params={"kernel_size": str(number)}, tags=tags), curves=curves)


class TestCases:
    def test_runs_on_two_splits_are_said_to_be_on_different_clips(self) -> None:
        """Nothing is missing: each run logged its predictions, its clips and its losses."""
        runs = [
            make_run(
                number, "11010" * 5, {"split_seed": str(number), "epochs": "3"}, seed="0", prefix=f"set{number}-",
                tags={"tracker.split": f"split {number}"}, loss=[0.9, 0.8, 0.7], val_loss=[0.9, 0.8, 0.7],
                learning_rate=[0.1] * 3,
            )
            for number in (1, 2)
        ]  # fmt: skip
        said = sentences(build_report("splits", runs))
        assert "Run 1 and run 2 were evaluated on different validation clips, so they are not compared." in said
        assert [sentence for sentence in said if "not logged" in sentence] == []

    def test_percent_beside_shares_is_ranked_in_one_unit(self) -> None:
        tags = {"tracker.dataset": "", "tracker.split": ""}
        runs = [
            make_run(number, None, {"kernel": str(kernel)}, metrics={"val_accuracy": accuracy}, tags=tags)
            for number, (kernel, accuracy) in enumerate(((3, 0.853), (5, 86.2), (7, 0.87)), start=1)
        ]
        report = build_report("mixed", runs)
        assert [entry.number for entry in report.best_first(report.entries)] == [3, 2, 1]
        assert "Run 2 logged val_accuracy in percent and other runs as a fraction: percent was divided by 100." in (
            report.limits
        )

    def test_ten_values_at_one_step_are_said_to_be_there(self) -> None:
        report = build_report("nostep", [logged_at(number, range(1), 9) for number in (3, 5)])
        assert (
            "The runs logged all 10 values of val_loss at step 0, so the last one alone is used. Log each epoch "
            "with its number as the step."
        ) in report.limits
        for unknown in ("Whether run 1 overfits is unknown", "Early stopping can't be replayed for run 1"):
            assert (
                f"{unknown}: it logged all 10 values of val_loss at step 0, so the last one alone is used."
            ) in sentences(report)

    def test_steps_that_begin_below_zero_or_above_one_are_named(self) -> None:
        for first, text in ((-1, "−1 to 8"), (10, "10 to 19")):
            report = build_report("steps", [logged_at(number, range(first, first + 10)) for number in (3, 5)])
            assert (
                f"The runs logged val_loss at steps {text}, so it is unknown which epoch a value is of. Log each "
                "epoch with its number as the step."
            ) in report.limits
