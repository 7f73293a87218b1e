from __future__ import annotations

from tracker.render.markdown import render_description
from tracker.runs import NOTE_END


class TestRenderDescription:
    def test_render_description_says_what_came_out(self, report) -> None:
        assert render_description(report.entries[2]).startswith(
            "Conv=3, lr=0.001, ReduceLROnPlateau(factor=0.5, patience=15), EarlyStopping(patience=20)\n"
            "\n"
            "| What | Result |\n"
            "|---|---|\n"
            "| Validation Loss | 0.37062695622444153 |\n"
            "| Validation Accuracy | 0.8666666746139526 |\n"
            "| Right | 26 of 30 validation clips, 95 % interval 70.3 to 94.7 % |\n"
            "| Best epoch | 24 |\n"
            "| Stop epoch | 44 |\n"
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
            assert set(page.tags) <= {"p", "code", "table", "thead", "tbody", "tr", "th", "td"}
