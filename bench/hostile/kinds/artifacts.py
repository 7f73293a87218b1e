"""Artifacts of a stored run that are broken, enormous, or say something else than its metrics."""

from __future__ import annotations

import io
import json
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.hostile.case import REPORT, RUNS, Case
from bench.hostile.place import CANARY, bomb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from bench.hostile.place import Place

    Arrays = dict[str, Any]

PAGE = ("report", "--output", "REPORT.md")
COMPARE = ("compare", "<first>", "<second>")
CSV, NPZ, DATASET = "predictions/validation.csv", "predictions/validation_by_epoch.npz", "dataset.csv"

SHORT = {
    "npz-encrypted",
    "npz-shape-beyond-memory",
    "npz-header-is-code",
    "csv-hundred-thousand-classes",
    "csv-escapes",
    "npz-clips-in-two-dimensions",
    "csv-binary",
}


def artifacts(rng: Random) -> Iterator[Case]:
    for name, change in ARCHIVES.items():
        yield _case(f"npz-{name}", partial(_change_archive, change), REPORT)
    for name, replace in ARRAYS.items():
        yield _case(f"npz-{name}", partial(_change_arrays, replace), REPORT)
    for number in range(6):
        yield _case(f"npz-flipped-{number}", partial(_flip, NPZ, rng.randrange(1 << 30)), REPORT)
    for name, text in TABLES.items():
        yield _case(f"csv-{name}", partial(_write, CSV, text), REPORT, *((COMPARE,) if name in COMPARED else ()))
    for name, text in MANIFESTS.items():
        yield _case(f"dataset-{name}", partial(_write, DATASET, text), REPORT)
    yield _case("npz-bomb", partial(_bomb, NPZ), REPORT)
    yield _case("every-artifact-empty", _empty, RUNS, PAGE)
    yield _case("csv-of-four-gigabytes", partial(_sparse, CSV), REPORT)
    yield _case("npz-of-four-gigabytes", partial(_sparse, NPZ), REPORT)


def _case(name: str, prepare: Any, *commands: tuple[str, ...]) -> Case:
    return Case(f"artifacts/{name}", commands, prepare, short=name in SHORT)


def _write(path: str, text: str | bytes | Callable[[str], str | bytes], place: Place) -> None:
    file = place.artifacts("first") / path
    content = text(file.read_text()) if callable(text) else text
    file.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)


def _flip(path: str, seed: int, place: Place) -> None:
    file = place.artifacts("first") / path
    rng = np.random.default_rng(seed)
    data = np.frombuffer(file.read_bytes(), np.uint8).copy()
    data[rng.integers(len(data), size=3)] ^= 1 << rng.integers(8, size=3).astype(np.uint8)
    file.write_bytes(data.tobytes())


def _bomb(path: str, place: Place) -> None:
    bomb(place.artifacts("first") / path, "probabilities.npy", 2 << 30)


def _empty(place: Place) -> None:
    for file in place.artifacts("first").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")


def _sparse(path: str, place: Place) -> None:
    with (place.artifacts("first") / path).open("r+b") as file:
        file.truncate(4 << 30)


# ---- archives that are none for numpy ----


def _header(text: str, data: bytes = b"") -> bytes:
    head = text.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data


def _entry(header: str) -> Callable[[bytes], bytes]:
    """Return what replaces the probabilities in an archive by an array of that header."""

    def change(archive: bytes) -> bytes:
        return _with_entry(archive, "probabilities.npy", _header(header, bytes(64)))

    return change


def _with_entry(archive: bytes, name: str, content: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(written, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, content if entry == name else old.read(entry))
    return written.getvalue()


def _encrypted(archive: bytes) -> bytes:
    data = bytearray(archive)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + at] |= 1
    return bytes(data)


def _method(archive: bytes) -> bytes:
    """Claim a compression that nobody knows."""
    data = bytearray(archive)
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.find(mark) + at] = 99
    return bytes(data)


def _twice(archive: bytes) -> bytes:
    return archive + archive


def _pickled(_archive: bytes) -> bytes:
    file = io.BytesIO()
    np.savez(file, probabilities=np.array([{"a": 1}], dtype=object), clips=["a"], labels=["a"], classes=["a"])
    return file.getvalue()


