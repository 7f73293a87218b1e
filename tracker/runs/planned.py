"""What a run is asked for: the network and how it is trained, the split, the spectrogram, the seed.

With the data and the version, a plan decides the result. `RUN_OPTIONS` is the one table of the options of
``tracker run``: to add an option, add a field to `Configuration`, `SplitPlan`, `Spectrogram` or `DataPlan`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tracker.runs.options import (
    Compound,
    OptionValue,
    Panel,
    Range,
    Role,
    RunOption,
    Value,
    check_options,
    check_range,
    number_text,
    option,
    options_of,
    params_of,
    shown,
    value_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    ParseOptions = Callable[[str, Mapping[str, str]], "OfNetwork"]

Keep = Literal["best", "last"]
Backend = Literal["tensorflow", "jax", "torch"]
Optimizer = Literal["adam", "adamw", "sgd"]
Monitor = Literal["val_loss", "val_accuracy"]

SEEDS = Range(least=0, most=2**32 - 1)  # what NumPy and TensorFlow take
_EPOCHS = Range(least=1, most=100_000)
_FRACTION = Range(above=0, below=1)
_FOLDS = Range(least=2, most=10_000)
_MOST_BANDS = 4_096  # of an image
_NAME_LENGTH, _EXPERIMENT_LENGTH = 250, 500  # characters, as MLflow's tables have them


@dataclass(frozen=True, slots=True)
class Plateau(Compound):
    """Keras' ReduceLROnPlateau on validation loss."""

    separator: ClassVar[str] = ","
    metavar: ClassVar[str] = "FACTOR,PATIENCE"
    example: ClassVar[str] = "0.3,10"
    part_types: ClassVar = (float, int)
    part_names: ClassVar = ("factor", "patience")

    factor: float  # what the learning rate is multiplied by, above 0 and below 1
    patience: int  # epochs without improvement before it drops, 1 to 100,000

    def __post_init__(self) -> None:
        check_range("a plateau's factor", self.factor, _FRACTION)
        check_range("a plateau's patience", self.patience, _EPOCHS)


@dataclass(frozen=True, slots=True)
class SpecAugment(Compound):
    """The widest stretches of bands and of frames that are masked in each training segment."""

    separator: ClassVar[str] = ","
    metavar: ClassVar[str] = "BANDS,FRAMES"
    example: ClassVar[str] = "16,20"
    part_types: ClassVar = (int, int)
    part_names: ClassVar = ("number of bands", "number of frames")

    bands: int  # 0 to 4,096
    frames: int  # 0 to 100,000

    def __post_init__(self) -> None:
        check_range("the number of masked bands", self.bands, Range(least=0, most=_MOST_BANDS))
        check_range("the number of masked frames", self.frames, Range(least=0, most=100_000))


