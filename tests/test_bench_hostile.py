"""The proof that strangers do no harm must be able to fail: each harm is done once, and must be seen."""

from __future__ import annotations

import base64
import socket
import sqlite3
import sys
import urllib.request
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

import tracker.store
from bench.hostile import lines
from bench.hostile.case import REPORT, RUNS, Case
from bench.hostile.checks import (
    CREDENTIALS,
    INJECTED,
    PASSWORD,
    TOKEN,
    USER,
    Evidence,
    Finding,
    Harm,
    digests,
    files_with_secrets,
    findings,
)
from bench.hostile.commands import Outcome, plain_environment, run
from bench.hostile.document import failures, section
from bench.hostile.kinds import KINDS, all_cases
from bench.hostile.place import CANARY, PLACES, Base, Place
from bench.hostile.strangers import Lie, Request, other_host, tracking_server
from bench.hostile.trial import Trial, attempt
from bench.sections import with_section, write_section
from tracker.journal.format import from_lines

CASE = Case("projects/odd", (RUNS,), keeps=("first", "second", "waiting"))
LISTED = '[{"name": "first"}, {"name": "second"}, {"name": "waiting"}]'
WELL = Outcome(RUNS, 0, LISTED, "")
NOTHING = Evidence((WELL,), {}, {}, {}, (), (), ())


def harms(*outcomes: Outcome, case: Case = CASE) -> set[Harm]:
    return {finding.harm for finding in findings(case, replace(NOTHING, outcomes=outcomes))}


def _read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 -- of this machine
        return bytes(answer.read())


class TestHarmlessCommands:
    def test_a_listing_of_all_runs_does_no_harm(self) -> None:
        assert not findings(CASE, NOTHING)

    @pytest.mark.parametrize("status", [1, 2])
    def test_an_error_in_one_line_does_no_harm(self, status: int) -> None:
        assert not harms(Outcome(("sync",), status, "", "tracker: no server answers\n"))

    def test_accents_dashes_and_tabs_do_no_harm(self) -> None:
        assert not harms(Outcome(("next",), 0, "é – ×\t日本\n", ""))

    def test_a_quoted_suggestion_does_no_harm(self) -> None:
        assert not harms(Outcome(("runs",), 0, "", f"continue it with `tracker resume '$(touch {INJECTED})'`"))


class TestFilesOutside:
    def test_a_changed_a_new_and_a_lost_file_are_seen(self) -> None:
        evidence = replace(NOTHING, before={"a": "1", "b": "1", "c": "1"}, after={"a": "1", "b": "2", "d": "1"})
        assert findings(CASE, evidence) == (
            Finding(Harm.CHANGED, "b has changed"),
            Finding(Harm.CHANGED, "c is gone"),
            Finding(Harm.CHANGED, "d is new"),
        )

    @pytest.mark.parametrize("change", ["content", "mode", "link", "kind", "removed", "added"])
    def test_digests_tell_every_change_of_a_decoy(self, change: str, tmp_path: Path) -> None:
        decoy, other = tmp_path / "home" / ".bashrc", tmp_path / "home" / "link"
        decoy.parent.mkdir()
        decoy.write_text("alias")
        other.symlink_to("a")
        before = digests([tmp_path / "home"], tmp_path)
        match change:
            case "content":
                decoy.write_text("evil!")
            case "mode":
                decoy.chmod(0o777)
            case "link":
                other.unlink()
                other.symlink_to("b")
            case "kind":
                decoy.unlink()
                decoy.mkdir()
            case "removed":
                decoy.unlink()
            case "added":
                (tmp_path / "home" / "new").touch()
        assert digests([tmp_path / "home"], tmp_path) != before

    def test_digests_leave_out_caches_of_libraries(self, tmp_path: Path) -> None:
        (tmp_path / "home" / ".cache").mkdir(parents=True)
        before = digests([tmp_path / "home"], tmp_path, ("home/.cache",))
        (tmp_path / "home" / ".cache" / "fonts").touch()
        assert digests([tmp_path / "home"], tmp_path, ("home/.cache",)) == before


