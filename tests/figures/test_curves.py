from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import entries_of
from tracker.figures.curves import (
    accuracy_limits,
    finding,
    finding_of_all,
    is_drawable,
    loss_limits,
    overview,
    run_curves,
    section_curves,
    table,
    table_of_all,
    title_of_all,
)


@pytest.fixture
def of(made):
    """Make runs of a report of curves."""
    return lambda *curves: entries_of([replace(made(one), run_id=str(i)) for i, one in enumerate(curves)])


@pytest.fixture
def result(of):
    """Make the result of a run with curves."""
    return lambda curves: of(curves)[0].result


CURVES = {
    "loss": [1.0, 0.6, 0.4, 0.2],
    "val_loss": [1.0, 0.7, 0.5, 0.8],
    "val_accuracy": [0.4, 0.6, 0.9, 0.8],
    "learning_rate": [1e-3, 1e-3, 5e-4, 5e-4],
}


def drawn_together(entries):
    return overview(entries, [entry.title for entry in entries])


class Axes:
    """Where an epoch and a value stand in a panel, by the numbers of its axes."""

    def __init__(self, drawing, epochs: tuple[int, int], values: dict[str, float]) -> None:
        (left, _), (right, _) = (drawing.places(str(epoch))[-1] for epoch in epochs)
        (low, bottom), (high, top) = ((value, drawing.places(text)[0][1]) for text, value in values.items())
        self.x = lambda epoch: left + (epoch - epochs[0]) / (epochs[1] - epochs[0]) * (right - left)
        self.y = lambda value: bottom + (value - low) / (high - low) * (top - bottom) - 4


