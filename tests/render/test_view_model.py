from __future__ import annotations

from dataclasses import replace

from tests.builders import changed
from tracker.render.view_model import arrange
from tracker.report import Section
from tracker.study.metrics import Metric


class TestArrange:
    def test_arrange_numbers_conclusions_as_they_stand_in_the_report(self, report) -> None:
        view = arrange(report)
        assert [kind.title for kind in view.kinds] == [
            "Which run is best", "What the options do", "Pairwise comparisons", "Early stopping",
        ]  # fmt: skip
        assert [conclusion.number for kind in view.kinds for conclusion in kind.open] == [1, 2, 3, 4]

    def test_the_summary_points_to_the_conclusions_by_their_numbers(self, report) -> None:
        assert [conclusion.number for conclusion in arrange(report).summary] == [1, 2]

    def test_a_step_names_the_conclusions_that_it_settles_and_they_name_it(self, report) -> None:
        view = arrange(report)
        assert view.steps[0].answers == (2,)
        assert view.kinds[1].open[0].steps == (1,)

    def test_a_command_among_the_next_steps_is_not_repeated(self, report) -> None:
        assert arrange(report).kinds[1].open[0].command is None
        alone = replace(report, next_steps=())
        assert arrange(alone).kinds[1].open[0].command == "tracker run --kernel 7 --lr 0.001"

    def test_the_most_accurate_run_is_marked(self, report) -> None:
        assert [row.best for row in arrange(report).rows.shown] == [False, False, True, False]

    def test_a_picture_of_one_run_stands_in_its_section(self, report, pictures) -> None:
        view = arrange(report, pictures)
        assert [len(section.pictures) for section in view.sections.shown] == [1, 1, 1, 1]
        assert [picture.name for picture, _ in view.run_pictures] == ["configurations"]
        assert [picture.name for picture in view.conclusion_pictures] == ["clip-grid"]

    def test_a_picture_of_a_run_without_a_section_is_not_lost(self, large, pictures) -> None:
        stranger = replace(pictures[2], name="confusion", runs=("nobody",))
        assert arrange(large, (stranger,)).conclusion_pictures == (stranger,)

    def test_twelve_runs_are_in_the_open_and_thirteen_folded(self, report) -> None:
        entry = report.entries[0]
        entries = tuple(changed(entry, index=number - 1) for number in range(1, 14))
        twelve = replace(report, sections=(Section("a", entries[:12]),))
        thirteen = replace(report, sections=(Section("a", entries),))
        assert not arrange(twelve).folded
        assert arrange(thirteen).folded

    def test_arrange_of_very_many_runs_the_best_are_shown_and_the_others_counted(self, large) -> None:
        view = arrange(large)
        assert (len(view.rows.shown), view.rows.more) == (50, 9_950)
        assert {row.cells[0] for row in view.rows.shown} == {"26/30"}

    def test_arrange_of_very_many_runs_those_of_the_summary_have_sections(self, large) -> None:
        view = arrange(large)
        assert [row.number for section in view.sections.shown for row in section.rows.shown] == [2, 3, 4, 5]
        assert view.sections.more == 9_996

    def test_conclusions_of_a_kind_are_folded_then_counted(self, large) -> None:
        kind = arrange(large).kinds[-1]
        assert (len(kind.open), len(kind.folded), kind.more) == (12, 48, 9_940)

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
        assert [row.best for row in view.rows.shown] == [False, True, False, False]

    def test_a_section_says_its_accuracy_in_percent_where_clips_were_not_counted(self, report) -> None:
        shares = tuple(changed(entry, correct=None, score=0.5 + 0.1 * i) for i, entry in enumerate(report.entries))
        (section,) = arrange(replace(report, sections=(Section("Conv=3", shares),))).sections.shown
        assert section.score_range == "50.0–80.0%"

    def test_a_picture_of_some_runs_says_of_which(self, report, large, pictures) -> None:
        some = replace(pictures[0], name="curves", runs=("1", "2", "3"))
        whole = replace(some, runs=("1", "2", "3", "4"))
        assert arrange(report, (some,)).run_pictures == ((some, "The 3 best of 4 runs."),)
        assert arrange(large, (some,)).run_pictures == ((some, "The 3 best of 10,000 runs."),)
        assert arrange(report, (whole, pictures[0])).run_pictures == ((whole, ""), (pictures[0], ""))

    def test_a_seed_is_shown_whatever_it_is_called(self, report) -> None:
        entry = report.entries[0]
        lightning = changed(entry, run=replace(entry.run, params={"seed_everything": "7"}))
        both = changed(entry, run=replace(entry.run, params={"seed": "1", "data_seed": "2"}))
        view = arrange(replace(report, sections=(Section("Conv=7", (lightning, both)),)))
        assert [row.seed for row in view.rows.shown] == ["7", "data_seed=2, seed=1"]

    def test_an_option_that_is_not_known_keeps_its_params_name(self, report) -> None:
        view = arrange(replace(report, options=("kernel_size", "lr", "plateau")))
        assert view.options.shown == ("Kernel size", "lr", "Plateau")

    def test_options_beyond_eight_are_counted(self, report) -> None:
        many = replace(report, options=tuple(f"option{number}" for number in range(11)))
        assert (len(arrange(many).options.shown), arrange(many).options.more) == (8, 3)