class TestOutsideContent:
    @pytest.mark.parametrize("shift", range(3))
    def test_files_that_hold_the_canary_are_found_also_in_base64(self, shift: int, tmp_path: Path) -> None:
        (tmp_path / "plain").write_text(f"key: {CANARY}\n")
        (tmp_path / "coded").write_bytes(base64.b64encode(b"x" * shift + CANARY.encode() + b"\n\n"))
        (tmp_path / "link").symlink_to("plain")
        assert files_with_secrets([tmp_path], tmp_path).keys() == {"plain", "coded"}

    def test_a_file_with_the_canary_is_seen(self) -> None:
        evidence = replace(NOTHING, secrets={"project/mlruns/id_rsa": frozenset({CANARY})})
        assert [finding.harm for finding in findings(CASE, evidence)] == [Harm.READ]

    def test_the_canary_on_a_terminal_is_seen(self) -> None:
        assert harms(replace(WELL, err=f"got {CANARY!r}")) == {Harm.READ}

    def test_the_canary_sent_to_the_own_server_is_seen(self) -> None:
        evidence = replace(NOTHING, server=(Request("PUT /x HTTP/1.1", "", CANARY.encode()),))
        assert [finding.harm for finding in findings(CASE, evidence)] == [Harm.READ]


class TestOtherHosts:
    def test_the_other_host_writes_down_what_it_is_sent(self) -> None:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        with other_host() as other:
            request = urllib.request.Request(f"{other.uri}/x", b"body", {"Authorization": f"Basic {login}"})  # noqa: S310 -- of this machine
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 -- of this machine
        found = findings(CASE, replace(NOTHING, other=tuple(other.requests)))
        assert {finding.harm for finding in found} == {Harm.SENT, Harm.CREDENTIALS}

    def test_a_server_lies_where_it_is_told_to(self) -> None:
        with tracking_server(Lie("health", lambda exchange: exchange.json(["lie"])), "", "") as server:
            answers = [_read(f"{server.uri}{path}") for path in ("/health", "/version")]
        assert answers == [b'["lie"]', b"3.17.2"]
        assert [request.line for request in server.requests] == ["GET /health HTTP/1.1", "GET /version HTTP/1.1"]


class TestCredentials:
    @pytest.mark.parametrize("secret", [TOKEN, PASSWORD])
    def test_a_printed_credential_is_seen(self, secret: str) -> None:
        assert harms(replace(WELL, err=f"401: {secret}")) == {Harm.CREDENTIALS}

    def test_the_environment_has_those_that_are_looked_for(self) -> None:
        assert {TOKEN, PASSWORD} < set(CREDENTIALS.values())

    def test_a_written_credential_is_seen(self, tmp_path: Path) -> None:
        (tmp_path / "journal.jsonl").write_text(f"http://somebody:{PASSWORD}@host")
        secrets = files_with_secrets([tmp_path], tmp_path)
        assert {finding.harm for finding in findings(CASE, replace(NOTHING, secrets=secrets))} == {Harm.CREDENTIALS}


class TestCommandsThatFail:
    def test_a_traceback_is_seen_and_named(self) -> None:
        said = 'Traceback (most recent call last):\n  File "x", line 1\nValueError: no number\n'
        found = findings(CASE, replace(NOTHING, outcomes=(Outcome(("sync",), 1, "", said),)))
        assert found == (Finding(Harm.TRACEBACK, "`tracker sync`: ValueError: no number"),)

    def test_a_traceback_in_a_thread_is_seen(self) -> None:
        assert harms(replace(WELL, err="Exception in thread uploader:\nKeyError: 'run'")) == {Harm.TRACEBACK}

    def test_a_command_that_was_killed_is_a_hang(self) -> None:
        assert harms(Outcome(("sync",), -9, "", "", 20.1, hung=True)) == {Harm.HANG}

    def test_a_command_is_killed_once_its_time_is_over(self, tmp_path: Path) -> None:
        outcome = run(("--help",), tmp_path, plain_environment(tmp_path), tmp_path, prelude="sleep 30;", limit_s=0.2)
        assert outcome.hung
        assert outcome.seconds < 10

    @pytest.mark.parametrize(("status", "message"), [(-11, ""), (70, "what?"), (1, " \n")])
    def test_a_crash_another_status_and_a_silent_failure_are_seen(self, status: int, message: str) -> None:
        assert harms(Outcome(("sync",), status, "", message)) == {Harm.STATUS}

    def test_an_error_is_seen_where_nothing_is_wrong(self) -> None:
        refused = Outcome(("sync",), 1, "", "tracker: no")
        assert not harms(refused)
        assert harms(refused, case=replace(CASE, succeeds=True)) == {Harm.STATUS}


