"""Commands on runs that only their journals hold, without any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.processes import command
from tests.running import FULL, needs_full
from tracker.journal.writer import JournalWriter
from tracker.runs.events import Ended, EpochDone, Started
from tracker.store.location import locate
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from tests.running import Tracker
    from tracker.runs.events import Status

NOBODY = "http://127.0.0.1:9"
"""An address at which nothing answers: the port of a protocol that discards."""


def journalled(
    name: str,
    status: Status | None = None,
    *,
    epochs: int = 3,
    start: int = 1_700_000_000_000,
    uri: str | None = None,
    experiment: str = "tracker",
    metric: str = "val_accuracy",
) -> str:
    """Write the journal of a run in the working folder as `tracker run --offline` does, and return its id."""
    params = {"seed": "0", "epochs": "60", "kernel_size": "3", "learning_rate": "0.001", "model": "cnn"}
    store = locate(uri, Path.cwd()).uri
    begun = Started(start, store, experiment, name, metric, params, {"tracker.data": "demo"})
    folder = Path(".tracker").absolute() / uuid4().hex
    with JournalWriter.create(folder, begun) as writer:
        for epoch in range(1, epochs + 1):
            writer.append(EpochDone(start + 1_000 * epoch, epoch, {"val_loss": 1 / epoch, "val_accuracy": 0.5}))
        if status:
            writer.append(Ended(start + 1_000 * epochs + 1, status))
    return folder.name


class TestRuns:
    def test_has_runs_that_no_store_has(self, tracker: Tracker) -> None:
        done, cut = journalled("done", "FINISHED"), journalled("cut", start=1_700_000_100_000)
        result = tracker("runs", "--format", "json")
        found = json.loads(result.out)
        assert [(run["run_id"], run["status"]) for run in found] == [(done, "FINISHED"), (cut, "INTERRUPTED")]
        short = cut[:8]
        assert result.err == (
            f"run cut was interrupted: continue it with `tracker resume {short}` or close it with "
            f"`tracker close {short}`\n"
        )

    def test_runs_has_a_run_once_that_was_killed_before_its_journal_knew_that_the_store_has_it(
        self, tracker: Tracker
    ) -> None:
        cut = journalled("cut")
        assert tracker("sync").status == 0
        Path(".tracker", cut, "delivery.json").unlink()
        found = json.loads(tracker("runs", "--format", "json").out)
        assert [(run["run_id"], run["status"]) for run in found] == [(cut, "INTERRUPTED")]

    def test_a_run_is_neither_hidden_nor_overwritten_by_a_journal_that_claims_to_be_it(self, tracker: Tracker) -> None:
        journalled("first", "FINISHED")
        first = tracker("sync").out.strip()
        claims = [journalled(name, epochs=4, start=1_700_000_100_000 + n) for n, name in enumerate(("one", "two"))]
        for journal in claims:
            state = json.dumps({"run_id": first, "artifacts": "x", "entries": 1})
            Path(".tracker", journal, "delivery.json").write_text(state)
        result = tracker("runs", "--format", "json")
        assert [run["run_id"] for run in json.loads(result.out)] == [first, *claims]
        named = Path(".tracker", claims[0], "delivery.json").absolute()
        assert (
            f"warning: {named} names a run of the store that isn't this journal's: `tracker repair` uploads run one as "
            "a run of its own"
        ) in result.err.splitlines()
        sent = tracker("sync")
        assert (sent.status, sent.out) == (1, "")
        assert f"run {first} in {Path.cwd()}/mlflow.db wasn't uploaded from journal {claims[0]}, though" in sent.err
        repaired = tracker("repair")
        assert (repaired.status, len(repaired.out.split())) == (0, 2), repaired.err
        runs = {run.name: run for run in read_experiment(locate(None, Path.cwd()), "tracker").runs}
        assert {name: len(run.curves["val_loss"].values) for name, run in runs.items()} == {
            "first": 3,
            "one": 4,
            "two": 4,
        }
        assert runs["first"].run_id == first

    def test_runs_names_the_experiments_of_unsent_runs_where_the_one_asked_for_has_none(self, tracker: Tracker) -> None:
        journalled("done", "FINISHED")
        journalled("cut", experiment="it's")
        end = "; runs that were not uploaded yet: see --experiment "
        result = tracker("runs", "--experiment", "other")
        assert result.status == 1
        assert "mlflow.db does not exist: `tracker run`" in result.err
        assert result.err.endswith(f"""{end}"it's", 'tracker'\n""")
        assert tracker("sync").status == 0
        journalled("later", experiment="new")
        result = tracker("report", "--experiment", "other")
        assert result.status == 1
        assert result.err.endswith(f"""choose 'Default', "it's" or 'tracker' with --experiment{end}'new'\n""")

    def test_runs_warns_of_no_store_that_only_lacks_the_experiment(self, tracker: Tracker) -> None:
        journalled("done", "FINISHED", experiment="other")
        assert tracker("sync").status == 0
        journalled("cut")
        result = tracker("runs", "--format", "json")
        assert [run["name"] for run in json.loads(result.out)] == ["cut"]
        (line,) = result.err.splitlines()
        assert line.startswith("run cut was interrupted: ")

    def test_runs_warns_of_a_store_that_is_broken(self, tracker: Tracker) -> None:
        journalled("cut")
        Path("mlflow.db").write_bytes(b"no database" * 1_000)
        result = tracker("runs", "--format", "json")
        assert [run["name"] for run in json.loads(result.out)] == ["cut"]
        assert result.err.startswith("warning: ")
        assert "only runs that were not uploaded yet are shown" in result.err

    def test_ranks_unsent_runs_by_the_metric_that_the_store_will_have(self, tracker: Tracker) -> None:
        journalled("done", "FINISHED", metric="val_loss")
        (before,) = json.loads(tracker("runs", "--format", "json").out)
        assert before["metric"]["name"] == "val_loss"
        assert tracker("sync").status == 0
        (after,) = json.loads(tracker("runs", "--format", "json").out)
        assert before["metric"] == after["metric"]

    def test_runs_says_what_takes_on_a_run_that_may_go_on_elsewhere(self, tracker: Tracker) -> None:
        far = journalled("far")
        owner = {"host": "elsewhere", "pid": 7, "start": 1, "boot": None}
        Path(".tracker", far, "owner.json").write_text(json.dumps(owner))
        result = tracker("runs", "--format", "json")
        assert [run["status"] for run in json.loads(result.out)] == ["RUNNING"]
        short = far[:8]
        assert result.err == (
            "run far was started on elsewhere and may still be running there. If it isn't, continue it with "
            f"`tracker resume {short} --gone` or close it with `tracker close {short} --gone`\n"
        )
        assert tracker("runs", "--experiment", "other").err.count("elsewhere") == 0
        assert tracker("close", short, "--gone").status == 0

    def test_runs_says_once_that_a_journal_cannot_be_read(self, tracker: Tracker) -> None:
        broken = Path(".tracker", journalled("broken", "FINISHED"), "journal.jsonl")
        broken.write_bytes(b"torn" + broken.read_bytes())
        journalled("done", "FINISHED")
        assert tracker("sync").status == 1
        for experiment, status in (("tracker", 0), ("other", 1)):
            result = tracker("runs", "--experiment", experiment)
            assert result.status == status
            assert result.err.count("cannot read the journal") == 1

    def test_runs_shows_a_run_of_a_folder_that_was_moved(
        self, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journalled("done", "FINISHED")
        moved = Path.cwd().with_name("moved")
        Path.cwd().rename(moved)
        monkeypatch.chdir(moved)
        assert [run["name"] for run in json.loads(tracker("runs", "--format", "json").out)] == ["done"]


class TestSync:
    def test_sync_sends_each_run_once_with_its_times(self, tracker: Tracker) -> None:
        journalled("done", "FINISHED")
        journalled("cut", start=1_700_000_100_000)
        first = tracker("sync")
        done, cut = read_experiment(locate(None, Path.cwd()), "tracker").runs
        assert first.out.split() == [done.run_id, cut.run_id]
        assert (done.started, done.ended, done.status) == (1_700_000_000_000, 1_700_000_003_001, "FINISHED")
        assert "run cut was interrupted: continue it with `tracker resume" in first.err
        again = tracker("sync")
        assert (again.status, again.out, again.err) == (0, "", "Nothing to upload.\n")
        assert len(read_experiment(locate(None, Path.cwd()), "tracker").runs) == 2

    def test_sync_says_what_would_send_the_runs_of_another_store_and_sends_the_rest(self, tracker: Tracker) -> None:
        journalled("away", "FINISHED", uri=NOBODY)
        journalled("done", "FINISHED", start=1_700_000_100_000)
        result = tracker("sync")
        assert result.status == 0
        assert result.err == (
            f"run away is not sent: it is logged to {NOBODY}, not to {Path.cwd()}/mlflow.db; "
            f"`tracker sync --tracking-uri {NOBODY}` sends it there\n"
        )
        assert [run.name for run in read_experiment(locate(None, Path.cwd()), "tracker").runs] == ["done"]

    def test_sync_says_what_cannot_be_read_and_sends_the_rest(self, tracker: Tracker) -> None:
        broken = Path(".tracker").absolute() / journalled("broken", "FINISHED") / "journal.jsonl"
        journalled("done", "FINISHED", start=1_700_000_100_000)
        broken.write_bytes(b"torn" + broken.read_bytes())
        for sent in (["done"], []):
            result = tracker("sync")
            assert (result.status, len(result.out.split())) == (1, len(sent))
            (line,) = result.err.splitlines()
            assert line.startswith(
                f"tracker: cannot read the journal {broken}: its first line, which says what run it "
            )
        assert [run.name for run in read_experiment(locate(None, Path.cwd()), "tracker").runs] == ["done"]


class TestClose:
    def test_close_ends_a_run_as_killed_when_it_was_last_heard_of(self, tracker: Tracker) -> None:
        cut = journalled("cut")
        result = tracker("close", cut[:8])
        (run,) = read_experiment(locate(None, Path.cwd()), "tracker").runs
        assert (result.status, result.out.strip()) == (0, run.run_id)
        assert (run.status, run.ended, run.tags["tracker.reason"]) == (
            "KILLED",
            1_700_000_003_000,
            "its process was gone",
        )
        assert run.curves["val_loss"].values.tolist() == pytest.approx([1, 1 / 2, 1 / 3])

    def test_close_refuses_a_run_that_has_ended(self, tracker: Tracker) -> None:
        journalled("done", "FINISHED")
        result = tracker("close", "done")
        assert (result.status, result.err) == (1, "tracker: run done has already finished\n")

    def test_close_refuses_a_run_that_is_being_trained(self, tracker: Tracker) -> None:
        cut = journalled("cut")
        with JournalWriter.reopen(Path(".tracker").absolute() / cut):
            result = tracker("close", "cut")
        assert result.status == 1
        assert "run cut is still being trained by process" in result.err


class TestResume:
    def test_resume_refuses_a_run_that_there_is_not_and_names_those_there_are(self, tracker: Tracker) -> None:
        journalled("cut")
        result = tracker("resume", "uncut")
        assert result.status == 1
        assert "no run has the id or name 'uncut'; there are: " in result.err

    def test_resume_refuses_a_run_whose_plan_cannot_be_read(self, tracker: Tracker) -> None:
        journalled("cut")
        result = tracker("resume", "cut")
        assert result.status == 1
        assert result.err == "tracker: run cut cannot be resumed: the param batch_size is missing; train it again\n"


@needs_full
@pytest.mark.usefixtures("tracker")
@pytest.mark.xdist_group("processes")
class TestAStandardOutputThatTakesNothing:
    def refused(self, *words: str) -> None:
        """Call a command whose results nobody takes, and see that this is the last that it says."""
        with FULL.open("w") as full, command(words, stdout=full.fileno()) as process:
            _, err = process.communicate()
        assert process.returncode == 1
        assert "Traceback" not in err
        assert err.splitlines()[-1] == (
            "tracker: cannot write to standard output: No space left on device; check where it is redirected"
        )

    def stored(self) -> list[tuple[str, str]]:
        return [(run.name, run.status) for run in read_experiment(locate(None, Path.cwd()), "tracker").runs]

    def test_a_standard_output_that_takes_nothing_leaves_a_run_sent(self, tracker: Tracker) -> None:
        journalled("done", "FINISHED")
        self.refused("sync")
        assert self.stored() == [("done", "FINISHED")]
        assert tracker("sync").err == "Nothing to upload.\n"

    def test_a_standard_output_that_takes_nothing_leaves_a_run_closed(self) -> None:
        journalled("cut")
        self.refused("close", "cut")
        assert self.stored() == [("cut", "KILLED")]

    def test_a_standard_output_that_takes_nothing_leaves_a_store_mended_and_what_is_left_to_the_next_time(
        self, tracker: Tracker
    ) -> None:
        for number in range(2):
            journalled(f"run {number}", "FINISHED", start=1_700_000_000_000 + number)
        assert tracker("sync").status == 0
        Path("mlflow.db").unlink()
        self.refused("repair")
        assert self.stored() == [("run 0", "FINISHED")]
        assert tracker("repair").status == 0
        assert self.stored() == [("run 0", "FINISHED"), ("run 1", "FINISHED")]
