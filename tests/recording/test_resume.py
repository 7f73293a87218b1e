from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

import pytest

from tests.builders import write_tone
from tests.running import Collected
from tracker.data.splits import manifest_text
from tracker.errors import TrackerError
from tracker.journal.reader import Journal, read
from tracker.journal.writer import JournalWriter
from tracker.recording.reporter import SilentReporter
from tracker.recording.resume import changes, close_run, resume_run
from tracker.recording.run_writer import versions_text
from tracker.recording.train import Prepared, prepare
from tracker.runs import Configuration, RunPlan
from tracker.runs.events import Started
from tracker.store import store_at
from tracker.training.networks import Network, parse_options
from tracker.training.result import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAN = RunPlan(Configuration())


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest of ten clips in groups."""
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TRACKER_THREADS", raising=False)
    rows = ["path,label,group"]
    for number in range(10):
        write_tone(tmp_path / f"{number}.wav", 200 + 1_000 * (number % 2), seed=number)
        rows.append(f"{number}.wav,{['low', 'high'][number % 2]},g{number}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    return tmp_path / "labels.csv"


def now(labels: Path) -> Prepared:
    return prepare(labels, PLAN, SilentReporter())


def begun(
    labels: Path, versions: str | None = None, *, attached: bool = True, tags: Mapping[str, str] | None = None
) -> Journal:
    """Return the journal of a run that was begun with the data as they are."""
    prepared, folder = now(labels), labels.parent / ".tracker" / ("0" * 32)
    start = Started(1, "", "tracker", "a run", "val_accuracy", PLAN.params(), {**prepared.identity, **(tags or {})})
    with JournalWriter.create(folder, start) as writer:
        if attached:
            manifest = manifest_text(prepared.dataset, prepared.split, PLAN.split)
            writer.attach_bytes("dataset.csv", manifest.encode())
            writer.attach_bytes("environment.txt", (versions or versions_text(environment("cnn"))).encode())
    return read(folder)


def edit(labels: Path, old: str, new: str) -> None:
    labels.write_text(labels.read_text().replace(old, new))


class TestOtherStores:
    def kept(self, uri: str) -> Journal:
        folder = Path(".tracker").absolute() / ("0" * 32)
        start = Started(1, uri, "tracker", "a run", "val_accuracy", PLAN.params(), {"tracker.data": "demo"})
        JournalWriter.create(folder, start).close()
        (folder / "owner.json").write_text(json.dumps({"host": gethostname(), "pid": 1 << 30, "start": 1}))
        return read(folder)

    def test_resume_contacts_no_store_that_only_the_journal_names(self, work: Path) -> None:
        self.kept("http://me:s3cret@there:5000")
        with pytest.raises(TrackerError) as error:
            resume_run("a run", store_at(None, work), SilentReporter())
        assert str(error.value) == (
            f"run a run is logged to http://there:5000, not to {work}/mlflow.db: to continue it there, type "
            "`tracker resume 00000000 --tracking-uri http://there:5000`"
        )

    def test_close_ends_a_run_of_another_store_and_says_what_uploads_it(self, work: Path) -> None:
        journal, reporter = self.kept("http://127.0.0.1:9"), Collected()
        assert close_run("a run", store_at(None, work), reporter) == journal.id
        assert read(journal.folder).status == "KILLED"
        (warning,) = reporter.warnings
        assert warning == (
            "run a run is closed, but not uploaded: it is logged to http://127.0.0.1:9; upload it with "
            "`tracker sync --tracking-uri http://127.0.0.1:9`"
        )


class TestWrongJournals:
    """What a journal says was asked for is read as the command line is."""

    @pytest.mark.parametrize(
        ("params", "tags", "reason"),
        [
            ({"hop_length": "0"}, {}, "the hop must be 1 to 131,072, got 0"),
            ({"n_fft": "0"}, {}, "the window length must be 16 to 131,072, got 0"),
            ({"n_mels": "-1"}, {}, "the number of mel bands must be 1 to 4,096, got -1"),
            ({"sr": "9" * 30}, {}, "the sampling rate must be 1,000 to 384,000, got a number of about 30 digits"),
            ({"epochs": "9" * 5_000}, {}, "the param epochs cannot be read"),
            ({"learning_rate": "nan"}, {}, "learning rate|learning_rate"),
            ({"model": "x/" * 2_500 + "net.py"}, {}, "File name too long"),
            ({"model": "net.py\0"}, {}, "model"),
            ({}, {"tracker.data": "x" * 5_000}, "File name too long"),
            ({}, {"tracker.data": "a\0b"}, "there is no folder or manifest"),
            ({}, {"tracker.data": None}, "was logged by a script with tracker.start_run"),
        ],
    )  # fmt: skip
    def test_resume_refuses_what_no_run_can_be_asked_for_in_one_line(
        self, work: Path, params: Mapping[str, str], tags: Mapping[str, str | None], reason: str
    ) -> None:
        store = store_at(None, work)
        plan = RunPlan(Configuration(options=parse_options("cnn", {"dropout": "0.3", "width": "8"}).options))
        asked = {name: text for name, text in ({"tracker.data": "demo"} | tags).items() if text is not None}
        start = Started(1, store.uri, "tracker", "a run", "val_accuracy", plan.params() | params, asked)
        JournalWriter.create(work / ".tracker" / ("0" * 32), start).close()
        with pytest.raises(TrackerError, match=reason) as error:
            resume_run("a run", store, SilentReporter())
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 1_000


SOURCE = "def build(input_shape, n_classes, *, kernel_size: int = 3): ...\n"


@pytest.mark.usefixtures("work")
class TestNetworks:
    def halted(self, model: str, digest: str | None = None) -> Journal:
        folder = Path(".tracker").absolute() / ("0" * 32)
        tags = {"tracker.data": "demo"} | ({} if digest is None else {"tracker.code": digest})
        start = Started(1, "", "tracker", "a run", "val_accuracy", {**PLAN.params(), "model": model}, tags)
        with JournalWriter.create(folder, start) as writer:
            writer.attach_bytes("network.py", SOURCE.encode())
        (folder / "owner.json").write_text(json.dumps({"host": gethostname(), "pid": 1 << 30, "start": 1}))
        return read(folder)

    def refusal(self, model: str | None = None) -> str:
        with pytest.raises(TrackerError) as error:
            resume_run("a run", store_at(None, Path.cwd()), SilentReporter(), model=model)
        return str(error.value)

    @pytest.mark.parametrize(
        "model",
        [
            "{outside}/net.py",
            "../net.py",
            "models/link.py",
            "link",
            "folder/net.py",
            ".tracker/{id}/artifacts/network.py",
            "mlruns/tracker/{id}/artifacts/network.py",
        ],
    )
    def test_resume_runs_no_code_that_only_a_journal_names(self, work: Path, model: str) -> None:
        outside, kept = work.parent, work / "mlruns/tracker" / ("0" * 32) / "artifacts"
        kept.mkdir(parents=True)
        (work / "models").mkdir()
        for file in (outside / "net.py", kept / "network.py"):
            file.write_text(SOURCE)
        (work / "models/link.py").symlink_to(outside / "net.py")
        (work / "folder").symlink_to(outside)
        model = model.format(outside=outside, id="0" * 32)
        self.halted(model, Network("", outside / "net.py", {"net.py": SOURCE.encode()}).digest)
        message = self.refusal()
        assert f"isn't one of the project's own files in {work}, and code from elsewhere is only run if you" in message
        assert "read it, then type `tracker resume 00000000 --model " in message

    def test_resume_reads_no_code_elsewhere_that_a_network_of_the_project_imports(self, work: Path) -> None:
        (work / "net.py").write_text(f"from . import parts\n{SOURCE}")
        (work.parent / "parts.py").write_text("a secret")
        (work / "parts.py").symlink_to(work.parent / "parts.py")
        self.halted("net.py", "0" * 16)
        message = self.refusal()
        assert message.startswith(f"run a run cannot be resumed: {work}/parts.py isn't one of the project's own files")
        assert message.endswith(f"read it, then type `tracker resume 00000000 --model {work}/net.py`")

    @pytest.mark.parametrize("is_given", [False, True])
    def test_resume_refuses_a_network_whose_digest_was_not_logged(self, work: Path, is_given: bool) -> None:
        (work / "net.py").write_text(SOURCE)
        self.halted("net.py")
        assert self.refusal("net.py" if is_given else None).endswith(
            "because it logged no digest of its network's code, and {} may be another: train again with "
            "`tracker run --model PATH`".format("net.py" if is_given else work / "net.py")
        )

    @pytest.mark.parametrize("is_given", [False, True])
    def test_resume_refuses_a_network_of_another_digest_before_its_source_is_parsed(
        self, work: Path, is_given: bool
    ) -> None:
        (work / "net.py").write_text("a secret")
        self.halted("net.py", "0" * 16)
        message = self.refusal("net.py" if is_given else None)
        assert "because this has changed: the code in " in message
        assert message.endswith("net.py; restore it, or train again with `tracker run`")

    def test_resume_takes_a_network_of_a_user_that_is_not_there_for_missing(self) -> None:
        self.halted("~nobody-of-that-name/net.py", "0" * 16)
        assert "cannot be resumed: model file ~nobody-of-that-name/net.py does not exist" in self.refusal()


class TestChanges:
    def test_changes_are_none_where_all_is_as_it_was(self, labels: Path) -> None:
        assert changes(begun(labels), PLAN, now(labels)) == []

    def test_name_the_clips_that_are_gone_new_or_told_otherwise(self, labels: Path) -> None:
        journal = begun(labels)
        (labels.parent / "3.wav").rename(labels.parent / "x,y.wav")
        edit(labels, "3.wav,high,g3", '"x,y.wav",high,g3')
        edit(labels, "4.wav,low", "4.wav,high")
        edit(labels, "5.wav,high,g5", "5.wav,high,g4")
        data, split = changes(journal, PLAN, now(labels))
        assert data == "the data (1 gone: 3.wav, 1 new: x,y.wav, 2 with another label or group: 4.wav, 5.wav)"
        assert split == "the split"

    def test_changes_say_that_it_is_the_files_where_no_clip_is(self, labels: Path) -> None:
        journal = begun(labels)
        write_tone(labels.parent / "3.wav", 700)
        assert changes(journal, PLAN, now(labels)) == ["the data (the content of the files)"]

    def test_changes_take_a_damaged_manifest_for_what_is_left_of_it(self, labels: Path) -> None:
        journal = begun(labels)
        manifest = journal.folder / "artifacts/dataset.csv"
        manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:9]) + "\n9.w")
        write_tone(labels.parent / "3.wav", 700)
        assert changes(journal, PLAN, now(labels)) == ["the data (1 gone: 9.w, 2 new: 8.wav, 9.wav)"]

    def test_name_the_data_alone_where_it_was_killed_before_it_noted_more(self, labels: Path) -> None:
        journal = begun(labels, attached=False)
        write_tone(labels.parent / "3.wav", 700)
        assert changes(journal, PLAN, now(labels)) == ["the data"]

    def test_name_a_split_that_is_another(self, labels: Path) -> None:
        journal, prepared = begun(labels), now(labels)
        assert changes(journal, PLAN, replace(prepared, identity={**prepared.identity, "tracker.split": "else"})) == [
            "the split"
        ]

    def test_name_versions_threads_and_code(self, labels: Path) -> None:
        noted = (
            versions_text(environment("cnn"))
            .replace("threads 1\n", "threads 2\n")
            .replace("models/cnn.py ", "models/cnn.py 0")
        )
        assert changes(begun(labels, noted), PLAN, now(labels)) == [
            "threads 2 then, 1 now",
            "the code in models/cnn.py",
        ]

    def test_name_another_version_of_tracker_where_it_was_killed_before_it_noted_more(self, labels: Path) -> None:
        journal, prepared = begun(labels, attached=False, tags={"tracker.version": "0.0"}), now(labels)
        assert changes(journal, PLAN, prepared) == [f"tracker 0.0 then, {prepared.identity['tracker.version']} now"]

    def test_changes_are_not_of_code_where_an_older_version_noted_none(self, labels: Path) -> None:
        noted = "".join(line for line in versions_text(environment("cnn")).splitlines(keepends=True) if "/" not in line)
        assert changes(begun(labels, noted), PLAN, now(labels)) == []

    def test_changes_are_not_of_the_machine(self, labels: Path) -> None:
        noted = versions_text(environment("cnn") | {"processor": "another one", "cores": "3", "memory": "1 GiB"})
        assert changes(begun(labels, noted), PLAN, now(labels)) == []
