from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tracker.errors import JournalError
from tracker.journal.format import to_line
from tracker.journal.reader import Journal, Journals, is_id, journals, read, read_upload_state, unsettled
from tracker.journal.writer import JournalWriter, write_upload_state
from tracker.runs.events import Ended, EpochDone, Event, Resumed, Started, Tagged, UploadState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def written(folder: Path, events: Sequence[Event]) -> Journal:
    """Return a journal written, closed and read back."""
    start, *rest = events
    assert isinstance(start, Started)
    with JournalWriter.create(folder, start) as writer:
        for event in rest:
            writer.append(event)
    return read(folder)


class TestRead:
    def test_read_reads_what_was_written(self, folder: Path, events: list[Event]) -> None:
        journal = written(folder, events)
        assert list(journal.events) == events
        assert (journal.id, journal.folder, journal.started) == (folder.name, folder, events[0])
        assert (journal.upload_state, journal.owner, journal.torn, journal.lost) == (None, None, False, ())

    def test_read_says_that_the_last_line_is_torn(self, folder: Path, events: list[Event]) -> None:
        written(folder, events)
        file = folder / "journal.jsonl"
        file.write_bytes(file.read_bytes()[:-5])
        journal = read(folder)
        assert journal.torn
        assert list(journal.events) == events[:-1]

    def test_read_says_which_events_are_lost(self, folder: Path, events: list[Event]) -> None:
        written(folder, events)
        file = folder / "journal.jsonl"
        file.write_bytes(file.read_bytes().replace(b'"number":2', b'"number":9'))
        journal = read(folder)
        assert journal.lost == (3,)
        assert not journal.torn
        assert list(journal.epochs) == [1, 3]
        assert journal.status == "FINISHED"

    def test_read_says_that_the_start_is_not_whole(self, folder: Path, events: list[Event]) -> None:
        written(folder, events)
        file = folder / "journal.jsonl"
        file.write_bytes(file.read_bytes().replace(b"kernel_size", b"kernel_sise"))
        with pytest.raises(JournalError, match=r"journal\.jsonl: its first line, which says what run it is, is not"):
            read(folder)

    def test_read_says_that_the_file_is_empty_or_missing(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        with pytest.raises(JournalError, match=r"cannot read the journal .*journal\.jsonl: No such file"):
            read(folder)
        (folder / "journal.jsonl").touch()
        with pytest.raises(JournalError, match="its first line"):
            read(folder)

    def test_read_names_the_file_that_a_newer_version_wrote(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_bytes(b'{"entry":"begun","line":1,"crc":"764f5124"}\n')
        with pytest.raises(JournalError, match=r"cannot read the journal .*journal\.jsonl: this version of tracker"):
            read(folder)

    def test_read_cut_anywhere_reads_a_beginning_or_says_that_there_is_none(
        self, folder: Path, events: list[Event]
    ) -> None:
        written(folder, events)
        file = folder / "journal.jsonl"
        data = file.read_bytes()
        first = data.index(b"\n") + 1
        for cut in range(len(data)):
            file.write_bytes(data[:cut])
            if cut < first:
                with pytest.raises(JournalError):
                    read(folder)
            else:
                read_back = list(read(folder).events)
                assert read_back == events[: len(read_back)]
                assert len(read_back) == data[:cut].count(b"\n")


class TestEnded:
    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
    def test_ended_says_how(self, folder: Path, started: Started, status: str) -> None:
        end = Ended(9, status, "why")  # type: ignore[arg-type]
        journal = written(folder, [started, end, Tagged({"said": "later"})])
        assert journal.ended == end
        assert journal.status == status

    def test_no_longer_holds_once_resumed(self, folder: Path, started: Started) -> None:
        journal = written(folder, [started, Ended(9, "KILLED"), Resumed(10, 0)])
        assert journal.ended is None
        assert journal.status == "INTERRUPTED"

    def test_no_longer_holds_once_epochs_follow(self, folder: Path, started: Started, epochs: list[EpochDone]) -> None:
        assert written(folder, [started, Ended(9, "KILLED"), epochs[0]]).ended is None

    def test_ended_of_a_resumed_run_is_its_last(self, folder: Path, events: list[Event]) -> None:
        assert written(folder, events).ended == Ended(9, "FINISHED")


class TestEpochs:
    def test_epochs_are_in_order_and_the_first_of_equals(
        self, folder: Path, started: Started, epochs: list[EpochDone]
    ) -> None:
        again = replace(epochs[1], time=99)
        journal = written(folder, [started, epochs[2], epochs[0], epochs[1], again])
        assert list(journal.epochs.items()) == [(1, epochs[0]), (2, epochs[1]), (3, epochs[2])]


class TestUnsent:
    def test_unsent_is_all_of_it_at_first(self, folder: Path, events: list[Event]) -> None:
        assert list(written(folder, events).unsent) == events

    @pytest.mark.parametrize("sent", [0, 1, 4, 10, 99])
    def test_unsent_is_what_comes_after_what_a_store_has(self, folder: Path, events: list[Event], sent: int) -> None:
        written(folder, events)
        write_upload_state(folder, UploadState("run", "there", sent))
        assert list(read(folder).unsent) == events[sent:]


class TestIds:
    def test_ids_begin_with_the_one_that_the_store_shows(self, folder: Path, events: list[Event]) -> None:
        journal = written(folder, events)
        assert journal.ids == (journal.id,)
        write_upload_state(folder, UploadState("run", "there", 1))
        assert read(folder).ids == ("run", journal.id)


class TestState:
    def test_state_is_running_while_it_is_written(self, folder: Path, started: Started) -> None:
        with JournalWriter.create(folder, started):
            assert read(folder).status == "RUNNING"
            assert read(folder).owner is not None
        assert read(folder).status == "INTERRUPTED"

    def test_state_of_a_run_that_is_just_ending_is_never_interrupted(self, tmp_path: Path, started: Started) -> None:
        folders = [tmp_path / f"{n:032x}" for n in range(40)]
        writers = [JournalWriter.create(folder, started) for folder in folders]

        def end() -> None:
            for writer in writers:
                writer.append(Ended(9, "FINISHED"))
                writer.close()

        thread = Thread(target=end)
        thread.start()
        states = []
        for folder in folders:
            while (status := read(folder).status) == "RUNNING":
                pass
            states.append(status)
        thread.join()
        assert set(states) == {"FINISHED"}

    def test_state_is_unknown_where_another_host_was_at_it(self, folder: Path, started: Started) -> None:
        written(folder, [started])
        owner = {"host": "elsewhere", "pid": 1, "start": 1, "boot": None}
        (folder / "owner.json").write_text(json.dumps(owner))
        assert read(folder).status == "UNKNOWN"


class TestJournals:
    def test_journals_are_in_the_order_of_their_starts(self, tmp_path: Path, started: Started) -> None:
        ids = [f"{n:032x}" for n in range(5)]
        times = random.Random(0).sample(range(5), 5)
        for name, time in zip(ids, times, strict=True):
            written(tmp_path / name, [replace(started, time=time)])
        assert [journal.started.time for journal in journals(tmp_path)] == [0, 1, 2, 3, 4]

    def test_journals_are_none_where_there_is_no_folder(self, tmp_path: Path) -> None:
        assert not journals(tmp_path / "gone")

    def test_journals_pass_over_what_is_no_journal(self, tmp_path: Path, started: Started) -> None:
        written(tmp_path / f"{1:032x}", [started])
        (tmp_path / f"{2:032x}").mkdir()
        (tmp_path / "else").mkdir()
        (tmp_path / "else/journal.jsonl").touch()
        assert [journal.id for journal in journals(tmp_path)] == [f"{1:032x}"]

    def test_name_a_journal_that_cannot_be_read_among_the_problems(self, tmp_path: Path, started: Started) -> None:
        for n in (1, 2):
            written(tmp_path / f"{n:032x}", [started])
        (tmp_path / f"{1:032x}/journal.jsonl").write_bytes(b"")
        found = journals(tmp_path)
        assert [journal.id for journal in found] == [f"{2:032x}"]
        (problem,) = found.problems
        assert "its first line, which says what run it is, is not whole" in problem

    def test_journals_say_which_lines_are_lost(self, folder: Path, events: list[Event]) -> None:
        written(folder, events)
        file = folder / "journal.jsonl"
        file.write_bytes(file.read_bytes().replace(b'"number":1', bytes(10)).replace(b'"number":3', b'"\xff\xfe":3'))
        found = journals(folder.parent)
        assert [list(journal.epochs) for journal in found] == [[2]]
        assert found.problems == (f"{file} is damaged: what line 2, 6 of it said is lost, all else is there",)

    def test_journals_name_some_of_many_lost_lines(self, folder: Path, started: Started) -> None:
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_bytes(to_line(started, 1) + to_line(Tagged({}), 5_000))
        (problem,) = journals(folder.parent).problems
        assert "what line 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 4988 more of it said is lost" in problem

    def test_journals_name_a_damaged_record_beside_one(self, folder: Path, events: list[Event]) -> None:
        written(folder, events)
        for name in ("delivery.json", "owner.json"):
            (folder / name).write_text("[")
        found = journals(folder.parent)
        assert [journal.id for journal in found] == [folder.name]
        assert [problem.partition(" (")[0] for problem in found.problems] == [
            f"{folder / name} is damaged" for name in ("delivery.json", "owner.json")
        ]

    def test_name_a_folder_that_cannot_be_read_among_the_problems(self, tmp_path: Path) -> None:
        (tmp_path / ".tracker").touch()
        found = journals(tmp_path / ".tracker")
        assert not found
        (problem,) = found.problems
        assert problem.startswith(f"cannot read the journals in {tmp_path / '.tracker'}: Not a directory; ")

    def test_that_the_system_does_not_give_cost_none_of_the_others(self, tmp_path: Path, started: Started) -> None:
        for n in (1, 2):
            written(tmp_path / f"{n:032x}", [started])
        (tmp_path / f"{1:032x}/journal.jsonl").unlink()
        (tmp_path / f"{1:032x}/journal.jsonl").mkdir()
        found = journals(tmp_path)
        assert [journal.id for journal in found] == [f"{2:032x}"]
        (problem,) = found.problems
        assert "journal.jsonl: Is a directory; " in problem

    def test_journals_have_no_problem_with_what_is_not_there(self, tmp_path: Path) -> None:
        (tmp_path / f"{1:032x}").mkdir()  # a kill may leave it before the journal is begun
        assert journals(tmp_path) == journals(tmp_path / "gone") == Journals((), ())

    @pytest.mark.parametrize("link", [".tracker", f".tracker/{1:032x}", f".tracker/{1:032x}/journal.jsonl"])
    def test_no_link_is_followed_to_a_journal(self, tmp_path: Path, started: Started, link: str) -> None:
        written(tmp_path / f"there/.tracker/{1:032x}", [started])
        place = tmp_path / "here" / link
        place.parent.mkdir(parents=True)
        place.symlink_to(tmp_path / "there" / link)
        found = journals(tmp_path / "here/.tracker")
        assert not found
        (problem,) = found.problems
        assert f": {place.name} is a symbolic link; put a " in problem

    @pytest.mark.parametrize("file", ["journal.jsonl", "delivery.json", "owner.json"])
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path, started: Started, file: str) -> None:
        for n in (1, 2):
            written(tmp_path / f"{n:032x}", [started])
        (tmp_path / f"{1:032x}" / file).unlink(missing_ok=True)
        os.mkfifo(tmp_path / f"{1:032x}" / file)
        found = journals(tmp_path)
        left = [1, 2] if file == "owner.json" else [2]  # nobody is known to write it, and all else is there
        assert [journal.id for journal in found] == [f"{n:032x}" for n in left]
        assert f"{file} is a named pipe; put a file itself in its place, or remove it" in found.problems[0]

    def test_a_file_beyond_the_limit_is_not_read(self, tmp_path: Path, started: Started) -> None:
        written(tmp_path / f"{1:032x}", [started])
        os.truncate(tmp_path / f"{1:032x}/journal.jsonl", 2**30 + 1)
        (problem,) = journals(tmp_path).problems
        assert "it has 1,073,741,825 bytes, and at most 1,073,741,824 are read" in problem


class TestUnsettled:
    @pytest.mark.parametrize("sent", [0, 9, 10, 11])
    def test_unsettled_are_those_that_no_store_has_all_of(self, folder: Path, events: list[Event], sent: int) -> None:
        journal = written(folder, events)
        assert [*unsettled(folder.parent)] == [journal]
        write_upload_state(folder, UploadState("run", "there", sent))
        assert [*unsettled(folder.parent)] == ([] if sent >= 10 else [read(folder)])

    def test_unsettled_are_those_that_did_not_end(self, folder: Path, events: list[Event]) -> None:
        written(folder, [*events, Resumed(10, 3)])
        write_upload_state(folder, UploadState("run", "there", 11))
        assert [journal.id for journal in unsettled(folder.parent)] == [folder.name]

    @pytest.mark.parametrize("tail", [b"\n", b"{}\n", b'{"entry":"res', bytes(4096), b"\xff\n"])
    def test_unsettled_are_not_those_that_a_store_has_with_something_torn_behind(
        self, folder: Path, events: list[Event], tail: bytes
    ) -> None:
        written(folder, events)
        with (folder / "journal.jsonl").open("ab") as file:
            file.write(tail)
        assert [journal.torn for journal in unsettled(folder.parent)] == [True]
        write_upload_state(folder, UploadState("run", "there", 10))
        assert not unsettled(folder.parent)

    def test_name_a_journal_that_cannot_be_read_among_the_problems(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").touch()
        found = unsettled(folder.parent)
        assert not found
        assert "is not whole" in found.problems[0]


class TestIsId:
    @pytest.mark.parametrize("text", ["", "a" * 31, "a" * 33, "A" * 32, "g" * 32, f"{'a' * 32}\n", "a" * 31 + "١"])
    def test_is_id_is_32_lower_case_hexadecimal_digits(self, text: str) -> None:
        assert is_id("0123456789abcdef" * 2)
        assert not is_id(text)


UPLOADED = UploadState("run", "file:///tmp/mlruns/1/run/artifacts", 7)


class TestReadUploadState:
    def test_read_upload_state_reads_what_was_written(self, tmp_path: Path) -> None:
        write_upload_state(tmp_path, UPLOADED)
        assert read_upload_state(tmp_path) == UPLOADED

    def test_read_upload_state_is_none_before_anything_was_sent(self, tmp_path: Path) -> None:
        assert read_upload_state(tmp_path) is None

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "null",
            '{"run_id": "a"}',
            '"\\',
            '{"run_id": "a", "artifacts": "b", "entries": -1}',
            '{"run_id": "a", "artifacts": "b", "entries": "7"}',
            '{"run_id": 1, "artifacts": "b", "entries": 7}',
            '{"run_id": "a", "artifacts": "b", "entries": true}',
            '{"run_id": "a", "artifacts": "b", "entries": 1' + "0" * 400 + "}",
            '{"run_id": "../a", "artifacts": "b", "entries": 7}',
            '{"run_id": "$(touch x)", "artifacts": "b", "entries": 7}',
            '{"run_id": "' + "a" * 5_000 + '", "artifacts": "b", "entries": 7}',
            '{"run_id": "\\ud800", "artifacts": "b", "entries": 7}',
            '{"run_id": "a", "artifacts": "b\\u0000", "entries": 7}',
            '{"more": ' + "[" * 100_000 + "]" * 100_000 + "}",
        ],
    )
    def test_read_upload_state_is_none_if_the_file_is_damaged(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "delivery.json").write_text(text)
        problems: list[str] = []
        assert read_upload_state(tmp_path, problems.append) is None
        (problem,) = problems
        assert problem.startswith(f"{tmp_path / 'delivery.json'} is damaged (")
        assert problem.isprintable()
        assert len(problem) < 1_000

    def test_read_upload_state_says_that_the_file_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "delivery.json").mkdir()
        with pytest.raises(JournalError, match=r"cannot read .*delivery\.json: Is a directory"):
            read_upload_state(tmp_path)