@dataclass(frozen=True, slots=True)
class Fold(Compound):
    """Part `number` (counted from 1) of `count`, 2 to 10,000, in a cross-validation: the part that is validated on."""

    separator: ClassVar[str] = "/"
    metavar: ClassVar[str] = "K/N"
    example: ClassVar[str] = "1/5"
    part_types: ClassVar = (int, int)
    part_names: ClassVar = ("fold", "number of folds")

    number: int
    count: int

    def __post_init__(self) -> None:
        check_range("the number of folds", self.count, _FOLDS)
        check_range("a fold", self.number, Range(least=1, most=self.count))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How clips are divided; with the data it decides which are held out, whatever the training seed."""

    split_seed: int = field(default=0, metadata=option(
        flag="--split-seed", panel=Panel.DATA, role=Role.SPLIT, range=SEEDS,
        help="Seed of the split", words="split seed", name_format="split{}",
    ))  # fmt: skip
    validation_fraction: float = field(default=0.2, metadata=option(
        flag="--validation-fraction", panel=Panel.DATA, role=Role.SPLIT, range=_FRACTION,
        help="Fraction of the clips to validate on", words="validation fraction", name_format="val{}",
    ))  # fmt: skip
    test_fraction: float = field(default=0.0, metadata=option(
        flag="--test-fraction", panel=Panel.DATA, role=Role.SPLIT, range=Range(least=0, below=1),
        help="Fraction of the clips to set aside for a test, which `tracker run` never looks at",
        words="test fraction", name_format="test{}",
    ))  # fmt: skip
    fold: Fold | None = field(default=None, metadata=option(
        flag="--fold", type=Fold, panel=Panel.DATA, role=Role.SPLIT, metavar=Fold.metavar,
        help="Validate on part K of N instead of on a validation fraction", words="fold", name_format="fold{}of{}",
    ))  # fmt: skip

    def __post_init__(self) -> None:
        check_options(self)
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError(
                "the validation and test fractions must leave clips to train on: their sum must be below 1, got "
                f"{number_text(self.validation_fraction)} and {number_text(self.test_fraction)}"
            )


LIBRARIES = ("mirdata", "soundata")  # of loaders of published data sets
COLUMNS = ("path", "label", "group", "split", "fold")  # of a table of clips
_LONGEST_TEXT = 500  # characters of an option that is text
_LEVEL = re.compile(r"folder:([1-9][0-9]?)")
_TAG = "tag:"
_WORD = re.compile(r"[\w -]+")  # that finds nothing but itself


@dataclass(frozen=True, slots=True)
class DataPlan:
    """How data is read: with the files it decides which clips there are, their classes, groups and parts.

    Paths are relative to the folder of the data, else to the working folder.
    """

    columns: str | None = field(default=None, metadata=option(
        flag="--columns", type=str, panel=Panel.DATA, role=Role.SPLIT, metavar="OURS=THEIRS,…", longest=_LONGEST_TEXT,
        whole=True, words="columns",
        help="What a table calls the columns path, label, group, split and fold, if not so: "
        "path=filename,label=category; of a folder, the level of sub-folders that each is: label=folder:2",
    ))  # fmt: skip
    audio_root: str | None = field(default=None, metadata=option(
        flag="--audio-root", type=str, panel=Panel.DATA, role=Role.SPLIT, metavar="FOLDER", longest=_LONGEST_TEXT,
        whole=True, words="audio folder", default_words="that of the table",
        help="The folder that a table's paths are relative to; a file may also lie deeper in it",
    ))  # fmt: skip
    split_lists: str | None = field(default=None, metadata=option(
        flag="--split-lists", type=str, panel=Panel.DATA, role=Role.SPLIT, metavar="TRAIN [VALID] TEST", whole=True,
        longest=_LONGEST_TEXT, words="split lists",
        help="Three text files, which list the clips of each part, a path a line; a clip in none of them is left out. "
        "Of two, TRAIN TEST, the validation clips are drawn from the first",
    ))  # fmt: skip
    group_by: str | None = field(default=None, metadata=option(
        flag="--group-by", type=str, panel=Panel.DATA, role=Role.SPLIT, metavar="RULE", longest=_LONGEST_TEXT,
        whole=True, words="grouping",
        help="What clips share that a split must keep together: a sub-folder of their path (folder:2), a tag in the "
        "file (tag:artist, tag:album), or what a regular expression finds in the path ((\\w+)_\\d+)",
    ))  # fmt: skip

    def __post_init__(self) -> None:
        check_options(self)
        self.column_names  # noqa: B018  (to check them)
        self.lists  # noqa: B018
        if self.group_by and self.group_level is None and self.group_tag is None:
            if self.group_by.startswith(("folder:", _TAG)):
                raise _rule_error(self.group_by, "; folders are counted from 1, tags are words such as artist")
            try:
                re.compile(self.group_by)
            except re.error as error:
                raise _rule_error(self.group_by, f" ({error})") from error

    @property
    def column_names(self) -> dict[str, str]:
        """What a table calls our columns, by our names; of a folder, the level of each."""
        names: dict[str, str] = {}
        for part in self.columns.split(",") if self.columns else ():
            ours, _, theirs = (text.strip() for text in part.partition("="))
            if ours not in COLUMNS or not theirs or ours in names:
                raise ValueError(
                    f"--columns must be such as path=filename,label=category, each of {', '.join(COLUMNS)} at most "
                    f"once, got {shown(part)}"
                )
            names[ours] = theirs
        return names

    @property
    def levels(self) -> dict[str, int]:
        """The level of sub-folders, counted from 1, that says the label, group, split or fold of a clip."""
        found = {name: _LEVEL.fullmatch(text) for name, text in self.column_names.items()}
        return {name: int(level[1]) for name, level in found.items() if level and name != "path"}

    @property
    def lists(self) -> tuple[str, ...]:
        """The paths of the lists of training, validation and test clips, or of two parts; empty if there are none."""
        if self.split_lists is None:
            return ()
        lists = tuple(part.strip() for part in self.split_lists.split(","))
        if len(lists) not in (2, 3) or not all(lists):
            raise ValueError(
                "--split-lists must be three files, TRAIN VALID TEST, or two, TRAIN TEST, got "
                f"{shown(self.split_lists)}"
            )
        return lists

    @property
    def group_level(self) -> int | None:
        """The level of sub-folders, counted from 1, that clips are grouped by."""
        level = _LEVEL.fullmatch(self.group_by or "")
        return int(level[1]) if level else None

    @property
    def group_tag(self) -> str | None:
        """The tag that clips are grouped by."""
        name = (self.group_by or "").removeprefix(_TAG)
        return name if self.group_by == f"{_TAG}{name}" and name.isidentifier() else None


def _rule_error(rule: str, reason: str) -> ValueError:
    return ValueError(f"--group-by must be folder:N, tag:NAME or a regular expression, got {shown(rule)}{reason}")


def _refuse_word(rule: str | None) -> None:
    """Refuse to group by a word alone; not part of `DataPlan`, since earlier versions logged runs with such rules."""
    if rule and _WORD.fullmatch(rule):
        raise _rule_error(rule, f", which finds the same in all paths; did you mean {_guess(rule)}?")


def _guess(word: str) -> str:
    """Return what a person may mean who groups clips by a word alone."""
    if word.isdecimal():
        return f"folder:{int(word) or 1}"
    return "folder:2" if word.lower() in ("folder", "directory", "dir") else f"folder:2, or tag:{word.lower()}"


def is_of_library(data: str) -> bool:
    """Return whether data is a data set's name in a library, such as ``mirdata:gtzan_genre``, and not a path."""
    library, colon, name = data.partition(":")
    return bool(colon) and library in LIBRARIES and name.isidentifier()