class TestRunCurves:
    def test_run_curves_has_loss_beside_accuracy(self, entries, drawn) -> None:
        picture = run_curves(entries[0].run)
        drawn(picture)
        assert (picture.name, picture.runs, picture.layout) == ("curves", (entries[0].run.run_id,), "pair")
        assert [panel.caption for panel in picture.panels] == ["Loss", "Accuracy"]

    def test_a_curve_goes_through_its_values(self, made, drawn) -> None:
        drawing = drawn(run_curves(made(CURVES)))
        axes = Axes(drawing, (1, 4), {"0": 0.0, "1": 1.0})
        for class_, name in (("va", "val_loss"), ("tr", "loss")):
            assert drawing.path(class_) == [
                pytest.approx((axes.x(epoch), axes.y(value)), abs=0.2) for epoch, value in enumerate(CURVES[name], 1)
            ]

    def test_the_best_epoch_is_a_ring_with_its_number(self, made, drawn) -> None:
        drawing = drawn(run_curves(made(CURVES)))
        axes = Axes(drawing, (1, 4), {"0": 0.0, "1": 1.0})
        assert drawing.circles("ring") == [pytest.approx((axes.x(3), axes.y(0.5)), abs=0.2)]
        assert "best 3" in drawing.texts
        assert "best epoch 3: loss 0.500" in drawing.hovers

    def test_a_drop_of_the_rate_is_a_dashed_rule(self, made, drawn) -> None:
        drawing = drawn(run_curves(made(CURVES)))
        (rule,) = drawing.lines("cut")
        assert rule[0] == pytest.approx(Axes(drawing, (1, 4), {"0": 0.0, "1": 1.0}).x(2), abs=0.1)
        assert "learning rate lowered after epoch 2: 1e-3 to 5e-4" in drawing.hovers

    def test_both_lines_are_named_beside_them(self, made, drawn) -> None:
        drawing = drawn(run_curves(made(CURVES)))
        assert {"training", "validation"} <= set(drawing.texts)
        assert "training" not in drawn(run_curves(made({"val_loss": [1.0, 0.5, 0.4]}))).texts

    def test_a_value_that_is_not_finite_is_a_gap(self, made, drawn) -> None:
        drawing = drawn(run_curves(made({"val_loss": [1.0, np.inf, -np.inf, np.nan, 0.5]})))
        (path,) = drawing.all("path", "va")
        assert (path.get("d").count("M"), path.get("d").count("L")) == (2, 0)
        assert "not finite from 2" in drawing.texts

    def test_the_same_run_gives_the_same_drawing(self, entries) -> None:
        assert run_curves(entries[0].run) == run_curves(entries[0].run)

    def test_a_long_run_is_thinned_without_its_extremes(self, made, drawn) -> None:
        losses = [1.0, *np.linspace(0.9, 0.5, 5_000), 2.0]
        drawing = drawn(run_curves(made({"val_loss": losses})))
        points = drawing.path("va")
        assert len(points) < 500
        assert min(y for _, y in points) == points[-1][1]

    @pytest.mark.parametrize(
        "curves",
        [
            {"loss": [1.2], "val_loss": [1.3], "accuracy": [0.3], "val_accuracy": [0.2]},
            {"loss": [1.2, np.nan, np.inf], "val_loss": [1.3, -np.inf, np.inf]},
            {"val_loss": [np.nan, np.nan]},
            {"loss": [1.0, 0.5, 0.4]},
            {"loss": [0.0, 0.0], "val_loss": [0.0, 0.0]},
            {"loss": [1.7e308, 1.0, 0.5], "val_loss": [5_000.0, -1.7e308, 0.5]},
            {"val_loss": [1.7e308, 1.7e308]},
            {"accuracy": [10.0, 90.0], "val_accuracy": [10.0, 80.0]},
            {"val_loss": list(np.exp(-np.arange(2_000) / 300))},
        ],
        ids=["one epoch", "lost", "all lost", "no validation", "zero", "spike", "largest", "percent", "long"],
    )
    @pytest.mark.filterwarnings("error")
    def test_any_curves_can_be_drawn(self, made, drawn, curves: dict[str, list[float]]) -> None:
        drawn(run_curves(replace(made(curves), params={"epochs": "1"})))

    def test_a_panel_carries_the_values_behind_its_lines(self, made, drawn) -> None:
        picture = run_curves(made(CURVES))
        loss, accuracy = (panel.plot for panel in picture.panels)
        assert loss.lines == (("training", tuple(CURVES["loss"])), ("validation", tuple(CURVES["val_loss"])))
        assert (loss.epochs, loss.best, loss.in_percent) == ((1, 2, 3, 4), 3, False)
        assert accuracy.lines == (("validation", tuple(CURVES["val_accuracy"])),)
        assert accuracy.in_percent
        left, top, width, height = loss.area
        drawing = drawn(picture)
        axes = Axes(drawing, (1, 4), {"0": 0.0, "1": 1.0})
        assert drawing.all("g")[0].get("transform") == f"translate({left:.1f} {top:g})"
        assert (0, width) == pytest.approx((axes.x(1), axes.x(4)), abs=0.2)
        assert (height, 0) == pytest.approx((axes.y(loss.limits[2]), axes.y(loss.limits[3])), abs=0.2)

    def test_a_panel_carries_the_values_of_the_epochs_at_which_either_line_is_drawn(self, made) -> None:
        curves = {"loss": [float(n % 7) for n in range(3_000)], "val_loss": [float(n % 11) for n in range(2_000)]}
        plot = run_curves(made(curves)).panels[0].plot
        assert len(plot.epochs) < 1_000
        for name, values in (("training", curves["loss"]), ("validation", curves["val_loss"])):
            logged = dict(enumerate(values, 1))
            assert dict(plot.lines)[name] == tuple(map(logged.get, plot.epochs))

    def test_a_run_without_curves_is_an_error(self, made) -> None:
        with pytest.raises(ValueError, match="curves need loss or accuracy by epoch"):
            run_curves(made({}))


class TestSectionCurves:
    def test_each_run_has_its_own_figure(self, entries, drawn) -> None:
        together = section_curves(entries)
        assert [picture.runs for picture in together] == [(entry.run.run_id,) for entry in entries]
        assert together[1].title.startswith("Run 2's validation loss is lowest at epoch 31")
        for picture in together:
            drawn(picture)


