from __future__ import annotations

import numpy as np
import pytest

from tracker.figures.curves import overview, run_curves, section_curves
from tracker.figures.data import trace_of, trace_of_entry


class TestRunCurves:
    def test_run_curves_is_a_figure_of_one_run(self, entries, drawn) -> None:
        picture = run_curves(entries[0].run)
        drawn(picture)
        assert (picture.name, picture.runs) == ("curves", (entries[0].run.run_id,))

    def test_the_same_run_gives_the_same_bytes(self, entries) -> None:
        assert run_curves(entries[0].run).png == run_curves(entries[0].run).png

    def test_another_run_gives_another_figure(self, entries) -> None:
        assert run_curves(entries[0].run).png != run_curves(entries[1].run).png

    @pytest.mark.parametrize(
        "curves",
        [
            {"loss": [1.2], "val_loss": [1.3], "accuracy": [0.3], "val_accuracy": [0.2]},
            {"loss": [1.2, np.nan, np.inf], "val_loss": [1.3, -np.inf, 1.7976931348623157e308]},
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
        run = made(curves)
        run = type(run)(run.run_id, run.name, run.status, {"epochs": "1"}, {}, {}, run.curves)
        drawn(run_curves(run))

    def test_a_run_without_curves_is_an_error(self, made) -> None:
        with pytest.raises(ValueError, match="curves need loss or accuracy by epoch"):
            run_curves(made({}))


class TestSectionCurves:
    def test_each_run_has_its_own_on_axes_that_all_share(self, entries, drawn) -> None:
        traces = [trace_of_entry(entry) for entry in entries]
        together = section_curves(traces)
        assert [picture.runs for picture in together] == [(entry.run.run_id,) for entry in entries]
        for picture in together:
            drawn(picture)
        alone = section_curves(traces[2:3])[0]
        assert alone.png != together[2].png, "on axes of its own a shorter run is drawn wider"

    def test_nothing_of_one_run_is_left_in_the_next(self, entries) -> None:
        first, second = (trace_of_entry(entries[i]) for i in (0, 1))
        assert section_curves([first, second])[1].png == section_curves([second, first])[0].png


class TestOverview:
    def test_overview_has_no_panels_for_what_no_run_logged(self, made, drawn) -> None:
        both = [trace_of(made({"val_loss": [1, 0.5], "val_accuracy": [0.5, 0.6]}))] * 2
        losses = [trace_of(made({"val_loss": [1, 0.5]}))] * 2
        assert drawn(overview(losses)).shape[0] < drawn(overview(both)).shape[0]

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("count", [2, 4, 5])
    def test_overview_has_all_runs_four_in_a_row(self, entries, drawn, count: int) -> None:
        traces = [trace_of_entry(entry) for entry in (*entries, *entries)][:count]
        picture = overview(traces)
        pixels = drawn(picture)
        assert len(picture.runs) == len(picture.rows) == count
        assert pixels.shape[0] == (510 if count <= 4 else 975)
