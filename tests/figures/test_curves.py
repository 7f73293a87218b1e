from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import entries_of
from tracker.figures.curves import (
    accuracy_limits,
    draw_overview,
    finding,
    finding_of_all,
    is_drawable,
    loss_limits,
    overview,
    run_curves,
    section_curves,
    table,
    table_of_all,
)
from tracker.figures.style import BLUE, VERMILION


@pytest.fixture
def of(made):
    """Make runs of a report of curves."""
    return lambda *curves: entries_of([replace(made(one), run_id=str(i)) for i, one in enumerate(curves)])


@pytest.fixture
def result(of):
    """Make the result of a run with curves."""
    return lambda curves: of(curves)[0].result


def panel(entries, quantity: str):
    """Return the first run's panel of small multiples."""
    return next(axes for axes in draw_overview(entries).axes if axes.get_ylabel() == quantity)


def drawn_line(axes, color: str):
    """Return the line of a colour: validation is blue and solid, training is red and dashed."""
    (line,) = (line for line in axes.get_lines() if line.get_color() == color and line.get_linestyle() != "None")
    return line


CURVES = {
    "loss": [1.0, 0.6, 0.4, 0.2],
    "val_loss": [1.1, 0.7, 0.5, 0.8],
    "val_accuracy": [0.4, 0.6, 0.9, 0.8],
    "learning_rate": [1e-3, 1e-3, 5e-4, 5e-4],
}


class TestDrawOverview:
    def test_a_curve_goes_through_its_values(self, of) -> None:
        for quantity, color, name in (
            ("loss", BLUE, "val_loss"),
            ("loss", VERMILION, "loss"),
            ("accuracy", BLUE, "val_accuracy"),
        ):
            x, y = drawn_line(panel(of(CURVES, CURVES), quantity), color).get_data()
            assert (list(x), list(y)) == ([1, 2, 3, 4], CURVES[name])

    @pytest.mark.parametrize(("marker", "point"), [("*", (3, 0.5)), ("v", (2, 0.7)), ("s", (4, 0.8))])
    def test_best_epoch_rate_drop_and_last_epoch_are_marked_on_the_validation_loss(self, of, marker, point) -> None:
        losses = panel(of(CURVES, CURVES), "loss")
        (mark,) = (line for line in losses.get_lines() if line.get_marker() == marker)
        assert (mark.get_xdata()[0], mark.get_ydata()[0]) == point

    def test_a_value_that_is_not_finite_is_a_gap(self, of) -> None:
        losses = panel(of(*[{"val_loss": [1.0, np.inf, -np.inf, np.nan, 0.5]}] * 2), "loss")
        assert np.isnan(drawn_line(losses, BLUE).get_ydata()).tolist() == [False, True, True, True, False]

    def test_all_runs_share_their_axes(self, of) -> None:
        axes = draw_overview(of({"val_loss": [1.0, 0.5]}, {"val_loss": [4.0, 0.5, 0.4]})).axes
        assert axes[0].get_ylim() == axes[1].get_ylim()
        assert axes[0].get_xlim() == axes[1].get_xlim()


class TestRunCurves:
    def test_run_curves_is_a_figure_of_one_run(self, entries, drawn) -> None:
        picture = run_curves(entries[0].run)
        drawn(picture)
        assert (picture.name, picture.runs) == ("curves", (entries[0].run.run_id,))

    def test_the_same_run_gives_the_same_bytes(self, entries) -> None:
        assert run_curves(entries[0].run).png == run_curves(entries[0].run).png

    @pytest.mark.parametrize(
        "curves",
        [
            {"loss": [1.2], "val_loss": [1.3], "accuracy": [0.3], "val_accuracy": [0.2]},
            {"loss": [1.2, np.nan, np.inf], "val_loss": [1.3, -np.inf, np.inf]},
            {"val_loss": [np.nan, np.nan]},
            {"loss": [1.0, 0.5, 0.4]},
            {"loss": [0.0, 0.0], "val_loss": [0.0, 0.0]},
            {"loss": [1e300, 1.0, 0.5], "val_loss": [5_000.0, 1.0, 0.5]},
            {"accuracy": [10.0, 90.0], "val_accuracy": [10.0, 80.0]},
            {"val_loss": list(np.exp(-np.arange(2_000) / 300))},
        ],
        ids=["one epoch", "lost", "all lost", "no validation", "zero", "spike", "percent", "long"],
    )
    @pytest.mark.filterwarnings("error")
    def test_any_curves_can_be_drawn(self, made, drawn, curves: dict[str, list[float]]) -> None:
        drawn(run_curves(replace(made(curves), params={"epochs": "1"})))

    def test_a_run_without_curves_is_an_error(self, made) -> None:
        with pytest.raises(ValueError, match="curves need loss or accuracy by epoch"):
            run_curves(made({}))