def data_plan_of(params: Mapping[str, str]) -> DataPlan:
    """Return how the data of a run was read, by its params; raise ValueError if one can't be read."""
    plan: DataPlan = _made(DataPlan, {entry.name: entry.from_params(params) for entry in options_of(DataPlan)})
    return plan


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of image that sound becomes."""

    words: str  # what sentences call it
    values: str = "in decibels below the clip's maximum, from −80 to 0"  # what its numbers are
    is_in_db: bool = True  # decibels below the clip's maximum; else a louder clip isn't an image plus a number
    is_of_network: bool = False  # only a network that declares it takes it, so that it can't be asked for
    ignores: tuple[str, ...] = ()  # settings that change nothing


KINDS: Mapping[str, Kind] = {
    "logmel": Kind("log-mel", ignores=("n_mfcc",)),
    "mfcc": Kind(
        "MFCC",
        "divided by the root of the number of mel bands, so that the first is the mean level in decibels",
        is_in_db=False,
    ),
    "cqt": Kind("constant-Q", ignores=("n_fft", "n_mels", "n_mfcc")),
    "musicnn": Kind(
        "compressed mel",
        "log10(10,000 power + 1), at least 0",
        is_in_db=False,
        is_of_network=True,
        ignores=("n_mfcc",),
    ),
}
"""Every kind of image by its name; `tracker.features.extract` computes each."""

CQT_OCTAVES, CQT_PER_OCTAVE = 7, 12
CQT_LOWEST = 440 * 2 ** (-45 / 12)  # Hz: C1
_CQT_LEAST_SR = 8_400  # Hz: the filter of the highest band ends just below the half of it


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """How sound becomes an image: the kind of features and its settings, which are defined as librosa's.

    Log-mel images are power in decibels below the clip's maximum, down to `FLOOR_DB`; the same holds of the constant-Q
    transform, of 7 octaves of semitones from C1 on. MFCCs are the first rows of the orthonormal cosine transform of a
    log-mel image, divided by the root of its bands: so the first is the mean level in decibels. What the model musicnn
    takes is compressed mel power that is relative to no maximum, as its authors computed it.
    """

    features: str = field(default="logmel", metadata=option(
        flag="--features", panel=Panel.FEATURES, choices=tuple(name for name in KINDS if not KINDS[name].is_of_network),
        words="features", help="What a network sees of the sound: a log-mel spectrogram, its cepstral coefficients, or "
        "a constant-Q spectrogram", name_format="{}", implied=True,
    ))  # fmt: skip
    sr: int = field(default=22_050, metadata=option(
        flag="--sr", panel=Panel.FEATURES, metavar="HZ", range=Range(least=1_000, most=384_000),
        words="sampling rate", help="Rate that clips are resampled to", name_format="sr{}", phrase_format="{} Hz",
    ))  # fmt: skip
    n_fft: int = field(default=2_048, metadata=option(
        flag="--n-fft", panel=Panel.FEATURES, metavar="SAMPLES", range=Range(least=16, most=2**17),
        words="window length", help="Window of the Fourier transform", name_format="fft{}",
        phrase_format="windows of {}",
    ))  # fmt: skip
    hop_length: int = field(default=512, metadata=option(
        flag="--hop", panel=Panel.FEATURES, metavar="SAMPLES", range=Range(least=1, most=2**17),
        words="hop", help="Step from frame to frame, at most the window", name_format="hop{}",
        phrase_format="hop of {}",
    ))  # fmt: skip
    n_mels: int = field(default=128, metadata=option(
        flag="--n-mels", panel=Panel.FEATURES, range=Range(least=1, most=_MOST_BANDS), words="mel bands",
        quantity="number of mel bands",
        help="Number of mel bands, from 0 Hz to half the sampling rate", name_format="mel{}",
        phrase_format="{} mel bands",
    ))  # fmt: skip
    n_mfcc: int = field(default=20, metadata=option(
        flag="--n-mfcc", panel=Panel.FEATURES, range=Range(least=1, most=_MOST_BANDS), words="MFCCs",
        quantity="number of MFCCs",
        help="Number of coefficients of --features mfcc, at most the mel bands", name_format="mfcc{}",
        phrase_format="{} MFCCs", implied=True,
    ))  # fmt: skip

    def __post_init__(self) -> None:
        if self.features not in KINDS:
            known = ", ".join(name for name, kind in KINDS.items() if not kind.is_of_network)
            raise ValueError(f"--features must be one of {known}, got {shown(self.features)}")
        entries = {entry.name: entry for entry in options_of(Spectrogram)}
        for name in entries.keys() - {"features"}:
            entries[name].check(getattr(self, name))
        for name in KINDS[self.features].ignores:
            entry, value = entries[name], getattr(self, name)
            if value != entry.default:
                raise ValueError(f"{entry.flag} {value} changes nothing with --features {self.features}: leave it out")
        if self.features == "cqt":
            if self.sr < _CQT_LEAST_SR:
                raise ValueError(
                    f"--features cqt needs a --sr of at least {_CQT_LEAST_SR}, as its bands go up to 3,951 Hz, got "
                    f"{self.sr}"
                )
            return
        if self.hop_length > self.n_fft:
            raise ValueError(
                f"--hop {self.hop_length} skips sound between windows of --n-fft {self.n_fft}: at most {self.n_fft}"
            )
        if self.has_empty_bands:
            most = most_bands(self.sr, self.n_fft)
            raise ValueError(
                f"--n-mels {self.n_mels} leaves bands without any frequency of --n-fft {self.n_fft} at --sr {self.sr}: "
                f"at most {most}, or a longer --n-fft"
            )
        if self.features == "mfcc" and self.n_mfcc > self.n_mels:
            raise ValueError(f"--n-mfcc must be at most --n-mels {self.n_mels}, got {self.n_mfcc}")

    @property
    def has_empty_bands(self) -> bool:
        """Whether a mel band contains no frequency of the Fourier transform."""
        return _has_empty_bands(self.n_mels, self.sr, self.n_fft)

    @property
    def kind(self) -> Kind:
        """What kind of images these are."""
        return KINDS[self.features]

    @property
    def height(self) -> int:
        """The number of rows of an image."""
        if self.features == "cqt":
            return CQT_OCTAVES * CQT_PER_OCTAVE
        return self.n_mfcc if self.features == "mfcc" else self.n_mels

    @property
    def silence(self) -> tuple[float, ...]:
        """A column of silence, which short clips are padded with."""
        if self.features == "mfcc":
            return (FLOOR_DB, *[0.0] * (self.n_mfcc - 1))
        if self.features == "musicnn":
            return (0.0,) * self.height
        return (FLOOR_DB,) * self.height

    @property
    def window_s(self) -> float:
        """The length of a window of the Fourier transform, in seconds; 0 if there is none."""
        return 0.0 if "n_fft" in self.kind.ignores else self.n_fft / self.sr

    def frames(self, seconds: float) -> int:
        """Return how many frames a stretch of `seconds` spans, at least 1."""
        return max(1, round(seconds * self.sr / self.hop_length))

    def params(self) -> dict[str, str]:
        """Return the settings as they are logged: those that are implied only if they are not at their defaults."""
        return params_of(self)


def most_bands(sr: int, n_fft: int) -> int:
    """Return the largest number of mel bands of which each contains a frequency of the Fourier transform."""
    least = min(_MOST_BANDS, int(2 * _mel(sr / 2) * HZ_PER_MEL * n_fft / sr))  # up to here bands are wide enough
    return next((n for n in range(least, 1, -1) if not _has_empty_bands(n, sr, n_fft)), 1)


@lru_cache(maxsize=256)
def _has_empty_bands(n_mels: int, sr: int, n_fft: int) -> bool:
    step, whole = sr / n_fft, _mel(sr / 2) / (n_mels + 1)
    edges = [_hz(band * whole) for band in range(n_mels + 2)]
    return any((lower // step + 1) * step >= upper for lower, upper in zip(edges, edges[2:], strict=False))


FEATURE_OPTIONS = frozenset(entry.name for entry in options_of(Spectrogram))


def has_features_of_network(params: Mapping[str, str]) -> bool:
    """Return whether a run's features are its network's own, so that it has no options for them."""
    kind = KINDS.get(params.get("features", ""))
    return kind is not None and kind.is_of_network


HZ_PER_MEL = 200 / 3  # of Slaney's scale, which is linear up to 1 kHz
LINEAR_MELS, LOG_STEP = 1_000 / HZ_PER_MEL, math.log(6.4) / 27


def _mel(hz: float) -> float:
    mel = hz / HZ_PER_MEL
    return mel if mel < LINEAR_MELS else LINEAR_MELS + math.log(hz / 1_000) / LOG_STEP


def _hz(mel: float) -> float:
    return mel * HZ_PER_MEL if mel < LINEAR_MELS else 1_000 * math.exp(LOG_STEP * (mel - LINEAR_MELS))


FLOOR_DB = -80.0  # decibels below a clip's maximum where its log-mel image is cut off: librosa's own `top_db`


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is trained, without its seed: a network, its options and how it is fitted.

    The order of the fields is the order of options in commands, names, titles and tables. `options` has the network's
    own, sorted by name.
    """

    model: str = field(default="cnn", metadata=option(
        flag="--model", panel=Panel.NETWORK, metavar="NAME", words="model",
        help="Name of a network, or the path of its file: path/to/net.py", name_format="{}",
    ))  # fmt: skip
    kernel_size: int | None = field(default=3, metadata=option(
        flag="--kernel", panel=Panel.NETWORK, range=Range(least=1, most=255), words="kernel size", always=True,
        of_some=True,
        help="Height and width of the kernels, in mel bands and frames", title_format="Conv={}", name_format="k{}",
        phrase_format="{0}×{0} kernel",
    ))  # fmt: skip
    learning_rate: float = field(default=1e-3, metadata=option(
        flag="--lr", panel=Panel.TRAINING, range=Range(above=0, most=1e38), words="learning rate", always=True,
        help="Learning rate of the optimizer, at the start", title_format="lr={}", name_format="lr{}",
        phrase_format="lr {}",
    ))  # fmt: skip
    optimizer: Optimizer = field(default="adam", metadata=option(
        flag="--optimizer", panel=Panel.TRAINING, choices=("adam", "adamw", "sgd"), words="optimizer", implied=True,
        help="Keras' optimizer: adamw is adam with a weight decay, by default 0.004; sgd has a momentum of 0.9",
        name_format="{}",
    ))  # fmt: skip
    weight_decay: float | None = field(default=None, metadata=option(
        flag="--weight-decay", type=float, panel=Panel.TRAINING, range=_FRACTION, words="weight decay", implied=True,
        help="Shrink the weights at each step by this fraction of the learning rate; biases and normalisation are "
        "left alone", name_format="wd{}", phrase_format="weight decay {}",
    ))  # fmt: skip
    schedule: str | None = field(default=None, metadata=option(
        flag="--schedule", type=str, panel=Panel.TRAINING, choices=("cosine",), words="schedule", implied=True,
        help="Lower the learning rate from epoch to epoch along half a cosine, to almost 0 in the last of --epochs",
        name_format="{}",
    ))  # fmt: skip
    plateau: Plateau | None = field(default=None, metadata=option(
        flag="--plateau", type=Plateau, panel=Panel.TRAINING, metavar=Plateau.metavar,
        params=("plateau_factor", "plateau_patience"), words="plateau", quantity="a plateau of",
        help="Multiply the learning rate by FACTOR (above 0 and below 1) after PATIENCE epochs without a lower "
        "validation loss",
        level_format="factor {} and patience {}", title_format="ReduceLROnPlateau(factor={}, patience={})",
        name_format="plateau{}x{}", phrase_format="plateau ×{} after {}", acts_late=True,
    ))  # fmt: skip
    early_stopping_patience: int | None = field(default=None, metadata=option(
        flag="--early-stop", type=int, panel=Panel.TRAINING, metavar="PATIENCE", range=_EPOCHS,
        words="early stopping", quantity="early-stopping patience",
        help="Stop after PATIENCE epochs without a lower validation loss",
        title_format="EarlyStopping(patience={})", name_format="stop{}",
        phrase_format="early stopping after {}", acts_late=True,
    ))  # fmt: skip
    monitor: Monitor = field(default="val_loss", metadata=option(
        flag="--monitor", panel=Panel.TRAINING, choices=("val_loss", "val_accuracy"), words="monitored metric",
        help="What --plateau and --early-stop watch", name_format="{}", implied=True, acts_late=True,
    ))  # fmt: skip
    min_delta: float | None = field(default=None, metadata=option(
        flag="--min-delta", type=float, panel=Panel.TRAINING, range=Range(above=0, most=1_000),
        words="least improvement",
        help="What an epoch must improve the monitored metric by to count for --plateau (otherwise 0.0001) and "
        "--early-stop (otherwise anything counts)", name_format="delta{}", implied=True, acts_late=True,
    ))  # fmt: skip
    epochs: int = field(default=60, metadata=option(
        flag="--epochs", panel=Panel.TRAINING, range=_EPOCHS, words="epoch limit", acts_late=True,
        help="Maximum number of epochs", name_format="epochs{}", phrase_format="{} epochs",
    ))  # fmt: skip
    batch_size: int = field(default=32, metadata=option(
        flag="--batch-size", panel=Panel.TRAINING, range=Range(least=1, most=65_536), words="batch size",
        help="Segments per batch", name_format="batch{}", phrase_format="batches of {}",
    ))  # fmt: skip
    keep: Keep = field(default="best", metadata=option(
        flag="--keep", panel=Panel.TRAINING, choices=("best", "last"), words="epoch kept", acts_late=True,
        help="Which epoch's weights to keep: the one with the lowest validation loss, or the last", name_format="{}",
    ))  # fmt: skip
    label_smoothing: float | None = field(default=None, metadata=option(
        flag="--label-smoothing", type=float, panel=Panel.TRAINING, range=_FRACTION, words="label smoothing",
        help="Train towards 1 minus this for the true class, and share it among all classes", implied=True,
        name_format="smooth{}", phrase_format="label smoothing {}",
    ))  # fmt: skip
    class_weights: str | None = field(default=None, metadata=option(
        flag="--class-weights", type=str, panel=Panel.TRAINING, choices=("balanced",), words="class weights",
        help="Weigh the clips so that each class counts the same in training", name_format="{}", implied=True,
    ))  # fmt: skip
    mixup: float | None = field(default=None, metadata=option(
        flag="--mixup", type=float, panel=Panel.TRAINING, range=Range(above=0, most=100), metavar="ALPHA",
        words="mixup",
        help="Mix each training segment and its label with another's, in shares from a beta distribution",
        name_format="mixup{}", phrase_format="mixup {}", implied=True,
    ))  # fmt: skip
    spec_augment: SpecAugment | None = field(default=None, metadata=option(
        flag="--spec-augment", type=SpecAugment, panel=Panel.TRAINING, metavar=SpecAugment.metavar,
        params=("spec_augment_bands", "spec_augment_frames"), words="masks", quantity="masks of",
        help="Mask a stretch of up to BANDS mel bands and one of up to FRAMES frames in each training segment",
        level_format="up to {} bands and {} frames", name_format="mask{}x{}",
        phrase_format="masks up to {} bands × {} frames", implied=True,
    ))  # fmt: skip
    gain: float | None = field(default=None, metadata=option(
        flag="--gain", type=float, panel=Panel.TRAINING, range=Range(above=0, most=80), metavar="DB",
        words="random gain",
        help="Make each training segment louder or quieter by up to so many decibels", name_format="gain{}",
        phrase_format="random gain of {} dB", implied=True,
    ))  # fmt: skip
    segment_s: float = field(default=3.0, metadata=option(
        flag="--segment", panel=Panel.DATA, metavar="SECONDS", range=Range(above=0, most=3_600), words="segment length",
        help="Length of the windows that clips are cut into", name_format="seg{}", phrase_format="segments of {} s",
    ))  # fmt: skip
    keras_backend: Backend = field(default="tensorflow", metadata=option(
        flag="--keras-backend", panel=Panel.TRAINING, choices=("tensorflow", "jax", "torch"), words="Keras backend",
        help="Library that Keras trains with, which must be installed", environment="KERAS_BACKEND", name_format="{}",
        implied=True,
    ))  # fmt: skip
    options: tuple[tuple[str, OptionValue], ...] = ()

    def __post_init__(self) -> None:
        check_options(self)
        if self.schedule and self.plateau:
            raise ValueError("give --schedule or --plateau, not both: each sets the learning rate")

    def params(self) -> dict[str, str]:
        """Return the params as they are logged; an option that is off or implied is not among them."""
        return params_of(self) | {name: value_text(value) for name, value in self.options}