class TestOtherRuns:
    def test_a_run_that_is_not_listed_is_lost(self) -> None:
        assert harms(replace(WELL, out='[{"name": "first"}, {"name": "second"}]')) == {Harm.LOST}

    def test_all_are_lost_if_there_is_no_listing(self) -> None:
        assert harms(Outcome(RUNS, 1, "", "tracker: broken")) == {Harm.LOST}

    def test_a_report_needs_only_the_runs_of_the_store(self) -> None:
        assert not harms(Outcome(REPORT, 0, '{"runs": [{"name": "first"}, {"name": "second"}]}', ""))
        assert harms(Outcome(REPORT, 0, '{"runs": [{"name": "first"}]}', "")) == {Harm.LOST}

    def test_a_journal_that_is_not_what_it_was_is_lost(self) -> None:
        assert {finding.harm for finding in findings(CASE, replace(NOTHING, missing=("waiting",)))} == {Harm.LOST}


class TestTerminal:
    @pytest.mark.parametrize("sign", ["\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2067", "\x00"])
    def test_signs_that_steer_a_terminal_are_seen(self, sign: str) -> None:
        assert harms(replace(WELL, err=f"run a{sign}b")) == {Harm.ESCAPE}

    def test_returns_of_a_terminal_are_its_own(self) -> None:
        assert not harms(Outcome(("runs",), 0, "a\rb", ""), case=replace(CASE, terminal=True))

    def test_markup_that_vanishes_is_seen(self) -> None:
        case = replace(CASE, shows=("[bold]loud",))
        assert harms(replace(WELL, err="loud"), case=case) == {Harm.ESCAPE}
        assert not harms(replace(WELL, err="[bold]loud"), case=case)

    def test_a_suggestion_that_runs_something_else_is_seen(self) -> None:
        suggested = f"continue it with `tracker resume $(touch {INJECTED})`"
        assert harms(Outcome(("runs",), 0, "", suggested)) == {Harm.ESCAPE}
        assert harms(Outcome(("next",), 0, f"tracker run --name x; touch {INJECTED}\n", "")) == {Harm.ESCAPE}

    def test_an_error_as_long_as_a_book_is_seen(self) -> None:
        assert harms(Outcome(("sync",), 1, "", "x" * 10_000)) == {Harm.ESCAPE}


class TestAttempt:
    """Whole attempts at a project of one run, with commands that do harm before they do what they are for."""

    SABOTAGE: ClassVar = {
        "nothing": ("", set()),
        "a changed decoy": ("echo evil >> '<root>/home/.bashrc';", {Harm.CHANGED}),
        "a new file in a home": ("touch '<root>/home/.ssh/authorized_keys';", {Harm.CHANGED}),
        "another project changed": ("rm '<root>/victim/mlflow.db';", {Harm.CHANGED}),
        "a key copied into the project": ("cat '<root>/home/.ssh/id_rsa' > copy;", {Harm.READ}),
        "a key printed": ("cat '<root>/home/.ssh/id_rsa';", {Harm.READ}),
        "a written password": ('echo "$MLFLOW_TRACKING_PASSWORD" > "$TMPDIR/x";', {Harm.CREDENTIALS}),
        "a lost journal": ("rm .tracker/*a0/journal.jsonl;", {Harm.LOST}),
        "a title set": ("printf '\\033]0;x\\007';", {Harm.ESCAPE}),
        "a crash": ("kill -SEGV $$;", {Harm.STATUS}),
    }

    @pytest.fixture
    def base(self, tmp_path: Path) -> Base:
        folder = tmp_path / "base"
        journal = folder / ".tracker" / f"{0xA0:032x}" / "journal.jsonl"
        journal.parent.mkdir(parents=True)
        journal.write_bytes(lines.line({"entry": "tagged", "line": 1, "tags": {}}))
        with closing(sqlite3.connect(folder / "mlflow.db")) as store:
            for table, column in PLACES:
                store.execute(f"CREATE TABLE {table} ({column})")
        return Base(folder, "/as/written", {"first": "e" * 32})

    @pytest.mark.parametrize("what", SABOTAGE)
    def test_each_sabotage_is_seen(self, what: str, base: Base, tmp_path: Path) -> None:
        prelude, seen = self.SABOTAGE[what]
        trial = attempt(Case("projects/odd", (("--help",),), prelude=prelude), base, tmp_path)
        assert {finding.harm for finding in trial.findings} == seen

    def test_a_request_to_the_other_host_is_seen(self, base: Base, tmp_path: Path) -> None:
        fetch = "import urllib.request; urllib.request.urlopen('<other>/x')"
        case = Case("projects/odd", (("--help",),), prelude=f'{sys.executable} -c "{fetch}";')
        assert {finding.harm for finding in attempt(case, base, tmp_path).findings} == {Harm.SENT}

    def test_what_a_case_itself_puts_there_is_no_harm(self, base: Base, tmp_path: Path) -> None:
        def prepare(place: Place) -> None:
            (place.project / "journal").write_text(f"http://somebody:{PASSWORD}@host")
            (place.home / "notes").write_text(place.key.read_text())

        assert not attempt(Case("projects/odd", (("--help",),), prepare), base, tmp_path).findings


