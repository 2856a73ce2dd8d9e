"""Bandwidth of a batch, from the config or from an uplink that an operator may change."""

from __future__ import annotations

from pydantic import ValidationError

from backhaul.campaign.bandwidths import agree_on, agreed_bandwidth
from backhaul.campaign.claim import files_of
from backhaul.campaign.config import CampaignConfig
from backhaul.errors import InputError
from backhaul.values.bandwidth import Bandwidth
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


def _read_uplink(name: str) -> Bandwidth:
    try:
        return load_block(Uplink, name).bandwidth
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InputError(f"uplink: block uplink/{name}: {reason}") from None
