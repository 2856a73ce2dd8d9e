"""Choose the fraction of new images in a retraining by how short trainings with it end."""

from __future__ import annotations

import numpy as np
import pandas as pd

SCORES = ("old", "new")
"""The validation sets that count, each as much as the other: images seen earlier, and new."""

COLUMNS = ("retrain_new", *SCORES, "mean", "chosen")
"""Columns of the table of candidates: fraction, mAP50 on each set, their mean, the choice."""


def choose_proportion(scores: pd.DataFrame) -> pd.DataFrame:
    """Choose the candidate with the greatest macro mean of its scores.

    The mean over the two sets, and not over their images, keeps the larger one from hiding what
    happens on the other. Of equal candidates the one with most old images is chosen, which
    forgets least.

    Args:
        scores: A row a candidate, with `retrain_new` in (0, 1] and mAP50 in [0, 1] on each of
            `SCORES`, NaN on a set without objects, which then does not count.

    Returns:
        Columns `COLUMNS`, the rows in the same order; exactly one of them is chosen.
    """
    mean = scores[[*SCORES]].mean(axis=1)
    rank = mean.fillna(-np.inf)
    best = scores.loc[rank == rank.max(), "retrain_new"].min()
    return scores.assign(mean=mean, chosen=scores["retrain_new"] == best)[[*COLUMNS]]


def chosen_proportion(table: pd.DataFrame) -> float:
    """Return the fraction that was chosen of a table that `choose_proportion` made."""
    return float(table.loc[table["chosen"], "retrain_new"].item())
