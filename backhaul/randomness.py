"""Random generators that depend on nothing but the seed and the place they are used at."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """Return the generator of one stage, for example ``generator(7, "sampling", "iqr", 2)``.

    Every part of the path enters through the eight 32-bit words of its SHA-256, so neighbouring
    paths give unrelated streams and neither set order nor the hash seed matters.

    Example:
        >>> generator(7, "split", 0).integers(100) == generator(7, "split", 0).integers(100)
        np.True_
    """
    words = [
        word
        for part in path
        for word in np.frombuffer(
            hashlib.sha256(str(part).encode()).digest(), dtype="<u4"
        ).tolist()
    ]
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))
