from __future__ import annotations

import pytest

from tracker.errors import TrackerError
from tracker.render.markdown import render_summary

LEFT_OUT = "*Left out to stay within {} bytes: {}. `tracker report` has them.*\n"


class TestRenderSummary:
    def test_render_summary_is_whole_without_a_limit(self, report) -> None:
        text = render_summary(report)
        assert "4. **Exact.** Stopping with patience 10 instead of 20 would have saved ten epochs." in text
        assert "Left out to stay" not in text

    def test_render_summary_has_neither_pictures_nor_folds(self, report, markdown) -> None:
        assert not {"img", "details"} & set(markdown(render_summary(report)).tags)

    def test_render_summary_drops_sections_from_the_end_and_says_which(self, report) -> None:
        whole = len(render_summary(report).encode())
        text = render_summary(report, whole - 1)
        assert text.endswith(LEFT_OUT.format(whole - 1, "Challenges"))
        assert "## Next steps" in text
        assert "## Challenges" not in text

    @pytest.mark.parametrize("limit", [250, 400, 700, 1_000, 2_000, 3_000])
    def test_render_summary_never_has_more_bytes_than_it_may(self, report, limit: int) -> None:
        assert len(render_summary(report, limit).encode()) <= limit

    def test_what_came_out_is_kept_longest(self, report) -> None:
        text = render_summary(report, 600)
        assert "## What came out" in text
        assert "Runs, Conclusions, Next steps, Challenges" in text

    def test_a_limit_that_nothing_fits_is_an_error(self, report) -> None:
        with pytest.raises(TrackerError, match=r"needs at least \d+ bytes, not 10"):
            render_summary(report, 10)

    def test_nothing_of_a_strangers_text_acts(self, hostile, markdown) -> None:
        page = markdown(render_summary(hostile))
        assert not {"script", "img", "a", "b", "details"} & set(page.tags)
