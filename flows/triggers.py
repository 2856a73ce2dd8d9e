"""When a run is played: ask its triggers, and start an hour where they fire."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from backhaul.campaign.claim import files_of, stored_config
from backhaul.campaign.runrecords import has_begun
from backhaul.campaign.runstate import RunState
from backhaul.data.settings import InboxData
from backhaul.errors import InputError
from backhaul.triggers.asking import decide
from backhaul.triggers.decisions import Decision, Decisions
from backhaul.triggers.hours import allowed, ready
from backhaul.triggers.labelling import list_unplayed
from backhaul.triggers.unplayed import Hourly, Unplayed
from backhaul.triggers.wording import line_of
from flows.annotation import offer_images, take_labels
from flows.arguments import opened
from flows.course import labels_at
from flows.forms import Config
from flows.intake import take_in_new
from flows.server.temporary import is_temporary
from flows.server.triggers import publish_decision
from flows.starting import start_hour

HOURLY = "hourly/hourly"


@flow(name="triggers", flow_run_name="triggers-{config.name}")
def triggers(config: Config, starts: str = HOURLY) -> State[None]:
    """Take in what nodes dropped, ask the triggers of a run, and start its hour if they fire.

    It may run as often as one likes: a decision fires once, and its hour is started once. An
    hour that has something left, as labels have come or its machine was lost, is started too.
    Without ``triggers`` in the campaign it is started whenever there is something to play.

    Args:
        config: The campaign, as `hourly` has it.
        starts: Deployment of the flow `hourly`, as FLOW/DEPLOYMENT.
    """
    if not isinstance(config.data, InboxData):
        raise InputError("data.kind: expected inbox, the images that nodes drop")
    here = opened(config)
    stored_config(here)  # says if the run is of another config
    files = files_of(here)
    if not has_begun(files):
        return Completed(message="the run has not begun: its first `hourly` trains its model")
    Decisions(files).set_aside_if_damaged()  # no hour may ever come that does so
    run = Hourly(here, config.data, files, labels_at(files.root, config.data))
    take_labels(config.data, files)
    state = take_in_new(here, config.data, files)
    decision = None
    if config.triggers is not None:
        decision = decide(run, config.triggers, datetime.now(UTC))
        publish_decision(files, decision)
    list_unplayed(run, state)
    offer_images(config.data, files)
    said = "no triggers" if decision is None else line_of(decision)
    get_run_logger().info("triggers: %s", said)
    if not _has_work(run, state, decision):
        return Completed(message=f"{said}; nothing to start")
    if is_temporary():
        return Completed(message=f"{said}; `backhaul hourly` plays it")
    return Completed(message=f"{said}; {start_hour(config, Decisions(files), starts)}")


def _has_work(run: Hourly, state: RunState, decision: Decision | None) -> bool:
    """Return whether an hour would play something now."""
    log = Decisions(run.files).read()
    if decision is not None and decision.stands and Unplayed(run, state, log).n_batches:
        return True
    return bool(ready(run, allowed(run, state, log)))
