from __future__ import annotations

from dataclasses import replace

import pytest

from tracker.conclusions.conclusion import Difference
from tracker.figures.intervals import Baseline, ConfigurationRow, differences, headline

BEST = ConfigurationRow("Kernel 7", "no plateau", 0.9, (0.8, 0.95), (0.88, 0.92), True, False, "90.0%")
TIED = ConfigurationRow("Kernel 5", "plateau 0.3x10", 0.8, (0.7, 0.9), (0.8, 0.8), False, True, "80.0%")
WORSE = ConfigurationRow("Kernel 3", "", 0.6, (0.5, 0.7), (0.6,), False, False, "18/30")
ROWS = (BEST, TIED, WORSE)

OPEN = Difference("run 3 − run 1", 1 / 30, (-0.12, 0.18), 1.0, "inconclusive", ("a", "b"))
SUPPORTED = Difference("run 3 − run 2", 0.3, (0.1, 0.5), 0.012, "supported", ("a", "c"))
EQUIVALENT = Difference("run 3 − run 4", 0.0, (-0.01, 0.01), 0.9, "equivalent", ("a", "d"))


def axis_of(drawing, low: str, high: str, values: tuple[float, float]):
    """Return where a value stands, by two numbers of the axis."""
    (start, _), (end, _) = drawing.places(low)[0], drawing.places(high)[0]
    return lambda value: start + (value - values[0]) / (values[1] - values[0]) * (end - start)


