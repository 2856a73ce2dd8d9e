"""The method that looks at a pool first, and then lets another one choose."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from backhaul.arrays import Float32Array, IntArray
from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.diverse import DiverseSampling
from backhaul.sampling.diversity.duplicates import NEAR, distinct_rows
from backhaul.sampling.interval import TrueRandomSampling
from backhaul.sampling.sightings import by_name
from backhaul.sampling.vectors import seen_and_not, vectors_of
from backhaul.settings import Probability
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.columns import names_of
from backhaul.values.detections import Need
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection

PER_BYTE = 0.5
"""The `gamma` of `diverse` where a byte is worth weighing."""

_log = logging.getLogger(__name__)


class Traits(NamedTuple):
    """What a pool is like, as far as it says whether choosing can win.

    Args:
        near_duplicates: Share of the images that are near-duplicates of an earlier one, in
            [0, 1].
        undetected: Share of the images without any detection, in [0, 1]; None if nobody looked.
        unevenness: Upper quartile of the images' bytes, divided by the lower one, >= 1; 1 where
            bytes are not limited.
    """

    near_duplicates: float
    undetected: float | None
    unevenness: float


class Decision(NamedTuple):
    """The method that fits a pool, and why, in words."""

    method: SamplingMethod
    why: str


class AutoSampling(SamplingMethod):
    """What fits the pool: `diverse` where frames repeat or are empty, else `true-random`.

    It is a rule of thumb that no study has shown yet: where many images are near-duplicates, or
    without any detection, chance spends most of the bandwidth on what is known.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"descriptors"})

    kind: Literal["auto"] = "auto"
    redundant: Probability = Field(
        0.3, description="share of near-duplicates from which images are chosen to differ"
    )
    empty: Probability = Field(
        0.3, description="share without any detection from which images are chosen to differ"
    )
    uneven: float = Field(
        1.5, ge=1, description="upper / lower quartile of bytes from which a byte is weighed"
    )
    near: float = Field(
        NEAR, ge=0, description="distance of descriptors up to which images are near-duplicates"
    )

    def decide(self, traits: Traits) -> Decision:
        """Return which method fits a pool like that, and why."""
        repeated, empty = traits.near_duplicates, traits.undetected
        reasons = []
        if repeated >= self.redundant:
            reasons.append(f"{repeated:.0%} of the images are near-duplicates")
        if empty is not None and empty >= self.empty:
            reasons.append(f"{empty:.0%} are without any detection")
        if not reasons:
            known = "" if empty is None else f", {empty:.0%} without any detection"
            why = f"only {repeated:.0%} of the images are near-duplicates{known}"
            return Decision(TrueRandomSampling(), f"{why} -> true-random")
        gamma = PER_BYTE if traits.unevenness >= self.uneven else 0.0
        method = DiverseSampling(gamma=gamma, near=self.near)
        return Decision(method, f"{', '.join(reasons)} -> diverse, gamma {gamma:g}")

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return what the method chooses that fits the pool; each reason begins with why.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: The only source of randomness.

        Raises:
            InputError: If the pool lacks descriptors.
        """
        self.require(pool)
        method, why = self.decide(traits_of(pool, bandwidth, self.near))
        _log.info("%s: %s", self.label, why)
        chosen = method.select(pool, bandwidth, rng=rng)
        return replace(
            chosen,
            method=names_of([self.label] * len(chosen)),
            reason=names_of([f"{why}: {reason}" for reason in chosen.reason.tolist()]),
        )


def traits_of(pool: Pool, bandwidth: Bandwidth, near: float) -> Traits:
    """Return what a pool is like.

    Images that nobody could look at have no detection; near-duplicates are counted among the
    others alone.

    Args:
        pool: The pool, with descriptors. Its order does not matter.
        bandwidth: What may be sent.
        near: Distance of descriptors up to which images are near-duplicates, also of those that
            were sent before.
    """
    pool = pool.take(by_name(pool))
    seen, _ = seen_and_not(pool, "descriptors")
    own, known = vectors_of(pool, "descriptors")
    return Traits(
        near_duplicates=near_duplicates(own[seen], known, near),
        undetected=float(np.mean(pool.undetected)) if len(pool) else 0.0,
        unevenness=1.0 if bandwidth.bytes is None else unevenness(pool.size_bytes),
    )


def near_duplicates(vectors: Float32Array, known: Float32Array, near: float) -> float:
    """Return the share of images that are near-duplicates of an earlier or a known one.

    Args:
        vectors: Descriptors of images in their order, shape (n, d).
        known: Descriptors of what was sent before, shape (m, d).
        near: Distance up to which two are near-duplicates.

    Returns:
        In [0, 1]; 0 without any image.
    """
    return 1 - len(distinct_rows(vectors, known, near)) / len(vectors) if len(vectors) else 0.0


def unevenness(size_bytes: IntArray) -> float:
    """Return the upper quartile of sizes divided by the lower one, >= 1; 1 without any."""
    if not len(size_bytes):
        return 1.0
    lower, upper = np.quantile(size_bytes, [0.25, 0.75])
    return float(upper / lower)
