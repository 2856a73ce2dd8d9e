"""Pools written down image by image."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from backhaul.values.detections import FUSED_COLUMNS, FusedDetections
from backhaul.values.offers import Offers, Pool

Seen = Mapping[str, Sequence[tuple[int, float]]]
PoolOf = Callable[..., Pool]


@pytest.fixture(scope="session")
def pool_of() -> PoolOf:
    """A function of {image_id: [(class_id, confidence), ...]} and sizes in bytes."""

    def build(seen: Seen, size_bytes: Sequence[int] | int = 100) -> Pool:
        rows = [
            (image_id, class_id, confidence, 0.0, 1, 0.0, 0.0, 9.0, 9.0)
            for image_id, detections in seen.items()
            for class_id, confidence in detections
        ]
        table = pd.DataFrame(rows, columns=list(FUSED_COLUMNS))
        sizes = np.broadcast_to(np.array(size_bytes, dtype=np.int64), (len(seen),)).copy()
        return Pool(Offers.originals(tuple(seen), sizes), FusedDetections.from_table(table))

    return build
