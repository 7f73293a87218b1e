from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.render.sanitize import note_beginning, note_html, note_markdown

PIECES = st.sampled_from(
    ["# h\n", "- a\n", "  - b\n", "1. c\n", "> q\n", "```\n", "    x\n", "\n", "\n\n", "| a | b |\n| - | - |\n",
     "| 1 | 2 |\n", "*e*", "**s**", "~~d~~", "`c|d`", "``x`y``", "[l](http://a.example)", "[j](javascript:alert(1))",
     "[r](file.md)", "![i](http://evil/x.png)", "<script>alert(1)</script>", "<img src=x onerror=y>", "@octocat",
     "<http://u.example>", "#1", "$x$", ":tada:", "[ref]: http://b.example 'title'\n", "[ref]", "---\n", "===\n",
     "***\n", "\\", "&lt;b&gt;", "a ", "_b_ "]
)  # fmt: skip
NOTE = st.lists(PIECES | st.characters(), max_size=15).map("".join)
fuzzed = settings(derandomize=True, max_examples=200, deadline=None)
PLAIN = {
    "blockquote", "p", "em", "strong", "s", "code", "pre", "ul", "ol", "li", "hr", "br", "a", "table", "thead", "tbody",
    "tr", "th", "td",
}  # fmt: skip


class TestNoteMarkdown:
    def test_note_markdown_is_a_quotation_that_reads_as_it_was_written(self) -> None:
        assert note_markdown("It took **three** tries:\n\n- `lr` too high\n- *too low*") == (
            "> It took **three** tries:\n>\n> - `lr` too high\n> - *too low*"
        )

    def test_note_markdown_makes_headings_bold_so_that_the_outline_stays_the_reports(self) -> None:
        assert note_markdown("# What was hard") == "> **What was hard**"

    def test_note_markdown_shows_a_picture_as_its_words(self) -> None:
        assert note_markdown("![the curve](http://evil/x.png)") == r"> \[picture: the curve\]"

    def test_note_markdown_shows_raw_html_as_text(self) -> None:
        assert note_markdown("<script>alert(1)</script>") == "> &lt;script>alert(1)&lt;/script>"

    def test_note_markdown_keeps_web_links_and_drops_others(self) -> None:
        assert note_markdown("[a](https://a.example/b) [c](other.md)") == "> [a](<https://a.example/b>) c"

    def test_note_markdown_holds_mentions_and_formulas(self) -> None:
        assert note_markdown("@octocat $x$") == "> <code>&#64;<!-- -->octocat</code> <code>&#36;x&#36;</code>"

    def test_note_markdown_keeps_lists_in_lists(self) -> None:
        assert note_markdown("3. a\n   - b\n4. c") == "> 3. a\n>    - b\n> 4. c"

    def test_note_markdown_keeps_tables(self) -> None:
        assert note_markdown("| a | b |\n|---|---|\n| 1 | `x` |") == "> | a | b |\n> | --- | --- |\n> | 1 | `x` |"

    def test_note_markdown_keeps_code_blocks_whatever_back_ticks_they_hold(self) -> None:
        assert note_markdown("~~~\n```\n~~~") == "> ````\n> ```\n> ````"

    def test_note_markdown_holds_what_a_line_would_begin(self) -> None:
        assert note_markdown("a\n\\# b\n\\1. c") == "> a\n> \\# b\n> \\\\1. c"

    @fuzzed
    @given(NOTE)
    def test_nothing_acts_but_plain_markdown(self, markdown, note: str) -> None:
        page = markdown(f"before\n\n{note_markdown(note)}\n\nafter")
        assert set(page.tags) <= PLAIN
        assert all(str(link.get("href")).startswith(("http:", "https:", "mailto:")) for link in page.all("a"))
        assert page.text.startswith("before")
        assert page.text.endswith("after")


class TestNoteHtml:
    def test_note_html_is_rendered_markdown(self) -> None:
        assert note_html("It took **three** tries.") == "<p>It took <strong>three</strong> tries.</p>\n"

    def test_note_html_has_neither_raw_html_nor_pictures_nor_headings(self) -> None:
        assert note_html("# <b>a</b> ![p](http://evil/x.png)") == (
            "<p><strong>&lt;b&gt;a&lt;/b&gt; [picture: p]</strong></p>\n"
        )

    def test_note_html_links_give_nothing_away(self) -> None:
        assert 'rel="noopener noreferrer nofollow"' in note_html("[a](https://a.example)")

    @fuzzed
    @given(NOTE)
    def test_nothing_acts_but_plain_markdown(self, html, note: str) -> None:
        page = html(str(note_html(note)))
        assert set(page.tags) <= PLAIN
        attributes = {name for _, found in page.elements for name in found}
        assert attributes <= {"href", "rel", "start"}


class TestNoteBeginning:
    @pytest.mark.parametrize(
        ("note", "words"),
        [
            ("It took **three**\ntries, see `k7`.", "It took three tries, see k7."),
            ("# Hard\n\n- one\n- two", "Hard one two"),
            ("![the curve](x.png)", "[picture: the curve]"),
            ("", ""),
        ],
    )
    def test_note_beginning_is_its_words_without_marks(self, note: str, words: str) -> None:
        assert note_beginning(note) == words

    def test_note_beginning_is_cut_after_three_lines(self) -> None:
        assert len(note_beginning("word " * 500)) == 240
