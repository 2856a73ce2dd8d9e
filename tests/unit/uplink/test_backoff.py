"""Waits grow to a cap, differ between nodes, and begin anew once home has answered."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backhaul.uplink.backoff import Backoff


@given(
    failures=st.integers(1, 2000),
    base_s=st.floats(0.01, 10),
    cap_s=st.floats(0.01, 1e6),
    seed=st.integers(0, 2**32),
)
def test_waits_are_bounded(failures: int, base_s: float, cap_s: float, seed: int) -> None:
    backoff = Backoff(base_s, cap_s, failures - 1).after_failure(np.random.default_rng(seed))
    assert backoff.failures == failures
    assert 0 <= backoff.wait_s <= min(cap_s, base_s * 2.0 ** min(failures - 1, 100))
    assert backoff.after_success() == Backoff(base_s, cap_s)


def test_jitter_is_full_and_seeded() -> None:
    def waits(seed: int) -> list[float]:
        rng, backoff = np.random.default_rng(seed), Backoff(base_s=1.0, cap_s=8.0)
        found = []
        for _ in range(2000):
            backoff = backoff.after_failure(rng)
            found.append(backoff.wait_s)
        return found

    assert waits(1) == waits(1)
    assert waits(1) != waits(2)
    late = np.array(waits(1)[10:])
    assert abs(late.mean() - 4.0) < 0.2  # half of the cap
    assert late.min() < 0.1
    assert late.max() > 7.9