class TestPlaces:
    def test_all_folders_that_a_store_names_are_those_of_the_copy(self) -> None:
        schema = Path(tracker.store.__file__).with_name("schema.sql").read_text(encoding="utf-8")
        with closing(sqlite3.connect(":memory:")) as store:
            store.executescript(schema)
            columns = """SELECT tables.name, columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name)
                AS columns WHERE tables.type = 'table' AND columns.name IN ('artifact_location', 'artifact_uri')"""
            assert sorted(store.execute(columns)) == sorted(PLACES)


class TestLines:
    def test_a_line_has_a_right_checksum_whatever_it_says(self) -> None:
        event = {"entry": "tagged", "line": 1, "version": 1, "tags": {"a": "b"}}
        assert from_lines(lines.line(event)).size
        assert from_lines(lines.line(event).replace(b'"b"', b'"c"')).size == 0


class TestCases:
    def test_there_are_hundreds_of_every_kind_and_the_same_each_time(self) -> None:
        cases = all_cases(0)
        assert len(cases) >= 400
        assert {case.kind for case in cases} == {kind.__name__ for kind in KINDS}
        assert [case.name for case in cases] == [case.name for case in all_cases(0)]

    def test_the_short_form_has_some_of_every_kind(self) -> None:
        assert {case.kind for case in all_cases(0) if case.short} == {kind.__name__ for kind in KINDS}


class TestDocument:
    def test_the_table_counts_harms_by_kind_and_the_failures_name_the_case(self) -> None:
        found = (Finding(Harm.SENT, "GET /x"), Finding(Harm.SENT, "GET /y"))
        trials = [Trial(CASE, 3, found, (WELL,), 1.0), Trial(replace(CASE, name="stores/odd"), 1, (), (WELL,), 1.0)]
        page = section(trials, [], 7)
        assert "| projects | 1 | 3 | 0 | 0 | 2 | 0 | 0 | 0 | 0 | 0 | 0 |" in page
        assert "| **all** | 2 | 4 | 0 | 0 | 2 | 0 | 0 | 0 | 0 | 0 | 0 |" in page
        assert "- projects/odd: requests to other hosts: GET /x; requests to other hosts: GET /y" in failures(trials)
        assert "stores/odd" not in failures(trials)

    def test_what_was_not_tried_is_said(self) -> None:
        assert "- projects/odd: nobody else" in section([], [replace(CASE, skipped="nobody else")], 0)


class TestSections:
    def test_a_section_is_replaced_and_the_others_stay(self) -> None:
        page = "# One\n\nfirst\n\n# Two\n\n    # a comment\n\n# Three\n\nthird\n"
        assert with_section(page, "# Two\n\nnew\n") == "# One\n\nfirst\n\n# Two\n\nnew\n\n# Three\n\nthird\n"

    def test_a_new_section_comes_last_and_a_new_page_has_it_alone(self, tmp_path: Path) -> None:
        for section_text in ("# One\n\na\n", "# Two\n\nb\n", "# One\n\nc\n"):
            write_section(tmp_path / "page.md", section_text)
        assert (tmp_path / "page.md").read_text() == "# One\n\nc\n\n# Two\n\nb\n"


def test_a_port_of_this_machine_can_be_the_other_host() -> None:
    with other_host() as other, socket.create_connection(("127.0.0.1", int(other.uri.rpartition(":")[2])), 10):
        assert not other.requests
