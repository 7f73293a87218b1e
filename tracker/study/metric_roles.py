"""What a metric's name says: what it measures, on which part of the data, and whether lower is better.

A metric's *quantity* is what it measures (``loss``, ``accuracy``, ``f1``), its *part* the clips it was measured on. The
validation metric of a quantity X is named ``val_X``, ``validation_X``, ``valid_X``, ``eval_X``, ``dev_X`` or ``cv_X``,
the test metric ``test_X``, ``testing_X`` or ``holdout_X``, the training metric ``train_X`` or ``training_X``, in any
case, with ``_``, ``-``, ``/``, ``.``, a space or nothing between (``valAcc``). ``X/val`` is read too, and ``X_X_test``,
which scikit-learn's autologging makes of a variable ``X_test``; its ``mean_test_score`` is of a search's validation
folds. What Lightning adds to the mean over an epoch (``train_loss_epoch``) and boosting libraries to their sets of
clips (``validation_0-logloss``) isn't part of the quantity.

A name without a part is that of the training metric beside a validation metric of the same quantity, as Keras logs
them. By itself it says nothing about the part.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Part = Literal["training", "validation", "test"]

ACCURACY = "accuracy"
LOSS = "loss"
RATE = "learning_rate"

_PARTS: dict[str, Part] = dict.fromkeys(
    ("val", "validation", "valid", "eval", "evaluation", "dev", "cv", "oof", "xval", "xvalid"), "validation"
)
_PARTS |= dict.fromkeys(("train", "training", "xtrain"), "training")
_PARTS |= dict.fromkeys(("test", "testing", "holdout", "heldout", "xtest"), "test")
_QUALIFIERS = frozenset({"best", "last", "final", "max", "min", "mean", "avg", "average", "median", "overall"})

_SAME = {"lr": RATE}
_SAME |= dict.fromkeys(
    ("acc", "accuracy_score", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy", "top1",
     "top1_acc", "top1_accuracy", "top_1_accuracy", "top_1_acc", "acc1", "acc_1", "acc_top1", "accuracy_top1"), ACCURACY
)  # fmt: skip
_SAME |= dict.fromkeys(("auroc", "roc_auc", "roc_auc_score", "auc_roc", "rocauc"), "auc")
_SAME |= dict.fromkeys(("f1_score", "f1score"), "f1") | {"precision_score": "precision", "recall_score": "recall"}
_SAME |= {"mean_squared_error": "mse", "root_mean_squared_error": "rmse", "mean_absolute_error": "mae"}
_SAME |= dict.fromkeys(("r2_score", "r2score", "r_squared", "rsquared"), "r2")
_SAME |= dict.fromkeys(("logloss", "binary_logloss", "multi_logloss", "mlogloss"), "log_loss")

_FALLS = frozenset({
    "loss", "error", "errors", "err", "mae", "mse", "rmse", "nrmse", "mape", "smape", "wape", "wmape", "mase",
    "msle", "rmsle", "rmsd", "medae", "merror", "perplexity", "ppl", "bpc", "bpb", "logloss", "mlogloss", "nll",
    "nlpd", "crossentropy", "bce", "crps", "pinball", "deviance", "brier", "ece", "mce", "ace", "kl", "kld",
    "divergence", "wer", "cer", "ter", "eer", "der", "dcf", "mindcf", "fid", "kid", "fad", "lpips", "mcd", "lsd",
    "hamming", "hausdorff", "hd95", "assd", "misclassification", "misclassified", "incorrect", "regret", "residual",
    "distance", "fpr", "fnr", "far", "frr", "cost", "aic", "bic", "davies", "inertia", "latency", "runtime",
    "duration", "seconds",
})  # fmt: skip
_RISES = frozenset({
    "accuracy", "acc", "acc1", "acc5", "f1", "f2", "f05", "fbeta", "fscore", "f1score", "fmeasure", "auc", "auroc",
    "rocauc", "aucpr", "prauc", "auprc", "aupr", "ap", "map", "lwlrap", "lrap", "mrr", "ndcg", "dcg", "hits",
    "precision", "recall", "sensitivity", "specificity", "tpr", "tnr", "ppv", "npv", "r2", "r2score", "rsquared",
    "iou", "miou", "jaccard", "dice", "bleu", "sacrebleu", "chrf", "rouge", "rougel", "rougelsum", "meteor",
    "cider", "spice", "bertscore", "psnr", "ssim", "msssim", "mcc", "matthews", "kappa", "qwk", "pearson",
    "pearsonr", "spearman", "spearmanr", "kendall", "correlation", "corr", "pcc", "plcc", "srcc", "ccc", "gmean",
    "snr", "sdr", "sisdr", "sisnr", "snri", "sdri", "pesq", "stoi", "estoi", "mos", "silhouette", "calinski", "nmi",
    "ari", "ami", "homogeneity", "completeness", "vmeasure", "likelihood", "elbo", "reward", "return", "success",
    "inception", "correct", "winrate", "gini", "lift", "informedness", "youden", "throughput",
})  # fmt: skip
_WITH_NUMBER = re.compile(r"(?:map|rouge|top|hits?|acc|ndcg|recall|precision|bleu|delta)[0-9]+b?")  # rise
_WHICH_EPOCH = _QUALIFIERS | {"stop", "stopped", "restored"}  # before ``epoch``, which else is Lightning's mark
_SHARES = frozenset({"accuracy", "acc", "f1", "auc", "precision", "recall"})  # from 0 to 1, or to 100 percent

# what scikit-learn's autologging calls the score of a search or of a variable's data: by convention, higher is better
_SCIKIT_LEARN = re.compile(r"(mean|split\d+)_test_score|best_cv_score|training_score|(?:[A-Z]\w*_)?score_[Xx]\w*")
_OF_ESTIMATOR = re.compile(r"[A-Z][A-Za-z]+_(score_[Xx]\w*)")  # by the estimator's class

_USAGE = frozenset({
    "memory", "gpu", "cpu", "disk", "network", "utilization", "megabytes", "mb", "watts", "flos", "flops", "runtime",
})  # fmt: skip
_OF_TRAINING = ({"per", "second"}, {"grad", "norm"})  # words of what a program logs of itself as it trains
# What tells nothing of how good a model is, whatever else the name says …
_NO_SCORE = frozenset({
    "epoch", "epochs", "step", "steps", "iteration", "iterations", "iter", "std", "stdev", "stddev", "sd", "sem",
    "rank", "time", "runtime", "seconds", "secs", "second", "minutes", "hours", "duration", "latency", "lr", "flos",
    "flops", "timestamp", *_USAGE,
})  # fmt: skip
# … or if it doesn't say which direction is better
_COUNTS = frozenset({
    "count", "counts", "num", "n", "size", "samples", "examples", "params", "parameters", "batch", "batches",
    "rows", "features", "support", "seed", "fold", "decay", "momentum", "norm", "grad", "gradient", "negatives",
    "positives",
})  # fmt: skip
_SPREAD = frozenset({"std", "stdev", "stddev", "sd", "sem", "rank", "per"})  # say nothing of better or worse


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a metric's name in lower case and without accents: ``val``, ``loss`` of ``valLoss``."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    apart = re.sub(r"(?<=[a-z]{2})(?=[A-Z])", " ", plain).lower()
    return tuple(re.findall(r"[^\W_]+", re.sub(r"\b(held|hold)[\W_]?out(?![a-z])", r"\1out", apart)))


def without_estimator(name: str) -> str:
    """Return ``score_X_test`` of ``SVC_score_X_test``, as scikit-learn's autologging names a score of any estimator."""
    of_estimator = _OF_ESTIMATOR.fullmatch(name)
    return of_estimator[1] if of_estimator else name


