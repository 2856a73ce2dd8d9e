"""How much of what a node sees is like something that was sent (facility location)."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import Float32Array

MOST_SEEN = 1_000
"""Frames of the reservoir; a gain then takes about a tenth of a millisecond."""


class Coverage:
    """A random sample of the frames that were seen, and how well what was sent stands for it.

    The facility location F(S) = sum over frames r of the sample of w_r max over s in S of
    sim(r, s), where w_r is the value of r and sim the cosine of two vectors, 0 where it is
    negative. F is monotone and submodular, so that taking the frame of greatest gain again and
    again has at least 1 - 1/e of what the best choice has (Nemhauser, Wolsey and Fisher, 1978).
    The sample is uniform over all frames of one pass (reservoir sampling; Vitter, 1985).

    Args:
        width: Length of the vectors.
        rng: Draws the sample.
        most: Frames of the sample.
    """

    def __init__(self, width: int, rng: np.random.Generator, most: int = MOST_SEEN) -> None:
        self._seen = np.zeros((most, width), np.float32)
        self._weight = np.zeros(most, np.float32)
        self._covered = np.zeros(most, np.float32)
        self._sent = np.zeros((most, width), np.float32)
        self._n_seen = self._n_sent = 0
        self._rng = rng

    def see(self, vector: Float32Array, weight: float) -> None:
        """Let the sample have a frame that was seen, maybe.

        Args:
            vector: Vector of the frame, shape (width,).
            weight: Its value, >= 0.
        """
        most = len(self._weight)
        slot = (
            self._n_seen if self._n_seen < most else int(self._rng.integers(self._n_seen + 1))
        )
        self._n_seen += 1
        if slot < most:
            self._seen[slot] = unit(vector)
            self._weight[slot] = weight
            known = self._sent[: min(self._n_sent, most)]
            self._covered[slot] = max(float((known @ self._seen[slot]).max(initial=0.0)), 0.0)

    def gain(self, vector: Float32Array) -> float:
        """Return by how much sending a frame raises F, as a part of the greatest F, in [0, 1].

        Args:
            vector: Vector of the frame, shape (width,).
        """
        n = min(self._n_seen, len(self._weight))
        total = float(self._weight[:n].sum())
        if total == 0:
            return 1.0
        more = self._seen[:n] @ unit(vector) - self._covered[:n]
        return float(self._weight[:n] @ np.maximum(more, 0)) / total

    def send(self, vector: Float32Array) -> None:
        """Count a frame as sent.

        Args:
            vector: Vector of the frame, shape (width,).
        """
        own = unit(vector)
        self._sent[self._n_sent % len(self._sent)] = own
        self._n_sent += 1
        np.maximum(self._covered, self._seen @ own, out=self._covered)


def unit(vector: Float32Array) -> Float32Array:
    """Return a vector of length 1 in the same direction; 0 stays 0."""
    length = np.float32(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
