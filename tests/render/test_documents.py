from __future__ import annotations

import re
from dataclasses import replace

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from tests.builders import changed
from tracker.errors import TrackerError
from tracker.render.documents import (
    Listening,
    Sound,
    html_environment,
    markdown_environment,
    picture_files,
    render_description,
    render_html,
    render_markdown,
    render_outcome,
    render_summary,
    tidy,
)
from tracker.report import Mistake, Report, Section
from tracker.runs import NOTE_END
from tracker.study.metrics import Metric

PLATEAU = "ReduceLROnPlateau(factor=0.3, patience=10), EarlyStopping(patience=15)"
ELEMENTS = {
    "h1", "h2", "h3", "p", "strong", "em", "s", "code", "pre", "ol", "ul", "li", "table", "thead", "tbody", "tr", "th",
    "td", "details", "summary", "img", "blockquote", "hr", "br",
}  # fmt: skip
"""What the report is made of, and what a note may be."""


class TestPictureFiles:
    def test_picture_files_are_named_by_what_they_show_and_their_content(self, pictures) -> None:
        names = list(picture_files(pictures))
        assert all(re.fullmatch(r"[a-z-]+-[0-9a-f]{16}\.png", name) for name in names)
        assert picture_files(pictures)[names[0]] == pictures[0].drawing

    def test_one_content_is_one_file(self, pictures) -> None:
        assert len(picture_files([pictures[0], replace(pictures[0], runs=())])) == 1

    def test_picture_files_are_what_the_report_links_to(self, report, pictures, markdown) -> None:
        page = markdown(render_markdown(report, pictures, "figures"))
        assert {image["src"] for image in page.all("img")} == {f"figures/{name}" for name in picture_files(pictures)}


