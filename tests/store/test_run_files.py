from __future__ import annotations

import contextlib
import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import CLASSES, random_epoch_predictions
from tracker.runs import EpochPredictions, Predictions
from tracker.store import epoch_predictions_npz, predictions_csv, run_files
from tracker.store.run_files import groups_of, parse_epoch_predictions, parse_logged_table, parse_predictions

NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=8)


@st.composite
def any_predictions(draw: st.DrawFn, dtype: type = np.float32) -> Predictions:
    clips = sorted(draw(st.sets(NAMES, min_size=1, max_size=5)))
    classes = draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
    labels = draw(st.lists(st.sampled_from(classes), min_size=len(clips), max_size=len(clips)))
    seed = draw(st.integers(0, 99))
    rows = np.random.default_rng(seed).dirichlet(np.full(len(classes), 0.2), len(clips)).astype(dtype)
    if draw(st.booleans()):
        rows[0] = 1 / len(classes)  # a tie
    return Predictions(tuple(clips), tuple(labels), tuple(classes), rows.astype(np.float64))


def csv_of(*rows: str, header: str = "clip,label,predicted,blues,jazz") -> str:
    return "\n".join([header, *rows]) + "\n"


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@st.composite
def spoilt(draw: st.DrawFn, data: bytes) -> bytes:
    """A file with some bytes changed, cut out or put in: often still almost what it was."""
    held = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(held)))
        held[at : at + draw(st.sampled_from([0, 1, 1, 1, 20]))] = draw(st.binary(max_size=4))
    return bytes(held)


def check(read: Predictions | EpochPredictions) -> None:
    """Check that predictions are what the rest of the program relies on."""
    shape = (len(read.clips), len(read.classes))
    assert read.probabilities.shape[-2:] == shape
    assert min(shape) > 0
    assert len(read.labels) == len(read.clips)
    assert list(read.clips) == sorted(set(read.clips))
    assert set(read.labels) <= set(read.classes)
    assert len(set(read.classes)) == len(read.classes)
    assert all(isinstance(text, str) for text in (*read.clips, *read.labels, *read.classes))
    known = read.probabilities[~np.isnan(read.probabilities).all(axis=-1)]
    assert (known >= 0).all()
    assert np.allclose(known.sum(axis=-1, dtype=np.float64), 1, atol=0.02)


class TestPredictionsCsv:
    def test_predictions_csv_has_a_column_per_class_and_short_numbers(self) -> None:
        said = Predictions(("a/1.wav",), ("jazz",), ("blues", "jazz"), np.float32([[0.1, 0.9]]).astype(np.float64))
        assert predictions_csv(said) == csv_of("a/1.wav,jazz,jazz,0.1,0.9")

    @settings(derandomize=True, max_examples=100)
    @given(any_predictions())
    def test_predictions_csv_reads_back_as_it_was(self, said: Predictions) -> None:
        read = parse_predictions(as_bytes(predictions_csv(said)))
        assert (read.clips, read.labels, read.classes) == (said.clips, said.labels, said.classes)
        assert read.predicted == said.predicted
        assert np.array_equal(read.probabilities.astype(np.float32), said.probabilities.astype(np.float32))

    @settings(derandomize=True, max_examples=50)
    @given(any_predictions(np.float64))
    def test_predictions_csv_keeps_every_digit_of_longer_numbers(self, said: Predictions) -> None:
        assert np.array_equal(parse_predictions(as_bytes(predictions_csv(said))).probabilities, said.probabilities)

    def test_predictions_csv_tells_two_neighbours_in_float32_apart(self) -> None:
        half = np.float32(0.5)
        said = Predictions(
            ("a",), ("x",), ("x", "y"), np.array([[half, np.nextafter(half, np.float32(1))]], np.float64)
        )
        assert parse_predictions(as_bytes(predictions_csv(said))).predicted == ("y",)


def logged_table(columns: list[str], rows: list[list[object]]) -> bytes:
    return json.dumps({"columns": columns, "data": rows}).encode()


