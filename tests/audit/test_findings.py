from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tracker.audit.findings import (
    CLASS_COLUMNS,
    FINDING_COLUMNS,
    DataCheck,
    Kind,
    MeasuredClip,
    class_rows,
    find,
    finding_rows,
)
from tracker.runs.measures import Fault, Measures, Unusable

if TYPE_CHECKING:
    from collections.abc import Sequence

_number = count()


def clip(
    path: str,
    label: str = "rock",
    group: str | None = None,
    part: str | None = "train",
    *,
    content: str | None = None,
    sound: str | None = None,
    seconds: float = 30.0,
    rate: int = 22_050,
    channels: int = 1,
    clipped: float = 0.0,
    unusable: Unusable | None = None,
) -> MeasuredClip:
    own = f"only in clip {next(_number)}"
    measures = Measures(seconds, rate, channels, clipped, sound or own)
    return MeasuredClip(path, label, group, part, content or own, unusable or measures)


def found(*clips: MeasuredClip, copies: Sequence[tuple[str, ...]] = ()) -> list[tuple[Kind, tuple[str, ...]]]:
    return [(finding.kind, finding.names) for finding in find(clips, 3.0, copies=copies).findings]


BOTH = ("a.wav", "b.wav")
UNREADABLE = Unusable("empty: 0 bytes")


class TestFind:
    def test_find_finds_nothing_in_clips_that_differ(self):
        assert found(clip("a.wav"), clip("b.wav", "jazz")) == []

    @pytest.mark.parametrize(
        ("same", "kind"),
        [
            ({"content": "x", "sound": "y"}, Kind.SAME_FILE),
            ({"sound": "y"}, Kind.SAME_SOUND),
            ({}, Kind.SAME_RECORDING),
        ],
    )
    def test_find_says_how_alike_copies_are(self, same, kind):
        clips = [clip("a.wav", **same), clip("b.wav", **same), clip("c.wav", "jazz")]
        assert found(*clips, copies=[BOTH]) == [(kind, BOTH)]

    def test_find_says_how_alike_the_least_alike_copies_are(self):
        clips = [clip("a.wav", content="x", sound="y"), clip("b.wav", content="x", sound="y"), clip("c.wav", sound="y")]
        copies = [("a.wav", "b.wav", "c.wav")]
        assert found(*clips, copies=copies) == [(Kind.SAME_SOUND, copies[0])]
        assert found(*clips[:2], clip("c.wav"), copies=copies) == [(Kind.SAME_RECORDING, copies[0])]

    def test_find_names_copies_under_two_labels_and_in_two_parts(self):
        clips = [clip("a.wav", content="x", sound="y"), clip("b.wav", "jazz", part="test", content="x", sound="y")]
        details = {finding.kind: finding.detail for finding in find(clips, 3.0, copies=[BOTH]).findings}
        assert details == {
            Kind.TWO_LABELS: "labelled jazz, rock",
            Kind.ACROSS_SPLIT: "in test and train",
            Kind.SAME_FILE: "",
        }

    def test_find_names_a_class_of_which_no_clip_can_be_used(self):
        lost = clip("c.wav", "jazz", unusable=Unusable("empty: 0 bytes"))
        assert (Kind.LOST_CLASS, ("jazz",)) in found(clip("a.wav"), clip("b.wav", "disco"), lost)

    @pytest.mark.parametrize(
        ("lost", "of_others", "is_found"),
        [(3, 0, True), (2, 0, False), (5, 2, True), (3, 3, False), (10, 0, False)],
        ids=["hangs on it", "chance", "rarer elsewhere", "could be chance", "all of it"],
    )
    def test_find_names_a_class_whose_clips_are_lost_more_often(self, lost, of_others, is_found):
        clips = [clip(f"jazz{n}.wav", "jazz", unusable=UNREADABLE if n < lost else None) for n in range(10)]
        clips += [clip(f"rock{n}.wav", unusable=UNREADABLE if n < of_others else None) for n in range(40)]
        check = find(clips, 3.0)
        assert ((Kind.UNEVEN_LOSS, ("jazz",)) in found(*clips)) == is_found
        assert check.summary.startswith(f"50 clips, {50 - lost - of_others} usable, of 2 classes")

    def test_find_lets_a_class_be_that_loses_few_of_its_clips(self):
        clips = [
            clip(f"{n}.wav", str(n % 2), unusable=UNREADABLE if n in range(0, 40, 2) else None) for n in range(400)
        ]
        assert {kind for kind, _ in found(*clips)} == {Kind.UNREADABLE}

    def test_find_names_a_group_that_the_split_cuts(self):
        clips = [clip("a.wav", group="x"), clip("b.wav", group="x", part="validation"), clip("c.wav", group="y")]
        assert found(*clips) == [(Kind.CUT_GROUP, ("x",))]

    def test_find_names_a_class_that_hangs_on_one_group(self):
        clips = [
            clip("a.wav", "jazz", "x"),
            clip("b.wav", "jazz", "x"),
            clip("c.wav", group="y"),
            clip("d.wav", group="z"),
        ]
        assert found(*clips) == [(Kind.ONE_GROUP, ("jazz",))]

    @pytest.mark.parametrize("other", ["Hip-Hop", "hip hop", "HIPHOP", "hip_hop", "hı\u0301phop".replace("ı", "i")])
    def test_find_names_classes_that_differ_in_spelling_alone(self, other):
        names = tuple(sorted(("hiphop", other)))
        assert (Kind.ALIKE_CLASSES, names) in found(
            clip("a.wav", "hiphop"), clip("b.wav", other), clip("c.wav", "jazz")
        )

    @pytest.mark.parametrize("other", ["hipshop", "disco2", "++"])
    def test_find_takes_other_classes_for_what_they_are(self, other):
        assert found(clip("a.wav", "hiphop"), clip("b.wav", other), clip("c.wav", "disco")) == []

    @pytest.mark.parametrize(
        ("different", "detail"),
        [
            ({"rate": 44_100}, "its 2 clips, and no others, are at 44,100\u00a0Hz"),
            ({"channels": 2}, "its 2 clips, and no others, have 2 channels"),
        ],
    )
    def test_find_names_a_class_that_is_known_by_its_format(self, different, detail):
        clips = [clip("a.wav"), clip("b.wav"), clip("c.wav", "jazz", **different), clip("d.wav", "jazz", **different)]
        details = {finding.names: finding.detail for finding in find(clips, 3.0).findings}
        assert details[("jazz",)] == detail

    def test_find_lets_formats_be_that_say_nothing_of_the_class(self):
        assert found(clip("a.wav"), clip("b.mp3"), clip("c.wav", "jazz"), clip("d.mp3", "jazz")) == []

    @pytest.mark.parametrize(
        ("what", "kind"),
        [
            ({"unusable": Unusable("empty: 0 bytes")}, Kind.UNREADABLE),
            ({"unusable": Unusable("silent: below", Fault.SILENT)}, Kind.SILENT),
            ({"unusable": Unusable("its path contains a line break", Fault.NAME)}, Kind.NAME),
            ({"clipped": 0.05}, Kind.CLIPPED),
            ({"seconds": 2.9}, Kind.SHORT),
        ],
    )
    def test_find_names_clips_with_little_to_hear(self, what, kind):
        assert found(clip("a.wav", **what), clip("b.wav"), clip("c.wav", "jazz")) == [(kind, ("a.wav",))]


