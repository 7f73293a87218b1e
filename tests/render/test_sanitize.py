from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker.render.sanitize import (
    alt,
    code,
    escaped_start,
    fence,
    html_attribute,
    html_block,
    html_code,
    html_prose,
    inside,
    note_beginning,
    note_html,
    note_markdown,
    printable,
    prose,
    short_code,
)

SIGNS = "ab1 _*~`[]()<>&#@$|\\!\"':/.,;-+=^{}%\n\t\x1b\u202e\u2028\u200dé日\ud800"
PIECES = st.sampled_from(
    ["www.", "http://", "a@b.c", "@me", "#1", ":tada:", "---", "***", "```", "~~~", "<b>", "</code>", "<!--", "-->",
     "&amp;", "[x](y)", "![i](u)", "[^1]", "|-|", "1.", "GH-12", "deadbeef1"]
)  # fmt: skip
TEXT = st.lists(PIECES | st.sampled_from(SIGNS) | st.characters(), max_size=12).map("".join)
fuzzed = settings(derandomize=True, max_examples=100, deadline=None)


class TestPrintable:
    def test_printable_leaves_ordinary_text_alone(self) -> None:
        assert printable("Café 日本 3×3, 25 of 30") == "Café 日本 3×3, 25 of 30"

    def test_printable_puts_lines_and_tabs_on_one_line(self) -> None:
        assert printable("a\nb\tc\r\nd") == "a b c  d"

    def test_printable_replaces_what_steers_a_terminal_or_reorders_text(self) -> None:
        assert printable("\x1b[31m\u202eexe\u200b\x9b\ud800") == "�[31m�exe���"

    def test_printable_keeps_the_joiners_that_scripts_and_emoji_need(self) -> None:
        assert printable("👩\u200d🎤") == "👩\u200d🎤"

    def test_printable_cuts_with_a_mark(self) -> None:
        assert printable("abcdef", 4) == "abc…"

    def test_printable_does_not_cut_what_fits(self) -> None:
        assert printable("abcd", 4) == "abcd"


class TestCode:
    def test_code_leaves_a_run_name_readable(self) -> None:
        assert code("k7-lr0.0001-plateau0.3x10-s0") == "<code>k7-lr0.0001-plateau0.3x10-s0</code>"

    def test_code_leaves_an_underscore_within_a_word_readable(self) -> None:
        assert short_code("0a1b2c3d") == "`0a1b2c3d`"
        assert short_code("0a1b`2c") == code("0a1b`2c")
        assert code("val_loss") == "<code>val_loss</code>"

    def test_code_writes_what_could_act_as_numeric_entities(self) -> None:
        assert code("a|b`<c>") == "<code>a&#124;b&#96;&#60;c&#62;</code>"

    def test_parts_an_address_so_that_github_cannot_link_it(self) -> None:
        assert code("a@b.example") == "<code>a&#64;<!-- -->b.example</code>"

    def test_code_cuts_a_long_name(self) -> None:
        assert code("x" * 5_000) == f"<code>{'x' * 79}…</code>"

    @fuzzed
    @given(TEXT)
    def test_code_holds_any_text_in_one_cell(self, markdown, text: str) -> None:
        page = markdown(f"| a | b |\n| --- | --- |\n| {code(text)} | c |")
        assert page.tags == {"table": 1, "thead": 1, "tbody": 1, "tr": 2, "th": 2, "td": 2, "code": 1}
        assert page.text == " ".join(f"a b {printable(text, 80)} c".split())


class TestProse:
    @pytest.mark.parametrize(
        "sentence",
        [
            "Run 3 (3×3 kernel) is right on 26 of 30 validation clips, the most (exact McNemar, p ≥ 0.5).",
            "p < 0.001; early_stopping_patience = 15, −12 to +18 points, R&B 5%",
            "Conv=7, lr=0.0001, ReduceLROnPlateau(factor=0.3, patience=10), EarlyStopping(patience=15)",
            "3.5 points of 100, run 1's loss: 0.40 → 0.45",
        ],
    )
    def test_prose_leaves_an_ordinary_sentence_as_it_is(self, sentence: str) -> None:
        assert prose(sentence).replace("\N{NO-BREAK SPACE}", " ") == sentence

    def test_prose_ends_no_line_between_a_number_and_its_unit(self) -> None:
        marked = "3.5_points on 30_clips after 12_epochs in 5_s (p_=_0.07, n_=_30), run 3 of 4"
        sentence = marked.replace("_", " ")
        assert prose(sentence) == html_prose(sentence) == marked.replace("_", "\N{NO-BREAK SPACE}")

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("*bold* and _so_", r"\*bold\* and \_so\_"),
            ("<b>x</b>", "&lt;b>x&lt;/b>"),
            ("a | b", "a &#124; b"),
            ("&amp;", "&amp;amp;"),
            ("1. one", r"1\. one"),
            ("- item", r"\- item"),
            ("# title", r"\# title"),
            ("[a](b)", r"\[a\](b)"),
            ("see @octocat, twice", "see <code>&#64;<!-- -->octocat</code>, twice"),
            ("(#12)", "(<code>&#35;12</code>)"),
            ("$x$", "<code>&#36;x&#36;</code>"),
            ("https://a.example/b", "<code>https&#58;//a.example/b</code>"),
            (":tada:", "<code>&#58;tada&#58;</code>"),
            ("commit 0a1b2c3d", "commit <code>0a1b2c3d</code>"),
        ],
    )
    def test_prose_holds_what_would_act(self, text: str, written: str) -> None:
        assert prose(text) == written

    @fuzzed
    @given(TEXT)
    def test_prose_reads_as_it_was_written(self, markdown, text: str) -> None:
        page = markdown(f"before\n\n{prose(text)}\n\nafter")
        assert set(page.tags) <= {"p", "code"}
        assert page.text == " ".join(f"before {printable(text)} after".split())

    @fuzzed
    @given(TEXT)
    def test_prose_makes_no_element_in_a_list_or_a_cell(self, markdown, text: str) -> None:
        assert set(markdown(f"1. {prose(text)}").tags) <= {"ol", "li", "code"}
        assert markdown(f"| a | b |\n| --- | --- |\n| {prose(text)} | c |").tags["td"] == 2


