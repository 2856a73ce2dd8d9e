"""Compare sampling methods: the same detector, data and bandwidth for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from backhaul.config import CampaignConfig
from backhaul.errors import AwaitingLabelsError
from backhaul.report import write_report
from backhaul.sampling import Method
from flows.cropping import crop_batches
from flows.initial_training import initial_training
from flows.method import method
from flows.preparation import prepare
from tasks.records import RoundRecord, run_folder, write_record, write_setting
from tasks.runfolder import MethodOutcome, Overview, claim, write_overview, write_round
from tasks.setting import Setting
from tasks.stages import timed


@flow(name="campaign", flow_run_name="{config.name}")
def campaign(config: CampaignConfig) -> State[None]:
    """Prepare what methods share, play each of them, and write the run's folder.

    A method that fails leaves the others alone; the campaign then ends Failed, named
    CompletedWithFailures. One that waits for labels does not fail: the campaign then ends
    Completed, named AwaitingLabels. A second start computes only what is missing.

    With several seeds this is a campaign a seed, one after the other, and a page of them all.
    """
    if config.seeds:
        return _with_each_seed(config)
    folder = claim(config)
    try:
        with timed() as timings:
            setting, arrangement, splits = prepare(config)
    except AwaitingLabelsError as error:
        return Completed(name="AwaitingLabels", message=f"held-out images: {error}")
    overview = Overview.begin(config, arrangement, timings)
    write_overview(folder, overview)
    write_setting(folder, setting)
    first = initial_training(config, setting, splits)
    write_record(folder, first)
    write_round(folder, first)
    with timed() as cropping:
        setting = crop_batches(config, setting, first.standing)
    overview = overview.model_copy(update={"timings": (*overview.timings, *cropping)})
    outcomes = _play(config, setting, first)
    ended = overview.ended(outcomes)
    write_overview(folder, ended)
    write_report(Path(folder))
    return _state(ended)


def _with_each_seed(config: CampaignConfig) -> State[None]:
    states: list[Any] = [campaign(each, return_state=True) for each in config.each_seed]
    folder = Path(run_folder(config.store, config.name))
    if any((folder / f"seed{k}" / "run.json").exists() for k in config.seeds):
        write_report(folder)
    worst = min(states, key=lambda state: (state.is_completed(), state.name == "Completed"))
    messages = [f"seed {k}: {s.message}" for k, s in zip(config.seeds, states, strict=True)]
    state: State[None] = worst.model_copy(update={"message": "; ".join(messages)})
    return state


def _state(overview: Overview) -> State[None]:
    unfinished = [name for name, o in overview.methods.items() if o.state != "completed"]
    message = f"not completed: {', '.join(unfinished)}"
    match overview.state:
        case "completed":
            return Completed(message=f"{len(overview.methods)} methods completed")
        case "awaiting-labels":
            return Completed(name="AwaitingLabels", message=message)
        case _:
            return Failed(name="CompletedWithFailures", message=message)


def _play(
    config: CampaignConfig, setting: Setting, first: RoundRecord
) -> dict[str, MethodOutcome]:
    """Return how each method ended; at most ``config.parallel`` run at once."""

    def play(arm: Method) -> Callable[[], object]:
        return lambda: method(config, arm, setting, first.standing)

    return side_by_side({arm.label: play(arm) for arm in config.arms}, config.parallel)


def side_by_side(
    calls: Mapping[str, Callable[[], object]], parallel: int
) -> dict[str, MethodOutcome]:
    """Make the calls, at most `parallel` at once, each in the context of this one."""
    with ThreadPoolExecutor(parallel) as threads:
        futures = {
            name: threads.submit(copy_context().run, call) for name, call in calls.items()
        }
        try:
            return {name: _outcome(name, f.exception()) for name, f in futures.items()}
        except KeyboardInterrupt:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _outcome(name: str, error: BaseException | None) -> MethodOutcome:
    match error:
        case None:
            return MethodOutcome(state="completed")
        case AwaitingLabelsError():
            get_run_logger().warning("%s waits: %s", name, error)
            return MethodOutcome(state="waiting", error=str(error))
        case _:
            get_run_logger().error("%s failed: %s", name, error)
            return MethodOutcome(state="failed", error=f"{type(error).__name__}: {error}")
