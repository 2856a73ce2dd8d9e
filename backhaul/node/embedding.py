"""Short vectors of frames, for a thin link."""

from __future__ import annotations

from functools import cache

import numpy as np

from backhaul.arrays import Float32Array
from backhaul.randomness import generator

WIDTH = 128
"""Values of an embedding: 256 bytes in half precision."""


def embedding(vector: Float32Array) -> Float32Array:
    """Return a vector of 128 values whose distances are about those of longer ones.

    It is a random projection (Johnson and Lindenstrauss, 1984), the same on all nodes for
    vectors of one length; a vector that is no longer stays as it is.

    Args:
        vector: Shape (d,).
    """
    if len(vector) <= WIDTH:
        return vector
    return np.asarray(vector @ _projection(len(vector)), np.float32)


@cache
def _projection(width: int) -> Float32Array:
    drawn = generator(0, "embedding", width).standard_normal((width, WIDTH))
    projection: Float32Array = (drawn / np.sqrt(WIDTH)).astype(np.float32)
    return projection