class TestDataCheck:
    def test_is_clean_if_nothing_would_bias_a_result(self):
        assert find([clip("a.wav", seconds=1), clip("b.wav", "jazz")], 3.0).is_clean
        assert not find([clip("a.wav", group="x"), clip("b.wav", group="x", part="test")], 3.0).is_clean

    def test_is_not_clean_if_it_cannot_be_divided(self):
        check = find([clip("a.wav"), clip("b.wav", "jazz")], 3.0, "class 'rock' has 1 clip")
        assert not check.is_clean
        assert check.verdict == "This data can't be trained on: class 'rock' has 1 clip."

    def test_summary_counts_what_there_is(self):
        check = find([clip("a.wav", group="x"), clip("b.wav", "jazz", "y", "validation")], 3.0)
        assert check.summary == "2 clips of 2 classes from 2 groups; 1 train / 1 validation"

    def test_text_of_many_copies_names_a_few(self):
        paths = tuple(f"{number}.wav" for number in range(10))
        (finding,) = find([clip(path, content="x", sound="x") for path in paths], 3.0, copies=[paths]).findings
        assert finding.text.endswith("6.wav = 7.wav and 2 more")

    def test_rows_have_their_columns(self):
        check: DataCheck = find([clip("a.wav", seconds=1), clip("b.wav", "jazz", rate=8_000)], 3.0)
        assert class_rows(check) == [
            ("jazz", "1", "1", "–", "30", "8\u00a0kHz", "1"),
            ("rock", "1", "1", "–", "1", "22.05\u00a0kHz", "1"),
        ]
        assert finding_rows(check) == [
            ("clip shorter than a segment", "1", "no", "a.wav (1\u00a0s, a segment lasts 3\u00a0s)")
        ]
        assert {len(row) for row in class_rows(check)} == {len(CLASS_COLUMNS)}
        assert {len(row) for row in finding_rows(check)} == {len(FINDING_COLUMNS)}