@lru_cache(maxsize=4096)
def _quantity_and_part(name: str) -> tuple[str, Part | None]:
    words = list(words_of(without_estimator(name)))
    if words[-3:-1] == ["dataloader", "idx"]:  # Lightning's mark of one of several sets of clips
        words = words[:-3]
    place = _place_of_part(words)
    part = None if place is None else _PARTS[words[place]]
    if place is not None:
        del words[place]
        if place == len(words) and len(words) > 1 and words[-1] == "x":  # of scikit-learn's X_test
            del words[-1]
        if place == 0 and len(words) > 1 and words[0].isdigit():  # the number of a set of clips
            del words[0]
        if part == "test" and words == ["mean", "score"]:
            part = "validation"
    if len(words) > 1 and words[-1] == "epoch":  # Lightning's mark
        words = words[:-1]
    quantity = RATE if words[:1] == ["lr"] else "_".join(words)
    return _SAME.get(quantity, quantity), part


def _place_of_part(words: Sequence[str]) -> int | None:
    """Return which word says the part: the first or the last, or else the only one between; None if none does."""
    if len(words) < 2:
        return None
    for place in (0, len(words) - 1):
        if words[place] in _PARTS:
            return place
    inside = [place for place, word in enumerate(words) if word in _PARTS]
    return inside[0] if len(inside) == 1 else None


