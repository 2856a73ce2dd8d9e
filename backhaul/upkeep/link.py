"""What a campaign's link can carry, before anything is sent."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from backhaul.campaign.config import CampaignConfig
from backhaul.data.settings import StreamData
from backhaul.link.clock import Clock
from backhaul.link.ledger import Ledger
from backhaul.link.settings import Link, LinkedBandwidth
from backhaul.link.state import LinkState, bandwidth_in_window
from backhaul.link.transfer import download
from backhaul.link.wording import described, span_of
from backhaul.values.bandwidth import Bandwidth


class LinkPlan(BaseModel):
    """What the link of one node carries, with nothing carried over; unknown values are None.

    Args:
        link: The link in words.
        span: The time of one batch in words.
        images: Most images in it by its rules; None = no limit.
        bytes: Most bytes in it, with the overhead of each image; None = no limit.
        mean_images: Images of mean size that these bytes are.
        model_bytes: Size of a new model.
        model_s: How long it takes down, from the beginning of the first window.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    link: str
    span: str
    images: int | None
    bytes: int | None
    mean_images: int | None
    model_bytes: int | None
    model_s: float | None


def link_plan(
    bandwidth: LinkedBandwidth, mean_bytes: float | None, checkpoint_bytes: float | None
) -> LinkPlan | None:
    """Return what a link carries; None if there is none.

    Args:
        bandwidth: The bandwidth of a campaign.
        mean_bytes: Mean size of an image; None if not known.
        checkpoint_bytes: Size of a checkpoint; None if not known.
    """
    link = bandwidth.link
    if link is None:
        return None
    carries = bandwidth_in_window(None, link, LinkState())
    model_bytes = link.model_bytes or (round(checkpoint_bytes) if checkpoint_bytes else None)
    return LinkPlan(
        link=described(link),
        span=span_of(link),
        images=carries.images,
        bytes=carries.bytes,
        mean_images=_count(carries.bytes, mean_bytes, link.overhead_bytes),
        model_bytes=model_bytes,
        model_s=None if model_bytes is None else _seconds_down(link, model_bytes),
    )


def planned_bandwidth(config: CampaignConfig, agreed: Bandwidth) -> LinkedBandwidth:
    """Return the bandwidth of a campaign with what all its nodes may send of the first batch.

    How many nodes there are is known of a stream; elsewhere a batch may be sent whole.

    Args:
        config: The campaign.
        agreed: Its limits without those of the link.
    """
    own = config.bandwidth
    limit = agreed if own.link is None else bandwidth_in_window(agreed, own.link, LinkState())
    images, n_bytes = limit.images, limit.bytes
    if own.per_node and isinstance(config.data, StreamData):
        images = None if images is None else images * config.data.nodes
        n_bytes = None if n_bytes is None else n_bytes * config.data.nodes
    elif own.per_node:
        images, n_bytes = config.batches.sampling_batch, None
    return own.model_copy(update={"images": images, "bytes": n_bytes})


def _count(n_bytes: int | None, mean_bytes: float | None, overhead_bytes: int) -> int | None:
    if n_bytes is None or mean_bytes is None:
        return None
    return int(n_bytes / (mean_bytes + overhead_bytes))


def _seconds_down(link: Link, n_bytes: int) -> float:
    """Return how long a model takes down if as many packets are lost as expected."""
    clock = Clock(link)
    expected = round(n_bytes / (1 - link.loss))
    lossless = link.model_copy(update={"loss": 0.0})
    rng = np.random.default_rng(0)  # nothing is drawn where nothing is lost
    got = download(lossless, Ledger(), expected, clock.begins_s, rng=rng)
    return got.arrived_s - clock.begins_s
