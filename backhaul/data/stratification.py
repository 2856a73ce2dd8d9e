"""Stratify rows with several labels into subsets of given sizes."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import BoolArray, FloatArray, IntArray


def apportion(n: int, shares: FloatArray) -> IntArray:
    """Return how many of `n` images each share gets, by largest remainder; they sum to `n`.

    Ties go to the earlier share. If there are images enough, every positive share gets at least
    one, taken from the largest: three images make one each, not all for training.

    Example:
        >>> apportion(10, np.array([0.6, 0.2, 0.2])), apportion(3, np.array([0.6, 0.2, 0.2]))
        (array([6, 2, 2]), array([1, 1, 1]))
    """
    exact = np.round(n * shares / shares.sum(), 9)
    counts: IntArray = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(counts - exact, kind="stable")
    counts[by_remainder[: n - counts.sum()]] += 1
    if n >= np.count_nonzero(shares):
        for empty in np.flatnonzero((counts == 0) & (shares > 0)):
            counts[np.argmax(counts)] -= 1
            counts[empty] = 1
    return counts


def stratify(
    labels: BoolArray, n_images: IntArray, capacity: IntArray, rng: np.random.Generator
) -> IntArray:
    """Return the subset of each row, by iterative stratification (Sechidis et al. 2011).

    The package counts rows and may miss the sizes; single rows are then moved until these fit.
    With at least as many rows as subsets, no subset of positive capacity stays empty.

    Args:
        labels: What each row contains, shape (n, n_labels); a row has at least one.
        n_images: Size of each row, shape (n,).
        capacity: Images that each subset holds, shape (k,); the sum is that of `n_images`.
        rng: The only source of randomness.

    Returns:
        Numbers in [0, k), shape (n,).
    """
    from iterstrat.ml_stratifiers import IterativeStratification

    if not len(labels):
        return np.zeros(0, dtype=np.int64)
    order = rng.permutation(len(labels))
    ties = np.random.RandomState(int(rng.integers(2**32)))
    drawn = IterativeStratification(labels[order], capacity / capacity.sum(), ties)
    drawn[n_images[order] > capacity[drawn]] = np.argmax(capacity)  # too big for where they are
    drawn = _fill(labels[order], n_images[order], capacity, drawn)
    subset = np.empty(len(labels), dtype=np.int64)
    subset[order] = _occupy(n_images[order], capacity, drawn)
    return subset


def _fill(
    labels: BoolArray, n_images: IntArray, capacity: IntArray, subset: IntArray
) -> IntArray:
    """Move single rows to the emptiest subset while that brings the sizes nearer to `capacity`.

    Of the rows that bring them equally near the one moves that hurts the stratification least,
    measured as chi-square of the label counts. Each move lowers the sum of the deviations, so
    this ends; with rows of one image it ends at `capacity`.
    """
    subset = subset.copy()
    total = np.maximum(labels.sum(axis=0), 1)
    wanted = np.outer(capacity / capacity.sum(), labels.sum(axis=0))
    present = labels.astype(np.float32)
    have = np.stack([labels[subset == i].sum(axis=0) for i in range(len(capacity))])
    excess = np.bincount(subset, weights=n_images, minlength=len(capacity)) - capacity
    while excess.any():
        sink = int(np.argmin(excess))
        source_excess = excess[subset]
        after = np.abs(source_excess - n_images) + np.abs(excess[sink] + n_images)
        gain = np.where(source_excess > 0, source_excess - excess[sink] - after, 0.0)
        if gain.max() <= 0:
            break
        surplus = (have - wanted) / total
        harm = present @ (surplus[sink] - surplus).T.astype(np.float32)
        harm = np.where(gain == gain.max(), harm[np.arange(len(subset)), subset], np.inf)
        moved = int(np.argmin(harm))
        source = subset[moved]
        have[source] -= labels[moved]
        have[sink] += labels[moved]
        excess[source] -= n_images[moved]
        excess[sink] += n_images[moved]
        subset[moved] = sink
    return subset


def _occupy(n_images: IntArray, capacity: IntArray, subset: IntArray) -> IntArray:
    """Give each empty subset the lightest row of the subset with most rows, if it has two."""
    subset = subset.copy()
    for empty in np.flatnonzero(capacity):
        rows = np.bincount(subset, minlength=len(capacity))
        if rows[empty] == 0 and rows.max() > 1:
            lightest = np.where(subset == np.argmax(rows), n_images, np.inf)
            subset[np.argmin(lightest)] = empty
    return subset