class TestRenderMarkdown:
    def test_its_parts_come_in_order(self, report, pictures) -> None:
        headings = re.findall("^## (.*)$", render_markdown(report, pictures), re.MULTILINE)
        assert headings == [
            "Conclusions", "Data and method", "Runs", "Next steps", "Challenges", "Methods", "Appendix",
        ]  # fmt: skip

    def test_no_heading_belongs_to_the_fold_before_it(self, report, pictures, markdown) -> None:
        text = render_markdown(report, pictures)
        assert len(markdown(text).all("h2")) == len(re.findall("^## ", text, re.MULTILINE))

    def test_headings_of_runs_stand_plain_and_alone(self, report, pictures) -> None:
        lines = render_markdown(report, pictures).splitlines()
        assert f"### Conv=7, lr=0.0001, {PLATEAU}" in lines
        assert "### Conv=7, lr=0.0001" in lines

    def test_a_section_has_loss_and_accuracy_as_logged_with_count_and_interval(self, report, pictures) -> None:
        assert (
            "Run 3, <code>k3-lr0.001-s0</code> (`00000000`), seed 0.\n\n"
            "- Validation loss: 0.371\n"
            "- Validation accuracy: 86.7% (26 of 30, 95% interval 70.3–94.7%)\n"
            "- Best epoch 24, stop epoch 44, 62 s\n"
        ) in render_markdown(report, pictures)

    def test_the_table_of_runs_has_the_options_that_changed(self, report, pictures) -> None:
        text = render_markdown(report, pictures)
        assert "| Run | Kernel size | Learning rate | Plateau | Early stopping | Correct |" in text
        assert "| 3 | 3 | 1e-3 | ×0.5 after 15 | 20 | **26/30** | 86.7 | 70.3–94.7 | 0.371 | 24 | 44 | 62 | `" in text

    @pytest.mark.parametrize(
        ("page", "link"),
        [
            ("http://host:5000/#/experiments/1/runs/a", "](http://host:5000/#/experiments/1/runs/a)"),
            ("http://host:5000/)<b>/#/experiments/1/runs/a", ""),
            ("", ""),
        ],
    )
    def test_ids_lead_to_a_servers_pages(self, report, page: str, link: str) -> None:
        (entry, *_) = report.entries
        there = changed(entry, run=replace(entry.run, page=page))
        text = render_markdown(replace(report, sections=(Section("Conv=7", (there,)),)), ())
        assert ("](http" in text) == bool(link)
        assert link in text

    def test_several_seeds_share_a_section_with_a_row_each(self, report) -> None:
        seeds = (report.entries[0], changed(report.entries[0], index=8))
        text = render_markdown(replace(report, sections=(Section("Conv=7", seeds),)), ())
        assert text.count("### Conv=7") == 1
        row = "| 0 | 0.404 | 83.3% | 25/30 | 66.4–92.7 | 41 | 56 | 78 |"
        assert f"| 1 {row}\n| 9 {row}\n" in text

    def test_an_answer_has_its_verdict_in_words_and_its_evidence_in_a_fold(self, report, pictures) -> None:
        assert (
            "1. **Which run is best?** *Inconclusive.* Run 3 has 26 of 30 clips correct, 1 clip more than the next.\n\n"
            "   <details><summary>Evidence</summary>\n\n"
            "   lead +3.3 points · against the closest p = 1.0 · n = 30 · exact McNemar\n"
        ) in render_markdown(report, pictures).replace("\N{NO-BREAK SPACE}", " ")

    def test_no_line_ends_between_a_number_and_its_unit(self, report, pictures) -> None:
        assert "+6.7\N{NO-BREAK SPACE}points" in render_markdown(report, pictures)
        assert "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1.0" in render_html(report, pictures)

    def test_a_table_in_a_fold_has_an_empty_line_before_it(self, report, pictures) -> None:
        text = render_markdown(report, pictures)
        assert "<details><summary>Patiences</summary>\n\n| run | patience |" in text
        folds = re.findall(r"<details>.*\n(.*)\n", text)
        assert folds
        assert not any(folds)

    def test_next_steps_are_words_then_commands_to_copy(self, report, pictures) -> None:
        assert (
            "1. The missing partner: this would detect a difference of 10 points about 3 times in 10. About 62 s. "
            "Question 2.\n\n   ```sh\n   tracker run --kernel 7 --lr 0.001\n   ```\n"
        ) in render_markdown(report, pictures).replace("\N{NO-BREAK SPACE}", " ")

    def test_a_note_is_quoted_as_its_author_wrote_it(self, report, pictures) -> None:
        assert "\n> It took **three** tries.\n" in render_markdown(report, pictures)

    def test_every_answer_is_one_item_of_a_list(self, report, pictures, markdown) -> None:
        page = markdown(render_markdown(report, pictures))
        assert [item.get("start", "1") for item in page.all("ol")] == ["1", "1"]

    def test_the_same_report_gives_the_same_text(self, report, pictures) -> None:
        assert render_markdown(report, pictures) == render_markdown(report, pictures)

    @pytest.mark.parametrize(
        ("prefix", "link"),
        [("figures/", "figures/"), ("my figures", "my%20figures/"), ("../a)b", "../a%29b/"), ("", "")],
    )
    def test_render_markdown_links_are_relative_to_where_the_report_will_stand(
        self, report, pictures, prefix: str, link: str
    ) -> None:
        assert f"]({link}configurations-" in render_markdown(report, pictures, prefix)

    def test_nothing_of_a_strangers_text_acts(self, hostile, pictures, markdown) -> None:
        page = markdown(render_markdown(hostile, pictures))
        assert set(page.tags) <= ELEMENTS
        assert {name for tag, found in page.elements for name in found if tag not in {"img", "td", "th"}} <= {
            "class", "start",
        }  # fmt: skip
        assert all(str(image["src"]).startswith("reports/figures/") for image in page.all("img"))

    def test_strangers_text_leaves_the_tables_whole(self, hostile, pictures) -> None:
        lines = render_markdown(hostile, pictures).splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("| Run |"))
        assert [line.count("|") for line in lines[start : start + 6]] == [15] * 6

    def test_no_control_character_comes_through(self, hostile, pictures) -> None:
        text = render_markdown(hostile, pictures)
        assert all(sign.isprintable() or sign in "\n\N{NO-BREAK SPACE}" for sign in text)
        assert text.encode()

    def test_ten_thousand_runs_stay_readable(self, large) -> None:
        text = render_markdown(large, ())
        assert len(text.encode()) < 60_000
        assert "The best 50 of 10,000 runs: `tracker runs` lists all of them." in text
        assert "<details><summary>Run 4 <code>Conv=5, lr=0.0001, " in text
        assert "</code>: 24/30</summary>\n\n### Conv=5" in text

    def test_the_heading_of_a_folded_section_names_any_other_metric_than_accuracy(self, report) -> None:
        scored = [changed(report.entries[0], index=index, correct=None, score=0.5) for index in range(4)]
        sections = tuple(Section("Conv=3", (entry,)) for entry in scored)
        folded = replace(report, sections=sections, metric=Metric("val_mae", True))
        assert "<code>Conv=3</code>: <code>val_mae</code> 0.5</summary>" in render_markdown(folded, ())
        assert ", Conv=3: val_mae 0.5</summary>" in render_html(folded, ())

    def test_a_report_on_nothing_says_so(self) -> None:
        nothing = Report("genres", Metric("val_accuracy"), (), (), (), (), (), (), (), (), ())
        text = render_markdown(nothing, ())
        assert "There is no finished run to conclude from." in text
        assert "No further run is suggested." in text


