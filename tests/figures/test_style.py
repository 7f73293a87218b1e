from __future__ import annotations

import pytest

from tracker.figures.style import label, wrapped


class TestLabel:
    def test_label_leaves_an_ordinary_name_alone(self) -> None:
        assert label("hip-hop & jazz", 40) == "hip-hop & jazz"

    def test_a_dollar_is_a_dollar(self) -> None:
        assert label("$x^2$", 40) == r"\$x^2\$"

    def test_label_is_one_line(self) -> None:
        assert label("a\nb\t c", 40) == "a b c"

    @pytest.mark.parametrize("sign", ["\x1b", "\u202e", "\u200b", "\ud800", "\U0001f3b5"])
    def test_what_cannot_be_drawn_is_marked(self, sign: str) -> None:
        assert label(f"a{sign}b", 40) == "a�b"

    def test_label_is_cut_with_a_mark(self) -> None:
        assert label("abcdef", 4) == "abc…"


class TestWrapped:
    def test_wrapped_takes_the_lines_that_there_are(self) -> None:
        title = "Conv=7, lr=0.0001, EarlyStopping(patience=15), dropout=0.5"
        assert wrapped(title, 30, lines=2) == "Conv=7, lr=0.0001,\nEarlyStopping(patience=15),…"

    def test_wrapped_breaks_a_word_that_is_too_long(self) -> None:
        assert wrapped("x" * 50, 20, lines=3) == f"{'x' * 20}\n{'x' * 20}\n{'x' * 10}"
