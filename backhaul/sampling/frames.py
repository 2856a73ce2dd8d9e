"""Send frames at even distances."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from backhaul.naturalorder import natural
from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.spending import fitting
from backhaul.settings import PositiveInt
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


class EveryNthSampling(SamplingMethod):
    """Every n-th frame in the order of file names, until the bandwidth is spent.

    What a camera does that sends a frame now and then. Numbers in names count as numbers, so
    frame 9 comes before frame 10.
    """

    source: ClassVar[str] = "usual practice"

    kind: Literal["every-nth"] = "every-nth"
    n: PositiveInt = Field(10, description="frames from one that may be sent to the next")

    @property
    def revision(self) -> int:
        """2: names that mix numbers and texts were in another order."""
        return 2

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return every n-th image that still fits, the first one first.

        Args:
            pool: Candidates. Without files they are ordered by their ids.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: Not used.
        """
        names = pool.files or pool.image_id
        order = sorted(range(len(pool)), key=lambda row: (natural(names[row]), names[row]))
        rows = np.array(order[:: self.n], dtype=np.int64)
        size_bytes = pool.size_bytes[rows]
        sent = fitting(size_bytes, bandwidth)
        chosen = [pool.image_id[row] for row in rows[sent].tolist()]
        reason = [f"frame {1 + self.n * place} of {len(order)}" for place in sent.tolist()]
        return self.selection(chosen, size_bytes[sent], np.ones(len(sent)), reason)