class TestParseLoggedTable:
    def test_parse_logged_table_reads_labels_and_predictions(self) -> None:
        found = parse_logged_table(logged_table(["x", "target", "prediction"], [[0.1, 1, 1.0], [0.2, 0, 1], [3, 0, 0]]))
        assert found is not None
        assert found.clips == ("row 1", "row 2", "row 3")
        assert (found.labels, found.predicted) == (("1", "0", "0"), ("1", "1", "0"))
        assert found.is_numbered

    def test_parse_logged_table_reads_names_and_probabilities(self) -> None:
        rows: list[list[object]] = [["b", "x", "x", 0.9, 0.1], ["a", "y", "x", 0.6, 0.4]]
        found = parse_logged_table(logged_table(["id", "label", "predicted", "x", "y"], rows))
        assert found is not None
        assert (found.clips, found.is_numbered) == (("a", "b"), False)
        assert found.probabilities is not None
        assert found.probabilities.tolist() == [[0.6, 0.4], [0.9, 0.1]]

    def test_parse_logged_table_takes_the_last_epoch_of_a_table_that_grew(self) -> None:
        rows: list[list[object]] = [[1, "x", "y"], [1, "y", "y"], [2, "x", "x"], [2, "y", "y"]]
        found = parse_logged_table(logged_table(["epoch", "label", "predicted"], rows))
        assert found is not None
        assert found.correct.tolist() == [True, True]

    @pytest.mark.parametrize(
        ("columns", "rows"),
        [
            (["label"], [["x"]]),
            (["label", "prediction"], []),
            (["target", "prediction"], [[2.5, 2.4], [1.0, 1.1]]),
            (["targets", "outputs"], [[f"Answer {i}.", f"An answer {i}."] for i in range(6)]),
            (["label", "prediction"], [["x", {"type": "image"}]]),
            (["label", "prediction"], [["x", None]]),
        ],
        ids=["no prediction", "no row", "a regression", "free texts", "an image", "nothing"],
    )
    def test_parse_logged_table_finds_no_predictions_in_other_tables(
        self, columns: list[str], rows: list[list[object]]
    ) -> None:
        assert parse_logged_table(logged_table(columns, rows)) is None

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"{", "no readable table"),
            (b"[" * 100_000, "no readable table"),
            (logged_table(["label", "predicted"], [["x"]]), "a row must have 2 fields"),
            (logged_table(["id", "label", "predicted"], [["a", "x", "x"], ["a", "x", "x"]]), "got 'a' twice"),
        ],
    )
    def test_parse_logged_table_says_what_is_wrong(self, data: bytes, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            parse_logged_table(data)


class TestParsePredictions:
    def test_parse_predictions_takes_labels_and_predicted_classes_alone(self) -> None:
        found = parse_predictions(b"clip,label,predicted\nb,x,y\na,x,x\n")
        assert (found.clips, found.classes, found.correct.tolist()) == (("a", "b"), ("x", "y"), [True, False])
        assert found.probabilities is None

    def test_parse_predictions_sorts_the_clips(self) -> None:
        read = parse_predictions(as_bytes(csv_of("b,jazz,jazz,0.2,0.8", "a,blues,jazz,0.4,0.6")))
        assert (read.clips, read.labels) == (("a", "b"), ("blues", "jazz"))
        assert read.probabilities.tolist() == [[0.4, 0.6], [0.2, 0.8]]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "the columns must be"),
            ("\n\n", "the columns must be"),
            (csv_of(), "0 clips"),
            (csv_of("a,blues,blues,1", header="clip,label,predicted,blues"), "the columns must be"),
            (csv_of("a,blues,blues,1,0", header="file,label,predicted,blues,jazz"), "the columns must be"),
            (csv_of("a,blues,blues,1,0", header="clip,label,predicted,blues,blues"), "a class must be there once"),
            (csv_of("a,blues,blues,1"), "a row must have 5 fields, got 4"),
            (csv_of("a,blues,blues,1,0,0"), "a row must have 5 fields, got 6"),
            (csv_of("a,blues,blues,1,0", "a,jazz,jazz,0,1"), "a clip must be there once"),
            (csv_of("a,rock,blues,1,0"), "a label must be one of the classes, got 'rock'"),
            (csv_of("a,blues,rock,1,0"), "predicted must be the most probable class"),
            (csv_of("a,blues,jazz,1,0"), "predicted must be the most probable class"),
            (csv_of("a,blues,blues,1,x"), "could not convert"),
            (csv_of("a,blues,blues,1,nan"), "add up to 1"),
            (csv_of("a,blues,blues,1,inf"), "add up to 1"),
            (csv_of("a,blues,blues,0.7,0.7"), "add up to 1"),
            (csv_of("a,blues,blues,1.5,-0.5"), "at least 0"),
            (csv_of('a,blues,"blues,1,0'), "no readable CSV"),
        ],
    )
    def test_parse_predictions_says_what_is_wrong(self, text: str, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            parse_predictions(as_bytes(text))

    def test_parse_predictions_takes_rounded_probabilities_and_windows_line_ends(self) -> None:
        read = parse_predictions(as_bytes(csv_of("a,blues,blues,0.667,0.334").replace("\n", "\r\n")))
        assert read.predicted == ("blues",)

    def test_parse_predictions_takes_either_of_two_equal_ones_for_predicted_and_says_the_first(self) -> None:
        assert parse_predictions(as_bytes(csv_of("a,blues,jazz,0.5,0.5"))).predicted == ("blues",)

    @pytest.mark.parametrize(
        ("part", "times", "said"),
        [
            (b"c,", 2_001, "at most 2,000 classes"),
            (b'"\n",', 300_000, "at most 1,048,576 characters in a row"),
            (b",", 2_000_000, "at most 1,048,576 characters in a row"),
            (b"c", 200_000, "no readable CSV"),
        ],
    )
    def test_parse_predictions_refuses_a_longer_row_than_any_has(self, part: bytes, times: int, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            parse_predictions(b"clip,label,predicted," + part * times + b"c\n")

    def test_parse_predictions_refuses_more_lines_than_any_validation_set_has(self) -> None:
        with pytest.raises(ValueError, match="at most 250,000 clips, got more"):
            parse_predictions(csv_of(*["a,blues,blues,1,0"] * 250_001).encode())
        with pytest.raises(ValueError, match="at most 2,000,000 lines"):
            parse_predictions(b"\n" * 2_000_001)

    def test_parse_predictions_refuses_more_probabilities_than_memory_should_hold(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run_files, "MOST_PROBABILITIES", 5)
        with pytest.raises(ValueError, match="at most 5 probabilities"):
            parse_predictions(as_bytes(csv_of("a,blues,blues,1,0", "b,blues,blues,1,0", "c,blues,blues,1,0")))

    @settings(derandomize=True, max_examples=100)
    @given(st.text(st.sampled_from('clip,label,predicted,ab01."\n\r\0'), max_size=80))
    def test_parse_predictions_reads_or_refuses_any_text(self, text: str) -> None:
        with contextlib.suppress(ValueError):
            assert parse_predictions(as_bytes(text)).clips

    @settings(derandomize=True, max_examples=100)
    @given(spoilt(csv_of("a,blues,blues,0.7,0.3", '"b\r",jazz,jazz,0.1,0.9', "c,jazz,blues,5e-1,0.5").encode()))
    def test_parse_predictions_reads_or_refuses_any_bytes(self, data: bytes) -> None:
        with contextlib.suppress(ValueError):
            check(parse_predictions(data))


class TestEpochPredictionsNpz:
    def test_epoch_predictions_npz_reads_back_as_it_was(self) -> None:
        said = random_epoch_predictions()
        read = parse_epoch_predictions(epoch_predictions_npz(said))
        assert (read.clips, read.labels, read.classes) == (said.clips, said.labels, said.classes)
        assert read.probabilities.dtype == np.float32
        assert np.array_equal(read.probabilities, said.probabilities)

    def test_epoch_predictions_npz_is_the_same_for_the_same_predictions(self) -> None:
        assert epoch_predictions_npz(random_epoch_predictions()) == epoch_predictions_npz(random_epoch_predictions())


def npz_of(**arrays: object) -> bytes:
    said = random_epoch_predictions()
    whole = {
        "probabilities": said.probabilities,
        "clips": np.array(said.clips),
        "labels": np.array(said.labels),
        "classes": np.array(said.classes),
    }
    out = io.BytesIO()
    np.savez(out, **{name: array for name, array in (whole | arrays).items() if array is not None})
    return out.getvalue()


def with_entry(name: str, content: bytes) -> bytes:
    """An archive in which another entry stands in the place of one."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(npz_of())) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, content if entry == name else old.read(entry))
    return out.getvalue()


def npz_with(name: str, header: str) -> bytes:
    """An archive in which one array has this header, and 64 bytes."""
    text = header.encode("latin-1")
    return with_entry(f"{name}.npy", b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text + bytes(64))


def one_epoch_of(probabilities: list[list[float]]) -> np.ndarray:
    """Probabilities of two epochs: as they must be, and these."""
    return np.stack([random_epoch_predictions().probabilities[0], np.array(probabilities)])


class TestParseEpochPredictions:
    def test_parse_epoch_predictions_sorts_the_clips(self) -> None:
        said = random_epoch_predictions()
        turned = EpochPredictions(said.clips[::-1], said.labels[::-1], CLASSES, said.probabilities[:, ::-1])
        read = parse_epoch_predictions(epoch_predictions_npz(turned))
        assert (read.clips, read.labels) == (said.clips, said.labels)
        assert np.array_equal(read.probabilities, said.probabilities)

    def test_parse_epoch_predictions_takes_what_is_no_number_after_a_loss_was_lost(self) -> None:
        said = np.stack([random_epoch_predictions().probabilities[0], np.full((4, 3), np.nan)])
        said[1, 2] = said[0, 2]
        read = parse_epoch_predictions(npz_of(probabilities=said))
        assert np.array_equal(read.probabilities, said, equal_nan=True)

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "no readable archive"),
            (b"no archive at all", "no readable archive"),
            (epoch_predictions_npz(random_epoch_predictions())[:-60], "no readable archive"),
            (npz_of(clips=None), "no readable archive"),
            (npz_of(clips=np.array(["a"])), "do not fit"),
            (npz_of(labels=np.array(["jazz"])), "do not fit"),
            (npz_of(labels=np.array(["polka"] * 4)), "got 'polka'"),
            (npz_of(classes=np.array(["blues", "jazz", "jazz"])), "a class must be there once"),
            (npz_of(clips=np.array(["a"] * 4)), "a clip must be there once"),
            (npz_of(probabilities=np.ones((4, 3))), "epoch × clips × classes"),
            (npz_of(probabilities=np.array([[["x"] * 3] * 4])), "epoch × clips × classes"),
            (npz_of(probabilities=np.full((2, 4, 3), np.nan)), "add up to 1"),
            (npz_of(probabilities=one_epoch_of([[np.nan, 0.5, 0.5]] * 4)), "add up to 1"),
            (npz_of(probabilities=one_epoch_of([[np.inf] * 3] * 4)), "add up to 1"),
            (npz_of(probabilities=one_epoch_of([[0.5] * 3, *[[np.nan] * 3] * 3])), "add up to 1"),
            (npz_of(probabilities=np.zeros((0, 4, 3))), "at least one epoch"),
        ],
    )
    def test_parse_epoch_predictions_says_what_is_wrong(self, data: bytes, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            parse_epoch_predictions(data)

    @pytest.mark.parametrize("shape", [f"({2**45}, 2, 2)", f"({10**30}, 2, 2)", f"({2**32}, {2**32}, 2)", "(9, 2, 2)"])
    def test_parse_epoch_predictions_makes_nothing_of_the_size_that_a_header_claims(self, shape: str) -> None:
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"
        with pytest.raises(ValueError, match=r"probabilities must be (as long as its header says|an array of numbers)"):
            parse_epoch_predictions(npz_with("probabilities", header))

    @pytest.mark.parametrize(
        "header",
        [
            "__import__('os').system('true')\n",
            "  {\n      'descr': 1,\n   }\n",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1,\n",
            "(" * 9_000 + "\n",
            "{'descr': '<f3', 'fortran_order': False, 'shape': (), }\n",
            "{'descr': '<f0', 'fortran_order': False, 'shape': (0,), }\n",
            "{'descr': '|O', 'fortran_order': False, 'shape': (1, 2, 2), }\n",
            "{'descr': '<U999999999', 'fortran_order': False, 'shape': (1, 2, 2), }\n",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 2, 2), }\n",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2, 2), }\n",
            "{'descr': '<f4', 'fortran_order': False, 'shape': 'x', }\n",
        ],
    )
    def test_parse_epoch_predictions_refuses_a_header_that_describes_no_array(self, header: str) -> None:
        with pytest.raises(ValueError, match=r"^probabilities must be"):
            parse_epoch_predictions(npz_with("probabilities", header))

    def test_parse_epoch_predictions_refuses_an_archive_with_a_password(self) -> None:
        data = bytearray(npz_of())
        for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.find(mark) + at] |= 1
        with pytest.raises(ValueError, match=r"no readable archive of .*: .*encrypted"):
            parse_epoch_predictions(bytes(data))

    @pytest.mark.parametrize(
        ("arrays", "said"),
        [
            ({"clips": np.array([["a"]] * 4)}, "clips must be a row of texts"),
            ({"labels": np.array([["blues"] * 4])}, "labels must be a row of texts"),
            ({"classes": np.array("x")}, "classes must be a row of texts"),
            ({"clips": np.zeros(4, dtype=[("a", "<i4"), ("b", "<U3")])}, "clips must be an array of numbers or texts"),
            ({"clips": np.array([b"\xff"] * 4)}, "can't decode"),
            ({"clips": np.array(["a"] * 250_001)}, "at most 250,000 clips"),
            ({"classes": np.zeros(3, dtype="<M8[s]")}, "classes must be an array of numbers or texts"),
            ({"probabilities": np.zeros((1, 250_001, 1), dtype=np.float16)}, "at most 250,000 clips"),
            ({"probabilities": np.zeros((1, 1, 2_001))}, "at most 2,000 classes"),
        ],
    )
    def test_parse_epoch_predictions_refuses_arrays_of_another_kind_or_size(
        self, arrays: dict[str, np.ndarray], said: str
    ) -> None:
        with pytest.raises(ValueError, match=said):
            parse_epoch_predictions(npz_of(**arrays))

    @pytest.mark.parametrize("dtype", [">f8", "<f2", np.longdouble])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_parse_epoch_predictions_takes_any_floats_in_any_order(self, dtype: str, order: str) -> None:
        said = random_epoch_predictions().probabilities
        read = parse_epoch_predictions(npz_of(probabilities=np.array(said.astype(dtype), order=order)))
        assert np.allclose(read.probabilities, said, atol=1e-3)

    def test_parse_epoch_predictions_refuses_an_archive_of_very_many_entries(self) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for number in range(1_001):
                archive.writestr(f"{number}", b"")
        with pytest.raises(ValueError, match="at most 1,000 entries"):
            parse_epoch_predictions(out.getvalue())

    @settings(derandomize=True, max_examples=100)
    @given(spoilt(npz_of()))
    def test_parse_epoch_predictions_reads_or_refuses_any_bytes(self, data: bytes) -> None:
        with contextlib.suppress(ValueError):
            check(parse_epoch_predictions(data))

    @settings(derandomize=True, max_examples=100)
    @given(st.sampled_from(["probabilities", "clips", "labels", "classes"]), st.data())
    def test_parse_epoch_predictions_reads_or_refuses_arrays_of_any_bytes(self, name: str, data: st.DataObject) -> None:
        with zipfile.ZipFile(io.BytesIO(npz_of())) as archive:
            array = archive.read(f"{name}.npy")
        with contextlib.suppress(ValueError):
            check(parse_epoch_predictions(with_entry(f"{name}.npy", data.draw(spoilt(array)))))

    def test_unpickles_nothing(self) -> None:
        with pytest.raises(ValueError, match="clips must be an array of numbers or texts, got the header"):
            parse_epoch_predictions(npz_of(clips=np.array([print] * 4)))
        with pytest.raises(ValueError, match="no readable archive"):
            parse_epoch_predictions(pickle.dumps([1]))

    def test_parse_epoch_predictions_does_not_unpack_what_is_too_large(self) -> None:
        out = io.BytesIO()
        with (
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("clips.npy", "w") as entry,
        ):
            for _ in range(9):
                entry.write(bytes(2**25))
        with pytest.raises(ValueError, match="may unpack to at most 268,435,456 bytes, got 301,989,888"):
            parse_epoch_predictions(out.getvalue())


class TestGroupsOf:
    @settings(derandomize=True, max_examples=100)
    @given(spoilt(b'path,label,group\na,blues,artist 1\nb,jazz,\n"c",jazz,artist 2\n'))
    def test_groups_of_reads_or_refuses_any_bytes(self, data: bytes) -> None:
        with contextlib.suppress(ValueError):
            assert all(groups_of(data).values())

    def test_groups_of_refuses_more_rows_than_any_dataset_has(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_files, "MOST_ROWS", 3)
        with pytest.raises(ValueError, match="at most 3 rows, got more"):
            groups_of(b"path,group\na,1\nb,1\nc,1\nd,1\n")

    def test_groups_of_has_the_clips_with_a_group(self) -> None:
        text = (
            "path,label,group,split,fold\na,blues,artist 1,train,\nb,jazz,,validation,\nc,jazz,artist 2,validation,\n"
        )
        assert groups_of(as_bytes(text)) == {"a": "artist 1", "c": "artist 2"}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "path and group"),
            ("path,label\na,blues\n", "path and group"),
            ("path,group\na\n", "a row must have 2 fields"),
        ],
    )
    def test_groups_of_says_what_is_wrong(self, text: str, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            groups_of(as_bytes(text))