@dataclass(frozen=True, slots=True)
class RunPlan:
    """All that one run is asked for: with the data and the version, it decides the result."""

    configuration: Configuration
    seed: int = field(default=0, metadata=option(
        flag="--seed", panel=Panel.TRAINING, role=Role.SEED, range=SEEDS, words="seed",
        help="Seed of the training", name_format="s{}", always=True,
    ))  # fmt: skip
    split: SplitPlan = field(default_factory=SplitPlan)
    spectrogram: Spectrogram = field(default_factory=Spectrogram)
    data: DataPlan = field(default_factory=DataPlan)

    def __post_init__(self) -> None:
        check_options(self)
        if self.configuration.gain is not None and not self.spectrogram.kind.is_in_db:
            raise ValueError(
                f"--gain adds decibels to images, and {self.spectrogram.kind.words} images are of another unit: leave "
                "it out"
            )

    @property
    def trained(self) -> tuple[Configuration, Spectrogram]:
        """What is trained, whatever repeats it: seed, split and data are left out."""
        return self.configuration, self.spectrogram

    def params(self) -> dict[str, str]:
        """Return every param of the run as it is logged."""
        of_data = params_of(self.data) | params_of(self.split)
        return self.configuration.params() | params_of(self) | of_data | self.spectrogram.params()

    def run_name(self, usual: Collection[tuple[str, OptionValue]] = ()) -> str:
        """Return the configuration in short, without the `usual` options of the network: ``k7-lr0.0001-stop15-s0``."""
        own = [
            name if value is True else f"{name}{value_text(value)}"
            for name, value in self.configuration.options
            if (name, value) not in usual
        ]
        features = () if self.spectrogram.kind.is_of_network else (self.spectrogram,)  # the network's name implies them
        parts = (*features, self.split, self)
        return "-".join([*_named(self.configuration), *own, *(name for part in parts for name in _named(part))])


