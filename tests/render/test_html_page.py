from __future__ import annotations

import base64
from dataclasses import replace

from tests.builders import changed
from tracker.render.html_page import Sound, render_html
from tracker.report import Section

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class TestRenderHtml:
    def test_fetches_nothing_and_runs_nothing(self, report, pictures, html) -> None:
        page = html(render_html(report, pictures))
        assert {"http-equiv": "Content-Security-Policy", "content": POLICY} in page.all("meta")
        assert not {"script", "link", "iframe", "object"} & set(page.tags)
        assert all(str(image["src"]).startswith("data:image/png;base64,") for image in page.all("img"))

    def test_images_are_those_that_were_drawn_with_their_finding_and_size(self, report, pictures, html) -> None:
        image = html(render_html(report, pictures)).all("img")[0]
        assert base64.b64decode(str(image["src"]).split(",")[1]) == pictures[0].png
        assert image["alt"] == "What accuracies finds."
        assert (image["width"], image["height"]) == ("800", "200")

    def test_verdicts_are_said_in_words(self, report, pictures) -> None:
        assert '<span class="badge confounded">Confounded</span>' in render_html(report, pictures)

    def test_its_headings_make_an_outline(self, report, pictures, html) -> None:
        page = html(render_html(report, pictures))
        assert (page.tags["h1"], page.tags["h2"], page.tags["h3"]) == (1, 7, 9)
        assert not page.tags["h4"]

    def test_every_link_within_the_page_leads_somewhere(self, report, pictures, html) -> None:
        page = html(render_html(report, pictures))
        there = {f"#{found['id']}" for _, found in page.elements if found.get("id")}
        assert {str(link["href"]) for link in page.all("a")} <= there

    def test_seeds_that_share_a_section_have_a_place_each(self, report, html) -> None:
        page = html(render_html(replace(report, sections=(Section("Conv=7", report.entries),)), ()))
        ids = [found["id"] for _, found in page.elements if str(found.get("id")).startswith("run-")]
        assert ids == ["run-1", "run-2", "run-3", "run-4"]
        assert {"href": "#run-4"} in page.all("a")

    def test_an_id_stands_once(self, report, pictures, html) -> None:
        ids = [found["id"] for _, found in html(render_html(report, pictures)).elements if found.get("id")]
        assert len(ids) == len(set(ids))

    def test_the_table_of_runs_leads_to_their_sections(self, report, pictures) -> None:
        text = render_html(report, pictures)
        assert '<a href="#run-3">3</a>' in text
        assert '<article class="run" id="run-3">' in text

    def test_a_run_without_results_says_so(self, report) -> None:
        nothing = changed(report.entries[0], correct=None, val_loss=None, val_accuracy=None)
        text = render_html(replace(report, sections=(Section("Conv=7", (nothing,)),)), ())
        assert "<p>Neither its validation loss nor its validation accuracy was logged.</p>" in text

    def test_a_note_is_rendered_markdown(self, report, pictures) -> None:
        assert "<p>It took <strong>three</strong> tries.</p>" in render_html(report, pictures)

    def test_nothing_of_a_strangers_text_acts(self, hostile, report, pictures, html) -> None:
        ours, theirs = html(render_html(report, pictures)), html(render_html(hostile, pictures))
        from_notes = {"em", "s", "hr", "br", "blockquote", "strong", "pre", "ul", "ol", "li", "p"}
        assert set(theirs.tags) - from_notes <= set(ours.tags)
        known = {name for _, found in ours.elements for name in found} | {"title", "rel", "start"}
        assert {name for _, found in theirs.elements for name in found} <= known

    def test_no_control_character_comes_through(self, hostile, pictures) -> None:
        text = render_html(hostile, pictures)
        assert all(sign.isprintable() or sign == "\n" for sign in text)
        assert text.encode()

    def test_ten_thousand_runs_stay_readable(self, large) -> None:
        assert len(render_html(large, ()).encode()) < 150_000

    def test_misjudged_clips_can_be_listened_to(self, report, pictures, html) -> None:
        sound = Sound("blues/<1>.wav", "blues", "jazz", "audio/wav", b"RIFF")
        page = html(render_html(report, pictures, [sound]))
        assert page.all("audio")[0]["src"] == "data:audio/wav;base64,UklGRg=="
        assert {"http-equiv": "Content-Security-Policy", "content": f"{POLICY}; media-src data:"} in page.all("meta")
        assert "blues/<1>.wav" in page.text
