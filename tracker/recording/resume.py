"""Interrupted runs: continued after their last finished epoch, or ended as they are."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.atomic_files import disk_errors
from tracker.contained_files import LARGEST_ARTIFACT, read_file
from tracker.data.splits import manifest_text
from tracker.errors import DataError, JournalError, TrackerError
from tracker.journal.process_lock import resuming
from tracker.journal.reader import ARTIFACTS, journals, read
from tracker.journal.writer import JournalWriter
from tracker.recording.run_writer import ENVIRONMENT, RunWriter
from tracker.recording.stores import (
    LogTarget,
    command_on,
    journals_folder,
    model_path,
    moved_data,
    store_of,
    unread_data,
)
from tracker.recording.train import CHECKPOINTS, CODE_TAG, KEEP_GOING_TAG, Recorder, prepare
from tracker.recording.uploader import send
from tracker.runs import RunPlan, RunStatus, is_resumable, plan_of
from tracker.runs.events import Ended
from tracker.runs.facts import MACHINE, is_sweep
from tracker.runs.logged import SHORT_ID, find_run
from tracker.store import DATASET, note_of
from tracker.training.checkpoint import finished_epochs
from tracker.training.networks import (
    USER_FOLDER,
    ForbiddenSourceError,
    expanded,
    find_network,
    is_built_in,
    is_path,
    parse_options,
)
from tracker.training.pretrained import prepare_weights
from tracker.training.result import differences, environment
from tracker.wording import some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.journal.reader import Journal
    from tracker.recording.reporter import Reporter
    from tracker.recording.train import Prepared
    from tracker.store import Store


class NotResumableError(TrackerError):
    """A run can't be continued any more: what decides its result has changed, or isn't known."""


class BusyRunError(TrackerError):
    """A run is trained, or about to be, by another process."""


def resume_run(
    run: str,
    store: Store,
    reporter: Reporter,
    *,
    data: Path | None = None,
    model: str | None = None,
    offline: bool = False,
    gone: bool = False,
) -> str:
    """Continue an interrupted run after its last finished epoch, to the same end, and return its id.

    The arguments are those of `tracker.resume`; the run's journal lies beside the store, and must name it: what a
    journal names isn't contacted or run unless the user gives it, or it is the project's own network, unchanged.
    """
    found = _find(run, store, reporter)
    if (other := store_of(found)).uri != store.uri:
        remedy = command_on(other, found.folder.parent.parent, "resume", found.id[:SHORT_ID])
        raise TrackerError(
            f"run {found.name} is logged to {other.shown}, not to {store.shown}: to continue it there, type `{remedy}`"
        )
    with resuming(found.folder) as is_ours:
        if not is_ours:
            raise BusyRunError(f"run {found.name} is being resumed by another process: wait until it ends")
        journal = read(found.folder)  # another process may have ended it meanwhile
        if journal.status is RunStatus.FINISHED:
            raise TrackerError(f"run {journal.name} has finished: there is nothing to continue")
        refuse_alive(journal, gone=gone)
        if not is_resumable(journal.started.tags):
            if is_sweep(journal.started.tags):
                raise TrackerError(f"{journal.name} is a sweep: the command that began it continues it")
            raise TrackerError(
                f"run {journal.name} was logged by a script with tracker.start_run: run the script again, and "
                f"end this run with `{command_on(store, journal.folder.parent.parent, 'close', journal.id[:SHORT_ID])}`"
            )
        return _continue(journal, LogTarget(store, journal.started.experiment, offline), data, model, reporter)


def close_run(run: str, store: Store, reporter: Reporter, *, gone: bool = False) -> str:
    """End a run whose process is gone as KILLED, with the epochs that it has, and return its id.

    It is uploaded if it is logged to this store.
    """
    journal = _find(run, store, reporter)
    refuse_alive(journal, gone=gone)
    with JournalWriter.reopen(journal.folder) as writer:
        journal = read(journal.folder)  # another process may have resumed it meanwhile
        if journal.ended:
            how = "finished" if journal.status is RunStatus.FINISHED else f"ended ({journal.status})"
            raise TrackerError(f"run {journal.name} has already {how}")
        writer.append(ended_as_it_is(journal, "its process was gone"))
    return send_change(journal, "closed", store, reporter)


def ended_as_it_is(journal: Journal, reason: str) -> Ended:
    """Return the end of a run that has none, at the time of the last that is known of it."""
    last = max(getattr(event, "time", 0) for event in journal.events)  # ms
    return Ended(last, RunStatus.KILLED, reason)


def send_change(journal: Journal, change: str, store: Store, reporter: Reporter) -> str:
    """Send what was added to a journal, and return the run's id; warn of a store that doesn't take it now.

    `change` says what the run is now: closed, renamed.
    """
    remedy = "upload it with `tracker sync`"
    try:
        other = store_of(journal)
        remedy = f"upload it with `{command_on(other, journal.folder.parent.parent, 'sync')}`"
        if other.uri != store.uri:
            reporter.warn(f"run {journal.name} is {change}, but not uploaded: it is logged to {other.shown}; {remedy}")
            return journal.id
        delivery = send(store, journal.folder)
    except TrackerError as error:
        delivery = None
        reporter.warn(f"run {journal.name} is {change}, but not uploaded: {error}; {remedy}")
    return delivery.run_id if delivery else journal.id


def _find(run: str, store: Store, reporter: Reporter) -> Journal:
    found = journals(journals_folder(store)).where(lambda journal: not journal.is_deleted)
    for problem in found.problems:
        reporter.warn(problem)
    try:
        return find_run(found, run)
    except TrackerError as error:
        if found:
            raise
        raise TrackerError(
            f"{error} in {journals_folder(store)}; change to the folder that it was started in, or give its store with "
            "--tracking-uri"
        ) from error


def refuse_alive(journal: Journal, *, gone: bool = False) -> None:
    """Refuse a run that another process is training, or may be."""
    name = f"run {journal.name}"
    if journal.status is RunStatus.RUNNING:
        owner = f" by process {journal.owner.pid} on {journal.owner.host}" if journal.owner else ""
        raise BusyRunError(f"{name} is still being trained{owner}: wait until it ends")
    if journal.status is RunStatus.UNKNOWN and journal.owner and not gone:
        raise TrackerError(
            f"{name} was started by process {journal.owner.pid} on {journal.owner.host} and may still be running "
            "there; if it isn't, add --gone"
        )


def _continue(journal: Journal, target: LogTarget, data: Path | None, model: str | None, reporter: Reporter) -> str:
    start, folder = journal.started, journal.folder.parent.parent
    try:
        plan = _plan(journal, target.store, model)
        place, data_plan = moved_data(start.tags["tracker.data"], folder, plan.data, data)
    except (OSError, ValueError) as error:  # a journal may name a path that no system has
        reason = getattr(error, "strerror", None) or str(error)[:500]
        raise NotResumableError(f"run {start.name} cannot be resumed: {reason}; train it again") from error
    target.store.check_usable()
    prepare_weights(plan.configuration.model, None, reporter.log)
    try:
        prepared = prepare(place, replace(plan, data=data_plan), reporter)
    except DataError as error:
        raise DataError(unread_data(error, place, plan.data, data)) from error
    changed = changes(journal, plan, prepared)
    if changed:
        raise _changed_error(journal, changed)
    _log_start(journal, reporter)
    writer = RunWriter(target, start.name, note_of(start), reporter, journal.folder)
    keep_going = KEEP_GOING_TAG in start.tags
    recorder = Recorder(writer, plan, prepared, start.tags["tracker.data"], None, keep_going, journal)
    return recorder.train(reporter)


def _changed_error(journal: Journal, changed: Sequence[str]) -> NotResumableError:
    return NotResumableError(
        f"run {journal.name} cannot be resumed, because this has changed: {'; '.join(changed)}; restore it, or train "
        "again with `tracker run`"
    )


def _plan(journal: Journal, store: Store, model: str | None) -> RunPlan:
    params = dict(journal.started.params)
    if model or "model" in params:
        params["model"] = _network(journal, store, model)
    return plan_of(params, parse_options)


def _network(journal: Journal, store: Store, given: str | None) -> str:
    """Return the network that continues a run, by its name or path.

    Its code will be run, and the journal may be a stranger's. So it is a built-in one, or its code has the digest that
    the run logged and it is the one that the user gives or lies in the project. Nothing is read of any other.
    """
    folder, logged = journal.folder.parent.parent, journal.started.tags.get(CODE_TAG)
    named = journal.started.params.get("model", "")
    if not given and is_built_in(named):
        return named
    model = given or model_path(named, folder)
    try:
        network = find_network(model) if given else find_network(model, partial(is_of_project, journal.folder.parent))
    except ForbiddenSourceError as error:
        word = str(expanded(model).absolute()) if is_path(model) else model
        command = command_on(store, folder, "resume", journal.id[:SHORT_ID], "--model", word)
        raise TrackerError(
            f"run {journal.name} cannot be resumed: {error.file} isn't one of the project's own files in {folder}, and "
            f"code from elsewhere is only run if you name it: read it, then type `{command}`"
        ) from error
    if not logged:
        raise NotResumableError(
            f"run {journal.name} cannot be resumed, because it logged no digest of its network's code, and {model} may "
            "be another: train again with `tracker run --model PATH`"
        )
    if logged != network.digest:
        before = {name: digest for name, digest in _environment(journal).items() if name.endswith(".py")}
        raise _changed_error(journal, differences(before, network.digests) or [f"the code in {network.shown}"])
    return model


def is_of_project(journals_folder: Path, file: Path) -> bool:
    """Return whether a file is one of a project's own, links followed, and not one that a run brings."""
    journals_there, place = journals_folder.resolve(), file.resolve()
    roots = (journals_there.parent, (Path.cwd() / USER_FOLDER).resolve())
    below = [place.relative_to(root) for root in roots if place.is_relative_to(root)]
    return bool(below) and not place.is_relative_to(journals_there) and ARTIFACTS not in below[0].parts


