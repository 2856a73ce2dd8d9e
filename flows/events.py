"""Events that flows emit for the view of a campaign, see `backhaul.events`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prefect.runtime import flow_run

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord
from backhaul.events import Entered, Planned, RoundEnded, emit, is_heard, within
from flows.server.publish import common_score


def emit_plan(config: CampaignConfig, batches: Sequence[int]) -> None:
    """Emit the plan: which methods run which batches."""
    emit(Planned(config.name, tuple(arm.label for arm in config.arms), tuple(batches)))


def emit_flow_run() -> None:
    """Emit the id of this flow run, by which it can be cancelled."""
    emit(Entered(str(flow_run.id)))


def emit_round(record: RoundRecord) -> None:
    """Emit the end of a round and the score of its model."""
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
