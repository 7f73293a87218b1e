"""Kept models that run code, read files, fill the memory or are none, and runs that say something else of theirs."""

from __future__ import annotations

import base64
import io
import json
import marshal
import warnings
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from bench.hostile.case import RUNS, Case, without
from bench.hostile.place import GOOD, Place, bomb, clear, fifo, folder, link
from tracker.recording.kept_model import KERAS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from bench.hostile.case import Prepare

PREDICT = ("predict", "data/high/0.wav", "data/low/0.wav", "--run", "<first>", "--format", "csv")
TABLE = ("predict", "data/high/0.wav", "--run", "<first>")
EXPORT = ("export", "<first>", "--to", "keras", "--output", "exported")
PROMOTE = ("promote", "<first>", "--anyway")

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
SHORT = {"is-lambda", "weights-are-a-key"}


def models(rng: Random) -> Iterator[Case]:
    for name, put in THINGS.items():
        yield _case(name, (PREDICT, EXPORT), partial(_put, put))
    for name, change in FILES.items():
        yield _case(name, (PREDICT,), partial(_change_file, change))
    for number in range(6):
        yield _case(f"flipped-{number}", (PREDICT,), partial(_change_file, partial(_flip, rng.randrange(1 << 30))))
    for name, replace in CONFIGS.items():
        yield _case(name, (PREDICT, EXPORT), partial(_change_config, replace))
    for name, write in H5.items():
        yield _case(name, (PREDICT, EXPORT), partial(_change_weights, write))
    yield _case("config-bomb", (PREDICT,), lambda place: bomb(_file(place), CONFIG, 1 << 30))
    yield _case("weights-bomb", (PREDICT,), _weights_bomb)
    for name, rows in SAID.items():
        keeps = without(*(["first"] if ("tags", "mlflow.runName") in {row[:2] for row in rows} else []))
        yield _case(name, (TABLE, EXPORT, PROMOTE), partial(_say, rows), keeps)
    for name, answer in OUTPUTS.items():
        yield _case(name, (EXPORT,), answer)


def _case(name: str, commands: tuple[tuple[str, ...], ...], prepare: Prepare, keeps: tuple[str, ...] = GOOD) -> Case:
    return Case(f"models/{name}", (*commands, RUNS), prepare, keeps, short=name in SHORT)


def _file(place: Place) -> Any:
    return place.artifacts("first") / KERAS_FILE


# ---- what is in the place of the file ----


def _sparse(place: Place) -> None:
    with _file(place).open("r+b") as file:
        file.truncate(4 << 30)


THINGS: dict[str, Callable[[Place], object]] = {
    "is-gone": lambda place: clear(_file(place)),
    "is-a-pipe": lambda place: fifo(_file(place)),
    "is-endless": lambda place: link(_file(place), "/dev/zero"),
    "is-a-folder": lambda place: folder(_file(place)),
    "is-a-key": lambda place: link(_file(place), place.key),
    "is-of-another-project": lambda place: link(_file(place), place.victim / _file(place).relative_to(place.project)),
    "folder-is-of-another-project": lambda place: link(
        _file(place).parent, place.victim / _file(place).parent.relative_to(place.project)
    ),
    "of-four-gigabytes": _sparse,
}


def _put(put: Callable[[Place], object], place: Place) -> None:
    put(place)


# ---- files that are no models ----


def _flip(seed: int, content: bytes) -> bytes:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(content, np.uint8).copy()
    data[rng.integers(len(data), size=20)] ^= 1 << rng.integers(8, size=20).astype(np.uint8)
    return data.tobytes()


def _replaced(content: bytes, **members: bytes | None) -> bytes:
    """Return an archive with some members replaced, added or, with None, left out; ``__`` stands for a dot."""
    new = {name.replace("__", "."): member for name, member in members.items()}
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w") as archive:
        for name in dict.fromkeys([*old.namelist(), *new]):
            member = new[name] if name in new else old.read(name)
            if member is not None:
                archive.writestr(name, member)
    return written.getvalue()


def _leading_out(content: bytes) -> bytes:
    written = io.BytesIO(content)
    with zipfile.ZipFile(written, "a") as archive:
        for name in ("assets/../../../../victim/notes.txt", "/tmp/INJECTED", "assets/../../INJECTED"):  # noqa: S108
            archive.writestr(name, "x")
    return written.getvalue()


