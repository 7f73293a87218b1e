from __future__ import annotations

import numpy as np
import pytest

from tests.builders import HOSTILE
from tracker.figures import svg
from tracker.figures.curves import overview, run_curves
from tracker.figures.intervals import ConfigurationRow, headline


class TestElement:
    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_no_text_acts(self, text: str, parsed) -> None:
        drawn = svg.drawing(10, 10, [svg.text(0, 0, text, hover=text), svg.line(0, 0, 1, 1, "w", text)], text)
        root = parsed(drawn).root
        assert {e.tag for e in root.iter()} <= {"svg", "text", "line", "title"}
        assert root.get("aria-label").split() == "".join(root.find("text").itertext())[-len(text) :].split() or text

    def test_coordinates_have_one_decimal_at_most(self) -> None:
        assert svg.line(1.0, 0.25, -0.04, 1 / 3, "w") == '<line x1="1" y1="0.2" x2="0" y2="0.3" class="w"/>'


class TestScale:
    @pytest.mark.parametrize(
        ("low", "high", "most", "ticks"),
        [
            (0, 1, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]),
            (0.47, 1, 7, [0.5, 0.6, 0.7, 0.8, 0.9, 1]),
            (-0.3, 0.3, 5, [-0.2, 0, 0.2]),
            (0, 1.68, 4, [0, 0.5, 1, 1.5]),
            (0, 900, 4, [0, 250, 500, 750]),
        ],
    )
    def test_ticks_are_round_and_as_many_as_fit(self, low, high, most, ticks) -> None:
        assert svg.Scale(low, high, 0, 100).ticks(most) == pytest.approx(ticks)

    def test_epochs_are_whole(self) -> None:
        assert svg.Scale(1, 3, 0, 100).ticks(6, whole=True) == [1, 2, 3]


class TestThinned:
    def test_thinned_keeps_the_lowest_and_the_highest(self) -> None:
        y = np.sin(np.arange(10_000.0))
        y[1_234], y[5_678], y[9_000] = 5, -5, np.nan
        x, kept = svg.thinned(np.arange(10_000.0), y)
        assert len(x) <= 402
        assert {5.0, -5.0} <= set(kept.tolist())
        assert (np.diff(x) > 0).all()


class TestStandalone:
    def test_small_multiples_stand_four_in_a_row_with_their_captions(self, entries, parsed) -> None:
        picture = overview([*entries, entries[0]], [entry.title for entry in (*entries, entries[0])])
        drawing = parsed(picture.drawing.replace(' xmlns="http://www.w3.org/2000/svg"', ""))
        captions = [drawing.places(name)[0] for name in ("Run 1", "Run 2", "Run 3", "Run 4")]
        assert [x for x, _ in captions] == sorted({x for x, _ in captions})
        assert len({y for _, y in captions}) == 1
        assert drawing.places("Run 1")[1][1] > captions[0][1] + 150

    def test_a_titled_figure_has_its_title_and_note_above_the_drawing(self, entries, parsed) -> None:
        picture = run_curves(entries[0].run)
        drawing = parsed(svg.titled(picture).replace(' xmlns="http://www.w3.org/2000/svg"', ""))
        assert drawing.texts[0] == picture.title
        ((_, title),) = drawing.places(picture.title)
        ((_, note),) = drawing.places(picture.note)
        ((_, caption),) = drawing.places("Loss")
        assert title < note < caption

    def test_a_figure_alone_says_its_colours_and_refers_to_nothing(self) -> None:
        row = ConfigurationRow("a", "", 0.5, (0.4, 0.6), (), True, False, "1/2")
        alone = headline([row], ()).drawing
        assert "<style>" in alone
        assert "var(" not in alone
        assert "url(" not in alone
        assert "href" not in alone
