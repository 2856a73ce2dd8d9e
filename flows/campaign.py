"""Compare sampling methods: the same detector, data and bandwidth for each."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State

from backhaul.campaign.claim import claim, files_of
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.mending import set_damaged_aside
from backhaul.campaign.outcome import MethodOutcome, RunOutcome
from backhaul.campaign.provenance import note_start
from backhaul.campaign.runrecords import OUTCOME, RunRecords
from backhaul.campaign.view import write_overview
from backhaul.data.settings import InboxData
from backhaul.errors import InputError
from backhaul.layout import INITIAL, RunFiles
from backhaul.report import write_report
from backhaul.report.campaign import stored_campaign
from backhaul.report.remotepictures import RemotePictures
from backhaul.storage.lease import lease
from backhaul.storage.objects import exists_at
from flows.arguments import opened, run_key
from flows.cancellation import cancel_children
from flows.events import emit_flow_run, emit_plan
from flows.forms import Config
from flows.futility import keep_futility
from flows.healing import lost
from flows.heartbeats import of_this_run_alone
from flows.leftovers import end_leftovers
from flows.server.publish import publish_models, publish_run
from flows.slots import wait_or_give_way
from flows.states import failed, overall
from flows.transport import TRANSPORTS
from tasks.stage import thorough


@flow(name="campaign", flow_run_name="{config.name}", on_cancellation=[cancel_children])
def campaign(config: Config) -> State[None]:
    """Prepare what methods share, play each of them, and write the run's folder.

    A method that fails leaves the others alone; the campaign then ends Failed, named
    CompletedWithFailures where others did not fail. One that waits for labels does not fail:
    the campaign then ends Completed, named AwaitingLabels. A second start computes only what
    is missing; where the first one goes on, it waits, and on a worker it is rescheduled.

    With several seeds this is a campaign a seed, one after the other, and a page of them all.

    Args:
        config: The campaign: its data, methods, bandwidth and training.
    """
    if isinstance(config.data, InboxData):
        raise InputError("data.kind inbox: is for the flow hourly; a campaign needs a data set")
    if config.seeds:
        return _with_each_seed(config)
    here = opened(config)
    end_leftovers()
    emit_flow_run()
    emit_plan(config, range(config.batches.count or 0))
    alone = lease(here.store, run_key(config), wait_or_give_way("the same run"))
    with of_this_run_alone(), alone as own_lease:
        set_damaged_aside(files_of(here))
        files = claim(here)
        note_start(files)
        outcomes = _play(config, files)
        if lost(outcomes):
            get_run_logger().warning("stored objects were lost: what made them runs again")
            with thorough():
                outcomes = _play(config, files, turn="once more")
        own_lease.require()
        _note(files, outcomes)
        if exists_at(files.round(INITIAL)):
            keep_futility(config, files)
            publish_run(files)
            publish_models(files)
            write_report(stored_campaign(files), RemotePictures())
    return overall(outcomes)


def _play(config: CampaignConfig, files: RunFiles, turn: str = "") -> dict[str, MethodOutcome]:
    """Return how the initial training ended, or where it is completed, each of the methods."""
    transport = TRANSPORTS[config.execution]
    try:
        began = transport.begin(config)
    except Exception as error:
        _note(files, {INITIAL: failed(error)})
        raise
    if began.state != "completed":
        return {INITIAL: began}
    return transport.play(config, [arm.label for arm in config.arms], turn)


def _note(files: RunFiles, outcomes: dict[str, MethodOutcome]) -> None:
    """Keep how the methods ended; nothing if the data could not even be arranged."""
    records = RunRecords(files)
    if records.exist:
        OUTCOME.write(files.outcome, RunOutcome.of(outcomes))
        write_overview(records)


def _with_each_seed(config: CampaignConfig) -> State[None]:
    states: list[Any] = [campaign(each, return_state=True) for each in config.each_seed]
    files = files_of(opened(config))
    set_damaged_aside(files)
    if any(exists_at(files.of_seed(k).beginning) for k in config.seeds):
        keep_futility(config, files)
        write_report(stored_campaign(files), RemotePictures())
    worst = min(states, key=lambda state: (state.is_completed(), state.name == "Completed"))
    messages = [f"seed {k}: {s.message}" for k, s in zip(config.seeds, states, strict=True)]
    state: State[None] = worst.model_copy(update={"message": "; ".join(messages)})
    return state