def _twice(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that repeat
        for name, member in (*members.items(), *members.items()):
            archive.writestr(name, member)
    return written.getvalue()


def _pickled() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.array([{"a": 1}], dtype=object))
    return file.getvalue()


def _member(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


FILES: dict[str, Callable[[bytes], bytes]] = {
    "is-empty": lambda _content: b"",
    "is-text": lambda _content: b"x\n",
    "is-cut": lambda content: content[: len(content) // 2],
    "lacks-its-end": lambda content: content[:-22],
    "is-weights-alone": lambda content: _member(content, WEIGHTS),
    "lacks-config": lambda content: _replaced(content, config__json=None),
    "lacks-weights": lambda content: _replaced(content, **{WEIGHTS.replace(".", "__"): None}),
    "lacks-metadata": lambda content: _replaced(content, metadata__json=None),
    "leads-out": _leading_out,
    "members-twice": _twice,
    "weights-are-text": lambda content: _replaced(content, **{WEIGHTS.replace(".", "__"): b"x"}),
    "weights-are-pickled": lambda content: _replaced(
        content, **{WEIGHTS.replace(".", "__"): None, "model__weights__npz": _pickled()}
    ),
}


def _change_file(change: Callable[[bytes], bytes], place: Place) -> None:
    file = _file(place)
    file.write_bytes(change(file.read_bytes()))


# ---- configurations that name something else than layers ----

Layer = dict[str, Any]


def _lambda(_layer: Layer, place: Place) -> Layer:
    code = marshal.dumps(compile(f"open({str(place.victim / 'notes.txt')!r}, 'w')", "x", "eval"))
    function = {"class_name": "__lambda__", "config": {"code": base64.b64encode(code).decode(), "defaults": None,
                                                       "closure": None}}  # fmt: skip
    return {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "x", "function": function},
            "registered_name": None}  # fmt: skip


def _object(module: str, name: str, /, **config: Any) -> Callable[[Layer, Place], Layer]:
    def made(_layer: Layer, place: Place) -> Layer:
        told = {key: place.told(value) if isinstance(value, str) else value for key, value in config.items()}
        return {"module": module, "class_name": name, "config": {"name": "x"} | told, "registered_name": name}

    return made


def _function(module: str, name: str, argument: str) -> Callable[[Layer, Place], Layer]:
    """Return a layer that calls a function on a text."""

    def made(_layer: Layer, place: Place) -> Layer:
        function = {"module": module, "class_name": "function", "config": name, "registered_name": name}
        given = {"function": function, "arguments": {"fname": "x", "origin": place.told(argument)}}
        return {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "x"} | given,
                "registered_name": None}  # fmt: skip

    return made


def _with(**config: Any) -> Callable[[Layer, Place], Layer]:
    return lambda layer, _place: layer | {"config": layer["config"] | config}