class TestHeadline:
    def test_each_configuration_is_a_dot_on_its_interval(self, drawn) -> None:
        drawing = drawn(headline(ROWS, ("a",)))
        at = axis_of(drawing, "50%", "100%", (0.5, 1.0))
        whiskers = drawing.lines("w")
        assert [(line[0], line[2]) for line in whiskers] == [
            pytest.approx((at(low), at(high)), abs=0.2) for low, high in (row.interval for row in ROWS)
        ]
        dots = drawing.circles("d")[:1] + drawing.circles("o") + drawing.circles("d")[1:]
        assert [x for x, _ in dots] == [pytest.approx(at(row.estimate), abs=0.2) for row in ROWS]
        assert [y for _, y in dots] == [line[1] for line in whiskers]

    def test_the_best_stands_on_top_in_its_colour(self, drawn) -> None:
        drawing = drawn(headline(ROWS, ("a",)))
        (best,) = drawing.all("g", "best")
        assert "Kernel 7" in "".join(best.itertext())
        assert [drawing.places(row.title)[0][1] for row in ROWS] == sorted(drawing.places(r.title)[0][1] for r in ROWS)

    def test_those_tied_with_the_best_are_rings(self, drawn) -> None:
        drawing = drawn(headline(ROWS, ("a",)))
        assert (len(drawing.circles("o")), len(drawing.circles("d"))) == (1, 2)
        assert "rings: not statistically different from the best" in headline(ROWS, ("a",)).note

    def test_single_seeds_are_small_dots_that_do_not_hide_each_other(self, drawn) -> None:
        drawing = drawn(headline(ROWS, ("a",)))
        at = axis_of(drawing, "50%", "100%", (0.5, 1.0))
        seeds = drawing.circles("s")
        assert [x for x, _ in seeds] == [pytest.approx(at(value), abs=0.2) for value in (0.88, 0.92, 0.8, 0.8)]
        assert seeds[2][1] != seeds[3][1]

    def test_seeds_that_would_cover_each_other_are_drawn_once(self, drawn) -> None:
        many = replace(BEST, points=tuple(0.5 + place / 80 for place in range(31)) * 300)
        assert len(drawn(headline([many, TIED], ("a",))).circles("s")) < 31 * 6

    def test_counts_stand_at_the_right(self, drawn) -> None:
        drawing = drawn(headline(ROWS, ("a",)))
        assert all(drawing.places(row.count)[0][0] == 760 for row in ROWS)

    def test_the_baseline_is_a_dashed_line_with_its_name(self, drawn) -> None:
        drawing = drawn(headline(ROWS, ("a",), baseline=Baseline(0.2, "always jazz: 20%")))
        at = axis_of(drawing, "20%", "100%", (0.2, 1.0))
        (line,) = drawing.lines("base")
        assert line[0] == line[2] == pytest.approx(at(0.2), abs=0.2)
        assert "always jazz: 20%" in drawing.texts

    def test_a_narrow_drawing_has_the_same_rows_with_names_above(self, parsed) -> None:
        (panel,) = headline(ROWS, ("a",)).panels
        narrow = parsed(panel.narrow)
        assert len(narrow.lines("w")) == 3
        assert all(narrow.places(row.title)[0][0] == 0 for row in ROWS)
        assert narrow.places("Kernel 7")[0][1] < narrow.lines("w")[0][1]

    def test_ticks_of_values_near_each_other_differ(self, drawn) -> None:
        rows = [
            replace(row, estimate=value, interval=None, points=())
            for row, value in zip(ROWS[:2], (0.9992, 0.9973), strict=True)
        ]
        drawing = drawn(headline(rows, ("a",), is_fraction=False))
        ticks = [text for text in drawing.texts if text.startswith("0.99")]
        assert len(ticks) == len(set(ticks)) > 2

    def test_a_loss_is_no_percentage(self, drawn) -> None:
        rows = [replace(row, estimate=3 - row.estimate, interval=None, points=()) for row in ROWS]
        drawing = drawn(headline(rows, ("a",), is_fraction=False))
        assert not [text for text in drawing.texts if text.endswith("%") and text not in {"90.0%", "80.0%"}]
        assert "2.2" in drawing.texts

    def test_title_says_which_is_best_and_how_many_could_be_as_good(self) -> None:
        assert (
            headline(ROWS, ("a",)).title
            == "Kernel 7 leads (90.0%), but 1 of the other 2 is not statistically different"
        )
        assert headline((BEST, WORSE), ("a",)).title == "Kernel 7 is best (90.0%)"
        apart = replace(TIED, interval=(0.7, 0.89))
        assert (
            headline((BEST, apart), ("a",)).title
            == "Kernel 7 leads (90.0%), but the other is not statistically different"
        )
        run = replace(BEST, title="Run 2: 7×7 kernel", count="26/30")
        assert headline((run, WORSE), ("a",)).title == "Run 2 (7×7 kernel) is best (26/30)"
        twin = replace(WORSE, title="Kernel 7", subtitle="plateau 0.3x10")
        assert headline((BEST, twin), ("a",)).title == "Kernel 7, no plateau is best (90.0%)"
        assert headline(ROWS, ("a",), title="My finding", alt="It is so.").title == "My finding"

    def test_title_says_that_every_interval_contains_the_best_result(self) -> None:
        picture = headline((BEST, TIED), ("a",))
        assert picture.title == "Both 95% intervals contain the best result"
        assert picture.alt == "Kernel 7 leads (90.0%), but the other is not statistically different."
        assert headline((BEST, *[TIED] * 3), ("a",)).title == "All four 95% intervals contain the best result"

    def test_title_says_that_the_lead_could_not_be_tested(self) -> None:
        untested = replace(TIED, is_tied=False, is_tested=False)
        assert headline((BEST, untested), ("a",)).title == "Kernel 7 leads (90.0%); its lead could not be tested"
        over_one = "Kernel 7 leads (90.0%); its lead over 1 of the other 2 could not be tested"
        assert headline((BEST, WORSE, untested), ("a",)).title == over_one

    def test_title_says_that_the_best_result_is_shared(self) -> None:
        twin = replace(TIED, estimate=BEST.estimate, interval=None)
        assert headline((BEST, twin), ("a",)).title == "Kernel 7 and the other share the best result (90.0%)"
        shared = "Kernel 7 and 1 of the other 2 share the best result (90.0%)"
        assert headline((BEST, twin, WORSE), ("a",)).title == shared

    def test_the_table_has_every_row(self) -> None:
        rows = headline(ROWS, ("a",)).rows
        assert [row[:2] for row in rows] == [
            ("Kernel 7, no plateau", "90.0%"), ("Kernel 5, plateau 0.3x10", "80.0%"), ("Kernel 3", "18/30"),
        ]  # fmt: skip

    def test_sixty_rows_are_compact_and_the_last_ten_are_counted(self, drawn) -> None:
        rows = [replace(WORSE, title="Kernel 3", subtitle=f"dropout 0.{i:02}", is_best=i == 0) for i in range(60)]
        picture = headline(rows, ("a",))
        drawing = drawn(picture)
        assert len(drawing.lines("w")) == 50
        assert "10 more are not drawn" in picture.note
        assert {f"Kernel 3, dropout 0.{i:02}" for i in range(50)} <= set(drawing.texts)
        assert float(drawing.root.get("viewBox").split()[3]) < 1_200

    def test_strange_names_can_be_drawn_and_stay_apart(self, drawn, strange) -> None:
        names = [*strange, "long " * 40 + "a", "long " * 40 + "b"]
        rows = [replace(WORSE, title=name, subtitle=name, count=name[:8]) for name in names]
        drawing = drawn(headline(rows, ("a",)))
        long = {text for text in drawing.texts if text.startswith("long") and text.endswith((" a", " b"))}
        assert len(long) == 2

    @pytest.mark.parametrize("fraction", [0.0, 1.0])
    def test_all_wrong_and_all_right_can_be_drawn(self, drawn, fraction: float) -> None:
        drawn(headline([replace(BEST, estimate=fraction, interval=(fraction, fraction), points=())], ("a",)))

    def test_no_row_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="needs at least one"):
            headline((), ())


