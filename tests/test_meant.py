from __future__ import annotations

import pytest

from tracker.runs.find import Called, meant


def called(*ids: str, name: str = "a run") -> Called[str]:
    return Called(f"the one of {ids[0]}", ids, name)


THINGS = [
    called("a1b2c3", name="k7"),
    called("a1ffff", "f00d", name="k5"),
    called("beef00", name="k3"),
    called("beef01", name="k3"),
    called("c0ffee", name="a1b2c3"),
]


def refusal(text: str, things: list[Called[str]]) -> str:
    with pytest.raises(ValueError, match=r"id or name|means") as error:
        meant(text, things, "run")
    return str(error.value)


class TestMeant:
    @pytest.mark.parametrize(
        ("text", "own"),
        [
            ("a1b2c3", "a1b2c3"),
            ("a1f", "a1ffff"),
            ("A1F", "a1ffff"),
            ("k5", "a1ffff"),
            ("f00d", "a1ffff"),
            ("f0", "a1ffff"),
            ("c", "c0ffee"),
        ],
    )
    def test_is_what_has_the_id_or_the_name_or_an_id_that_begins_so(self, text: str, own: str) -> None:
        assert meant(text, THINGS, "run") == f"the one of {own}"

    @pytest.mark.parametrize(
        ("text", "candidates"),
        [("a1", "a1b2c3 ('k7'), a1ffff ('k5')"), ("k3", "beef00 ('k3'), beef01 ('k3')")],
    )
    def test_lists_the_candidates_in_one_line(self, text: str, candidates: str) -> None:
        assert refusal(text, THINGS) == f"{text!r} means 2 runs: {candidates}; give more of the id"

    def test_names_what_there_is(self) -> None:
        assert refusal("x", THINGS).startswith("no run has the id or name 'x'; there are: a1b2c3 ('k7'), ")

    def test_is_none_by_no_text(self) -> None:
        assert refusal("", THINGS).startswith("no run has the id or name ''")

    def test_says_that_there_are_none(self) -> None:
        assert refusal("x", []) == "no run has the id or name 'x'; there are: none"

    def test_lists_ten_at_most_and_lets_no_name_break_the_line(self) -> None:
        said = refusal("0", [called(f"{i:06}", name="evil\n\x1b[31m\u202e") for i in range(12)])
        assert said.count("evil") == 10
        assert said.isprintable()

    def test_shows_as_much_of_an_id_as_tells_it_from_the_others(self) -> None:
        alike = [called(f"deadbeefdeadbee{i}") for i in range(2)]
        assert "deadbeefdeadbee0 ('a run'), deadbeefdeadbee1" in refusal("dead", alike)