class TestOverview:
    def test_overview_has_a_panel_of_losses_a_run_in_order(self, entries, drawn) -> None:
        picture = drawn_together(entries[::-1])
        drawn(picture)
        assert [panel.caption for panel in picture.panels] == ["Run 4", "Run 3", "Run 2", "Run 1"]
        assert picture.layout == "multiples"
        assert picture.panels[0].detail.startswith("Conv=5, lr=0.0001")

    def test_overview_has_one_scale_of_losses(self, of, parsed) -> None:
        first, second = drawn_together(of({"val_loss": [1.0, 0.5]}, {"val_loss": [4.0, 0.5, 0.4]})).panels
        assert parsed(first.svg).places("2") == parsed(second.svg).places("2")

    def test_overview_keeps_one_run_that_diverged_from_pressing_the_others_flat(self, of, drawn, parsed) -> None:
        runs = of(*[{"val_loss": [1.5, 0.9, 0.8]}] * 3, {"val_loss": [1.5, 300.0, 525.0]})
        picture = drawn_together(runs)
        assert "1.5" in drawn(picture).texts
        diverged = parsed(picture.panels[3].svg)
        assert "up to 525" in diverged.texts
        assert len(diverged.all("svg")) == 2, "the line is cut off at the edge of the plot"

    def test_overview_gives_runs_of_very_different_lengths_their_own_epochs(self, of, parsed) -> None:
        short, long = {"val_loss": [1.0] * 6}, {"val_loss": [1.0] * 60}
        picture = drawn_together(of(short, long))
        assert [max(x for x, _ in parsed(panel.svg).path("va")) for panel in picture.panels] == [
            pytest.approx(138.1)
        ] * 2
        assert "each run on its own axis of epochs" in picture.note
        similar = drawn_together(of({"val_loss": [1.0] * 30}, long))
        assert [max(x for x, _ in parsed(panel.svg).path("va")) for panel in similar.panels] == [
            pytest.approx(138.1 * 29 / 59, abs=0.1), pytest.approx(138.1),
        ]  # fmt: skip

    def test_overview_says_of_which_run_no_loss_was_logged(self, of, parsed) -> None:
        picture = drawn_together(of({"val_loss": [1.0, 0.5]}, {"val_accuracy": [0.5, 0.6]}))
        assert ["not logged" in parsed(panel.svg).texts for panel in picture.panels] == [False, True]

    def test_overview_names_the_lines_in_the_first_panel_alone(self, entries, parsed) -> None:
        named = ["validation" in parsed(panel.svg).texts for panel in drawn_together(entries).panels]
        assert named == [True, False, False, False]

    def test_overview_shows_accuracies_if_no_loss_was_logged(self, of, drawn) -> None:
        picture = drawn_together(of(*[{"val_accuracy": [0.5, 0.6]}] * 2))
        assert "50%" in drawn(picture).texts
        assert picture.note.startswith("Accuracy by epoch;")


class TestTitleOfAll:
    def test_title_of_all_says_in_how_many_runs_the_losses_move_apart(self, of) -> None:
        apart = {"loss": [1.0, 0.9, 0.8, 0.6, 0.4, 0.2, 0.1], "val_loss": [1.0, 0.7, 0.5, 0.6, 0.6, 0.7, 0.8]}
        steady = {"loss": [1.0, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5], "val_loss": [1.0, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5]}
        told = "Validation loss stops improving while training loss keeps falling in"
        assert title_of_all(of(apart, apart)) == f"{told} all runs"
        assert title_of_all(of(apart, steady)) == f"{told} 1 of 2 runs"
        assert title_of_all(of(apart, steady, steady)) == "The lowest validation loss is Run 2's, 0.400"

    def test_title_of_all_says_that_training_was_not_done(self, of) -> None:
        improving = {"val_loss": [1.0, 0.5]}
        assert (
            title_of_all(of(improving, improving)) == "Validation loss was still falling at the last epoch of all runs"
        )

    def test_title_of_all_says_whose_loss_is_lowest_otherwise(self, of) -> None:
        assert title_of_all(of({"val_loss": [1.0, 0.5, 0.6]}, {"val_loss": [1.0, 0.4, 0.5]})) == (
            "The lowest validation loss is Run 2's, 0.400"
        )


class TestIsDrawable:
    def test_is_drawable_needs_something_by_epoch(self, result) -> None:
        assert is_drawable(result({"val_loss": [1, 0.5]}))
        assert not is_drawable(result({}))


