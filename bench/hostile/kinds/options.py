"""Numbers and names on the command line that nobody can mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.hostile.case import RUNS, Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

SUMMARY = ("report", "--format", "summary")
RUN = ("run", "--data", "data", "--segment", "0.5", "--width", "2", "--epochs", "1")
COMPARE = ("compare", "first", "second")

NEVER = ("nan", "inf", "-inf", "1e999", "-1", "", " ", "x", "0x10", "1" * 5_000, "9223372036854775808", "1e30", "--")
"""What no option of numbers takes."""

TRAINING: dict[str, tuple[str, ...]] = {
    "--seed": ("4294967296", "18446744073709551616"),
    "--split-seed": ("4294967296", "1e9"),
    "--seeds": ("0", "999999999", "4294967296"),
    "--kernel": ("0", "100000", "1000000000"),
    "--width": ("0", "1000000", "1000000000"),
    "--segment": ("0", "1e-300", "1e300", "100000"),
    "--epochs": ("0", "1000000000000"),
    "--batch-size": ("0", "1000000000000"),
    "--lr": ("0", "1e-400", "1e300"),
    "--dropout": ("1", "2"),
    "--plateau": ("0.5", "nan,3", "0.5,nan", "0.5,1e9", "0.5,-1", "1,1", "0.5,3,4", ","),
    "--early-stop": ("0", "1e9", "99999999999999999999"),
    "--validation-fraction": ("0", "1", "1e-300", "0.999999999999"),
    "--test-fraction": ("1", "0.999999999999", "-0.0001"),
    "--fold": ("0/5", "6/5", "1/1000000000", "1/0", "a/b", "1/5/2", "1"),
}
ANALYSIS: dict[str, tuple[str, ...]] = {
    "--alpha": ("0", "1", "1e-300", "0.9999999999999999"),
    "--margin": ("0", "1", "1e-300"),
    "--max-bytes": ("0", "1", "99999999999999999999"),
}
PER_OPTION = 2
"""How many of those that no option takes each is tried with, besides its own."""

SHORT = {"--seed-4294967296", "--seeds-999999999", "report---alpha-nan", "--kernel-100000"}


def options(rng: Random) -> Iterator[Case]:
    for option, own in TRAINING.items():
        for value in dict.fromkeys((*own, *rng.sample(NEVER, PER_OPTION))):
            yield _case(f"{option}-{_short(value)}", (*RUN, option, value))
    for option, own in ANALYSIS.items():
        for value in dict.fromkeys(("nan", *own, *rng.sample(NEVER, PER_OPTION))):
            if option == "--max-bytes" or rng.random() < 0.7:
                yield _case(f"report-{option}-{_short(value)}", (*SUMMARY, option, value))
            else:
                yield _case(f"next-{option}-{_short(value)}", ("next", option, value))
    for value in ("nan", "inf"):
        yield _case(f"compare---alpha-{value}", (*COMPARE, "--alpha", value))
        yield _case(f"data---seconds-{value}", ("data", "demo", "--seconds", value))
    names = {
        "markup": "[/x]", "escape": "\x1b]0;x\x07", "long": "n" * 100_000, "surrogate": "\udcff", "empty": "",
        "turned": "\u202ex", "line-feed": "a\nb",
    }  # fmt: skip
    for name, value in names.items():
        yield _case(f"name-{name}", (*RUN, "--offline", "--name", value), RUNS)
        yield _case(f"experiment-{name}", (*SUMMARY, "--experiment", value), ("compare", value, "first"))
    yield _case("metric-escape", (*SUMMARY, "--metric", "\x1b[31m"), ("next", "--metric", "\u202e"))
    yield _case("note-of-two-megabytes", (*RUN, "--offline", "--note", "[/x]\x1b" + "n" * 100_000), RUNS)
    yield _case("output-is-a-folder", ("report", "--output", "data"))
    yield _case("output-is-nowhere", ("report", "--output", "nowhere/at/all/x.md"))
    yield _case("check-is-endless", ("report", "--check", "/dev/zero"))
    yield _case("check-is-binary", ("report", "--check", "mlflow.db"))


def _short(value: str) -> str:
    return (value[:24] or "nothing").strip() or "blank"


def _case(name: str, *commands: tuple[str, ...], **rest: Any) -> Case:
    return Case(f"options/{name.replace('/', '-of-')}", commands, short=name in SHORT, **rest)
