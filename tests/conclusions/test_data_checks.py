from __future__ import annotations

from tests.builders import make_run, make_study, sentence_of
from tracker.conclusions.data_checks import DataChecks, data_checks
from tracker.runs.facts import DataFacts, Found

GROUPS = ["artist 1", "artist 1", "artist 2"]
NOTHING = Found(0)
TWICE = Found(2, (("train/1.wav", "val/1.wav"), ("train/2.wav", "val/2.wav")))


class TestDataChecks:
    def test_data_without_groups_is_said_to_be_so(self) -> None:
        (found,) = data_checks(make_study(make_run(1, "101")))
        assert (found.verdict, found.details) == ("exact", DataChecks(groups=0))

    def test_what_was_not_logged_is_unknown(self) -> None:
        (found,) = data_checks(make_study(make_run(1), make_run(2, seed="1")))
        assert (found.verdict, found.details, found.runs) == ("unknown", DataChecks(), (f"{1:032x}", f"{2:032x}"))

    def test_what_a_run_found_in_its_data_is_read_from_its_tags(self) -> None:
        tags = DataFacts(12, TWICE, NOTHING, Found(1, (("a/1.wav", "b/1.wav"),))).tags()
        (found,) = data_checks(make_study(make_run(1, "101", groups=GROUPS, tags=tags)))
        assert found.details == DataChecks(12, TWICE, NOTHING, Found(1, (("a/1.wav", "b/1.wav"),)))

    def test_runs_on_other_data_have_a_conclusion_of_their_own(self) -> None:
        other = make_run(2, "101", tags=DataFacts(3, NOTHING, NOTHING, NOTHING).tags())
        assert len(list(data_checks(make_study(make_run(1, "101"), other)))) == 2

    def test_a_tag_of_another_form_counts_as_not_logged(self) -> None:
        tags = {"tracker.shared_recordings": '{"n": -1}', "tracker.groups": "many"}
        (found,) = data_checks(make_study(make_run(1, tags=tags)))
        assert found.verdict == "unknown"


def sentence(facts: DataFacts) -> str:
    return sentence_of(make_study(make_run(1, "101", groups=GROUPS, tags=facts.tags())), "data_checks")


class TestSentence:
    def test_sentence_of_shared_recordings(self) -> None:
        assert sentence(DataFacts(2, TWICE, NOTHING, NOTHING)) == (
            "2 recordings are in more than one part of the split, so validation accuracy is too optimistic."
        )

    def test_sentence_of_labels_and_groups(self) -> None:
        assert sentence(DataFacts(2, NOTHING, Found(1), Found(3))) == (
            "1 group is in more than one part of the split, so validation accuracy is too optimistic. 3 recordings "
            "have more than one label, so no model can classify every copy correctly."
        )

    def test_sentence_of_copies_that_the_split_keeps_together(self) -> None:
        assert sentence(DataFacts(2, NOTHING, NOTHING, NOTHING, Found(1))) == (
            "1 recording is there more than once, also encoded again, cut or amplified. The split keeps such copies "
            "together, but fewer clips are independent than were counted."
        )

    def test_sentence_of_data_without_groups(self) -> None:
        assert sentence_of(make_study(make_run(1, "101")), "data_checks") == (
            "The data names no groups, so clips of one artist, speaker or recording may be in both training and "
            "validation; accuracy would then be too optimistic."
        )

    def test_sentence_names_the_part_and_the_results_of_the_metric(self) -> None:
        study = make_study(make_run(1, metrics={"test_rmse": 2.0}), metric="test_rmse")
        assert sentence_of(study, "data_checks").endswith(
            "may be in both training and test; results would then be too optimistic."
        )

    def test_sentence_of_data_that_is_sound(self) -> None:
        assert sentence(DataFacts(2, NOTHING, NOTHING, NOTHING)) == (
            "No group or recording is in more than one part of the split."
        )

    def test_sentence_promises_nothing_about_groups_that_was_not_logged(self) -> None:
        assert sentence(DataFacts()) == (
            "Whether training and validation clips come from different groups was not logged."
        )


def test_tables_have_the_examples() -> None:
    (table,) = DataChecks(2, TWICE).tables(in_points=True)
    assert table.rows == (("train/1.wav = val/1.wav",), ("train/2.wav = val/2.wav",))