LAYERS: dict[str, Callable[[Layer, Place], Layer]] = {
    "is-lambda": _lambda,
    "calls-the-shell": _object("os", "system", command="touch INJECTED"),
    "calls-a-process": _object("subprocess", "Popen", args=["touch", "INJECTED"]),
    "calls-tracker": _object("tracker.atomic_files", "replace_file", path="<root>/victim/notes.txt"),
    "fetches-a-file": _function("keras.utils", "get_file", "<other>/x"),
    "loads-another-model": _function("keras.models", "load_model", "<root>/victim/notes.txt"),
    "reads-a-vocabulary": _object(
        "keras.layers", "StringLookup", vocabulary="<root>/home/.ssh/id_rsa", max_tokens=None, output_mode="int"
    ),
    "asks-for-a-vocabulary": _object("keras.layers", "StringLookup", vocabulary="<other>/x", max_tokens=None),
    "is-of-torch": _object(
        "keras.layers", "TorchModuleWrapper", module={"class_name": "__bytes__", "config": {"value": "gARLAS4="}}
    ),
    "is-a-saved-model": _object("keras.layers", "TFSMLayer", filepath="<root>/victim", call_endpoint="serve"),
    "is-a-program-of-jax": _object("keras.layers", "JaxLayer", call_fn="os.system"),
    "is-unknown": _object("keras.layers", "Nothing"),
    "has-a-billion-units": _with(units=1_000_000_000),
    "has-infinitely-many-units": _with(units=10**30),
    "has-negative-units": _with(units=-1),
    "has-text-units": _with(units="many"),
    "has-three-units": _with(units=3),
    "activates-by-a-function": _with(
        activation={"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    ),
    "escapes": _with(activation="\x1b]0;x\x07\u202e"),
}


def _deep(config: dict[str, Any], _place: Place) -> str:
    return json.dumps(config)[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}"


def _many_layers(config: dict[str, Any], _place: Place) -> str:
    config["config"]["layers"] *= 100
    return json.dumps(config)


def _large_input(config: dict[str, Any], _place: Place) -> str:
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 1_000_000, 1_000_000, 1]
    return json.dumps(config)


def _last(change: Callable[[Layer, Place], Layer]) -> Callable[[dict[str, Any], Place], str]:
    """Return what replaces the last layer."""

    def changed(config: dict[str, Any], place: Place) -> str:
        *_, last = layers = config["config"]["layers"]
        layers[-1] = {"name": last["name"], "inbound_nodes": last["inbound_nodes"]} | change(last, place)
        layers[-1]["config"] |= {"name": last["name"]}
        return json.dumps(config)

    return changed


CONFIGS: dict[str, Callable[[dict[str, Any], Place], str]] = {
    "config-is-empty": lambda _config, _place: "",
    "config-is-a-list": lambda _config, _place: "[]",
    "config-is-a-text": lambda _config, _place: '"x"',
    "config-is-nothing": lambda _config, _place: "null",
    "config-is-no-text": lambda _config, _place: "\udcff",
    "config-is-deep": _deep,
    "config-is-the-shell": lambda _config, _place: json.dumps(
        {"module": "os", "class_name": "system", "config": {"command": "touch INJECTED"}, "registered_name": None}
    ),
    "config-lacks-layers": lambda config, _place: json.dumps(config | {"config": {}}),
    "compiled-by-the-shell": lambda config, _place: json.dumps(
        config | {"compile_config": {"loss": {"module": "os", "class_name": "function", "config": "system"}}}
    ),
    "many-layers": _many_layers,
    "input-is-large": _large_input,
    **{name: _last(change) for name, change in LAYERS.items()},
}


def _change_config(replace: Callable[[dict[str, Any], Place], str], place: Place) -> None:
    file = _file(place)
    text = replace(json.loads(_member(file.read_bytes(), CONFIG)), place)
    file.write_bytes(_replaced(file.read_bytes(), config__json=text.encode("utf-8", "surrogateescape")))


# ---- weights ----


def _last_bias(weights: h5py.File) -> tuple[h5py.Group, str, h5py.Dataset]:
    """Return where the biases of the classes are, and what they are."""
    group = weights["layers/dense/vars"]
    return group, "1", group["1"]


def _external(weights: h5py.File, place: Place) -> None:
    group, name, old = _last_bias(weights)
    shape = old.shape
    del group[name]
    group.create_dataset(name, shape, "float32", external=[(str(place.key), 0, 4 * shape[0])])


def _linked(weights: h5py.File, place: Place) -> None:
    with h5py.File(place.victim / "secret.h5", "w") as theirs:
        theirs["x"] = np.zeros(2, "float32")
    group, name, _ = _last_bias(weights)
    del group[name]
    group[name] = h5py.ExternalLink(str(place.victim / "secret.h5"), "/x")


def _virtual(weights: h5py.File, place: Place) -> None:
    group, name, old = _last_bias(weights)
    layout = h5py.VirtualLayout(shape=old.shape, dtype="float32")
    layout[:] = h5py.VirtualSource(str(place.victim / "secret.h5"), "x", shape=old.shape)
    del group[name]
    group.create_virtual_dataset(name, layout)


def _of_shape(*shape: int) -> Callable[[h5py.File, Place], None]:
    def change(weights: h5py.File, _place: Place) -> None:
        group, name, _ = _last_bias(weights)
        del group[name]
        group.create_dataset(name, shape, "float32", chunks=tuple(min(side, 1_000) for side in shape))

    return change


def _filled(value: float) -> Callable[[h5py.File, Place], None]:
    def change(weights: h5py.File, _place: Place) -> None:
        _, _, old = _last_bias(weights)
        old[:] = value

    return change


def _of_objects(weights: h5py.File, _place: Place) -> None:
    group, name, old = _last_bias(weights)
    shape = old.shape
    del group[name]
    group.create_dataset(name, shape, h5py.string_dtype())


H5: dict[str, Callable[[h5py.File, Place], None]] = {
    "weights-are-a-key": _external,
    "weights-are-linked": _linked,
    "weights-are-virtual": _virtual,
    "weights-beyond-memory": _of_shape(1 << 20, 1 << 20),
    "weights-are-more": _of_shape(3),
    "weights-are-texts": _of_objects,
    "weights-are-nothing": _filled(float("nan")),
    "weights-are-infinite": _filled(float("inf")),
    "weights-lack-a-layer": lambda weights, _place: weights.__delitem__("layers/dense"),
}


def _change_weights(write: Callable[[h5py.File, Place], None], place: Place) -> None:
    file = _file(place)
    content = io.BytesIO(_member(file.read_bytes(), WEIGHTS))
    with h5py.File(content, "r+") as weights:
        write(weights, place)
    file.write_bytes(_replaced(file.read_bytes(), **{WEIGHTS.replace(".", "__"): content.getvalue()}))


def _weights_bomb(place: Place) -> None:
    file = _file(place)
    config = _member(file.read_bytes(), CONFIG)
    bomb(file, WEIGHTS, 1 << 30)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(CONFIG, config)
        archive.writestr("metadata.json", "{}")


# ---- what a run says of its model ----

SAID: dict[str, tuple[tuple[str, str, str], ...]] = {
    "classes-are-no-json": (("tags", "tracker.classes", "high, low"),),
    "classes-that-escape": (("tags", "tracker.classes", json.dumps(["\x1b]0;x\x07\u202e", "a\nb"])),),
    "classes-are-paths": (("tags", "tracker.classes", json.dumps(["../../victim/notes.txt", "/etc/passwd"])),),
    "classes-are-markup": (("tags", "tracker.classes", json.dumps(["<script>x</script>", "]({{x}}) --- # y"])),),
    "classes-are-formulas": (("tags", "tracker.classes", json.dumps(["=cmd|' /C calc'!A0", "@x"])),),
    "classes-are-one-name": (("tags", "tracker.classes", json.dumps(["a", "a"])),),
    "classes-are-many": (("tags", "tracker.classes", json.dumps([f"c{number}" for number in range(100_000)])),),
    "classes-are-deep": (("tags", "tracker.classes", "[" * 100_000),),
    "segment-is-an-hour": (("params", "segment_s", "3600"),),
    "segment-is-nothing": (("params", "segment_s", "nan"),),
    "segment-is-tiny": (("params", "segment_s", "1e-300"),),
    "rate-is-enormous": (("params", "sr", "9" * 30),),
    "rate-is-negative": (("params", "sr", "-1"),),
    "mels-are-enormous": (("params", "n_mels", "1000000000"),),
    "hop-is-nothing": (("params", "hop_length", "0"),),
    "features-are-another": (("params", "features", "cqt"),),
    "features-escape": (("params", "features", "\x1b]0;x\x07\u202e"),),
    "network-is-a-key": (("params", "model", "<root>/home/.ssh/id_rsa"),),
    "network-is-a-pipe": (("params", "model", "pipe"),),
    "name-is-a-path": (("tags", "mlflow.runName", "../../victim/notes.txt"),),
    "name-is-code": (("tags", "mlflow.runName", '"""\nimport os\nos.system("touch INJECTED")\n"""'),),
    "data-is-code": (("tags", "tracker.data", "'; touch INJECTED; '\n---\nlicense: mit"),),
}


def _say(rows: tuple[tuple[str, str, str], ...], place: Place) -> None:
    run_id = place.base.runs["first"]
    for table, key, value in rows:
        told = place.told(value)
        place.sql(
            (f"DELETE FROM {table} WHERE run_uuid = ? AND key = ?", (run_id, key)),  # noqa: S608 -- of the names above
            (f"INSERT INTO {table} (run_uuid, key, value) VALUES (?, ?, ?)", (run_id, key, told)),  # noqa: S608
        )
        if key == "mlflow.runName":
            place.sql(("UPDATE runs SET name = ? WHERE run_uuid = ?", (told, run_id)))


# ---- where an export goes ----


def _folder_with_a_link(place: Place) -> None:
    link(place.project / "exported" / "README.md", place.home / "new")


OUTPUTS: dict[str, Prepare] = {
    "output-is-a-key": lambda place: link(place.project / "exported", place.key),
    "output-is-a-pipe": lambda place: fifo(place.project / "exported"),
    "output-has-a-link": _folder_with_a_link,
}
