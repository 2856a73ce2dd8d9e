"""How often a gate is wrong over many rounds.

A gate that lets a model through by chance with probability alpha does so again each round. Over
k rounds in which no candidate is better, at least one gets through with probability
1 - (1 - alpha)^k, and k alpha of them on average; rounds with a better candidate only lower it.
"""

from __future__ import annotations

from collections.abc import Sequence

DAY_S = 24 * 3600.0
YEAR_S = 365.25 * DAY_S


def chance_of_any(alpha: float, n_rounds: int) -> float:
    """Return the probability that at least one of so many rounds let a model through wrongly.

    Args:
        alpha: Probability of that in one round.
        n_rounds: Number of rounds.

    Example:
        >>> round(chance_of_any(0.025, 28), 2)
        0.51
    """
    return float(1 - (1 - alpha) ** n_rounds)


def expected_a_year(alpha: float, decided_s: Sequence[float]) -> float | None:
    """Return how many wrong promotions a year are expected at most, at the rate so far.

    Args:
        alpha: Probability of one in a round.
        decided_s: When the rounds were decided, seconds since 1970, in order.

    Returns:
        None where they span less than a day, which says nothing of a year.
    """
    span_s = max(decided_s, default=0.0) - min(decided_s, default=0.0)
    if span_s < DAY_S:
        return None
    return alpha * (len(decided_s) - 1) / span_s * YEAR_S