def _shape(shape: str, dtype: str = "<f4") -> Callable[[bytes], bytes]:
    return _entry(f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n")


ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    "encrypted": _encrypted,
    "unknown-compression": _method,
    "twice": _twice,
    "cut": lambda archive: archive[: len(archive) // 2],
    "without-its-end": lambda archive: archive[:-22],
    "text": lambda _archive: b"x\n",
    "empty": lambda _archive: b"",
    "end-alone": lambda _archive: b"PK\x05\x06" + bytes(18),
    "pickled": _pickled,
    "shape-beyond-memory": _shape(f"({1 << 45}, 2, 2)"),
    "shape-beyond-numbers": _shape(f"({10**30}, 2, 2)"),
    "shape-is-negative": _shape("(-1, 2, 2)"),
    "shape-is-a-text": _shape("'x'"),
    "shape-overflows": _shape(f"({1 << 32}, {1 << 32}, 2)"),
    "dtype-is-objects": _shape("(1, 2, 2)", "|O"),
    "dtype-is-unknown": _shape("(1, 2, 2)", "x9"),
    "dtype-is-long": _shape("(1, 2, 2)", "<U999999999"),
    "header-is-code": _entry("__import__('os').system('touch INJECTED')\n"),
    "header-is-indented": _entry("  {\n      'descr': 1,\n   }\n"),
    "header-is-open": _entry("{'descr': '<f4', 'fortran_order': False, 'shape': (1,\n"),
    "header-is-deep": _entry("(" * 9_000 + "\n"),
    "header-is-no-text": lambda archive: _with_entry(
        archive, "probabilities.npy", b"\x93NUMPY\x01\x00\x10\x00" + b"\xff" * 16
    ),
    "version-is-unknown": lambda archive: _with_entry(archive, "probabilities.npy", b"\x93NUMPY\x63\x00" + bytes(40)),
    "entry-is-empty": lambda archive: _with_entry(archive, "probabilities.npy", b""),
}


def _change_archive(change: Callable[[bytes], bytes], place: Place) -> None:
    file = place.artifacts("first") / NPZ
    file.write_bytes(change(file.read_bytes()))


# ---- archives of arrays that do not fit together ----

ARRAYS: dict[str, Callable[[Arrays], Arrays]] = {
    "clips-in-two-dimensions": lambda arrays: {"clips": arrays["clips"].reshape(-1, 1)},
    "labels-in-two-dimensions": lambda arrays: {"labels": arrays["labels"].reshape(1, -1)},
    "clips-without-dimension": lambda _arrays: {"clips": np.array("x")},
    "clips-are-numbers": lambda arrays: {"clips": np.arange(len(arrays["clips"]))},
    "clips-are-bytes": lambda arrays: {"clips": np.array([b"\xff\xfe"] * len(arrays["clips"]))},
    "clips-are-records": lambda arrays: {"clips": np.zeros(len(arrays["clips"]), dtype=[("a", "<i4"), ("b", "<U3")])},
    "probabilities-are-records": lambda _arrays: {"probabilities": np.zeros((2, 2, 2), dtype=[("a", "<f4")])},
    "probabilities-are-complex": lambda arrays: {"probabilities": arrays["probabilities"].astype(complex)},
    "probabilities-are-texts": lambda arrays: {"probabilities": arrays["probabilities"].astype(str)},
    "probabilities-are-dates": lambda _arrays: {"probabilities": np.zeros((2, 2, 2), dtype="<M8[s]")},
    "probabilities-are-infinite": lambda arrays: {"probabilities": np.full_like(arrays["probabilities"], np.inf)},
    "probabilities-are-nothing": lambda arrays: {"probabilities": np.full_like(arrays["probabilities"], np.nan)},
    "probabilities-are-negative": lambda arrays: {"probabilities": -arrays["probabilities"]},
    "no-epochs": lambda arrays: {"probabilities": arrays["probabilities"][:0]},
    "more-epochs-than-logged": lambda arrays: {"probabilities": np.tile(arrays["probabilities"], (50, 1, 1))},
    "clips-of-other-runs": lambda arrays: {"clips": np.array([f"other/{i}" for i in range(len(arrays["clips"]))])},
    "labels-of-other-classes": lambda arrays: {"labels": arrays["labels"][::-1]},
    "classes-that-escape": lambda _arrays: {"classes": np.array(["\x1b[31m", "\u202e"])},
    "one-class": lambda arrays: {"classes": arrays["classes"][:1], "probabilities": arrays["probabilities"][:, :, :1]},
    "lacks-clips": lambda _arrays: {"clips": None},
}


def _change_arrays(replace: Callable[[Arrays], Arrays], place: Place) -> None:
    file = place.artifacts("first") / NPZ
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    changed = arrays | replace(arrays)
    np.savez(file, **{name: array for name, array in changed.items() if array is not None})


# ---- tables ----


def _rows(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.splitlines()]


def _joined(rows: list[list[str]]) -> str:
    return "".join(f"{','.join(row)}\n" for row in rows)


def _cells(change: Callable[[list[str]], list[str]]) -> Callable[[str], str]:
    """Return what changes each row but the first."""

    def changed(text: str) -> str:
        head, *rows = _rows(text)
        return _joined([head, *map(change, rows)])

    return changed


def _all_correct(row: list[str]) -> list[str]:
    clip, label, _predicted, *rest = row
    return [clip, label, label, *rest]


def _many_classes(_text: str) -> str:
    names = [f"c{number}" for number in range(100_000)]
    share = ",".join(["0.00001"] * len(names))
    return f"clip,label,predicted,{','.join(names)}\n" + "".join(f"{i}.wav,c{i},c{i},{share}\n" for i in range(4))


TABLES: dict[str, str | bytes | Callable[[str], str | bytes]] = {
    "empty": "",
    "header-only": "clip,label,predicted,high,low\n",
    "no-header": "high/1.wav,high,high,0.5,0.5\n",
    "binary": bytes(range(256)) * 100,
    "utf-16": lambda text: text.encode("utf-16"),
    "nuls": "clip,label,predicted,a\0,b\n1,a\0,b,0.5,0.5\n",
    "quote-without-end": 'clip,label,predicted,a,b\n"x,a,b,0.5,0.5\n' * 1_000,
    "field-beyond-limit": f"clip,label,predicted,a,b\n{'x' * 200_000},a,b,0.5,0.5\n",
    "columns-repeat": "clip,label,predicted,a,a\nx,a,a,0.5,0.5\n",
    "clip-twice": "clip,label,predicted,a,b\nx,a,a,0.5,0.5\nx,a,b,0.5,0.5\n",
    "sums-to-two": "clip,label,predicted,a,b\nx,a,a,1,1\n",
    "not-numbers": "clip,label,predicted,a,b\nx,a,a,many,few\n",
    "infinite": "clip,label,predicted,a,b\nx,a,a,inf,-inf\n",
    "numbers-of-a-million-digits": f"clip,label,predicted,a,b\nx,a,a,0.{'1' * 100_000},0.5\n",
    "other-predicted": _cells(lambda row: [*row[:2], "low" if row[2] == "high" else "high", *row[3:]]),
    "contradicts-the-metrics": _cells(_all_correct),
    "all-correct-with-certainty": _cells(
        lambda row: [row[0], row[1], row[1], *(("1", "0") if row[1] == "high" else ("0", "1"))]
    ),
    "lacks-a-clip": lambda text: _joined(_rows(text)[:-1]),
    "has-one-clip": lambda text: _joined(_rows(text)[:2]),
    "clips-of-other-runs": _cells(lambda row: [f"other/{row[0]}", *row[1:]]),
    "labels-of-other-runs": _cells(lambda row: [row[0], "low" if row[1] == "high" else "high", *row[2:]]),
    "hundred-thousand-classes": _many_classes,
    "hundred-thousand-clips": lambda _text: (
        "clip,label,predicted,high,low\n" + "".join(f"{i}.wav,high,low,0.4,0.6\n" for i in range(100_000))
    ),
    "escapes": _cells(lambda row: [f"\x1b]0;x\x07\u202e{row[0]}", *row[1:]]),
    "formulas": _cells(lambda row: [f"=cmd|' /C calc'!A0{row[0]}", *row[1:]]),
    "markup": _cells(lambda row: [f"[/x][bold]<script>{row[0]}", *row[1:]]),
    "key": f"-----BEGIN {CANARY[:6]}-----\nnot a table\n",
}

COMPARED = {
    "escapes",
    "markup",
    "contradicts-the-metrics",
    "lacks-a-clip",
    "clips-of-other-runs",
    "hundred-thousand-clips",
}

MANIFESTS: dict[str, str | bytes | Callable[[str], str | bytes]] = {
    "empty": "",
    "binary": bytes(range(256)) * 100,
    "no-group": "path,label\nx,high\n",
    "short-row": "path,label,group,split,fold\nx\n",
    "groups-escape": _cells(lambda row: [*row[:2], "\x1b[31m\u202e", *row[3:]]),
    "each-its-own-group": _cells(lambda row: [*row[:2], row[0], *row[3:]]),
    "a-million-rows": lambda text: text + "".join(f"x{i},high,g{i},training,\n" for i in range(300_000)),
    "json": json.dumps({"path": 1}),
}
