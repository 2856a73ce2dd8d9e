"""What is different for methods that go by what nodes chose."""

from __future__ import annotations

import numpy as np
import pandas as pd
from prefect import get_run_logger

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.setting import Play
from backhaul.sampling import ArrivedSampling, Method
from backhaul.sampling.arrived import equal_bytes
from backhaul.storage.objects import read_value
from backhaul.values.arrivals import Arrivals
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth, NodeBandwidths
from backhaul.values.images import ImageSet
from backhaul.values.results import Sent


def within_equal_bytes(
    limits: Bandwidth | NodeBandwidths, config: CampaignConfig, method: Method, play: Play
) -> Bandwidth | NodeBandwidths:
    """Return what a method may take of a batch, so that arms of policies have equal bytes.

    Args:
        limits: What it may take by itself.
        config: The campaign.
        method: The method.
        play: The batch.
    """
    if not isinstance(method, ArrivedSampling) or play.arrivals is None:
        return limits
    assert isinstance(limits, Bandwidth)  # noqa: S101 - the config takes no link beside it
    arrivals = _arrivals(play.arrivals)
    images = read_value(ImageSet, play.images)
    sizes = images.table["size_bytes"].to_numpy(dtype=np.int64)
    most = equal_bytes(method, config.arms, arrivals.of(images.ids), sizes)
    if most is None:
        return limits
    arrived = int(sizes[arrivals.of(images.ids).by(method.policy)].sum())
    if arrived > most:
        get_run_logger().info(
            "%s: of %d bytes that arrived %d are left out, as others have no more",
            method.label,
            arrived,
            arrived - most,
        )
    n_bytes = most if limits.bytes is None else min(most, limits.bytes)
    return limits.model_copy(update={"bytes": n_bytes})


def drawn_by_chance(arrivals: Artifact, sent: Sent) -> tuple[str, ...]:
    """Return the images of those sent that chance drew, in the order of their ids.

    Args:
        arrivals: How nodes chose the images of the batch.
        sent: What was sent of it.
    """
    own = _arrivals(arrivals).of(read_value(ImageSet, sent.as_sent).ids)
    return tuple(sorted(own.image_id[own.is_explored].tolist()))


def _arrivals(arrivals: Artifact) -> Arrivals:
    return Arrivals.from_table(read_value(pd.DataFrame, arrivals))
