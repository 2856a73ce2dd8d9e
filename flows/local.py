"""Run the parts of a campaign in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from prefect import get_run_logger
from prefect.client.schemas.objects import State

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.folder import MethodOutcome
from backhaul.events import MethodEnded, emit, within
from flows.initial_training import initial_training
from flows.method import method
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
    """
    calls = {label: partial(method, config, label, return_state=True) for label in labels}
    return side_by_side(calls, config.parallel)


def side_by_side(
    calls: Mapping[str, Callable[[], State[Any]]], parallel: int
) -> dict[str, MethodOutcome]:
    """Make the calls, at most `parallel` at once, each in the context of this one.

    Whatever ends this one, a signal for example, does not wait for those that go on.
    """
    threads = ThreadPoolExecutor(parallel)
    futures = {name: threads.submit(copy_context().run, call) for name, call in calls.items()}
    try:
        return {name: _told(name, outcome_of(f.result())) for name, f in futures.items()}
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _told(name: str, outcome: MethodOutcome) -> MethodOutcome:
    with within(name):
        emit(MethodEnded(outcome.state))
    if outcome.state == "waiting":
        get_run_logger().warning("%s waits: %s", name, outcome.error)
    if outcome.state == "failed":
        get_run_logger().error("%s failed: %s", name, outcome.error)
    return outcome
