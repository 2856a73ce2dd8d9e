"""Near-duplicates by bands of their hashes against comparing each image with each.

The peer compares all pairs in NumPy, in blocks, in one position only; we look for mirrored and
turned copies as well, which is eight times the work.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from backhaul.data.likeness import MOST_BITS, Hashes, near_pairs
from benchmarks.measure import Row, compare

LIMIT = "sorting hashes by four bands, in eight positions"
IMAGES, BLOCK = 20_000, 500
REPEATS = 3


def rows(rng: np.random.Generator, scale: float = 1.0) -> list[Row]:
    """Return what was measured, with `scale` times the images."""
    hashes = rng.integers(0, 2**63, max(500, round(IMAGES * scale)), dtype=np.uint64)
    times = compare(partial(near_pairs, hashes), partial(_each_with_each, hashes), REPEATS)
    return [Row(f"near-duplicates of {len(hashes)} images", *times, "each with each", LIMIT)]


def _each_with_each(hashes: Hashes) -> int:
    found = 0
    for start in range(0, len(hashes), BLOCK):
        bits = np.bitwise_count(hashes[start : start + BLOCK, None] ^ hashes[None, start:])
        found += int((bits <= MOST_BITS).sum())
    return found
