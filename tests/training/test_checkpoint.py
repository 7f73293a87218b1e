from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.errors import TrainingError
from tracker.training import checkpoint as checkpoint_module
from tracker.training.checkpoint import Checkpoint, CheckpointFolder, finished_epochs
from tracker.training.result import Epoch, History

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

WATCHED = (checkpoint_module.__file__, pathlib.__file__)
N_CLIPS, N_CLASSES = 7, 3
RECORD = 4 * N_CLIPS * N_CLASSES + 4
"""Bytes of one epoch in `probabilities.bin`."""


def checkpoint(n_epochs: int, losses: tuple[float, ...] = ()) -> Checkpoint:
    """Return a checkpoint after `n_epochs`, whose losses fall unless they are given."""
    history = History("best")
    for n in range(1, n_epochs + 1):
        rng = np.random.default_rng(n)
        loss = losses[n - 1] if losses else 1 / n
        epoch = Epoch(n, {"loss": 0.1 * n, "val_loss": loss, "epoch_seconds": rng.random()})
        probabilities = rng.random((N_CLIPS, N_CLASSES), np.float32)
        history = history.after(epoch, probabilities, lambda n=n: [np.full((2, 3), n, np.float32)])
    return Checkpoint(
        history,
        model=(np.full((2, 3), n_epochs, np.float32), np.array([5, n_epochs], np.uint32)),
        optimizer=(np.asarray(n_epochs), np.asarray(0.001, np.float32), np.full((2, 3), 0.5, np.float32)),
        counters={"ReduceLROnPlateau": {"wait": 1, "best": 0.25}, "EarlyStopping": {"wait": 2, "best": None}},
        ended=n_epochs == 9,
    )


def saved(folder: Path, n_epochs: int, losses: tuple[float, ...] = ()) -> CheckpointFolder:
    """Return a folder to which a checkpoint was saved after each of `n_epochs`."""
    checkpoints = CheckpointFolder(folder)
    for n in range(1, n_epochs + 1):
        checkpoints.save(checkpoint(n, losses))
    return checkpoints


def epochs_of(folder: Path) -> int:
    return len(finished_epochs(folder))


def files(folder: Path) -> list[Path]:
    """Return the checkpoints' files, the newest last."""
    return sorted(folder.glob("epoch-*.npz"))


def assert_equal(found: Checkpoint | None, expected: Checkpoint) -> None:
    assert found is not None
    assert found.history.epochs == expected.history.epochs
    assert found.history.keep == expected.history.keep
    np.testing.assert_array_equal(found.history.probabilities, expected.history.probabilities)
    assert found.counters == expected.counters
    assert found.ended == expected.ended
    for arrays, others in ((found.model, expected.model), (found.optimizer, expected.optimizer)):
        assert [array.dtype for array in arrays] == [other.dtype for other in others]
        for array, other in zip(arrays, others, strict=True):
            np.testing.assert_array_equal(array, other, strict=True)