@dataclass(frozen=True, slots=True)
class OfNetwork:
    """What a network adds to a plan."""

    options: tuple[tuple[str, OptionValue], ...] = ()  # its own, sorted by name
    features: tuple[tuple[str, OptionValue], ...] = ()  # settings of the features that it needs
    kernel_sizes: Range = field(default_factory=Range)  # that it takes
    sized_networks: tuple[str, ...] = ()  # the networks whose kernel size can be chosen, if its own can't

    @property
    def has_kernel(self) -> bool:
        """Whether its kernel size can be chosen."""
        return not self.sized_networks

    @property
    def lacked(self) -> frozenset[str]:
        """The options of all networks whose value can't be chosen with it."""
        needed = dict(self.features)
        kind = KINDS.get(str(needed.get("features")))
        kernel = () if self.has_kernel else ("kernel_size",)
        return frozenset([*kernel, *needed, *(kind.ignores if kind else ())])


DEFAULT_EXPERIMENT = "tracker"

_COMMAND_OPTIONS = (
    RunOption(
        name="data", flag="--data", type=str, panel=Panel.DATA, role=Role.COMMAND, metavar="PATH",
        environment="TRACKER_DATA", default_words="the built-in demo set",
        help="A folder with one sub-folder of audio per class or laid out as a published data set, a CSV manifest "
        "with the columns path,label and optionally group,split,fold, or a data set that mirdata or soundata knows "
        "(mirdata:gtzan_genre)",
    ),
    RunOption(
        name="seeds", flag="--seeds", type=int, default=1, panel=Panel.TRAINING, role=Role.COMMAND, metavar="N",
        range=Range(least=1, most=10_000), words="number of seeds",
        help="Train with N consecutive seeds, starting at --seed; each is a run of its own",
    ),
    RunOption(
        name="name", flag="--name", type=str, panel=Panel.LOGGING, role=Role.COMMAND, metavar="TEXT",
        default_words="its configuration in short", help="Name of the run", longest=_NAME_LENGTH,
    ),
    RunOption(
        name="note", flag="--note", type=str, panel=Panel.LOGGING, role=Role.COMMAND, metavar="TEXT",
        default_words="none", help="A note about the run (Markdown); the report prints it",
    ),
    RunOption(
        name="reuse", flag="--reuse", type=bool, default=False, panel=Panel.LOGGING, role=Role.COMMAND,
        help="If a finished run has the same configuration, seed, data and version, print its id instead of training",
    ),
    RunOption(
        name="offline", flag="--offline", type=bool, default=False, panel=Panel.LOGGING, role=Role.COMMAND,
        help="Don't contact the store: keep the run beside it until `tracker sync` uploads it",
    ),
    RunOption(
        name="final", flag="--final", type=bool, default=False, panel=Panel.LOGGING, role=Role.COMMAND,
        help="Declare the plan fixed: in reports its runs alone decide, whatever is trained later",
    ),
    RunOption(
        name="keep_going", flag="--keep-going", type=bool, default=False, panel=Panel.TRAINING, role=Role.COMMAND,
        help="Continue when the loss is NaN or infinite instead of ending the run as failed; such epochs are never "
        "kept",
    ),
    RunOption(
        name="weights", flag="--weights", type=str, panel=Panel.NETWORK, role=Role.COMMAND, metavar="FILE",
        default_words="downloaded by pip once", longest=_LONGEST_TEXT,
        help="The wheel with the weights of a pretrained network (--model musicnn), or a folder with its content; they "
        "are cached, so that it is needed once",
    ),
    RunOption(
        name="experiment", flag="--experiment", type=str, panel=Panel.LOGGING, role=Role.COMMAND, metavar="NAME",
        default_words=f"that of MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID, else {DEFAULT_EXPERIMENT}",
        help="The MLflow experiment", longest=_EXPERIMENT_LENGTH,
    ),
    RunOption(
        name="tracking_uri", flag="--tracking-uri", type=str, panel=Panel.LOGGING, role=Role.COMMAND, metavar="URI",
        environment="MLFLOW_TRACKING_URI", default_words="sqlite:///mlflow.db in this folder",
        help="The MLflow store",
    ),
)  # fmt: skip

