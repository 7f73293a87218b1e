from __future__ import annotations

from tracker.audit.ladder import COLUMNS, Kept, Ladder, Rung


def rung(kept: Kept, correct: int, low: float, high: float) -> Rung:
    return Rung(kept, correct, 100, (low, high))


class TestLadder:
    def test_sentence_says_what_leakage_adds_and_its_interval(self):
        ladder = Ladder(
            (rung(Kept.NOTHING, 97, 0.9, 0.99), rung(Kept.CLIPS, 75, 0.6, 0.86), rung(Kept.GROUPS, 50, 0.35, 0.65))
        )
        assert ladder.sentence == (
            "Leakage inflates results on this data: segments split at random instead of by group add 47 points to the "
            "accuracy (95% interval +30 to +62), in one training each."
        )

    def test_sentence_admits_what_could_be_chance(self):
        ladder = Ladder((rung(Kept.NOTHING, 80, 0.7, 0.9), rung(Kept.GROUPS, 75, 0.6, 0.86)))
        assert "could be chance" in ladder.sentence

    def test_sentence_does_not_add_a_loss(self):
        ladder = Ladder((rung(Kept.NOTHING, 75, 0.6, 0.86), rung(Kept.GROUPS, 80, 0.7, 0.9)))
        assert "add" not in ladder.sentence

    def test_sentence_says_if_groups_are_unknown(self):
        ladder = Ladder((rung(Kept.NOTHING, 97, 0.9, 0.99), rung(Kept.CLIPS, 50, 0.35, 0.65)))
        assert ladder.sentence.endswith("The data names no groups, so what they are worth is unknown.")

    def test_rows_have_their_columns(self):
        (row,) = Ladder((rung(Kept.NOTHING, 97, 0.9, 0.99),)).rows
        assert row == ("segments at random", "100", "97%", "90–99%")
        assert len(row) == len(COLUMNS)
