from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.builders import changed
from tracker.render.markdown import picture_files, render_markdown, tidy
from tracker.report import Report, Section
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
        assert picture_files(pictures)[names[0]] == pictures[0].png

    def test_one_content_is_one_file(self, pictures) -> None:
        assert len(picture_files([pictures[0], replace(pictures[0], runs=())])) == 1

    def test_picture_files_are_what_the_report_links_to(self, report, pictures, markdown) -> None:
        page = markdown(render_markdown(report, pictures, "figures"))
        assert {image["src"] for image in page.all("img")} == {f"figures/{name}" for name in picture_files(pictures)}


class TestRenderMarkdown:
    def test_its_parts_come_in_order(self, report, pictures) -> None:
        headings = re.findall("^## (.*)$", render_markdown(report, pictures), re.MULTILINE)
        assert headings == [
            "What came out", "What this data cannot tell", "Runs", "Conclusions", "Next steps", "Challenges",
            "Methods and versions",
        ]  # fmt: skip

    def test_headings_of_runs_stand_plain_and_alone(self, report, pictures) -> None:
        lines = render_markdown(report, pictures).splitlines()
        assert f"### Conv=7, lr=0.0001, {PLATEAU}" in lines
        assert "### Conv=7, lr=0.0001" in lines

    def test_a_section_has_loss_and_accuracy_as_logged_with_count_and_interval(self, report, pictures) -> None:
        assert (
            "Run 3, <code>k3-lr0.001-s0</code>, seed 0.\n\n"
            "- Validation Loss: 0.37062695622444153\n"
            "- Validation Accuracy: 0.8666666746139526 (26 of 30, 95 % interval 70.3 to 94.7 %)\n"
            "- Best epoch 24, stop epoch 44, 62 s\n"
        ) in render_markdown(report, pictures)

    def test_the_table_of_runs_has_the_options_that_changed(self, report, pictures) -> None:
        text = render_markdown(report, pictures)
        assert "| Run | Kernel size | Learning rate | Plateau | Early stopping | Right |" in text
        assert "| 3 | 3 | 0.001 | 0.5x15 | 20 | **26/30** | 86.7 | 70.3–94.7 | 0.3706 | 24 | 44 | 62 |\n" in text

    def test_several_seeds_share_a_section_with_a_row_each(self, report) -> None:
        seeds = (report.entries[0], changed(report.entries[0], index=8))
        text = render_markdown(replace(report, sections=(Section("Conv=7", seeds),)), ())
        assert text.count("### Conv=7") == 1
        row = "| 0 | 0.40432727336883545 | 0.8333333134651184 | 25/30 | 66.4–92.7 | 41 | 56 | 78 |"
        assert f"| 1 {row}\n| 9 {row}\n" in text

    def test_a_conclusion_has_its_verdict_in_words_and_its_evidence(self, report, pictures) -> None:
        assert (
            "3. **Inconclusive.** Run 3 is right on two clips more than run 4: well within chance.\n\n"
            "   *Evidence:* difference +6.7 points · 95 % interval −5.1 to +22 points · p = 0.500 · adjusted p = 1.0 · "
            "n = 30 · exact McNemar\n"
        ) in render_markdown(report, pictures)

    def test_a_table_in_a_fold_has_an_empty_line_before_it(self, report, pictures) -> None:
        text = render_markdown(report, pictures)
        assert "   <details><summary>What other patiences would have done</summary>\n\n   | patience |" in text
        folds = re.findall(r"<details>.*\n(.*)\n", text)
        assert folds
        assert not any(folds)

    def test_next_steps_are_words_then_commands_to_copy(self, report, pictures) -> None:
        assert (
            "1. The missing partner (about 62 s) — settles conclusion 2\n\n"
            "```sh\ntracker run --kernel 7 --lr 0.001\n```\n"
        ) in render_markdown(report, pictures)

    def test_a_note_is_quoted_as_its_author_wrote_it(self, report, pictures) -> None:
        assert "\n> It took **three** tries.\n" in render_markdown(report, pictures)

    def test_every_conclusion_is_one_item_of_a_list(self, report, pictures, markdown) -> None:
        page = markdown(render_markdown(report, pictures))
        assert [item.get("start", "1") for item in page.all("ol")] == ["1", "1", "2", "3", "4", "1"]

    def test_the_same_report_gives_the_same_text(self, report, pictures) -> None:
        assert render_markdown(report, pictures) == render_markdown(report, pictures)

    @pytest.mark.parametrize(
        ("prefix", "link"),
        [("figures/", "figures/"), ("my figures", "my%20figures/"), ("../a)b", "../a%29b/"), ("", "")],
    )
    def test_render_markdown_links_are_relative_to_where_the_report_will_stand(
        self, report, pictures, prefix: str, link: str
    ) -> None:
        assert f"]({link}accuracies-" in render_markdown(report, pictures, prefix)

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
        assert [line.count("|") for line in lines[start : start + 6]] == [14] * 6

    def test_no_control_character_comes_through(self, hostile, pictures) -> None:
        text = render_markdown(hostile, pictures)
        assert all(sign.isprintable() or sign == "\n" for sign in text)
        assert text.encode()

    def test_ten_thousand_runs_stay_readable(self, large) -> None:
        text = render_markdown(large, ())
        assert len(text.encode()) < 60_000
        assert "9,950 more runs are not shown: `tracker runs` lists all of them." in text
        assert "<details><summary>Run 3 <code>Conv=3, lr=0.001, " in text
        assert "</code>: 26/30</summary>\n\n### Conv=3" in text

    def test_a_report_on_nothing_says_so(self) -> None:
        nothing = Report("genres", Metric("val_accuracy"), (), (), (), (), (), (), (), (), (), ())
        text = render_markdown(nothing, ())
        assert "No finished run to report on." in text
        assert "No further run is suggested." in text


class TestTidy:
    def test_tidy_leaves_one_empty_line_and_no_spaces_at_ends(self) -> None:
        assert tidy("\n\na  \n\n\n\nb\n\n") == "a\n\nb\n"
