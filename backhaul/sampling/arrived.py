"""What nodes chose by themselves: all that arrived by a policy of theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from backhaul.arrays import IntArray
from backhaul.sampling.base import SamplingMethod
from backhaul.sampling.spending import fitting
from backhaul.values.arrivals import Arrivals
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import Need
from backhaul.values.offers import Pool
from backhaul.values.selections import Selection


class ArrivedSampling(SamplingMethod):
    """What nodes sent by a policy of theirs: all that arrived of its windows was chosen.

    Frames that chance drew come first, then the others in order of capture, so that what a
    bandwidth cuts off does not depend on what the node thought it was worth.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"arrivals"})

    kind: Literal["arrived"] = "arrived"
    policy: str = Field(
        "",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$",
        description="name of the nodes' policy; empty = all that arrived, by whatever policy",
    )
    equal: bool = Field(
        True,
        description="where several policies are arms, each takes of a batch at most the bytes "
        "of the one that has least",
    )

    @model_validator(mode="after")
    def _default_label(self) -> Self:
        if not self.label:
            name = re.sub(r"[^A-Za-z]+$", "", self.policy)
            object.__setattr__(self, "label", f"{self.kind}-{name}" if name else self.kind)
        return self

    def select(
        self, pool: Pool, bandwidth: Bandwidth, *, rng: np.random.Generator
    ) -> Selection:
        """Return the images of the policy, as far as they fit the bandwidth.

        Args:
            pool: Candidates. Their order does not matter.
            bandwidth: Most images, bytes, or both; never exceeded.
            rng: Not used: nothing is drawn.
        """
        self.require(pool)
        assert pool.arrivals is not None  # noqa: S101 - `require` has seen it
        arrivals = pool.arrivals.of(pool.image_id)
        rows = _in_turn(arrivals, arrivals.by(self.policy).nonzero()[0])
        rows = rows[fitting(pool.size_bytes[rows], bandwidth)]
        told = zip(arrivals.why[rows], arrivals.policy[rows], strict=True)
        return self.selection(
            [pool.image_id[row] for row in rows],
            pool.size_bytes[rows],
            np.ones(len(rows)),
            [f"{why or 'sent'} by {policy or 'its node'}" for why, policy in told],
        )


def equal_bytes(
    method: ArrivedSampling,
    arms: Iterable[SamplingMethod],
    arrivals: Arrivals,
    size_bytes: IntArray,
) -> int | None:
    """Return how many bytes of a batch a method may take, so that arms train from equal bytes.

    Those are, of its policy, all frames that chance drew, which are not trained on, and of the
    others as many bytes as the policy has of which least arrived.

    Args:
        method: The method.
        arms: All methods that are compared.
        arrivals: How the images of the batch were chosen, n of them.
        size_bytes: Their sizes, shape (n,).

    Returns:
        None where there is nothing to compare it with.
    """
    policies = {
        arm.policy
        for arm in arms
        if isinstance(arm, ArrivedSampling) and arm.equal and arm.policy
    }
    if method.policy not in policies or len(policies) == 1:
        return None
    drawn = arrivals.is_explored
    chosen = [int(size_bytes[arrivals.by(name) & ~drawn].sum()) for name in policies]
    return int(size_bytes[arrivals.by(method.policy) & drawn].sum()) + min(chosen)


def _in_turn(arrivals: Arrivals, rows: IntArray) -> IntArray:
    """Return rows in the order in which they are taken."""
    names = arrivals.image_id[rows].astype(str)
    last_of_all = np.nan_to_num(arrivals.captured_s[rows], nan=np.inf)
    return rows[np.lexsort((names, last_of_all, ~arrivals.is_explored[rows]))]
