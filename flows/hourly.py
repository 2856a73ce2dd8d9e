"""What a running node brings: take in new images, and go on with every method."""

from __future__ import annotations

from functools import partial

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from backhaul.campaign.claim import claim, files_of
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.continued import forget_tables
from backhaul.campaign.mending import set_damaged_aside, set_damaged_state_aside
from backhaul.campaign.outcome import MethodOutcome
from backhaul.campaign.provenance import note_start
from backhaul.campaign.runrecords import RunRecords, has_begun
from backhaul.campaign.runstate import RunState, advance, read_state
from backhaul.data.settings import InboxData
from backhaul.errors import InputError, MissingObjectError
from backhaul.inbox.continuation import continue_view
from backhaul.inbox.ingestion import ingest
from backhaul.inbox.state import take_in
from backhaul.layout import RunFiles
from backhaul.storage.holder import Holder
from backhaul.storage.lease import Lease, lease
from flows.annotation import offer_images, take_labels
from flows.arguments import opened, run_key
from flows.cancellation import cancel_children
from flows.events import emit_flow_run, emit_plan
from flows.forms import Config
from flows.futility import keep_futility
from flows.healing import LOSSES, can_be_made_again, lost
from flows.heartbeats import of_this_run_alone
from flows.leftovers import end_leftovers
from flows.mirroring import mirror_models
from flows.publication import publish_versions
from flows.server.publish import publish_models, publish_run
from flows.states import awaiting, overall
from flows.transport import TRANSPORTS, Transport
from tasks.progress import Progress
from tasks.stage import is_thorough, thorough


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
        files = claim(here)
        hour = partial(_play_hour, config, config.data, files, own_lease)
        try:
            return hour()
        except LOSSES as error:
            if not can_be_made_again(error):
                raise
            get_run_logger().warning("%s: all hours are looked through again", error)
        set_damaged_aside(files)
        advance(files, lambda state: RunState())
        forget_tables(files)
        with thorough():
            return hour()


def _play_hour(
    config: CampaignConfig, inbox: InboxData, files: RunFiles, own_lease: Lease
) -> State[None]:
    """Play what is to be played, and return how that ended.

    Raises:
        MissingObjectError: If stored objects were lost, unless they were just looked for.
    """
    labels, transport = tuple(arm.label for arm in config.arms), TRANSPORTS[config.execution]
    began = _begin(config, files, transport)
    if began.state == "waiting":
        return awaiting(began.error or "")
    if began.state == "failed":
        return overall({"initial training": began})
    take_labels(inbox, files)
    state = _take_in(opened(config), inbox, files)
    pending = [label for label in labels if state.pending(label)]
    if not pending:
        continue_view(files, labels, state, {})  # an hour may have been killed at its end
        if publish_versions(config, files):
            publish_models(files)
            mirror_models(config, files)
        return Completed(message=f"nothing to play, {state.formed} batches so far")
    first = min(state.pending(label).start for label in pending)
    emit_plan(config, range(first, state.formed))
    note_start(files)
    turn = f"{state.formed} again" if is_thorough() else str(state.formed)
    outcomes = transport.play(config, pending, turn=turn)
    for label in () if is_thorough() else lost(outcomes):
        raise MissingObjectError(f"{label}: {outcomes[label].error}")
    own_lease.require()
    continue_view(files, labels, read_state(files), outcomes)
    offer_images(inbox, files)
    keep_futility(config, files)
    publish_run(files)
    publish_versions(config, files)
    publish_models(files)
    mirror_models(config, files)
    return overall(outcomes)


def _begin(config: CampaignConfig, files: RunFiles, transport: Transport) -> MethodOutcome:
    """Train the initial model, unless it is: the last that this writes is the setting."""
    if has_begun(files) and not is_thorough():
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
    if found.n_sidecars or found.n_windows or found.n_awaiting:
        get_run_logger().info(
            "agents of nodes: %d sidecars, %d windows; %d pictures wait for their sidecars",
            found.n_sidecars,
            found.n_windows,
            found.n_awaiting,
        )
    return take_in(config, files)


def _log_wait(holder: Holder, waited_s: float) -> None:
    """Tell of it, and hold the slot: a rescheduled hour is cancelled if the next has come."""
    if not waited_s:
        get_run_logger().warning("another hour goes on in %s: this one waits for it", holder)
