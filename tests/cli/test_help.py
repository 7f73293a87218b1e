"""Every command explains itself, with an example; the README and the help name the same commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from tests.running import FULL, TRACKER, needs_full
from tracker.cli import app
from tracker.runs import LOGGED_OPTIONS, RUN_OPTIONS

if TYPE_CHECKING:
    from tests.running import Tracker

MINE = '''
raise SystemExit("help must not run this")

def build(input_shape, n_classes, *, kernel_size: int = 3, depth: int = 4):
    """Build a network."""
'''

README = Path(__file__).parents[2] / "README.md"


def commands(of: TyperGroup, words: tuple[str, ...] = ()) -> dict[str, TyperCommand]:
    """Return every command that does something, with the words that call it."""
    found: dict[str, TyperCommand] = {}
    for name, command in of.commands.items():
        path = (*words, name)
        found |= commands(command, path) if isinstance(command, TyperGroup) else {" ".join(path): command}
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("words", COMMANDS)
class TestHelp:
    def test_help_has_an_example_of_the_command(self, tracker: Tracker, words: str) -> None:
        result = tracker(*words.split(), "--help")
        assert result.status == 0
        assert f"  tracker {words}" in result.out.split("Example")[1]

    def test_explains_every_option(self, words: str) -> None:
        command = COMMANDS[words].make_context(words, [], resilient_parsing=True).command
        unexplained = [param.name for param in command.params if isinstance(param, TyperOption) and not param.help]
        assert unexplained == []

    def test_help_is_of_a_command_that_the_readme_names(self, words: str) -> None:
        assert f"`tracker {words}`" in README.read_text()


def test_an_argument_is_shown_as_other_programs_show_it(tracker: Tracker) -> None:
    for usage in ("compare [OPTIONS] RUN RUN [RESULTS]", "delete [OPTIONS] RUN...", "tag [OPTIONS] RUN NAME=VALUE..."):
        assert tracker(usage.split()[0], "--help").out.startswith(f"Usage: tracker {usage}\n")


@pytest.mark.parametrize(("words", "shown"), [("", "Usage: tracker [OPTIONS]"), ("data", "Usage: tracker data ")])
def test_a_group_alone_prints_its_help_as_it_is(tracker: Tracker, words: str, shown: str) -> None:
    alone = tracker(*words.split())
    assert (alone.status, alone.err) == (0, "")
    assert alone.out.startswith(shown)
    assert alone.out == tracker(*words.split(), "--help").out


def test_the_module_is_the_command() -> None:
    called = [subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
              for command in ([sys.executable, "-m", "tracker"], [TRACKER])]  # fmt: skip
    assert called[0] == called[1]


def test_every_command_is_in_one_group_of_the_help(tracker: Tracker) -> None:
    out = tracker("--help").out
    assert "Commands:" not in out
    for name in typer.main.get_command(app).commands:
        assert re.search(rf"^  {name} ", out, re.MULTILINE)


def test_the_options_of_run_are_grouped(tracker: Tracker) -> None:
    out = tracker("run", "--help").out
    headings = re.findall(r"^(\S.*):$", out, re.MULTILINE)
    assert headings == [
        *("Data", "Features", "Training", "Network", "Options of --model cnn", "Logging"),
        *("Other networks, explained by --model NAME --help", "Options"),
    ]


@pytest.mark.parametrize(
    ("words", "lacked"),
    [
        ("run --model linear", {"--kernel"}),
        ("run --model musicnn", {"--kernel", "--features", "--sr", "--n-fft", "--hop", "--n-mels", "--n-mfcc"}),
        ("sweep --model linear,musicnn", {"--kernel"}),
        ("sweep --model cnn,musicnn", set()),
    ],
)
def test_help_on_networks_leaves_out_what_they_all_lack(tracker: Tracker, words: str, lacked: set[str]) -> None:
    listed = set(re.findall(r"^  (--\S+)", tracker(*words.split(), "--help").out, re.MULTILINE))
    flags = {entry.flag for entry in LOGGED_OPTIONS.values()}
    assert flags - listed - {"--seed"} == lacked


@pytest.mark.parametrize("words", COMMANDS)
def test_general_options_are_the_last_section_of_every_help(tracker: Tracker, words: str) -> None:
    headings = re.findall(r"^(\S.*):$", tracker(*words.split(), "--help").out, re.MULTILINE)
    assert headings[-1] == "Options"


def test_help_explains_an_argument_once(tracker: Tracker) -> None:
    assert tracker("compare", "--help").out.count("  RUN ") == 1


def test_options_that_run_shares_with_other_commands_agree_with_the_table() -> None:
    shared = {param.name: param for param in COMMANDS["report"].params}
    for name in ("experiment", "tracking_uri"):
        (entry,) = (entry for entry in RUN_OPTIONS if entry.name == name)
        param = shared[name]
        default = [] if param.multiple else entry.default
        assert (param.opts, param.default, param.envvar or "") == ([entry.flag], default, entry.environment)
        assert entry.default_words in {"", param.show_default}


def test_a_sweep_takes_levels_of_every_option_of_a_run() -> None:
    taken = {param.name for param in COMMANDS["sweep"].of_networks([]).params}
    assert taken >= LOGGED_OPTIONS.keys()


class TestGuesses:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("--learning-rate", "--lr"),
            ("--learning_rate", "--lr"),
            ("--kernel-size", "--kernel"),
            ("--kernal", "--kernel"),
            ("--batch", "--batch-size"),
            ("--early-stopping", "--early-stop"),
            ("--patience", "--plateau or --early-stop"),
            ("--segment-s", "--segment"),
            ("--dropuot", "--dropout"),
            ("--validation", "--validation-fraction"),
            ("--exp", "--experiment"),
            ("--size", "--batch-size or --kernel"),
        ],
    )
    def test_a_mistyped_option_is_answered_with_what_is_near(self, tracker: Tracker, typed: str, meant: str) -> None:
        result = tracker("run", typed, "1")
        assert (result.status, result.out) == (2, "")
        assert result.err == (
            f"tracker run: there is no option {typed}; did you mean {meant}? (see tracker run --help)\n"
        )

    @pytest.mark.parametrize("typed", ["--workers", "--depth", "--x", "--gpu", "--verbose"])
    def test_an_option_like_no_other_is_answered_with_no_guess(self, tracker: Tracker, typed: str) -> None:
        result = tracker("run", typed, "1")
        assert (result.status, result.out) == (2, "")
        assert result.err == f"tracker run: there is no option {typed} (see tracker run --help)\n"

    def test_no_argument_is_given_as_the_meaning_of_an_option(self, tracker: Tracker) -> None:
        result = tracker("tag", "3f2a9c41", "--tag", "baseline")
        assert result.err == "tracker tag: there is no option --tag (see tracker tag --help)\n"

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("rnu", "run"),
            ("repot", "report"),
            ("compair", "compare"),
            ("help", "--help"),
            ("version", "--version"),
        ],
    )
    def test_a_mistyped_command_is_answered_with_what_is_near(self, tracker: Tracker, typed: str, meant: str) -> None:
        result = tracker(typed)
        assert (result.status, result.err) == (
            2, f"tracker: there is no command '{typed}'; did you mean {meant}? (see tracker --help)\n"
        )  # fmt: skip

    def test_a_mistyped_option_before_the_command_is_answered_with_what_is_near(self, tracker: Tracker) -> None:
        result = tracker("--hlep")
        assert result.status == 2
        assert result.err == "tracker: there is no option --hlep; did you mean --help? (see tracker --help)\n"

    @pytest.mark.parametrize("typed", ["banana", "x", "tracker"])
    def test_a_command_like_no_other_is_answered_with_no_guess(self, tracker: Tracker, typed: str) -> None:
        assert tracker(typed).err == f"tracker: there is no command '{typed}' (see tracker --help)\n"


class TestRepeatedOptions:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("run --experiment a --lr 1 --experiment b", "--experiment was given twice"),
            ("next --experiment a --experiment=b", "--experiment was given twice"),
            ("runs --experiment a --experiment a --experiment b", "--experiment was given 3 times"),
            ("run --dropout 0.1 --dropout 0.2", "--dropout was given twice"),
            ("report --minimise --minimise", "--minimise was given twice"),
            ("report --minimise --maximise", "give --minimise or --maximise, not both"),
        ],
    )
    def test_an_option_given_twice_is_refused(self, tracker: Tracker, words: str, message: str) -> None:
        result = tracker(*words.split())
        assert (result.status, result.out) == (2, "")
        assert result.err.split(": ", 1)[1].startswith(f"{message} (see ")


class TestOptionsOfANetwork:
    @pytest.fixture
    def mine(self, tracker: Tracker) -> Tracker:
        Path("models").mkdir()
        Path("models/mine.py").write_text(MINE)
        return tracker

    @pytest.mark.parametrize("model", ["mine", "./models/mine.py"])
    @pytest.mark.parametrize("line", ["run --help --model {}", "run --model={} -h"])
    def test_the_named_network_is_in_the_help(self, mine: Tracker, model: str, line: str) -> None:
        result = mine(*line.format(model).split())
        assert (result.status, result.err) == (0, "")
        section = result.out.split(f"Options of --model {model}:")[1].split("\n\n")[0]
        assert "--depth INT" in section
        assert "[default: 4]" in section

    def test_other_networks_are_in_the_help_too(self, mine: Tracker) -> None:
        lines = mine("run", "--help").out.splitlines()
        assert [" ".join(line.split()) for line in lines if line.startswith("  --model ") and "NAME" not in line] == [
            "--model crnn --dropout FLOAT, --units INT, --width INT",
            "--model linear no options of its own",
            "--model mine --depth INT",
            "--model musicnn --dropout FLOAT, --fine-tune BOOL",
            "--model resnet --blocks INT, --dropout FLOAT, --width INT",
        ]

    def test_a_file_that_is_not_there_is_answered_with_the_network_of_that_name(self, mine: Tracker) -> None:
        Path("folder.py").mkdir()
        for name, said in (("mine.py", "does not exist; did you mean --model mine?"), ("folder.py", "is a folder; ")):
            assert f"model file {name} {said}" in mine("run", "--model", name).err

    def test_a_value_of_another_type_is_refused_by_the_name_of_the_option(self, mine: Tracker) -> None:
        result = mine("run", "--depth", "deep", "--model", "mine")
        assert (result.status, result.out) == (2, "")
        assert "'--depth': option depth must be a whole number, got 'deep'" in result.err

    def test_an_option_of_another_network_is_answered_with_that_network(self, mine: Tracker) -> None:
        result = mine("run", "--depth", "3")
        assert result.err == (
            "tracker run: there is no option --depth; it is an option of --model mine (see tracker run --help)\n"
        )

    def test_a_clash_with_an_option_of_run_is_refused_naming_both(self, mine: Tracker) -> None:
        Path("models/mine.py").write_text(MINE.replace("depth", "seeds"))
        result = mine("run", "--model", "mine")
        assert (result.status, result.out) == (1, "")
        (line,) = result.err.splitlines()
        assert "models/mine.py" in line
        assert "seeds" in line
        assert "--seeds" in line
        assert mine("run", "--help").status == 0


def test_the_help_of_run_lists_the_networks_own_options(tracker: Tracker) -> None:
    said = tracker("run", "--help").out.split("Options of --model cnn:")[1]
    assert "--dropout FLOAT" in said
    assert "[default: 0.3]" in said


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["--help", "run --help", "--version"])
def test_that_nobody_can_take_is_one_line_and_no_traceback(words: str, unbuffered: str) -> None:
    with FULL.open("w") as full:
        result = subprocess.run(
            [TRACKER, *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            text=True,
            check=False,
        )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("tracker: ")
    assert "No space left on device; check " in line
    assert "standard output" in line


@pytest.mark.parametrize("words", ["--version", "data --help"])
def test_that_nobody_wants_is_no_error(words: str) -> None:
    called = subprocess.run(["sh", "-c", f'"$0" {words} >&-', TRACKER], capture_output=True, text=True, check=False)
    assert (called.returncode, called.stderr) == (0, "")
