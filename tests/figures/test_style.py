from __future__ import annotations

import re

import pytest

from tracker.figures.style import COLOURS, distinct_labels, label, standalone_rules, stylesheet, text_width, wrapped


class TestLabel:
    def test_label_leaves_an_ordinary_name_alone(self) -> None:
        assert label("hip-hop & jazz", 40) == "hip-hop & jazz"

    def test_label_is_one_line(self) -> None:
        assert label("a\nb\t c", 40) == "a b c"

    @pytest.mark.parametrize("sign", ["\x1b", "\u202e", "\u200b", "\ud800", "\ufffe"])
    def test_what_would_act_is_marked(self, sign: str) -> None:
        assert label(f"a{sign}b", 40) == "a�b"

    def test_label_is_cut_with_a_mark(self) -> None:
        assert label("abcdef", 4) == "abc…"


class TestDistinctLabels:
    def test_distinct_labels_leaves_short_names_alone(self) -> None:
        assert distinct_labels(["a", "b", "a"], 8) == ["a", "b", "a"]

    def test_distinct_labels_cuts_at_the_end_where_names_differ_at_the_beginning(self) -> None:
        assert distinct_labels(["one and the same", "two and the same"], 8) == ["one and…", "two and…"]

    def test_distinct_labels_cuts_in_the_middle_where_names_differ_at_the_end(self) -> None:
        assert distinct_labels(["reggae-artist07-clip1", "reggae-artist07-clip2"], 12) == [
            "regga…-clip1", "regga…-clip2",
        ]  # fmt: skip

    def test_distinct_labels_is_longer_where_names_differ_in_between(self) -> None:
        names = ["x" * 50 + sign + "x" * 50 for sign in "ab"]
        first, second = distinct_labels(names, 10)
        assert first != second
        assert len(first) < 101

    def test_equal_names_stay_equal(self) -> None:
        assert len(set(distinct_labels(["x" * 5_000] * 3, 10))) == 1


class TestWrapped:
    def test_wrapped_takes_the_lines_that_there_are(self) -> None:
        assert wrapped("Conv=7, lr=0.0001, dropout=0.5, width=8", 125, 12, lines=2) == [
            "Conv=7, lr=0.0001,", "dropout=0.5, widt…",
        ]  # fmt: skip

    def test_a_word_that_is_too_long_is_cut(self) -> None:
        assert wrapped("x" * 50, 72, 12, lines=3) == ["xxxxxxx…"]


class TestTextWidth:
    def test_wide_signs_are_wider(self) -> None:
        assert text_width("ii", 10) < text_width("aa", 10) < text_width("日本", 10) == 20


class TestStylesheet:
    def test_every_colour_is_a_variable_with_a_value_for_light_dark_and_paper(self) -> None:
        css = stylesheet()
        for name, (light, dark) in COLOURS.items():
            if name != "ink":
                assert css.count(f"--f-{name}:{light};") == 2
                assert css.count(f"--f-{name}:{dark};") == 1

    def test_rules_hold_within_figures_only(self) -> None:
        selectors = re.findall(r"^([^@{}]+)\{", stylesheet(), re.MULTILINE)
        assert selectors
        assert all(part.startswith((".fig", ":root")) for selector in selectors for part in selector.split(","))

    def test_a_drawing_alone_needs_no_variable(self) -> None:
        assert "var(" not in standalone_rules()
        assert "$" not in stylesheet() + standalone_rules()

    def test_text_stands_out_from_its_ground(self) -> None:
        for scheme in (0, 1):
            for name in ("ink", "muted", "best", "warm"):
                assert contrast(COLOURS[name][scheme], COLOURS["ground"][scheme]) >= 4.5

    def test_counts_stand_out_from_the_darkest_shade(self) -> None:
        for scheme in (0, 1):
            shade, ground = COLOURS["shade"][scheme], COLOURS["ground"][scheme]
            pairs = zip(levels(shade), levels(ground), strict=True)
            mixed = "#" + "".join(f"{round(0.7 * over + 0.3 * under):02x}" for over, under in pairs)
            assert contrast(COLOURS["ink"][scheme], mixed) >= 4.5


def levels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, as WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    shares = [level / 255 for level in levels(colour)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
