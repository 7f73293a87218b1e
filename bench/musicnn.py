"""Whether `--model musicnn` computes what the published network does: the tags of a clip by both, second by second.

    .venv/bin/python -m bench.musicnn WHEEL AUDIO

WHEEL is musicnn-0.1.0-py3-none-any.whl. Its graph is run by TensorFlow as it was saved, on log-mel patches by librosa
as its extractor makes them (but for half precision, in which loud frames become infinite); the other way are tracker's
features, the network of Keras layers and the weights read without TensorFlow. What differs is the padding at the ends
of a clip, which librosa has changed since.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracker.features.decode import read_audio
from tracker.features.extract import image_of
from tracker.runs import Spectrogram
from tracker.training.pretrained import MUSICNN, install_weights

from tracker.training import backend  # isort: skip  (before anything imports Keras)
from models.musicnn import FEATURES, describe, give_weights  # isort: skip
from tests.pretrained import tags_of  # isort: skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAMES = 187  # of a patch: 3 s
TAGS = "model/dense_1/BiasAdd"


def published(wheel: Path, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of the tags of each patch, shape (n, 50), by the graph in the wheel."""
    import tensorflow as tf
    from tensorflow.core.protobuf import meta_graph_pb2

    v1, meta = tf.compat.v1, meta_graph_pb2.MetaGraphDef()
    with tempfile.TemporaryDirectory() as folder, tf.Graph().as_default() as graph:
        zipfile.ZipFile(wheel).extractall(folder)
        checkpoint = f"{folder}/musicnn/MSD_musicnn/"
        meta.ParseFromString(Path(checkpoint, ".meta").read_bytes())
        definition = v1.graph_util.extract_sub_graph(meta.graph_def, [TAGS])
        for node in definition.node:
            node.attr.pop("_output_shapes", None)  # of another version of TensorFlow
        tf.import_graph_def(definition, name="")
        reader, feed = v1.train.NewCheckpointReader(checkpoint), {}
        for operation in graph.get_operations():
            (tensor, *_) = operation.outputs or [None]
            if operation.type == "Placeholder":
                feed[tensor] = False if tensor.dtype == tf.bool else patches
            elif operation.type == "VariableV2":
                feed[graph.get_tensor_by_name(f"{operation.name}/read:0")] = reader.get_tensor(operation.name)
        with v1.Session(graph=graph) as session:
            return np.asarray(session.run(f"{TAGS}:0", feed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("audio", type=Path)
    arguments = parser.parse_args()
    import librosa

    settings = Spectrogram(**FEATURES)
    samples = read_audio(arguments.audio, settings.sr)
    power = librosa.feature.melspectrogram(
        y=samples, sr=settings.sr, n_fft=settings.n_fft, hop_length=settings.hop_length, n_mels=settings.n_mels
    )
    ours, theirs = image_of(samples, settings), np.log10(10_000 * power + 1)
    print(f"features differ by at most {np.abs(ours - theirs).max():.1e}, of up to {theirs.max():.2f}")
    starts = range(0, theirs.shape[1] - FRAMES + 1, FRAMES)
    cut = [np.stack([image[:, start : start + FRAMES] for start in starts]) for image in (ours, theirs)]
    weights = MUSICNN.arrays(install_weights(MUSICNN, arguments.wheel))
    network = describe((settings.n_mels, FRAMES, 1))
    give_weights(network, weights)
    found = tags_of(np.asarray(network.predict_on_batch(cut[0][..., None])), weights)
    known = published(arguments.wheel, cut[1].transpose(0, 2, 1))
    odds = [1 / (1 + np.exp(-logits)) for logits in (found, known)]
    print(f"{len(starts)} patches of {len(known[0])} tags on {backend.keras.config.backend()}:")
    print(f"logits differ by at most {np.abs(found - known).max():.1e}, of up to {np.abs(known).max():.1f}")
    print(f"the taggram differs by at most {np.abs(odds[0] - odds[1]).max():.1e}")


if __name__ == "__main__":
    main()