class TestLossLimits:
    def test_loss_limits_are_shared(self, result) -> None:
        assert loss_limits([result({"loss": [2.0, 1.0]}), result({"loss": [4.0, 1.0]})]) == (0.0, pytest.approx(4.2))

    def test_loss_limits_leave_out_what_would_press_the_rest_flat(self, result) -> None:
        assert loss_limits([result({"loss": [5_000.0] + [1.0] * 59})])[1] == pytest.approx(1.05)
        usual = [result({"loss": [2.0, 1.0, 0.5]})] * 2
        assert loss_limits([*usual, result({"loss": [2.0] + [525.0] * 9})])[1] == pytest.approx(2.1)

    @pytest.mark.parametrize("losses", [[], [np.nan, np.nan], [0.0, 0.0]])
    def test_loss_limits_without_anything_to_show_are_still_limits(self, result, losses: list[float]) -> None:
        assert loss_limits([result({"loss": losses})]) == (0.0, 1.0)

    def test_loss_limits_reach_below_zero_for_a_loss_that_does(self, result) -> None:
        assert loss_limits([result({"loss": [-1.0, -3.0]})])[0] < -3.0


class TestAccuracyLimits:
    def test_accuracy_limits_are_0_to_1(self, result) -> None:
        assert accuracy_limits([result({"accuracy": [0.2, 0.4]})]) == (0.0, 1.03)

    def test_accuracy_limits_reach_further_for_percentages(self, result) -> None:
        assert accuracy_limits([result({"accuracy": [20, 40]})]) == (0.0, pytest.approx(41.2))


class TestFinding:
    def test_finding_says_where_the_loss_was_lowest_and_where_it_ended(self, entries) -> None:
        assert finding(entries[2].result, "Run 3") == (
            "Run 3's validation loss is lowest at epoch 24, 0.371, and 0.487 at the last epoch, 44."
        )

    def test_finding_says_when_a_loss_was_lost(self, result) -> None:
        lost = result({"loss": [1, np.nan], "val_loss": [1, np.nan]})
        assert finding(lost) == "The run's loss is not finite from epoch 2 on; the last epoch is 2."

    def test_finding_says_what_was_not_logged(self, result) -> None:
        assert finding(result({"loss": [1, 1]})).endswith("no validation loss was logged by epoch.")


class TestFindingOfAll:
    def test_finding_of_all_says_whose_loss_is_lowest(self, entries) -> None:
        assert finding_of_all(entries) == ("Loss by epoch of 4 runs: the lowest validation loss is Run 3's, 0.371.")

    def test_finding_of_all_speaks_of_accuracy_if_no_loss_was_logged(self, of) -> None:
        runs = of(*[{"val_accuracy": [0.2, 0.5]}] * 2)
        assert finding_of_all(runs) == "Accuracy by epoch of 2 runs; no validation loss was logged by epoch."


class TestTable:
    def test_table_has_every_epoch_of_a_short_run(self, result) -> None:
        header, rows = table(result({"loss": [2, 1], "val_loss": [2, 1.5], "learning_rate": [1e-4, 3e-5]}))
        assert header == ("epoch", "loss", "validation loss", "learning rate", "mark")
        assert rows == (
            ("1", "2.0000", "2.0000", "1e-4", "rate drops after it"),
            ("2", "1.0000", "1.5000", "3e-5", "best, last"),
        )

    def test_table_has_the_marked_epochs_of_a_long_run_among_few(self, entries) -> None:
        _, rows = table(entries[0].result)
        assert len(rows) < 30
        marks = {row[0]: row[-1] for row in rows if row[-1]}
        assert marks == {"41": "best", "51": "rate drops after it", "56": "last"}

    def test_table_says_which_values_are_not_finite(self, result) -> None:
        _, rows = table(result({"loss": [1, np.inf]}))
        assert rows[1][1] == "not finite"


class TestTableOfAll:
    def test_table_of_all_writes_an_accuracy_in_per_cent_as_it_was_logged(self, of) -> None:
        header, rows = table_of_all(of({"val_loss": [1, 0.5], "val_accuracy": [70, 83.3]}))
        assert rows[0][header.index("its accuracy")] == "83.3"

    def test_table_of_all_has_a_row_a_run(self, entries) -> None:
        _, rows = table_of_all(entries)
        assert rows[3] == ("Run 4", "37", "0.457", "80%", "47", "0.538", "21, 42")