class TestSaveAndLoad:
    def test_save_and_load_give_back_what_was_saved(self, tmp_path):
        assert_equal(saved(tmp_path, 3).load(), checkpoint(3))
        assert_equal(saved(tmp_path / "ended", 9).load(), checkpoint(9))

    def test_save_and_load_give_back_the_weights_of_an_earlier_epoch_that_is_kept(self, tmp_path):
        found = saved(tmp_path, 3, (0.5, 0.3, 0.4)).load()
        assert found.history.kept == 1
        assert [weights.tolist() for weights in found.history.weights] == [[[2.0] * 3] * 2]

    def test_save_writes_no_weights_twice(self, tmp_path):
        assert saved(tmp_path, 3).load().history.weights == ()

    def test_save_and_load_keep_nan_and_infinity(self, tmp_path):
        losses = (math.nan, math.inf, -math.inf)
        found = saved(tmp_path, 3, losses).load()
        np.testing.assert_array_equal([epoch.metrics["val_loss"] for epoch in found.history.epochs], losses)

    def test_save_and_load_give_none_where_nothing_was_saved(self, tmp_path):
        assert CheckpointFolder(tmp_path / "no" / "such").load() is None
        assert CheckpointFolder(tmp_path).load() is None
        assert not (tmp_path / "no").exists()

    def test_save_and_load_make_the_folder(self, tmp_path):
        assert epochs_of(saved(tmp_path / "a" / "b", 1).path) == 1

    def test_save_and_load_keep_the_newest_two_and_one_record_an_epoch(self, tmp_path):
        saved(tmp_path, 9)
        assert [path.name[:13] for path in files(tmp_path)] == ["epoch-000008-", "epoch-000009-"]
        assert {path.name for path in tmp_path.iterdir()} == {*(p.name for p in files(tmp_path)), "probabilities.bin"}
        assert (tmp_path / "probabilities.bin").stat().st_size == 9 * RECORD

    def test_save_and_load_write_the_same_amount_whatever_was_predicted_before(self, tmp_path):
        saved(tmp_path, 9)
        eight, nine = (path.stat().st_size for path in files(tmp_path))
        assert nine - eight < 100

    def test_save_and_load_write_files_that_numpy_reads_without_pickles(self, tmp_path):
        saved(tmp_path, 2)
        with np.load(files(tmp_path)[-1], allow_pickle=False) as entries:
            assert json.loads(str(entries["about"]))["metrics"] == ["loss", "val_loss", "epoch_seconds"]
            assert entries["metrics"].shape == (2, 3)

    def test_save_and_load_write_the_probabilities_as_float32_with_their_crc(self, tmp_path):
        saved(tmp_path, 2)
        values = checkpoint(2).history.probabilities[1].tobytes()
        content = (tmp_path / "probabilities.bin").read_bytes()
        assert content[RECORD:] == values + zlib.crc32(values).to_bytes(4, "little")

    def test_save_and_load_leave_what_is_not_theirs(self, tmp_path):
        (tmp_path / "epoch-notes.npz").write_text("mine")
        saved(tmp_path, 4)
        assert (tmp_path / "epoch-notes.npz").read_text() == "mine"


