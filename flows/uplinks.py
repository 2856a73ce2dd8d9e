"""Bandwidth of a batch, from the config or from an uplink that an operator may change."""

from __future__ import annotations

from pydantic import ValidationError

from backhaul.campaign.bandwidths import agree_on, agreed_bandwidth
from backhaul.campaign.claim import files_of
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import Standing
from backhaul.campaign.setting import Play
from backhaul.data.nodes import nodes_of
from backhaul.errors import InputError
from backhaul.link.state import bandwidth_in_window
from backhaul.storage.objects import read_value
from backhaul.values.bandwidth import ALL_NODES, Bandwidth, NodeBandwidths
from backhaul.values.images import ImageSet
from blocks import Uplink
from blocks.opening import load_block


def expected_bandwidth(config: CampaignConfig, number: int) -> Bandwidth:
    """Return the bandwidth of a batch: the stored one or else the current one of the uplink.

    Raises:
        InputError: If the config names an uplink that is not there, or that has no limit.
    """
    if config.uplink is None:
        return config.bandwidth
    return agreed_bandwidth(files_of(config), number) or _read_uplink(config.uplink)


def agree_on_bandwidth(config: CampaignConfig, number: int) -> Bandwidth:
    """Return the bandwidth of a batch; that of an uplink is stored with the run.

    Raises:
        InputError: If the config names an uplink that is not there, or that has no limit.
    """
    bandwidth = expected_bandwidth(config, number)
    if config.uplink is None:
        return bandwidth
    return agree_on(files_of(config), number, bandwidth)


def limits_of(
    config: CampaignConfig, play: Play, standing: Standing
) -> Bandwidth | NodeBandwidths:
    """Return what a method may send of a batch, or what each of its nodes may.

    Args:
        config: The campaign.
        play: The batch, with what was agreed for it.
        standing: State of the method, which says what its links have left.
    """
    own, agreed = config.bandwidth, play.bandwidth
    if own.link is None and not own.per_node:
        return agreed
    images = read_value(ImageSet, play.images)
    nodes = set(nodes_of(images, play.nodes)) if own.per_node else {ALL_NODES}
    return NodeBandwidths(
        limits={
            node: agreed
            if own.link is None
            else bandwidth_in_window(agreed, own.link, standing.link, node)
            for node in sorted(nodes)
        },
        overhead_bytes=own.overhead_bytes,
        nodes=play.nodes,
    )


def _read_uplink(name: str) -> Bandwidth:
    try:
        return load_block(Uplink, name).bandwidth
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InputError(f"uplink: block uplink/{name}: {reason}") from None