class TestSectionCurves:
    def test_each_run_has_its_own_figure_on_axes_that_all_share(self, entries, drawn) -> None:
        together = section_curves(entries)
        assert [picture.runs for picture in together] == [(entry.run.run_id,) for entry in entries]
        for picture in together:
            drawn(picture)
        alone = section_curves(entries[2:3])[0]
        assert alone.png != together[2].png, "on axes of its own a shorter run is drawn wider"

    def test_nothing_of_one_run_is_left_in_the_next(self, entries) -> None:
        first, second = entries[:2]
        assert section_curves([first, second])[1].png == section_curves([second, first])[0].png


class TestOverview:
    def test_overview_has_no_panels_for_what_no_run_logged(self, of, drawn) -> None:
        both = of(*[{"val_loss": [1, 0.5], "val_accuracy": [0.5, 0.6]}] * 2)
        losses = of(*[{"val_loss": [1, 0.5]}] * 2)
        assert drawn(overview(losses)).shape[0] < drawn(overview(both)).shape[0]

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("count", [2, 4, 5])
    def test_overview_has_all_runs_four_in_a_row(self, entries, drawn, count: int) -> None:
        picture = overview([*entries, *entries][:count])
        pixels = drawn(picture)
        assert len(picture.runs) == len(picture.rows) == count
        assert pixels.shape[0] == (510 if count <= 4 else 975)


class TestIsDrawable:
    def test_is_drawable_needs_something_by_epoch(self, result) -> None:
        assert is_drawable(result({"val_loss": [1, 0.5]}))
        assert not is_drawable(result({}))


class TestLossLimits:
    def test_loss_limits_are_shared(self, result) -> None:
        assert loss_limits([result({"loss": [2.0, 1.0]}), result({"loss": [4.0, 1.0]})]) == (0.0, pytest.approx(4.2))

    def test_loss_limits_leave_out_what_would_press_the_rest_flat(self, result) -> None:
        assert loss_limits([result({"loss": [5_000.0] + [1.0] * 59})])[1] == pytest.approx(1.575)

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
        assert finding(result({"loss": [1, 1]})).endswith("no validation loss was logged.")


class TestFindingOfAll:
    def test_finding_of_all_says_whose_loss_is_lowest(self, entries) -> None:
        assert finding_of_all(entries) == (
            "Loss and accuracy by epoch of 4 runs: the lowest validation loss is Run 3's, 0.371."
        )

    def test_finding_of_all_does_not_mention_accuracy_that_was_not_logged(self, of) -> None:
        runs = of(*[{"val_loss": [1, 0.5]}] * 2)
        assert finding_of_all(runs) == "Loss by epoch of 2 runs: the lowest validation loss is Run 1's, 0.500."


class TestTable:
    def test_table_has_every_epoch_of_a_short_run(self, result) -> None:
        header, rows = table(result({"loss": [2, 1], "val_loss": [2, 1.5], "learning_rate": [1e-4, 3e-5]}))
        assert header == ("epoch", "loss", "validation loss", "learning rate", "mark")
        assert rows == (
            ("1", "2.0000", "2.0000", "0.0001", "rate drops after it"),
            ("2", "1.0000", "1.5000", "0.00003", "best, last"),
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
        assert rows[0][header.index("its accuracy")] == "83.300"

    def test_table_of_all_has_a_row_a_run(self, entries) -> None:
        _, rows = table_of_all(entries)
        assert rows[3] == ("Run 4", "37", "0.457", "80%", "47", "0.538", "21, 42")
