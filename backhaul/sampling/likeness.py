"""By which vectors, and up to which distance, images of a pool are near-duplicates."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
from pydantic import Field

from backhaul.arrays import Float32Array
from backhaul.sampling.vectors import vectors_of
from backhaul.values.detections import Need, VectorNeed
from backhaul.values.offers import Pool

Near: TypeAlias = Annotated[float, Field(ge=0)] | Literal["auto"]
"""A distance of descriptors, or ``auto``: what copies of the batch's own frames show."""


class Likeness(NamedTuple):
    """Vectors that tell near-duplicates.

    Args:
        own: Vectors of a pool's images, shape (n, d).
        known: Vectors of those sent before, shape (m, d).
        near: Distance up to which two are near-duplicates.
    """

    own: Float32Array
    known: Float32Array
    near: float


def needs_of(near: Near) -> frozenset[Need]:
    """Return what telling near-duplicates takes, beside the vectors of the method's space."""
    needs: frozenset[Need] = frozenset({"descriptors"})
    return needs | {"nearness"} if near == "auto" else needs


def likeness(pool: Pool, near: Near, space: VectorNeed) -> Likeness:
    """Return by what near-duplicates in a pool are told.

    That is descriptors, with ``auto`` and features as `space` descriptors and features as one
    vector: near-duplicates are near in both.

    Args:
        pool: The pool.
        near: As the method has it.
        space: What the method compares images by.

    Raises:
        ValueError: If the pool lacks vectors, or for ``auto`` nearness.
    """
    own, known = vectors_of(pool, "descriptors")
    if near != "auto":
        return Likeness(own, known, near)
    if pool.nearness is None:
        raise ValueError("expected a pool with nearness")
    weight = np.float32(pool.nearness.feature_weight)
    if space == "features" and weight > 0:
        features, known_features = vectors_of(pool, "features")
        own = np.hstack([own, features * weight])
        known = np.hstack([known, known_features * weight]) if len(known) else own[:0]
    return Likeness(own, known, pool.nearness.distance)