# Every option of ``tracker run`` that all networks have, in the order of commands and tables.
RUN_OPTIONS = (
    *options_of(Configuration),
    *options_of(Spectrogram),
    *options_of(DataPlan),
    *options_of(SplitPlan),
    *options_of(RunPlan),
    *_COMMAND_OPTIONS,
)

# Those that are params of a run, by name.
LOGGED_OPTIONS = {entry.name: entry for entry in RUN_OPTIONS if entry.params}


def option_named(name: str) -> RunOption:
    """Return the entry of an option by its name in Python."""
    return next(entry for entry in RUN_OPTIONS if entry.name == name)


def reserved_for(name: str) -> str | None:
    """Return what an option of a network may not share its name with, in words; None if the name is free."""
    for entry in RUN_OPTIONS:
        if name in entry.spellings:
            return f"the option {entry.flag}"
    return "the option --help" if name == "help" else None


def plan_with(values: Mapping[str, object], network: OfNetwork | None = None) -> RunPlan:
    """Return the plan of options by name; one that isn't given is at its default.

    `values` are by `RunOption.name`; those of the command alone, such as the data, are ignored. A plateau or a fold may
    be a tuple of its numbers. Features that the network needs take the place of their defaults.

    Raises
    ------
    ValueError
        If a value isn't of its option's type or is out of its range; the error begins with the option's name. Also if
        values don't go together, or the network needs other features.
    """
    network = network or OfNetwork()
    typed = {name: _checked(entry, values[name]) for name, entry in LOGGED_OPTIONS.items() if name in values}
    fraction = LOGGED_OPTIONS["validation_fraction"]
    if typed.get("fold") and typed.get(fraction.name, fraction.default) != fraction.default:
        raise ValueError("give --fold or --validation-fraction, not both: a fold is validated on as a whole")
    _check_kernel(typed, network)
    if not network.has_kernel:
        typed["kernel_size"] = None
    plan = RunPlan(
        _made(Configuration, typed, options=network.options),
        **_among(RunPlan, typed),
        split=_made(SplitPlan, typed),
        spectrogram=_spectrogram(typed, network),
        data=_made(DataPlan, typed),
    )
    _refuse_word(plan.data.group_by)
    return plan