def changes(journal: Journal, plan: RunPlan, prepared: Prepared) -> list[str]:
    """Return what has changed since a run started: data, split, versions, threads, code.

    Resuming over such a change would give a result that no single run can produce. `plan` is the run's, read back from
    its params; `prepared` is the data as it is now.
    """
    then, now = journal.started.tags, prepared.identity
    changed = []
    if then.get("tracker.dataset") != now["tracker.dataset"]:
        manifest = manifest_text(prepared.dataset, prepared.split, plan.split)
        changed.append(f"the data{clips_changed(_artifact(journal, DATASET), manifest)}")
    if then.get("tracker.split") != now["tracker.split"]:
        changed.append("the split")
    before = {"tracker": then.get("tracker.version", "none")} | _environment(journal)
    if then.get(CODE_TAG) == find_network(plan.configuration.model).digest:  # whatever its folder is called now
        before = {name: version for name, version in before.items() if not name.endswith(".py")}
    return changed + differences(before, environment(plan.configuration.model, plan.configuration.keras_backend))


def _environment(journal: Journal) -> dict[str, str]:
    """Return what was logged of a run's environment: versions, threads, and a digest of each piece of code."""
    lines = (line.partition(" ") for line in _artifact(journal, ENVIRONMENT).splitlines())
    return {name: version for name, _, version in lines if name not in MACHINE}


