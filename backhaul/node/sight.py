"""What a model sees in one frame, and what the frame is worth by a policy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from backhaul.arrays import Float32Array
from backhaul.node.policies import StreamPolicy
from backhaul.sampling.utilities import UTILITIES, aggregate
from backhaul.values.detections import FusedDetections


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What is known of a frame after it was looked at.

    Args:
        found: Objects in it, by the ensemble; its only image.
        descriptor: Its colours and textures, shape (449,).
        features: Features by the detector, shape (d,); None where nobody needs them.
        content: The file that would be sent of it.
        suffix: Of that file, as ``.jpg``.
        width: Of the frame as captured, pixels.
        height: Likewise.
    """

    found: FusedDetections
    descriptor: Float32Array
    features: Float32Array | None
    content: bytes
    suffix: str
    width: int
    height: int

    def vector(self, space: str) -> Float32Array:
        """Return the vector of a space: ``features``, or ``descriptors``."""
        if space == "features" and self.features is not None:
            return self.features
        return self.descriptor


def utility_of(found: FusedDetections, policy: StreamPolicy) -> float:
    """Return what a frame is worth by the utility of a policy, 0 without any object.

    Args:
        found: Objects in one frame.
        policy: The policy.
    """
    of = UTILITIES[policy.utility]
    own = np.zeros(len(found), dtype=np.int64)
    how = of.aggregate or policy.aggregate
    (value,) = aggregate(of.of(found), own, 1, how, policy.top).tolist()
    return 0.0 if math.isnan(value) else float(value)