def _check_kernel(typed: Mapping[str, object], network: OfNetwork) -> None:
    """Refuse a kernel size that the network doesn't take; the default is its own business."""
    entry, model = LOGGED_OPTIONS["kernel_size"], typed.get("model", Configuration().model)
    size: Any = typed.get(entry.name, entry.default)
    if size == entry.default or size in network.kernel_sizes:
        return
    if not network.has_kernel:
        raise ValueError(
            f"the model {model} takes no {entry.flag}, got {size}; leave it out, or take a model with kernels of any "
            f"size: {', '.join(network.sized_networks)}"
        )
    raise ValueError(f"{entry.flag} must be {network.kernel_sizes} for the model {model}, got {size}")


def _spectrogram(typed: Mapping[str, object], network: OfNetwork) -> Spectrogram:
    """Return the features of a plan: those that are given, but for what the network needs."""
    given, model = _among(Spectrogram, typed), typed.get("model", Configuration().model)
    for name, needed in network.features:
        entry = LOGGED_OPTIONS[name]
        if given.get(name, entry.default) not in (entry.default, needed):
            raise ValueError(
                f"the model {model} needs {entry.flag} {needed}, got {given[name]}; leave out {entry.flag}, or take "
                "another model"
            )
    return Spectrogram(**{**given, **dict(network.features)})


