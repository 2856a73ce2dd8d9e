"""Run the parts of a campaign in this process."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from prefect import get_run_logger
from prefect.client.schemas.objects import State

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.outcome import MethodOutcome
from backhaul.events import MethodEnded, emit, within
from flows.initial_training import initial_training
from flows.method import method
from flows.parallel import side_by_side
from flows.states import outcome_of


def begin(config: CampaignConfig) -> MethodOutcome:
    """Run the initial training, and return how it ended.

    Raises:
        Exception: What it failed with.
    """
    state = initial_training(config, return_state=True)
    if state.is_failed():
        state.result()  # raises what ended it
    return outcome_of(state)


def play(
    config: CampaignConfig, labels: Iterable[str], turn: str = ""
) -> dict[str, MethodOutcome]:
    """Run methods, at most ``config.parallel`` at once, and return how each ended.

    Here each call is a `turn` of its own.

    Args:
        config: The campaign.
        labels: Labels of the methods.
        turn: Not used in this process.
    """
    calls = {label: partial(method, config, label, return_state=True) for label in labels}
    states = side_by_side(calls, config.parallel, _log_outcome)
    return {label: outcome_of(state) for label, state in states.items()}


def _log_outcome(label: str, state: State[Any]) -> None:
    outcome = outcome_of(state)
    with within(label):
        emit(MethodEnded(outcome.state))
    if outcome.state == "waiting":
        get_run_logger().warning("%s waits: %s", label, outcome.error)
    if outcome.state == "failed":
        get_run_logger().error("%s failed: %s", label, outcome.error)