class TestTidy:
    def test_tidy_leaves_one_empty_line_and_no_spaces_at_ends(self) -> None:
        assert tidy("\n\na  \n\n\n\nb\n\n") == "a\n\nb\n"


class TestMarkdownEnvironment:
    def test_markdown_environment_refuses_to_print_text_that_no_filter_escaped(self) -> None:
        with pytest.raises(TypeError, match="escaping filter, got '<b>'"):
            markdown_environment().from_string("{{ name }}").render(name="<b>")

    def test_markdown_environment_prints_what_a_filter_returned(self) -> None:
        assert markdown_environment().from_string("{{ name|code }}").render(name="<b>") == "<code>&#60;b&#62;</code>"

    def test_a_name_that_is_not_there_is_an_error(self) -> None:
        with pytest.raises(UndefinedError):
            markdown_environment().from_string("{{ nobody|prose }}").render()

    @pytest.mark.parametrize("level", ["7", "0.0001", "0.3x10", "1e-4", "×0.3 after 10", "off", "relu", "true"])
    def test_an_ordinary_level_stands_plain(self, level: str) -> None:
        assert markdown_environment().from_string("{{ level|level }}").render(level=level) == level

    @pytest.mark.parametrize("level", ["a|b", "www.a", "0a1b2c3d", "1.", "a b", "x" * 30])
    def test_any_other_level_is_code(self, level: str) -> None:
        written = markdown_environment().from_string("{{ level|level }}").render(level=level)
        assert written.startswith("<code>")

    def test_lines_are_indented_to_belong_to_a_list_item(self) -> None:
        template = markdown_environment().from_string("{{ text|beside(10) }}")
        assert template.render(text=Markup("a\nb")) == "a\n    b"

    def test_columns_of_numbers_are_told_from_others(self) -> None:
        template = markdown_environment().from_string("{% if rows|numeric(2) == [true, false] %}so{% endif %}")
        assert template.render(rows=(("+3.3 points", "a"), ("–", "1"))) == "so"


class TestHtmlEnvironment:
    def test_html_environment_escapes_text_that_no_filter_escaped(self) -> None:
        assert html_environment().from_string("{{ name }}").render(name="<b>") == "&lt;b&gt;"

    def test_a_level_that_is_no_plain_word_is_code(self) -> None:
        template = html_environment().from_string("{{ level|level }}")
        assert template.render(level="<b>") == "<code>&lt;b&gt;</code>"


POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class TestRenderHtml:
    def test_fetches_nothing_and_runs_nothing(self, report, pictures, html) -> None:
        page = html(render_html(report, pictures))
        assert {"http-equiv": "Content-Security-Policy", "content": POLICY} in page.all("meta")
        assert not {"script", "link", "iframe", "object"} & set(page.tags)
        assert not page.all("img")

    def test_figures_are_the_drawings_themselves_below_their_findings(self, report, pictures) -> None:
        text = render_html(report, pictures, ".fig text{fill:red}")
        assert pictures[0].panels[0].svg in text
        assert text.index("What configurations finds</p>") < text.index("How to read it.") < text.index("<svg")
        assert ".fig text{fill:red}" in text

    def test_verdicts_are_said_in_words(self, report, pictures) -> None:
        assert '<span class="badge confounded">Confounded</span>' in render_html(report, pictures)

    def test_its_headings_make_an_outline(self, report, pictures, html) -> None:
        page = html(render_html(report, pictures))
        assert (page.tags["h1"], page.tags["h2"], page.tags["h3"]) == (1, 7, 8)
        assert page.tags["h4"] == 1

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
        assert all(sign.isprintable() or sign in "\n\N{NO-BREAK SPACE}" for sign in text)
        assert text.encode()

    def test_ten_thousand_runs_stay_readable(self, large) -> None:
        assert len(render_html(large, ()).encode()) < 150_000

    def test_misjudged_clips_can_be_listened_to(self, report, pictures, html) -> None:
        mistake = Mistake("blues/<1>.wav", "blues", "jazz", 0.834, report.entries[2], (), wrong=4, runs=4)
        listening = Listening((Sound(mistake, "<svg></svg>", "audio/wav", b"RIFF"),), ("The data is gone.",))
        page = html(render_html(report, pictures, listening=listening))
        assert page.all("audio")[0]["src"] == "data:audio/wav;base64,UklGRg=="
        assert {"http-equiv": "Content-Security-Policy", "content": f"{POLICY}; media-src data:"} in page.all("meta")
        words = "blues/<1>.wav Label blues, run 3 predicts jazz with 83% confidence, wrong in all 4 runs."
        assert words in page.text
        assert "The data is gone." in page.text

    def test_clips_that_cannot_be_played_say_why_and_need_no_policy(self, report, pictures, html) -> None:
        mistake = Mistake("<1>.wav", "blues", "jazz", 0.5, report.entries[0], (), wrong=1, runs=1)
        listening = Listening((Sound(mistake, problem="<1>.wav is a symbolic link"),))
        page = html(render_html(report, pictures, listening=listening))
        assert "It cannot be played: <1>.wav is a symbolic link." in page.text
        assert {"http-equiv": "Content-Security-Policy", "content": POLICY} in page.all("meta")
        assert not page.all("audio")


