"""Diverse images by the classes seen in them, after PPAL (Yang, Huang and Crowley, 2024)."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import Float32Array, FloatArray, IntArray
from backhaul.values.detections import FusedDetections

_MOST_PASSES = 100


def class_matched_distances(vectors: Float32Array, mass: FloatArray) -> FloatArray:
    """Return how much images differ in what objects of each class look like, shape (n, n).

    The distance of images a and b is 1 - (s(a, b) + s(b, a)) / 2, where s(a, b) is the mean
    over the objects of a, weighted by their confidence, of the cosine of an object and the most
    similar object of its class in b; 0 without any in b, and where the cosine is negative.

    In the paper each object has features of its own. Here all objects of an image share its
    vector, so s(a, b) is the cosine of the images times the share of a's confidence that lies
    in classes of b.

    Args:
        vectors: A vector of each image, not 0, shape (n, d).
        mass: Sum of the confidences of each class in each image, shape (n, n_classes).

    Returns:
        Values in [0, 1]; 0 from each image to itself, 1 from an image without objects.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = (vectors / np.where(length > 0, length, 1)).astype(np.float64)
    total = mass.sum(axis=1, keepdims=True)
    share = mass / np.where(total > 0, total, 1)
    in_common = share @ (mass > 0).T.astype(np.float64)
    similarity = np.clip(unit @ unit.T, 0, 1) * (in_common + in_common.T) / 2
    apart = np.clip(1 - similarity, 0, 1).round(6)  # last bits depend on BLAS's threads
    np.fill_diagonal(apart, 0)
    return np.asarray(apart)


def class_mass(found: FusedDetections, image: IntArray, n_images: int) -> FloatArray:
    """Return the sum of the confidences of each class in each image, shape (n_images, c).

    Args:
        found: Objects, of c classes; confidences of 0 count as very small.
        image: Image of each object, below 0 for none of them, shape (n,).
        n_images: How many images there are.
    """
    classes, of = np.unique(found.class_id, return_inverse=True)
    mass = np.zeros((n_images, len(classes)))
    own = image >= 0
    # In an order that does not depend on that of the rows, nor do the sums
    order = np.lexsort((found.confidence[own], of[own], image[own]))
    confidence = np.maximum(found.confidence[own][order], np.finfo(np.float64).tiny)
    np.add.at(mass, (image[own][order], of[own][order]), confidence)
    return mass


def farthest_first(apart: FloatArray, cost: FloatArray, limits: FloatArray) -> IntArray:
    """Return images chosen greedily, each the farthest from all before it (k-center).

    The first one is the nearest to all others, where the paper draws it.

    Args:
        apart: Distances, shape (n, n).
        cost: What each image costs, > 0, shape (n, c).
        limits: What all may cost together, infinite for no limit, shape (c,).
    """
    chosen: list[int] = []
    nearest = np.full(len(apart), np.inf)
    left = limits.astype(np.float64)
    is_open = np.all(cost <= left, axis=1)
    while is_open.any():
        if chosen:
            row = int(np.argmax(np.where(is_open, nearest, -1)))
        else:
            row = int(np.argmin(np.where(is_open, apart.sum(axis=1), np.inf)))
        chosen.append(row)
        left = left - cost[row]
        is_open[row] = False
        is_open &= np.all(cost <= left, axis=1)
        nearest = np.minimum(nearest, apart[row])
    return np.array(chosen, dtype=np.int64)


def medoids(apart: FloatArray, start: IntArray) -> IntArray:
    """Return the middle images of clusters that begin around `start` (k-means on distances).

    Each image joins its nearest middle, then the image with the least sum of distances to its
    cluster becomes the middle, until none moves. The sum of all distances never grows.

    Args:
        apart: Distances, 0 from each image to itself alone, shape (n, n).
        start: k different images, shape (k,).
    """
    middle = start
    for _ in range(_MOST_PASSES if len(start) else 0):
        nearest = np.argmin(apart[:, middle], axis=1)
        nearest[middle] = np.arange(len(middle))  # also where two images are equal
        moved = middle.copy()
        for cluster in range(len(middle)):
            members = np.flatnonzero(nearest == cluster)
            within = apart[np.ix_(members, members)].sum(axis=1)
            own = within[np.searchsorted(members, middle[cluster])]
            if within.min() < own:
                moved[cluster] = members[np.argmin(within)]
        if np.array_equal(moved, middle):
            break
        middle = moved
    return middle
