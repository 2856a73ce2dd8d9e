"""What the form in which images are sent changes, at the same bytes: fewer originals or more.

The seed is the unit, as in `backhaul.study.statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray
from backhaul.data.recipes import Sending, SendReencoded
from backhaul.measure.statistics import CONFIDENCE
from backhaul.study.statistics import t_interval
from backhaul.values.offers import ORIGINAL

RESAMPLES = 2_000
ROUNDING = 12
"""Digits of a difference: equal means that were summed in another order differ by less."""


def recipe_levels(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return the mean score of each arm and recipe, over draws and retrainings.

    Args:
        rows: Rows of one set, see `backhaul.study.rows.Row`; of each arm, recipe and seed all
            or none.
        score: The column that is compared.

    Returns:
        Index: seed; columns: arm, recipe, budget (empty for references).
    """
    table = rows.astype({score: float}).pivot_table(
        index="seed", columns=["arm", "recipe", "budget"], values=score, aggfunc="mean"
    )
    return table.sort_index()


def over_original(levels: pd.DataFrame, arm: str, recipe: str, budget: str = "") -> pd.Series:
    """Return how much better an arm is with a recipe than with originals, seed by seed.

    Args:
        levels: What `recipe_levels` returns.
        arm: Label of the arm.
        recipe: Name of the recipe.
        budget: Name of the budget; empty = the mean over those that both have.

    Returns:
        Differences by seed, of those seeds that have both.
    """
    if not {(arm, recipe), (arm, ORIGINAL)} <= {*levels.droplevel("budget", axis=1)}:
        return pd.Series(dtype=float)
    difference = pd.DataFrame(levels[arm, recipe] - levels[arm, ORIGINAL])
    if budget and budget not in difference:
        return pd.Series(dtype=float)
    found: pd.Series = difference[budget] if budget else difference.mean(axis=1)
    return found.dropna().round(ROUNDING)


def series_of(recipes: Mapping[str, Sending]) -> dict[str, dict[int, str]]:
    """Return the recipes that differ in their quality alone, at least two of them.

    Args:
        recipes: Recipes by name.

    Returns:
        By format and longest side in words, the names by quality, in increasing order.
    """
    found: dict[str, dict[int, str]] = {}
    for name, each in recipes.items():
        if isinstance(each, SendReencoded):
            side = "" if each.longest_side_px is None else f", {each.longest_side_px} px"
            found.setdefault(f"{each.format}{side}", {})[each.quality] = name
    return {words: dict(sorted(own.items())) for words, own in found.items() if len(own) > 1}


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Down to which quality an arm is no worse than with originals, at the same bytes.

    Args:
        shown: Lowest quality whose 95 % t-interval of the difference does not reach below 0;
            None if no quality is shown to be no worse.
        crossing: Quality at which the mean difference becomes negative, see `crossing`; NaN of
            no seed.
        low: Lower end of the 95 % bootstrap interval of it over seeds; NaN below two seeds.
        high: Upper end of it.
        n: Number of seeds that have all qualities.
    """

    shown: int | None
    crossing: float
    low: float
    high: float
    n: int


def break_even(qualities: Sequence[int], differences: FloatArray) -> BreakEven:
    """Return the quality down to which fewer bytes an image are worth it.

    Args:
        qualities: Measured qualities, increasing, m of them.
        differences: Over originals, a row a seed, shape (n, m).
    """
    n = len(differences)
    if not n:
        return BreakEven(None, math.nan, math.nan, math.nan, 0)
    lows = [t_interval(column)[0] for column in differences.T]
    shown = next((q for q, low in zip(qualities, lows, strict=True) if low >= 0), None)
    found = crossing(qualities, differences.mean(axis=0))
    if n < 2:  # noqa: PLR2004 - one seed has no spread
        return BreakEven(shown, found, math.nan, math.nan, n)
    rng = np.random.default_rng(0)  # a page says the same each time that it is made
    means = differences[rng.integers(n, size=(RESAMPLES, n))].mean(axis=1)
    drawn = [crossing(qualities, mean) for mean in means]
    ends = np.quantile(
        drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], method="inverted_cdf"
    )
    return BreakEven(shown, found, float(ends[0]), float(ends[1]), n)


def crossing(qualities: Sequence[int], differences: Sequence[float] | FloatArray) -> float:
    """Return the quality at which a difference becomes negative, from the highest one down.

    Between measured qualities the curve is a straight line.

    Args:
        qualities: Measured qualities, increasing.
        differences: Difference over originals at each.

    Returns:
        The quality; infinite if the difference is negative at the highest one already, minus
        infinite if it is negative at none.
    """
    points = list(zip(qualities, differences, strict=True))[::-1]
    if points[0][1] < 0:
        return math.inf
    for (x1, y1), (x0, y0) in pairwise(points):
        if y0 < 0:
            return float(x1 - (x1 - x0) * y1 / (y1 - y0))
    return -math.inf


def matrix(levels: pd.DataFrame, arm: str, names: Sequence[str]) -> FloatArray:
    """Return differences over originals, a row a seed that has all recipes, a column each."""
    columns = [over_original(levels, arm, name).rename(name) for name in names]
    return pd.concat(columns, axis=1).dropna().to_numpy(dtype=float)
