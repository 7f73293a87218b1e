import pytest

from tracker.delimited import delimiter_of, header_of, rows_of, rows_quoted_or_not, text_of


class TestRowsQuotedOrNot:
    def test_a_field_of_two_lines_is_one_field(self):
        rows = rows_quoted_or_not('path,label,remark\na,x,"one\ntwo"\nb,y,\n', ",")
        assert rows == [(1, ["path", "label", "remark"]), (2, ["a", "x", "one\ntwo"]), (4, ["b", "y", ""])]

    @pytest.mark.parametrize("closing", ['"and left', 'and left"', "and left"])
    def test_a_quote_swallows_no_line(self, closing):
        lines = ['a\t"He said\tx', "b\thello\ty", f"c\t{closing}\tz", 'd\t"quoted"\tz']
        rows = rows_quoted_or_not("\n".join(["path\ttext\tlabel", *lines]), "\t")
        assert [(line, fields[0], fields[2]) for line, fields in rows[1:]] == [
            (2, "a", "x"), (3, "b", "y"), (4, "c", "z"), (5, "d", "z"),
        ]  # fmt: skip
        assert rows[1][1][1] == '"He said'
        assert rows[4][1][1] == "quoted"

    def test_a_quote_in_the_last_line_is_text_if_it_is_never_closed(self):
        assert rows_quoted_or_not('path\ttext\tlabel\na\t"He said\tx\n', "\t")[1] == (2, ["a", '"He said', "x"])

    def test_a_quote_that_would_swallow_more_than_a_field_may_hold_swallows_no_line(self):
        rows = rows_quoted_or_not("path,label\n" + '"a,x\n' + "b,y\n" * 50_000, ",")
        assert len(rows) == 50_002


class TestTextOf:
    @pytest.mark.parametrize(
        ("data", "message"),
        [(b"PK\x03\x04rest", "byte 0: a ZIP file, such as an Excel workbook"), ("a,b".encode("utf-16-le"), "NUL")],
    )
    def test_text_of_says_what_a_file_is_instead(self, data, message):
        with pytest.raises(ValueError, match=message):
            text_of(data)


class TestSeparatorHint:
    TEXT = "sep=;\r\npath;label\r\na;x,y;\r\n"

    def test_a_line_that_tells_excel_the_delimiter_is_no_row(self):
        assert delimiter_of(self.TEXT) == ";"
        assert header_of(self.TEXT) == ["path", "label"]
        assert rows_quoted_or_not(self.TEXT, ";") == [*rows_of(self.TEXT, ";")]
        assert [line for line, _ in rows_of(self.TEXT, ";")] == [2, 3]

    def test_lines_are_counted_with_the_hint_and_the_blank_ones_around_it(self):
        text = "\n\n" + self.TEXT.replace("path", ";;\r\npath")
        assert delimiter_of(text) == ";"
        assert header_of(text) == ["path", "label"]
        assert [line for line, _ in rows_of(text, ";")] == [line for line, _ in rows_quoted_or_not(text, ";")] == [5, 6]

    def test_the_delimiter_may_be_a_tab(self):
        assert delimiter_of("sep=\t\npath\tlabel,text\n") == "\t"


class TestRowsOf:
    def test_rows_of_refuses_a_quote_that_is_never_closed(self):
        with pytest.raises(ValueError, match="line 2: not CSV"):
            list(rows_of('a,b\n"x,y\n', ","))
