"""Checkpoints of an interrupted run whose checksum holds, and whose content does not."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.hostile.case import RUNS, Case, without
from bench.hostile.place import bomb, clear, fifo, folder, link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

    from bench.hostile.place import Place

RESUME = ("resume", "halted")
FORMAT = b"tracker checkpoint 1\n"
SHORT = {"about-is-a-list"}


def checkpoints(_rng: Random) -> Iterator[Case]:
    yield Case("checkpoints/untouched", (RESUME, RUNS), succeeds=True)
    for name, change in ABOUT.items():
        yield _case(name, partial(_change_about, change))
    for name, replace in PARTS.items():
        yield _case(name, partial(_change_parts, replace))
    for name, content in WHOLE.items():
        yield _case(name, partial(_sealed, content))
    for name, put in THINGS.items():
        yield _case(name, partial(_put, put))


def _case(name: str, prepare: Any) -> Case:
    return Case(f"checkpoints/{name}", (RESUME, RUNS), prepare, keeps=without("halted"), short=name in SHORT)


def _files(place: Place) -> list[Path]:
    return sorted((place.kept("halted") / "checkpoints").glob("epoch-*.npz"))


def _seal(file: Path, content: bytes) -> None:
    """Replace a checkpoint by another content, under the name that its checksum asks for."""
    file.unlink()
    digest = hashlib.sha256(FORMAT + content).hexdigest()[:16]
    file.with_name(f"{file.name[: len('epoch-000001')]}-{digest}.npz").write_bytes(content)


def _sealed(content: Callable[[bytes], bytes], place: Place) -> None:
    for file in _files(place):
        _seal(file, content(file.read_bytes()))


def _change_parts(replace: Callable[[dict[str, Any]], dict[str, Any]], place: Place) -> None:
    for file in _files(place):
        with np.load(file) as archive:
            arrays = {name: archive[name] for name in archive.files}
        changed = {name: array for name, array in (arrays | replace(arrays)).items() if array is not None}
        content = io.BytesIO()
        np.savez(content, **changed)
        _seal(file, content.getvalue())


def _change_about(change: Callable[[dict[str, Any]], Any], place: Place) -> None:
    def replace(arrays: dict[str, Any]) -> dict[str, Any]:
        about = json.loads(str(arrays["about"]))
        return {"about": np.array(json.dumps(change(about)))}

    _change_parts(replace, place)


ABOUT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "about-is-a-list": lambda _about: [1, 2],
    "about-is-empty": lambda _about: {},
    "about-is-deep": lambda about: about | {"counters": json.loads("[" * 900 + "]" * 900)},
    "keep-is-unknown": lambda about: about | {"keep": "\x1b[31mworst"},
    "metrics-are-missing": lambda about: about | {"metrics": []},
    "metrics-are-a-number": lambda about: about | {"metrics": 7},
    "counters-are-texts": lambda about: about | {"counters": {"EarlyStopping": {"wait": "x"}}},
    "counters-of-strangers": lambda about: about | {"counters": {"Evil": {"a": 1}, "__class__": {"b": 2}}},
    "judged-is-huge": lambda about: about | {"judged": [10**12, 10**12]},
    "judged-is-negative": lambda about: about | {"judged": [-1, 2]},
    "judged-is-a-text": lambda about: about | {"judged": "ab"},
    "parts-are-missing": lambda about: about | {"parts": {}},
    "parts-of-other-shapes": lambda about: about | {"parts": {name: [["<f4", [10**15]]] for name in about["parts"]}},
    "parts-of-objects": lambda about: about | {"parts": {name: [["|O", [1]]] for name in about["parts"]}},
    "parts-of-no-dtype": lambda about: about | {"parts": {name: [["evil", [1]]] for name in about["parts"]}},
    "ended-is-a-text": lambda about: about | {"ended": "perhaps"},
}

PARTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "no-metrics": lambda _arrays: {"metrics": None},
    "metrics-of-no-epoch": lambda arrays: {"metrics": arrays["metrics"][:0]},
    "metrics-of-more-epochs": lambda arrays: {"metrics": np.tile(arrays["metrics"], (1_000, 1))},
    "metrics-are-texts": lambda _arrays: {"metrics": np.array([["x"]])},
    "metrics-are-not-numbers": lambda arrays: {"metrics": np.full_like(arrays["metrics"], np.nan)},
    "weights-of-another-network": lambda _arrays: {"model": np.zeros(8, np.uint8)},
    "weights-are-not-numbers": lambda arrays: {"model": np.full_like(arrays["model"], 0xFF)},
    "no-optimizer": lambda _arrays: {"optimizer": None},
}

WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "not-an-archive": lambda _content: b"x",
    "empty": lambda _content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "pickled": lambda _content: _pickled(),
    "encrypted": lambda content: content.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
    "not-arrays": lambda _content: _texts(),
}


def _pickled() -> bytes:
    file = io.BytesIO()
    np.savez(file, about=np.array([{"a": 1}], dtype=object), metrics=np.zeros((1, 1)))
    return file.getvalue()


def _texts() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("about.npy", "not an array")
        archive.writestr("../../evil.npy", "not an array")
    return file.getvalue()


def _probabilities(place: Place, shape: tuple[int, ...]) -> None:
    values = np.full(shape, np.nan, "<f4").tobytes()
    record = values + zlib.crc32(values).to_bytes(4, "little")
    (place.kept("halted") / "checkpoints" / "probabilities.bin").write_bytes(record * 50)


THINGS: dict[str, Callable[[Place, Path], object]] = {
    "is-a-pipe": lambda _place, file: fifo(file),
    "is-endless": lambda _place, file: link(file, "/dev/zero"),
    "is-a-key": lambda place, file: link(file, place.key),
    "is-a-folder": lambda _place, file: folder(file),
    "is-a-bomb": lambda _place, file: bomb(file, "about.npy", 2 << 30),
    "probabilities-is-a-pipe": lambda _place, file: fifo(file.with_name("probabilities.bin")),
    "probabilities-links-home": lambda place, file: link(file.with_name("probabilities.bin"), place.home / ".bashrc"),
    "probabilities-are-not-numbers": lambda place, _file: _probabilities(place, (4, 2)),
    "folder-links-home": lambda place, file: _link_folder(file.parent, place.home / ".ssh"),
    "folder-is-a-file": lambda _place, file: _write_instead(file.parent),
}


def _put(put: Callable[[Place, Path], object], place: Place) -> None:
    files = _files(place)
    for file in files:
        if file.parent.is_dir() and not file.parent.is_symlink():
            put(place, file)


def _link_folder(path: Path, target: Path) -> None:
    link(path, target)


def _write_instead(path: Path) -> None:
    clear(path)
    path.write_text("x")
