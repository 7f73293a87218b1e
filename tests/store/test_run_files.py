from __future__ import annotations

import contextlib
import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import CLASSES, random_epoch_predictions
from tracker.runs import EpochPredictions, Predictions
from tracker.store import epoch_predictions_npz, predictions_csv
from tracker.store.run_files import groups_of, parse_epoch_predictions, parse_predictions

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


class TestParsePredictions:
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

    @settings(derandomize=True, max_examples=100)
    @given(st.text(st.sampled_from('clip,label,predicted,ab01."\n\r\0'), max_size=80))
    def test_parse_predictions_reads_or_refuses_any_text(self, text: str) -> None:
        with contextlib.suppress(ValueError):
            assert parse_predictions(as_bytes(text)).clips


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

    def test_unpickles_nothing(self) -> None:
        with pytest.raises(ValueError, match="allow_pickle=False"):
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
