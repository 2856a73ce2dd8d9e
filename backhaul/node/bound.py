"""The most value that any policy can bring home over a link, to measure policies against."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.node.trace import Trace


def most_value(
    captured_s: FloatArray, size_bytes: FloatArray, value: FloatArray, link: Trace, end_s: float
) -> float:
    """Return the most value that can be home by a time, by somebody who knows everything.

    It is the maximum of sum v_i x_i over 0 <= x_i <= 1, where for every t < T the bytes of the
    frames captured from t on are at most C(T) - C(t). These constraints are nested, so that to
    take the frames in order of value for each byte, each as far as it fits, is exact.

    Args:
        captured_s: When each frame was captured, shape (n,).
        size_bytes: Its bytes, > 0, shape (n,).
        value: Its value, >= 0; values add up; shape (n,).
        link: What the link can carry.
        end_s: The time T.
    """
    here = np.flatnonzero(captured_s < end_s)
    order = here[np.argsort(captured_s[here], kind="stable")]
    total = link.carried(end_s)
    room = np.array([total - link.carried(t) for t in captured_s[order].tolist()])
    place = np.empty(len(captured_s), dtype=np.int64)
    place[order] = np.arange(len(order))
    # `room[k]` is what is left for all frames captured as late as the k-th, or later.
    room = np.minimum.accumulate(room)  # it falls with time anyway
    best = here[np.argsort(-value[here] / size_bytes[here], kind="stable")]
    most = 0.0
    for frame in best.tolist():
        k = place[frame]
        part = min(float(size_bytes[frame]), max(float(room[: k + 1].min()), 0.0))
        if part > 0:
            room[: k + 1] -= part
            most += float(value[frame]) * part / float(size_bytes[frame])
    return most
