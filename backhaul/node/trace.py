"""What a link can carry over time, in pieces of constant rate."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import FloatArray


class Trace:
    """The capacity of a link: how many bytes it can carry up to each time.

    Args:
        begins_s: When each piece begins, ascending; the first is the start, the last goes on
            forever; shape (n,).
        bytes_s: Rate in each piece, >= 0, bytes a second; the last is > 0; shape (n,).
    """

    def __init__(self, begins_s: FloatArray, bytes_s: FloatArray) -> None:
        if len(begins_s) != len(bytes_s) or not len(begins_s) or bytes_s[-1] <= 0:
            raise ValueError("expected pieces, and a rate above 0 in the last one")
        self._begins_s = np.asarray(begins_s, dtype=np.float64)
        self._rate = np.asarray(bytes_s, dtype=np.float64)
        carried = self._rate[:-1] * np.diff(self._begins_s)
        self._carried = np.concatenate([[0.0], np.cumsum(carried)])

    def carried(self, t: float) -> float:
        """Return how many bytes can go from the start until `t`: C(t)."""
        piece = max(int(np.searchsorted(self._begins_s, t, side="right")) - 1, 0)
        within = max(t - float(self._begins_s[piece]), 0.0)
        return float(self._carried[piece] + self._rate[piece] * within)

    def when(self, n_bytes: float) -> float:
        """Return the first time until which so many bytes can go from the start."""
        piece = max(int(np.searchsorted(self._carried, n_bytes, side="left")) - 1, 0)
        while self._rate[piece] <= 0:
            piece += 1
        left = n_bytes - float(self._carried[piece])
        return float(self._begins_s[piece] + max(left, 0.0) / self._rate[piece])

    def ends(self, t: float, n_bytes: float) -> float:
        """Return when bytes that begin to go at `t` are all over."""
        return max(self.when(self.carried(t) + n_bytes), t)
