from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rivals import FAULTS, compare


@pytest.mark.parametrize("seed", [3, 4])
def test_more_value_arrives_than_by_the_uploaders_of_others(seed: int) -> None:
    ours, *others = compare(seed, n=400)
    assert len(others) == 7
    name, shares, _, again_bytes = ours
    assert name == "ours"
    assert again_bytes == 0
    best = max(np.mean(row[1]) for row in others)
    assert np.mean(shares) > 1.5 * best
    lost = FAULTS.reset / (2 * (1 - FAULTS.reset)) + FAULTS.lost_answer
    assert np.mean(shares) > 0.95 - 2 * lost - 0.1  # waits after faults, and a frame in flight
