"""The images that models are compared on: fixed ones, and those that chance drew on nodes."""

from __future__ import annotations

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.measure.explored import LEAST_PROBABILITY
from backhaul.values.arrivals import Arrivals
from backhaul.values.images import ImageSet


def drawn_by_chance(images: ImageSet, arrivals: Arrivals) -> tuple[ImageSet, FloatArray]:
    """Return those of images that chance drew, and the probability of each, shape (n,).

    Args:
        images: Images of a batch.
        arrivals: How nodes chose the images of that batch.
    """
    own = arrivals.of(images.ids)
    return images.where(own.is_explored), own.probability[own.is_explored]


def weights_of(n_fixed: int, probability: FloatArray) -> FloatArray:
    """Return what each image of a test set counts, fixed ones first, shape (n,).

    A frame that was drawn with probability p stands for 1 / p frames (Horvitz and Thompson
    1952). These weights are scaled so that the frames together count as many as they are, and
    a fixed image counts 1.

    Args:
        n_fixed: Images that chance did not draw.
        probability: Probability of each that it did, in (0, 1].

    Example:
        >>> weights_of(1, np.array([0.5, 0.25])).round(2).tolist()
        [1.0, 0.67, 1.33]
    """
    stands_for = 1 / np.maximum(probability, LEAST_PROBABILITY)
    scale = len(probability) / stands_for.sum() if len(probability) else 1.0
    return np.concatenate([np.ones(n_fixed), stands_for * scale])
