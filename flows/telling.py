"""What flows tell whoever watches a campaign, in the words of `backhaul.events`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prefect.runtime import flow_run

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord
from backhaul.events import Entered, Planned, RoundEnded, emit, is_heard, within
from flows.server.publish import common_score


def tell_of_plan(config: CampaignConfig, batches: Sequence[int]) -> None:
    """Tell which methods will play which batches."""
    emit(Planned(config.name, tuple(arm.label for arm in config.arms), tuple(batches)))


def tell_of_flow_run() -> None:
    """Tell which flow run this is, for whoever has to end it."""
    emit(Entered(str(flow_run.id)))


def tell_of_round(record: RoundRecord) -> None:
    """Tell that a round is over, and what its model is worth."""
    if not is_heard():
        return
    score = common_score(record)
    with within("" if record.batch is None else record.method, record.batch):
        emit(
            RoundEnded(
                score=None if math.isnan(score) else score,
                cached=all(timing.cached for timing in record.timings),
            )
        )
