"""How far a distribution has moved, by hand and by its properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.measure.stability import stability_index

COUNTS = st.lists(st.integers(0, 1_000), min_size=3, max_size=3)


def test_by_hand() -> None:
    """Shares (with half a count a bin) are 3.5/5 and 1.5/5 now, 1.5/5 and 3.5/5 at first."""
    expected = (0.7 - 0.3) * math.log(0.7 / 0.3) + (0.3 - 0.7) * math.log(0.3 / 0.7)
    assert stability_index([3, 1], [1, 3]) == pytest.approx(expected)
    assert expected == pytest.approx(0.6778, abs=1e-4)


def test_nothing_to_compare() -> None:
    assert math.isnan(stability_index([0, 0], [1, 3]))
    assert math.isnan(stability_index([], []))


@given(COUNTS.filter(any), COUNTS.filter(any))
def test_it_is_a_symmetric_divergence(now: list[int], then: list[int]) -> None:
    index = stability_index(now, then)
    assert index >= 0
    assert index == pytest.approx(stability_index(then, now))
    assert stability_index(now, now) == pytest.approx(0)


def test_it_grows_with_the_move() -> None:
    moves = [stability_index(np.roll([90, 9, 1], k), [90, 9, 1]) for k in (0, 1)]
    assert moves[0] < 0.1
    assert moves[1] > 0.25