class TestLoadOfDamaged:
    @pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9, 0.999])
    def test_load_of_damaged_takes_the_one_before_where_the_newest_was_cut_short(self, tmp_path, share):
        checkpoints, newest = saved(tmp_path, 4), files(tmp_path)[-1]
        newest.write_bytes(newest.read_bytes()[: int(share * newest.stat().st_size)])
        assert_equal(checkpoints.load(), checkpoint(3))

    def test_load_of_damaged_takes_the_one_before_whichever_bit_of_the_newest_is_flipped(self, tmp_path):
        checkpoints, newest = saved(tmp_path, 4), files(tmp_path)[-1]
        whole = newest.read_bytes()
        for bit in range(0, 8 * len(whole), 97):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            newest.write_bytes(damaged)
            assert len(checkpoints.load().history.epochs) == 3

    def test_load_of_damaged_takes_the_one_before_where_the_newest_has_something_behind_it(self, tmp_path):
        checkpoints, newest = saved(tmp_path, 4), files(tmp_path)[-1]
        newest.write_bytes(newest.read_bytes() + b"\0")
        assert len(checkpoints.load().history.epochs) == 3

    def test_load_of_damaged_takes_the_one_before_where_the_newest_is_another_version_s(self, tmp_path):
        checkpoints, newest = saved(tmp_path, 4), files(tmp_path)[-1]
        digest = hashlib.sha256(b"tracker checkpoint 2\n" + newest.read_bytes()).hexdigest()[:16]
        newest.rename(tmp_path / f"epoch-000004-{digest}.npz")
        assert len(checkpoints.load().history.epochs) == 3

    @pytest.mark.parametrize("name", ["epoch", "probabilities"])
    def test_no_link_is_followed_and_no_pipe_is_waited_for(self, tmp_path, name):
        folder = tmp_path / "checkpoints"
        checkpoints = saved(folder, 4)
        file = files(folder)[-1] if name == "epoch" else folder / "probabilities.bin"
        left = 3 if name == "epoch" else 0
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
        assert epochs_of(folder) == left
        file.unlink()
        os.mkfifo(file)
        assert epochs_of(folder) == left
        if name == "probabilities":
            with pytest.raises(TrainingError, match=r"probabilities\.bin is a named pipe"):
                checkpoints.save(checkpoint(5))

    def test_no_checkpoint_is_read_or_written_behind_a_link(self, tmp_path):
        saved(tmp_path / "elsewhere", 4)
        before = {path: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()}
        (tmp_path / "checkpoints").symlink_to(tmp_path / "elsewhere")
        for use in (CheckpointFolder.load, lambda folder: folder.save(checkpoint(5))):
            with pytest.raises(TrainingError, match="checkpoints is a symbolic link"):
                use(CheckpointFolder(tmp_path / "checkpoints"))
        assert {path: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()} == before

    def test_load_of_damaged_takes_the_one_before_where_the_newest_is_no_checkpoint(self, tmp_path):
        checkpoints, newest = saved(tmp_path, 4), files(tmp_path)[-1]
        foreign = io.BytesIO()
        np.savez(foreign, weights=np.ones(3))
        newest.write_bytes(foreign.getvalue())
        assert len(checkpoints.load().history.epochs) == 3
        newest.unlink()
        newest.mkdir()
        assert len(checkpoints.load().history.epochs) == 3

    @pytest.mark.parametrize("size", [3 * RECORD, 3 * RECORD + 1, 4 * RECORD - 1])
    def test_load_of_damaged_takes_the_one_before_where_the_newest_probabilities_are_torn(self, tmp_path, size):
        checkpoints, probabilities = saved(tmp_path, 4), tmp_path / "probabilities.bin"
        probabilities.write_bytes(probabilities.read_bytes()[:size])
        assert_equal(checkpoints.load(), checkpoint(3))

    def test_load_of_damaged_takes_the_one_before_where_the_newest_probabilities_are_changed(self, tmp_path):
        checkpoints, probabilities = saved(tmp_path, 4), tmp_path / "probabilities.bin"
        for place in (3 * RECORD, 4 * RECORD - 5, 4 * RECORD - 1):
            damaged = bytearray(probabilities.read_bytes())
            damaged[place] ^= 4
            probabilities.write_bytes(damaged)
            assert len(checkpoints.load().history.epochs) == 3

    @pytest.mark.parametrize("tail", [b"torn", b"\xff" * RECORD, b"\0" * 1_000_000])
    def test_load_of_damaged_ignores_what_a_kill_has_left(self, tmp_path, tail):
        checkpoints = saved(tmp_path, 4)
        with (tmp_path / "probabilities.bin").open("ab") as file:
            file.write(tail)
        (tmp_path / ".torn.tmp").write_bytes(b"PK torn")
        assert_equal(checkpoints.load(), checkpoint(4))
        checkpoints.save(checkpoint(5))
        assert_equal(checkpoints.load(), checkpoint(5))
        assert sorted(path.name[:13] for path in tmp_path.iterdir()) == [
            "epoch-000004-",
            "epoch-000005-",
            "probabilities",
        ]
        assert (tmp_path / "probabilities.bin").stat().st_size == 5 * RECORD

    def test_load_of_damaged_is_followed_by_a_save_that_removes_the_damaged_and_keeps_the_whole(self, tmp_path):
        checkpoints, newest = saved(tmp_path, 4), files(tmp_path)[-1]
        newest.write_bytes(b"damaged")
        again = checkpoint(4, (1.0, 0.5, 0.25, 0.125))
        checkpoints.save(again)
        assert_equal(checkpoints.load(), again)
        assert [path.name[:13] for path in files(tmp_path)] == ["epoch-000003-", "epoch-000004-"]
        files(tmp_path)[-1].write_bytes(b"damaged")
        assert_equal(checkpoints.load(), checkpoint(3))

    @pytest.mark.parametrize("damage", [b"", b"damaged"])
    def test_load_of_damaged_gives_none_where_all_are_damaged(self, tmp_path, damage):
        checkpoints = saved(tmp_path, 4)
        for path in files(tmp_path):
            path.write_bytes(damage)
        assert checkpoints.load() is None

    def test_load_of_damaged_gives_none_if_the_probabilities_of_an_early_epoch_are_lost(self, tmp_path):
        checkpoints = saved(tmp_path, 4)
        (tmp_path / "probabilities.bin").unlink()
        assert checkpoints.load() is None

    def test_load_of_damaged_of_all_is_followed_by_a_save_of_the_first_epoch_that_removes_them(self, tmp_path):
        checkpoints = saved(tmp_path, 4)
        for path in files(tmp_path):
            path.write_bytes(b"damaged")
        checkpoints.save(checkpoint(1))
        assert_equal(checkpoints.load(), checkpoint(1))
        assert [path.name[:13] for path in files(tmp_path)] == ["epoch-000001-"]
        assert (tmp_path / "probabilities.bin").stat().st_size == RECORD

    def test_load_of_damaged_refuses_a_file_in_place_of_the_folder(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(TrainingError, match=r"the checkpoints in .*file cannot be read \(Not a directory\); "):
            CheckpointFolder(tmp_path / "file").load()


def seal(file: Path, content: bytes) -> None:
    """Replace a checkpoint's content, and its name by the one that has the right digest."""
    file.unlink()
    digest = hashlib.sha256(b"tracker checkpoint 1\n" + content).hexdigest()[:16]
    file.with_name(f"{file.name[:12]}-{digest}.npz").write_bytes(content)


def rewritten(content: bytes, about: Callable[[dict], object] | None = None, **entries: object) -> bytes:
    """Return a checkpoint with other entries, or with other words about them; None leaves an entry out."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files} | entries
    if about:
        arrays["about"] = np.array(json.dumps(about(json.loads(str(arrays["about"])))))
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return file.getvalue()


def header(text: str) -> bytes:
    """Return the beginning of an array's entry as NumPy would write it, whatever it says."""
    line = f"{text}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line


def with_entry(content: bytes, name: str, data: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a checkpoint with other bytes for an entry."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for member in old.namelist():
            new.writestr(member, data if member == name else old.read(member), compression)
    return file.getvalue()


def encrypted(content: bytes) -> bytes:
    """Return a checkpoint of which one bit says that its first entry is encrypted."""
    place = content.index(b"PK\x01\x02") + 8
    return content[:place] + bytes([content[place] | 1]) + content[place + 1 :]


def with_parts(about: dict, type_: str, *shape: int) -> dict:
    return about | {"parts": {part: [[type_, shape]] for part in about["parts"]}}


ABOUT = {
    "a list": lambda about: [about],
    "empty": lambda _about: {},
    "deep": lambda about: about | {"counters": json.loads("[" * 900 + "]" * 900)},
    "another keep": lambda about: about | {"keep": "worst"},
    "no metrics": lambda about: about | {"metrics": []},
    "a number for the metrics": lambda about: about | {"metrics": 7},
    "other metrics": lambda about: about | {"metrics": ["a", "b", "c"]},
    "texts for counters": lambda about: about | {"counters": {"EarlyStopping": {"wait": "x"}}},
    "a huge number of clips": lambda about: about | {"judged": [10**12, 10**12]},
    "a negative number of clips": lambda about: about | {"judged": [-1, 2]},
    "a text for the number of clips": lambda about: about | {"judged": "ab"},
    "no parts": lambda about: about | {"parts": {}},
    "parts of huge shapes": lambda about: with_parts(about, "<f4", 10**15),
    "parts of negative shapes": lambda about: with_parts(about, "<f4", -4, -1),
    "parts of objects": lambda about: with_parts(about, "|O", 1),
    "parts of no type": lambda about: with_parts(about, "evil", 1),
    "parts of a type of many bytes": lambda about: with_parts(about, "|V999999999", 1),
    "a text for the end": lambda about: about | {"ended": "perhaps"},
    "more": lambda about: about | {"more": 1},
}
CONTENT = {
    "nothing": lambda _content: b"",
    "no archive": lambda _content: b"x",
    "half": lambda content: content[: len(content) // 2],
    "encrypted": encrypted,
    "no optimizer": lambda content: rewritten(content, optimizer=None),
    "another entry": lambda content: rewritten(content, more=np.zeros(1, np.uint8)),
    "weights of another size": lambda content: rewritten(content, model=np.zeros(8, np.uint8)),
    "no epochs": lambda content: rewritten(content, metrics=np.zeros((0, 3))),
    "more epochs": lambda content: rewritten(content, metrics=np.ones((1_000, 3))),
    "texts for metrics": lambda content: rewritten(content, metrics=np.array([["x"]])),
    "objects for metrics": lambda content: rewritten(content, metrics=np.array([[{}]], object)),
    "a pickle": lambda content: rewritten(content, kept=np.array([pathlib.Path()], object)),
    "compressed": lambda content: with_entry(content, "", b"", zipfile.ZIP_DEFLATED),
    "a bomb": lambda content: with_entry(content, "kept.npy", bytes(10_000_000), zipfile.ZIP_DEFLATED),
    "no array": lambda content: with_entry(content, "about.npy", b"not an array"),
    "a huge array": lambda content: with_entry(
        content, "kept.npy", header("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000,), }")
    ),
    "code for a header": lambda content: with_entry(content, "kept.npy", header("[" * 10_000)),
}


class TestLoadOfWrongContent:
    """A right digest doesn't make a checkpoint: whoever can write the file can compute it."""

    @pytest.mark.parametrize("change", ABOUT.values(), ids=ABOUT)
    def test_load_takes_the_one_before_if_the_newest_says_something_wrong_about_itself(self, tmp_path, change):
        checkpoints, newest = saved(tmp_path, 4), files(tmp_path)[-1]
        seal(newest, rewritten(newest.read_bytes(), change))
        assert_equal(checkpoints.load(), checkpoint(3))

    @pytest.mark.parametrize("change", CONTENT.values(), ids=CONTENT)
    def test_load_takes_the_one_before_if_the_newest_holds_something_else(self, tmp_path, change):
        checkpoints, newest = saved(tmp_path, 4), files(tmp_path)[-1]
        seal(newest, change(newest.read_bytes()))
        assert_equal(checkpoints.load(), checkpoint(3))

    def test_load_is_none_of_a_checkpoint_without_any_epoch(self, tmp_path):
        checkpoints = saved(tmp_path, 1)
        (only,) = files(tmp_path)
        content = rewritten(only.read_bytes(), metrics=np.zeros((0, 3)))
        only.unlink()
        digest = hashlib.sha256(b"tracker checkpoint 1\n" + content).hexdigest()[:16]
        (tmp_path / f"epoch-000000-{digest}.npz").write_bytes(content)
        assert checkpoints.load() is None

    def test_load_reads_a_checkpoint_that_was_written_again_as_it_was(self, tmp_path):
        checkpoints, newest = saved(tmp_path, 4), files(tmp_path)[-1]
        seal(newest, with_entry(newest.read_bytes(), "", b""))
        assert_equal(checkpoints.load(), checkpoint(4))


class TestSaveThatIsInterrupted:
    def test_save_that_is_interrupted_leaves_the_old_state_or_the_new_one_wherever_it_is(self, tmp_path):
        saved(tmp_path / "three", 3)
        left_with = []
        finished = False
        while not finished:
            checkpoints = CheckpointFolder(shutil.copytree(tmp_path / "three", tmp_path / str(len(left_with))))
            finished = finishes(lambda: checkpoints.save(checkpoint(4)), calls=len(left_with))  # noqa: B023
            left_with.append(epochs_of(checkpoints.path))
            assert_equal(checkpoints.load(), checkpoint(left_with[-1]))
            checkpoints.save(checkpoint(left_with[-1] + 1))
            assert len(list(checkpoints.path.iterdir())) == 3
        assert set(left_with) == {3, 4}
        assert left_with == sorted(left_with)
        assert len(left_with) > 20


def finishes(action: Callable[[], None], *, calls: int) -> bool:
    """Interrupt an action after the module has made some calls of C functions; tell if it finished before."""
    left = iter(range(calls))

    def watch(frame: FrameType, event: str, _: object) -> None:
        is_call = event == "c_call" and frame.f_code.co_filename in WATCHED
        if is_call and next(left, None) is None:
            raise KeyboardInterrupt

    try:
        sys.setprofile(watch)
        action()
    except KeyboardInterrupt:
        return False
    finally:
        sys.setprofile(None)
    return True


class TestSaveThatFails:
    def test_save_that_fails_says_in_one_line_what_and_where_and_what_to_do(self, tmp_path):
        (tmp_path / "file").touch()
        folder = tmp_path / "file" / "checkpoints"
        with pytest.raises(TrainingError) as caught:
            saved(folder, 1)
        assert str(caught.value) == (
            f"the checkpoint of epoch 1 cannot be saved in {folder}: Not a directory; "
            "free some space or fix the permissions, then resume the run"
        )

    @pytest.mark.parametrize("limit", [3 * RECORD, 3 * RECORD + 10, 4 * RECORD, 1_000])
    def test_save_that_fails_leaves_the_checkpoints_before_where_no_more_can_be_written(self, tmp_path, limit):
        """A limit on the size of files stands in for a full disk: writes fail halfway, as they do there."""
        saved(tmp_path, 3)
        code = (
            "import resource, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
            "import test_checkpoint as t; one = t.checkpoint(4);"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2);"
            "t.CheckpointFolder(Path(sys.argv[2])).save(one)"
        )
        command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path), str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        last_line = done.stderr.splitlines()[-1]
        assert f"TrainingError: the checkpoint of epoch 4 cannot be saved in {tmp_path}: File too large" in last_line
        assert_equal(CheckpointFolder(tmp_path).load(), checkpoint(3))
        assert not list(tmp_path.glob(".*.tmp"))


class TestFinishedEpochs:
    def test_finished_epochs_are_those_of_the_newest_checkpoint_that_is_whole(self, tmp_path):
        saved(tmp_path, 4)
        assert finished_epochs(tmp_path) == checkpoint(4).history.epochs
        files(tmp_path)[-1].write_bytes(b"")
        assert finished_epochs(tmp_path) == checkpoint(3).history.epochs
        files(tmp_path)[0].write_bytes(b"")
        assert finished_epochs(tmp_path) == ()

    def test_finished_epochs_are_none_where_nothing_was_saved(self, tmp_path):
        assert finished_epochs(tmp_path / "no such folder") == ()

    def test_finished_epochs_are_read_without_importing_keras(self, tmp_path):
        saved(tmp_path, 2)
        code = (
            "import sys; from pathlib import Path; from tracker.training.checkpoint import finished_epochs;"
            "print(len(finished_epochs(Path(sys.argv[1]))), {'keras', 'tensorflow', 'scipy'} & sys.modules.keys())"
        )
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert done.stdout.split(maxsplit=1) == ["2", "set()\n"]
