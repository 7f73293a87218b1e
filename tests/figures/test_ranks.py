from __future__ import annotations

from dataclasses import replace

from tracker.conclusions.across_data_sets import AcrossDataSets, RankedConfiguration
from tracker.figures.ranks import MOST_CONFIGURATIONS, mean_ranks

FIRST = RankedConfiguration("kernel 7", ("a",), (0.9,) * 6, (1.0,) * 5 + (2.0,), 7 / 6, 5, tied=True)
SECOND = RankedConfiguration("kernel 5", ("b",), (0.8,) * 6, (2.0,) * 5 + (1.0,), 11 / 6, 1, (5, 0, 1), tied=True)
LAST = RankedConfiguration("kernel 3", ("c",), (0.6,) * 6, (3.0,) * 6, 3.0, 0, (6, 0, 0), tied=False)
ACROSS = AcrossDataSets(tuple("uvwxyz"), (FIRST, SECOND, LAST), ((0, 1),), fewest=6)


class TestMeanRanks:
    def test_each_configuration_has_its_mean_rank_and_a_ring_for_each_rank(self, drawn) -> None:
        drawing = drawn(mean_ranks(ACROSS, is_best=False))
        assert len(drawing.circles("s")) == 5
        means = [x for x, _ in drawing.circles("d")][0::2][:1]
        assert means[0] < drawing.places("2")[0][0]

    def test_a_line_joins_those_that_are_not_significantly_different(self, drawn) -> None:
        (line,) = drawn(mean_ranks(ACROSS, is_best=False)).lines("w")
        tops = [drawn(mean_ranks(ACROSS, is_best=False)).places(name)[0][1] for name in ("kernel 7", "kernel 5")]
        assert line[0] == line[2]
        assert abs((line[3] - line[1]) - (tops[1] - tops[0])) < 0.2

    def test_title_and_table_say_which_could_be_the_best(self) -> None:
        picture = mean_ranks(ACROSS, is_best=False)
        assert picture.title == "kernel 7 has the best mean rank; 1 of the other 2 could be as good"
        assert [row[-1] for row in picture.rows] == ["yes", "yes", "no"]

    def test_title_says_if_there_are_too_few_data_sets(self) -> None:
        few = replace(ACROSS, data_sets=("u", "v"), groups=())
        assert mean_ranks(few, is_best=False).title.endswith("2 data sets are too few for a test")

    def test_title_names_none_of_several_that_share_the_best_mean_rank(self) -> None:
        level = replace(ACROSS, configurations=(FIRST, replace(SECOND, mean_rank=FIRST.mean_rank), LAST))
        assert mean_ranks(level, is_best=False).title.startswith("Two configurations share the best mean rank; ")

    def test_very_many_configurations_are_not_all_drawn(self) -> None:
        many = replace(ACROSS, configurations=(FIRST, *[LAST] * 30), groups=())
        picture = mean_ranks(many, is_best=True)
        assert len(picture.rows) == MOST_CONFIGURATIONS
        assert "11 more are not drawn" in picture.note
