from __future__ import annotations

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from tracker.render.jinja import html_environment, markdown_environment


class TestMarkdownEnvironment:
    def test_markdown_environment_refuses_to_print_text_that_no_filter_escaped(self) -> None:
        with pytest.raises(TypeError, match="escaping filter, got '<b>'"):
            markdown_environment().from_string("{{ name }}").render(name="<b>")

    def test_markdown_environment_prints_what_a_filter_returned(self) -> None:
        assert markdown_environment().from_string("{{ name|code }}").render(name="<b>") == "<code>&#60;b&#62;</code>"

    def test_a_name_that_is_not_there_is_an_error(self) -> None:
        with pytest.raises(UndefinedError):
            markdown_environment().from_string("{{ nobody|prose }}").render()

    @pytest.mark.parametrize("level", ["7", "0.0001", "0.3x10", "off", "relu", "true"])
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
