"""One sampling method, batch after batch."""

from __future__ import annotations

from functools import partial
from typing import Any

from prefect import flow, tags
from prefect.client.schemas.objects import State
from prefect.states import Completed

from backhaul.campaign.claim import claim
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.rounds import write_round
from backhaul.campaign.setting import Play
from backhaul.campaign.view import write_round_files
from backhaul.data.settings import InboxData
from backhaul.events import RoundBegan, emit, within
from backhaul.layout import RunFiles
from backhaul.sampling import Method
from backhaul.storage.lease import Lease, lease
from blocks.patience import await_prefect
from flows.arguments import arm_of, opened, run_key
from flows.batch import batch
from flows.cancellation import cancel_children
from flows.candidates import decided, register_first, start_card
from flows.course import course_of
from flows.events import emit_round
from flows.forms import Config
from flows.futility import tell_futility
from flows.healing import again_if_lost
from flows.heartbeats import of_this_run_alone
from flows.leftovers import end_leftovers
from flows.server.publish import publish_round
from flows.slots import impatient, wait_or_give_way
from flows.states import AWAITING, awaiting, awaiting_approval
from flows.uplinks import agree_on_bandwidth


@flow(
    name="method",
    flow_run_name="{config.name}-{label}",
    on_cancellation=[cancel_children],
)
def method(config: Config, label: str) -> State[None]:
    """Play the batches of a run with one method; each is in the run's folder once it is over.

    The run has begun: its initial model is trained. What was computed before comes from the
    cache. Of several runs of one method, one at a time goes on; one on a worker is rescheduled
    while another is at it. Ends Completed, named AwaitingLabels, where labels of sent images
    are not there yet, and AwaitingApproval where a person has to accept or reject its model.

    Args:
        config: The campaign.
        label: Label of one of its methods, as `backhaul validate` lists them.
    """
    config = opened(config)
    arm = arm_of(config, label)
    end_leftovers()
    alone = lease(config.store, run_key(config, label), wait_or_give_way("this method"))
    with of_this_run_alone(), tags(label), within(label), impatient(), alone as own_lease:
        files = claim(config)
        return again_if_lost(partial(_play_all, config, arm, files, own_lease))


def _play_all(
    config: CampaignConfig, arm: Method, files: RunFiles, own_lease: Lease
) -> State[None]:
    """Play the batches that a method has not behind it, and return how that ended."""
    course = course_of(config, files, arm.label)
    register_first(config, files, arm.label)
    standing = course.standing
    for play in course.plays(partial(agree_on_bandwidth, config)):
        start = start_card(config, files, arm.label, play.number)
        standing = standing if start is None else start.stand(standing)
        state = _play(config, arm, play, standing)
        if state.name == AWAITING:
            return awaiting(state.message or "")
        own_lease.require()
        record: RoundRecord = decided(config, files, play, state.result(), start)
        if record.verdict is not None and record.verdict.ruling == "awaiting":
            return awaiting_approval(files, record.verdict)
        write_round(files, record)
        write_round_files(files.view, record)
        course.passed(record)
        publish_round(files, record)
        emit_round(record)
        if not isinstance(config.data, InboxData):  # an hour tells it at its end
            tell_futility(config, files)
        standing = record.standing
    return Completed(message=f"epoch {standing.current.epoch}")


def _play(config: CampaignConfig, arm: Method, play: Play, standing: Standing) -> State[Any]:
    """Return how a batch ended, with its record if it is completed."""

    @await_prefect  # to create a flow run, Prefect asks the server only once
    def played() -> State[Any]:
        return batch(config, arm, play, standing, return_state=True)

    with within(arm.label, play.number):
        emit(RoundBegan())
        state = played()
    if state.is_completed() and state.name != AWAITING and state.data is None:
        # A server that was too busy is told the end of the batch twice. It then gives its own
        # word for it, without the record. All stages are cached by now.
        state = played()
    return state
