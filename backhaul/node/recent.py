"""Recent frames of a node, to tell near-duplicates."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import Float32Array

MOST_RECENT = 1_000


class Recent:
    """Descriptors of the frames that were last chosen.

    Args:
        width: Length of a descriptor.
        most: How many are remembered.
    """

    def __init__(self, width: int, most: int = MOST_RECENT) -> None:
        self._vectors = np.full((most, width), np.inf, np.float32)
        self._squares = np.full(most, np.inf, np.float32)
        self._digests = [""] * most
        self._n = 0

    def put(self, digest: str, vector: Float32Array) -> None:
        """Remember a frame in place of the oldest one."""
        slot = self._n % len(self._digests)
        self._vectors[slot], self._digests[slot] = vector, digest
        self._squares[slot] = vector @ vector
        self._n += 1

    def forget(self, digest: str) -> None:
        """Let a frame be none of them any more, if it is one."""
        if digest in self._digests:
            slot = self._digests.index(digest)
            self._digests[slot] = ""
            self._vectors[slot], self._squares[slot] = 0, np.inf

    def nearest(self, vector: Float32Array) -> tuple[str, float]:
        """Return the digest of the nearest frame, and how far it is; infinite without any."""
        n = min(self._n, len(self._digests))
        if not n:
            return "", float("inf")
        square = vector @ vector
        apart = self._squares[:n] + square - 2 * (self._vectors[:n] @ vector)
        slot = int(np.argmin(apart))
        if np.isinf(apart[slot]):  # all were forgotten
            return "", float("inf")
        return self._digests[slot], float(np.linalg.norm(self._vectors[slot] - vector))
