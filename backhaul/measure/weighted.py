"""How much weighted values say of the variance of their mean."""

from __future__ import annotations

from backhaul.arrays import FloatArray


def effective_number(weight: FloatArray) -> float:
    """Return the number of equal weights with which a variance would be known as well.

    The variance of a weighted sum is estimated by sum w^2 x^2, which a few heavy values may
    carry alone. Satterthwaite (1946) gives (sum w^2)^2 / sum w^4 for normal x: n for n equal
    weights, and about k where k of them outweigh all others.

    Args:
        weight: Weights >= 0, shape (n,).

    Returns:
        0 without a weight above 0.
    """
    squares = (weight / weight.max(initial=0.0)) ** 2 if weight.max(initial=0.0) else weight
    total = float((squares**2).sum())
    return float(squares.sum()) ** 2 / total if total else 0.0
