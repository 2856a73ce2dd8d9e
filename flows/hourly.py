"""What a running node brings: take in new images, and go on with every method."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
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
from backhaul.campaign.runrecords import has_begun
from backhaul.campaign.runstate import RunState, advance, read_state
from backhaul.data.settings import InboxData
from backhaul.errors import InputError, MissingObjectError
from backhaul.inbox.continuation import continue_view
from backhaul.layout import RunFiles
from backhaul.registry.log import length_of
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.holder import Holder
from backhaul.storage.lease import Lease, lease
from backhaul.triggers.decisions import Decision
from backhaul.triggers.hours import begin_hour, finish_hour, fire_if_full
from backhaul.triggers.labelling import list_unplayed
from backhaul.triggers.unplayed import Hourly
from backhaul.triggers.wording import line_of
from flows.annotation import offer_images, take_labels
from flows.arguments import opened, run_key
from flows.cancellation import cancel_children
from flows.candidates import register_first
from flows.course import labels_at
from flows.events import emit_flow_run, emit_plan
from flows.forms import Config
from flows.futility import keep_futility
from flows.healing import LOSSES, can_be_made_again, lost
from flows.heartbeats import of_this_run_alone
from flows.intake import take_in_new
from flows.leftovers import end_leftovers
from flows.mirroring import mirror_models
from flows.publication import publish_versions
from flows.server.models import tell_models
from flows.server.publish import publish_models, publish_run
from flows.server.triggers import publish_decision
from flows.states import awaiting, overall
from flows.transport import TRANSPORTS, Transport
from tasks.stage import is_thorough, thorough


@flow(name="hourly", flow_run_name="hourly-{config.name}", on_cancellation=[cancel_children])
def hourly(config: Config, now: bool = False) -> State[None]:
    """Take in what nodes dropped, form batches, and play those that are full.

    Every method goes on from where it stood, so an hour costs what is new in it. An hour
    without anything new changes nothing, one that failed is caught up by the next, and a method
    whose labels are missing waits: this then ends Completed, named AwaitingLabels, or
    AwaitingApproval where a person has to accept or reject its model. In its first
    hour a run trains its initial model on ``initial.data``. With ``triggers`` it plays what is
    full once they fire, and else ends Completed with what is still missing.

    Args:
        config: The campaign, with ``data.kind: inbox``.
        now: Fire the triggers by hand: what is full now is played, whatever they ask.
    """
    if not isinstance(config.data, InboxData):
        raise InputError("data.kind: expected inbox, the images that nodes drop, for `hourly`")
    here = opened(config)
    end_leftovers()
    emit_flow_run()
    with of_this_run_alone(), lease(here.store, run_key(config), _log_wait) as own_lease:
        set_damaged_state_aside(files_of(here))
        files = claim(here)
        n_before = length_of(RegistryFiles(files))
        state = _healed(partial(_play_hour, config, config.data, files, own_lease, now), files)
        _settle_models(here, files, n_before)
        return state


def _healed(hour: Callable[[], State[None]], files: RunFiles) -> State[None]:
    """Return how an hour ended; if computed objects were lost, after a second, thorough one."""
    try:
        return hour()
    except LOSSES as error:
        if not can_be_made_again(error):
            raise
        get_run_logger().warning("%s: all hours are looked through again", error)
    set_damaged_aside(files)
    advance(files, lambda state: RunState(triggered=state.triggered))
    forget_tables(files)
    with thorough():
        return hour()


def _settle_models(config: CampaignConfig, files: RunFiles, n_before: int) -> None:
    """Publish what is due, then show, copy and tell what became of the models, if anything did.

    What goes wrong with that comes last and plays nothing again: all rounds are recorded.

    Args:
        config: The campaign, opened.
        files: Where the files of the run lie.
        n_before: How many entries the registry's log had as the hour began.
    """
    try:
        publish_versions(config, files)
    finally:
        if length_of(RegistryFiles(files)) > n_before:
            publish_models(files)
            mirror_models(config, files)
            tell_models(files, n_before)


def _play_hour(
    config: CampaignConfig, inbox: InboxData, files: RunFiles, own_lease: Lease, now: bool
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
    if config.publish is not None:  # before any batch is full, so that nodes have a model
        register_first(config, files, config.publish.method)
    take_labels(inbox, files)
    run = Hourly(opened(config), inbox, files, labels_at(files.root, inbox))
    taken_in = take_in_new(run.config, inbox, files)
    if now:
        fire_if_full(run, taken_in, datetime.now(UTC))
    state, decision = begin_hour(run, taken_in, datetime.now(UTC))
    publish_decision(files, decision)
    list_unplayed(run, state)
    pending = [label for label in labels if state.pending(label)]
    if not pending:
        continue_view(files, labels, state, {})  # an hour may have been killed at its end
        offer_images(inbox, files)
        return Completed(message=_nothing(state, decision))
    first = min(state.pending(label).start for label in pending)
    emit_plan(config, range(first, state.playable))
    note_start(files)
    turn = f"{state.playable} again" if is_thorough() else str(state.playable)
    outcomes = transport.play(config, pending, turn=turn)
    for label in () if is_thorough() else lost(outcomes):
        raise MissingObjectError(f"{label}: {outcomes[label].error}")
    own_lease.require()
    after = read_state(files)
    finish_hour(run, after, datetime.now(UTC))
    continue_view(files, labels, after, outcomes)
    offer_images(inbox, files)
    keep_futility(config, files)
    publish_run(files)
    return overall(outcomes)


def _begin(config: CampaignConfig, files: RunFiles, transport: Transport) -> MethodOutcome:
    """Train the initial model, unless it is: the last that this writes is the setting."""
    if has_begun(files) and not is_thorough():
        return MethodOutcome(state="completed")
    note_start(files)
    return transport.begin(config)


def _nothing(state: RunState, decision: Decision | None) -> str:
    """Return why nothing is played."""
    formed = f"nothing to play, {state.formed} batches so far"
    return formed if decision is None else f"triggers: {line_of(decision)}; {formed}"


def _log_wait(holder: Holder, waited_s: float) -> None:
    """Tell of it, and hold the slot: a rescheduled hour is cancelled if the next has come."""
    if not waited_s:
        get_run_logger().warning("another hour goes on in %s: this one waits for it", holder)
