"""A choice of each node for itself, where nodes do not share a bandwidth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backhaul.arrays import IntArray
from backhaul.sampling.base import SamplingMethod
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


def select_by_node(
    method: SamplingMethod,
    pool: Pool,
    rows: Mapping[str, IntArray],
    limits: Mapping[str, Bandwidth],
    *,
    rng: np.random.Generator,
) -> Selection:
    """Return what a method selects of each node's images, node after node.

    Args:
        method: The method; it sees the images of one node at a time.
        pool: Candidates of all nodes.
        rows: Rows of each node's candidates, by its name; at least one node.
        limits: Most that each node may send, by its name.
        rng: The only source of randomness.
    """
    chosen = [
        method.select(pool.take(own), limits[name], rng=rng) for name, own in rows.items()
    ]
    return Selection.concat(chosen)
