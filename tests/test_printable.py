"""Text of strangers fits on a line, steers nothing, and stands in a command as one word."""

from __future__ import annotations

import shlex
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.errors import StoreError
from tracker.printable import LINE, command_text, is_printable, printable, printable_lines, with_command

fixed = settings(derandomize=True, deadline=None, max_examples=200)
STEERING = ["\x1b", "\x07", "\x00", "\r", "\x9b", "\u202e", "\u2066", "\u200e", "\u2028", "\u200b", "\ud800"]


class TestPrintable:
    @pytest.mark.parametrize("sign", STEERING)
    def test_printable_replaces_what_steers_a_terminal_or_turns_text_around(self, sign: str) -> None:
        assert printable(f"a{sign}b") in {"a\N{REPLACEMENT CHARACTER}b", "a b"}
        assert not is_printable(f"a{sign}b")

    @pytest.mark.parametrize("text", ["Café 日本 3×3", "👩\u200d🎤", "[/x]", "a b"])
    def test_printable_leaves_ordinary_names_alone(self, text: str) -> None:
        assert printable(text) == text
        assert is_printable(text)

    @fixed
    @given(st.text())
    def test_printable_returns_one_line_without_control_characters(self, text: str) -> None:
        seen = printable(text)
        assert len(seen.splitlines()) <= 1
        assert not {unicodedata.category(sign) for sign in seen} & {"Cc", "Cs", "Zl", "Zp"}
        assert is_printable(seen)

    def test_printable_lines_keeps_lines_and_tabs(self) -> None:
        assert printable_lines("a\tb\n\x1b[2Jc\n") == "a\tb\n\N{REPLACEMENT CHARACTER}[2Jc\n"


class TestCommandText:
    @pytest.mark.parametrize(
        "word", ["$(touch x)", "a b", "`id`", "; rm x", "'", '"', "[/x]", "é", "it's $x", "it's", "'`'", "'\\'", "'!'"]
    )
    def test_command_text_quotes_every_word(self, word: str) -> None:
        command = command_text(("tracker", "resume", word))
        assert command is not None
        assert shlex.split(command) == ["tracker", "resume", word]

    @pytest.mark.parametrize("sign", STEERING)
    def test_command_text_is_none_if_a_word_holds_what_nobody_can_copy(self, sign: str) -> None:
        assert command_text(("tracker", "resume", f"a{sign}")) is None
        assert with_command(("tracker", "resume", f"a{sign}")) == ""

    def test_command_text_has_no_quotes_of_quotes(self) -> None:
        assert command_text(("--filter", "params.lr = '0.1'")) == """--filter "params.lr = '0.1'\""""

    def test_with_command_is_added_to_a_sentence(self) -> None:
        assert with_command(("tracker", "close", "a b")) == " with `tracker close 'a b'`"


class TestErrors:
    def test_an_error_is_one_line_that_steers_nothing_and_can_be_read(self) -> None:
        said = str(StoreError("cannot read \x1b]0;x\x07\u202e\n" + "n" * 100_000))
        assert is_printable(said)
        assert len(said) == LINE
