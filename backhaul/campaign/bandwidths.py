"""What a batch may send, once a run has agreed on it: an operator may change the link."""

from __future__ import annotations

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import run_folder
from backhaul.storage.conditional import create, read_or_none
from backhaul.values.bandwidth import Bandwidth


def agreed_bandwidth(config: CampaignConfig, number: int) -> Bandwidth | None:
    """Return what a batch may send, if its run has agreed on that; None if not yet."""
    known = read_or_none(_place(config, number))
    return None if known is None else Bandwidth.model_validate_json(known)


def agree_on(config: CampaignConfig, number: int, bandwidth: Bandwidth) -> Bandwidth:
    """Keep `bandwidth` as what a batch may send, unless another method was faster.

    So it is the same for all methods, and for one that waited for labels of what it has sent.

    Returns:
        What all methods may send of the batch.
    """
    content = bandwidth.model_dump_json(indent=1).encode()
    if create(_place(config, number), content):
        return bandwidth
    return agreed_bandwidth(config, number) or bandwidth


def _place(config: CampaignConfig, number: int) -> str:
    return f"{run_folder(config.store, config.name)}/bandwidth/{number}.json"
