"""How long to wait before home is asked again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

_MOST_DOUBLINGS = 60  # more, and a float would overflow


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter, after Brooker, "Exponential Backoff And Jitter".

    The wait after the n-th failure in a row is uniform between 0 and ``base_s * 2**(n - 1)``,
    at most `cap_s`: nodes that lost home at one moment do not come back at one moment.

    Args:
        base_s: The longest wait after one failure, in seconds.
        cap_s: The longest of all.
        failures: How many there were in a row.
        wait_s: How long to wait now, in seconds.
    """

    base_s: float = 2.0
    cap_s: float = 600.0
    failures: int = 0
    wait_s: float = 0.0

    def after_failure(self, rng: np.random.Generator) -> Backoff:
        """Return how it is after one more failure."""
        most_s = min(self.cap_s, self.base_s * 2.0 ** min(self.failures, _MOST_DOUBLINGS))
        wait_s = float(rng.uniform(0.0, most_s))
        return replace(self, failures=self.failures + 1, wait_s=wait_s)

    def after_success(self) -> Backoff:
        """Return how it is once home has answered."""
        return replace(self, failures=0, wait_s=0.0)