def role_of(name: str) -> tuple[str, Part]:
    """Return the quantity that a metric measures and the part, training if its name says none."""
    quantity, part = _quantity_and_part(name)
    return quantity, part or "training"


def part_of(name: str) -> Part | None:
    """Return the part of the data that a metric's name says it was measured on; None if it says none."""
    return _quantity_and_part(name)[1]


def named(names: Iterable[str], quantity: str, part: Part) -> str | None:
    """Return the first of `all_named`, None if there is none."""
    return next(iter(all_named(names, quantity, part)), None)


def all_named(names: Iterable[str], quantity: str, part: Part) -> list[str]:
    """Return those of `names` that measure `quantity`, as `role_of` writes it, on the clips of `part`.

    tracker's own name is before any other, of several sets of clips the last (the one that boosting stops by), then the
    shortest, then the first by alphabet.
    """
    fitting = [name for name in dict.fromkeys(names) if role_of(name) == (quantity, part)]
    if len(fitting) < 2:
        return fitting
    usual = quantity if part == "training" else f"val_{quantity}"

    def order(name: str) -> tuple[bool, int, int, str]:
        words = words_of(name)
        of_clips = int(words[1]) if len(words) > 2 and words[0] in _PARTS and words[1].isdecimal() else 0
        return name != usual, -of_clips, len(name), name

    return sorted(fitting, key=order)


@lru_cache(maxsize=4096)
def lower_is_better(name: str) -> bool | None:
    """Return by a metric's name whether lower is better; None if the name does not say.

    scikit-learn's negated scores (``neg_log_loss``) are better if higher, a negative log-likelihood if lower.
    """
    words = words_of(name)
    if not _SPREAD.isdisjoint(words):
        return None
    if "false" in words and not {"positive", "positives", "negative", "negatives", "alarm"}.isdisjoint(words):
        return True
    negated = next((place for place, word in enumerate(words) if word in {"neg", "negative", "negated"}), len(words))
    after = words[negated:]
    falls = not _FALLS.isdisjoint(words) or ("cross" in words and "entropy" in words)
    if falls:
        return _FALLS.isdisjoint(after) and "entropy" not in after
    rises = not _RISES.isdisjoint(words) or any(_WITH_NUMBER.fullmatch(word) for word in words)
    rises = rises or {"explained", "variance"} <= set(words) or {"true", "positive"} <= set(words)
    if rises or _SCIKIT_LEARN.fullmatch(name):
        return "likelihood" in after
    return None


@lru_cache(maxsize=4096)
def is_share(name: str) -> bool:
    """Return whether a metric is between 0 and 1, or 0 and 100 percent, by its name."""
    return not _SHARES.isdisjoint(words_of(name)) and lower_is_better(name) is False


def is_usage(name: str) -> bool:
    """Return whether a metric is of the machine or the program that trained, such as its memory, not of the model."""
    words = set(words_of(name))
    return not _USAGE.isdisjoint(words) or any(words >= of_training for of_training in _OF_TRAINING)


@lru_cache(maxsize=4096)
def is_score(name: str) -> bool:
    """Return whether a metric may say how good a model is: no epoch, count, time, spread or learning rate."""
    quantity, _ = _quantity_and_part(name)
    words = quantity.split("_")
    is_epoch = words_of(name)[-1:] == ("epoch",) and _WHICH_EPOCH.issuperset(words)
    if quantity == RATE or is_epoch or not _NO_SCORE.isdisjoint(words):
        return False
    return _COUNTS.isdisjoint(words) or lower_is_better(name) is not None