def clips_changed(manifest_then: str, manifest: str) -> str:
    """Describe which clips were removed, added or relabelled; if none were, the audio itself changed."""
    before, now = _clips(manifest_then), _clips(manifest)
    if not before:
        return ""
    kinds = {
        "gone": before.keys() - now.keys(),
        "new": now.keys() - before.keys(),
        "with another label or group": {path for path in before.keys() & now.keys() if before[path] != now[path]},
    }
    changed = [f"{len(paths)} {kind}: {some(sorted(paths))}" for kind, paths in kinds.items() if paths]
    return f" ({', '.join(changed) or 'the content of the files'})"


def _clips(manifest: str) -> dict[str, list[str]]:
    """Return label and group of each clip by its path."""
    return {path: about[:2] for path, *about in filter(None, csv.reader(io.StringIO(manifest, newline="")))}


def _artifact(journal: Journal, path: str) -> str:
    """Return an artifact from the start of a run; empty if the run was killed before it was written."""
    file = journal.folder / ARTIFACTS / path
    try:
        with disk_errors("read", file):
            return read_file(file, journal.folder, LARGEST_ARTIFACT).decode("utf-8", "surrogateescape")
    except JournalError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ""
        raise


def _log_start(journal: Journal, reporter: Reporter) -> None:
    """Say after which epoch the run continues, and which it trains again because their checkpoint is lost."""
    name, done = journal.name, max(journal.epochs, default=0)
    safe = len(finished_epochs(journal.folder / CHECKPOINTS))
    if safe < done:
        again = f"the epochs after {safe}" if safe else "all epochs"
        reporter.warn(
            f"the checkpoint of epoch {done} is damaged or missing: run {name} trains {again} again, with the same "
            "result"
        )
    reporter.log(f"run {name} continues after epoch {safe}" if safe else f"run {name} starts at its first epoch")
