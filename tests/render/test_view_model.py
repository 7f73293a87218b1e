from __future__ import annotations

from dataclasses import replace

from tests.builders import changed
from tracker.conclusions.best_configuration import Standing
from tracker.conclusions.early_stopping import Patience
from tracker.render.view_model import arrange
from tracker.report import Section
from tracker.study.metrics import Metric
from tracker.study.options import terms_of


def in_experiment(entry, name: str):
    return changed(entry, run=replace(entry.run, experiment=name))


class TestArrange:
    def test_arrange_numbers_the_answers_in_order(self, report) -> None:
        assert [(part.number, part.answer.id) for part in arrange(report).answers] == [
            (1, "best"), (2, "options"), (3, "patience"),
        ]  # fmt: skip

    def test_an_answer_has_the_numbers_of_the_conclusion_it_rests_on(self, report) -> None:
        assert "against the closest p = 1.0" in arrange(report).answers[0].facts

    def test_an_answer_has_the_pictures_that_it_names(self, report, pictures) -> None:
        assert [[picture.name for picture in part.pictures] for part in arrange(report, pictures).answers] == [
            [], ["confusion"], [],
        ]  # fmt: skip

    def test_a_step_names_the_answers_that_it_bears_on(self, report) -> None:
        assert arrange(report).steps[0].answers == (2,)

    def test_runs_of_several_experiments_have_a_column_of_its_name(self, report) -> None:
        names = iter("abab")
        sections = tuple(
            replace(section, entries=tuple(in_experiment(entry, next(names)) for entry in section.entries))
            for section in report.sections
        )
        view = arrange(replace(report, sections=sections))
        assert view.options.shown[0] == "Experiment"
        assert {row.levels[0] for row in view.rows.shown} == {"a", "b"}
        assert "Experiment" not in arrange(report).options.shown

    def test_the_most_accurate_run_is_marked(self, report) -> None:
        assert [(row.number, row.best) for row in arrange(report).rows.shown] == [
            (3, True), (1, False), (2, False), (4, False),
        ]  # fmt: skip

    def test_a_picture_of_one_run_stands_in_its_section(self, report, pictures) -> None:
        view = arrange(report, pictures)
        assert [len(section.pictures) for section in view.sections.shown] == [1, 1, 1, 1]
        assert (view.headline.name, view.curves) == ("configurations", None)

    def test_the_curves_of_several_runs_stand_alone(self, report, pictures) -> None:
        together = replace(pictures[0], name="curves")
        assert arrange(report, (together, *pictures)).curves == together

    def test_arrange_of_very_many_runs_the_best_are_shown_and_the_others_counted(self, large) -> None:
        view = arrange(large)
        assert (len(view.rows.shown), view.rows.more) == (50, 9_950)
        assert {row.cells[0] for row in view.rows.shown} == {"26/30"}

    def test_arrange_of_very_many_runs_the_best_configurations_have_sections(self, large) -> None:
        view = arrange(large)
        assert len(view.sections.shown) == 12
        assert view.sections.more == 9_988

    def test_rows_of_the_appendix_are_counted_beyond_two_hundred(self, large) -> None:
        found = [c for c in large.conclusions if c.kind == "early_stopping"][:150]
        details = [
            replace(
                c.details, patiences=(Patience(5, stop, 1, 1, censored=False), Patience(9, stop, 1, 1, censored=False))
            )
            for stop, c in enumerate(found)
        ]
        varied = tuple(replace(c, details=own) for c, own in zip(found, details, strict=True))
        table, more = arrange(replace(large, conclusions=varied)).appendix[-1]
        assert (table.title, len(table.rows), more) == ("Patiences", 200, 100)

    def test_runs_of_equal_rows_share_them(self, large) -> None:
        table, _ = arrange(large).appendix[-1]
        assert {row[0] for row in table.rows} == {"10000 runs"}

    def test_pairs_and_patiences_stand_in_the_appendix(self, report) -> None:
        assert [table.title for table, _ in arrange(report).appendix] == ["Pairs of runs", "Patiences"]

    def test_configurations_have_a_table_if_one_was_trained_twice(self, report) -> None:
        assert arrange(report).configurations.n == 0
        ids = tuple(entry.run.run_id for entry in report.entries[:2])
        standing = Standing(ids, 0.825, 0.012, (0.7, 0.9), 50, 60, tied=True)
        twice = Section("Conv=7", report.entries[:2], "7×7 kernel", standing)
        assert arrange(replace(report, sections=(twice,))).configurations.shown == (
            ("7×7 kernel", "2", "82.5%", "1.2 points", "70.0–90.0", "yes"),
        )

    def test_notes_challenges_and_excluded_runs_are_counted_beyond_fifty(self, large) -> None:
        view = arrange(large)
        assert [len(part.shown) for part in (view.notes, view.challenges, view.excluded)] == [50, 50, 50]
        assert [view.notes.more, view.challenges.more, view.excluded.more] == [9_950, 9_950, 9_950]

    def test_a_note_that_runs_of_one_title_share_stands_once(self, report) -> None:
        run = replace(report.entries[0].run, note="It was hard.")
        entries = tuple(changed(report.entries[0], index=index, run=run) for index in range(15))
        (note,) = arrange(replace(report, sections=(Section("Conv=3", entries),))).notes.shown
        assert note.who == "Runs 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 3 more"

    def test_a_section_of_very_many_seeds_is_bounded(self, large) -> None:
        together = replace(large, sections=(Section("Conv=3", large.entries),))
        (section,) = arrange(together).sections.shown
        assert (len(section.rows.shown), section.rows.more) == (50, 9_950)
        assert section.who == "Runs 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 9,988 more"
        assert section.score_range == "24/30 to 26/30"

    def test_a_section_says_what_its_runs_come_to_by_another_metric(self, report) -> None:
        scored = tuple(
            changed(entry, correct=None, score=score)
            for entry, score in zip(report.entries, (0.3, 0.1, None, 0.25), strict=True)
        )
        view = arrange(replace(report, sections=(Section("Conv=3", scored),), metric=Metric("val_mae", True)))
        assert view.sections.shown[0].score_range == "0.10 to 0.30"
        assert [row.best for row in view.rows.shown] == [True, False, False, False]

    def test_a_section_says_its_accuracy_in_percent_where_clips_were_not_counted(self, report) -> None:
        shares = tuple(changed(entry, correct=None, score=0.5 + 0.1 * i) for i, entry in enumerate(report.entries))
        (section,) = arrange(replace(report, sections=(Section("Conv=3", shares),))).sections.shown
        assert section.score_range == "50.0 to 80.0%"

    def test_a_seed_is_shown_whatever_it_is_called(self, report) -> None:
        entry = report.entries[0]
        lightning, both = (
            replace(entry, terms=terms_of(params))
            for params in ({"seed_everything": "7"}, {"seed": "1", "data_seed": "2"})
        )
        view = arrange(replace(report, sections=(Section("Conv=7", (lightning, both)),)))
        assert [row.seed for row in view.rows.shown] == ["7", "data_seed=2, seed=1"]

    def test_an_option_that_is_not_known_keeps_its_params_name(self, report) -> None:
        view = arrange(replace(report, options=("kernel_size", "lr", "plateau")))
        assert view.options.shown == ("Kernel size", "lr", "Plateau")

    def test_options_beyond_eight_are_counted(self, report) -> None:
        many = replace(report, options=tuple(f"option{number}" for number in range(11)))
        assert (len(arrange(many).options.shown), arrange(many).options.more) == (8, 3)
