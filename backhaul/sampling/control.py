"""The control arm: retraining without new data."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from backhaul.sampling.base import SamplingMethod
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


class NoNewData(SamplingMethod):
    """Sends nothing; the detector is retrained for as many epochs on old data alone."""

    retrains_without_new: ClassVar[bool] = True

    kind: Literal["no-new-data"] = "no-new-data"

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return an empty selection.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.
        """
        return self.selection([], np.zeros(0, dtype=np.int64), np.zeros(0), [])
