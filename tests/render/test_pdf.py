"""The PDF: tagged, bounded, the same bytes each time, and nothing that others wrote acts in it."""

from __future__ import annotations

import re
import sys
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import HOSTILE, make_run, writeup_runs
from tests.render.conftest import strange
from tracker.errors import TrackerError
from tracker.figures import has_glyph, report_pictures, typefaces
from tracker.render import render_pdf
from tracker.render.sanitize import note_tree
from tracker.report import Cover, build_report

if TYPE_CHECKING:
    from tracker.report import Picture, Report

TYPST = (
    "#panic()", '#read("/etc/hostname")', "$x$", "= h", "<label>", "@ref", "\\u{41}", "*b* _e_", "`r`", "//c", "[", "]",
    '"', "#link(\"javascript:x\")[y]", "/* x", "漢字 😀", "x" * 300,
)  # fmt: skip
EDGES = ("", " ", "x" * 5_000, "\ud800", "\u2028", "漢字 😀", " ".join(TYPST), "\n".join(HOSTILE), *TYPST[:4])
ACTIONS = (b"/URI", b"/JavaScript", b"/JS", b"/Launch", b"/OpenAction", b"/EmbeddedFile", b"/GoToR")
NOTE = """# Head

A *b* **c** ~~d~~ `e` <b>f</b> [web](https://example.org/) [js](javascript:alert(1)) ![p](http://evil/p.png)

1. one
   - two

> quoted

| h | i |
|---|---|
| j | k |

```
code
```
***
"""


def pdf_of(report: Report, pictures: tuple[Picture, ...] = ()) -> bytes:
    return render_pdf(report, pictures, typefaces(), has_glyph)


def objects(pdf: bytes) -> bytes:
    """The PDF's objects, those in compressed streams too."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    inside = []
    for stream in streams:
        try:
            inside.append(zlib.decompress(stream))
        except zlib.error:
            inside.append(stream)
    return b"\n".join([pdf, *inside])


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", objects(pdf)))


@pytest.fixture(scope="module")
def page(report: Report, pictures: tuple[Picture, ...]) -> bytes:
    return pdf_of(replace(report, title="No winner yet"), pictures)


class TestRenderPdf:
    def test_it_is_a_tagged_pdf_for_screen_readers_with_title_and_language(self, page: bytes) -> None:
        whole = objects(page)
        assert page.startswith(b"%PDF-1.7")
        assert b"<pdfuaid:part>1</pdfuaid:part>" in whole
        assert b"/Marked true" in whole
        assert re.search(rb"/Lang\s*\(en", whole)
        assert b"No winner yet" in whole

    def test_figures_are_vectors_with_alternative_text(self, page: bytes) -> None:
        whole = objects(page)
        assert whole.count(b"/Alt") >= 2
        assert b"/Subtype /Image" not in whole

    def test_it_is_the_same_bytes_each_time(self, report, pictures) -> None:
        assert pdf_of(report, pictures) == pdf_of(report, pictures)

    def test_it_does_not_say_when_it_was_made(self, page: bytes) -> None:
        whole = objects(page)
        assert b"CreationDate" not in whole
        assert not re.search(rb"<xmp:(Create|Modify)Date>(?!1970)", whole)

    def test_four_runs_with_their_figures_have_at_most_five_pages(self) -> None:
        runs = [
            replace(
                make_run(
                    number,
                    "1" * (24 + number % 3) + "0" * (6 - number % 3),
                    dict(run.params),
                    loss=[1.0 - epoch / 60 for epoch in range(60)],
                    val_loss=[0.9 - epoch / 100 for epoch in range(30)] + [0.6 + epoch / 100 for epoch in range(30)],
                    groups=[f"artist {clip % 10}" for clip in range(30)],
                ),
                note="It took **three** tries.",
            )
            for number, run in enumerate(writeup_runs(), start=1)
        ]
        report = build_report("genres", runs)
        assert 2 <= pages(pdf_of(report, report_pictures(report))) <= 5

    def test_ten_thousand_runs_stay_a_document(self, large: Report) -> None:
        assert pages(pdf_of(large)) < 40

    def test_no_runs_are_a_document(self) -> None:
        assert pages(pdf_of(build_report("e", []))) == 1

    @pytest.mark.parametrize("text", EDGES, ids=range(len(EDGES)))
    def test_other_peoples_text_is_text(self, text: str, report: Report, pictures) -> None:
        cover = Cover(title=text, author=text, intro=text)
        whole = objects(pdf_of(replace(strange(text, report), title=text, lead=text, cover=cover), pictures))
        assert not [action for action in ACTIONS if action in whole]

    def test_all_hostile_texts_together_are_text(self, crowd: Report, pictures) -> None:
        intro = "\n\n".join(text for text in HOSTILE if "a@b" not in text)
        whole = objects(pdf_of(replace(crowd, cover=Cover(intro=intro)), pictures))
        assert not [action for action in ACTIONS if action in whole]

    def test_a_long_word_may_end_a_line(self, report: Report) -> None:
        whole = replace(report, lead="y" * 300)
        assert pages(pdf_of(whole)) == pages(pdf_of(replace(report, lead="y " * 150)))

    def test_a_sign_without_a_glyph_does_not_stop_it(self, report: Report) -> None:
        assert pdf_of(replace(report, lead="\U000f0000 漢字")).startswith(b"%PDF")

    def test_without_typst_the_error_says_how_to_install_it(
        self, report: Report, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "typst", None)
        with pytest.raises(TrackerError, match=r"not installed: pip install 'tracker-report\[pdf\]'"):
            pdf_of(report)


class TestNoteTree:
    def test_it_keeps_a_notes_markdown_and_links_to_the_web_alone(self, report: Report) -> None:
        whole = objects(pdf_of(replace(report, cover=Cover(intro=NOTE))))
        assert re.findall(rb"/URI\s*\(([^)]*)\)", whole) == [b"https://example.org/"]

    def test_html_and_pictures_are_text(self) -> None:
        (paragraph,) = note_tree("<b>f</b> ![p](http://evil/p.png)")
        assert paragraph["kind"] == "paragraph"
        assert "".join(part["text"] for part in paragraph["children"][0]["children"]) == "<b>f</b> [picture: p]"
