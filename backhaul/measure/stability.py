"""How far a distribution has moved from what it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

PRIOR = 0.5
"""Count that each bin gets beforehand, so that an empty one has a share (Jeffreys)."""


def stability_index(counts: ArrayLike, reference: ArrayLike) -> float:
    """Return the population stability index (PSI) of two histograms over the same bins.

    It is the sum over the bins of (a - e) ln(a / e), with the shares a of today's counts and e
    of the reference: the divergence of Jeffreys (1946), in nats, >= 0; 0 for equal shares. The
    rule of thumb of Siddiqi, Credit Risk Scorecards (2006): below .1 nothing has moved, from
    .25 on much has. Few counts move it by chance: by about (bins - 1) (1 / n + 1 / m).

    Args:
        counts: How often each bin was met, shape (n_bins,).
        reference: How often it was met at first, shape (n_bins,).

    Returns:
        The index; NaN where one of the histograms is empty.
    """
    now, then = np.asarray(counts, dtype=float), np.asarray(reference, dtype=float)
    if not now.sum() or not then.sum():
        return float("nan")
    now, then = ((part + PRIOR) / (part.sum() + PRIOR * part.size) for part in (now, then))
    return float(np.sum((now - then) * np.log(now / then)))