class TestInside:
    def test_inside_does_not_hold_what_acts_only_at_a_lines_beginning(self) -> None:
        assert inside("- x") == "- x"


class TestEscapedStart:
    @pytest.mark.parametrize("line", ["---", "===", "> x", "+ x", "12) x", ":-:"])
    def test_escaped_start_begins_no_block(self, markdown, line: str) -> None:
        page = markdown(f"a\n{escaped_start(line)}")
        assert page.tags == {"p": 1}
        assert page.text == f"a {line}"


class TestAlt:
    def test_alt_leaves_a_finding_readable(self) -> None:
        assert alt("Run 3 is right on 26 of 30; p = 0.5.") == "Run 3 is right on 26 of 30; p = 0.5."

    @fuzzed
    @given(TEXT)
    @example("^1")
    def test_alt_is_the_text_of_one_image(self, markdown, text: str) -> None:
        page = markdown(f"![{alt(text)}](figure.png)")
        assert page.tags == {"p": 1, "img": 1}
        assert (page.all("img")[0]["alt"] or "").split() == printable(text).split()


class TestFence:
    def test_fence_is_longer_than_any_run_of_back_ticks_inside(self) -> None:
        assert fence("a ```` b") == "`````sh\na ```` b\n`````"

    def test_fence_keeps_lines_and_drops_escapes(self) -> None:
        assert fence("a\n\x1b[2Jb") == "```sh\na\n�[2Jb\n```"

    @fuzzed
    @given(TEXT)
    def test_fence_holds_any_text(self, markdown, text: str) -> None:
        assert markdown(str(fence(text))).tags == {"pre": 1, "code": 1}


class TestHtmlCode:
    def test_html_code_escapes_and_says_in_its_title_what_is_cut(self) -> None:
        assert html_code('<"b">', 4) == '<code title="&lt;&#34;b&#34;&gt;">&lt;&#34;b…</code>'

    def test_html_code_has_no_title_where_nothing_is_cut(self) -> None:
        assert html_code("a & b") == "<code>a &amp; b</code>"


class TestHtmlProse:
    def test_html_prose_marks_a_power_of_ten_so_that_no_line_ends_in_it(self) -> None:
        marked = 'lr <span class="whole">1e-4</span> &amp; 5'
        assert (html_prose("lr 1e-4 & 5"), html_attribute("lr 1e-4 & 5")) == (marked, "lr 1e-4 &amp; 5")

    def test_html_prose_escapes_a_sentence_whole(self) -> None:
        assert html_prose("<b>\x1b</b>") == "&lt;b&gt;�&lt;/b&gt;"


class TestHtmlBlock:
    def test_html_block_keeps_its_lines(self) -> None:
        assert html_block("a <b>\nc") == "<pre><code>a &lt;b&gt;\nc</code></pre>"


NOTE_PIECES = st.sampled_from(
    ["# h\n", "- a\n", "  - b\n", "1. c\n", "> q\n", "```\n", "    x\n", "\n", "\n\n", "| a | b |\n| - | - |\n",
     "| 1 | 2 |\n", "*e*", "**s**", "~~d~~", "`c|d`", "``x`y``", "[l](http://a.example)", "[j](javascript:alert(1))",
     "[r](file.md)", "![i](http://evil/x.png)", "<script>alert(1)</script>", "<img src=x onerror=y>", "@octocat",
     "<http://u.example>", "#1", "$x$", ":tada:", "[ref]: http://b.example 'title'\n", "[ref]", "---\n", "===\n",
     "***\n", "\\", "&lt;b&gt;", "a ", "_b_ "]
)  # fmt: skip
NOTE = st.lists(NOTE_PIECES | st.characters(), max_size=15).map("".join)
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