def options_set_by(environment: Mapping[str, str]) -> dict[str, Value]:
    """Return the options of a run that environment variables set, by name.

    Raises
    ------
    ValueError
        If a variable isn't a value of its option; the error begins with the variable's name.
    """
    found: dict[str, Value] = {}
    for entry in LOGGED_OPTIONS.values():
        if text := environment.get(entry.environment):
            try:
                found[entry.name] = entry.parse(text)
            except ValueError as error:
                raise ValueError(f"{entry.environment}: {error}") from error
    return found


def plans_under(plan: RunPlan, seeds: int) -> tuple[RunPlan, ...]:
    """Return a plan under as many consecutive seeds, the first its own; raise ValueError if there are not so many."""
    last = plan.seed + seeds - 1
    check_range(f"the last of {seeds} seeds that start at {plan.seed}", last, SEEDS)
    return tuple(replace(plan, seed=seed) for seed in range(plan.seed, last + 1))


def plan_of(params: Mapping[str, str], parse_options: ParseOptions) -> RunPlan:
    """Return the plan of a run that tracker logged, read back from what `RunPlan.params` wrote.

    `parse_options` takes a network's name and its options as texts, and returns them as values.

    Raises
    ------
    ValueError
        If a param is missing, belongs to no option of the network or isn't what this version writes for the same plan.
    """
    values = {name: entry.from_params(params) for name, entry in LOGGED_OPTIONS.items()}
    common = {name for entry in LOGGED_OPTIONS.values() for name in entry.params}
    own = {name: text for name, text in params.items() if name not in common}
    network = parse_options(str(values["model"]), own)
    if values["kernel_size"] is None and network.has_kernel:
        raise ValueError("the param kernel_size is missing")
    plan = RunPlan(
        _made(Configuration, values, options=network.options),
        **_among(RunPlan, values),
        split=_made(SplitPlan, values),
        spectrogram=spectrogram_of(params),
        data=_made(DataPlan, values),
    )
    for name, text in plan.params().items():
        if params.get(name) != text:
            raise ValueError(f"the param {name} would be {text} now, got {params.get(name, 'none')}")
    return plan


def split_of(params: Mapping[str, str]) -> SplitPlan:
    """Return how a run's data was divided, as logged; raise ValueError if a param is missing or can't be used."""
    made: SplitPlan = _made(SplitPlan, {entry.name: entry.from_params(params) for entry in options_of(SplitPlan)})
    return made


def key_of_test_clips(tags: Mapping[str, str], params: Mapping[str, str]) -> tuple[object, ...]:
    """Return what is equal of runs that have the same test clips: no fold of a division has any of these."""
    dataset = tags.get("tracker.dataset")
    try:
        split, data = split_of(params), data_plan_of(params)
    except ValueError:
        split, data = SplitPlan(), DataPlan()
    if split.fold is None:
        return dataset, tags.get("tracker.split")
    return dataset, replace(split, fold=replace(split.fold, number=1)), data


def spectrogram_of(params: Mapping[str, str]) -> Spectrogram:
    """Return the settings of the features as logged; raise ValueError if one is missing or can't be used."""
    spectrogram: Spectrogram = _made(
        Spectrogram, {entry.name: entry.from_params(params) for entry in options_of(Spectrogram)}
    )
    return spectrogram


def _named(plan: object) -> list[str]:
    """Return what a part of a plan adds to the run's name: what is always said, and what is not at its default."""
    values = ((entry, getattr(plan, entry.name)) for entry in options_of(plan.__class__) if entry.name_format)
    return [
        entry.name_format.format(*(value.parts if isinstance(value, Compound) else (entry.text(value),)))
        for entry, value in values
        if value is not None and (entry.always or value != entry.default)
    ]


def _checked(entry: RunOption, value: object) -> object:
    try:
        if issubclass(entry.type, Compound) and isinstance(value, tuple | list):
            return entry.type.from_numbers(value)
        value = entry.joined(value)
        entry.check(value)
    except ValueError as error:
        raise ValueError(f"{entry.name}: {error}") from error
    return value


def _made(kind: Any, values: Mapping[str, object], **further: object) -> Any:
    return kind(**_among(kind, values), **further)


def _among(kind: type, values: Mapping[str, object]) -> dict[str, Any]:
    return {entry.name: values[entry.name] for entry in options_of(kind) if entry.name in values}
