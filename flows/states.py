"""Final states of flow runs, and the outcomes of methods that they stand for."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from backhaul.campaign.outcome import MethodOutcome
from backhaul.campaign.records import Verdict
from backhaul.layout import RunFiles

AWAITING = "AwaitingLabels"
APPROVAL = "AwaitingApproval"
FAILURES = "CompletedWithFailures"
_PREFECTS_WORDS = "Flow run encountered an exception: "


def awaiting(message: str) -> State[None]:
    """Return the final state of a flow run that waits for labels: it has not failed."""
    return Completed(name=AWAITING, message=message)


def awaiting_approval(files: RunFiles, verdict: Verdict) -> State[None]:
    """Return the final state of a flow run that waits for a person's decision of a version."""
    name = f"{files.name}@{verdict.version}"
    message = (
        f"{name} keeps to all rules and waits for approval ({verdict.reason}): "
        f"backhaul models approve|reject {name}, or the deployment decide"
    )
    return Completed(name=APPROVAL, message=message)


def outcome_of(state: State[Any]) -> MethodOutcome:
    """Return how a method ended, from the final state of its flow run."""
    if state.name == AWAITING:
        return MethodOutcome(state="waiting", error=state.message)
    if state.name == APPROVAL:
        return MethodOutcome(state="waiting", error=state.message, for_approval=True)
    if state.is_completed():
        return MethodOutcome(state="completed")
    reason = (state.message or state.name or "").removeprefix(_PREFECTS_WORDS)
    return MethodOutcome(state="failed", error=reason)


def failed(error: Exception) -> MethodOutcome:
    """Return the outcome of a method that failed with `error`."""
    return MethodOutcome(state="failed", error=f"{type(error).__name__}: {error}")


def overall(methods: dict[str, MethodOutcome]) -> State[None]:
    """Return the final state of a campaign from the outcomes of its methods.

    It has completed with failures only if something did not fail.
    """
    states = {outcome.state for outcome in methods.values()}
    unfinished = [f"{k} ({o.error})" for k, o in methods.items() if o.state != "completed"]
    message = f"not completed: {'; '.join(unfinished)}"
    if states == {"failed"}:
        return Failed(message=message)
    if "failed" in states:
        return Failed(name=FAILURES, message=message)
    if any(outcome.for_approval for outcome in methods.values()):
        return Completed(name=APPROVAL, message=message)
    if "waiting" in states:
        return awaiting(message)
    number = "1 method" if len(methods) == 1 else f"{len(methods)} methods"
    return Completed(message=f"{number} completed")