class TestRenderDescription:
    def test_render_description_opens_with_the_result(self, report) -> None:
        assert render_description(report.entries[2]).startswith(
            "**26 of 30 validation clips correct (86.7%, 95% interval 70.3–94.7%), validation loss 0.371.**\n"
            "\n"
            "Conv=3, lr=0.001, ReduceLROnPlateau(factor=0.5, patience=15), EarlyStopping(patience=20). "
            "Best epoch 24, stop epoch 44"
        )

    def test_render_description_says_how_to_compare(self, report) -> None:
        assert "<code>tracker compare 00000000 RUN</code>" in render_description(report.entries[2])

    def test_render_description_leaves_the_notes_end_to_who_stores_it(self, report) -> None:
        assert NOTE_END not in render_description(report.entries[2])

    def test_render_description_leaves_room_for_a_long_note(self, hostile) -> None:
        assert all(len(render_description(entry)) < 3_000 for entry in hostile.entries)

    def test_nothing_of_a_strangers_text_acts(self, hostile, markdown) -> None:
        for entry in hostile.entries:
            page = markdown(render_description(entry))
            assert set(page.tags) <= {"p", "code", "strong"}


class TestRenderOutcome:
    def test_render_outcome_is_one_line(self, report) -> None:
        assert render_outcome(report.entries[2]).startswith(
            "26 of 30 validation clips correct (86.7%, 95% interval 70.3–94.7%), validation loss 0.371. Best epoch 24"
        )


LEFT_OUT = "*Left out to stay within {} bytes: {}. `tracker report` has them.*\n"


class TestRenderSummary:
    def test_render_summary_is_whole_without_a_limit(self, report) -> None:
        text = render_summary(report).replace("\N{NO-BREAK SPACE}", " ")
        assert "3. **Would a shorter patience have been enough?** *Replay.* Run 3: 10, saving 10 epochs." in text
        assert "Left out to stay" not in text

    def test_render_summary_has_neither_pictures_nor_folds(self, report, markdown) -> None:
        assert not {"img", "details"} & set(markdown(render_summary(report)).tags)

    def test_render_summary_drops_sections_from_the_end_and_says_which(self, report) -> None:
        whole = len(render_summary(report).encode())
        text = render_summary(report, whole - 1)
        assert text.endswith(LEFT_OUT.format(whole - 1, "Challenges"))
        assert "## Next steps" in text
        assert "## Challenges" not in text

    @pytest.mark.parametrize("limit", [500, 700, 1_000, 2_000, 3_000])
    def test_render_summary_never_has_more_bytes_than_it_may(self, report, limit: int) -> None:
        assert len(render_summary(report, limit).encode()) <= limit

    def test_the_conclusions_are_kept_longest(self, report) -> None:
        text = render_summary(report, 1_000)
        assert "## Conclusions" in text
        assert "Runs, Next steps, Challenges" in text

    def test_a_limit_that_nothing_fits_is_an_error(self, report) -> None:
        with pytest.raises(TrackerError, match=r"needs at least \d+ bytes, not 10"):
            render_summary(report, 10)

    def test_nothing_of_a_strangers_text_acts(self, hostile, markdown) -> None:
        page = markdown(render_summary(hostile))
        assert not {"script", "img", "a", "b", "details"} & set(page.tags)
