"""What a batch may send by an uplink that an operator may change at any time."""

from __future__ import annotations

from pydantic import ValidationError

from backhaul.config import CampaignConfig
from backhaul.errors import InputError
from backhaul.types import Bandwidth
from blocks import Uplink
from tasks.run.records import run_folder
from tasks.storage.conditional import create, read_or_none
from tasks.storage.places import load_block


def expected_bandwidth(config: CampaignConfig, number: int) -> Bandwidth:
    """Return what a batch may send: what was agreed, or else what the uplink says now.

    Raises:
        InputError: If the config names an uplink that is not there, or that has no limit.
    """
    if config.uplink is None:
        return config.bandwidth
    known = read_or_none(_place(config, number))
    if known is not None:
        return Bandwidth.model_validate_json(known)
    try:
        return load_block(Uplink, config.uplink).bandwidth
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InputError(f"uplink: block uplink/{config.uplink}: {reason}") from None


def agree_on_bandwidth(config: CampaignConfig, number: int) -> Bandwidth:
    """Return what a batch may send, and keep it in the run's folder.

    So it is the same for all methods, and for one that waited for labels of what it has sent.

    Raises:
        InputError: If the config names an uplink that is not there, or that has no limit.
    """
    bandwidth = expected_bandwidth(config, number)
    if config.uplink is None or create(_place(config, number), _encoded(bandwidth)):
        return bandwidth
    return expected_bandwidth(config, number)  # another method was faster


def _encoded(bandwidth: Bandwidth) -> bytes:
    return bandwidth.model_dump_json(indent=1).encode()


def _place(config: CampaignConfig, number: int) -> str:
    return f"{run_folder(config.store, config.name)}/bandwidth/{number}.json"
