"""What a running node brings: take in new images, and go on with every method."""

from __future__ import annotations

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from backhaul.campaign.claim import claim, files_of
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.mending import set_damaged_aside, set_damaged_state_aside
from backhaul.campaign.outcome import MethodOutcome
from backhaul.campaign.provenance import note_start
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.runstate import RunState, advance, read_state
from backhaul.data.settings import InboxData
from backhaul.errors import InputError
from backhaul.inbox.continuation import continue_view
from backhaul.inbox.ingestion import ingest
from backhaul.inbox.state import take_in
from backhaul.layout import INITIAL, RunFiles
from backhaul.storage.holder import Holder
from backhaul.storage.lease import lease
from backhaul.storage.objects import exists_at
from flows.arguments import opened, run_key
from flows.cancellation import cancel_children
from flows.events import emit_flow_run, emit_plan
from flows.forms import Config
from flows.healing import lost
from flows.heartbeats import of_this_run_alone
from flows.leftovers import end_leftovers
from flows.server.publish import publish_run
from flows.states import awaiting, overall
from flows.transport import TRANSPORTS, Transport
from tasks.progress import Progress
from tasks.stage import thorough


@flow(name="hourly", flow_run_name="hourly-{config.name}", on_cancellation=[cancel_children])
def hourly(config: Config) -> State[None]:
    """Take in what nodes dropped, form batches, and play those that are full.

    Every method goes on from where it stood, so an hour costs what is new in it. An hour
    without anything new changes nothing, one that failed is caught up by the next, and a method
    whose labels are missing waits: this then ends Completed, named AwaitingLabels. In its first
    hour a run trains its initial model on ``initial.data``.

    Args:
        config: The campaign, with ``data.kind: inbox``.
    """
    if not isinstance(config.data, InboxData):
        raise InputError("data.kind: expected inbox, the images that nodes drop, for `hourly`")
    here = opened(config)
    end_leftovers()
    emit_flow_run()
    with of_this_run_alone(), lease(here.store, run_key(config), _log_wait) as own_lease:
        set_damaged_state_aside(files_of(here))
        files, labels = claim(here), tuple(arm.label for arm in config.arms)
        transport = TRANSPORTS[config.execution]
        began = _begin(config, files, transport)
        if began.state == "waiting":
            return awaiting(began.error or "")
        if began.state == "failed":
            return overall({"initial training": began})
        state = _take_in(here, config.data, files)
        pending = [label for label in labels if state.pending(label)]
        if not pending:
            continue_view(files, labels, state, {})  # an hour may have been killed at its end
            return Completed(message=f"nothing to play, {state.formed} batches so far")
        first = min(state.pending(label).start for label in pending)
        emit_plan(config, range(first, state.formed))
        note_start(files)
        outcomes = transport.play(config, pending, turn=str(state.formed))
        if lost(outcomes):
            outcomes = _play_from_the_beginning(config, files, labels, transport)
        own_lease.require()
        continue_view(files, labels, read_state(files), outcomes)
        publish_run(files)
    return overall(outcomes)


def _play_from_the_beginning(
    config: CampaignConfig, files: RunFiles, labels: tuple[str, ...], transport: Transport
) -> dict[str, MethodOutcome]:
    """Play all hours again, and return how that ended: what is still there is cached."""
    get_run_logger().warning("stored objects were lost: all hours are looked through again")
    set_damaged_aside(files)
    with thorough():
        began = transport.begin(config)
        if began.state != "completed":
            return {INITIAL: began}
        advance(files, lambda state: RunState())
        state = take_in(opened(config), files)
        return transport.play(config, labels, turn=f"{state.formed} once more")


def _begin(config: CampaignConfig, files: RunFiles, transport: Transport) -> MethodOutcome:
    """Train the initial model, unless it is: the last that this writes is the setting."""
    if exists_at(files.setting):
        return MethodOutcome(state="completed")
    note_start(files)
    return transport.begin(config)


def _take_in(config: CampaignConfig, inbox: InboxData, files: RunFiles) -> RunState:
    class_names = RunRecords(files).beginning.class_names
    progress = Progress("reading the inbox")
    found = ingest(config.store, inbox.inbox, class_names, progress, inbox.limits)
    for problem in found.problems:
        get_run_logger().warning("%s", problem)
    get_run_logger().info(
        "inbox: %d new images (%d bytes), %d duplicates, %d unreadable, %d to look at again",
        found.n_new,
        found.new_bytes,
        found.n_duplicates,
        found.n_unreadable,
        found.n_waiting,
    )
    return take_in(config, files)


def _log_wait(holder: Holder, waited_s: float) -> None:
    """Tell of it, and hold the slot: a rescheduled hour is cancelled if the next has come."""
    if not waited_s:
        get_run_logger().warning("another hour goes on in %s: this one waits for it", holder)
