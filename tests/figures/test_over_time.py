from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tracker.figures.over_time import probabilities_over_time
from tracker.figures.style import SMALL, text_width


@pytest.mark.parametrize("seconds", [0.023, 0.116, 1, 3.7, 30, 3_599.5])
@pytest.mark.parametrize("clips", [1, 2])
def test_the_words_of_the_time_axis_never_touch(drawn, seconds: float, clips: int) -> None:
    clip = ("a.wav", np.array([[0.0, seconds]]), np.array([[0.4, 0.6]], dtype=np.float32))
    drawing = drawn(probabilities_over_time([clip] * clips, ("high", "low"), "1" * 32))
    words = [text for text in dict.fromkeys(drawing.texts) if text.endswith(" s")]
    assert len(words) >= 2
    places = [(drawing.places(text)[0][0], text_width(text, SMALL)) for text in words]
    for (left, before), (right, after) in pairwise(places):
        assert right - left > (before + after) / 2