class TestDifferences:
    def test_each_difference_is_a_dot_on_its_interval(self, drawn) -> None:
        drawing = drawn(differences([OPEN, SUPPORTED], margin=0.05))
        at = axis_of(drawing, "0", "+40", (0.0, 0.4))
        assert [(line[0], line[2]) for line in drawing.lines("w")] == [
            pytest.approx((at(-0.12), at(0.18)), abs=0.2), pytest.approx((at(0.1), at(0.5)), abs=0.2),
        ]  # fmt: skip
        assert drawing.circles("o")[0][0] == pytest.approx(at(1 / 30), abs=0.2)
        assert drawing.circles("d")[0][0] == pytest.approx(at(0.3), abs=0.2)

    def test_the_margin_is_a_band_about_the_zero_line(self, drawn) -> None:
        drawing = drawn(differences([OPEN], margin=0.05))
        at = axis_of(drawing, "0", "+10", (0.0, 0.1))
        (band,) = drawing.all("rect", "band")
        start, width = float(band.get("x")), float(band.get("width"))
        assert (start, start + width) == pytest.approx((at(-0.05), at(0.05)), abs=0.3)
        (zero,) = drawing.lines("axis")
        assert zero[0] == pytest.approx(at(0), abs=0.1)

    def test_supported_is_filled_equivalent_square_and_the_rest_open(self, drawn) -> None:
        picture = differences([OPEN, SUPPORTED, EQUIVALENT], margin=0.05)
        drawing = drawn(picture)
        assert "square: equivalent, the 90% interval lies within the band" in picture.note
        assert (len(drawing.circles("o")), len(drawing.circles("d")), len(drawing.all("rect", "d"))) == (1, 1, 1)

    def test_names_and_p_values_stand_in_the_order_of_the_rows(self, drawn) -> None:
        drawing = drawn(differences([OPEN, SUPPORTED], margin=0.05))
        rows = [text for text in drawing.texts if text.startswith(("run", "p ="))]
        assert rows == ["run 3 − run 1", "p = 1.0", "run 3 − run 2", "p = 0.012"]

    def test_title_and_alt_text_say_what_is_supported(self) -> None:
        picture = differences([OPEN, SUPPORTED], margin=0.05)
        assert picture.title == "1 of 2 differences is significant"
        assert picture.alt == "1 of 2 differences is significant: run 3 − run 2 by +30 points."
        assert picture.runs == ("a", "b", "c")

    def test_alt_text_says_that_nothing_is_supported_and_what_is_largest(self, drawn) -> None:
        picture = differences([OPEN, EQUIVALENT], margin=0.05)
        drawn(picture)
        assert picture.title == "None of 2 differences is significant"
        assert "the largest, run 3 − run 1, is +3.3 points" in picture.alt

    def test_of_many_the_first_twenty_four_are_drawn_and_all_are_in_the_table(self, drawn) -> None:
        picture = differences([OPEN] * 30, margin=0.05)
        assert len(drawn(picture).lines("w")) == 24
        assert len(picture.rows) == 30
        assert "6 more are not drawn" in picture.note

    def test_strange_names_and_no_width_can_be_drawn(self, drawn, strange) -> None:
        drawn(differences([Difference(name, 0.0, (0.0, 0.0), None, "exact", ()) for name in strange], margin=0.0001))

    def test_no_differences_are_an_error(self) -> None:
        with pytest.raises(ValueError, match="at least one difference"):
            differences([], margin=0.05)
